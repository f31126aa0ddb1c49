//! The monitor that prints, keeps the JSON-lines log, and carries the time limit and the interrupt to the solver.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use infimum_problem::{Event, Monitor, Stop, relative_gap};

use crate::info::Row;
use crate::print;

/// A row is printed at least this often, milliseconds, whether or not anything happened.
const HEARTBEAT: u64 = 5_000;

struct State {
    out: Box<dyn Write + Send>,
    lines: Vec<u8>,
    copy: Option<Box<dyn Write + Send>>,
    copy_error: Option<std::io::Error>,
    total_weight: f64,
    /// Values are numbers of rows.
    counts: bool,
    printed: Option<f64>,
    recorded: Option<f64>,
    latest: Option<Row>,
    pending: bool,
}

/// A log that prints to a stream and collects JSON lines.
pub struct Log {
    start: Instant,
    deadline: OnceLock<Instant>,
    interrupted: &'static AtomicBool,
    /// When the next row is due even without an event, milliseconds after `start`.
    due: AtomicU64,
    state: Mutex<State>,
}

/// Seconds between two printed rows: at first all that happens a tenth of a second apart, later twenty for each e-fold of
/// time, so that a log of an hour is still a page or three.
fn print_pause(time: f64) -> f64 {
    (0.05 * time).clamp(0.1, 5.0)
}

/// The same for JSON lines, which are for programs: ten times as many.
fn record_pause(time: f64) -> f64 {
    (0.005 * time).min(0.5)
}

impl Log {
    /// A log of a command that began at `start`; rows go to `out`, JSON lines to memory and to `copy`.
    pub fn new(
        start: Instant,
        interrupted: &'static AtomicBool,
        out: Box<dyn Write + Send>,
        copy: Option<Box<dyn Write + Send>>,
    ) -> Log {
        let state = State {
            out,
            lines: Vec::new(),
            copy,
            copy_error: None,
            total_weight: 1.0,
            counts: false,
            printed: None,
            recorded: None,
            latest: None,
            pending: false,
        };
        Log { start, deadline: OnceLock::new(), interrupted, due: AtomicU64::new(HEARTBEAT), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the time by which the solver has to end.
    pub fn set_deadline(&self, limit: Duration) {
        if let Some(deadline) = self.start.checked_add(limit) {
            let _ = self.deadline.set(deadline);
        }
    }

    /// Sets Σc, by which values are divided for display.
    pub fn set_total_weight(&self, total_weight: f64) {
        self.lock().total_weight = total_weight;
    }

    /// From now on values are numbers of wrong rows, shown as such.
    pub fn count_rows(&self) {
        self.lock().counts = true;
    }

    /// Prints something with one of the functions of [`print`](mod@crate::print). A stream that nobody reads is no reason to stop.
    pub fn print(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
        let mut state = self.lock();
        let _ = write(&mut state.out);
        let _ = state.out.flush();
    }

    /// Adds a JSON line `{"event": event, …}`.
    pub fn json(&self, event: &str, value: serde_json::Value) {
        self.lock().json(event, value);
    }

    /// Prints and records the last row, if it was held back.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.print_pending();
        if let Some(row) = state.latest.take().filter(|row| state.recorded.is_some_and(|last| last < row.time)) {
            state.record(&row);
        }
    }

    /// All JSON lines so far.
    pub fn lines(&self) -> Vec<u8> {
        self.lock().lines.clone()
    }

    /// Why the copy of the JSON lines is incomplete, if it is.
    pub fn copy_error(&self) -> Option<String> {
        self.lock().copy_error.as_ref().map(ToString::to_string)
    }

    fn progress(&self, row: Row) {
        let mut state = self.lock();
        let time = row.time;
        if state.recorded.is_none_or(|last| time - last >= record_pause(time)) {
            state.recorded = Some(time);
            state.record(&row);
        }
        let print = state.printed.is_none_or(|last| time - last >= print_pause(time));
        state.latest = Some(row);
        state.pending = true;
        if print {
            state.print_pending();
            state.printed = Some(time);
            self.due.store((time * 1e3) as u64 + HEARTBEAT, Ordering::Relaxed);
        }
    }

    /// Repeats the latest row with the time of now if nothing was printed for long.
    fn heartbeat(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start).as_millis() as u64;
        let due = self.due.load(Ordering::Relaxed);
        if elapsed < due
            || self.due.compare_exchange(due, elapsed + HEARTBEAT, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let mut state = self.lock();
        if let Some(row) = &mut state.latest {
            row.time = elapsed as f64 * 1e-3;
            state.pending = true;
            state.print_pending();
        }
    }
}

impl State {
    fn json(&mut self, event: &str, value: serde_json::Value) {
        let mut line = serde_json::json!({ "event": event });
        if let (Some(object), serde_json::Value::Object(fields)) = (line.as_object_mut(), value) {
            object.extend(fields);
        }
        let mut bytes = line.to_string().into_bytes();
        bytes.push(b'\n');
        if let Some(copy) = &mut self.copy
            && let Err(error) = copy.write_all(&bytes).and_then(|()| copy.flush())
        {
            self.copy = None;
            self.copy_error = Some(error);
        }
        self.lines.extend_from_slice(&bytes);
    }

