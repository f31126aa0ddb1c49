//! The moment bound for other rungs: dual points and multipliers along the central path, for networks with one hidden layer and with more, at prices that
//! the caller chooses; and witnesses for weights that the caller has made of them.

use infimum_problem::{Intercept, Problem, Witness};

use crate::Instance;
use crate::conflicts::unavoidable;
use crate::moments::{self, Layers, Path};

pub use crate::moments::{Multipliers, Near};

/// Operations of one step along the path.
const MOST_OPERATIONS: f64 = 2e10;

/// Losses of a problem over rows of the caller's.
pub struct Relaxation<'a> {
    instance: Instance<'a>,
}

impl<'a> Relaxation<'a> {
    /// `rows` are those that the first layer reads, each of length `dimension`; of the problem only weights, targets and loss count.
    pub fn new(problem: &'a Problem, dimension: usize, rows: impl Iterator<Item = Vec<f64>>) -> Relaxation<'a> {
        let mut instance = Instance::with_rows(problem, dimension, rows);
        instance.output_bias = Intercept::None;
        Relaxation { instance }
    }

    /// K.
    pub fn outputs(&self) -> usize {
        self.instance.outputs
    }

    /// Whether an output has an influence on the slopes of another: softmax.
    pub fn is_coupled(&self) -> bool {
        moments::is_coupled(&self.instance)
    }

    /// Number of distinct rows.
    pub fn points(&self) -> usize {
        self.instance.points.len()
    }

    /// Length of the rows.
    pub fn dimension(&self) -> usize {
        self.instance.dimension()
    }

    /// For each row, which of the distinct ones it is, in the order in which they first appear.
    pub fn point_of(&self) -> &[u32] {
        &self.instance.point_of
    }

    /// Sums of α over the rows of each point, for output k, and by how much they may be wrong.
    pub fn merged(&self, alpha: &[f64], k: usize) -> (Vec<f64>, Vec<f64>) {
        (self.instance.merged(alpha, k), self.instance.merging_errors(alpha, k))
    }

    /// α of the network that is 0 everywhere.
    pub fn first_alpha(&self) -> Vec<f64> {
        let size = self.instance.rows() * self.instance.outputs;
        let (mut alpha, mut curvature) = (vec![0.0; size], vec![0.0; size]);
        self.instance.losses.derivatives(&vec![0.0; size], &mut alpha, &mut curvature);
        alpha
    }

    /// The side of each point and output: the sign of its α, and where that is 0, on which its domain has room.
    pub fn sides(&self, alpha: &[f64]) -> Vec<f64> {
        let outputs = self.instance.outputs;
        let (mut sides, mut room) = (vec![0.0; self.points() * outputs], vec![(0.0, 0.0); self.points() * outputs]);
        for (entry, &a) in alpha.iter().enumerate() {
            let (i, k) = (entry / outputs, entry % outputs);
            let place = self.instance.point_of[i] as usize * outputs + k;
            let (low, high) = self.instance.losses.domain(i, k);
            sides[place] += a;
            room[place] = (room[place].0 + low, room[place].1 + high);
        }
        let side = |(&sum, &(low, high)): (&f64, &(f64, f64))| {
            let up = if low == 0.0 || high == 0.0 { high > 0.0 } else { sum >= 0.0 };
            if up { 1.0 } else { -1.0 }
        };
        sides.iter().zip(&room).map(side).collect()
    }

    /// Whether a step along the central path takes seconds at most, with so many blocks for each output (2, or 4 with more hidden layers).
    pub fn is_affordable(&self, blocks: usize) -> bool {
        moments::affords_newton(&self.instance.points, blocks, self.instance.outputs, MOST_OPERATIONS)
    }

    /// Follows the central path. `sides` are those of the points and outputs for networks with more hidden layers, none for one. `each` sees every point near
    /// the path, and says at which price to go on, or that it is enough.
    pub fn follow(
        &self,
        sides: Option<Vec<f64>>,
        price: f64,
        stop: &(dyn Fn() -> bool + Sync),
        each: &mut dyn FnMut(&Near) -> Option<f64>,
    ) {
        let layers = sides.map_or(Layers::One, |sides| Layers::More { sides });
        let value = self.instance.losses.value(&vec![0.0; self.instance.rows() * self.instance.outputs]);
        let scale = value.max(f64::MIN_POSITIVE);
        let mut path = Path::of(&self.instance, layers, price, scale / (4.0 * price), 10.0 * scale);
        while let Some(near) = path.next_near(stop) {
            let Some(price) = each(&near) else { return };
            path.set_price(price);
        }
    }

    /// The witness of `Σ_p w_p relu(x_p·u) ≤ bound` for weights that may each be wrong by `errors`: by moments, or by norms where these are as good.
    pub fn witness(&self, w: &[f64], errors: &[f64], multipliers: &Multipliers) -> Witness {
        multipliers.best_witness(&self.instance.points, w, errors)
    }

    /// Multipliers for given weights by the first-order method, whose steps cost a product of rows and columns squared each.
    pub fn first_order(&self, w: &[f64], steps: usize, stop: &(dyn Fn() -> bool + Sync)) -> Multipliers {
        moments::tightest(&self.instance.points, w, steps, stop).1
    }

    /// α of the best common outputs of equal rows, singles that add up to exactly 0 over the rows of each point; `None` where all rows differ.
    pub fn conflicts(&self) -> Option<Vec<f64>> {
        unavoidable(&self.instance, (1u64 << 22) as f64)
    }

    /// `Σ_i g_i(α_i)`.
    pub fn gain(&self, alpha: &[f64]) -> f64 {
        self.instance.losses.gain(alpha)
    }

    /// Moves every row of α to a near point of its domain.
    pub fn clip(&self, alpha: &mut [f64]) {
        self.instance.losses.clip(alpha);
    }

    /// Smallest and largest α of row i and output k.
    pub fn domain(&self, i: usize, k: usize) -> (f64, f64) {
        self.instance.losses.domain(i, k)
    }
}
