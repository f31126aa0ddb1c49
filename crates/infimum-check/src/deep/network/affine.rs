//! Batch normalisation by running values: an affine map of each channel.

use infimum_rigor::Interval;

use super::Values;
use super::size::{UNIT, grown, norm, root};

/// `y = a x + b` with enclosures of a and b for each channel: their middles, and how far from them a and b may be.
pub(super) struct Affine {
    factors: Vec<f64>,
    terms: Vec<f64>,
    /// The largest |a|.
    largest: f64,
    /// The largest distance of an a from its middle.
    factor_error: f64,
    /// Norm of the distances of b from their middles.
    term_error: f64,
    term_norm: f64,
}

impl Affine {
    /// `a = γ/√(variance + ε)`, `b = β − mean·a`.
    pub(super) fn new(gain: &[f64], shift: &[f64], mean: &[f64], variance: &[f64], epsilon: f64) -> Affine {
        let channels = gain.len();
        let (mut factors, mut terms) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
        let (mut largest, mut factor_error, mut term_errors) = (0.0f64, 0.0f64, Vec::with_capacity(channels));
        for c in 0..channels {
            let deviation = (Interval::point(variance[c]) + Interval::point(epsilon)).sqrt();
            let factor = Interval::point(gain[c]).divide_by_positive(deviation);
            let term = Interval::point(shift[c]) - Interval::point(mean[c]) * factor;
            let ((factor_middle, factor_radius), (term_middle, term_radius)) =
                (factor.midpoint_radius(), term.midpoint_radius());
            largest = largest.max(factor.magnitude());
            factor_error = factor_error.max(factor_radius);
            factors.push(factor_middle);
            terms.push(term_middle);
            term_errors.push(term_radius);
        }
        let (term_error, term_norm) = (norm(&term_errors), norm(&terms));
        Affine { factors, terms, largest, factor_error, term_error, term_norm }
    }

    /// The layer on all positions of the examples: two roundings each.
    pub(super) fn apply(&self, mut values: Values) -> Values {
        let channels = self.factors.len();
        let positions = root((values.size / channels) as f64);
        let errors = values
            .examples()
            .map(|(x, error)| {
                let norm = norm(x);
                let size = grown(error, &[(self.largest, norm), (positions, self.term_norm)]);
                grown(
                    error,
                    &[
                        (self.largest, error),
                        (self.factor_error, norm),
                        (positions, self.term_error),
                        (4.0 * UNIT, size),
                    ],
                )
            })
            .collect();
        values.errors = errors;
        for x in values.numbers.chunks_exact_mut(channels) {
            for c in 0..channels {
                x[c] = self.factors[c] * x[c] + self.terms[c];
            }
        }
        values
    }
}
