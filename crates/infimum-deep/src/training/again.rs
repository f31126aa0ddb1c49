//! Several runs from different random weights, side by side where there are threads: small networks do not gain from a second thread within a run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use infimum_problem::{Event, Monitor, Stop};

use super::options::TrainingOptions;
use super::train::{Setup, Start, TrainingError, TrainingOutcome, train};

/// Progress of all runs as that of the best.
struct Best<'a> {
    monitor: &'a dyn Monitor,
    upper: Mutex<f64>,
}

impl Monitor for Best<'_> {
    fn report(&self, event: Event) {
        match event {
            Event::Progress { source, upper, lower, explored } => {
                let mut best = self.upper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if upper < *best {
                    *best = upper;
                    self.monitor.report(Event::Progress { source, upper, lower, explored });
                }
            }
            Event::Note(_) => {}
            other => self.monitor.report(other),
        }
    }

    fn stop(&self) -> Option<Stop> {
        self.monitor.stop()
    }
}

/// `count` runs with the seeds that follow each other, in their order. Each has its share of the time; runs do not depend on the number of threads.
pub fn train_again(
    setup: &Setup,
    count: usize,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Vec<TrainingOutcome>, TrainingError> {
    let workers = if setup.device.side_by_side() { threads.clamp(1, count) } else { 1 };
    let rounds = count.div_ceil(workers) as u32;
    let best = Best { monitor, upper: Mutex::new(f64::INFINITY) };
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<TrainingOutcome, TrainingError>>>> =
        (0..count).map(|_| Mutex::new(None)).collect();
    let work = || {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= count {
                return;
            }
            let seed = setup.options.seed.wrapping_add(run as u64);
            let options = TrainingOptions { seed, ..setup.options.clone() };
            let setup = Setup {
                options: &options,
                time: setup.time.map(|time| time / rounds),
                checkpoint_every: None,
                ..*setup
            };
            let outcome = train(&setup, Start::Fresh, &best, &mut |_| Ok(()));
            *results[run].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(outcome);
        }
    };
    let each = if setup.device.side_by_side() { 1 } else { threads };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| match rayon::ThreadPoolBuilder::new().num_threads(each).build() {
                Ok(pool) => pool.install(work),
                Err(_) => work(),
            });
        }
    });
    let outcomes =
        results.into_iter().filter_map(|result| result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    outcomes.collect()
}
