//! What is true of small two-layer ReLU problems: the maximum over the unit ball by enumeration of the whole arrangement, objectives in plain
//! `f64`, and witnesses of bounds made by simple means. Nothing here is shared with solvers or checker; other tests include it by `#[path]`.

// Every test that includes this file uses a part of it.
#![allow(dead_code)]

pub mod networks;
pub mod witnesses;

/// Numbers that look random (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0 … count − 1.
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    /// Uniform in [low, high).
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Roughly normal.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.within(-0.5, 0.5)).sum()
    }

    /// Rows with duplicates, zero rows, proportional rows and entries 0 among them; row-major. A `constant` is the last number of each.
    pub fn rows(&mut self, count: usize, dimension: usize, constant: bool) -> Vec<f64> {
        let mut rows: Vec<f64> = Vec::with_capacity(count * dimension);
        let inputs = dimension - usize::from(constant);
        for p in 0..count {
            let other = if p > 0 { self.below(p) } else { 0 };
            let copy = |rows: &[f64], factor: f64| -> Vec<f64> {
                rows[other * dimension..][..inputs].iter().map(|x| factor * x).collect()
            };
            let row: Vec<f64> = match self.below(10) {
                0 if p > 0 => copy(&rows, 1.0),
                1 if p > 0 => copy(&rows, [2.0, -1.0, 0.5, -3.0][self.below(4)]),
                2 => vec![0.0; inputs],
                3 => (0..inputs).map(|_| [0.0, 1.0, -1.0, 2.0][self.below(4)]).collect(),
                _ => (0..inputs).map(|_| self.normal()).collect(),
            };
            rows.extend(row);
            if constant {
                rows.push(1.0);
            }
        }
        rows
    }
}

/// Dot product.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `Σ_p w_p relu(x_p·u)`.
pub fn value(rows: &[f64], dimension: usize, w: &[f64], u: &[f64]) -> f64 {
    rows.chunks_exact(dimension).zip(w).map(|(x, w)| w * dot(x, u).max(0.0)).sum()
}

/// The distinct rows in the order in which they first appear, and the sums of α over each.
pub fn merged(rows: &[f64], dimension: usize, alpha: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut points, mut w): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (x, a) in rows.chunks_exact(dimension).zip(alpha) {
        match points.chunks_exact(dimension).position(|point| point == x) {
            Some(p) => w[p] += a,
            None => {
                points.extend_from_slice(x);
                w.push(*a);
            }
        }
    }
    (points, w)
}

/// `max_{‖u‖ ≤ 1} Σ_p w_p relu(x_p·u)` up to rounding, for up to 14 rows.
///
/// The maximiser lies in the relative interior of a face of the arrangement of the hyperplanes x_p·u = 0, on whose span the function is linear there, with
/// the gradient Σ w_p x_p over the active rows: it is that sum's projection, normalised. So all active sets and all spans are tried (also those
/// that are no faces), and the function is evaluated at each: nothing found is above the maximum, and the maximum is among it.
pub fn maximum(rows: &[f64], dimension: usize, w: &[f64]) -> f64 {
    assert!(w.len() <= 14 && rows.len() == w.len() * dimension);
    let mut best = 0.0;
    let mut normals: Vec<Vec<f64>> = Vec::new();
    over_spans(rows, dimension, w, 0, &mut normals, &mut best);
    best
}

/// Tries all spans that are those of `normals` intersected with hyperplanes of the rows from `first` on.
fn over_spans(rows: &[f64], d: usize, w: &[f64], first: usize, normals: &mut Vec<Vec<f64>>, best: &mut f64) {
    for active in 0u32..1 << w.len() {
        let mut g = vec![0.0; d];
        for (p, x) in rows.chunks_exact(d).enumerate().filter(|&(p, _)| active >> p & 1 == 1) {
            g.iter_mut().zip(x).for_each(|(g, x)| *g += w[p] * x);
        }
        let size = dot(&g, &g).sqrt();
        project(&mut g, normals);
        let norm = dot(&g, &g).sqrt();
        if norm > 1e-13 * size {
            g.iter_mut().for_each(|g| *g /= norm);
            *best = best.max(value(rows, d, w, &g));
        }
    }
    if normals.len() + 1 >= d {
        return;
    }
    for p in first..w.len() {
        let mut normal = rows[p * d..(p + 1) * d].to_vec();
        let size = dot(&normal, &normal).sqrt();
        project(&mut normal, normals);
        let norm = dot(&normal, &normal).sqrt();
        if norm > 1e-12 * size {
            normal.iter_mut().for_each(|x| *x /= norm);
            normals.push(normal);
            over_spans(rows, d, w, p + 1, normals, best);
            normals.pop();
        }
    }
}

/// Takes the orthonormal `normals` out of a vector, twice for accuracy.
fn project(vector: &mut [f64], normals: &[Vec<f64>]) {
    for normal in normals.iter().chain(normals) {
        let part = dot(vector, normal);
        vector.iter_mut().zip(normal).for_each(|(v, n)| *v -= part * n);
    }
}
