//! The log, printed into a buffer and compared with what it should look like.
#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use infimum_problem::{Ending, Event, Monitor, Stop};
use infimum_report::{Closing, Header, Log, Proof, Row, print};

static CALM: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(true);

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A stream that takes nothing.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("no space"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn printed(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn header() -> Header {
    Header {
        data: "flowers.csv".into(),
        rows: 120,
        held_out: 30,
        columns: 4,
        stored: 480,
        sparse: false,
        target: "species".into(),
        task: "classification".into(),
        labels: vec!["setosa".into(), "virginica".into()],
        loss: "logistic".into(),
        penalty: "C 1 (λ2 = 1)".into(),
        intercept: "free".into(),
        network: None,
        promise: "rung 1, convex: the optimum to any gap asked for, with a certificate".into(),
        notes: vec!["the first line names the columns".into()],
        threads: 2,
    }
}

fn closing(ending: Ending, gap: f64) -> Closing {
    Closing {
        ending,
        message: "why it ended".into(),
        model: "logistic regression".into(),
        upper: 0.5,
        lower: 0.5 * (1.0 - gap),
        gap,
        wanted: 1e-4,
        proof: Proof::Checked,
        report: Vec::new(),
        metrics: vec!["training    accuracy 0.975000 (120 rows)".into()],
        seconds: [0.1, 0.2, 0.03, 0.04],
        folder: Some("runs/one".into()),
    }
}

#[test]
fn header_of_dense_data() {
    let expected = format!(
        "\
infimum {}
data       flowers.csv: 120 rows, 30 held out × 4 columns (dense)
target     species, classification (labels setosa, virginica)
model      logistic loss, C 1 (λ2 = 1), intercept free
threads    2
promise    rung 1, convex: the optimum to any gap asked for, with a certificate
note       the first line names the columns
",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(printed(|out| print::header(out, &header())), expected);
}

#[test]
fn header_of_sparse_data_with_many_labels() {
    let labels = (0..10).map(|digit| digit.to_string()).collect();
    let header = Header { sparse: true, target: String::new(), labels, held_out: 0, ..header() };
    let text = printed(|out| print::header(out, &header));
    assert!(text.contains("flowers.csv: 120 rows × 4 columns (sparse, 480 stored values)"), "{text}");
    assert!(text.contains("target     first field of each row, classification (10 labels from 0 to 9)"), "{text}");
}

#[test]
fn names_from_files_stay_on_their_line() {
    let header = Header {
        data: "a\nb".into(),
        target: "kind\u{1b}[2J".into(),
        labels: vec!["x\ns VERIFIED".into(), "y".into()],
        notes: vec!["the column\r`z`".into()],
        ..header()
    };
    let text = printed(|out| print::header(out, &header));
    assert_eq!(text.lines().count(), 7, "{text}");
    for part in ["a\\nb: 120 rows", "kind\\u{1b}[2J", "labels x\\ns VERIFIED, y", "the column\\r`z`"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn rows_line_up_with_their_heads() {
    let row = Row { time: 12.345, source: "newton".into(), incumbent: 0.25, bound: 0.125, gap: 0.5, explored: 17 };
    let text = printed(|out| {
        print::solver(out, "newton", "smooth loss with 4 columns")?;
        print::row(out, &row)
    });
    let expected = "\
solver     newton (smooth loss with 4 columns)

    time  source                 incumbent             bound       gap explored
  12.35s  newton           2.5000000000e-1   1.2500000000e-1   5.00e-1       17
";
    assert_eq!(text, expected);
}

#[test]
fn closing_block() {
    let expected = "
ending     Optimal
objective  5.000000000000e-1  (mean over the training weight)
bound      4.999950000000e-1  (proven: the certificate was checked)
gap        1.00e-5
metric     training    accuracy 0.975000 (120 rows)
seconds    read 0.10, solve 0.20, write 0.03, check 0.04
written    runs/one

No logistic regression with this penalty can have a training objective more than 0.001 % lower. Training longer can gain at \
most that; ask for a smaller --gap to gain it or to prove that there is less.
";
    assert_eq!(printed(|out| print::closing(out, &closing(Ending::Optimal, 1e-5))), expected);
}

#[test]
fn answers() {
    for (ending, gap, expected) in [
        (
            Ending::Optimal,
            1e-6,
            "No logistic regression with this penalty can have a training objective more than 0.0001 % lower. Training longer \
             cannot help.",
        ),
        (
            Ending::Optimal,
            1e-5,
            "No logistic regression with this penalty can have a training objective more than 0.001 % lower. Training longer can \
             gain at most that; ask for a smaller --gap to gain it or to prove that there is less.",
        ),
        (
            Ending::Optimal,
            0.5,
            "No logistic regression with this penalty can have a training objective more than 0.3 lower (--abs-gap is reached). \
             Training longer can gain at most that; ask for a smaller --abs-gap to gain it or to prove that there is less.",
        ),
        (Ending::NotAttained, 1.0, "No logistic regression attains the infimum, which is 0: why it ended."),
        (
            Ending::TimeLimit,
            0.0317,
            "The time limit came first. At most 3.2 % could still be gained on the training objective; give a longer --time-limit \
             to gain it or to prove that there is less.",
        ),
        (
            Ending::Interrupted,
            0.0317,
            "Interrupted; the best model so far is written. At most 3.2 % could still be gained on the training objective; a \
             new run with --warm-start goes on from it.",
        ),
        (
            Ending::Stalled,
            2e-15,
            "No logistic regression with this penalty can have a training objective more than 2e-13 % lower. The gap asked for \
             (1e-4) is more than double precision can claim here.",
        ),
        (
            Ending::Stalled,
            0.25,
            "Stalled: why it ended. At most 25.0 % could still be gained on the training objective.",
        ),
        (
            Ending::NumericalTrouble,
            0.25,
            "Numerical trouble: why it ended. At most 25.0 % could still be gained on the training objective; rescale the columns \
             or use --standardize.",
        ),
    ] {
        assert_eq!(print::answer(&closing(ending, gap)), expected, "{ending:?}");
    }
}

#[test]
fn nothing_is_called_proven_without_the_checker() {
    for proof in [Proof::Refused("lower: too high".into()), Proof::Unwritten("no space".into())] {
        let closing = Closing { proof, folder: None, ..closing(Ending::Optimal, 1e-5) };
        let text = printed(|out| print::closing(out, &closing));
        assert!(text.contains("(NOT proven)"), "{text}");
        assert!(!text.contains("No logistic regression"), "{text}");
    }
    let refused = Closing { proof: Proof::Refused("lower: too high".into()), ..closing(Ending::Optimal, 1e-5) };
    assert!(print::answer(&refused).contains("lower: too high"));
}

/// A log that prints into a buffer; the values reported are sums of 4 examples.
fn log(buffer: &Buffer, start: Instant, interrupted: &'static AtomicBool) -> Log {
    let log = Log::new(start, interrupted, Box::new(buffer.clone()), None);
    log.set_total_weight(4.0);
    log
}

fn progress(upper: f64, explored: u64) -> Event {
    Event::Progress { source: "newton", upper, lower: 1.0, explored }
}

#[test]
fn rows_are_means_and_the_last_one_is_never_lost() {
    let buffer = Buffer::default();
    let log = log(&buffer, Instant::now(), &CALM);
    (0u32..1000).for_each(|step| log.report(progress(2000.0 - f64::from(step), step.into())));
    log.report(progress(2.0, 1000));
    log.finish();
    let text = buffer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("5.0000000000e2   2.5000000000e-1    1.00e0        0"), "{text}");
    assert!(lines[lines.len() - 1].ends_with("5.0000000000e-1   2.5000000000e-1   5.00e-1     1000"), "{text}");
    assert!(lines.len() < 500, "a thousand events at once are not a thousand rows: {}", lines.len());
    let record = String::from_utf8(log.lines()).unwrap();
    let last: serde_json::Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["incumbent"].as_f64()), (Some("progress"), Some(0.5)));
}

#[test]
fn limit_and_interrupt_reach_the_solver() {
    let limited = log(&Buffer::default(), Instant::now(), &CALM);
    assert_eq!(limited.stop(), None);
    limited.set_deadline(Duration::ZERO);
    assert_eq!(limited.stop(), Some(Stop::TimeLimit));
    assert_eq!(log(&Buffer::default(), Instant::now(), &INTERRUPTED).stop(), Some(Stop::Interrupted));
}

#[test]
fn json_lines_hold_every_event_in_order() {
    let log = log(&Buffer::default(), Instant::now(), &CALM);
    log.json("header", serde_json::to_value(header()).unwrap());
    log.report(Event::Solver { name: "newton", reason: "smooth".into() });
    log.report(progress(2.0, 1));
    log.report(Event::Note("a remark".into()));
    log.finish();
    log.json("closing", serde_json::to_value(closing(Ending::Optimal, 1e-5)).unwrap());
    let text = String::from_utf8(log.lines()).unwrap();
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["header", "solver", "progress", "note", "closing"]);
    assert_eq!(events[4]["proof"], "checked");
}

#[test]
fn streams_that_take_nothing_do_not_stop_a_run() {
    let log = Log::new(Instant::now(), &CALM, Box::new(Full), Some(Box::new(Full)));
    log.print(|out| print::header(out, &header()));
    log.report(progress(2.0, 1));
    log.finish();
    assert_eq!(log.copy_error().as_deref(), Some("no space"));
    assert!(!log.lines().is_empty(), "the lines in memory are whole");
}
