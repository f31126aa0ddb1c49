//! Random numbers by place: the number at a place depends on the seed and the place alone, so it does not matter who asks first.

/// 64 random bits: the finaliser of SplitMix64 (Steele, Lea & Flood 2014) at the `place`-th step of the sequence that starts at `seed`.
#[inline(always)]
pub(super) fn bits(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A standard normal number (Box & Muller 1958).
pub(super) fn normal(seed: u64, place: u64) -> f64 {
    let uniform = |half: u64| ((bits(seed, 2 * place + half) >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64);
    (-2.0 * uniform(0).ln()).sqrt() * (std::f64::consts::TAU * uniform(1)).cos()
}

#[cfg(test)]
mod tests {
    #[test]
    fn normal_numbers_have_their_moments() {
        let count = 40_000;
        let numbers: Vec<f64> = (0..count).map(|place| super::normal(7, place)).collect();
        let moment = |power: i32| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / count as f64;
        // Standard errors: 0.005, 0.007, 0.02, 0.05.
        assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03);
        assert!(moment(3).abs() < 0.08 && (moment(4) - 3.0).abs() < 0.2);
    }
}
