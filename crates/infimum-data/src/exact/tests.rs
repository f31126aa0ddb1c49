//! Files as loading problems.

use std::io::Write;
use std::path::Path;

use dashu_int::IBig;
use flate2::write::GzEncoder;
use infimum_problem::{Columns, Function, IntegerMatrix, Unit};
use proptest::prelude::*;

use super::*;

fn one_layer(_: usize, outputs: usize, _: &ColumnNames) -> Result<Network, DataError> {
    Ok(Network::layered(&[], outputs))
}

/// The problem of a file of these bytes, its path in messages replaced by `file`.
fn loaded_as(file: &str, bytes: &[u8], request: &LoadingRequest) -> Result<LoadedLoading, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(file);
    std::fs::write(&path, bytes).expect("written");
    let name = path.display().to_string();
    let loaded = load_loading(&name, request, one_layer);
    if let Ok(loaded) = &loaded {
        let rebuilt = rebuild_loading(&name, &loaded.recipe, &loaded.problem.network).expect("rebuilt");
        assert_eq!(rebuilt.problem, loaded.problem);
        assert_eq!((&rebuilt.problem_sha256, &rebuilt.recipe), (&loaded.problem_sha256, &loaded.recipe));
    }
    loaded.map_err(|error| error.to_string().replace(&name, file))
}

fn csv(text: &str) -> Result<LoadedLoading, String> {
    loaded_as("a.csv", text.as_bytes(), &LoadingRequest::default())
}

fn with_targets(text: &str, targets: &[&str]) -> Result<LoadedLoading, String> {
    let targets = targets.iter().map(|target| target.to_string()).collect();
    loaded_as("a.csv", text.as_bytes(), &LoadingRequest { targets, ..LoadingRequest::default() })
}

fn narrow(loaded: &LoadedLoading) -> &IntegerMatrix<i64> {
    let Points::Narrow(matrix) = &loaded.problem.points else { panic!("expected narrow points") };
    matrix
}

fn wide(loaded: &LoadedLoading) -> &IntegerMatrix<IBig> {
    let Points::Wide(matrix) = &loaded.problem.points else { panic!("expected wide points") };
    matrix
}

fn ten(power: usize) -> IBig {
    IBig::from(10).pow(power)
}

const OPEN: Option<bool> = None;
const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

#[test]
fn decimals_are_exact() {
    let loaded = csv("a,b,y\n0.1,1000,0\n0.2,20e3,1\n0.3,-3e5,0\n0,0,1\n").expect("read");
    let matrix = narrow(&loaded);
    assert_eq!(loaded.problem.scales, [ColumnScale { ten: -1, two: 0 }, ColumnScale { ten: 3, two: 0 }]);
    let rows: Vec<(&[u32], &[i64])> = (0..4).map(|row| matrix.row(row)).collect();
    assert_eq!(rows, [(&[0, 1][..], &[1, 1][..]), (&[0, 1], &[2, 20]), (&[0, 1], &[3, -300]), (&[], &[])]);
}

#[test]
fn a_column_may_hold_the_very_large_and_the_very_small() {
    let loaded = csv("x,z,y\n1e-300,0,0\n1e300,1,1\n9007199254740993,0,0\n-9007199254740992.5,2,1\n").expect("read");
    assert_eq!(loaded.problem.scales, [ColumnScale { ten: -300, two: 0 }, ColumnScale::default()]);
    let expected: [IBig; 4] =
        [ten(0), ten(600), IBig::from(9007199254740993i64) * ten(300), IBig::from(-90071992547409925i64) * ten(299)];
    let matrix = wide(&loaded);
    (0..4).for_each(|row| assert_eq!(matrix.row(row).1[0], expected[row]));
    assert_eq!(matrix.row(1).1[1], IBig::from(1));
    let error = csv("x,y\n1e-3000,0\n1e1000,1\n").expect_err("4,001 digits");
    assert!(error.starts_with("a.csv: column `x`: expected values that are at most 4000 digits long"), "{error}");
    assert!(error.ends_with("(10^-3000), got a longer one in data row 2"), "{error}");
    assert!(csv("x,y\n1e-3000,0\n1e999,1\n").is_ok());
    assert!(csv("x,y\n1e-3000,0\n-1e1000,1\n").is_err());
    assert!(csv(&format!("x,y\n1e-3000,0\n-{}e997,1\n", "9".repeat(3))).is_ok());
}

