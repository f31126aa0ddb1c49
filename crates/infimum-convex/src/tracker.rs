//! Best primal and dual point seen by one solver, and whether it may stop. Bounds never get worse.

use infimum_problem::{Event, Monitor, Stop, relative_gap};

use crate::design;
use crate::frame::{Frame, Point};

/// Offsets that turn the values of one of several independent problems (one-vs-rest) into those of their sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Offset {
    pub(crate) upper: f64,
    pub(crate) lower: f64,
    pub(crate) explored: u64,
}

/// The incumbent, the best dual point and the stopping rule.
pub(crate) struct Tracker<'m> {
    monitor: &'m dyn Monitor,
    gap: f64,
    abs_gap: f64,
    offset: Offset,
    /// Value of `point`.
    pub(crate) upper: f64,
    /// Incumbent.
    pub(crate) point: Point,
    /// Its outputs, where they are at hand.
    outputs: Option<Vec<f64>>,
    /// Value of `alpha`.
    pub(crate) lower: f64,
    /// Best dual point, feasible up to rounding.
    pub(crate) alpha: Vec<f64>,
    /// Iterations or epochs so far.
    pub(crate) explored: u64,
    /// Absolute gap when it last shrank notably.
    mark: f64,
    /// Why the solver gave up, if it did.
    pub(crate) trouble: Option<String>,
}

impl<'m> Tracker<'m> {
    /// Starts at `point` with value `upper` and at the dual point 0, whose value is 0 for every loss.
    pub(crate) fn new(
        monitor: &'m dyn Monitor,
        gap: f64,
        abs_gap: f64,
        offset: Offset,
        point: Point,
        upper: f64,
        dual_length: usize,
    ) -> Self {
        let alpha = vec![0.0; dual_length];
        Tracker {
            monitor,
            gap,
            abs_gap,
            offset,
            upper,
            point,
            outputs: None,
            lower: 0.0,
            alpha,
            explored: 0,
            mark: f64::INFINITY,
            trouble: None,
        }
    }

    /// Takes the point as incumbent if it is better.
    pub(crate) fn offer_point(&mut self, upper: f64, point: &Point) -> bool {
        let better = upper < self.upper;
        if better {
            self.upper = upper;
            self.point.clone_from(point);
            self.outputs = None;
        }
        better
    }

    /// Takes the point, of which these are the outputs, as incumbent if it is better.
    pub(crate) fn offer_point_with(&mut self, upper: f64, point: &Point, outputs: Vec<f64>) {
        if self.offer_point(upper, point) {
            self.outputs = Some(outputs);
        }
    }

    /// The outputs of the incumbent, which a solver begins with: handed over, or made.
    pub(crate) fn outputs(&mut self, frame: &Frame) -> Vec<f64> {
        self.outputs.take().unwrap_or_else(|| {
            let mut z = vec![0.0; frame.rows() * frame.outputs];
            design::multiply(frame.matrix, &self.point.weights, &self.point.intercepts, &mut z);
            z
        })
    }

    /// Takes the dual point (feasible up to rounding) if it is better.
    pub(crate) fn offer_dual(&mut self, lower: f64, alpha: &[f64]) -> bool {
        let better = lower > self.lower;
        if better {
            self.lower = lower;
            self.alpha.copy_from_slice(alpha);
        }
        better
    }

    /// Whether the gap has shrunk by a hundredth since this last said so: improvements in the last places are none.
    pub(crate) fn progressed(&mut self) -> bool {
        let gap = (self.upper - self.lower).max(0.0);
        let progressed = gap < 0.99 * self.mark || !self.mark.is_finite();
        if progressed {
            self.mark = gap;
        }
        progressed
    }

    /// Tells the monitor where things stand.
    pub(crate) fn report(&self, source: &'static str) {
        self.monitor.report(Event::Progress {
            source,
            upper: self.upper + self.offset.upper,
            lower: self.lower + self.offset.lower,
            explored: self.explored + self.offset.explored,
        });
    }

    /// Tells the monitor where things stand in the middle of a part of the work that has come to its own bound of the whole problem.
    pub(crate) fn report_of_part(&self, source: &'static str, lower: f64, explored: u64) {
        self.monitor.report(Event::Progress {
            source,
            upper: self.upper + self.offset.upper,
            lower: self.lower.max(lower) + self.offset.lower,
            explored: self.explored + explored + self.offset.explored,
        });
    }

    /// Relative gap between the best points.
    pub(crate) fn relative_gap(&self) -> f64 {
        relative_gap(self.upper, self.lower)
    }

    /// The relative gap asked for.
    pub(crate) fn wanted(&self) -> f64 {
        self.gap
    }

    /// The absolute gap asked for, less room for the rounding margin of the claim; negative if there is none left.
    pub(crate) fn allowance(&self) -> f64 {
        0.95 * (self.gap * self.upper.abs()).max(self.abs_gap) - 1e-13 * self.upper.abs()
    }

    /// What of the gap asked for the upper claim may take for the sake of speed: less than the allowance leaves of it.
    pub(crate) fn room(&self) -> f64 {
        0.01 * (self.gap * self.upper.abs()).max(self.abs_gap)
    }

    /// Whether the gap asked for is reached.
    pub(crate) fn reached(&self) -> bool {
        (self.upper - self.lower).max(0.0) <= self.allowance()
    }

    /// Whether the monitor says stop.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.monitor.stop()
    }

    /// Whether the solver is to end now: gap reached, or told to stop.
    pub(crate) fn done(&self) -> bool {
        self.reached() || self.stop().is_some()
    }
}
