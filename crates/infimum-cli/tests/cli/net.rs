//! `infimum fit --hidden N`: two-layer ReLU networks, from the fit to predictions, and what is refused.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A regression on few rows.
fn bent() -> String {
    let row = |i: i32| {
        let x = f64::from(i) / 4.0;
        format!("{x},{},{}\n", (x * 0.7).sin(), (x - 1.0).abs() + 0.1 * f64::from(i % 3))
    };
    format!("a,b,y\n{}", (-8..8).map(row).collect::<String>())
}

fn number(result: &Value, name: &str) -> f64 {
    result[name].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn moons_are_solved_and_verified() {
    let sandbox = Sandbox::new();
    let result = sandbox.certified("builtin:moons --hidden 40 --activation relu --l2 5e-3", "run");
    assert_eq!((&result["ending"], &result["rung"]), (&"Optimal".into(), &4.into()), "{result:#}");
    assert_eq!(result["network"]["hidden_bias"], "penalized");
    assert!(result["network"]["width"].as_u64().unwrap() <= 40 && number(&result, "gap") <= 1e-4, "{result:#}");
    let claim = sandbox.good("check run").stderr;
    assert!(claim.contains("two-layer ReLU network") && claim.contains("any width"), "{claim}");
    let accuracy = result["train"]["accuracy"].as_f64().unwrap();
    let rows = result["data"]["rows"].as_u64().unwrap() as usize;
    let predicted = sandbox.good("predict run builtin:moons --what labels -o labels.csv").stderr;
    let right = sandbox.read("labels.csv").lines().skip(1).count();
    assert_eq!(right, rows, "{predicted}");
    assert!(accuracy > 0.85, "{accuracy}");
}

#[test]
fn every_loss_and_bias_has_a_verified_bound() {
    let sandbox = Sandbox::new();
    sandbox.file("bent.csv", bent());
    let losses = ["squared", "huber", "epsilon", "squared-epsilon", "quantile"];
    for (place, loss) in losses.into_iter().enumerate() {
        let output_bias = ["penalized", "free", "none"][place % 3];
        let hidden_bias = ["penalized", "none"][place % 2];
        let biases = format!("--output-bias {output_bias} --hidden-bias {hidden_bias}");
        let result = sandbox.certified(
            &format!("bent.csv --task regression --loss {loss} --hidden 20 --l2 0.02 --time-limit 10s {biases}"),
            "run",
        );
        assert!(number(&result, "gap") < 1e-2, "{loss} {biases}: {result:#}");
    }
    for loss in ["logistic", "hinge", "squared-hinge"] {
        let result = sandbox.certified(
            &format!("builtin:xor --loss {loss} --hidden 8 --l2 0.05 --time-limit 10s --output-bias free"),
            "run",
        );
        assert!(number(&result, "gap") < 1e-2, "{loss}: {result:#}");
    }
    let result = sandbox.certified("builtin:iris --loss softmax --hidden 10 --l2 0.02 --time-limit 3s", "run");
    assert!(number(&result, "lower") > 0.0, "{result:#}");
}

/// A bent function of the first two of so many columns that look like noise; two rows are proportional, one is zero.
fn of_columns(rows: i64, columns: i64) -> String {
    let mut file = (1..=columns).map(|j| format!("x{j},")).collect::<String>() + "y\n";
    for i in 0..rows {
        let cell = |j: i64| match i {
            3 => 0.0,
            5 => -2.0 * ((4 * 7919 + j * 104_729) % 1000 - 500) as f64 / 400.0,
            _ => ((i * i * 37 + i * 7919 + j * 104_729 + i * j * 613) % 1000 - 500) as f64 / 400.0,
        };
        file += &(0..columns).map(|j| format!("{},", cell(j))).collect::<String>();
        file += &format!("{}\n", (cell(0) - cell(1)).max(0.0) + 0.2 * cell(2));
    }
    file
}

#[test]
fn seven_columns_and_more_have_verified_bounds_by_clusters_and_many_by_moments() {
    let sandbox = Sandbox::new();
    sandbox.file("nine.csv", of_columns(40, 9));
    let task = "--target y --task regression --hidden 20 --output-bias free --time-limit 60s";
    let result = sandbox.certified(&format!("nine.csv {task} --l2 0.02"), "run");
    assert!(sandbox.read("run/log.jsonl").contains("\"clusters\""), "{result:#}");
    assert!(number(&result, "gap") < 0.2, "{result:#}");
    sandbox.good("check run");
    sandbox.file("many.csv", of_columns(30, 120));
    let result = sandbox.certified(&format!("many.csv {task} --l2 1"), "wide");
    assert!(number(&result, "gap") < 0.2, "{result:#}");
}

#[test]
fn a_decay_that_leaves_nothing_is_proven_at_once() {
    let sandbox = Sandbox::new();
    sandbox.file("bent.csv", bent());
    let result = sandbox.certified("bent.csv --task regression --hidden 5 --l2 1000 --output-bias none", "run");
    assert_eq!((&result["ending"], &result["network"]["width"]), (&"Optimal".into(), &0.into()), "{result:#}");
}

#[test]
fn awkward_rows() {
    let sandbox = Sandbox::new();
    for (name, content) in [
        ("one.csv", "a,y\n2,3.5\n"),
        ("equal.csv", "a,y\n1,2.5\n2,2.5\n3,2.5\n"),
        ("twice.csv", "a,b,y\n1,2,1.5\n1,2,1.5\n1,2,-0.5\n2,4,2.25\n0,0,1\n"),
        ("units.csv", "a,b,y\n1e-6,1e6,1.5\n2e-6,-1e6,0.5\n-1e-6,2e6,2.5\n"),
        ("flat.csv", "a,b,y\n1,1,1.5\n2,1,0.5\n4,1,2.5\n"),
    ] {
        sandbox.file(name, content);
        for l2 in ["0", "1e-6", "0.1"] {
            let result = sandbox.certified(
                &format!("{name} --task regression --hidden 6 --l2 {l2} --time-limit 3s"),
                &format!("{name}.{l2}"),
            );
            assert!(number(&result, "lower") <= number(&result, "upper"), "{name} {l2}: {result:#}");
            // 1.5, 1.5 and −0.5 at one point, everything else can be fitted: ½·(2·(2/3)² + (4/3)²)/5.
            if (name, l2) == ("twice.csv", "0") {
                assert!((number(&result, "lower") - 4.0 / 15.0).abs() < 1e-9, "{result:#}");
                assert_eq!((&result["ending"], &result["network"]["bound"]), (&"Optimal".into(), &"conflicts".into()));
            }
        }
    }
}

#[test]
fn a_narrow_network_keeps_the_bound_of_all_widths() {
    let sandbox = Sandbox::new();
    sandbox.file("bent.csv", bent());
    let wide = sandbox.certified("bent.csv --task regression --hidden 40 --l2 0.01 --time-limit 10s", "wide");
    let narrow = sandbox.certified("bent.csv --task regression --hidden 1 --l2 0.01 --time-limit 10s", "narrow");
    assert_eq!((&narrow["network"]["width"], &narrow["ending"]), (&1.into(), &"Stalled".into()));
    assert!(narrow["message"].as_str().unwrap().contains("more hidden units than --hidden allows"), "{narrow:#}");
    // The bound is as good as that of the run whose width is no limit: networks of any width have it.
    assert!((number(&narrow, "lower") / number(&wide, "lower") - 1.0).abs() < 1e-3, "{narrow:#}");
    assert!(number(&narrow, "upper") >= number(&wide, "lower"), "{narrow:#}");
    assert!(number(&narrow, "lower") <= number(&wide, "upper"), "{narrow:#}");
    let again = sandbox
        .certified("bent.csv --task regression --hidden 40 --l2 0.01 --time-limit 10s --warm-start narrow", "again");
    assert!(number(&again, "upper") <= number(&narrow, "upper") * (1.0 + 1e-12), "{again:#}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let sandbox = Sandbox::new();
    for (arguments, parts) in [
        ("--hidden 4 --l1 0.1", ["--l1", "weight decay"]),
        ("--hidden 4 --kernel rbf", ["--kernel", "--hidden"]),
        ("--hidden 4 --standardize", ["--standardize", "decay"]),
        ("--hidden 4 --intercept free", ["--intercept", "--output-bias"]),
        ("--hidden 4 --solver newton", ["--solver", "one solver"]),
        ("--hidden 4 --memory 1GiB", ["--memory", "in memory"]),
        ("--hidden 4 --cv 5", ["--cv", "one linear layer"]),
        ("--hidden 4 --activation cosine", ["cosine", "relu"]),
        ("--hidden 0", ["--hidden 0", "linear model"]),
        ("--activation relu", ["--activation", "--hidden N"]),
        ("--output-bias free", ["--output-bias", "--hidden N"]),
        ("--hidden 4 --device cuda", ["--device", "processor"]),
        ("--hidden 4 --precision mixed", ["--precision", "processor"]),
    ] {
        sandbox.refused(&format!("fit builtin:iris {arguments} --out run"), &parts);
    }
    sandbox.refused("curve builtin:iris --hidden 4 --out run", &["--hidden", "infimum fit"]);
    sandbox.certified("builtin:iris --loss logistic", "linear");
    sandbox.refused(
        "fit builtin:iris --loss logistic --hidden 4 --warm-start linear --out run",
        &["--warm-start", "hidden layer"],
    );
}
