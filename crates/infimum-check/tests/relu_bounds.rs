//! Certificates of rung 4 against brute force: what is accepted bounds the maximum over the unit ball, valid witnesses are accepted, and no network lies
//! below an accepted bound.

mod relu_oracle;

use infimum_check::{Refusal, Step, Verdict, check_relu_problem};
use infimum_problem::{
    Basis, BoundProof, ConeNode, Cones, HiddenBias, Intercept, Kernel, Loss, Matrix, Moments, Problem, ReluCertificate,
    ReluNet, Target, Witness,
};
use relu_oracle::networks::{self, certificate, problem};
use relu_oracle::{Random, maximum, merged, witnesses};

/// The checker on a regression with these α, whose λ2 is as small as the witnesses allow.
fn checked(rows: &[f64], d: usize, constant: bool, alpha: &[f64], pair: [Witness; 2]) -> Result<Verdict, Refusal> {
    let columns = d - usize::from(constant);
    let inputs: Vec<f64> = rows.chunks_exact(d).flat_map(|row| row[..columns].to_vec()).collect();
    let hidden = if constant { HiddenBias::Penalized } else { HiddenBias::None };
    let lambda2 = pair[0].bound.max(pair[1].bound).clamp(0.0, f64::MAX);
    let problem = problem(&inputs, columns, &vec![1.0; alpha.len()], Loss::Squared, Intercept::None, lambda2);
    let net = ReluNet::constant(columns, vec![0.0]);
    check_relu_problem(&problem, &certificate(&problem, hidden, net, alpha.to_vec(), pair.into()))
}

