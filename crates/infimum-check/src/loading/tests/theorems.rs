//! The formula with all circuits against exhaustive enumeration: inside the domains of theorems 3 and 4 their clauses change no answer;
//! outside they would.

use infimum_problem::{Circuit, Columns, Function, LoadingProblem, Network, Scope, Term, UnitKind};

use super::super::circuits::Lemmas;
use super::super::formula::Formula;
use super::super::steps::check_loading_problem;
use super::super::symmetry::{Breaker, one_hidden_layer, twins};
use super::oracle::Oracle;
use super::search::{Answer, decide};
use super::{Random, all_circuits, all_clauses, known, line, problem, random_network, random_problem, refuted, unit};

/// The formula with all circuits must be satisfiable iff the enumeration finds weights, with and without symmetry; refutations must be
/// accepted as certificates.
fn assert_right(problem: &LoadingProblem) -> u64 {
    let least = Oracle::new(problem).least_errors();
    let circuits = all_circuits(problem);
    for errors in (0..problem.rows() as u64).filter(|errors| (least..least + 2).contains(&(errors + 1))) {
        for symmetry in [false, true] {
            let refuted = refuted(problem, &circuits, errors, symmetry);
            assert_eq!(
                refuted.is_some(),
                least > errors,
                "{errors} errors, symmetry {symmetry}, truly {least}: {problem:?}"
            );
            if let Some(certificate) = refuted {
                let verdict = check_loading_problem(problem, &certificate).expect("accepted");
                assert_eq!(verdict.lower, errors + 1);
            }
        }
    }
    least
}

