//! From weights back to the formula that their data were made of (docs/loading-reductions.md).

use infimum_data::reductions::{Cnf, SetSplitting, assignment_of_hidden_units, judd_task, splitting_of_hidden_units};
use infimum_problem::{LoadingCertificate, Network, Neuron};

/// Columns of the examples of Judd's reduction.
const JUDD_COLUMNS: usize = 2;

/// The assignment of `formula` that the certificate's weights stand for; it is evaluated on the formula before it is returned. The error says
/// why there is none: no weights, weights that are wrong somewhere, or a run about other data.
pub fn assignment(certificate: &LoadingCertificate, formula: &Cnf) -> Result<Vec<bool>, String> {
    let claim = &certificate.claim;
    let neurons = match (&certificate.neurons, claim.upper) {
        (Some(neurons), Some(0)) => neurons,
        (Some(_), Some(wrong)) => return Err(format!("the weights are wrong on {wrong} rows; expected 0")),
        _ => return Err(format!("the run ended as {} and holds no weights", claim.ending.name())),
    };
    let three = formula.of_three();
    let splitting = SetSplitting::of_cnf(&three);
    let fits = |neurons: &[Neuron], columns: usize| neurons.iter().all(|neuron| neuron.weights.len() == columns);
    let task = judd_task(&three);
    let mut assignment = if claim.network == task.network {
        match neurons.get(..2 * three.variables) {
            Some(hidden) if fits(hidden, JUDD_COLUMNS) => assignment_of_hidden_units(three.variables, hidden),
            _ => return Err("the weights do not fit the network".into()),
        }
    } else if claim.network == Network::layered(&[2], 1) && claim.columns == splitting.elements + 3 {
        match neurons.as_slice() {
            [one, other, _] if fits(&neurons[..2], claim.columns) => {
                three.assignment_of_splitting(&splitting_of_hidden_units(splitting.elements, [one, other]))
            }
            _ => return Err("the weights do not fit the network".into()),
        }
    } else {
        return Err(format!(
            "its network and {} columns are none that this formula becomes: expected --hidden 2 and {} columns (blum-rivest), or the network \
             that was written beside the data (judd)",
            claim.columns,
            splitting.elements + 3
        ));
    };
    assignment.truncate(formula.variables);
    if formula.is_satisfied(&assignment) {
        Ok(assignment)
    } else {
        Err("what its weights stand for does not satisfy the formula: the data were made of another one".into())
    }
}
