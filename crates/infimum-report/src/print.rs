//! How the log is printed. The stream is a parameter, so that tests can take snapshots.

use std::io::{self, Write};

use infimum_problem::{Ending, absolute_gap, one_line};

use crate::info::{Closing, Header, Proof, Row};

/// Relative gaps below this are a matter of rounding, not of training.
const ROUNDING: f64 = 1e-9;

/// A relative gap that nobody would train on for.
const NEGLIGIBLE: f64 = 1e-6;

/// Prints the header.
pub fn header(out: &mut dyn Write, header: &Header) -> io::Result<()> {
    writeln!(out, "infimum {}", env!("CARGO_PKG_VERSION"))?;
    let held = if header.held_out > 0 { format!(", {} held out", header.held_out) } else { String::new() };
    let storage = if header.sparse { format!("sparse, {} stored values", header.stored) } else { "dense".into() };
    let data = one_line(&header.data);
    writeln!(out, "data       {data}: {} rows{held} × {} columns ({storage})", header.rows, header.columns)?;
    let target = if header.target.is_empty() { "first field of each row".into() } else { one_line(&header.target) };
    let labels = match header.labels.len() {
        0 => "numbers".to_string(),
        count if count <= 6 => format!("labels {}", header.labels.join(", ")),
        count => format!("{count} labels from {} to {}", header.labels[0], header.labels[count - 1]),
    };
    writeln!(out, "target     {target}, {} ({})", header.task, one_line(&labels))?;
    let constant = if header.network.is_some() { "output bias" } else { "intercept" };
    writeln!(out, "model      {} loss, {}, {constant} {}", header.loss, header.penalty, header.intercept)?;
    header.network.iter().try_for_each(|network| writeln!(out, "network    {network}"))?;
    writeln!(out, "threads    {}", header.threads)?;
    writeln!(out, "promise    {}", header.promise)?;
    header.notes.iter().try_for_each(|text| note(out, text))
}

/// Prints a remark.
pub fn note(out: &mut dyn Write, note: &str) -> io::Result<()> {
    writeln!(out, "note       {}", one_line(note))
}

/// Prints the line about the solver and the heads of the columns.
pub fn solver(out: &mut dyn Write, name: &str, reason: &str) -> io::Result<()> {
    writeln!(out, "solver     {name} ({reason})")?;
    writeln!(
        out,
        "\n{:>8}  {:<14} {:>17} {:>17} {:>9} {:>8}",
        "time", "source", "incumbent", "bound", "gap", "explored"
    )
}

/// Prints one row.
pub fn row(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    writeln!(
        out,
        "{:>7.2}s  {:<14} {:>17.10e} {:>17.10e} {:>9.2e} {:>8}",
        row.time, row.source, row.incumbent, row.bound, row.gap, row.explored
    )
}

/// Prints one row whose values are numbers of wrong rows.
pub fn count_row(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    let incumbent = if row.incumbent.is_finite() { format!("{} wrong", row.incumbent) } else { "-".into() };
    let (bound, gap) = (format!("≥ {} wrong", row.bound), row.incumbent - row.bound);
    let gap = if gap.is_finite() { format!("{gap}") } else { "-".into() };
    writeln!(out, "{:>7.2}s  {:<14} {incumbent:>17} {bound:>17} {gap:>9} {:>8}", row.time, row.source, row.explored)
}

/// A number ≥ 0 with one significant digit (below 1) or one decimal, rounded up in decimal: what is said to be at most this
/// is at most this.
pub fn round_up(value: f64) -> String {
    if value.is_infinite() || value.is_nan() {
        return "unboundedly much".into();
    }
    if value <= 0.0 {
        return "0".into();
    }
    if value >= 1.0 {
        return format!("{:.1}", (value * 10.0).ceil() / 10.0);
    }
    // The shortest decimal of the number, `d.ddde-k`: one digit is kept, and one added if others follow.
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let first = digits.as_bytes()[0] - b'0' + u8::from(digits.len() > 1);
    let (first, exponent) = if first == 10 { (1, exponent + 1) } else { (first, exponent) };
    match exponent {
        0 => format!("{first}.0"),
        -6..0 => format!("0.{}{first}", "0".repeat((-exponent - 1) as usize)),
        _ => format!("{first}e{exponent}"),
    }
}

/// A share as a percentage, rounded up: `0.0001 %`, `3.2 %`, `6e-10 %`.
pub fn percent(share: f64) -> String {
    // The exponent of the shortest decimal is moved by two, so that nothing is rounded on the way.
    let shifted = format!("{share:e}");
    let shifted = shifted.split_once('e').and_then(|(digits, exponent)| {
        let exponent: i32 = exponent.parse().ok()?;
        format!("{digits}e{}", exponent + 2).parse::<f64>().ok()
    });
    match shifted {
        Some(percent) if share.is_finite() => format!("{} %", round_up(percent)),
        _ => "an unknown share".into(),
    }
}

