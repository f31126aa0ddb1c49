//! What is understood of a file, and that it does not depend on anything but the file.

use std::fs::File;
use std::process::Command;

use crate::sandbox::{Sandbox, ran, two_classes};

/// A NumPy file of `f8` in C or Fortran order, as the values stand.
fn npy(rows: usize, columns: usize, fortran: bool, values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({rows}, {columns}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.into_iter().flat_map(f64::to_le_bytes));
    bytes
}

/// A headed table of `rows` rows: what `row` says of each.
fn table(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    (0..rows).fold(format!("{header}\n"), |text, i| text + &row(i) + "\n")
}

#[test]
fn pipes_and_devices_are_refused_at_once() {
    let sandbox = Sandbox::new();
    assert!(Command::new("mkfifo").arg(sandbox.path("pipe.csv")).status().unwrap().success());
    for data in ["pipe.csv", "/dev/null", "/dev/stdin"] {
        for command in ["fit", "data show"] {
            sandbox
                .refused(&format!("{command} {data}"), &[data, "expected a regular file", "save the data to a file"]);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_is_a_file() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", two_classes());
    std::os::unix::fs::symlink("table.csv", sandbox.path("link.csv")).unwrap();
    sandbox.certified("link.csv", "run");
}

#[test]
fn a_column_cannot_be_both_target_and_weight() {
    let sandbox = Sandbox::new();
    sandbox.file("rows.npy", npy(4, 3, false, (0..12).map(|i| f64::from(i % 5))));
    sandbox.file("table.csv", "a,b,y\n1,2,0\n2,1,1\n3,3,0\n");
    for data in ["rows.npy", "table.csv"] {
        for weight in ["3", "-1"] {
            let options = format!("fit {data} --target 3 --sample-weight {weight}");
            sandbox.refused(&options, &["cannot be both target and weight"]);
        }
    }
}

#[test]
fn the_last_column_may_hold_the_weights() {
    let sandbox = Sandbox::new();
    let file =
        sandbox.file("table.csv", table("a,y,w", 30, |i| format!("{},{},{}", i * 7 % 11, i * 5 % 3 % 2, 1 + i % 3)));
    let last = sandbox.certified(&format!("{file} --target y --sample-weight -1"), "last");
    let named = sandbox.certified(&format!("{file} --target y --sample-weight w"), "named");
    assert_eq!(last["data"]["problem_sha256"], named["data"]["problem_sha256"]);
}

#[test]
fn numbers_among_the_names() {
    let sandbox = Sandbox::new();
    for (name, text, header) in [
        ("zero.csv", table("0,1,2,target", 20, |i| format!("{},2,{},{}", i % 7, i % 5, i % 2)), true),
        ("years.csv", table("2019,2020,2021,y", 20, |i| format!("{},2,{},{}", i % 7, i % 5, i % 2)), true),
        ("words.csv", table("2019,2020,label", 20, |i| format!("{},{},{}", i % 7, i % 5, ["no", "yes"][i % 2])), true),
        ("twice.csv", table("a,a,y", 20, |i| format!("{},{},{}", i % 7, i % 5, i % 2)), true),
        ("bare.csv", table("1,2,0", 20, |i| format!("{},{},{}", i % 7, i % 5, i % 2)), false),
        ("text.csv", table("1,2,no", 20, |i| format!("{},{},{}", i % 7, i % 5, ["no", "yes"][i % 2])), false),
    ] {
        sandbox.file(name, text);
        let shown = sandbox.good(&format!("data show {name}")).stdout;
        let (line, rows, note) = if header {
            ("header     first line; --no-header overrides", 20, "note       header: the first line names the columns")
        } else {
            (
                "header     none, columns are called 1, 2, …; --header overrides",
                21,
                "note       header: none, columns are",
            )
        };
        assert!(shown.contains(line) && shown.contains(&format!("rows       {rows}\n")), "{name}: {shown}");
        let fitted = sandbox.good(&format!("fit {name} --out run"));
        assert!(fitted.stderr.contains(&note["note       ".len()..]), "{name}: {}", fitted.stderr);
        sandbox.good("check run --quiet");
    }
}

#[test]
fn quotes_inside_fields_are_characters_for_any_number_of_threads() {
    let sandbox = Sandbox::new();
    let row = |i: usize| {
        let text = ["5\" pipe", "\"a, \"\"b\"\"\"", "tube 3\"", " \"two\nlines\""][i % 4];
        format!("{text},{}.{:09},{}", i % 17, i, i * 7 % 3 % 2)
    };
    // More than two blocks for each of three threads.
    let file = sandbox.file("table.csv", table("what,size,y", 700_000, row));
    let show = |threads: &str, file: &str| {
        let mut command = sandbox.command(&format!("data show {file}"));
        ran(command.env("RAYON_NUM_THREADS", threads).spawn().unwrap())
    };
    let one = show("1", file);
    assert!(one.code == Some(0) && one.stdout.contains("rows       700000\n"), "{one:?}");
    assert!(one.stdout.contains("`what` is text: one-hot encoded as 4 columns"), "{one:?}");
    for threads in ["2", "3"] {
        assert_eq!(show(threads, file).stdout, one.stdout, "{threads} threads");
    }
    let mut text = sandbox.read(file);
    text.push_str("\"never closed,1,0\n");
    let file = sandbox.file("open.csv", text);
    let one = show("1", file);
    assert!(one.stderr.contains("expected a closing quote"), "{one:?}");
    assert_eq!(show("3", file).stderr, one.stderr);
}

#[test]
fn first_records_of_any_length() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..9_000).map(|j| format!("a rather long name {j}")).collect();
    let values = |i: usize| (0..9_000).map(|j| ((i * 31 + j * 7) % 9).to_string()).collect::<Vec<_>>().join(",");
    let headed = table(&format!("{},y", names.join(",")), 8, |i| format!("{},{}", values(i), i % 2));
    let bare: String = headed.lines().skip(1).map(|line| format!("{line}\n")).collect();
    assert!(headed.find('\n').unwrap() > 1 << 17);
    sandbox.file("headed.csv", headed);
    sandbox.file("bare.csv", bare.replace(",1", ",10000001"));
    for (name, header) in [("headed.csv", "first line"), ("bare.csv", "none")] {
        let shown = sandbox.good(&format!("data show {name}")).stdout;
        assert!(shown.contains(&format!("header     {header}")), "{shown}");
        assert!(shown.contains("rows       8\n") && shown.contains("columns    9000 "), "{shown}");
    }
}

