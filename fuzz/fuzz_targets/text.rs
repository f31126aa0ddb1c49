//! Any text as a network and as a formula.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| infimum_data::fuzzing::parse_text(text));
