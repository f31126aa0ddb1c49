//! Maps of the points (theorem 6): which are accepted, what they say, and that they change no answer.

use infimum_problem::{ColumnMove, LoadingCertificate, LoadingProblem, Network, PointMap};

use super::super::circuits::Lemmas;
use super::super::formula::Formula;
use super::super::maps::{Image, images};
use super::super::steps::check_loading_problem;
use super::formula::written;
use super::oracle::Oracle;
use super::theorems::satisfiable_with;
use super::{Random, all_circuits, all_clauses, known, line, problem, refuted_with, xor};
use crate::steps::Step;

/// All orders of `0..d`.
fn orders(d: u32) -> Vec<Vec<u32>> {
    if d == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(d - 1);
    let put = |order: &Vec<u32>, place: usize| [&order[..place], &[d - 1], &order[place..]].concat();
    shorter.iter().flat_map(|order| (0..d as usize).map(move |place| put(order, place))).collect()
}

/// All maps of points with coordinates 0 to `most` in `d` columns, with as many rows compared as there are.
fn all_maps(d: u32, most: i64, rows: usize) -> Vec<PointMap> {
    let mut maps = Vec::new();
    for order in orders(d) {
        for reflected in 0..1u32 << d {
            for exchanges in [false, true] {
                let step = |to: u32| ColumnMove {
                    to,
                    from: order[to as usize],
                    sum: (reflected >> to & 1 == 1).then_some(most),
                };
                let moves = (0..d).map(step).filter(|step| step.to != step.from || step.sum.is_some()).collect();
                maps.push(PointMap { moves, exchanges, compared: rows as u32 });
            }
        }
    }
    maps
}

fn mapped(map: &PointMap, point: &[i64]) -> Vec<i64> {
    let mut image = point.to_vec();
    for step in &map.moves {
        let value = point[step.from as usize];
        image[step.to as usize] = step.sum.map_or(value, |sum| sum - value);
    }
    image
}

type Row = (Vec<i64>, Option<bool>);

fn image_of(map: &PointMap, (point, target): &Row) -> Row {
    (mapped(map, point), target.map(|target| target != map.exchanges))
}

/// Some rows of a grid and all that some maps make of them.
fn symmetric(random: &mut Random, d: u32, most: i64, up_to: usize) -> Option<Vec<Row>> {
    let maps = all_maps(d, most, 0);
    let chosen: Vec<&PointMap> = (0..1 + random.below(2)).map(|_| &maps[random.below(maps.len())]).collect();
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let point = (0..d).map(|_| random.below(most as usize + 1) as i64).collect();
        let target = if random.chance(10) { None } else { Some(random.chance(50)) };
        let mut new: Vec<Row> = vec![(point, target)];
        let mut place = 0;
        while place < new.len() && new.len() <= up_to {
            for map in &chosen {
                let image = image_of(map, &new[place]);
                if !new.contains(&image) {
                    new.push(image);
                }
            }
            place += 1;
        }
        rows.append(&mut new);
    }
    (rows.len() <= up_to).then(|| {
        // In any order.
        for place in (1..rows.len()).rev() {
            rows.swap(place, random.below(place + 1));
        }
        rows
    })
}

/// Where the k-th row of a kind goes: to the k-th of its image; `None` unless that is a permutation.
fn permutation(rows: &[Row], map: &PointMap) -> Option<Vec<usize>> {
    let goes = |place: usize| {
        let before = rows[..place].iter().filter(|row| **row == rows[place]).count();
        let image = image_of(map, &rows[place]);
        (0..rows.len()).filter(|&other| rows[other] == image).nth(before)
    };
    let found: Vec<usize> = (0..rows.len()).map(goes).collect::<Option<_>>()?;
    let mut sorted = found.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() == rows.len()).then_some(found)
}

#[test]
fn maps_that_permute_the_rows_change_no_answer() {
    let mut random = Random(61);
    let (mut accepted, mut exchanging, mut refutations, mut satisfiable) = (0, 0, 0, 0);
    for round in 0..400 {
        let (d, most) = ([1, 2, 2, 3][round % 4], 1 + (round / 4 % 2) as i64);
        let Some(rows) = symmetric(&mut random, d, most, 6) else { continue };
        let (points, targets): (Vec<Vec<i64>>, Vec<Option<bool>>) = rows.iter().cloned().unzip();
        let problem = problem(&points, targets, Network::layered(&[1 + random.below(2)], 1));
        let mut maps = Vec::new();
        let mut permutations = Vec::new();
        for map in all_maps(d, most, rows.len()) {
            let permutation = permutation(&rows, &map);
            let image = images(&problem, 0, std::slice::from_ref(&map));
            assert_eq!(image.is_ok(), permutation.is_some(), "{map:?} of {rows:?}");
            let (Ok(image), Some(permutation)) = (image, permutation) else { continue };
            let found: Vec<usize> = image[0].rows.iter().map(|&row| row as usize).collect();
            assert_eq!(found, permutation, "{map:?} of {rows:?}");
            let compared = random.below(rows.len() + 1);
            exchanging += usize::from(map.exchanges);
            permutations.push((permutation[..compared].to_vec(), map.exchanges));
            maps.push(PointMap { compared: compared as u32, ..map });
        }
        accepted += maps.len();
        let circuits = all_circuits(&problem);
        let least = Oracle::new(&problem).least_errors();
        for errors in (0..rows.len() as u64).filter(|errors| (least..least + 2).contains(&(errors + 1))) {
            let formula = Formula::new(&problem, errors, true, 1, &maps).expect("small");
            let (clauses, variables) = all_clauses(&formula, &Lemmas::new(&problem, &[]).expect("none"));
            assert_eq!((clauses, variables), written(&problem, errors as usize, true, 1, &permutations));
            let refuted = refuted_with(&problem, &circuits, errors, true, 1, &maps);
            assert_eq!(refuted.is_some(), least > errors, "{errors} errors, truly {least}: {maps:?} of {problem:?}");
            satisfiable += usize::from(refuted.is_none());
            if let Some(certificate) = refuted {
                refutations += 1;
                assert_eq!(check_loading_problem(&problem, &certificate).expect("accepted").lower, errors + 1);
            }
        }
    }
    assert!(accepted > 1_000 && exchanging > 100, "{accepted} {exchanging}");
    assert!(refutations > 60 && satisfiable > 150, "{refutations} {satisfiable}");
}

