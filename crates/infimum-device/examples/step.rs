//! Milliseconds of a whole step (rows to the device, forward, loss, backward, AdamW) with rows of random numbers:
//! `cargo run --release -p infimum-device --features cuda --example step [device] [single|mixed] [seconds] [rows]`. A line of JSON for each network: the fastest step, and the middle one.

use std::time::{Duration, Instant};

use infimum_deep::engine::{Network, Targets};
use infimum_deep::training::{Arrays, Part, Rule, StepNumbers, Task, TrainingOptions};
use infimum_device::{Place, Precision, open};
use infimum_problem::Loss;
use infimum_problem::deep::{Activation, Architecture, Layer, Padding};

/// The networks of `bench/deep`.
fn networks() -> Vec<(&'static str, Architecture)> {
    let convolution =
        |channels| Layer::Convolution { channels, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: true };
    let relu = || Layer::Activation { function: Activation::Relu };
    let pool = || Layer::MaxPooling { size: 2, stride: 0 };
    let dense = |units| Layer::Dense { units, bias: true };
    let mut layers = vec![convolution(32), relu(), pool(), convolution(64), relu(), pool()];
    layers.extend([Layer::Flatten, dense(128), relu(), dense(10)]);
    let image = Architecture { input: vec![28, 28, 1], scaling: Default::default(), layers };
    vec![("mlp", Architecture::dense(784, &[512, 256], 10, Activation::Relu, true, true)), ("cnn", image)]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let place: Place = arguments.next().map_or(Ok(Place::Processor), |text| text.parse())?;
    let mixed = arguments.next().is_some_and(|text| text == "mixed");
    let precision = if mixed { Precision::Mixed } else { Precision::Single };
    let seconds: f64 = arguments.next().map_or(Ok(5.0), |text| text.parse())?;
    let rows: usize = arguments.next().map_or(Ok(128), |text| text.parse())?;
    let device = open(place, precision, f64::INFINITY)?.device;
    for (name, architecture) in networks() {
        let network = Network::new(&architecture)?;
        let rule = Rule::new(&TrainingOptions::default(), network.parameters(), 0.0);
        let (parameters, buffers) = network.initial::<f32>(1);
        let slots = rule.first_slots(&parameters);
        let task = Task { network: &network, loss: Loss::Softmax, smoothing: 0.0, rule };
        let mut worker = device.worker(&task)?;
        worker.load(&Arrays { parameters, buffers, slots, average: Default::default() })?;
        let inputs: Vec<f32> = (0..rows * network.inputs()).map(|place| (place * 7 % 16) as f32 / 8.0 - 1.0).collect();
        let classes: Vec<u32> = (0..rows as u32).map(|row| row * 3 % 10).collect();
        let (targets, weights, scale) = (Targets::Classes(&classes), vec![1.0; rows], 1.0 / rows as f64);
        let (mut times, mut count, mut loss) = (Vec::new(), 0, 0.0);
        let begin = Instant::now();
        while times.len() < 5 || begin.elapsed() < Duration::from_secs_f64(seconds) {
            let start = Instant::now();
            let (inputs, weights) = (&inputs[..], &weights[..]);
            loss = worker.gradient(&Part { inputs, targets, weights, seed: count, first: 0, whole: rows, scale })?;
            count += 1;
            worker.step(&StepNumbers { count, rate: 1e-3, coupled: 0.0, clip: None, share: 0.0, keep: None })?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        // What is queued is done when its result is asked for.
        worker.squares()?;
        let whole = begin.elapsed().as_secs_f64() * 1e3 / times.len() as f64;
        times.sort_by(f64::total_cmp);
        println!(
            r#"{{"network": "{name}", "device": "{}", "rows": {rows}, "least_ms": {:.3}, "median_ms": {:.3}, "mean_ms": {whole:.3}, "steps": {count}, "loss": {loss:.4}}}"#,
            device.name(),
            times[0],
            times[times.len() / 2]
        );
    }
    Ok(())
}
