//! Margins and distances in the units of the file's columns, exactly: roots of rational numbers.
//!
//! Column j's values are its integers times `u_j = 10^ten·2^two`. A hyperplane with integer weights w over the integers has weights `w_j/u_j` over the values, so its distance
//! from a row with weighted sum N is `|N| / √Σ(w_j/u_j)²`.

use dashu_int::{IBig, UBig, ops::BitTest, ops::SquareRoot};
use infimum_problem::{ColumnScale, Points};

/// `√(numerator/denominator)`, the denominator positive.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    numerator: UBig,
    denominator: UBig,
}

/// Bits of a root that is rounded to a double.
const BITS: i64 = 66;

impl Root {
    /// Whether it is at least `share`/10,000 of `other`.
    pub(crate) fn at_least(&self, share: u32, other: &Root) -> bool {
        let (share, whole) = (UBig::from(share).pow(2), UBig::from(10_000u32).pow(2));
        &self.numerator * &other.denominator * whole >= &other.numerator * &self.denominator * share
    }

    /// The greatest double that is not above it.
    pub(crate) fn down(&self) -> f64 {
        self.nearest(false)
    }

    /// The least double that is not below it; infinite if there is none.
    pub(crate) fn up(&self) -> f64 {
        self.nearest(true)
    }

    fn nearest(&self, up: bool) -> f64 {
        if self.numerator.is_zero() {
            return 0.0;
        }
        // root = √(numerator·4^s/denominator) has at least BITS bits, so that value = root·2^−s.
        let size = self.numerator.bit_len() as i64 - self.denominator.bit_len() as i64;
        let s = BITS - size.div_euclid(2);
        let shift = 2 * s.unsigned_abs() as usize;
        let (over, under) = match s >= 0 {
            true => (&self.numerator << shift, self.denominator.clone()),
            false => (self.numerator.clone(), &self.denominator << shift),
        };
        let quotient = &over / &under;
        let root = quotient.sqrt();
        let mut exact = &root * &root * under == over;
        // Doubles are 53 bits above 2^−1074.
        let drop = (root.bit_len() as i64 - 53).max(s - 1_074);
        let mut mantissa = match usize::try_from(drop) {
            Ok(drop) => {
                exact &= root.trailing_zeros().is_none_or(|zeros| zeros >= drop);
                u64::try_from(root >> drop).unwrap_or(u64::MAX)
            }
            Err(_) => return f64::NAN,
        };
        mantissa += u64::from(up && !exact);
        let power = drop - s;
        if power > 971 || (power == 971 && mantissa >= 1 << 53) {
            return if up { f64::INFINITY } else { f64::MAX };
        }
        // Both factors and the product are doubles.
        let half = (power / 2) as i32;
        mantissa as f64 * 2f64.powi(half) * 2f64.powi(power as i32 - half)
    }
}

/// The units of some columns.
pub(crate) struct Metric {
    /// `10^ten·2^two` over the least of each.
    pub(crate) stretch: Vec<IBig>,
    least: [i64; 2],
    /// The greatest of each over `10^ten·2^two`.
    shrink: Vec<IBig>,
    greatest: [i64; 2],
    scales: Vec<ColumnScale>,
}

impl Metric {
    pub(crate) fn new(scales: Vec<ColumnScale>) -> Metric {
        let powers = |pick: fn(&ColumnScale) -> i32| {
            let all = || scales.iter().map(pick);
            [all().min().unwrap_or(0), all().max().unwrap_or(0)]
        };
        let ([least_ten, most_ten], [least_two, most_two]) = (powers(|scale| scale.ten), powers(|scale| scale.two));
        let power = |ten: i32, two: i32| IBig::from(10).pow(ten as usize) << two as usize;
        Metric {
            stretch: scales.iter().map(|scale| power(scale.ten - least_ten, scale.two - least_two)).collect(),
            least: [least_ten.into(), least_two.into()],
            shrink: scales.iter().map(|scale| power(most_ten - scale.ten, most_two - scale.two)).collect(),
            greatest: [most_ten.into(), most_two.into()],
            scales,
        }
    }