#[test]
fn narrow_and_wide_meet_at_two_to_the_62() {
    let largest = 1i64 << 62;
    let loaded = csv(&format!("x,y\n{largest},0\n-{largest},1\n1,1\n")).expect("read");
    assert_eq!(narrow(&loaded).values, [largest, -largest, 1]);
    let loaded = csv(&format!("x,y\n{},0\n1,1\n", largest + 1)).expect("read");
    assert_eq!(wide(&loaded).values, [IBig::from(largest + 1), 1.into()]);
    // A common factor of ten makes them narrow again.
    let loaded = csv(&format!("x,y\n{largest}000,0\n1000,1\n")).expect("read");
    assert_eq!(narrow(&loaded).values, [largest, 1]);
}

#[test]
fn spellings_of_a_number_are_one_problem() {
    let spellings = ["1", "1.0", "1e0", "+1", "01", "10e-1", "1.", "0.1e1", "\"1\"", " 1 "];
    let problem = |one: &str| csv(&format!("x,y\n{one},{one}\n0.5,2\n")).expect("read").problem_sha256;
    assert!(spellings.iter().all(|one| problem(one) == problem("1")));
    let others = ["1.00000000000000000001", "1e1", "-1"];
    assert!(others.iter().all(|other| problem(other) != problem("1")));
}

#[test]
fn libsvm_and_csv_are_one_problem() {
    let text = csv("1,2,3,label\n0,0.5,1,-1\n3,0,0,1\n0,0,0,?\n0,7,0,1\n").expect("read");
    let request = LoadingRequest::default();
    let sparse = loaded_as("a.svm", b"-1 3:1 2:0.5\n+1 1:3 2:0\n? # open\n1 2:7 qid:3 3:0\n", &request).expect("read");
    assert_eq!(sparse.problem.points, text.problem.points);
    assert_eq!(sparse.problem.targets, text.problem.targets);
    assert_eq!(sparse.problem_sha256, text.problem_sha256);
}

#[test]
fn compressed_files_and_builtin_sets() {
    let text = "x,y\n1,0\n2,1\n";
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    let compressed = loaded_as("a.csv.gz", &encoder.finish().expect("memory"), &LoadingRequest::default());
    assert_eq!(compressed.expect("read").problem_sha256, csv(text).expect("read").problem_sha256);
    let xor = load_loading("builtin:xor", &LoadingRequest::default(), one_layer).expect("built in");
    assert_eq!(xor.problem.targets, [NO, YES, YES, NO]);
    assert_eq!(xor.problem.output_names, ["1"]);
    let boards = load_loading("builtin:tic-tac-toe", &LoadingRequest::default(), one_layer).expect("built in");
    assert_eq!((boards.problem.rows(), boards.problem.points.columns()), (958, 27));
    assert_eq!(boards.problem.output_names, ["positive"]);
    assert_eq!(boards.problem.targets.iter().filter(|target| **target == YES).count(), 626);
}

#[test]
fn text_columns_are_one_hot() {
    let loaded = csv("colour,x,y\nred,1,a\nblue,2,b\n?,3,a\n").expect("read");
    let names: Vec<String> = loaded.problem.column_names.iter().map(|name| name.into_owned()).collect();
    assert_eq!(names, ["colour=?", "colour=blue", "colour=red", "x"]);
    let rows: Vec<(&[u32], &[i64])> = (0..3).map(|row| narrow(&loaded).row(row)).collect();
    assert_eq!(rows, [(&[2, 3][..], &[1, 1][..]), (&[1, 3], &[1, 2]), (&[0, 3], &[1, 3])]);
}

#[test]
fn labels_become_outputs() {
    let case = |labels: &str| {
        let rows: String = labels.split(' ').map(|label| format!("1,{label}\n")).collect();
        let problem = csv(&format!("x,class\n{rows}")).expect(labels).problem;
        (problem.targets, problem.output_names)
    };
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(case("1 ? 1.0"), (vec![YES, OPEN, YES], names(&["1"])));
    assert_eq!(case("0 0"), (vec![NO, NO], names(&["not 0"])));
    assert_eq!(case("-1"), (vec![NO], names(&["not -1"])));
    assert_eq!(case("False"), (vec![NO], names(&["not False"])));
    assert_eq!(case("yes yes"), (vec![YES, YES], names(&["yes"])));
    assert_eq!(case("? ?"), (vec![OPEN, OPEN], names(&["class"])));
    assert_eq!(case("10 9 +9.0"), (vec![YES, NO, NO], names(&["10"])));
    assert_eq!(case("10 9 x"), (vec![YES, NO, NO, NO, YES, NO, NO, NO, YES], names(&["10", "9", "x"])));
    let large = case("9007199254740993 9007199254740992 ?");
    assert_eq!(large, (vec![YES, NO, OPEN], names(&["9007199254740993"])));
    assert_eq!(case("a b ? c").0[6..9], [OPEN; 3]);
}

