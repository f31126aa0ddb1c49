//! Small deep networks in plain `f64`, straight from the definitions in `infimum-problem/src/deep/architecture.rs`; nothing here is shared with checker or engine.

// Every test that includes this file uses a part of it.
#![allow(dead_code)]

use infimum_problem::deep::{
    Activation, Architecture, DeepCertificate, DeepClaim, DeepWitness, Evaluation, Layer, OutputWitness, Plane,
    output_shape,
};
use infimum_problem::{Intercept, Problem, Witness};

use crate::relu_oracle::networks::{certificate as relu_certificate, loss};
use crate::relu_oracle::{Random, dot, merged, witnesses};

/// Parameters and buffers that are left.
struct Rest<'a>(&'a [f64], &'a [f64]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> &'a [f64] {
        let (own, rest) = self.0.split_at(count);
        self.0 = rest;
        own
    }

    fn buffer(&mut self, count: usize) -> &'a [f64] {
        let (own, rest) = self.1.split_at(count);
        self.1 = rest;
        own
    }
}

/// Outputs of one example.
pub fn outputs(architecture: &Architecture, parameters: &[f64], buffers: &[f64], x: &[f64]) -> Vec<f64> {
    let mut rest = Rest(parameters, buffers);
    let out = path(&architecture.layers, &mut rest, &architecture.input, x.to_vec());
    assert!(rest.0.is_empty() && rest.1.is_empty(), "all parameters are used");
    out
}

fn path(layers: &[Layer], rest: &mut Rest, shape: &[usize], x: Vec<f64>) -> Vec<f64> {
    let (mut shape, mut x) = (shape.to_vec(), x);
    for one in layers {
        let next = output_shape(one, &shape).expect("shapes fit");
        x = layer(one, rest, &shape, &next, x);
        shape = next;
    }
    x
}

fn layer(layer: &Layer, rest: &mut Rest, shape: &[usize], next: &[usize], x: Vec<f64>) -> Vec<f64> {
    let last = shape[shape.len() - 1];
    let affine = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
        let inputs = x.len();
        let units = w.len() / inputs;
        (0..units).map(|j| dot(&w[j * inputs..][..inputs], x) + b.get(j).unwrap_or(&0.0)).collect()
    };
    match layer {
        Layer::Dense { units, bias } => {
            let w = rest.take(units * last);
            let b = if *bias { rest.take(*units) } else { &[] };
            x.chunks_exact(last).flat_map(|x| affine(w, b, x)).collect()
        }
        Layer::Convolution { channels, kernel: [height, width], stride, padding, bias } => {
            let w = rest.take(channels * height * width * last);
            let b = if *bias { rest.take(*channels) } else { &[] };
            let mut out = Vec::new();
            for r in 0..next[0] {
                for c in 0..next[1] {
                    for o in 0..*channels {
                        let mut sum = b.get(o).copied().unwrap_or(0.0);
                        for i in 0..*height {
                            for j in 0..*width {
                                let row = (r * stride + i) as isize - padding.amount(*height) as isize;
                                let column = (c * stride + j) as isize - padding.amount(*width) as isize;
                                let inside =
                                    (0..shape[0] as isize).contains(&row) && (0..shape[1] as isize).contains(&column);
                                for k in (0..last).filter(|_| inside) {
                                    sum += w[((o * height + i) * width + j) * last + k]
                                        * x[(row as usize * shape[1] + column as usize) * last + k];
                                }
                            }
                        }
                        out.push(sum);
                    }
                }
            }
            out
        }
        Layer::MaxPooling { size, stride } | Layer::AveragePooling { size, stride } => {
            let stride = if *stride == 0 { *size } else { *stride };
            let mut out = Vec::new();
            for r in 0..next[0] {
                for c in 0..next[1] {
                    for k in 0..last {
                        let window: Vec<f64> = (0..size * size)
                            .map(|place| {
                                let (row, column) = (r * stride + place / size, c * stride + place % size);
                                x[(row * shape[1] + column) * last + k]
                            })
                            .collect();
                        out.push(if matches!(layer, Layer::MaxPooling { .. }) {
                            window.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                        } else {
                            window.iter().sum::<f64>() / window.len() as f64
                        });
                    }
                }
            }
            out
        }
        Layer::GlobalAveragePooling => {
            let positions = x.len() / last;
            (0..last).map(|k| x.iter().skip(k).step_by(last).sum::<f64>() / positions as f64).collect()
        }
        Layer::Flatten | Layer::Dropout { .. } => x,
        Layer::Activation { function } => x.into_iter().map(|t| activate(*function, t)).collect(),
        Layer::BatchNormalization { epsilon, .. } => {
            let (gain, shift, mean, variance) =
                (rest.take(last), rest.take(last), rest.buffer(last), rest.buffer(last));
            let one = |(place, x): (usize, f64)| {
                let c = place % last;
                gain[c] * (x - mean[c]) / (variance[c] + epsilon).sqrt() + shift[c]
            };
            x.into_iter().enumerate().map(one).collect()
        }
        Layer::LayerNormalization { epsilon } => {
            let (gain, shift) = (rest.take(last), rest.take(last));
            let mut out = Vec::new();
            for x in x.chunks_exact(last) {
                let mean = x.iter().sum::<f64>() / last as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / last as f64;
                out.extend((0..last).map(|c| gain[c] * (x[c] - mean) / (variance + epsilon).sqrt() + shift[c]));
            }
            out
        }
        Layer::Embedding { vocabulary, width } => {
            let table = rest.take(vocabulary * width);
            x.iter().flat_map(|&x| table[x as usize * width..][..*width].to_vec()).collect()
        }
        Layer::Attention { heads, causal } => {
            let (w_in, b_in) = (rest.take(3 * last * last), rest.take(3 * last));
            let (w_out, b_out) = (rest.take(last * last), rest.take(last));
            let all: Vec<Vec<f64>> = x.chunks_exact(last).map(|x| affine(w_in, b_in, x)).collect();
            let own = last / heads;
            let mut out = Vec::new();
            for (position, query) in all.iter().enumerate() {
                let seen = if *causal { position + 1 } else { all.len() };
                let mut mixed = vec![0.0; last];
                for head in 0..*heads {
                    let part = |row: &[f64], which: usize| row[which * last + head * own..][..own].to_vec();
                    let shares: Vec<f64> = (all[..seen].iter())
                        .map(|other| (dot(&part(query, 0), &part(other, 1)) / (own as f64).sqrt()).exp())
                        .collect();
                    let total: f64 = shares.iter().sum();
                    for (other, share) in all.iter().zip(&shares) {
                        for (e, value) in part(other, 2).into_iter().enumerate() {
                            mixed[head * own + e] += share / total * value;
                        }
                    }
                }
                out.extend(affine(w_out, b_out, &mixed));
            }
            out
        }
        Layer::Residual { body, shortcut } => {
            let one = path(body, rest, shape, x.clone());
            let other = path(shortcut, rest, shape, x);
            one.into_iter().zip(other).map(|(one, other)| one + other).collect()
        }
    }
}

