//! The bounds of rung 5 against brute force: no network lies below what is accepted, the recursion over layers holds, bounds are as good as they should be, and
//! what lies outside the theorems is refused.

mod deep_oracle;
mod relu_oracle;

use deep_oracle::{by_norms, descend, input, intercept, objective, plane, singles, slopes};
use infimum_check::{Step, check_relu_problem, deep_lower};
use infimum_problem::deep::{Activation, Architecture, DeepWitness, Layer, Padding, Plane, Scaling, parameters};
use infimum_problem::{HiddenBias, Intercept, Loss, Matrix, Problem, Target};
use relu_oracle::networks::{self, problem, with_several};
use relu_oracle::{Random, dot, maximum, witnesses};

fn relu() -> Layer {
    Layer::Activation { function: Activation::Relu }
}

fn dense(units: usize, bias: bool) -> Layer {
    Layer::Dense { units, bias }
}

/// A fully connected ReLU network with biases where the bits say so.
fn chain(columns: usize, outputs: usize, layers: usize, biases: usize, width: usize) -> Architecture {
    let mut list = Vec::new();
    for l in 0..layers {
        let is_last = l + 1 == layers;
        list.push(dense(if is_last { outputs } else { width }, biases >> l & 1 == 1));
        list.extend((!is_last).then(relu));
    }
    Architecture { input: vec![columns], scaling: Scaling::default(), layers: list }
}

fn count(architecture: &Architecture) -> usize {
    parameters(architecture).expect("parameters").last().map_or(0, |last| last.range.end)
}

fn random_problem(
    architecture: &Architecture,
    columns: usize,
    loss: Loss,
    lambda2: f64,
    random: &mut Random,
) -> Problem {
    let n = 3 + random.below(6);
    // Singles, so that other rungs see the same rows.
    let rows: Vec<f64> = random.rows(n, columns, false).into_iter().map(|x| f64::from(x as f32)).collect();
    let classes = if loss == Loss::Softmax || random.below(2) == 0 { 3 } else { 2 };
    let targets: Vec<f64> = (0..n)
        .map(|i| match loss {
            _ if loss.is_classification() => (i % classes) as f64,
            Loss::Poisson => (2.0 * random.normal()).abs(),
            _ => 2.0 * random.normal(),
        })
        .collect();
    let problem = problem(&rows, columns, &targets, loss, intercept(architecture), lambda2);
    if loss != Loss::Softmax && random.below(3) == 0 { with_several(problem, 2, random) } else { problem }
}

/// α near these in every row's domain, as singles: multiples of 2^-12, so that sums are exact.
fn feasible(problem: &Problem, near: &[f64]) -> Vec<f32> {
    let mut alpha: Vec<f64> = near.iter().map(|a| (a * 4096.0).trunc() / 4096.0).collect();
    if let (Loss::Softmax, Target::Class { classes, .. }) = (problem.objective.loss, &problem.data.target) {
        for (row, &own) in alpha.chunks_exact_mut(problem.outputs()).zip(classes) {
            row[own as usize] = 0.0;
            row[own as usize] = -row.iter().sum::<f64>();
        }
    }
    singles(&alpha)
}

/// The lowest objective that descents from a few starts find.
fn lowest(problem: &Problem, architecture: &Architecture, steps: usize, random: &mut Random) -> (f64, Vec<f64>) {
    let value = |theta: &[f64]| objective(problem, architecture, theta, &[]);
    let mut best = (f64::INFINITY, Vec::new());
    for start in 0..3 {
        let size = [0.1, 0.6, 1.0][start];
        let mut theta: Vec<f64> = (0..count(architecture)).map(|_| size * random.normal()).collect();
        descend(value, &mut theta, steps);
        let found = value(&theta);
        if found < best.0 {
            best = (found, theta);
        }
    }
    best
}

