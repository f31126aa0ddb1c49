//! Softmax loss `ln Σ_k exp(z_k) − z_y` of K outputs.
//!
//! Rows are short and their number of outputs is no multiple of a vector's: they are taken eight outputs at a time, the last ones filled
//! up with outputs that have no mass.

use crate::elementary::{exp, ln, ln_1p};

/// Numbers of a vector.
const LANES: usize = 8;

/// Softmax loss of one example; a namespace of its formulas on slices of length K.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax;

/// Eight numbers of a row from `first` on; `filler` beyond its end.
#[inline(always)]
fn eight(row: &[f64], first: usize, filler: f64) -> [f64; LANES] {
    let mut numbers = [filler; LANES];
    for lane in 0..LANES {
        if first + lane < row.len() {
            numbers[lane] = row[first + lane];
        }
    }
    numbers
}

#[inline(always)]
fn total(sums: [f64; LANES]) -> f64 {
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

#[inline(always)]
fn largest(z: &[f64]) -> f64 {
    let mut top = f64::NEG_INFINITY;
    for k in 0..z.len() {
        top = top.max(z[k]);
    }
    top
}

impl Softmax {
    /// Loss at outputs `z` of an example of class `class`.
    #[inline(always)]
    pub(crate) fn value(class: usize, z: &[f64]) -> f64 {
        let top = largest(z);
        let mut sums = [0.0; LANES];
        for first in (0..z.len()).step_by(LANES) {
            let x = eight(z, first, f64::NEG_INFINITY);
            for lane in 0..LANES {
                let own = first + lane == class;
                sums[lane] += if own { 0.0 } else { exp(x[lane] - top) };
            }
        }
        let rest = total(sums);
        if z[class] == top {
            // ln(1 + rest) keeps relative accuracy when the example is fitted well.
            return if rest <= 1.0 { ln_1p(rest) } else { ln(1.0 + rest) };
        }
        ln(rest + exp(z[class] - top)) + (top - z[class])
    }

    /// The K softmax probabilities at outputs `z`.
    #[inline(always)]
    pub(crate) fn probabilities(z: &[f64], probabilities: &mut [f64]) {
        let top = largest(z);
        let mut sums = [0.0; LANES];
        for first in (0..z.len()).step_by(LANES) {
            let mut x = eight(z, first, f64::NEG_INFINITY);
            for lane in 0..LANES {
                x[lane] = exp(x[lane] - top);
                sums[lane] += x[lane];
            }
            let count = LANES.min(z.len() - first);
            probabilities[first..first + count].copy_from_slice(&x[..count]);
        }
        let inverse = 1.0 / total(sums);
        for k in 0..z.len() {
            probabilities[k] *= inverse;
        }
    }

    /// First and second derivative of `t ↦ loss(z + t·dz)`.
    #[inline(always)]
    pub(crate) fn along(class: usize, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        let mut top = f64::NEG_INFINITY;
        for k in 0..z.len() {
            top = top.max(z[k] + t * dz[k]);
        }
        // Differences to the own class keep the moments small where one class has nearly all the mass.
        let (mut mass, mut first, mut second) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for place in (0..z.len()).step_by(LANES) {
            let (x, dx) = (eight(z, place, f64::NEG_INFINITY), eight(dz, place, 0.0));
            for lane in 0..LANES {
                let (weight, step) = (exp(x[lane] + t * dx[lane] - top), dx[lane] - dz[class]);
                mass[lane] += weight;
                first[lane] += weight * step;
                second[lane] += weight * (step * step);
            }
        }
        let (mass, first, second) = (total(mass), total(first), total(second));
        let mean = first / mass;
        (mean, (second / mass - mean * mean).max(0.0))
    }

    /// Dual gain `−Σ_k q_k ln(q_k/c)` with q_k = c·[k = class] − alpha_k ≥ 0 and Σ_k alpha_k = 0.
    #[inline(always)]
    pub(crate) fn gain(class: usize, c: f64, alpha: &[f64]) -> f64 {
        // off = mass on the wrong classes; the right class's term uses ln_1p of it.
        let (mut off, mut gain) = ([0.0; LANES], [0.0; LANES]);
        for first in (0..alpha.len()).step_by(LANES) {
            let a = eight(alpha, first, 0.0);
            for lane in 0..LANES {
                let q = -a[lane];
                let counts = first + lane != class && q > 0.0;
                off[lane] += if counts { q } else { 0.0 };
                gain[lane] -= if counts { q * ln(q / c) } else { 0.0 };
            }
        }
        let (off, gain) = (total(off), total(gain));
        let share = off / c;
        let logarithm = if share <= 0.5 { ln_1p(-share) } else { ln(1.0 - share) };
        if off < c { gain - (c - off) * logarithm } else { gain }
    }
}
