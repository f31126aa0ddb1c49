//! Any bytes as a certificate about given outputs, and outputs and α that the bytes say about rows that contradict each other: the checker answers or
//! refuses, never panics, and the bound of what it accepts is not above the loss.
#![no_main]

use std::sync::LazyLock;

use infimum_check::{check_outputs, outputs_bounds};
use infimum_data::{Loaded, Request, load};
use infimum_problem::{Intercept, Loss, Strength};

static IRIS: LazyLock<Loaded> = LazyLock::new(|| {
    let request = Request {
        loss: Some(Loss::Softmax),
        intercept: Some(Intercept::None),
        strength: Some(Strength::PerExample { l1: 0.0, l2: 0.0 }),
        ..Request::default()
    };
    load("builtin:iris", &request).expect("iris")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check_outputs(bytes, "builtin:iris");
    let number = |at: usize| {
        let bits = std::array::from_fn(|i| bytes.get(at * 8 + i).copied().unwrap_or(0));
        f64::from_le_bytes(bits)
    };
    let size = IRIS.problem.data.rows() * 3;
    let outputs: Vec<f64> = (0..size).map(number).collect();
    let dual: Vec<f64> = (0..size).map(|at| number(size + at)).collect();
    if let Ok((lower, upper)) = outputs_bounds(&IRIS.problem, &outputs, &dual) {
        assert!(lower <= upper, "{lower} {upper}");
    }
});
