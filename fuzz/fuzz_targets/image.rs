//! Any bytes as a PNG or JPEG image: an answer or an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    infimum_data::fuzzing::parse(bytes, infimum_problem::Format::Images);
});
