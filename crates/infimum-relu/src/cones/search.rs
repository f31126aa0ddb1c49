//! Best-first search over cones on several threads.
//!
//! The cone with the largest bound is taken from a heap and split, depth first for a few cones; what is left of those
//! goes back to the heap. A cone whose bound is at most the target, or the value of the best point (no bound can be
//! below it), is closed. Invariant: the cones in the heap, those being worked on and the closed ones are the leaves of
//! the tree, and each has a proof of its bound, so that the tree is a certificate whenever the search stops.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ascent::{Best, ascend};
use super::cone::{Cone, Scratch, Split, Waiting};
use super::rows::{Rows, Vector};
use super::split::best_split;
use super::tree::{Place, Tree};
use super::{Answer, ConeEnding, Request};

/// Most cones of one dive.
const DIVE: usize = 64;
/// Cones below as many splits are not split: rounding is all that is left there, and checkers have a limit too (4096).
const DEEPEST: u32 = 1000;
/// A bound within this of the best value is the maximum, relative to Σ|w|‖x‖ and beyond the slack.
const EXACT: f64 = 1e-12;

struct ByBound<const R: usize>(Waiting<R>);

impl<const R: usize> Ord for ByBound<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.bound.total_cmp(&other.0.bound)
    }
}

impl<const R: usize> PartialOrd for ByBound<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const R: usize> PartialEq for ByBound<R> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<const R: usize> Eq for ByBound<R> {}

struct State<const R: usize> {
    heap: BinaryHeap<ByBound<R>>,
    tree: Tree<R>,
    best: Best<R>,
    /// Dives under way.
    diving: usize,
}

struct Search<'a, const R: usize> {
    rows: &'a Rows<R>,
    request: &'a Request<'a>,
    /// Target and refuting value in the search's units.
    target: f64,
    refute: f64,
    state: Mutex<State<R>>,
    changed: Condvar,
    /// Bits of the best value.
    best_value: AtomicU64,
    nodes: AtomicU64,
    refuted: AtomicBool,
    stopped: AtomicBool,
}

/// What a dive leaves.
struct Dive<const R: usize> {
    below: Vec<Place<R>>,
    waiting: Vec<Waiting<R>>,
}

/// Searches until the request says stop, or all cones are closed.
pub(super) fn search<const R: usize>(rows: &Rows<R>, request: &Request) -> Answer {
    let target = request.target * (1.0 - 3e-13) / rows.unit;
    let state = State { heap: BinaryHeap::new(), tree: Tree::new(), best: first_point(rows), diving: 0 };
    let best = state.best.value;
    let search = Search {
        rows,
        request,
        target,
        refute: request.refute / rows.unit,
        best_value: AtomicU64::new(best.to_bits()),
        state: Mutex::new(state),
        changed: Condvar::new(),
        nodes: AtomicU64::new(R as u64 + 1),
        refuted: AtomicBool::new(request.refute < best * rows.unit),
        stopped: AtomicBool::new(false),
    };
    search.plant();
    let threads = request.threads.max(1);
    if threads == 1 {
        search.work();
    } else {
        rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| search.work())));
    }
    search.answer()
}

/// An ascent from the sum of all rows with w > 0: some point to begin with.
fn first_point<const R: usize>(rows: &Rows<R>) -> Best<R> {
    let mut sum = [0.0; R];
    rows.positive.scaled.iter().for_each(|x| (0..R).for_each(|j| sum[j] += x[j]));
    if sum.iter().all(|&value| value == 0.0) {
        sum[0] = 1.0;
    }
    ascend(rows, &sum)
}

