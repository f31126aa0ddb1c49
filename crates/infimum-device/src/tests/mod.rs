//! Cards against the processor. Every test runs on each kind of card that the crate was built for.

mod layers;
mod losses;
mod mixed;
mod optimizers;

use std::io::Write;

use burn_tensor::backend::Backend;
use infimum_deep::engine::{Network, Targets};
use infimum_deep::training::{Arrays, Device, Optimizer, Part, Rule, StepNumbers, Task, TrainingOptions};
use infimum_problem::Loss;
use infimum_problem::deep::{Architecture, Layer};

use crate::card::Card;

/// Does `$work` on every card.
macro_rules! on_cards {
    ($work:path) => {
        $crate::tests::on_cards!($work, $crate::place::Precision::Single)
    };
    ($work:path, $precision:expr) => {{
        #[cfg(feature = "wgpu")]
        if let Some(card) = $crate::tests::found($crate::wgpu::card(0, $precision, true)) {
            $work(&card);
        }
        #[cfg(feature = "cuda")]
        if let Some(card) = $crate::tests::found($crate::cuda::card(0, $precision)) {
            $work(&card);
        }
    }};
}
pub(crate) use on_cards;

/// The card; where there is none that is said, past the test runner, which hides what tests that pass print. With `INFIMUM_NEEDS_CARD` set it is an error.
pub(crate) fn found<B: Backend>(card: Result<Card<B>, String>) -> Option<Card<B>> {
    match card {
        Ok(card) => Some(card),
        Err(why) => {
            // A card that does not compute in 16 bits is a card.
            let needed = std::env::var_os("INFIMUM_NEEDS_CARD").is_some() && !why.contains("f16");
            assert!(!needed, "{why}");
            let _ = writeln!(std::io::stderr(), "skipped: no adapter: {why}");
            None
        }
    }
}

/// Numbers between −1 and 1 that look random.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let number = |place: u64| {
        let mut bits = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count as u64).map(number).collect()
}

pub(crate) fn network(input: &[usize], layers: Vec<Layer>) -> Network {
    Network::new(&Architecture { input: input.to_vec(), scaling: Default::default(), layers }).expect("a network")
}

/// Steps of a run whose first slot becomes the gradient.
pub(crate) fn gradient_rule(network: &Network) -> Rule {
    let options = TrainingOptions { optimizer: Optimizer::Sgd, momentum: 0.0, ..TrainingOptions::default() };
    Rule::new(&options, network.parameters(), 0.0)
}

/// The arrays of a run before its first step.
pub(crate) fn arrays(network: &Network, rule: &Rule) -> Arrays {
    let (mut parameters, mut buffers) = network.initial::<f32>(3);
    // Also biases, gains and running values that are neither 0 nor 1.
    parameters.iter_mut().zip(numbers(5, 1 << 20)).for_each(|(value, more)| *value += 0.2 * more);
    buffers.iter_mut().zip(numbers(6, 1 << 10)).for_each(|(value, more)| *value += 0.2 * more);
    let slots = rule.first_slots(&parameters);
    Arrays { parameters, buffers, slots, average: [Vec::new(), Vec::new()] }
}

pub(crate) fn task(network: &Network, loss: Loss, smoothing: f64) -> Task<'_> {
    Task { network, loss, smoothing, rule: gradient_rule(network) }
}

pub(crate) fn step(count: u64, rate: f64) -> StepNumbers {
    StepNumbers { count, rate, coupled: 0.0, clip: None, share: 0.0, keep: None }
}

/// Rows with numbers to predict, as one part.
pub(crate) fn part<'a>(inputs: &'a [f32], targets: Targets<'a>, weights: &'a [f64]) -> Part<'a> {
    Part { inputs, targets, weights, seed: 11, first: 0, whole: weights.len(), scale: 1.0 / weights.len() as f64 }
}

/// Loss, then gradient and running values after a step from `arrays`.
pub(crate) fn pass(device: &dyn Device, task: &Task, arrays: &Arrays, parts: &[Part]) -> (f64, Vec<f32>, Vec<f32>) {
    let mut worker = device.worker(task).expect("a worker");
    worker.load(arrays).expect("loaded");
    let loss = parts.iter().map(|part| worker.gradient(part).expect("a gradient")).sum();
    assert!(worker.step(&step(1, 0.0)).expect("a step"));
    let arrays = worker.arrays().expect("arrays");
    (loss, arrays.slots[0].clone(), arrays.buffers)
}

/// Differences are small beside the largest number.
pub(crate) fn assert_close(got: &[f32], expected: &[f32], relative: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= relative * largest, "{what}, number {place}: {got}, expected {expected}");
    }
}
