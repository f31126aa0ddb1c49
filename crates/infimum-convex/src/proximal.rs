//! Proximal Newton steps over the columns taken so far (Lee, Sun, Saunders, *Proximal Newton-type methods for minimizing
//! composite functions*, SIAM J. Optim. 2014): minimise the quadratic model with the ℓ1 term, then go as far along the step as
//! the objective falls. For the squared loss the model is the objective, and one step is all.
//!
//! Invariant: `z` are the outputs at the current point; weights of columns not taken are 0.

use std::cell::OnceCell;

use faer::Mat;
use infimum_problem::Intercept;

use crate::columns::Columns;
use crate::design;
use crate::frame::{Frame, Point};
use crate::gram_model::{GramModel, extend};
use crate::quadratic::{Limits, Terms, minimise};
use crate::residual_model::ResidualModel;
use crate::smooth::{SmoothLosses, floor_after, line_search};
use crate::tracker::Tracker;

/// Newton steps at a time.
const NEWTON_STEPS: usize = 30;
/// Largest order of a Hessian in memory.
const LARGEST_GRAM: usize = 3_000;
/// A Hessian is formed if that costs no more than so many sweeps over the columns: a constant one, which is formed once and
/// enlarged, and one that changes with every step.
const CONSTANT_WORTH: f64 = 200.0;
const CHANGING_WORTH: f64 = 30.0;
/// Largest system of a support that is solved while the set still grows fast.
const SMALL_SYSTEM: usize = 300;
/// Relative promise from which on steps are whole ones: the model is accurate and the line search would see rounding.
const NEAR_OPTIMAL: f64 = 1e-7;
/// A best length this near 1 is taken to be 1.
const WHOLE: f64 = 0.1;
/// Cycles of sweeps for the model of a quadratic loss, which is solved once, and of another, which is solved again.
const QUADRATIC_CYCLES: usize = 400;
const CHANGING_CYCLES: usize = 20;
/// Smallest violation, relative to the smallest weight of the ℓ1 term, that a model is solved to.
const FINEST: f64 = 1e-13;
/// Products per entry that a dense matrix product does in the time of one of a sweep.
const DENSE_SPEED: f64 = 8.0;

/// The columns taken, and what is kept between calls.
pub(crate) struct Proximal<'a, S> {
    frame: &'a Frame<'a>,
    losses: &'a S,
    pub(crate) columns: Columns<'a>,
    /// The Hessian of a quadratic loss over the columns that were taken at the last call.
    gram: Option<Mat<f64>>,
    /// The largest curvature of the loss, or what will do for it.
    bound: f64,
    /// `Σ c x²` of every column of the matrix, computed when it is first asked for: a Hessian damped by `bound` times these lies
    /// above the objective.
    squares: OnceCell<Vec<f64>>,
}

/// Where a call of [`Proximal::improve`] ended.
pub(crate) enum Improved {
    /// The last step was a whole one (or there was none to take): the dual point of its model is the better one.
    Whole,
    /// The last step had another length.
    Other,
    /// The model is not finite.
    NotFinite,
}

impl<'a, S: SmoothLosses> Proximal<'a, S> {
    /// No column taken; `bound` as above.
    pub(crate) fn new(frame: &'a Frame<'a>, losses: &'a S, bound: f64) -> Self {
        Proximal { frame, losses, columns: Columns::new(frame), gram: None, bound, squares: OnceCell::new() }
    }

    /// Coordinates of the model: per output the columns taken, then the constant. `column` and `constant` are asked for each.
    fn coordinates<T>(&self, column: impl Fn(usize, usize) -> T, constant: impl Fn(usize) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for k in 0..self.frame.outputs {
            all.extend((0..self.columns.taken.len()).map(|position| column(k, position)));
            if self.frame.has_intercept() {
                all.push(constant(k));
            }
        }
        all
    }

