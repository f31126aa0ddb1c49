//! Whether the network lies on a saddle: the ends of the Hessian's spectrum, and a step along its lowest direction.

use std::time::{Duration, Instant};

use infimum_problem::Monitor;
use serde::Serialize;

use super::lanczos::{Pair, extremes};
use super::text::percent;
use crate::engine::Pass;
use crate::random::{Stream, key};
use crate::training::{Mean, Setup, objective};

/// Ends of the spectrum of the mean objective's Hessian.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curvature {
    /// Rows that the mean is over.
    pub rows: usize,
    /// Rows that there are.
    pub all_rows: usize,
    /// Steps of Lanczos's method.
    pub steps: usize,
    /// Norm of the gradient.
    pub gradient: f64,
    /// The lowest eigenvalue, from above.
    pub lowest: f64,
    /// Some eigenvalue is so near to `lowest`.
    pub lowest_residual: f64,
    /// The largest eigenvalue, from below.
    pub largest: f64,
    /// Some eigenvalue is so near to `largest`.
    pub largest_residual: f64,
    /// What came of a step along the lowest direction; tried where `lowest` is negative beyond rounding.
    pub escape: Option<Escape>,
}

/// A step along the direction of negative curvature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Escape {
    /// The objective over all rows before it, unnormalised, as evaluated.
    pub before: f64,
    /// The same after it.
    pub after: f64,
    /// The network after it where its objective is lower.
    #[serde(skip)]
    pub parameters: Option<Vec<f32>>,
}

/// Rows of a sample.
const MOST_ROWS: usize = 5000;
/// Rows below which a sample says too little.
const LEAST_ROWS: usize = 256;
/// Dimensions of the Krylov space.
const MOST_STEPS: usize = 60;
/// Numbers of its basis, at most.
const MOST_NUMBERS: usize = 1 << 25;
/// Dimensions below which it says too little.
const LEAST_STEPS: usize = 10;
/// Time that all gradients together may take.
const TIME: Duration = Duration::from_secs(5);
/// Length of the step of central differences, relative to the largest parameter or 1.
const DIFFERENCE: f64 = 1e-6;
/// Share of the largest eigenvalue by which the lowest must be negative to count.
const NEGATIVE: f64 = 1e-6;
/// Relative decrease of the objective below which a step has not lowered it: singles are not better.
const LOWER: f64 = 1e-6;
/// Steps along ± the direction are 2^k times the larger of ‖θ‖ and 1, for k in this range.
const LENGTHS: std::ops::RangeInclusive<i32> = -16..=2;

