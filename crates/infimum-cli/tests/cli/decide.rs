//! `infimum decide` and `infimum fit --loss zero-one`: answers, certificates, words.

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox, ran};

/// Exit codes of `decide`.
const SATISFIABLE: i32 = 10;
const UNSATISFIABLE: i32 = 20;

/// Runs with `--json --out run`, demands the exit code and a certificate that is accepted, also by `infimum check` and `infimum-check`.
fn run(sandbox: &Sandbox, arguments: &str, code: i32) -> Value {
    let ran = sandbox.run(&format!("{arguments} --json --out run"));
    assert_eq!(ran.code, Some(code), "{arguments}: {ran:?}");
    let result: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(result["certified"], true, "{arguments}: {result:#}");
    let checked = sandbox.good("check run --quiet");
    assert_eq!(checked.stdout, checked_by_itself(sandbox).unwrap_or(checked.stdout.clone()));
    let bounds = match result["upper"].as_u64() {
        Some(upper) => format!("s VERIFIED lower={} upper={upper}\n", result["lower"]),
        None => format!("s VERIFIED lower={}\n", result["lower"]),
    };
    assert_eq!(checked.stdout, bounds, "{arguments}");
    result
}

/// What the checker alone prints about the folder `run`, if `INFIMUM_CHECK` is the path of its binary (`.ci/run` sets it).
fn checked_by_itself(sandbox: &Sandbox) -> Option<String> {
    let binary = std::env::var_os("INFIMUM_CHECK").or_else(|| {
        eprintln!("INFIMUM_CHECK is not set: the verdict of infimum-check is not asked for");
        None
    })?;
    let output = std::process::Command::new(binary).args(["run", "--quiet"]).current_dir(sandbox.path("")).output();
    Some(String::from_utf8(output.unwrap().stdout).unwrap())
}

/// `decide` of a file, with what it must answer.
fn decided(sandbox: &Sandbox, arguments: &str, satisfiable: bool) -> Value {
    let result = run(sandbox, &format!("decide {arguments}"), if satisfiable { SATISFIABLE } else { UNSATISFIABLE });
    assert_eq!(result["ending"], if satisfiable { "Satisfiable" } else { "Infeasible" });
    result
}

/// The fewest wrong rows, proven.
fn fewest(sandbox: &Sandbox, arguments: &str) -> u64 {
    let result = run(sandbox, &format!("fit {arguments} --loss zero-one"), 0);
    assert_eq!((&result["ending"], &result["upper"]), (&"Optimal".into(), &result["lower"]), "{result:#}");
    result["lower"].as_u64().unwrap()
}

/// The log without what depends on the machine.
fn log(ran: &Ran) -> String {
    let lines = ran.stderr.lines().map(|line| match line.split_once("s  ") {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => format!("TIME {rest}"),
        _ if line.starts_with("seconds ") => "seconds".into(),
        _ => line.into(),
    });
    lines.collect::<Vec<String>>().join("\n")
}

#[test]
fn exclusive_or_needs_two_hidden_units() {
    let sandbox = Sandbox::new();
    for hidden in [0, 1] {
        let ran = sandbox.run(&format!("decide builtin:xor --hidden {hidden} --out run"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(UNSATISFIABLE), "s UNSATISFIABLE\n"), "{ran:?}");
        let table = "
  side      times      row  values
     1          1        1  all 0
     1          1        4  bit1=1 bit2=1
     2          1        2  bit1=1
     2          1        3  bit2=1
";
        assert!(ran.stderr.contains(table), "{}", ran.stderr);
        decided(&sandbox, &format!("builtin:xor --hidden {hidden}"), false);
    }
    let ran = sandbox.run("decide builtin:xor --hidden 2 --out run");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(SATISFIABLE), "s SATISFIABLE\n"), "{ran:?}");
    let units = ran.stderr.lines().filter(|line| line.starts_with("unit       ")).count();
    assert_eq!(units, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("Weights exist that get every row right"), "{}", ran.stderr);
    let result = decided(&sandbox, "builtin:xor --hidden 2", true);
    assert_eq!(result["weights"].as_array().map(Vec::len), Some(3));
    assert_eq!(result, serde_json::from_str::<Value>(&sandbox.read("run/result.json")).unwrap());
}

