//! Bounds against the checker, against networks drawn at random and trained by random search, and against known values.

use std::sync::atomic::{AtomicU32, Ordering};

use infimum_check::deep_lower;
use infimum_problem::deep::{Activation, Architecture, Layer};
use infimum_problem::{
    ColumnNames, Dataset, DenseMatrix, Event, Intercept, Loss, Matrix, Monitor, Objective, Problem, Silent, Stop,
    Target,
};

use super::{Bound, bound};
use crate::random::{Stream, key, normal};

/// Numbers of one stream after the other.
struct Random(Stream);

impl Random {
    fn new(seed: u64) -> Random {
        Random(Stream::new(key(&[seed])))
    }

    fn uniform(&mut self) -> f64 {
        self.0.unit()
    }

    fn normal(&mut self) -> f64 {
        normal(self.0.next(), 0)
    }
}

fn problem(loss: Loss, rows: usize, columns: usize, bias: bool, lambda: f64, random: &mut Random) -> Problem {
    let values: Vec<f64> = (0..rows * columns).map(|_| random.normal()).collect();
    let class = |count: usize| Target::Class {
        labels: (0..count).map(|k| k.to_string()).collect(),
        classes: (0..rows).map(|i| (i % count) as u32).collect(),
    };
    let target = match loss {
        // Of several outputs one is of coupled losses, one of separate ones.
        Loss::Softmax | Loss::SquaredHinge => class(3),
        _ if loss.is_margin() => class(2),
        Loss::Poisson => Target::Real((0..rows).map(|i| (i % 4) as f64).collect()),
        _ => Target::Real((0..rows).map(|_| 1.5 * random.normal()).collect()),
    };
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows, columns, values: values.into() }),
            column_names: ColumnNames::Numbered { columns, without: Vec::new() },
            target,
            weights: (0..rows).map(|i| if i % 3 == 0 { 0.5 } else { 1.0 }).collect(),
            total_weight: (0..rows).map(|i| if i % 3 == 0 { 0.5 } else { 1.0 }).sum(),
        },
        objective: Objective {
            loss,
            intercept: if bias { Intercept::Penalized } else { Intercept::None },
            lambda1: 0.0,
            lambda2: lambda,
            scales: None,
            kernel: None,
        },
    }
}

/// The same rows with two targets, labels or numbers.
fn with_several(problem: Problem, random: &mut Random) -> Problem {
    let loss = problem.objective.loss;
    let mut value = || match loss {
        _ if loss.is_margin() => random.normal().signum(),
        Loss::Poisson => random.normal().abs(),
        _ => 1.5 * random.normal(),
    };
    let values = (0..2 * problem.data.rows()).map(|_| value()).collect();
    let target = Target::Several { names: ["a", "b"].map(String::from).into(), values };
    Problem { data: Dataset { target, ..problem.data }, ..problem }
}

/// The objective of a chain without scaling, θ in the order of the layers, weights before biases.
fn objective(problem: &Problem, architecture: &Architecture, theta: &[f64]) -> f64 {
    let Matrix::Dense(matrix) = &problem.data.matrix else { return f64::NAN };
    let losses = infimum_convex::row_losses(problem);
    let mut z = Vec::new();
    for i in 0..matrix.rows {
        let (mut values, mut place) = (matrix.row(i).iter().map(|x| f64::from(x as f32)).collect::<Vec<f64>>(), 0);
        for layer in &architecture.layers {
            match layer {
                Layer::Dense { units, bias } => {
                    let inputs = values.len();
                    let weights = &theta[place..place + units * inputs];
                    place += units * inputs;
                    let mut next: Vec<f64> =
                        weights.chunks_exact(inputs).map(|w| w.iter().zip(&values).map(|(w, v)| w * v).sum()).collect();
                    if *bias {
                        next.iter_mut().zip(&theta[place..]).for_each(|(next, bias)| *next += bias);
                        place += units;
                    }
                    values = next;
                }
                _ => values.iter_mut().for_each(|value| *value = value.max(0.0)),
            }
        }
        z.extend(values);
    }
    losses.value(&z) + 0.5 * problem.objective.lambda2 * theta.iter().map(|t| t * t).sum::<f64>()
}

