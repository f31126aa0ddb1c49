//! Witnesses of rung 4 against brute force: what is accepted bounds the maximum over the unit ball, and valid witnesses are accepted.

mod relu_oracle;

use infimum_check::{Refusal, Verdict, check_relu_problem};
use infimum_problem::{HiddenBias, Intercept, Loss, ReluNet, Witness};
use relu_oracle::networks::{certificate, problem};
use relu_oracle::{Random, maximum, merged, witnesses};

/// The checker on a regression with these α, whose λ2 is as small as the witnesses allow.
fn checked(rows: &[f64], d: usize, constant: bool, alpha: &[f64], pair: [Witness; 2]) -> Result<Verdict, Refusal> {
    let columns = d - usize::from(constant);
    let inputs: Vec<f64> = rows.chunks_exact(d).flat_map(|row| row[..columns].to_vec()).collect();
    let hidden = if constant { HiddenBias::Penalized } else { HiddenBias::None };
    let lambda2 = pair[0].bound.max(pair[1].bound);
    let problem = problem(&inputs, columns, &vec![1.0; alpha.len()], Loss::Squared, Intercept::None, lambda2);
    let net = ReluNet::constant(columns, vec![0.0]);
    check_relu_problem(&problem, &certificate(&problem, hidden, net, alpha.to_vec(), pair.into()))
}

#[test]
fn accepted_bounds_are_not_below_the_maximum() {
    let mut random = Random(1);
    for round in 0..400 {
        let (d, constant) = (1 + random.below(3), random.below(2) == 0);
        let count = 1 + random.below(if d == 3 { 8 } else { 12 });
        let rows = random.rows(count, d, constant);
        let mut alpha: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        if random.below(4) == 0 {
            let zero = random.below(count);
            alpha[zero] = 0.0;
        }
        let (points, w) = merged(&rows, d, &alpha);
        let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
        let kind = round % 3;
        let mut pair = [&w, &opposite].map(|w| match kind {
            0 => witnesses::norms(&points, d, w),
            1 => witnesses::moments(&points, d, w, &mut random),
            _ => {
                let splits = random.below(40);
                witnesses::cones(&points, d, w, splits, None, &mut random)
            }
        });
        let verdict = checked(&rows, d, constant, &alpha, pair.clone());
        assert!(verdict.is_ok(), "round {round}, kind {kind}: {verdict:?}");
        let most = [maximum(&points, d, &w), maximum(&points, d, &opposite)];
        for (side, most) in most.into_iter().enumerate() {
            assert!(pair[side].bound >= most * (1.0 - 1e-12), "round {round}: {} < {most}", pair[side].bound);
            // A bound below the maximum is refused, whatever the proof.
            let bound = std::mem::replace(&mut pair[side].bound, most * (1.0 - 1e-9));
            if most > 0.0 {
                assert!(checked(&rows, d, constant, &alpha, pair.clone()).is_err(), "round {round}, kind {kind}");
            }
            pair[side].bound = bound;
        }
    }
}
