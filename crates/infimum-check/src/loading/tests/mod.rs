//! Formula, circuits, proofs and weights against exhaustive enumeration, and every way to spoil a certificate.

mod bytes;
mod formula;
mod golden;
mod maps;
mod margins;
mod mutations;
#[path = "../../../tests/loading_oracle/mod.rs"]
mod oracle;
mod search;
mod theorems;

use dashu_int::UBig;
use infimum_problem::{
    Circuit, ColumnNames, ColumnScale, Columns, Ending, Format, Function, IntegerMatrix, LoadingCertificate,
    LoadingClaim, LoadingProblem, LoadingRecipe, Network, PointMap, Points, Scope, Source, Term, Unit, UnitKind,
};

use super::circuits::Lemmas;
use super::formula::Formula;
use oracle::Sides;
use search::{Answer, decide};

/// splitmix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn narrow(rows: &[Vec<i64>]) -> Points {
    let mut matrix = IntegerMatrix::new(rows.first().map_or(0, Vec::len));
    for row in rows {
        matrix.push_row((0..).zip(row.iter().copied()).filter(|&(_, value)| value != 0));
    }
    Points::Narrow(matrix)
}

fn wide(rows: &[Vec<i64>]) -> Points {
    let mut matrix = IntegerMatrix::new(rows.first().map_or(0, Vec::len));
    for row in rows {
        matrix.push_row((0..).zip(row).filter(|entry| *entry.1 != 0).map(|(j, &value)| (j, value.into())));
    }
    Points::Wide(matrix)
}

fn problem(rows: &[Vec<i64>], targets: Vec<Option<bool>>, network: Network) -> LoadingProblem {
    let d = rows.first().map_or(0, Vec::len);
    assert_eq!(network.fault(d), None);
    LoadingProblem {
        points: narrow(rows),
        scales: vec![ColumnScale::default(); d],
        column_names: ColumnNames::numbered(d),
        targets,
        output_names: network.outputs.iter().map(|output| format!("output {output}")).collect(),
        network,
    }
}

fn known(targets: &[u8]) -> Vec<Option<bool>> {
    targets.iter().map(|&target| Some(target == 1)).collect()
}

/// The four corners of the square, 1 where the coordinates differ.
fn xor(network: Network) -> LoadingProblem {
    problem(&[vec![0, 0], vec![1, 0], vec![0, 1], vec![1, 1]], known(&[0, 1, 1, 0]), network)
}

fn unit(name: &str, columns: Columns, units: &[u32], function: Function) -> Unit {
    Unit { name: name.into(), columns, units: units.to_vec(), function }
}

/// Points 0, 1, 2, … of one column, with the targets of all outputs.
fn line(targets: &[u8], outputs: usize, network: Network) -> LoadingProblem {
    let rows: Vec<Vec<i64>> = (0..(targets.len() / outputs) as i64).map(|x| vec![x]).collect();
    problem(&rows, known(targets), network)
}

/// A claim about a problem; `lower` and the rest are for the test to fill in.
fn claim(problem: &LoadingProblem, lower: u64, symmetry: bool) -> LoadingClaim {
    LoadingClaim {
        version: 1,
        kind: "loading".into(),
        source: Source { path: "memory".into(), sha256: String::new() },
        recipe: LoadingRecipe { format: Format::Csv, header: true, targets: vec!["y".into()] },
        problem_sha256: String::new(),
        rows: problem.rows(),
        columns: problem.points.columns(),
        network: problem.network.clone(),
        symmetry,
        stride: 1,
        maps: vec![],
        allowed: None,
        lower,
        upper: None,
        ending: Ending::TimeLimit,
        margins: vec![],
    }
}

fn circuit(scope: Scope, (left, right): &Sides, term: impl Fn(usize) -> (u32, Vec<bool>)) -> Circuit {
    let terms = |side: &[(usize, i64)]| {
        let of = |&(place, multiplier): &(usize, i64)| {
            let (row, inputs) = term(place);
            Term { row, multiplier: UBig::from(multiplier as u64), inputs }
        };
        side.iter().map(of).collect()
    };
    Circuit { scope, left: terms(left), right: terms(right) }
}

/// All circuits of the problem: of its groups, and of its mixed units with all values of their inputs.
fn all_circuits(problem: &LoadingProblem) -> Vec<Circuit> {
    let rows = oracle::dense(&problem.points);
    let seen = |row: &[i64], columns: &Columns| -> Vec<i64> {
        columns.list(row.len()).iter().map(|&j| row[j as usize]).collect()
    };
    let mut found = Vec::new();
    for (group, (columns, _)) in (0..).zip(problem.network.groups()) {
        let points: Vec<Vec<i64>> = rows.iter().map(|row| seen(row, &columns)).collect();
        let of_group = oracle::circuits(&points);
        found.extend(of_group.iter().map(|sides| circuit(Scope::Group(group), sides, |i| (i as u32, vec![]))));
    }
    for (place, unit) in (0..).zip(&problem.network.units) {
        if unit.kind() != UnitKind::Mixed || !unit.is_free() {
            continue;
        }
        // Every row with every value of the inputs is a point; a circuit with two of the same row would say nothing.
        let inputs = unit.units.len();
        let values = |b: usize| (0..inputs).map(move |j| b >> j & 1 == 1).collect::<Vec<bool>>();
        let points: Vec<Vec<i64>> = (0..rows.len() << inputs)
            .map(|p| {
                let row = seen(&rows[p >> inputs], &unit.columns);
                row.into_iter().chain(values(p).into_iter().map(i64::from)).collect()
            })
            .collect();
        for sides in oracle::circuits(&points) {
            let mut named: Vec<usize> = sides.0.iter().chain(&sides.1).map(|&(p, _)| p >> inputs).collect();
            named.sort_unstable();
            if named.windows(2).all(|pair| pair[0] != pair[1]) {
                found.push(circuit(Scope::Unit(place), &sides, |p| ((p >> inputs) as u32, values(p))));
            }
        }
    }
    found
}

