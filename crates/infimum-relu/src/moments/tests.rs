//! Bounds against brute force, against networks, against another solver; and theorem 3 once more, in interval arithmetic.

use infimum_problem::{BoundProof, HiddenBias, Intercept, Loss, Moments, Target, Witness};
use infimum_rigor::{Interval, is_positive_semidefinite};

use super::{DualPoint, joint};
use crate::test_problems::{Random, classes, problem};
use crate::{Instance, Net, Points};

fn never() -> bool {
    false
}

fn point(x: f64) -> Interval {
    Interval::point(x)
}

/// Whether a symmetric matrix of intervals has Cholesky factors: `a_jj − Σ l_jk² d_k > 0` for all j.
fn is_positive_definite(mut a: Vec<Vec<Interval>>) -> bool {
    let order = a.len();
    for j in 0..order {
        if !(a[j][j].lower > 0.0) {
            return false;
        }
        for i in j + 1..order {
            let l = a[i][j].divide_by_positive(a[j][j]);
            for k in j + 1..=i {
                let product = l * a[k][j];
                a[i][k] = a[i][k] - product;
            }
        }
    }
    true
}

/// Order up to which intervals keep enough digits in elimination; beyond it the checker's proof is asked.
const MOST_BY_INTERVALS: usize = 20;

/// Theorem 3, in interval arithmetic.
fn proves(points: &Points, w: &[f64], witness: &Witness) -> bool {
    let BoundProof::Moments(Moments { tau, g, sigma, lambda, s }) = &witness.proof else {
        let norm = |p: usize| points.point(p).iter().map(|x| x * x).sum::<f64>().sqrt();
        return witness.bound >= w.iter().enumerate().map(|(p, w)| w.max(0.0) * norm(p)).sum();
    };
    let d = points.dimension;
    assert!(tau.iter().all(|t| *t > 0.0 && t.is_finite()) && *lambda >= 0.0);
    let mut total = point(*lambda) + point(*s);
    let mut matrix = vec![vec![Interval::ZERO; d + 1]; d + 1];
    matrix[d][d] = point(*s);
    for j in 0..d {
        matrix[j][j] = point(*lambda);
    }
    for p in 0..points.len() {
        let x = points.point(p);
        let g: Vec<f64> = g.get(p * d..(p + 1) * d).unwrap_or(&[]).iter().map(|&g| f64::from(g)).collect();
        let r = g.iter().map(|g| g * g).sum::<f64>().sqrt() * (1.0 + 1e-14);
        let c = point(0.5 * w[p]) + point(r) + point(sigma[p].abs());
        let c = point(c.upper.max(0.0));
        let ratio = c.divide_by_positive(point(tau[p]));
        total = total + point(0.5) * c * point(tau[p]);
        for i in 0..d {
            for j in 0..=i {
                let mut q = ratio * point(x[i]) * point(x[j]);
                if !g.is_empty() {
                    q = q - (point(x[i]) * point(g[j]) + point(g[i]) * point(x[j]));
                }
                matrix[i][j] = matrix[i][j] - point(0.5) * q;
            }
            let q = point(0.5 * w[p]) * point(x[i]) - point(sigma[p]) * point(x[i]);
            matrix[d][i] = matrix[d][i] - point(0.5) * q;
        }
    }
    let definite = if d < MOST_BY_INTERVALS {
        is_positive_definite(matrix)
    } else {
        is_positive_semidefinite(d + 1, &matrix.concat())
    };
    total.upper <= witness.bound && definite
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A lower estimate of the maximum of `Σ_p w_p relu(x_p·u)` over the ball: from many points and from all of up to D − 1 kinks, ascent.
fn best_direction(points: &Points, w: &[f64], random: &mut Random) -> f64 {
    let (d, m) = (points.dimension, points.len());
    let value = |u: &[f64]| (0..m).map(|p| w[p] * dot(points.point(p), u).max(0.0)).sum::<f64>();
    let mut best = 0.0f64;
    for _ in 0..300 {
        let mut u: Vec<f64> = (0..d).map(|_| random.normal()).collect();
        for _ in 0..50 {
            let norm = dot(&u, &u).sqrt();
            u.iter_mut().for_each(|u| *u /= norm);
            best = best.max(value(&u));
            // The gradient within the present pattern is the best direction of it, if it belongs to it.
            let mut gradient = vec![0.0; d];
            for p in (0..m).filter(|&p| dot(points.point(p), &u) > 0.0) {
                gradient.iter_mut().zip(points.point(p)).for_each(|(g, x)| *g += w[p] * x);
            }
            if !(dot(&gradient, &gradient) > 0.0) {
                break;
            }
            let scale = 0.5 / dot(&gradient, &gradient).sqrt();
            u.iter_mut().zip(&gradient).for_each(|(u, g)| *u += scale * g);
        }
    }
    best
}

fn normals(random: &mut Random, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.normal()).collect()
}

