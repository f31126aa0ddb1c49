//! Cubes: how several threads share one search.
//!
//! A cube is a list of literals that are assumed. The first thread begins with the empty one; after a while the others join it there, each with a seed of its own, or take a part of it, for who does not
//! decide it soon splits it in two by a variable, and so is a cube split whose thread has worked for a while when another waits. A refuted cube leaves a clause of the negations of some of its literals; if that does not name the literal that the
//! cube was split by, its parent is refuted by the same clause. Invariant: the empty cube is refuted iff the clauses at hand give the empty clause by resolution along
//! the splits, which [`Cubes::resolve`] writes down.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Place of a cube; the empty one is [`ROOT`].
pub(crate) type Cube = usize;
pub(crate) const ROOT: Cube = 0;

/// Where a clause was derived: the thread and the step of its trace.
pub(crate) type Origin = (usize, usize);

pub(crate) struct Cubes {
    state: Mutex<State>,
    changed: Condvar,
    /// Threads that wait for a cube.
    idle: AtomicUsize,
    /// Changes so far of what is worth to be worked on.
    changes: AtomicU64,
}

struct State {
    nodes: Vec<Node>,
    /// Cubes that nobody works on; the last is taken first.
    open: Vec<Cube>,
    ended: bool,
}

struct Node {
    parent: Cube,
    /// The last literal; 0 for the empty cube.
    literal: i32,
    children: Option<[Cube; 2]>,
    closed: Option<Closed>,
}

enum Closed {
    /// By a clause of the negations of some of its literals.
    Clause(Origin, Vec<i32>),
    /// Both children are, and each needs the literal that it was split by.
    Children,
}

impl Cubes {
    /// The empty cube, for so many threads.
    pub(crate) fn new(threads: usize) -> Cubes {
        let root = Node { parent: ROOT, literal: 0, children: None, closed: None };
        let state = State { nodes: vec![root], open: vec![ROOT; threads], ended: false };
        Cubes {
            state: Mutex::new(state),
            changed: Condvar::new(),
            idle: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits until all is done, at most so long.
    pub(crate) fn wait(&self, patience: Duration) {
        let state = self.state();
        let waits = |state: &mut State| !state.ended;
        drop(self.changed.wait_timeout_while(state, patience, waits));
    }

    /// Waits for a cube; `None` when there is no more to do.
    pub(crate) fn take(&self) -> Option<(Cube, Vec<i32>)> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            while let Some(cube) = state.open.pop() {
                if state.is_open(cube) {
                    return Some((cube, state.literals(cube)));
                }
            }
            self.idle.fetch_add(1, Ordering::Relaxed);
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether a thread waits.
    pub(crate) fn is_awaited(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// A number that changes with what is worth to be worked on.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Whether the cube is neither split nor refuted.
    pub(crate) fn is_open(&self, cube: Cube) -> bool {
        let state = self.state();
        !state.ended && state.is_open(cube)
    }

    /// Splits an open cube.
    pub(crate) fn split(&self, cube: Cube, variable: i32) {
        let mut state = self.state();
        if state.is_open(cube) {
            let first = state.nodes.len();
            for literal in [variable, -variable] {
                state.nodes.push(Node { parent: cube, literal, children: None, closed: None });
            }
            state.nodes[cube].children = Some([first, first + 1]);
            state.open.extend([first, first + 1]);
            drop(state);
            self.tell();
        }
    }

    /// The cube is refuted: `clause`, derived at `origin`, holds negations of some of its literals. All is done when the empty cube is refuted.
    pub(crate) fn refuted(&self, cube: Cube, origin: Origin, clause: Vec<i32>) {
        let mut state = self.state();
        // The highest cube of which all that the clause needs is a part.
        let mut highest = cube;
        while highest != ROOT && !clause.contains(&-state.nodes[highest].literal) {
            highest = state.nodes[highest].parent;
        }
        state.nodes[highest].closed = Some(Closed::Clause(origin, clause));
        while highest != ROOT {
            let parent = state.nodes[highest].parent;
            let children = state.nodes[parent].children;
            let closed = children.is_some_and(|pair| pair.iter().all(|&child| state.nodes[child].closed.is_some()));
            if !closed || state.nodes[parent].closed.is_some() {
                break;
            }
            state.nodes[parent].closed = Some(Closed::Children);
            highest = parent;
        }
        state.ended |= state.nodes[ROOT].closed.is_some();
        drop(state);
        self.tell();
    }

    /// Nobody is to go on.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.tell();
    }

    /// Whether the empty cube is refuted.
    pub(crate) fn is_refuted(&self) -> bool {
        self.state().nodes[ROOT].closed.is_some()
    }

    /// The clauses that the refutation rests on, by their origins.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        let state = self.state();
        let (mut origins, mut ahead) = (Vec::new(), vec![ROOT]);
        while let Some(cube) = ahead.pop() {
            match &state.nodes[cube].closed {
                Some(Closed::Clause(origin, _)) => origins.push(*origin),
                Some(Closed::Children) => ahead.extend(state.nodes[cube].children.into_iter().flatten()),
                None => {}
            }
        }
        origins
    }

    /// Resolves the clauses along the splits: `step` is given each resolvent with the numbers of its two parents, and numbers it; `number` says the number of a
    /// clause by its origin. The last is the empty clause, unless that was derived as it is.
    pub(crate) fn resolve(&self, number: impl Fn(Origin) -> u64, mut step: impl FnMut(Vec<i32>, [u64; 2]) -> u64) {
        fn visit(
            state: &State,
            cube: Cube,
            number: &impl Fn(Origin) -> u64,
            step: &mut impl FnMut(Vec<i32>, [u64; 2]) -> u64,
        ) -> Option<(Vec<i32>, u64)> {
            match (&state.nodes[cube].closed, state.nodes[cube].children) {
                (Some(Closed::Clause(origin, clause)), _) => Some((clause.clone(), number(*origin))),
                (Some(Closed::Children), Some(children)) => {
                    let [left, right] = children.map(|child| visit(state, child, number, step));
                    let ((mut clause, first), (other, second)) = (left?, right?);
                    let variable = state.nodes[children[0]].literal.abs();
                    clause.extend(other);
                    clause.retain(|literal| literal.abs() != variable);
                    clause.sort_unstable();
                    clause.dedup();
                    let resolvent = step(clause.clone(), [first, second]);
                    Some((clause, resolvent))
                }
                _ => None,
            }
        }
        visit(&self.state(), ROOT, &number, &mut step);
    }
}

impl State {
    fn is_open(&self, mut cube: Cube) -> bool {
        if self.nodes[cube].children.is_some() {
            return false;
        }
        loop {
            if self.nodes[cube].closed.is_some() {
                return false;
            }
            if cube == ROOT {
                return true;
            }
            cube = self.nodes[cube].parent;
        }
    }