#[test]
fn several_targets() {
    let text = "p,x,q\n0,5,?\n1,6,true\n?,7,False\n?,8,?\n";
    let loaded = with_targets(text, &["q", "p"]).expect("read");
    assert_eq!(loaded.problem.targets, [OPEN, NO, YES, YES, NO, OPEN, OPEN, OPEN]);
    assert_eq!(loaded.problem.output_names, ["q", "p"]);
    assert_eq!(loaded.recipe.targets, ["q", "p"]);
    assert_eq!(narrow(&loaded).values, [5, 6, 7, 8]);
    let error = with_targets("p,x,q\n0,5,1\n1,6,2\n", &["p", "q"]).expect_err("2 is no output");
    assert_eq!(error, "a.csv, line 3, column `q`: expected 0, 1 or `?`, as there are several target columns, got `2`");
    let error = with_targets("p,x\n0,5\n", &["p", "1"]).expect_err("twice");
    assert_eq!(error, "a.csv: column `p` is a target twice");
}

#[test]
fn what_is_wrong_is_named() {
    let many: String = (0..1_001).map(|label| format!("1,{label}\n")).collect();
    for (text, expected) in [
        ("x,y\n1,0\nnan,1\n", "a.csv, line 3, column `x`: expected a finite number (missing"),
        ("x,y\n1,0\n\n\"2\",\" 0\"\n?,1\n", "a.csv, line 5, column `x`: expected a finite number (missing"),
        ("x,y\n1,0\n-inf,1\n", "a.csv, line 3, column `x`: expected a finite number (infinite"),
        ("x,y\n1e4001,0\n", "a.csv, line 2, column `x`: expected a number of at most 4,000 digits"),
        (
            "x,y\n1,0\n2,NA\n",
            "a.csv, line 3, column `y`: expected a label (or `?` where any output is right), got `NA`",
        ),
        ("x,y\n1,0\n2\n", "a.csv, line 3: expected 2 fields"),
        ("y\n1\n0\n", "no feature columns are left"),
        ("x,y\n", "there are no rows below the column names"),
        (&format!("x,y\n{many}"), "a.csv, line 1002, column `y`: expected at most 1000 different labels"),
    ] {
        let error = csv(text).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let request = LoadingRequest::default();
    for (text, expected) in [
        ("x 1:1\n", "a.svm, line 1, column `label`: expected a number (or `?`) as label"),
        ("1 1:1\n1 1:1 2:inf\n", "a.svm, line 2, column `2`: expected a finite number"),
        ("1 1:1\n\n0 2:x\n", "a.svm, line 3, column `2`: expected a number as value, got `2:x`"),
        ("1\n0\n", "no feature columns"),
    ] {
        let error = loaded_as("a.svm", text.as_bytes(), &request).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
    let error = loaded_as("a.parquet", b"PAR1", &request).expect_err("Parquet");
    assert_eq!(error, "a.parquet: Parquet is not read exactly yet; convert the file to CSV or NPY");
    let targets = LoadingRequest { targets: vec!["1".into()], ..LoadingRequest::default() };
    let error = loaded_as("a.svm", b"1 1:1\n", &targets).expect_err("no columns");
    assert!(error.contains("--target names a column"), "{error}");
}

/// An array's file: elements as they are stored.
fn npy(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), elements].concat()
}

