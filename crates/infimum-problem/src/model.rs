//! A linear model `z = W x + b`, or one over a kernel, `z = Σ_j β_j K(x_j, x) + b`.

/// Weights and intercepts; the raw outputs for a row x are `z_k = Σ_j W_kj x_j + b_k`. With a kernel there is one column per
/// training row, W holds the coefficients β, and `K(x_j, x)` stands for `x_j`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Rows of `W`.
    pub outputs: usize,
    /// Columns of `W`.
    pub columns: usize,
    /// `W`, row-major, outputs × columns.
    pub weights: Vec<f64>,
    /// `b`, one per output (0 where the intercept is `none`).
    pub intercepts: Vec<f64>,
}

impl Model {
    /// The model that outputs zero everywhere.
    pub fn zeros(outputs: usize, columns: usize) -> Model {
        Model { outputs, columns, weights: vec![0.0; outputs * columns], intercepts: vec![0.0; outputs] }
    }

    /// Row `k` of `W`.
    pub fn row(&self, k: usize) -> &[f64] {
        &self.weights[k * self.columns..(k + 1) * self.columns]
    }
}
