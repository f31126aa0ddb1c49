//! The shortest q with `q·v_k ≥ c_k`, k = 1 … R, for R linearly independent v.
//!
//! `q = Σ_k μ_k v_k` with the solution of the linear complementarity problem `μ ≥ 0, Kμ − c ≥ 0, μ·(Kμ − c) = 0`, K the
//! Gram matrix of the v. It is solved by exchanging all violated indices between the sets of zero and of positive
//! multipliers, and, when that does not reduce their number for a while, only the last one, which ends for positive
//! definite K (Júdice & Pires, *A block principal pivoting algorithm for large-scale strictly monotone linear
//! complementarity problems*, Computers & Operations Research 21, 1994).
//!
//! Of generators that coincide up to rounding only one can have a multiplier, the one that asks for most. Where the
//! exchanges do not end, which is there, they are done again with the generators in the order of what they ask for,
//! and those that depend on earlier ones left out. The caller checks what comes out.

use super::rows::Vector;

/// Violations below this do not matter: the data are scaled to about 1, and the slack of the requirements is larger.
const TOLERANCE: f64 = 1e-14;

/// Exchanges of all violated indices that may pass without reducing their number.
const PATIENCE: u32 = 3;

/// Multipliers, and which of them are positive, as bits. `start` is a guess of those.
#[inline(always)]
pub(super) fn shortest<const R: usize>(gram: &[[f64; R]; R], c: &Vector<R>, start: u32) -> (Vector<R>, u32) {
    match exchange(gram, c, start, false) {
        Ok(found) => found,
        Err(_) => by_requirement(gram, c),
    }
}

#[cold]
fn by_requirement<const R: usize>(gram: &[[f64; R]; R], c: &Vector<R>) -> (Vector<R>, u32) {
    let mut order: [usize; R] = std::array::from_fn(|k| k);
    order.sort_by(|&k, &l| (c[l] / gram[l][l].sqrt()).total_cmp(&(c[k] / gram[k][k].sqrt())));
    let sorted_gram: [[f64; R]; R] = std::array::from_fn(|k| std::array::from_fn(|l| gram[order[k]][order[l]]));
    let sorted_c: Vector<R> = std::array::from_fn(|k| c[order[k]]);
    let (Ok((sorted_mu, _)) | Err(sorted_mu)): Result<(Vector<R>, u32), Vector<R>> =
        exchange(&sorted_gram, &sorted_c, 1, true);
    let mut mu = [0.0; R];
    let mut set = 0;
    for (k, &place) in order.iter().enumerate() {
        mu[place] = sorted_mu[k];
        set |= u32::from(sorted_mu[k] > 0.0) << place;
    }
    (mu, set)
}

/// The exchanges; `Err` with what is there if they did not end. Indices at which K_SS is singular are left out for
/// good if `leave_out`.
#[inline(always)]
fn exchange<const R: usize>(
    gram: &[[f64; R]; R],
    c: &Vector<R>,
    start: u32,
    leave_out: bool,
) -> Result<(Vector<R>, u32), Vector<R>> {
    let (mut set, mut fewest, mut patience) = (start, R as u32 + 1, PATIENCE);
    let mut mu = [0.0; R];
    let mut left_out = 0;
    for _ in 0..8 * R + 8 {
        let singular;
        (mu, singular) = multipliers(gram, c, set);
        let mut violated = singular;
        if leave_out {
            left_out |= singular;
        }
        if singular == 0 {
            for k in 0..R {
                let wrong = if set >> k & 1 == 1 {
                    mu[k] < 0.0
                } else {
                    let mut product = 0.0;
                    for l in 0..R {
                        product += gram[k][l] * mu[l];
                    }
                    left_out >> k & 1 == 0 && product - c[k] < -TOLERANCE
                };
                violated |= u32::from(wrong) << k;
            }
        }
        if violated == 0 {
            return Ok((mu, set));
        }
        let count = violated.count_ones();
        if count < fewest {
            (fewest, patience) = (count, PATIENCE);
        } else if patience > 0 {
            patience -= 1;
        } else {
            violated = 1 << violated.ilog2();
        }
        set ^= violated;
    }
    Err(mu.map(|value| value.max(0.0)))
}

/// The solution of `K_SS μ_S = c_S`, 0 elsewhere, by LDLᵀ; and the indices at which K_SS is numerically singular, whose
/// μ is 0.
#[inline(always)]
fn multipliers<const R: usize>(gram: &[[f64; R]; R], c: &Vector<R>, set: u32) -> (Vector<R>, u32) {
    let mut factor = [[0.0; R]; R];
    let mut inverse = [0.0; R];
    let mut singular = 0;
    let mut x = [0.0; R];
    for i in 0..R {
        if set >> i & 1 == 0 {
            continue;
        }
        let mut pivot = gram[i][i];
        let mut right = c[i];
        for j in 0..i {
            // factor[i][j] is first l_ij d_j.
            let mut rest = gram[i][j];
            for k in 0..j {
                rest -= factor[i][k] * factor[j][k] * inverse[k];
            }
            factor[i][j] = if inverse[j] != 0.0 { rest } else { 0.0 };
        }
        for j in 0..i {
            let l = factor[i][j] * inverse[j];
            pivot -= l * factor[i][j];
            right -= l * x[j];
        }
        if pivot > 1e-15 * gram[i][i] {
            inverse[i] = 1.0 / pivot;
            x[i] = right;
        } else {
            singular |= 1 << i;
        }
    }
    let mut mu = [0.0; R];
    for i in (0..R).rev() {
        let mut rest = x[i];
        for k in i + 1..R {
            rest -= factor[k][i] * mu[k];
        }
        mu[i] = rest * inverse[i];
    }
    (mu, singular)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const R: usize = 4;

    proptest! {
        #[test]
        fn conditions_of_optimality_hold(v in prop::array::uniform4(prop::array::uniform4(-1.0..1.0f64)), c in prop::array::uniform4(-1.0..1.0f64), start in 0u32..16) {
            let gram: [[f64; R]; R] = std::array::from_fn(|k| std::array::from_fn(|l| (0..R).map(|j| v[k][j] * v[l][j]).sum()));
            let (mu, set) = shortest(&gram, &c, start);
            let scale = mu.iter().fold(1.0f64, |a, &b| a.max(b));
            for k in 0..R {
                let product: f64 = (0..R).map(|l| gram[k][l] * mu[l]).sum::<f64>() - c[k];
                prop_assert!(mu[k] >= 0.0 && product >= -1e-11 * scale);
                prop_assert!(set >> k & 1 == 0 || product.abs() <= 1e-11 * scale);
                prop_assert!(set >> k & 1 == 1 || mu[k] == 0.0);
            }
        }
    }
}
