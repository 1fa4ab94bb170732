#![no_main]

nanocamelid_fuzz::mutated_target!(nanocamelid_fuzz::gguf_parse, nanocamelid_fuzz::mutator::mutated_parts);
