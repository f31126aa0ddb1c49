//! NVIDIA cards.
//!
//! cubecl panics where the driver is missing, so it is looked for here first. Nothing of CUDA is needed to build: its libraries are opened while running.

use std::path::Path;

use burn_cuda::{Cuda, CudaDevice};
use burn_tensor::DType;
use burn_tensor::backend::Backend;
use cudarc::driver::result;
use infimum_deep::training::Device;

use crate::card::Card;
use crate::half::Half;
use crate::place::Precision;

pub(crate) fn open(number: usize, precision: Precision) -> Result<Box<dyn Device>, String> {
    Ok(Box::new(card(number, precision)?))
}

/// Card number `number`.
pub(crate) fn card(number: usize, precision: Precision) -> Result<Card<Cuda>, String> {
    let expected = "expected an NVIDIA card with its driver, or --device cpu";
    // SAFETY: both only try to open a library of that name.
    #[allow(unsafe_code)] // cudarc's probes are marked so
    let (driver, compiler) =
        unsafe { (cudarc::driver::sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        return Err(format!("the driver's library libcuda was not found; {expected}"));
    }
    let failed = |error: result::DriverError| format!("the driver does not work ({error:?}); {expected}");
    result::init().map_err(failed)?;
    let count = usize::try_from(result::device::get_count().map_err(failed)?).unwrap_or(0);
    if number >= count {
        return Err(format!(
            "there is no card number {number}; expected a number below {count}, as many as were found"
        ));
    }
    if !compiler {
        return Err("the library libnvrtc, which compiles for the card, was not found; expected that of CUDA".into());
    }
    // cubecl looks in these places, and panics if there are none.
    let home = std::env::var("CUDA_PATH").ok();
    let usual = ["/usr/local/cuda", "/opt/cuda"].into_iter().find(|place| Path::new(place).exists());
    let home = home.or(usual.map(String::from)).unwrap_or_else(|| "/usr".into());
    if cfg!(unix) && !Path::new(&home).join("include/cuda_runtime.h").exists() {
        return Err(format!(
            "{home}/include/cuda_runtime.h was not found; expected CUDA's headers, or CUDA_PATH to name their place"
        ));
    }
    let place = result::device::get(i32::try_from(number).unwrap_or(0)).map_err(failed)?;
    let card = result::device::get_name(place).unwrap_or_else(|_| "NVIDIA card".into());
    let name = format!("cuda:{number} {card}");
    let device = CudaDevice::new(number);
    let supports = |kind: DType| Cuda::<f32>::supports_dtype(&device, kind);
    let half = match precision {
        Precision::Single => Half::No,
        Precision::Mixed if supports(DType::BF16) => Half::Bf16,
        Precision::Mixed if supports(DType::F16) => Half::F16,
        Precision::Mixed => {
            return Err(format!("{name}: it computes neither in bf16 nor in f16; expected --precision single"));
        }
    };
    Ok(Card { name, device, half })
}
