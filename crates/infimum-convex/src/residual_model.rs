//! The quadratic model without its matrix: `α − H·X̃·change` is kept for the rows, a step on one weight costs one pass over
//! its column. For any number of columns.
//!
//! A free intercept of a one-output problem is eliminated: it follows every step to its minimiser, so that the columns act as
//! if they were centred (with the weights h), at the price of one number per step. With r̃ = α − h∘(X·change), t the change
//! of the intercept, `r = r̃ − t h` and `Σ r = 0` give t = Σr̃/Σh; a column has the slope `x·r̃ − t·(x·h)` and the curvature
//! `Σ h x² − (x·h)²/Σh`.

use faer::Mat;
use infimum_problem::Intercept;
use infimum_rigor::vectorized;

use crate::columns::{Column, Columns};
use crate::dense;
use crate::frame::Frame;
use crate::quadratic::{Curved, Terms};
use crate::smooth::SmoothLosses;
use crate::sparse;
use crate::tracker::Tracker;

/// Entries between two questions whether to stop.
const ASK_EVERY: usize = 1 << 20;
/// A system is formed if that costs no more than so many sweeps.
const SYSTEM_WORTH: usize = 60;

pub(crate) struct ResidualModel<'a, S> {
    losses: &'a S,
    columns: &'a Columns<'a>,
    curvature: &'a [f64],
    alpha: &'a [f64],
    /// `α − H·X̃·change`, n × outputs, without the part of an eliminated intercept.
    residual: Vec<f64>,
    outputs: usize,
    /// Coordinates of one output: the columns taken, and the constant.
    block: usize,
    constant: bool,
    /// Curvature of every coordinate, an eliminated intercept following.
    diagonal: Vec<f64>,
    eliminated: Option<Eliminated>,
}

/// The state of an eliminated intercept.
struct Eliminated {
    /// `x_j·h`.
    moments: Vec<f64>,
    /// Σh.
    total: f64,
    /// Σr̃.
    sum: f64,
    /// t.
    change: f64,
}

impl<'a, S: SmoothLosses> ResidualModel<'a, S> {
    /// The model at the point where the losses have the negative slopes `alpha` and the given curvature.
    pub(crate) fn new(
        frame: &Frame,
        losses: &'a S,
        columns: &'a Columns<'a>,
        alpha: &'a [f64],
        curvature: &'a [f64],
    ) -> Self {
        let (outputs, constant) = (frame.outputs, frame.has_intercept());
        let block = columns.taken.len() + usize::from(constant);
        let n = frame.rows();
        let mut diagonal = vec![0.0; outputs * block];
        for k in 0..outputs {
            for position in 0..columns.taken.len() {
                let mut sum = 0.0;
                columns.column(position).for_each(|i, x| sum += losses.diagonal(curvature, i, k) * (x * x));
                diagonal[k * block + position] = sum;
            }
            if constant {
                diagonal[k * block + block - 1] = (0..n).map(|i| losses.diagonal(curvature, i, k)).sum();
            }
        }
        let mut eliminated = None;
        if outputs == 1 && frame.intercept == Intercept::Free && diagonal[block - 1] > 0.0 {
            let total = diagonal[block - 1];
            let mut moments = vec![0.0; block];
            for (position, moment) in moments.iter_mut().enumerate().take(block - 1) {
                columns.column(position).for_each(|i, x| *moment += curvature[i] * x);
                diagonal[position] = (diagonal[position] - *moment * (*moment / total)).max(0.0);
            }
            eliminated = Some(Eliminated { moments, total, sum: alpha.iter().sum(), change: 0.0 });
        }
        let residual = alpha.to_vec();
        ResidualModel { losses, columns, curvature, alpha, residual, outputs, block, constant, diagonal, eliminated }
    }

