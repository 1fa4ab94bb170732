#![no_main]

nanocamelid_fuzz::mutated_target!(nanocamelid_fuzz::model_build, nanocamelid_fuzz::mutator::mutated_file);
