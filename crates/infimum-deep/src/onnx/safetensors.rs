//! Parameters of a known architecture from a safetensors file.

use std::collections::{BTreeMap, HashMap};

use infimum_problem::deep::{Architecture, Layer, Parameter, ParameterKind, buffers, output_shape, parameters};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::layout::Layout;

/// Why a file's tensors are not those of the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorsError {
    /// The bytes are no safetensors file.
    #[error("not a safetensors file: {0}")]
    Parse(String),
    /// The architecture is not one.
    #[error("architecture: {0}")]
    Architecture(String),
    /// A tensor that is missing, not known, or of the wrong shape.
    #[error("tensor `{tensor}`: {why}")]
    Tensor {
        /// Its name; for a missing one the name that it has here.
        tensor: String,
        /// What is wrong.
        why: String,
    },
    /// No module of the file is this layer, or more than one could be.
    #[error("layer {layer}: expected a module with {expected}, {got}")]
    Module {
        /// The layer's name.
        layer: String,
        /// Its tensors.
        expected: String,
        /// What there is.
        got: String,
    },
}

/// Parameters and buffers of `architecture`. Tensors have either the names and shapes of [`parameters`] and [`buffers`] (`1.weights`, …), or those of PyTorch modules:
/// `weight`, `bias`, `running_mean`, … behind the module's name, convolutions as channels × inputs × height × width, a dense layer behind a flattened image with its columns in
/// the order channel, height, width. Modules are taken in the order of their names (numbers by value), each layer the next unused one that fits; where modules fit whose names differ in more than
/// numbers, the order of names says nothing, and that is an error.
pub fn import_safetensors(bytes: &[u8], architecture: &Architecture) -> Result<(Vec<f32>, Vec<f32>), TensorsError> {
    let lists = [parameters(architecture), buffers(architecture)];
    let [ours, ours_running] = lists.map(|list| list.map_err(TensorsError::Architecture));
    let (ours, ours_running) = (ours?, ours_running?);
    let file = SafeTensors::deserialize(bytes).map_err(|error| TensorsError::Parse(error.to_string()))?;
    let tensors: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
    let mut found: HashMap<String, Vec<f32>> = HashMap::new();
    // `3.bias` may be PyTorch's, all other names are told apart.
    let mut own = ours.iter().chain(&ours_running).filter(|parameter| parameter.kind != ParameterKind::Bias);
    if own.any(|parameter| tensors.contains_key(&parameter.name)) {
        for Parameter { name, shape, .. } in ours.iter().chain(&ours_running) {
            let wrong = |why: String| TensorsError::Tensor { tensor: name.clone(), why };
            let tensor = tensors.get(name).ok_or_else(|| wrong(format!("missing, expected shape {shape:?}")))?;
            if tensor.shape() != shape {
                return Err(wrong(format!("expected shape {shape:?}, got {:?}", tensor.shape())));
            }
            found.insert(name.clone(), numbers(name, tensor)?);
        }
    } else {
        let mut modules = Modules::of(&tensors);
        let all: Vec<&Parameter> = ours.iter().chain(&ours_running).collect();
        modules.path(
            "",
            &architecture.layers,
            Place { shape: architecture.input.clone(), image: None },
            &all,
            &mut found,
        )?;
        if let Some(module) = modules.unused.first() {
            let tensor = module.tensors.values().next().map_or(String::new(), |(name, _)| name.clone());
            return Err(TensorsError::Tensor { tensor, why: "no layer of the architecture is left for it".into() });
        }
    }
    let list = |list: &[Parameter]| {
        let mut all = Vec::with_capacity(list.last().map_or(0, |last| last.range.end));
        list.iter().for_each(|parameter| all.extend(found.get(&parameter.name).into_iter().flatten()));
        all
    };
    Ok((list(&ours), list(&ours_running)))
}

fn numbers(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>, TensorsError> {
    let wrong = |why: String| Err(TensorsError::Tensor { tensor: name.into(), why });
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::F64 => tensor.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        Dtype::BF16 => {
            let halves = tensor.data().as_chunks().0.iter();
            halves.map(|&bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)).collect()
        }
        other => return wrong(format!("numbers of kind {other:?}, expected F32, F64 or BF16")),
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => wrong(format!("number {} is {}, expected a finite one", place + 1, values[place])),
        None => Ok(values),
    }
}

/// Tensors with a common beginning of their names: by the rest of their names the whole name and the tensor.
struct Module<'a> {
    name: String,
    tensors: BTreeMap<String, (String, &'a TensorView<'a>)>,
}

/// Modules that no layer has taken yet, in order.
struct Modules<'a> {
    unused: Vec<Module<'a>>,
}

/// What a layer reads: its shape, and with its channels last the shape of the image that it was before it was flattened, if its numbers are still those of the image.
#[derive(Clone, PartialEq)]
struct Place {
    shape: Vec<usize>,
    image: Option<Vec<usize>>,
}

/// A name cut at its numbers, so that `layer10` comes after `layer9`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0u64)];
    let mut in_number = false;
    for letter in name.chars() {
        if in_number && !letter.is_ascii_digit() {
            parts.push((String::new(), 0));
        }
        in_number = letter.is_ascii_digit();
        if let Some((text, number)) = parts.last_mut() {
            match letter.to_digit(10) {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => text.push(letter),
            }
        }
    }
    parts
}

