//! Formulas and set splittings as loading problems.

use std::io::Write;
use std::path::Path;

use infimum_problem::ColumnNames;

use crate::generate::examples::{Example, write};
use crate::generate::{Fault, GenerateOptions, Output, Writer};
use crate::network::write_network;
use crate::reductions::{Cnf, SetSplitting, judd_task, points_of_splitting};

/// The formula that is asked for, in clauses of up to three literals.
fn formula(path: &str) -> Result<Cnf, Fault> {
    Cnf::read(path).map(|cnf| cnf.of_three()).map_err(Fault::Data)
}

pub(super) fn blum_rivest(options: &GenerateOptions, output: Output, _: &Path, out: &mut Writer) -> Result<(), Fault> {
    let splitting = match &options.cnf {
        Some(_) if options.elements.is_some() || options.ratio.is_some() => {
            return Err(Fault::Asked("--cnf says all sets; leave --elements and --ratio out".into()));
        }
        Some(path) => SetSplitting::of_cnf(&formula(path)?),
        None => {
            let (elements, ratio) = (options.elements.unwrap_or(20), options.ratio.unwrap_or(2.1));
            if elements < 3 {
                return Err(Fault::Asked(format!("--elements expects at least 3, got {elements}")));
            }
            if !(0.0..=1e6).contains(&ratio) {
                return Err(Fault::Asked(format!("--ratio expects a number from 0 to 1e6, got {ratio}")));
            }
            SetSplitting::random(elements, (ratio * elements as f64).round() as usize, options.seed)
        }
    };
    let names: Vec<String> = (1..=splitting.elements)
        .map(|element| format!("e{element}"))
        .chain(["g1", "g2", "g3"].map(String::from))
        .collect();
    let rows: Vec<Example> = points_of_splitting(&splitting)
        .into_iter()
        .map(|(ones, label)| (ones.into_iter().map(|one| (one, 1.0)).collect(), u8::from(label)))
        .collect();
    Ok(write(&names, &rows, output, out)?)
}

/// Three examples of two columns `a`, `b`, and one for each output of the network, by its name; the network goes into a file of the same name with
/// the extension `toml`.
pub(super) fn judd(options: &GenerateOptions, _: Output, path: &Path, out: &mut Writer) -> Result<(), Fault> {
    let Some(cnf) = &options.cnf else {
        return Err(Fault::Asked("judd needs a formula: --cnf FILE (DIMACS)".into()));
    };
    let task = judd_task(&formula(cnf)?);
    let outputs = task.network.outputs.iter().map(|&output| task.network.units[output as usize].name.as_str());
    writeln!(out, "a,b,{}", outputs.collect::<Vec<_>>().join(","))?;
    for (stimulus, response) in task.stimuli.iter().zip(&task.responses) {
        let wanted = response.iter().map(|wanted| wanted.map_or("?", |wanted| if wanted { "1" } else { "0" }));
        writeln!(out, "{},{},{}", u8::from(stimulus[0]), u8::from(stimulus[1]), wanted.collect::<Vec<_>>().join(","))?;
    }
    let names = ColumnNames::Named(vec!["a".into(), "b".into()]);
    std::fs::write(path.with_extension("toml"), write_network(&task.network, &names))?;
    Ok(())
}
