//! `infimum assignment`: the satisfying assignment that the weights of a run stand for.

use infimum::LoadingCertificate;
use infimum::reductions::Cnf;

use crate::arguments::AssignmentArguments;
use crate::failure::{Failure, print};
use crate::fit::CERTIFICATE;

/// Literals of a `v` line.
const LITERALS: usize = 12;

/// Prints `s SATISFIABLE` and the assignment as the SAT competitions do, and returns their exit code 10.
pub(crate) fn run(arguments: &AssignmentArguments) -> Result<i32, Failure> {
    let formula = Cnf::read(&arguments.cnf).map_err(Failure::input)?;
    let path = if arguments.run.is_dir() { arguments.run.join(CERTIFICATE) } else { arguments.run.clone() };
    let failed = |why: String| Failure::input(format!("{}: {why}", path.display()));
    let expected = "expected a run folder of `infimum decide`";
    let bytes = std::fs::read(&path).map_err(|error| failed(format!("cannot be read: {error}; {expected}")))?;
    let certificate = LoadingCertificate::from_bytes(&bytes).map_err(|error| failed(format!("{error}; {expected}")))?;
    let assignment = infimum::assignment(&certificate, &formula).map_err(failed)?;
    let literals: Vec<String> = (assignment.iter().zip(1i64..))
        .map(|(&value, variable)| if value { variable } else { -variable })
        .chain([0])
        .map(|literal| literal.to_string())
        .collect();
    let lines = literals.chunks(LITERALS).map(|literals| format!("v {}\n", literals.join(" ")));
    print(&format!("s SATISFIABLE\n{}", lines.collect::<String>()))?;
    Ok(10)
}