/// Both ends of the spectrum of the Hessian of the mean objective at `parameters`, or why they are left out.
///
/// Products `H v ≈ (∇F(θ + h v) − ∇F(θ − h v))/(2h)` of doubles, ‖v‖ = 1, feed Lanczos's method. Where units or losses have kinks, H is the Hessian almost everywhere: at a
/// point on a kink the difference averages over both sides, and curvature that sits in a kink is not seen from beside it.
pub(super) fn curvature(
    setup: &Setup,
    parameters: &[f32],
    buffers: &[f32],
    monitor: &dyn Monitor,
) -> Result<Curvature, String> {
    let theta: Vec<f64> = parameters.iter().map(|&t| f64::from(t)).collect();
    let n = theta.len();
    if n == 0 {
        return Err("the network has no parameters".into());
    }
    let no_time = || Err("there was no time left".into());
    if monitor.stop().is_some() {
        return no_time();
    }
    let most = MOST_STEPS.min(MOST_NUMBERS / n);
    if most < LEAST_STEPS.min(n) {
        return Err(format!("{LEAST_STEPS} vectors of {n} parameters take too much memory"));
    }
    let all = setup.rows.len();
    let order = Stream::new(key(&[all as u64, 0xc0de])).permutation(all);
    let (mut mean, most) = sample(setup, &theta, buffers, &order, most)?;
    let gradient = norm(&mean.gradient(&theta));
    let size = theta.iter().fold(1.0, |most: f64, t| most.max(t.abs()));
    let h = DIFFERENCE * size;
    let mut product = |vector: &[f64]| {
        if monitor.stop().is_some() {
            return None;
        }
        let [ahead, behind] = [h, -h].map(|h| mean.gradient(&moved(&theta, h, vector)));
        Some(ahead.iter().zip(&behind).map(|(ahead, behind)| (ahead - behind) / (2.0 * h)).collect())
    };
    let began = Instant::now();
    let Some(found) = extremes(n, most, &mut product, &|| began.elapsed() > TIME) else {
        return if monitor.stop().is_some() { no_time() } else { Err("gradients are not finite".into()) };
    };
    let (lowest, largest) = (&found.lowest, &found.largest);
    let is_negative = lowest.value < -NEGATIVE * largest.value.abs().max(lowest.value.abs());
    let escape = is_negative.then(|| escape(setup, &mut mean, parameters, buffers, lowest));
    Ok(Curvature {
        rows: mean.rows(),
        all_rows: all,
        steps: found.steps,
        gradient,
        lowest: lowest.value,
        lowest_residual: lowest.residual,
        largest: largest.value,
        largest_residual: largest.residual,
        escape,
    })
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn moved(theta: &[f64], length: f64, direction: &[f64]) -> Vec<f64> {
    theta.iter().zip(direction).map(|(t, d)| t + length * d).collect()
}

/// As many rows, in this order, as the time allows, and then as many steps; both halved from the most, so that they do not depend on small differences between clocks.
fn sample<'a>(
    setup: &Setup<'a>,
    theta: &[f64],
    buffers: &[f32],
    order: &[u32],
    most: usize,
) -> Result<(Mean<'a>, usize), String> {
    let few = LEAST_ROWS.min(order.len());
    let mut mean = Mean::new(setup, buffers, &order[..few], 0.0);
    // Two for each product, two products at the end, the line search.
    let gradients = |steps: usize| (2 * steps + 20) as f64;
    let limit = TIME.as_secs_f64();
    let mut seconds = f64::INFINITY;
    // The first pass takes its memory, the second one does not.
    for _ in 0..2 {
        let began = Instant::now();
        mean.gradient(theta);
        seconds = seconds.min(began.elapsed().as_secs_f64());
        if gradients(LEAST_STEPS) * seconds > 4.0 * limit {
            break;
        }
    }
    let (mut rows, mut steps) = (MOST_ROWS.min(order.len()), most);
    while gradients(steps) * seconds * rows as f64 > limit * few as f64 {
        if rows / 2 >= few {
            rows /= 2;
        } else if steps / 2 >= LEAST_STEPS {
            steps /= 2;
        } else {
            let needed = gradients(steps);
            return Err(format!(
                "a gradient over {few} rows takes {seconds:.2} s, {needed} of them more than {limit} s"
            ));
        }
    }
    Ok((if rows == few { mean } else { Mean::new(setup, buffers, &order[..rows], 0.0) }, steps))
}

/// The lowest of the mean objectives at steps of many lengths along ± the direction, evaluated over all rows.
fn escape(setup: &Setup, mean: &mut Mean, parameters: &[f32], buffers: &[f32], direction: &Pair) -> Escape {
    let theta: Vec<f64> = parameters.iter().map(|&t| f64::from(t)).collect();
    let size = norm(&theta).max(1.0);
    let mut best = (f64::INFINITY, 0.0);
    for k in LENGTHS {
        for length in [size * 2f64.powi(k), -size * 2f64.powi(k)] {
            let value = mean.value(&moved(&theta, length, &direction.vector));
            if value < best.0 {
                best = (value, length);
            }
        }
    }
    let there: Vec<f32> = moved(&theta, best.1, &direction.vector).iter().map(|&t| t as f32).collect();
    let mut pass = Pass::new();
    let mut evaluate = |parameters: &[f32]| objective(setup, &mut pass, parameters, buffers);
    let (before, after) = (evaluate(parameters), evaluate(&there));
    Escape { before, after, parameters: (before - after > LOWER * before.abs()).then_some(there) }
}

