//! Problems for tests.

use infimum_problem::{ColumnNames, Dataset, DenseMatrix, Intercept, Loss, Matrix, Objective, Problem, Target};

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box & Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

/// A problem with dense rows.
pub(crate) fn problem(
    values: Vec<f64>,
    columns: usize,
    target: Target,
    loss: Loss,
    intercept: Intercept,
    beta: f64,
) -> Problem {
    let rows = values.len() / columns;
    Problem {
        data: Dataset {
            matrix: Matrix::Dense(DenseMatrix { rows, columns, values: values.into() }),
            column_names: ColumnNames::Numbered { columns, without: Vec::new() },
            target,
            weights: vec![1.0; rows],
            total_weight: rows as f64,
        },
        objective: Objective { loss, intercept, lambda1: 0.0, lambda2: beta, scales: None, kernel: None },
    }
}

/// Classes named 0, 1, ….
pub(crate) fn classes(classes: Vec<u32>) -> Target {
    let labels = (0..=classes.iter().copied().max().unwrap_or(0)).map(|k| k.to_string()).collect();
    Target::Class { labels, classes }
}
