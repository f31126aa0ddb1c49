//! How the loading problem is printed: header, answer, the contradiction, the weights.

use std::io::{self, Write};

use infimum_problem::{Ending, one_line};
use serde::Serialize;

use crate::info::Proof;

/// What is known before the search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadingHeader {
    /// Path or `builtin:NAME`.
    pub data: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// What the outputs mean.
    pub outputs: Vec<String>,
    /// The network in words.
    pub network: String,
    /// Rung, 2 or 3.
    pub rung: u8,
    /// The question in words.
    pub question: String,
    /// Remarks of the reader.
    pub notes: Vec<String>,
    /// Threads.
    pub threads: usize,
}

/// A row of a contradiction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermLine {
    /// Side, 0 left or 1 right.
    pub side: u8,
    /// Multiplier as a decimal.
    pub multiplier: String,
    /// Row from 1.
    pub row: u32,
    /// The row's values as text.
    pub values: String,
}

/// The margin of a separable unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarginLine {
    /// The unit's name.
    pub unit: String,
    /// The nearest row is at least so far from the hyperplane, in the units of the columns.
    pub reached: f64,
    /// No hyperplane that is right on all rows does better.
    pub bound: f64,
}

/// What is known at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadingClosing {
    /// How it ended.
    pub ending: Ending,
    /// A sentence about the ending; may be empty.
    pub message: String,
    /// Rows.
    pub rows: usize,
    /// Wrong rows of the weights found.
    pub upper: Option<u64>,
    /// No weights are wrong on fewer.
    pub lower: u64,
    /// Wrong rows that were allowed.
    pub allowed: Option<u64>,
    /// Whether the checker accepted.
    pub proof: Proof,
    /// Units with their weights, a line each.
    pub weights: Vec<String>,
    /// Margins of the units that have one.
    pub margins: Vec<MarginLine>,
    /// A contradiction of few rows, if the proof rests on one alone.
    pub contradiction: Vec<TermLine>,
    /// Two rows (from 1) with equal values that want different outputs, if they are the contradiction.
    pub conflict: Option<[u32; 2]>,
    /// Whether the network has hidden units.
    pub hidden: bool,
    /// Circuits and steps of the refutation, and the certificate's bytes.
    pub size: [u64; 3],
    /// Seconds for reading, solving, writing and checking.
    pub seconds: [f64; 4],
    /// Run folder; `None` if it could not be written.
    pub folder: Option<String>,
}

/// Most lines of weights and of a contradiction that a terminal gets.
const LINES: usize = 40;

