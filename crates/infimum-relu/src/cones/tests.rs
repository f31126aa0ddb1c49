//! Tests of the search over cones: every tree is verified (`verify.rs`), bounds are compared with the whole arrangement (`oracle.rs`).

mod oracle;
mod train;
mod verify;

use proptest::prelude::*;

use super::{Answer, ConeEnding, Request, bound_over_cones};
use crate::Points;
use train::Random;

fn never() -> bool {
    false
}

fn request<'a>(points: &'a Points, w: &'a [f64], target: f64) -> Request<'a> {
    Request { points, w, target, refute: f64::INFINITY, threads: 1, nodes: 200_000, stop: &never }
}

/// Bounds the maximum exactly and verifies the tree.
fn exact(points: &Points, w: &[f64]) -> Answer {
    let answer = bound_over_cones(&request(points, w, f64::NEG_INFINITY)).expect("an answer");
    verify::verify(points, w, &answer.cones, answer.bound);
    assert_eq!(answer.ending, ConeEnding::Exact);
    let length: f64 = answer.best.0.iter().map(|u| u * u).sum();
    assert!((length - 1.0).abs() < 1e-12);
    let value = oracle::value(points, w, &answer.best.0);
    let scale: f64 = (0..points.len()).map(|p| w[p].abs() * points.point(p).iter().map(|x| x * x).sum::<f64>().sqrt()).sum();
    assert!((value - answer.best.1).abs() <= 1e-12 * scale);
    assert!(answer.bound - value.max(0.0) <= 4e-12 * scale, "{} above {value}", answer.bound - value);
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_arrangement_agrees(dimension in 1usize..=3, m in 1usize..=12, seed in 1u64..u64::MAX, grid in any::<bool>(), sign in 0..3) {
        let mut random = Random(seed);
        let mut number = || { let x = random.normal(); if grid { (2.0 * x).round() } else { x } };
        let points = Points { values: (0..dimension * m).map(|_| number()).collect(), dimension };
        let w: Vec<f64> = (0..m).map(|_| { let w = number(); match sign { 0 => w, 1 => w.abs(), _ => -w.abs() } }).collect();
        let answer = exact(&points, &w);
        let truth = oracle::maximum(&points, &w);
        let scale = 1.0 + answer.bound;
        prop_assert!(truth <= answer.bound && answer.bound <= truth + 1e-8 * scale, "{truth} {}", answer.bound);
    }
}

/// Columns `x1, …, y` of a file of `$INFIMUM_DATA/instances/relu`.
fn instance(name: &str) -> Option<(Points, Vec<f64>)> {
    let folder = std::env::var("INFIMUM_DATA").ok()?;
    let text = std::fs::read_to_string(format!("{folder}/instances/relu/{name}.csv")).ok()?;
    let mut lines = text.lines();
    let dimension = lines.next()?.split(',').count() - 1;
    let (mut points, mut targets) = (Points { values: Vec::new(), dimension }, Vec::<f64>::new());
    for line in lines {
        let numbers: Vec<f64> = line.split(',').map(|field| field.parse().expect("a number")).collect();
        let row = &numbers[..dimension];
        // Distinct rows only; targets of equal rows are averaged away here: the sets serve as sources of points.
        match (0..points.len()).find(|&p| points.point(p) == row) {
            Some(_) => {}
            None => {
                points.values.extend_from_slice(row);
                targets.push(numbers[dimension]);
            }
        }
    }
    Some((points, targets))
}

fn gaussian(m: usize, dimension: usize, seed: u64) -> (Points, Vec<f64>) {
    let mut random = Random(seed);
    let values = (0..m).flat_map(|_| (0..dimension).map(|j| if j + 1 == dimension { 1.0 } else { random.normal() }).collect::<Vec<_>>());
    let points = Points { values: values.collect(), dimension };
    let y = (0..m).map(|_| random.normal().signum()).collect();
    (points, y)
}

/// Prints cones and time of what `CONES_CASE` names: `file:fraction of the largest β:epsilon`, separated by commas.
#[test]
#[ignore = "prints measurements"]
fn measure() {
    let cases = std::env::var("CONES_CASE").unwrap_or_else(|_| "bc2:0.1:1e-6,iris4:0.1:1e-6".into());
    let limit: f64 = std::env::var("CONES_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10.0);
    let threads: usize = std::env::var("CONES_THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for case in cases.split(',') {
        let mut parts = case.split(':');
        let name = parts.next().expect("a name");
        let fraction: f64 = parts.next().expect("a fraction").parse().expect("a number");
        let epsilon: f64 = parts.next().expect("an epsilon").parse().expect("a number");
        let (points, y) = match name.strip_prefix("gauss") {
            Some(sizes) => {
                let (d, m) = sizes.split_once('x').expect("gauss5x200");
                gaussian(m.parse().expect("m"), d.parse().expect("d"), 7)
            }
            None => instance(name).expect("INFIMUM_DATA"),
        };
        let top = [1.0, -1.0]
            .iter()
            .map(|sign| {
                let w: Vec<f64> = y.iter().map(|y| sign * y).collect();
                let request = Request { nodes: 20_000, ..request(&points, &w, f64::NEG_INFINITY) };
                bound_over_cones(&request).expect("an answer").best.1
            })
            .fold(0.0, f64::max);
        // A fraction above 1 is β itself.
        let beta = if fraction >= 1.0 { fraction } else { fraction * top };
        let started = std::time::Instant::now();
        let (nu, objective) = train::dual_point(&points, &y, beta, 60, 100);
        let trained = started.elapsed();
        for sign in [1.0, -1.0] {
            let w: Vec<f64> = nu.iter().map(|nu| sign * nu).collect();
            let started = std::time::Instant::now();
            let stop = || started.elapsed().as_secs_f64() > limit;
            let request = Request {
                threads,
                nodes: u64::MAX,
                stop: &stop,
                refute: beta * (1.0 + epsilon),
                ..request(&points, &w, beta * (1.0 + epsilon))
            };
            let cpu = cpu_seconds();
            let answer = bound_over_cones(&request).expect("an answer");
            let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
            if answer.cones.nodes.len() < 20_000 {
                verify::verify(&points, &w, &answer.cones, answer.bound);
            }
            println!(
                "{case:<24} sign {sign:>2} objective {objective:.6} trained {:.1} s bound/beta {:.9} best/beta {:.9} {:?} nodes {} cpu {cpu:.3} wall {elapsed:.3} s",
                trained.as_secs_f64(),
                answer.bound / beta,
                answer.best.1 / beta,
                answer.ending,
                answer.nodes
            );
        }
    }
}

/// User time of this process.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / 100.0
}
