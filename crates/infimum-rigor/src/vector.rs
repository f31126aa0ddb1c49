//! Loops compiled for the vector units of the machine they run on.

use pulp::{Arch, Simd, WithSimd};

/// The work of one call. `FnMut` and not `FnOnce`: a closure that is called by reference is inlined into the function
/// compiled for AVX, while the shim that calls it by value is not, and then stays code for any machine.
struct Work<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Work<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _simd: S) -> R {
        (self.0)()
    }
}

/// Runs `work`, compiled for AVX-512, AVX2 with FMA or any machine, whichever this one has. Give it a closure marked
/// `#[inline(always)]` whose callees are inlined too: what is not inlined is not compiled anew. Results do not depend on which
/// version runs, since floating-point operations are never contracted or reordered.
#[inline(always)]
pub fn vectorized<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

/// Numbers (`f64`) in a vector of the version that [`vectorized`] runs here.
pub fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F64_LANES
        }
    }
    Arch::new().dispatch(Lanes)
}
