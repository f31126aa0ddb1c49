//! What can be expected of a problem before anything is solved.

use faer::Mat;
use infimum_problem::{HiddenBias, Intercept, Problem};

use crate::{Instance, Points};

/// Columns up to which the rank is computed.
const RANKED: usize = 512;
/// Rank up to which cones are enumerated: above it moments bound, and moments with clusters of rows.
pub(crate) const EXACT_RANK: usize = 6;
/// Rows that are asked how large β would have to be for the constant network to be optimal.
const ASKED: usize = 200;

/// What the rung, the rank of the rows and the strength of the decay let expect, in words.
pub fn promise(problem: &Problem, hidden_bias: HiddenBias) -> String {
    let instance = Instance::new(problem, hidden_bias);
    let (rank, share) = (rank(&instance.points), share_of_largest(&instance));
    let rung = "rung 4, two-layer ReLU: a bound over networks of every width";
    let expected = if problem.objective.lambda2 == 0.0 {
        "without decay only equal rows with different targets give a bound".to_string()
    } else if instance.outputs > 1 {
        format!("several outputs and rank {rank}: a gap of 10 to 80 % is likely")
    } else {
        let strength = format!("rank {rank}, decay about {share:.1e} of the one at which a constant is optimal");
        let outlook = match (rank, share) {
            (0..=3, _) => "an exact answer is expected",
            (4, 0.05..) | (5..=EXACT_RANK, 0.3..) => "an exact answer is expected, after some search",
            (4..=EXACT_RANK, 0.05..) => "an exact answer may take long; a gap of a few % is likely before",
            (_, 0.4..) => "a gap below 1 % is likely",
            (_, 0.05..) => "a gap of 0.1 to 20 % is likely",
            (_, 0.005..) => "a gap of 15 to 60 % is likely",
            _ => "a gap of more than 60 % is likely: the bound is weak where decay is",
        };
        format!("{strength}: {outlook}")
    };
    format!("{rung}; {expected}")
}

/// Numerical rank of the points; their dimension where that is large.
pub(crate) fn rank(points: &Points) -> usize {
    let (count, d) = (points.len(), points.dimension);
    if d > RANKED || count == 0 {
        return d;
    }
    // Columns of length 1: the rank does not depend on their units.
    let mut lengths = vec![0.0f64; d];
    for p in 0..count {
        points.point(p).iter().zip(&mut lengths).for_each(|(x, length)| *length = length.hypot(*x));
    }
    let scaled = Mat::from_fn(count, d, |p, j| if lengths[j] > 0.0 { points.point(p)[j] / lengths[j] } else { 0.0 });
    let gram = scaled.transpose() * &scaled;
    // Eigenvalues are squares of singular values: half the digits.
    let tolerance = 1e-13 * d as f64;
    match gram.self_adjoint_eigenvalues(faer::Side::Lower) {
        Ok(values) => values.iter().filter(|&&value| value > tolerance).count(),
        Err(_) => d,
    }
}

/// β over [`largest_decay`].
fn share_of_largest(instance: &Instance) -> f64 {
    instance.beta / largest_decay(instance)
}

/// The largest value that the dual of the zero network has among some directions: with less decay than this a constant is not optimal.
pub(crate) fn largest_decay(instance: &Instance) -> f64 {
    let (n, outputs) = (instance.rows(), instance.outputs);
    let (mut alpha, mut curvature) = (vec![0.0; n * outputs], vec![0.0; n * outputs]);
    instance.losses.derivatives(&vec![0.0; n * outputs], &mut alpha, &mut curvature);
    if instance.output_bias != Intercept::None {
        instance.losses.balance(&mut alpha);
    }
    let points = &instance.points;
    let step = (points.len() / ASKED).max(1);
    let w = instance.merged(&alpha, 0);
    let largest = (0..points.len()).step_by(step).map(|p| {
        let u = points.point(p);
        let length = u.iter().map(|u| u * u).sum::<f64>().sqrt();
        let sum = |sign: f64| -> f64 {
            (0..points.len()).map(|q| w[q] * (sign * dot(points.point(q), u)).max(0.0)).sum::<f64>().abs()
        };
        if length > 0.0 { sum(1.0).max(sum(-1.0)) / length } else { 0.0 }
    });
    largest.fold(f64::MIN_POSITIVE, f64::max)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
