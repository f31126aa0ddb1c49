//! A loading claim in words: data, targets, network, question, bounds.

use infimum_data::LoadedLoading;
use infimum_problem::{Ending, LoadingClaim, Network};

/// "1 row", "2 rows".
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The widths of the hidden layers if the network is that of `--hidden`.
fn layers(network: &Network) -> Option<Vec<usize>> {
    let mut depth: Vec<usize> = Vec::with_capacity(network.units.len());
    let mut widths: Vec<usize> = Vec::new();
    for unit in &network.units {
        let own = unit.units.iter().map(|&input| depth[input as usize] + 1).max().unwrap_or(0);
        depth.push(own);
        if own == widths.len() {
            widths.push(0);
        }
        widths[own] += 1;
    }
    let outputs = widths.pop()?;
    (*network == Network::layered(&widths, outputs)).then_some(widths)
}

/// The network in words.
fn network(network: &Network) -> String {
    let outputs = count(network.outputs.len() as u64, "output");
    match layers(network) {
        Some(widths) if widths.is_empty() => format!("no hidden layer, {outputs}"),
        Some(widths) if widths.len() == 1 => {
            format!("one hidden layer of {}, {outputs}", count(widths[0] as u64, "threshold unit"))
        }
        Some(widths) => {
            let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
            format!("hidden layers of {} threshold units, {outputs}", widths.join(", "))
        }
        None => {
            let fixed = network.units.iter().filter(|unit| !unit.is_free()).count();
            let units = count(network.units.len() as u64, "threshold unit");
            let connections: usize = network.units.iter().map(|unit| unit.units.len()).sum();
            let connections = count(connections as u64, "connection");
            format!("a graph of {units} ({fixed} of them fixed) with {connections} between them, {outputs}")
        }
    }
}

/// The proven bounds alone.
pub(crate) fn bounds(claim: &LoadingClaim) -> String {
    let rows = claim.rows as u64;
    let mut text = match claim.lower {
        0 => "Nothing is proven about other weights.".to_string(),
        lower => format!("No weights of this network are wrong on fewer than {lower} of the {}.", count(rows, "row")),
    };
    match claim.upper {
        Some(upper) => text.push_str(&format!(" The recorded weights are wrong on exactly {upper} of {rows}.")),
        None => text.push_str(" No weights are recorded."),
    }
    for margin in &claim.margins {
        let name = claim.network.units.get(margin.unit as usize).map_or("", |unit| &unit.name);
        text.push_str(&format!(
            " Unit `{name}`: the nearest row is at least {:e} from the recorded hyperplane; no weights that are right on all rows do better than \
             {:e}.",
            margin.lower, margin.upper
        ));
    }
    text
}

/// How the run ended and, where that is a claim, what it claims.
fn ending(claim: &LoadingClaim) -> String {
    let name = claim.ending.name();
    match claim.ending {
        Ending::Satisfiable => format!("{name}: the recorded weights do what was asked for"),
        Ending::Infeasible => format!("{name}: no weights do what was asked for"),
        Ending::Optimal => format!("{name}: no weights are wrong on fewer rows than the recorded"),
        _ => format!("{name}, by the run's own account"),
    }
}

/// The whole claim.
pub(crate) fn claim(loaded: &LoadedLoading, claim: &LoadingClaim) -> String {
    let (problem, source) = (&loaded.problem, &loaded.source);
    let (rows, columns) = (count(claim.rows as u64, "row"), count(claim.columns as u64, "column"));
    let mut text = format!("Data: {} (SHA-256 {}), {rows}, {columns}", source.path, source.sha256);
    let targets = &loaded.recipe.targets;
    let targets = if targets.is_empty() { "the label of each row".into() } else { targets.join(", ") };
    let names: Vec<String> = problem.output_names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let more = problem.output_names.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    text.push_str(&format!(". Target: {targets}, an output of 1 means {}{more}", names.join(", ")));
    let open = problem.targets.iter().filter(|target| target.is_none()).count() as u64;
    if open > 0 {
        text.push_str(&format!(", {} may be anything", count(open, "wanted output")));
    }
    text.push_str(&format!(". Network: {}.", network(&claim.network)));
    if let Some(allowed) = claim.allowed {
        text.push_str(&format!(" Question: is it right on all but {} with some weights?", count(allowed, "row")));
    }
    format!("{text} {} Ending: {}.", bounds(claim), ending(claim))
}
