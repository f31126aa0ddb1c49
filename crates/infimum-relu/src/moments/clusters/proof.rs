//! Multipliers of theorem 5 (docs/relu.md), read off a point near the path, and the witness that they make.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Accum, Mat, Par, Side as Half};
use infimum_problem::{BoundProof, Cluster, Clusters, Witness};

use super::super::blocks::dot;
use super::super::bound::{Proving, norms_within, rounding};
use super::super::trust_region::Ball;
use super::Frame;
use super::cones::Cones;
use super::side::{pair, pairs};
use crate::Points;

/// By how much θ is raised over what was read off, relative to itself: what keeps the blocks of the clusters away from singular.
fn lift(order: usize) -> f64 {
    1e-8 + 4.0 * loss(order)
}

/// What a proof of an order by Cholesky's method may take away from each number of the diagonal, relative to it (`infimum-rigor/src/semidefinite.rs`), twice.
fn loss(order: usize) -> f64 {
    8.0 * (order as f64 + 2.0).powi(2) * 0.5 * f64::EPSILON
}

/// Relative slack of a bound, for the rounding of the search and of the checker.
const SLACK: f64 = 1e-9;

/// Multipliers for one w, cluster by cluster.
#[derive(Debug, Clone)]
pub(super) struct Products {
    clusters: Vec<Cluster>,
}

impl Products {
    /// The multipliers that a dual point of the cones holds.
    pub(super) fn read_off(frame: &Frame, dual: &Cones) -> Products {
        let order = frame.order();
        let mut products = dual.products.iter();
        let clusters = frame.clusters.iter().zip(&dual.semidefinite).map(|(range, matrix)| {
            let mut cluster = Cluster::default();
            for (a, i) in range.clone().enumerate() {
                let norm = frame.rows.norm[i];
                cluster.rows.push(frame.rows.point[i] as u32);
                cluster.theta.push(matrix[(order + a, order + a)] / (norm * norm));
                for column in [2 * i, 2 * i + 1] {
                    let z = dual.second.col_as_slice(column);
                    cluster.lengths.push(z[0] / norm);
                    cluster.vectors.extend(z[1..].iter().map(|z| (-z / norm) as f32));
                }
            }
            for ((a, b), values) in pairs(range.len()).zip(products.by_ref()) {
                let norms = frame.rows.norm[range.start + a] * frame.rows.norm[range.start + b];
                cluster.products.extend(values.map(|value| (value / norms) as f32));
            }
            cluster
        });
        Products { clusters: clusters.collect() }
    }
}

