//! Newton's system: what belongs to one cluster alone is eliminated, both signs together, and what is left is a system for both G and the bias.
//!
//! For a cluster let ζ be its unknowns (Z and S of both sides), γ those that all share, H and B the scaled form of the cones by ζζ and ζγ (`local.rs`). The losses see
//! `η = Eζ + Fγ`, the outputs of the cluster's rows, with forces p = −L′ and curvatures W = diag(L″). With the force π = Wη − p of the losses, ζ = H⁻¹(r − Bγ − Eᵀπ):
//!
//! ```text
//! π = π₀ + M K γ,   M = (I + WV)⁻¹W,   V = E H⁻¹Eᵀ,   K = F − E H⁻¹B,   π₀ = (I − MV)(W E H⁻¹r − p)
//! (A − Σ BᵀH⁻¹B + Σ KᵀMK) γ = r_γ − Σ BᵀH⁻¹r − Σ Kᵀπ₀
//! ```

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::{Llt, Solve};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, MatRef, Par, Side as Half};
use rayon::prelude::*;

use super::super::blocks::dot;
use super::super::objective::Sloped;
use super::super::packed::{at, packed};
use super::super::point::Biases;
use super::super::system::{add_lower, factorise};
use super::Frame;
use super::cones::Scaling;
use super::local::{Local, Shared};
use super::side::{Form, Side};

/// The factorised system.
pub(super) struct System {
    factor: Llt<f64>,
    scale: Vec<f64>,
    clusters: Vec<Eliminated>,
}

/// A step of both sides and the bias.
pub(super) struct Step {
    pub(super) sides: [Side; 2],
    pub(super) bias: f64,
}

/// What is kept of a cluster.
struct Eliminated {
    sides: [Reduced; 2],
    /// K, k × shared.
    k: Mat<f64>,
    /// M.
    m: Mat<f64>,
    /// V.
    give: Mat<f64>,
    /// W.
    curvature: Vec<f64>,
    /// p.
    pull: Vec<f64>,
}

/// The part of one side: with H = L Lᵀ.
struct Reduced {
    lower: Mat<f64>,
    /// L⁻¹B.
    cross: Mat<f64>,
    /// L⁻¹Eᵀ.
    slopes: Mat<f64>,
}

/// Sums over clusters.
struct Sums {
    matrix: Mat<f64>,
    shared: [Shared; 2],
}

