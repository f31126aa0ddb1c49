//! The loading problem from a file to a certificate: rungs 2 and 3.

use std::path::PathBuf;

use infimum_check::{LoadingVerdict, check_loading_problem};
use infimum_data::{DataError, LoadedLoading, LoadingRequest, load_loading, read_network, targets_of_network};
use infimum_problem::{CERTIFICATE_VERSION, ColumnNames, Event, LoadingCertificate, LoadingClaim, Monitor, Network};
use infimum_threshold::{Options, Outcome, solve};

/// Which network is asked about.
#[derive(Debug, Clone)]
pub enum Architecture {
    /// Layers of so many free threshold units, and free output units; none: output units alone.
    Layers(Vec<usize>),
    /// The network of this file (docs/networks.md).
    Described(PathBuf),
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// At most so many rows.
    Errors(u64),
    /// At least p/q of the rows must be right: ⌈p·m/q⌉.
    AtLeast(u64, u64),
    /// More than p/q of the rows must be right: more than p·m/q.
    MoreThan(u64, u64),
    /// As few rows as can be.
    Fewest,
}

/// A run: what was loaded and what came out.
#[derive(Debug)]
pub struct Loading {
    /// The problem and where it comes from.
    pub loaded: LoadedLoading,
    /// Bounds, weights and refutation.
    pub outcome: Outcome,
    /// Errors that were allowed, if it was a question of yes or no.
    pub allowed: Option<u64>,
    symmetry: bool,
}

impl Architecture {
    fn network(&self, columns: usize, outputs: usize, names: &ColumnNames) -> Result<Network, DataError> {
        match self {
            Architecture::Layers(layers) => Ok(Network::layered(layers, outputs)),
            Architecture::Described(path) => read_network(&path.to_string_lossy(), columns, names, outputs),
        }
    }
}

impl Question {
    /// Errors allowed among `m` rows; `None` for the fewest. An `Err` says why no number of errors is meant.
    pub fn allowed(self, m: u64) -> Result<Option<u64>, String> {
        let (m, wide) = (u128::from(m), u128::from);
        let right = match self {
            Question::Fewest => return Ok(None),
            Question::Errors(errors) => return Ok(Some(errors)),
            Question::AtLeast(p, q) => (wide(p) * m).div_ceil(wide(q)),
            Question::MoreThan(p, q) => wide(p) * m / wide(q) + 1,
        };
        match m.checked_sub(right) {
            Some(errors) => Ok(Some(errors as u64)),
            None => Err(format!("{right} of {m} rows cannot be right; expected a smaller share")),
        }
    }
}

/// Reads the data with the network. Unless the request names targets, they are the columns that the outputs of a described network are called as.
pub fn load_problem(
    source: &str,
    request: &LoadingRequest,
    network: &Architecture,
) -> Result<LoadedLoading, DataError> {
    let mut request = request.clone();
    if let (true, Architecture::Described(path)) = (request.targets.is_empty(), network) {
        request.targets = targets_of_network(source, &request, &path.to_string_lossy())?;
    }
    load_loading(source, &request, |columns, outputs, names| network.network(columns, outputs, names))
}

/// Solves what is loaded.
pub fn decide(loaded: LoadedLoading, options: &Options, monitor: &dyn Monitor) -> Loading {
    let outcome = solve(&loaded.problem, options, monitor);
    monitor.report(Event::Progress {
        source: "end",
        upper: outcome.upper.map_or(f64::INFINITY, |upper| upper as f64),
        lower: outcome.lower as f64,
        explored: outcome.conflicts,
    });
    Loading { loaded, outcome, allowed: options.allowed, symmetry: options.symmetry }
}

impl Loading {
    /// The certificate.
    pub fn certificate(&self) -> LoadingCertificate {
        let (problem, outcome) = (&self.loaded.problem, &self.outcome);
        LoadingCertificate {
            claim: LoadingClaim {
                version: CERTIFICATE_VERSION,
                kind: "loading".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                rows: problem.rows(),
                columns: problem.points.columns(),
                network: problem.network.clone(),
                symmetry: self.symmetry,
                stride: outcome.stride,
                maps: outcome.maps.clone(),
                allowed: self.allowed,
                lower: outcome.lower,
                upper: outcome.upper,
                ending: outcome.ending,
                margins: outcome.margins.iter().map(|margin| margin.claim).collect(),
            },
            neurons: outcome.neurons.clone(),
            circuits: outcome.circuits.clone(),
            proof: outcome.proof.clone(),
            hulls: outcome.margins.iter().map(|margin| margin.hulls.clone()).collect(),
        }
    }

    /// Checks the certificate against the problem in memory.
    pub fn proof(&self) -> Result<LoadingVerdict, infimum_check::Refusal> {
        check_loading_problem(&self.loaded.problem, &self.certificate())
    }
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn two_thirds() {
        // Of 9 rows two thirds are 6; more than two thirds 7. Of 10: 6.67, so 7 and 7.
        let errors = |question: Question, m| question.allowed(m).map(Option::unwrap);
        assert_eq!(errors(Question::AtLeast(2, 3), 9), Ok(3));
        assert_eq!(errors(Question::MoreThan(2, 3), 9), Ok(2));
        assert_eq!(errors(Question::AtLeast(2, 3), 10), Ok(3));
        assert_eq!(errors(Question::MoreThan(2, 3), 10), Ok(3));
        assert_eq!(errors(Question::MoreThan(2, 3), 3), Ok(0), "of Judd's three items all must be right");
        assert_eq!(errors(Question::AtLeast(1, 1), 5), Ok(0));
        assert!(Question::MoreThan(1, 1).allowed(5).is_err());
        assert_eq!(errors(Question::AtLeast(0, 1), 5), Ok(5));
    }
}
