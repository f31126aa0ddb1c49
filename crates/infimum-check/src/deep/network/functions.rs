//! Activations, of which ReLU and leaky ReLU are enclosed and the others evaluated.

use infimum_problem::deep::Activation;

use super::Values;
use super::size::{UNIT, grown, norm};

/// The function of each number. ReLU and leaky ReLU keep distances at least; the latter rounds once.
pub(super) fn activate(function: Activation, mut values: Values) -> Values {
    match function {
        Activation::Relu => {
            // A number that is none stays.
            values.numbers.iter_mut().for_each(|t| *t = if *t < 0.0 { 0.0 } else { *t });
            return values;
        }
        Activation::LeakyRelu => {
            let errors =
                values.examples().map(|(x, error)| grown(error, &[(error, 1.0), (2.0 * UNIT, norm(x))])).collect();
            values.errors = errors;
            values.numbers.iter_mut().for_each(|t| *t = if *t > 0.0 { *t } else { *t / 100.0 });
            return values;
        }
        Activation::Tanh => values.numbers.iter_mut().for_each(|t| *t = t.tanh()),
        Activation::Sigmoid => values.numbers.iter_mut().for_each(|t| *t = sigmoid(*t)),
        Activation::Gelu => values.numbers.iter_mut().for_each(|t| *t *= normal(*t)),
        Activation::Silu => values.numbers.iter_mut().for_each(|t| *t *= sigmoid(*t)),
    }
    values.errors.fill(f64::INFINITY);
    values
}

fn sigmoid(t: f64) -> f64 {
    1.0 / (1.0 + (-t).exp())
}

/// The normal distribution function Φ to about 1e-14 of itself: for |t| < 4 its series `½ + φ(t)(t + t³/3 + t⁵/15 + …)`, below −4 the continued fraction of Laplace,
/// `Φ(t) = φ(t)/(s + 1/(s + 2/(s + 3/(s + …))))` with s = −t, above 4 the complement.
fn normal(t: f64) -> f64 {
    let density = (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if t >= 4.0 {
        return 1.0 - normal(-t);
    }
    if t <= -2.5 {
        let s = -t;
        return density / (1..200).rev().fold(s, |rest, k| s + f64::from(k) / rest);
    }
    let (mut term, mut sum) = (t, t);
    for k in 1..100 {
        term *= t * t / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + density * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Φ from tables of 16 digits.
    #[test]
    fn the_normal_distribution() {
        let known = [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (-2.0, 0.022_750_131_948_179_21),
            (-2.6, 0.004_661_188_023_718_732),
            (3.0, 0.998_650_101_968_369_9),
            (-5.0, 2.866_515_718_791_939e-7),
            (-10.0, 7.619_853_024_160_526e-24),
            (6.0, 0.999_999_999_013_412_3),
        ];
        for (t, phi) in known {
            let got = normal(t);
            assert!((got - phi).abs() <= 2e-13 * phi, "Φ({t}) = {got:e}, expected {phi:e}");
        }
        assert_eq!(normal(-1e10) * -1e10, 0.0);
    }
}