impl System {
    /// The system at a point with these scalings and slopes of the losses. `None` if it is not finite or cannot be factorised, or `stop` says so.
    pub(super) fn new(
        frame: &Frame,
        scalings: &[Scaling; 2],
        sloped: &Sloped,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<System> {
        let order = frame.order();
        let (size, has_bias) = (packed(order), frame.biases != Biases::Absent);
        let total = 2 * size + usize::from(has_bias);
        let count = frame.clusters.len();
        let share = count.div_ceil(rayon::current_num_threads()).max(1);
        let parts: Vec<Option<(Vec<Eliminated>, Sums)>> = (0..count.div_ceil(share))
            .into_par_iter()
            .map(|part| {
                let mut sums = Sums::new(total, order);
                let range = part * share..((part + 1) * share).min(count);
                let clusters =
                    range.map(|c| if stop() { None } else { eliminate(frame, scalings, sloped, c, &mut sums) });
                Some((clusters.collect::<Option<Vec<_>>>()?, sums))
            })
            .collect();
        let (mut clusters, mut sums) = (Vec::with_capacity(count), Sums::new(total, order));
        for part in parts {
            let (more, part) = part?;
            clusters.extend(more);
            sums.add(&part);
        }
        let Sums { mut matrix, shared } = sums;
        for (b, (scaling, shared)) in scalings.iter().zip(&shared).enumerate() {
            let first = b * size;
            shared.add_to(&mut matrix, first);
            // t − tr U.
            let trace = |j: usize| if j == 0 { 1.0 } else { -1.0 };
            for j in 0..order {
                (j..order).for_each(|i| {
                    matrix[(first + at(order, i, i), first + at(order, j, j))] += trace(i) * trace(j) * scaling.spare;
                });
            }
        }
        if let Biases::Present { strength } = frame.biases {
            let curvature = frame.zeros.iter().map(|&p| sloped.curvature[p]).sum::<f64>();
            matrix[(total - 1, total - 1)] += strength + curvature;
        }
        let (factor, scale) = factorise(matrix)?;
        Some(System { factor, scale, clusters })
    }

    /// The solution for these forces on the sides, that on the bias, and the losses'.
    pub(super) fn step(&self, frame: &Frame, forces: &[Form; 2], bias: f64) -> Step {
        let total = self.scale.len();
        let size = forces[0].shared.len();
        let mut right: Vec<f64> = forces.iter().flat_map(|force| &force.shared).copied().collect();
        if total > 2 * size {
            right.push(bias);
        }
        let halfway: Vec<Halfway> = self
            .clusters
            .par_iter()
            .enumerate()
            .map(|(c, cluster)| cluster.halfway([&forces[0].own[c], &forces[1].own[c]], total))
            .collect();
        for half in &halfway {
            right.iter_mut().zip(&half.shared).for_each(|(sum, part)| *sum += part);
        }
        let mut column = Mat::from_fn(total, 1, |j, _| right[j] * self.scale[j]);
        self.factor.solve_in_place(column.as_mut());
        let shared: Vec<f64> = self.scale.iter().enumerate().map(|(j, scale)| scale * column[(j, 0)]).collect();
        let own: Vec<[Vec<f64>; 2]> =
            self.clusters.par_iter().zip(&halfway).map(|(cluster, half)| cluster.back(half, &shared)).collect();
        let (plus, minus): (Vec<_>, Vec<_>) = own.into_iter().map(<(Vec<f64>, Vec<f64>)>::from).unzip();
        let sides =
            [Side::from_step(frame, &shared[..size], &plus), Side::from_step(frame, &shared[size..2 * size], &minus)];
        Step { sides, bias: shared.get(2 * size).copied().unwrap_or(0.0) }
    }
}

/// A cluster's part of a right-hand side.
struct Halfway {
    /// L⁻¹r of both sides.
    right: [Vec<f64>; 2],
    /// π₀.
    force: Vec<f64>,
    /// What it adds to the right-hand side of what is shared.
    shared: Vec<f64>,
}

impl Eliminated {
    fn halfway(&self, forces: [&Vec<f64>; 2], total: usize) -> Halfway {
        let k = self.pull.len();
        let mut pushed = vec![0.0; k];
        let mut shared = Mat::<f64>::zeros(total, 1);
        let mut first = 0;
        let right = [0, 1].map(|b| {
            let (side, n) = (&self.sides[b], forces[b].len());
            let mut right = Mat::from_fn(n, 1, |i, _| forces[b][i]);
            solve_lower_triangular_in_place(side.lower.as_ref(), right.as_mut(), Par::Seq);
            let size = side.cross.ncols();
            let out = shared.submatrix_mut(first, 0, size, 1);
            matmul(out, Accum::Replace, side.cross.transpose(), &right, -1.0, Par::Seq);
            first += size;
            let right = right.col_as_slice(0).to_vec();
            (0..k).for_each(|a| pushed[a] += dot(side.slopes.col_as_slice(a), &right));
            right
        });
        // π₀ = (I − MV) q.
        let q: Vec<f64> = (0..k).map(|a| self.curvature[a] * pushed[a] - self.pull[a]).collect();
        let through: Vec<f64> = (0..k).map(|a| (0..k).map(|b| self.give[(a, b)] * q[b]).sum()).collect();
        let force: Vec<f64> = (0..k).map(|a| q[a] - (0..k).map(|b| self.m[(a, b)] * through[b]).sum::<f64>()).collect();
        let column = MatRef::from_column_major_slice(&force, k, 1);
        matmul(shared.as_mut(), Accum::Add, self.k.transpose(), column, -1.0, Par::Seq);
        Halfway { right, force, shared: shared.col_as_slice(0).to_vec() }
    }

    fn back(&self, half: &Halfway, shared: &[f64]) -> [Vec<f64>; 2] {
        let k = self.pull.len();
        let column = MatRef::from_column_major_slice(shared, shared.len(), 1);
        let mut free = Mat::<f64>::zeros(k, 1);
        matmul(free.as_mut(), Accum::Replace, &self.k, column, 1.0, Par::Seq);
        let mut force = Mat::from_fn(k, 1, |a, _| half.force[a]);
        matmul(force.as_mut(), Accum::Add, &self.m, &free, 1.0, Par::Seq);
        let mut first = 0;
        [0, 1].map(|b| {
            let side = &self.sides[b];
            let size = side.cross.ncols();
            let mut right = Mat::from_fn(half.right[b].len(), 1, |i, _| half.right[b][i]);
            matmul(right.as_mut(), Accum::Add, &side.cross, column.submatrix(first, 0, size, 1), -1.0, Par::Seq);
            matmul(right.as_mut(), Accum::Add, &side.slopes, &force, -1.0, Par::Seq);
            solve_upper_triangular_in_place(side.lower.transpose(), right.as_mut(), Par::Seq);
            first += size;
            right.col_as_slice(0).to_vec()
        })
    }
}

impl Sums {
    fn new(total: usize, order: usize) -> Sums {
        Sums { matrix: Mat::zeros(total, total), shared: [Shared::new(order), Shared::new(order)] }
    }