    /// Column and output of a coordinate; the constant has no column.
    fn coordinate(&self, index: usize) -> (Option<Column<'a>>, usize) {
        let (k, position) = (index / self.block, index % self.block);
        let is_constant = self.constant && position + 1 == self.block;
        ((!is_constant).then(|| self.columns.column(position)), k)
    }

    #[inline(always)]
    fn slope(&self, index: usize) -> f64 {
        let (column, k) = self.coordinate(index);
        let product = match column {
            None => self.residual.iter().skip(k).step_by(self.outputs).sum(),
            Some(column) if self.outputs > 1 => {
                let mut sum = 0.0;
                column.for_each(|i, x| sum += x * self.residual[i * self.outputs + k]);
                sum
            }
            Some(Column::Dense(values)) => dense::dot(values, &self.residual),
            Some(Column::Sparse(rows, values)) => sparse::dot(rows, values, &self.residual),
        };
        match &self.eliminated {
            None => product,
            Some(Eliminated { total, change, .. }) if index + 1 == self.block => product - change * total,
            Some(Eliminated { moments, change, .. }) => product - change * moments[index],
        }
    }

    /// `residual −= H·column·change`.
    #[inline(always)]
    fn subtract(&mut self, index: usize, change: f64) {
        let (column, k) = self.coordinate(index);
        let (losses, h, residual) = (self.losses, self.curvature, &mut self.residual);
        match column {
            None => (0..self.alpha.len() / self.outputs).for_each(|i| losses.pull(h, i, k, change, residual)),
            Some(Column::Dense(values)) if self.outputs == 1 => {
                residual.iter_mut().zip(values).zip(h).for_each(|((r, x), h)| *r -= change * x * h);
            }
            Some(column) => column.for_each(|i, x| losses.pull(h, i, k, change * x, residual)),
        }
        if let Some(eliminated) = &mut self.eliminated {
            eliminated.sum -= change * eliminated.moments[index];
        }
    }

    /// Lets an eliminated intercept follow.
    fn follow(&mut self, terms: &Terms, u: &mut [f64]) {
        if let Some(eliminated) = &mut self.eliminated {
            eliminated.change = eliminated.sum / eliminated.total;
            u[self.block - 1] = terms.start[self.block - 1] + eliminated.change;
        }
    }
}

