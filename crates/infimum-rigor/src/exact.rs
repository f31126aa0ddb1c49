//! Sums of `f64` without any error: a fixed-point accumulator as wide as the whole range of `f64`.
//!
//! Every finite `f64` is an integer multiple of 2^-1074 below 2^1024. The accumulator holds an integer multiple of
//! 2^-1074 in digits of 32 bits, each in an `i64` that may run over its 32 bits; digits are carried before one can
//! overflow (Kulisch's long accumulator; Neal, *Fast exact summation using small and large superaccumulators*, 2015).

/// Digits of 32 bits: 2098 bits of `f64` and room for 2^64 additions.
const DIGITS: usize = 68;
/// Additions before carries: each adds less than 2^32 to a digit, an `i64` holds 2^31 of those.
const CARRY_AFTER: u32 = 1 << 30;

/// An exact sum of finite `f64`.
#[derive(Debug, Clone)]
pub struct ExactSum {
    digits: [i64; DIGITS],
    pending: u32,
    finite: bool,
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum::new()
    }
}

impl ExactSum {
    /// The empty sum.
    pub fn new() -> ExactSum {
        ExactSum { digits: [0; DIGITS], pending: 0, finite: true }
    }

    /// Adds `x` exactly. A NaN or infinity makes the sum never zero.
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            self.finite = false;
            return;
        }
        let bits = x.to_bits();
        let exponent = (bits >> 52) & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        // x = ± mantissa · 2^(position − 1074)
        let (mantissa, position) = if exponent == 0 { (fraction, 0) } else { (fraction | (1 << 52), exponent - 1) };
        let wide = u128::from(mantissa) << (position % 32);
        let first = (position / 32) as usize;
        let sign = if x < 0.0 { -1 } else { 1 };
        for digit in 0..3 {
            let part = (wide >> (32 * digit)) as u32;
            self.digits[first + digit] += sign * i64::from(part);
        }
        self.pending += 1;
        if self.pending == CARRY_AFTER {
            self.carry();
        }
    }

    /// Subtracts `x` exactly.
    pub fn subtract(&mut self, x: f64) {
        self.add(-x);
    }

    fn carry(&mut self) {
        for digit in 0..DIGITS - 1 {
            let carry = self.digits[digit] >> 32;
            self.digits[digit] -= carry << 32;
            self.digits[digit + 1] += carry;
        }
        self.pending = 0;
    }

    /// Whether the exact sum is 0.
    pub fn is_zero(&self) -> bool {
        self.sign() == Some(0)
    }

    /// −1, 0 or 1; `None` if something that is not finite was added.
    pub fn sign(&self) -> Option<i32> {
        if !self.finite {
            return None;
        }
        let mut carried = self.clone();
        carried.carry();
        // All digits but the last are now in [0, 2^32), so the last decides unless it is 0.
        let last = carried.digits[DIGITS - 1];
        if last != 0 {
            return Some(last.signum() as i32);
        }
        Some(i32::from(carried.digits.iter().any(|&digit| digit != 0)))
    }
}
