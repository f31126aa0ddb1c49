//! Products in 16 bits: gradients near those in 32, and slopes too small or too large for 16 bits.

use burn_tensor::backend::Backend;
use infimum_deep::engine::Targets;
use infimum_deep::training::{Part, Processor};
use infimum_problem::Loss;
use infimum_problem::deep::{Activation, Layer, Padding};

use super::{arrays, assert_close, network, numbers, on_cards, part, pass, task};
use crate::card::Card;
use crate::half::Half;
use crate::place::Precision;

const ROWS: usize = 6;

fn compare<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    assert_ne!(card.half, Half::No);
    let dense = |units| Layer::Dense { units, bias: true };
    let convolution = Layer::Convolution { channels: 4, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: true };
    let tanh = Layer::Activation { function: Activation::Tanh };
    let batch = Layer::BatchNormalization { epsilon: 1e-3, momentum: 0.1 };
    let layers = vec![convolution, batch, tanh.clone(), Layer::Flatten, dense(16), tanh, dense(3)];
    let network = network(&[5, 5, 2], layers);
    let (inputs, weights) = (numbers(1, ROWS * 50), vec![1.0; ROWS]);
    let classes = [0, 2, 1, 1, 0, 2];
    let usual = part(&inputs, Targets::Classes(&classes), &weights);
    let task = task(&network, Loss::Softmax, 0.0);
    let arrays = arrays(&network, &task.rule);
    // Slopes of 1e-9 are 0 in f16, and those of 1e6 infinite, unless they are scaled on their way.
    for times in [1.0, 1e-8, 1e6] {
        let part = Part { scale: usual.scale * times, ..usual };
        let (loss, gradient, buffers) = pass(card, &task, &arrays, &[part]);
        let expected = pass(&Processor, &task, &arrays, &[part]);
        assert!((loss - expected.0).abs() <= 2e-2 * expected.0, "{times}: {loss}, expected {}", expected.0);
        let scaled = |values: &[f32]| values.iter().map(|value| value / times as f32).collect::<Vec<f32>>();
        assert_close(&scaled(&gradient), &scaled(&expected.1), 3e-2, &format!("{times}: gradient"));
        assert_close(&buffers, &expected.2, 1e-2, "running values");
    }
}

#[test]
fn gradients_in_mixed_precision_are_near() {
    on_cards!(compare, Precision::Mixed);
}
