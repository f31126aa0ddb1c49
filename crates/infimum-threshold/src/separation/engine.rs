//! One unit's search for a hyperplane: a ladder from a sign test to the simplex.
//!
//! State: which points are wanted positive or negative (`wanted`), a hyperplane (`weights`) that separated what was wanted at the last check, and
//! a tableau of the group with the value `s` of every point. Bounds are not stored: a point wanted positive has s ≥ 1, negative s ≤ −1, others are free; so
//! assignments and backtracking cost nothing. A check goes up the ladder: do the signs still hold; a few projections (perceptron); the
//! bounded simplex of Dutertre and de Moura (CAV 2006, section 3); for wide unstructured data the sum of infeasibilities (King, Barrett, Dutertre, FMCAD 2013). A row
//! of the tableau in which a violated point is blocked *is* a circuit: the point and the row's nonzeros, with the row's entries as multipliers.
//! Invariant: `s[basic] = a · s[nonbasic]` up to rounding; a found hyperplane is accepted only after the signs were computed anew from the points,
//! and a circuit only with exact integers or a proof of its signs.

use std::sync::Arc;

use infimum_rigor::vectorized;

use super::circuit::{self, Side};
use super::crash::Start;
use super::tableau::{Place, Tableau};
use crate::points::GroupPoints;

/// Projections tried before the simplex.
const PROJECTIONS: usize = 5;
/// Violations below this are rounding.
const TOLERANCE: f64 = 1e-7;
/// A pivot must be at least this part of the largest entry of its row.
const PIVOT: f64 = 1e-6;
/// A sign counts if its value is above this part of the length of the weights.
const SIGN: f64 = 1e-9;
/// Filled more than this many times over the start, a sparse tableau is reset before the next check.
const FILL: usize = 6;
/// Pivots after which values are computed anew.
const REFRESH: usize = 64;
/// Pivots after which a dense tableau is made anew.
const REBUILD: usize = 400;

/// The points of a circuit.
pub(crate) type Terms = Vec<(u32, Side)>;

/// What a check finds.
pub(crate) enum Check {
    /// `weights` separates all that is wanted.
    Separated,
    /// No hyperplane does: a circuit with its multipliers, positive for points wanted positive.
    Conflict(Terms),
    /// The arithmetic of `f64` did not decide.
    Unknown,
}

/// One unit.
pub(crate) struct Engine {
    points: Arc<GroupPoints>,
    start: Arc<Start>,
    tableau: Tableau,
    /// 1, −1 or 0 for every point.
    pub(crate) wanted: Vec<i8>,
    /// Points that are wanted, in no order, and where each stands in it.
    assigned: Vec<u32>,
    position: Vec<u32>,
    /// Whether something is wanted that `weights` does not do.
    pub(crate) dirty: bool,
    /// Whether the last check ended at a vertex of the simplex, so that its tableau says something new.
    pub(crate) at_vertex: bool,
    /// The current hyperplane, over scaled coordinates, bias last.
    pub(crate) weights: Vec<f64>,
    length: f64,
    values: Vec<f64>,
    /// Multiplications so far, about.
    pub(crate) work: u64,
    /// Pivots since the tableau was made.
    since_rebuild: usize,
    since_refresh: usize,
    shift: Vec<f64>,
}

impl Engine {
    pub(crate) fn new(points: Arc<GroupPoints>, start: Arc<Start>) -> Engine {
        let count = points.len();
        Engine {
            tableau: start.tableau.clone(),
            wanted: vec![0; count],
            assigned: Vec::new(),
            position: vec![u32::MAX; count],
            dirty: false,
            at_vertex: false,
            weights: vec![0.0; points.scaled.coordinates],
            length: 0.0,
            values: vec![0.0; count],
            work: 0,
            since_rebuild: 0,
            since_refresh: 0,
            shift: Vec::new(),
            points,
            start,
        }
    }

