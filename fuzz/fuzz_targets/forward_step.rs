#![no_main]

nanocamelid_fuzz::file_target!(nanocamelid_fuzz::forward_step, nanocamelid_fuzz::mutator::mutated_file);