#[test]
fn arrays_are_dyadic() {
    let floats = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let request = LoadingRequest::default();
    let bytes = npy("<f8", false, "(3, 3)", &floats(&[0.1, 8.0, 0.0, -0.0, 24.0, 1.0, -0.3, 16.0, 0.0]));
    let loaded = loaded_as("a.npy", &bytes, &request).expect("read");
    assert_eq!(loaded.problem.scales, [ColumnScale { ten: 0, two: -55 }, ColumnScale { ten: 0, two: 3 }]);
    assert_eq!(narrow(&loaded).values, [3602879701896397, 1, 3, -(5404319552844595 << 1), 2]);
    assert_eq!(narrow(&loaded).column_indices, [0, 1, 1, 0, 1]);
    assert_eq!(loaded.problem.targets, [NO, YES, NO]);
    // By columns, the same.
    let bytes = npy("<f8", true, "(3, 3)", &floats(&[0.1, -0.0, -0.3, 8.0, 24.0, 16.0, 0.0, 1.0, 0.0]));
    assert_eq!(loaded_as("a.npy", &bytes, &request).expect("read").problem_sha256, loaded.problem_sha256);
    let subnormal = npy("<f8", false, "(2, 2)", &floats(&[f64::from_bits(3), 0.0, f64::MAX, 0.5]));
    let loaded = loaded_as("a.npy", &subnormal, &request).expect("read");
    assert_eq!(loaded.problem.scales, [ColumnScale { ten: 0, two: -1074 }]);
    assert_eq!(wide(&loaded).values, [IBig::from(3), IBig::from((1i64 << 53) - 1) << 2045]);
    assert_eq!(loaded.problem.output_names, ["0.5"]);
    let nan = npy("<f8", false, "(2, 2)", &floats(&[1.0, 0.0, f64::NAN, 1.0]));
    let error = loaded_as("a.npy", &nan, &request).expect_err("NaN");
    assert!(error.starts_with("a.npy, row 2, column `1`: expected a finite number"), "{error}");
    let nan = npy("<f8", true, "(2, 2)", &floats(&[1.0, f64::INFINITY, f64::NAN, 1.0]));
    let error = loaded_as("a.npy", &nan, &request).expect_err("NaN");
    assert!(error.starts_with("a.npy, row 1, column `2`: expected a finite number"), "{error}");
}

#[test]
fn integers_of_64_bits_are_exact() {
    let request = LoadingRequest::default();
    let elements: Vec<u8> = [u64::MAX, 0, (1 << 53) + 1, 1].iter().flat_map(|value| value.to_le_bytes()).collect();
    let loaded = loaded_as("a.npy", &npy("<u8", false, "(2, 2)", &elements), &request).expect("read");
    assert_eq!(wide(&loaded).values, [IBig::from(u64::MAX), IBig::from((1i64 << 53) + 1)]);
    let elements: Vec<u8> = [i64::MIN, 0, 3 << 40, 1].iter().flat_map(|value| value.to_be_bytes()).collect();
    let loaded = loaded_as("a.npy", &npy(">i8", false, "(2, 2)", &elements), &request).expect("read");
    assert_eq!(narrow(&loaded).values, [-(1 << 23), 3]);
    assert_eq!(loaded.problem.scales, [ColumnScale { ten: 0, two: 40 }]);
}

#[test]
fn archives_and_images() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut bytes);
    let arrays = [("X", "(2, 2)", vec![1u8, 2, 3, 4]), ("a", "(2,)", vec![0, 1]), ("b", "(2, 1)", vec![1, 1])];
    for (name, shape, elements) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(format!("{name}.npy"), options).expect("a new entry");
        writer.write_all(&npy("|u1", false, shape, &elements)).expect("memory");
    }
    writer.finish().expect("memory");
    let bytes = bytes.into_inner();
    let targets = LoadingRequest { targets: vec!["b".into(), "a".into()], ..LoadingRequest::default() };
    let loaded = loaded_as("a.npz", &bytes, &targets).expect("read");
    assert_eq!(loaded.problem.targets, [YES, NO, YES, YES]);
    assert_eq!(narrow(&loaded).values, [1, 1, 3, 2]);
    let error = loaded_as("a.npz", &bytes, &LoadingRequest::default()).expect_err("no y");
    assert!(error.contains("expected the target as array `y`"), "{error}");

    let folder = tempfile::tempdir().expect("a folder");
    let write = |file: &str, bytes: &[u8]| std::fs::write(folder.path().join(file), bytes).expect("written");
    write("train-images-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 7, 0, 12, 9]);
    write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 3, 5, 7, 0]);
    let name = folder.path().display().to_string();
    let loaded = load_loading(&name, &LoadingRequest::default(), one_layer).expect("read");
    assert_eq!(narrow(&loaded).values, [255, 7, 12, 9]);
    assert_eq!(loaded.problem.output_names, ["0", "5", "7"]);
    let rebuilt = rebuild_loading(&name, &loaded.recipe, &loaded.problem.network).expect("read");
    assert_eq!(rebuilt.problem_sha256, loaded.problem_sha256);
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let text = b"x,y\n1,a\n2,b\n3,c\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).expect("written");
    let name = path.display().to_string();
    let with = |network: Network| {
        load_loading(&name, &LoadingRequest::default(), |columns, outputs, names| {
            assert_eq!((columns, outputs, names.name(0)), (1, 3, "x".into()));
            Ok(network)
        })
    };
    let error = with(Network::layered(&[2], 1)).expect_err("one output").to_string();
    assert!(error.contains("the network has 1 outputs; expected 3"), "{error}");
    let mut network = Network::layered(&[], 3);
    network.units[0].columns = Columns::Listed(vec![1]);
    let error = with(network.clone()).expect_err("column 2").to_string();
    assert!(error.contains("the network does not fit: unit `y1`: reads column 2"), "{error}");
    let loaded = load_loading(&name, &LoadingRequest::default(), one_layer).expect("read");
    let recipe = LoadingRecipe { targets: Vec::new(), ..loaded.recipe };
    assert!(rebuild_loading(&name, &recipe, &loaded.problem.network).is_err());
    assert!(rebuild_loading(&name, &recipe, &network).is_err());
}

