//! Margins: a certificate made by hand, every way to spoil it, and random claims against plain arithmetic.

use dashu_int::UBig;
use infimum_problem::{
    ColumnScale, Ending, HullPoints, LoadingCertificate, LoadingProblem, MarginClaim, Network, Neuron, Term,
};

use super::super::steps::check_loading_problem;
use super::{Random, claim, problem};
use crate::steps::Step;

fn term(row: u32, multiplier: u64) -> Term {
    Term { row, multiplier: UBig::from(multiplier), inputs: Vec::new() }
}

/// The rows of `tests/golden/gap.csv`, in tenths: (0, 0), (0.5, 0) are to be 0, (2, 0.5), (1.5, 2) to be 1, (1, 2) may be either. The nearest points of the hulls are rows 2 and
/// 3, which differ by (1.5, 0.5).
pub(super) fn gap() -> (LoadingProblem, LoadingCertificate) {
    let rows = [vec![0, 0], vec![5, 0], vec![20, 5], vec![15, 20], vec![10, 20]];
    let targets = vec![Some(false), Some(false), Some(true), Some(true), None];
    let mut problem = problem(&rows, targets, Network::layered(&[], 1));
    problem.scales = vec![ColumnScale { ten: -1, two: 0 }; 2];
    let mut claim = claim(&problem, 0, true);
    (claim.upper, claim.allowed, claim.ending) = (Some(0), Some(0), Ending::Satisfiable);
    let half = 0.625f64.sqrt();
    claim.margins = vec![MarginClaim { unit: 0, lower: half.next_down(), upper: half.next_up() }];
    let neurons = Some(vec![Neuron { weights: vec![3.into(), 1.into()], bias: (-40).into() }]);
    let hulls = vec![HullPoints { left: vec![term(2, 7)], right: vec![term(1, 1)] }];
    (problem, LoadingCertificate { claim, neurons, circuits: vec![], proof: vec![], hulls })
}

fn step_of(problem: &LoadingProblem, certificate: &LoadingCertificate) -> Option<Step> {
    check_loading_problem(problem, certificate).err().map(|refusal| refusal.step)
}

#[test]
fn the_gap_is_accepted_and_told() {
    let (problem, certificate) = gap();
    let verdict = check_loading_problem(&problem, &certificate).expect("valid");
    assert!(verdict.claim.contains("the nearest row is at least 7.905"), "{}", verdict.claim);
}

#[test]
fn spoiled_margins_are_refused() {
    let (problem, valid) = gap();
    type Change = fn(&mut LoadingCertificate);
    let changes: [(&str, Change); 17] = [
        ("a margin that is not reached", |c| c.claim.margins[0].lower = 0.625f64.sqrt().next_up()),
        ("a bound that is not proven", |c| c.claim.margins[0].upper = 0.625f64.sqrt().next_down()),
        ("no number", |c| c.claim.margins[0].lower = f64::NAN),
        ("a negative number", |c| c.claim.margins[0].lower = -0.5),
        ("a negative bound", |c| c.claim.margins[0].upper = -2.0),
        ("an infinite bound", |c| c.claim.margins[0].upper = f64::INFINITY),
        ("another unit", |c| c.claim.margins[0].unit = 1),
        ("two for one unit", |c| {
            c.claim.margins.push(c.claim.margins[0]);
            c.hulls.push(c.hulls[0].clone());
        }),
        ("no hulls", |c| c.hulls.clear()),
        ("hulls without a claim", |c| c.claim.margins.clear()),
        ("another share", |c| c.hulls[0].left.push(term(3, 1))),
        ("an empty side", |c| c.hulls[0].right.clear()),
        ("a side of nothing", |c| c.hulls[0].left[0].multiplier = UBig::ZERO),
        ("a row of the other side", |c| c.hulls[0].left[0].row = 1),
        ("a row that may be either", |c| c.hulls[0].left[0].row = 4),
        ("a row that is not there", |c| c.hulls[0].left[0].row = 5),
        ("values of inputs", |c| c.hulls[0].left[0].inputs.push(true)),
    ];
    for (what, change) in changes {
        let mut spoiled = valid.clone();
        change(&mut spoiled);
        assert_eq!(step_of(&problem, &spoiled), Some(Step::Margins), "{what}");
    }
    let mut other = valid.clone();
    other.neurons.iter_mut().flatten().for_each(|neuron| neuron.bias += 1);
    assert_eq!(step_of(&problem, &other), Some(Step::Margins), "another bias");
    // Without weights, or with wrong ones, there is no margin.
    let mut without = valid.clone();
    (without.neurons, without.claim.upper, without.claim.ending) = (None, None, Ending::TimeLimit);
    assert_eq!(step_of(&problem, &without), Some(Step::Margins));
    let mut wrong = valid.clone();
    wrong.neurons.iter_mut().flatten().for_each(|neuron| neuron.bias += 1_000);
    (wrong.claim.upper, wrong.claim.ending) = (Some(2), Ending::TimeLimit);
    assert_eq!(step_of(&problem, &wrong), Some(Step::Margins));
    // In other units the distances are others, larger ones and smaller ones.
    for (scales, refused) in [([[0, 0], [0, 0]], true), ([[-2, 0], [-2, 0]], true), ([[-1, 1], [-1, 0]], true)] {
        let mut problem = problem.clone();
        problem.scales = scales.map(|[ten, two]| ColumnScale { ten, two }).to_vec();
        assert_eq!(step_of(&problem, &valid).is_some(), refused, "{scales:?}");
    }
}

