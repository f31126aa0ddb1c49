//! `infimum fit` with a hidden layer of ReLU units: rung 4.

use infimum::{NetOptions, Request, fit_net, warm_start_net};
use serde_json::json;

use crate::arguments::FitArguments;
use crate::failure::Failure;
use crate::fit::{Data, Run};
use crate::nets::Net;

pub(crate) fn run(arguments: &FitArguments, net: Net) -> Result<i32, Failure> {
    let request = Request { intercept: Some(net.output_bias), ..arguments.request() };
    let (run, Data { loaded, read }) = Run::prepare(arguments, request)?;
    let folder = arguments.selection.warm_start.as_deref();
    let start = folder.map(|folder| warm_start_net(folder, &loaded)).transpose();
    let start = start.map_err(|error| Failure::input(format!("--warm-start {error}")))?;
    run.begin(&loaded, None, Some(net));
    let options = NetOptions {
        width: net.width,
        hidden_bias: net.hidden_bias,
        gap: arguments.gap,
        abs_gap: arguments.abs_gap,
        threads: run.threads,
        seed: arguments.read.seed,
        start,
    };
    let fitted = fit_net(loaded, &options, &run.log).map_err(Failure::input)?;
    let network = json!({
        "hidden": net.width, "width": fitted.outcome.net.width, "activation": "relu",
        "hidden_bias": net.hidden_bias.name(), "output_bias": net.output_bias.name(), "bound": fitted.outcome.bound,
    });
    run.finish(fitted, read, None, Some(network))
}
