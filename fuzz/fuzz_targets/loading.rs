//! Any bytes as a loading certificate, and certificates about XOR whose circuits, proof, weights and bounds the bytes say: the checker
//! answers or refuses, never panics, and never accepts what is not so.
#![no_main]

use std::sync::LazyLock;

use infimum_check::{check_loading, check_loading_problem};
use infimum_data::{LoadedLoading, LoadingRequest, load_loading};
use infimum_problem::{
    Circuit, ColumnMove, Ending, HullPoints, LoadingCertificate, LoadingClaim, MarginClaim, Network, Neuron, PointMap,
    ProofStep, Scope, Term,
};

const XOR: &str = "builtin:xor";

/// XOR for 0, 1 and 2 hidden units, of which 1, 1 and 0 rows are wrong at best.
static PROBLEMS: LazyLock<Vec<(LoadedLoading, u64)>> = LazyLock::new(|| {
    let load = |hidden: &[usize]| {
        load_loading(XOR, &LoadingRequest::default(), |_, _, _| Ok(Network::layered(hidden, 1))).expect("built in")
    };
    vec![(load(&[]), 1), (load(&[1]), 1), (load(&[2]), 0)]
});

/// Numbers out of bytes, 0 when they have come to an end.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn list<T>(&mut self, most: u8, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next() % (most + 1)).map(|_| one(self)).collect()
    }

    fn term(&mut self) -> Term {
        let (row, multiplier) = (u32::from(self.next() % 6), self.next());
        Term { row, multiplier: (multiplier % 8).into(), inputs: if multiplier > 250 { vec![true] } else { vec![] } }
    }
}

fn made(numbers: &mut Numbers, loaded: &LoadedLoading) -> LoadingCertificate {
    let endings = [Ending::TimeLimit, Ending::Optimal, Ending::Infeasible, Ending::Satisfiable];
    let claim = LoadingClaim {
        version: 1,
        kind: "loading".into(),
        source: loaded.source.clone(),
        recipe: loaded.recipe.clone(),
        problem_sha256: loaded.problem_sha256.clone(),
        rows: 4,
        columns: 2,
        network: loaded.problem.network.clone(),
        symmetry: numbers.next() % 2 == 1,
        stride: u64::from(numbers.next() % 5),
        maps: numbers.list(3, |numbers| PointMap {
            moves: numbers.list(3, |numbers| ColumnMove {
                to: u32::from(numbers.next() % 3),
                from: u32::from(numbers.next() % 3),
                sum: (numbers.next() % 2 == 1).then(|| i64::from(numbers.next() as i8)),
            }),
            exchanges: numbers.next() % 2 == 1,
            compared: u32::from(numbers.next() % 6),
        }),
        allowed: (numbers.next() % 2 == 1).then(|| u64::from(numbers.next() % 5)),
        lower: u64::from(numbers.next() % 5),
        upper: (numbers.next() % 2 == 1).then(|| u64::from(numbers.next() % 5)),
        ending: endings[usize::from(numbers.next() % 4)],
        margins: numbers.list(2, |numbers| MarginClaim {
            unit: u32::from(numbers.next() % 3),
            lower: f64::from(numbers.next()) / 16.0,
            upper: f64::from(numbers.next()) / 16.0,
        }),
    };
    let neurons = claim.upper.is_some().then(|| {
        numbers.list(4, |numbers| Neuron {
            weights: numbers.list(3, |numbers| (numbers.next() as i8).into()),
            bias: (numbers.next() as i8).into(),
        })
    });
    let circuits = numbers.list(5, |numbers| Circuit {
        scope: if numbers.next() < 240 { Scope::Group(0) } else { Scope::Unit(1) },
        left: numbers.list(4, Numbers::term),
        right: numbers.list(4, Numbers::term),
    });
    let proof = numbers.list(30, |numbers| ProofStep {
        clause: numbers.list(5, |numbers| i32::from(numbers.next() as i8)),
        hints: numbers.list(15, |numbers| u64::from(numbers.next())),
    });
    let hulls = (claim.margins.iter())
        .map(|_| HullPoints { left: numbers.list(3, Numbers::term), right: numbers.list(3, Numbers::term) })
        .collect();
    LoadingCertificate { claim, neurons, circuits, proof, hulls }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check_loading(bytes, XOR);
    let mut numbers = Numbers(bytes);
    let (loaded, least) = &PROBLEMS[usize::from(numbers.next() % 3)];
    let certificate = made(&mut numbers, loaded);
    let checked = check_loading_problem(&loaded.problem, &certificate);
    if let Ok(verdict) = &checked {
        assert!(verdict.lower <= *least && verdict.upper.is_none_or(|upper| upper >= *least), "{certificate:?}");
    }
    // Literals and hints that the container cannot hold are refused when it is read.
    if let Ok(written) = certificate.to_bytes() {
        let read = check_loading(&written, XOR);
        assert!(read.is_err() || checked.is_ok(), "{certificate:?}");
    }
});