/// The least objective that a random search with shrinking steps finds.
fn trained(problem: &Problem, architecture: &Architecture, random: &mut Random) -> f64 {
    let count = infimum_problem::deep::parameters(architecture).unwrap().last().unwrap().range.end;
    let mut best = objective(problem, architecture, &vec![0.0; count]);
    for _ in 0..4 {
        let mut theta: Vec<f64> = (0..count).map(|_| 0.7 * random.normal()).collect();
        let (mut value, mut size) = (objective(problem, architecture, &theta), 0.3);
        for _ in 0..1200 {
            let next: Vec<f64> = theta.iter().map(|t| t + size * random.normal()).collect();
            let after = objective(problem, architecture, &next);
            if after < value {
                (theta, value) = (next, after);
                size *= 1.5;
            } else {
                size = (0.95 * size).max(1e-4);
            }
        }
        best = best.min(value);
    }
    best
}

/// The checker accepts every witness, and proves at least what the search says of it.
fn checked(problem: &Problem, architecture: &Architecture, found: &Bound) -> f64 {
    let lower = deep_lower(problem, architecture, &found.witness);
    let lower = lower.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", problem.objective.loss.name()));
    assert!(lower >= found.lower * (1.0 - 1e-3), "{}: {lower} {}", problem.objective.loss.name(), found.lower);
    lower
}

#[test]
fn no_network_is_below_the_bound_for_any_loss_depth_and_bias() {
    let mut random = Random::new(1);
    for (case, loss) in Loss::ALL.into_iter().enumerate() {
        for (layers, hidden_bias, output_bias, several) in [
            (2, false, false, false),
            (3, false, false, false),
            (3, true, true, false),
            (4, true, false, false),
            (2, true, true, true),
            (3, false, true, true),
        ] {
            if several && loss == Loss::Softmax {
                continue;
            }
            let lambda = [0.05, 0.5, 4.0][(case + layers) % 3];
            let problem = problem(loss, 12, 1 + (case + layers) % 3, output_bias, lambda, &mut random);
            let problem = if several { with_several(problem, &mut random) } else { problem };
            let hidden = vec![3; layers - 1];
            let outputs = problem.outputs();
            let architecture = Architecture::dense(
                problem.data.columns(),
                &hidden,
                outputs,
                Activation::Relu,
                hidden_bias,
                output_bias,
            );
            let found = bound(&problem, &architecture, &Silent).unwrap();
            let lower = checked(&problem, &architecture, &found);
            let upper = trained(&problem, &architecture, &mut random);
            let place = format!("{} {layers} {hidden_bias} {output_bias} λ {lambda}: {lower} {upper}", loss.name());
            assert!(lower <= upper * (1.0 + 1e-9), "{place}");
            // With so much decay the zero network is nearly the best, and a bound that says little would not pass.
            assert!(lambda < 4.0 || lower >= 0.5 * upper - 1e-3, "{place}");
        }
    }
}

/// Rows that come twice with different targets, of an architecture that no other theorem is about: the bound is the least loss of common outputs.
#[test]
fn equal_rows_bound_every_architecture() {
    let mut random = Random::new(2);
    for loss in Loss::ALL {
        let mut problem = problem(loss, 12, 2, false, 0.0, &mut random);
        if let Matrix::Dense(matrix) = &mut problem.data.matrix {
            let first: Vec<f64> = matrix.values.iter().take(12).collect();
            matrix.values = first.repeat(2).into();
        }
        if let Target::Class { classes, .. } = &mut problem.data.target {
            classes.iter_mut().enumerate().for_each(|(i, class)| *class = u32::from(i >= 6));
        }
        let outputs = problem.outputs();
        let architecture = Architecture::dense(2, &[4], outputs, Activation::Tanh, false, false);
        let found = bound(&problem, &architecture, &Silent).unwrap();
        assert!(found.lower > 0.0, "{}", loss.name());
        let lower = checked(&problem, &architecture, &found);
        // Each pair at the best of many outputs of one number each; of softmax, between the two classes.
        let losses = infimum_convex::row_losses(&problem);
        let at = |values: &[f64]| {
            let z: Vec<f64> = (0..12)
                .flat_map(|i| {
                    let value = values[i % 6];
                    if outputs == 1 { vec![value] } else { vec![value, -value, -60.0] }
                })
                .collect();
            losses.value(&z)
        };
        let mut values = vec![0.0; 6];
        for pair in 0..6 {
            let mut best = (f64::INFINITY, 0.0);
            for size in [1e-3, 1e-6] {
                let middle = best.1;
                for step in -4000..=4000 {
                    values[pair] = middle + f64::from(step) * size;
                    let value = at(&values);
                    if value < best.0 {
                        best = (value, values[pair]);
                    }
                }
            }
            values[pair] = best.1;
        }
        let expected = at(&values);
        assert!((lower - expected).abs() <= 1e-5 * expected, "{}: {lower} {expected}", loss.name());
    }
}