    /// Newton steps until the model promises a thousandth of what it promised first. `modelled` becomes the dual point of the
    /// last model, `alpha − H dz`. Only where the set of columns is `nearly_final` are large systems solved for it. It meets the optimality conditions on the columns taken to second order.
    pub(crate) fn improve(
        &mut self,
        point: &mut Point,
        z: &mut [f64],
        modelled: &mut [f64],
        nearly_final: bool,
        tracker: &mut Tracker,
    ) -> Improved {
        let (frame, losses, d) = (self.frame, self.losses, self.frame.columns());
        let mut curvature = vec![0.0; z.len()];
        let mut alpha = vec![0.0; z.len()];
        let mut value = losses.value(z) + frame.penalty_value(point);
        let mut damping = 0.0f64;
        let mut promised = None;
        let mut floor = tracker.relative_gap().min(1.0);
        let mut whole = true;
        for _ in 0..NEWTON_STEPS {
            losses.derivatives(z, floor, &mut alpha, &mut curvature);
            modelled.copy_from_slice(&alpha);
            let terms = self.terms(point, &alpha, damping);
            if !terms.gradient.iter().all(|slope| slope.is_finite()) {
                tracker.trouble = Some("the gradient is not finite: rescale the columns".into());
                return Improved::NotFinite;
            }
            let worst = terms.worst(&terms.start, &terms.gradient);
            if worst == 0.0 || tracker.stop().is_some() {
                break;
            }
            let minimised = self.minimise(&terms, worst, &alpha, &curvature, nearly_final, tracker);
            let Some((mut change, predicted)) = minimised else {
                tracker.trouble = Some("the Hessian is not finite: rescale the columns".into());
                return Improved::NotFinite;
            };
            let block = self.columns.taken.len() + 1;
            frame.center(change.iter_mut().skip(block - 1).step_by(block));
            let dz = self.outputs_of(&change);
            losses.curve(&curvature, &dz, modelled);
            modelled.iter_mut().zip(&alpha).for_each(|(modelled, alpha)| *modelled = alpha - *modelled);
            let mut accepted = false;
            let trusted = losses.is_quadratic() || predicted <= NEAR_OPTIMAL * value.abs();
            let mut t = if trusted { 1.0 } else { self.best_length(&terms, &change, z, &dz, tracker) };
            for _ in 0..12 {
                let trial = self.moved(point, &change, t, d);
                let trial_z: Vec<f64> = z.iter().zip(&dz).map(|(z, dz)| z + t * dz).collect();
                let trial_value = losses.value(&trial_z) + frame.penalty_value(&trial);
                // Where the model promises less than rounding shows, its whole step still mends the gradient.
                let blind = t == 1.0 && predicted <= 1e-11 * value.abs() && trial_value <= value * (1.0 + 1e-14);
                if trial_value < value || blind {
                    accepted = true;
                    z.copy_from_slice(&trial_z);
                    (*point, value) = (trial, trial_value);
                    break;
                }
                t = 0.5 * t.min(1.0);
            }
            whole = accepted && t == 1.0;
            floor = floor_after(predicted, value);
            let first = *promised.get_or_insert(predicted);
            if tracker.stop().is_some() {
                break;
            }
            if !accepted || t < 0.05 {
                if damping >= 1.0 {
                    break;
                }
                damping = (100.0 * damping).clamp(1e-8, 1.0);
                continue;
            }
            if whole && damping == 0.0 && losses.is_quadratic() {
                break;
            }
            if t > 0.5 {
                damping = if damping < 1e-12 { 0.0 } else { 0.1 * damping };
            }
            if predicted <= 1e-3 * first.max(1e-300) && whole && damping < 1e-6 {
                break;
            }
        }
        if whole { Improved::Whole } else { Improved::Other }
    }

