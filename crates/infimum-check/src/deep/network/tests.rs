//! Errors of layers against arithmetic of 400 bits.

use dashu_float::{FBig, round::mode::HalfEven};
use infimum_problem::deep::{Activation, Architecture, Layer, Padding, Scaling, buffers, output_shape, parameters};

use super::{Parameters, Values, through};

type Big = FBig<HalfEven>;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("finite").with_precision(400).value()
}

/// Numbers that look random, of a few sizes.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 * 2f64.powi(-52) - 1.0
    }

    fn single(&mut self) -> f32 {
        let size = 10f64.powi((self.unit() * 3.0) as i32);
        (self.unit() * size) as f32
    }
}

/// The real values of a path.
fn exact(layers: &[Layer], list: &mut Parameters, shape: &[usize], x: Vec<Big>) -> Vec<Big> {
    let (mut shape, mut x) = (shape.to_vec(), x);
    for layer in layers {
        let next = output_shape(layer, &shape).expect("fits");
        x = layer_of(layer, list, &shape, &next, x);
        shape = next;
    }
    x
}

fn layer_of(layer: &Layer, list: &mut Parameters, shape: &[usize], next: &[usize], x: Vec<Big>) -> Vec<Big> {
    let last = shape[shape.len() - 1];
    let zero = || big(0.0);
    match layer {
        Layer::Dense { units, bias } => {
            let w = list.take(units * last);
            let b = if *bias { list.take(*units) } else { vec![0.0; *units] };
            let unit = |x: &[Big], j: usize| {
                x.iter().zip(&w[j * last..]).fold(big(b[j]), |sum, (x, &w)| sum + x.clone() * big(w))
            };
            x.chunks_exact(last).flat_map(|x| (0..*units).map(|j| unit(x, j)).collect::<Vec<_>>()).collect()
        }
        Layer::Convolution { channels, kernel: [height, width], stride, padding, bias } => {
            let w = list.take(channels * height * width * last);
            let b = if *bias { list.take(*channels) } else { vec![0.0; *channels] };
            let mut out = Vec::new();
            for position in 0..next[0] * next[1] {
                for o in 0..*channels {
                    let mut sum = big(b[o]);
                    for place in 0..height * width {
                        let row = (position / next[1] * stride + place / width).checked_sub(padding.amount(*height));
                        let column = (position % next[1] * stride + place % width).checked_sub(padding.amount(*width));
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        for k in (0..last).filter(|_| row < shape[0] && column < shape[1]) {
                            let weight = w[(o * height * width + place) * last + k];
                            sum += x[(row * shape[1] + column) * last + k].clone() * big(weight);
                        }
                    }
                    out.push(sum);
                }
            }
            out
        }
        Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
            let stride = if *stride == 0 { *size } else { *stride };
            let mut out = Vec::new();
            for position in 0..next[0] * next[1] {
                for k in 0..last {
                    let of = |place: usize| {
                        let row = position / next[1] * stride + place / size;
                        let column = position % next[1] * stride + place % size;
                        x[(row * shape[1] + column) * last + k].clone()
                    };
                    out.push(if matches!(layer, Layer::MaxPooling { .. }) {
                        (1..size * size).map(of).fold(of(0), |most, x| if x > most { x } else { most })
                    } else {
                        (0..size * size).map(of).fold(zero(), |sum, x| sum + x) / big((size * size) as f64)
                    });
                }
            }
            out
        }
        Layer::GlobalAveragePooling => {
            let positions = x.len() / last;
            let mean = |k: usize| x.iter().skip(k).step_by(last).fold(zero(), |sum, x| sum + x) / big(positions as f64);
            (0..last).map(mean).collect()
        }
        Layer::BatchNormalization { epsilon, .. } => {
            let (gain, shift) = (list.take(last), list.take(last));
            let (mean, variance) = (list.take_buffer(last), list.take_buffer(last));
            let one = |(place, x): (usize, Big)| {
                let c = place % last;
                big(gain[c]) * (x - big(mean[c])) / (big(variance[c]) + big(*epsilon)).sqrt() + big(shift[c])
            };
            x.into_iter().enumerate().map(one).collect()
        }
        Layer::Activation { function } => {
            let one = |t: Big| match function {
                _ if t > zero() => t,
                Activation::Relu => zero(),
                _ => t / big(100.0),
            };
            x.into_iter().map(one).collect()
        }
        Layer::Residual { body, shortcut } => {
            let one = exact(body, list, shape, x.clone());
            let other = exact(shortcut, list, shape, x);
            one.into_iter().zip(other).map(|(one, other)| one + other).collect()
        }
        _ => x,
    }
}

