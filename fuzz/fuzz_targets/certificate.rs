//! Any bytes as a certificate, and a real certificate with bytes overwritten (its digest made anew where it still parses): the
//! checker answers or refuses, never panics.
#![no_main]

use infimum_check::check;
use infimum_problem::{Certificate, Ending};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check(bytes, "builtin:xor");
    if let Ok(mut certificate) = Certificate::from_bytes(bytes) {
        // Past the digest: shapes stay, numbers and endings vary.
        for (slot, chunk) in certificate.dual.iter_mut().zip(bytes.chunks_exact(8)) {
            *slot = f64::from_le_bytes(std::array::from_fn(|i| chunk[i]));
        }
        certificate.claim.ending = Ending::NotAttained;
        if let Ok(changed) = certificate.to_bytes() {
            let _ = check(&changed, "builtin:xor");
        }
    }
});