#[test]
fn a_bound_at_fixed_weights_is_proven_and_above_every_direction() {
    let mut random = Random::new(1);
    for case in 0..60 {
        let (d, m) = (1 + case % 5, 1 + case * 7 % 23);
        let mut values = normals(&mut random, m * d);
        match case % 6 {
            1 => values.chunks_exact_mut(d).for_each(|x| x[0] *= 1e6),
            2 => values.chunks_exact_mut(d).for_each(|x| x[d - 1] *= 1e-6),
            3 => values[..d].fill(0.0),
            4 => values.chunks_exact_mut(d).for_each(|x| x[d - 1] = x[0]),
            _ => (),
        }
        let points = Points { values, dimension: d };
        let mut w = normals(&mut random, m);
        match case % 7 {
            2 => w.iter_mut().for_each(|w| *w = w.abs()),
            3 => w.iter_mut().for_each(|w| *w = -w.abs()),
            4 => w.iter_mut().step_by(2).for_each(|w| *w = 0.0),
            5 => w.iter_mut().for_each(|w| *w *= 1e-9),
            _ => (),
        }
        let (witness, _) = super::tightest(&points, &w, 60, &never);
        assert!(proves(&points, &w, &witness), "case {case}: {}", witness.bound);
        let best = best_direction(&points, &w, &mut random);
        assert!(witness.bound >= best, "case {case}: {} {best}", witness.bound);
    }
}

fn targets(loss: Loss, rows: usize, random: &mut Random) -> Target {
    match loss {
        Loss::Logistic | Loss::Hinge | Loss::SquaredHinge => classes((0..rows).map(|i| (i % 2) as u32).collect()),
        Loss::Softmax => classes((0..rows).map(|i| (i % 3) as u32).collect()),
        Loss::Poisson => Target::Real((0..rows).map(|i| (i % 4) as f64).collect()),
        _ => Target::Real(normals(random, rows)),
    }
}

fn start(instance: &Instance) -> Vec<f64> {
    let size = instance.rows() * instance.outputs;
    let (mut alpha, mut curvature) = (vec![0.0; size], vec![0.0; size]);
    instance.losses.derivatives(&vec![0.0; size], &mut alpha, &mut curvature);
    alpha
}

fn solve(instance: &Instance) -> DualPoint {
    let upper = instance.losses.value(&vec![0.0; instance.rows() * instance.outputs]);
    let mut last = f64::NEG_INFINITY;
    let best = joint(instance, &start(instance), upper, 1e-9 * upper, &never, &mut |point| {
        assert!(point.value > last);
        last = point.value;
    });
    valid(instance, &best);
    best
}

