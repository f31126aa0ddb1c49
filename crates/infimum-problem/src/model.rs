//! A linear model: `z = W x + b`.

/// Weights and intercepts; the raw outputs for a row x are `z_k = Σ_j W_kj x_j + b_k`.
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
