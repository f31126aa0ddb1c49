//! The barrier method along the central path: Newton's method on Φ_μ, and a step to a smaller μ whenever the point is near the path.
//!
//! Near the path the barrier's gradients times μ are multipliers that satisfy the conditions of the dual up to what is left of the
//! gradient; [`super::bound`] makes a bound of them whatever is left. The step to `ζμ` is Newton's step plus `1 − ζ` times the tangent
//! `−μ dx/dμ` of the path, both from one factorisation; ζ follows how many Newton steps the last one cost (Nesterov & Nemirovskii,
//! *Interior-Point Polynomial Algorithms*, 1994, section 3.2; predictor as in Gondzio, Eur. J. Oper. Res. 2012).

use super::blocks::Block;
use super::bound::Multipliers;
use super::layers::Layers;
use super::point::{Biases, Point, Setting};
use super::system::{System, slack_steps};

/// Squared decrement of a point that is near the path.
const NEAR: f64 = 0.3;
/// Factorisations after which the path is left.
const STEPS: usize = 400;

/// Where the path has come to.
pub(crate) struct Path<'a> {
    setting: Setting<'a>,
    point: Point,
    mu: f64,
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
#[derive(Debug, Clone)]
pub struct Near {
    /// α, n × K.
    pub alpha: Vec<f64>,
    /// v/|w| of each point and output: which share of the negative weights goes from the whole to the rest; none with one hidden layer.
    pub slopes: Vec<f64>,
    /// The sides, changed where the losses still have another slope than that of the side when the output is as far to the other as the blocks allow; none
    /// with one hidden layer.
    pub sides: Vec<f64>,
    /// `sqrt(Σ_k t_k²)`.
    pub gauge: f64,
    /// For each block: for each output w and −w, or with more hidden layers whole and rest of w, whole and rest of −w.
    pub multipliers: Vec<Multipliers>,
    /// The relaxation's objective there.
    pub primal: f64,
    /// μ times the number of logarithms.
    pub width: f64,
}