#[test]
fn the_log_of_a_contradiction() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("decide builtin:xor --threads 1 --out run");
    let expected = format!(
        "\
infimum {}
data       builtin:xor: 4 rows × 2 columns (exact)
target     1 means 1
network    1 threshold unit
question   all rows right?
threads    1
promise    rung 2, linear separation: decided, with weights or rows that contradict each other
note       target `parity`: the output is to be 1 for `1` and 0 for `0`
solver     separation (1 unit reading columns alone)

    time  source                 incumbent             bound       gap explored
TIME end                            -         ≥ 1 wrong         -        0

ending     Infeasible
bound      at least 1 wrong for all weights  (proven: the certificate was checked)

The rows of the two sides, taken so many times, have the same sum; so no threshold unit is 1 on all of one side and 0 on all of \
the other:
  side      times      row  values
     1          1        1  all 0
     1          1        4  bit1=1 bit2=1
     2          1        2  bit1=1
     2          1        3  bit2=1

proof      1 circuit, 1 step; certificate of 881 bytes
seconds
written    run

No weights of this network get every row right: proven. Use hidden units (--hidden 2), or ask for the fewest errors (infimum fit \
--loss zero-one).",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(log(&ran), expected);
}

#[test]
fn parity_needs_as_many_hidden_units_as_bits() {
    let sandbox = Sandbox::new();
    for bits in 2..=5 {
        decided(&sandbox, &format!("builtin:parity:{bits} --hidden {}", bits - 1), false);
        decided(&sandbox, &format!("builtin:parity:{bits} --hidden {bits}"), true);
    }
    // Far beyond reach without the symmetries of the data; the log says that they are used.
    for threads in 1..=2 {
        decided(&sandbox, &format!("builtin:parity:6 --hidden 5 --threads {threads}"), false);
    }
    let ran = sandbox.run("decide builtin:parity:4 --hidden 3 --out log");
    assert!(ran.stderr.contains("17 symmetries of the data"), "{ran:?}");
    let ran = sandbox.run("decide builtin:parity:4 --hidden 3 --no-symmetry --out log-without");
    assert!(ran.code == Some(20) && !ran.stderr.contains("symmetries"), "{ran:?}");
}

#[test]
fn shares_of_rows_and_numbers_of_errors() {
    let sandbox = Sandbox::new();
    // One unit is wrong on at least one of the four rows, and on no more.
    for (question, satisfiable) in [
        ("--errors 0", false),
        ("--errors 1", true),
        ("--errors 99", true),
        ("--at-least 3/4", true),
        ("--at-least 76/100", false),
        ("--at-least 0/1", true),
        ("--more-than 3/4", false),
        ("--more-than 74/100", true),
        ("--more-than 2/3", true),
    ] {
        for hidden in [0, 1] {
            decided(&sandbox, &format!("builtin:xor --hidden {hidden} {question}"), satisfiable);
        }
    }
    let result = decided(&sandbox, "builtin:xor --more-than 3/4 --hidden 1", false);
    assert_eq!(result["objective"]["allowed"], 0);
    let rows: String = (0..9).map(|row| format!("{row},{}\n", row % 2)).collect();
    sandbox.file("zigzag.csv", format!("a,y\n{rows}"));
    // One threshold on a line is right on at most one row more than half.
    assert_eq!(fewest(&sandbox, "zigzag.csv"), 4);
    assert_eq!(fewest(&sandbox, "zigzag.csv --hidden 2"), 3);
    decided(&sandbox, "zigzag.csv --hidden 2 --at-least 2/3", true);
    decided(&sandbox, "zigzag.csv --hidden 2 --more-than 2/3", false);
}