impl<'a> Modules<'a> {
    fn of(tensors: &'a BTreeMap<String, TensorView<'a>>) -> Modules<'a> {
        let mut modules: BTreeMap<&str, Module<'a>> = BTreeMap::new();
        for (name, tensor) in tensors {
            let (module, field) = match name.strip_suffix(".out_proj.weight").or(name.strip_suffix(".out_proj.bias")) {
                Some(module) => (module, &name[module.len() + 1..]),
                None => name.rsplit_once('.').unwrap_or(("", name)),
            };
            if field != "num_batches_tracked" {
                let entry =
                    modules.entry(module).or_insert_with(|| Module { name: module.into(), tensors: BTreeMap::new() });
                entry.tensors.insert(field.into(), (name.clone(), tensor));
            }
        }
        let mut unused: Vec<Module<'a>> = modules.into_values().collect();
        unused.sort_by_cached_key(|module| natural(&module.name));
        Modules { unused }
    }

    fn path(
        &mut self,
        prefix: &str,
        layers: &[Layer],
        mut place: Place,
        all: &[&Parameter],
        found: &mut HashMap<String, Vec<f32>>,
    ) -> Result<Place, TensorsError> {
        for (number, layer) in layers.iter().enumerate() {
            let name = format!("{prefix}{}", number + 1);
            let shape = output_shape(layer, &place.shape).map_err(TensorsError::Architecture)?;
            let image = match layer {
                Layer::Residual { body, shortcut } => {
                    let ends = [("body", body), ("shortcut", shortcut)]
                        .map(|(path, layers)| self.path(&format!("{name}.{path}."), layers, place.clone(), all, found));
                    let [body, shortcut] = ends;
                    let (body, shortcut) = (body?, shortcut?);
                    if body == shortcut { body.image } else { None }
                }
                Layer::Flatten if place.shape.len() > 1 => Some(place.shape.clone()),
                Layer::Dense { .. } => {
                    self.layer(&name, &place, all, found)?;
                    None
                }
                _ => {
                    self.layer(&name, &place, all, found)?;
                    place.image.clone()
                }
            };
            place = Place { shape, image };
        }
        Ok(place)
    }

    /// The parameters of a layer from the first module that fits.
    fn layer(
        &mut self,
        layer: &str,
        place: &Place,
        all: &[&Parameter],
        found: &mut HashMap<String, Vec<f32>>,
    ) -> Result<(), TensorsError> {
        let own: Vec<(&Parameter, &str, Vec<usize>)> = all
            .iter()
            .filter_map(|parameter| {
                let field = parameter.name.strip_prefix(layer)?.strip_prefix('.')?;
                let field = torch_field(field)?;
                let shape = match parameter.shape[..] {
                    [channels, i, j, inputs] => vec![channels, inputs, i, j],
                    _ => parameter.shape.clone(),
                };
                Some((*parameter, field, shape))
            })
            .collect();
        if own.is_empty() {
            return Ok(());
        }
        let fits = |module: &Module<'_>| {
            let has = |(_, field, shape): &(&Parameter, &str, Vec<usize>)| {
                module.tensors.get(*field).is_some_and(|(_, tensor)| tensor.shape() == shape)
            };
            module.tensors.len() == own.len() && own.iter().all(has)
        };
        let fitting: Vec<usize> = (0..self.unused.len()).filter(|&place| fits(&self.unused[place])).collect();
        let words =
            |place: usize| natural(&self.unused[place].name).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        let stranger = fitting.iter().find(|&&place| words(place) != words(fitting[0]));
        let got = match (fitting.first(), stranger) {
            (None, _) => match self.unused.first() {
                Some(module) => {
                    let shapes =
                        module.tensors.iter().map(|(field, (_, tensor))| format!("{field} {:?}", tensor.shape()));
                    format!("the next one is `{}` with {}", module.name, shapes.collect::<Vec<_>>().join(", "))
                }
                None => "there is none left".into(),
            },
            (Some(&first), Some(&other)) => {
                let [first, other] = [first, other].map(|place| self.unused[place].name.as_str());
                format!("both `{first}` and `{other}` fit; name the tensors {layer}.weights, …")
            }
            (Some(&first), None) => {
                let module = self.unused.remove(first);
                for (parameter, field, _) in own {
                    if let Some((name, tensor)) = module.tensors.get(field) {
                        found.insert(parameter.name.clone(), in_our_order(numbers(name, tensor)?, parameter, place));
                    }
                }
                return Ok(());
            }
        };
        let expected = own.iter().map(|(_, field, shape)| format!("{field} {shape:?}")).collect::<Vec<_>>().join(", ");
        Err(TensorsError::Module { layer: layer.into(), expected, got })
    }
}

/// PyTorch's name of a parameter.
fn torch_field(name: &str) -> Option<&'static str> {
    Some(match name {
        "weights" | "gain" | "table" => "weight",
        "bias" | "shift" => "bias",
        "running-mean" => "running_mean",
        "running-variance" => "running_var",
        "input-weights" => "in_proj_weight",
        "input-bias" => "in_proj_bias",
        "output-weights" => "out_proj.weight",
        "output-bias" => "out_proj.bias",
        _ => return None,
    })
}

/// Numbers in PyTorch's order in ours.
fn in_our_order(values: Vec<f32>, parameter: &Parameter, place: &Place) -> Vec<f32> {
    if let [channels, i, j, inputs] = parameter.shape[..] {
        let area = i * j;
        let order = (0..channels).flat_map(|output| {
            (0..area).flat_map(move |spot| (0..inputs).map(move |input| (output * inputs + input) * area + spot))
        });
        return order.map(|from| values[from]).collect();
    }
    let Some(image) = &place.image else { return values };
    if image.len() < 3 || (parameter.kind == ParameterKind::Bias) {
        return values;
    }
    let places = Layout::channels_first(image).places();
    let mut ours = values.clone();
    for (row, old) in ours.chunks_exact_mut(places.len()).zip(values.chunks_exact(places.len())) {
        places.iter().zip(old).for_each(|(&place, &value)| row[place] = value);
    }
    ours
}
