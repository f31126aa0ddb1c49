//! The least loss of outputs in a ball around 0: `min_{‖z‖ ≤ R} loss(y, z)` (docs/deep.md, theorem 2).

use infimum_problem::Loss;
use infimum_rigor::{Interval, Sum, exp, ln, ln_1p};

/// A number ≥ 0 that the least loss is not below. `y` are the targets of regressions, one for each output; classes need none.
pub(super) fn least(loss: Loss, y: &[f64], outputs: usize, radius: f64) -> f64 {
    match (loss, y) {
        (_, []) => of_one(loss, 0.0, outputs, radius),
        (_, &[y]) => of_one(loss, y, 1, radius),
        (Loss::Squared, y) => {
            let mut square = Sum::new();
            y.iter().for_each(|&y| square.add_product(y, y));
            let norm = Interval::new(square.enclose().lower.max(0.0), f64::INFINITY).sqrt().lower;
            of_one(loss, norm, 1, radius)
        }
        (_, y) => {
            let mut sum = Sum::new();
            y.iter().for_each(|&y| sum.add(of_one(loss, y, 1, radius)));
            sum.enclose().lower.max(0.0)
        }
    }
}

/// The least loss of classes, or of a regression with one target.
fn of_one(loss: Loss, y: f64, outputs: usize, radius: f64) -> f64 {
    if !radius.is_finite() {
        return 0.0;
    }
    let lower = match loss {
        Loss::Softmax => softmax(outputs, radius),
        Loss::Logistic | Loss::Hinge | Loss::SquaredHinge => {
            // K·g(R/√K), g convex and decreasing in the margin.
            let count = Interval::point(outputs as f64);
            let margin = Interval::point(Interval::point(radius).divide_by_positive(count.sqrt()).upper);
            let short = (Interval::point(1.0) - margin).positive_part();
            let each = match loss {
                Loss::Logistic => ln_1p(exp(-margin)),
                Loss::Hinge => short,
                _ => short.square(),
            };
            (count * each).lower
        }
        Loss::Poisson => poisson(y, radius),
        Loss::Squared | Loss::Epsilon(_) | Loss::SquaredEpsilon(_) | Loss::Huber(_) | Loss::Quantile(_) => {
            let distance = (Interval::point(y).abs() - Interval::point(radius)).positive_part();
            regression(loss, y, Interval::point(distance.lower))
        }
    };
    lower.max(0.0)
}

/// `ln(1 + (K − 1) exp(−R √(K/(K − 1))))`.
fn softmax(outputs: usize, radius: f64) -> f64 {
    if outputs < 2 {
        return 0.0;
    }
    let (all, others) = (Interval::point(outputs as f64), Interval::point((outputs - 1) as f64));
    let margin = Interval::point(radius) * all.divide_by_positive(others).sqrt();
    ln_1p(others * exp(-margin)).lower
}

/// The loss at this distance between target and output, the output being nearer to 0.
fn regression(loss: Loss, y: f64, distance: Interval) -> f64 {
    let half = Interval::point(0.5);
    match loss {
        Loss::Squared => (half * distance.square()).lower,
        Loss::Epsilon(epsilon) => (distance - Interval::point(epsilon)).lower,
        Loss::SquaredEpsilon(epsilon) => (distance - Interval::point(epsilon)).positive_part().square().lower,
        Loss::Huber(delta) if distance.lower <= delta => (half * distance.square()).lower,
        Loss::Huber(delta) => (Interval::point(delta) * (distance - half * Interval::point(delta))).lower,
        Loss::Quantile(tau) if y > 0.0 => (Interval::point(tau) * distance).lower,
        Loss::Quantile(tau) => ((Interval::point(1.0) - Interval::point(tau)) * distance).lower,
        _ => 0.0,
    }
}

