//! Two-layer ReLU networks: the problem, its certificate's claim, and the witnesses of its bound (docs/relu.md).

use serde::{Deserialize, Serialize};

use crate::{Ending, Recipe, Source};

/// Treatment of the hidden units' constant terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HiddenBias {
    /// The weight of a constant input 1, penalised like the others.
    Penalized,
    /// Fixed at 0.
    None,
}

/// `f(x) = A relu(W x + b) + c`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReluNet {
    /// Number of outputs K.
    pub outputs: usize,
    /// Number of inputs d.
    pub columns: usize,
    /// Number of hidden units k, 0 for a constant.
    pub width: usize,
    /// `W`, width × columns, row-major.
    pub hidden: Vec<f64>,
    /// `b`, one for each hidden unit; 0 where hidden biases are `none`.
    pub hidden_biases: Vec<f64>,
    /// `A`, outputs × width, row-major.
    pub output: Vec<f64>,
    /// `c`, one for each output; 0 where output biases are `none`.
    pub output_biases: Vec<f64>,
}

/// What a certificate of rung 4 claims about
///
/// ```text
/// U(W, b, A, c) = Σ_i c_i·loss(y_i, A relu(W x_i + b) + c) + (λ2/2)(‖W‖² + ‖b‖² + ‖A‖² [+ ‖c‖² if the output bias is penalised])
/// ```
///
/// over networks of *every* width; loss, example weights, λ2 and the output bias (the recipe's intercept) are those of the canonical
/// problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReluClaim {
    /// [`crate::CERTIFICATE_VERSION`].
    pub version: u32,
    /// `"relu"`.
    pub kind: String,
    /// Source file.
    pub source: Source,
    /// How the file becomes the problem; no kernel, no standardising, λ1 = 0.
    pub recipe: Recipe,
    /// SHA-256 of the canonical problem, lower-case hex.
    pub problem_sha256: String,
    /// Treatment of the hidden units' constant terms.
    pub hidden_bias: HiddenBias,
    /// λ2 of the unnormalised sum, β in the literature.
    pub lambda2: f64,
    /// Number of training rows n.
    pub rows: usize,
    /// Number of features d.
    pub columns: usize,
    /// Number of outputs K.
    pub outputs: usize,
    /// Number of hidden units of the recorded network.
    pub width: usize,
    /// Σ c_i.
    pub total_weight: f64,
    /// No network of any width has an unnormalised objective below this.
    pub lower: f64,
    /// The recorded network's unnormalised objective is at most this.
    pub upper: f64,
    /// Gap that `Optimal` refers to: relative.
    pub gap: f64,
    /// Gap that `Optimal` refers to: absolute, of the unnormalised sum.
    pub abs_gap: f64,
    /// How the run ended; `Optimal` and `NotAttained` are claims and are checked.
    pub ending: Ending,
}

/// A proof that `Σ_p w_p relu(x_p·u) ≤ bound` for all ‖u‖ ≤ 1, where p counts the distinct rows (with the constant 1 behind them if hidden
/// biases are penalised) in the order in which they first appear, and w_p is the sum of ±α over the rows equal to row p.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// The bound, ≥ 0.
    pub bound: f64,
    /// Why it holds.
    pub proof: BoundProof,
}

/// Why the bound of a [`Witness`] holds; docs/relu.md, theorems 2 to 5. D is the length of the rows, M the number of distinct ones.
#[derive(Debug, Clone, PartialEq)]
pub enum BoundProof {
    /// `Σ_p max(w_p, 0)·‖x_p‖` is at most the bound: nothing to record.
    Norms,
    /// Moments of order up to two.
    Moments(Moments),
    /// Branch and bound over cones.
    Cones(Cones),
    /// Moments with products of the rows of a cluster.
    Clusters(Clusters),
}

/// Multipliers of the moment bound (theorem 3).
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// τ_p > 0, M of them.
    pub tau: Vec<f64>,
    /// g_p ∈ R^D, M × D row-major; or empty: all 0.
    pub g: Vec<f32>,
    /// σ_p, M of them.
    pub sigma: Vec<f64>,
    /// λ ≥ 0.
    pub lambda: f64,
    /// s.
    pub s: f64,
}

