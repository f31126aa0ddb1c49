//! Planes of a chain: the central path of the relaxation at the price of ρ that belongs to the place where the bound is attained, and again at other prices
//! as long as that helps.
//!
//! With φ(ρ) = the least loss of the relaxation's networks of gauge at most ρ (convex), the best bound is `min_ρ φ(ρ) + (λ/2) squares(ρ)`; at its minimiser
//! the price, which is −φ′, is that of [`Chain::price`]. So along the path the price follows the gauge of the point. Planes from other prices matter where φ
//! is far from the first plane and its scales.

use infimum_problem::Monitor;
use infimum_relu::relaxation::{Near, Relaxation};

use super::chain::Chain;
use super::envelope::{Line, least};
use super::plane::{Proven, plane};
use super::ray;

/// Share of the objective that the logarithms may weigh at the end of a path, and from which on planes are made.
const ENOUGH: f64 = 3e-4;
const EARLY: f64 = 0.5;
/// Factor by which a price may change from one point to the next.
const STRIDE: f64 = 1.6;
/// Share by which a further plane has to raise the bound for another one to be looked for, and how many there may be.
const GAIN: f64 = 2e-3;
const MOST: usize = 8;

/// The state of the search.
pub(super) struct Search<'a> {
    pub(super) relaxation: &'a Relaxation<'a>,
    pub(super) chain: Chain,
    pub(super) lambda: f64,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) planes: Vec<Proven>,
}

impl Search<'_> {
    /// The bound of all planes, and where it is attained.
    pub(super) fn least(&self) -> (f64, f64) {
        let lines: Vec<Line> = self.planes.iter().flat_map(|plane| plane.lines.iter().copied()).collect();
        least(self.chain, self.lambda, &lines)
    }

    fn stopped(&self) -> bool {
        self.monitor.stop().is_some()
    }

    /// Paths until nothing is gained.
    pub(super) fn run(&mut self) {
        let deep = self.chain.layers > 2;
        self.planes.extend(ray::plane_of_zero(self.relaxation, deep, &|| self.stopped()));
        if !self.relaxation.is_affordable(if deep { 4 } else { 2 }) {
            return;
        }
        let mut sides = (self.chain.layers > 2).then(|| self.relaxation.sides(&self.relaxation.first_alpha()));
        // The first path looks for its price, the others have one.
        let mut price = None;
        for _ in 0..MOST {
            let before = self.least().0;
            let Some(last) = self.path(sides.clone(), price) else { return };
            let (bound, rho) = self.least();
            if self.stopped() || bound <= before * (1.0 + GAIN) || self.chain.layers == 2 {
                return;
            }
            sides = sides.map(|_| last.sides);
            price = Some(self.chain.price(self.lambda, rho.max(1e-6)));
        }
    }

    /// One path, whose best planes are kept; its last point.
    fn path(&mut self, sides: Option<Vec<f64>>, fixed: Option<f64>) -> Option<Near> {
        let (relaxation, monitor) = (self.relaxation, self.monitor);
        let (mut price, mut last) = (fixed.unwrap_or(self.lambda), None);
        relaxation.follow(sides, price, &|| monitor.stop().is_some(), &mut |near| {
            let settled = near.width <= ENOUGH * near.primal.abs();
            if near.width <= EARLY * near.primal.abs() {
                self.offer(near);
            }
            if fixed.is_none() {
                let target = self.chain.price(self.lambda, near.gauge.max(1e-6));
                price = target.clamp(price / STRIDE, price * STRIDE);
            }
            last = Some(near.clone());
            (!settled).then_some(price)
        });
        last
    }

    /// Adds a plane; planes of the same path that are nowhere needed any more go.
    fn offer(&mut self, near: &Near) {
        if let Some(plane) = plane(self.relaxation, &near.alpha, &near.slopes, &near.multipliers) {
            self.planes.push(plane);
            self.thin(1e-9);
        }
    }

    /// Takes away planes, then scales, without which the bound is lower by at most `share`.
    pub(super) fn thin(&mut self, share: f64) {
        let target = self.least().0 * (1.0 - share);
        let mut place = 0;
        while place < self.planes.len() {
            let plane = self.planes.remove(place);
            if self.least().0 < target {
                self.planes.insert(place, plane);
                place += 1;
            }
        }
    }

    /// The same for scales.
    pub(super) fn thin_scales(&mut self, share: f64) {
        let target = self.least().0 * (1.0 - share);
        for place in 0..self.planes.len() {
            let mut scale = 0;
            while scale < self.planes[place].lines.len() {
                let (line, factor) =
                    (self.planes[place].lines.remove(scale), self.planes[place].plane.scales.remove(scale));
                if self.least().0 < target {
                    self.planes[place].lines.insert(scale, line);
                    self.planes[place].plane.scales.insert(scale, factor);
                    scale += 1;
                }
            }
        }
        self.planes.retain(|plane| !plane.lines.is_empty());
    }
}