/// Both columns exchanged, and one reflected with the targets.
fn maps_of_xor() -> Vec<PointMap> {
    let step = |to, from, sum| ColumnMove { to, from, sum };
    vec![
        PointMap { moves: vec![step(0, 1, None), step(1, 0, None)], exchanges: false, compared: 4 },
        PointMap { moves: vec![step(0, 0, Some(1))], exchanges: true, compared: 3 },
    ]
}

pub(super) fn xor_with_maps() -> (LoadingProblem, LoadingCertificate) {
    let problem = xor(Network::layered(&[1], 1));
    let certificate = refuted_with(&problem, &all_circuits(&problem), 0, true, 1, &maps_of_xor());
    (problem, certificate.expect("one hidden unit is not enough"))
}

/// The lines of a square are read from one unit: without the wanted symmetry the clauses would be wrong.
#[test]
fn what_is_no_symmetry_would_change_the_answer() {
    let problem = line(&[1, 0, 0], 1, Network::layered(&[1], 1));
    assert_eq!(Oracle::new(&problem).least_errors(), 0);
    assert!(satisfiable_with(&problem, |_, _| {}));
    let reflection = Image { rows: vec![2, 1, 0], exchanges: false };
    assert!(!satisfiable_with(&problem, |breaker, table| {
        breaker.monotone(table(1, 0), 1);
        breaker.least(0, &reflection);
    }));
    let step = ColumnMove { to: 0, from: 0, sum: Some(2) };
    for exchanges in [false, true] {
        let map = PointMap { moves: vec![step], exchanges, compared: 3 };
        assert!(images(&problem, 0, &[map]).is_err_and(|why| why.starts_with("map 1: there is no row that row")));
    }
}

#[test]
fn false_maps_are_refused() {
    let (problem, valid) = xor_with_maps();
    assert!(check_loading_problem(&problem, &valid).is_ok());
    let refused = |reason: &str, change: &dyn Fn(&mut LoadingCertificate)| {
        let mut certificate = valid.clone();
        change(&mut certificate);
        let refusal = check_loading_problem(&problem, &certificate).expect_err(reason);
        assert_eq!(refusal.step, Step::Proof);
        assert!(refusal.reason.contains(reason), "{}", refusal.reason);
    };
    refused("outside the domain", &|c| c.claim.symmetry = false);
    refused("map 2: there is no row that row", &|c| c.claim.maps[1].exchanges = false);
    refused("map 1: there is no row that row", &|c| c.claim.maps[0].exchanges = true);
    refused("map 2: there is no row that row", &|c| c.claim.maps[1].moves[0].sum = Some(2));
    refused("taken twice", &|c| c.claim.maps[0].moves[0].from = 0);
    refused("taken twice, or goes nowhere", &|c| c.claim.maps[0].moves.truncate(1));
    refused("increasing order", &|c| c.claim.maps[0].moves.reverse());
    refused("increasing order", &|c| c.claim.maps[0].moves[1].to = 0);
    refused("do not read column 7", &|c| c.claim.maps[0].moves[1].to = 7);
    refused("5 rows are to be compared, but there are 4", &|c| c.claim.maps[0].compared = 5);
    refused("step", &|c| c.claim.maps[0].compared = 2);
    refused("no maps", &|c| {
        (c.claim.lower, c.circuits, c.proof) = (0, vec![], vec![]);
        c.claim.ending = infimum_problem::Ending::TimeLimit;
    });
    // Reflected values beyond 64 bits.
    let step = ColumnMove { to: 0, from: 0, sum: Some(i64::MIN) };
    let far = super::problem(&[vec![1], vec![1]], known(&[1, 1]), Network::layered(&[1], 1));
    let map = PointMap { moves: vec![step], exchanges: false, compared: 0 };
    assert!(images(&far, 0, &[map]).is_err_and(|why| why.contains("out of range")));
    // A row more, of a kind that has an image: no permutation.
    let rows = [vec![0, 0], vec![1, 0], vec![0, 1], vec![1, 1], vec![1, 0]];
    let uneven = super::problem(&rows, known(&[0, 1, 1, 0, 1]), Network::layered(&[1], 1));
    assert!(images(&uneven, 0, &maps_of_xor()[..1]).is_err_and(|why| why.contains("more or fewer rows")));
    // Two outputs, and a network without hidden units.
    for network in [Network::layered(&[1], 2), Network::layered(&[], 1)] {
        let targets = vec![Some(true); 4 * network.outputs.len()];
        let rows: Vec<Vec<i64>> = rows[..4].to_vec();
        let other = super::problem(&rows, targets, network);
        assert!(Formula::new(&other, 0, true, 1, &maps_of_xor()).is_err_and(|why| why.contains("outside the domain")));
    }
}
