//! How the time of a run is shared: training, the head, the bound, and what has to be written.

use std::time::{Duration, Instant};

use infimum_problem::{Event, Monitor, Stop};

/// Time that is left, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    begin: Instant,
    end: Option<Instant>,
}

/// Share of the limit that is planned: steps do not end at once when they are told to.
const USED: f64 = 0.94;
/// Share of the time that is left before training which training gets.
const TRAINING: f64 = 0.7;
/// Share of what is left after training which the two last layers get.
const LAST_TWO: f64 = 0.25;
/// Share of what is then left which the head gets.
const HEAD: f64 = 0.6;
/// Share of what is left after the head which the bound gets.
const BOUND: f64 = 0.5;
/// Where there is no limit, head and bound each get as much time as was spent before them, but at least and at most so much; the two last layers too, but for their least.
const LEAST: Duration = Duration::from_secs(10);
const LEAST_OF_LAST_TWO: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(600);

impl Budget {
    /// `limit` from now.
    pub(super) fn new(limit: Option<Duration>) -> Budget {
        let begin = Instant::now();
        Budget { begin, end: limit.map(|limit| begin + limit.mul_f64(USED)) }
    }

    fn share(&self, share: f64) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()).mul_f64(share))
    }

    /// As much time as was spent.
    fn usual(&self, least: Duration) -> Duration {
        self.begin.elapsed().clamp(least, MOST)
    }

    /// For training; nothing if only the epochs limit it.
    pub(super) fn training(&self) -> Option<Duration> {
        self.share(TRAINING)
    }

    /// For the two last layers.
    pub(super) fn last_two(&self) -> Duration {
        self.share(LAST_TWO).unwrap_or_else(|| self.usual(LEAST_OF_LAST_TWO))
    }

    /// For the head.
    pub(super) fn head(&self) -> Duration {
        self.share(HEAD).unwrap_or_else(|| self.usual(LEAST))
    }

    /// For the bound.
    pub(super) fn bound(&self) -> Duration {
        self.share(BOUND).unwrap_or_else(|| self.usual(LEAST))
    }
}

/// A monitor that also stops after some time, and may keep what it hears to itself.
pub(super) struct Until<'a> {
    monitor: &'a dyn Monitor,
    end: Instant,
    quiet: bool,
}

impl<'a> Until<'a> {
    pub(super) fn new(monitor: &'a dyn Monitor, time: Duration, quiet: bool) -> Until<'a> {
        Until { monitor, end: Instant::now() + time, quiet }
    }
}

impl Monitor for Until<'_> {
    fn report(&self, event: Event) {
        if !self.quiet {
            self.monitor.report(event);
        }
    }

    fn stop(&self) -> Option<Stop> {
        self.monitor.stop().or_else(|| (Instant::now() >= self.end).then_some(Stop::TimeLimit))
    }
}
