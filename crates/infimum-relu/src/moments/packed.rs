//! Symmetric matrices G = [[t, uᵀ], [u, U]] as vectors, and quadratic forms on them.
//!
//! A matrix of order D + 1 is packed as t, u, and the upper triangle of U column by column; an entry off the diagonal counts once, for both its
//! places. `m_ij` is 1 on the diagonal and 2 off it.

use faer::Mat;

/// Number of entries.
pub(super) fn packed(order: usize) -> usize {
    order * (order + 1) / 2
}

/// Index of entry (i, j), i ≤ j.
pub(super) fn at(order: usize, i: usize, j: usize) -> usize {
    if i == 0 { j } else { order + j * (j - 1) / 2 + i - 1 }
}

/// Calls `each` with row, column ≥ row, and value of every entry.
pub(super) fn unpack(order: usize, entries: &[f64], each: &mut dyn FnMut(usize, usize, f64)) {
    let pairs = (0..order).map(|j| (0, j)).chain((1..order).flat_map(|j| (1..=j).map(move |i| (i, j))));
    pairs.zip(entries).for_each(|((i, j), &entry)| each(i, j, entry));
}

/// Adds the coefficients of the linear form `t·dt + q·x·du + y·xᵀdUx + kappa·vᵀdUx`.
pub(super) fn add_form(out: &mut [f64], x: &[f64], v: &[f64], t: f64, q: f64, y: f64, kappa: f64) {
    let (first, rest) = out.split_at_mut(x.len() + 1);
    first[0] += t;
    first[1..].iter_mut().zip(x).for_each(|(out, x)| *out += q * x);
    let mut start = 0;
    for j in 0..x.len() {
        let column = &mut rest[start..=start + j];
        // m_ij times entry (i, j) of y·xxᵀ + kappa·(vxᵀ + xvᵀ)/2.
        let (a, b) = (2.0 * y * x[j] + kappa * v[j], kappa * x[j]);
        column[..j].iter_mut().zip(x).zip(v).for_each(|((out, x), v)| *out += a * x + b * v);
        column[j] += y * x[j] * x[j] + kappa * v[j] * x[j];
        start += j + 1;
    }
}

/// Adds the coefficients of the linear form `factor·vᵀ dG w`, v and w of the order of G.
pub(super) fn add_bilinear(out: &mut [f64], v: &[f64], w: &[f64], factor: f64) {
    let (first, rest) = out.split_at_mut(v.len());
    let (v0, w0) = (factor * v[0], factor * w[0]);
    first[0] += v0 * w[0];
    first[1..].iter_mut().zip(&v[1..]).zip(&w[1..]).for_each(|((out, v), w)| *out += v0 * w + w0 * v);
    let mut start = 0;
    for j in 1..v.len() {
        let column = &mut rest[start..start + j];
        let (a, b) = (factor * v[j], factor * w[j]);
        column.iter_mut().zip(&v[1..j]).zip(&w[1..j]).for_each(|((out, v), w)| *out += a * w + b * v);
        column[j - 1] += a * w[j];
        start += j;
    }
}

/// Adds the Hessian of −ln det at P = G⁻¹ to the lower triangle of `out` from (`first`, `first`): the form `tr(dG P dG P)`.
pub(super) fn add_log_determinant(out: &mut Mat<f64>, first: usize, inverse: &Mat<f64>) {
    add_kronecker(out, first, inverse, inverse, 0.5);
}

/// Adds the quadratic form `2·factor·tr(dG A dG B)`, A and B symmetric, to the lower triangle of `out` from (`first`, `first`): entries
/// `factor·(a_ik b_jl + a_il b_jk + b_ik a_jl + b_il a_jk)·m_ij m_kl/2`.
pub(super) fn add_kronecker(out: &mut Mat<f64>, first: usize, a: &Mat<f64>, b: &Mat<f64>, factor: f64) {
    let order = a.nrows();
    for l in 0..order {
        for k in 0..=l {
            let (place, m) = (at(order, k, l), factor * if k == l { 0.5 } else { 1.0 });
            let (ak, al, bk, bl) = (a.col_as_slice(k), a.col_as_slice(l), b.col_as_slice(k), b.col_as_slice(l));
            let column = &mut out.col_as_slice_mut(first + place)[first..first + packed(order)];
            if k == 0 {
                (l..order).for_each(|j| {
                    let double = if j == 0 { 1.0 } else { 2.0 };
                    column[j] += double * m * (ak[0] * bl[j] + al[0] * bk[j] + bk[0] * al[j] + bl[0] * ak[j]);
                });
            }
            for j in if k == 0 { 1 } else { l }..order {
                let start = at(order, 1, j);
                let (akj, alj, bkj, blj) = (2.0 * m * ak[j], 2.0 * m * al[j], 2.0 * m * bk[j], 2.0 * m * bl[j]);
                for i in if k > 0 && j == l { k } else { 1 }..j {
                    column[start + i - 1] += ak[i] * blj + al[i] * bkj + bk[i] * alj + bl[i] * akj;
                }
                column[start + j - 1] += ak[j] * blj + bk[j] * alj;
            }
        }
    }
}

/// Adds `tr(dU S dU)` to the lower triangle of `out` from (`first`, `first`); S is of order D. Entries: `(S_jk δ_il + S_jl δ_ik + S_ik δ_jl +
/// S_il δ_jk)·m_ij m_kl/4`.
pub(super) fn add_product(out: &mut Mat<f64>, first: usize, s: &Mat<f64>) {
    let (d, order) = (s.nrows(), s.nrows() + 1);
    for l in 1..=d {
        for k in 1..=l {
            let (place, m) = (at(order, k, l), if k == l { 1.0 } else { 2.0 });
            let column = out.col_as_slice_mut(first + place);
            let mut add = |i: usize, j: usize, value: f64| {
                let weight = m * if i == j { 1.0 } else { 2.0 } / 4.0;
                if at(order, i, j) >= place {
                    column[first + at(order, i, j)] += weight * value;
                }
            };
            for other in 1..=d {
                // The four terms with i = l, i = k, j = l and j = k.
                if other >= l {
                    add(l, other, s[(other - 1, k - 1)]);
                }
                if other >= k {
                    add(k, other, s[(other - 1, l - 1)]);
                }
                if other <= l {
                    add(other, l, s[(other - 1, k - 1)]);
                }
                if other <= k {
                    add(other, k, s[(other - 1, l - 1)]);
                }
            }
        }
    }
}
