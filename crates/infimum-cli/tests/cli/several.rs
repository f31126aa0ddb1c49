//! Several target columns: labels that a row has or has not, and several numbers.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Four columns, three labels of which one hangs on a product, two numbers and weights: always the same.
fn table() -> String {
    let mut text = String::from("p,q,r,s,hot,odd,dry,area,rest,w\n");
    for row in 0u32..90 {
        let x = [37, 23, 53, 71].map(|step| f64::from(row * step % 97) / 48.0 - 1.0);
        let labels = [x[0] + 0.2 * x[3] > 0.1, x[1] * x[2] > 0.0, x[0] + x[1] + x[2] > 0.8].map(u8::from);
        let (area, rest) = (x[0] * x[1], 0.5 * x[2] - x[3]);
        let [p, q, r, s] = x;
        let [hot, odd, dry] = labels;
        let weight = 1 + row % 3;
        text.push_str(&format!("{p:.4},{q:.4},{r:.4},{s:.4},{hot},{odd},{dry},{area:.4},{rest:.4},{weight}\n"));
    }
    text
}

/// The columns named, of a table.
fn columns(text: &str, wanted: &[&str]) -> String {
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<&str>>());
    let head = lines.next().unwrap();
    let places: Vec<usize> = wanted.iter().map(|name| head.iter().position(|other| other == name).unwrap()).collect();
    let line = |fields: &[&str]| places.iter().map(|&place| fields[place]).collect::<Vec<&str>>().join(",");
    std::iter::once(line(&head)).chain(lines.map(|fields| line(&fields))).map(|line| line + "\n").collect()
}