/// Multipliers of the moment bound with products of rows (theorem 5).
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Disjoint clusters of distinct rows; rows in none count by their norm.
    pub clusters: Vec<Cluster>,
    /// λ ≥ 0.
    pub lambda: f64,
    /// s.
    pub s: f64,
}

/// The multipliers of one cluster of k rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cluster {
    /// Distinct rows, counted from 0.
    pub rows: Vec<u32>,
    /// θ of each row.
    pub theta: Vec<f64>,
    /// r⁺ and r⁻ of each row, no less than the norms of v⁺ and v⁻.
    pub lengths: Vec<f64>,
    /// v⁺ and v⁻ of each row, 2k × D.
    pub vectors: Vec<f32>,
    /// For each two rows in places a < b, first b = 1, then b = 2, …: π ≥ 0 for the signs (+, +), (+, −), (−, +), (−, −) of a and b.
    pub products: Vec<f32>,
}

/// A tree of simplicial cones that cover the space (theorem 4).
#[derive(Debug, Clone, PartialEq)]
pub struct Cones {
    /// Rows as combinations of fewer numbers, where their rank r is below D; `None`: r = D.
    pub basis: Option<Basis>,
    /// Lengths s_j > 0 of the fan's axes, r of them: the root cones are generated by r of the r + 1 vectors `s_1 e_1, …, s_r e_r,
    /// −Σ_j s_j e_j`, in this order in its places; root number j lacks vector number j, both counted from 0 (the last tree is that of the
    /// axes alone).
    pub fan: Vec<f64>,
    /// The r + 1 trees, one after the other, each in preorder: a split is followed by the cone without its vector `from`, then by that without `to`.
    pub nodes: Vec<ConeNode>,
}

/// `x_p = C_p T` exactly, with `C_p` the entries of x_p in `columns` and T of shape r × D.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    /// Columns of the rows (D − 1 is the constant, if there is one), r of them.
    pub columns: Vec<u32>,
    /// T, row-major.
    pub coefficients: Vec<f64>,
}

/// A node of the tree. A cone is generated by r vectors, in places 0 to r − 1.
#[derive(Debug, Clone, PartialEq)]
pub enum ConeNode {
    /// The cone is the union of two: with `v = weights.0·v_from + weights.1·v_to` (as real numbers) in the place of `v_from`, and in the place of
    /// `v_to`.
    Split {
        /// A place.
        from: u8,
        /// Another place.
        to: u8,
        /// Both > 0.
        weights: (f64, f64),
    },
    /// `Σ_p w_p relu(C_p·v) ≤ q·v` for all v of the cone, and ‖Tᵀq‖ is at most the bound.
    Leaf {
        /// q ∈ R^r.
        q: Vec<f64>,
        /// For rows with w_p < 0 of which C_p·v has both signs in the cone: p (from 0) and the slope α = numerator/128 ≤ 1 with `relu(t) ≥ α t`. For
        /// rows that are not named, 1 if the sum of C_p·v over the cone's vectors is positive, else 0.
        slopes: Vec<(u32, u8)>,
    },
}

/// Claim and witness of rung 4.
#[derive(Debug, Clone, PartialEq)]
pub struct ReluCertificate {
    /// What is claimed.
    pub claim: ReluClaim,
    /// Incumbent.
    pub net: ReluNet,
    /// Dual point α, rows × outputs, row-major.
    pub dual: Vec<f64>,
    /// For each output the bound for w = α, then that for w = −α: 2 K of them.
    pub witnesses: Vec<Witness>,
}

impl HiddenBias {
    /// The name used on the command line and in certificates.
    pub fn name(self) -> &'static str {
        match self {
            HiddenBias::Penalized => "penalized",
            HiddenBias::None => "none",
        }
    }
}

impl ReluNet {
    /// The network that outputs `output_biases` everywhere.
    pub fn constant(columns: usize, output_biases: Vec<f64>) -> ReluNet {
        let outputs = output_biases.len();
        ReluNet {
            outputs,
            columns,
            width: 0,
            hidden: Vec::new(),
            hidden_biases: Vec::new(),
            output: Vec::new(),
            output_biases,
        }
    }

    /// Weights of hidden unit `j`.
    pub fn unit(&self, j: usize) -> &[f64] {
        &self.hidden[j * self.columns..(j + 1) * self.columns]
    }
}