#[test]
fn layered_networks() {
    let mut random = Random(2);
    let mut seen = [0; 3];
    for hidden in [&[][..], &[1], &[2], &[3], &[1, 1], &[2, 1], &[1, 2], &[2, 2]] {
        for round in 0..if hidden.len() == 2 { 25 } else { 60 } {
            let outputs = 1 + usize::from(round % 3 == 0);
            let m = 3 + random.below(if hidden.iter().sum::<usize>() > 2 { 3 } else { 4 });
            let d = 1 + random.below(2);
            let problem = random_problem(&mut random, m, d, Network::layered(hidden, outputs));
            seen[assert_right(&problem).min(2) as usize] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
}

#[test]
fn any_graphs() {
    let mut random = Random(3);
    let (mut seen, mut classes, mut alone) = ([0; 3], 0, 0);
    for _ in 0..1_500 {
        let (m, d) = (2 + random.below(4), 1 + random.below(2));
        let network = random_network(&mut random, d, 4);
        if one_hidden_layer(&network).is_none() {
            let sizes: Vec<usize> = twins(&network).iter().map(Vec::len).collect();
            classes += usize::from(sizes.iter().any(|&size| size > 1));
            alone += usize::from(sizes.contains(&1));
        }
        let problem = random_problem(&mut random, m, d, network);
        seen[assert_right(&problem).min(2) as usize] += 1;
    }
    assert!(seen.iter().all(|&count| count > 10) && classes > 20 && alone > 20, "{seen:?} {classes} {alone}");
}

/// Units that are read twice, by table and mixed readers, next to outputs; classes in several layers.
#[test]
fn graphs_with_twins() {
    let mut random = Random(4);
    let free = |name: &str, columns, units: &[u32]| unit(name, columns, units, Function::Free);
    let (all, none) = (Columns::All, Columns::None);
    let graphs = [
        // Two twins, a table and a mixed reader.
        Network {
            units: vec![
                free("a", all.clone(), &[]),
                free("b", all.clone(), &[]),
                free("c", none.clone(), &[0, 1]),
                free("d", Columns::Listed(vec![0]), &[1, 0]),
            ],
            outputs: vec![2, 3],
        },
        // Twins of twins: two layers of two, and an output that skips.
        Network {
            units: vec![
                free("a", all.clone(), &[]),
                free("b", all.clone(), &[]),
                free("c", none.clone(), &[0, 1]),
                free("d", none.clone(), &[0, 1]),
                free("e", none.clone(), &[2, 3, 0, 1]),
            ],
            outputs: vec![4],
        },
        // Mixed twins.
        Network {
            units: vec![
                free("a", Columns::Listed(vec![0]), &[]),
                free("b", all.clone(), &[0]),
                free("c", all.clone(), &[0]),
                free("d", none.clone(), &[1, 2]),
            ],
            outputs: vec![3],
        },
        // The same inputs, but one is an output, one has a fixed reader, one is read by nobody.
        Network {
            units: vec![
                free("a", all.clone(), &[]),
                free("b", all.clone(), &[]),
                free("c", all.clone(), &[]),
                free("d", all.clone(), &[]),
                unit("e", none.clone(), &[1, 0], Function::Fixed { weights: vec![1, -1], bias: 0 }),
            ],
            outputs: vec![4, 2],
        },
    ];
    for network in graphs {
        for _ in 0..30 {
            let m = 3 + random.below(2);
            let problem = random_problem(&mut random, m, 2, network.clone());
            assert_right(&problem);
        }
    }
}

/// Constant columns, equal rows, contradictory rows, more units than rows, one row, all of one class.
#[test]
fn degenerate_rows() {
    let mut random = Random(5);
    for round in 0..60 {
        let m = 1 + random.below(4);
        let rows: Vec<Vec<i64>> = (0..m).map(|_| vec![random.below(2) as i64, 3]).collect();
        let targets: Vec<u8> = (0..m).map(|_| u8::from(round % 4 > 0 && random.chance(50))).collect();
        let network = Network::layered([&[][..], &[1], &[2], &[3]][round % 4], 1);
        assert_right(&problem(&rows, known(&targets), network));
    }
}

/// Whether the formula without symmetry, all circuits and some more clauses can be satisfied.
pub(super) fn satisfiable_with(
    problem: &LoadingProblem,
    add: impl Fn(&mut Breaker, &dyn Fn(usize, u64) -> u64),
) -> bool {
    let circuits = all_circuits(problem);
    let lemmas = Lemmas::new(problem, &circuits).expect("circuits");
    let formula = Formula::new(problem, 0, false, 1, &[]).expect("small");
    let (mut clauses, variables) = all_clauses(&formula, &lemmas);
    let mut breaker = Breaker::new(problem.rows(), variables as u64 + 1);
    let tables: Vec<u64> = problem
        .network
        .units
        .iter()
        .scan(1 + (problem.network.units.len() * problem.rows()) as u64, |next, unit| {
            let first = *next;
            *next += if unit.kind() == UnitKind::Table { 1 << unit.units.len() } else { 0 };
            Some(first)
        })
        .collect();
    add(&mut breaker, &|unit, b| tables[unit] + b);
    let (more, next) = breaker.made();
    clauses.extend(more);
    matches!(decide(&clauses, next as usize - 1), Answer::Satisfiable)
}

#[test]
fn monotone_tables_are_wrong_with_two_outputs() {
    // 0 0 1 and its complement, both of one hidden unit.
    let problem = line(&[0, 1, 0, 1, 1, 0], 2, Network::layered(&[1], 2));
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(one_hidden_layer(&problem.network).is_none());
    assert!(satisfiable_with(&problem, |_, _| {}));
    let both = |breaker: &mut Breaker, table: &dyn Fn(usize, u64) -> u64| {
        breaker.monotone(table(1, 0), 1);
        breaker.monotone(table(2, 0), 1);
    };
    assert!(!satisfiable_with(&problem, both));
}

#[test]
fn monotone_tables_are_wrong_with_a_skip_connection() {
    // The hidden unit is read twice: c must be the complement of a, and the output (known) a and not c, say; both cannot rise.
    let free = |name: &str, columns, units: &[u32]| unit(name, columns, units, Function::Free);
    let units = vec![
        free("a", Columns::All, &[]),
        free("c", Columns::None, &[0]),
        unit("y", Columns::None, &[0, 1], Function::Fixed { weights: vec![1, -1], bias: 0 }),
    ];
    let problem = line(&[0, 1, 1], 1, Network { units, outputs: vec![2] });
    assert!(one_hidden_layer(&problem.network).is_none());
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    // With c a rising function of a the output can be 1 only if c is 0 throughout, which is allowed; with c falling it is a.
    assert!(satisfiable_with(&problem, |breaker, table| breaker.monotone(table(1, 0), 1)));
    // An output that must differ from a on every row needs the falling function.
    let units = vec![free("a", Columns::All, &[]), free("y", Columns::None, &[0])];
    let problem = line(&[0, 1, 0, 1, 1, 0], 2, Network { units, outputs: vec![0, 1] });
    assert!(one_hidden_layer(&problem.network).is_none());
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, table| breaker.monotone(table(1, 0), 1)));
    super::theorems::assert_right(&problem);
}

#[test]
fn a_rising_table_and_a_first_row_of_0_are_wrong_together() {
    let problem = line(&[1, 1, 0], 1, Network::layered(&[1], 1));
    assert!(one_hidden_layer(&problem.network).is_some());
    assert!(satisfiable_with(&problem, |breaker, table| breaker.monotone(table(1, 0), 1)));
    assert!(satisfiable_with(&problem, |breaker, _| breaker.zero_on_first_row(0)));
    let both = |breaker: &mut Breaker, table: &dyn Fn(usize, u64) -> u64| {
        breaker.monotone(table(1, 0), 1);
        breaker.zero_on_first_row(0);
    };
    assert!(!satisfiable_with(&problem, both));
}

#[test]
fn order_is_wrong_for_units_with_other_readers() {
    // y1 reads a alone, y2 reads b alone: the two are no twins, although their inputs are the same.
    let mut network = Network::layered(&[2], 2);
    network.units[2].units = vec![0];
    network.units[3].units = vec![1];
    let problem = line(&[0, 0, 1, 0, 1, 1], 2, network);
    assert_eq!(twins(&problem.network), [vec![0], vec![1]]);
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, _| {
        breaker.zero_on_first_row(0);
        breaker.zero_on_first_row(1);
        breaker.order(0, 1);
    }));
    assert_right(&problem);
}

