//! The barrier method along the central path: Newton's method on Φ_μ, and a step to a smaller μ whenever the point is near the path.
//!
//! Near the path the barrier's gradients times μ are multipliers that satisfy the conditions of the dual up to what is left of the
//! gradient; [`super::bound`] makes a bound of them whatever is left. The step to `ζμ` is Newton's step plus `1 − ζ` times the tangent
//! `−μ dx/dμ` of the path, both from one factorisation; ζ follows how many Newton steps the last one cost (Nesterov & Nemirovskii,
//! *Interior-Point Polynomial Algorithms*, 1994, section 3.2; predictor as in Gondzio, Eur. J. Oper. Res. 2012).

use super::blocks::Block;
use super::bound::Multipliers;
use super::point::{Biases, Point, SIGNS, Setting};
use super::system::{System, slack_steps};

/// Squared decrement of a point that is near the path.
const NEAR: f64 = 0.3;
/// Factorisations after which the path is left.
const STEPS: usize = 400;

/// Where the path has come to.
pub(super) struct Path<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) point: Point,
    pub(super) mu: f64,
    ratio: f64,
    corrections: usize,
    steps: usize,
}

/// What an advance found.
pub(super) enum Advance {
    /// The point was near the path at this μ; it has gone on to the next one.
    Near(Box<Near>),
    /// No further progress is possible.
    Ended,
}

/// Dual values of a point near the path.
pub(super) struct Near {
    /// α, n × K (of a linear function: w).
    pub(super) alpha: Vec<f64>,
    /// For each block.
    pub(super) multipliers: Vec<Multipliers>,
    /// The relaxation's objective there.
    pub(super) primal: f64,
    /// μ times the number of logarithms.
    pub(super) width: f64,
}