/// Everything that a dual point promises.
fn valid(instance: &Instance, dual: &DualPoint) {
    let outputs = instance.outputs;
    let mut squares = 0.0;
    for k in 0..outputs {
        let w = instance.merged(&dual.alpha, k);
        let minus: Vec<f64> = w.iter().map(|w| -w).collect();
        assert!(proves(&instance.points, &w, &dual.witnesses[2 * k]), "output {k}");
        assert!(proves(&instance.points, &minus, &dual.witnesses[2 * k + 1]), "minus output {k}");
        squares += dual.witnesses[2 * k].bound.max(dual.witnesses[2 * k + 1].bound).powi(2);
    }
    assert!(squares.sqrt() <= instance.beta, "{} {}", squares.sqrt(), instance.beta);
    for (entry, &a) in dual.alpha.iter().enumerate() {
        let (low, high) = instance.losses.domain(entry / outputs, entry % outputs);
        assert!(low <= a && a <= high);
    }
    let sum = |k: usize| dual.alpha.iter().skip(k).step_by(outputs).sum::<f64>();
    let magnitude: f64 = dual.alpha.iter().map(|a| a.abs()).sum();
    let mut expected = instance.losses.gain(&dual.alpha);
    for k in 0..outputs {
        match instance.output_bias {
            Intercept::Free => assert!(sum(k).abs() <= 1e-12 * magnitude),
            Intercept::Penalized => expected -= sum(k) * sum(k) / (2.0 * instance.beta),
            Intercept::None => (),
        }
    }
    assert!((expected - dual.value).abs() <= 1e-12 * (1.0 + expected.abs()));
}

/// The least objective of networks of width up to 6, by random search with shrinking steps.
fn trained(instance: &Instance, random: &mut Random) -> f64 {
    let (d, outputs) = (instance.dimension(), instance.outputs);
    let mut best = f64::INFINITY;
    for restart in 0..4 {
        let width = restart * 2;
        let mut net = Net {
            hidden: normals(random, width * d).iter().map(|v| 0.3 * v).collect(),
            output: normals(random, width * outputs).iter().map(|v| 0.3 * v).collect(),
            biases: vec![0.0; outputs],
        };
        let mut value = instance.value(&net);
        let mut size = 0.3;
        for _ in 0..1500 {
            let mut next = net.clone();
            let free = instance.output_bias != Intercept::None;
            next.hidden.iter_mut().for_each(|v| *v += size * random.normal());
            next.output.iter_mut().for_each(|v| *v += size * random.normal());
            next.biases.iter_mut().filter(|_| free).for_each(|v| *v += size * random.normal());
            let after = instance.value(&next);
            if after < value {
                (net, value) = (next, after);
                size *= 1.5;
            } else {
                size = (0.93 * size).max(1e-4);
            }
        }
        best = best.min(value);
    }
    best
}

#[test]
fn no_network_is_below_the_bound_for_any_loss_and_bias() {
    let mut random = Random::new(2);
    for (case, loss) in Loss::ALL.into_iter().enumerate() {
        for (kind, intercept) in [Intercept::None, Intercept::Penalized, Intercept::Free].into_iter().enumerate() {
            for beta in [0.02, 0.3, 3.0] {
                let (rows, d) = (12, 1 + (case + kind) % 3);
                let target = targets(loss, rows, &mut random);
                let mut problem = problem(normals(&mut random, rows * d), d, target, loss, intercept, beta);
                problem.data.weights.iter_mut().step_by(3).for_each(|c| *c = 0.5);
                let instance = Instance::new(&problem, HiddenBias::Penalized);
                let dual = solve(&instance);
                let upper = trained(&instance, &mut random);
                let place = format!("{} {intercept:?} beta {beta}: {} {upper}", loss.name(), dual.value);
                assert!(dual.value <= upper * (1.0 + 1e-9), "{place}");
                // A bound that says nothing would not pass.
                let share = if beta > 1.0 { 0.9 } else { 0.02 };
                assert!(dual.value >= share * upper - 1e-3, "{place}");
            }
        }
    }
}

