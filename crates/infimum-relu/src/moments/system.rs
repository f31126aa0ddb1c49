//! Newton's system of one output for its blocks and its bias, slacks and ties eliminated.
//!
//! With the forms dt, dy = xᵀdUx, dκ = vᵀdUx (v = Ux), dq = x·du of a block and a row, the barrier of the row has Hessian B on (dy, dκ, dt,
//! dq), cross derivatives e with s, and second derivative h by s, plus the multiple 2/(s² − ‖v‖²) of ‖dUx‖². With the model H of the row
//! (`layers.rs`; with one hidden layer the loss's curvature), and the factor a of the block in η or δ, the change of these is the sum of a(dq + ds).
//! Minimised over ds, the quadratic of the row becomes
//!
//! ```text
//! ½ Σ_b [(dy, dκ, dt, dq) (B − e eᵀ/h) (…)ᵀ + 2‖dUx‖²/(s² − ‖v‖²)] + ½ yᵀ H (I + SH)⁻¹ y,   y = sums of a(dq − e/h),   S = sums of a²/h
//! ```
//!
//! so that two blocks are coupled by one rank-one term for each row. The 4 × 4 matrix C, with its share of the last term, need not be
//! positive semidefinite without the multiple of ‖dUx‖². Its forms on U are two, so that the sum over the rows of k_y r_yᵀ + k_κ r_κᵀ, where k are the
//! forms dy and dκ and r = C k, costs most of the time.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatRef, Par, Side};

use super::blocks::{Block, Distances, dot};
use super::packed::{add_form, add_log_determinant, add_product, at, packed, unpack};
use super::point::{Biases, Point, Setting};

/// Rows whose forms are in memory at a time.
const CHUNK: usize = 64;

/// The factorised system of one output.
pub(super) struct System {
    factor: Llt<f64>,
    scale: Vec<f64>,
    /// −∇Φ.
    pub(super) descent: Vec<f64>,
    /// What moves the solution when μ falls: the direction of steepest descent of the objective over μ.
    pub(super) pull: Vec<f64>,
}

/// What one block and row contribute.
struct Part {
    /// C, over (y, κ, t, q).
    matrix: [[f64; 4]; 4],
    /// The form `a_σ(dq − e/h)`.
    form: [f64; 4],
    /// 2/(s² − ‖v‖²).
    ball: f64,
}

impl System {
    /// The system of output `k` at `point`. `None` if it is not finite or cannot be factorised.
    pub(super) fn new(setting: &Setting, point: &Point, k: usize, mu: f64) -> Option<System> {
        let count = setting.layers.blocks();
        let blocks = &point.blocks[k * count..(k + 1) * count];
        let order = blocks[0].g.nrows();
        let size = packed(order);
        let has_bias = setting.biases != Biases::Absent;
        let total = count * size + usize::from(has_bias);
        let mut matrix = Mat::<f64>::zeros(total, total);
        let (mut descent, mut pull) = (vec![0.0; total], vec![0.0; total]);
        let mut border = vec![0.0; total];
        rows(setting, point, k, mu, &mut matrix, &mut descent, &mut pull, &mut border);
        let price = setting.prices(&point.blocks)[k];
        for (b, block) in blocks.iter().enumerate() {
            let first = b * size;
            add_log_determinant(&mut matrix, first, &block.inverse);
            for j in 0..order {
                for i in 0..=j {
                    descent[first + at(order, i, j)] += if i == j { 1.0 } else { 2.0 } * block.inverse[(i, j)];
                }
            }
            // −ln(t − tr U): t and the diagonal of U.
            let spare = block.spare().recip();
            let trace = |j: usize| if j == 0 { 1.0 } else { -1.0 };
            for j in 0..order {
                descent[first + at(order, j, j)] += trace(j) * spare;
                (j..order).for_each(|i| {
                    matrix[(first + at(order, i, i), first + at(order, j, j))] += trace(i) * trace(j) * spare * spare;
                });
            }
            descent[first] -= price / mu;
            pull[first] -= price / mu;
        }
        if setting.outputs > 1 {
            // β‖T‖ ≤ β(‖T‖²/‖T₀‖ + ‖T₀‖)/2 for T = (t_k)_k: the curvature of the right side, β/‖T₀‖ = β_k/T_k.
            let sum: f64 = blocks.iter().map(Block::t).sum();
            for b in 0..count {
                (0..=b).for_each(|a| matrix[(b * size, a * size)] += price / (sum * mu));
            }
        }
        if let Biases::Present { strength } = setting.biases {
            let last = total - 1;
            (0..last).for_each(|j| matrix[(last, j)] += border[j]);
            matrix[(last, last)] += border[last] + strength / mu;
            descent[last] -= strength * point.biases[k] / mu;
            pull[last] -= strength * point.biases[k] / mu;
        }
        let (factor, scale) = factorise(matrix)?;
        Some(System { factor, scale, descent, pull })
    }

