//! The instances of `$INFIMUM_DATA/instances/threshold` with known answers. Skipped, saying so, where the variable is unset.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use infimum_check::check_loading_problem;
use infimum_data::{LoadingRequest, load_loading};
use infimum_problem::{
    CERTIFICATE_VERSION, Ending, Event, LoadingCertificate, LoadingClaim, LoadingProblem, Monitor, Network, Stop,
};
use infimum_threshold::{Options, solve};
use serde_json::Value;

/// Instances beyond the frontier of a short test.
const LONG: [(&str, usize); 0] = [];

/// Ends a search that would be a defect on these instances.
struct Patience(Instant);

impl Monitor for Patience {
    fn report(&self, _event: Event) {}

    fn stop(&self) -> Option<Stop> {
        (self.0.elapsed() > Duration::from_secs(60)).then_some(Stop::TimeLimit)
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("INFIMUM_DATA").map(|data| PathBuf::from(data).join("instances/threshold"));
    if folder.is_none() {
        eprintln!("skipped: INFIMUM_DATA is unset");
    }
    folder
}

fn expected(folder: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    serde_json::from_str(&text).expect("JSON")
}

/// Answer of a checked run: the ending and both bounds.
fn answer(path: &std::path::Path, hidden: usize, allowed: Option<u64>) -> (Ending, u64, Option<u64>) {
    let request = LoadingRequest { header: Some(false), ..LoadingRequest::default() };
    let name = path.to_str().expect("a name in UTF-8");
    let loaded =
        load_loading(name, &request, |_, outputs, _| Ok(Network::layered(&[hidden], outputs))).expect("an instance");
    let options = Options { allowed, ..Options::default() };
    let outcome = solve(&loaded.problem, &options, &Patience(Instant::now()));
    let problem: &LoadingProblem = &loaded.problem;
    let certificate = LoadingCertificate {
        claim: LoadingClaim {
            version: CERTIFICATE_VERSION,
            kind: "loading".into(),
            source: loaded.source.clone(),
            recipe: loaded.recipe.clone(),
            problem_sha256: loaded.problem_sha256.clone(),
            rows: problem.rows(),
            columns: problem.points.columns(),
            network: problem.network.clone(),
            symmetry: options.symmetry,
            stride: outcome.stride,
            maps: outcome.maps.clone(),
            allowed,
            lower: outcome.lower,
            upper: outcome.upper,
            ending: outcome.ending,
            margins: outcome.margins.iter().map(|margin| margin.claim).collect(),
        },
        neurons: outcome.neurons,
        circuits: outcome.circuits,
        proof: outcome.proof,
        hulls: outcome.margins.into_iter().map(|margin| margin.hulls).collect(),
    };
    let verdict = check_loading_problem(problem, &certificate);
    assert!(verdict.is_ok(), "{name} k={hidden}: {:?}", verdict.err());
    (outcome.ending, outcome.lower, outcome.upper)
}

#[test]
fn tiny_instances_and_their_least_errors() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("tiny");
    let mut count = 0;
    for (name, answers) in expected(&folder).as_object().expect("an object") {
        for (hidden, known) in answers.as_object().expect("an object") {
            let hidden: usize = hidden.parse().expect("a number");
            let path = folder.join(format!("{name}.csv"));
            let least = known["min_errors"].as_u64().expect("a number");
            assert_eq!(answer(&path, hidden, None), (Ending::Optimal, least, Some(least)), "{name} k={hidden}");
            let wanted = if known["answer"] == "sat" { Ending::Satisfiable } else { Ending::Infeasible };
            assert_eq!(answer(&path, hidden, Some(0)).0, wanted, "{name} k={hidden}");
            count += 1;
        }
    }
    assert!(count >= 198, "{count} of 66 instances with three widths");
}

#[test]
fn known_answers_inside_the_frontier() {
    let Some(folder) = folder() else { return };
    let mut count = 0;
    for (name, instance) in expected(&folder).as_object().expect("an object") {
        let (m, d) = (instance["m"].as_u64().expect("m"), instance["d"].as_u64().expect("d"));
        for (hidden, known) in instance["expected"].as_object().expect("an object") {
            let hidden: usize = hidden.parse().expect("a number");
            let by_float = known["source"].as_str().is_some_and(|source| source.contains("float search"));
            // A test takes the small ones; the whole list is run by bench/threshold.
            if by_float || m > 250 || d > 110 || hidden > 3 || LONG.contains(&(name, hidden)) {
                continue;
            }
            let wanted = if known["answer"] == "sat" { Ending::Satisfiable } else { Ending::Infeasible };
            let (ending, ..) = answer(&folder.join(format!("{name}.csv")), hidden, Some(0));
            assert_eq!(ending, wanted, "{name} k={hidden}");
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}
