//! From what was asked for to a device, or to what is missing.

use infimum_deep::training::{Device, Processor};

use crate::place::{Place, Precision};

/// Why there is no such device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--device {place}: {why}")]
pub struct OpenError {
    place: String,
    why: String,
}

/// A device, and what is to be said about it.
pub struct Opened {
    /// The device.
    pub device: Box<dyn Device>,
    /// Why it was chosen, where that was left open, and what it does not promise.
    pub why: Option<String>,
}

/// Multiplications of a step's forward pass from which [`Place::Auto`] takes a card: below, starting the card's hundred or so programs of a step costs more than the
/// processor needs for all of it. A guess from the processor's 3 ms for 7e7 (`docs/adr/0028-devices.md`); not measured on a card.
const WORTH_A_CARD: f64 = 2e8;

/// Opens `place`; `work` is the number of multiplications of a step's forward pass. Never panics where there is no driver or card.
pub fn open(place: Place, precision: Precision, work: f64) -> Result<Opened, OpenError> {
    let error = |why: String| OpenError { place: place.to_string(), why };
    let processor = |why| Ok(Opened { device: Box::new(Processor), why });
    match place {
        Place::Processor if precision == Precision::Mixed => {
            Err(error("--precision mixed is for cards; expected single, or --device cuda or wgpu".into()))
        }
        Place::Processor => processor(None),
        Place::Cuda(number) => cuda(number, precision).map(on_card).map_err(error),
        Place::Wgpu(number) => wgpu(number, precision, true).map(on_card).map_err(error),
        Place::Auto => {
            let mut missing = Vec::new();
            for found in [cuda(0, precision), wgpu(0, precision, false)] {
                match found {
                    Ok(_) if work < WORTH_A_CARD && precision == Precision::Single => {
                        return processor(Some(format!(
                            "the processor: {work:.0e} multiplications a step are too few for a card (from {WORTH_A_CARD:.0e} on one is taken)"
                        )));
                    }
                    Ok(device) => {
                        return Ok(on_card(device));
                    }
                    Err(why) => missing.push(why),
                }
            }
            match precision {
                Precision::Mixed => Err(error(format!("--precision mixed needs a card: {}", missing.join("; ")))),
                Precision::Single => processor(Some(format!("the processor: {}", missing.join("; ")))),
            }
        }
    }
}

fn on_card(device: Box<dyn Device>) -> Opened {
    let why = format!(
        "{}; there the same seed does not give the same bits, and everything proven is the processor's",
        device.name()
    );
    Opened { device, why: Some(why) }
}

#[cfg(feature = "cuda")]
use crate::cuda::open as cuda;
#[cfg(feature = "wgpu")]
use crate::wgpu::open as wgpu;

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize, _: Precision) -> Result<Box<dyn Device>, String> {
    Err(not_built("CUDA", "cuda"))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_: usize, _: Precision, _: bool) -> Result<Box<dyn Device>, String> {
    Err(not_built("wgpu", "wgpu"))
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_built(name: &str, feature: &str) -> String {
    format!(
        "this program was built without {name}; expected one built with `cargo build --release -p infimum-cli --features {feature}`, or --device cpu"
    )
}
