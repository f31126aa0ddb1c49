//! Preconditioners for the conjugate gradients of [`crate::newton_cg`]: the Hessian's diagonal, or a factorised estimate of the Hessian ([`crate::hessian`]), of all outputs together
//! or, where that is too large, of each output's block.
//!
//! A factorisation costs as much as some number of conjugate-gradient steps. It is made when the last Newton step took more than that
//! many, so that it costs at most as much again as was spent without it.

use crate::cholesky::Cholesky;
use crate::direction::Direction;
use crate::frame::Frame;
use crate::hessian;
use crate::smooth::SmoothLosses;

/// Largest order that is factorised.
const LARGEST: usize = 4_000;
/// Products x̃ x̃ᵀ that each term of an estimate is made of, for each column of x̃.
const ENTRIES_PER_COLUMN: usize = 6;
/// How many times as fast multiplications are in products of matrices as in passes over the rows.
const FASTER: f64 = 3.0;
/// Least share of its diagonal that is added to an estimate.
const DAMPING: f64 = 1e-9;

/// What stands for the inverse of the Hessian.
pub(crate) struct Preconditioner {
    /// Reciprocal diagonal; 0 for intercepts that the model does not have.
    diagonal: Direction,
    /// One for all outputs, or one for each; none yet, or none at all.
    factors: Vec<Cholesky>,
    /// Whether one is for all outputs.
    together: bool,
    /// Products of each term.
    entries: usize,
    /// Conjugate-gradient steps that cost as much as a factorisation; infinite where none is made.
    worth: f64,
}

impl Preconditioner {
    /// Without anything; [`Preconditioner::update`] comes first.
    pub(crate) fn new(frame: &Frame, losses: &impl SmoothLosses) -> Preconditioner {
        let outputs = frame.outputs;
        let block = frame.columns() + usize::from(frame.has_intercept());
        let together = outputs * block <= LARGEST;
        let (terms, order, count) =
            if together { (losses.terms().len(), outputs * block, 1) } else { (outputs, block, outputs) };
        let entries = ENTRIES_PER_COLUMN * block;
        // A term is a pass over the rows: from a file many would take longer than the steps they save.
        let possible = (1..=LARGEST).contains(&block) && (terms == 1 || !frame.matrix.is_spilled());
        let products = 0.5 * (terms * frame.rows().min(entries)) as f64 * (block * block) as f64;
        let factorisations = count as f64 * (order as f64).powi(3) / 6.0;
        let step = 2.0 * (frame.matrix.stored() * outputs).max(1) as f64;
        let worth = if possible { (products + factorisations) / (FASTER * step) } else { f64::INFINITY };
        let diagonal = Direction { weights: Vec::new(), intercepts: Vec::new() };
        Preconditioner { diagonal, factors: Vec::new(), together, entries, worth }
    }

    /// Brings the diagonal up to date, and makes a new factorisation if the last Newton step took so many steps that it pays.
    pub(crate) fn update(&mut self, frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64], steps: usize) {
        let invert = |x: f64| if x > 0.0 { 1.0 / x } else { 1.0 };
        let inverse: Vec<f64> = hessian::diagonal(frame, losses, curvature).into_iter().map(invert).collect();
        self.diagonal = Direction::from_flat(&inverse, frame.columns(), frame.outputs, frame.has_intercept());
        if steps as f64 > self.worth {
            self.factors = self.factorised(frame, losses, curvature).unwrap_or_default();
        }
    }

    /// Steps after which it is better to factorise than to go on.
    pub(crate) fn patience(&self) -> usize {
        (2.0 * self.worth).clamp(10.0, 1e9) as usize
    }

    /// The diagonal's inverse times a direction.
    pub(crate) fn scaled(&self, direction: &Direction) -> Direction {
        let multiply = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect();
        Direction {
            weights: multiply(&self.diagonal.weights, &direction.weights),
            intercepts: multiply(&self.diagonal.intercepts, &direction.intercepts),
        }
    }

    /// The best inverse at hand times a direction.
    pub(crate) fn apply(&self, frame: &Frame, direction: &Direction) -> Direction {
        if self.factors.is_empty() {
            return self.scaled(direction);
        }
        let constant = frame.has_intercept();
        let mut flat = direction.flatten(constant);
        let each = flat.len() / self.factors.len();
        flat.chunks_exact_mut(each).zip(&self.factors).for_each(|(part, factor)| factor.solve(part));
        Direction::from_flat(&flat, frame.columns(), frame.outputs, constant)
    }

    /// The factors; `None` if an estimate is not finite, or told to stop.
    fn factorised(&self, frame: &Frame, losses: &impl SmoothLosses, curvature: &[f64]) -> Option<Vec<Cholesky>> {
        let count = if self.together { 1 } else { frame.outputs };
        (0..count)
            .map(|k| {
                let estimate = match self.together {
                    true => hessian::estimate(frame, losses, curvature, self.entries),
                    false => hessian::block_estimate(frame, losses, curvature, k, self.entries),
                };
                if frame.monitor.stop().is_some() { None } else { Cholesky::new(estimate, DAMPING) }
            })
            .collect()
    }
}
