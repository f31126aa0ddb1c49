//! Rows that are equal but have different targets: what no model can fit, with or without decay.
//!
//! At each point the loss of its rows at the best common output, `min_z Σ_i c_i loss(y_i, z)`, is unavoidable. Its proof is an α that adds up to exactly 0 over
//! the rows of each point: then w = 0 in theorem 1 (docs/relu.md), and the bound is `Σ g(α)`.

use infimum_problem::{BoundProof, Witness};

use crate::Instance;
use crate::claim::{Claim, value_of};
use crate::moments::is_coupled;

/// Halvings of the interval that holds the best common output.
const HALVINGS: usize = 80;
/// Sums of α below this, relative to the domains' ends, are 0.
const ROUNDING: f64 = 1e-13;
/// Largest output that is looked at.
const FAR: f64 = 1e6;
/// α are whole multiples of the largest divided by this.
const TICKS: f64 = (1u64 << 50) as f64;

/// The claim; `None` where no two rows differ in their targets alone.
pub(crate) fn conflicts(instance: &Instance) -> Option<Claim> {
    let alpha = unavoidable(instance, TICKS)?;
    let lower = value_of(instance, &alpha);
    let witness = Witness { bound: 0.0, proof: BoundProof::Norms };
    (lower > 0.0).then_some(Claim { alpha, witnesses: vec![witness; 2 * instance.outputs], lower })
}

/// α of the best common outputs of equal rows, whole multiples of one number, of which no entry has more than `ticks`, that add up to exactly 0 over the
/// rows of each point and, of softmax, over the outputs of each row; `None` where all rows differ.
pub(crate) fn unavoidable(instance: &Instance, ticks: f64) -> Option<Vec<f64>> {
    if instance.points.len() == instance.rows() {
        return None;
    }
    let coupled = is_coupled(instance);
    let alpha = if coupled { common_frequencies(instance) } else { common_outputs(instance) };
    let largest = alpha.iter().fold(0.0f64, |largest, a| largest.max(a.abs()));
    let unit = 2f64.powi((largest / ticks).log2().ceil() as i32);
    if !(unit.is_normal() && unit < 1e200) {
        return None;
    }
    let mut alpha = alpha;
    balance(instance, &mut alpha, unit, coupled);
    Some(alpha)
}

/// Softmax: at the best common output the probabilities are the classes' shares of the weight, `α = c·([k = y] − share_k)`.
fn common_frequencies(instance: &Instance) -> Vec<f64> {
    let (n, outputs) = (instance.rows(), instance.outputs);
    // The entry of a row's class is the one whose α may be positive, up to the row's weight.
    let weight = |entry: usize| instance.losses.domain(entry / outputs, entry % outputs).1;
    let mut alpha: Vec<f64> = (0..n * outputs).map(weight).collect();
    let mut sums = vec![0.0; instance.points.len() * outputs];
    for (row, &p) in alpha.chunks_exact(outputs).zip(&instance.point_of) {
        sums[p as usize * outputs..].iter_mut().zip(row).for_each(|(sum, c)| *sum += c);
    }
    for (row, &p) in alpha.chunks_exact_mut(outputs).zip(&instance.point_of) {
        let sums = &sums[p as usize * outputs..][..outputs];
        let (total, own): (f64, f64) = (sums.iter().sum(), row.iter().sum());
        row.iter_mut().zip(sums).for_each(|(a, sum)| *a -= own * sum / total);
    }
    alpha
}

