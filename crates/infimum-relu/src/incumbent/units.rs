//! Networks in the scale-free form `f(x) = Σ_j b_j relu(v_j·x) + c` with ‖b_j‖ = 1.
//!
//! With ‖w‖ = ‖a‖, which is the cheapest of the scalings of one unit, `a relu(w·x) = b relu(v·x)` for v = ‖a‖ w, b = a/‖a‖, and the
//! penalty (β/2)(‖w‖² + ‖a‖²) is β‖v‖. For one output, b = ±1 and the objective is convex in the v of each pattern of active rows.

use infimum_problem::Intercept;

use super::columns::{Columns, add_relu, dot, norm};
use super::kinks::Kinks;
use super::point_losses::PointLosses;
use crate::{Instance, Net};

/// |x_p·v| below this share of ‖x_p‖‖v‖ is rounding.
const ROUNDING: f64 = 4e-16;

/// A hidden unit.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// v ≠ 0.
    pub(super) v: Vec<f64>,
    /// b, of norm 1.
    pub(super) b: Vec<f64>,
    /// `x_p·v`, exactly 0 on the kinks.
    pub(super) t: Vec<f64>,
    /// Rows on whose kinks v lies.
    pub(super) kinks: Kinks,
}

/// A network with its outputs.
#[derive(Debug, Clone)]
pub(super) struct Units {
    pub(super) units: Vec<Unit>,
    /// c ∈ R^K.
    pub(super) c: Vec<f64>,
    /// Outputs at the points, M × K.
    pub(super) z: Vec<f64>,
    /// Smooth losses plus penalty.
    pub(super) value: f64,
}

impl Unit {
    pub(super) fn new(columns: &Columns, v: Vec<f64>, b: Vec<f64>, kinks: Kinks) -> Unit {
        let mut unit = Unit { v, b, t: vec![0.0; columns.rows], kinks };
        unit.refresh(columns);
        unit
    }

    /// Recomputes t. Rows that are on their kinks up to rounding are put on them: of which side they are, their t does not tell.
    pub(super) fn refresh(&mut self, columns: &Columns) {
        columns.project(&self.v, &mut self.t);
        self.kinks.rows.iter().for_each(|&p| self.t[p as usize] = 0.0);
        let unsure = ROUNDING * norm(&self.v);
        for p in 0..columns.rows {
            if self.t[p].abs() <= unsure * columns.norms[p] && columns.norms[p] > 0.0 {
                self.kinks.push(columns, p);
                self.t[p] = 0.0;
            }
        }
    }
}

/// `z += b relu(t)`.
pub(super) fn add_unit(z: &mut [f64], t: &[f64], b: &[f64]) {
    if let [b] = b {
        return add_relu(t, *b, z);
    }
    for (z, &t) in z.chunks_exact_mut(b.len()).zip(t) {
        if t > 0.0 {
            z.iter_mut().zip(b).for_each(|(z, b)| *z += b * t);
        }
    }
}

impl Units {
    /// The constant `c`.
    pub(super) fn constant(instance: &Instance, c: Vec<f64>) -> Units {
        let z = (0..instance.points.len()).flat_map(|_| c.iter().copied()).collect();
        Units { units: Vec::new(), c, z, value: f64::INFINITY }
    }

    /// A network of the usual form.
    pub(super) fn from_net(instance: &Instance, columns: &Columns, net: &Net) -> Units {
        let mut units = Units::constant(instance, net.biases.clone());
        let (d, outputs) = (columns.dimension.max(1), instance.outputs);
        for (w, a) in net.hidden.chunks_exact(d).zip(net.output.chunks_exact(outputs)) {
            let size = norm(a);
            let v: Vec<f64> = w.iter().map(|w| w * size).collect();
            if size > 0.0 && norm(&v) > 0.0 && norm(&v).is_finite() {
                units.units.push(Unit::new(columns, v, a.iter().map(|a| a / size).collect(), Kinks::default()));
            }
        }
        units
    }

    /// The network in the usual form, balanced.
    pub(super) fn net(&self) -> Net {
        let mut net = Net { hidden: Vec::new(), output: Vec::new(), biases: self.c.clone() };
        for unit in &self.units {
            let size = norm(&unit.v).sqrt();
            net.hidden.extend(unit.v.iter().map(|v| v / size));
            net.output.extend(unit.b.iter().map(|b| b * size));
        }
        net
    }

    /// Penalty.
    pub(super) fn penalty(&self, instance: &Instance) -> f64 {
        let bias = if instance.output_bias == Intercept::Penalized {
            0.5 * instance.beta * dot(&self.c, &self.c)
        } else {
            0.0
        };
        instance.beta * self.units.iter().map(|unit| norm(&unit.v)).sum::<f64>() + bias
    }

    /// Recomputes outputs and value.
    pub(super) fn evaluate(&mut self, instance: &Instance, losses: &mut PointLosses) {
        let outputs = self.c.len();
        self.z.chunks_exact_mut(outputs).for_each(|z| z.copy_from_slice(&self.c));
        for unit in &self.units {
            add_unit(&mut self.z, &unit.t, &unit.b);
        }
        self.value = losses.value(&self.z) + self.penalty(instance);
    }
}