    /// Wants point `p` positive or negative.
    #[inline]
    pub(crate) fn want(&mut self, p: usize, positive: bool) {
        let sign = if positive { 1 } else { -1 };
        if self.wanted[p] == sign {
            return;
        }
        if self.wanted[p] == 0 {
            self.position[p] = self.assigned.len() as u32;
            self.assigned.push(p as u32);
        }
        self.wanted[p] = sign;
        if !self.dirty {
            self.dirty = !self.holds(p);
        }
    }

    /// Wants nothing of point `p` any more.
    #[inline]
    pub(crate) fn release(&mut self, p: usize) {
        if self.wanted[p] == 0 {
            return;
        }
        self.wanted[p] = 0;
        let place = self.position[p] as usize;
        self.position[p] = u32::MAX;
        self.assigned.swap_remove(place);
        if let Some(&moved) = self.assigned.get(place) {
            self.position[moved as usize] = place as u32;
        }
    }

    #[inline(always)]
    fn holds(&self, p: usize) -> bool {
        f64::from(self.wanted[p]) * self.points.scaled.dot(p, &self.weights) > SIGN * self.length
    }

    fn measure(&mut self) {
        self.length = self.weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    }

    /// Whether the current hyperplane separates what is wanted, with all signs computed anew.
    fn separates(&self) -> bool {
        vectorized(
            #[inline(always)]
            || self.assigned.iter().all(|&p| self.holds(p as usize)),
        )
    }

    /// Looks for a hyperplane or a circuit.
    pub(crate) fn check(&mut self) -> Check {
        self.at_vertex = false;
        if !self.dirty {
            return Check::Separated;
        }
        if self.projections() {
            self.dirty = false;
            return Check::Separated;
        }
        for attempt in 0..2 {
            if attempt == 1 {
                self.rebuild();
            }
            match self.simplex() {
                Check::Separated => {
                    self.dirty = false;
                    self.at_vertex = true;
                    return Check::Separated;
                }
                Check::Conflict(terms) => return Check::Conflict(terms),
                Check::Unknown => {}
            }
        }
        Check::Unknown
    }

    /// Moves the hyperplane over the points on its wrong side, one after the other (Agmon 1954, relaxation with over-projection).
    fn projections(&mut self) -> bool {
        if self.length == 0.0 {
            return false;
        }
        let kept = self.weights.clone();
        for _ in 0..PROJECTIONS {
            self.work += (self.assigned.len() * self.points.scaled.coordinates) as u64;
            let Engine { points, assigned, wanted, weights, .. } = self;
            let (scaled, least) = (&points.scaled, SIGN * self.length);
            let clean = vectorized(
                #[inline(always)]
                || {
                    let mut clean = true;
                    for &p in assigned.iter() {
                        let p = p as usize;
                        let sign = f64::from(wanted[p]);
                        let value = sign * scaled.dot(p, weights);
                        if value <= least {
                            clean = false;
                            scaled.add(p, sign * (1.0 - value) / scaled.squares[p], weights);
                        }
                    }
                    clean
                },
            );
            self.measure();
            if clean {
                return self.separates() || {
                    self.weights = kept;
                    self.measure();
                    false
                };
            }
        }
        self.weights = kept;
        self.measure();
        false
    }

