//! Milliseconds of a forward and a backward pass: `cargo run --release -p infimum-deep --example step [threads] [seconds]`. Of each network the fastest and the middle one of
//! many, and how many products per second that is.

use std::time::{Duration, Instant};

use infimum_deep::engine::{Mode, Network, Pass};
use infimum_problem::deep::{Activation, Architecture, Layer, Padding};

fn dense(units: usize) -> Layer {
    Layer::Dense { units, bias: true }
}

fn convolution(channels: usize) -> Layer {
    Layer::Convolution { channels, kernel: [3, 3], stride: 1, padding: Padding::Same, bias: true }
}

fn networks() -> Vec<(&'static str, Architecture, usize)> {
    let relu = || Layer::Activation { function: Activation::Relu };
    let pool = || Layer::MaxPooling { size: 2, stride: 0 };
    let rows = || Layer::LayerNormalization { epsilon: 1e-5 };
    let batch = || Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };
    let attention = Layer::Attention { heads: 4, causal: true };
    let gelu = Layer::Activation { function: Activation::Gelu };
    let residual = |body| Layer::Residual { body, shortcut: vec![] };
    let image = vec![
        convolution(32),
        relu(),
        pool(),
        convolution(64),
        relu(),
        pool(),
        Layer::Flatten,
        dense(128),
        relu(),
        dense(10),
    ];
    let blocks = vec![
        convolution(32),
        batch(),
        relu(),
        residual(vec![convolution(32), batch(), relu(), convolution(32), batch()]),
        relu(),
        Layer::GlobalAveragePooling,
        dense(10),
    ];
    let text = vec![
        Layer::Embedding { vocabulary: 16, width: 128 },
        residual(vec![rows(), attention]),
        residual(vec![rows(), dense(512), gelu, dense(128)]),
        Layer::GlobalAveragePooling,
        dense(10),
    ];
    let plain = Architecture::dense(784, &[512, 256], 10, Activation::Relu, true, true);
    let network = |input: &[usize], layers| Architecture { input: input.to_vec(), scaling: Default::default(), layers };
    vec![
        ("dense 784-512-256-10", plain, 128),
        ("two convolutions 28x28", network(&[28, 28, 1], image), 128),
        ("residual block 16x16", network(&[16, 16, 3], blocks), 128),
        ("transformer layer 64x128", network(&[64], text), 32),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()?.install(|| -> Result<(), String> {
        for (name, architecture, examples) in networks() {
            let network = Network::new(&architecture)?;
            let (parameters, buffers) = network.initial::<f32>(1);
            let inputs: Vec<f32> = (0..examples * network.inputs()).map(|place| (place * 7 % 16) as f32).collect();
            let mut pass = Pass::new();
            let mut gradient = vec![0.0; parameters.len()];
            let slopes = vec![1.0f32; examples * network.outputs()];
            let (mut both, mut back) = (Vec::new(), Vec::new());
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs_f64(seconds) {
                let begin = Instant::now();
                network.forward(
                    &mut pass,
                    &parameters,
                    &buffers,
                    &inputs,
                    examples,
                    Mode::Training { seed: 1, first: 0 },
                );
                let middle = Instant::now();
                network.backward(&mut pass, &parameters, &slopes, &mut gradient);
                both.push(begin.elapsed().as_secs_f64() * 1e3);
                back.push(middle.elapsed().as_secs_f64() * 1e3);
            }
            both.sort_by(f64::total_cmp);
            back.sort_by(f64::total_cmp);
            let (least, median) = (both[0], both[both.len() / 2]);
            println!("{name}: {least:.3} ms (backward {:.3}), median {median:.3} ms, {examples} examples", back[0]);
        }
        Ok(())
    })?;
    Ok(())
}
