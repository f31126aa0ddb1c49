//! Margins of separable units (docs/loading.md, theorem 5), in exact integers.
//!
//! Column j's values are its integers times `u_j = 10^ten·2^two`. Squares are compared, so that no root is taken: with T, W the greatest powers among the columns
//! and `h_j = 10^(T−ten_j)·2^(W−two_j)` the recorded margin is `N·10^T·2^W / √Σ(w_j h_j)²`, N the least |weighted sum|; with t, v the least powers and
//! `f_j = 10^(ten_j−t)·2^(two_j−v)` the distance of the two hull points is `10^t·2^v·√Σ(G_j f_j)² / (A·B)`, A and B the sums of the multipliers and G the difference of
//! the sides' sums, crosswise times A and B.

use dashu_int::{IBig, UBig};
use infimum_problem::{
    ColumnScale, HullPoints, LoadingCertificate, LoadingProblem, MarginClaim, Neuron, Term, Unit, UnitKind,
};

use super::weights::{narrow_sum, narrowed, place_of, wide_sum};
use crate::chunks::in_chunks;

/// Powers of ten and of two of a column's unit are at most so large; what can be read is far below.
const LARGEST_POWERS: [u32; 2] = [20_000, 100_000];

/// Checks all claimed margins. The error says what is wrong.
pub(super) fn check(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Result<(), String> {
    let claims = &certificate.claim.margins;
    if claims.len() != certificate.hulls.len() {
        return Err(format!("{} margins, but {} pairs of hull points", claims.len(), certificate.hulls.len()));
    }
    if claims.is_empty() {
        return Ok(());
    }
    let neurons = match &certificate.neurons {
        Some(neurons) if certificate.claim.upper == Some(0) => neurons,
        _ => return Err("margins are of weights that are right on all rows".into()),
    };
    if !claims.is_sorted_by(|one, other| one.unit < other.unit) {
        return Err("the units are not in increasing order".into());
    }
    for (claim, hulls) in claims.iter().zip(&certificate.hulls) {
        let gap = Gap::new(problem, claim, neurons)?;
        gap.recorded(claim.lower)?;
        gap.every(claim.upper, hulls)?;
    }
    Ok(())
}

/// A finite number ≥ 0 as `mantissa · 2^power`.
fn dyadic(value: f64) -> Option<(u64, i64)> {
    let (bits, fraction) = (value.to_bits(), value.to_bits() & ((1 << 52) - 1));
    let exponent = (bits >> 52) as i64;
    match exponent {
        0 => Some((fraction, -1_074)),
        // The sign is the twelfth bit.
        1..=2_046 => Some((fraction | 1 << 52, exponent - 1_075)),
        _ => None,
    }
}

/// `number · 10^ten · 2^two`.
struct Scaled {
    number: UBig,
    ten: i64,
    two: i64,
}

impl Scaled {
    fn at_most(&self, other: &Scaled) -> bool {
        let (ten, two) = (self.ten.min(other.ten), self.two.min(other.two));
        let whole = |scaled: &Scaled| {
            (&scaled.number * UBig::from(10u32).pow((scaled.ten - ten) as usize)) << (scaled.two - two) as usize
        };
        whole(self) <= whole(other)
    }
}

/// The square of `value` times the square of `factor`.
fn square(value: f64, factor: &UBig) -> Result<Scaled, String> {
    let (mantissa, power) = dyadic(value).ok_or(format!("{value} is no finite number of 0 or more"))?;
    let number = factor * UBig::from(mantissa);
    Ok(Scaled { number: &number * &number, ten: 0, two: 2 * power })
}

/// One unit that separates the rows that want it 1 from those that want it 0.
struct Gap<'a> {
    problem: &'a LoadingProblem,
    unit: &'a Unit,
    output: usize,
    neuron: &'a Neuron,
    /// The units of its columns, in order.
    scales: Vec<ColumnScale>,
}

