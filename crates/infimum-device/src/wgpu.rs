//! Cards by Vulkan, Metal or DirectX.
//!
//! cubecl panics where it finds no adapter, so the adapter is looked for here first, and cubecl is given the one that was found.

use burn_tensor::DType;
use burn_tensor::backend::Backend;
use burn_wgpu::{RuntimeOptions, Wgpu, WgpuSetup, init_device};
use futures_lite::future::block_on as wait;
use infimum_deep::training::Device;
use wgpu::{Adapter, Backends, DeviceDescriptor, DeviceType, Features, Instance, InstanceDescriptor};

use crate::card::Card;
use crate::half::Half;
use crate::place::Precision;

pub(crate) fn open(number: usize, precision: Precision, any: bool) -> Result<Box<dyn Device>, String> {
    Ok(Box::new(card(number, precision, any)?))
}

/// Adapter number `number`: real cards first, then, if `any` will do, programs that only act as one.
pub(crate) fn card(number: usize, precision: Precision, any: bool) -> Result<Card<Wgpu>, String> {
    let backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let instance = Instance::new(InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() });
    let mut adapters = wait(instance.enumerate_adapters(backends));
    adapters.retain(|adapter| any || is_card(adapter));
    adapters.sort_by_key(|adapter| !is_card(adapter));
    let count = adapters.len();
    if count == 0 {
        let message =
            "no graphics card was found by Vulkan, Metal or DirectX; expected a card with its driver, or --device cpu";
        return Err(message.into());
    }
    if number >= count {
        return Err(format!(
            "there is no card number {number}; expected a number below {count}, as many as were found"
        ));
    }
    let adapter = adapters.swap_remove(number);
    let info = adapter.get_info();
    let kind = if is_card(&adapter) { "" } else { " (no card: a program on the processor that acts as one)" };
    let name = format!("wgpu:{number} {}{kind}", info.name);
    let descriptor = DeviceDescriptor {
        required_features: adapter
            .features()
            .difference(Features::MAPPABLE_PRIMARY_BUFFERS | Features::all_experimental_mask()),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..DeviceDescriptor::default()
    };
    let (device, queue) = wait(adapter.request_device(&descriptor)).map_err(|error| format!("{name}: {error}"))?;
    let setup = WgpuSetup { instance, adapter, device, queue, backend: info.backend };
    let device = init_device(setup, RuntimeOptions::default());
    let half = match precision {
        Precision::Single => Half::No,
        Precision::Mixed if Wgpu::<f32>::supports_dtype(&device, DType::F16) => Half::F16,
        Precision::Mixed => {
            return Err(format!("{name}: it does not compute in f16; expected --precision single, or another device"));
        }
    };
    Ok(Card { name, device, half })
}

fn is_card(adapter: &Adapter) -> bool {
    !matches!(adapter.get_info().device_type, DeviceType::Cpu)
}
