//! Models as ONNX files.

use infimum_deep::onnx::{ExportError, Output, export, export_linear, export_relu};
use infimum_problem::Loss;

use crate::predictor::{Features, Predictor};
use crate::warm_start::whole;

/// The model as an ONNX file that reads the columns as `infimum` encodes them; `None` of kernel models, which have no such form here. `labels` is empty for
/// regression and for several targets, whose names are `targets`.
pub fn onnx_of(
    predictor: &Predictor,
    loss: Loss,
    labels: &[String],
    targets: &[String],
) -> Option<Result<Vec<u8>, ExportError>> {
    let output = match (loss.is_classification(), targets) {
        (false, _) => Output::Values,
        (true, []) => Output::Classes { loss, labels },
        (true, names) => Output::Labels { loss, names },
    };
    match &predictor.features {
        Features::Columns => Some(export_linear(&predictor.model, output)),
        Features::Kernel(_) => None,
        Features::Units(_) => predictor.net().map(|net| export_relu(&net, output)),
        Features::Layers(_) => {
            let network = whole(predictor.clone(), true)?;
            Some(export(&network.architecture, &network.parameters, &network.buffers, output))
        }
    }
}
