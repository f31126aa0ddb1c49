//! The points column by column, so that products over all of them run on vector units.

use infimum_rigor::vectorized;

use crate::Points;

/// Lanes that a dot product is added up in.
const LANES: usize = 16;

/// Points x_p ∈ R^D, p = 1 … M, stored by columns.
pub(super) struct Columns {
    /// D × M: column after column.
    values: Vec<f64>,
    /// M.
    pub(super) rows: usize,
    /// D.
    pub(super) dimension: usize,
    /// ‖x_p‖.
    pub(super) norms: Vec<f64>,
}

impl Columns {
    pub(super) fn new(points: &Points) -> Columns {
        let (rows, dimension) = (points.len(), points.dimension);
        let mut values = vec![0.0; rows * dimension];
        for p in 0..rows {
            points.point(p).iter().enumerate().for_each(|(j, &x)| values[j * rows + p] = x);
        }
        let norms = (0..rows).map(|p| dot(points.point(p), points.point(p)).sqrt()).collect();
        Columns { values, rows, dimension, norms }
    }

    /// Entry j of every point.
    pub(super) fn column(&self, j: usize) -> &[f64] {
        &self.values[j * self.rows..(j + 1) * self.rows]
    }

    /// Point p.
    pub(super) fn point(&self, p: usize) -> impl Iterator<Item = f64> + '_ {
        (0..self.dimension).map(move |j| self.values[j * self.rows + p])
    }

    /// `t_p = x_p·u` for all p.
    pub(super) fn project(&self, u: &[f64], t: &mut [f64]) {
        let mut j = 0;
        t.fill(0.0);
        while j + 4 <= self.dimension {
            add_four([0, 1, 2, 3].map(|place| self.column(j + place)), [0, 1, 2, 3].map(|place| u[j + place]), t);
            j += 4;
        }
        for j in j..self.dimension {
            add_scaled(self.column(j), u[j], t);
        }
    }

    /// `g = Σ_p weights_p x_p`.
    pub(super) fn pull(&self, weights: &[f64], g: &mut [f64]) {
        g.iter_mut().enumerate().for_each(|(j, g)| *g = dot(self.column(j), weights));
    }
}

/// `t += Σ u_j columns_j`.
fn add_four(columns: [&[f64]; 4], u: [f64; 4], t: &mut [f64]) {
    let n = t.len();
    let [a, b, c, d] = columns.map(|column| &column[..n]);
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                t[p] += (u[0] * a[p] + u[1] * b[p]) + (u[2] * c[p] + u[3] * d[p]);
            }
        },
    );
}

/// `t += factor·x`.
pub(super) fn add_scaled(x: &[f64], factor: f64, t: &mut [f64]) {
    let n = t.len();
    let x = &x[..n];
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                t[p] += factor * x[p];
            }
        },
    );
}

/// `out = a ∘ b`.
pub(super) fn multiply(a: &[f64], b: &[f64], out: &mut [f64]) {
    let n = out.len();
    let (a, b) = (&a[..n], &b[..n]);
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                out[p] = a[p] * b[p];
            }
        },
    );
}

/// `out_p = factor·a_p` where t_p > 0, else 0.
pub(super) fn where_active(a: &[f64], factor: f64, t: &[f64], out: &mut [f64]) {
    let n = out.len();
    let (a, t) = (&a[..n], &t[..n]);
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                out[p] = if t[p] > 0.0 { factor * a[p] } else { 0.0 };
            }
        },
    );
}

/// `z += factor·relu(t)`.
pub(super) fn add_relu(t: &[f64], factor: f64, z: &mut [f64]) {
    let n = z.len();
    let t = &t[..n];
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                z[p] += if t[p] > 0.0 { factor * t[p] } else { 0.0 };
            }
        },
    );
}

/// `out = start + factor·x`.
pub(super) fn moved(start: &[f64], factor: f64, x: &[f64], out: &mut [f64]) {
    let n = out.len();
    let (start, x) = (&start[..n], &x[..n]);
    vectorized(
        #[inline(always)]
        || {
            for p in 0..n {
                out[p] = start[p] + factor * x[p];
            }
        },
    );
}

/// `a·b` in several lanes.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let whole = n - n % LANES;
    let mut sum = 0.0;
    if whole > 0 {
        sum = vectorized(
            #[inline(always)]
            || {
                let mut lanes = [0.0; LANES];
                let mut p = 0;
                while p < whole {
                    for lane in 0..LANES {
                        lanes[lane] += a[p + lane] * b[p + lane];
                    }
                    p += LANES;
                }
                let mut width = LANES / 2;
                while width > 0 {
                    for lane in 0..width {
                        lanes[lane] += lanes[lane + width];
                    }
                    width /= 2;
                }
                lanes[0]
            },
        );
    }
    for p in whole..n {
        sum += a[p] * b[p];
    }
    sum
}

/// `‖a‖`.
pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