    /// The lowest and highest value of a point that is wanted so.
    fn bounds(wanted: i8) -> (f64, f64) {
        match wanted {
            1 => (1.0, f64::INFINITY),
            -1 => (f64::NEG_INFINITY, -1.0),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// How far point `p` is from what is wanted, with the sign of the change it needs.
    fn violation(&self, p: usize) -> f64 {
        let (low, high) = Self::bounds(self.wanted[p]);
        let value = self.values[p];
        if value < low {
            low - value
        } else if value > high {
            high - value
        } else {
            0.0
        }
    }

    fn pivot(&mut self, i: usize, j: usize) {
        let size = if self.tableau.sparse {
            self.tableau.counts[j] as usize * self.tableau.row_count(i) as usize
        } else {
            self.tableau.rows * self.tableau.columns
        };
        self.work += (size + self.assigned.len()) as u64;
        self.tableau.pivot(i, j);
    }

    /// Brings nonbasic points into their bounds and computes the others from them.
    fn settle(&mut self) {
        let mut moved = self.since_refresh > 0;
        for j in 0..self.tableau.columns {
            let p = self.tableau.nonbasic[j] as usize;
            let (low, high) = Self::bounds(self.wanted[p]);
            let before = self.values[p];
            self.values[p] = if self.wanted[p] == 0 { before.clamp(-1e6, 1e6) } else { before.clamp(low, high) };
            moved |= self.values[p] != before;
        }
        if moved {
            self.refresh();
        }
    }

    /// Values of the basic points from the nonbasic ones.
    fn refresh(&mut self) {
        self.shift.clear();
        self.shift.extend(self.tableau.nonbasic.iter().map(|&p| self.values[p as usize]));
        self.work += if self.tableau.sparse {
            self.tableau.nonzeros as u64
        } else {
            (self.tableau.rows * self.tableau.columns) as u64
        };
        self.tableau.multiply(&self.shift, &mut self.values);
        self.since_refresh = 0;
    }

    /// Makes the tableau anew from the start's with the basis that it has, so that rounding is forgotten.
    fn rebuild(&mut self) {
        let basis = self.tableau.nonbasic.clone();
        self.tableau.copy_from(&self.start.tableau);
        let mut wanted = vec![false; self.points.len()];
        basis.iter().for_each(|&p| wanted[p as usize] = true);
        for &p in &basis {
            let Place::Row(i) = self.tableau.place(p as usize) else { continue };
            let mut best = (0.0, usize::MAX);
            let tableau = &self.tableau;
            tableau.visit_row(i, |j, value| {
                if !wanted[tableau.nonbasic[j] as usize] && value.abs() > best.0 {
                    best = (value.abs(), j);
                }
                true
            });
            if best.0 > 1e-6 {
                self.pivot(i, best.1);
            }
        }
        self.since_rebuild = 0;
    }

    fn simplex(&mut self) -> Check {
        let r = self.tableau.columns;
        if self.tableau.sparse && self.tableau.nonzeros > FILL * self.start.tableau.nonzeros.max(r) {
            self.tableau.copy_from(&self.start.tableau);
            self.since_rebuild = 0;
        } else if self.since_rebuild > REBUILD {
            self.rebuild();
        }
        self.settle();
        let budget = 2 * r + 20;
        for _ in 0..budget {
            let Some((i, violation)) = self.leaving() else {
                return self.accept();
            };
            match self.entering(i, violation > 0.0, false) {
                Some(j) => self.exchange(i, j, violation),
                None => {
                    return match self.conflict(i) {
                        Some(terms) => Check::Conflict(terms),
                        None => Check::Unknown,
                    };
                }
            }
        }
        self.infeasibilities()
    }

    /// The basic point that leaves: the largest violation, in sparse tableaus over the nonzeros of its row.
    fn leaving(&self) -> Option<(usize, f64)> {
        let mut best = (0.0, None);
        // Only wanted points can be violated.
        for &p in &self.assigned {
            let Place::Row(i) = self.tableau.place(p as usize) else { continue };
            let violation = self.violation(p as usize);
            if violation.abs() <= TOLERANCE {
                continue;
            }
            let weight = if self.tableau.sparse {
                violation.abs() / f64::from(self.tableau.row_count(i).max(1))
            } else {
                violation.abs()
            };
            if weight > best.0 {
                best = (weight, Some((i, violation)));
            }
        }
        best.1
    }

    /// Whether the nonbasic point of column j can move such that a row with this entry moves in the direction wanted.
    #[inline]
    fn can_move(&self, j: usize, entry: f64, increase: bool) -> bool {
        let p = self.tableau.nonbasic[j] as usize;
        let up = (entry > 0.0) == increase;
        match self.wanted[p] {
            1 => up || self.values[p] > 1.0 + TOLERANCE,
            -1 => !up || self.values[p] < -1.0 - TOLERANCE,
            _ => true,
        }
    }

    /// The nonbasic point that enters for row i, or none: then the row is blocked. In sparse tableaus the one of fewest nonzeros, in dense ones a free
    /// one before others, and the largest entry; the smallest number if `bland`.
    fn entering(&self, i: usize, increase: bool, bland: bool) -> Option<usize> {
        let largest = self.tableau.row(i).iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let mut best: Option<(f64, f64, usize)> = None;
        self.tableau.visit_row(i, |j, value| {
            if value.abs() < PIVOT * largest || !self.can_move(j, value, increase) {
                return true;
            }
            let p = self.tableau.nonbasic[j];
            let key = if bland {
                (-f64::from(p), 0.0)
            } else if self.tableau.sparse {
                let count = f64::from(self.tableau.counts[j]) + if value.abs() < 1e-3 { 1e6 } else { 0.0 };
                (-count, value.abs())
            } else {
                (f64::from(u8::from(self.wanted[p as usize] == 0)), value.abs())
            };
            if best.is_none_or(|(a, b, _)| (key.0, key.1) > (a, b)) {
                best = Some((key.0, key.1, j));
            }
            true
        });
        best.map(|entry| entry.2)
    }

    /// Moves the basic point of row i by `change` through column j and exchanges the two.
    fn exchange(&mut self, i: usize, j: usize, change: f64) {
        let (leaving, entering) = (self.tableau.basic[i] as usize, self.tableau.nonbasic[j] as usize);
        let step = change / self.tableau.row(i)[j];
        self.tableau.add_column(j, step, &mut self.values);
        let (low, high) = Self::bounds(self.wanted[leaving]);
        self.values[leaving] = if change > 0.0 { low } else { high };
        if !self.values[leaving].is_finite() {
            self.values[leaving] = 0.0;
        }
        self.values[entering] += step;
        self.pivot(i, j);
        self.since_rebuild += 1;
        self.since_refresh += 1;
        if self.since_refresh >= REFRESH {
            self.refresh();
        }
    }

    /// Takes the hyperplane of the present values, if it does what is wanted.
    fn accept(&mut self) -> Check {
        let mut weights = std::mem::take(&mut self.weights);
        self.start.weights(&self.values, &mut weights);
        self.weights = weights;
        self.measure();
        if self.separates() { Check::Separated } else { Check::Unknown }
    }

    /// The circuit of the blocked row i, or of another blocked row with fewer points.
    fn conflict(&mut self, i: usize) -> Option<Terms> {
        let mut rows: Vec<(u32, usize, bool)> =
            vec![(self.size(i), i, self.violation(self.tableau.basic[i] as usize) > 0.0)];
        for &p in &self.assigned {
            let Place::Row(l) = self.tableau.place(p as usize) else { continue };
            let violation = self.violation(p as usize);
            if l == i || violation.abs() <= TOLERANCE {
                continue;
            }
            let increase = violation > 0.0;
            let blocked = self.tableau.visit_row(l, |j, value| !self.can_move(j, value, increase));
            if blocked {
                rows.push((self.size(l), l, increase));
            }
        }
        rows.sort_unstable();
        rows.into_iter().take(3).find_map(|(_, l, _)| self.circuit_of_row(l))
    }

    fn size(&self, i: usize) -> u32 {
        self.tableau.row(i).iter().filter(|value| **value != 0.0).count() as u32
    }

    /// The exact circuit of a row whose points are wanted on the sides that its signs say.
    fn circuit_of_row(&self, i: usize) -> Option<Terms> {
        let p = self.tableau.basic[i];
        let largest = self.tableau.row(i).iter().fold(0.0f64, |most, value| most.max(value.abs())).max(1.0);
        let mut support = vec![p];
        let mut multipliers = vec![1.0];
        self.tableau.visit_row(i, |j, value| {
            if value.abs() > 1e-9 * largest {
                support.push(self.tableau.nonbasic[j]);
                multipliers.push(-value);
            }
            true
        });
        if self.wanted[p as usize] < 0 {
            multipliers.iter_mut().for_each(|value| *value = -*value);
        }
        let fits = support.iter().zip(&multipliers).all(|(&p, &value)| (value > 0.0) == (self.wanted[p as usize] > 0));
        if !fits {
            return None;
        }
        let terms = self.proven(&support, &multipliers)?;
        (!terms.is_empty()).then_some(terms)
    }

    /// The circuit with these approximate multipliers, if it is one.
    fn proven(&self, support: &[u32], multipliers: &[f64]) -> Option<Terms> {
        if self.points.lazy {
            return circuit::exact_or_certain(&self.points.exact, support, multipliers);
        }
        let terms = circuit::exact(&self.points.exact, support, multipliers)?;
        Some(terms.into_iter().map(|(p, value)| (p, Side::of(value))).collect())
    }

    /// Minimises the sum of violations over the wanted points; at a minimum above 0 the violated points and the blocked columns are a certificate, which a
    /// second search among them alone makes a circuit.
    fn infeasibilities(&mut self) -> Check {
        let r = self.tableau.columns;
        self.refresh();
        for _ in 0..3 * r + 300 {
            let mut gradient = vec![0.0; r];
            let mut violated = Vec::new();
            for &p in &self.assigned {
                let Place::Row(i) = self.tableau.place(p as usize) else { continue };
                let violation = self.violation(p as usize);
                if violation.abs() <= TOLERANCE {
                    continue;
                }
                violated.push(p);
                let sign = violation.signum();
                self.tableau.visit_row(i, |j, value| {
                    gradient[j] += sign * value;
                    true
                });
            }
            if violated.is_empty() {
                return self.accept();
            }
            let best = (0..r)
                .filter(|&j| gradient[j].abs() > 1e-7 && self.can_move(j, gradient[j], true))
                .map(|j| {
                    let weight = if self.tableau.sparse { f64::from(self.tableau.counts[j].max(1)) } else { 1.0 };
                    (gradient[j].abs() / weight, j)
                })
                .fold((0.0, usize::MAX), |best, next| if next.0 > best.0 { next } else { best });
            if best.1 == usize::MAX {
                return self.shrink(violated, &gradient);
            }
            if !self.long_step(best.1, gradient[best.1]) {
                return Check::Unknown;
            }
        }
        Check::Unknown
    }

    /// Moves the nonbasic point of column j as long as the sum of violations falls, over the breakpoints where a point comes to its bound.
    fn long_step(&mut self, j: usize, gradient: f64) -> bool {
        let direction = gradient.signum();
        // Every breakpoint: how far, by how much the slope falls there, and the row that then leaves.
        let mut breaks: Vec<(f64, f64, usize)> = Vec::new();
        for &p in &self.assigned {
            let Place::Row(i) = self.tableau.place(p as usize) else { continue };
            let rate = self.tableau.row(i)[j] * direction;
            if rate.abs() < 1e-9 {
                continue;
            }
            let (low, high) = Self::bounds(self.wanted[p as usize]);
            let bound = if self.wanted[p as usize] > 0 { low } else { high };
            let distance = (bound - self.values[p as usize]) / rate;
            let violated = self.violation(p as usize).abs() > TOLERANCE;
            let helps = violated && distance > 0.0;
            let hurts = !violated && distance >= 0.0 && (rate > 0.0) != (self.wanted[p as usize] > 0);
            if helps || hurts {
                breaks.push((distance.max(0.0), rate.abs(), i));
            }
        }
        breaks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut slope = gradient.abs();
        let entering = self.tableau.nonbasic[j] as usize;
        let own = match (self.wanted[entering], direction > 0.0) {
            (1, false) => self.values[entering] - 1.0,
            (-1, true) => -1.0 - self.values[entering],
            _ => f64::INFINITY,
        };
        for (distance, rate, i) in breaks {
            if own <= distance {
                break;
            }
            slope -= rate;
            if slope <= 1e-9 {
                let largest = self.tableau.row(i).iter().fold(0.0f64, |most, value| most.max(value.abs()));
                if self.tableau.row(i)[j].abs() < PIVOT * largest {
                    continue;
                }
                let p = self.tableau.basic[i] as usize;
                let (low, high) = Self::bounds(self.wanted[p]);
                let bound = if self.wanted[p] > 0 { low } else { high };
                let change = bound - self.values[p];
                self.exchange(i, j, change);
                self.values[p] = bound;
                return true;
            }
        }
        if !own.is_finite() {
            return false;
        }
        self.tableau.add_column(j, direction * own, &mut self.values);
        self.values[entering] = if self.wanted[entering] > 0 { 1.0 } else { -1.0 };
        true
    }

    /// A circuit among the violated points and the columns that block them, by Carathéodory's argument in `f64`: points are taken out along null vectors until
    /// one is left.
    fn shrink(&mut self, violated: Vec<u32>, gradient: &[f64]) -> Check {
        let mut support = violated;
        for (j, &value) in gradient.iter().enumerate() {
            if value.abs() > 1e-7 {
                support.push(self.tableau.nonbasic[j]);
            }
        }
        let wanted: Vec<(u32, i8)> = support.iter().map(|&p| (p, self.wanted[p as usize])).collect();
        match small_circuit(&self.points, &wanted) {
            Some(terms) => Check::Conflict(terms),
            None => Check::Unknown,
        }
    }

    /// Circuits that the present tableau implies: rows of at most `longest` points of which all but one are wanted on the sides of one orientation. At most
    /// `most`.
    pub(crate) fn implied(&self, longest: u32, most: usize, found: &mut Vec<Terms>) {
        for i in 0..self.tableau.rows {
            if found.len() >= most {
                return;
            }
            if self.tableau.sparse && self.tableau.row_count(i) >= longest {
                continue;
            }
            if !self.tableau.sparse && self.tableau.columns as u32 >= longest {
                return;
            }
            for orientation in [1i8, -1] {
                let p = self.tableau.basic[i] as usize;
                let mut missing = None;
                let mut fits = true;
                match self.wanted[p] {
                    0 => missing = Some(p as u32),
                    side => fits = side == orientation,
                }
                fits = fits
                    && self.tableau.visit_row(i, |j, value| {
                        let q = self.tableau.nonbasic[j];
                        let side = if value > 0.0 { -orientation } else { orientation };
                        match self.wanted[q as usize] {
                            0 => missing.replace(q).is_none(),
                            wanted => wanted == side,
                        }
                    });
                if missing.is_none() || !fits {
                    continue;
                }
                let mut support = vec![p as u32];
                let mut multipliers = vec![f64::from(orientation)];
                self.tableau.visit_row(i, |j, value| {
                    support.push(self.tableau.nonbasic[j]);
                    multipliers.push(-value * f64::from(orientation));
                    true
                });
                if let Some(terms) = self.proven(&support, &multipliers) {
                    found.push(terms);
                }
                break;
            }
        }
    }
}

/// A circuit among a few points that no hyperplane separates, by the simplex over them alone with Bland's rule.
pub(crate) fn small_circuit(points: &GroupPoints, wanted: &[(u32, i8)]) -> Option<Terms> {
    let chosen: Vec<u32> = wanted.iter().map(|entry| entry.0).collect();
    let few = Arc::new(points.some(&chosen));
    let start = Arc::new(Start::new(&few.scaled, few.len()));
    let mut engine = Engine::new(few, start);
    for (p, entry) in wanted.iter().enumerate() {
        engine.want(p, entry.1 > 0);
    }
    engine.dirty = true;
    engine.settle();
    let r = engine.tableau.columns;
    for step in 0..50 * (r + 10) {
        let bland = step > 4 * r + 50;
        let next = if bland { engine.first_violated() } else { engine.leaving() };
        let (i, violation) = next?;
        match engine.entering(i, violation > 0.0, bland) {
            Some(j) => engine.exchange(i, j, violation),
            None => {
                let terms = engine.conflict(i)?;
                return Some(terms.into_iter().map(|(p, value)| (chosen[p as usize], value)).collect());
            }
        }
    }
    None
}

impl Engine {
    fn first_violated(&self) -> Option<(usize, f64)> {
        let violated = self.assigned.iter().copied().filter(|&p| self.violation(p as usize).abs() > TOLERANCE);
        let rows = violated.filter_map(|p| match self.tableau.place(p as usize) {
            Place::Row(i) => Some((p, i)),
            Place::Column(_) => None,
        });
        rows.min().map(|(p, i)| (i, self.violation(p as usize)))
    }
}