    /// The solution for a right-hand side.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut column = Mat::from_fn(right.len(), 1, |i, _| right[i] * self.scale[i]);
        self.factor.solve_in_place(column.as_mut());
        self.scale.iter().enumerate().map(|(i, scale)| scale * column[(i, 0)]).collect()
    }
}

/// How the slacks of output `k` move with `step` (its blocks, packed, and its bias): `ds = −(e·dG + a r)/h` with r, the force of the model against
/// them, where `share` is that of the pull in the step. One vector for each block, and one for the ties.
pub(super) fn slack_steps(
    setting: &Setting,
    point: &Point,
    k: usize,
    mu: f64,
    step: &[f64],
    share: f64,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let rows = &setting.rows;
    let count = setting.layers.blocks();
    let blocks = &point.blocks[k * count..(k + 1) * count];
    let (d, size) = (rows.unit.nrows(), packed(rows.unit.nrows() + 1));
    let bias = if setting.biases == Biases::Absent { 0.0 } else { step.last().copied().unwrap_or(0.0) };
    let parts = blocks.iter().zip(step.chunks(size)).map(|(block, step)| {
        let mut change = Mat::<f64>::zeros(d + 1, d + 1);
        unpack(d + 1, step, &mut |i, j, value| (change[(i, j)], change[(j, i)]) = (value, value));
        let mut v = Mat::<f64>::zeros(d, rows.len());
        matmul(v.as_mut(), Accum::Replace, change.submatrix(1, 1, d, d), &rows.unit, 1.0, Par::Seq);
        let forms = (0..rows.len()).map(|i| {
            let (x, dv) = (rows.unit.col_as_slice(i), v.col_as_slice(i));
            let (e, h) = cross(block, i);
            let dq = dot(x, &change.col_as_slice(0)[1..]);
            let cross = e[0] * dot(x, dv) + e[1] * dot(block.v.col_as_slice(i), dv) + e[2] * change[(0, 0)] + e[3] * dq;
            (dq, cross, h)
        });
        forms.collect::<Vec<_>>()
    });
    let parts: Vec<Vec<(f64, f64, f64)>> = parts.collect();
    let mut steps = vec![vec![0.0; rows.len()]; count];
    let mut ties = vec![0.0; if point.ties.is_empty() { 0 } else { rows.len() }];
    for i in 0..rows.len() {
        let model = setting.model(point, k, i, mu);
        let part = |b: usize| setting.part(k * count + b, i).map(|(channel, a)| (channel, a, parts[b][i]));
        let (mut free, mut give) = ([bias, 0.0], [0.0; 2]);
        for (channel, a, (dq, cross, h)) in (0..count).filter_map(part) {
            free[channel] += a * (dq - cross / h);
            give[channel] += a * a / h;
        }
        let (against, tie) = model.respond(free, give, model.pull.map(|pull| share * pull));
        for (b, steps) in steps.iter_mut().enumerate() {
            if let Some((channel, a, (_, cross, h))) = part(b) {
                steps[i] = -(cross + a * against[channel]) / h;
            }
        }
        if let Some(place) = ties.get_mut(i) {
            *place = tie;
        }
    }
    (steps, ties)
}

/// Cholesky's factor of the matrix scaled to a diagonal of ones, with the least damping of a short ladder that makes it positive definite.
pub(super) fn factorise(mut matrix: Mat<f64>) -> Option<(Llt<f64>, Vec<f64>)> {
    let order = matrix.nrows();
    let inverse_root = |h: f64| if h > 0.0 { h.sqrt().recip() } else { 1.0 };
    let scale: Vec<f64> = (0..order).map(|j| inverse_root(matrix[(j, j)])).collect();
    if !scale.iter().all(|s| s.is_finite()) {
        return None;
    }
    for j in 0..order {
        let column = &mut matrix.col_as_slice_mut(j)[j..];
        column.iter_mut().zip(&scale[j..]).for_each(|(h, s)| *h *= s * scale[j]);
    }
    for damping in [0.0, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4] {
        (0..order).for_each(|j| matrix[(j, j)] = 1.0 + damping);
        if let Ok(factor) = matrix.llt(Side::Lower) {
            return Some((factor, scale));
        }
    }
    None
}

