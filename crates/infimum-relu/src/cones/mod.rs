//! `max Σ_p w_p relu(x_p·u)` over ‖u‖ ≤ 1 by branch and bound over simplicial cones; docs/relu.md, theorem 4, is what
//! is proven.
//!
//! Input: points x_p ∈ R^D, weights w_p of any sign. Output: a proven bound, the tree of cones that proves it, and the
//! best u that was seen.
//!
//! * `reduction.rs`: exact rank reduction `x_p = C_p T`.
//! * `rows.rs`: the rows in coordinates in which ‖Tᵀq‖ is Euclidean, scaled.
//! * `quadratic.rs`: the shortest q with `q·v_k ≥ c_k`.
//! * `cone.rs`: a cone and its bound; its children.
//! * `kernels.rs`: loops over rows.
//! * `split.rs`: where a cone is split.
//! * `ascent.rs`: local maxima, the other side of the bound.
//! * `tree.rs`: the tree as a certificate.
//! * `search.rs`: best-first search on several threads.

mod ascent;
mod cone;
mod kernels;
mod quadratic;
mod reduction;
mod rows;
mod search;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use infimum_problem::Cones;

use crate::Points;
use rows::Rows;

/// Largest rank for which the search is offered: the number of cones grows exponentially with it.
pub(crate) const LARGEST_RANK: usize = 8;

/// What to bound, and when to stop.
pub(crate) struct Request<'a> {
    /// x_p, distinct.
    pub(crate) points: &'a Points,
    /// w_p.
    pub(crate) w: &'a [f64],
    /// The proof has to hold for all weights that differ from w_p by at most so much; none: exactly these.
    pub(crate) errors: &'a [f64],
    /// Stop as soon as the bound is at most this; cones whose bound is are not split.
    pub(crate) target: f64,
    /// Stop as soon as a u with a value above this is found.
    pub(crate) refute: f64,
    /// Number of threads.
    pub(crate) threads: usize,
    /// Stop after about as many cones.
    pub(crate) nodes: u64,
    /// Stop when this says so.
    pub(crate) stop: &'a (dyn Fn() -> bool + Sync),
}

/// What was proven.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `Σ_p w_p relu(x_p·u) ≤ bound` for ‖u‖ ≤ 1.
    pub(crate) bound: f64,
    /// Why.
    pub(crate) cones: Cones,
    /// The best unit vector seen, and its value in plain `f64`.
    pub(crate) best: (Vec<f64>, f64),
    /// Number of cones looked at.
    pub(crate) nodes: u64,
    /// Why the search ended.
    pub(crate) ending: ConeEnding,
}

/// Why a search over cones ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConeEnding {
    /// The bound is at most the target.
    Reached,
    /// The target is below the maximum, and the bound is the maximum up to rounding.
    Exact,
    /// A value above `refute` was found.
    Refuted,
    /// Node limit, or told to stop.
    Stopped,
}

/// Bounds the maximum; `None` if there is nothing that this search can do: rank above [`LARGEST_RANK`], no columns, or
/// numbers whose sums overflow.
pub(crate) fn bound_over_cones(request: &Request) -> Option<Answer> {
    let reduction = reduction::reduce(request.points, LARGEST_RANK)?;
    macro_rules! by_rank {
        ($($rank:literal)*) => {
            match reduction.columns.len() {
                $($rank => {
                    let rows = Rows::<$rank>::new(request.points, request.w, request.errors, &reduction)?;
                    Some(search::search(&rows, request))
                })*
                _ => None,
            }
        };
    }
    by_rank!(1 2 3 4 5 6 7 8)
}