#[test]
fn every_part_of_the_problem_is_hashed() {
    let problem = csv("x,z,y\n1,2,a\n3,0,b\n0,0,?\n").expect("read").problem;
    let mut changed = vec![problem.clone(); 9];
    changed[0].targets[2] = YES;
    changed[1].output_names[0] = "c".into();
    changed[2].scales[1].ten = 1;
    changed[3].scales[1].two = 1;
    changed[4].column_names = ColumnNames::Named(vec!["x".into(), "zy".into()]);
    changed[5].network.units[0].name = "z".into();
    changed[6].network.units.push(Unit {
        name: "more".into(),
        columns: Columns::All,
        units: vec![],
        function: Function::Free,
    });
    let Points::Narrow(matrix) = &problem.points else { panic!("narrow") };
    let mut other = matrix.clone();
    other.values[0] = -1;
    changed[7].points = Points::Narrow(other);
    let mut other = matrix.clone();
    other.column_indices[2] = 1;
    changed[8].points = Points::Narrow(other);
    let hash = loading_sha256(&problem).expect("hashed");
    for (place, changed) in changed.iter().enumerate() {
        assert_ne!(loading_sha256(changed).expect("hashed"), hash, "{place}");
    }
    // The same integers, kept as wide ones.
    let values = matrix.values.iter().map(|&value| value.into()).collect();
    let wide = IntegerMatrix {
        columns: matrix.columns,
        row_starts: matrix.row_starts.clone(),
        column_indices: matrix.column_indices.clone(),
        values,
    };
    let same = LoadingProblem { points: Points::Wide(wide), ..problem };
    assert_eq!(loading_sha256(&same).expect("hashed"), hash);
}

