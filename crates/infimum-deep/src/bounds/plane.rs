//! From α and multipliers to a plane of the certificate: α in singles, and witnesses for exactly these numbers.

use infimum_problem::deep::{OutputWitness, Plane};
use infimum_relu::relaxation::{Multipliers, Relaxation};

use super::envelope::Line;

/// Scales are powers of two with these exponents, in sixteenths: close to 1, where the plane is used most, and far from it.
const CLOSE: i32 = 8;
const FAR: i32 = 48;
/// Room for the rounding of values that are sums over the rows, relative.
const MARGIN: f64 = 1e-12;

/// A plane and the line of each of its scales.
#[derive(Debug, Clone)]
pub(super) struct Proven {
    pub(super) plane: Plane,
    pub(super) lines: Vec<Line>,
}

/// α as singles inside the domain; of coupled losses every row adds up to exactly 0, in whole multiples of a power of two.
pub(super) fn rounded(relaxation: &Relaxation, alpha: &[f64]) -> Vec<f32> {
    let outputs = relaxation.outputs();
    let mut alpha = alpha.to_vec();
    relaxation.clip(&mut alpha);
    let mut out = Vec::with_capacity(alpha.len());
    for (i, row) in alpha.chunks_exact(outputs).enumerate() {
        if relaxation.is_coupled() {
            out.extend(balanced(row));
            continue;
        }
        for (k, &a) in row.iter().enumerate() {
            let (low, high) = relaxation.domain(i, k);
            let single = a as f32;
            let inside = (low..=high).contains(&f64::from(single));
            out.push(if inside { single } else { toward_zero(a) });
        }
    }
    out
}

/// Multiples of a power of two near the entries, whose negative ones are rounded toward 0 and whose positive one is what makes the sum 0.
fn balanced(row: &[f64]) -> Vec<f32> {
    let largest = row.iter().fold(0.0f64, |top, a| top.max(a.abs()));
    if !(largest > 1e-30) {
        return vec![0.0; row.len()];
    }
    let unit = 2f64.powi(largest.log2().ceil() as i32 - 23);
    let ticks: Vec<f64> = row.iter().map(|a| (a.min(0.0) / unit).trunc()).collect();
    let positive = -ticks.iter().sum::<f64>();
    let entry = |(a, ticks): (&f64, &f64)| ((if *a > 0.0 { positive } else { *ticks }) * unit) as f32;
    let mut out: Vec<f32> = row.iter().zip(&ticks).map(entry).collect();
    if out.iter().map(|&a| f64::from(a)).sum::<f64>() != 0.0 {
        out.fill(0.0);
    }
    out
}

fn toward_zero(a: f64) -> f32 {
    let single = a as f32;
    if f64::from(single).abs() <= a.abs() { single } else { f32::from_bits(single.to_bits() - 1) }
}

/// The plane of α, n × K, with slopes for each point and output (none with one hidden layer), and multipliers in the order of `Near::multipliers`.
pub(super) fn plane(
    relaxation: &Relaxation,
    alpha: &[f64],
    slopes: &[f64],
    multipliers: &[Multipliers],
) -> Option<Proven> {
    let outputs = relaxation.outputs();
    let dual = rounded(relaxation, alpha);
    let alpha: Vec<f64> = dual.iter().map(|&a| f64::from(a)).collect();
    let count = multipliers.len() / outputs;
    let mut witnesses = Vec::with_capacity(outputs);
    for (k, multipliers) in multipliers.chunks_exact(count).enumerate() {
        let (w, errors) = relaxation.merged(&alpha, k);
        let slopes = slopes.iter().skip(k).step_by(outputs).map(|&a| (a as f32).clamp(0.0, 1.0));
        let slopes: Vec<f32> = slopes.collect();
        let of_sign = |sign: f64, multipliers: &[Multipliers]| {
            let w: Vec<f64> = w.iter().map(|w| sign * w).collect();
            output_witness(relaxation, &w, &errors, &slopes, multipliers)
        };
        let (first, second) = multipliers.split_at(count / 2);
        witnesses.push([of_sign(1.0, first), of_sign(-1.0, second)]);
    }
    proven(relaxation, dual, witnesses)
}

/// The witness of one output and sign; slopes: none with one hidden layer.
fn output_witness(
    relaxation: &Relaxation,
    w: &[f64],
    errors: &[f64],
    slopes: &[f32],
    multipliers: &[Multipliers],
) -> OutputWitness {
    let slope = |p: usize| slopes.get(p).map_or(1.0, |&slope| f64::from(slope));
    // A product is rounded once.
    let errors: Vec<f64> = errors.iter().zip(w).map(|(e, w)| e + 4.0 * f64::EPSILON * w.abs()).collect();
    let whole: Vec<f64> = w.iter().enumerate().map(|(p, &w)| if w > 0.0 { w } else { slope(p) * w }).collect();
    let whole = relaxation.witness(&whole, &errors, &multipliers[0]);
    let rest = (!slopes.is_empty()).then(|| {
        let rest: Vec<f64> = w.iter().enumerate().map(|(p, &w)| slope(p) * (-w).max(0.0)).collect();
        relaxation.witness(&rest, &errors, &multipliers[1])
    });
    OutputWitness { slopes: slopes.to_vec(), whole, rest }
}

/// What the witness proves.
pub(super) fn largest(witness: &OutputWitness) -> f64 {
    witness.rest.as_ref().map_or(witness.whole.bound, |rest| rest.bound.max(witness.whole.bound))
}

/// A plane with its scales; `None` where it proves nothing.
pub(super) fn proven(relaxation: &Relaxation, dual: Vec<f32>, outputs: Vec<[OutputWitness; 2]>) -> Option<Proven> {
    let squares = outputs.iter().map(|pair| pair.iter().map(largest).fold(0.0, f64::max).powi(2));
    let gain = squares.sum::<f64>().sqrt() * (1.0 + 1e-14);
    let room = room(relaxation, &dual);
    let steps = (-FAR..=FAR).filter(|step| step.abs() <= CLOSE || step % 4 == 0);
    let mut scales: Vec<f32> = steps.map(|step| 2f64.powf(f64::from(step) / 16.0) as f32).collect();
    scales.retain(|&scale| f64::from(scale) <= room);
    let mut kept = Vec::new();
    let mut lines = Vec::new();
    for scale in scales {
        let s = f64::from(scale);
        let alpha: Vec<f64> = dual.iter().map(|&a| s * f64::from(a)).collect();
        let value = relaxation.gain(&alpha);
        let value = value - MARGIN * value.abs();
        if value > 0.0 && value.is_finite() && gain.is_finite() {
            kept.push(scale);
            lines.push(Line { value, slope: s * gain });
        }
    }
    (!kept.is_empty()).then_some(Proven { plane: Plane { dual, scales: kept, outputs }, lines })
}

/// The largest s for which s·α is in the domain for sure.
fn room(relaxation: &Relaxation, dual: &[f32]) -> f64 {
    let outputs = relaxation.outputs();
    let mut room = f64::INFINITY;
    for (entry, &a) in dual.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
        let (low, high) = relaxation.domain(entry / outputs, entry % outputs);
        let a = f64::from(a);
        let end = if a > 0.0 { high } else { low };
        room = room.min(if a == end { 1.0 } else { (end / a) * (1.0 - 1e-15) });
    }
    room
}