#[test]
fn a_target_without_a_name_of_its_own_is_found_again() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", table("q,3,q", 40, |i| format!("{},{},{}", i * 7 % 11, i % 5, i * 3 % 7 % 2)));
    let last = sandbox.certified(&format!("{file} --target -1"), "run");
    assert_eq!(last["data"]["target"], "#3");
    let again = sandbox.certified(&format!("{file} --target #3"), "again");
    assert_eq!(last["data"]["problem_sha256"], again["data"]["problem_sha256"]);
    let named = sandbox.certified(&format!("{file} --target 3"), "named");
    assert_ne!(last["data"]["problem_sha256"], named["data"]["problem_sha256"]);
    let ran = sandbox.good(&format!("predict run {file}"));
    assert!(ran.stderr.contains(&format!("accuracy {:.6}", last["train"]["accuracy"].as_f64().unwrap())), "{ran:?}");
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let sandbox = Sandbox::new();
    let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    let rows =
        (0..200).map(|i| format!("{},{},{}\n", ["grün", "grön", "rot"][i % 3], i % 7, i % 2)).collect::<String>();
    sandbox.file("feature.csv", latin(&format!("colour,size,y\nrot,1,0\n{rows}")));
    sandbox.refused("fit feature.csv", &["line 3, column `colour`", "UTF-8 (save the file as UTF-8)"]);
    sandbox.file("target.csv", latin("size,y\n1,no\n2,yes\n3,fünf\n"));
    sandbox.refused("fit target.csv", &["line 4, column `y`", "UTF-8"]);
    sandbox.file("name.csv", latin("größe,y\n1,0\n2,1\n"));
    sandbox.refused("fit name.csv", &["line 1, column `1`", "UTF-8"]);
    let mut late = two_classes().replace("kind", "y").into_bytes();
    for _ in 0..200 {
        late.extend(b"1,2,large\n");
    }
    late.extend(b"1,gr\xfcn,small\n");
    sandbox.file("late.csv", late);
    sandbox.refused("fit late.csv", &["line 262, column `height`", "UTF-8"]);
}

