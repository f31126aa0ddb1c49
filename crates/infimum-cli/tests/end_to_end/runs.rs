//! Fits, checks and predictions.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Place;

#[test]
fn the_main_job_to_1e_9_with_certificate() {
    let place = Place::new();
    let result = place.fit("builtin:breast-cancer --gap 1e-9");
    assert_eq!(result["ending"], "Optimal");
    assert!(result["gap"].as_f64().expect("a number") <= 1e-9);
    for key in [
        "version",
        "command",
        "rung",
        "objective",
        "upper",
        "lower",
        "seconds",
        "threads",
        "seed",
        "data",
        "model",
        "message",
    ] {
        assert!(!result[key].is_null(), "{key}");
    }
    for file in ["model.json", "model.safetensors", "certificate.safetensors", "log.jsonl"] {
        assert!(place.path("run").join(file).exists(), "{file}");
    }
    let output = place.run("check run --data builtin:breast-cancer");
    assert!(output.status.success() && output.stdout.starts_with(b"s VERIFIED lower="));
    let output = place.run("check run --data builtin:iris");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"s NOT VERIFIED "), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_loss_penalty_and_intercept_is_certified() {
    let place = Place::new();
    for penalty in ["--C 1", "--l1 0.01", "--l1 0.01 --l2 0.01"] {
        for intercept in ["free", "penalized", "none"] {
            for model in [
                "builtin:iris",
                "builtin:iris --loss logistic",
                "builtin:wine --loss hinge",
                "builtin:wine --loss squared-hinge",
                "builtin:friedman",
            ] {
                let arguments = format!("{model} {penalty} --intercept {intercept} --gap 1e-8");
                let result = place.fit(&arguments);
                assert_eq!(result["ending"], "Optimal", "{arguments}");
            }
        }
    }
}

#[test]
fn weights_scales_and_splits() {
    let place = Place::new();
    let result =
        place.fit("builtin:breast-cancer --standardize --class-weight balanced --valid 0.2 --seed 7 --gap 1e-8");
    assert_eq!(result["data"]["held_out"], 114);
    let accuracy = result["valid"]["accuracy"].as_f64().expect("a number");
    assert!(accuracy > 0.9);
    let again =
        place.fit("builtin:breast-cancer --standardize --class-weight balanced --valid 0.2 --seed 7 --gap 1e-8");
    assert_eq!(again["valid"], result["valid"]);
    assert_eq!(again["upper"], result["upper"]);
    let other =
        place.fit("builtin:breast-cancer --standardize --class-weight balanced --valid 0.2 --seed 8 --gap 1e-8");
    assert_ne!(other["data"]["problem_sha256"], result["data"]["problem_sha256"]);
}

#[test]
fn a_row_of_weight_two_is_two_rows() {
    let place = Place::new();
    place.write("w.csv", "a,w,y\n1,2,0\n2,1,1\n0.5,1,1\n3,0,0\n");
    place.write("d.csv", "a,y\n1,0\n1,0\n2,1\n0.5,1\n");
    let weighted = place.fit("w.csv --sample-weight w --target y --gap 1e-10");
    let doubled = place.fit("d.csv --gap 1e-10");
    let (a, b) = (weighted["upper"].as_f64().expect("a number"), doubled["upper"].as_f64().expect("a number"));
    assert!((a - b).abs() <= 1e-9 * b, "{a} {b}");
}

#[test]
fn separable_data_without_penalty() {
    let place = Place::new();
    place.write("s.csv", "a,y\n-2,0\n-1,0\n1,1\n2,1\n");
    let logistic = place.fit("s.csv --l2 0");
    assert_eq!(logistic["ending"], "NotAttained");
    assert_eq!(logistic["lower"], 0.0);
    for loss in ["hinge", "squared-hinge"] {
        let result = place.fit(&format!("s.csv --l2 0 --loss {loss}"));
        assert_eq!((&result["ending"], &result["upper"]), (&"Optimal".into(), &0.0.into()), "{loss}");
    }
    place.write("n.csv", "a,y\n-2,0\n1,0\n-1,1\n2,1\n");
    let overlapping = place.fit("n.csv --l2 0");
    assert_eq!(overlapping["ending"], "Stalled");
    assert_eq!(overlapping["lower"], 0.0);
}