/// All clauses of formula and lemmas, and the number of variables.
fn all_clauses(formula: &Formula, lemmas: &Lemmas) -> (Vec<Vec<i32>>, usize) {
    let made = |make: &dyn Fn(&mut Vec<i32>)| {
        let mut literals = Vec::new();
        make(&mut literals);
        literals
    };
    let of_formula = (1..=formula.clauses()).map(|number| made(&|literals| formula.clause(number, literals)));
    let of_lemmas = (0..lemmas.clauses()).map(|index| made(&|literals| lemmas.clause(index, formula, literals)));
    (of_formula.chain(of_lemmas).collect(), formula.variables())
}

/// A certificate that every network is wrong on more than `errors` rows, from these circuits, if that follows from them.
fn refuted(problem: &LoadingProblem, circuits: &[Circuit], errors: u64, symmetry: bool) -> Option<LoadingCertificate> {
    refuted_with(problem, circuits, errors, symmetry, 1, &[])
}

/// The same with errors counted in steps of `stride` and with maps of the points.
fn refuted_with(
    problem: &LoadingProblem,
    circuits: &[Circuit],
    errors: u64,
    symmetry: bool,
    stride: u64,
    maps: &[PointMap],
) -> Option<LoadingCertificate> {
    let lemmas = Lemmas::new(problem, circuits).expect("circuits");
    let formula = Formula::new(problem, errors, symmetry, stride, maps).expect("small");
    let (clauses, variables) = all_clauses(&formula, &lemmas);
    match decide(&clauses, variables) {
        Answer::Satisfiable => None,
        Answer::Unsatisfiable(proof) => {
            let claim = LoadingClaim { stride, maps: maps.to_vec(), ..claim(problem, errors + 1, symmetry) };
            let circuits = circuits.to_vec();
            Some(LoadingCertificate { claim, neurons: None, circuits, proof, hulls: vec![] })
        }
    }
}

/// A graph of up to `most` units: columns, units or both as inputs, copies, fixed units, several outputs, as chance has it.
fn random_network(random: &mut Random, d: usize, most: usize) -> Network {
    let count = 1 + random.below(most);
    let mut units: Vec<Unit> = Vec::new();
    let mut copied = None;
    for place in 0..count {
        if copied.is_none() && place > 0 && place + 1 < count && random.chance(40) {
            copied = Some(place as u32);
            units.push(Unit { name: format!("u{place}"), ..units[place - 1].clone() });
            continue;
        }
        let mut inputs: Vec<u32> = (0..place as u32).filter(|_| random.chance(60)).take(3).collect();
        if let Some(copy) = copied.filter(|_| random.chance(80)) {
            inputs.retain(|&input| input != copy && input + 1 != copy);
            inputs.truncate(1);
            inputs.extend([copy - 1, copy]);
        }
        if random.chance(30) {
            inputs.reverse();
        }
        let listed: Vec<u32> = (0..d as u32).filter(|_| random.chance(60)).collect();
        let columns = match random.below(if inputs.is_empty() { 2 } else { 6 }) {
            0 if listed.is_empty() => Columns::All,
            0 => Columns::Listed(listed),
            1 => Columns::All,
            _ => Columns::None,
        };
        // Mixed units with few inputs, so that all of their circuits can be enumerated.
        if columns != Columns::None {
            inputs.truncate(1);
        }
        let function = if columns == Columns::None && random.chance(25) {
            let weights = inputs.iter().map(|_| random.below(5) as i64 - 2).collect();
            Function::Fixed { weights, bias: random.below(4) as i64 - 2 }
        } else {
            Function::Free
        };
        units.push(unit(&format!("u{place}"), columns, &inputs, function));
    }
    let last = count as u32 - 1;
    let mut outputs: Vec<u32> = (0..last).filter(|_| random.chance(20)).chain([last]).collect();
    if random.chance(30) {
        outputs.reverse();
    }
    Network { units, outputs }
}

/// Rows with small coordinates and any targets, a few of them unknown.
fn random_problem(random: &mut Random, m: usize, d: usize, network: Network) -> LoadingProblem {
    let size = 2 + random.below(3);
    let rows: Vec<Vec<i64>> = (0..m).map(|_| (0..d).map(|_| random.below(size) as i64 - 1).collect()).collect();
    let mut target = |_| if random.chance(15) { None } else { Some(random.chance(50)) };
    let targets = (0..m * network.outputs.len()).map(&mut target).collect();
    problem(&rows, targets, network)
}
