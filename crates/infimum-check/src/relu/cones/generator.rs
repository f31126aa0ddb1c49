//! Vectors that generate cones, enclosed, with what all rows give at them, computed once for each vector.
//!
//! **Error bounds.** v ∈ [m ± e] coordinate by coordinate. For row p, `t_p = C_p·v` is computed as `m_p = fl(Σ_j C_pj m_j)`, by fused multiply-adds in order: off by at
//! most γ_r Σ_j |C_pj m_j|, and by Σ_j |C_pj| e_j for the enclosure. With ε_j ≥ e_j + 2(r + 2)u|m_j| the deviation is at most a_p = fl(Σ_j |C_pj| ε_j): the sum of
//! terms ≥ 0 loses less than a factor 1 − γ_{r+1}, which 2(r + 2) in the place of r makes up for (e_j is widened by as much). What underflows is less
//! than 2^-1074 an operation: 2^-1022 is added to every ε_j and 2^-1000 to every a_p. Whatever overflows makes the sum infinite or NaN, and the leaf is refused.
//!
//! Sums over the rows are plain sums in lanes; of N terms, in any order, they are off by at most γ_N times the sum of magnitudes, which is itself
//! known up to a factor 1 + γ_N. M < 2^32, so a factor 1 + 4(M + 8)u covers both.

use infimum_rigor::{Interval, vectorized};

use super::basis::Coordinates;

const UNIT: f64 = f64::EPSILON / 2.0;

/// Covers what underflows in one product.
const COVER: f64 = 9.332636185032189e-302; // 2^-1000

/// The rows with w_p > 0 and those with w_p < 0, coordinates one after the other; without rows of zeros, which add nothing.
pub(super) struct Rows {
    positive: Part,
    pub(super) negative: Part,
    /// Place of each row among the negative ones.
    pub(super) place_of: Vec<Option<u32>>,
    /// r.
    pub(super) places: usize,
}

/// Rows of one sign.
pub(super) struct Part {
    /// w_p.
    weights: Vec<f64>,
    /// r × count.
    coordinates: Vec<f64>,
}

/// A vector v ∈ R^r and the rows' values at it.
pub(super) struct Generator {
    /// Enclosure of v.
    pub(super) vector: Vec<Interval>,
    /// At least `Σ_{w_p > 0} w_p relu(C_p·v)` plus what the sums over the rows with w_p < 0 may be off by.
    pub(super) fixed: f64,
    /// `w_p C_p·v` of the rows with w_p < 0, unless they are to be computed when they are needed.
    pub(super) values: Option<Vec<f64>>,
}

impl Part {
    fn new(coordinates: &Coordinates, w: &[f64], rows: &[usize]) -> Part {
        let column = |j: usize| rows.iter().map(move |&p| coordinates.values[j * coordinates.points + p]);
        Part {
            weights: rows.iter().map(|&p| w[p]).collect(),
            coordinates: (0..coordinates.places).flat_map(column).collect(),
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    /// m_p and a_p of all rows.
    fn values(&self, middles: &[f64], deviations: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut values, mut errors) = (vec![0.0; self.len()], vec![COVER; self.len()]);
        vectorized(
            #[inline(always)]
            || {
                for (j, (&middle, &deviation)) in middles.iter().zip(deviations).enumerate() {
                    let column = &self.coordinates[j * self.weights.len()..][..self.weights.len()];
                    for ((&c, value), error) in column.iter().zip(&mut values).zip(&mut errors) {
                        *value = c.mul_add(middle, *value);
                        *error = c.abs().mul_add(deviation, *error);
                    }
                }
            },
        );
        (values, errors)
    }
}

impl Rows {
    pub(super) fn new(coordinates: &Coordinates, w: &[f64]) -> Rows {
        let is_zero = |p: usize| (0..coordinates.places).all(|j| coordinates.values[j * coordinates.points + p] == 0.0);
        let (positive, negative): (Vec<usize>, Vec<usize>) =
            (0..w.len()).filter(|&p| w[p] != 0.0 && !is_zero(p)).partition(|&p| w[p] > 0.0);
        let mut place_of = vec![None; w.len()];
        negative.iter().enumerate().for_each(|(place, &p)| place_of[p] = Some(place as u32));
        Rows {
            positive: Part::new(coordinates, w, &positive),
            negative: Part::new(coordinates, w, &negative),
            place_of,
            places: coordinates.places,
        }
    }

    /// Middles m_j and ε_j of a vector.
    fn middles(&self, vector: &[Interval]) -> (Vec<f64>, Vec<f64>) {
        let slack = 2.0 * (self.places + 2) as f64 * UNIT;
        let widened = |v: &Interval| {
            let (middle, radius) = v.midpoint_radius();
            let deviation = slack.mul_add(middle.abs(), radius * (1.0 + 4.0 * slack)) * (1.0 + 4.0 * slack);
            (middle, deviation + f64::MIN_POSITIVE)
        };
        vector.iter().map(widened).unzip()
    }

    /// The generator of a vector; `keep` its values.
    pub(super) fn generator(&self, vector: Vec<Interval>, keep: bool) -> Generator {
        let (middles, deviations) = self.middles(&vector);
        let (values, errors) = self.positive.values(&middles, &deviations);
        let mut gained = 0.0;
        for ((&w, value), error) in self.positive.weights.iter().zip(values).zip(errors) {
            // `max` would hide what is not a number, and a sum that overflowed once means nothing.
            let top = value + error;
            gained += if top.is_finite() { w * top.max(0.0) } else { f64::INFINITY };
        }
        let (mut products, mut deviation) = (Vec::new(), 0.0);
        let (values, errors) = self.negative.values(&middles, &deviations);
        let mut magnitude = 0.0;
        products.reserve_exact(if keep { values.len() } else { 0 });
        for ((&w, value), error) in self.negative.weights.iter().zip(values).zip(errors) {
            let product = w * value;
            deviation -= w * error;
            magnitude += product.abs();
            if keep {
                products.push(product);
            }
        }
        // Positive rows: terms ≥ 0, each of three roundings, and their sum. Negative rows: a product's rounding, that of its multiple with α, and
        // those of the sum, relative to the magnitudes; and what each value may be off by.
        let (positive, negative) = (self.positive.len() as f64, self.negative.len() as f64);
        let gained = gained * (1.0 + 4.0 * (positive + 8.0) * UNIT);
        let off = 4.0 * (negative + 8.0) * UNIT;
        let fixed = (gained + (deviation + off * magnitude) * (1.0 + off)) * (1.0 + 8.0 * UNIT);
        let fixed = fixed + (positive + negative) * COVER;
        Generator { vector, fixed, values: keep.then_some(products) }
    }

    /// The values that a generator did not keep.
    pub(super) fn values(&self, generator: &Generator) -> Vec<f64> {
        let (middles, deviations) = self.middles(&generator.vector);
        let (values, _) = self.negative.values(&middles, &deviations);
        values.iter().zip(&self.negative.weights).map(|(value, w)| w * value).collect()
    }
}
