//! The moments of one sign of output weights: G as in `moments/blocks.rs`, and for every cluster C of rows the products with their slacks.
//!
//! Column i of Z stands for `Σ_j |a_j||x·w_j| [1; w_j]` with x = x_i/‖x_i‖, S_C for `Σ_j |a_j||x_a·w_j||x_b·w_j|`, a, b ∈ C. With x̄ = (0, x):
//!
//! ```text
//! [[G, Z_C], [Z_Cᵀ, S_C]] ⪰ 0 in every cluster, with S_aa = x̄_aᵀGx̄_a;    tr U ≤ t;    Z_i ± Gx̄_i ∈ {c : ‖c_1…‖ ≤ c_0};
//! S_ab + σ x̄_a·Z_b + ρ x̄_b·Z_a + σρ x̄_aᵀGx̄_b ≥ 0   for a ≠ b in C and σ, ρ = ±1:   E[(|t_a| + σt_a)(|t_b| + ρt_b)] ≥ 0
//! ```
//!
//! The left sides are linear in (G, Z, S): [`Side::image`], and [`adjoint`] for the dual.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::super::blocks::dot;
use super::super::packed::{at, packed, unpack};
use super::Frame;
use super::cones::Cones;

/// Signs σ and ρ of the products of two rows of a cluster.
pub(super) const SIGNS: [(f64, f64); 4] = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];

/// Radius² of the sphere of the first moments, less than 1.
const RADIUS: f64 = 0.8;

/// Index of the pair a < b of a cluster.
pub(super) fn pair(a: usize, b: usize) -> usize {
    b * (b - 1) / 2 + a
}

/// Pairs a < b of k rows, in the order of [`pair`].
pub(super) fn pairs(k: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..k).flat_map(|b| (0..b).map(move |a| (a, b)))
}

/// Number of variables of a cluster of `size` rows beside G: the columns of Z, then S off the diagonal.
pub(super) fn unknowns(order: usize, size: usize) -> usize {
    size * order + size * size.saturating_sub(1) / 2
}

/// (G, Z, S) of one side, or a change of it.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) g: Mat<f64>,
    /// Z, (D + 1) × m.
    pub(super) z: Mat<f64>,
    /// S of each cluster off the diagonal.
    pub(super) s: Vec<Vec<f64>>,
}

/// A linear form on (G, Z, S): coefficients of the packed G, and of each cluster's unknowns.
pub(super) struct Form {
    pub(super) shared: Vec<f64>,
    pub(super) own: Vec<Vec<f64>>,
}

impl Side {
    /// The moments of t units with all directions alike: E|x·w| and E|x_a·w||x_b·w| of w on a sphere. With a radius of less than 1 they are inside of all constraints.
    pub(super) fn new(frame: &Frame, t: f64) -> Side {
        let (d, m) = (frame.rows.unit.nrows(), frame.rows.len());
        let variance = t * RADIUS / d as f64;
        let g = Mat::from_fn(d + 1, d + 1, |i, j| match (i == j, i) {
            (true, 0) => t,
            (true, _) => variance,
            _ => 0.0,
        });
        let mean = t * RADIUS.sqrt() * mean_of_a_coordinate(d);
        let z = Mat::from_fn(d + 1, m, |j, _| if j == 0 { mean } else { 0.0 });
        let product = |a: usize, b: usize| {
            let cosine = dot(frame.rows.unit.col_as_slice(a), frame.rows.unit.col_as_slice(b)).clamp(-1.0, 1.0);
            let folded = (1.0 - cosine * cosine).sqrt() + cosine * cosine.asin();
            variance * folded * std::f64::consts::FRAC_2_PI
        };
        let cluster = |range: &std::ops::Range<usize>| {
            pairs(range.len()).map(|(a, b)| product(range.start + a, range.start + b)).collect()
        };
        Side { g, z, s: frame.clusters.iter().map(cluster).collect() }
    }

    /// A change from packed numbers.
    pub(super) fn from_step(frame: &Frame, shared: &[f64], own: &[Vec<f64>]) -> Side {
        let order = frame.order();
        let mut g = Mat::zeros(order, order);
        unpack(order, shared, &mut |i, j, value| (g[(i, j)], g[(j, i)]) = (value, value));
        let mut z = Mat::zeros(order, frame.rows.len());
        let mut s = Vec::with_capacity(own.len());
        for (range, own) in frame.clusters.iter().zip(own) {
            let (columns, pairs) = own.split_at(range.len() * order);
            for (i, column) in range.clone().zip(columns.chunks_exact(order)) {
                z.col_as_slice_mut(i).copy_from_slice(column);
            }
            s.push(pairs.to_vec());
        }
        Side { g, z, s }
    }

    pub(super) fn advance(&mut self, step: &Side, length: f64) {
        for j in 0..self.g.ncols() {
            add_scaled(self.g.col_as_slice_mut(j), step.g.col_as_slice(j), length);
        }
        for i in 0..self.z.ncols() {
            add_scaled(self.z.col_as_slice_mut(i), step.z.col_as_slice(i), length);
        }
        self.s.iter_mut().zip(&step.s).for_each(|(s, change)| add_scaled(s, change, length));
    }

    /// `Σ |a_j|`.
    pub(super) fn t(&self) -> f64 {
        self.g[(0, 0)]
    }

    /// What stands for `x·u + |x·u|` of row i.
    pub(super) fn twice_relu(&self, frame: &Frame, i: usize) -> f64 {
        dot(frame.rows.unit.col_as_slice(i), &self.g.col_as_slice(0)[1..]) + self.z[(0, i)]
    }

