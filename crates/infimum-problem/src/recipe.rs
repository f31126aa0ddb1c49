//! How a file becomes a problem: everything a second reader needs to rebuild the canonical problem from the bytes.

use serde::{Deserialize, Serialize};

use crate::{Intercept, Kernel, Loss};

/// File formats; compression (`.gz`) is recognised by content and is not part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Comma-separated text.
    Csv,
    /// Tab-separated text.
    Tsv,
    /// LIBSVM / SVMlight text.
    Libsvm,
    /// One NumPy array.
    Npy,
    /// A zip of NumPy arrays.
    Npz,
    /// IDX, the format of MNIST: a file of images and a file of labels, or the folder of both.
    Idx,
    /// A folder with a folder of PNG or JPEG images for each class.
    Images,
    /// Apache Parquet.
    Parquet,
    /// `builtin:NAME`.
    Builtin,
}

impl Format {
    /// Whether target and weights are columns or arrays that a user can name.
    pub fn has_columns(self) -> bool {
        !matches!(self, Format::Libsvm | Format::Idx | Format::Images)
    }
}

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of a list of labels.
    Classification,
    /// A number.
    Regression,
}

/// Factors on the example weights by class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeight {
    /// All 1.
    Uniform,
    /// `total / (K · weight of the class)`.
    Balanced,
    /// Given by label; labels not named have 1.
    Given(Vec<(String, f64)>),
}

/// Strength of the penalty as the user gave it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// `--C c`: λ2 = 1/c, λ1 = 0.
    C(f64),
    /// `--l1`, `--l2`: λ = fl(l · Σ c_i) each.
    PerExample {
        /// l1 ≥ 0.
        l1: f64,
        /// l2 ≥ 0.
        l2: f64,
    },
}

/// Which rows are held out for validation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Fraction of the rows held out, in (0, 1).
    pub fraction: f64,
    /// Seed of the split.
    pub seed: u64,
}

/// Which of the training rows are used, by a fixed rule (docs/canonical-problem.md, section 2, step 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subset {
    /// All but one of the folds of cross-validation.
    WithoutFold {
        /// Number of folds, ≥ 2.
        folds: usize,
        /// The fold left out, from 0.
        fold: usize,
        /// Seed of the folds.
        seed: u64,
    },
    /// So many rows of every class in proportion; a smaller share is part of every larger one with the same seed.
    Share {
        /// Number of rows.
        rows: usize,
        /// Seed of the order.
        seed: u64,
    },
}

/// The whole recipe with every choice resolved (nothing left to be inferred a second time), except what is computed
/// from the training rows by a fixed rule: label list, one-hot categories, balanced class weights, scales, Σ c_i.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Format of the bytes.
    pub format: Format,
    /// Whether the first line holds column names (CSV and TSV).
    pub header: bool,
    /// Target column, by name, or by number `"1"`, `"2"`, … where there are no names; array name for NPZ; empty for
    /// LIBSVM, IDX and images.
    pub target: String,
    /// Further target columns, named in the same way; the problem then has an output for each of them all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_targets: Vec<String>,
    /// Column (or NPZ array) of example weights, if any.
    pub sample_weight: Option<String>,
    /// What is predicted.
    pub task: Task,
    /// Class weights; `Uniform` for regression.
    pub class_weight: ClassWeight,
    /// Held-out rows, if any.
    pub split: Option<Split>,
    /// Which of the training rows are used; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
    /// Whether the penalty is weighted by the columns' standard deviations.
    pub standardize: bool,
    /// Loss.
    pub loss: Loss,
    /// Treatment of the constant term.
    pub intercept: Intercept,
    /// Penalty strength.
    pub strength: Strength,
    /// Kernel, with the parameters that are used; none for a linear model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
}

impl Recipe {
    /// All target columns, in the order of the outputs.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.target).chain(&self.more_targets).map(String::as_str)
    }

    /// The names of the outputs of several target columns; none of one.
    pub fn output_names(&self) -> Vec<String> {
        if self.more_targets.is_empty() { Vec::new() } else { self.targets().map(String::from).collect() }
    }
}

/// How one column of the source becomes columns of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// The number itself.
    Numeric,
    /// One column per category, in this order; 1 where the field equals the category. A field that is none of them
    /// gives zeros (possible only when predicting).
    OneHot(Vec<String>),
}

/// One source column used as feature(s).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Name in the source, or its number.
    pub name: String,
    /// How it is encoded.
    pub kind: FeatureKind,
}

/// How a row of a file of the same kind becomes a row of the matrix; stored with the model, for `predict`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// Features in order. Empty for LIBSVM, NPY, NPZ, IDX and images, where column j of the source is column j of the matrix.
    pub features: Vec<Feature>,
    /// Columns of the encoded matrix.
    pub columns: usize,
    /// Height, width and channels of every image, of which `columns` is the product; none where rows are no images of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<[usize; 3]>,
}