#[test]
fn indices_beyond_all_measure() {
    let sandbox = Sandbox::new();
    for index in ["67108865", "4294967294", "4294967295", "99999999999999999999"] {
        sandbox.file("rows.svm", format!("1 {index}:1\n0 1:1\n"));
        sandbox.refused("fit rows.svm", &["line 1", "at most 67108864", index]);
    }
    sandbox.file("wide.svm", "1 3000000:1\n0 1:1\n1 2:1\n");
    let shown = sandbox.good("data show wide.svm").stdout;
    assert!(shown.contains("columns    3000000 (sparse, 3 stored values"), "{shown}");
    assert!(shown.contains("2999997 constant columns (kept): 3, 4,") && !shown.contains("duplicate"), "{shown}");
}

#[test]
fn fortran_order_is_c_order() {
    let sandbox = Sandbox::new();
    let (rows, columns) = (700usize, 101usize);
    let value = |i: usize, j: usize| if j == 100 { (i % 2) as f64 } else { ((i * 31 + j * 17) % 23) as f64 };
    let all = |i: usize| (i / columns, i % columns);
    sandbox.file("c.npy", npy(rows, columns, false, (0..rows * columns).map(|i| value(all(i).0, all(i).1))));
    sandbox.file("f.npy", npy(rows, columns, true, (0..rows * columns).map(|i| value(i % rows, i / rows))));
    let shown = |file: &str| {
        let text = sandbox.good(&format!("data show {file}")).stdout;
        text.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(shown("c.npy"), shown("f.npy"));
    let nan = |i: usize| if i == 70_003 { f64::NAN } else { value(i % rows, i / rows) };
    sandbox.file("nan.npy", npy(rows, columns, true, (0..rows * columns).map(nan)));
    let place = format!("row {}, column `{}`", 70_003 % rows + 1, 70_003 / rows + 1);
    sandbox.refused("fit nan.npy", &[&place, "finite", "NaN"]);
}

#[test]
fn a_missing_target_is_an_error() {
    let sandbox = Sandbox::new();
    for (targets, line, got) in [
        (["no", "yes", "", "no"], 4, "nothing"),
        (["NA", "yes", "yes", "no"], 2, "`NA`"),
        (["1", "0", "nan", "1"], 4, "`nan`"),
        (["1", "", "0", "1"], 3, "nothing"),
    ] {
        let file = sandbox.file("table.csv", table("a,y", 4, |i| format!("{},{}", i, targets[i])));
        sandbox.refused(&format!("fit {file} --header"), &[&format!("line {line}, column `y`"), got, "remove"]);
    }
}

#[test]
fn missing_values_in_text_are_said() {
    let sandbox = Sandbox::new();
    let file = sandbox.file(
        "table.csv",
        table("colour,w,y", 60, |i| format!("{},{},{}", ["red", "nan", "", "NA", "blue"][i % 5], i * 7 % 11, i % 2)),
    );
    let shown = sandbox.good(&format!("data show {file}")).stdout;
    assert!(shown.contains("`colour` is text: one-hot encoded as 5 columns"), "{shown}");
    assert!(shown.contains("column `colour`: 36 missing values are categories of their own"), "{shown}");
    sandbox.certified(file, "run");
}

#[test]
fn what_a_column_is_does_not_depend_on_the_order_of_rows() {
    let sandbox = Sandbox::new();
    let show = |order: &dyn Fn(usize) -> usize| {
        let field = |i: usize| match i {
            0..450 => i.to_string(),
            450 => "1e200".into(),
            451 => "NA".into(),
            452 => "-inf".into(),
            _ => "abc".to_string(),
        };
        let text = table("c,w,y", 500, |i| format!("{},{},{}", field(order(i)), order(i) % 9, order(i) % 2));
        sandbox.file("table.csv", text);
        let shown = sandbox.good("data show table.csv").stdout;
        shown.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>()
    };
    let forward = show(&|i| i);
    assert!(forward.contains("columns    455 "), "{forward}");
    assert_eq!(show(&|i| 499 - i), forward);
    assert_eq!(show(&|i| i * 7 % 500), forward);
}

#[test]
fn negative_weights_are_named_by_line() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("table.csv", "a,w,y\n1,1,0\n\n2,-3,1\n3,1,0\n");
    sandbox.refused(&format!("fit {file} --sample-weight w"), &["line 4, column `w`: expected a weight ≥ 0, got `-3`"]);
    sandbox.file("rows.npy", npy(3, 3, false, [1.0, 1.0, 0.0, 2.0, 1.0, 1.0, 3.0, -1.0, 0.0]));
    sandbox.refused("fit rows.npy --sample-weight 2", &["row 3, column `2`: expected a weight ≥ 0, got `-1.0`"]);
}

