//! Generated files, read again.

use infimum_problem::{Network, Points};

use super::*;
use crate::exact::{LoadedLoading, LoadingRequest, load_loading, targets_of_network};
use crate::network::{parse_network, read_network};
use crate::reductions::{Cnf, SetSplitting};

/// The loading problem of what is generated, in a format.
fn generated(kind: &str, options: &GenerateOptions, extension: &str) -> Result<LoadedLoading, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join(format!("a.{extension}"));
    generate(kind, options, &out).map_err(|error| error.to_string().replace(&out.display().to_string(), "OUT"))?;
    let network = |_: usize, outputs: usize, _: &_| Ok(Network::layered(&[2], outputs));
    Ok(load_loading(&out.display().to_string(), &LoadingRequest::default(), network).expect("readable"))
}

fn shape(loaded: &LoadedLoading) -> (usize, usize, usize) {
    let problem = &loaded.problem;
    (problem.rows(), problem.points.columns(), problem.targets.iter().filter(|target| **target == Some(true)).count())
}

#[test]
fn loading_problems() {
    let none = GenerateOptions::default();
    let sized = GenerateOptions { rows: Some(60), columns: Some(4), ..none.clone() };
    let planted = |hidden: usize| GenerateOptions { hidden: Some(hidden), rows: Some(500), seed: 3, ..none.clone() };
    for extension in ["csv", "svm"] {
        let shape_of = |kind: &str, options: &GenerateOptions| shape(&generated(kind, options, extension).expect(kind));
        assert_eq!(shape_of("xor", &none), (4, 2, 2));
        assert_eq!(shape_of("parity", &GenerateOptions { columns: Some(6), ..none.clone() }), (64, 6, 32));
        let (rows, columns, _) = shape_of("random", &sized);
        assert_eq!((rows, columns), (60, 4));
        assert_eq!(shape_of("spirals", &none), (194, 2, 97));
        assert_eq!(shape_of("blum-rivest", &none), (1 + 20 + 42 + 6, 23, 1 + 42 + 2));
        for hidden in 1..=5 {
            let (rows, columns, ones) = shape_of("planted", &planted(hidden));
            assert_eq!((rows, columns), (500, 5));
            assert!((125..375).contains(&ones), "{ones} of {rows} with {hidden} hidden units");
        }
    }
}

#[test]
fn both_formats_say_the_same_and_seeds_matter() {
    let options = GenerateOptions { rows: Some(30), seed: 7, ..GenerateOptions::default() };
    for kind in ["random", "planted"] {
        let points =
            |options: &GenerateOptions, extension| generated(kind, options, extension).expect(kind).problem.points;
        assert_eq!(points(&options, "csv"), points(&options, "svm"));
        assert_ne!(points(&options, "csv"), points(&GenerateOptions { seed: 8, ..options.clone() }, "csv"));
    }
    let spirals = generated("spirals", &GenerateOptions::default(), "csv").expect("spirals").problem;
    let builtin = load_loading("builtin:spirals", &LoadingRequest::default(), |_, _, _| Ok(Network::layered(&[2], 1)));
    let builtin = builtin.expect("built in").problem;
    assert_eq!((spirals.points, spirals.targets), (builtin.points, builtin.targets));
}

