#![no_main]

nanocamelid_fuzz::file_target!(nanocamelid_fuzz::gguf_parse, nanocamelid_fuzz::mutator::mutated_parts);
