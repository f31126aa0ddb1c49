//! Functions of one number.

use infimum_problem::deep::Activation;

use crate::engine::Real;
use crate::engine::pool::add_to;
use crate::engine::wide::wide;

/// An activation and its derivative.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Function(pub(in crate::engine) Activation);

impl Function {
    /// Whether the derivative is computed from the function's value, so that its argument may be overwritten; else from the argument.
    pub(in crate::engine) fn by_output(self) -> bool {
        !matches!(self.0, Activation::Gelu | Activation::Silu)
    }

    /// Whether the sign of the value is enough.
    pub(in crate::engine) fn by_sign(self) -> bool {
        matches!(self.0, Activation::Relu | Activation::LeakyRelu)
    }

    /// The function of each number.
    pub(in crate::engine) fn apply<R: Real>(self, values: &mut [R]) {
        match self.0 {
            Activation::Relu => change(values, |t| t.at_least(R::ZERO)),
            Activation::LeakyRelu => {
                change(values, |t| if t > R::ZERO { t } else { t * R::from_f64(0.01) });
            }
            Activation::Tanh => change(values, R::tanh),
            Activation::Sigmoid => change(values, sigmoid),
            Activation::Gelu => change(values, |t| t * distribution(t)),
            Activation::Silu => change(values, |t| t * sigmoid(t)),
        }
    }

    /// Adds a bias to each row, then applies the function.
    pub(in crate::engine) fn end_rows<R: Real>(function: Option<Function>, bias: Option<&[R]>, rows: &mut [R]) {
        let Some(bias) = bias else {
            if let Some(function) = function {
                function.apply(rows);
            }
            return;
        };
        if let Some(Function(Activation::Relu)) = function {
            wide!({
                for row in rows.chunks_exact_mut(bias.len()) {
                    for (value, &b) in row.iter_mut().zip(bias) {
                        *value = (*value + b).at_least(R::ZERO);
                    }
                }
            });
            return;
        }
        wide!(rows.chunks_exact_mut(bias.len()).for_each(|row| add_to(row, bias)));
        if let Some(function) = function {
            function.apply(rows);
        }
    }

    /// Multiplies each slope by the derivative. `by` is the function's value or its argument, see `by_output`.
    pub(in crate::engine) fn multiply_slopes<R: Real>(self, by: &[R], slopes: &mut [R]) {
        match self.0 {
            Activation::Relu => {
                // A product with 0 would keep NaN and infinities.
                wide!({
                    for (slope, &y) in slopes.iter_mut().zip(by) {
                        *slope = if y > R::ZERO { *slope } else { R::ZERO };
                    }
                });
            }
            Activation::LeakyRelu => {
                multiply(slopes, by, |y| if y > R::ZERO { R::ONE } else { R::from_f64(0.01) });
            }
            Activation::Tanh => multiply(slopes, by, |y| R::ONE - y * y),
            Activation::Sigmoid => multiply(slopes, by, |y| y * (R::ONE - y)),
            Activation::Gelu => {
                let density = |t: R| R::from_f64(0.398_942_280_401_432_7) * (R::from_f64(-0.5) * t * t).exp();
                multiply(slopes, by, |t| distribution(t) + t * density(t));
            }
            Activation::Silu => multiply(slopes, by, |t| {
                let s = sigmoid(t);
                s * (R::ONE + t * (R::ONE - s))
            }),
        }
    }
}

#[inline(always)]
fn change<R: Real>(values: &mut [R], function: impl Fn(R) -> R) {
    wide!({
        for value in values {
            *value = function(*value);
        }
    });
}

#[inline(always)]
fn multiply<R: Real>(slopes: &mut [R], by: &[R], derivative: impl Fn(R) -> R) {
    wide!({
        for (slope, &y) in slopes.iter_mut().zip(by) {
            *slope *= derivative(y);
        }
    });
}

#[inline(always)]
fn sigmoid<R: Real>(t: R) -> R {
    R::ONE / (R::ONE + (-t).exp())
}

/// Φ(t).
#[inline(always)]
fn distribution<R: Real>(t: R) -> R {
    let half = R::from_f64(0.5);
    half + half * (t * R::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf()
}