#[test]
fn the_fewest_errors_on_iris() {
    let sandbox = Sandbox::new();
    let file = versicolor(&sandbox);
    assert_eq!(fewest(&sandbox, &format!("{file} --hidden 1 --activation threshold")), 25);
    assert_eq!(fewest(&sandbox, &format!("{file} --hidden 2")), 1);
    assert_eq!(fewest(&sandbox, "builtin:iris --hidden 2"), 1);
    assert_eq!(fewest(&sandbox, "builtin:iris --hidden 3"), 0);
    decided(&sandbox, &format!("{file} --hidden 2 --errors 0"), false);
    decided(&sandbox, &format!("{file} --hidden 2 --errors 1"), true);
}

/// Iris as versicolor against the others.
fn versicolor(sandbox: &Sandbox) -> &'static str {
    let packed = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../infimum-data/builtin/iris.csv.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    sandbox.file("iris.csv", text.replace("setosa", "other").replace("virginica", "other"))
}

#[test]
fn degenerate_data() {
    let sandbox = Sandbox::new();
    for (what, text, hidden, satisfiable) in [
        ("all of one class", "a,y\n1,0\n2,0\n3,0\n", 0, true),
        ("all of one class", "a,y\n1,1\n2,1\n3,1\n", 2, true),
        ("duplicated rows", "a,y\n1,0\n1,0\n2,1\n2,1\n", 0, true),
        ("duplicated rows", "a,y\n1,0\n1,0\n2,1\n2,1\n3,0\n3,0\n", 1, false),
        ("duplicated rows", "a,y\n1,0\n1,0\n2,1\n2,1\n3,0\n3,0\n", 2, true),
        ("contradictory rows", "a,y\n1,0\n1,1\n2,1\n", 0, false),
        ("contradictory rows", "a,y\n1,0\n1,1\n2,1\n", 3, false),
        ("collinear decimals", "a,b,y\n0.1,0.1,0\n0.2,0.2,1\n0.3,0.3,0\n", 0, false),
        ("collinear decimals", "a,b,y\n0.1,0.1,0\n0.2,0.2,1\n0.3,0.3,0\n", 1, false),
        ("collinear decimals", "a,b,y\n0.1,0.1,0\n0.2,0.2,1\n0.3,0.3,0\n", 2, true),
        ("collinear but for the last place", "a,b,y\n0.1,0.1,0\n0.2,0.20000000000000001,1\n0.3,0.3,0\n", 0, true),
        ("a constant column", "a,c,y\n1,5,0\n2,5,1\n", 0, true),
        ("a constant column alone", "c,y\n5,0\n5,1\n", 2, false),
        ("one row", "a,y\n1,1\n", 0, true),
        ("one row", "a,y\n1,0\n", 2, true),
        ("more hidden units than rows", "a,y\n1,0\n2,1\n3,0\n", 7, true),
        ("2^53 + 1", "a,y\n9007199254740993,1\n9007199254740992,0\n", 0, true),
        ("2^53 + 1 in the middle", "a,y\n9007199254740992,0\n9007199254740993,1\n9007199254740994,0\n", 1, false),
        ("large and small", "a,y\n9007199254740993,1\n9007199254740992,0\n1e-300,1\n1e300,0\n", 2, false),
        ("large and small", "a,y\n9007199254740993,1\n9007199254740992,0\n1e-300,1\n1e300,0\n", 3, true),
        ("text", "colour,size,y\nred,1,yes\nblue,1,no\nred,2,no\nblue,2,yes\n", 1, false),
        ("text", "colour,size,y\nred,1,yes\nblue,1,no\nred,2,no\nblue,2,yes\n", 2, true),
        ("all open", "a,y\n1,?\n1,?\n", 0, true),
        ("open", "a,y\n1,0\n2,?\n2,1\n3,?\n", 0, true),
    ] {
        eprintln!("{what}, --hidden {hidden}");
        sandbox.file("d.csv", text);
        decided(&sandbox, &format!("d.csv --hidden {hidden}"), satisfiable);
    }
    sandbox.file("d.csv", "a,y\n1,0\n1,1\n2,1\n1,0\n");
    assert_eq!(fewest(&sandbox, "d.csv"), 1);
    assert_eq!(fewest(&sandbox, "d.csv --hidden 2"), 1, "duplicates count as often as they stand");
}

