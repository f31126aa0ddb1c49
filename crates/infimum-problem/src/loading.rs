//! The loading problem (Judd 1988): do weights exist with which the network is right on all rows but E?

use dashu_int::{IBig, UBig};
use serde::{Deserialize, Serialize};

use crate::{ColumnNames, ColumnScale, Ending, Format, Network, Points, Source};

/// Points, wanted outputs and network. A row is right iff every output whose target is known has it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadingProblem {
    /// The rows' inputs, m × d.
    pub points: Points,
    /// Unit of each column's integers.
    pub scales: Vec<ColumnScale>,
    /// Name of each column.
    pub column_names: ColumnNames,
    /// Wanted outputs, m × outputs by rows; `None` where any value is right.
    pub targets: Vec<Option<bool>>,
    /// What an output of 1 means, one for each output: a label or a column.
    pub output_names: Vec<String>,
    /// The network.
    pub network: Network,
}

impl LoadingProblem {
    /// Number of rows m.
    pub fn rows(&self) -> usize {
        self.points.rows()
    }

    /// Wanted outputs of row `i`.
    pub fn target(&self, i: usize) -> &[Option<bool>] {
        let outputs = self.network.outputs.len();
        &self.targets[i * outputs..(i + 1) * outputs]
    }
}

/// How a file becomes points and targets, every choice resolved (docs/canonical-problem.md, section 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadingRecipe {
    /// Format of the bytes.
    pub format: Format,
    /// Whether the first line holds column names (CSV and TSV).
    pub header: bool,
    /// Target columns. One: its labels are the classes. Several: each holds 0, 1 or `?`.
    pub targets: Vec<String>,
}

/// What a certificate of rungs 2 and 3 claims: every network of this kind is wrong on at least `lower` rows, and the recorded one on
/// `upper`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadingClaim {
    /// [`crate::CERTIFICATE_VERSION`].
    pub version: u32,
    /// `"loading"`.
    pub kind: String,
    /// Source file.
    pub source: Source,
    /// How the file becomes points and targets.
    pub recipe: LoadingRecipe,
    /// SHA-256 of points, targets and network, lower-case hex.
    pub problem_sha256: String,
    /// Number of rows m.
    pub rows: usize,
    /// Number of columns d.
    pub columns: usize,
    /// The network.
    pub network: Network,
    /// Whether the proof may use the clauses that break symmetries (docs/loading.md, section 4).
    pub symmetry: bool,
    /// The errors are counted in the order of rows 0, stride, 2·stride, … modulo m (docs/loading.md, clauses D); coprime to m.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stride: u64,
    /// Maps of the points onto themselves that the proof may use (docs/loading.md, theorem 6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<PointMap>,
    /// Errors that were allowed in the question, if it was one of yes or no.
    pub allowed: Option<u64>,
    /// No weights are wrong on fewer rows.
    pub lower: u64,
    /// The recorded weights are wrong on so many rows; `None` without weights.
    pub upper: Option<u64>,
    /// How the run ended: `Satisfiable` claims upper ≤ allowed, `Infeasible` lower > allowed, `Optimal` lower = upper.
    pub ending: Ending,
    /// Margins of the recorded weights, with `upper` = 0, by increasing unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<MarginClaim>,
}

fn one() -> u64 {
    1
}

fn is_one(stride: &u64) -> bool {
    *stride == 1
}

/// A map of the points of all hidden units that turns the rows into the same rows in another order (docs/loading.md, theorem 6): some columns change places or are reflected,
/// the others stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointMap {
    /// The columns that do not stay, by increasing `to`; as many of them are taken from as are written to.
    pub moves: Vec<ColumnMove>,
    /// Whether rows that want 1 become rows that want 0, and the reverse.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exchanges: bool,
    /// The first so many rows are compared with their images.
    pub compared: u32,
}

/// A column of a point's image: column `from` of the point, or, reflected, `sum` minus that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMove {
    /// Column of the image.
    pub to: u32,
    /// Column of the point.
    pub from: u32,
    /// What a value and its reflection sum to, in the columns' integers; `None` if it is not reflected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<i64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// How wide the gap between the two classes of one output unit is (docs/loading.md, theorem 5). The *margin* of weights that are right on all rows is the Euclidean
/// distance of the nearest row with a known target from the hyperplane, in the units of the file's columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginClaim {
    /// The unit: free, reads columns alone, is an output.
    pub unit: u32,
    /// The margin of the recorded weights is at least this.
    pub lower: f64,
    /// No weights that are right on all rows have a margin above this.
    pub upper: f64,
}

/// A point of the convex hull of the rows wanted 1 and one of the hull of those wanted 0: of either side each row by its multiplier over the sum of the side's. Half
/// their distance bounds every margin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HullPoints {
    /// Rows that want the unit to be 1, strictly increasing, without inputs.
    pub left: Vec<Term>,
    /// Rows that want it to be 0.
    pub right: Vec<Term>,
}

/// Weights of one unit: its output is 1 iff `Σ weights·inputs + bias > 0`, over the columns' integers and the units' values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neuron {
    /// One for each input: columns, then units.
    pub weights: Vec<IBig>,
    /// Bias.
    pub bias: IBig,
}

/// For which units a circuit is a lemma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All units of this group of [`Network::groups`].
    Group(u32),
    /// One unit of kind `Mixed`; every term then has the assumed values of the unit's input units.
    Unit(u32),
}

/// A row in a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Row from 0.
    pub row: u32,
    /// Multiplier ≥ 1.
    pub multiplier: UBig,
    /// Assumed values of the input units of a `Mixed` unit, in order; empty for a group.
    pub inputs: Vec<bool>,
}

/// Points of which a positive combination on one side equals one on the other: `Σ λ_a (x_a, 1) = Σ μ_b (x_b, 1)`. No threshold unit is 1 on
/// all of one side and 0 on all of the other (Radon partition; docs/loading.md, theorem 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    /// For which units it is a lemma.
    pub scope: Scope,
    /// One side, rows strictly increasing within a group's circuit.
    pub left: Vec<Term>,
    /// The other.
    pub right: Vec<Term>,
}

/// One step of a proof by reverse unit propagation: assuming all literals of `clause` false, the clauses named by `hints`, in order, each
/// become unit, and the last false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofStep {
    /// Literals: variable numbers from 1, negative if negated. The last step's is empty.
    pub clause: Vec<i32>,
    /// Numbers of clauses: first the formula's from 1, then the lemmas', then those of the steps before.
    pub hints: Vec<u64>,
}

/// Claim and witness of rungs 2 and 3.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadingCertificate {
    /// What is claimed.
    pub claim: LoadingClaim,
    /// Weights of the free units in order, if `upper` is claimed.
    pub neurons: Option<Vec<Neuron>>,
    /// Lemmas of the proof.
    pub circuits: Vec<Circuit>,
    /// Refutation of "at most `lower` − 1 rows wrong"; empty if `lower` is 0.
    pub proof: Vec<ProofStep>,
    /// For every claimed margin what bounds it.
    pub hulls: Vec<HullPoints>,
}