/// The functions; Φ by integrating its density.
fn activate(function: Activation, t: f64) -> f64 {
    match function {
        Activation::Relu => t.max(0.0),
        Activation::LeakyRelu => t.max(t / 100.0),
        Activation::Tanh => t.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-t).exp()),
        Activation::Silu => t / (1.0 + (-t).exp()),
        Activation::Gelu => {
            // Simpson's rule from 0.
            let steps = 200;
            let density = |s: f64| (-0.5 * s * s).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let weight = |i: usize| {
                if i == 0 || i == steps {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                }
            };
            let h = t / steps as f64;
            let integral: f64 = (0..=steps).map(|i| weight(i) * density(i as f64 * h)).sum::<f64>() * h / 3.0;
            t * (0.5 + integral)
        }
    }
}

/// Row i after the scaling.
pub fn input(problem: &Problem, architecture: &Architecture, i: usize) -> Vec<f64> {
    let mut x = vec![0.0; problem.data.columns()];
    problem.data.matrix.row(i).for_each(|j, value| x[j] = value);
    x.iter().enumerate().map(|(j, &x)| f64::from(architecture.scaling.apply(j, x))).collect()
}

/// `U(θ)` in plain `f64`.
pub fn objective(problem: &Problem, architecture: &Architecture, parameters: &[f64], buffers: &[f64]) -> f64 {
    let losses: f64 = (0..problem.data.rows())
        .map(|i| {
            let z = outputs(architecture, parameters, buffers, &input(problem, architecture, i));
            problem.data.weights[i] * loss(problem, i, &z).0
        })
        .sum();
    losses + 0.5 * problem.objective.lambda2 * dot(parameters, parameters)
}

/// `α = −c·loss′` at a network, n × K.
pub fn slopes(problem: &Problem, architecture: &Architecture, parameters: &[f64], buffers: &[f64]) -> Vec<f64> {
    (0..problem.data.rows())
        .flat_map(|i| {
            let z = outputs(architecture, parameters, buffers, &input(problem, architecture, i));
            loss(problem, i, &z).1.into_iter().map(|slope| -problem.data.weights[i] * slope).collect::<Vec<f64>>()
        })
        .collect()
}

