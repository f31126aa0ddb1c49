//! `infimum predict`: labels, probabilities and decision values as CSV.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use infimum::{
    ModelFile, NetworkModel, label_probabilities, labels, load_rows, metrics, probabilities, read_for_prediction,
};

use crate::arguments::{PredictArguments, What};
use crate::failure::{Failure, say, written};

pub(crate) fn run(arguments: &PredictArguments) -> Result<i32, Failure> {
    if let Some(output) = &arguments.output
        && same_file(output, Path::new(&arguments.data))
    {
        let message = format!("-o {}: this is the data file itself; choose another name", output.display());
        return Err(Failure::input(message));
    }
    if let Some(model) = NetworkModel::read(&arguments.run).map_err(Failure::input)? {
        return network(arguments, &model);
    }
    let (file, predictor) = ModelFile::read(&arguments.run).map_err(Failure::input)?;
    say_if_cut_off(arguments);
    let rows =
        read_for_prediction(&arguments.data, &file.recipe, &file.encoding, &file.labels).map_err(Failure::input)?;
    rows.notes.iter().for_each(|note| say(&format!("note       {note}")));
    let (model, decision) = (&predictor.model, predictor.decision_values(&rows.matrix));
    let wants = |what| arguments.what == what || arguments.what == What::All;
    // What each of several targets, labels or the one output is called.
    let targets = file.recipe.output_names();
    let names = if targets.is_empty() { &file.labels } else { &targets };
    let classes = if file.labels.is_empty() { None } else { Some(labels(model.outputs, &decision)) };
    let mut heads: Vec<String> = Vec::new();
    if wants(What::Labels) {
        match (&targets[..], &classes) {
            ([], Some(_)) => heads.push("label".into()),
            ([], None) => heads.push("value".into()),
            (targets, _) => heads.extend_from_slice(targets),
        }
    }
    let share = match targets.is_empty() {
        true => probabilities(file.loss, model.outputs, &decision),
        false => label_probabilities(file.loss, &decision),
    };
    if arguments.what == What::Probabilities && share.is_none() {
        let message = format!(
            "the loss {} defines no probabilities; use --what decision, or train with logistic or softmax",
            file.loss.name()
        );
        return Err(Failure::input(message));
    }
    let share = share.filter(|_| wants(What::Probabilities));
    if share.is_some() {
        heads.extend(names.iter().map(|name| format!("p({name})")));
    }
    if wants(What::Decision) {
        match model.outputs {
            1 => heads.push("decision".into()),
            _ => heads.extend(names.iter().map(|name| format!("decision({name})"))),
        }
    }
    let write = |out: &mut dyn Write| -> io::Result<()> {
        writeln!(out, "{}", heads.iter().map(|head| quoted(head)).collect::<Vec<_>>().join(","))?;
        let width = names.len();
        for (i, z) in decision.chunks_exact(model.outputs).enumerate() {
            let mut fields: Vec<String> = Vec::with_capacity(heads.len());
            if wants(What::Labels) {
                match &classes {
                    Some(classes) => fields.push(quoted(&file.labels[classes[i]])),
                    None if file.loss.is_classification() => {
                        fields.extend(z.iter().map(|&z| u8::from(z > 0.0).to_string()));
                    }
                    None => fields.extend(z.iter().map(|&z| file.loss.prediction(z).to_string())),
                }
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
    put(arguments, write)?;
    if let Some(target) = &rows.target {
        let metrics = metrics(file.loss, &predictor, &rows.matrix, target);
        say(&format!("metric     {} ({} rows)", metrics.words(), metrics.rows));
    }
    Ok(0)
}

/// Labels, or outputs, of a network of threshold units. A label is predicted where one of its outputs alone is 1; else there is a `?`.
fn network(arguments: &PredictArguments, model: &NetworkModel) -> Result<i32, Failure> {
    if matches!(arguments.what, What::Probabilities | What::Decision) {
        let message = "--what: threshold units have labels and outputs of 0 and 1 only; use --what labels or all";
        return Err(Failure::input(message));
    }
    say_if_cut_off(arguments);
    let rows = load_rows(&arguments.data, &model.recipe, &model.names()).map_err(Failure::input)?;
    rows.notes.iter().for_each(|note| say(&format!("note       {note}")));
    let outputs = model.predict(&rows).map_err(Failure::input)?;
    let bit = |&value: &bool| u8::from(value).to_string();
    let label = |values: &[bool]| match (model.labels.as_slice(), values) {
        ([first, last], [value]) => Some(if *value { last } else { first }),
        // Of one label 0 may be what is wanted; then the output is called after its opposite.
        ([only], [value]) => Some(only).filter(|only| *value == (model.output_names[0] == **only)),
        (labels, values) => {
            let mut ones = labels.iter().zip(values).filter(|entry| *entry.1).map(|entry| entry.0);
            ones.next().filter(|_| ones.next().is_none())
        }
    };
    let labelled = !model.labels.is_empty();
    let raw = arguments.what == What::All || !labelled;
    let mut heads: Vec<String> = if labelled { vec!["label".into()] } else { Vec::new() };
    if raw {
        let names = model.output_names.iter();
        heads.extend(names.map(|name| if labelled { format!("output({name})") } else { name.clone() }));
    }
    put(arguments, |out| {
        writeln!(out, "{}", heads.iter().map(|head| quoted(head)).collect::<Vec<_>>().join(","))?;
        for values in outputs.chunks_exact(model.output_names.len()) {
            let label = labelled.then(|| label(values).map_or_else(|| "?".into(), |label| quoted(label)));
            let bits = values.iter().filter(|_| raw).map(bit);
            writeln!(out, "{}", label.into_iter().chain(bits).collect::<Vec<_>>().join(","))?;
        }
        out.flush()
    })?;
    if !rows.targets.is_empty() {
        let right = |(row, values): (usize, &[bool])| match rows.targets.as_slice() {
            [column] if labelled => column[row].as_ref().is_none_or(|known| label(values) == Some(known)),
            columns => (columns.iter().zip(values)).all(|(column, value)| {
                let is_one = |known: &String| known == "1" || known.eq_ignore_ascii_case("true");
                column[row].as_ref().is_none_or(|known| is_one(known) == *value)
            }),
        };
        let (count, all) = (rows.points.rows(), outputs.chunks_exact(model.output_names.len()).enumerate());
        say(&format!("metric     {} of {count} rows wrong", all.filter(|entry| !right(*entry)).count()));
    }
    Ok(0)
}

/// Warns about a run folder that is not whole.
fn say_if_cut_off(arguments: &PredictArguments) {
    // A point of a series lies two folders below its run.
    let whole = arguments.run.ancestors().take(3).any(|folder| folder.join("result.json").exists());
    if !whole {
        say(&format!(
            "warning: {} holds no result.json: the run was cut off before its certificate was checked, or is not over",
            arguments.run.display()
        ));
    }
}

/// Writes to the file asked for, or to stdout.
fn put(arguments: &PredictArguments, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<i32, Failure> {
    written(match &arguments.output {
        None => write(&mut BufWriter::new(io::stdout().lock())),
        Some(path) => File::create(path).and_then(|file| write(&mut BufWriter::new(file))),
    })
}

/// Whether both paths lead to one file.
fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// A CSV field, quoted where it must be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}
