//! Every loss, with classes, labels and numbers, weights and label smoothing.

use burn_tensor::backend::Backend;
use infimum_deep::engine::Targets;
use infimum_deep::training::Processor;
use infimum_problem::Loss;
use infimum_problem::deep::{Activation, Layer};

use super::{arrays, assert_close, network, numbers, on_cards, part, pass, task};
use crate::card::Card;

const ROWS: usize = 5;
const OUTPUTS: usize = 3;

fn compare<B: Backend>(card: &Card<B>)
where
    B::Device: Sync,
{
    let layers = vec![
        Layer::Dense { units: 7, bias: true },
        Layer::Activation { function: Activation::Relu },
        Layer::Dense { units: OUTPUTS, bias: true },
    ];
    let network = network(&[4], layers);
    let (inputs, weights) = (numbers(1, ROWS * 4), [0.5, 1.0, 2.0, 1.0, 3.0]);
    let numbers: Vec<f64> = numbers(2, ROWS * OUTPUTS).iter().map(|&value| 1.5 + f64::from(value)).collect();
    let labels: Vec<f64> = numbers.iter().map(|&value| if value > 1.5 { 1.0 } else { -1.0 }).collect();
    let classes = [0, 2, 1, 1, 0];
    for loss in Loss::ALL {
        let mut targets = Vec::new();
        if loss.is_classification() {
            targets.push(Targets::Classes(&classes));
        }
        if loss != Loss::Softmax {
            targets.push(Targets::Values(if loss.is_margin() { &labels } else { &numbers }));
        }
        for targets in targets {
            let smooths: &[f64] = if matches!(loss, Loss::Softmax | Loss::Logistic) { &[0.0, 0.1] } else { &[0.0] };
            for &smoothing in smooths {
                let (task, part) = (task(&network, loss, smoothing), part(&inputs, targets, &weights));
                let arrays = arrays(&network, &task.rule);
                let (value, gradient, _) = pass(card, &task, &arrays, &[part]);
                let expected = pass(&Processor, &task, &arrays, &[part]);
                assert!((value - expected.0).abs() <= 1e-4 * expected.0.abs(), "{loss:?}: {value}, {}", expected.0);
                assert_close(&gradient, &expected.1, 1e-4, &format!("{loss:?}"));
            }
        }
    }
}

#[test]
fn losses_are_those_of_the_processor() {
    on_cards!(compare);
}