/// Adds what the rows contribute. `border` is the row of the bias.
fn rows(
    setting: &Setting,
    point: &Point,
    k: usize,
    mu: f64,
    matrix: &mut Mat<f64>,
    descent: &mut [f64],
    pull: &mut [f64],
    border: &mut [f64],
) {
    let rows = &setting.rows;
    let blocks_of = setting.layers.blocks();
    let blocks = &point.blocks[k * blocks_of..(k + 1) * blocks_of];
    let (d, size) = (rows.unit.nrows(), packed(rows.unit.nrows() + 1));
    let last = border.len() - 1;
    let has_bias = setting.biases != Biases::Absent;
    let mut is_row = vec![false; setting.points];
    rows.point.iter().for_each(|&p| is_row[p] = true);
    if has_bias {
        for p in 0..setting.points {
            let entry = p * setting.outputs + k;
            descent[last] += point.sloped.weights[entry] / mu;
            if !is_row[p] {
                pull[last] += point.sloped.weights[entry] / mu;
                border[last] += point.sloped.curvature[entry] / mu;
            }
        }
    }
    // Weighted sums over the rows: that of u's outer products, and that of ‖dUx‖².
    let mut products = vec![Mat::<f64>::zeros(d, d); blocks_of];
    let mut squares = vec![Mat::<f64>::zeros(d, d); blocks_of];
    let mut plain = Mat::<f64>::zeros(size, 2 * CHUNK);
    let mut images = Mat::<f64>::zeros(size, 2 * CHUNK);
    let mut forms = vec![Mat::<f64>::zeros(size, CHUNK); blocks_of];
    let mut weighted = Mat::<f64>::zeros(size, CHUNK);
    let mut others = Mat::<f64>::zeros(size, CHUNK);
    let mut weighted_rows = Mat::<f64>::zeros(d, CHUNK);
    let mut rows_of = Mat::<f64>::zeros(d, CHUNK);
    for first in (0..rows.len()).step_by(CHUNK) {
        let range = first..(first + CHUNK).min(rows.len());
        // The coupling and the pull of each row of the chunk, and the forces on its slacks.
        let models = range.clone().map(|i| {
            let model = setting.model(point, k, i, mu);
            let mut give = [0.0; 2];
            for (b, block) in blocks.iter().enumerate() {
                if let Some((channel, a)) = setting.part(k * blocks_of + b, i) {
                    give[channel] += a * a / block.distances(i).slopes(block.slack[i]).1;
                }
            }
            let (coupling, pull) = model.stiffened(give, model.pull);
            (coupling, pull, model.force)
        });
        let models: Vec<_> = models.collect();
        if has_bias {
            border[last] += models.iter().map(|model| model.0[0][0]).sum::<f64>();
            pull[last] += models.iter().map(|model| model.1[0]).sum::<f64>();
        }
        for (b, block) in blocks.iter().enumerate() {
            let offset = b * size;
            let (mut balls, mut lines, mut count) = ([0.0; CHUNK], [0.0; CHUNK], 0);
            for i in range.clone() {
                let Some((channel, a)) = setting.part(k * blocks_of + b, i) else { continue };
                let (coupling, pulls, force) = &models[i - first];
                let part = part(block, i, a, coupling[channel][channel]);
                let (x, v) = (rows.unit.col_as_slice(i), block.v.col_as_slice(i));
                for l in 0..2 {
                    let column = plain.col_as_slice_mut(2 * count + l);
                    column.fill(0.0);
                    add_form(column, x, v, 0.0, 0.0, (1 - l) as f64, l as f64);
                    let column = images.col_as_slice_mut(2 * count + l);
                    column.fill(0.0);
                    let c = part.matrix[l];
                    add_form(column, x, v, c[2], c[3], c[0], c[1]);
                }
                let column = forms[b].col_as_slice_mut(i - first);
                column.fill(0.0);
                add_form(column, x, v, part.form[2], part.form[3], part.form[0], part.form[1]);
                for (j, f) in column.iter().enumerate() {
                    pull[offset + j] += pulls[channel] * f;
                    if has_bias {
                        border[offset + j] += coupling[0][channel] * f;
                    }
                }
                let [_, _, [_, _, tt, tq], [_, _, _, qq]] = part.matrix;
                matrix[(offset, offset)] += tt;
                for j in 0..d {
                    matrix[(offset + 1 + j, offset)] += tq * x[j];
                }
                (lines[count], balls[count]) = (qq, part.ball);
                rows_of.col_as_slice_mut(count).copy_from_slice(x);
                // −gradient of the barrier of the row and of the loss.
                let Distances { upper, ball, line } = block.distances(i);
                add_form(
                    &mut descent[offset..offset + size],
                    x,
                    v,
                    block.y[i] / upper,
                    a * force[channel] - 2.0 * block.q[i] / line,
                    block.t() / upper,
                    -2.0 / ball,
                );
                count += 1;
            }
            let (left, right) = (plain.subcols(0, 2 * count), images.subcols(0, 2 * count));
            let (first_of_u, rest) = (d + 1, size - d - 1);
            let left = left.subrows(first_of_u, rest);
            let target = matrix.submatrix_mut(offset + first_of_u, offset, rest, first_of_u);
            matmul(target, Accum::Add, left, right.subrows(0, first_of_u).transpose(), 1.0, Par::Seq);
            let target = matrix.submatrix_mut(offset + first_of_u, offset + first_of_u, rest, rest);
            add_lower(target, left, right.subrows(first_of_u, rest).transpose(), 1.0);
            for (weights, sum) in [(&lines, &mut squares[b]), (&balls, &mut products[b])] {
                for local in 0..count {
                    let x = rows_of.col_as_slice(local);
                    let scaled = weighted_rows.col_as_slice_mut(local).iter_mut();
                    scaled.zip(x).for_each(|(s, x)| *s = weights[local] * x);
                }
                add_lower(sum.as_mut(), weighted_rows.subcols(0, count), rows_of.subcols(0, count).transpose(), 1.0);
            }
            for other in 0..b {
                let mut count = 0;
                for i in range.clone() {
                    let channels = [other, b].map(|b| setting.part(k * blocks_of + b, i).map(|part| part.0));
                    let [Some(channel), Some(this)] = channels else { continue };
                    let weight = models[i - first].0[this][channel];
                    let source = forms[b].col_as_slice(i - first);
                    let target = weighted.col_as_slice_mut(count).iter_mut();
                    target.zip(source).for_each(|(w, f)| *w = weight * f);
                    others.col_as_slice_mut(count).copy_from_slice(forms[other].col_as_slice(i - first));
                    count += 1;
                }
                let target = matrix.submatrix_mut(offset, other * size, size, size);
                let (left, right) = (weighted.subcols(0, count), others.subcols(0, count));
                matmul(target, Accum::Add, left, right.transpose(), 1.0, Par::Seq);
            }
        }
    }
    for b in 0..blocks_of {
        let full = Mat::from_fn(d, d, |i, j| products[b][(i.max(j), i.min(j))]);
        add_product(matrix, b * size, &full);
        for j in 0..d {
            for i in j..d {
                matrix[(b * size + 1 + i, b * size + 1 + j)] += squares[b][(i, j)];
            }
        }
    }
}

