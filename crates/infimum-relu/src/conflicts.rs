//! Rows that are equal but have different targets: what no model can fit, with or without decay.
//!
//! At each point the loss of its rows at the best common output, `min_z Σ_i c_i loss(y_i, z)`, is unavoidable. Its proof is an α that adds up to exactly 0 over
//! the rows of each point: then w = 0 in theorem 1 (docs/relu.md), and the bound is `Σ g(α)`.

use infimum_problem::{BoundProof, Witness};

use crate::Instance;
use crate::claim::{Claim, value_of};

/// Halvings of the interval that holds the best common output.
const HALVINGS: usize = 80;
/// Sums of α below this, relative to the domains' ends, are 0.
const ROUNDING: f64 = 1e-13;
/// Largest output that is looked at.
const FAR: f64 = 1e6;
/// α are whole multiples of the largest divided by this.
const TICKS: f64 = (1u64 << 50) as f64;

/// The claim; `None` with several outputs, and where no two rows differ in their targets alone.
pub(crate) fn conflicts(instance: &Instance) -> Option<Claim> {
    let (n, points) = (instance.rows(), instance.points.len());
    if instance.outputs != 1 || points == n {
        return None;
    }
    let (mut low, mut high) = (vec![-FAR; points], vec![FAR; points]);
    let mut curvature = vec![0.0; n];
    let mut at = |outputs: &[f64]| {
        let z: Vec<f64> = instance.point_of.iter().map(|&p| outputs[p as usize]).collect();
        let mut alpha = vec![0.0; n];
        instance.losses.derivatives(&z, &mut alpha, &mut curvature);
        let sums = instance.merged(&alpha, 0);
        (alpha, sums)
    };
    let mut sizes = vec![0.0; points];
    instance.point_of.iter().enumerate().for_each(|(i, &p)| {
        let (low, high) = instance.losses.domain(i, 0);
        sizes[p as usize] += low.abs().max(high.abs()).min(1.0);
    });
    for _ in 0..HALVINGS {
        let middle: Vec<f64> = low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high)).collect();
        let (_, sums) = at(&middle);
        for p in 0..points {
            // α is minus the slope: where its sum is positive the best output lies higher. The domains of some losses end a few roundings
            // inside their slopes.
            if sums[p] > ROUNDING * sizes[p] { low[p] = middle[p] } else { high[p] = middle[p] }
        }
    }
    // At a kink the slopes of both sides have different signs, and the mixture that adds up to 0 is one of the kink's.
    let ((mut alpha, below), (right, above)) = (at(&low), at(&high));
    for (i, &p) in instance.point_of.iter().enumerate() {
        let (below, above) = (below[p as usize], above[p as usize]);
        let share = if below > above { (below / (below - above)).clamp(0.0, 1.0) } else { 1.0 };
        alpha[i] += share * (right[i] - alpha[i]);
    }
    let largest = alpha.iter().fold(0.0f64, |largest, a| largest.max(a.abs()));
    let unit = 2f64.powi((largest / TICKS).log2().ceil() as i32);
    if !(unit.is_normal() && unit < 1e200) {
        return None;
    }
    balance(instance, &mut alpha, unit);
    let lower = value_of(instance, &alpha);
    let witness = Witness { bound: 0.0, proof: BoundProof::Norms };
    (lower > 0.0).then_some(Claim { alpha, witnesses: vec![witness; 2], lower })
}

/// Multiples of `unit` that add up to exactly 0 at each point; all 0 at points where that leaves the losses' domain.
fn balance(instance: &Instance, alpha: &mut [f64], unit: f64) {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); instance.points.len()];
    instance.point_of.iter().enumerate().for_each(|(i, &p)| rows[p as usize].push(i));
    for rows in &rows {
        let mut ticks: Vec<i64> = rows.iter().map(|&i| (alpha[i] / unit).trunc() as i64).collect();
        let fits = |place: usize, ticks: i64| {
            let (low, high) = instance.losses.domain(rows[place], 0);
            (low..=high).contains(&(ticks as f64 * unit))
        };
        let rest: i64 = ticks.iter().sum();
        // The first row that has the room takes what is left.
        let taker = (0..rows.len()).find(|&place| fits(place, ticks[place] - rest));
        match taker {
            Some(place) if (0..rows.len()).all(|other| other == place || fits(other, ticks[other])) => {
                ticks[place] -= rest;
            }
            _ => ticks.fill(0),
        }
        rows.iter().zip(&ticks).for_each(|(&i, &ticks)| alpha[i] = ticks as f64 * unit);
    }
}

