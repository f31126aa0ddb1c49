//! Tiny problems on any network against exhaustive enumeration, every certificate checked.

#[path = "../../infimum-check/tests/loading_oracle/mod.rs"]
mod oracle;

mod certified;

use infimum_problem::{
    ColumnNames, ColumnScale, Columns, Ending, Function, IntegerMatrix, LoadingProblem, Network, Points, Unit,
};
use infimum_threshold::Options;
use oracle::Oracle;

use certified::{Random, solved};

impl Random {
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Layers, copies, skips, columns in part, fixed units, several outputs.
fn network(random: &mut Random, d: usize) -> Network {
    if random.chance(30) {
        return Network::layered(&[1 + random.below(3)], 1 + random.below(2));
    }
    if random.chance(15) {
        return Network::layered(&[2, 1 + random.below(2)], 1);
    }
    let count = 1 + random.below(4);
    let mut units: Vec<Unit> = Vec::new();
    for place in 0..count {
        let mut inputs: Vec<u32> = (0..place as u32).filter(|_| random.chance(60)).collect();
        let listed: Vec<u32> = (0..d as u32).filter(|_| random.chance(60)).collect();
        let columns = match random.below(if inputs.is_empty() { 2 } else { 6 }) {
            0 if !listed.is_empty() => Columns::Listed(listed),
            0 | 1 => Columns::All,
            _ => Columns::None,
        };
        if columns != Columns::None {
            inputs.truncate(1);
        }
        let function = if columns == Columns::None && random.chance(25) {
            let weights = inputs.iter().map(|_| random.below(5) as i64 - 2).collect();
            Function::Fixed { weights, bias: random.below(4) as i64 - 2 }
        } else {
            Function::Free
        };
        units.push(Unit { name: format!("u{place}"), columns, units: inputs, function });
    }
    let last = count as u32 - 1;
    let outputs = (0..last).filter(|_| random.chance(20)).chain([last]).collect();
    Network { units, outputs }
}

fn problem(random: &mut Random) -> LoadingProblem {
    let (m, d) = (1 + random.below(7), 1 + random.below(3));
    let network = network(random, d);
    assert_eq!(network.fault(d), None);
    let size = 2 + random.below(3);
    let rows: Vec<Vec<i64>> = (0..m).map(|_| (0..d).map(|_| random.below(size) as i64 - 1).collect()).collect();
    let mut matrix = IntegerMatrix::new(d);
    rows.iter().for_each(|row| matrix.push_row((0..).zip(row.iter().copied()).filter(|entry| entry.1 != 0)));
    let mut target = |_| if random.chance(15) { None } else { Some(random.chance(50)) };
    LoadingProblem {
        points: Points::Narrow(matrix),
        scales: vec![ColumnScale::default(); d],
        column_names: ColumnNames::numbered(d),
        targets: (0..m * network.outputs.len()).map(&mut target).collect(),
        output_names: network.outputs.iter().map(ToString::to_string).collect(),
        network,
    }
}

#[test]
fn every_answer_agrees_with_enumeration() {
    let mut random = Random(7);
    let mut wrong = [0; 8];
    for round in 0..2_000 {
        let problem = problem(&mut random);
        let least = Oracle::new(&problem).least_errors();
        wrong[least as usize] += 1;
        let options = Options { seed: round, symmetry: round % 3 != 0, ..Options::default() };
        let fewest = solved(&problem, &Options { allowed: None, ..options.clone() });
        assert_eq!((fewest.ending, fewest.lower, fewest.upper), (Ending::Optimal, least, Some(least)), "{problem:?}");
        let allowed = random.below(3) as u64;
        let threads = 1 + random.below(2);
        let answer = solved(&problem, &Options { allowed: Some(allowed), threads, ..options });
        let expected = if least <= allowed { Ending::Satisfiable } else { Ending::Infeasible };
        assert_eq!(answer.ending, expected, "at most {allowed}, least {least}: {problem:?}");
    }
    assert!(wrong[0] > 500 && wrong[1] > 200 && wrong[2] > 50, "the problems are of all kinds: {wrong:?}");
}