/// Losses of one output each: by bisection of every point's output.
fn common_outputs(instance: &Instance) -> Vec<f64> {
    let (n, points, outputs) = (instance.rows(), instance.points.len(), instance.outputs);
    let (mut low, mut high) = (vec![-FAR; points * outputs], vec![FAR; points * outputs]);
    let mut curvature = vec![0.0; n * outputs];
    let places =
        || instance.point_of.iter().flat_map(move |&p| (0..outputs).map(move |k| p as usize * outputs + k)).enumerate();
    let mut at = |values: &[f64]| {
        let z: Vec<f64> = places().map(|(_, place)| values[place]).collect();
        let mut alpha = vec![0.0; n * outputs];
        instance.losses.derivatives(&z, &mut alpha, &mut curvature);
        let mut sums = vec![0.0; points * outputs];
        places().for_each(|(entry, place)| sums[place] += alpha[entry]);
        (alpha, sums)
    };
    let mut sizes = vec![0.0; points * outputs];
    places().for_each(|(entry, place)| {
        let (low, high) = instance.losses.domain(entry / outputs, entry % outputs);
        sizes[place] += low.abs().max(high.abs()).min(1.0);
    });
    for _ in 0..HALVINGS {
        let middle: Vec<f64> = low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high)).collect();
        let (_, sums) = at(&middle);
        for place in 0..points * outputs {
            // α is minus the slope: where its sum is positive the best output lies higher. The domains of some losses end a few roundings
            // inside their slopes.
            if sums[place] > ROUNDING * sizes[place] {
                low[place] = middle[place];
            } else {
                high[place] = middle[place];
            }
        }
    }
    // At a kink the slopes of both sides have different signs, and the mixture that adds up to 0 is one of the kink's.
    let ((mut alpha, below), (right, above)) = (at(&low), at(&high));
    for (entry, place) in places() {
        let (below, above) = (below[place], above[place]);
        let share = if below > above { (below / (below - above)).clamp(0.0, 1.0) } else { 1.0 };
        alpha[entry] += share * (right[entry] - alpha[entry]);
    }
    alpha
}

/// Multiples of `unit` that add up to exactly 0 at each point; all 0 at points where that leaves the losses' domain.
fn balance(instance: &Instance, alpha: &mut [f64], unit: f64, coupled: bool) {
    let outputs = instance.outputs;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); instance.points.len()];
    instance.point_of.iter().enumerate().for_each(|(i, &p)| rows[p as usize].push(i));
    for rows in &rows {
        let mut ticks: Vec<i64> = rows
            .iter()
            .flat_map(|&i| alpha[i * outputs..(i + 1) * outputs].iter().map(|a| (a / unit).trunc() as i64))
            .collect();
        if coupled {
            // What an entry lacks goes to that of the row's class, whose α alone is positive.
            for row in ticks.chunks_exact_mut(outputs) {
                let negative: i64 = row.iter().filter(|&&t| t < 0).sum();
                if let Some(class) = row.iter_mut().find(|t| **t > 0) {
                    *class = -negative;
                }
            }
        }
        let fits = |place: usize, k: usize, ticks: i64| {
            let (low, high) = instance.losses.domain(rows[place], k);
            (low..=high).contains(&(ticks as f64 * unit))
        };
        let entry = |place: usize, k: usize| place * outputs + k;
        let together =
            if coupled { vec![(0..outputs).collect::<Vec<usize>>()] } else { (0..outputs).map(|k| vec![k]).collect() };
        for these in together {
            let rest = |k: usize| (0..rows.len()).map(|place| ticks[entry(place, k)]).sum::<i64>();
            let rests: Vec<(usize, i64)> = these.iter().map(|&k| (k, rest(k))).collect();
            let all_fit = |place: usize, less: bool| {
                rests.iter().all(|&(k, rest)| fits(place, k, ticks[entry(place, k)] - if less { rest } else { 0 }))
            };
            // The first row that has the room takes what is left.
            let taker = (0..rows.len()).find(|&place| all_fit(place, true));
            let others_fit = |taker: usize| (0..rows.len()).all(|place| place == taker || all_fit(place, false));
            match taker.filter(|&taker| others_fit(taker)) {
                Some(place) => rests.iter().for_each(|&(k, rest)| ticks[entry(place, k)] -= rest),
                None => (0..rows.len()).for_each(|place| these.iter().for_each(|&k| ticks[entry(place, k)] = 0)),
            }
        }
        for (row, &i) in ticks.chunks_exact(outputs).zip(rows) {
            alpha[i * outputs..].iter_mut().zip(row).for_each(|(a, &ticks)| *a = ticks as f64 * unit);
        }
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
            Target::Several { .. } => unreachable!("one target"),
        }
    }

    fn certificate(problem: &infimum_problem::Problem, claim: Claim, upper: f64) -> ReluCertificate {
        let objective = &problem.objective;
        let is_class = objective.loss.is_classification();
        let recipe = Recipe {
            format: Format::Csv,
            header: true,
            target: "y".into(),
            more_targets: Vec::new(),
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