#[test]
fn rows_that_no_network_gets_right_are_named() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", "a,y\n1,0\n2,1\n1.0,1\n");
    let result = decided(&sandbox, "d.csv", false);
    let message = result["message"].as_str().unwrap();
    assert!(message.contains("Rows 1 and 3 have the same values and want different outputs"), "{message}");
}

#[test]
fn values_and_weights_are_shown_in_the_units_of_the_data() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", "a,b,y\n0.1,300,0\n0.25,100,1\n0.4,-100,0\n");
    let result = decided(&sandbox, "d.csv", false);
    let values: Vec<&str> =
        result["contradiction"].as_array().unwrap().iter().map(|line| line["values"].as_str().unwrap()).collect();
    assert_eq!(values, ["a=0.1 b=300", "a=0.4 b=-100", "a=0.25 b=100"]);
    sandbox.file("d.csv", "a,y\n0.25,0\n0.5,1\n");
    let result = decided(&sandbox, "d.csv", true);
    let line = result["weights"][0].as_str().unwrap();
    let sum = line.strip_prefix("y1 = [ ").and_then(|line| line.strip_suffix(" > 0 ]")).unwrap();
    let (weight, bias) = sum.split_once("·a − ").unwrap();
    let (weight, bias): (f64, f64) = (weight.parse().unwrap(), bias.parse().unwrap());
    assert!(0.25 * weight - bias < 0.0 && 0.5 * weight - bias > 0.0, "{line}");
}

#[test]
fn open_targets_and_several_outputs() {
    let sandbox = Sandbox::new();
    sandbox.file("open.csv", "a,b,t1,t2\n0,0,0,?\n0,1,?,1\n1,0,1,1\n1,1,0,0\n");
    decided(&sandbox, "open.csv --target t1,t2", true);
    decided(&sandbox, "open.csv --target t1,t2 --hidden 1", false);
    decided(&sandbox, "open.csv --target t2,t1 --hidden 2", true);
    decided(&sandbox, "open.csv --target t1,t2 --hidden 1 --errors 1", true);
    let result = decided(&sandbox, "builtin:iris --errors 50", true);
    assert_eq!(result["data"]["outputs"], serde_json::json!(["setosa", "versicolor", "virginica"]));
}

#[test]
fn networks_by_file() {
    let sandbox = Sandbox::new();
    // A skip connection: one hidden unit suffices for exclusive or.
    sandbox.file(
        "skip.toml",
        "outputs = [\"y\"]\n[[unit]]\nname = \"both\"\ncolumns = [\"bit1\", \"bit2\"]\n\n[[unit]]\nname = \"y\"\ncolumns = \
         \"all\"\nunits = [\"both\"]\n",
    );
    let result = decided(&sandbox, "builtin:xor --net skip.toml", true);
    assert!(result["weights"][1].as_str().is_some_and(|line| line.starts_with("y = [ ")), "{result:#}");
    // An output that is fixed to AND: exclusive or is the AND of two half-planes, but not of two that see one bit each.
    let fixed = |columns: [&str; 2], bias: i64| {
        format!(
            "outputs = [\"y\"]\n[[unit]]\nname = \"a\"\ncolumns = {}\n[[unit]]\nname = \"b\"\ncolumns = {}\n[[unit]]\nname = \
             \"y\"\nunits = [\"a\", \"b\"]\nfixed = {{ weights = [1, 1], bias = {bias} }}\n",
            columns[0], columns[1]
        )
    };
    sandbox.file("and.toml", fixed(["\"all\"", "\"all\""], -1));
    decided(&sandbox, "builtin:xor --net and.toml", true);
    sandbox.file("apart.toml", fixed(["[1]", "[2]"], -1));
    decided(&sandbox, "builtin:xor --net apart.toml", false);
    assert_eq!(fewest(&sandbox, "builtin:xor --net apart.toml"), 1);
    // Fixed to 0.
    sandbox.file("never.toml", fixed(["\"all\"", "\"all\""], -2));
    assert_eq!(fewest(&sandbox, "builtin:xor --net never.toml"), 2);
    decided(&sandbox, "builtin:parity:3 --hidden 2,2", false);
    decided(&sandbox, "builtin:parity:3 --hidden 3,2", true);
}

