//! `infimum fit --device` on the card that the program was built for.

use std::io::Write;

use serde_json::Value;

use crate::sandbox::Sandbox;

const DEVICE: &str = if cfg!(feature = "cuda") { "cuda" } else { "wgpu" };
const SMALL: &str = "builtin:iris --hidden 16,8 --seed 3 --threads 1 --l2 1e-2";

/// Whether there is a card; where not, that is said past the test runner, and is an error with `INFIMUM_NEEDS_CARD` set.
fn has_card(sandbox: &Sandbox) -> bool {
    let tried = sandbox.run(&format!("fit builtin:iris --hidden 2,2 --epochs 1 --device {DEVICE} --out tried"));
    if tried.code == Some(0) || tried.code == Some(1) {
        return true;
    }
    assert_eq!(tried.code, Some(2), "{tried:?}");
    assert!(tried.stderr.contains(&format!("--device {DEVICE}:0: ")) && tried.stderr.contains("expected"), "{tried:?}");
    assert!(std::env::var_os("INFIMUM_NEEDS_CARD").is_none(), "{tried:?}");
    let _ = writeln!(std::io::stderr(), "skipped: no adapter: {}", tried.stderr);
    false
}

fn number(result: &Value, name: &str) -> f64 {
    result[name].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn a_network_is_trained_on_a_card_and_certified() {
    let sandbox = Sandbox::new();
    if !has_card(&sandbox) {
        return;
    }
    let card = format!("--optimizer adamw --device {DEVICE}");
    let result = sandbox.certified(&format!("{SMALL} {card} --epochs 20"), "run");
    assert_eq!((&result["rung"], &result["ending"]), (&5.into(), &"Stalled".into()), "{result:#}");
    let cpu = sandbox.certified(&format!("{SMALL} --optimizer adamw --epochs 20"), "cpu");
    let (card_value, cpu_value) =
        (number(&result["network"]["runs"][0], "value"), number(&cpu["network"]["runs"][0], "value"));
    assert!((card_value - cpu_value).abs() < 1e-3 * cpu_value, "{card_value} {cpu_value}");
    sandbox.good("predict run builtin:iris -o predicted.csv");
    assert_eq!(sandbox.read("predicted.csv").lines().count(), 151);
    // Checkpoints are the same on every device: on from card to processor and back.
    let more = |epochs: usize, device: &str, from: &str, to: &str| {
        sandbox.good(&format!(
            "fit {SMALL} --optimizer adamw --device {device} --epochs {epochs} --resume {from} --out {to}"
        ));
    };
    more(22, "cpu", "run", "onward");
    more(24, DEVICE, "onward", "back");
    sandbox.good("check back --quiet");
    // Explicitly on a card it is never L-BFGS.
    let log = sandbox.good(&format!("fit {SMALL} --device {DEVICE} --epochs 2 --restarts 2 --out usual")).stderr;
    assert!(log.contains("adamw") && log.contains("the same seed does not give the same bits"), "{log}");
}

#[test]
fn a_card_that_is_not_there_is_refused() {
    let sandbox = Sandbox::new();
    if has_card(&sandbox) {
        // Drivers may say something of their own on stderr.
        let refused = sandbox.run(&format!("fit builtin:iris --hidden 8,4 --epochs 2 --device {DEVICE}:99 --out run"));
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let message = format!("error: --device {DEVICE}:99: there is no card number 99; expected a number below ");
        assert!(refused.stderr.contains(&message), "{refused:?}");
    }
}

/// What lets a run diverge on the processor does so on a card: it goes back, with a smaller rate.
#[test]
fn a_run_that_diverges_goes_back() {
    let sandbox = Sandbox::new();
    if has_card(&sandbox) {
        let run = "builtin:iris --hidden 8,4 --optimizer sgd --learning-rate 1e6 --epochs 8";
        let log = sandbox.good(&format!("fit {run} --device {DEVICE} --out run")).stderr;
        assert!(log.contains("back to step"), "{log}");
    }
}