impl<'a> Path<'a> {
    /// From `t` in every block, at a μ for which all logarithms together weigh `width`.
    pub(super) fn new(setting: Setting<'a>, t: f64, width: f64) -> Path<'a> {
        let rows = setting.rows.len();
        let block = |b: usize| {
            let active = (0..rows).map(|i| setting.part(b, i).is_some()).collect();
            Block::new(active, t, &setting.rows)
        };
        let blocks: Vec<Block> = (0..setting.outputs * setting.layers.blocks()).map(block).collect();
        let ties = match setting.layers {
            Layers::One => Vec::new(),
            Layers::More { .. } => {
                let tie = |place: usize| {
                    let [eta, delta] = setting.mixture(&blocks, place / rows, place % rows);
                    delta.max(0.0) + eta.abs()
                };
                (0..setting.outputs * rows).map(tie).collect()
            }
        };
        let mu = width / setting.logarithms();
        let point = setting.eliminate(blocks, ties, vec![0.0; setting.outputs], mu);
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

    /// The next point near the path, if there is one.
    pub(crate) fn next_near(&mut self, stop: &dyn Fn() -> bool) -> Option<Near> {
        match self.advance(stop) {
            Advance::Near(near) => Some(*near),
            Advance::Ended => None,
        }
    }

    /// Another price from here on.
    pub(crate) fn set_price(&mut self, beta: f64) {
        self.setting.beta = beta;
    }

    /// A Newton step, as long as Φ allows.
    fn correct(&mut self, newton: &[Vec<f64>], squared: f64) -> bool {
        let before = self.setting.value(&self.point, self.mu);
        let slacks = self.slack_steps(newton, 0.0);
        let mut length = 1.0;
        for _ in 0..40 {
            // A step ends well inside: from near the boundary there are many steps back.
            if self.displaced(newton, &slacks.0, 1.25 * length).is_some()
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
            if self.displaced(&step, &slacks.0, 1.1).is_some()
                && let Some(next) = self.moved(&step, &slacks, 1.0, mu)
            {
                (self.point, self.mu) = (next, mu);
                return;
            }
            share *= 0.8;
        }
        self.mu *= 0.7;
        let Point { blocks, ties, biases, .. } = self.point.clone();
        self.point = self.setting.eliminate(blocks, ties, biases, self.mu);
    }

    /// Of all blocks, and of all ties.
    fn slack_steps(&self, steps: &[Vec<f64>], share: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
        let output = |(k, step): (usize, &Vec<f64>)| slack_steps(&self.setting, &self.point, k, self.mu, step, share);
        let (slacks, ties): (Vec<_>, Vec<_>) = steps.iter().enumerate().map(output).unzip();
        (slacks.into_iter().flatten().collect(), ties.into_iter().flatten().collect())
    }

    fn displaced(&self, steps: &[Vec<f64>], slacks: &[Vec<f64>], length: f64) -> Option<Vec<Block>> {
        let setting = &self.setting;
        let (size, count) = (super::packed::packed(setting.rows.unit.nrows() + 1), setting.layers.blocks());
        let mut blocks = Vec::with_capacity(self.point.blocks.len());
        for (b, block) in self.point.blocks.iter().enumerate() {
            let part = &steps[b / count][b % count * size..][..size];
            let next = block.moved(part, &slacks[b], length, &setting.rows)?;
            blocks.push(next);
        }
        Some(blocks)
    }

    fn moved(&self, steps: &[Vec<f64>], slacks: &(Vec<Vec<f64>>, Vec<f64>), length: f64, mu: f64) -> Option<Point> {
        let blocks = self.displaced(steps, &slacks.0, length)?;
        let rows = self.setting.rows.len();
        let least =
            |blocks: &[Block], place: usize| self.setting.mixture(blocks, place / rows, place % rows)[1].max(0.0);
        // Ties stay a tenth as far from their ends as they were, like slacks.
        let tie = |(place, (&tie, step)): (usize, (&f64, &f64))| {
            let distance = tie - least(&self.point.blocks, place);
            (tie + length * step).max(least(&blocks, place) + 0.1 * distance)
        };
        let ties = self.point.ties.iter().zip(&slacks.1).enumerate().map(tie).collect();
        let mut biases = self.point.biases.clone();
        if self.setting.biases != Biases::Absent {
            let last = |step: &Vec<f64>| step.last().copied().unwrap_or(0.0);
            biases.iter_mut().zip(steps).for_each(|(c, step)| *c += length * last(step));
        }
        let point = self.setting.eliminate(blocks, ties, biases, mu);
        self.setting.value(&point, mu).is_finite().then_some(point)
    }

    /// See [`Near::sides`]: the outputs are compared with `−σ(η' − max(0, δ'))`, η' and δ' being those of the other side.
    fn other_sides(&self) -> Vec<f64> {
        let (setting, blocks) = (&self.setting, &self.point.blocks);
        let Layers::More { sides } = &setting.layers else { return Vec::new() };
        let turned = Layers::More { sides: sides.iter().map(|side| -side).collect() };
        let mut f = vec![0.0; sides.len()];
        let count = turned.blocks();
        for k in 0..setting.outputs {
            for (i, &p) in setting.rows.point.iter().enumerate() {
                let (entry, mut sums) = (p * setting.outputs + k, [0.0; 2]);
                for b in 0..count {
                    let Some((channel, sign)) = turned.role(b, entry) else { continue };
                    let block = &blocks[k * count + b];
                    let slack = if block.active[i] { block.slack[i] } else { (block.t() * block.y[i]).sqrt() };
                    sums[channel] += 0.5 * sign * setting.rows.norm[i] * (block.q[i] + slack);
                }
                f[entry] = -sides[entry] * (sums[0] - sums[1].max(0.0));
            }
        }
        let slopes = setting.objective.at(&f, self.mu).weights;
        sides.iter().zip(&slopes).map(|(side, slope)| if side * slope < 0.0 { -side } else { *side }).collect()
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
        let slopes = (0..self.point.ties.len()).map(|place| {
            let (k, i) = (place / rows.len(), place % rows.len());
            let delta = setting.mixture(&self.point.blocks, k, i)[1];
            let tie = self.point.ties[place];
            // v = μ/(q − δ), |w| − v = μ/q.
            (rows.point[i] * setting.outputs + k, tie / (tie + (tie - delta)))
        });
        let mut out = vec![1.0; if self.point.ties.is_empty() { 0 } else { points * setting.outputs }];
        slopes.for_each(|(entry, slope)| out[entry] = slope);
        Near {
            slopes: out,
            sides: self.other_sides(),
            gauge: setting.gauge(&self.point),
            alpha: self.point.sloped.alpha.clone(),
            multipliers: multipliers.collect(),
            primal: setting.primal(&self.point),
            width: mu * setting.logarithms(),
        }
    }
}