    fn add(&mut self, other: &Sums) {
        self.matrix += &other.matrix;
        self.shared.iter_mut().zip(&other.shared).for_each(|(sum, part)| sum.add(part));
    }
}

/// Eliminates one cluster: adds what it contributes to the sums, and returns what right-hand sides need.
fn eliminate(
    frame: &Frame,
    scalings: &[Scaling; 2],
    sloped: &Sloped,
    cluster: usize,
    sums: &mut Sums,
) -> Option<Eliminated> {
    let range = frame.clusters[cluster].clone();
    let (order, k) = (frame.order(), range.len());
    let (size, total) = (packed(order), sums.matrix.ncols());
    let mut freely = Mat::<f64>::zeros(k, total);
    let mut give = Mat::<f64>::zeros(k, k);
    let mut reduced = Vec::with_capacity(2);
    for (b, scaling) in scalings.iter().enumerate() {
        let first = b * size;
        let factor = |a: usize| frame.part(b, range.start + a);
        let Local { hessian, cross } =
            Local::new(frame, scaling, cluster, &mut sums.matrix, first, &mut sums.shared[b]);
        let lower = cholesky(hessian)?;
        let mut slopes = Mat::<f64>::zeros(lower.nrows(), k);
        (0..k).for_each(|a| slopes[(a * order, a)] = factor(a));
        // What was found is Bᵀ.
        let mut cross = cross.transpose().to_owned();
        solve_lower_triangular_in_place(lower.as_ref(), slopes.as_mut(), Par::Seq);
        solve_lower_triangular_in_place(lower.as_ref(), cross.as_mut(), Par::Seq);
        add_lower(sums.matrix.submatrix_mut(first, first, size, size), cross.transpose(), cross.as_ref(), -1.0);
        let block = freely.submatrix_mut(0, first, k, size);
        matmul(block, Accum::Replace, slopes.transpose(), &cross, -1.0, Par::Seq);
        for a in 0..k {
            let x = frame.rows.unit.col_as_slice(range.start + a);
            x.iter().enumerate().for_each(|(j, x)| freely[(a, first + 1 + j)] += factor(a) * x);
        }
        matmul(give.as_mut(), Accum::Add, slopes.transpose(), &slopes, 1.0, Par::Seq);
        reduced.push(Reduced { lower, cross, slopes });
    }
    if total > 2 * size {
        (0..k).for_each(|a| freely[(a, total - 1)] = 1.0);
    }
    let points = || range.clone().map(|i| frame.rows.point[i]);
    let curvature: Vec<f64> = points().map(|p| sloped.curvature[p].max(0.0)).collect();
    let pull: Vec<f64> = points().map(|p| sloped.weights[p]).collect();
    let m = stiffness(&curvature, &give)?;
    let mut stiff = Mat::<f64>::zeros(k, total);
    matmul(stiff.as_mut(), Accum::Replace, &m, &freely, 1.0, Par::Seq);
    add_lower(sums.matrix.as_mut(), freely.transpose(), stiff.as_ref(), 1.0);
    let [plus, minus] = <[Reduced; 2]>::try_from(reduced).ok()?;
    Some(Eliminated { sides: [plus, minus], k: freely, m, give, curvature, pull })
}

/// `(I + WV)⁻¹W = W^½ (I + W^½ V W^½)⁻¹ W^½`.
fn stiffness(curvature: &[f64], give: &Mat<f64>) -> Option<Mat<f64>> {
    let k = curvature.len();
    let roots: Vec<f64> = curvature.iter().map(|w| w.sqrt()).collect();
    let whole = Mat::from_fn(k, k, |a, b| f64::from(u8::from(a == b)) + roots[a] * give[(a, b)] * roots[b]);
    let factor = whole.llt(Half::Lower).ok()?;
    let mut inner = Mat::from_fn(k, k, |a, b| if a == b { roots[a] } else { 0.0 });
    solve_lower_triangular_in_place(factor.L(), inner.as_mut(), Par::Seq);
    let mut out = Mat::<f64>::zeros(k, k);
    matmul(out.as_mut(), Accum::Replace, inner.transpose(), &inner, 1.0, Par::Seq);
    Some(out)
}

/// Cholesky's factor, with the least damping of a short ladder.
fn cholesky(mut matrix: Mat<f64>) -> Option<Mat<f64>> {
    let diagonal: Vec<f64> = (0..matrix.nrows()).map(|i| matrix[(i, i)]).collect();
    for damping in [0.0, 1e-14, 1e-12, 1e-10, 1e-8] {
        diagonal.iter().enumerate().for_each(|(i, h)| matrix[(i, i)] = h * (1.0 + damping));
        if let Ok(factor) = matrix.llt(Half::Lower) {
            return Some(factor.L().to_owned());
        }
    }
    None
}
