//! Training of deep networks on graphics cards.
//!
//! What [`infimum_deep::training`] minimises, `(1/Σc_i) Σ_i c_i loss(y_i, f_θ(x_i)) + (l2/2)‖θ‖²`, by the same rows, rates and steps; only where a step is computed differs.
//! θ, its gradient, what the optimizer remembers and the moving averages (each an array of as many singles as θ has) stay on the card; they come to the host for checkpoints and
//! evaluations, which are the processor's. So is everything that is proven afterwards: no theorem depends on what a card has computed.
//!
//! The outputs of a batch, examples × K, come to the host in each step: the loss and its slopes are the processor's own code in doubles
//! ([`infimum_deep::engine::loss_and_slopes`]), so every loss, weight and smoothing means the same everywhere. The slopes go back, and Burn's automatic differentiation carries them
//! through the layers.
//!
//! Without the features `cuda` and `wgpu` nothing of Burn is compiled, and [`open`] says what is missing.

#[cfg(feature = "burn")]
mod card;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "burn")]
mod forward;
#[cfg(feature = "burn")]
mod half;
mod open;
#[cfg(feature = "burn")]
mod optimizer;
mod place;
#[cfg(feature = "burn")]
mod reading;
#[cfg(all(test, feature = "burn"))]
mod tests;
#[cfg(feature = "wgpu")]
mod wgpu;
mod work;

pub use open::{OpenError, Opened, open};
pub use place::{Place, Precision};
pub use work::multiplications;
