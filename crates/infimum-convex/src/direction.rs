//! Directions in weights and intercepts, and what the penalty does along them.

use infimum_problem::Intercept;

use crate::frame::{Frame, Losses, Point};
use crate::tracker::Tracker;

/// Without any penalty a separating point is scaled up to this margin: each logistic loss is then below 1e-13.
const SEPARATING_MARGIN: f64 = 30.0;

/// A change of the weights (outputs × d) and intercepts; intercepts are 0 where the model has none.
#[derive(Debug, Clone)]
pub(crate) struct Direction {
    pub(crate) weights: Vec<f64>,
    pub(crate) intercepts: Vec<f64>,
}

impl Frame<'_> {
    /// Second derivative of the penalty in weight j of an output, or in its intercept for j = d.
    pub(crate) fn curvature(&self, j: usize) -> f64 {
        if j < self.columns() {
            self.penalty.l2(j)
        } else if self.intercept == Intercept::Penalized {
            self.penalty.lambda2
        } else {
            0.0
        }
    }
}

impl Direction {
    /// `−∇U = Xᵀ alpha − ∇penalty` for λ1 = 0, from `v = Xᵀ alpha` and the sums of alpha.
    pub(crate) fn negative_gradient(frame: &Frame, point: &Point, v: &[f64], sums: &[f64]) -> Direction {
        let d = frame.columns();
        let weights = (v.iter().zip(&point.weights).enumerate())
            .map(|(e, (v, w))| v - frame.curvature(e % d.max(1)) * w)
            .collect();
        let intercepts = (sums.iter().zip(&point.intercepts))
            .map(|(sum, b)| if frame.has_intercept() { sum - frame.curvature(d) * b } else { 0.0 })
            .collect();
        Direction { weights, intercepts }
    }

    /// One vector, per output the weights and then, if `constant`, the intercept.
    pub(crate) fn flatten(&self, constant: bool) -> Vec<f64> {
        let outputs = self.intercepts.len();
        let d = self.weights.len() / outputs;
        let mut flat = Vec::with_capacity(self.weights.len() + outputs);
        for k in 0..outputs {
            flat.extend_from_slice(&self.weights[k * d..(k + 1) * d]);
            flat.extend(constant.then_some(self.intercepts[k]));
        }
        flat
    }

    /// The inverse of [`Direction::flatten`].
    pub(crate) fn from_flat(flat: &[f64], d: usize, outputs: usize, constant: bool) -> Direction {
        let block = d + usize::from(constant);
        let weights = (0..outputs).flat_map(|k| flat[k * block..k * block + d].iter().copied()).collect();
        let intercepts = (0..outputs).map(|k| if constant { flat[k * block + d] } else { 0.0 }).collect();
        Direction { weights, intercepts }
    }

    /// Inner product.
    pub(crate) fn dot(&self, other: &Direction) -> f64 {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        product(&self.weights, &other.weights) + product(&self.intercepts, &other.intercepts)
    }

    /// Slope at 0 and curvature of the penalty along `point + t·self` (λ1 = 0).
    pub(crate) fn penalty_along(&self, frame: &Frame, point: &Point) -> (f64, f64) {
        let d = frame.columns();
        let (mut linear, mut quadratic) = (0.0, 0.0);
        let mut add = |curvature: f64, value: f64, step: f64| {
            linear += curvature * value * step;
            quadratic += curvature * step * step;
        };
        for (entry, (&w, &s)) in point.weights.iter().zip(&self.weights).enumerate() {
            add(frame.curvature(entry % d), w, s);
        }
        point.intercepts.iter().zip(&self.intercepts).for_each(|(&b, &s)| add(frame.curvature(d), b, s));
        (linear, quadratic)
    }

    /// `point + t·self`.
    pub(crate) fn apply(&self, t: f64, point: &mut Point) {
        point.weights.iter_mut().zip(&self.weights).for_each(|(w, s)| *w += t * s);
        point.intercepts.iter_mut().zip(&self.intercepts).for_each(|(b, s)| *b += t * s);
    }
}

/// Without any penalty: if every margin is positive, scales the point up and offers it; the infimum is then 0 and the
/// search is over.
pub(crate) fn separated(frame: &Frame, losses: &impl Losses, point: &Point, z: &[f64], tracker: &mut Tracker) -> bool {
    if frame.penalty.lambda1 > 0.0 || frame.penalty.lambda2 > 0.0 {
        return false;
    }
    let Some(margin) = losses.separation(z) else {
        return false;
    };
    let mut scaled = point.clone();
    let factor = (SEPARATING_MARGIN / margin).max(1.0);
    scaled.weights.iter_mut().chain(&mut scaled.intercepts).for_each(|w| *w *= factor);
    let upper = frame.upper(losses, &scaled, &mut vec![0.0; z.len()]);
    tracker.offer_point(upper, &scaled);
    tracker.report("separated");
    true
}
