#![no_main]

nanocamelid_fuzz::file_target!(nanocamelid_fuzz::model_build, nanocamelid_fuzz::mutator::mutated_file);
