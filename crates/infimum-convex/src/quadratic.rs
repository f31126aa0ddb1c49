//! The quadratic model of a proximal Newton step, minimised with its ℓ1 term.
//!
//! Over u (weights of a working set and intercepts, one block per output) minimise
//!
//! ```text
//! ½ (u − w)ᵀ G (u − w) − ∇ᵀ(u − w) + Σ l1_j |u_j| + ½ Σ l2_j u_j²
//! ```
//!
//! G the Hessian of the losses, ∇ = X̃ᵀα their negative gradient at w. Coordinate descent in covariance form (each step costs one
//! column of G; Friedman, Hastie, Tibshirani, J. Stat. Softw. 2010, section 2.2) finds the signs; then the linear system of the
//! support gives the exact minimiser, which is accepted if its signs agree. Invariant: `slope = ∇ − G(u − w)`.

use faer::Mat;
use infimum_problem::Intercept;

use crate::cholesky::Cholesky;
use crate::direction::Direction;
use crate::frame::{Frame, Point};
use crate::tracker::Tracker;

/// Sweeps between two attempts at the exact minimiser.
const SWEEPS: usize = 10;
/// Attempts.
const ATTEMPTS: usize = 60;

pub(crate) struct Quadratic {
    /// Full symmetric G.
    hessian: Mat<f64>,
    l1: Vec<f64>,
    l2: Vec<f64>,
    start: Vec<f64>,
    gradient: Vec<f64>,
    columns: usize,
    outputs: usize,
    constant: bool,
}

impl Quadratic {
    /// The model at `point`; `hessian` is a lower triangle, v and sums are `Xᵀα` and `Σα`; `damping` is added to the diagonal,
    /// one entry per weight of an output and its intercept. `None` if it is not finite.
    pub(crate) fn new(
        frame: &Frame,
        mut hessian: Mat<f64>,
        point: &Point,
        v: &[f64],
        sums: &[f64],
        damping: &[f64],
    ) -> Option<Quadratic> {
        let (columns, outputs, constant) = (frame.columns(), frame.outputs, frame.has_intercept());
        let order = hessian.nrows();
        for j in 0..order {
            for i in j..order {
                if !hessian[(i, j)].is_finite() {
                    return None;
                }
                hessian[(j, i)] = hessian[(i, j)];
            }
            hessian[(j, j)] += damping[j % damping.len()];
        }
        let penalised = frame.intercept == Intercept::Penalized;
        let flat = |weights: &[f64], intercepts: &[f64]| {
            Direction { weights: weights.to_vec(), intercepts: intercepts.to_vec() }.flatten(constant)
        };
        let l1_block: Vec<f64> = (0..columns).map(|j| frame.penalty.l1(j)).collect();
        let l1_constant = if penalised { frame.penalty.lambda1 } else { 0.0 };
        let l2_block: Vec<f64> = (0..columns).map(|j| frame.curvature(j)).collect();
        Some(Quadratic {
            hessian,
            l1: flat(&l1_block.repeat(outputs), &vec![l1_constant; outputs]),
            l2: flat(&l2_block.repeat(outputs), &vec![frame.curvature(columns); outputs]),
            start: flat(&point.weights, &point.intercepts),
            gradient: flat(v, sums),
            columns,
            outputs,
            constant,
        })
    }