/// Adds `factor·left·right` to the lower triangle.
pub(super) fn add_lower(target: faer::MatMut<'_, f64>, left: MatRef<'_, f64>, right: MatRef<'_, f64>, factor: f64) {
    triangular::matmul(
        target,
        BlockStructure::TriangularLower,
        Accum::Add,
        left,
        BlockStructure::Rectangular,
        right,
        BlockStructure::Rectangular,
        factor,
        Par::Seq,
    );
}

/// Cross derivatives e of the barrier of row `i` by (y, κ, t, q) and s, and the second by s.
fn cross(block: &Block, i: usize) -> ([f64; 4], f64) {
    let (s, t, y, q) = (block.slack[i], block.t(), block.y[i], block.q[i]);
    let distances = block.distances(i);
    let (u, b, l) = (distances.upper.powi(-2), distances.ball.powi(-2), distances.line.powi(-2));
    ([-2.0 * s * t * u, -4.0 * s * b, -2.0 * s * y * u, -4.0 * s * q * l], distances.slopes(s).1)
}

/// The contribution of row `i` to a block; `a` = a_σ, `curvature` = W̃.
fn part(block: &Block, i: usize, a: f64, curvature: f64) -> Part {
    let (t, y, q) = (block.t(), block.y[i], block.q[i]);
    let Distances { upper, ball, line } = block.distances(i);
    let (e, h) = cross(block, i);
    let (u1, b1, l1) = (upper.recip(), ball.recip(), line.recip());
    let mut matrix = [[0.0; 4]; 4];
    matrix[0][0] = t * t * u1 * u1;
    matrix[1][1] = 4.0 * b1 * b1;
    matrix[2][0] = t * y * u1 * u1 - u1;
    matrix[2][2] = y * y * u1 * u1;
    matrix[3][3] = 4.0 * q * q * l1 * l1 + 2.0 * l1;
    let form = [-a * e[0] / h, -a * e[1] / h, -a * e[2] / h, a - a * e[3] / h];
    for r in 0..4 {
        for c in 0..=r {
            matrix[r][c] += curvature * form[r] * form[c] - e[r] * e[c] / h;
            matrix[c][r] = matrix[r][c];
        }
    }
    Part { matrix, form, ball: 2.0 * b1 }
}
