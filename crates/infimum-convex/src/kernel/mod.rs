//! Kernel machines: `min_f Σ c_i·loss(y_i, f(x_i) + b) + (λ2/2)‖f‖²` over the space of a kernel, by its dual
//! `max_α Σ g_i(α_i) − αᵀKα/(2λ2)` with `f = Σ_j (α_j/λ2) K(x_j, ·)` (docs/kernels.md).

mod cache;
mod rows;
mod set;
mod smo;
#[cfg(test)]
mod tests;

pub(crate) use cache::BUDGET;
pub(crate) use rows::Rows;
pub use rows::kernel_outputs;
pub(crate) use smo::solve;