#[test]
fn errors_are_not_exceeded() {
    let mut random = Random(1);
    let convolution =
        |channels, kernel, stride, padding, bias| Layer::Convolution { channels, kernel, stride, padding, bias };
    let (relu, leaky) =
        (Layer::Activation { function: Activation::Relu }, Layer::Activation { function: Activation::LeakyRelu });
    let norm = Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 };
    let block = Layer::Residual {
        body: vec![convolution(3, [3, 3], 2, Padding::Same, false), norm.clone(), leaky.clone()],
        shortcut: vec![convolution(3, [1, 1], 2, Padding::Valid, true)],
    };
    let all: Vec<Vec<Layer>> = vec![
        vec![
            Layer::Flatten,
            Layer::Dense { units: 30, bias: true },
            relu.clone(),
            Layer::Dense { units: 4, bias: true },
        ],
        vec![convolution(9, [2, 3], 1, Padding::Same, true), relu.clone(), Layer::MaxPooling { size: 2, stride: 1 }],
        vec![norm.clone(), leaky.clone(), Layer::AveragePooling { size: 2, stride: 1 }, norm.clone()],
        vec![block.clone(), relu, Layer::GlobalAveragePooling, Layer::Dense { units: 2, bias: false }],
        vec![Layer::MaxPooling { size: 3, stride: 1 }, block, leaky, Layer::Flatten],
        vec![Layer::Dense { units: 3, bias: true }, Layer::AveragePooling { size: 3, stride: 0 }, norm],
    ];
    let mut largest = 0.0f64;
    for round in 0..60 {
        let layers = &all[round % all.len()];
        let architecture = Architecture { input: vec![6, 5, 2], scaling: Scaling::default(), layers: layers.clone() };
        let count = |list: Vec<infimum_problem::deep::Parameter>| list.last().map_or(0, |last| last.range.end);
        let own: Vec<f32> = (0..count(parameters(&architecture).expect("fits"))).map(|_| random.single()).collect();
        let running: Vec<f32> =
            (0..count(buffers(&architecture).expect("fits"))).map(|_| random.single().abs()).collect();
        let list = || Parameters { parameters: &own, buffers: &running };
        let (stages, _) = list().path(layers, architecture.input.clone()).expect("fits");
        let numbers: Vec<f64> = (0..2 * 60).map(|_| f64::from(random.single())).collect();
        let values = through(&stages, Values { size: 60, numbers: numbers.clone(), errors: vec![0.0; 2] });
        for (x, (got, error)) in numbers.chunks_exact(60).zip(values.examples()) {
            let expected = exact(layers, &mut list(), &architecture.input, x.iter().map(|&x| big(x)).collect());
            assert_eq!(expected.len(), got.len());
            let square = expected.iter().zip(got).fold(big(0.0), |sum, (expected, &got)| {
                let off = expected.clone() - big(got);
                sum + off.clone() * off
            });
            let off = square.sqrt().to_f64().value();
            let size = got.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(off <= error && error <= 1e-9 * size, "round {round}: {off:e} {error:e} {size:e}");
            largest = largest.max(off / error);
        }
    }
    assert!(largest > 1e-3, "bounds so wide that nothing is tested: {largest:e}");
}
