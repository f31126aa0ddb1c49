//! The plane of the zero network's α, by the first-order method: what there is at once, and for many rows and columns all there is.

use infimum_relu::relaxation::Relaxation;

use super::plane::{Proven, plane};

/// Operations that the plane may cost, and steps of the first-order method.
const MOST_OPERATIONS: f64 = 1e12;
const STEPS: f64 = 12.0;
/// Sums at fixed weights that are bounded for one output: w⁺, w⁻, and of each sign w and the whole.
const SUMS: f64 = 6.0;

/// The plane; `None` where two steps would be too many. `deep`: more than one hidden layer.
///
/// One slope a for each output and sign. `A(w⁺ − a w⁻) ≤ a A(w) + (1 − a) A(w⁺)`, which for `a = A(w⁺)/(A(w⁺) + A(w⁻) − A(w))` is `a A(w⁻)`.
pub(super) fn plane_of_zero(relaxation: &Relaxation, deep: bool, stop: &(dyn Fn() -> bool + Sync)) -> Option<Proven> {
    let (outputs, d) = (relaxation.outputs(), relaxation.dimension() as f64);
    let step = outputs as f64 * SUMS * d * d * (2.0 * relaxation.points() as f64 + 20.0 * d);
    let steps = (MOST_OPERATIONS / step).min(STEPS) as usize;
    if steps < 2 || stop() {
        return None;
    }
    let alpha = relaxation.first_alpha();
    let mut slopes = vec![1.0; if deep { relaxation.points() * outputs } else { 0 }];
    let mut multipliers = Vec::new();
    for k in 0..outputs {
        let (w, errors) = relaxation.merged(&alpha, k);
        let bounded = |weight: &dyn Fn(f64) -> f64| {
            let w: Vec<f64> = w.iter().map(|&w| weight(w)).collect();
            let multipliers = relaxation.first_order(&w, steps, stop);
            (relaxation.witness(&w, &errors, &multipliers).bound, multipliers)
        };
        let whole = [bounded(&|w| w), bounded(&|w| -w)];
        if !deep {
            multipliers.extend(whole.map(|whole| whole.1));
            continue;
        }
        let part = [bounded(&|w| w.max(0.0)), bounded(&|w| (-w).max(0.0))];
        for (sign, whole, part, rest) in [(1.0, &whole[0], &part[0], &part[1]), (-1.0, &whole[1], &part[1], &part[0])] {
            let slope = (part.0 / (part.0 + rest.0 - whole.0)).clamp(0.0, 1.0);
            let slope = if slope.is_finite() { slope } else { 1.0 };
            let (_, of_whole) = bounded(&|w| if sign * w > 0.0 { sign * w } else { slope * sign * w });
            multipliers.extend([of_whole, rest.1.clone()]);
            let negative = w.iter().enumerate().filter(|(_, w)| sign * **w < 0.0);
            negative.for_each(|(p, _)| slopes[p * outputs + k] = slope);
        }
    }
    plane(relaxation, &alpha, &slopes, &multipliers)
}
