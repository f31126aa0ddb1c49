//! What the threads of a search tell each other: circuits, which hold for every question about the same points, and short clauses that they derived, which hold for the formula of one search.

use std::sync::{Mutex, MutexGuard, PoisonError};

use infimum_problem::Circuit;

use crate::cubes::Origin;

#[derive(Clone)]
pub(crate) enum Fact {
    Circuit(Circuit),
    /// A clause, and where it was derived.
    Clause(Origin, Vec<i32>),
}

/// Facts with the threads that told them, in the order of their telling.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(usize, Fact)>>);

impl Told {
    fn facts(&self) -> MutexGuard<'_, Vec<(usize, Fact)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, thread: usize, fact: Fact) {
        self.facts().push((thread, fact));
    }

    /// What others than `thread` told behind the first `heard`, which then counts all.
    pub(crate) fn since(&self, thread: usize, heard: &mut usize) -> Vec<Fact> {
        let facts = self.facts();
        let new = facts.get(*heard..).unwrap_or_default();
        *heard = facts.len();
        new.iter().filter(|fact| fact.0 != thread).map(|fact| fact.1.clone()).collect()
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.facts().clear();
    }
}