#[test]
fn mutated_certificates_and_other_data_are_refused() {
    let sandbox = Sandbox::new();
    let refused = |arguments: &str, step: &str| {
        let ran = sandbox.run(&format!("check {arguments}"));
        assert_eq!((ran.code, ran.stdout.lines().count()), (Some(1), 1), "{arguments}: {ran:?}");
        assert!(ran.stdout.starts_with(&format!("s NOT VERIFIED {step}")), "{arguments}: {ran:?}");
    };
    decided(&sandbox, "builtin:xor --hidden 1", false);
    refused("run --data builtin:parity:3", "problem: ");
    sandbox.file("other.csv", "bit1,bit2,parity\n0,0,0\n0,1,1\n1,0,1\n1,1,1\n");
    refused("run --data other.csv", "");
    refused("run --data nowhere.csv", "data: ");
    let whole = std::fs::read(sandbox.path("run/certificate.safetensors")).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        sandbox.file("damaged", &damaged);
        refused("damaged --data builtin:xor", "");
    }
    for length in [0, 1, 8, whole.len() / 2, whole.len() - 1] {
        sandbox.file("cut", &whole[..length]);
        refused("cut --data builtin:xor", "container: ");
    }
    // A file of other bytes with the same points, targets and network is the same problem.
    sandbox.file("same.csv", "a,b,y\n0, 0,0\n1.0,0,1\n0,1e0,1\n1,1,0\n");
    decided(&sandbox, "same.csv --hidden 1", false);
    sandbox.file("renamed.csv", "a,b,y\n0,0,0\n1,0,1\n0,1,1\n1,1,0\n");
    sandbox.good("check run --data renamed.csv");
    let verdict: Value = serde_json::from_str(&sandbox.good("check run --json --quiet").stdout).unwrap();
    assert_eq!((&verdict["verified"], &verdict["lower"]), (&true.into(), &1.into()));
}

