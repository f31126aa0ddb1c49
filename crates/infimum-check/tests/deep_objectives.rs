//! The recorded network's objective: enclosed or evaluated, against the definitions of all layers.

mod deep_oracle;
mod relu_oracle;

use deep_oracle::{certificate, intercept, objective, singles};
use infimum_check::{Step, check_deep_problem, deep_upper};
use infimum_problem::deep::{
    Activation, Architecture, DeepWitness, Evaluation, Layer, Padding, Parameter, ParameterKind, Scaling, buffers,
    parameters,
};
use infimum_problem::{Ending, Loss, Problem};
use relu_oracle::Random;
use relu_oracle::networks::{problem, with_several};

fn dense(units: usize, bias: bool) -> Layer {
    Layer::Dense { units, bias }
}

fn function(function: Activation) -> Layer {
    Layer::Activation { function }
}

fn convolution(channels: usize, kernel: [usize; 2], stride: usize, padding: Padding, bias: bool) -> Layer {
    Layer::Convolution { channels, kernel, stride, padding, bias }
}

const NORM: Layer = Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };

/// Architectures with all layers, and what is known of their objectives; three outputs.
fn architectures() -> Vec<(Architecture, Evaluation)> {
    use Evaluation::{Evaluated, Proven};
    let image = |layers: Vec<Layer>| Architecture {
        input: vec![5, 4, 2],
        scaling: Scaling { shift: vec![0.1, -0.2], scale: vec![2.0] },
        layers,
    };
    let sequence = |layers: Vec<Layer>| Architecture { input: vec![10, 4], scaling: Scaling::default(), layers };
    let (same, valid) = (Padding::Same, Padding::Valid);
    let block = Layer::Residual {
        body: vec![
            convolution(3, [3, 3], 2, same, false),
            NORM,
            function(Activation::Relu),
            convolution(3, [1, 1], 1, same, true),
        ],
        shortcut: vec![convolution(3, [1, 1], 2, valid, false), NORM],
    };
    let attention = |causal| Layer::Attention { heads: 2, causal };
    vec![
        (Architecture::dense(40, &[17, 70], 3, Activation::Relu, true, true), Proven),
        (Architecture::dense(40, &[9], 3, Activation::LeakyRelu, false, false), Proven),
        (
            image(vec![
                convolution(9, [3, 2], 1, same, true),
                function(Activation::Relu),
                Layer::MaxPooling { size: 2, stride: 1 },
                convolution(4, [2, 1], 1, valid, false),
                Layer::AveragePooling { size: 2, stride: 1 },
                Layer::Flatten,
                Layer::Dropout { rate: 0.5 },
                dense(3, true),
            ]),
            Proven,
        ),
        (
            image(vec![block.clone(), function(Activation::LeakyRelu), Layer::GlobalAveragePooling, dense(3, false)]),
            Proven,
        ),
        (image(vec![Layer::MaxPooling { size: 2, stride: 0 }, NORM, Layer::Flatten, dense(3, true)]), Proven),
        (image(vec![block, function(Activation::Gelu), Layer::Flatten, dense(3, true)]), Evaluated),
        (Architecture::dense(40, &[5], 3, Activation::Tanh, true, true), Evaluated),
        (Architecture::dense(40, &[5], 3, Activation::Sigmoid, true, true), Evaluated),
        (Architecture::dense(40, &[5], 3, Activation::Silu, true, true), Evaluated),
        (
            sequence(vec![
                Layer::Residual {
                    body: vec![Layer::LayerNormalization { epsilon: 1e-5 }, attention(true)],
                    shortcut: vec![],
                },
                attention(false),
                Layer::GlobalAveragePooling,
                dense(3, false),
            ]),
            Evaluated,
        ),
    ]
}

fn filled(list: &[Parameter], random: &mut Random) -> Vec<f64> {
    let mut values = Vec::new();
    for parameter in list {
        let size = 1.0 / (parameter.fan_in as f64).sqrt();
        values.extend(parameter.range.clone().map(|_| {
            let value = match parameter.kind {
                ParameterKind::RunningVariance => random.within(0.0, 2.0),
                _ => size * random.normal(),
            };
            f64::from(value as f32)
        }));
    }
    values
}