    fn record(&mut self, row: &Row) {
        if let Ok(value) = serde_json::to_value(row) {
            self.json("progress", value);
        }
    }

    /// Prints the latest row unless it stands there already.
    fn print_pending(&mut self) {
        if let Some(row) = self.latest.as_ref().filter(|_| self.pending) {
            let print = if self.counts { print::count_row } else { print::row };
            let _ = print(&mut self.out, row).and_then(|()| self.out.flush());
            self.pending = false;
        }
    }
}

impl Monitor for Log {
    fn report(&self, event: Event) {
        let time = self.start.elapsed().as_secs_f64();
        match event {
            Event::Solver { name, reason } => {
                let mut state = self.lock();
                let _ = print::solver(&mut state.out, name, &reason);
                state.json("solver", serde_json::json!({ "time": time, "name": name, "reason": reason }));
            }
            Event::Note(note) => {
                let mut state = self.lock();
                state.print_pending();
                let _ = print::note(&mut state.out, &note);
                state.json("note", serde_json::json!({ "time": time, "note": note }));
            }
            Event::Progress { source, upper, lower, explored } => {
                let total = self.lock().total_weight;
                self.progress(Row {
                    time,
                    source: source.into(),
                    incumbent: upper / total,
                    bound: lower / total,
                    gap: relative_gap(upper, lower),
                    explored,
                });
            }
        }
    }

    fn stop(&self) -> Option<Stop> {
        let now = Instant::now();
        self.heartbeat(now);
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(Stop::Interrupted);
        }
        self.deadline.get().filter(|deadline| now >= **deadline).map(|_| Stop::TimeLimit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    static CALM: AtomicBool = AtomicBool::new(false);

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_row_is_repeated_when_nothing_happens_for_long() {
        let (buffer, start) = (Buffer::default(), Instant::now());
        let log = Log::new(start, &CALM, Box::new(buffer.clone()), None);
        let rows = || String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        log.heartbeat(start + Duration::from_secs(6));
        assert_eq!(rows(), "", "there is no row to repeat yet");
        log.progress(Row { time: 7.0, source: "a".into(), incumbent: 2.0, bound: 1.0, gap: 0.5, explored: 1 });
        log.heartbeat(start + Duration::from_secs(11));
        assert_eq!(rows().lines().count(), 1, "a row was printed four seconds ago");
        log.heartbeat(start + Duration::from_secs(13));
        log.heartbeat(start + Duration::from_secs(17));
        log.heartbeat(start + Duration::from_secs(19));
        let times: Vec<String> = rows().lines().map(|line| line.trim_start()[..6].trim().to_string()).collect();
        assert_eq!(times, ["7.00s", "13.00s", "19.00s"]);
    }

    #[test]
    fn a_long_log_is_a_few_pages() {
        let buffer = Buffer::default();
        let log = Log::new(Instant::now(), &CALM, Box::new(buffer.clone()), None);
        for tick in 0..360_000 {
            let time = f64::from(tick) * 0.01;
            log.progress(Row { time, source: "a".into(), incumbent: 2.0, bound: 1.0, gap: 0.5, explored: 1 });
        }
        let count = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
        let printed = count(&buffer.0.lock().unwrap());
        assert!((500..1_000).contains(&printed), "an hour of events: {printed} rows");
        assert!(count(&log.lines()) < 10_000);
    }
}
