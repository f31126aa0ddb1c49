//! Parquet files, written by another program (tests/data/make.py).

use crate::sandbox::Sandbox;

const FILE: &[u8] = include_bytes!("../data/mixed.parquet");

#[cfg(feature = "parquet")]
mod read {
    use super::*;

    const TABLE: &str = include_str!("../data/mixed.csv");

    #[test]
    fn a_table_and_a_parquet_file_are_one_problem() {
        let sandbox = Sandbox::new();
        sandbox.file("mixed.parquet", FILE);
        sandbox.file("unnamed", FILE);
        sandbox.file("mixed.csv", TABLE);
        for options in ["", "--loss hinge --valid 0.3 --sample-weight share", "--target count --standardize"] {
            let hash = |file: &str, out: &str| {
                sandbox.certified(&format!("{file} {options}"), out)["data"]["problem_sha256"].clone()
            };
            let table = hash("mixed.csv", "table");
            assert_eq!(hash("mixed.parquet", "parquet"), table, "{options}");
            assert_eq!(hash("unnamed", "other"), table, "{options}");
        }
    }

    #[test]
    fn predictions_are_those_of_the_table() {
        let sandbox = Sandbox::new();
        sandbox.file("mixed.parquet", FILE);
        sandbox.file("mixed.csv", TABLE);
        sandbox.certified("mixed.parquet", "parquet");
        sandbox.certified("mixed.csv", "table");
        let parquet = sandbox.good("predict parquet mixed.parquet");
        assert_eq!(parquet.stdout, sandbox.good("predict table mixed.csv").stdout);
        assert!(parquet.stderr.contains("(90 rows)"), "{parquet:?}");
    }

    /// 10,000 rows of 100 columns, 7.6 MiB of doubles: nearly twice what the least limit holds.
    #[test]
    fn a_file_larger_than_the_limit_is_trained_and_checked_within_it() {
        let sandbox = Sandbox::new();
        sandbox.file("large.parquet", include_bytes!("../data/large.parquet"));
        for (options, out) in [("--standardize", "newton"), ("--loss hinge --valid 0.2", "hinge")] {
            let options = format!("large.parquet --gap 1e-6 --threads 1 {options}");
            let (held, spilled) = (format!("held-{out}"), format!("spilled-{out}"));
            sandbox.certified(&options, &held);
            let ran = sandbox.good(&format!("fit {options} --memory 64MiB --out {spilled}"));
            assert!(
                ran.stderr.contains("kept in a temporary file") && ran.stderr.contains("was checked"),
                "{}",
                ran.stderr
            );
            let result = |run: &str| -> serde_json::Value {
                serde_json::from_str(&sandbox.read(&format!("{run}/result.json"))).unwrap()
            };
            let (one, other) = (result(&held), result(&spilled));
            for name in ["data", "upper", "lower", "solver"] {
                assert_eq!(one[name], other[name], "{name}");
            }
            let checked = sandbox.good(&format!("check {spilled} --memory 0.5GiB"));
            assert!(checked.stdout.starts_with("s VERIFIED"), "{checked:?}");
        }
    }

    #[test]
    fn damage_is_told() {
        let sandbox = Sandbox::new();
        sandbox.file("cut.parquet", &FILE[..FILE.len() / 2]);
        sandbox.refused("fit cut.parquet", &["cut.parquet: not a readable Parquet file"]);
        sandbox.file("mixed.parquet", FILE);
        sandbox.refused("fit mixed.parquet --target price", &["there is no target column `price`", "`kind`"]);
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_it_is_said_what_to_do() {
    let sandbox = Sandbox::new();
    for file in ["mixed.parquet", "unnamed"] {
        sandbox.file(file, FILE);
        sandbox.refused(&format!("fit {file}"), &[file, "built without Parquet", "--features parquet"]);
    }
}