#[test]
fn no_network_is_below_the_bound() {
    let mut random = Random(5);
    let (mut nearest, mut useful) = (0.0f64, 0);
    for round in 0..120 {
        let loss = Loss::ALL[round % 10];
        let layers = 2 + round / 10 % 3;
        let biases = random.below(1 << layers);
        let columns = 1 + random.below(2);
        let lambda2 = 10f64.powf(random.within(-1.5, 0.5));
        let shape = chain(columns, 1, layers, biases, 2);
        let problem = random_problem(&shape, columns, loss, lambda2, &mut random);
        let architecture = chain(columns, problem.outputs(), layers, biases, 1 + random.below(3));
        let (found, theta) = lowest(&problem, &architecture, 150, &mut random);
        let dual = feasible(&problem, &slopes(&problem, &architecture, &theta, &[]));
        let scales = vec![0.125, 0.25, 0.5, 0.75, 1.0];
        let slope: fn(usize) -> f32 = [|_| 0.0, |_| 1.0, |_| 0.625, |p| (p % 3) as f32 / 2.0][random.below(4)];
        let mut cones = |points: &[f64], d: usize, w: &[f64], random: &mut Random| match (random.below(3), d <= 3) {
            (0, _) => witnesses::clusters(points, d, w, random),
            (_, true) => witnesses::cones(points, d, w, 30, None, random),
            (_, false) => by_norms(points, d, w, random),
        };
        let plane = plane(&problem, &architecture, dual, scales, slope, &mut cones, &mut random);
        let norms = deep_lower(&problem, &architecture, &DeepWitness::default()).expect("norms");
        let witness = DeepWitness { planes: vec![plane] };
        let bound = deep_lower(&problem, &architecture, &witness).unwrap_or_else(|why| panic!("round {round}: {why}"));
        assert!(bound >= norms && norms >= 0.0, "round {round}: {norms} {bound}");
        assert!(
            found >= bound * (1.0 - 1e-12),
            "round {round}, {loss:?}, {layers} layers, {biases:b}: {found} < {bound}"
        );
        // Other widths are bounded as well.
        for width in 1..5 {
            let other = chain(columns, problem.outputs(), layers, biases, width);
            for _ in 0..40 {
                let size = 10f64.powf(random.within(-1.0, 0.3));
                let theta: Vec<f64> = (0..count(&other)).map(|_| size * random.normal()).collect();
                assert!(objective(&problem, &other, &theta, &[]) >= bound * (1.0 - 1e-12), "round {round}");
            }
        }
        nearest = nearest.max(bound / found);
        useful += usize::from(bound > 0.3 * found);
    }
    assert!(nearest > 0.9 && useful > 30, "{nearest} {useful}");
}

/// Convolutions, poolings, other activations: norms alone.
#[test]
fn no_convolutional_network_is_below_the_bound_by_norms() {
    let mut random = Random(6);
    let functions = [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Gelu, Activation::Silu];
    let mut useful = 0;
    for round in 0..60 {
        let function = Layer::Activation { function: functions[round % 5] };
        let padding = if random.below(2) == 0 { Padding::Same } else { Padding::Valid };
        let (kernel, stride) = ([1 + random.below(2), 1 + random.below(2)], 1 + random.below(2));
        let bias = random.below(2) == 0;
        let pool = match random.below(4) {
            0 => Layer::MaxPooling { size: 2, stride: 1 },
            1 => Layer::AveragePooling { size: 2, stride: 1 },
            2 => Layer::MaxPooling { size: 1, stride: 0 },
            _ => Layer::Dropout { rate: 0.5 },
        };
        let loss = Loss::ALL[random.below(10)];
        let output_bias = random.below(2) == 0;
        let network = |outputs: usize, channels: usize| Architecture {
            input: vec![3, 3, 1],
            scaling: Scaling { shift: vec![0.25], scale: vec![2.0] },
            layers: vec![
                pool.clone(),
                Layer::Convolution { channels, kernel, stride, padding, bias },
                function.clone(),
                dense(2, bias),
                if round.is_multiple_of(3) { Layer::Flatten } else { Layer::GlobalAveragePooling },
                dense(outputs, output_bias),
            ],
        };
        let lambda2 = 10f64.powf(random.within(-1.0, 0.7));
        let problem = random_problem(&network(1, 1), 9, loss, lambda2, &mut random);
        let architecture = network(problem.outputs(), 1 + random.below(2));
        let bound = deep_lower(&problem, &architecture, &DeepWitness::default()).expect("norms");
        let (found, _) = lowest(&problem, &architecture, 25, &mut random);
        assert!(found >= bound * (1.0 - 1e-12), "round {round}: {found} < {bound}");
        useful += usize::from(bound > 0.3 * found);
    }
    assert!(useful > 15, "{useful}");
}