#[cfg(test)]
mod tests {
    use infimum_check::check_relu_problem;
    use infimum_convex::{Observed, row_loss};
    use infimum_problem::{
        CERTIFICATE_VERSION, ClassWeight, Ending, Format, HiddenBias, Intercept, Loss, Recipe, ReluCertificate,
        ReluClaim, ReluNet, Source, Strength, Target, Task,
    };

    use super::*;
    use crate::test_problems::{Random, classes, problem};

    /// The least loss of a group of rows over a common output, by golden section.
    fn least(loss: Loss, target: &Target, group: &[usize]) -> f64 {
        let value = |z: f64| group.iter().map(|&i| row_loss(loss, observed(target, i), &[z])).sum::<f64>();
        let ratio = 0.5 * (5f64.sqrt() - 1.0);
        let (mut low, mut high) = (-40.0, 40.0);
        for _ in 0..200 {
            let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
            if value(left) < value(right) { high = right } else { low = left }
        }
        value(0.5 * (low + high))
    }

    /// Every loss but softmax: three points with two, three and one row. The claim is the sum of the groups' least losses, and the checker
    /// accepts it with every output bias, with and without decay.
    #[test]
    fn the_bound_is_what_no_model_can_fit() {
        let mut random = Random::new(5);
        let groups = [vec![0, 3], vec![1, 2, 5], vec![4]];
        for loss in Loss::ALL.into_iter().filter(|&loss| loss != Loss::Softmax) {
            for (intercept, beta) in [(Intercept::Free, 0.0), (Intercept::None, 0.3), (Intercept::Penalized, 0.0)] {
                let rows = 6;
                let values = [1.0, -2.0, -2.0, 1.0, 0.5, -2.0].to_vec();
                let target = if loss.is_margin() {
                    classes(vec![0, 1, 0, 1, 1, 1])
                } else {
                    Target::Real((0..rows).map(|_| (1.0 + 2.0 * random.uniform()).round()).collect())
                };
                let problem = problem(values, 1, target, loss, intercept, beta);
                let instance = Instance::new(&problem, HiddenBias::Penalized);
                let zero = instance.losses.value(&vec![0.0; rows]);
                let target = &problem.data.target;
                let expected: f64 = groups.iter().map(|group| least(loss, target, group)).sum();
                let claim = conflicts(&instance);
                let lower = claim.as_ref().map_or(0.0, |claim| claim.lower);
                assert!(
                    (lower - expected).abs() <= 1e-6 * (1.0 + expected),
                    "{loss:?}: {lower} {expected} {target:?} {:?}",
                    claim.map(|claim| claim.alpha)
                );
                let Some(claim) = claim else { continue };
                let certificate = certificate(&problem, claim, zero);
                let verdict = check_relu_problem(&problem, &certificate);
                assert!(verdict.is_ok(), "{loss:?} {intercept:?} {beta}: {verdict:?}");
            }
        }
    }

    fn observed(target: &Target, i: usize) -> Observed {
        match target {
            Target::Real(values) => Observed::Real(values[i]),
            Target::Class { classes, .. } => Observed::Class(classes[i] as usize),
        }
    }

    fn certificate(problem: &infimum_problem::Problem, claim: Claim, upper: f64) -> ReluCertificate {
        let objective = &problem.objective;
        let is_class = objective.loss.is_classification();
        let recipe = Recipe {
            format: Format::Csv,
            header: true,
            target: "y".into(),
            sample_weight: None,
            task: if is_class { Task::Classification } else { Task::Regression },
            class_weight: ClassWeight::Uniform,
            split: None,
            subset: None,
            standardize: false,
            loss: objective.loss,
            intercept: objective.intercept,
            strength: Strength::PerExample { l1: 0.0, l2: 0.0 },
            kernel: None,
        };
        ReluCertificate {
            claim: ReluClaim {
                version: CERTIFICATE_VERSION,
                kind: "relu".into(),
                source: Source { path: "a.csv".into(), sha256: "00".into() },
                recipe,
                problem_sha256: String::new(),
                hidden_bias: HiddenBias::Penalized,
                lambda2: objective.lambda2,
                rows: problem.data.rows(),
                columns: 1,
                outputs: 1,
                width: 0,
                total_weight: problem.data.total_weight,
                lower: claim.lower,
                upper: upper * (1.0 + 1e-12),
                gap: 1e-4,
                abs_gap: 0.0,
                ending: Ending::Stalled,
            },
            net: ReluNet::constant(1, vec![0.0]),
            dual: claim.alpha,
            witnesses: claim.witnesses,
        }
    }
}
