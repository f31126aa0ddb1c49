//! The recorded network: its shape, and an upper bound on its objective.

use infimum_problem::{HiddenBias, Intercept, Problem, ReluCertificate, ReluNet, SpillFault, with_values};
use infimum_rigor::{Interval, Sum, margins};

use crate::chunks::in_chunks;
use crate::losses::scalar;
use crate::steps::{Refusal, Step, refuse};
use crate::upper::{add_loss, rows};

/// Shapes fit, numbers are finite, biases are 0 where there are none.
pub(super) fn model_step(problem: &Problem, certificate: &ReluCertificate) -> Result<(), Refusal> {
    let (net, claim) = (&certificate.net, &certificate.claim);
    let (n, d, outputs) = (problem.data.rows(), problem.data.columns(), problem.outputs());
    let fits = (net.outputs, net.columns, net.width) == (outputs, d, claim.width)
        && net.width.checked_mul(d) == Some(net.hidden.len())
        && net.hidden_biases.len() == net.width
        && net.width.checked_mul(outputs) == Some(net.output.len())
        && net.output_biases.len() == outputs
        && n.checked_mul(outputs) == Some(certificate.dual.len());
    if !fits {
        let expected = format!("{n} rows, {d} columns, {outputs} outputs and width {}", claim.width);
        return refuse(Step::Model, format!("the arrays do not fit {expected}"));
    }
    let none = |is_none: bool| if is_none { "the network has none" } else { "" };
    let arrays = [
        ("hidden weight", &net.hidden, ""),
        ("hidden bias", &net.hidden_biases, none(claim.hidden_bias == HiddenBias::None)),
        ("output weight", &net.output, ""),
        ("output bias", &net.output_biases, none(problem.objective.intercept == Intercept::None)),
    ];
    for (name, values, none) in arrays {
        if let Some(entry) = values.iter().position(|value| !value.is_finite()) {
            return refuse(Step::Model, format!("{name} {} is {}", entry + 1, values[entry]));
        }
        if let Some(entry) = values.iter().position(|&value| !none.is_empty() && value != 0.0) {
            return refuse(Step::Model, format!("{name} {} is {}, but {none}", entry + 1, values[entry]));
        }
    }
    Ok(())
}

/// A number that `U(net)` does not exceed.
pub(super) fn upper(problem: &Problem, net: &ReluNet) -> Result<f64, SpillFault> {
    let loss = scalar(problem.objective.loss);
    let parts = in_chunks(problem.data.rows(), net.width + net.outputs, |range| {
        let mut sum = Sum::new();
        let visited = problem.data.matrix.for_each_block(range, |block| {
            let (first, count) = (block.rows.start, block.rows.len());
            let hidden = with_values!(block.storage.values(), |values| {
                margins(rows(block.storage, values), first, count, &net.hidden, &net.hidden_biases)
            });
            let mut z = vec![Interval::ZERO; net.outputs];
            for (p, i) in (block.first..).take(count).enumerate() {
                outputs(net, &hidden[p * net.width..(p + 1) * net.width], &mut z);
                add_loss(&mut sum, problem, loss.as_deref(), i, &z);
            }
        });
        visited.map(|()| sum)
    });
    let mut sum = Sum::new();
    for part in parts {
        sum.merge(&part?);
    }
    sum.add((Interval::point(0.5) * (Interval::point(problem.objective.lambda2) * squares(problem, net))).upper);
    let upper = sum.enclose().upper;
    Ok(if upper.is_nan() { f64::INFINITY } else { upper })
}

/// `A relu(t) + c` from the hidden units' t.
fn outputs(net: &ReluNet, hidden: &[Interval], z: &mut [Interval]) {
    for (k, z) in z.iter_mut().enumerate() {
        *z = Interval::point(net.output_biases[k]);
        for (&a, t) in net.output[k * net.width..(k + 1) * net.width].iter().zip(hidden) {
            let active = t.positive_part();
            if active.upper > 0.0 {
                *z = *z + Interval::point(a) * active;
            }
        }
    }
}

/// The sum of squares that λ2/2 is a factor of.
fn squares(problem: &Problem, net: &ReluNet) -> Interval {
    let mut sum = Sum::new();
    let penalized = problem.objective.intercept == Intercept::Penalized;
    let biases = if penalized { net.output_biases.as_slice() } else { &[] };
    for &value in [net.hidden.as_slice(), &net.hidden_biases, &net.output, biases].into_iter().flatten() {
        sum.add_product(value, value);
    }
    let sum = sum.enclose();
    Interval::new(sum.lower.max(0.0), sum.upper)
}