/// Theorem 3 for scalar networks whose norms have the product 1: no ascent exceeds the bound by exact maxima over the unit ball.
#[test]
fn the_recursion_over_layers_holds() {
    let mut random = Random(7);
    let mut nearest = 0.0f64;
    for round in 0..60 {
        let (d, points) = (1 + random.below(2), 2 + random.below(5));
        let rows = random.rows(points, d, false);
        let w: Vec<f64> = (0..points).map(|_| random.normal()).collect();
        let slopes: Vec<f64> = (0..points).map(|_| random.below(5) as f64 / 4.0).collect();
        let negative: Vec<f64> = w.iter().zip(&slopes).map(|(w, slope)| slope * (-w).max(0.0)).collect();
        let whole: Vec<f64> = w.iter().zip(&negative).map(|(w, negative)| w.max(0.0) - negative).collect();
        let bound = maximum(&rows, d, &whole).max(maximum(&rows, d, &negative));
        for layers in 2..5 {
            // relu(g), g of `layers` layers: so one more than that.
            let g = chain(d, 1, layers, 0, 3);
            let value = |theta: &[f64]| {
                let mut product = 1.0;
                for parameter in parameters(&g).expect("parameters") {
                    product *= dot(&theta[parameter.range.clone()], &theta[parameter.range.clone()]).sqrt();
                }
                let sum = (rows.chunks_exact(d).zip(&w))
                    .map(|(x, w)| w * deep_oracle::outputs(&g, theta, &[], x)[0].max(0.0))
                    .sum::<f64>();
                -sum / product
            };
            for _ in 0..3 {
                let mut theta: Vec<f64> = (0..count(&g)).map(|_| random.normal()).collect();
                descend(value, &mut theta, 60);
                let most = -value(&theta);
                assert!(most <= bound * (1.0 + 1e-9) + 1e-12, "round {round}, {layers}: {most} > {bound}");
                if bound > 0.0 {
                    nearest = nearest.max(most / bound);
                }
            }
        }
    }
    assert!(nearest > 0.99, "{nearest}");
}

/// With two layers and no bias the bound of rung 4 comes out.
#[test]
fn two_layers_give_the_bound_of_rung_4() {
    let mut random = Random(8);
    for round in 0..20 {
        let loss = [Loss::Squared, Loss::Logistic, Loss::Softmax, Loss::Hinge][round % 4];
        let architecture = chain(2, 1, 2, 0, 3);
        let problem = random_problem(&architecture, 2, loss, 10f64.powf(random.within(-1.0, 0.0)), &mut random);
        let architecture = chain(2, problem.outputs(), 2, 0, 3);
        let (found, theta) = lowest(&problem, &architecture, 200, &mut random);
        let near = slopes(&problem, &architecture, &theta, &[]);
        let seed = random.bits();
        // The largest share of α whose bounds are together at most λ2.
        let made = |share: f64| {
            let dual = feasible(&problem, &near.iter().map(|a| share * a).collect::<Vec<f64>>());
            let mut cones = |points: &[f64], d: usize, w: &[f64], random: &mut Random| {
                witnesses::cones(points, d, w, 60, None, random)
            };
            plane(&problem, &architecture, dual, vec![1.0], |_| 1.0, &mut cones, &mut Random(seed))
        };
        let size = |plane: &Plane| {
            let largest = plane.outputs.iter().map(|pair| pair[0].whole.bound.max(pair[1].whole.bound));
            largest.map(|bound| bound * bound).sum::<f64>().sqrt()
        };
        let mut share = 1.0;
        let mut plane = made(share);
        while size(&plane) > problem.objective.lambda2 * (1.0 - 1e-12) {
            share *= (problem.objective.lambda2 / size(&plane)).min(0.999);
            plane = made(share);
        }
        let dual = plane.dual.iter().map(|&a| f64::from(a)).collect();
        let proofs = plane.outputs.iter().flatten().map(|witness| witness.whole.clone()).collect();
        let net = infimum_problem::ReluNet::constant(2, vec![0.0; problem.outputs()]);
        let other = networks::certificate(&problem, HiddenBias::None, net, dual, proofs);
        let expected = check_relu_problem(&problem, &other).expect("rung 4").lower;
        let bound = deep_lower(&problem, &architecture, &DeepWitness { planes: vec![plane] }).expect("rung 5");
        assert!(bound >= expected - 5e-6 * expected.abs(), "round {round}: {bound} < {expected}");
        assert!(found >= bound, "round {round}");
    }
}

