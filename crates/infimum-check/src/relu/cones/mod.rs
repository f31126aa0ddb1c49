//! Theorem 4: the bound from a tree of cones that cover the space.
//!
//! * `basis.rs`: the rows as combinations of fewer numbers, exactly.
//! * `generator.rs`: a vector of a cone and what the rows give it, enclosed once.
//! * `cover.rs`: the tree is a cover; every leaf is visited with its cone.
//! * `leaf.rs`: the inequality of a leaf.

mod basis;
mod cover;
mod generator;
mod leaf;

use infimum_problem::Cones;

use super::points::Points;
use basis::Coordinates;
use cover::Cover;
use generator::Rows;

/// Largest r: a tree over more is not worth checking, and its vectors would take memory without end.
const MOST_PLACES: usize = 64;

/// Whether the tree proves `Σ_p w_p relu(x_p·u) ≤ bound` for ‖u‖ ≤ 1; the error says what is missing.
pub(super) fn proves(points: &Points, w: &[f64], cones: &Cones, bound: f64) -> Result<(), String> {
    let r = cones.fan.len();
    if r > MOST_PLACES {
        return Err(format!("cones of {r} vectors, at most {MOST_PLACES} expected"));
    }
    if let Some(j) = cones.fan.iter().position(|&s| !(s > 0.0 && s.is_finite())) {
        return Err(format!("length {} of the fan is {}, expected a finite number > 0", j + 1, cones.fan[j]));
    }
    let coordinates = Coordinates::new(points, cones.basis.as_ref(), r)?;
    let rows = Rows::new(&coordinates, w);
    Cover::new(&rows, &cones.fan).visit(&cones.nodes, |cone, q, slopes| {
        let norm = coordinates.norm(q);
        if !(norm <= bound) {
            return Err(format!("‖Tᵀq‖ may be {norm:e}, the bound is {bound:e}"));
        }
        leaf::holds(&rows, cone, q, slopes)
    })
}
