#![no_main]

nanocamelid_fuzz::mutated_target!(nanocamelid_fuzz::connection::serve, nanocamelid_fuzz::requests::mutated_request);
