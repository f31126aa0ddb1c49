//! The clauses, which are made one at a time, against all of section 3 of docs/loading.md written down in its order.

use infimum_problem::{Columns, Function, LoadingProblem, Network, UnitKind};

use super::super::circuits::Lemmas;
use super::super::formula::{Formula, equal_sums};
use super::{Random, all_circuits, all_clauses, random_network, random_problem, xor};

struct Written {
    clauses: Vec<Vec<i32>>,
    next: i32,
    errors: usize,
}

impl Written {
    fn new_variables(&mut self, count: usize) -> Vec<i32> {
        let first = self.next;
        self.next += count as i32;
        (first..self.next).collect()
    }

    fn node(&mut self, e: &[i32], lo: usize, hi: usize) -> Vec<i32> {
        if hi - lo == 1 {
            return vec![e[lo]];
        }
        let mid = (lo + hi) / 2;
        let (left, right) = (self.node(e, lo, mid), self.node(e, mid, hi));
        let sums = self.new_variables((hi - lo).min(self.errors + 1));
        for a in 0..=left.len() {
            for b in 0..=right.len() {
                if a + b >= 1 {
                    let mut clause = Vec::new();
                    if a > 0 {
                        clause.push(-left[a - 1]);
                    }
                    if b > 0 {
                        clause.push(-right[b - 1]);
                    }
                    clause.push(sums[(a + b).min(sums.len()) - 1]);
                    self.clauses.push(clause);
                }
            }
        }
        sums
    }

    fn lex(&mut self, u: &[i32], v: &[i32]) {
        let length = u.len().min(50);
        let mut before: Vec<i32> = Vec::new();
        for i in 0..length {
            let with = |rest: &[i32]| [before.as_slice(), rest].concat();
            let first = if v[i] == -u[i] { with(&[-u[i]]) } else { with(&[-u[i], v[i]]) };
            self.clauses.push(first);
            if i < length - 1 {
                let q = self.new_variables(1)[0];
                let with = |rest: &[i32]| [before.as_slice(), rest].concat();
                let both = [with(&[-u[i], q]), with(&[v[i], q])];
                self.clauses.extend(both);
                before = vec![-q];
            }
        }
    }
}

/// Whether theorem 3 applies, said as it stands there.
fn theorem_3(network: &Network) -> bool {
    let o = network.outputs[0];
    let output = &network.units[o as usize];
    let others: Vec<u32> = (0..network.units.len() as u32).filter(|&u| u != o).collect();
    let mut inputs = output.units.clone();
    inputs.sort_unstable();
    network.outputs.len() == 1
        && output.is_free()
        && output.kind() == UnitKind::Table
        && inputs == others
        && network.groups().len() == 1
        && network.groups()[0].1 == others
}

fn readers(network: &Network, u: usize) -> Vec<usize> {
    (0..network.units.len()).filter(|&v| network.units[v].units.contains(&(u as u32))).collect()
}

fn is_twin(network: &Network, u: usize) -> bool {
    let all_free = readers(network, u).iter().all(|&v| network.units[v].is_free());
    let is_output = network.outputs.contains(&(u as u32));
    network.units[u].is_free() && !is_output && !readers(network, u).is_empty() && all_free
}

fn are_twins(network: &Network, u: usize, v: usize) -> bool {
    let (a, b) = (&network.units[u], &network.units[v]);
    a.columns == b.columns && a.units == b.units && readers(network, u) == readers(network, v)
}

