//! Constants of an ONNX file.

use std::rc::Rc;

use super::import::ImportError;
use super::proto::{TensorProto, kinds};

/// An array whose numbers are known without the data; of integers those that are the number of examples are `None`.
#[derive(Debug, Clone)]
pub(super) enum Constant {
    Floats { shape: Vec<usize>, values: Rc<[f32]> },
    Integers { shape: Vec<usize>, values: Rc<[Option<i64>]> },
}

impl Constant {
    /// A list of integers.
    pub fn integers(values: Vec<Option<i64>>) -> Constant {
        Constant::Integers { shape: vec![values.len()], values: values.into() }
    }

    /// The constant of a message.
    pub fn read(tensor: &TensorProto) -> Result<Constant, ImportError> {
        let name = || if tensor.name.is_empty() { "(no name)".to_string() } else { tensor.name.clone() };
        let wrong = |why: String| ImportError::Tensor { tensor: name(), why };
        if tensor.data_location == Some(1) || !tensor.external_data.is_empty() {
            return Err(ImportError::ExternalData { tensor: name() });
        }
        let sizes = tensor.dims.iter().map(|&size| usize::try_from(size));
        let shape =
            sizes.collect::<Result<Vec<usize>, _>>().map_err(|_| wrong(format!("its shape is {:?}", tensor.dims)))?;
        // Empty dimensions do not hide a product that no number can be.
        let most = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size.max(1)));
        let count =
            most.map(|_| shape.iter().product::<usize>()).ok_or_else(|| wrong(format!("its shape is {shape:?}")))?;
        let complete = |got: usize| {
            if got == count {
                Ok(())
            } else {
                Err(wrong(format!("expected {count} numbers for the shape {shape:?}, got {got}")))
            }
        };
        let raw = tensor.raw_data.as_deref();
        let cut = || wrong("its last number is cut off".into());
        match tensor.data_type {
            kinds::FLOAT | kinds::DOUBLE | kinds::FLOAT16 | kinds::BFLOAT16 => {
                let values: Rc<[f32]> = match (tensor.data_type, raw) {
                    (kinds::FLOAT, Some(raw)) => numbers(raw, f32::from_le_bytes).ok_or_else(cut)?,
                    (kinds::FLOAT, None) => tensor.float_data.as_slice().into(),
                    (kinds::DOUBLE, Some(raw)) => {
                        numbers(raw, |bytes| f64::from_le_bytes(bytes) as f32).ok_or_else(cut)?
                    }
                    (kinds::DOUBLE, None) => tensor.double_data.iter().map(|&value| value as f32).collect(),
                    _ => return Err(wrong("its numbers have 16 bits, expected singles or doubles".into())),
                };
                complete(values.len())?;
                match values.iter().position(|value| value.is_nan()) {
                    Some(place) => Err(wrong(format!("number {} is not a number", place + 1))),
                    None => Ok(Constant::Floats { shape, values }),
                }
            }
            kinds::INT64 | kinds::INT32 | kinds::BOOL => {
                let values: Rc<[Option<i64>]> = match (tensor.data_type, raw) {
                    (kinds::INT64, Some(raw)) => {
                        numbers(raw, |bytes| Some(i64::from_le_bytes(bytes))).ok_or_else(cut)?
                    }
                    (kinds::INT64, None) => tensor.int64_data.iter().map(|&value| Some(value)).collect(),
                    (kinds::INT32, Some(raw)) => {
                        numbers(raw, |bytes| Some(i32::from_le_bytes(bytes).into())).ok_or_else(cut)?
                    }
                    (_, Some(raw)) => raw.iter().map(|&byte| Some(byte.into())).collect(),
                    (_, None) => tensor.int32_data.iter().map(|&value| Some(value.into())).collect(),
                };
                complete(values.len())?;
                Ok(Constant::Integers { shape, values })
            }
            other => Err(wrong(format!("data type {other} is none of singles, doubles and integers"))),
        }
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Constant::Floats { shape, .. } | Constant::Integers { shape, .. } => shape,
        }
    }

    /// The same numbers with another shape of as many.
    pub fn reshaped(&self, shape: Vec<usize>) -> Constant {
        match self {
            Constant::Floats { values, .. } => Constant::Floats { shape, values: values.clone() },
            Constant::Integers { values, .. } => Constant::Integers { shape, values: values.clone() },
        }
    }

    /// Dimension `j` of the result is dimension `order[j]` of this.
    pub fn transposed(&self, order: &[usize]) -> Constant {
        let old = self.shape();
        let shape: Vec<usize> = order.iter().map(|&place| old[place]).collect();
        let mut places = if shape.contains(&0) { Vec::new() } else { vec![0] };
        for &dimension in order.iter().filter(|_| !shape.contains(&0)) {
            let stride: usize = old[dimension + 1..].iter().product();
            places =
                places.iter().flat_map(|&start| (0..old[dimension]).map(move |step| start + step * stride)).collect();
        }
        match self {
            Constant::Floats { values, .. } => {
                Constant::Floats { shape, values: places.iter().map(|&place| values[place]).collect() }
            }
            Constant::Integers { values, .. } => {
                Constant::Integers { shape, values: places.iter().map(|&place| values[place]).collect() }
            }
        }
    }

    /// Its numbers, if all are known.
    pub fn floats(&self) -> Option<Rc<[f32]>> {
        match self {
            Constant::Floats { values, .. } => Some(values.clone()),
            Constant::Integers { values, .. } => values.iter().map(|value| value.map(|value| value as f32)).collect(),
        }
    }

    /// Its only number.
    pub fn scalar(&self) -> Option<f32> {
        match self {
            Constant::Floats { values, .. } if values.len() == 1 => Some(values[0]),
            Constant::Integers { values, .. } if values.len() == 1 => values[0].map(|value| value as f32),
            _ => None,
        }
    }
}

/// The numbers of raw bytes; `None` if the last one is not whole.
fn numbers<const SIZE: usize, T>(raw: &[u8], number: impl Fn([u8; SIZE]) -> T) -> Option<Rc<[T]>> {
    let (whole, rest) = raw.as_chunks::<SIZE>();
    rest.is_empty().then(|| whole.iter().map(|&bytes| number(bytes)).collect())
}