    /// The minimiser minus the start, and how much the model falls.
    pub(crate) fn minimise(&self, tracker: &Tracker) -> (Direction, f64) {
        let order = self.start.len();
        let mut u = self.start.clone();
        let mut slope = self.gradient.clone();
        for _ in 0..ATTEMPTS {
            let mut moved = 0.0f64;
            for _ in 0..SWEEPS {
                moved = 0.0;
                for j in 0..order {
                    moved = moved.max(self.step(j, &mut u, &mut slope));
                }
                if moved == 0.0 {
                    break;
                }
            }
            if moved == 0.0 || tracker.stop().is_some() {
                break;
            }
            if let Some(exact) = self.on_support(&u) {
                // A singular system gives no minimiser: coordinate descent goes on alone.
                if !(self.value(&exact) <= self.value(&u)) {
                    continue;
                }
                let exact_slope = self.slope(&exact);
                let holds = (0..order).all(|j| exact[j] != 0.0 || exact_slope[j].abs() <= self.l1[j] * (1.0 + 1e-11));
                u = exact;
                slope = exact_slope;
                if holds {
                    break;
                }
            }
        }
        let change: Vec<f64> = u.iter().zip(&self.start).map(|(u, w)| u - w).collect();
        let fall = self.value(&self.start) - self.value(&u);
        (Direction::from_flat(&change, self.columns, self.outputs, self.constant), fall)
    }

    /// Minimises over one coordinate; returns how far the model's slope moved.
    fn step(&self, j: usize, u: &mut [f64], slope: &mut [f64]) -> f64 {
        let curvature = self.hessian[(j, j)];
        let total = curvature + self.l2[j];
        let pull = slope[j] + curvature * u[j];
        let next = if total > 0.0 {
            pull.signum() * (pull.abs() - self.l1[j]).max(0.0) / total
        } else if slope[j].abs() <= self.l1[j] {
            // No row curves along this weight: only its penalty acts.
            0.0
        } else {
            u[j]
        };
        let change = next - u[j];
        if change == 0.0 || change.abs() <= 1e-16 * u[j].abs() {
            return 0.0;
        }
        u[j] = next;
        let column = self.hessian.col_as_slice(j);
        slope.iter_mut().zip(column).for_each(|(slope, g)| *slope -= change * g);
        (change * total.max(f64::MIN_POSITIVE)).abs()
    }

    /// `∇ − G(u − w)`.
    fn slope(&self, u: &[f64]) -> Vec<f64> {
        let mut slope = self.gradient.clone();
        for j in 0..u.len() {
            let change = u[j] - self.start[j];
            if change != 0.0 {
                let column = self.hessian.col_as_slice(j);
                slope.iter_mut().zip(column).for_each(|(slope, g)| *slope -= change * g);
            }
        }
        slope
    }

    /// The minimiser with the signs of u fixed, if it has these signs.
    fn on_support(&self, u: &[f64]) -> Option<Vec<f64>> {
        let support: Vec<usize> = (0..u.len()).filter(|&j| u[j] != 0.0 || self.l1[j] == 0.0).collect();
        let system = Mat::from_fn(support.len(), support.len(), |a, b| {
            let (i, j) = (support[a], support[b]);
            self.hessian[(i, j)] + if i == j { self.l2[i] } else { 0.0 }
        });
        // One step of Newton from the point itself keeps rounding small: (G + l2) Δ = slope − l2 u − l1 sign(u).
        let slope = self.slope(u);
        let mut right: Vec<f64> = (support.iter())
            .map(|&j| slope[j] - self.l2[j] * u[j] - if self.l1[j] > 0.0 { self.l1[j] * u[j].signum() } else { 0.0 })
            .collect();
        Cholesky::new(system, 0.0)?.solve(&mut right);
        let mut exact = u.to_vec();
        for (&j, step) in support.iter().zip(&right) {
            exact[j] += step;
            if !exact[j].is_finite() || (self.l1[j] > 0.0 && exact[j] * u[j] <= 0.0) {
                return None;
            }
        }
        Some(exact)
    }

    fn value(&self, u: &[f64]) -> f64 {
        let slope = self.slope(u);
        (0..u.len())
            .map(|j| {
                let change = u[j] - self.start[j];
                // ½ΔᵀGΔ − ∇ᵀΔ = −½ Δᵀ(slope + ∇)
                -0.5 * change * (slope[j] + self.gradient[j]) + self.l1[j] * u[j].abs() + 0.5 * self.l2[j] * u[j] * u[j]
            })
            .sum()
    }
}
