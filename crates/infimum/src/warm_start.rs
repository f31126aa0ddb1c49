//! Starting from the model of a saved run.

use std::path::Path;

use infimum_convex::Start;
use infimum_data::Loaded;
use infimum_problem::deep::{Architecture, Layer};
use infimum_problem::{Certificate, Encoding, Intercept, Model, Recipe, ReluNet};

use crate::deep::DeepNetwork;
use crate::model_file::{ModelFile, ModelFileError};
use crate::predictor::{Features, Predictor};

/// The certificate of a run folder.
const CERTIFICATE: &str = "certificate.safetensors";

/// The model of the run in `folder` as a start for `loaded`, with its dual point if the run was trained on the same rows of the
/// same file. Columns, labels and outputs must be those of `loaded`.
pub fn warm_start(folder: &Path, loaded: &Loaded) -> Result<Start, ModelFileError> {
    let Predictor { model, features: Features::Columns | Features::Kernel(_) } = fitting(folder, loaded)? else {
        return Err(failed(folder, "the run's model is a network; expected one of a single linear layer".into()));
    };
    // A certificate that cannot be read costs the dual point only: nothing rests on it.
    let certificate =
        std::fs::read(folder.join(CERTIFICATE)).ok().and_then(|bytes| Certificate::from_bytes(&bytes).ok());
    let dual =
        certificate.filter(|certificate| is_of_same_rows(certificate, loaded)).map(|certificate| certificate.dual);
    Ok(Start { model, dual })
}

/// The network of the run in `folder` as a start for `loaded`; columns, labels and outputs must be those of `loaded`.
pub fn warm_start_net(folder: &Path, loaded: &Loaded) -> Result<ReluNet, ModelFileError> {
    let net = fitting(folder, loaded)?.net();
    net.ok_or_else(|| failed(folder, "the run's model has no hidden layer; expected a two-layer network".into()))
}

fn failed(folder: &Path, message: String) -> ModelFileError {
    ModelFileError { path: folder.display().to_string(), message }
}

/// The deep network of a run folder; `None` if the run's model is another one.
pub fn run_network(folder: &Path) -> Result<Option<DeepNetwork>, ModelFileError> {
    let (file, predictor) = ModelFile::read(folder)?;
    Ok(whole(predictor, file.recipe.intercept != Intercept::None))
}

/// A deep network with its last layer.
pub(crate) fn whole(predictor: Predictor, bias: bool) -> Option<DeepNetwork> {
    let Predictor { model, features: Features::Layers(layers) } = predictor else { return None };
    let parameters = layers.join(&model, bias);
    let mut architecture = layers.architecture;
    architecture.layers.push(Layer::Dense { units: model.outputs, bias });
    Some(DeepNetwork { architecture, parameters, buffers: layers.buffers })
}

/// The deep network of the run in `folder` as a start for `loaded`: parameters and running values of `architecture`.
pub fn warm_start_deep(
    folder: &Path,
    loaded: &Loaded,
    architecture: &Architecture,
) -> Result<(Vec<f32>, Vec<f32>), ModelFileError> {
    let bias = loaded.recipe.intercept != Intercept::None;
    match whole(fitting(folder, loaded)?, bias) {
        Some(other) if other.architecture.layers == architecture.layers => Ok((other.parameters, other.buffers)),
        Some(_) => Err(failed(folder, "the run's network has other layers than the one asked for".into())),
        None => Err(failed(folder, "the run's model is no deep network".into())),
    }
}

/// The model of the run in `folder`, if it fits.
fn fitting(folder: &Path, loaded: &Loaded) -> Result<Predictor, ModelFileError> {
    let (file, predictor) = ModelFile::read(folder)?;
    match misfit(&file, &predictor.model, loaded) {
        Some(message) => Err(failed(folder, message)),
        None => Ok(predictor),
    }
}

/// Why the model is none of this problem, if it is none.
fn misfit(file: &ModelFile, model: &Model, loaded: &Loaded) -> Option<String> {
    let expected = |what: &str, expected: String, got: String| {
        Some(format!("the run's model does not fit the data: expected {what} {expected}, got {got}"))
    };
    if file.encoding.columns != loaded.encoding.columns {
        return expected("columns", loaded.encoding.columns.to_string(), file.encoding.columns.to_string());
    }
    let name = |encoding: &Encoding, place: usize| {
        encoding.features.get(place).map_or("none".to_string(), |feature| format!("`{}`", feature.name))
    };
    let (ours, theirs) = (&loaded.encoding, &file.encoding);
    let longest = ours.features.len().max(theirs.features.len());
    if let Some(place) = (0..longest).find(|&place| ours.features.get(place) != theirs.features.get(place)) {
        let (ours, theirs) = (name(ours, place), name(theirs, place));
        let theirs = if ours == theirs { format!("{theirs} with other categories") } else { theirs };
        return expected(&format!("feature {}", place + 1), ours, theirs);
    }
    let labels = loaded.problem.data.labels();
    if file.labels != labels {
        return expected("labels", labels.join(", "), file.labels.join(", "));
    }
    let (ours, theirs) = (loaded.recipe.output_names(), file.recipe.output_names());
    if ours != theirs {
        let named = |names: Vec<String>| if names.is_empty() { "one".to_string() } else { names.join(", ") };
        return expected("targets", named(ours), named(theirs));
    }
    let outputs = loaded.problem.outputs();
    (model.outputs != outputs).then(|| {
        let (loss, other) = (loaded.problem.objective.loss.name(), file.loss.name());
        format!(
            "the run's model does not fit the loss {loss}: expected {outputs} outputs, got {} (loss {other})",
            model.outputs
        )
    })
}

/// Whether a dual value of the certificate belongs to the same row here.
fn is_of_same_rows(certificate: &Certificate, loaded: &Loaded) -> bool {
    let claim = &certificate.claim;
    let rows = |recipe: &Recipe| {
        let Recipe { format, header, target, more_targets, sample_weight, task, split, subset, .. } = recipe.clone();
        (format, header, target, more_targets, sample_weight, task, split, subset)
    };
    claim.source.sha256 == loaded.source.sha256
        && rows(&claim.recipe) == rows(&loaded.recipe)
        && (claim.rows, claim.outputs) == (loaded.problem.data.rows(), loaded.problem.outputs())
}