/// A number's spelling and its exact value as a fraction over 10^60.
fn spelled() -> impl Strategy<Value = (String, IBig)> {
    let mantissa = prop_oneof![4 => -99i64..100, 2 => any::<i64>(), 1 => Just(0i64)];
    (mantissa, 0usize..3, -25i32..25, any::<bool>()).prop_map(|(mantissa, zeros, exponent, scientific)| {
        let digits = mantissa.unsigned_abs().to_string();
        let sign = if mantissa < 0 { "-" } else { "" };
        let value = IBig::from(mantissa) * ten((60 + exponent) as usize);
        let text = if scientific {
            format!("{sign}{digits}{}e{}", "0".repeat(zeros), exponent - zeros as i32)
        } else if exponent >= 0 {
            format!("{sign}{digits}{}.{}", "0".repeat(exponent as usize), "0".repeat(zeros))
        } else {
            let behind = exponent.unsigned_abs() as usize;
            let padded = format!("{}{digits}", "0".repeat((behind + 1).saturating_sub(digits.len())));
            let (whole, fraction) = padded.split_at(padded.len() - behind);
            format!("{sign}{whole}.{fraction}{}", "0".repeat(zeros))
        };
        (text, value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Integers times scales are the numbers that are written, and the scales are the largest powers of ten of which all values are multiples.
    #[test]
    fn integers_and_scales_are_the_file(rows in prop::collection::vec(prop::collection::vec(spelled(), 2), 1..7)) {
        let text: String = rows.iter().map(|row| format!("{},{},0\n", row[0].0, row[1].0)).collect();
        let loaded = csv(&format!("a,b,y\n{text}")).expect("read");
        let fits = |value: &IBig| *value <= IBig::from(1u64 << 62) && -value <= IBig::from(1u64 << 62);
        let mut all_fit = true;
        for column in 0..2 {
            let values: Vec<&IBig> = rows.iter().map(|row| &row[column].1).collect();
            let power = (0..).take_while(|&power| values.iter().all(|&value| value % ten(power) == IBig::ZERO)).take(130).last();
            let zeros = values.iter().all(|&value| *value == IBig::ZERO);
            let power = if zeros { 60 } else { power.unwrap_or(0) };
            prop_assert_eq!(loaded.problem.scales[column], ColumnScale { ten: power as i32 - 60, two: 0 });
            for (row, &value) in values.iter().enumerate() {
                let stored = loaded.problem.points.row(row).iter().find(|entry| entry.0 == column as u32).map(|entry| entry.1.clone().into_owned());
                let integer = value / ten(power);
                prop_assert_eq!(stored.is_none(), integer == IBig::ZERO);
                prop_assert_eq!(stored.unwrap_or(IBig::ZERO), integer.clone());
                all_fit &= fits(&integer);
            }
        }
        prop_assert_eq!(matches!(loaded.problem.points, Points::Narrow(_)), all_fit);
    }

    /// How a file is cut into pieces changes nothing; long and short numbers in turn.
    #[test]
    fn pieces_change_nothing(rows in prop::collection::vec(spelled(), 1..30), block in 1usize..60) {
        let text: String = rows.iter().enumerate().map(|(row, x)| format!("{},{}\n", x.0, row % 3)).collect();
        let read = |threads: usize, block: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let open = || crate::source::Source::from_bytes("text", text.clone().into_bytes());
            pool.install(|| table::read_in_blocks(&open, Format::Csv, &LoadingRequest { header: Some(false), ..LoadingRequest::default() }, block))
        };
        let (whole, pieces) = (read(1, 1 << 20).expect("read"), read(2, block).expect("read"));
        prop_assert_eq!((&whole.points, &whole.scales), (&pieces.points, &pieces.scales));
        prop_assert_eq!(&whole.targets[0].fields, &pieces.targets[0].fields);
    }
}

#[test]
fn paths_that_are_not_there() {
    let name = Path::new("no").join("such.csv").display().to_string();
    let error = load_loading(&name, &LoadingRequest::default(), one_layer).expect_err("nothing there").to_string();
    assert!(error.starts_with("no/such.csv: cannot be read"), "{error}");
}

proptest! {
    /// Bytes that are almost files are read or refused, never a panic.
    #[test]
    fn damaged_files(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..6)) {
        let image = [&[0u8, 11][..], &[0, 0, 8, 1, 0, 0, 0, 3, 5, 7, 0], &[0, 0, 9, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 255, 7, 0, 12, 9]].concat();
        let table = "a,b,y\n1.5,red,0\n-2e3,\"bl\"\"ue\",?\n12345678901234567890123,x,1\n";
        let network = "outputs = [\"y\"]\n[[unit]]\nname = \"y\"\ncolumns = [\"a\", 2]\nunits = [\"z\"]\n[[unit]]\nname = \"z\"\ncolumns = \"all\"\n";
        let formula = "p cnf 3 2\n1 -2 3 0\n-1 0\n";
        let files = [
            (Format::Csv, table.as_bytes().to_vec()),
            (Format::Libsvm, b"1 1:2.5 3:1e-4\n? 2:7\n0 1:1 # c\n".to_vec()),
            (Format::Npy, npy("<f8", false, "(2, 3)", &[64; 48])),
            (Format::Npy, npy("<i2", true, "(3, 2)", &[7; 12])),
            (Format::Idx, image),
            (Format::Images, include_bytes!("../../tests/data/grey.jpg").to_vec()),
            (Format::Images, include_bytes!("../../tests/data/progressive.jpg").to_vec()),
            (Format::Parquet, network.as_bytes().to_vec()),
            (Format::Parquet, formula.as_bytes().to_vec()),
        ];
        for (format, mut bytes) in files {
            for (place, byte) in &changes {
                let place = usize::from(*place) % bytes.len();
                bytes[place] = *byte;
            }
            crate::fuzzing::parse(&bytes, format);
            crate::fuzzing::parse_text(&String::from_utf8_lossy(&bytes));
        }
    }
}