    /// How far to go along a step: the minimiser of the objective, exactly where the losses decide, else 1.
    fn best_length(&self, terms: &Terms, change: &[f64], z: &[f64], dz: &[f64], tracker: &Tracker) -> f64 {
        let penalty = |t: f64| {
            let (mut first, mut second) = (0.0, 0.0);
            for (j, &change) in change.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                let u = terms.start[j] + t * change;
                first += change * (terms.l2[j] * u + if terms.l1[j] > 0.0 { terms.l1[j] * u.signum() } else { 0.0 });
                second += terms.l2[j] * change * change;
            }
            (first, second)
        };
        let slope = self.losses.along(z, dz, 0.0).0 + penalty(0.0).0;
        let t = line_search(self.losses, z, dz, penalty, slope, tracker);
        // Near 1 the whole step keeps the optimality conditions that the model solved for.
        if (t - 1.0).abs() < WHOLE { 1.0 } else { t }
    }

    /// The separable part of the model at `point`.
    fn terms(&self, point: &Point, alpha: &[f64], damping: f64) -> Terms {
        let (frame, d, outputs) = (self.frame, self.frame.columns(), self.frame.outputs);
        let penalised = frame.intercept == Intercept::Penalized;
        let taken = |position: usize| self.columns.taken[position];
        let products: Vec<Vec<f64>> = (0..outputs).map(|k| self.columns.products(alpha, outputs, k)).collect();
        let majorant = |position: usize| match damping {
            0.0 => 0.0,
            _ => damping * self.bound * self.squares.get_or_init(|| weighted_squares(frame))[taken(position)],
        };
        Terms {
            l1: self.coordinates(
                |_, position| frame.penalty.l1(taken(position)),
                |_| if penalised { frame.penalty.lambda1 } else { 0.0 },
            ),
            l2: self.coordinates(|_, position| frame.curvature(taken(position)), |_| frame.curvature(d)),
            damping: self.coordinates(
                |_, position| majorant(position),
                |_| damping * self.bound * frame.weights.iter().sum::<f64>(),
            ),
            start: self.coordinates(|k, position| point.weights[k * d + taken(position)], |k| point.intercepts[k]),
            gradient: self
                .coordinates(|k, position| products[k][position], |k| alpha.iter().skip(k).step_by(outputs).sum()),
        }
    }

    /// Minimises the model, with its Hessian in memory where that pays; `None` if it is not finite.
    fn minimise(
        &mut self,
        terms: &Terms,
        worst: f64,
        alpha: &[f64],
        curvature: &[f64],
        nearly_final: bool,
        tracker: &Tracker,
    ) -> Option<(Vec<f64>, f64)> {
        let (frame, losses) = (self.frame, self.losses);
        let constant = frame.has_intercept();
        let width = self.columns.taken.len();
        let (stored, rows) = (self.columns.stored() as f64, frame.rows() as f64);
        let products = if frame.matrix.is_sparse() { stored / rows } else { width as f64 / DENSE_SPEED };
        // A small set or a nearly final one is solved for the gap that is asked for, others for a better set.
        let last = losses.is_quadratic() && (nearly_final || width <= SMALL_SYSTEM);
        let sufficient = if last { self.sufficient(terms, tracker) } else { f64::INFINITY };
        let limits = Limits {
            violation: sufficient.min(0.1 * worst),
            cycles: if losses.is_quadratic() { QUADRATIC_CYCLES } else { CHANGING_CYCLES },
            system: if nearly_final { usize::MAX } else { SMALL_SYSTEM },
        };
        let worth = if losses.is_quadratic() { CONSTANT_WORTH } else { CHANGING_WORTH };
        let large = terms.start.len() > LARGEST_GRAM || products * frame.outputs as f64 > worth;
        if large || self.columns.is_turned() {
            self.gram = None;
            self.columns.turn();
            let mut model = ResidualModel::new(frame, losses, &self.columns, alpha, curvature);
            return Some(minimise(&mut model, terms, limits, tracker));
        }
        let hessian = if frame.outputs == 1 {
            extend(self.gram.take(), &self.columns, curvature, constant)
        } else {
            self.block_hessian(curvature)
        };
        let finite = (0..hessian.nrows()).all(|j| hessian[(j, j)].is_finite());
        let minimised =
            finite.then(|| minimise(&mut GramModel::new(&hessian, &terms.gradient), terms, limits, tracker));
        self.gram = losses.is_quadratic().then_some(hessian);
        minimised
    }

    /// The violation up to which a dual point that is shrunk into its domain loses less than the gap asked for: a factor of
    /// 1 − δ costs about δ·Σ l1 |w|. Infinite where there is nothing to go by.
    fn sufficient(&self, terms: &Terms, tracker: &Tracker) -> f64 {
        if self.frame.penalty.lambda2 > 0.0 {
            return f64::INFINITY;
        }
        let penalty: f64 = terms.l1.iter().zip(&terms.start).map(|(l1, w)| l1 * w.abs()).sum();
        let share = 0.25 * tracker.wanted() * tracker.upper.abs() / penalty;
        let smallest = terms.l1.iter().copied().filter(|&l1| l1 > 0.0).fold(f64::INFINITY, f64::min);
        share.max(FINEST) * smallest
    }

    /// The Hessian of several outputs: block (k, l) is `X̃ᵀ diag(h_kl) X̃`.
    fn block_hessian(&self, curvature: &[f64]) -> Mat<f64> {
        let (frame, outputs, rows) = (self.frame, self.frame.outputs, self.frame.rows());
        let constant = frame.has_intercept();
        let block = self.columns.taken.len() + usize::from(constant);
        let mut hessian = Mat::zeros(outputs * block, outputs * block);
        let mut image = vec![0.0; rows * outputs];
        for k in 0..outputs {
            image.fill(0.0);
            (0..rows).for_each(|i| self.losses.pull(curvature, i, k, -1.0, &mut image));
            for l in 0..=k {
                let h: Vec<f64> = image.iter().skip(l).step_by(outputs).copied().collect();
                let gram = extend(None, &self.columns, &h, constant);
                for b in 0..block {
                    for a in 0..block {
                        hessian[(k * block + a, l * block + b)] = gram[(a, b)];
                        hessian[(l * block + a, k * block + b)] = gram[(a, b)];
                    }
                }
            }
        }
        hessian
    }

    /// The outputs at `point`, whose weights are those of columns taken. Added up step by step they would keep the rounding of long
    /// steps.
    pub(crate) fn outputs(&self, point: &Point) -> Vec<f64> {
        let d = self.frame.columns();
        let weight = |k: usize, position: usize| point.weights[k * d + self.columns.taken[position]];
        let centre = |k: usize| -> f64 {
            self.columns.means.iter().enumerate().map(|(position, mean)| mean * weight(k, position)).sum()
        };
        self.outputs_of(&self.coordinates(weight, |k| point.intercepts[k] + centre(k)))
    }

    /// `X̃·change`, n × outputs.
    fn outputs_of(&self, change: &[f64]) -> Vec<f64> {
        let outputs = self.frame.outputs;
        let width = self.columns.taken.len();
        let block = width + usize::from(self.frame.has_intercept());
        let mut dz = vec![0.0; self.frame.rows() * outputs];
        for (k, change) in change.chunks_exact(block.max(1)).enumerate() {
            self.columns.add_outputs(&change[..width], outputs, k, &mut dz);
            if let Some(&constant) = change.get(width) {
                dz.iter_mut().skip(k).step_by(outputs).for_each(|dz| *dz += constant);
            }
        }
        dz
    }

    /// `point + t·change`; centred columns take their means back out of the intercept.
    fn moved(&self, point: &Point, change: &[f64], t: f64, d: usize) -> Point {
        let mut moved = point.clone();
        let block = self.columns.taken.len() + usize::from(self.frame.has_intercept());
        for (index, &change) in change.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            let (k, position) = (index / block, index % block);
            match self.columns.taken.get(position) {
                Some(&j) => {
                    moved.weights[k * d + j] += t * change;
                    moved.intercepts[k] -= t * change * self.columns.means[position];
                }
                None => moved.intercepts[k] += t * change,
            }
        }
        moved
    }
}

/// `Σ_i c_i x_ij²` of every column.
fn weighted_squares(frame: &Frame) -> Vec<f64> {
    let mut squares = vec![0.0; frame.columns()];
    design::for_each_row(frame.matrix, |i, row| {
        let c = frame.weights[i];
        row.for_each(|j, x| squares[j] += c * x * x);
    });
    squares
}