impl<'a> Gap<'a> {
    fn new(problem: &'a LoadingProblem, claim: &MarginClaim, neurons: &'a [Neuron]) -> Result<Gap<'a>, String> {
        let (network, place) = (&problem.network, claim.unit);
        let unit = network.units.get(place as usize).ok_or(format!("there is no unit {place}"))?;
        let output = network.outputs.iter().position(|&output| output == place);
        let output = output.filter(|_| unit.is_free() && unit.kind() == UnitKind::Linear);
        let output = output.ok_or(format!("unit `{}` is no free output that reads columns alone", unit.name))?;
        let before = network.units[..place as usize].iter().filter(|unit| unit.is_free()).count();
        let neuron = neurons.get(before).ok_or(format!("unit `{}` has no weights", unit.name))?;
        let columns = unit.columns.list(problem.points.columns());
        let scales: Vec<ColumnScale> =
            columns.iter().filter_map(|&j| problem.scales.get(j as usize).copied()).collect();
        let [ten, two] = LARGEST_POWERS;
        if scales.len() != columns.len()
            || scales.iter().any(|scale| scale.ten.unsigned_abs() > ten || scale.two.unsigned_abs() > two)
        {
            return Err(format!("unit `{}`: the units of its columns are missing or too far from 1", unit.name));
        }
        Ok(Gap { problem, unit, output, neuron, scales })
    }

    fn target(&self, row: usize) -> Option<bool> {
        self.problem.target(row)[self.output]
    }

    /// The recorded weights have a margin of at least `lower`.
    fn recorded(&self, lower: f64) -> Result<(), String> {
        let ten = self.scales.iter().map(|scale| scale.ten).max().unwrap_or(0);
        let two = self.scales.iter().map(|scale| scale.two).max().unwrap_or(0);
        let mut length = UBig::ZERO;
        for (weight, scale) in self.neuron.weights.iter().zip(&self.scales) {
            let stretched = weight.clone().into_parts().1 * power(ten - scale.ten, two - scale.two);
            length += &stretched * &stretched;
        }
        if length.is_zero() {
            return Err(format!("unit `{}`: its weights are all 0", self.unit.name));
        }
        let Some(nearest) = self.nearest() else {
            return Err(format!("unit `{}`: no row says what it is to be", self.unit.name));
        };
        let margin = Scaled { number: &nearest * &nearest, ten: 2 * i64::from(ten), two: 2 * i64::from(two) };
        let mut claimed = square(lower, &UBig::ONE)?;
        claimed.number *= length;
        if claimed.at_most(&margin) {
            return Ok(());
        }
        Err(format!("unit `{}`: the recorded weights have a smaller margin than {lower:e}", self.unit.name))
    }

    /// The least |weighted sum| over the rows with a known target.
    fn nearest(&self) -> Option<UBig> {
        let narrow = narrowed(self.neuron);
        let of_chunk = |range: std::ops::Range<usize>| {
            let (mut small, mut large): (Option<u128>, Option<UBig>) = (None, None);
            for row in range.filter(|&row| self.target(row).is_some()) {
                let sum = narrow
                    .as_ref()
                    .and_then(|(weights, bias)| narrow_sum(self.problem, self.unit, weights, *bias, row, &[]));
                match sum {
                    Some(sum) => small = Some(small.map_or(sum.unsigned_abs(), |least| least.min(sum.unsigned_abs()))),
                    None => {
                        let sum = wide_sum(self.problem, self.unit, self.neuron, row, &[]).into_parts().1;
                        large = Some(large.map_or(sum.clone(), |least| least.min(sum)));
                    }
                }
            }
            small.map(UBig::from).into_iter().chain(large).min()
        };
        in_chunks(self.problem.rows(), 1, of_chunk).into_iter().flatten().min()
    }

    /// No weights that are right on all rows have a margin above `upper`: half the distance of the two hull points.
    fn every(&self, upper: f64, hulls: &HullPoints) -> Result<(), String> {
        let [ones, zeros] = [self.side(&hulls.left, true)?, self.side(&hulls.right, false)?];
        let ten = self.scales.iter().map(|scale| scale.ten).min().unwrap_or(0);
        let two = self.scales.iter().map(|scale| scale.two).min().unwrap_or(0);
        let mut distance = UBig::ZERO;
        for (place, scale) in self.scales.iter().enumerate() {
            let difference =
                &ones.1[place] * IBig::from(zeros.0.clone()) - &zeros.1[place] * IBig::from(ones.0.clone());
            let stretched = difference.into_parts().1 * power(scale.ten - ten, scale.two - two);
            distance += &stretched * &stretched;
        }
        let distance = Scaled { number: distance, ten: 2 * i64::from(ten), two: 2 * i64::from(two) };
        let claimed = square(upper, &(ones.0 * zeros.0 * UBig::from(2u32)))?;
        if distance.at_most(&claimed) {
            return Ok(());
        }
        Err(format!("unit `{}`: the hull points are farther apart than twice {upper:e}", self.unit.name))
    }

    /// The sum of the multipliers of a side, and of the rows times their multipliers.
    fn side(&self, terms: &[Term], wanted: bool) -> Result<(UBig, Vec<IBig>), String> {
        let (mut total, mut sums) = (UBig::ZERO, vec![IBig::ZERO; self.scales.len()]);
        for term in terms {
            let row = u64::from(term.row) + 1;
            if term.row as usize >= self.problem.rows() {
                return Err(format!("a hull names row {row}, but there are {}", self.problem.rows()));
            }
            if self.target(term.row as usize) != Some(wanted) {
                return Err(format!("row {row} does not want unit `{}` to be {}", self.unit.name, u8::from(wanted)));
            }
            if !term.inputs.is_empty() {
                return Err(format!("row {row} of a hull has values of input units"));
            }
            total += &term.multiplier;
            let multiplier = IBig::from(term.multiplier.clone());
            for (column, value) in self.problem.points.row(term.row as usize) {
                if let Some(place) = place_of(self.unit, column) {
                    sums[place] += &multiplier * value.as_ref();
                }
            }
        }
        if total.is_zero() {
            return Err(format!("unit `{}`: a hull point rests on no row", self.unit.name));
        }
        Ok((total, sums))
    }
}

/// `10^ten · 2^two`, both ≥ 0.
fn power(ten: i32, two: i32) -> UBig {
    UBig::from(10u32).pow(ten as usize) << two as usize
}
