//! `infimum check`, `infimum data` and `infimum generate`.

use std::io::{self, Write};

use infimum::{GenerateOptions, builtin_names, describe, generate as write_generated, generator_names};

use crate::arguments::{CheckArguments, DataCommand, GenerateArguments};
use crate::failure::{Failure, written};
use crate::fetch;

pub(crate) fn check(arguments: &CheckArguments) -> i32 {
    let options = infimum_check::Options {
        certificate: arguments.certificate.clone(),
        data: arguments.data.clone(),
        json: arguments.json,
        quiet: arguments.quiet,
        memory: arguments.memory,
    };
    infimum_check::run(&options, &mut io::stdout(), &mut io::stderr())
}

pub(crate) fn data(command: DataCommand) -> Result<i32, Failure> {
    let text = match command {
        DataCommand::Show(arguments) => {
            let arguments = arguments.options();
            describe(&arguments.data, &arguments.request()).map_err(Failure::input)?.to_string()
        }
        DataCommand::List => {
            let builtin = builtin_names().iter().map(|(name, what)| format!("builtin:{name:<16} {what}\n"));
            let generated = generator_names().iter().map(|(name, what)| format!("generate {name:<15} {what}\n"));
            let fetched = fetch::SETS.iter().map(|set| format!("data fetch {:<13} {}\n", set.name, set.what));
            builtin.chain(generated).chain(fetched).collect()
        }
        DataCommand::Fetch(arguments) => return fetch::run(&arguments),
    };
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

pub(crate) fn generate(arguments: &GenerateArguments) -> Result<i32, Failure> {
    let options = GenerateOptions {
        seed: arguments.seed,
        rows: arguments.rows,
        columns: arguments.columns,
        hidden: arguments.hidden,
        elements: arguments.elements,
        ratio: arguments.ratio,
        cnf: arguments.cnf.clone(),
    };
    write_generated(&arguments.kind, &options, &arguments.output).map_err(Failure::input)?;
    Ok(0)
}