#[test]
fn accepted_bounds_are_not_below_the_maximum() {
    let mut random = Random(1);
    for round in 0..600 {
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
        let kind = round % 4;
        let mut pair = [&w, &opposite].map(|w| match kind {
            0 => witnesses::norms(&points, d, w),
            1 => witnesses::moments(&points, d, w, &mut random),
            2 => witnesses::clusters(&points, d, w, &mut random),
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

/// Numbers of α in a row's domain; their sums over the rows are 0 where that is asked for, by moves from row to row. Multiples of 2^-12, so
/// that sums are exact.
fn feasible_alpha(problem: &Problem, near: &[f64], random: &mut Random) -> Vec<f64> {
    let (n, outputs) = (problem.data.rows(), problem.outputs());
    let grid = |a: f64| (a * 4096.0).trunc() / 4096.0;
    let mut alpha: Vec<f64> = near.iter().map(|&a| grid(a)).collect();
    if problem.objective.loss == Loss::Softmax {
        // Off-class entries are ≤ 0; the own one makes the row's sum 0.
        let Target::Class { classes, .. } = &problem.data.target else { unreachable!("classes") };
        for (row, &own) in alpha.chunks_exact_mut(outputs).zip(classes) {
            row[own as usize] = 0.0;
            row[own as usize] = -row.iter().sum::<f64>();
        }
    }
    if problem.objective.intercept == Intercept::Free {
        for k in 0..outputs {
            let mut left: f64 = (0..n).map(|i| alpha[i * outputs + k]).sum();
            for _ in 0..200 {
                let i = random.below(n);
                let a = &mut alpha[i * outputs + k];
                // Towards 0 stays in every domain here.
                if *a * left > 0.0 {
                    let part = if a.abs() < left.abs() { *a } else { left };
                    (*a, left) = (*a - part, left - part);
                }
            }
            if left != 0.0 || problem.objective.loss == Loss::Softmax {
                (0..n).for_each(|i| alpha[i * outputs..(i + 1) * outputs].fill(0.0));
            }
        }
    }
    alpha
}

/// Bounds by cones for one of two numbers of inputs, else by moments or clusters.
fn witness(points: &[f64], d: usize, w: &[f64], random: &mut Random) -> Witness {
    match (d <= 3, random.below(2)) {
        (true, _) => witnesses::cones(points, d, w, 60, None, random),
        (false, 0) => witnesses::clusters(points, d, w, random),
        (false, _) => witnesses::moments(points, d, w, random),
    }
}

#[test]
fn no_network_is_below_the_bound() {
    let mut random = Random(2);
    let (mut nearest, mut fits) = (f64::INFINITY, 0);
    for round in 0..300 {
        let loss = Loss::ALL[round % 10];
        let bias = [Intercept::Penalized, Intercept::None, Intercept::Free][round / 10 % 3];
        let hidden = if random.below(2) == 0 { HiddenBias::Penalized } else { HiddenBias::None };
        let (n, columns) = (3 + random.below(9), 1 + random.below(2));
        let classes = if random.below(2) == 0 || loss == Loss::Softmax { 3 } else { 2 };
        let inputs = random.rows(n, columns, false);
        let mut targets: Vec<f64> = (0..n).map(|_| 2.0 * random.normal()).collect();
        if loss == Loss::Poisson {
            targets.iter_mut().for_each(|y| *y = y.abs());
        }
        if loss.is_classification() {
            targets.iter_mut().enumerate().for_each(|(i, y)| *y = (i % classes) as f64);
        }
        let beta = 10f64.powf(random.within(-1.5, 0.7));
        let mut problem = problem(&inputs, columns, &targets, loss, bias, beta);
        if loss != Loss::Softmax && random.below(4) == 0 {
            problem = networks::with_several(problem, 2, &mut random);
        }
        problem.data.weights.iter_mut().for_each(|c| *c = [0.5, 1.0, 3.0][random.below(3)]);
        problem.data.total_weight = problem.data.weights.iter().sum();
        let outputs = problem.outputs();
        let mut best = networks::network(columns, outputs, 6, hidden, bias, &mut random);
        networks::descend(&problem, &mut best, hidden, 300);
        let constant = hidden == HiddenBias::Penalized;
        let d = columns + usize::from(constant);
        let rows: Vec<f64> = inputs
            .chunks_exact(columns)
            .flat_map(|row| row.iter().copied().chain(constant.then_some(1.0)).collect::<Vec<f64>>())
            .collect();
        // α near the best network's, made shorter until the bounds allow it.
        let near = networks::dual(&problem, &best);
        let pairs = |alpha: &[f64], random: &mut Random| -> Vec<Witness> {
            (0..outputs)
                .flat_map(|k| {
                    let own: Vec<f64> = alpha.iter().skip(k).step_by(outputs).copied().collect();
                    let (points, w) = merged(&rows, d, &own);
                    let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
                    [witness(&points, d, &w, random), witness(&points, d, &opposite, random)]
                })
                .collect()
        };
        let together = |witnesses: &[Witness]| {
            witnesses.chunks_exact(2).map(|pair| pair[0].bound.max(pair[1].bound).powi(2)).sum::<f64>().sqrt()
        };
        let mut factor = 1.0;
        let (alpha, pair) = loop {
            let shorter: Vec<f64> = near.iter().map(|a| a * factor).collect();
            let alpha = feasible_alpha(&problem, &shorter, &mut random);
            let pair = pairs(&alpha, &mut random);
            let size = together(&pair);
            if size <= beta * (1.0 - 1e-12) {
                break (alpha, pair);
            }
            factor *= (beta / size).min(0.999);
        };
        let certificate = certificate(&problem, hidden, best.clone(), alpha, pair);
        let verdict = match check_relu_problem(&problem, &certificate) {
            Ok(verdict) => verdict,
            // Not every grid lies in every domain.
            Err(refusal) => {
                assert!(refusal.step == Step::Dual, "round {round}, {loss:?}: {refusal}");
                continue;
            }
        };
        fits += 1;
        let objective = networks::objective(&problem, &best);
        assert!(verdict.upper >= objective - 1e-12 * objective.abs(), "{loss:?}: {} {objective}", verdict.upper);
        assert!(
            verdict.upper <= objective + 1e-11 * (1.0 + objective.abs()),
            "{loss:?}: {} {objective}",
            verdict.upper
        );
        nearest = nearest.min((objective - verdict.lower) / objective);
        for width in 0..7 {
            let mut net = networks::network(columns, outputs, width, hidden, bias, &mut random);
            for steps in [0, 20, 60] {
                networks::descend(&problem, &mut net, hidden, steps);
                let value = networks::objective(&problem, &net);
                assert!(
                    verdict.lower <= value + 1e-11 * (1.0 + value.abs()),
                    "round {round}, {loss:?}: {} {value}",
                    verdict.lower
                );
            }
        }
        assert!(verdict.lower <= objective + 1e-11 * (1.0 + objective.abs()), "round {round}, {loss:?}");
    }
    // The bounds are worth something: most α fit, and some come within a thousandth.
    assert!(fits > 200 && nearest < 1e-3, "{fits} {nearest}");
}

#[test]
fn rows_of_lower_rank_have_a_basis() {
    let mut random = Random(3);
    for round in 0..150 {
        let (r, count) = (1 + random.below(3), 2 + random.below(7));
        let d = r + 1 + random.below(2);
        // Quarters, so that x = Tᵀ C is exact; the last columns are combinations of the first.
        let quarter = |random: &mut Random| (random.within(-8.0, 8.0)).round() / 4.0;
        let combine: Vec<f64> = (0..r * (d - r)).map(|_| quarter(&mut random)).collect();
        let mut rows = Vec::new();
        for _ in 0..count {
            let c: Vec<f64> = (0..r).map(|_| quarter(&mut random)).collect();
            rows.extend_from_slice(&c);
            rows.extend((0..d - r).map(|j| (0..r).map(|k| c[k] * combine[k * (d - r) + j]).sum::<f64>()));
        }
        let mut coefficients = vec![0.0; r * d];
        for k in 0..r {
            coefficients[k * d + k] = 1.0;
            (0..d - r).for_each(|j| coefficients[k * d + r + j] = combine[k * (d - r) + j]);
        }
        let basis = Basis { columns: (0..r as u32).collect(), coefficients };
        let alpha: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        let (points, w) = merged(&rows, d, &alpha);
        let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
        let pair = [&w, &opposite].map(|w| witnesses::cones(&points, d, w, 30, Some(basis.clone()), &mut random));
        let verdict = checked(&rows, d, false, &alpha, pair.clone());
        assert!(verdict.is_ok(), "round {round}: {verdict:?}");
        for (w, witness) in [&w, &opposite].into_iter().zip(&pair) {
            assert!(witness.bound >= maximum(&points, d, w) * (1.0 - 1e-12), "round {round}");
        }
        // One coefficient of a row that is not 0 there, in the last place.
        let used = (0..r).find(|&k| rows.chunks_exact(d).any(|row| row[k] != 0.0));
        if let Some(k) = used {
            let mut wrong = pair.clone();
            let BoundProof::Cones(Cones { basis: Some(basis), .. }) = &mut wrong[0].proof else {
                unreachable!("cones")
            };
            let entry = &mut basis.coefficients[k * d + d - 1];
            *entry = if *entry == 0.0 { 1e-150 } else { entry.next_up() };
            let refusal = checked(&rows, d, false, &alpha, wrong).expect_err("not the rows");
            assert!(refusal.reason.contains("basis"), "{refusal}");
        }
    }
}

/// One number of a witness changed: a little, a lot, or to something special.
fn disturb(witness: &mut Witness, random: &mut Random) {
    let factor =
        [1.0 + 1e-6 * random.normal(), 1.0 + 0.3 * random.normal(), -1.0, 0.0, 1e200, f64::NAN][random.below(6)];
    let change = |values: &mut [f64], random: &mut Random| {
        if !values.is_empty() {
            values[random.below(values.len())] *= factor;
        }
    };
    match &mut witness.proof {
        BoundProof::Norms => witness.bound *= factor,
        BoundProof::Moments(moments) => match random.below(5) {
            0 => change(&mut moments.tau, random),
            1 => change(&mut moments.sigma, random),
            2 => moments.lambda *= factor,
            3 => moments.s *= factor,
            _ => {
                let place = random.below(moments.g.len().max(1));
                moments.g.iter_mut().skip(place).take(1).for_each(|g| *g *= factor as f32);
            }
        },
        BoundProof::Clusters(proof) => {
            let place = random.below(proof.clusters.len().max(1));
            let Some(cluster) = proof.clusters.get_mut(place) else { return };
            let singles = |values: &mut [f32], random: &mut Random| {
                if !values.is_empty() {
                    values[random.below(values.len())] *= factor as f32;
                }
            };
            match random.below(8) {
                0 => change(&mut cluster.theta, random),
                1 => change(&mut cluster.lengths, random),
                2 => singles(&mut cluster.vectors, random),
                3 => singles(&mut cluster.products, random),
                4 => proof.lambda *= factor,
                5 => proof.s *= factor,
                6 => {
                    let row = random.below(cluster.rows.len());
                    cluster.rows[row] = random.below(8) as u32;
                }
                _ => drop(proof.clusters.remove(place)),
            }
        }
        BoundProof::Cones(cones) => match random.below(6) {
            0 => change(&mut cones.fan, random),
            1 => drop(cones.nodes.remove(random.below(cones.nodes.len()))),
            2 => {
                let (one, other) = (random.below(cones.nodes.len()), random.below(cones.nodes.len()));
                cones.nodes.swap(one, other);
            }
            _ => {
                let place = random.below(cones.nodes.len());
                match &mut cones.nodes[place] {
                    ConeNode::Split { from, to, weights } => match random.below(3) {
                        0 => *from = random.below(4) as u8,
                        1 => *to = random.below(4) as u8,
                        _ => weights.0 *= factor,
                    },
                    ConeNode::Leaf { q, slopes } => match random.below(3) {
                        0 => slopes.push((random.below(14) as u32, random.below(140) as u8)),
                        1 => slopes.clear(),
                        _ => change(q, random),
                    },
                }
            }
        },
    }
}

#[test]
fn disturbed_witnesses_are_refused_or_still_true() {
    let mut random = Random(4);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..2_500 {
        let (d, count) = (1 + random.below(3), 1 + random.below(7));
        let rows = random.rows(count, d, false);
        let alpha: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        let (points, w) = merged(&rows, d, &alpha);
        let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
        let mut first = match round % 6 {
            0 => witnesses::norms(&points, d, &w),
            1 => witnesses::moments(&points, d, &w, &mut random),
            2..4 => witnesses::clusters(&points, d, &w, &mut random),
            _ => {
                let splits = random.below(20);
                witnesses::cones(&points, d, &w, splits, None, &mut random)
            }
        };
        (0..1 + random.below(2)).for_each(|_| disturb(&mut first, &mut random));
        let second = witnesses::norms(&points, d, &opposite);
        match checked(&rows, d, false, &alpha, [first.clone(), second]) {
            Ok(_) => {
                accepted += 1;
                assert!(first.bound >= maximum(&points, d, &w) * (1.0 - 1e-12), "round {round}: {first:?}");
            }
            Err(refusal) => {
                refused += 1;
                assert_eq!(refusal.step, Step::Bound, "round {round}: {refusal}");
            }
        }
    }
    assert!(accepted > 200 && refused > 500, "{accepted} accepted, {refused} refused");
}

/// A leaf whose q is 0.
fn zero_leaf(r: usize) -> ConeNode {
    ConeNode::Leaf { q: vec![0.0; r], slopes: vec![] }
}

/// Two rows ±e_1 with w = (1, 1): the maximum is 1. The checker's refusal of a tree that claims less.
fn refusal_of(cones: Cones, bound: f64, r: usize) -> String {
    let mut rows = vec![0.0; 2 * r];
    (rows[0], rows[r]) = (1.0, -1.0);
    let (points, w) = merged(&rows, r, &[1.0, 1.0]);
    let opposite: Vec<f64> = w.iter().map(|w| -w).collect();
    let second = witnesses::norms(&points, r, &opposite);
    let pair = [Witness { bound, proof: BoundProof::Cones(cones) }, second];
    checked(&rows, r, false, &[1.0, 1.0], pair).expect_err("refused").reason
}

#[test]
fn trees_made_to_break_the_checker_are_refused() {
    // Deeper than allowed, and far more nodes than needed.
    let split = ConeNode::Split { from: 0, to: 1, weights: (0.5, 0.5) };
    let deep = Cones { basis: None, fan: vec![1.0; 2], nodes: vec![split.clone(); 200_000] };
    assert!(refusal_of(deep, 1.0, 2).contains("more than 4096 splits"));
    // Leaves without end where the first says too little.
    let wide = Cones { basis: None, fan: vec![1.0; 2], nodes: vec![zero_leaf(2); 100_000] };
    assert!(refusal_of(wide, 0.5, 2).contains("node 0"));
    // More places than a tree may have, and trees over nothing.
    let long = Cones { basis: None, fan: vec![1.0; 65], nodes: vec![zero_leaf(65); 66] };
    assert!(refusal_of(long, 1.0, 65).contains("at most 64"));
    let none =
        Cones { basis: Some(Basis { columns: vec![], coefficients: vec![] }), fan: vec![], nodes: vec![zero_leaf(0)] };
    assert!(refusal_of(none, 0.0, 2).contains("basis"));
    let leaf = |q: &[f64]| ConeNode::Leaf { q: q.to_vec(), slopes: vec![] };
    // Vectors that overflow or underflow: the leaf that needs them is refused, also where q or the rows have zeros there.
    for weights in [(1e308, 1e308), (5e-324, 5e-324), (1e-320, 1e308)] {
        let mut nodes = vec![ConeNode::Split { from: 0, to: 1, weights }; 3];
        nodes.extend(vec![zero_leaf(2); 20]);
        for fan in [vec![1.0, 1e308], vec![1e308, 1.0], vec![1e-300, 1e-300]] {
            let cones = Cones { basis: None, fan, nodes: nodes.clone() };
            assert!(refusal_of(cones, 0.0, 2).contains("q·v"), "{weights:?}");
        }
    }
    // q of other lengths, and numbers that are none.
    for q in [vec![1.0], vec![1.0; 3], vec![f64::NAN; 2], vec![f64::INFINITY; 2], vec![f64::MAX; 2]] {
        let cones = Cones { basis: None, fan: vec![1.0; 2], nodes: vec![leaf(&q); 3] };
        refusal_of(cones, 1.0, 2);
    }
    // The true bound.
    let true_nodes = vec![leaf(&[1.0, 1e-9]), leaf(&[1.0, 1e-9]), leaf(&[1.0, 1e-9])];
    let cones = Cones { basis: None, fan: vec![1.0; 2], nodes: true_nodes };
    assert!(refusal_of(cones, 1.1, 2).contains("node"), "|u_1| needs both signs");
}

#[test]
fn rows_that_cancel_or_are_zero_have_no_say() {
    // Rows 0 and 2 are the same but for the sign of a zero, and their α cancel exactly; row 1 is zero.
    let rows = [0.25, 0.0, 0.0, 0.0, 0.25, -0.0];
    for (alpha, most) in [([1e100, 5.0, -1e100], 0.0), ([1e100, 5.0, -1e100 * (1.0 - f64::EPSILON)], 0.25e84)] {
        let bound = if most == 0.0 { 0.0 } else { 0.3e85 };
        for proof in [
            BoundProof::Norms,
            BoundProof::Cones(Cones { basis: None, fan: vec![1.0; 2], nodes: vec![zero_leaf(2); 3] }),
        ] {
            let pair = [Witness { bound, proof: proof.clone() }, Witness { bound, proof }];
            let verdict = checked(&rows, 2, false, &alpha, pair);
            assert!(most > 0.0 || verdict.is_ok(), "{verdict:?}");
            let low = Witness { bound: most * 0.5, proof: BoundProof::Norms };
            assert_eq!(checked(&rows, 2, false, &alpha, [low.clone(), low]).is_ok(), most == 0.0);
        }
    }
    // λ = s = 0 and no g: all that moments need where nothing is positive.
    let moments = Moments { tau: vec![1.0; 2], g: vec![], sigma: vec![0.0; 2], lambda: 0.0, s: 0.0 };
    let zero = Witness { bound: 0.0, proof: BoundProof::Moments(moments) };
    assert!(checked(&rows, 2, false, &[1.0, 0.0, -1.0], [zero.clone(), zero]).is_ok());
}

#[test]
fn problems_outside_the_theorems_are_refused() {
    type Change = (&'static str, fn(&mut Problem));
    let changes: [Change; 9] = [
        ("kernel", |p| p.objective.kernel = Some(Kernel::Rbf { gamma: 1.0 })),
        ("standardised", |p| p.objective.scales = Some(vec![1.0, 1.0])),
        ("l1", |p| p.objective.lambda1 = 0.5),
        ("domain", |p| p.data.weights[0] = 0.0),
        ("domain", |p| p.data.weights[0] = f64::INFINITY),
        ("lambda2", |p| p.objective.lambda2 = f64::NAN),
        ("not finite", |p| {
            let Matrix::Dense(matrix) = &mut p.data.matrix else { unreachable!("dense") };
            matrix.values.set(3, f64::INFINITY);
        }),
        ("does not fit", |p| p.objective.loss = Loss::Squared),
        ("loss", |p| p.objective.loss = Loss::SquaredHinge),
    ];
    let rows = [1.0, 2.0, -1.0, 0.5];
    let valid = problem(&rows, 2, &[0.0, 1.0], Loss::Hinge, Intercept::None, 10.0);
    let norms = Witness { bound: 4.0, proof: BoundProof::Norms };
    let mut certificate = certificate(
        &valid,
        HiddenBias::None,
        ReluNet::constant(2, vec![0.0]),
        vec![-1.0, 1.0],
        vec![norms.clone(), norms],
    );
    let verdict = check_relu_problem(&valid, &certificate).expect("verified");
    assert!(verdict.lower > 1.999 && verdict.lower <= 2.0 && verdict.upper >= 2.0 && verdict.upper < 2.001);
    for (word, change) in changes {
        let mut changed = valid.clone();
        change(&mut changed);
        if word == "does not fit" {
            certificate.claim.recipe.loss = Loss::Squared;
        }
        let refusal = check_relu_problem(&changed, &certificate).expect_err(word);
        certificate.claim.recipe.loss = Loss::Hinge;
        assert!(refusal.step == Step::Problem && refusal.reason.contains(word), "{word}: {refusal}");
    }
    // Shapes that the container would have refused.
    let shapes: [fn(&mut ReluCertificate); 7] = [
        |c| c.net.width = usize::MAX,
        |c| (c.net.width, c.claim.width) = (usize::MAX, usize::MAX),
        |c| c.net.columns = 3,
        |c| c.net.outputs = 0,
        |c| c.net.output_biases.clear(),
        |c| c.net.hidden.push(1.0),
        |c| c.dual.push(0.0),
    ];
    for change in shapes {
        let mut changed = certificate.clone();
        change(&mut changed);
        assert_eq!(check_relu_problem(&valid, &changed).expect_err("shape").step, Step::Model);
    }
}

#[test]
fn without_penalty_only_bounds_of_zero_prove_anything() {
    let rows = [1.0, -1.0];
    let zero = || vec![Witness { bound: 0.0, proof: BoundProof::Norms }; 2];
    let net = || ReluNet::constant(1, vec![0.0]);
    for (bias, alpha, accepted) in [
        (Intercept::None, [0.0, 0.0], true),
        (Intercept::Penalized, [0.0, 0.0], true),
        (Intercept::Free, [0.0, 0.0], true),
        (Intercept::None, [1.0, -1.0], false),
        (Intercept::Penalized, [1.0, -1.0], false),
        (Intercept::Free, [1.0, 0.5], false),
    ] {
        let problem = problem(&rows, 1, &[1.0, 2.0], Loss::Squared, bias, 0.0);
        let verdict =
            check_relu_problem(&problem, &certificate(&problem, HiddenBias::None, net(), alpha.to_vec(), zero()));
        assert_eq!(verdict.is_ok(), accepted, "{bias:?} {alpha:?}: {verdict:?}");
        assert!(verdict.is_err() || verdict.is_ok_and(|verdict| verdict.lower == 0.0));
    }
    // Rows of zeros: every α has bounds of 0, and a penalised bias without penalty still needs sums of 0.
    for (alpha, accepted) in [([1.0, 0.5], false), ([1.0, -1.0], true)] {
        let problem = problem(&[0.0, 0.0], 1, &[1.0, -2.0], Loss::Squared, Intercept::Penalized, 0.0);
        let verdict =
            check_relu_problem(&problem, &certificate(&problem, HiddenBias::None, net(), alpha.to_vec(), zero()));
        assert_eq!(verdict.is_ok(), accepted, "{verdict:?}");
        assert!(verdict.is_err() || verdict.is_ok_and(|verdict| (verdict.lower - 2.0).abs() < 1e-12));
    }
}

#[test]
fn slopes_above_one_are_refused() {
    // 2 relu(t) − ½ relu(2t) = relu(t), of which the maximum is 1; a slope of 2 would make next to nothing of it.
    let (rows, alpha) = ([1.0, 0.0, 2.0, 0.0], [2.0, -0.5]);
    let opposite = witnesses::norms(&rows, 2, &[-2.0, 0.5]);
    let cone = |q: [f64; 2], slopes: &[(u32, u8)]| ConeNode::Leaf { q: q.to_vec(), slopes: slopes.to_vec() };
    // Roots: (e_2, −e_1 − e_2), (e_1, −e_1 − e_2) split at e_1 + (−e_1 − e_2) = −e_2, and (e_1, e_2).
    let witness = |q: f64, slopes: &[(u32, u8)]| {
        let nodes = vec![
            cone([-1e-6, 1e-8], &[]),
            ConeNode::Split { from: 0, to: 1, weights: (1.0, 1.0) },
            cone([-1e-6, -1e-8], &[(1, 0)]),
            cone([q, -1e-8], slopes),
            cone([q, 1e-8], slopes),
        ];
        Witness { bound: q.abs() + 1e-5, proof: BoundProof::Cones(Cones { basis: None, fan: vec![1.0; 2], nodes }) }
    };
    let verdict = checked(&rows, 2, false, &alpha, [witness(1.0 + 1e-6, &[(1, 128)]), opposite.clone()]);
    assert!(verdict.is_ok(), "{verdict:?}");
    for (q, slope) in [(0.06, 250), (1.0 - 1.0 / 128.0 + 1e-6, 129), (0.9, 128)] {
        let refusal =
            checked(&rows, 2, false, &alpha, [witness(q, &[(1, slope)]), opposite.clone()]).expect_err("refused");
        assert!(refusal.reason.contains(if slope > 128 { "a slope of" } else { "q·v" }), "{refusal}");
    }
    // A row that there is not.
    let refusal = checked(&rows, 2, false, &alpha, [witness(1.0 + 1e-6, &[(2, 128)]), opposite]).expect_err("refused");
    assert!(refusal.reason.contains("distinct row 2 of 2"), "{refusal}");
}

#[test]
fn a_sum_that_overflows_on_its_way_is_no_small_number() {
    // relu(−2 u_1 + 3 u_2) − relu(−3 u_1 + 3 u_2) is 1 at (1, 1). At a multiple of it near the largest f64 the first row's −2 u_1 overflows to −∞, and the
    // sum looks negative; the second row is written so small that nothing of it overflows.
    let (rows, alpha) = ([-2.0, 3.0, -3.0 / 1024.0, 3.0 / 1024.0], [1.0, -1024.0]);
    let opposite = witnesses::norms(&rows, 2, &[-1.0, 1024.0]);
    let leaf = |q: [f64; 2]| ConeNode::Leaf { q: q.to_vec(), slopes: vec![] };
    for size in [1.0, 9e307] {
        let nodes = vec![
            leaf([-3e-9, 1e-9]),
            leaf([1e-9, -3e-9]),
            ConeNode::Split { from: 0, to: 1, weights: (size, size) },
            leaf([1e-9, 1e-9]),
            leaf([1e-9, 1e-9]),
        ];
        let first = Witness { bound: 1e-6, proof: BoundProof::Cones(Cones { basis: None, fan: vec![1.0; 2], nodes }) };
        assert!(maximum(&rows, 2, &alpha) > 0.7);
        let refusal = checked(&rows, 2, false, &alpha, [first, opposite.clone()]).expect_err("refused");
        assert!(refusal.reason.contains("node 3") && refusal.reason.contains("q·v"), "{refusal}");
    }
}
