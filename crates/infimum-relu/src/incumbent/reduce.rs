//! Fewer neurons at the same outputs and no larger penalty.
//!
//! * Neurons of the same output direction whose kinks have each row weakly on the same side add up: `b relu(v·x) + b relu(v′·x) =
//!   b relu((v + v′)·x)`, and ‖v + v′‖ ≤ ‖v‖ + ‖v′‖.
//! * Neurons of the same direction û add up: `Σ r_j b_j relu(û·x) = r b relu(û·x)` with r b = Σ r_j b_j, and ‖Σ r_j b_j‖ ≤ Σ r_j.
//! * Where the columns `φ_j = b_j relu(X v̂_j)` are linearly dependent, `Σ_j λ_j φ_j = 0`, the scales r_j = ‖v_j‖ can be moved along ±λ until
//!   one is 0; the penalty changes by ±Σ λ_j and does not rise for one of the signs (Caratheodory; at a stationary point it is the same).

use super::columns::{Columns, dot, norm};
use super::units::{Unit, Units, add_unit};

/// Relative size below which what is left of a column counts as nothing.
const DEPENDENT: f64 = 1e-11;
/// Cosine from which on output directions are the same.
const SAME: f64 = 1.0 - 1e-12;

/// Merges neurons of the same cell. Whether there were any.
pub(super) fn merge(columns: &Columns, net: &mut Units) -> bool {
    let mut merged = false;
    let mut j = 0;
    while j < net.units.len() {
        let partner = (0..j).find(|&l| {
            let (a, b) = (&net.units[l], &net.units[j]);
            same_direction(a, b) || same_cell(a, b)
        });
        let Some(l) = partner else {
            j += 1;
            continue;
        };
        let other = net.units.remove(j);
        let unit = &mut net.units[l];
        if same_direction(unit, &other) {
            add_parallel(unit, &other);
        } else {
            unit.v.iter_mut().zip(&other.v).for_each(|(v, other)| *v += other);
            // A kink of both stays one.
            unit.kinks.retain_common(columns, &other.kinks);
        }
        unit.refresh(columns);
        merged = true;
    }
    net.units.retain(|unit| norm(&unit.v) > 0.0);
    merged
}

fn same_direction(a: &Unit, b: &Unit) -> bool {
    dot(&a.v, &b.v) >= SAME * norm(&a.v) * norm(&b.v)
}

/// `r b ← r b + r′ b′`; v becomes 0 where the two cancel.
fn add_parallel(unit: &mut Unit, other: &Unit) {
    let (size, more) = (norm(&unit.v), norm(&other.v));
    let sum: Vec<f64> = unit.b.iter().zip(&other.b).map(|(b, c)| size * b + more * c).collect();
    let length = norm(&sum);
    unit.v.iter_mut().for_each(|v| *v *= length / size);
    if length > 0.0 {
        unit.b = sum.iter().map(|b| b / length).collect();
    }
}

fn same_cell(a: &Unit, b: &Unit) -> bool {
    dot(&a.b, &b.b) >= SAME && a.t.iter().zip(&b.t).all(|(a, b)| !(a * b < 0.0))
}

/// Takes out one neuron whose column depends on the others. Whether there was one.
pub(super) fn thin(columns: &Columns, net: &mut Units) -> bool {
    let size = net.z.len();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut combinations: Vec<Vec<f64>> = Vec::new();
    for j in 0..net.units.len() {
        let unit = &net.units[j];
        let scale = norm(&unit.v);
        let mut column = vec![0.0; size];
        add_unit(&mut column, &unit.t, &unit.b);
        column.iter_mut().for_each(|c| *c /= scale);
        let length = norm(&column);
        // `column − Σ combination·columns` is what is left.
        let mut combination = vec![0.0; net.units.len()];
        combination[j] = 1.0;
        for _ in 0..2 {
            for (q, own) in basis.iter().zip(&combinations) {
                let share = dot(q, &column);
                column.iter_mut().zip(q).for_each(|(c, q)| *c -= share * q);
                combination.iter_mut().zip(own).for_each(|(c, own)| *c -= share * own);
            }
        }
        let rest = norm(&column);
        if rest > DEPENDENT * length {
            column.iter_mut().for_each(|c| *c /= rest);
            combination.iter_mut().for_each(|c| *c /= rest);
            basis.push(column);
            combinations.push(combination);
            continue;
        }
        let before = net.units.len();
        move_along(columns, net, combination);
        return net.units.len() < before;
    }
    false
}

/// `r ← r − s λ` with the sign that does not raise the penalty, until one scale is 0.
fn move_along(columns: &Columns, net: &mut Units, mut lambda: Vec<f64>) {
    if lambda.iter().sum::<f64>() < 0.0 {
        lambda.iter_mut().for_each(|l| *l = -*l);
    }
    let scales: Vec<f64> = net.units.iter().map(|unit| norm(&unit.v)).collect();
    let ratio = |j: usize| if lambda[j] > 0.0 { scales[j] / lambda[j] } else { f64::INFINITY };
    let Some(first) = (0..scales.len()).min_by(|&a, &b| ratio(a).total_cmp(&ratio(b))) else {
        return;
    };
    let time = ratio(first);
    if !time.is_finite() {
        return;
    }
    for (j, unit) in net.units.iter_mut().enumerate() {
        let factor = ((scales[j] - time * lambda[j]) / scales[j]).max(0.0);
        unit.v.iter_mut().for_each(|v| *v *= factor);
        unit.refresh(columns);
    }
    net.units.remove(first);
    net.units.retain(|unit| norm(&unit.v) > 0.0);
}