impl Proving for Products {
    fn witness(&self, points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Witness {
        self.proof(points, w, errors, scale).unwrap_or_else(|| norms_within(points, w, errors, scale))
    }
}

impl Products {
    fn proof(&self, points: &Points, w: &[f64], errors: &[f64], scale: f64) -> Option<Witness> {
        let d = points.dimension;
        let order = points.len() + d;
        let (mut square, mut linear, mut constant) = (Mat::<f64>::zeros(d, d), vec![0.0; d], 0.0);
        let (mut magnitude, mut wrong) = (0.0, 0.0);
        let mut plain = vec![0.0; d];
        let mut clusters = Vec::with_capacity(self.clusters.len());
        for cluster in &self.clusters {
            let mut cluster = scaled(cluster, d, scale, lift(order));
            let own: Vec<f64> = cluster.rows.iter().map(|&p| scale * w[p as usize]).collect();
            let mut more = lift(order);
            // What a cluster adds to uᵀQu + q·u + const, s maximised out.
            let added = loop {
                match eliminated(points, &cluster, &own, loss(order)) {
                    Some(added) => break added,
                    None if more < 1.0 => cluster.theta.iter_mut().for_each(|theta| *theta *= 1.0 + more),
                    None => return None,
                }
                more *= 10.0;
            };
            square += &added.square;
            linear.iter_mut().zip(&added.linear).for_each(|(sum, q)| *sum += q);
            constant += added.constant;
            plain.iter_mut().zip(&added.plain).for_each(|(sum, q)| *sum += q);
            magnitude += added.magnitude;
            for &p in &cluster.rows {
                let x = points.point(p as usize);
                wrong += scale * errors[p as usize] * dot(x, x).sqrt();
            }
            clusters.push(cluster);
        }
        let square = Mat::from_fn(d, d, |i, j| 0.5 * (square[(i, j)] + square[(j, i)]));
        let ball = Ball::new(&square, &linear)?;
        let (lambda, s) = ball.multipliers(0.0)?;
        // The diagonal that the checker sees is that before s is eliminated.
        let largest = plain.iter().fold(s + constant, |top, q| top.max(lambda - q));
        let slack =
            SLACK * (lambda + s + constant.abs()) + rounding(points.len(), order, largest, magnitude) + 2.0 * wrong;
        let (lambda, s) = ball.multipliers(slack)?;
        let s = s + constant;
        let bound = (lambda + s + 1e-12 * magnitude) * (1.0 + 1e-12) + wrong;
        (bound.is_finite() && bound >= 0.0)
            .then_some(Witness { bound, proof: BoundProof::Clusters(Clusters { clusters, lambda, s }) })
    }
}

/// Multipliers times `scale`, vectors and products rounded as they are recorded, lengths no shorter than the vectors are.
fn scaled(cluster: &Cluster, d: usize, scale: f64, lift: f64) -> Cluster {
    let single = |values: &[f32]| values.iter().map(|&value| (scale * f64::from(value)) as f32).collect::<Vec<f32>>();
    let vectors = single(&cluster.vectors);
    let lengths = cluster.lengths.iter().enumerate().map(|(place, length)| {
        let vector = &vectors[place * d..(place + 1) * d];
        let own = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt() * (1.0 + 1e-14);
        own.max(scale * length)
    });
    Cluster {
        rows: cluster.rows.clone(),
        theta: cluster.theta.iter().map(|theta| scale * theta * (1.0 + lift)).collect(),
        lengths: lengths.collect(),
        products: single(&cluster.products),
        vectors,
    }
}

/// `max_s` of a cluster's part of L.
struct Added {
    square: Mat<f64>,
    linear: Vec<f64>,
    constant: f64,
    /// The diagonal of Q before s is maximised out.
    plain: Vec<f64>,
    /// What Q's entries are summed from.
    magnitude: f64,
}

/// With the share `loss` of θ missing. `None` if L has no maximum over s.
fn eliminated(points: &Points, cluster: &Cluster, w: &[f64], loss: f64) -> Option<Added> {
    let (d, k) = (points.dimension, cluster.rows.len());
    let rows: Vec<&[f64]> = cluster.rows.iter().map(|&p| points.point(p as usize)).collect();
    let mut square = Mat::<f64>::zeros(d, d);
    let mut linear = vec![0.0; d];
    let mut magnitude = 0.0;
    // H, and s against (u, 1): L = lᵀs + uᵀB s − sᵀHs + …
    let mut curvature = Mat::<f64>::zeros(k, k);
    let mut border = Mat::<f64>::zeros(k, d + 1);
    for (a, x) in rows.iter().enumerate() {
        let (theta, lengths) = (cluster.theta[a], &cluster.lengths[2 * a..2 * a + 2]);
        let vectors = &cluster.vectors[2 * a * d..2 * (a + 1) * d];
        let (plus, minus) = vectors.split_at(d);
        curvature[(a, a)] = theta * (1.0 - loss);
        border[(a, d)] = 0.5 * w[a] + lengths[0] + lengths[1];
        let along = 0.5 * w[a] + lengths[0] - lengths[1];
        for j in 0..d {
            let (plus, minus) = (f64::from(plus[j]), f64::from(minus[j]));
            border[(a, j)] -= plus + minus;
            linear[j] += along * x[j];
            for i in 0..d {
                square[(i, j)] += x[i] * (theta * x[j] - (plus - minus));
            }
        }
        let norm = dot(x, x).sqrt();
        magnitude += norm * (theta * norm + w[a].abs() + 2.0 * (lengths[0] + lengths[1]));
    }
    for b in 1..k {
        for a in 0..b {
            let four = &cluster.products[4 * pair(a, b)..4 * pair(a, b) + 4];
            let [pp, pm, mp, mm] = [0, 1, 2, 3].map(|place| f64::from(four[place]));
            // (s_a + σ t_a)(s_b + ρ t_b): factors of s_a s_b, s_a t_b, t_a s_b and t_a t_b.
            let (both, right, left, rows_alone) =
                (pp + pm + mp + mm, pp - pm + mp - mm, pp + pm - mp - mm, pp - pm - mp + mm);
            curvature[(b, a)] -= 0.5 * both;
            curvature[(a, b)] -= 0.5 * both;
            for j in 0..d {
                border[(a, j)] += right * rows[b][j];
                border[(b, j)] += left * rows[a][j];
                for i in 0..d {
                    square[(i, j)] += rows_alone * rows[a][i] * rows[b][j];
                }
            }
            magnitude += 2.0 * both * dot(rows[a], rows[a]).sqrt() * dot(rows[b], rows[b]).sqrt();
        }
    }
    let plain = (0..d).map(|j| square[(j, j)]).collect();
    let factor = curvature.llt(Half::Lower).ok()?;
    solve_lower_triangular_in_place(factor.L(), border.as_mut(), Par::Seq);
    let mut out = Mat::<f64>::zeros(d + 1, d + 1);
    matmul(out.as_mut(), Accum::Replace, border.transpose(), &border, 0.25, Par::Seq);
    for j in 0..d {
        (0..d).for_each(|i| square[(i, j)] += out[(i, j)]);
        linear[j] += 2.0 * out[(j, d)];
    }
    let constant = out[(d, d)];
    let added = Added { square, linear, constant, plain, magnitude };
    added.constant.is_finite().then_some(added)
}