impl<const R: usize> Search<'_, R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // A poisoned lock means that another thread panicked; the scope passes its panic on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cones with at most this bound are closed. The maximum is at least 0, the value at u = 0.
    fn threshold(&self) -> f64 {
        self.target.max(f64::from_bits(self.best_value.load(Relaxed)).max(0.0) + self.rows.slack + EXACT)
    }

    /// The fan's cones.
    fn plant(&self) {
        for lacking in 0..=R {
            let generators: [Vector<R>; R] =
                std::array::from_fn(|k| self.rows.fan[if k < lacking { k } else { k + 1 }]);
            let mut cone = Cone::root(self.rows, generators, self.threshold(), &mut Scratch::default());
            self.improve(&cone, &mut Scratch::default());
            cone.place = lacking as u32;
            let mut state = self.lock();
            match cone.bound <= self.threshold() {
                true => state.tree.set(lacking as u32, Place::Closed(cone.proof(self.rows))),
                false => state.heap.push(ByBound(cone.wait())),
            }
        }
    }

    /// Looks whether the cone's maximiser is the best point so far.
    fn improve(&self, cone: &Cone<R>, scratch: &mut Scratch<R>) {
        let best = f64::from_bits(self.best_value.load(Relaxed));
        if !(cone.value_at_bound(scratch) > best) {
            return;
        }
        let point = ascend(self.rows, &cone.q);
        let mut state = self.lock();
        if point.value > state.best.value {
            state.best = point;
            self.best_value.store(point.value.to_bits(), Relaxed);
            if point.value > self.refute {
                self.refuted.store(true, Relaxed);
            }
        }
    }

    fn is_over(&self) -> bool {
        if !self.stopped.load(Relaxed) && (self.nodes.load(Relaxed) >= self.request.nodes || (self.request.stop)()) {
            self.stopped.store(true, Relaxed);
        }
        self.refuted.load(Relaxed) || self.stopped.load(Relaxed)
    }

    /// One thread's work: dives until nothing is left to do.
    fn work(&self) {
        let mut scratch = Scratch::default();
        let mut state = self.lock();
        loop {
            if self.is_over() {
                break;
            }
            let Some(ByBound(waiting)) = state.heap.pop() else {
                if state.diving == 0 {
                    break;
                }
                let pause = Duration::from_millis(20);
                state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let length = (state.heap.len() / self.request.threads.max(1)).clamp(1, DIVE);
            state.diving += 1;
            drop(state);
            let place = waiting.place;
            let dive = self.dive(waiting, length, &mut scratch);
            state = self.lock();
            let offset = state.tree.graft(place, dive.below);
            for mut waiting in dive.waiting {
                waiting.place = if waiting.place == 0 { place } else { waiting.place + offset };
                state.heap.push(ByBound(waiting));
            }
            state.diving -= 1;
            self.changed.notify_all();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Splits a cone and what comes of it, depth first, `length` times at most.
    fn dive(&self, waiting: Waiting<R>, length: usize, scratch: &mut Scratch<R>) -> Dive<R> {
        let mut dive = Dive { below: vec![Place::Waiting], waiting: Vec::new() };
        let mut cone = waiting.resume(self.rows);
        cone.place = 0;
        let mut stack = vec![cone];
        for _ in 0..length {
            let Some(cone) = stack.pop() else { break };
            let place = cone.place as usize;
            if cone.bound <= self.threshold() || cone.depth >= DEEPEST {
                dive.below[place] = Place::Closed(cone.proof(self.rows));
                continue;
            }
            let Some((split, mut children)) = self.divide(&cone, scratch) else {
                // Of one generator the bound is exact; nothing is left to split.
                dive.below[place] = Place::Closed(cone.proof(self.rows));
                continue;
            };
            scratch.recycle(cone);
            self.nodes.fetch_add(2, Relaxed);
            let first = dive.below.len() as u32;
            dive.below[place] = Place::Split { split, first };
            children.iter_mut().zip(first..).for_each(|(child, place)| child.place = place);
            dive.below.extend([Place::Waiting, Place::Waiting]);
            let [one, other] = children;
            let (low, high) = if one.bound < other.bound { (one, other) } else { (other, one) };
            for child in [low, high] {
                if child.bound <= self.threshold() {
                    dive.below[child.place as usize] = Place::Closed(child.proof(self.rows));
                    scratch.recycle(child);
                } else {
                    self.improve(&child, scratch);
                    stack.push(child);
                }
            }
        }
        dive.waiting.extend(stack.into_iter().map(Cone::wait));
        dive
    }

    /// Splits a cone; `None` if it has one generator.
    fn divide(&self, cone: &Cone<R>, scratch: &mut Scratch<R>) -> Option<(Split, [Cone<R>; 2])> {
        let split = best_split(cone)?;
        let children = cone.children(self.rows, &split, self.threshold(), scratch);
        Some((split, children))
    }

    fn answer(self) -> Answer {
        let refuted = self.refuted.into_inner();
        let rows = self.rows;
        let State { heap, mut tree, best, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let open = !heap.is_empty();
        for ByBound(waiting) in heap {
            tree.set(waiting.place, Place::Closed(waiting.proof(rows)));
        }
        let (cones, bound) = tree.certificate(rows);
        let ending = match () {
            () if bound <= self.request.target => ConeEnding::Reached,
            () if refuted => ConeEnding::Refuted,
            () if open => ConeEnding::Stopped,
            () => ConeEnding::Exact,
        };
        let value = best.value * rows.unit;
        Answer { bound, cones, best: (rows.direction(&best.u), value), nodes: self.nodes.into_inner(), ending }
    }
}
