//! The quadratic form `⟨image(·), W⁻² image(·)⟩` of one side around one cluster: by its own unknowns ζ, by G, and by both.
//!
//! Of the semidefinite cone it is tr(M dP M dP), dP = [[dG, dZ], [dZᵀ, dS]], M = [[A, B], [Bᵀ, C]]:
//!
//! ```text
//! tr(A dG A dG) + 4 tr(dZᵀA dG B) + 2 tr(Bᵀ dG B dS) + 2 tr(A dZ C dZᵀ) + 2 tr(Bᵀ dZ Bᵀ dZ) + 4 tr(dS C dZᵀB) + tr(C dS C dS)
//! ```

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::super::packed::{add_bilinear, add_kronecker, packed};
use super::super::system::add_lower;
use super::Frame;
use super::cones::Scaling;
use super::side::{SIGNS, add_outer, add_scaled, pair, pairs, unknowns};

/// The form by ζζ and by ζ and G.
pub(super) struct Local {
    /// By ζζ, lower triangle.
    pub(super) hessian: Mat<f64>,
    /// By G (packed) and ζ, one column for each unknown of ζ.
    pub(super) cross: Mat<f64>,
}

/// `Σ (x̄ x̄ᵀ)/β²` over the second-order cones of one side: there is `tr(dG (−J) dG ·)` of them by G.
pub(super) struct Shared {
    cones: Mat<f64>,
}

impl Shared {
    pub(super) fn new(order: usize) -> Shared {
        Shared { cones: Mat::zeros(order, order) }
    }

    pub(super) fn add(&mut self, other: &Shared) {
        self.cones += &other.cones;
    }

    /// Adds what there is by G to the lower triangle of `out` from (`first`, `first`).
    pub(super) fn add_to(&self, out: &mut Mat<f64>, first: usize) {
        let order = self.cones.nrows();
        let signs = Mat::from_fn(order, order, |i, j| match (i == j, i) {
            (true, 0) => -1.0,
            (true, _) => 1.0,
            _ => 0.0,
        });
        add_kronecker(out, first, &signs, &self.cones, 0.5);
    }
}