/// A problem of 70 rows, a network, its parameters and buffers.
fn made(architecture: &Architecture, loss: Loss, random: &mut Random) -> (Problem, Vec<f64>, Vec<f64>) {
    let rows: Vec<f64> = (0..70 * 40).map(|_| random.normal()).collect();
    let targets: Vec<f64> = (0..70).map(|i| f64::from(i % 3)).collect();
    let problem = problem(&rows, 40, &targets, loss, intercept(architecture), 0.3);
    let theta = filled(&parameters(architecture).expect("parameters"), random);
    let running = filled(&buffers(architecture).expect("buffers"), random);
    (problem, theta, running)
}

#[test]
fn objectives_are_those_of_the_definitions() {
    let mut random = Random(3);
    for (place, (architecture, kind)) in architectures().into_iter().enumerate() {
        let losses = [Loss::Softmax, Loss::Logistic, Loss::SquaredHinge].map(|loss| (loss, false));
        for (loss, several) in losses.into_iter().chain([(Loss::Logistic, true), (Loss::Huber(0.7), true)]) {
            let (mut problem, theta, running) = made(&architecture, loss, &mut random);
            if several {
                problem = with_several(problem, 3, &mut random);
            }
            let truth = objective(&problem, &architecture, &theta, &running);
            let (upper, known) =
                deep_upper(&problem, &architecture, &singles(&theta), &singles(&running)).expect("fits");
            assert_eq!(known, kind, "{place}");
            let tolerance = if kind == Evaluation::Proven { 1e-10 } else { 1e-9 };
            assert!((upper - truth).abs() <= tolerance * truth, "{place} {loss:?}: {upper} {truth}");
            assert!(kind == Evaluation::Evaluated || upper >= truth * (1.0 - 1e-14), "{place} {loss:?}");
        }
    }
}

#[test]
fn embeddings_read_whole_numbers() {
    let layers =
        vec![Layer::Embedding { vocabulary: 4, width: 2 }, function(Activation::Relu), Layer::Flatten, dense(1, false)];
    let architecture = Architecture { input: vec![3], scaling: Scaling::default(), layers };
    let mut random = Random(4);
    let theta = filled(&parameters(&architecture).expect("parameters"), &mut random);
    let of = |rows: &[f64]| {
        let problem = problem(rows, 3, &[1.0, -2.0], Loss::Squared, intercept(&architecture), 0.3);
        let upper = deep_upper(&problem, &architecture, &singles(&theta), &[]).expect("fits").0;
        (problem, upper)
    };
    let (problem, upper) = of(&[0.0, 3.0, 1.0, 2.0, 2.0, 0.0]);
    let truth = objective(&problem, &architecture, &theta, &[]);
    assert!((upper - truth).abs() <= 1e-12 * truth);
    for wrong in [4.0, -1.0, 0.5] {
        assert_eq!(of(&[0.0, 3.0, 1.0, 2.0, wrong, 0.0]).1, f64::INFINITY, "{wrong}");
    }
}

/// Numbers beyond the range of doubles never become a finite objective.
#[test]
fn overflow_proves_nothing() {
    let architecture = Architecture::dense(1, &[1; 12], 1, Activation::Relu, true, false);
    let problem = problem(&[1.0, 2.0], 1, &[0.0, 1.0], Loss::Hinge, intercept(&architecture), 0.0);
    let all = parameters(&architecture).expect("parameters");
    for last in [0.0f32, -1.0, 1.0] {
        // The hidden values are about 1e38^k, or 0 behind a unit that is off; errors grow all the same.
        let mut theta = vec![1e38f32; all.last().expect("one").range.end];
        let end = theta.len();
        theta[end - 1] = last;
        let (upper, _) = deep_upper(&problem, &architecture, &theta, &[]).expect("fits");
        assert_eq!(upper, f64::INFINITY, "{last}");
        for negative in 0..11 {
            let mut theta = theta.clone();
            theta[2 * negative] = -1e38;
            theta[2 * negative + 1] = -1e38;
            let (upper, _) = deep_upper(&problem, &architecture, &theta, &[]).expect("fits");
            assert_eq!(upper, f64::INFINITY, "{last} {negative}");
        }
    }
}