#[test]
fn bad_input_is_one_line() {
    let sandbox = Sandbox::new();
    sandbox.file("d.csv", "a,b,y\n1,2,0\n2,1,1\n");
    sandbox.file("nan.csv", "a,y\n1,0\nNaN,1\n");
    sandbox.file("missing.csv", "a,y\n1,0\n2,\n");
    sandbox.file("open.csv", "a,t,u\n1,0,1\n2,2,?\n");
    sandbox.file("bare.csv", "y\n1\n0\n");
    sandbox.file("unknown.toml", "outputs = [\"y\"]\n[[unit]]\nname = \"y\"\nunits = [\"z\"]\n");
    sandbox.file("syntax.toml", "outputs = [\"y\"\n");
    sandbox.file("wide.toml", "outputs = [\"y\"]\n[[unit]]\nname = \"y\"\ncolumns = [7]\n");
    sandbox.file(
        "two.toml",
        "outputs = [\"y\", \"z\"]\n[[unit]]\nname = \"y\"\ncolumns = [1]\n[[unit]]\nname = \"z\"\ncolumns = [1]\n",
    );
    for (arguments, parts) in [
        ("d.csv --target nope", &["d.csv", "no target column `nope`", "`a`, `b`, `y`"][..]),
        ("d.csv --target y,y", &["`y` is a target twice"]),
        ("d.csv --hidden 3,0", &["--hidden", "a layer of 0 units"]),
        ("d.csv --hidden 2,x", &["--hidden", "an integer from 0 to"]),
        ("d.csv --hidden -1", &["--hidden", "an integer from 0 to"]),
        ("d.csv --hidden 99999999999", &["--hidden", "an integer from 0 to"]),
        ("d.csv --at-least 4/3", &["--at-least", "at most 1"]),
        ("d.csv --at-least 1/0", &["--at-least", "p/q"]),
        ("d.csv --more-than 0.5", &["--more-than", "p/q"]),
        ("d.csv --more-than 1/1", &["3 of 2 rows", "smaller share"]),
        ("d.csv --errors -1", &["--errors", "an integer ≥ 0"]),
        ("d.csv --errors 1 --at-least 1/2", &["cannot be used with"]),
        ("d.csv --hidden 2 --net two.toml", &["cannot be used with"]),
        ("d.csv --net gone.toml", &["gone.toml", "cannot be read"]),
        ("d.csv --net syntax.toml", &["syntax.toml", "line 1"]),
        ("d.csv --net unknown.toml", &["unknown.toml", "unit `y` (line 2)", "got `z`"]),
        ("d.csv --net wide.toml", &["wide.toml", "7"]),
        ("d.csv --net two.toml", &["two.toml", "2 units; expected 1"]),
        ("nan.csv", &["nan.csv, line 3, column `a`", "`NaN`"]),
        ("missing.csv", &["missing.csv, line 3, column `y`", "`?`"]),
        ("open.csv --target t,u", &["open.csv, line 3, column `t`", "`2`"]),
        ("bare.csv", &["no feature columns"]),
        ("gone.csv", &["gone.csv", "cannot be read"]),
        ("d.csv --time-limit 0s", &["--time-limit", "> 0"]),
        ("d.csv --threads 0", &["--threads"]),
        ("d.csv --out d.csv/run", &["d.csv/run", "cannot be written"]),
    ] {
        sandbox.refused(&format!("decide {arguments}"), parts);
    }
    for (arguments, parts) in [
        ("--activation threshold --loss hinge", &["--loss zero-one"][..]),
        ("--activation relu --loss zero-one", &["--activation relu"]),
        ("--loss zero-one --C 2", &["--C means nothing"]),
        ("--loss zero-one --kernel rbf", &["--kernel means nothing"]),
        ("--loss zero-one --valid 0.5", &["--valid means nothing"]),
        ("--loss zero-one --hidden 2,0", &["a layer of 0 units"]),
    ] {
        sandbox.refused(&format!("fit d.csv {arguments}"), parts);
    }
}

/// A question that is not answered in a minute: twelve random points a column and labels without meaning.
fn endless(sandbox: &Sandbox) -> &'static str {
    sandbox.good("generate random --rows 400 --columns 12 --seed 7 -o random.csv");
    "random.csv --hidden 4"
}

#[test]
fn a_time_limit_ends_with_bounds_and_a_certificate() {
    let sandbox = Sandbox::new();
    let file = endless(&sandbox);
    let result = run(&sandbox, &format!("decide {file} --time-limit 1s"), 0);
    assert_eq!(result["ending"], "TimeLimit");
    let ran = sandbox.run(&format!("decide {file} --time-limit 1s --out run"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "s UNKNOWN\n"), "{ran:?}");
    assert!(ran.stderr.contains("The time limit came first."), "{}", ran.stderr);
    let result = run(&sandbox, &format!("fit {file} --loss zero-one --time-limit 2s"), 0);
    assert_eq!(result["ending"], "TimeLimit");
}

#[cfg(unix)]
#[test]
fn interrupts_end_with_bounds_and_a_certificate() {
    for name in ["INT", "TERM"] {
        let sandbox = Sandbox::new();
        let file = endless(&sandbox);
        let child = sandbox.command(&format!("decide {file} --log-json log --out run")).spawn().unwrap();
        crate::endings::wait_for(&sandbox, "solver");
        std::thread::sleep(std::time::Duration::from_millis(200));
        crate::endings::signal(&child, name);
        let ran = ran(child);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), "s UNKNOWN\n"), "{ran:?}");
        assert!(ran.stderr.contains("Interrupted."), "{}", ran.stderr);
        assert!(sandbox.good("check run --quiet").stdout.starts_with("s VERIFIED lower="));
    }
}