#[test]
fn generated_files_are_what_their_names_say() {
    let sandbox = Sandbox::new();
    for out in ["x.npy", "x.csv", "x.txt", "x"] {
        sandbox.refused(&format!("generate text-like --rows 5 --columns 5 -o {out}"), &[out, ".svm"]);
    }
    sandbox.refused("generate easy-dense --rows 5 --columns 5 -o x.parquet", &["x.parquet", ".svm, .csv or .npy"]);
    sandbox.refused("generate easy-dense --rows 0 --columns 5 -o x.csv", &["--rows and --columns expect at least 1"]);
    sandbox.refused("generate nothing -o x.csv", &["nothing", "text-like, ill-conditioned, easy-dense"]);
    let shown = |file: &str| {
        sandbox.good(&format!("generate easy-dense --rows 50 --columns 4 -o {file}"));
        sandbox.good(&format!("data show {file}")).stdout
    };
    assert!(["x.svm", "x.csv", "x.npy"].iter().all(|file| shown(file).contains("rows       50\n")));
}

#[test]
fn errors_and_notes_are_one_line() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", "\"a\nb\",y\n1,0\n\"x\ny\u{1b}[2J\",1\n1e300,0\n");
    let shown = sandbox.good("data show table.csv");
    assert!(shown.stdout.contains("column     `a\\nb=1`") && shown.stdout.contains("`a\\nb` is text"), "{shown:?}");
    sandbox.refused("fit table.csv --target c", &["the columns are `a\\nb`, `y`"]);
    sandbox.refused("fit table.csv --target 1 --task regression", &["column `a\\nb`", "got `x\\ny\\u{1b}[2J`"]);
    sandbox.file("ragged.csv", "a,y\n1,0\n\"x\ny\" z,1\n");
    sandbox.refused("fit ragged.csv", &["`\"x\\ny\" z`"]);
}

#[test]
fn semicolons_are_no_commas() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", two_classes().replace(',', ";"));
    sandbox.refused("fit table.csv", &["separated by `;`", "expected `,`"]);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.certified("builtin:iris", "run");
    for arguments in ["data list", "data show builtin:iris", "predict run builtin:iris"] {
        let full = File::create("/dev/full").unwrap();
        let ran = ran(sandbox.command(arguments).stdout(full).spawn().unwrap());
        assert_eq!(ran.code, Some(2), "{arguments}: {ran:?}");
        assert!(ran.stderr.contains("error: the output cannot be written"), "{arguments}: {ran:?}");
    }
}
