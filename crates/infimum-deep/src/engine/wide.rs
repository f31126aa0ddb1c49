//! Loops for the processor at hand.
#![allow(unsafe_code)] // calling a function that is compiled for more than the target's base needs it; there is one such call

/// An expression, compiled for AVX-512 and used so where the processor has it, and compiled once more for others. Nothing is reordered or fused, so the results are the same
/// numbers. (A macro, since a closure that two places call is not inlined into them, and only what is inlined is compiled for the wide registers.)
macro_rules! wide {
    ($work:expr) => {
        match $crate::engine::wide::Wide::new() {
            Some(wide) => wide.run(|| $work),
            None => $work,
        }
    };
}
pub(super) use wide;

/// A function without result, compiled in the same two ways: for loops that are too long to be inlined as closures. Its slices are known not to overlap.
macro_rules! wide_function {
    ($(#[$about:meta])* fn $name:ident<R: Real>($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$about])*
        #[allow(unsafe_code)] // see the call
        fn $name<R: Real>($($argument: $kind),*) {
            #[inline(always)]
            fn body<R: Real>($($argument: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn with_avx512<R: Real>($($argument: $kind),*) {
                body($($argument),*);
            }
            #[cfg(target_arch = "x86_64")]
            if $crate::engine::wide::Wide::new().is_some() {
                // SAFETY: `Wide::new` has found all that the function is compiled for.
                return unsafe { with_avx512($($argument),*) };
            }
            body($($argument),*);
        }
    };
}
pub(super) use wide_function;

/// The knowledge that the processor has AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Wide(());

impl Wide {
    /// If it has.
    #[inline(always)]
    pub(super) fn new() -> Option<Wide> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
        {
            return Some(Wide(()));
        }
        None
    }

    /// Does `work` compiled for it.
    #[inline(always)]
    pub(super) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        // SAFETY: `new` has found all that the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        let result = unsafe { with_avx512(work) };
        #[cfg(not(target_arch = "x86_64"))]
        let result = work();
        result
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
fn with_avx512<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// `Σ_{i < count} term(i)` in sixteen sums, whatever the processor.
#[inline(always)]
pub(super) fn sum<R: super::Real>(count: usize, term: impl Fn(usize) -> R) -> R {
    let mut sums = [R::ZERO; 16];
    let whole = count / 16 * 16;
    for start in (0..whole).step_by(16) {
        for lane in 0..16 {
            sums[lane] += term(start + lane);
        }
    }
    for place in whole..count {
        sums[place - whole] += term(place);
    }
    let mut half = 8;
    while half > 0 {
        for lane in 0..half {
            let other = sums[lane + half];
            sums[lane] += other;
        }
        half /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums_are_sums() {
        for count in 0..70 {
            assert_eq!(wide!(super::sum(count, |i| (i * i) as f64)), (0..count).map(|i| i * i).sum::<usize>() as f64);
        }
    }
}
