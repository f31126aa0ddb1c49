//! Any bytes as images and labels in IDX: an answer or an error, never a panic. The first two bytes say how many are the labels'.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    infimum_data::fuzzing::parse(bytes, infimum_problem::Format::Idx);
});
