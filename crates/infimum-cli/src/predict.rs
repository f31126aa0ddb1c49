//! `infimum predict`: labels, probabilities and decision values as CSV.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use infimum::{ModelFile, labels, metrics, probabilities, read_for_prediction};

use crate::arguments::{PredictArguments, What};
use crate::failure::{Failure, say, written};

pub(crate) fn run(arguments: &PredictArguments) -> Result<i32, Failure> {
    if let Some(output) = &arguments.output
        && same_file(output, Path::new(&arguments.data))
    {
        let message = format!("-o {}: this is the data file itself; choose another name", output.display());
        return Err(Failure::input(message));
    }
    let (file, predictor) = ModelFile::read(&arguments.run).map_err(Failure::input)?;
    // A point of a series lies two folders below its run.
    let whole = arguments.run.ancestors().take(3).any(|folder| folder.join("result.json").exists());
    if !whole {
        say(&format!(
            "warning: {} holds no result.json: the run was cut off before its certificate was checked, or is not over",
            arguments.run.display()
        ));
    }
    let rows =
        read_for_prediction(&arguments.data, &file.recipe, &file.encoding, &file.labels).map_err(Failure::input)?;
    rows.notes.iter().for_each(|note| say(&format!("note       {note}")));
    let (model, decision) = (&predictor.model, predictor.decision_values(&rows.matrix));
    let wants = |what| arguments.what == what || arguments.what == What::All;
    let mut heads: Vec<String> = Vec::new();
    let classes = if file.labels.is_empty() { None } else { Some(labels(model.outputs, &decision)) };
    if wants(What::Labels) {
        heads.push(if classes.is_some() { "label".into() } else { "value".into() });
    }
    let share = probabilities(file.loss, model.outputs, &decision);
    if arguments.what == What::Probabilities && share.is_none() {
        let message = format!(
            "the loss {} defines no probabilities; use --what decision, or train with logistic or softmax",
            file.loss.name()
        );
        return Err(Failure::input(message));
    }
    let share = share.filter(|_| wants(What::Probabilities));
    if share.is_some() {
        heads.extend(file.labels.iter().map(|label| format!("p({label})")));
    }
    if wants(What::Decision) {
        match model.outputs {
            1 => heads.push("decision".into()),
            _ => heads.extend(file.labels.iter().map(|label| format!("decision({label})"))),
        }
    }
    let write = |out: &mut dyn Write| -> io::Result<()> {
        writeln!(out, "{}", heads.iter().map(|head| quoted(head)).collect::<Vec<_>>().join(","))?;
        let width = file.labels.len();
        for (i, z) in decision.chunks_exact(model.outputs).enumerate() {
            let mut fields: Vec<String> = Vec::with_capacity(heads.len());
            if wants(What::Labels) {
                fields.push(match &classes {
                    Some(classes) => quoted(&file.labels[classes[i]]),
                    None => file.loss.prediction(z[0]).to_string(),
                });
            }
            if let Some(share) = &share {
                fields.extend(share[i * width..(i + 1) * width].iter().map(f64::to_string));
            }
            if wants(What::Decision) {
                fields.extend(z.iter().map(f64::to_string));
            }
            writeln!(out, "{}", fields.join(","))?;
        }
        out.flush()
    };
    let result = match &arguments.output {
        None => write(&mut BufWriter::new(io::stdout().lock())),
        Some(path) => File::create(path).and_then(|file| write(&mut BufWriter::new(file))),
    };
    written(result)?;
    if let Some(target) = &rows.target {
        let metrics = metrics(file.loss, &predictor, &rows.matrix, target);
        say(&format!("metric     {} ({} rows)", metrics.words(), metrics.rows));
    }
    Ok(0)
}

/// Whether both paths lead to one file.
fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// A CSV field, quoted where it must be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