/// `images`: of every map where it takes the rows that are compared, and whether it exchanges targets.
pub(super) fn written(
    problem: &LoadingProblem,
    errors: usize,
    symmetry: bool,
    stride: usize,
    images: &[(Vec<usize>, bool)],
) -> (Vec<Vec<i32>>, usize) {
    let (network, m) = (&problem.network, problem.rows());
    let mut written = Written { clauses: Vec::new(), next: 1, errors };
    let h: Vec<Vec<i32>> = network.units.iter().map(|_| written.new_variables(m)).collect();
    let size =
        |u: usize| if network.units[u].kind() == UnitKind::Table { 1usize << network.units[u].units.len() } else { 0 };
    let t: Vec<Vec<i32>> = (0..network.units.len()).map(|u| written.new_variables(size(u))).collect();
    let e = written.new_variables(if errors > 0 { m } else { 0 });
    for (u, unit) in network.units.iter().enumerate().filter(|&(u, _)| size(u) > 0) {
        for i in 0..m {
            for b in 0..size(u) {
                let d: Vec<i32> = (0..unit.units.len())
                    .map(|j| h[unit.units[j] as usize][i] * if b >> j & 1 == 1 { -1 } else { 1 })
                    .collect();
                written.clauses.push([d.as_slice(), &[-h[u][i], t[u][b]]].concat());
                written.clauses.push([d.as_slice(), &[h[u][i], -t[u][b]]].concat());
            }
        }
    }
    for (u, unit) in network.units.iter().enumerate().filter(|&(u, _)| size(u) > 0) {
        if let Function::Fixed { weights, bias } = &unit.function {
            for b in 0..size(u) {
                let sum: i64 = (0..weights.len()).filter(|j| b >> j & 1 == 1).map(|j| weights[j]).sum();
                written.clauses.push(vec![if sum + bias > 0 { t[u][b] } else { -t[u][b] }]);
            }
            continue;
        }
        for p in 0..size(u) {
            for q in p..size(u) {
                for r in 0..size(u) {
                    for s in r..size(u) {
                        let equal = p & q == r & s && p | q == r | s;
                        if equal && (p, q) != (r, s) {
                            written.clauses.push(vec![-t[u][p], -t[u][q], t[u][r], t[u][s]]);
                        }
                    }
                }
            }
        }
    }
    for i in 0..m {
        for (place, &o) in network.outputs.iter().enumerate() {
            if let Some(y) = problem.targets[i * network.outputs.len() + place] {
                let literal = h[o as usize][i] * if y { 1 } else { -1 };
                written.clauses.push(if errors > 0 { vec![literal, e[i]] } else { vec![literal] });
            }
        }
    }
    if errors > 0 {
        let counted: Vec<i32> = (0..m).map(|place| e[place * stride % m]).collect();
        let sums = written.node(&counted, 0, m);
        if m > errors {
            written.clauses.push(vec![-sums[errors]]);
        }
    }
    if symmetry && theorem_3(network) {
        let o = network.outputs[0] as usize;
        let inputs = &network.units[o].units;
        for i in 0..m {
            let Some(y) = problem.targets[i] else { continue };
            for b in 0..size(o) {
                let mut clause = Vec::new();
                for (j, &u) in inputs.iter().enumerate() {
                    match (y, b >> j & 1) {
                        (true, 0) => clause.push(h[u as usize][i]),
                        (false, 1) => clause.push(-h[u as usize][i]),
                        _ => {}
                    }
                }
                clause.push(if y { t[o][b] } else { -t[o][b] });
                clause.extend(e.get(i));
                written.clauses.push(clause);
            }
        }
        for b in 0..size(o) {
            for j in (0..inputs.len()).filter(|j| b >> j & 1 == 0) {
                written.clauses.push(vec![-t[o][b], t[o][b | 1 << j]]);
            }
        }
        inputs.windows(2).for_each(|pair| written.lex(&h[pair[0] as usize], &h[pair[1] as usize]));
        let first = &h[inputs[0] as usize];
        for (rows, exchanges) in images {
            let other = rows.iter().map(|&row| if *exchanges { -first[row] } else { first[row] });
            let pairs: Vec<(i32, i32)> = first.iter().copied().zip(other).filter(|pair| pair.0 != pair.1).collect();
            let (left, right): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
            written.lex(&left, &right);
        }
    } else if symmetry {
        let mut done = vec![false; network.units.len()];
        for u in 0..network.units.len() {
            if done[u] || !is_twin(network, u) {
                continue;
            }
            let class: Vec<usize> =
                (u..network.units.len()).filter(|&v| is_twin(network, v) && are_twins(network, u, v)).collect();
            class.iter().for_each(|&v| done[v] = true);
            class.iter().for_each(|&v| written.clauses.push(vec![-h[v][0]]));
            class.windows(2).for_each(|pair| written.lex(&h[pair[0]], &h[pair[1]]));
        }
    }
    (written.clauses, written.next as usize - 1)
}

