//! Random numbers, and solving with the certificate written, read back and checked.

use infimum_check::check_loading_problem;
use infimum_problem::{
    CERTIFICATE_VERSION, Format, LoadingCertificate, LoadingClaim, LoadingProblem, LoadingRecipe, Silent, Source,
};
use infimum_threshold::{Options, Outcome, solve};

/// splitmix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// The certificate of an outcome.
fn certificate(problem: &LoadingProblem, options: &Options, outcome: &Outcome) -> LoadingCertificate {
    LoadingCertificate {
        claim: LoadingClaim {
            version: CERTIFICATE_VERSION,
            kind: "loading".into(),
            source: Source { path: String::new(), sha256: String::new() },
            recipe: LoadingRecipe { format: Format::Csv, header: false, targets: Vec::new() },
            problem_sha256: String::new(),
            rows: problem.rows(),
            columns: problem.points.columns(),
            network: problem.network.clone(),
            symmetry: options.symmetry,
            stride: outcome.stride,
            maps: outcome.maps.clone(),
            allowed: options.allowed,
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

/// Solves, and has the certificate written, read back and checked.
pub(crate) fn solved(problem: &LoadingProblem, options: &Options) -> Outcome {
    let outcome = solve(problem, options, &Silent);
    let certificate = certificate(problem, options, &outcome);
    let read =
        LoadingCertificate::from_bytes(&certificate.to_bytes().expect("a certificate")).expect("what was written");
    assert_eq!(read, certificate);
    let verdict = check_loading_problem(problem, &read);
    let verdict = verdict.unwrap_or_else(|refusal| panic!("{refusal}\n{options:?}\n{problem:?}"));
    assert_eq!((verdict.lower, verdict.upper), (outcome.lower, outcome.upper));
    outcome
}
