//! Numbers from a card, and what went wrong there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn_tensor::Tensor;
use burn_tensor::backend::Backend;
use infimum_deep::training::Trouble;

/// The numbers of a tensor; the first error since the last reading.
pub(crate) fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, Trouble> {
    let data = tensor.try_into_data().map_err(|error| trouble(&error.to_string()))?;
    data.into_vec::<f32>().map_err(|error| Trouble::Lost(format!("{error:?}")))
}

/// Does `work`; a panic of the libraries below is an error like any other.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        Err(trouble(text))
    })
}

/// Memory that could not be had is told from everything else by the words of cubecl (`LaunchError::OutOfMemory`, `IoError::BufferTooBig`) and wgpu.
fn trouble(text: &str) -> Trouble {
    let lower = text.to_lowercase();
    let memory = ["out-of-memory", "out of memory", "can't allocate buffer", "outofmemory", "not enough memory"];
    if memory.iter().any(|words| lower.contains(words)) {
        return Trouble::OutOfMemory;
    }
    let first: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    Trouble::Lost(format!("the device failed: {}", first.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_everything_else() {
        assert_eq!(trouble("An out-of-memory error happened during launch"), Trouble::OutOfMemory);
        assert_eq!(trouble("can't allocate buffer of size: 5"), Trouble::OutOfMemory);
        assert!(matches!(trouble("Validation Error"), Trouble::Lost(text) if text.contains("Validation")));
        let panicked = guarded(|| -> Result<(), Trouble> { panic!("out of memory: {}", 3) });
        assert_eq!(panicked, Err(Trouble::OutOfMemory));
    }
}
