//! When the smooth network is trained beside a search: for a share of its operations. These are counted, not timed, so that one thread with one seed searches the same way every time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use infimum_problem::{LoadingProblem, Neuron};

use crate::propagator::{Record, Shared};
use crate::training::{self, Training};
use crate::weights::wrong_rows;

/// Operations of trainings for each of the search, while they come near.
const TRAINED: f64 = 0.3;

/// See the module.
pub(crate) struct Trainings {
    training: Option<Training>,
    seed: u64,
    allowed: u64,
    record: Rc<RefCell<Record>>,
    /// Operations of the search for each training, and those at which the next is due.
    every: u64,
    due: u64,
    /// Weights that are wrong on few enough rows.
    pub(crate) found: Rc<RefCell<Option<Vec<Neuron>>>>,
}

impl Trainings {
    /// None so far. `record`: what the search counts.
    pub(crate) fn new(problem: &LoadingProblem, seed: u64, allowed: u64, record: &Rc<RefCell<Record>>) -> Trainings {
        let every = (training::operations(problem) as f64 / TRAINED) as u64;
        Trainings { training: None, seed, allowed, record: record.clone(), every, due: every, found: Rc::default() }
    }

    /// Trains if it is time for it; whether weights were found that are wrong on few enough rows.
    pub(crate) fn found_weights(&mut self, shared: &Shared) -> bool {
        if self.record.borrow().operations < self.due {
            return false;
        }
        let training = self.training.get_or_insert_with(|| Training::new(shared.problem.clone(), self.seed));
        let trained = training.run(&|| shared.stop.load(Ordering::Relaxed));
        // Where nothing comes near it is tried less and less.
        self.due += if trained.is_near { self.every } else { self.due };
        let fits =
            |neurons: &Vec<Neuron>| wrong_rows(&shared.problem, neurons).is_some_and(|wrong| wrong <= self.allowed);
        let found = trained.neurons.into_iter().find(fits);
        let is_found = found.is_some();
        *self.found.borrow_mut() = found;
        is_found
    }
}
