//! A formula goes in, a network is trained, a satisfying assignment comes out (docs/loading-reductions.md).

use std::io::Read;
use std::path::Path;

use crate::sandbox::Sandbox;

/// The formula `f.cnf` by one reduction: its assignment, if it can be satisfied.
fn assigned(sandbox: &Sandbox, kind: &str) -> Option<Vec<i64>> {
    sandbox.good(&format!("generate {kind} --cnf f.cnf -o f.csv"));
    let network = if kind == "judd" { "--net f.toml" } else { "--hidden 2" };
    let decided = sandbox.run(&format!("decide f.csv {network} --out {kind} --quiet"));
    sandbox.good(&format!("check {kind} --quiet"));
    if decided.code == Some(20) {
        sandbox.refused(&format!("assignment {kind} --cnf f.cnf"), &["Infeasible", "holds no weights"]);
        return None;
    }
    assert_eq!(decided.code, Some(10), "{decided:?}");
    let ran = sandbox.run(&format!("assignment {kind} --cnf f.cnf"));
    assert_eq!(ran.code, Some(10), "{ran:?}");
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("s SATISFIABLE"));
    let literals: Vec<i64> = lines
        .flat_map(|line| line.strip_prefix("v ").unwrap().split(' '))
        .map(|literal| literal.parse().unwrap())
        .collect();
    let (last, literals) = literals.split_last().unwrap();
    assert_eq!(*last, 0);
    assert!(literals.iter().zip(1i64..).all(|(literal, variable)| literal.abs() == variable), "{literals:?}");
    Some(literals.to_vec())
}

/// Whether `f.cnf` can be satisfied: both reductions, with every assignment put into the formula.
fn satisfiable(sandbox: &Sandbox, text: &str) -> bool {
    sandbox.file("f.cnf", text);
    let literals: Vec<i64> = (text.lines().take_while(|line| !line.starts_with('%')))
        .filter(|line| !line.starts_with(['c', 'p']))
        .flat_map(|line| line.split_ascii_whitespace().map(|literal| literal.parse().unwrap()))
        .collect();
    let (end, literals) = literals.split_last().unwrap();
    assert_eq!(*end, 0);
    let clauses: Vec<&[i64]> = literals.split(|literal| *literal == 0).collect();
    let answers = ["blum-rivest", "judd"].map(|kind| {
        let assignment = assigned(sandbox, kind)?;
        assert!(
            clauses.iter().all(|clause| clause.iter().any(|literal| assignment.contains(literal))),
            "{kind}: {text}"
        );
        Some(())
    });
    assert_eq!(answers[0], answers[1]);
    answers[0].is_some()
}

#[test]
fn small_formulas() {
    let sandbox = Sandbox::new();
    assert!(satisfiable(&sandbox, "c one\np cnf 3 3\n1 -2 3 0\n-1 2 0\n-3 0\n%\n0\n"));
    assert!(satisfiable(&sandbox, "p cnf 5 2\n1 2 3 4 5 0\n-1 -2 -3 -4 -5 0\n"));
    assert!(!satisfiable(&sandbox, "p cnf 2 4\n1 2 0\n1 -2 0\n-1 2 0\n-1 -2 0\n"));
}

#[test]
fn runs_of_other_data_are_refused() {
    let sandbox = Sandbox::new();
    assert!(satisfiable(&sandbox, "p cnf 2 2\n1 2 0\n-1 2 0\n"));
    sandbox.file("wider.cnf", "p cnf 4 2\n1 2 3 0\n-1 2 4 0\n");
    for kind in ["blum-rivest", "judd"] {
        sandbox.refused(&format!("assignment {kind} --cnf wider.cnf"), &["none that this formula becomes"]);
        sandbox.refused(&format!("assignment {kind} --cnf gone.cnf"), &["gone.cnf", "cannot be read"]);
    }
    // As many elements, but not the same sets: what comes out is evaluated.
    sandbox.file("other.cnf", "p cnf 2 3\n1 -2 0\n-1 -2 0\n-2 0\n");
    sandbox.refused("assignment blum-rivest --cnf other.cnf", &["does not satisfy the formula"]);
    sandbox.refused("assignment gone --cnf f.cnf", &["gone", "expected a run folder"]);
    sandbox.certified("builtin:iris", "convex");
    sandbox.refused("assignment convex --cnf f.cnf", &["convex", "expected a run folder of `infimum decide`"]);
}

/// The first files of an archive of SATLIB's (tar, gzip), as text.
fn files_of(archive: &Path, count: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap()).read_to_end(&mut bytes).unwrap();
    let (mut files, mut place) = (Vec::new(), 0);
    while files.len() < count && place + 512 <= bytes.len() && bytes[place] != 0 {
        let header = &bytes[place..place + 512];
        let digits = String::from_utf8_lossy(&header[124..135]).into_owned();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap();
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
        let sandbox = Sandbox::new();
        assert!(files.iter().all(|text| satisfiable(&sandbox, text) == expected), "{archive}");
    }
}