/// Weights of a unit that sees one row alone, or rows of one class, have no margin that could be bounded.
#[test]
fn one_class_has_no_margin() {
    let (problem, valid) = gap();
    let mut one_class = problem.clone();
    one_class.targets[2] = None;
    one_class.targets[3] = None;
    assert_eq!(step_of(&one_class, &valid), Some(Step::Margins));
    let mut constant = valid.clone();
    constant.neurons = Some(vec![Neuron { weights: vec![0.into(), 0.into()], bias: (-1).into() }]);
    assert_eq!(step_of(&one_class, &constant), Some(Step::Margins));
}

/// Claims about random weights and hull points are accepted iff plain arithmetic says that they hold.
#[test]
fn random_claims() {
    let mut random = Random(5);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let (m, d) = (2 + random.below(4), 1 + random.below(3));
        let rows: Vec<Vec<i64>> = (0..m).map(|_| (0..d).map(|_| random.below(9) as i64 - 4).collect()).collect();
        let weights: Vec<i64> = (0..d).map(|_| random.below(7) as i64 - 3).collect();
        let bias = random.below(9) as i64 - 4;
        let sums: Vec<i64> =
            rows.iter().map(|row| bias + row.iter().zip(&weights).map(|(x, w)| x * w).sum::<i64>()).collect();
        let both = sums.iter().any(|&sum| sum > 0) && sums.iter().any(|&sum| sum < 0);
        if !both || sums.contains(&0) {
            continue;
        }
        let mut problem = problem(&rows, sums.iter().map(|&sum| Some(sum > 0)).collect(), Network::layered(&[], 1));
        problem.scales =
            (0..d).map(|_| ColumnScale { ten: random.below(5) as i32 - 2, two: random.below(5) as i32 - 2 }).collect();
        let units: Vec<f64> = problem.scales.iter().map(|scale| 10f64.powi(scale.ten) * 2f64.powi(scale.two)).collect();
        let length = weights.iter().zip(&units).map(|(&w, unit)| (w as f64 / unit).powi(2)).sum::<f64>().sqrt();
        let margin = sums.iter().map(|sum| sum.abs()).min().unwrap_or(0) as f64 / length;
        let mut shares = |wanted: bool| -> Vec<Term> {
            let of_side = (0..m as u32).filter(|&i| (sums[i as usize] > 0) == wanted);
            of_side.map(|i| term(i, 1 + random.below(1_000) as u64)).collect()
        };
        let (left, right) = (shares(true), shares(false));
        let point = |side: &[Term], j: usize| {
            let share = |term: &Term| term.multiplier.to_f64().value();
            let total: f64 = side.iter().map(share).sum();
            side.iter().map(|term| share(term) * rows[term.row as usize][j] as f64).sum::<f64>() / total
        };
        let gap = |j: usize| (point(&left, j) - point(&right, j)) * units[j];
        let half = (0..d).map(|j| gap(j).powi(2)).sum::<f64>().sqrt() / 2.0;
        assert!(margin <= half * (1.0 + 1e-12));
        let mut near = || [0.5, 1.0 - 1e-9, 1.0 + 1e-9, 2.0][random.below(4)];
        let (below, above) = (near(), near());
        let mut claim = claim(&problem, 0, true);
        (claim.upper, claim.ending) = (Some(0), Ending::Optimal);
        claim.margins = vec![MarginClaim { unit: 0, lower: margin * below, upper: half * above }];
        let weights = weights.iter().map(|&w| w.into()).collect();
        let neurons = Some(vec![Neuron { weights, bias: bias.into() }]);
        let hulls = vec![HullPoints { left, right }];
        let certificate = LoadingCertificate { claim, neurons, circuits: vec![], proof: vec![], hulls };
        let holds = below < 1.0 && above > 1.0;
        assert_eq!(step_of(&problem, &certificate).is_none(), holds, "{certificate:?} {problem:?}");
        *(if holds { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted > 1_000 && refused > 3_000, "{accepted} {refused}");
}