impl Local {
    /// The form around `cluster`; what there is by G alone is added to the lower triangle of `matrix` from (`first`, `first`) and to `shared`.
    pub(super) fn new(
        frame: &Frame,
        scaling: &Scaling,
        cluster: usize,
        matrix: &mut Mat<f64>,
        first: usize,
        shared: &mut Shared,
    ) -> Local {
        let range = frame.clusters[cluster].clone();
        let (order, k) = (frame.order(), range.len());
        // S with its diagonal at first, which is then expressed by G.
        let (n, size, slots) = (unknowns(order, k), packed(order), k * order);
        let whole = n + k;
        let row = |a: usize| frame.lifted.col_as_slice(range.start + a);
        let m = &scaling.semidefinite[cluster].square;
        let a_part = m.submatrix(0, 0, order, order).to_owned();
        let b_part: Vec<Vec<f64>> = (0..k).map(|a| m.col_as_slice(order + a)[..order].to_vec()).collect();
        let c_part = |a: usize, b: usize| m[(order + a, order + b)];
        // Index of S_ab among the unknowns.
        let slot = |a: usize, b: usize| if a == b { n + a } else { slots + pair(a.min(b), a.max(b)) };

        let mut hessian = Mat::<f64>::zeros(whole, whole);
        let mut cross = Mat::<f64>::zeros(size, whole);
        add_kronecker(matrix, first, &a_part, &a_part, 0.5);
        for a in 0..k {
            for b in 0..=a {
                for j in 0..order {
                    for l in 0..order {
                        hessian[(a * order + j, b * order + l)] +=
                            2.0 * (c_part(a, b) * a_part[(j, l)] + b_part[b][j] * b_part[a][l]);
                    }
                }
            }
            for j in 0..order {
                add_bilinear(cross.col_as_slice_mut(a * order + j), a_part.col_as_slice(j), &b_part[a], 2.0);
            }
            // dS of a and b ≤ a, with itself and with dZ: 2 tr(dS C dZᵀB).
            for b in 0..=a {
                let place = slot(a, b);
                let double = if a == b { 1.0 } else { 2.0 };
                add_bilinear(cross.col_as_slice_mut(place), &b_part[a], &b_part[b], double);
                for c in 0..k {
                    for j in 0..order {
                        let value = if a == b {
                            2.0 * c_part(a, c) * b_part[a][j]
                        } else {
                            2.0 * (c_part(a, c) * b_part[b][j] + c_part(b, c) * b_part[a][j])
                        };
                        hessian[(place, c * order + j)] += value;
                    }
                }
            }
        }
        // tr(C dS C dS).
        let entries: Vec<(usize, usize)> = (0..k).flat_map(|a| (0..=a).map(move |b| (a, b))).collect();
        for &(a, b) in &entries {
            for &(c, e) in entries.iter().filter(|&&(c, e)| slot(c, e) <= slot(a, b)) {
                let multiple = if a == b { 0.5 } else { 1.0 } * if c == e { 1.0 } else { 2.0 };
                let value = c_part(a, c) * c_part(b, e) + c_part(a, e) * c_part(b, c);
                hessian[(slot(a, b), slot(c, e))] += multiple * value;
            }
        }
        // What is paired with x̄_a in the cross derivative of Z_a: one vector for each entry of Z_a.
        let mut partners = vec![Mat::<f64>::zeros(order, order); k];
        let count = k * (k.saturating_sub(1)) / 2;
        let mut forms = Mat::<f64>::zeros(size, 2 * k + count);
        let mut column = 0;
        let weights = &scaling.products[frame.first_pairs[cluster]..][..count];
        for ((a, b), weights) in pairs(k).zip(weights) {
            let mut moments = [[0.0; 4]; 4];
            for (weight, (sigma, rho)) in weights.iter().zip(SIGNS) {
                // By S_ab, x̄_a·Z_b, x̄_b·Z_a and x̄_aᵀGx̄_b.
                let form = [1.0, sigma, rho, sigma * rho];
                for r in 0..4 {
                    (0..4).for_each(|c| moments[r][c] += form[r] * form[c] * weight);
                }
            }
            let (place, za, zb) = (slot(a, b), a * order, b * order);
            let (xa, xb) = (row(a), row(b));
            hessian[(place, place)] += moments[0][0];
            for j in 1..order {
                hessian[(place, zb + j)] += moments[0][1] * xa[j];
                hessian[(place, za + j)] += moments[0][2] * xb[j];
                for l in 1..order {
                    hessian[(zb + j, zb + l)] += moments[1][1] * xa[j] * xa[l];
                    hessian[(za + j, za + l)] += moments[2][2] * xb[j] * xb[l];
                    hessian[(zb + j, za + l)] += moments[1][2] * xa[j] * xb[l];
                }
            }
            add_bilinear(cross.col_as_slice_mut(place), xa, xb, moments[0][3]);
            for j in 1..order {
                add_scaled(partners[b].col_as_slice_mut(j), xa, moments[1][3] * xa[j]);
                add_scaled(partners[a].col_as_slice_mut(j), xb, moments[2][3] * xb[j]);
            }
            add_bilinear(forms.col_as_slice_mut(column), xa, xb, moments[3][3].sqrt());
            column += 1;
        }
        for a in 0..k {
            let (mut total, mut difference) = (Mat::<f64>::zeros(order, order), Mat::<f64>::zeros(order, order));
            for (place, sign) in [1.0, -1.0].into_iter().enumerate() {
                let second = &scaling.second[2 * (range.start + a) + place];
                add_outer(&mut total, &second.normal, &second.normal, 1.0);
                add_outer(&mut difference, &second.normal, &second.normal, sign);
                for j in 0..order {
                    let diagonal = if j == 0 { -second.scale } else { second.scale };
                    total[(j, j)] += diagonal;
                    difference[(j, j)] += sign * diagonal;
                }
                add_outer(&mut shared.cones, row(a), row(a), second.scale);
                add_bilinear(forms.col_as_slice_mut(column), &second.normal, row(a), 1.0);
                column += 1;
            }
            for j in 0..order {
                for l in 0..order {
                    hessian[(a * order + j, a * order + l)] += total[(j, l)];
                }
                let mut partner = partners[a].col_as_slice(j).to_vec();
                add_scaled(&mut partner, difference.col_as_slice(j), 1.0);
                add_bilinear(cross.col_as_slice_mut(a * order + j), row(a), &partner, 1.0);
            }
        }
        add_lower(matrix.submatrix_mut(first, first, size, size), forms.as_ref(), forms.transpose(), 1.0);
        // S_aa = x̄_aᵀGx̄_a.
        let mut diagonal = Mat::<f64>::zeros(size, k);
        for a in 0..k {
            add_bilinear(diagonal.col_as_slice_mut(a), row(a), row(a), 1.0);
        }
        let block = Mat::from_fn(k, k, |a, b| hessian[(n + a.max(b), n + a.min(b))]);
        let mut images = cross.subcols(n, k).to_owned();
        matmul(images.as_mut(), Accum::Add, &diagonal, &block, 0.5, Par::Seq);
        add_lower(matrix.submatrix_mut(first, first, size, size), diagonal.as_ref(), images.transpose(), 1.0);
        add_lower(matrix.submatrix_mut(first, first, size, size), images.as_ref(), diagonal.transpose(), 1.0);
        let beside = hessian.submatrix(n, 0, k, n).to_owned();
        let mut cross = cross.subcols(0, n).to_owned();
        matmul(cross.as_mut(), Accum::Add, &diagonal, &beside, 1.0, Par::Seq);
        Local { hessian: hessian.submatrix(0, 0, n, n).to_owned(), cross }
    }
}