#[test]
fn awkward_tables() {
    let place = Place::new();
    // More columns than rows, duplicate and constant columns, text columns, quotes.
    place.write("a.csv", "a,b,c,d,e,y\n1,1,5,2,0,yes\n0,0,5,1,1,no\n2,2,5,0,1,yes\n");
    assert_eq!(place.fit("a.csv --gap 1e-9")["ending"], "Optimal");
    assert_eq!(place.fit("a.csv --gap 1e-9 --l1 0.01")["ending"], "Optimal");
    place.write("t.csv", "colour,\"size, cm\",y\nred,1,0\n\"bl\"\"ue\",2,1\nred,3,1\ngreen,1,0\n");
    let result = place.fit("t.csv --gap 1e-9");
    assert_eq!(result["data"]["columns"], 4);
    let shown = place.run("data show t.csv");
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("colour=red") && text.contains("one-hot"), "{text}");
    place.write("q.svm", "+1 qid:3 3:1 1:2 # a comment\n-1 2:1\n# nothing\n+1 1:1.5 3:0\n");
    let result = place.fit("q.svm --gap 1e-9");
    assert_eq!((&result["data"]["rows"], &result["data"]["columns"]), (&3.into(), &3.into()));
    let zero = place.fit("builtin:iris --gap 0 --abs-gap 0");
    assert!(zero["ending"] == "Stalled" || zero["ending"] == "Optimal");
    assert!(zero["gap"].as_f64().expect("a number") < 1e-10);
}

#[test]
fn the_same_table_in_every_format_is_the_same_problem() {
    let place = Place::new();
    let rows = [[1.5, -2.0, 0.0], [0.25, 3.0, 1.0], [-1.0, 0.5, 1.0], [2.0, 2.0, 0.0]];
    let text = |delimiter: &str| -> String {
        rows.iter().map(|row| row.map(|x| x.to_string()).join(delimiter) + "\n").collect()
    };
    place.write("d.csv", text(","));
    place.write("d.tsv", text("\t"));
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!("{:<117}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 3), }");
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    rows.iter().flatten().for_each(|x: &f64| npy.extend(x.to_le_bytes()));
    place.write("d.npy", npy);
    let hash = |file: &str| place.fit(file)["data"]["problem_sha256"].clone();
    let csv = hash("d.csv --no-header");
    assert_eq!(hash("d.tsv --no-header"), csv);
    assert_eq!(hash("d.npy"), csv);
}

#[test]
fn predictions_agree_with_the_training_metrics() {
    let place = Place::new();
    for (data, loss) in
        [("iris", "softmax"), ("wine", "logistic"), ("breast-cancer", "hinge"), ("breast-cancer", "logistic")]
    {
        let result = place.fit(&format!("builtin:{data} --loss {loss}"));
        let output = place.run(&format!("predict run builtin:{data} --what labels"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.lines().count() as u64, 1 + result["data"]["rows"].as_u64().expect("a number"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let accuracy = result["train"]["accuracy"].as_f64().expect("a number");
        assert!(said.contains(&format!("accuracy {accuracy:.6}")), "{said}");
    }
    let refused = place.fit("builtin:iris --loss hinge");
    assert_eq!(refused["ending"], "Optimal");
    place.refuses("predict run builtin:iris --what probabilities", &["no probabilities", "--what decision"]);
    place.fit("builtin:iris");
    place.write("new.csv", "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n");
    let output = place.run("predict run new.csv");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "label\nsetosa\nvirginica\n");
    place.write("bad.csv", "sepal_length,sepal_width\n5.1,3.5\n");
    place.refuses("predict run bad.csv", &["petal_length"]);
}

fn long_problem(place: &Place) {
    let made = place.run("generate text-like --rows 30000 --columns 30000 -o t.svm");
    assert!(made.status.success());
}

#[test]
fn a_time_limit_ends_with_a_certificate() {
    let place = Place::new();
    long_problem(&place);
    let start = Instant::now();
    let result = place.fit("t.svm --loss hinge --gap 0 --abs-gap 0 --time-limit 700ms");
    assert_eq!(result["ending"], "TimeLimit", "after {:?}", start.elapsed());
    let seconds = &result["seconds"];
    let used: f64 = ["read", "solve", "certify"].iter().map(|part| seconds[part].as_f64().expect("a number")).sum();
    // The promise is 5 % + 0.1 s on an idle machine; a loaded one gets a second more.
    assert!(used <= 0.7 * 1.05 + 1.1, "{used}");
}

#[test]
#[cfg(unix)]
fn interrupts_end_with_everything_written_and_kills_with_nothing_whole() {
    let place = Place::new();
    long_problem(&place);
    for (signal, code) in [("-INT", Some(130)), ("-TERM", Some(130)), ("-KILL", None)] {
        let mut child = place
            .command(&format!("fit t.svm --loss hinge --gap 0 --abs-gap 0 --out run{signal} --log-json log.jsonl"))
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let start = Instant::now();
        while !std::fs::read_to_string(place.path("log.jsonl")).is_ok_and(|log| log.contains("progress")) {
            assert!(start.elapsed() < Duration::from_secs(60), "the solver never started");
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        let status = child.wait().expect("ended");
        assert_eq!(status.code(), code, "{signal}");
        let result = std::fs::read_to_string(place.path(&format!("run{signal}/result.json")));
        match code {
            Some(_) => {
                let result = result.expect("result.json");
                assert!(
                    result.contains("\"ending\": \"Interrupted\"") && result.contains("\"certified\": true"),
                    "{result}"
                );
            }
            None => assert!(result.is_err(), "{signal}"),
        }
        std::fs::remove_file(place.path("log.jsonl")).expect("removed");
    }
}