/// Beyond some λ2 the zero network is optimal, at any depth, and this is seen.
#[test]
fn strong_decay_is_proven_optimal() {
    let mut random = Random(9);
    for layers in 2..5 {
        for loss in [Loss::Squared, Loss::Logistic, Loss::Softmax, Loss::Huber(0.5)] {
            let architecture = chain(2, 1, layers, 0, 3);
            let problem = random_problem(&architecture, 2, loss, 100.0, &mut random);
            let architecture = chain(2, problem.outputs(), layers, 0, 3);
            let zero = vec![0.0; count(&architecture)];
            let dual = feasible(&problem, &slopes(&problem, &architecture, &zero, &[]));
            let plane = plane(&problem, &architecture, dual, vec![1.0], |_| 1.0, &mut by_norms, &mut random);
            let bound = deep_lower(&problem, &architecture, &DeepWitness { planes: vec![plane] }).expect("proven");
            let value = objective(&problem, &architecture, &zero, &[]);
            assert!(bound <= value && bound >= value * (1.0 - 1e-3), "{layers} {loss:?}: {bound} {value}");
        }
    }
}

/// Equal inputs with different targets bound every network whatsoever, also without decay; what is equal after the scaling counts.
#[test]
fn conflicts_bound_every_network() {
    let rows = [1.0, 2.0, 1.0, 3.0, 0.0, 5.0, 1.0, 7.0];
    let targets = [1.0, 2.0, 0.0, 6.0];
    let layers = vec![
        Layer::LayerNormalization { epsilon: 1e-5 },
        Layer::Residual { body: vec![dense(2, true)], shortcut: vec![] },
        Layer::Activation { function: Activation::Sigmoid },
        dense(1, false),
    ];
    let scaling = Scaling { shift: vec![], scale: vec![1.0, 0.0] };
    let architecture = Architecture { input: vec![2], scaling, layers };
    // The mean of 1, 2 and 6 is 3: half of 4 + 1 + 9.
    let plane = Plane { dual: vec![-2.0, -1.0, 0.0, 3.0], scales: vec![0.5, 1.0], outputs: vec![] };
    for lambda2 in [0.0, 1.0] {
        let problem = problem(&rows, 2, &targets, Loss::Squared, Intercept::None, lambda2);
        let witness = DeepWitness { planes: vec![plane.clone()] };
        let bound = deep_lower(&problem, &architecture, &witness).expect("proven");
        assert!((7.0 - 1e-12..=7.0).contains(&bound), "{bound}");
        let mut other = plane.clone();
        (other.dual[2], other.dual[3]) = (1.0, 2.0);
        let refusal =
            deep_lower(&problem, &architecture, &DeepWitness { planes: vec![other] }).expect_err("no conflict");
        assert_eq!(refusal.step, Step::Dual);
        let without = Architecture { scaling: Scaling::default(), ..architecture.clone() };
        assert!(deep_lower(&problem, &without, &witness).is_err(), "distinct rows");
    }
    // Together with norms: a bias alone has to pay for outputs.
    let problem = problem(&rows, 2, &targets, Loss::Squared, Intercept::None, 1.0);
    let dense_only = chain(2, 1, 3, 0, 2);
    let dense_only = Architecture { scaling: architecture.scaling.clone(), ..dense_only };
    let bound = deep_lower(&problem, &dense_only, &DeepWitness { planes: vec![plane] }).expect("proven");
    assert!(bound > 7.5, "{bound}");
}

fn refused(problem: &Problem, architecture: &Architecture, plane: &Plane) -> Option<Step> {
    deep_lower(problem, architecture, &DeepWitness { planes: vec![plane.clone()] }).err().map(|refusal| refusal.step)
}

