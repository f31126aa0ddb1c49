//! Small problems, networks and certificates about them.

use infimum_problem::{
    ClassWeight, ColumnNames, Dataset, DenseMatrix, Ending, Format, HiddenBias, Intercept, Loss, Matrix, Objective,
    Problem, Recipe, ReluCertificate, ReluClaim, ReluNet, Source, Strength, Target, Task, Witness,
};

use super::{Random, dot};

/// A problem with example weights 1; classes are the targets rounded, for losses of classification.
pub fn problem(rows: &[f64], columns: usize, targets: &[f64], loss: Loss, bias: Intercept, lambda2: f64) -> Problem {
    let n = targets.len();
    let target = if loss.is_classification() {
        let classes: Vec<u32> = targets.iter().map(|&y| y as u32).collect();
        let count = classes.iter().max().map_or(2, |&most| most.max(1) + 1);
        Target::Class { labels: (0..count).map(|k| k.to_string()).collect(), classes }
    } else {
        Target::Real(targets.to_vec())
    };
    let values = rows.to_vec();
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows: n, columns, values: values.into() }),
            column_names: ColumnNames::numbered(columns),
            target,
            weights: vec![1.0; n],
            total_weight: n as f64,
        },
        objective: Objective { loss, intercept: bias, lambda1: 0.0, lambda2, scales: None, kernel: None },
    }
}

/// The same with `count` targets, drawn at random of the kind that the loss wants.
pub fn with_several(problem: Problem, count: usize, random: &mut Random) -> Problem {
    let loss = problem.objective.loss;
    let mut value = || {
        let number = 2.0 * random.normal();
        match loss {
            _ if loss.is_classification() => number.signum(),
            Loss::Poisson => number.abs(),
            _ => number,
        }
    };
    let values = (0..problem.data.rows() * count).map(|_| value()).collect();
    let target = Target::Several { names: (0..count).map(|k| format!("y{k}")).collect(), values };
    Problem { data: Dataset { target, ..problem.data }, objective: problem.objective }
}

/// A certificate that claims next to nothing about the bounds, so that the verdict says what is proven.
pub fn certificate(
    problem: &Problem,
    hidden_bias: HiddenBias,
    net: ReluNet,
    dual: Vec<f64>,
    witnesses: Vec<Witness>,
) -> ReluCertificate {
    let Problem { data, objective } = problem;
    let recipe = Recipe {
        format: Format::Csv,
        header: true,
        target: "y".into(),
        more_targets: Vec::new(),
        sample_weight: None,
        task: if objective.loss.is_classification() { Task::Classification } else { Task::Regression },
        class_weight: ClassWeight::Uniform,
        split: None,
        subset: None,
        standardize: false,
        loss: objective.loss,
        intercept: objective.intercept,
        strength: Strength::PerExample { l1: 0.0, l2: objective.lambda2 / data.total_weight },
        kernel: None,
    };
    let claim = ReluClaim {
        version: 1,
        kind: "relu".into(),
        source: Source { path: "memory".into(), sha256: String::new() },
        recipe,
        problem_sha256: String::new(),
        hidden_bias,
        lambda2: objective.lambda2,
        rows: data.rows(),
        columns: data.columns(),
        outputs: problem.outputs(),
        width: net.width,
        total_weight: data.total_weight,
        lower: -1e300,
        upper: 1e300,
        gap: 0.0,
        abs_gap: 0.0,
        ending: Ending::Stalled,
    };
    ReluCertificate { claim, net, dual, witnesses }
}

/// A network at random; biases are 0 where there are none.
pub fn network(
    columns: usize,
    outputs: usize,
    width: usize,
    hidden: HiddenBias,
    bias: Intercept,
    random: &mut Random,
) -> ReluNet {
    let mut numbers = |count: usize, zero: bool| -> Vec<f64> {
        (0..count).map(|_| if zero { 0.0 } else { random.normal() }).collect()
    };
    ReluNet {
        outputs,
        columns,
        width,
        hidden: numbers(width * columns, false),
        hidden_biases: numbers(width, hidden == HiddenBias::None),
        output: numbers(outputs * width, false),
        output_biases: numbers(outputs, bias == Intercept::None),
    }
}

/// Outputs of a row, and the hidden units' values.
pub fn outputs(net: &ReluNet, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let hidden: Vec<f64> = (0..net.width).map(|j| (dot(net.unit(j), x) + net.hidden_biases[j]).max(0.0)).collect();
    let output = |k: usize| dot(&net.output[k * net.width..(k + 1) * net.width], &hidden) + net.output_biases[k];
    ((0..net.outputs).map(output).collect(), hidden)
}

/// Loss of row i and a subgradient in its outputs.
pub fn loss(problem: &Problem, i: usize, z: &[f64]) -> (f64, Vec<f64>) {
    if let (Loss::Softmax, Target::Class { classes, .. }) = (problem.objective.loss, &problem.data.target) {
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = z.iter().map(|z| (z - top).exp()).sum();
        let own = classes[i] as usize;
        let slope = |k: usize| (z[k] - top).exp() / sum - if k == own { 1.0 } else { 0.0 };
        return (sum.ln() + top - z[own], (0..z.len()).map(slope).collect());
    }
    let of = |k: usize| scalar(problem.objective.loss, target(problem, i, k), z[k]);
    ((0..z.len()).map(|k| of(k).0).sum(), (0..z.len()).map(|k| of(k).1).collect())
}

