//! The losses of all rows as one function of the outputs, for the solvers of other rungs.

use infimum_problem::{Loss, Problem, Target};

use crate::frame::Losses;
use crate::losses::{HingeTerm, ScalarLoss, with_scalar_loss};
use crate::scalar::ScalarLosses;
use crate::smooth::SmoothLosses;
use crate::softmax::SoftmaxLosses;

/// `L(Z) = Σ_i c_i·loss(y_i, z_i)` and its conjugate. Z and α are n × K, row-major; one-vs-rest losses are summed over the outputs.
/// Conventions are those of docs/certificates.md: at an optimum `α = −∂L/∂Z`, and `g(α) = min_Z [L(Z) + α·Z]`.
pub trait RowLosses: Sync {
    /// K.
    fn outputs(&self) -> usize;
    /// `L(Z)`.
    fn value(&self, z: &[f64]) -> f64;
    /// Bound on what rounding Z and the losses to `f64` can hide of the value.
    fn rounding(&self, z: &[f64]) -> f64;
    /// `alpha = −∂L/∂Z` (for losses with kinks one element), inside the domain, and the curvature, one number for each entry: of one-output
    /// losses `c·loss″`, of softmax the probabilities.
    fn derivatives(&self, z: &[f64], alpha: &mut [f64], curvature: &mut [f64]);
    /// `out = H·dz` with the Hessian that the curvature stands for.
    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]);
    /// First and second derivative of `t ↦ L(Z + t·dZ)`.
    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64);
    /// Whether the gradient is continuous.
    fn is_smooth(&self) -> bool;
    /// Of losses that are sums of hinges their terms, each with the entry of Z that it belongs to; none of other losses.
    fn hinges(&self) -> Vec<(usize, HingeTerm)>;
    /// Smallest and largest α of row `i` and output `k` in the domain of g; of softmax each row adds up to 0 as well.
    fn domain(&self, i: usize, k: usize) -> (f64, f64);
    /// Moves every row of α to a near point of its domain.
    fn clip(&self, alpha: &mut [f64]);
    /// Makes the sums over the rows zero up to rounding, by small moves inside the domain.
    fn balance(&self, alpha: &mut [f64]);
    /// `g(α)`, for α in the domain.
    fn gain(&self, alpha: &[f64]) -> f64;
    /// Sum of the magnitudes of what `gain` adds up.
    fn gain_magnitude(&self, alpha: &[f64]) -> f64;
    /// `∂g/∂α` inside the domain; of softmax up to a number common to a row.
    fn gain_slope(&self, alpha: &[f64], out: &mut [f64]);
    /// Rounds α to a dyadic grid inside its domain, with sums over the rows of exactly 0 if `balanced`.
    fn settle(&self, alpha: &mut [f64], balanced: bool);
}

/// The losses of a problem's training rows.
pub fn row_losses(problem: &Problem) -> Box<dyn RowLosses + '_> {
    let weights = &problem.data.weights;
    let targets: Vec<Vec<f64>> = match (&problem.data.target, problem.objective.loss) {
        (Target::Class { classes, .. }, Loss::Softmax) => {
            return Box::new(SoftmaxLosses { classes, weights, outputs: problem.outputs() });
        }
        (target, _) => {
            let outputs = problem.outputs();
            (0..outputs).map(|k| target.wanted(k, outputs)).collect()
        }
    };
    let is_margin = problem.objective.loss.is_margin();
    with_scalar_loss!(problem.objective.loss, |loss| Box::new(Scalars { loss, targets, weights, is_margin }))
}

/// One-output losses, one for each output.
struct Scalars<'a, L> {
    loss: L,
    targets: Vec<Vec<f64>>,
    weights: &'a [f64],
    is_margin: bool,
}

impl<L: ScalarLoss> Scalars<'_, L> {
    fn part(&self, k: usize) -> ScalarLosses<'_, L> {
        ScalarLosses { loss: self.loss, targets: &self.targets[k], weights: self.weights, is_margin: self.is_margin }
    }

    fn column(&self, values: &[f64], k: usize) -> Vec<f64> {
        values.iter().skip(k).step_by(self.targets.len()).copied().collect()
    }

    fn put(&self, values: &mut [f64], k: usize, column: &[f64]) {
        values.iter_mut().skip(k).step_by(self.targets.len()).zip(column).for_each(|(value, &new)| *value = new);
    }

    /// `Σ_k term` of each output and its column.
    fn sum(&self, values: &[f64], term: impl Fn(&ScalarLosses<L>, &[f64]) -> f64) -> f64 {
        if self.targets.len() == 1 {
            return term(&self.part(0), values);
        }
        (0..self.targets.len()).map(|k| term(&self.part(k), &self.column(values, k))).sum()
    }

    /// `change` of each output's column.
    fn each(&self, values: &mut [f64], change: impl Fn(&ScalarLosses<L>, &mut [f64])) {
        if self.targets.len() == 1 {
            return change(&self.part(0), values);
        }
        for k in 0..self.targets.len() {
            let mut column = self.column(values, k);
            change(&self.part(k), &mut column);
            self.put(values, k, &column);
        }
    }
}

