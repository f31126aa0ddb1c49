//! Rows that are equal but have different targets: what no model can fit, with or without decay.
//!
//! At each point the loss of its rows at the best common output, `min_z Σ_i c_i loss(y_i, z)`, is unavoidable. Its proof is an α that adds up to exactly 0 over
//! the rows of each point: then w = 0 in theorem 1 (docs/relu.md), and the bound is `Σ g(α)`.

use infimum_problem::{BoundProof, Witness};

use crate::Instance;
use crate::claim::{Claim, value_of};

/// Halvings of the interval that holds the best common output.
const HALVINGS: usize = 80;
/// Largest output that is looked at.
const FAR: f64 = 1e6;
/// α are whole multiples of the largest divided by this.
const TICKS: f64 = (1u64 << 50) as f64;

/// The claim; `None` with several outputs, and where no two rows differ in their targets alone.
pub(crate) fn conflicts(instance: &Instance) -> Option<Claim> {
    let (n, points) = (instance.rows(), instance.points.len());
    if instance.outputs != 1 || points == n {
        return None;
    }
    let (mut low, mut high) = (vec![-FAR; points], vec![FAR; points]);
    let (mut alpha, mut curvature) = (vec![0.0; n], vec![0.0; n]);
    for _ in 0..HALVINGS {
        let middle: Vec<f64> = low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high)).collect();
        let z: Vec<f64> = instance.point_of.iter().map(|&p| middle[p as usize]).collect();
        instance.losses.derivatives(&z, &mut alpha, &mut curvature);
        let slopes = instance.merged(&alpha, 0);
        for p in 0..points {
            // α is minus the slope: where its sum is positive the best output lies higher.
            if slopes[p] > 0.0 { low[p] = middle[p] } else { high[p] = middle[p] }
        }
    }
    let largest = alpha.iter().fold(0.0f64, |largest, a| largest.max(a.abs()));
    let unit = 2f64.powi((largest / TICKS).log2().ceil() as i32);
    if !(unit.is_normal() && unit < 1e200) {
        return None;
    }
    balance(instance, &mut alpha, unit);
    let lower = value_of(instance, &alpha);
    let witness = Witness { bound: 0.0, proof: BoundProof::Norms };
    (lower > 0.0).then_some(Claim { alpha, witnesses: vec![witness; 2], lower })
}

/// Multiples of `unit` that add up to exactly 0 at each point; all 0 at points where that leaves the losses' domain.
fn balance(instance: &Instance, alpha: &mut [f64], unit: f64) {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); instance.points.len()];
    instance.point_of.iter().enumerate().for_each(|(i, &p)| rows[p as usize].push(i));
    for rows in &rows {
        let mut ticks: Vec<i64> = rows.iter().map(|&i| (alpha[i] / unit).round() as i64).collect();
        let fits = |place: usize, ticks: i64| {
            let (low, high) = instance.losses.domain(rows[place], 0);
            (low..=high).contains(&(ticks as f64 * unit))
        };
        let rest: i64 = ticks.iter().sum();
        // The first row that has the room takes what is left.
        let taker = (0..rows.len()).find(|&place| fits(place, ticks[place] - rest));
        match taker {
            Some(place) if (0..rows.len()).all(|other| other == place || fits(other, ticks[other])) => {
                ticks[place] -= rest;
            }
            _ => ticks.fill(0),
        }
        rows.iter().zip(&ticks).for_each(|(&i, &ticks)| alpha[i] = ticks as f64 * unit);
    }
}
