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

    /// `x_p·u`.
    pub(super) fn at(&self, p: usize, u: &[f64]) -> f64 {
        self.point(p).zip(u).map(|(x, u)| x * u).sum()
    }

    /// `t_p = x_p·u` for all p.
    pub(super) fn project(&self, u: &[f64], t: &mut [f64]) {
        t.fill(0.0);
        let mut j = 0;
        while j + 4 <= self.dimension {
            let (a, b, c, d) = (self.column(j), self.column(j + 1), self.column(j + 2), self.column(j + 3));
            let u: [f64; 4] = [u[j], u[j + 1], u[j + 2], u[j + 3]];
            vectorized(
                #[inline(always)]
                || {
                    let rows = t.iter_mut().zip(a).zip(b).zip(c).zip(d);
                    rows.for_each(|((((t, a), b), c), d)| *t += (u[0] * a + u[1] * b) + (u[2] * c + u[3] * d));
                },
            );
            j += 4;
        }
        for j in j..self.dimension {
            let (column, u) = (self.column(j), u[j]);
            vectorized(
                #[inline(always)]
                || t.iter_mut().zip(column).for_each(|(t, x)| *t += u * x),
            );
        }
    }

    /// `g = Σ_p weights_p x_p`.
    pub(super) fn pull(&self, weights: &[f64], g: &mut [f64]) {
        g.iter_mut().enumerate().for_each(|(j, g)| *g = dot(self.column(j), weights));
    }
}

/// `a·b` in several lanes.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    if a.len() < LANES {
        return a.iter().zip(b).map(|(a, b)| a * b).sum();
    }
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
            for (a, b) in a.zip(b) {
                (0..LANES).for_each(|lane| lanes[lane] += a[lane] * b[lane]);
            }
            let mut width = LANES / 2;
            while width > 0 {
                (0..width).for_each(|lane| lanes[lane] += lanes[lane + width]);
                width /= 2;
            }
            lanes[0] + rest
        },
    )
}

/// `‖a‖`.
pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
