//! From bytes to the canonical problem.
//!
//! Input: a path or `builtin:NAME`, and a [`Request`] (what the user said) or a [`Recipe`](infimum_problem::Recipe) (everything resolved).
//! Output: [`Loaded`]: the training rows with their objective ([`Problem`](infimum_problem::Problem)), the held-out rows, and the
//! SHA-256 of the canonical problem. `docs/canonical-problem.md` is the specification; [`rebuild`] follows a recipe and
//! infers nothing, which is what the checker uses. [`load_loading`] and [`rebuild_loading`] do the same for
//! loading problems, in exact integers.
#![forbid(unsafe_code)]

mod architecture;
mod arrays;
mod builtin;
mod canonical;
mod csv;
mod describe;
mod digest;
mod encode;
mod error;
mod exact;
mod fields;
mod generate;
mod hash;
mod idx;
mod images;
mod infer;
mod kernel;
mod libsvm;
mod memory;
mod network;
mod npy;
mod npz_writer;
mod number;
mod numbers;
mod outputs;
#[cfg(feature = "parquet")]
mod parquet;
mod predict;
mod raw;
pub mod reductions;
mod rows;
mod several;
mod source;
mod stream;
mod subset;
mod tabular;
mod variant;

pub use architecture::{has_output_bias, is_of_layers, parse_architecture, read_architecture};
pub use builtin::builtin_names;
pub use canonical::{Loaded, Request, Validation, ValidationTarget, load, rebuild};
pub use describe::{Description, describe};
pub use error::{DataError, Unit, one_line};
pub use exact::{
    LoadedLoading, LoadingRequest, LoadingRows, load_loading, load_rows, loading_sha256, rebuild_loading,
    targets_of_network,
};
pub use generate::{GenerateOptions, generate, generator_names};
pub use hash::problem_sha256;
pub use memory::{Memory, parse_bytes};
pub use network::{parse_network, read_network, write_network};
pub use npz_writer::{ArrayValues, write_npz};
pub use outputs::{OutputRows, read_outputs};
pub use predict::{KnownTarget, Prediction, read_for_prediction};
pub use subset::{smallest_share, subset_rows};
pub use variant::Change;

#[doc(hidden)]
pub mod fuzzing {
    //! Entry points of the fuzz targets: each parses bytes with one reader and drops the result.
    use infimum_problem::{ColumnNames, Format};

    /// Reads `bytes` as `format`, rounded and exactly, and discards what was understood.
    pub fn parse(bytes: &[u8], format: Format) {
        let _ = crate::raw::read_bytes(bytes, format);
        let _ = crate::exact::read_bytes(bytes, format);
    }

    /// Reads a network and a formula. What is understood is written, read again and compared.
    pub fn parse_text(text: &str) {
        let names = ColumnNames::Named(["a", "b", "3"].map(String::from).to_vec());
        for outputs in 1..3 {
            if let Ok(network) = crate::parse_network(text, 3, &names, outputs) {
                let written = crate::write_network(&network, &names);
                assert_eq!(crate::parse_network(&written, 3, &names, outputs).as_ref(), Ok(&network));
            }
        }
        if let Ok(formula) = crate::reductions::Cnf::parse("text", text) {
            let splitting = crate::reductions::SetSplitting::of_cnf(&formula.of_three());
            assert!(splitting.sets.iter().flatten().all(|&element| element < splitting.elements));
        }
    }
}