#[test]
fn what_lies_outside_the_theorems_is_refused() {
    let mut random = Random(10);
    let valid = chain(2, 1, 3, 0, 2);
    let problem = problem(&[1.0, 0.5, -1.0, 2.0, 0.3, 0.1], 2, &[1.0, -2.0, 0.5], Loss::Squared, Intercept::None, 0.5);
    let plane = plane(&problem, &valid, vec![0.5, -1.0, 0.25], vec![0.5, 1.0], |_| 0.5, &mut by_norms, &mut random);
    assert_eq!(refused(&problem, &valid, &plane), None);
    let with = |place: usize, layer: Layer| {
        let mut architecture = valid.clone();
        architecture.layers.insert(place, layer);
        architecture
    };
    let function = |function| Layer::Activation { function };
    let outside = [
        with(1, Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 }),
        with(1, Layer::LayerNormalization { epsilon: 1e-5 }),
        with(1, function(Activation::LeakyRelu)),
        with(1, function(Activation::Sigmoid)),
        with(1, function(Activation::Tanh)),
        with(2, Layer::Residual { body: vec![dense(2, false)], shortcut: vec![] }),
        with(5, relu()),
        with(0, relu()),
        with(1, relu()),
        with(0, dense(2, false)),
        chain(2, 1, 1, 0, 1),
        Architecture {
            layers: vec![dense(2, false), relu(), Layer::GlobalAveragePooling, dense(1, false)],
            ..valid.clone()
        },
        Architecture {
            input: vec![1, 2],
            layers: vec![dense(2, false), relu(), Layer::Flatten, dense(1, false), relu(), dense(1, false)],
            ..valid.clone()
        },
    ];
    for architecture in outside {
        assert_eq!(refused(&problem, &architecture, &plane), Some(Step::Bound), "{:?}", architecture.layers);
    }
    let inside = [
        with(0, Layer::Flatten),
        with(1, Layer::Dropout { rate: 0.5 }),
        Architecture { input: vec![1, 1, 2], ..with(0, Layer::Flatten) },
    ];
    for architecture in inside {
        assert_eq!(refused(&problem, &architecture, &plane), None, "{:?}", architecture.layers);
    }
    // With biases the rows carry a constant: the bounds are those of other rows.
    let biased = chain(2, 1, 3, 1, 2);
    assert_eq!(refused(&problem, &biased, &plane), Some(Step::Bound));
    // Sigmoids and normalisations have no bound by norms: nothing is proven, and 0 is what is left.
    for layer in [function(Activation::Sigmoid), Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 }] {
        let bound = deep_lower(&problem, &with(1, layer), &DeepWitness::default()).expect("nothing to refuse");
        assert_eq!(bound, 0.0);
    }
    assert!(deep_lower(&problem, &valid, &DeepWitness::default()).expect("norms") > 0.1);

    type Change = (Step, fn(&mut Plane));
    let changes: [Change; 24] = [
        (Step::Bound, |p| p.outputs[0][0].slopes[1] = -1e-30),
        (Step::Bound, |p| p.outputs[0][1].slopes[2] = 1.0f32.next_up()),
        (Step::Bound, |p| p.outputs[0][0].slopes[0] = f32::NAN),
        (Step::Bound, |p| p.outputs[0][0].slopes.push(0.5)),
        (Step::Bound, |p| p.outputs[0][0].slopes.clear()),
        (Step::Bound, |p| p.outputs[0][0].rest = None),
        (Step::Bound, |p| p.outputs[0][0].whole.bound *= 0.999),
        (Step::Bound, |p| p.outputs[0][1].whole.bound *= 0.999),
        (Step::Bound, |p| p.outputs[0][0].rest.as_mut().expect("a rest").bound *= 0.999),
        (Step::Bound, |p| p.outputs[0][1].rest.as_mut().expect("a rest").bound *= 0.999),
        (Step::Bound, |p| p.outputs[0][0].whole.bound = f64::NAN),
        (Step::Bound, |p| p.outputs[0][0].whole.bound = f64::INFINITY),
        (Step::Bound, |p| p.outputs.push(p.outputs[0].clone())),
        (Step::Bound, |p| p.outputs[0].swap(0, 1)),
        (Step::Dual, |p| p.outputs.clear()),
        (Step::Dual, |p| p.scales.clear()),
        (Step::Dual, |p| p.scales = vec![1.0; 257]),
        (Step::Dual, |p| p.scales[0] = 0.0),
        (Step::Dual, |p| p.scales[0] = -1.0),
        (Step::Dual, |p| p.scales[1] = f32::NAN),
        (Step::Dual, |p| p.scales[1] = f32::INFINITY),
        (Step::Dual, |p| p.dual[0] = f32::NAN),
        (Step::Dual, |p| p.dual.truncate(2)),
        (Step::Bound, |p| p.dual[1] *= 1.01),
    ];
    for (place, (step, change)) in changes.into_iter().enumerate() {
        let mut plane = plane.clone();
        change(&mut plane);
        assert_eq!(refused(&problem, &valid, &plane), Some(step), "change {place}");
    }
    let many = DeepWitness { planes: vec![plane.clone(); 257] };
    assert_eq!(deep_lower(&problem, &valid, &many).expect_err("too many").step, Step::Dual);
    // One hidden layer has no slopes and no rest.
    let two = chain(2, 1, 2, 0, 2);
    assert_eq!(refused(&problem, &two, &plane), Some(Step::Bound));
}

