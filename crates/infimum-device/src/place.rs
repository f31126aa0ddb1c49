//! Where networks are trained, and how exactly.

use std::str::FromStr;

/// Where networks are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the processor.
    Processor,
    /// On the NVIDIA card with this number.
    Cuda(usize),
    /// On the card with this number, by Vulkan, Metal or DirectX.
    Wgpu(usize),
    /// On a card if the program was built for one, one is there, and the network is large enough; else on the processor.
    Auto,
}

/// How products and convolutions are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// In 32 bits.
    #[default]
    Single,
    /// In 16 bits; everything else, θ above all, in 32.
    Mixed,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let expected = || format!("`{text}`: expected cpu, cuda, cuda:N, wgpu, wgpu:N (N = 0, 1, …) or auto");
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number.parse::<u16>().map_err(|_| expected())?)),
            None => (text, None),
        };
        let number_or_first = usize::from(number.unwrap_or(0));
        match (name, number) {
            ("cpu", None) => Ok(Place::Processor),
            ("auto", None) => Ok(Place::Auto),
            ("cuda", _) => Ok(Place::Cuda(number_or_first)),
            ("wgpu", _) => Ok(Place::Wgpu(number_or_first)),
            _ => Err(expected()),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Processor => f.write_str("cpu"),
            Place::Cuda(number) => write!(f, "cuda:{number}"),
            Place::Wgpu(number) => write!(f, "wgpu:{number}"),
            Place::Auto => f.write_str("auto"),
        }
    }
}

impl Place {
    /// Whether it is a card that was asked for by name.
    pub fn is_card(self) -> bool {
        matches!(self, Place::Cuda(_) | Place::Wgpu(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for place in [Place::Processor, Place::Auto, Place::Cuda(0), Place::Wgpu(3)] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert_eq!("cuda".parse(), Ok(Place::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "auto:1", "wgpu:99999999"] {
            assert!(wrong.parse::<Place>().unwrap_err().contains("expected cpu, cuda"), "{wrong}");
        }
    }
}