#[test]
fn the_first_order_method_is_proven_too() {
    let mut random = Random::new(7);
    for case in 0..20 {
        let (d, m) = (1 + case % 6, 5 + case * 3);
        let points = Points { values: normals(&mut random, m * d), dimension: d };
        let mut w = normals(&mut random, m);
        if case % 2 == 0 {
            w.iter_mut().for_each(|w| *w = w.abs());
        }
        let (witness, _) = super::tightest(&points, &w, 60, &never);
        assert!(proves(&points, &w, &witness), "case {case}");
        let norms = super::bound::norms(&points, &w, 1.0).bound;
        assert!(witness.bound <= norms, "case {case}: {} {norms}", witness.bound);
    }
}

#[test]
fn many_columns_give_a_bound() {
    let mut random = Random::new(8);
    let (rows, d) = (60, 120);
    let target = targets(Loss::Squared, rows, &mut random);
    let problem = problem(normals(&mut random, rows * d), d, target, Loss::Squared, Intercept::None, 8.0);
    let instance = Instance::new(&problem, HiddenBias::None);
    assert!(!super::affords_newton(&instance.points, 2, 1, super::MOST_OPERATIONS));
    let dual = solve(&instance);
    assert!(dual.value > 0.0);
}

#[test]
fn vectors_give_nearly_what_newtons_method_gives() {
    let mut random = Random::new(10);
    for loss in [Loss::Squared, Loss::Logistic, Loss::Hinge, Loss::Huber(1.0), Loss::Quantile(0.3), Loss::Poisson] {
        for intercept in [Intercept::None, Intercept::Penalized, Intercept::Free] {
            let (rows, d) = (25, 4);
            let target = targets(loss, rows, &mut random);
            let mut values = normals(&mut random, rows * d);
            values[..d].fill(0.0);
            values.copy_within(d..2 * d, 2 * d);
            let problem = problem(values, d, target, loss, intercept, 1.5);
            let instance = Instance::new(&problem, HiddenBias::None);
            let upper = instance.losses.value(&vec![0.0; rows]);
            let exact = solve(&instance);
            let mut last = 0.0;
            let zero = DualPoint::zero(&instance);
            let dual = super::atoms::joint(&instance, &start(&instance), zero, upper, 1e-9, &never, &mut |point| {
                assert!(point.value > last);
                last = point.value;
            });
            valid(&instance, &dual);
            let place = format!("{} {intercept:?}: {} of {}", loss.name(), dual.value, exact.value);
            // Theorem 3 with any g is more than with multiples of the rows; α of a quantile is hard to find by gradients.
            let share = if matches!(loss, Loss::Quantile(_)) { 0.25 } else { 0.75 };
            assert!(dual.value <= exact.value + 1e-5 * upper && dual.value >= share * exact.value - 1e-3, "{place}");
        }
    }
}

#[test]
fn the_zero_network_is_proven_at_once_where_it_is_optimal() {
    let mut random = Random::new(9);
    for loss in Loss::ALL {
        let (rows, d) = (30, 3);
        let target = targets(loss, rows, &mut random);
        let mut problem = problem(normals(&mut random, rows * d), d, target, loss, Intercept::None, 1.0);
        // Twice what the bound at the zero network's α needs.
        let witness = {
            let instance = Instance::new(&problem, HiddenBias::Penalized);
            let alpha = start(&instance);
            let bounds = (0..2 * instance.outputs).map(|b| {
                let w = super::bound::signed(&instance, &alpha, b);
                super::tightest(&instance.points, &w, 60, &never).0
            });
            crate::ray::total(&bounds.collect::<Vec<_>>())
        };
        problem.objective.lambda2 = 2.0 * witness;
        let instance = Instance::new(&problem, HiddenBias::Penalized);
        let dual = solve(&instance);
        let upper = instance.losses.value(&vec![0.0; rows * instance.outputs]);
        // A loss with a kink at 0 has other slopes there than the one of `start`.
        assert!(dual.value >= upper * (1.0 - 2e-6), "{}: {} {upper}", loss.name(), dual.value);
    }
}