/// A scale may take α out of the domain of the loss, or a row out of the ones that can be summed.
#[test]
fn scales_and_scalings_stay_in_the_domain() {
    let mut random = Random(12);
    let architecture = chain(1, 1, 2, 0, 2);
    let made = problem(&[1.0, -1.0], 1, &[0.0, 1.0], Loss::Hinge, Intercept::None, 0.5);
    let mut one = plane(&made, &architecture, vec![-0.5, 0.5], vec![2.0], |_| 1.0, &mut by_norms, &mut random);
    assert_eq!(refused(&made, &architecture, &one), None);
    one.scales.push(2.0f32.next_up());
    assert_eq!(refused(&made, &architecture, &one), Some(Step::Dual));
    one.scales.pop();
    let huge = problem(&[1e39, -1.0], 1, &[0.0, 1.0], Loss::Hinge, Intercept::None, 0.5);
    assert_eq!(refused(&huge, &architecture, &one), Some(Step::Problem));
    let mut changed = made.clone();
    changed.objective.intercept = Intercept::Free;
    assert_eq!(refused(&changed, &architecture, &one), Some(Step::Problem));
    changed.objective.intercept = Intercept::Penalized;
    assert_eq!(refused(&changed, &architecture, &one), Some(Step::Problem));
    changed.objective.intercept = Intercept::None;
    changed.objective.lambda1 = 0.1;
    assert_eq!(refused(&changed, &architecture, &one), Some(Step::Problem));
    assert_eq!(refused(&made, &chain(2, 1, 2, 0, 2), &one), Some(Step::Model));
    assert_eq!(refused(&made, &chain(1, 2, 2, 0, 2), &one), Some(Step::Model));
}

/// The rows of a problem in memory as the oracle sees them.
#[test]
fn scaled_inputs_are_those_of_the_definition() {
    let problem = problem(&[0.7, 1e-3], 1, &[0.0, 1.0], Loss::Squared, Intercept::None, 0.0);
    let scaling = Scaling { shift: vec![0.1], scale: vec![3.0] };
    let architecture = Architecture { scaling, ..chain(1, 1, 2, 0, 1) };
    assert_eq!(input(&problem, &architecture, 0), [f64::from((0.7f32 - 0.1f32) * 3.0)]);
    assert!(matches!(problem.data.matrix, Matrix::Dense(_)));
}

/// Several targets that are no labels, no numbers of the loss's kind, or not one for each row and output.
#[test]
fn targets_outside_the_domain_are_refused() {
    let architecture = chain(1, 2, 2, 0, 2);
    let with = |loss: Loss, values: &[f64]| {
        let problem = problem(&[1.0, 0.5], 1, &[0.0, 1.0], loss, Intercept::None, 0.5);
        let target = Target::Several { names: vec!["a".into(), "b".into()], values: values.to_vec() };
        let problem = Problem { data: infimum_problem::Dataset { target, ..problem.data }, ..problem };
        deep_lower(&problem, &architecture, &DeepWitness::default()).map_err(|refusal| refusal.step)
    };
    assert!(with(Loss::Logistic, &[1.0, -1.0, -1.0, -1.0]).is_ok_and(|lower| lower > 0.0));
    assert!(with(Loss::Poisson, &[0.0, 3.0, 0.5, 1.0]).is_ok_and(|lower| lower > 0.0));
    for (loss, values) in [
        (Loss::Logistic, &[1.0, -1.0, 0.0, -1.0][..]),
        (Loss::Hinge, &[1.0, -1.0, 2.0, -1.0]),
        (Loss::SquaredHinge, &[1.0, -1.0, f64::NAN, -1.0]),
        (Loss::Logistic, &[1.0, -1.0, 1.0]),
        (Loss::Poisson, &[0.0, 3.0, -0.5, 1.0]),
        (Loss::Softmax, &[1.0, -1.0, -1.0, -1.0]),
    ] {
        assert_eq!(with(loss, values), Err(Step::Problem), "{loss:?} {values:?}");
    }
}