impl<S: SmoothLosses> Curved for ResidualModel<'_, S> {
    type State = (Vec<f64>, Option<(f64, f64)>);

    fn state(&self) -> Self::State {
        (self.residual.clone(), self.eliminated.as_ref().map(|eliminated| (eliminated.sum, eliminated.change)))
    }

    fn restore(&mut self, (residual, sums): Self::State) {
        self.residual = residual;
        if let (Some(eliminated), Some((sum, change))) = (&mut self.eliminated, sums) {
            (eliminated.sum, eliminated.change) = (sum, change);
        }
    }

    /// By way of the outputs: `α − H·(X̃·change)`.
    fn reset(&mut self, change: &[f64]) {
        if let Some(eliminated) = &mut self.eliminated {
            eliminated.sum = self.alpha.iter().sum();
            eliminated.change = change[self.block - 1];
        }
        let mut dz = vec![0.0; self.alpha.len()];
        for (index, &change) in change.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            let (outputs, (column, k)) = (self.outputs, self.coordinate(index));
            match (column, &mut self.eliminated) {
                (None, Some(_)) => {}
                (None, None) => dz.iter_mut().skip(k).step_by(outputs).for_each(|dz| *dz += change),
                (Some(column), eliminated) => {
                    column.for_each(|i, x| dz[i * outputs + k] += change * x);
                    if let Some(eliminated) = eliminated {
                        eliminated.sum -= change * eliminated.moments[index];
                    }
                }
            }
        }
        self.losses.curve(self.curvature, &dz, &mut self.residual);
        self.residual.iter_mut().zip(self.alpha).for_each(|(residual, alpha)| *residual = alpha - *residual);
    }

    fn sweep(&mut self, terms: &Terms, u: &mut [f64], which: &[usize], tracker: &Tracker) -> f64 {
        let mut moved = 0.0f64;
        let mut work = 0;
        self.follow(terms, u);
        vectorized(
            #[inline(always)]
            || {
                for &index in which {
                    if self.eliminated.is_some() && index + 1 == self.block {
                        continue;
                    }
                    work += match self.coordinate(index).0 {
                        Some(Column::Sparse(rows, _)) => rows.len() * self.outputs,
                        _ => self.residual.len(),
                    };
                    if work >= ASK_EVERY {
                        work = 0;
                        if tracker.stop().is_some() {
                            break;
                        }
                    }
                    let curvature = self.diagonal[index];
                    let change = terms.minimiser(index, curvature, u[index], self.slope(index)) - u[index];
                    if change == 0.0 || change.abs() <= 1e-16 * u[index].abs() {
                        continue;
                    }
                    u[index] += change;
                    moved = moved.max(change.abs() * (curvature + terms.l2[index]).max(f64::MIN_POSITIVE));
                    self.subtract(index, change);
                    if let Some(eliminated) = &mut self.eliminated {
                        eliminated.change = eliminated.sum / eliminated.total;
                    }
                }
            },
        );
        self.follow(terms, u);
        moved
    }

    fn slopes(&self) -> Vec<f64> {
        vectorized(
            #[inline(always)]
            || (0..self.diagonal.len()).map(|index| self.slope(index)).collect(),
        )
    }

    fn diagonal(&self, j: usize) -> f64 {
        self.diagonal[j]
    }

    fn apply(&self, support: &[usize], direction: &[f64]) -> Vec<f64> {
        let outputs = self.outputs;
        let mut dz = vec![0.0; self.alpha.len()];
        for (&index, &p) in support.iter().zip(direction) {
            match self.coordinate(index) {
                (None, k) => dz.iter_mut().skip(k).step_by(outputs).for_each(|dz| *dz += p),
                (Some(column), k) => column.for_each(|i, x| dz[i * outputs + k] += p * x),
            }
        }
        let mut image = vec![0.0; dz.len()];
        self.losses.curve(self.curvature, &dz, &mut image);
        let product = |&index: &usize| {
            let (column, k) = self.coordinate(index);
            let mut sum = 0.0;
            match column {
                None => sum = image.iter().skip(k).step_by(outputs).sum(),
                Some(column) => column.for_each(|i, x| sum += x * image[i * outputs + k]),
            }
            sum
        };
        support.iter().map(product).collect()
    }

    fn system(&self, support: &[usize]) -> Option<Mat<f64>> {
        if self.outputs > 1 {
            return None;
        }
        let entries = |index: usize| match self.coordinate(index).0 {
            Some(Column::Sparse(rows, _)) => rows.len(),
            _ => self.residual.len(),
        };
        let once: usize = support.iter().map(|&index| entries(index)).sum();
        if once * support.len() / 2 > SYSTEM_WORTH * (once + self.columns.stored()) {
            return None;
        }
        let mut system = Mat::zeros(support.len(), support.len());
        let mut scaled = vec![0.0; self.residual.len()];
        for (b, &index) in support.iter().enumerate() {
            scaled.fill(0.0);
            match self.coordinate(index).0 {
                None => scaled.copy_from_slice(self.curvature),
                Some(column) => column.for_each(|i, x| scaled[i] = self.curvature[i] * x),
            }
            for (a, &other) in support.iter().enumerate().skip(b) {
                let product = match self.coordinate(other).0 {
                    None => scaled.iter().sum(),
                    Some(Column::Dense(values)) => vectorized(
                        #[inline(always)]
                        || dense::dot(values, &scaled),
                    ),
                    Some(Column::Sparse(rows, values)) => sparse::dot(rows, values, &scaled),
                };
                system[(a, b)] = product;
                system[(b, a)] = product;
            }
        }
        Some(system)
    }
}
