#![no_main]

nanocamelid_fuzz::mutated_target!(nanocamelid_fuzz::forward_step, nanocamelid_fuzz::mutator::mutated_file);