/// The sums that planes bound, at random networks whose layers' norms have the product 1.
#[test]
fn networks_of_norm_one_gain_at_most_what_the_planes_say() {
    let mut random = Random::new(3);
    for layers in 2..=5 {
        let problem = problem(Loss::Squared, 20, 3, false, 0.3, &mut random);
        let hidden = vec![4; layers - 1];
        let architecture = Architecture::dense(3, &hidden, 1, Activation::Relu, false, false);
        let found = bound(&problem, &architecture, &Silent).unwrap();
        assert!(!found.witness.planes.is_empty());
        let Matrix::Dense(matrix) = &problem.data.matrix else { unreachable!() };
        for plane in &found.witness.planes {
            let most = plane.outputs[0].iter().map(super::plane::largest).fold(0.0, f64::max);
            let mut nearest = 0.0f64;
            for _ in 0..4000 {
                let sizes: Vec<usize> = [3].into_iter().chain(hidden.iter().copied()).chain([1]).collect();
                // Every other network is a chain of single units: sums of many are far from the extreme points.
                let single = random.uniform() < 0.5;
                let weights: Vec<Vec<f64>> = sizes
                    .windows(2)
                    .enumerate()
                    .map(|(layer, pair)| {
                        let mut w: Vec<f64> = (0..pair[0] * pair[1]).map(|_| random.normal()).collect();
                        if single {
                            let kept = if layer == 0 { pair[0] } else { 1 };
                            w[kept..].fill(0.0);
                            w[0] = if layer == 0 { w[0] } else { w[0].abs() };
                        }
                        let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
                        w.iter_mut().for_each(|w| *w /= norm);
                        w
                    })
                    .collect();
                let mut sum = 0.0;
                for (i, &a) in plane.dual.iter().enumerate() {
                    let mut values: Vec<f64> = matrix.row(i).iter().map(|x| f64::from(x as f32)).collect();
                    for (layer, w) in weights.iter().enumerate() {
                        let inputs = values.len();
                        let next =
                            w.chunks_exact(inputs).map(|w| w.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>());
                        values = next.map(|v| if layer + 1 < layers { v.max(0.0) } else { v }).collect();
                    }
                    sum += f64::from(a) * values[0];
                }
                nearest = nearest.max(sum.abs());
            }
            assert!(nearest <= most && nearest > 0.1 * most, "{layers}: {nearest} {most}");
        }
    }
}

/// Says stop from the given question on.
struct Patience(AtomicU32, u32);

impl Monitor for Patience {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        (self.0.fetch_add(1, Ordering::Relaxed) >= self.1).then_some(Stop::Interrupted)
    }
}

#[test]
fn whenever_it_is_stopped_there_is_a_valid_witness() {
    let mut random = Random::new(4);
    let problem = problem(Loss::Logistic, 25, 3, false, 0.2, &mut random);
    let architecture = Architecture::dense(3, &[4, 4], 1, Activation::Relu, false, false);
    let mut last = 0.0;
    for patience in [0, 1, 30, 100, 200, 10_000] {
        let monitor = Patience(AtomicU32::new(0), patience);
        let found = bound(&problem, &architecture, &monitor).unwrap();
        let lower = checked(&problem, &architecture, &found);
        assert!(monitor.0.load(Ordering::Relaxed) <= patience + 10, "{patience}");
        assert!(found.lower >= last * 0.999, "{patience}: {} {last}", found.lower);
        (last, _) = (found.lower, lower);
    }
    assert!(last > 1.0);
}
