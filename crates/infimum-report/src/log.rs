//! The monitor that prints, keeps the JSON-lines log, and carries the time limit and the interrupt to the solver.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use infimum_problem::{Event, Monitor, Stop, relative_gap};

use crate::info::Row;
use crate::print;

/// Rows closer together than this are not printed (the last one always is).
const PAUSE: f64 = 0.1;

struct State {
    out: Box<dyn Write + Send>,
    lines: Vec<u8>,
    extra: Option<Box<dyn Write + Send>>,
    total_weight: f64,
    last: Option<f64>,
    pending: Option<Row>,
}

/// A log that prints to a stream and collects JSON lines.
pub struct Log {
    start: Instant,
    deadline: OnceLock<Instant>,
    interrupted: &'static AtomicBool,
    state: Mutex<State>,
}

impl Log {
    /// A log of a command that began at `start`; rows go to `out`, JSON lines to memory and to `extra`.
    pub fn new(
        start: Instant,
        interrupted: &'static AtomicBool,
        out: Box<dyn Write + Send>,
        extra: Option<Box<dyn Write + Send>>,
    ) -> Log {
        let state = State { out, lines: Vec::new(), extra, total_weight: 1.0, last: None, pending: None };
        Log { start, deadline: OnceLock::new(), interrupted, state: Mutex::new(state) }
    }

    /// Sets the time by which the solver has to end.
    pub fn set_deadline(&self, limit: Duration) {
        if let Some(deadline) = self.start.checked_add(limit) {
            let _ = self.deadline.set(deadline);
        }
    }

    /// Sets Σc, by which values are divided for display.
    pub fn set_total_weight(&self, total_weight: f64) {
        if let Ok(mut state) = self.state.lock() {
            state.total_weight = total_weight;
        }
    }

    /// Prints something with one of the functions of [`print`].
    pub fn print(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
        if let Ok(mut state) = self.state.lock() {
            let _ = write(&mut state.out);
            let _ = state.out.flush();
        }
    }

    /// Adds a JSON line `{"event": event, …}`.
    pub fn json(&self, event: &str, value: serde_json::Value) {
        if let Ok(mut state) = self.state.lock() {
            json_line(&mut state, event, value);
        }
    }

    /// Prints the row held back, if any, and returns all JSON lines.
    pub fn finish(&self) -> Vec<u8> {
        let Ok(mut state) = self.state.lock() else {
            return Vec::new();
        };
        flush_pending(&mut state);
        state.lines.clone()
    }
}

fn json_line(state: &mut State, event: &str, value: serde_json::Value) {
    let mut line = serde_json::json!({ "event": event });
    if let (Some(object), serde_json::Value::Object(fields)) = (line.as_object_mut(), value) {
        object.extend(fields);
    }
    let mut bytes = line.to_string().into_bytes();
    bytes.push(b'\n');
    if let Some(extra) = &mut state.extra {
        let _ = extra.write_all(&bytes).and_then(|()| extra.flush());
    }
    state.lines.extend_from_slice(&bytes);
}

fn flush_pending(state: &mut State) {
    if let Some(row) = state.pending.take() {
        let _ = print::row(&mut state.out, &row);
    }
}

impl Monitor for Log {
    fn report(&self, event: Event) {
        let time = self.start.elapsed().as_secs_f64();
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        match event {
            Event::Solver { name, reason } => {
                let _ = print::solver(&mut state.out, name, &reason);
                json_line(&mut state, "solver", serde_json::json!({ "time": time, "name": name, "reason": reason }));
            }
            Event::Note(note) => {
                flush_pending(&mut state);
                let _ = writeln!(state.out, "note       {note}");
                json_line(&mut state, "note", serde_json::json!({ "time": time, "note": note }));
            }
            Event::Progress { source, upper, lower, explored } => {
                let total = state.total_weight;
                let row = Row {
                    time,
                    source: source.into(),
                    incumbent: upper / total,
                    bound: lower / total,
                    gap: relative_gap(upper, lower),
                    explored,
                };
                if let Ok(value) = serde_json::to_value(&row) {
                    json_line(&mut state, "progress", value);
                }
                if state.last.is_none_or(|last| time - last >= PAUSE) {
                    state.pending = None;
                    let _ = print::row(&mut state.out, &row);
                    state.last = Some(time);
                } else {
                    state.pending = Some(row);
                }
            }
        }
    }

    fn stop(&self) -> Option<Stop> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some(Stop::Interrupted);
        }
        self.deadline.get().filter(|deadline| Instant::now() >= **deadline).map(|_| Stop::TimeLimit)
    }
}
