//! Arithmetic that infimum's proofs stand on.
//!
//! * [`Interval`]: enclosures `[lower, upper]` of real numbers; every operation rounds outward.
//! * [`Sum`]: long sums and dot products with a rigorous enclosure about as narrow as twice the working precision gives.
//! * [`ExactSum`]: sums of `f64` without any error, for conditions that must hold exactly.
//! * [`exp`], [`ln`], [`ln_1p`]: enclosures with a proved relative error (the platform's functions guarantee nothing);
//!   [`exp_negative`]: a plain `f64` for hot loops, with a proved bound.
//! * [`vectorized`]: loops compiled for the vector units of the machine.
//! * [`margins`], [`transpose_product`]: enclosures of `W x_i + b` and `Σ_i α_i x_i` over a dense or sparse matrix.
//! * [`outer_products`]: enclosures of `Σ_p x_p h_pᵀ`; [`is_positive_semidefinite`]: a proof for all matrices in such an enclosure,
//!   [`Envelope`] for matrices whose rows begin with zeros.
//!
//! Nothing here ever returns a finite enclosure that is wrong: overflow and invalid operations give `[−∞, +∞]`, which
//! proves nothing. All `f64` inputs are taken as exact real numbers.
#![forbid(unsafe_code)]

mod elementary;
mod exact;
mod interval;
mod linear;
mod outer;
mod semidefinite;
mod sum;
mod vector;

pub use elementary::{EXP_NEGATIVE_ERROR, exp, exp_negative, ln, ln_1p};
pub use exact::ExactSum;
pub use interval::Interval;
pub use linear::{ColumnSums, Rows, margins, transpose_product, transpose_product_by};
pub use outer::outer_products;
pub use semidefinite::{Envelope, is_positive_semidefinite};
pub use sum::Sum;
pub use vector::{lanes, vectorized};