impl Curvature {
    /// One sentence.
    pub fn line(&self) -> String {
        let rows = if self.rows == self.all_rows {
            format!("all {} rows", self.rows)
        } else {
            format!("a sample of {} of {} rows", self.rows, self.all_rows)
        };
        let what = match &self.escape {
            None => "no direction of negative curvature found".into(),
            Some(Escape { before, after, parameters: Some(_) }) => format!(
                "a step along the lowest direction brings the objective from {before:.6e} to {after:.6e} ({} %)",
                percent(after / before - 1.0)
            ),
            Some(_) => {
                "negative curvature, but the best step along its direction does not lower the objective over all rows"
                    .into()
            }
        };
        format!(
            "Hessian almost everywhere over {rows}: lowest eigenvalue {:.1e} (± {:.0e}), largest {:.1e} (± {:.0e}) (Lanczos, {} steps; gradient norm {:.1e}): {what}",
            self.lowest, self.lowest_residual, self.largest, self.largest_residual, self.steps, self.gradient
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use infimum_problem::deep::{Activation, Architecture, Layer};
    use infimum_problem::{
        ColumnNames, Dataset, DenseMatrix, Event, Intercept, Loss, Matrix, Objective, Problem, Silent, Stop, Target,
    };

    use super::super::lanczos::eigen;
    use super::*;
    use crate::engine::Network;
    use crate::training::{Processor, Rows, TrainingOptions};

    /// A regression with `rows` rows of `columns` columns.
    pub(in super::super) fn problem(rows: usize, columns: usize, lambda2: f64) -> Problem {
        let mut stream = Stream::new(key(&[rows as u64, columns as u64]));
        let mut numbers = |count: usize| (0..count).map(|_| 2.0 * stream.unit() - 1.0).collect::<Vec<f64>>();
        let values = numbers(rows * columns);
        let target: Vec<f64> = values.chunks(columns).map(|row| row[0] * row[0] - row[columns - 1]).collect();
        let weights: Vec<f64> = numbers(rows).iter().map(|x| 1.5 + x).collect();
        let total_weight = weights.iter().sum();
        Problem {
            data: Dataset {
                matrix: Matrix::Dense(DenseMatrix { rows, columns, values: values.into() }),
                column_names: ColumnNames::Numbered { columns, without: vec![] },
                target: Target::Real(target),
                weights,
                total_weight,
            },
            objective: Objective {
                loss: Loss::Squared,
                intercept: Intercept::Penalized,
                lambda1: 0.0,
                lambda2,
                scales: None,
                kernel: None,
            },
        }
    }

    pub(in super::super) fn with_setup<T>(
        problem: &Problem,
        architecture: &Architecture,
        then: impl FnOnce(&Setup) -> T,
    ) -> T {
        let network = Network::new(architecture).unwrap();
        let rows = Rows::new(problem, architecture);
        let options = TrainingOptions::default();
        then(&Setup {
            problem,
            rows: &rows,
            network: &network,
            options: &options,
            device: &Processor,
            time: None,
            checkpoint_every: None,
        })
    }

    fn dense(columns: usize, hidden: usize, function: Activation) -> Architecture {
        Architecture::dense(columns, &[hidden], 1, function, true, true)
    }

    /// The Hessian entry by entry, from values of the objective alone.
    fn explicit_hessian(mean: &mut Mean, theta: &[f64]) -> Vec<f64> {
        let h = 1e-4;
        let mut at = |moves: &[(usize, f64)]| {
            let mut theta = theta.to_vec();
            moves.iter().for_each(|&(i, by)| theta[i] += by);
            mean.value(&theta)
        };
        let n = theta.len();
        let mut entry = |i, j| {
            let corners = [(h, h, 1.0), (h, -h, -1.0), (-h, h, -1.0), (-h, -h, 1.0)];
            corners.iter().map(|&(a, b, sign)| sign * at(&[(i, a), (j, b)])).sum::<f64>() / (4.0 * h * h)
        };
        (0..n * n).map(|place| entry(place / n, place % n)).collect()
    }

    #[test]
    fn ends_agree_with_an_explicit_hessian() {
        let problem = problem(40, 3, 0.5);
        for function in [Activation::Tanh, Activation::Gelu] {
            with_setup(&problem, &dense(3, 4, function), |setup| {
                let (parameters, buffers) = setup.network.initial::<f32>(7);
                let theta: Vec<f64> = parameters.iter().map(|&t| f64::from(t)).collect();
                let all: Vec<u32> = (0..40).collect();
                let hessian = explicit_hessian(&mut Mean::new(setup, &buffers, &all, 0.0), &theta);
                let (mut values, _) = eigen(&hessian, theta.len());
                values.sort_by(f64::total_cmp);
                let found = curvature(setup, &parameters, &buffers, &Silent).unwrap();
                assert_eq!((found.rows, found.all_rows), (40, 40));
                let last = values.len() - 1;
                assert!((found.lowest - values[0]).abs() < 1e-5 + found.lowest_residual, "{found:?}, {values:?}");
                assert!((found.largest - values[last]).abs() < 1e-5 + found.largest_residual, "{found:?}, {values:?}");
                assert!(found.lowest_residual < 1e-5 && found.largest_residual < 1e-5, "{found:?}");
            });
        }
    }

    /// Without biases the gradient at 0 is 0, and the Hessian has `−mean(y x)` where an output's and a hidden unit's weights meet, and l2 on the diagonal.
    #[test]
    fn the_saddle_at_zero_is_found_and_left() {
        let problem = problem(50, 2, 0.01);
        for function in [Activation::Tanh, Activation::Relu] {
            let architecture = Architecture::dense(2, &[5], 1, function, false, false);
            with_setup(&problem, &architecture, |setup| {
                let zero = vec![0.0; setup.network.parameter_count()];
                let found = curvature(setup, &zero, &[], &Silent).unwrap();
                assert!(found.gradient < 1e-12 && found.lowest < -0.01, "{found:?}");
                let escape = found.escape.as_ref().unwrap();
                assert!(escape.after < escape.before - 1e-3 * escape.before, "{escape:?}");
                let there = escape.parameters.as_ref().unwrap();
                assert!(there.iter().any(|&t| t != 0.0) && there.len() == zero.len());
                assert!(found.line().contains("brings the objective from"), "{}", found.line());
            });
        }
    }

    #[test]
    fn a_minimum_is_not_left() {
        // With so much decay the network of zeros is the only minimum, and its Hessian is l2 plus what the outputs' weights give.
        let problem = problem(50, 2, 1e4);
        with_setup(&problem, &Architecture::dense(2, &[3], 1, Activation::Tanh, false, false), |setup| {
            let zero = vec![0.0; setup.network.parameter_count()];
            let found = curvature(setup, &zero, &[], &Silent).unwrap();
            let l2 = 1e4 / problem.data.total_weight;
            assert!(found.escape.is_none() && found.lowest > l2 - 1.0 && found.largest < l2 + 1.0, "{found:?}");
            assert!(found.line().contains("no direction of negative curvature found"), "{}", found.line());
        });
    }

    /// Central differences of the mean's own values, of a network with everything that training does otherwise.
    #[test]
    fn gradients_are_those_of_the_network_as_it_predicts() {
        let mut problem = problem(300, 4, 0.3);
        let classes = (0..300).map(|i| (i * i % 7 % 3) as u32).collect();
        problem.data.target = Target::Class { labels: ["a", "b", "c"].map(String::from).into(), classes };
        problem.objective.loss = Loss::Softmax;
        let layers = vec![
            Layer::Dense { units: 6, bias: true },
            Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 },
            Layer::Activation { function: Activation::Tanh },
            Layer::Dropout { rate: 0.5 },
            Layer::Dense { units: 3, bias: true },
        ];
        let architecture = Architecture { input: vec![4], scaling: Default::default(), layers };
        with_setup(&problem, &architecture, |setup| {
            let (parameters, mut buffers) = setup.network.initial::<f32>(1);
            buffers.iter_mut().enumerate().for_each(|(i, b)| *b += 0.1 * (i % 4) as f32);
            let theta: Vec<f64> = parameters.iter().map(|&t| f64::from(t)).collect();
            let which: Vec<u32> = (0..290).rev().collect();
            let mut mean = Mean::new(setup, &buffers, &which, 0.0);
            let gradient = mean.gradient(&theta);
            for (i, slope) in gradient.iter().enumerate() {
                let mut at = |by: f64| {
                    let mut theta = theta.clone();
                    theta[i] += by;
                    mean.value(&theta)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - difference).abs() < 1e-8, "{i}: {slope} {difference}");
            }
            let found = curvature(setup, &parameters, &buffers, &Silent).unwrap();
            assert!(found.lowest_residual < 1e-3 && found.largest > found.lowest, "{found:?}");
        });
    }

    struct Stopped;

    impl Monitor for Stopped {
        fn report(&self, _: Event) {}

        fn stop(&self) -> Option<Stop> {
            Some(Stop::TimeLimit)
        }
    }

    #[test]
    fn what_is_left_out_says_why() {
        let problem = problem(30, 2, 0.1);
        with_setup(&problem, &dense(2, 2, Activation::Relu), |setup| {
            let (parameters, buffers) = setup.network.initial::<f32>(0);
            let why = curvature(setup, &parameters, &buffers, &Stopped).unwrap_err();
            assert_eq!(why, "there was no time left");
            let why = curvature(setup, &vec![f32::NAN; parameters.len()], &buffers, &Silent).unwrap_err();
            assert_eq!(why, "gradients are not finite");
        });
    }
}
