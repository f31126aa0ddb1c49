//! Starting from a given point instead of zero.
//!
//! What is given is only offered: the tracker takes the model if its value, evaluated here, is below that of zero, and a dual
//! point after clipping, balancing and scaling into the domain ([`Frame::lower`]), so that incumbent and bound mean what they
//! always mean. Two dual points are offered, the given one and, for solvers whose first step makes no better one, `−c·loss′(z)` at
//! the given model.

use infimum_problem::{Intercept, Problem};

use crate::frame::{Frame, Losses, Point};
use crate::options::Start;
use crate::tracker::Tracker;

/// The share of a [`Start`] in one (sub)problem.
pub(crate) struct First {
    point: Point,
    dual: Option<Vec<f64>>,
    /// Whether to offer the dual point that belongs to the model as well.
    natural: bool,
}

impl Start {
    /// Why this is no start for `problem`, if it is none.
    pub(crate) fn objection(&self, problem: &Problem) -> Option<String> {
        let (outputs, columns) = (problem.outputs(), problem.data.columns());
        let model = &self.model;
        let fits = (model.outputs, model.columns) == (outputs, columns)
            && model.weights.len() == outputs * columns
            && model.intercepts.len() == outputs;
        if !fits {
            return Some(format!(
                "the start does not fit: expected {outputs} outputs of {columns} weights, got {} of {}",
                model.outputs, model.columns
            ));
        }
        let (expected, got) = (problem.data.rows() * outputs, self.dual.as_ref()?.len());
        (expected != got).then(|| format!("the start's dual point does not fit: expected {expected} values, got {got}"))
    }

    /// The whole start (`None`), or its share in the problem of one output of several.
    pub(crate) fn part(&self, output: Option<usize>, natural: bool) -> First {
        let model = &self.model;
        match output {
            None => First {
                point: Point { weights: model.weights.clone(), intercepts: model.intercepts.clone() },
                dual: self.dual.clone(),
                natural,
            },
            Some(k) => First {
                point: Point { weights: model.row(k).to_vec(), intercepts: vec![model.intercepts[k]] },
                dual: (self.dual.as_ref()).map(|dual| dual.iter().skip(k).step_by(model.outputs).copied().collect()),
                natural,
            },
        }
    }
}

/// Offers the tracker what is given.
pub(crate) fn offer(frame: &Frame, losses: &impl Losses, mut first: First, tracker: &mut Tracker) {
    let size = frame.rows() * frame.outputs;
    let mut v = vec![0.0; frame.columns() * frame.outputs];
    if let Some(alpha) = &mut first.dual {
        let (lower, _) = frame.lower(losses, alpha, &mut v);
        tracker.offer_dual(lower, alpha);
    }
    if frame.intercept == Intercept::None {
        first.point.intercepts.fill(0.0);
    }
    let mut z = vec![0.0; size];
    let upper = frame.upper(losses, &first.point, &mut z);
    if upper < tracker.upper && first.natural && tracker.stop().is_none() {
        let mut alpha = vec![0.0; size];
        losses.natural_dual(&z, &mut alpha);
        let (lower, _) = frame.lower(losses, &mut alpha, &mut v);
        tracker.offer_dual(lower, &alpha);
    }
    tracker.offer_point_with(upper, &first.point, z);
}