impl<'a> Path<'a> {
    /// From `t` in every block, at a μ for which all logarithms together weigh `width`.
    pub(super) fn new(setting: Setting<'a>, t: f64, width: f64) -> Path<'a> {
        let signs = [1.0, -1.0];
        let blocks = (0..setting.outputs).flat_map(|_| signs.iter());
        let blocks: Vec<Block> = blocks.map(|&sign| Block::new(sign, t, &setting.rows)).collect();
        let mu = width / setting.logarithms();
        let point = setting.eliminate(blocks, vec![0.0; setting.outputs], mu);
        Path { setting, point, mu, ratio: 0.2, corrections: 0, steps: 0 }
    }

    /// Newton steps until the point is near the path, then a step along it.
    pub(super) fn advance(&mut self, stop: &dyn Fn() -> bool) -> Advance {
        loop {
            self.steps += 1;
            if stop() || self.steps > STEPS {
                return Advance::Ended;
            }
            let systems: Option<Vec<System>> =
                (0..self.setting.outputs).map(|k| System::new(&self.setting, &self.point, k, self.mu)).collect();
            let Some(systems) = systems else { return Advance::Ended };
            let newton: Vec<Vec<f64>> = systems.iter().map(|system| system.solve(&system.descent)).collect();
            let squared: f64 = systems.iter().zip(&newton).map(|(s, step)| super::blocks::dot(&s.descent, step)).sum();
            if !squared.is_finite() {
                return Advance::Ended;
            }
            if squared > NEAR {
                if !self.correct(&newton, squared) {
                    return Advance::Ended;
                }
                self.corrections += 1;
                continue;
            }
            let near = self.near();
            let tangent: Vec<Vec<f64>> = systems.iter().map(|system| system.solve(&system.pull)).collect();
            self.follow(&newton, &tangent);
            return Advance::Near(Box::new(near));
        }
    }

    /// A Newton step, as long as Φ allows.
    fn correct(&mut self, newton: &[Vec<f64>], squared: f64) -> bool {
        let before = self.setting.value(&self.point, self.mu);
        let slacks = self.slack_steps(newton, 0.0);
        let mut length = 1.0;
        for _ in 0..40 {
            // A step ends well inside: from near the boundary there are many steps back.
            if self.displaced(newton, &slacks, 1.25 * length).is_some()
                && let Some(next) = self.moved(newton, &slacks, length, self.mu)
            {
                let after = self.setting.value(&next, self.mu);
                if after <= before - 0.05 * length * squared + 1e-13 * before.abs() {
                    self.point = next;
                    return true;
                }
            }
            length *= 0.6;
        }
        false
    }

    /// On to a smaller μ.
    fn follow(&mut self, newton: &[Vec<f64>], tangent: &[Vec<f64>]) {
        self.ratio = match self.corrections {
            0 => 0.4 * self.ratio,
            1 => 0.7 * self.ratio,
            2 => self.ratio,
            _ => 1.6 * self.ratio,
        }
        .clamp(0.02, 0.6);
        self.corrections = 0;
        let mut share = 1.0 - self.ratio;
        for _ in 0..20 {
            let parts = newton.iter().zip(tangent);
            let step: Vec<Vec<f64>> =
                parts.map(|(n, t)| n.iter().zip(t).map(|(n, t)| n + share * t).collect()).collect();
            let (slacks, mu) = (self.slack_steps(&step, share), (1.0 - share) * self.mu);
            // A little farther must still be inside.
            if self.displaced(&step, &slacks, 1.1).is_some()
                && let Some(next) = self.moved(&step, &slacks, 1.0, mu)
            {
                (self.point, self.mu) = (next, mu);
                return;
            }
            share *= 0.8;
        }
        self.mu *= 0.7;
        self.point = self.setting.eliminate(self.point.blocks.clone(), self.point.biases.clone(), self.mu);
    }

    fn slack_steps(&self, steps: &[Vec<f64>], share: f64) -> Vec<Vec<f64>> {
        let output = |(k, step): (usize, &Vec<f64>)| slack_steps(&self.setting, &self.point, k, self.mu, step, share);
        steps.iter().enumerate().flat_map(output).collect()
    }

    fn displaced(&self, steps: &[Vec<f64>], slacks: &[Vec<f64>], length: f64) -> Option<Vec<Block>> {
        let setting = &self.setting;
        let size = super::packed::packed(setting.rows.unit.nrows() + 1);
        let mut blocks = Vec::with_capacity(self.point.blocks.len());
        for (b, block) in self.point.blocks.iter().enumerate() {
            let part = &steps[b / SIGNS][b % SIGNS * size..][..size];
            let next = block.moved(part, &slacks[b], length, &setting.rows)?;
            blocks.push(next);
        }
        Some(blocks)
    }

    fn moved(&self, steps: &[Vec<f64>], slacks: &[Vec<f64>], length: f64, mu: f64) -> Option<Point> {
        let blocks = self.displaced(steps, slacks, length)?;
        let mut biases = self.point.biases.clone();
        if self.setting.biases != Biases::Absent {
            let last = |step: &Vec<f64>| step.last().copied().unwrap_or(0.0);
            biases.iter_mut().zip(steps).for_each(|(c, step)| *c += length * last(step));
        }
        let point = self.setting.eliminate(blocks, biases, mu);
        self.setting.value(&point, mu).is_finite().then_some(point)
    }

    fn near(&self) -> Near {
        let setting = &self.setting;
        let (points, rows, mu) = (setting.points, &setting.rows, self.mu);
        let d = rows.unit.nrows();
        let multipliers = self.point.blocks.iter().map(|block| {
            let mut out = Multipliers { tau: vec![1.0; points], g: vec![0.0; points * d], sigma: vec![0.0; points] };
            for (i, &p) in rows.point.iter().enumerate() {
                let (distances, norm) = (block.distances(i), rows.norm[i]);
                out.tau[p] = norm * (block.y[i] / block.t()).sqrt();
                out.sigma[p] = 2.0 * mu * block.q[i] / distances.line / norm;
                let factor = 2.0 * mu / distances.ball / norm;
                let g = &mut out.g[p * d..(p + 1) * d];
                g.iter_mut().zip(block.v.col_as_slice(i)).for_each(|(g, v)| *g = factor * v);
            }
            out
        });
        Near {
            alpha: self.point.sloped.alpha.clone(),
            multipliers: multipliers.collect(),
            primal: setting.primal(&self.point),
            width: mu * setting.logarithms(),
        }
    }
}