    fn literals(&self, mut cube: Cube) -> Vec<i32> {
        let mut literals = Vec::new();
        while cube != ROOT {
            literals.push(self.nodes[cube].literal);
            cube = self.nodes[cube].parent;
        }
        literals.reverse();
        literals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The resolvents, checked as such, and whether the last is empty.
    fn resolvents(cubes: &Cubes, clauses: &[Vec<i32>]) -> Vec<(Vec<i32>, [u64; 2])> {
        let mut made: Vec<(Vec<i32>, [u64; 2])> = Vec::new();
        let known = clauses.len() as u64;
        cubes.resolve(
            |(_, step)| step as u64,
            |clause, parents| {
                made.push((clause, parents));
                known + made.len() as u64 - 1
            },
        );
        made
    }

    #[test]
    fn a_split_refuted_on_both_sides_gives_the_empty_clause() {
        let cubes = Cubes::new(2);
        assert_eq!(cubes.take(), Some((ROOT, vec![])));
        assert!(!cubes.is_awaited());
        cubes.split(ROOT, 5);
        cubes.split(ROOT, 6);
        let (right, literals) = cubes.take().expect("a cube");
        assert_eq!(literals, [-5]);
        let (left, literals) = cubes.take().expect("the other");
        assert_eq!(literals, [5]);
        // The left needs another variable, the right its own.
        cubes.split(left, 7);
        let (second, _) = cubes.take().expect("a cube");
        let (first, literals) = cubes.take().expect("a cube");
        assert_eq!(literals, [5, 7]);
        let clauses = [vec![-5, -7], vec![7], vec![5]];
        cubes.refuted(first, (0, 0), clauses[0].clone());
        assert!(!cubes.is_refuted() && cubes.is_open(second));
        cubes.refuted(second, (0, 1), clauses[1].clone());
        assert!(!cubes.is_open(left) && cubes.is_open(right));
        cubes.refuted(right, (1, 2), clauses[2].clone());
        assert!(cubes.is_refuted());
        assert_eq!(cubes.take(), None);
        assert_eq!(resolvents(&cubes, &clauses), [(vec![-5], [0, 1]), (vec![], [3, 2])]);
        let mut origins = cubes.origins();
        origins.sort_unstable();
        assert_eq!(origins, [(0, 0), (0, 1), (1, 2)]);
    }

    #[test]
    fn a_clause_without_the_literal_refutes_the_parent() {
        let cubes = Cubes::new(2);
        cubes.take();
        cubes.split(ROOT, 1);
        let (right, _) = cubes.take().expect("a cube");
        let (left, _) = cubes.take().expect("the other");
        cubes.split(left, 2);
        let (inner, _) = cubes.take().expect("a cube");
        // What was found below 1 and 2 needs 1 alone.
        cubes.refuted(inner, (0, 0), vec![-1]);
        assert!(!cubes.is_open(left) && cubes.is_open(right));
        cubes.refuted(right, (0, 1), vec![]);
        assert!(cubes.is_refuted());
        assert!(resolvents(&cubes, &[vec![-1], vec![]]).is_empty(), "the empty clause was derived as it is");
        assert_eq!(cubes.origins(), [(0, 1)]);
    }

    #[test]
    fn who_waits_is_woken() {
        let cubes = Cubes::new(1);
        assert!(cubes.take().is_some());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| cubes.take());
            while !cubes.is_awaited() {
                std::thread::yield_now();
            }
            cubes.end();
            assert_eq!(waiter.join().expect("no panic"), None);
        });
    }
}