#[test]
fn order_and_first_row_are_wrong_with_a_fixed_reader() {
    let mut network = Network::layered(&[2], 1);
    network.units[2].function = Function::Fixed { weights: vec![1, -1], bias: 0 };
    // a and not b, on 0 1 0 along a line: a rises before b does.
    let problem = line(&[0, 1, 0], 1, network.clone());
    assert!(one_hidden_layer(&network).is_none() && twins(&network).is_empty());
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, _| {
        breaker.zero_on_first_row(0);
        breaker.zero_on_first_row(1);
        breaker.order(0, 1);
    }));
    assert_right(&problem);
    // 1 on the first row needs a = 1 there.
    let problem = line(&[1, 0, 0], 1, network);
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, _| breaker.zero_on_first_row(0)));
    assert_right(&problem);
}

#[test]
fn order_is_wrong_for_units_with_other_columns() {
    let units = vec![
        unit("a", Columns::Listed(vec![0]), &[], Function::Free),
        unit("b", Columns::Listed(vec![1]), &[], Function::Free),
        unit("y", Columns::None, &[0, 1], Function::Free),
    ];
    let network = Network { units, outputs: vec![2] };
    assert!(one_hidden_layer(&network).is_none());
    assert_eq!(twins(&network), [vec![0], vec![1]]);
    // y = a or b with a = (0, 1, 0, …), b = (0, 0, 1, …): the columns leave no other choice but complements.
    let rows = [vec![0, 0], vec![1, 0], vec![0, 1], vec![1, 1]];
    let problem = problem(&rows, known(&[0, 1, 1, 1]), network);
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, _| {
        breaker.zero_on_first_row(0);
        breaker.zero_on_first_row(1);
        breaker.order(0, 1);
    }));
    assert_right(&problem);
}

#[test]
fn an_output_may_not_be_complemented() {
    // a is an output and an input of y; its first target is 1.
    let units = vec![unit("a", Columns::All, &[], Function::Free), unit("y", Columns::None, &[0], Function::Free)];
    let network = Network { units, outputs: vec![0, 1] };
    assert!(twins(&network).is_empty());
    let problem = line(&[1, 0, 0, 1, 0, 1], 2, network);
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(!satisfiable_with(&problem, |breaker, _| breaker.zero_on_first_row(0)));
    assert_right(&problem);
}

/// Nine units are too many for a table: the output's circuits record their values. Two equal rows with different targets.
#[test]
fn units_with_many_inputs() {
    let problem = problem(&[vec![5], vec![5]], known(&[0, 1]), Network::layered(&[9], 1));
    assert_eq!(problem.network.units[9].kind(), UnitKind::Mixed);
    let term = |row, inputs| Term { row, multiplier: 1u32.into(), inputs };
    let mut circuits =
        vec![Circuit { scope: Scope::Group(0), left: vec![term(0, vec![])], right: vec![term(1, vec![])] }];
    for b in 0..1 << 9 {
        let values: Vec<bool> = (0..9).map(|j| b >> j & 1 == 1).collect();
        let (left, right) = (vec![term(0, values.clone())], vec![term(1, values)]);
        circuits.push(Circuit { scope: Scope::Unit(9), left, right });
    }
    for symmetry in [false, true] {
        let certificate = refuted(&problem, &circuits, 0, symmetry).expect("contradictory");
        assert!(check_loading_problem(&problem, &certificate).is_ok());
        assert!(refuted(&problem, &circuits, 1, symmetry).is_none());
        // Without the values of one input the sides are no longer equal in what the unit sees.
        let mut other = certificate;
        other.circuits[1].left[0].inputs[8] ^= true;
        let refusal = check_loading_problem(&problem, &other).expect_err("no circuit");
        assert_eq!(refusal.to_string(), "circuits: circuit 2: its sides differ in input unit 9");
    }
}

/// More rows than the order looks at: only the first 50 decide.
#[test]
fn the_order_is_cut_off() {
    let mut rows: Vec<Vec<i64>> = (0..55).map(|_| vec![0]).collect();
    (rows[51][0], rows[52][0], rows[53][0]) = (1, 2, 3);
    let mut targets = vec![0; 55];
    (targets[51], targets[52]) = (1, 0);
    let circuits_of = |problem: &LoadingProblem| {
        // Rows 0, 51, 52 and 53 are all different ones.
        let four = super::problem(&[vec![0], vec![1], vec![2], vec![3]], known(&[0, 1, 0, 0]), problem.network.clone());
        let mut circuits = all_circuits(&four);
        let row = |row: u32| if row == 0 { 0 } else { 50 + row };
        circuits.iter_mut().flat_map(|c| c.left.iter_mut().chain(&mut c.right)).for_each(|t| t.row = row(t.row));
        circuits
    };
    for (hidden, errors, possible) in [(1, 0, false), (1, 1, true), (2, 0, true)] {
        let problem = problem(&rows, known(&targets), Network::layered(&[hidden], 1));
        for symmetry in [false, true] {
            let answer = refuted(&problem, &circuits_of(&problem), errors, symmetry);
            assert_eq!(answer.is_none(), possible, "{hidden} {errors} {symmetry}");
        }
    }
}