#[test]
fn sets_for_convex_training_have_the_size_that_is_asked_for() {
    let options = GenerateOptions { rows: Some(20), ..GenerateOptions::default() };
    for (kind, extension, columns) in
        [("easy-dense", "csv", 19), ("ill-conditioned", "npy", 50), ("easy-dense", "svm", 19)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join(format!("a.{extension}"));
        generate(kind, &options, &out).expect("generated");
        let loaded = crate::load(&out.display().to_string(), &crate::Request::default()).expect("readable");
        assert_eq!((loaded.problem.data.rows(), loaded.problem.data.columns()), (20, columns), "{kind}.{extension}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let none = GenerateOptions::default();
    let cases: [(&str, GenerateOptions, &str, &str); 10] = [
        ("zebra", none.clone(), "csv", "zebra: there is no generator `zebra`; there are text-like, "),
        (
            "xor",
            GenerateOptions { rows: Some(3), ..none.clone() },
            "csv",
            "OUT: xor does not heed --rows; it heeds --seed alone",
        ),
        (
            "random",
            GenerateOptions { hidden: Some(3), ..none.clone() },
            "csv",
            "OUT: random does not heed --hidden; it heeds --rows, --columns",
        ),
        (
            "random",
            GenerateOptions { rows: Some(0), ..none.clone() },
            "csv",
            "OUT: --rows and --columns expect at least 1 each",
        ),
        (
            "parity",
            GenerateOptions { columns: Some(21), ..none.clone() },
            "csv",
            "OUT: --columns expects 1 to 20 bits, got 21",
        ),
        ("random", none.clone(), "npy", "OUT: random is written as .csv or .svm; name the output file so"),
        ("judd", none.clone(), "csv", "OUT: judd needs a formula: --cnf FILE"),
        (
            "blum-rivest",
            GenerateOptions { elements: Some(2), ..none.clone() },
            "csv",
            "OUT: --elements expects at least 3, got 2",
        ),
        (
            "blum-rivest",
            GenerateOptions { ratio: Some(f64::NAN), ..none.clone() },
            "csv",
            "OUT: --ratio expects a number",
        ),
        (
            "blum-rivest",
            GenerateOptions { cnf: Some("no/such.cnf".into()), ..none },
            "csv",
            "no/such.cnf: cannot be read",
        ),
    ];
    for (kind, options, extension, expected) in cases {
        let error = generated(kind, &options, extension).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn formulas_become_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |file: &str| folder.path().join(file).display().to_string();
    let text = "c from SATLIB\np cnf 3 3\n1 -2 3 0\n -1 2 0\n-3 0\n%\n0\n";
    std::fs::write(path("f.cnf"), text).expect("written");
    let options = GenerateOptions { cnf: Some(path("f.cnf")), ..GenerateOptions::default() };
    let splitting = SetSplitting::of_cnf(&Cnf::parse("f.cnf", text).expect("read").of_three());
    assert_eq!((splitting.elements, splitting.sets.len()), (9, 8));
    let loaded = generated("blum-rivest", &options, "svm").expect("generated");
    assert_eq!(shape(&loaded), (1 + 9 + 8 + 6, 12, 1 + 8 + 2));

    generate("judd", &options, Path::new(&path("j.csv"))).expect("generated");
    let request = LoadingRequest::default();

    let targets = targets_of_network(&path("j.csv"), &request, &path("j.toml")).expect("read");
    assert_eq!((targets.len(), targets[0].as_str(), targets[14].as_str()), (15, "x1-decided", "clause3"));
    let request = LoadingRequest { targets, ..request };
    let loaded = load_loading(&path("j.csv"), &request, |columns, outputs, names| {
        read_network(&path("j.toml"), columns, names, outputs)
    });
    let loaded = loaded.expect("read");
    let task = judd_task_of(text);
    assert_eq!(loaded.problem.network, task.network);
    assert_eq!(loaded.problem.targets, task.responses.concat());
    let Points::Narrow(matrix) = &loaded.problem.points else { panic!("narrow") };
    assert_eq!(
        (&matrix.row_starts[..], &matrix.column_indices[..], &matrix.values[..]),
        (&[0, 0, 1, 2][..], &[1, 0][..], &[1, 1][..])
    );
    // Outputs that are no columns leave the choice to the usual rule.
    assert_eq!(targets_of_network("builtin:xor", &LoadingRequest::default(), &path("j.toml")), Ok(Vec::new()));
    let net = std::fs::read_to_string(path("j.toml")).expect("the network");
    assert!(parse_network(&net, 2, &loaded.problem.column_names, 1).is_err());
}

fn judd_task_of(text: &str) -> crate::reductions::JuddTask {
    crate::reductions::judd_task(&Cnf::parse("f.cnf", text).expect("read").of_three())
}

/// Instances that others made, where they are.
#[test]
fn known_instances() {
    let Some(folder) = std::env::var_os("INFIMUM_DATA").map(|data| Path::new(&data).join("instances/threshold")) else {
        eprintln!("INFIMUM_DATA is not set: the threshold instances are not read");
        return;
    };
    let network = |_: usize, outputs: usize, _: &_| Ok(Network::layered(&[2], outputs));
    let request = LoadingRequest { header: Some(false), ..LoadingRequest::default() };
    let known =
        |file: &str| load_loading(&folder.join(file).display().to_string(), &request, network).expect(file).problem;
    // Rows in order, the columns that are not 0 renamed or left out.
    let rows = |problem: &infimum_problem::LoadingProblem, rename: &dyn Fn(u32) -> Option<u32>| {
        let row = |i: usize| {
            let mut columns: Vec<u32> = problem.points.row(i).iter().filter_map(|entry| rename(entry.0)).collect();
            columns.sort_unstable();
            (columns, problem.targets[i])
        };
        let mut rows: Vec<(Vec<u32>, Option<bool>)> = (0..problem.rows()).map(row).collect();
        rows.sort();
        rows
    };
    let boards = load_loading("builtin:tic-tac-toe", &LoadingRequest::default(), network).expect("built in").problem;
    // Ours are blank, o, x for each square; the instance has 9 columns for x and then 9 for o.
    let planes = |column: u32| [None, Some(9 + column / 3), Some(column / 3)][column as usize % 3];
    assert_eq!(rows(&boards, &planes), rows(&known("tictactoe_onehot.csv"), &Some));
    for elements in [3, 5] {
        let options = GenerateOptions { columns: Some(elements), ..GenerateOptions::default() };
        let parity = generated("parity", &options, "csv").expect("parity").problem;
        let instance = known(&format!("parity{elements}.csv"));
        assert_eq!(rows(&parity, &Some), rows(&instance, &Some));
    }
    // The Blum–Rivest instances: the sets of one of them, read off its points, make all of its points again.
    let instance = known("br_n20_r2.1.csv");
    let elements = instance.points.columns() as u32 - 3;
    let sets: Vec<Vec<usize>> = (1 + elements as usize..instance.rows() - 6)
        .map(|i| instance.points.row(i).iter().map(|entry| entry.0 as usize).collect())
        .collect();
    let splitting = SetSplitting { elements: elements as usize, sets };
    let points: Vec<(Vec<u32>, Option<bool>)> = crate::reductions::points_of_splitting(&splitting)
        .into_iter()
        .map(|(ones, label)| (ones.into_iter().map(|one| one as u32).collect(), Some(label)))
        .collect();
    let stored: Vec<(Vec<u32>, Option<bool>)> = (0..instance.rows())
        .map(|i| (instance.points.row(i).iter().map(|entry| entry.0).collect(), instance.targets[i]))
        .collect();
    assert_eq!(points, stored);
}