fn labels() -> String {
    columns(&table(), &["p", "q", "r", "s", "hot", "odd", "dry"])
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// Mean of the losses that the decision values of `predict` have on the file, `Σ_k ln(1 + exp(∓z_k))`.
fn mean_logistic(decisions: &str, file: &str, targets: &[&str]) -> f64 {
    let wanted = columns(file, targets);
    let rows = decisions.lines().skip(1).zip(wanted.lines().skip(1));
    let losses = rows.flat_map(|(z, y)| {
        z.split(',')
            .zip(y.split(','))
            .map(|(z, y)| {
                let z: f64 = z.parse().unwrap();
                if y == "1" { (-z).exp().ln_1p() } else { z.exp().ln_1p() }
            })
            .collect::<Vec<f64>>()
    });
    losses.sum::<f64>() / (wanted.lines().count() - 1) as f64
}

const NET: &str = "labels.csv --target hot,odd,dry --hidden 10,6 --l2 1e-3 --seed 2 --threads 1 --epochs 300";

#[test]
fn a_network_of_several_labels_is_certified_and_predicts_each() {
    let sandbox = Sandbox::new();
    sandbox.file("labels.csv", labels());
    let result = sandbox.certified(NET, "run");
    assert_eq!((&result["rung"], &result["objective"]["loss"]), (&5.into(), &"logistic".into()), "{result:#}");
    assert_eq!(result["data"]["target"], Value::from(vec!["hot", "odd", "dry"]));
    assert_eq!(result["network"]["evaluation"], "proven");
    assert!(number(&result["lower"]) > 0.0 && number(&result["lower"]) < number(&result["upper"]), "{result:#}");
    let train = &result["train"];
    assert!(number(&train["exact_match"]) > 0.9 && number(&train["f1"]) > 0.9, "{train:#}");
    assert_eq!(train["targets"].as_array().map(Vec::len), Some(3), "{train:#}");
    let claims = sandbox.good("check run").stderr;
    assert!(claims.contains("Targets: `hot`, `odd`, `dry`") && claims.contains("head: "), "{claims}");

    sandbox.good("predict run labels.csv -o labels.out");
    let predicted = sandbox.read("labels.out");
    assert_eq!(predicted.lines().next(), Some("hot,odd,dry"));
    let known = columns(&labels(), &["hot", "odd", "dry"]);
    let right = predicted.lines().zip(known.lines()).filter(|pair| pair.0 == pair.1);
    assert_eq!((right.count() - 1) as f64 / 90.0, number(&train["exact_match"]));
    sandbox.good("predict run labels.csv --what all -o all.out");
    let head = "hot,odd,dry,p(hot),p(odd),p(dry),decision(hot),decision(odd),decision(dry)";
    assert_eq!(sandbox.read("all.out").lines().next(), Some(head));
    // The objective is the mean of the labels' losses added up, and the decay.
    sandbox.good("predict run labels.csv --what decision -o z.out");
    let mean = mean_logistic(&sandbox.read("z.out"), &labels(), &["hot", "odd", "dry"]);
    assert!((number(&train["log_loss"]) - mean / 3.0).abs() < 1e-9, "{mean} {train:#}");
    assert!(mean < number(&result["upper"]), "{mean} {result:#}");
    // Rows without targets, and with some of them.
    sandbox.file("rows.csv", columns(&labels(), &["s", "p", "r", "q"]));
    assert_eq!(sandbox.good("predict run rows.csv").stdout, predicted);
    sandbox.file("some.csv", columns(&labels(), &["s", "p", "odd", "r", "q"]));
    assert_eq!(sandbox.good("predict run some.csv").stdout, predicted);

    // Every label of every target is part of what is certified.
    for (place, target) in ["hot", "odd", "dry"].iter().enumerate() {
        let line = labels().lines().nth(40).unwrap().to_string();
        let mut fields: Vec<String> = line.split(',').map(String::from).collect();
        fields[4 + place] = if fields[4 + place] == "1" { "0" } else { "1" }.into();
        sandbox.file("other.csv", labels().replace(&line, &fields.join(",")));
        let refused = sandbox.run("check run --data other.csv --quiet");
        assert_eq!(refused.code, Some(1), "{target}: {refused:?}");
        assert!(refused.stdout.starts_with("s NOT VERIFIED problem"), "{target}: {refused:?}");
    }
}

#[test]
fn its_onnx_file_and_its_outputs_are_audited() {
    let sandbox = Sandbox::new();
    sandbox.file("labels.csv", labels());
    let result = sandbox.certified(NET, "run");
    let options = "--data labels.csv --target hot,odd,dry --threads 1";
    let audited = sandbox.good(&format!("audit run/model.onnx {options} --l2 1e-3 --json --out audited")).stdout;
    let audited: Value = serde_json::from_str(&audited).unwrap();
    assert_eq!(audited["certified"], true, "{audited:#}");
    let difference = (number(&audited["upper"]) - number(&result["upper"])).abs();
    assert!(difference < 1e-5 * number(&result["upper"]), "{difference}");
    sandbox.refused("audit run/model.onnx --data labels.csv --target hot,odd --l2 1e-3", &["need 2 outputs"]);
    let lines = |what: &str| {
        let out = sandbox.good(&format!("predict run labels.csv --what {what}")).stdout;
        out.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()
    };
    sandbox.file("z.txt", lines("decision"));
    let given = sandbox.good(&format!("audit --predictions z.txt {options} --json --out given")).stdout;
    let given: Value = serde_json::from_str(&given).unwrap();
    let mean = 3.0 * number(&result["train"]["log_loss"]);
    assert!((number(&given["upper"]) - mean).abs() < 1e-9, "{mean} {given:#}");
    assert_eq!(given["train"]["accuracy"], result["train"]["exact_match"], "{given:#}");
    assert!(sandbox.good("check given --quiet").stdout.starts_with("s VERIFIED"));
}

#[test]
fn equal_rows_bound_every_model_of_several_labels() {
    let sandbox = Sandbox::new();
    // The first two rows differ in `b` alone, the last two in both labels: ln 2 each of six losses out of eight.
    sandbox.file("twice.csv", "x,a,b\n1,0,0\n1,0,1\n2,1,0\n2,0,1\n");
    let result = sandbox.certified("twice.csv --target a,b --hidden 4,3 --l2 0 --epochs 50 --threads 1", "run");
    assert!((number(&result["lower"]) - 6.0 / 4.0 * 2f64.ln()).abs() < 1e-6, "{result:#}");
}

#[test]
fn several_numbers_are_fitted_at_once() {
    let sandbox = Sandbox::new();
    sandbox.file("table.csv", columns(&table(), &["p", "q", "r", "s", "area", "rest", "w"]));
    let options = "table.csv --target rest,area --sample-weight w --valid 0.2 --l2 1e-3 --threads 1";
    let result = sandbox.certified(&format!("{options} --hidden 8,8 --epochs 300"), "deep");
    assert_eq!(result["objective"]["loss"], "squared", "{result:#}");
    assert!(number(&result["train"]["r2"]) > 0.95, "{result:#}");
    assert_eq!(result["valid"]["targets"].as_array().map(Vec::len), Some(2), "{result:#}");
    assert!(sandbox.good("predict deep table.csv").stdout.starts_with("rest,area\n"));
    let huber = sandbox.certified(&format!("{options} --hidden 5,4 --loss huber --epochs 20"), "huber");
    assert!(number(&huber["lower"]) >= 0.0, "{huber:#}");
}

#[test]
fn every_rung_takes_several_targets() {
    let sandbox = Sandbox::new();
    sandbox.file("labels.csv", labels());
    // One linear model for each label: the sum of what they have alone.
    let linear = |targets: &str, out: &str| {
        let result = sandbox.certified(&format!("labels.csv --target {targets} --l2 0.01 --threads 1"), out);
        assert_eq!((&result["rung"], &result["ending"]), (&1.into(), &"Optimal".into()), "{result:#}");
        number(&result["upper"])
    };
    let both = linear("hot,dry", "both");
    for (name, other) in [("hot", "dry"), ("dry", "hot")] {
        sandbox.file(&format!("{name}.csv"), columns(&labels(), &["p", "q", "r", "s", "odd", name]));
        assert!(!sandbox.read(&format!("{name}.csv")).contains(other));
    }
    let alone = |name: &str| {
        number(&sandbox.certified(&format!("{name}.csv --target {name} --l2 0.01 --threads 1"), name)["upper"])
    };
    assert!((both - alone("hot") - alone("dry")).abs() < 1e-5 * both, "{both}");
    let net = "labels.csv --target hot,odd --hidden 6 --l2 0.05 --threads 1 --time-limit 20s";
    let result = sandbox.certified(net, "relu");
    assert_eq!(result["rung"], 4, "{result:#}");
    assert!(number(&result["lower"]) > 0.0, "{result:#}");
    assert!(sandbox.good("predict relu labels.csv").stdout.starts_with("hot,odd\n"));
    sandbox.certified("labels.csv --target hot,odd --kernel rbf --threads 1", "kernel");
    let path = sandbox.certified("labels.csv --target hot,odd --l2-path 3 --cv 3 --threads 1", "path");
    assert_eq!(path["ending"], "Optimal", "{path:#}");
}

#[test]
fn runs_go_on_with_the_same_targets_only() {
    let sandbox = Sandbox::new();
    sandbox.file("labels.csv", labels());
    let fit = |targets: &str, more: &str| {
        format!("labels.csv --target {targets} --hidden 6,5 --optimizer adamw --epochs 3 --threads 1 {more}")
    };
    sandbox.certified(&fit("hot,dry", ""), "first");
    sandbox.certified(&fit("hot,dry", "--warm-start first"), "second");
    sandbox.certified(&fit("hot,dry", "--resume first"), "third");
    sandbox.refused(
        &format!("fit {}", fit("dry,hot", "--warm-start first")),
        &["expected targets dry, hot, got hot, dry"],
    );
    sandbox.refused(&format!("fit {}", fit("dry,hot", "--resume first")), &["another network or problem"]);
    sandbox.refused(&format!("fit {}", fit("hot", "--warm-start first")), &["does not fit the data"]);
}

#[test]
fn what_is_no_set_of_targets_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("labels.csv", labels());
    let line = labels().lines().nth(7).unwrap().to_string();
    let (start, _) = line.rsplit_once(',').unwrap();
    for (name, last) in [("missing.csv", ""), ("three.csv", "2"), ("words.csv", "maybe")] {
        sandbox.file(name, labels().replace(&line, &format!("{start},{last}")));
    }
    sandbox.file("rows.svm", "1 1:2 2:3\n0 1:1\n");
    for (arguments, parts) in [
        ("missing.csv --target hot,odd,dry", &["line 8", "`dry`", "expected a target", "got nothing"][..]),
        ("three.csv --target hot,odd,dry", &["row 7", "`dry`", "expected 0 or 1", "got 2"]),
        ("words.csv --target hot,odd,dry", &["line 8", "`dry`", "expected 0 or 1", "got `maybe`"]),
        ("labels.csv --target hot,odd,hot", &["`hot`", "a target twice"]),
        ("labels.csv --target hot,cold", &["no target column `cold`", "`odd`"]),
        ("labels.csv --target hot,odd --sample-weight odd", &["`odd`", "both target and weight"]),
        ("labels.csv --target hot,odd --loss softmax", &["softmax chooses one label", "logistic"]),
        (
            "labels.csv --target hot,odd --task classification --loss squared",
            &["squared does not fit the task classification"],
        ),
        ("labels.csv --target hot,odd --class-weight balanced", &["class weights", "--sample-weight"]),
        ("labels.csv --target p,q,r,s,hot,odd,dry", &["no feature columns"]),
        ("rows.svm --target hot,odd", &["LIBSVM files have none"]),
    ] {
        sandbox.refused(&format!("fit {arguments} --hidden 5,4"), parts);
    }
    // A label that no row has is learnt, and said.
    sandbox.file("never.csv", labels().replace(",1\n", ",0\n"));
    let ran = sandbox.good("fit never.csv --target hot,odd,dry --hidden 5,4 --epochs 5 --threads 1 --out run");
    assert!(ran.stderr.contains("target `dry`: all training rows are 0"), "{}", ran.stderr);
}