    /// The binary logarithm of column j's unit, about.
    pub(crate) fn logarithm(&self, j: usize) -> f64 {
        f64::from(self.scales[j].ten) * std::f64::consts::LOG2_10 + f64::from(self.scales[j].two)
    }

    /// The distance from the hyperplane of a point with this weighted sum; `None` if all weights are 0.
    pub(crate) fn distance(&self, weights: &[IBig], sum: &IBig) -> Option<Root> {
        let stretched = weights.iter().zip(&self.shrink).map(|(weight, factor)| weight * factor);
        let length: IBig = stretched.map(|weight| &weight * &weight).sum();
        if length.is_zero() {
            return None;
        }
        Some(rooted(sum * sum, length, self.greatest))
    }

    /// Half the distance of two points of hulls, each given by its points and their multipliers.
    pub(crate) fn half_distance(&self, points: &Points, sides: [&[(u32, UBig)]; 2]) -> Root {
        let [ones, zeros] = sides.map(|side| {
            let mut sums = vec![IBig::ZERO; self.scales.len()];
            let mut total = IBig::ZERO;
            for (p, multiplier) in side {
                let multiplier = IBig::from(multiplier.clone());
                points.row(*p as usize).into_iter().for_each(|(j, value)| sums[j as usize] += &multiplier * &*value);
                total += multiplier;
            }
            (total, sums)
        });
        let difference = |j: usize| (&ones.1[j] * &zeros.0 - &zeros.1[j] * &ones.0) * &self.stretch[j];
        let square: IBig = (0..self.scales.len()).map(difference).map(|entry| &entry * &entry).sum();
        let totals = ones.0 * zeros.0 * IBig::from(2);
        rooted(square, &totals * &totals, self.least)
    }
}

/// `√(numerator/denominator) · 10^ten·2^two` of numbers that are not negative.
fn rooted(numerator: IBig, denominator: IBig, [ten, two]: [i64; 2]) -> Root {
    let (mut numerator, mut denominator) = (numerator.into_parts().1, denominator.into_parts().1);
    for (base, power) in [(10u32, ten), (2, two)] {
        let factor = UBig::from(base).pow(2 * power.unsigned_abs() as usize);
        *(if power > 0 { &mut numerator } else { &mut denominator }) *= factor;
    }
    Root { numerator, denominator }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(numerator: u64, denominator: u64, ten: i64) -> Root {
        rooted(numerator.into(), denominator.into(), [ten, 0])
    }

    #[test]
    fn roots_are_rounded_outward() {
        for (n, d) in
            [(1, 4), (9, 16), (2, 1), (1, 3), (5, 7), (u64::MAX, 1), (1, u64::MAX), (123_456_789, 987_654_321)]
        {
            let (root, plain) = (root(n, d, 0), (n as f64 / d as f64).sqrt());
            let (down, up) = (root.down(), root.up());
            assert!(down <= up && up <= down.next_up(), "{n}/{d}: {down:e} {up:e}");
            assert!((down / plain - 1.0).abs() < 1e-15 && (up / plain - 1.0).abs() < 1e-15, "{n}/{d}: {down:e}");
        }
        assert_eq!((root(1, 4, 0).down(), root(1, 4, 0).up()), (0.5, 0.5));
        assert!(root(2, 1, 0).down() < root(2, 1, 0).up());
        assert_eq!((root(1, 1, 400).down(), root(1, 1, 400).up()), (f64::MAX, f64::INFINITY));
        assert_eq!((root(1, 1, -400).down(), root(1, 1, -400).up()), (0.0, 5e-324));
        let small = root(1, 1, -310);
        assert!(small.down() > 0.0 && small.up() == small.down().next_up(), "{:e}", small.down());
        assert_eq!(rooted(IBig::ZERO, IBig::ONE, [5, 5]).up(), 0.0);
    }

    #[test]
    fn shares() {
        assert!(root(9_981, 10_000, 0).at_least(9_990, &root(1, 1, 0)));
        assert!(!root(9_980, 10_000, 0).at_least(9_990, &root(1, 1, 0)));
    }
}