/// Descends a function by steps along its central differences.
pub fn descend(value: impl Fn(&[f64]) -> f64, point: &mut Vec<f64>, steps: usize) {
    let (mut length, mut before) = (0.1, value(point));
    for _ in 0..steps {
        let gradient: Vec<f64> = (0..point.len())
            .map(|j| {
                let at = |shift: f64| {
                    let mut moved = point.clone();
                    moved[j] += shift;
                    value(&moved)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            })
            .collect();
        for _ in 0..20 {
            let moved: Vec<f64> = point.iter().zip(&gradient).map(|(p, g)| p - length * g).collect();
            let after = value(&moved);
            if after < before {
                (*point, before) = (moved, after);
                length *= 1.5;
                break;
            }
            length *= 0.5;
        }
    }
}

/// As `f32`, which is what certificates record.
pub fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// A certificate that claims next to nothing, so that the verdict says what is proven.
pub fn certificate(
    problem: &Problem,
    architecture: &Architecture,
    parameters: Vec<f32>,
    buffers: Vec<f32>,
    witness: DeepWitness,
) -> DeepCertificate {
    let net = infimum_problem::ReluNet::constant(problem.data.columns(), vec![]);
    let other = relu_certificate(problem, infimum_problem::HiddenBias::None, net, vec![], vec![]).claim;
    let claim = DeepClaim {
        version: 1,
        kind: "deep".into(),
        source: other.source,
        recipe: other.recipe,
        problem_sha256: String::new(),
        architecture: architecture.clone(),
        lambda2: problem.objective.lambda2,
        rows: problem.data.rows(),
        columns: problem.data.columns(),
        outputs: problem.outputs(),
        total_weight: problem.data.total_weight,
        lower: -1e300,
        upper: 1e300,
        evaluation: Evaluation::Proven,
        gap: 0.0,
        abs_gap: 0.0,
        ending: infimum_problem::Ending::Stalled,
    };
    DeepCertificate { claim, parameters, buffers, witness }
}

/// What makes a witness of `Σ_p w_p relu(x_p·u)`: rows, their length, w.
pub type Prove<'a> = &'a mut dyn FnMut(&[f64], usize, &[f64], &mut Random) -> Witness;

/// A plane through α (as singles) for an architecture, with this slope for each distinct row.
pub fn plane(
    problem: &Problem,
    architecture: &Architecture,
    dual: Vec<f32>,
    scales: Vec<f32>,
    slope: fn(usize) -> f32,
    prove: Prove,
    random: &mut Random,
) -> Plane {
    let dense: Vec<bool> = (architecture.layers.iter())
        .filter_map(|layer| if let Layer::Dense { bias, .. } = layer { Some(*bias) } else { None })
        .collect();
    let constant = dense.contains(&true);
    let d = problem.data.columns() + usize::from(constant);
    let mut rows = Vec::new();
    for i in 0..problem.data.rows() {
        rows.extend(input(problem, architecture, i));
        rows.extend(constant.then_some(1.0));
    }
    let outputs = problem.outputs();
    let mut of = |k: usize, sign: f64| {
        let own: Vec<f64> = dual.iter().skip(k).step_by(outputs).map(|&a| sign * f64::from(a)).collect();
        let (points, w) = merged(&rows, d, &own);
        if dense.len() == 2 {
            return OutputWitness { slopes: vec![], whole: prove(&points, d, &w, random), rest: None };
        }
        let slopes: Vec<f32> = (0..w.len()).map(slope).collect();
        let negative: Vec<f64> = w.iter().zip(&slopes).map(|(w, &slope)| (-w).max(0.0) * f64::from(slope)).collect();
        let whole: Vec<f64> = w.iter().zip(&negative).map(|(w, negative)| w.max(0.0) - negative).collect();
        let (whole, rest) = (prove(&points, d, &whole, random), prove(&points, d, &negative, random));
        // No slopes are slopes of 1.
        let slopes = if slopes.iter().all(|&slope| slope == 1.0) { vec![] } else { slopes };
        OutputWitness { slopes, whole, rest: Some(rest) }
    };
    let pairs = (0..outputs).map(|k| [of(k, 1.0), of(k, -1.0)]).collect();
    Plane { dual, scales, outputs: pairs }
}

/// By norms.
pub fn by_norms(rows: &[f64], d: usize, w: &[f64], _: &mut Random) -> Witness {
    witnesses::norms(rows, d, w)
}

/// Whether the last dense layer has a bias.
pub fn intercept(architecture: &Architecture) -> Intercept {
    let bias = |layer: &Layer| if let Layer::Dense { bias, .. } = layer { Some(*bias) } else { None };
    match architecture.layers.iter().rev().find_map(bias) {
        Some(true) => Intercept::Penalized,
        _ => Intercept::None,
    }
}
