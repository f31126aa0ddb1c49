//! The losses of networks and their slopes.

use infimum_problem::Loss;

use super::Real;

/// What a batch is to give.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// Classes, counted from 0, one for each example.
    Classes(&'a [u32]),
    /// One number for each output of each example: of regressions what is to come out, of labels 1 where the example has it and −1 where not.
    Values(&'a [f64]),
}

/// `Σ_i c_i·loss(y_i, z_i)`, without slopes; with label smoothing none.
pub fn loss_value<R: Real>(loss: Loss, outputs: &[R], targets: Targets<'_>, weights: &[f64]) -> f64 {
    sum_of_losses(loss, outputs, targets, weights, 0.0, |_, _| {})
}

/// `Σ_i c_i·loss(y_i, z_i)`, added up in doubles; `slopes[i·K + k] = c_i·∂loss_i/∂z_k`. `outputs` are examples × K. Of classes K is what [`Loss::outputs`] says;
/// with K > 1, margin losses are summed over the classes k with y = 1 for the example's class and −1 for others; with K = 1, class 1 is y = 1. Of several targets the losses of
/// the outputs are added up. Label smoothing s (softmax and
/// logistic) is the loss averaged over targets: softmax takes the target's class with probability 1 − s and else any of the K; logistic takes y with probability 1 − s and
/// else +1 or −1.
pub fn loss_and_slopes<R: Real>(
    loss: Loss,
    outputs: &[R],
    targets: Targets<'_>,
    weights: &[f64],
    label_smoothing: f64,
    slopes: &mut [R],
) -> f64 {
    assert_eq!(outputs.len(), slopes.len(), "slopes: expected one for each output");
    sum_of_losses(loss, outputs, targets, weights, label_smoothing, |place, slope| slopes[place] = R::from_f64(slope))
}

fn sum_of_losses<R: Real>(
    loss: Loss,
    outputs: &[R],
    targets: Targets<'_>,
    weights: &[f64],
    smoothing: f64,
    mut slope: impl FnMut(usize, f64),
) -> f64 {
    let examples = weights.len();
    let (wanted, got) = match targets {
        Targets::Classes(classes) => (examples, classes.len()),
        Targets::Values(values) => (outputs.len(), values.len()),
    };
    assert_eq!(wanted, got, "number of targets");
    if examples == 0 {
        return 0.0;
    }
    assert!(outputs.len().is_multiple_of(examples), "{} outputs of {examples} examples", outputs.len());
    let count = outputs.len() / examples;
    let mut sum = 0.0;
    for (i, (z, &weight)) in outputs.chunks_exact(count.max(1)).zip(weights).enumerate() {
        let mut give = |k: usize, value: f64| slope(i * count + k, weight * value);
        let value = match targets {
            Targets::Classes(classes) if loss == Loss::Softmax => softmax(z, classes[i] as usize, smoothing, &mut give),
            Targets::Classes(classes) => {
                let class = classes[i] as usize;
                let is_true = |k: usize| if count == 1 { class == 1 } else { class == k };
                one_by_one(z, &mut give, |k, z| margin(loss, if is_true(k) { 1.0 } else { -1.0 }, z, smoothing))
            }
            Targets::Values(values) if loss.is_margin() => {
                one_by_one(z, &mut give, |k, z| margin(loss, values[i * count + k], z, smoothing))
            }
            Targets::Values(values) => one_by_one(z, &mut give, |k, z| regression(loss, values[i * count + k], z)),
        };
        sum += weight * value;
    }
    sum
}

fn one_by_one<R: Real>(z: &[R], give: &mut impl FnMut(usize, f64), loss: impl Fn(usize, f64) -> (f64, f64)) -> f64 {
    let mut sum = 0.0;
    for (k, z) in z.iter().enumerate() {
        let (value, slope) = loss(k, z.to_f64());
        give(k, slope);
        sum += value;
    }
    sum
}

/// `ln Σ_k exp(z_k) − Σ_k t_k z_k` with t the smoothed target, everything relative to the largest z.
fn softmax<R: Real>(z: &[R], class: usize, smoothing: f64, give: &mut impl FnMut(usize, f64)) -> f64 {
    let largest = z.iter().fold(f64::NEG_INFINITY, |largest, z| largest.max(z.to_f64()));
    let sum: f64 = z.iter().map(|z| (z.to_f64() - largest).exp()).sum();
    let all = smoothing / z.len() as f64;
    let mut expected = 0.0;
    for (k, z) in z.iter().enumerate() {
        let shifted = z.to_f64() - largest;
        let target = all + if k == class { 1.0 - smoothing } else { 0.0 };
        // 0·(−∞) is meant to be 0: no target there.
        expected += if target > 0.0 { target * shifted } else { 0.0 };
        give(k, shifted.exp() / sum - target);
    }
    sum.ln() - expected
}

/// Loss of the margin and its derivative by z.
fn margin(loss: Loss, y: f64, z: f64, smoothing: f64) -> (f64, f64) {
    let margin = y * z;
    let short = (1.0 - margin).max(0.0);
    match loss {
        Loss::Hinge => (short, if short > 0.0 { -y } else { 0.0 }),
        Loss::SquaredHinge => (short * short, -2.0 * y * short),
        _ => {
            // ln(1 + exp(−m)) + (s/2) m; its derivative by m is −1/(1 + exp(m)) + s/2.
            let small = (-margin.abs()).exp();
            let value = (-margin).max(0.0) + small.ln_1p();
            let slope = if margin > 0.0 { -small / (1.0 + small) } else { -1.0 / (1.0 + small) };
            (value + 0.5 * smoothing * margin, y * (slope + 0.5 * smoothing))
        }
    }
}

/// Loss of a regression and its derivative by z.
fn regression(loss: Loss, y: f64, z: f64) -> (f64, f64) {
    let residual = z - y;
    match loss {
        Loss::Epsilon(epsilon) => {
            let over = residual.abs() - epsilon;
            if over > 0.0 { (over, residual.signum()) } else { (0.0, 0.0) }
        }
        Loss::SquaredEpsilon(epsilon) => {
            let over = (residual.abs() - epsilon).max(0.0);
            (over * over, 2.0 * over * residual.signum())
        }
        Loss::Huber(delta) => {
            if residual.abs() <= delta {
                (0.5 * residual * residual, residual)
            } else {
                (delta * residual.abs() - 0.5 * delta * delta, delta * residual.signum())
            }
        }
        Loss::Quantile(tau) => {
            let slope = if residual < 0.0 { -tau } else { 1.0 - tau };
            (slope * residual, if residual == 0.0 { 0.0 } else { slope })
        }
        Loss::Poisson => {
            // With t = z − ln y it is y (exp(t) − 1 − t), where nothing large cancels.
            let t = z - y.ln();
            (if y > 0.0 { y * (t.exp_m1() - t) } else { z.exp() }, z.exp() - y)
        }
        _ => (0.5 * residual * residual, residual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions of `Loss`, written down as they stand there.
    fn defined(loss: Loss, y: f64, z: f64) -> f64 {
        let (m, r) = (y * z, z - y);
        match loss {
            Loss::Logistic => (1.0 + (-m).exp()).ln(),
            Loss::Hinge => f64::max(0.0, 1.0 - m),
            Loss::SquaredHinge => f64::max(0.0, 1.0 - m).powi(2),
            Loss::Squared => 0.5 * r * r,
            Loss::Epsilon(e) => f64::max(0.0, r.abs() - e),
            Loss::SquaredEpsilon(e) => f64::max(0.0, r.abs() - e).powi(2),
            Loss::Huber(d) => {
                if r.abs() <= d {
                    0.5 * r * r
                } else {
                    d * r.abs() - 0.5 * d * d
                }
            }
            Loss::Quantile(t) => t * f64::max(0.0, -r) + (1.0 - t) * f64::max(0.0, r),
            Loss::Poisson => z.exp() - y * z + y * y.ln() - y,
            Loss::Softmax => unreachable!("softmax has its own test"),
        }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + b.abs())
    }

    /// Slopes against finite differences.
    fn slopes_are_those_of_differences(
        loss: Loss,
        z: &[f64],
        targets: Targets<'_>,
        weights: &[f64],
        smoothing: f64,
    ) -> Result<(), TestCaseError> {
        let (mut slopes, mut unused) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        loss_and_slopes(loss, z, targets, weights, smoothing, &mut slopes);
        for place in 0..z.len() {
            let mut at = |step: f64| {
                let mut moved = z.to_vec();
                moved[place] += step;
                loss_and_slopes(loss, &moved, targets, weights, smoothing, &mut unused)
            };
            let (below, above) = (at(-1e-6), at(1e-6));
            // A step may lie across a kink: there the two one-sided slopes enclose the slope.
            let middle = at(0.0);
            let (left, right) = ((middle - below) / 1e-6, (above - middle) / 1e-6);
            prop_assert!(
                slopes[place] >= left - 1e-4 && slopes[place] <= right + 1e-4,
                "{loss:?} {left} {} {right}",
                slopes[place]
            );
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn losses_are_as_defined(
            z in prop::collection::vec(-3.0f64..3.0, 12),
            y in prop::collection::vec(0.1f64..3.0, 12),
            classes in prop::collection::vec(0u32..3, 4),
            weights in prop::collection::vec(0.1f64..3.0, 12),
            smoothing in 0.0f64..0.5,
        ) {
            for loss in Loss::ALL {
                let rows = if loss.is_classification() { 4 } else { 12 };
                let targets = if rows == 4 { Targets::Classes(&classes) } else { Targets::Values(&y) };
                let weights = &weights[..rows];
                let expected: f64 = if loss == Loss::Softmax {
                    let one = |i: usize| z[3 * i..3 * i + 3].iter().map(|z| z.exp()).sum::<f64>().ln() - z[3 * i + classes[i] as usize];
                    (0..4).map(|i| weights[i] * one(i)).sum()
                } else if rows == 4 {
                    let sign = |i: usize, k: usize| if classes[i] as usize == k { 1.0 } else { -1.0 };
                    (0..12).map(|p| weights[p / 3] * defined(loss, sign(p / 3, p % 3), z[p])).sum()
                } else {
                    (0..12).map(|i| weights[i] * defined(loss, y[i], z[i])).sum()
                };
                prop_assert!(close(loss_value(loss, &z, targets, weights), expected), "{loss:?}");
                let smoothing = if matches!(loss, Loss::Softmax | Loss::Logistic) { smoothing } else { 0.0 };
                slopes_are_those_of_differences(loss, &z, targets, weights, smoothing)?;
            }
        }

        /// Four examples of three targets each: labels or numbers.
        #[test]
        fn losses_of_several_targets_are_added_up(
            z in prop::collection::vec(-3.0f64..3.0, 12),
            y in prop::collection::vec(0.1f64..3.0, 12),
            labels in prop::collection::vec(prop_oneof![Just(1.0), Just(-1.0)], 12),
            weights in prop::collection::vec(0.1f64..3.0, 4),
            smoothing in 0.0f64..0.5,
        ) {
            for loss in Loss::ALL.into_iter().filter(|&loss| loss != Loss::Softmax) {
                let y = if loss.is_margin() { &labels } else { &y };
                let expected: f64 = (0..12).map(|p| weights[p / 3] * defined(loss, y[p], z[p])).sum();
                prop_assert!(close(loss_value(loss, &z, Targets::Values(y), &weights), expected), "{loss:?}");
                let smoothing = if loss == Loss::Logistic { smoothing } else { 0.0 };
                slopes_are_those_of_differences(loss, &z, Targets::Values(y), &weights, smoothing)?;
            }
        }

        #[test]
        fn smoothing_averages_over_targets(z in prop::collection::vec(-3.0f64..3.0, 3), class in 0u32..3, s in 0.0f64..1.0) {
            let mut slopes = vec![0.0; 3];
            let value = |class: u32| loss_value(Loss::Softmax, &z, Targets::Classes(&[class]), &[2.0]);
            let smoothed = loss_and_slopes(Loss::Softmax, &z, Targets::Classes(&[class]), &[2.0], s, &mut slopes);
            prop_assert!(close(smoothed, (1.0 - s) * value(class) + s * (0..3).map(value).sum::<f64>() / 3.0));
            let value = |class: u32| loss_value(Loss::Logistic, &z[..1], Targets::Classes(&[class]), &[2.0]);
            let class = class % 2;
            let smoothed = loss_and_slopes(Loss::Logistic, &z[..1], Targets::Classes(&[class]), &[2.0], s, &mut slopes[..1]);
            prop_assert!(close(smoothed, (1.0 - s) * value(class) + s * (value(0) + value(1)) / 2.0));
        }
    }

    #[test]
    fn large_outputs_do_no_harm() {
        let mut slopes = [0.0f32; 2];
        let z = [2e4f32, -2e4];
        let value = loss_and_slopes(Loss::Softmax, &z, Targets::Classes(&[1]), &[1.0], 0.0, &mut slopes);
        assert_eq!((value, slopes), (4e4, [1.0, -1.0]));
        let value = loss_and_slopes(Loss::Logistic, &z[..1], Targets::Classes(&[0]), &[1.0], 0.0, &mut slopes[..1]);
        assert_eq!((value, slopes[0]), (2e4, 1.0));
        assert_eq!(loss_value(Loss::Logistic, &z[..1], Targets::Classes(&[1]), &[1.0]), 0.0);
        assert_eq!(loss_value::<f32>(Loss::Squared, &[], Targets::Values(&[]), &[]), 0.0);
    }
}
