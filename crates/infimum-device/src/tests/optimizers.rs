//! Several steps of every optimizer.

use burn_tensor::backend::Backend;
use infimum_deep::engine::Targets;
use infimum_deep::training::{Decay, Device, Optimizer, Processor, Rule, Schedule, StepNumbers, Task, TrainingOptions};
use infimum_problem::Loss;
use infimum_problem::deep::Layer;

use super::{arrays, assert_close, network, numbers, on_cards, part};
use crate::card::Card;

const ROWS: usize = 6;
const STEPS: u64 = 8;

fn compare<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    let dense = |units| Layer::Dense { units, bias: true };
    let batch = Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.1 };
    // A bias before a batch normalisation has a gradient of 0 and rounding, which Adam makes steps of.
    let first = Layer::Dense { units: 6, bias: false };
    let network = network(&[4], vec![first, batch, dense(3), dense(5), dense(2)]);
    let inputs = numbers(1, ROWS * 4);
    // Far away, so that slopes are large and rounding does not decide where Adam goes.
    let targets: Vec<f64> = (0..ROWS * 2).map(|place| if place % 2 == 0 { 20.0 } else { -30.0 }).collect();
    let weights = vec![1.0; ROWS];
    let part = part(&inputs, Targets::Values(&targets), &weights);
    let mut runs = Vec::new();
    for optimizer in [Optimizer::Sgd, Optimizer::Adamw, Optimizer::Muon] {
        for schedule in [Schedule::Constant, Schedule::ScheduleFree] {
            for (decay, clip, average) in [
                (Decay::Coupled, None, None),
                (Decay::Decoupled, Some(0.5), Some(0.9)),
                (Decay::Coupled, Some(1e9), None),
            ] {
                runs.push(TrainingOptions { optimizer, schedule, decay, clip, average, ..TrainingOptions::default() });
            }
        }
    }
    for options in runs {
        let l2 = 0.01;
        let rule = Rule::new(&options, network.parameters(), l2);
        let mut start = arrays(&network, &rule);
        if options.average.is_some() {
            start.average = [start.parameters.clone(), start.buffers.clone()];
        }
        let task = Task { network: &network, loss: Loss::Squared, smoothing: 0.0, rule };
        let after = |device: &dyn Device| {
            let mut worker = device.worker(&task).expect("a worker");
            worker.load(&start).expect("loaded");
            for count in 1..=STEPS {
                worker.gradient(&part).expect("a gradient");
                let coupled = if options.decay == Decay::Coupled { l2 } else { 0.0 };
                let (rate, share) = (3e-3 / count as f64, 1.0 / count as f32);
                let keep = options.average.map(|keep| keep as f32);
                let numbers = StepNumbers { count, rate, coupled, clip: options.clip, share, keep };
                assert!(worker.step(&numbers).expect("a step"));
            }
            let squares = worker.squares().expect("squares");
            let model = worker.model().map(|(parameters, _)| parameters.into_owned()).expect("a model");
            (worker.arrays().expect("arrays"), squares, model)
        };
        let ((got, squares, model), (expected, expected_squares, expected_model)) = (after(card), after(&Processor));
        let what = format!("{:?} {:?} {:?}", options.optimizer, options.schedule, options.clip);
        assert_close(&got.parameters, &expected.parameters, 1e-5, &format!("{what}: parameters"));
        assert_close(&got.buffers, &expected.buffers, 1e-5, &format!("{what}: running values"));
        assert_close(&model, &expected_model, 1e-5, &format!("{what}: model"));
        assert!((squares - expected_squares).abs() < 1e-5 * expected_squares, "{what}");
        for (slot, (got, expected)) in got.slots.iter().zip(&expected.slots).enumerate() {
            assert_close(got, expected, 1e-4, &format!("{what}: slot {slot}"));
        }
        for (got, expected) in got.average.iter().zip(&expected.average) {
            assert_close(got, expected, 1e-5, &format!("{what}: average"));
        }
    }
}

#[test]
fn steps_are_those_of_the_processor() {
    on_cards!(compare);
}

/// A gradient that is not finite changes nothing.
fn refused<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    let network = network(&[2], vec![Layer::Dense { units: 1, bias: true }]);
    let task = super::task(&network, Loss::Squared, 0.0);
    let start = arrays(&network, &task.rule);
    let (weights, targets) = ([1.0], [0.0]);
    for (device, name) in [(card as &dyn Device, "card"), (&Processor, "processor")] {
        let mut worker = device.worker(&task).expect("a worker");
        worker.load(&start).expect("loaded");
        let loss = worker.gradient(&part(&[f32::INFINITY, 1.0], Targets::Values(&targets), &weights)).expect("a loss");
        assert!(!loss.is_finite(), "{name}");
        let loss = worker.gradient(&part(&[1e18, 1.0], Targets::Values(&targets), &weights)).expect("a loss");
        assert!(loss.is_finite(), "{name}");
        let numbers = StepNumbers { clip: Some(1.0), ..super::step(1, 0.1) };
        let large = worker.step(&numbers).expect("a step");
        let arrays = worker.arrays().expect("arrays");
        assert!(if large { arrays.parameters.iter().all(|t| t.is_finite()) } else { arrays == start }, "{name}");
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    on_cards!(refused);
}
