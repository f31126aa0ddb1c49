//! The map and its adjoint, the scaling, and Newton's system against what they promise; bounds against networks, other bounds and a known optimum.

use faer::Mat;
use infimum_problem::{BoundProof, HiddenBias, Intercept, Loss, Silent, Target};

use super::super::{DualPoint, joint};
use super::cones::{Cones, Scaling};
use super::path::Point;
use super::side::{Side, adjoint};
use super::system::System;
use super::{Frame, clustered, sizes};
use crate::test_problems::{Random, classes, problem};
use crate::{Instance, Options};

fn never() -> bool {
    false
}

fn normals(random: &mut Random, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.normal()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A change at random, packed and as a side.
fn change(frame: &Frame, random: &mut Random) -> (Vec<f64>, Vec<Vec<f64>>, Side) {
    let order = frame.order();
    let shared = normals(random, order * (order + 1) / 2);
    let own: Vec<Vec<f64>> =
        frame.clusters.iter().map(|range| normals(random, super::side::unknowns(order, range.len()))).collect();
    let side = Side::from_step(frame, &shared, &own);
    (shared, own, side)
}

/// Members of the cones' space at random, symmetric where they are matrices.
fn anything(like: &Cones, random: &mut Random) -> Cones {
    let symmetric = |matrix: &Mat<f64>| {
        let half = Mat::from_fn(matrix.nrows(), matrix.ncols(), |_, _| random.normal());
        &half + half.transpose()
    };
    let semidefinite = like.semidefinite.iter().map(symmetric).collect();
    let second = Mat::from_fn(like.second.nrows(), like.second.ncols(), |_, _| random.normal());
    let products = like.products.iter().map(|_| [0; 4].map(|_| random.normal())).collect();
    Cones { semidefinite, second, products, spare: random.normal() }
}

/// A problem with rows at random, one of zeros, and two that are the same but for their length.
fn rows(random: &mut Random, m: usize, d: usize) -> Vec<f64> {
    let mut values = normals(random, m * d);
    values[..d].fill(0.0);
    let (first, rest) = values.split_at_mut(2 * d);
    rest[..d].iter_mut().zip(&first[d..]).for_each(|(x, y)| *x = -3.0 * y);
    values
}

#[test]
fn the_adjoint_is_that_of_the_map() {
    let mut random = Random::new(1);
    for size in [1, 2, 5] {
        let (m, d) = (9, 4);
        let target = Target::Real(normals(&mut random, m));
        let problem = problem(rows(&mut random, m, d), d, target, Loss::Squared, Intercept::None, 0.5);
        let instance = Instance::new(&problem, HiddenBias::None);
        let frame = Frame::new(&instance, &normals(&mut random, m), size);
        let (shared, own, side) = change(&frame, &mut random);
        let image = side.image(&frame);
        let y = anything(&image, &mut random);
        let form = adjoint(&frame, &y);
        let value = dot(&form.shared, &shared) + form.own.iter().zip(&own).map(|(a, b)| dot(a, b)).sum::<f64>();
        let expected = image.inner(&y);
        assert!((value - expected).abs() <= 1e-12 * (1.0 + expected.abs()) * 1e3, "{value} {expected}");
    }
}

/// s and z inside of the cones.
fn pair(frame: &Frame, random: &mut Random) -> (Cones, Cones) {
    let s = Side::new(frame, 1.0).image(frame);
    let mut z = s.inverse().expect("inside");
    // Off the central path, though not outside.
    for (b, matrix) in z.semidefinite.iter_mut().enumerate() {
        let order = matrix.nrows();
        let half = Mat::from_fn(order, order, |_, _| 0.3 * random.normal());
        *matrix += &half * half.transpose() * (1.0 + b as f64);
    }
    for j in 0..z.second.ncols() {
        z.second.col_as_slice_mut(j)[0] *= 1.5;
    }
    z.products.iter_mut().flatten().for_each(|z| *z *= 1.0 + random.uniform());
    z.spare *= 2.0;
    (s, z)
}

fn close(one: &Cones, other: &Cones, tolerance: f64) -> bool {
    let mut difference = one.clone();
    difference.add(other, -1.0);
    difference.inner(&difference).sqrt() <= tolerance * (one.inner(one).sqrt() + other.inner(other).sqrt())
}

#[test]
fn the_scaling_takes_primal_to_dual_and_steps_end_at_the_boundary() {
    let mut random = Random::new(2);
    for size in [1, 3, 6] {
        let (m, d) = (8, 3);
        let target = Target::Real(normals(&mut random, m));
        let problem = problem(rows(&mut random, m, d), d, target, Loss::Squared, Intercept::None, 0.5);
        let instance = Instance::new(&problem, HiddenBias::Penalized);
        let frame = Frame::new(&instance, &normals(&mut random, m), size);
        let (s, z) = pair(&frame, &mut random);
        let scaling = Scaling::new(&s, &z).expect("inside");
        assert!(close(&s.times(1e-30).times(1e30), &s, 1e-14));
        assert!(close(&scaling.twice_inverse(&s), &z, 1e-9));
        // With ds = s and dz = z the second order is λ∘λ, and W⁻¹(λ \ λ∘λ) = z.
        assert!(close(&scaling.correction(&s, &s, &z), &z, 1e-9));
        for _ in 0..10 {
            let (ds, dz) = (anything(&s, &mut random), anything(&z, &mut random));
            let length = scaling.longest(&s, &z, &ds, &dz, 1e3);
            let inside = |length: f64| {
                let (mut s, mut z) = (s.clone(), z.clone());
                s.add(&ds, length);
                z.add(&dz, length);
                s.inverse().is_some() && z.inverse().is_some()
            };
            assert!(inside(0.999 * length) && (length == 1e3 || !inside(1.001 * length)), "{length}");
        }
    }
}

#[test]
fn steps_solve_the_whole_system() {
    let mut random = Random::new(3);
    for (case, bias) in
        [Intercept::None, Intercept::Penalized, Intercept::Free, Intercept::Penalized].into_iter().enumerate()
    {
        let (m, d, size) = (11, 3, 1 + 2 * case);
        let target = classes((0..m).map(|i| (i % 2) as u32).collect());
        let problem = problem(rows(&mut random, m, d), d, target, Loss::Logistic, bias, 0.5);
        let instance = Instance::new(&problem, HiddenBias::None);
        let frame = Frame::new(&instance, &normals(&mut random, m), size);
        let scalings = [0, 1].map(|_| {
            let (s, z) = pair(&frame, &mut random);
            Scaling::new(&s, &z).expect("inside")
        });
        let point = Point { sides: [Side::new(&frame, 1.0), Side::new(&frame, 2.0)], bias: 0.1 };
        let sloped = frame.objective.at(&frame.outputs(&point), 1e-3);
        let system = System::new(&frame, &scalings, &sloped, &never).expect("positive definite");
        let mut forces = [0, 1].map(|_| {
            let (shared, own, _) = change(&frame, &mut random);
            super::side::Form { shared, own }
        });
        let bias_force = if bias == Intercept::None { 0.0 } else { 0.3 };
        let step = system.step(&frame, &forces, bias_force);
        // The equations of the losses: outputs change by η, which forces p − Wη answer.
        let moved = Point { sides: step.sides.clone(), bias: step.bias };
        let change = frame.outputs(&moved);
        let answer: Vec<f64> = (0..frame.points).map(|p| sloped.weights[p] - sloped.curvature[p] * change[p]).collect();
        for b in [0, 1] {
            let form = adjoint(&frame, &scalings[b].twice_inverse(&step.sides[b].image(&frame)));
            let scale = form.shared.iter().chain(form.own.iter().flatten()).fold(1.0f64, |top, x| top.max(x.abs()));
            for (c, range) in frame.clusters.iter().enumerate() {
                for (a, i) in range.clone().enumerate() {
                    let force = frame.part(b, i) * answer[frame.rows.point[i]];
                    forces[b].own[c][a * frame.order()] += force;
                    for (j, x) in frame.rows.unit.col_as_slice(i).iter().enumerate() {
                        forces[b].shared[1 + j] += force * x;
                    }
                }
            }
            let left = form.shared.iter().chain(form.own.iter().flatten());
            let right = forces[b].shared.iter().chain(forces[b].own.iter().flatten());
            for (left, right) in left.zip(right) {
                assert!((left - right).abs() <= 1e-9 * scale, "case {case}: {left} {right}");
            }
        }
        if bias != Intercept::None {
            let strength = if bias == Intercept::Penalized { 0.5 } else { 0.0 };
            // Rows of zeros are in the force that was given.
            let others = frame.rows.point.iter().map(|&p| answer[p]).sum::<f64>();
            let zeros = frame.zeros.iter().map(|&p| sloped.curvature[p] * change[p]).sum::<f64>();
            let left = others + bias_force - zeros - strength * step.bias;
            assert!(left.abs() <= 1e-9, "case {case}: {left}");
        }
    }
}

/// Bounds without and with clusters.
fn bounds(instance: &Instance, size: usize) -> (DualPoint, DualPoint) {
    let rows = instance.rows();
    let (mut alpha, mut curvature) = (vec![0.0; rows], vec![0.0; rows]);
    instance.losses.derivatives(&vec![0.0; rows], &mut alpha, &mut curvature);
    let upper = instance.losses.value(&vec![0.0; rows]);
    let plain = joint(instance, &alpha, upper, 1e-9 * upper, &never, &mut |_| ());
    let mut last = plain.value;
    let best = clustered(instance, plain.clone(), size, upper, 1e-9 * upper, &never, &mut |point| {
        assert!(point.value > last);
        last = point.value;
    });
    (plain, best)
}

/// `Σ_p w_p relu(x_p·u)` at the best of many unit vectors.
fn largest(instance: &Instance, w: &[f64], random: &mut Random) -> f64 {
    let (d, mut best) = (instance.dimension(), 0.0f64);
    for _ in 0..2_000 {
        let mut u = normals(random, d);
        for _ in 0..4 {
            let norm = dot(&u, &u).sqrt();
            u.iter_mut().for_each(|u| *u /= norm);
            let along = |p: usize| dot(instance.points.point(p), &u);
            best = best.max((0..w.len()).map(|p| w[p] * along(p).max(0.0)).sum());
            let mut next = vec![0.0; d];
            for p in (0..w.len()).filter(|&p| along(p) > 0.0) {
                next.iter_mut().zip(instance.points.point(p)).for_each(|(u, x)| *u += w[p] * x);
            }
            if !(dot(&next, &next) > 0.0) {
                break;
            }
            u = next;
        }
    }
    best
}

#[test]
fn bounds_with_clusters_hold_and_are_better() {
    let mut random = Random::new(4);
    for (case, loss) in Loss::ALL.into_iter().filter(|&loss| loss != Loss::Softmax).enumerate() {
        for (kind, intercept) in [Intercept::None, Intercept::Penalized, Intercept::Free].into_iter().enumerate() {
            let (m, d) = (18, 2 + (case + kind) % 3);
            let target = match loss {
                Loss::Logistic | Loss::Hinge | Loss::SquaredHinge => classes((0..m).map(|i| (i % 2) as u32).collect()),
                Loss::Poisson => Target::Real((0..m).map(|i| (i % 4) as f64).collect()),
                _ => Target::Real(normals(&mut random, m)),
            };
            let mut problem = problem(rows(&mut random, m, d), d, target, loss, intercept, 0.7);
            problem.data.weights.iter_mut().step_by(3).for_each(|c| *c = 0.5);
            let instance = Instance::new(&problem, HiddenBias::Penalized);
            let (plain, best) = bounds(&instance, 6);
            let place = format!("{} {intercept:?}: {} {}", loss.name(), plain.value, best.value);
            assert!(best.value >= plain.value, "{place}");
            let clusters = best.witnesses.iter().filter(|witness| matches!(witness.proof, BoundProof::Clusters(_)));
            assert!(clusters.count() == 2 || best.value == plain.value, "{place}");
            for (witness, sign) in best.witnesses.iter().zip([1.0, -1.0]) {
                let w: Vec<f64> = instance.merged(&best.alpha, 0).iter().map(|w| sign * w).collect();
                assert!(witness.bound <= instance.beta, "{place}");
                assert!(witness.bound >= largest(&instance, &w, &mut random), "{place}");
            }
        }
    }
}

#[test]
fn with_all_rows_in_one_cluster_little_is_left() {
    // The optimum is that of column generation and cones.
    let mut random = Random::new(5);
    let (mut left, mut closed) = (0.0, 0.0);
    for _ in 0..4 {
        let (m, d) = (14, 3);
        let values = normals(&mut random, m * d);
        let target = values.chunks_exact(d).map(|x| (x[0] - 0.5 * x[1]).max(0.0) + 0.3 * x[2]).collect();
        let problem = problem(values, d, Target::Real(target), Loss::Squared, Intercept::None, 0.8);
        let instance = Instance::new(&problem, HiddenBias::None);
        let options = Options { gap: 1e-6, abs_gap: 0.0, width: None, threads: 1, seed: 0, start: None };
        let outcome = crate::solve(&problem, HiddenBias::None, &options, &Silent).expect("solved");
        let (plain, best) = bounds(&instance, m);
        assert!(best.value <= outcome.upper * (1.0 + 1e-9), "{} {}", best.value, outcome.upper);
        left += (outcome.upper - plain.value) / outcome.upper;
        closed += (outcome.upper - best.value) / outcome.upper;
    }
    assert!(closed <= 0.5 * left + 1e-6, "{closed} of {left}");
}

#[test]
fn stages_grow_and_are_left_out_where_they_cost_too_much() {
    let mut random = Random::new(6);
    for (m, d, outputs) in [(1, 3, 1), (5, 3, 1), (60, 3, 1), (40, 200, 1), (30, 3, 3)] {
        let target = match outputs {
            1 => Target::Real(normals(&mut random, m)),
            _ => classes((0..m).map(|i| (i % outputs) as u32).collect()),
        };
        let loss = if outputs == 1 { Loss::Squared } else { Loss::Softmax };
        let problem = problem(normals(&mut random, m * d), d, target, loss, Intercept::None, 1.0);
        let sizes = sizes(&Instance::new(&problem, HiddenBias::None));
        assert_eq!(sizes.is_empty(), m == 1 || d == 200 || outputs > 1);
        assert!(sizes.iter().all(|&(size, seconds)| size <= m && seconds > 0.0));
        assert!(sizes.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