/// Prints the header.
pub fn loading_header(out: &mut dyn Write, header: &LoadingHeader) -> io::Result<()> {
    writeln!(out, "infimum {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "data       {}: {} rows × {} columns (exact)", one_line(&header.data), header.rows, header.columns)?;
    let outputs = match header.outputs.len() {
        1 => format!("1 means {}", header.outputs[0]),
        count if count <= 6 => header.outputs.join(", "),
        count => format!("{count} outputs"),
    };
    writeln!(out, "target     {}", one_line(&outputs))?;
    writeln!(out, "network    {}", one_line(&header.network))?;
    writeln!(out, "question   {}", header.question)?;
    writeln!(out, "threads    {}", header.threads)?;
    let promise = match header.rung {
        2 => "rung 2, linear separation: decided, with weights or rows that contradict each other",
        _ => "rung 3, NP-complete: weights, a proof that none exist, or the best bounds when time is up",
    };
    writeln!(out, "promise    {promise}")?;
    header.notes.iter().try_for_each(|note| writeln!(out, "note       {}", one_line(note)))
}

fn rows(count: u64) -> String {
    counted(count, "row")
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The answer in words.
pub fn loading_answer(closing: &LoadingClosing) -> String {
    match &closing.proof {
        Proof::Checked => {}
        Proof::Refused(refusal) => {
            return format!(
                "The certificate was NOT accepted by the checker ({refusal}). Nothing above is proven. This is a defect of infimum: \
                 please report it with the run folder."
            );
        }
        Proof::Unwritten(why) => {
            return format!("The run folder could not be written: {why}. The answer above has not been checked.");
        }
    }
    let allowed = closing.allowed.unwrap_or(0);
    let units = if closing.hidden { "more hidden units" } else { "hidden units (--hidden 2)" };
    let bounds = || match closing.upper {
        Some(upper) => format!(
            "The best weights found are wrong on {}; none can be wrong on fewer than {} (proven)",
            rows(upper),
            closing.lower
        ),
        None => format!("No weights were found; none can be wrong on fewer than {} (proven)", rows(closing.lower)),
    };
    match closing.ending {
        Ending::Satisfiable if closing.upper == Some(0) => {
            "Weights exist that get every row right: they are written, and were evaluated exactly on every row.".into()
        }
        Ending::Satisfiable => format!(
            "Weights exist that are wrong on only {} of {}: they are written, and were evaluated exactly on every row.",
            closing.upper.unwrap_or(0),
            rows(closing.rows as u64)
        ),
        Ending::Infeasible if allowed == 0 => {
            let way = match closing.conflict {
                Some([one, other]) => format!(
                    "Rows {one} and {other} have the same values and want different outputs, so no network does. Ask for the"
                ),
                None => format!("Use {units}, or ask for the"),
            };
            format!(
                "No weights of this network get every row right: proven. {way} fewest errors (infimum fit --loss zero-one)."
            )
        }
        Ending::Infeasible => format!(
            "No weights of this network are wrong on at most {}: proven. Allow more, or use {units}.",
            rows(allowed)
        ),
        Ending::Optimal if closing.lower == 0 => {
            "Weights exist that get every row right: they are written, and were evaluated exactly on every row.".into()
        }
        Ending::Optimal => format!(
            "No weights of this network are wrong on fewer than {}: proven, and the weights written attain it. Training longer cannot \
             help; another network may.",
            rows(closing.lower)
        ),
        Ending::TimeLimit => format!("The time limit came first. {}; give a longer --time-limit.", bounds()),
        Ending::Interrupted => format!("Interrupted. {}.", bounds()),
        _ => format!("{}. {}.", closing.message, bounds()),
    }
}

/// Prints the closing block.
pub fn loading_closing(out: &mut dyn Write, closing: &LoadingClosing) -> io::Result<()> {
    let proven = if closing.proof == Proof::Checked { "proven: the certificate was checked" } else { "NOT proven" };
    writeln!(out, "\nending     {}", closing.ending.name())?;
    if let Some(upper) = closing.upper {
        writeln!(out, "wrong      {upper} of {}", rows(closing.rows as u64))?;
    }
    writeln!(out, "bound      at least {} wrong for all weights  ({proven})", closing.lower)?;
    if !closing.contradiction.is_empty() {
        writeln!(
            out,
            "\nThe rows of the two sides, taken so many times, have the same sum; so no threshold unit is 1 on all of one side and 0 on all \
             of the other:"
        )?;
        writeln!(out, "  {:>4} {:>10} {:>8}  values", "side", "times", "row")?;
        for line in closing.contradiction.iter().take(LINES) {
            let side = if line.side == 0 { "1" } else { "2" };
            writeln!(out, "  {side:>4} {:>10} {:>8}  {}", line.multiplier, line.row, one_line(&line.values))?;
        }
        writeln!(out)?;
    }
    for line in closing.weights.iter().take(LINES) {
        writeln!(out, "unit       {}", one_line(line))?;
    }
    if closing.weights.len() > LINES {
        writeln!(out, "unit       … {} more in model.json", closing.weights.len() - LINES)?;
    }
    for line in closing.margins.iter().take(LINES) {
        let (unit, reached, bound) = (one_line(&line.unit), line.reached, line.bound);
        writeln!(out, "margin     {unit}: nearest row at {reached:.6e}; none can exceed {bound:.6e}  ({proven})")?;
    }
    let [circuits, steps, bytes] = closing.size;
    writeln!(
        out,
        "proof      {}, {}; certificate of {bytes} bytes",
        counted(circuits, "circuit"),
        counted(steps, "step")
    )?;
    let [read, solve, write, check] = closing.seconds;
    writeln!(out, "seconds    read {read:.3}, solve {solve:.3}, write {write:.3}, check {check:.3}")?;
    writeln!(out, "written    {}", one_line(closing.folder.as_deref().unwrap_or("nothing")))?;
    writeln!(out, "\n{}", one_line(&loading_answer(closing)))
}
