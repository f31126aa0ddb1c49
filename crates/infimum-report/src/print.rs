//! How the log is printed. The stream is a parameter, so that tests can take snapshots.

use std::io::{self, Write};

use infimum_problem::Ending;

use crate::info::{Closing, Header, Row};

/// Prints the header.
pub fn header(out: &mut dyn Write, header: &Header) -> io::Result<()> {
    writeln!(out, "infimum {}", env!("CARGO_PKG_VERSION"))?;
    let held = if header.held_out > 0 { format!(", {} held out", header.held_out) } else { String::new() };
    let storage = if header.sparse { format!("sparse, {} stored values", header.stored) } else { "dense".into() };
    writeln!(out, "data       {}: {} rows{held}, {} columns ({storage})", header.data, header.rows, header.columns)?;
    let target = if header.target.is_empty() { "first field of each row" } else { &header.target };
    let labels = match header.labels.len() {
        0 => "numbers".to_string(),
        count if count <= 6 => format!("labels {}", header.labels.join(", ")),
        count => format!("{count} labels from {} to {}", header.labels[0], header.labels[count - 1]),
    };
    writeln!(out, "target     {target} ({labels})")?;
    writeln!(out, "model      {} loss, {}, intercept {}", header.loss, header.penalty, header.intercept)?;
    writeln!(out, "promise    rung 1, convex: the optimum to any gap asked for, with a certificate")?;
    header.notes.iter().try_for_each(|note| writeln!(out, "note       {note}"))
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

/// A share as a percentage rounded up to one or two significant digits: `0.0001 %`, `3.2 %`, `6e-10 %`.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if !percent.is_finite() {
        return "an unknown share".into();
    }
    if percent <= 0.0 {
        return "0 %".into();
    }
    if percent >= 1.0 {
        return format!("{:.1} %", (percent * 10.0).ceil() / 10.0);
    }
    let exponent = percent.log10().floor() as i32;
    let digit = (percent / 10f64.powi(exponent) - 1e-9).ceil().max(1.0);
    let (digit, exponent) = if digit >= 10.0 { (1.0, exponent + 1) } else { (digit, exponent) };
    if exponent >= -6 {
        let decimals = (-exponent).max(0) as usize;
        format!("{:.decimals$} %", digit * 10f64.powi(exponent))
    } else {
        format!("{digit:.0}e{exponent} %")
    }
}

/// The closing answer: is it okay, can it get better, what next.
pub fn answer(closing: &Closing) -> String {
    let Closing { model, gap, wanted, message, .. } = closing;
    if let Some(refusal) = &closing.refusal {
        return format!(
            "The certificate was NOT accepted by the checker ({refusal}). Nothing above is proven. This is a defect of infimum: \
             please report it with the run folder."
        );
    }
    let gained = percent(*gap);
    match closing.ending {
        Ending::Optimal => {
            format!(
                "No {model} with this penalty can have a training objective more than {gained} lower. Training longer cannot help."
            )
        }
        Ending::NotAttained => format!(
            "No {model} attains the infimum, which is 0: {message}. Any of them can be bettered by larger weights; to get a definite model \
             ask for a penalty, e.g. --C 1 or --l2 1e-4."
        ),
        Ending::TimeLimit => format!(
            "The time limit came first. At most {gained} could still be gained on the training objective; give a longer --time-limit \
             to gain it or to prove that there is less."
        ),
        Ending::Interrupted => format!(
            "Interrupted; the best model so far is written. At most {gained} could still be gained on the training objective; run again to go on."
        ),
        Ending::Stalled if *gap <= 1e-9 && *wanted < *gap => format!(
            "The gap asked for ({wanted:e}) is below what double precision can reach here. No {model} with this penalty can have a training \
             objective more than {gained} lower."
        ),
        Ending::Stalled => {
            format!("Stalled: {message}. At most {gained} could still be gained on the training objective.")
        }
        Ending::NumericalTrouble => {
            format!(
                "Numerical trouble: {message}. At most {gained} could still be gained. Rescale the columns or use --standardize."
            )
        }
    }
}

/// Prints the closing block.
pub fn closing(out: &mut dyn Write, closing: &Closing) -> io::Result<()> {
    let proven = if closing.certified { "proven, certificate checked" } else { "NOT certified" };
    writeln!(out, "\nending     {}", closing.ending.name())?;
    writeln!(out, "objective  {:.12e}  (mean over the training weight)", closing.upper)?;
    writeln!(out, "bound      {:.12e}  ({proven})", closing.lower)?;
    writeln!(out, "gap        {:.2e}", closing.gap)?;
    closing.metrics.iter().try_for_each(|metric| writeln!(out, "metric     {metric}"))?;
    let [read, solve, write, check] = closing.seconds;
    writeln!(out, "seconds    read {read:.2}, solve {solve:.2}, write {write:.2}, check {check:.2}")?;
    writeln!(out, "written    {}", closing.folder)?;
    writeln!(out, "\n{}", answer(closing))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_round_up() {
        for (share, text) in [
            (1e-6, "0.0001 %"),
            (1.01e-6, "0.0002 %"),
            (0.032, "3.2 %"),
            (0.0321, "3.3 %"),
            (0.0099, "1 %"),
            (5.9e-12, "6e-10 %"),
            (0.0, "0 %"),
            (1.0, "100.0 %"),
        ] {
            assert_eq!(percent(share), text, "{share}");
        }
    }
}
