//! Lower bounds on the objective of every network of an architecture, of any width: what the checker turns into a theorem (docs/deep.md).
//!
//! Input: a problem with rows x_i, and an architecture. Output: planes (α, scales, witnesses), for which
//!
//! ```text
//! Σ_i c_i loss(y_i, f_θ(x̂_i)) ≥ Σ_i g_i(s α_i) − s·M·ρ,      ρ = Π_l ‖W_l‖,      (λ2/2)‖θ‖² ≥ (λ2/2) squares(ρ)
//! ```
//!
//! with M ≥ what networks with ρ = 1 gain from α. Equal rows with different targets give a plane with M = 0 for every architecture; chains of dense layers
//! with relu get planes from the relaxation by moments of `infimum-relu`. The theorem about norms needs no plane.
//!
//! * `chain.rs`: which architectures are chains. `envelope.rs`: what lines prove together.
//! * `plane.rs`: from multipliers to a plane. `ray.rs`: at the zero network's α. `search.rs`: along the central path, at which prices.

mod chain;
mod envelope;
mod plane;
mod ray;
mod search;
#[cfg(test)]
mod tests;

use infimum_problem::deep::{Architecture, DeepWitness};
use infimum_problem::{Matrix, Monitor, Problem};
use infimum_relu::relaxation::Relaxation;

use crate::training::Inputs;
use chain::Chain;
use search::Search;

/// The best found.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Planes; none where they would prove nothing, or where there was no time.
    pub witness: DeepWitness,
    /// What the planes prove, as this search evaluates it; the checker's theorem about norms may prove more.
    pub lower: f64,
}

/// Share of the bound that planes and scales may cost to be left out of the certificate.
const NEGLIGIBLE: f64 = 1e-4;

/// The best bound until the monitor says stop, with the threads of the current pool. The error says what does not fit.
pub fn bound(problem: &Problem, architecture: &Architecture, monitor: &dyn Monitor) -> Result<Bound, String> {
    if matches!(problem.data.matrix, Matrix::Spilled(_)) {
        return Err("bounds of networks need rows in memory".into());
    }
    let columns = problem.data.columns();
    if architecture.columns() != Some(columns) {
        return Err(format!("the network reads {:?} columns, the data has {columns}", architecture.columns()));
    }
    Ok(search(problem, architecture, monitor))
}

fn search(problem: &Problem, architecture: &Architecture, monitor: &dyn Monitor) -> Bound {
    let chain = Chain::of(architecture);
    let lambda = problem.objective.lambda2;
    let constant = chain.is_some_and(|chain| chain.constant);
    let columns = problem.data.columns();
    let dimension = columns + usize::from(constant);
    let inputs = Inputs::new(&problem.data.matrix, &architecture.scaling);
    let mut singles = Vec::with_capacity(columns);
    // What the first layer reads, with a 1 behind it where the chain has biases.
    let row = |i: usize| {
        singles.clear();
        inputs.append(i, &mut singles);
        singles.iter().map(|&x| f64::from(x)).chain(constant.then_some(1.0)).collect::<Vec<f64>>()
    };
    let rows = (0..inputs.rows()).map(row);
    let relaxation = Relaxation::new(problem, dimension, rows);
    // Of an architecture that is no chain only what holds for every ρ counts, and then nothing else does.
    let chain = chain.filter(|_| lambda > 0.0);
    let mut search = Search {
        relaxation: &relaxation,
        chain: chain.unwrap_or(Chain { layers: 2, biased: 1, constant: false }),
        lambda,
        monitor,
        planes: Vec::new(),
    };
    if let Some(alpha) = relaxation.conflicts() {
        let dual = alpha.iter().map(|&a| a as f32).collect();
        search.planes.extend(plane::proven(&relaxation, dual, Vec::new()));
    }
    if chain.is_some() {
        search.run();
    }
    search.thin(NEGLIGIBLE);
    search.thin_scales(NEGLIGIBLE);
    let lower = search.least().0;
    let planes = search.planes.into_iter().map(|proven| proven.plane).collect();
    Bound { witness: DeepWitness { planes }, lower }
}
