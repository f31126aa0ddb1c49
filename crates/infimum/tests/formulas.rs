//! A formula goes in, a network is trained on what it becomes, and a satisfying assignment or a checked refutation comes out
//! (docs/loading-reductions.md).

use std::io::Read;
use std::path::Path;

use infimum::reductions::{Cnf, SetSplitting, assignment_of_hidden_units, splitting_of_hidden_units};
use infimum::{
    Architecture, DecideOptions, Ending, GenerateOptions, Loading, LoadingRequest, Silent, decide, generate,
    load_problem,
};

/// What becomes of a formula's text by a generator.
fn decided(kind: &str, text: &str) -> Loading {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |file: &str| folder.path().join(file).display().to_string();
    std::fs::write(path("f.cnf"), text).expect("written");
    let options = GenerateOptions { cnf: Some(path("f.cnf")), ..GenerateOptions::default() };
    generate(kind, &options, Path::new(&path("f.csv"))).expect("generated");
    let network = match kind {
        "judd" => Architecture::Described(path("f.toml").into()),
        _ => Architecture::Layers(vec![2]),
    };
    let loaded = load_problem(&path("f.csv"), &LoadingRequest::default(), &network).expect("readable");
    let decided = decide(loaded, &DecideOptions::default(), &Silent);
    decided.proof().expect("a certificate that is accepted");
    decided
}

/// Decides the formula by both reductions; whether it can be satisfied.
fn satisfiable(text: &str) -> bool {
    let cnf = Cnf::parse("f.cnf", text).expect("a formula");
    let three = cnf.of_three();
    let answers = ["blum-rivest", "judd"].map(|kind| {
        let decided = decided(kind, text);
        let Some(neurons) = decided.outcome.neurons.filter(|_| decided.outcome.upper == Some(0)) else {
            assert_eq!(decided.outcome.ending, Ending::Infeasible, "{kind}");
            return false;
        };
        let assignment = if kind == "judd" {
            assignment_of_hidden_units(three.variables, &neurons)
        } else {
            let splitting = SetSplitting::of_cnf(&three);
            let colours = splitting_of_hidden_units(splitting.elements, [&neurons[0], &neurons[1]]);
            assert!(splitting.is_split(&colours));
            three.assignment_of_splitting(&colours)
        };
        assert!(three.is_satisfied(&assignment), "{kind}");
        assert!(cnf.is_satisfied(&assignment[..cnf.variables]), "{kind}");
        true
    });
    assert_eq!(answers[0], answers[1]);
    answers[0]
}

#[test]
fn small_formulas() {
    assert!(satisfiable("p cnf 3 3\n1 -2 3 0\n-1 2 0\n-3 0\n"));
    assert!(satisfiable("p cnf 5 2\n1 2 3 4 5 0\n-1 -2 -3 -4 -5 0\n"));
    assert!(satisfiable("p cnf 0 0\n"));
    assert!(!satisfiable("p cnf 1 1\n0\n"));
    assert!(!satisfiable("p cnf 2 4\n1 2 0\n1 -2 0\n-1 2 0\n-1 -2 0\n"));
    let all_signs: String = (0..8)
        .map(|signs| {
            (1..=3)
                .map(|v| if signs >> (v - 1) & 1 == 1 { format!("{v} ") } else { format!("-{v} ") })
                .collect::<String>()
                + "0\n"
        })
        .collect();
    assert!(!satisfiable(&format!("p cnf 3 8\n{all_signs}")));
}

/// The first files of an archive of SATLIB's (tar, gzip), as text.
fn files_of(archive: &Path, count: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(archive).expect("an archive");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    let (mut files, mut place) = (Vec::new(), 0);
    while files.len() < count && place + 512 <= bytes.len() && bytes[place] != 0 {
        let header = &bytes[place..place + 512];
        let digits = String::from_utf8_lossy(&header[124..135]).into_owned();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).expect("a size");
        let name = String::from_utf8_lossy(&header[..100]).into_owned();
        if name.trim_end_matches('\0').ends_with(".cnf") {
            files.push(String::from_utf8_lossy(&bytes[place + 512..place + 512 + size]).into_owned());
        }
        place += 512 + size.next_multiple_of(512);
    }
    files
}

#[test]
fn satlib() {
    let Some(folder) = std::env::var_os("INFIMUM_DATA").map(|data| Path::new(&data).join("data/satlib")) else {
        eprintln!("INFIMUM_DATA is not set: SATLIB is not read");
        return;
    };
    for (archive, expected) in [("uf20-91.tar.gz", true), ("uuf50-218.tar.gz", false)] {
        let files = files_of(&folder.join(archive), 3);
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|text| satisfiable(text) == expected), "{archive}");
    }
}
