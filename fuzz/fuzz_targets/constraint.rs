#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    nanocamelid_fuzz::constraint(data);
});