#[test]
fn claims_about_the_objective_are_checked() {
    let mut random = Random(5);
    let all = architectures();
    for place in [0, 4, 7] {
        let (architecture, kind) = &all[place];
        let (problem, theta, running) = made(architecture, Loss::Softmax, &mut random);
        let (upper, _) = deep_upper(&problem, architecture, &singles(&theta), &singles(&running)).expect("fits");
        let mut valid = certificate(&problem, architecture, singles(&theta), singles(&running), DeepWitness::default());
        (valid.claim.evaluation, valid.claim.upper, valid.claim.lower) = (*kind, upper, 0.0);
        let verdict = check_deep_problem(&problem, &valid).expect("verified");
        assert_eq!(verdict.upper, upper);
        assert_eq!(verdict.claim.contains("not proven"), *kind == Evaluation::Evaluated);
        let step = |change: &dyn Fn(&mut infimum_problem::deep::DeepCertificate)| {
            let mut certificate = valid.clone();
            change(&mut certificate);
            check_deep_problem(&problem, &certificate).err().map(|refusal| refusal.step)
        };
        let proven = *kind == Evaluation::Proven;
        assert_eq!(step(&|c| c.claim.upper = upper * (1.0 - 1e-5)), Some(Step::Upper));
        assert_eq!(step(&|c| c.claim.upper = upper * (1.0 + 1e-5)), (!proven).then_some(Step::Upper));
        assert_eq!(step(&|c| c.claim.upper = upper * (1.0 + 1e-7)), None);
        assert_eq!(step(&|c| c.claim.upper = f64::NAN), Some(Step::Upper));
        assert_eq!(step(&|c| c.claim.upper = f64::INFINITY), Some(if proven { Step::Ending } else { Step::Upper }));
        assert_eq!(step(&|c| c.claim.evaluation = Evaluation::Proven), (!proven).then_some(Step::Upper));
        assert_eq!(step(&|c| c.claim.evaluation = Evaluation::Evaluated), None);
        assert_eq!(step(&|c| c.claim.lower = f64::MIN_POSITIVE), (place != 0).then_some(Step::Lower));
        assert_eq!(step(&|c| c.parameters[0] = f32::NAN), Some(Step::Model));
        assert_eq!(step(&|c| c.parameters[1] = f32::INFINITY), Some(Step::Model));
        assert_eq!(step(&|c| c.parameters.truncate(3)), Some(Step::Model));
        assert_eq!(step(&|c| c.buffers.push(0.0)), Some(Step::Model));
        if !running.is_empty() {
            assert_eq!(step(&|c| c.buffers[0] = f32::NAN), Some(Step::Model));
            assert_eq!(step(&|c| (c.buffers[0], c.claim.upper) = (-1.0, 1e300)), None, "a mean may be negative");
            assert_eq!(step(&|c| c.buffers[2] = -1e-30), Some(Step::Model));
        }
        // Optimal is a proof: the gap is 1 here, and an evaluated objective proves none.
        let optimal =
            |c: &mut infimum_problem::deep::DeepCertificate| (c.claim.ending, c.claim.gap) = (Ending::Optimal, 1.0);
        assert_eq!(step(&optimal), (!proven).then_some(Step::Ending));
        assert_eq!(step(&|c| c.claim.ending = Ending::Optimal), Some(Step::Ending));
        assert_eq!(step(&|c| c.claim.ending = Ending::NotAttained), Some(Step::Ending));
        assert_eq!(step(&|c| c.claim.gap = -1.0), Some(Step::Ending));
    }
}
