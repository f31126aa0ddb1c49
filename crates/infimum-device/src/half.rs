//! Products in 16 bits.

use burn_tensor::backend::Backend;
use burn_tensor::{FloatDType, Tensor};

/// What products are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// 32 bits.
    No,
    /// IEEE half precision: eleven bits, up to 65504, so that slopes are scaled.
    F16,
    /// Eight bits, with the exponents of singles.
    #[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "only CUDA cards are asked whether they have it"))]
    Bf16,
}

impl Half {
    fn kind(self) -> Option<FloatDType> {
        match self {
            Half::No => None,
            Half::F16 => Some(FloatDType::F16),
            Half::Bf16 => Some(FloatDType::BF16),
        }
    }

    /// `operation(a, b)` in this precision, its result in singles again.
    pub(crate) fn apply<B: Backend, const D: usize>(
        self,
        a: Tensor<B, D>,
        b: Tensor<B, D>,
        operation: impl FnOnce(Tensor<B, D>, Tensor<B, D>) -> Tensor<B, D>,
    ) -> Tensor<B, D> {
        match self.kind() {
            None => operation(a, b),
            Some(kind) => operation(a.cast(kind), b.cast(kind)).cast(FloatDType::F32),
        }
    }

    /// `a b`.
    pub(crate) fn product<B: Backend, const D: usize>(self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        self.apply(a, b, Tensor::matmul)
    }
}