    /// The left sides of the constraints.
    pub(super) fn image(&self, frame: &Frame) -> Cones {
        let (order, m) = (frame.order(), frame.rows.len());
        let mut gx = Mat::zeros(order, m);
        let right = self.g.submatrix(0, 1, order, order - 1);
        matmul(gx.as_mut(), Accum::Replace, right, &frame.rows.unit, 1.0, Par::Seq);
        let mut semidefinite = Vec::with_capacity(frame.clusters.len());
        let mut products = Vec::new();
        for (range, s) in frame.clusters.iter().zip(&self.s) {
            let row = |a: usize| frame.rows.unit.col_as_slice(range.start + a);
            let along = |a: usize, matrix: &Mat<f64>, b: usize| dot(row(a), &matrix.col_as_slice(range.start + b)[1..]);
            let size = order + range.len();
            semidefinite.push(Mat::from_fn(size, size, |i, j| match (i.min(j), i.max(j)) {
                (low, high) if high < order => self.g[(low, high)],
                (low, high) if low < order => self.z[(low, range.start + high - order)],
                (low, high) if low == high => along(low - order, &gx, low - order),
                (low, high) => s[pair(low - order, high - order)],
            }));
            for (a, b) in pairs(range.len()) {
                let (left, right, both) = (along(a, &self.z, b), along(b, &self.z, a), along(a, &gx, b));
                products
                    .push(SIGNS.map(|(sigma, rho)| s[pair(a, b)] + sigma * left + rho * right + sigma * rho * both));
            }
        }
        let sign = |column: usize| if column.is_multiple_of(2) { 1.0 } else { -1.0 };
        let second =
            Mat::from_fn(order, 2 * m, |j, column| self.z[(j, column / 2)] + sign(column) * gx[(j, column / 2)]);
        let spare = self.t() - (1..order).map(|i| self.g[(i, i)]).sum::<f64>();
        Cones { semidefinite, second, products, spare }
    }
}

/// The form `⟨y, image(·)⟩`.
pub(super) fn adjoint(frame: &Frame, y: &Cones) -> Form {
    let order = frame.order();
    // `Σ_ij a_ij dG_ij`.
    let mut total = Mat::<f64>::zeros(order, order);
    total[(0, 0)] += y.spare;
    (1..order).for_each(|i| total[(i, i)] -= y.spare);
    let mut own = Vec::with_capacity(frame.clusters.len());
    let mut products = y.products.iter();
    for (range, matrix) in frame.clusters.iter().zip(&y.semidefinite) {
        let k = range.len();
        let mut out = vec![0.0; unknowns(order, k)];
        let (columns, slots) = out.split_at_mut(k * order);
        for j in 0..order {
            add_scaled(total.col_as_slice_mut(j), &matrix.col_as_slice(j)[..order], 1.0);
        }
        for a in 0..k {
            let x = frame.lifted.col_as_slice(range.start + a);
            let column = &mut columns[a * order..(a + 1) * order];
            add_scaled(column, &matrix.col_as_slice(order + a)[..order], 2.0);
            let [plus, minus] = [0, 1].map(|sign| y.second.col_as_slice(2 * (range.start + a) + sign));
            add_scaled(column, plus, 1.0);
            add_scaled(column, minus, 1.0);
            add_outer(&mut total, x, x, matrix[(order + a, order + a)]);
            add_outer(&mut total, plus, x, 1.0);
            add_outer(&mut total, minus, x, -1.0);
        }
        for ((a, b), values) in pairs(k).zip(products.by_ref()) {
            let [xa, xb] = [a, b].map(|a| frame.lifted.col_as_slice(range.start + a));
            let [mut left, mut right, mut both] = [0.0; 3];
            slots[pair(a, b)] += 2.0 * matrix[(order + a, order + b)];
            for (value, (sigma, rho)) in values.iter().zip(SIGNS) {
                slots[pair(a, b)] += value;
                left += sigma * value;
                right += rho * value;
                both += sigma * rho * value;
            }
            add_scaled(&mut columns[b * order..(b + 1) * order], xa, left);
            add_scaled(&mut columns[a * order..(a + 1) * order], xb, right);
            add_outer(&mut total, xa, xb, both);
        }
        own.push(out);
    }
    let mut shared = vec![0.0; packed(order)];
    for j in 0..order {
        for i in 0..=j {
            shared[at(order, i, j)] = if i == j { total[(i, i)] } else { total[(i, j)] + total[(j, i)] };
        }
    }
    Form { shared, own }
}

/// E|w_1| of w on the unit sphere in R^d: `Γ(d/2)/(√π Γ((d+1)/2))`, by its recurrence `E_{d+2} = E_d·d/(d + 1)`.
fn mean_of_a_coordinate(d: usize) -> f64 {
    let (mut mean, first) = if d % 2 == 1 { (1.0, 1) } else { (std::f64::consts::FRAC_2_PI, 2) };
    (first..d).step_by(2).for_each(|d| mean *= d as f64 / (d as f64 + 1.0));
    mean
}

/// `out += factor·x`.
pub(super) fn add_scaled(out: &mut [f64], x: &[f64], factor: f64) {
    out.iter_mut().zip(x).for_each(|(out, x)| *out += factor * x);
}

/// `out += factor·x yᵀ`.
pub(super) fn add_outer(out: &mut Mat<f64>, x: &[f64], y: &[f64], factor: f64) {
    for (j, y) in y.iter().enumerate() {
        add_scaled(out.col_as_slice_mut(j), x, factor * y);
    }
}
