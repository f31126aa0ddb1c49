//! A primal-dual interior point method for moments with clusters: the scaling of Nesterov & Todd, a predictor, and a corrector of second order (Mehrotra 1992).
//!
//! With x = (G, Z, S, c) of both sides, f(x) = losses + price, A the map to the cones (`side.rs`), s = Ax:
//!
//! ```text
//! (∇²f + AᵀW⁻²A) dx = −∇f + Aᵀy,   y = σμ s⁻¹ − correction,   dz = y − z − W⁻²A dx
//! ```
//!
//! Dual points are feasible up to `∇f − Aᵀz`, which falls with every step; the witness is a bound whatever is left of it.

use super::super::objective::Sloped;
use super::super::point::Biases;
use super::Frame;
use super::cones::{Cones, Scaling};
use super::proof::Products;
use super::side::{Form, Side, adjoint};
use super::system::{Step, System};

/// Share of the way to the boundary that a step takes.
const SHARE: f64 = 0.98;
/// Factorisations after which the path is left.
const STEPS: usize = 100;
/// Steps shorter than this end the path.
const SHORTEST: f64 = 1e-4;

/// Both sides, and the output bias.
pub(super) struct Point {
    pub(super) sides: [Side; 2],
    pub(super) bias: f64,
}

/// Where the path has come to.
pub(super) struct Path<'a> {
    frame: &'a Frame<'a>,
    point: Point,
    primal: [Cones; 2],
    dual: [Cones; 2],
    steps: usize,
}

/// What is read off a point.
pub(super) struct Near {
    /// α, n of them.
    pub(super) alpha: Vec<f64>,
    /// For w = α and for w = −α.
    pub(super) products: [Products; 2],
    /// The relaxation's objective there.
    pub(super) primal: f64,
    /// s·z.
    pub(super) width: f64,
}

impl<'a> Path<'a> {
    /// From `t` on both sides, with the dual point for which `s·z` is `width`.
    pub(super) fn new(frame: &'a Frame<'a>, t: f64, width: f64) -> Option<Path<'a>> {
        let point = Point { sides: [Side::new(frame, t), Side::new(frame, t)], bias: 0.0 };
        let primal = [0, 1].map(|b| point.sides[b].image(frame));
        let mu = 0.5 * width / primal[0].rank();
        let dual = [primal[0].inverse()?.times(mu), primal[1].inverse()?.times(mu)];
        Some(Path { frame, point, primal, dual, steps: 0 })
    }

    /// What is read off the point, and a step. `None` if there is no further progress.
    pub(super) fn advance(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> Option<Near> {
        self.steps += 1;
        if stop() || self.steps > STEPS {
            return None;
        }
        let frame = self.frame;
        let width: f64 = self.primal.iter().zip(&self.dual).map(|(s, z)| s.inner(z)).sum();
        let mu = width / (2.0 * self.primal[0].rank());
        let sloped = frame.objective.at(&frame.outputs(&self.point), mu);
        let scaling = |b: usize| Scaling::new(&self.primal[b], &self.dual[b]);
        let scalings = [scaling(0)?, scaling(1)?];
        let system = System::new(frame, &scalings, &sloped, stop)?;
        // The predictor: y = 0.
        let nothing = self.primal[0].times(0.0);
        let step = system.step(frame, &self.forces([&nothing, &nothing]), self.bias_force(&sloped));
        let (primal, dual) = self.moves(&scalings, &step, [&nothing, &nothing]);
        let length = self.longest(&scalings, &primal, &dual).min(1.0);
        let sigma = (1.0 - length).powi(3).max(1e-6);
        let inverses = [self.primal[0].inverse()?, self.primal[1].inverse()?];
        let aims = [0, 1].map(|b| {
            let mut y = inverses[b].times(sigma * mu);
            y.add(&scalings[b].correction(&self.primal[b], &primal[b], &dual[b]), -1.0);
            y
        });
        let aims = [&aims[0], &aims[1]];
        let step = system.step(frame, &self.forces(aims), self.bias_force(&sloped));
        let (primal, dual) = self.moves(&scalings, &step, aims);
        let length = (SHARE * self.longest(&scalings, &primal, &dual)).min(1.0);
        let near = Near {
            alpha: sloped.alpha.clone(),
            products: [0, 1].map(|b| Products::read_off(frame, &self.dual[b])),
            primal: frame.primal(&self.point),
            width,
        };
        if !(length >= SHORTEST) {
            self.steps = STEPS;
            return Some(near);
        }
        for b in [0, 1] {
            self.point.sides[b].advance(&step.sides[b], length);
            self.dual[b].add(&dual[b], length);
            self.primal[b] = self.point.sides[b].image(frame);
        }
        self.point.bias += length * step.bias;
        Some(near)
    }

    /// −∇f (but for the losses') + Aᵀy.
    fn forces(&self, aims: [&Cones; 2]) -> [Form; 2] {
        aims.map(|y| {
            let mut form = adjoint(self.frame, y);
            form.shared[0] -= self.frame.beta;
            form
        })
    }

    fn bias_force(&self, sloped: &Sloped) -> f64 {
        match self.frame.biases {
            Biases::Absent => 0.0,
            Biases::Present { strength } => {
                self.frame.zeros.iter().map(|&p| sloped.weights[p]).sum::<f64>() - strength * self.point.bias
            }
        }
    }

    /// ds and dz of a step with the aim y.
    fn moves(&self, scalings: &[Scaling; 2], step: &Step, aims: [&Cones; 2]) -> ([Cones; 2], [Cones; 2]) {
        let primal = [0, 1].map(|b: usize| step.sides[b].image(self.frame));
        let dual = [0, 1].map(|b: usize| {
            let mut dual = aims[b].clone();
            dual.add(&self.dual[b], -1.0);
            dual.add(&scalings[b].twice_inverse(&primal[b]), -1.0);
            dual
        });
        (primal, dual)
    }

    fn longest(&self, scalings: &[Scaling; 2], primal: &[Cones; 2], dual: &[Cones; 2]) -> f64 {
        let side = |b: usize| scalings[b].longest(&self.primal[b], &self.dual[b], &primal[b], &dual[b], 1e3);
        side(0).min(side(1))
    }
}
