//! The inequality of a leaf: `q·v_k ≥ Σ_{w_p > 0} w_p relu(C_p·v_k) + Σ_{w_p < 0} w_p α_p C_p·v_k` at each vector of its cone.

use std::borrow::Cow;
use std::rc::Rc;

use infimum_rigor::{Interval, vectorized};

use super::generator::{Generator, Rows};

/// Slopes are numerators over this.
const DENOMINATOR: u8 = 128;

/// Whether it holds; the error says at which vector it may not. Slopes of rows whose w_p is not negative mean nothing.
pub(super) fn holds(rows: &Rows, cone: &[Rc<Generator>], q: &[f64], slopes: &[(u32, u8)]) -> Result<(), String> {
    let values: Vec<Cow<[f64]>> = cone
        .iter()
        .map(|generator| match &generator.values {
            Some(values) => Cow::Borrowed(values.as_slice()),
            None => Cow::Owned(rows.values(generator)),
        })
        .collect();
    let mut alpha = default_slopes(rows.negative.len(), &values);
    for &(p, numerator) in slopes {
        let Some(place) = rows.place_of.get(p as usize) else {
            return Err(format!("a slope of distinct row {p} of {} (from 0)", rows.place_of.len()));
        };
        if numerator > DENOMINATOR {
            return Err(format!("a slope of {numerator}/{DENOMINATOR}"));
        }
        if let Some(place) = place {
            alpha[*place as usize] = f64::from(numerator) / f64::from(DENOMINATOR);
        }
    }
    for (k, (generator, values)) in cone.iter().zip(&values).enumerate() {
        let (plane, needed) = (product(q, &generator.vector).lower, dot(&alpha, values) + generator.fixed);
        // The last addition is rounded too.
        let needed = needed + needed.abs() * f64::EPSILON;
        if !(plane >= needed && needed.is_finite()) {
            return Err(format!("q·v may be {plane:e} at vector {k}, {needed:e} needed"));
        }
    }
    Ok(())
}

/// 1 where the sum of C_p·v over the cone's vectors is positive, else 0. Any slopes from 0 to 1 would do: rounding is harmless here.
fn default_slopes(count: usize, values: &[Cow<[f64]>]) -> Vec<f64> {
    let mut sums = vec![0.0; count];
    vectorized(
        #[inline(always)]
        || {
            for values in values {
                sums.iter_mut().zip(values.iter()).for_each(|(sum, value)| *sum += value);
            }
            // Values have the negative factor w_p.
            sums.iter_mut().for_each(|sum| *sum = if *sum < 0.0 { 1.0 } else { 0.0 });
        },
    );
    sums
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
            for (x, y) in left.zip(right) {
                for lane in 0..LANES {
                    sums[lane] += x[lane] * y[lane];
                }
            }
            sums.iter().sum::<f64>() + rest
        },
    )
}

fn product(q: &[f64], vector: &[Interval]) -> Interval {
    q.iter().zip(vector).fold(Interval::ZERO, |sum, (&q, &v)| sum + Interval::point(q) * v)
}
