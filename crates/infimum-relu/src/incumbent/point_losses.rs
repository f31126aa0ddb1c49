//! The losses as a smooth function of the outputs at the distinct points.
//!
//! Losses with a continuous gradient are themselves. A loss that is a sum of hinges `w·max(0, o − s z) = max_{0≤a≤w} a(o − s z)`
//! has no gradient at its kink, where its dual a is not determined by z. In its place stands the proximal form of the method of
//! multipliers (Rockafellar, *Augmented Lagrangians and applications of the proximal point algorithm*, Math. Oper. Res. 1976)
//!
//! ```text
//! e(z) = max_{0≤a≤w} [a(o − s z) − (μ/2)(a − â)²],    a(z) = clamp(â + (o − s z)/μ, 0, w),    e′ = −s a(z)
//! ```
//!
//! which is convex, below the loss, and touches it where a(z) = â. Each minimisation ends with â ← a(z); at the fixed point a is the
//! dual of the loss itself, and it is in its domain all along.

use infimum_convex::HingeTerm;

use crate::Instance;

/// Losses at points; Z is M × K, row-major.
pub(super) struct PointLosses<'a> {
    instance: &'a Instance<'a>,
    /// Whether row i is point i.
    plain: bool,
    terms: Vec<(usize, HingeTerm)>,
    /// â of every term.
    centre: Vec<f64>,
    /// μ.
    smoothing: f64,
    /// Outputs, α and curvature of the rows.
    z: Vec<f64>,
    alpha: Vec<f64>,
    curvature: Vec<f64>,
}

impl<'a> PointLosses<'a> {
    pub(super) fn new(instance: &'a Instance<'a>) -> PointLosses<'a> {
        let size = instance.rows() * instance.outputs;
        let terms = instance.losses.hinges();
        let plain = instance.rows() == instance.points.len();
        let centre = terms.iter().map(|(_, term)| 0.5 * term.weight).collect();
        let mut losses = PointLosses {
            instance,
            plain,
            terms,
            centre,
            smoothing: 1.0,
            z: vec![0.0; size],
            alpha: vec![0.0; size],
            curvature: vec![0.0; size],
        };
        losses.smoothing = losses.scale();
        losses
    }

    /// Whether the losses are replaced by smooth ones.
    pub(super) fn is_proximal(&self) -> bool {
        !self.terms.is_empty()
    }

    /// A tenth of the spread of the kinks for a whole dual: 0.1·(mean |o|)/(mean w).
    fn scale(&self) -> f64 {
        let count = self.terms.len().max(1) as f64;
        let offset: f64 = self.terms.iter().map(|(_, term)| term.offset.abs()).sum::<f64>() / count;
        let weight: f64 = self.terms.iter().map(|(_, term)| term.weight).sum::<f64>() / count;
        let scale = 0.1 * offset / weight;
        if scale.is_finite() && scale > 0.0 { scale } else { 1.0 }
    }

    /// μ ← factor·μ, not below a tenth of where it began: with less, Newton's steps cross too many corners of the dual.
    pub(super) fn sharpen(&mut self, factor: f64) {
        self.smoothing = (self.smoothing * factor).max(1e-1 * self.scale());
    }

    /// â ← a(z). Returns `Σ w-scaled |a − â| μ`: how far the outputs were from where the duals say.
    pub(super) fn recentre(&mut self, z: &[f64]) -> f64 {
        self.gather(z);
        let mut moved = 0.0f64;
        for ((entry, term), centre) in self.terms.iter().zip(&mut self.centre) {
            let a = dual(term, *centre, self.smoothing, self.z[*entry]);
            moved += self.smoothing * (a - *centre).abs() * term.weight;
            *centre = a;
        }
        moved
    }

    fn gather(&mut self, z: &[f64]) {
        if self.plain {
            self.z.copy_from_slice(z);
            return;
        }
        let outputs = self.instance.outputs;
        for (row, &p) in self.z.chunks_exact_mut(outputs).zip(&self.instance.point_of) {
            row.copy_from_slice(&z[p as usize * outputs..][..outputs]);
        }
    }

    /// Value of the smooth losses.
    pub(super) fn value(&mut self, z: &[f64]) -> f64 {
        self.gather(z);
        if !self.is_proximal() {
            return self.instance.losses.value(&self.z);
        }
        let mu = self.smoothing;
        let term = |((entry, term), &centre): (&(usize, HingeTerm), &f64)| {
            let z = self.z[*entry];
            let a = dual(term, centre, mu, z);
            a * (term.offset - term.sign * z) - 0.5 * mu * (a - centre) * (a - centre)
        };
        self.terms.iter().zip(&self.centre).map(term).sum()
    }

    /// Value of the losses themselves.
    pub(super) fn true_value(&mut self, z: &[f64]) -> f64 {
        self.gather(z);
        self.instance.losses.value(&self.z)
    }

    /// α of the rows, n × K, as of z.
    pub(super) fn row_alpha(&mut self, z: &[f64]) -> &[f64] {
        self.gather(z);
        if !self.is_proximal() {
            self.instance.losses.derivatives(&self.z, &mut self.alpha, &mut self.curvature);
            return &self.alpha;
        }
        self.alpha.fill(0.0);
        self.curvature.fill(0.0);
        for ((entry, term), &centre) in self.terms.iter().zip(&self.centre) {
            let a = dual(term, centre, self.smoothing, self.z[*entry]);
            self.alpha[*entry] += term.sign * a;
            if a > 0.0 && a < term.weight {
                self.curvature[*entry] += 1.0 / self.smoothing;
            }
        }
        &self.alpha
    }

    /// `−∂/∂Z`, added up over the rows of each point.
    pub(super) fn alpha(&mut self, z: &[f64], merged: &mut [f64]) {
        self.row_alpha(z);
        merge(self.instance, &self.alpha, merged, self.instance.outputs);
    }

    /// Second derivatives: K × K for each point, of the outputs of the last call of `alpha`.
    pub(super) fn curvature(&mut self, blocks: &mut [f64]) {
        let outputs = self.instance.outputs;
        if outputs == 1 {
            merge(self.instance, &self.curvature, blocks, 1);
            return;
        }
        blocks.fill(0.0);
        let (mut unit, mut column) = (vec![0.0; self.z.len()], vec![0.0; self.z.len()]);
        for k in 0..outputs {
            unit.iter_mut().enumerate().for_each(|(entry, unit)| *unit = f64::from(u8::from(entry % outputs == k)));
            if self.is_proximal() {
                column.iter_mut().zip(&unit).zip(&self.curvature).for_each(|((c, unit), h)| *c = unit * h);
            } else {
                self.instance.losses.curve(&self.curvature, &unit, &mut column);
            }
            for (row, &p) in column.chunks_exact(outputs).zip(&self.instance.point_of) {
                let block = &mut blocks[p as usize * outputs * outputs..][..outputs * outputs];
                row.iter().enumerate().for_each(|(l, h)| block[l * outputs + k] += h);
            }
        }
    }
}

/// a(z) of a term.
fn dual(term: &HingeTerm, centre: f64, mu: f64, z: f64) -> f64 {
    (centre + (term.offset - term.sign * z) / mu).clamp(0.0, term.weight)
}

/// Adds up the rows of each point.
fn merge(instance: &Instance, rows: &[f64], points: &mut [f64], outputs: usize) {
    if rows.len() == points.len() {
        points.copy_from_slice(rows);
        return;
    }
    points.fill(0.0);
    for (row, &p) in rows.chunks_exact(outputs).zip(&instance.point_of) {
        points[p as usize * outputs..][..outputs].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}