fn assert_as_written(problem: &LoadingProblem) {
    let m = problem.rows();
    for errors in 0..m.min(5) {
        // All rows are met in steps of 1, of m where that is 1, and of m/2 + 1 or m/2 + 2 for most m.
        for (symmetry, stride) in [(false, 1), (true, 1), (true, m), (false, m / 2 + 1), (true, m / 2 + 2)] {
            let mut met: Vec<usize> = (0..m).map(|place| place * stride % m).collect();
            met.sort_unstable();
            met.dedup();
            let formula = Formula::new(problem, errors as u64, symmetry, stride as u64, &[]);
            assert_eq!(formula.is_ok(), met.len() == m && stride <= m, "{stride} of {m}");
            let Ok(formula) = formula else { continue };
            let none = Lemmas::new(problem, &[]).expect("none");
            let (clauses, variables) = all_clauses(&formula, &none);
            let (expected, all) = written(problem, errors, symmetry, stride, &[]);
            assert_eq!(clauses.len(), expected.len());
            for (place, (got, expected)) in clauses.iter().zip(&expected).enumerate() {
                assert_eq!(got, expected, "clause {} with {errors} errors of {:?}", place + 1, problem.network);
            }
            assert_eq!(variables, all);
        }
    }
}

#[test]
fn every_clause_stands_where_it_is_written() {
    let mut random = Random(1);
    for _ in 0..600 {
        let (m, d) = (1 + random.below(9), 1 + random.below(3));
        let network = random_network(&mut random, d, 6);
        assert_as_written(&random_problem(&mut random, m, d, network));
    }
    for hidden in [&[][..], &[1], &[4], &[2, 2], &[3, 2, 2], &[6]] {
        for outputs in 1..3 {
            let problem = random_problem(&mut random, 53, 2, Network::layered(hidden, outputs));
            assert_as_written(&problem);
        }
    }
}

/// The example of section 3.
#[test]
fn the_example() {
    let problem = xor(Network::layered(&[1], 1));
    let formula = Formula::new(&problem, 1, true, 1, &[]).expect("small");
    let (clauses, variables) = all_clauses(&formula, &Lemmas::new(&problem, &[]).expect("none"));
    assert_eq!((clauses.len(), variables), (44, 20));
    let of = |numbers: [usize; 10]| numbers.map(|number| clauses[number - 1].clone());
    let expected: [&[i32]; 10] = [
        &[1, -5, 9],
        &[-4, 8, -10],
        &[-5, 11],
        &[6, 12],
        &[-12, 15],
        &[-16, -18, 20],
        &[-20],
        &[-9, 11],
        &[-1, -10, 11],
        &[-9, 10],
    ];
    assert_eq!(of([1, 16, 17, 18, 21, 34, 35, 36, 37, 44]), expected);
}

#[test]
fn equal_sums_are_those_of_the_definition() {
    for inputs in 1..=5 {
        let (size, mut expected) = (1usize << inputs, Vec::new());
        let sum = |a: usize, b: usize| (0..inputs).map(|j| (a >> j & 1) + (b >> j & 1)).collect::<Vec<usize>>();
        for p in 0..size {
            for q in p..size {
                for r in 0..size {
                    for s in r..size {
                        if sum(p, q) == sum(r, s) && (p, q) != (r, s) {
                            expected.push([p as u8, q as u8, r as u8, s as u8]);
                        }
                    }
                }
            }
        }
        assert_eq!(equal_sums(inputs), expected, "{inputs}");
        assert!(expected.iter().all(|[p, q, r, s]| p != q && r != s && p != r && p != s && q != r && q != s));
    }
    // Each j ones in both, n in one: 2^n (2^n − 2)/4 unordered pairs of different pairs, twice; summed over all.
    let pairs = |n: u32| (1u64 << n >> 1) * ((1u64 << n >> 1) - u64::from(n > 0));
    let choose = |n: u32| (0..n).fold(1u64, |c, i| c * u64::from(8 - i) / u64::from(i + 1));
    let all: u64 = (1..=8).map(|n| choose(n) * (1u64 << (8 - n)) * pairs(n)).sum();
    assert_eq!(equal_sums(8).len() as u64, all);
}

