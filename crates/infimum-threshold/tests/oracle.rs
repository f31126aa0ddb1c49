//! Tiny problems on any network against exhaustive enumeration, every certificate checked.

#[path = "../../infimum-check/tests/loading_oracle/mod.rs"]
mod oracle;

mod certified;
#[path = "certified/rows.rs"]
mod rows;

use std::time::Duration;

use infimum_problem::{Columns, Ending, Function, LoadingProblem, Network, Unit};
use infimum_threshold::Options;
use oracle::Oracle;

use certified::{Random, solved};
use rows::of_rows;

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
    let size = 2 + random.below(3);
    let rows: Vec<Vec<i64>> = (0..m).map(|_| (0..d).map(|_| random.below(size) as i64 - 1).collect()).collect();
    let mut target = |_| if random.chance(15) { None } else { Some(random.chance(50)) };
    let targets = (0..m * network.outputs.len()).map(&mut target).collect();
    of_rows(&rows, targets, network)
}

#[test]
fn every_answer_agrees_with_enumeration() {
    let mut random = Random(7);
    let mut wrong = [0; 8];
    for round in 0..2_000 {
        let problem = problem(&mut random);
        let least = Oracle::new(&problem).least_errors();
        wrong[least as usize] += 1;
        let options = Options { seed: round, symmetry: round % 3 != 0, patience: Duration::ZERO, ..Options::default() };
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

/// Functions on a cube that some maps of it keep or complement, with rows that stand twice and rows that may be anything, in any order: symmetries of the data are found, used, and change no
/// answer.
#[test]
fn symmetric_functions() {
    let mut random = Random(8);
    let (mut with_maps, mut exchanging, mut reflecting) = (0, 0, 0);
    for round in 0..300 {
        let d = 2 + random.below(2);
        let kind = random.below(4);
        let by_weight: Vec<bool> = (0..=d).map(|_| random.chance(50)).collect();
        let wanted = |point: usize| match kind {
            // By the number of ones; parity; by all coordinates but the first; the first two alike.
            0 => by_weight[point.count_ones() as usize],
            1 => point.count_ones() % 2 == 1,
            2 => by_weight[(point >> 1).count_ones() as usize],
            _ => (point & 1 == 1) != (point & 2 == 2),
        };
        let mut rows: Vec<(usize, Option<bool>)> = (0..1 << d).map(|point| (point, Some(wanted(point)))).collect();
        if random.chance(30) {
            let weight = random.below(d + 1) as u32;
            rows.iter_mut().filter(|row| row.0.count_ones() == weight).for_each(|row| row.1 = None);
        }
        if random.chance(20) {
            let twice = rows[random.below(rows.len())];
            rows.push(twice);
        }
        (1..rows.len()).rev().for_each(|place| rows.swap(place, random.below(place + 1)));
        let scale = [1, 3, -2][random.below(3)];
        let value = |point: usize, j: usize| scale * ((point >> j & 1) as i64 + i64::from(scale > 1));
        let points: Vec<Vec<i64>> = rows.iter().map(|row| (0..d).map(|j| value(row.0, j)).collect()).collect();
        let network = Network::layered(&[1 + random.below(2)], 1);
        let problem = of_rows(&points, rows.iter().map(|row| row.1).collect(), network);
        let least = Oracle::new(&problem).least_errors();
        let options =
            Options { seed: round, threads: 1 + random.below(2), patience: Duration::ZERO, ..Options::default() };
        let fewest = solved(&problem, &Options { allowed: None, ..options.clone() });
        assert_eq!((fewest.ending, fewest.lower, fewest.upper), (Ending::Optimal, least, Some(least)), "{problem:?}");
        with_maps += usize::from(!fewest.maps.is_empty());
        exchanging += fewest.maps.iter().filter(|map| map.exchanges).count();
        reflecting += fewest.maps.iter().filter(|map| map.moves.iter().any(|step| step.sum.is_some())).count();
        let allowed = random.below(3) as u64;
        let answer = solved(&problem, &Options { allowed: Some(allowed), ..options });
        let expected = if least <= allowed { Ending::Satisfiable } else { Ending::Infeasible };
        assert_eq!(answer.ending, expected, "at most {allowed}, least {least}: {problem:?}");
    }
    assert!(with_maps > 50 && exchanging > 20 && reflecting > 50, "{with_maps} {exchanging} {reflecting}");
}

/// Searches long enough that several threads share them out (more than the few hundred clauses after which the empty cube is split): one thread and several agree, and the joined proofs are accepted;
/// with rows that stand twice, which searches leave out, too.
#[test]
fn searches_that_are_shared_out() {
    let mut random = Random(9);
    let at_once = Options { patience: Duration::ZERO, ..Options::default() };
    let corner = |x: usize, d: usize| (0..d).map(|j| (x >> j & 1) as i64).collect::<Vec<i64>>();
    let parity = |x: usize| Some(x.count_ones() % 2 == 1);
    for twice in [false, true] {
        let corners: Vec<usize> = (0..if twice { 64 } else { 32 }).map(|x| x % 32).collect();
        let rows: Vec<Vec<i64>> = corners.iter().map(|&x| corner(x, 5)).collect();
        let problem = of_rows(&rows, corners.iter().map(|&x| parity(x)).collect(), Network::layered(&[4], 1));
        for (threads, seed) in [(2, 0), (3, 1), (4, 2)] {
            let answer = solved(&problem, &Options { threads, seed, ..at_once.clone() });
            assert_eq!(answer.ending, Ending::Infeasible);
        }
    }
    let mut endings = [0; 2];
    for round in 0..12 {
        let rows: Vec<Vec<i64>> =
            (0..[24, 40][round % 2]).map(|_| (0..4).map(|_| random.below(100) as i64).collect()).collect();
        let targets = rows.iter().map(|_| Some(random.chance(50))).collect();
        let network = if round % 3 == 0 { Network::layered(&[2, 2], 1) } else { Network::layered(&[3], 1) };
        let problem = of_rows(&rows, targets, network);
        let options = Options { allowed: Some([0, 1][round / 2 % 2]), seed: round as u64, ..at_once.clone() };
        let alone = solved(&problem, &options);
        let shared = solved(&problem, &Options { threads: 3, ..options });
        assert_eq!(alone.ending, shared.ending, "{problem:?}");
        endings[usize::from(alone.ending == Ending::Satisfiable)] += 1;
    }
    assert!(endings.iter().all(|&count| count > 2), "{endings:?}");
}