/// ±1 of classes, or the value.
pub fn target(problem: &Problem, i: usize, k: usize) -> f64 {
    match &problem.data.target {
        Target::Real(values) => values[i],
        Target::Several { names, values } => values[i * names.len() + k],
        Target::Class { classes, .. } => {
            let positive = if problem.outputs() == 1 { 1 } else { k as u32 };
            if classes[i] == positive { 1.0 } else { -1.0 }
        }
    }
}

fn scalar(loss: Loss, y: f64, z: f64) -> (f64, f64) {
    let (m, r) = (y * z, z - y);
    match loss {
        Loss::Logistic => ((-m).exp().ln_1p(), -y / (1.0 + m.exp())),
        Loss::Hinge => ((1.0 - m).max(0.0), if m < 1.0 { -y } else { 0.0 }),
        Loss::SquaredHinge => ((1.0 - m).max(0.0).powi(2), -2.0 * y * (1.0 - m).max(0.0)),
        Loss::Squared => (0.5 * r * r, r),
        Loss::Epsilon(e) => ((r.abs() - e).max(0.0), if r.abs() > e { r.signum() } else { 0.0 }),
        Loss::SquaredEpsilon(e) => ((r.abs() - e).max(0.0).powi(2), 2.0 * (r.abs() - e).max(0.0) * r.signum()),
        Loss::Huber(d) if r.abs() <= d => (0.5 * r * r, r),
        Loss::Huber(d) => (d * r.abs() - 0.5 * d * d, d * r.signum()),
        Loss::Quantile(t) if r < 0.0 => (-t * r, -t),
        Loss::Quantile(t) => ((1.0 - t) * r, 1.0 - t),
        Loss::Poisson => {
            let entropy = if y > 0.0 { y * y.ln() - y } else { 0.0 };
            (z.exp() - y * z + entropy, z.exp() - y)
        }
        Loss::Softmax => unreachable!("of several outputs"),
    }
}

fn row(problem: &Problem, i: usize) -> Vec<f64> {
    match &problem.data.matrix {
        Matrix::Dense(matrix) => matrix.row(i).iter().collect(),
        _ => unreachable!("dense rows"),
    }
}

/// `U(net)` in plain `f64`.
pub fn objective(problem: &Problem, net: &ReluNet) -> f64 {
    let n = problem.data.rows();
    let losses: f64 =
        (0..n).map(|i| problem.data.weights[i] * loss(problem, i, &outputs(net, &row(problem, i)).0).0).sum();
    let squares = |values: &[f64]| dot(values, values);
    let bias = if problem.objective.intercept == Intercept::Penalized { squares(&net.output_biases) } else { 0.0 };
    let penalty = squares(&net.hidden) + squares(&net.hidden_biases) + squares(&net.output) + bias;
    losses + 0.5 * problem.objective.lambda2 * penalty
}

/// `α = −c·loss′` at a network, n × K.
pub fn dual(problem: &Problem, net: &ReluNet) -> Vec<f64> {
    let rows = 0..problem.data.rows();
    rows.flat_map(|i| {
        let slopes = loss(problem, i, &outputs(net, &row(problem, i)).0).1;
        slopes.into_iter().map(move |slope| -problem.data.weights[i] * slope)
    })
    .collect()
}

/// Gradient steps with halved lengths where they do not descend; biases that there are not stay 0.
pub fn descend(problem: &Problem, net: &mut ReluNet, hidden: HiddenBias, steps: usize) {
    let (bias, beta) = (problem.objective.intercept, problem.objective.lambda2);
    let mut length = 0.1;
    for _ in 0..steps {
        let mut gradient = net.clone();
        for values in [&mut gradient.hidden, &mut gradient.hidden_biases, &mut gradient.output] {
            values.iter_mut().for_each(|value| *value *= beta);
        }
        let share = if bias == Intercept::Penalized { beta } else { 0.0 };
        gradient.output_biases.iter_mut().for_each(|value| *value *= share);
        for i in 0..problem.data.rows() {
            let x = row(problem, i);
            let (z, active) = outputs(net, &x);
            let slopes: Vec<f64> = loss(problem, i, &z).1.iter().map(|s| s * problem.data.weights[i]).collect();
            for j in 0..net.width {
                let back: f64 = (0..net.outputs).map(|k| slopes[k] * net.output[k * net.width + j]).sum();
                for k in 0..net.outputs {
                    gradient.output[k * net.width + j] += slopes[k] * active[j];
                }
                if active[j] > 0.0 {
                    (0..net.columns).for_each(|c| gradient.hidden[j * net.columns + c] += back * x[c]);
                    gradient.hidden_biases[j] += back;
                }
            }
            gradient.output_biases.iter_mut().zip(&slopes).for_each(|(g, s)| *g += s);
        }
        if hidden == HiddenBias::None {
            gradient.hidden_biases.fill(0.0);
        }
        if bias == Intercept::None {
            gradient.output_biases.fill(0.0);
        }
        let before = objective(problem, net);
        for _ in 0..40 {
            let moved = step(net, &gradient, length);
            if objective(problem, &moved) < before {
                *net = moved;
                length *= 1.5;
                break;
            }
            length *= 0.5;
        }
    }
}

fn step(net: &ReluNet, gradient: &ReluNet, length: f64) -> ReluNet {
    let mut moved = net.clone();
    let pairs = [
        (&mut moved.hidden, &gradient.hidden),
        (&mut moved.hidden_biases, &gradient.hidden_biases),
        (&mut moved.output, &gradient.output),
        (&mut moved.output_biases, &gradient.output_biases),
    ];
    for (values, slopes) in pairs {
        values.iter_mut().zip(slopes).for_each(|(value, slope)| *value -= length * slope);
    }
    moved
}
