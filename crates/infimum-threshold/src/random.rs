//! Random numbers: splitmix64 (Steele, Lea and Flood 2014).

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers; equal seeds give equal streams.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        number
    }
}

/// The first number of the stream with this seed: a hash of it.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