/// The closing answer: is it okay, can it get better, what next.
pub fn answer(closing: &Closing) -> String {
    let Closing { model, gap, wanted, message, .. } = closing;
    match &closing.proof {
        Proof::Checked => {}
        Proof::Refused(refusal) => {
            return format!(
                "The certificate was NOT accepted by the checker ({refusal}). Nothing above is proven. This is a defect of infimum: \
                 please report it with the run folder."
            );
        }
        Proof::Unwritten(why) => {
            return format!(
                "The run folder could not be written: {why}. The bounds above are the solver's own and have not been checked."
            );
        }
    }
    let gained = percent(*gap);
    let sentence = format!("No {model} with this penalty can have a training objective more than {gained} lower.");
    let at_most = format!("At most {gained} could still be gained on the training objective");
    let outlook = |option: &str| {
        if *gap <= NEGLIGIBLE {
            return "Training longer cannot help.".to_string();
        }
        format!(
            "Training longer can gain at most that; ask for a smaller {option} to gain it or to prove that there is less."
        )
    };
    match closing.ending {
        Ending::Optimal if gap > wanted => {
            let lower = round_up(absolute_gap(closing.upper, closing.lower));
            format!(
                "No {model} with this penalty can have a training objective more than {lower} lower (--abs-gap is reached). {}",
                outlook("--abs-gap")
            )
        }
        Ending::Optimal => format!("{sentence} {}", outlook("--gap")),
        // The loading problem has answers of its own.
        Ending::Satisfiable | Ending::Infeasible => format!("{sentence} {message}"),
        Ending::NotAttained => format!("No {model} attains the infimum, which is 0: {message}."),
        Ending::TimeLimit => {
            format!(
                "The time limit came first. {at_most}; give a longer --time-limit to gain it or to prove that there is less."
            )
        }
        Ending::Interrupted => {
            format!(
                "Interrupted; the best model so far is written. {at_most}; a new run with --warm-start goes on from it."
            )
        }
        Ending::Stalled if *gap <= ROUNDING => {
            format!("{sentence} The gap asked for ({wanted:e}) is more than double precision can claim here.")
        }
        Ending::Stalled => format!("Stalled: {message}. {at_most}."),
        Ending::NumericalTrouble => {
            format!("Numerical trouble: {message}. {at_most}; rescale the columns or use --standardize.")
        }
    }
}

/// Prints the closing block.
pub fn closing(out: &mut dyn Write, closing: &Closing) -> io::Result<()> {
    let proven = match closing.proof {
        Proof::Checked => "proven: the certificate was checked",
        Proof::Refused(_) | Proof::Unwritten(_) => "NOT proven",
    };
    writeln!(out, "\nending     {}", closing.ending.name())?;
    // −0 is 0.
    writeln!(out, "objective  {:.12e}  (mean over the training weight)", closing.upper + 0.0)?;
    writeln!(out, "bound      {:.12e}  ({proven})", closing.lower)?;
    writeln!(out, "gap        {:.2e}", closing.gap)?;
    closing.metrics.iter().try_for_each(|metric| writeln!(out, "metric     {metric}"))?;
    closing.report.iter().try_for_each(|(word, text)| writeln!(out, "{word:<10} {}", one_line(text)))?;
    let [read, solve, write, check] = closing.seconds;
    writeln!(out, "seconds    read {read:.2}, solve {solve:.2}, write {write:.2}, check {check:.2}")?;
    writeln!(out, "written    {}", one_line(closing.folder.as_deref().unwrap_or("nothing")))?;
    writeln!(out, "\n{}", one_line(&answer(closing)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{percent, round_up};

    #[test]
    fn percentages_round_up() {
        for (share, text) in [
            (1e-6, "0.0001 %"),
            (1.01e-6, "0.0002 %"),
            (0.032, "3.2 %"),
            (0.0321, "3.3 %"),
            (0.0099, "1.0 %"),
            (0.0095, "1.0 %"),
            (0.009, "0.9 %"),
            (5.9e-12, "6e-10 %"),
            (9.9e-12, "1e-9 %"),
            (0.0, "0 %"),
            (1.0, "100.0 %"),
            (f64::INFINITY, "an unknown share"),
        ] {
            assert_eq!(percent(share), text, "{share}");
        }
    }

    proptest! {
        #[test]
        fn rounded_up_is_never_below(mantissa in 1.0f64..10.0, exponent in -300i32..12) {
            let value = mantissa * 10f64.powi(exponent);
            let shown: f64 = round_up(value).parse().unwrap();
            prop_assert!(shown >= value && shown <= 2.0 * value, "{value:e} is shown as {shown:e}");
        }
    }
}
