//! `infimum`: training with proof, from the command line.
//!
//! Exit codes: 0 a model (or an answer) was written; of `decide` and `assignment` 10 for satisfiable and 20 for unsatisfiable; 1 internal
//! failure, or a certificate that is not verified; 2 usage and input errors; 130 after an interrupt, everything written.

mod arguments;
mod assignment;
mod audit;
mod black_box;
mod curve;
mod decide;
mod deep;
mod failure;
mod fetch;
mod fit;
mod folder;
mod interrupt;
mod net;
mod nets;
mod path;
mod points;
mod predict;
mod result;
mod selection;
mod study;
mod threads;
mod tools;
mod training;
mod with_data;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    interrupt::survive_file_limits();
    let result = failure::guarded(|| match arguments.command {
        Command::Fit(options) => fit::run(&options.options()),
        Command::Decide(options) => decide::run(&options.asked().map_err(failure::Failure::input)?),
        Command::Curve(options) => curve::run(&options.options()),
        Command::Study(options) => study::run(&options.options()),
        Command::Audit(options) => {
            let (asked, options) = options.parts();
            audit::run(&asked, &options)
        }
        Command::Check(options) => Ok(tools::check(&options)),
        Command::Assignment(options) => assignment::run(&options),
        Command::Predict(options) => predict::run(&options),
        Command::Data(command) => tools::data(command),
        Command::Generate(options) => tools::generate(&options),
    });
    let code = result.unwrap_or_else(|failure| failure.exit());
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