/// A table of k inputs that clauses B allow is a threshold function: 4, 14, 104, 1882 of them (OEIS A000609).
#[test]
fn two_asummable_tables_are_the_threshold_functions() {
    for (inputs, expected) in [(1, 4), (2, 14), (3, 104), (4, 1882)] {
        let sums = equal_sums(inputs);
        let allowed = |table: u32| {
            let is_one = |b: u8| table >> b & 1 == 1;
            sums.iter().all(|&[p, q, r, s]| !is_one(p) || !is_one(q) || is_one(r) || is_one(s))
        };
        let tables: Vec<u32> = (0..1u64 << (1 << inputs)).map(|table| table as u32).filter(|&t| allowed(t)).collect();
        assert_eq!(tables.len(), expected);
        if inputs <= 3 {
            assert_eq!(tables, super::oracle::threshold_functions(inputs));
        }
    }
}

#[test]
fn lemmas_are_numbered_by_circuit_unit_and_side() {
    let network = Network::layered(&[2], 1);
    let problem = xor(network);
    let circuits = all_circuits(&problem);
    assert_eq!(circuits.len(), 1);
    let formula = Formula::new(&problem, 0, false, 1, &[]).expect("small");
    let lemmas = Lemmas::new(&problem, &circuits).expect("a circuit");
    let (clauses, _) = all_clauses(&formula, &lemmas);
    let rows = |terms: &[infimum_problem::Term]| terms.iter().map(|term| term.row as i32 + 1).collect::<Vec<i32>>();
    let (left, right) = (rows(&circuits[0].left), rows(&circuits[0].right));
    let expected: Vec<Vec<i32>> = [(0, 1), (0, -1), (4, 1), (4, -1)]
        .iter()
        .map(|&(unit, sign)| {
            let left = left.iter().map(|h| -sign * (h + unit));
            left.chain(right.iter().map(|h| sign * (h + unit))).collect()
        })
        .collect();
    assert_eq!(clauses[formula.clauses() as usize..], expected);
}

#[test]
fn a_mixed_unit_s_lemma_holds_for_the_recorded_inputs_alone() {
    use infimum_problem::{Circuit, Scope, Term};
    let units = vec![
        super::unit("u", Columns::All, &[], Function::Free),
        super::unit("y", Columns::Listed(vec![0]), &[0], Function::Free),
    ];
    let network = Network { units, outputs: vec![1] };
    let rows = [vec![1, 0], vec![1, 1], vec![2, 0]];
    let problem = super::problem(&rows, super::known(&[0, 1, 0]), network);
    let term = |row, value| Term { row, multiplier: 1u32.into(), inputs: vec![value] };
    let circuits = [Circuit { scope: Scope::Unit(1), left: vec![term(1, true)], right: vec![term(0, true)] }];
    let formula = Formula::new(&problem, 0, false, 1, &[]).expect("small");
    let lemmas = Lemmas::new(&problem, &circuits).expect("equal in column 1, whatever column 2 is");
    let (clauses, _) = all_clauses(&formula, &lemmas);
    assert_eq!(clauses[formula.clauses() as usize..], [vec![-5, 4, -2, -1], vec![5, -4, -2, -1]]);
}

#[test]
fn a_formula_that_is_too_large_is_refused_before_it_is_made() {
    let network = Network {
        units: (0..70_000).map(|u| super::unit(&format!("u{u}"), Columns::All, &[], Function::Free)).collect(),
        outputs: vec![0],
    };
    let rows: Vec<Vec<i64>> = (0..40_000).map(|i| vec![i]).collect();
    let problem = super::problem(&rows, vec![None; rows.len()], network);
    assert!(Formula::new(&problem, 0, true, 1, &[]).is_err_and(|why| why.contains("variables")));
}