impl<L: ScalarLoss> RowLosses for Scalars<'_, L> {
    fn outputs(&self) -> usize {
        self.targets.len()
    }

    fn value(&self, z: &[f64]) -> f64 {
        self.sum(z, |part, z| part.value(z))
    }

    fn rounding(&self, z: &[f64]) -> f64 {
        self.sum(z, |part, z| part.value_and_rounding(z, &vec![0.0; z.len()]).1)
    }

    fn derivatives(&self, z: &[f64], alpha: &mut [f64], curvature: &mut [f64]) {
        if self.targets.len() == 1 {
            return self.part(0).derivatives(z, 0.0, alpha, curvature);
        }
        for k in 0..self.targets.len() {
            let (mut a, mut h) = (vec![0.0; self.weights.len()], vec![0.0; self.weights.len()]);
            self.part(k).derivatives(&self.column(z, k), 0.0, &mut a, &mut h);
            self.put(alpha, k, &a);
            self.put(curvature, k, &h);
        }
    }

    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(curvature).zip(dz).for_each(|((out, h), dz)| *out = h * dz);
    }

    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        if self.targets.len() == 1 {
            return self.part(0).along(z, dz, t);
        }
        let parts = (0..self.targets.len()).map(|k| self.part(k).along(&self.column(z, k), &self.column(dz, k), t));
        parts.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    fn is_smooth(&self) -> bool {
        L::SMOOTH
    }

    fn hinges(&self) -> Vec<(usize, HingeTerm)> {
        let outputs = self.targets.len();
        let term = |i: usize, k: usize, part: usize| {
            let term = self.loss.hinge(part, self.targets[k][i], self.weights[i])?;
            Some((i * outputs + k, term))
        };
        (0..self.weights.len())
            .flat_map(|i| (0..outputs).flat_map(move |k| (0..2).map(move |part| (i, k, part))))
            .filter_map(|(i, k, part)| term(i, k, part))
            .collect()
    }

    fn domain(&self, i: usize, k: usize) -> (f64, f64) {
        self.loss.domain(self.targets[k][i], self.weights[i])
    }

    fn clip(&self, alpha: &mut [f64]) {
        self.each(alpha, |part, alpha| {
            part.clip(alpha);
        });
    }

    fn balance(&self, alpha: &mut [f64]) {
        self.each(alpha, |part, alpha| part.balance(alpha));
    }

    fn gain(&self, alpha: &[f64]) -> f64 {
        self.sum(alpha, |part, alpha| part.gain(alpha))
    }

    fn gain_magnitude(&self, alpha: &[f64]) -> f64 {
        self.sum(alpha, |part, alpha| part.gain_and_magnitude(alpha).1)
    }

    fn gain_slope(&self, alpha: &[f64], out: &mut [f64]) {
        let outputs = self.targets.len();
        for (entry, (out, &a)) in out.iter_mut().zip(alpha).enumerate() {
            let (i, k) = (entry / outputs, entry % outputs);
            *out = self.loss.gain_slope(self.targets[k][i], self.weights[i], a);
        }
    }

    fn settle(&self, alpha: &mut [f64], balanced: bool) {
        self.each(alpha, |part, alpha| part.settle(alpha, balanced));
    }
}

impl RowLosses for SoftmaxLosses<'_> {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn value(&self, z: &[f64]) -> f64 {
        Losses::value(self, z)
    }

    fn rounding(&self, z: &[f64]) -> f64 {
        self.value_and_rounding(z, &vec![0.0; z.len()]).1
    }

    fn derivatives(&self, z: &[f64], alpha: &mut [f64], curvature: &mut [f64]) {
        SmoothLosses::derivatives(self, z, 0.0, alpha, curvature);
    }

    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]) {
        SmoothLosses::curve(self, curvature, dz, out);
    }

    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        SmoothLosses::along(self, z, dz, t)
    }

    fn is_smooth(&self) -> bool {
        true
    }

    fn hinges(&self) -> Vec<(usize, HingeTerm)> {
        Vec::new()
    }

    fn domain(&self, i: usize, k: usize) -> (f64, f64) {
        let c = self.weights[i];
        if k == self.classes[i] as usize { (0.0, c) } else { (-c, 0.0) }
    }

    fn clip(&self, alpha: &mut [f64]) {
        Losses::clip(self, alpha);
    }

    fn balance(&self, alpha: &mut [f64]) {
        Losses::balance(self, alpha);
    }

    fn gain(&self, alpha: &[f64]) -> f64 {
        Losses::gain(self, alpha)
    }

    fn gain_magnitude(&self, alpha: &[f64]) -> f64 {
        Losses::gain_and_magnitude(self, alpha).1
    }

    /// `∂/∂α_k [−Σ q ln(q/c)] = ln(q_k/c) + 1` with `q_k = c·[k = y] − α_k`.
    fn gain_slope(&self, alpha: &[f64], out: &mut [f64]) {
        for (entry, (out, &a)) in out.iter_mut().zip(alpha).enumerate() {
            let (i, k) = (entry / self.outputs, entry % self.outputs);
            let c = self.weights[i];
            let q = if k == self.classes[i] as usize { c - a } else { -a };
            *out = (q / c).ln() + 1.0;
        }
    }

    fn settle(&self, alpha: &mut [f64], balanced: bool) {
        Losses::settle(self, alpha, balanced);
    }
}