/// `exp(−R)` for y = 0; else `y (exp(t) − 1 − t)` with t = z − ln y as near to 0 as it can be.
fn poisson(y: f64, radius: f64) -> f64 {
    let radius = Interval::point(radius);
    if y == 0.0 {
        return exp(-radius).lower;
    }
    let centre = ln(Interval::point(y));
    let (below, above) = (radius - centre, -radius - centre);
    // The end of the possible t that is nearest to 0: exp(t) − 1 − t decreases towards it from both sides.
    let t = if below.upper < 0.0 {
        below.upper
    } else if above.lower > 0.0 {
        above.lower
    } else {
        return 0.0;
    };
    let t = Interval::point(t);
    let difference = (exp(t) - Interval::point(1.0) - t).lower;
    // exp(t) = 1 + t + t²/2 + t³/6 + something ≥ 0: better where the difference cancels.
    let third = t.divide_by_positive(Interval::point(3.0));
    let series = (Interval::point(0.5) * t.square() * (Interval::point(1.0) + third)).lower;
    (Interval::point(y) * Interval::point(difference.max(series).max(0.0))).lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{Softmax, scalar};

    /// Against the least of many points of the ball: not above, and near where the minimiser is among them.
    #[test]
    fn no_point_of_the_ball_is_below() {
        for loss in Loss::ALL {
            for outputs in [1, 2, 3, 5] {
                for radius in [0.0, 1e-3, 0.4, 1.0, 2.5, 30.0] {
                    for y in [0.0, 1e-4, 0.6, -0.6, 3.0, -7.0, 40.0] {
                        if (loss == Loss::Poisson && y < 0.0)
                            || (!loss.is_classification() && outputs > 1)
                            || (loss == Loss::Softmax && outputs == 1)
                        {
                            continue;
                        }
                        let targets = if loss.is_classification() { &[][..] } else { &[y] };
                        let bound = least(loss, targets, outputs, radius);
                        let mut best = f64::INFINITY;
                        for step in 0..400 {
                            let mut z: Vec<f64> =
                                (0..outputs).map(|k| ((step * 7919 + k * 104729) as f64 * 0.618).sin()).collect();
                            match (step, loss) {
                                // The known minimisers.
                                (0, Loss::Softmax) => {
                                    z.fill(-1.0 / (outputs as f64 - 1.0));
                                    z[0] = 1.0;
                                }
                                (0, _) => z.fill(1.0),
                                _ => {}
                            }
                            let size = z.iter().map(|z| z * z).sum::<f64>().sqrt();
                            let share = if step == 0 { 1.0 } else { (step % 20) as f64 / 19.0 };
                            z.iter_mut().for_each(|z| *z *= radius * share / size * (1.0 - 1e-15));
                            let value = match scalar(loss) {
                                None => {
                                    let z: Vec<Interval> = z.iter().map(|&z| Interval::point(z)).collect();
                                    Softmax::upper(0, &z)
                                }
                                Some(scalar) if loss.is_classification() => {
                                    z.iter().map(|&z| scalar.upper(1.0, Interval::point(z))).sum()
                                }
                                Some(scalar) => {
                                    let grid = (1..100).map(|i| radius * (f64::from(i) / 50.0 - 1.0));
                                    let inside = [y, if y > 0.0 { y.ln() } else { -radius }];
                                    let inside = inside.into_iter().filter(|z| z.abs() <= radius);
                                    grid.chain([radius, -radius])
                                        .chain(inside)
                                        .map(|z| scalar.upper(y, Interval::point(z)))
                                        .fold(f64::INFINITY, f64::min)
                                }
                            };
                            best = best.min(value);
                        }
                        assert!(
                            bound <= best * (1.0 + 1e-13) + 1e-15,
                            "{loss:?} {outputs} {radius} {y}: {bound} {best}"
                        );
                        assert!(
                            bound >= best * (1.0 - 1e-9) - 1e-14,
                            "{loss:?} {outputs} {radius} {y}: {bound} {best}"
                        );
                    }
                }
            }
        }
        assert_eq!(least(Loss::Squared, &[1.0], 1, f64::INFINITY), 0.0);
        assert_eq!(least(Loss::Squared, &[1.0], 1, f64::NAN), 0.0);
    }

    /// Several numbers: no point of the ball has a loss below, and for the squared loss the nearest one has it.
    #[test]
    fn no_point_of_the_ball_is_below_of_several_numbers() {
        for loss in Loss::ALL.into_iter().filter(|loss| !loss.is_classification()) {
            let scalar = scalar(loss).expect("a loss of one output");
            for y in [[0.0, 0.0, 0.0], [0.3, 2.0, 0.0], [4.0, 0.5, 1.0], [1e-3, 1e-9, 7.0]] {
                for radius in [0.0, 1e-3, 0.4, 1.0, 2.5, 30.0] {
                    let bound = least(loss, &y, 3, radius);
                    let value =
                        |z: &[f64]| -> f64 { z.iter().zip(y).map(|(&z, y)| scalar.upper(y, Interval::point(z))).sum() };
                    let mut best = f64::INFINITY;
                    for step in 0..4_000 {
                        let mut z: Vec<f64> =
                            (0..3).map(|k| ((step * 7919 + k * 104_729) as f64 * 0.618).sin()).collect();
                        if step == 0 {
                            z = y.to_vec();
                        }
                        let size = z.iter().map(|z| z * z).sum::<f64>().sqrt();
                        let longest = if step == 0 { size.min(radius) } else { radius * ((step % 20) as f64 / 19.0) };
                        z.iter_mut().for_each(|z| *z *= longest / size.max(1e-300) * (1.0 - 1e-15));
                        best = best.min(value(&z));
                    }
                    assert!(bound <= best * (1.0 + 1e-13) + 1e-15, "{loss:?} {y:?} {radius}: {bound} {best}");
                    let is_attained = bound >= best * (1.0 - 1e-9) - 1e-12;
                    assert!(loss != Loss::Squared || is_attained, "{y:?} {radius}: {bound} {best}");
                }
            }
        }
    }
}
