//! Networks as TOML (docs/networks.md).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write as _;

use infimum_problem::{ColumnNames, Columns, Function, Network, Unit};
use serde::Deserialize;
use toml::Spanned;

use crate::error::{DataError, one_line};
use crate::infer;

/// What errors call the text, until [`read_network`] says its path.
const TEXT: &str = "network";
/// Names that an error lists.
const LISTED: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    outputs: Vec<String>,
    unit: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    columns: Option<Listing>,
    #[serde(default)]
    units: Vec<String>,
    fixed: Option<Fixed>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `columns` to be \"all\" or a list of column names and numbers")]
enum Listing {
    Word(String),
    List(Vec<Reference>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a column name or number")]
enum Reference {
    Number(i64),
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixed {
    weights: Vec<i64>,
    bias: i64,
}

/// Reads a network from the TOML file `path`; see [`parse_network`].
pub fn read_network(path: &str, columns: usize, names: &ColumnNames, outputs: usize) -> Result<Network, DataError> {
    let text = crate::source::Source::open(path)?.text()?;
    parse_network(&text, columns, names, outputs).map_err(|error| error.at(path, 0))
}

/// Reads a network for data of so many columns and outputs. Units stand in the network in an order in which inputs come first, and of those
/// that could come next the one that stands first in the text; so a text in such an order keeps it.
pub fn parse_network(text: &str, columns: usize, names: &ColumnNames, outputs: usize) -> Result<Network, DataError> {
    let File { outputs: output_names, unit: tables } = parse(text)?;
    if output_names.len() != outputs {
        let message = format!(
            "`outputs` lists {} units; expected {outputs}, as many as the data has outputs",
            output_names.len()
        );
        return Err(refused(message));
    }
    let places = places(text, &tables)?;
    let find =
        |name: &str, of: &dyn Fn() -> String| places.get(name).copied().ok_or_else(|| unknown(name, &tables, &of()));
    // Inputs of every unit, as places in the text.
    let mut inputs: Vec<Vec<usize>> = Vec::with_capacity(tables.len());
    for table in &tables {
        let of = || format!("unit `{}` (line {})", table.get_ref().name, line(text, table));
        inputs.push(table.get_ref().units.iter().map(|name| find(name, &of)).collect::<Result<_, _>>()?);
    }
    let order = order(&inputs).map_err(|circle| {
        let circle: Vec<&str> = circle.iter().map(|&place| tables[place].get_ref().name.as_str()).collect();
        refused(format!(
            "the units `{}` read one another in a circle; expected inputs that come first",
            circle.join("`, `")
        ))
    })?;
    let mut numbers = vec![0u32; tables.len()];
    order.iter().enumerate().for_each(|(number, &place)| numbers[place] = number as u32);
    let number = |place: &usize| numbers[*place];
    let mut units = Vec::with_capacity(tables.len());
    for &place in &order {
        let Table { name, columns: listing, fixed, .. } = tables[place].get_ref();
        let of = format!("unit `{name}` (line {})", line(text, &tables[place]));
        units.push(Unit {
            name: name.clone(),
            columns: columns_of(listing.as_ref(), columns, names, &of)?,
            units: inputs[place].iter().map(number).collect(),
            function: match fixed {
                None => Function::Free,
                Some(Fixed { weights, bias }) => Function::Fixed { weights: weights.clone(), bias: *bias },
            },
        });
    }
    let outputs = (output_names.iter())
        .map(|name| find(name, &|| "`outputs`".into()).map(|place| numbers[place]))
        .collect::<Result<_, _>>()?;
    let network = Network { units, outputs };
    network.fault(columns).map_or(Ok(network), |fault| Err(refused(fault)))
}

/// The names of the outputs of the TOML file `path`.
pub(crate) fn read_output_names(path: &str) -> Result<Vec<String>, DataError> {
    let text = crate::source::Source::open(path)?.text()?;
    parse(&text).map(|file| file.outputs).map_err(|error| error.at(path, 0))
}

fn refused(message: String) -> DataError {
    DataError::input(TEXT, message)
}

fn parse(text: &str) -> Result<File, DataError> {
    toml::from_str(text).map_err(|error| {
        let place = error.span().map(|span| format!("line {}: ", line_of(text, span.start)));
        refused(format!("{}{}", place.unwrap_or_default(), error.message().trim().replace('\n', "; ")))
    })
}

fn line_of(text: &str, position: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..position.min(text.len())]).count()
}

fn line(text: &str, table: &Spanned<Table>) -> usize {
    line_of(text, table.span().start)
}

/// Where each unit stands, by name.
fn places<'a>(text: &str, tables: &'a [Spanned<Table>]) -> Result<HashMap<&'a str, usize>, DataError> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (place, table) in tables.iter().enumerate() {
        let name = &table.get_ref().name;
        if let Some(earlier) = places.insert(name, place) {
            return Err(refused(format!(
                "line {}: expected a name that no other unit has, got `{name}` as in line {}",
                line(text, table),
                line(text, &tables[earlier])
            )));
        }
    }
    Ok(places)
}

fn unknown(name: &str, tables: &[Spanned<Table>], of: &str) -> DataError {
    let shown: Vec<String> =
        tables.iter().take(LISTED).map(|table| format!("`{}`", one_line(&table.get_ref().name))).collect();
    let more = if tables.len() > LISTED { format!(" and {} more", tables.len() - LISTED) } else { String::new() };
    refused(format!("{of}: expected the name of a unit, got `{name}`; the units are {}{more}", shown.join(", ")))
}

/// An order in which inputs come first, always the earliest that may; or units in a circle (Kahn, Comm. ACM 5, 1962).
fn order(inputs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waits_for: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); inputs.len()];
    for (place, inputs) in inputs.iter().enumerate() {
        inputs.iter().for_each(|&input| readers[input].push(place));
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..inputs.len()).filter(|&place| waits_for[place] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(inputs.len());
    while let Some(Reverse(place)) = ready.pop() {
        order.push(place);
        for &reader in &readers[place] {
            waits_for[reader] -= 1;
            if waits_for[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    let Some(start) = waits_for.iter().position(|&count| count > 0) else {
        return Ok(order);
    };
    // Every unit that still waits reads one that waits; so going from input to input comes back.
    let mut path = vec![start];
    loop {
        let waiting = inputs[path[path.len() - 1]].iter().copied().find(|&input| waits_for[input] > 0);
        let Some(next) = waiting else {
            return Err(path);
        };
        if let Some(first) = path.iter().position(|&place| place == next) {
            path.drain(..first);
            return Err(path);
        }
        path.push(next);
    }
}

fn columns_of(listing: Option<&Listing>, columns: usize, names: &ColumnNames, of: &str) -> Result<Columns, DataError> {
    let list = match listing {
        None => return Ok(Columns::None),
        Some(Listing::Word(word)) if word == "all" => return Ok(Columns::All),
        Some(Listing::Word(word)) => {
            let expected = "expected `columns` to be \"all\" or a list of column names and numbers";
            return Err(refused(format!("{of}: {expected}, got `{word}`")));
        }
        Some(Listing::List(list)) => list,
    };
    let mut found = Vec::with_capacity(list.len());
    for reference in list {
        let column = match reference {
            Reference::Number(number) => {
                let column = usize::try_from(*number).ok().filter(|number| (1..=columns).contains(number));
                column.ok_or_else(|| {
                    refused(format!("{of}: expected a column number from 1 to {columns}, got {number}"))
                })? - 1
            }
            Reference::Name(name) => named(name, names, of)?,
        };
        if found.contains(&(column as u32)) {
            return Err(refused(format!("{of}: the column `{}` stands twice in its list", names.name(column))));
        }
        found.push(column as u32);
    }
    found.sort_unstable();
    Ok(Columns::Listed(found))
}

/// The column of that name; for columns without names, the number in the file.
fn named(name: &str, names: &ColumnNames, of: &str) -> Result<usize, DataError> {
    let ColumnNames::Numbered { columns, without } = names else {
        return infer::column(TEXT, name, names, "input").map_err(|error| match error {
            DataError::Input { message, .. } => refused(format!("{of}: {message}")),
            error => error,
        });
    };
    let number = name.parse::<usize>().ok().filter(|number| !without.contains(number));
    let column =
        number.and_then(|number| number.checked_sub(1 + without.iter().filter(|&&left| left < number).count()));
    column.filter(|column| column < columns).ok_or_else(|| {
        refused(format!("{of}: there is no input column `{name}`; the columns are called by their numbers in the file"))
    })
}

/// The network as TOML, which [`parse_network`] reads back for columns of these names.
pub fn write_network(network: &Network, names: &ColumnNames) -> String {
    let quoted = |name: &str| toml::Value::String(name.into()).to_string();
    let unit_names = |numbers: &[u32]| {
        let names: Vec<String> = numbers.iter().map(|&number| quoted(&network.units[number as usize].name)).collect();
        names.join(", ")
    };
    let mut text = format!("outputs = [{}]\n", unit_names(&network.outputs));
    for unit in &network.units {
        let _ = writeln!(text, "\n[[unit]]\nname = {}", quoted(&unit.name));
        match &unit.columns {
            Columns::None => {}
            Columns::All => text.push_str("columns = \"all\"\n"),
            Columns::Listed(columns) => {
                let reference = |&column: &u32| match names {
                    ColumnNames::Named(_) => quoted(&infer::reference(names, column as usize)),
                    ColumnNames::Numbered { .. } => (column + 1).to_string(),
                };
                let _ = writeln!(text, "columns = [{}]", columns.iter().map(reference).collect::<Vec<_>>().join(", "));
            }
        }
        if !unit.units.is_empty() {
            let _ = writeln!(text, "units = [{}]", unit_names(&unit.units));
        }
        if let Function::Fixed { weights, bias } = &unit.function {
            let _ = writeln!(text, "fixed = {{ weights = {weights:?}, bias = {bias} }}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named_columns() -> ColumnNames {
        ColumnNames::Named(["width", "3", "colour=\"red\"", "twice", "twice"].map(String::from).to_vec())
    }

    fn read(text: &str) -> Result<Network, String> {
        parse_network(text, 5, &named_columns(), 1).map_err(|error| error.to_string())
    }

    #[test]
    fn units_in_any_order() {
        let text = r#"
            outputs = ["y"]
            [[unit]]
            name = "y"
            units = ["b", "a"]
            fixed = { weights = [1, -2], bias = -1 }
            [[unit]]
            name = "a"
            columns = ["3", 1, "colour=\"red\""]   # the column called 3, the first, and one more
            [[unit]]
            name = "b"
            columns = "all"
            units = ["a"]
        "#;
        let network = read(text).expect("read");
        let unit = |name: &str, columns, units: &[u32], function| Unit {
            name: name.into(),
            columns,
            units: units.to_vec(),
            function,
        };
        let expected = Network {
            units: vec![
                unit("a", Columns::Listed(vec![0, 1, 2]), &[], Function::Free),
                unit("b", Columns::All, &[0], Function::Free),
                unit("y", Columns::None, &[1, 0], Function::Fixed { weights: vec![1, -2], bias: -1 }),
            ],
            outputs: vec![2],
        };
        assert_eq!(network, expected);
    }

    #[test]
    fn columns_without_names() {
        let names = ColumnNames::Numbered { columns: 3, without: vec![2] };
        let text = |columns: &str| format!("outputs = [\"y\"]\n[[unit]]\nname = \"y\"\ncolumns = {columns}\n");
        let read =
            |columns: &str| parse_network(&text(columns), 3, &names, 1).map(|network| network.units[0].columns.clone());
        assert_eq!(read("[\"4\", \"1\"]"), Ok(Columns::Listed(vec![0, 2])));
        assert_eq!(read("[3]"), Ok(Columns::Listed(vec![2])));
        for wrong in ["[\"2\"]", "[\"5\"]", "[\"0\"]", "[\"x\"]", "[4]", "[0]", "[-1]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let unit = |name: &str, rest: &str| format!("[[unit]]\nname = \"{name}\"\n{rest}\n");
        let with = |units: &[(&str, &str)]| {
            "outputs = [\"y\"]\n".to_string() + &units.iter().map(|(name, rest)| unit(name, rest)).collect::<String>()
        };
        let y = ("y", "columns = \"all\"");
        let many: Vec<(String, &str)> = (0..25).map(|number| (format!("u{number}"), "columns = \"all\"")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, rest)| (name.as_str(), *rest)).collect();
        for (text, expected) in [
            ("outputs = [\"y\"\n".into(), "network: line "),
            ("outputs = [\"y\"]\n".into(), "network: line 1: missing field `unit`"),
            (with(&[("y", "columns = 3")]), "network: line 4: expected `columns` to be \"all\" or a list"),
            (
                with(&[("y", "columns = \"al\"")]),
                "network: unit `y` (line 2): expected `columns` to be \"all\" or a list of column names and numbers, got `al`",
            ),
            (
                with(&[("y", "columns = [7]")]),
                "network: unit `y` (line 2): expected a column number from 1 to 5, got 7",
            ),
            (
                with(&[("y", "columns = [\"height\"]")]),
                "network: unit `y` (line 2): there is no input column `height`; the columns are `width`",
            ),
            (
                with(&[("y", "columns = [\"twice\"]")]),
                "network: unit `y` (line 2): the input column `twice` is not unique",
            ),
            (with(&[("y", "columns = [1, \"width\"]")]), "network: unit `y` (line 2): the column `width` stands twice"),
            (with(&[("y", "columns = []")]), "network: unit `y`: its columns are not strictly increasing"),
            (with(&[("y", "")]), "network: unit `y` has no inputs"),
            (
                with(&[("y", "inputs = [1]")]),
                "network: line 4: unknown field `inputs`, expected one of `name`, `columns`, `units`, `fixed`",
            ),
            (
                with(&[y, ("a", "units = [\"b\"]")]),
                "network: unit `a` (line 5): expected the name of a unit, got `b`; the units are `y`, `a`",
            ),
            (with(&many), "network: `outputs`: expected the name of a unit, got `y`; the units are `u0`, "),
            (with(&[y, y]), "network: line 5: expected a name that no other unit has, got `y` as in line 2"),
            (
                with(&[("y", "units = [\"a\"]"), ("a", "units = [\"b\"]"), ("b", "units = [\"a\"]")]),
                "network: the units `a`, `b` read one another in a circle",
            ),
            (with(&[("y", "units = [\"y\"]")]), "network: the units `y` read one another in a circle"),
            (
                with(&[("a", "columns = [1]"), ("y", "units = [\"a\", \"a\"]")]),
                "network: unit `y`: its input unit 0 comes later, or twice",
            ),
            (
                with(&[("a", "columns = [1]"), ("y", "units = [\"a\"]\nfixed = { weights = [1, 2], bias = 0 }")]),
                "network: unit `y`: expected 1 fixed weights, got 2",
            ),
            (
                with(&[("y", "columns = [1]\nfixed = { weights = [1], bias = 0 }")]),
                "network: unit `y`: a fixed function needs 1 to 8 units",
            ),
            (
                with(&[("a", "columns = [1]"), ("y", "units = [\"a\"]\nfixed = { weights = [1.5], bias = 0 }")]),
                "network: line 8: invalid type: floating point `1.5`, expected i64",
            ),
            (
                "outputs = [\"y\", \"y\"]\n".to_string() + &unit("y", "columns = [1]"),
                "network: `outputs` lists 2 units; expected 1, as many as the data has outputs",
            ),
        ] {
            let error = read(&text).expect_err(expected);
            assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        }
        let error = read_network("no/such.toml", 5, &named_columns(), 1).expect_err("nothing there").to_string();
        assert!(error.starts_with("no/such.toml: cannot be read"), "{error}");
    }

    /// Well-formed networks of five columns; names need escapes.
    fn networks() -> impl Strategy<Value = Network> {
        let columns = prop_oneof![
            2 => Just(Columns::None),
            1 => Just(Columns::All),
            2 => prop::collection::btree_set(0u32..5, 1..5).prop_map(|columns| Columns::Listed(columns.into_iter().collect())),
        ];
        let unit = (
            "[ a-c\"\\\\\n=é]{0,3}",
            columns,
            any::<u64>(),
            any::<bool>(),
            prop::collection::vec(-3i64..4, 8),
            any::<i64>(),
        );
        (prop::collection::vec(unit, 1..9), any::<u64>()).prop_map(|(parts, outputs)| {
            let mut units: Vec<Unit> = Vec::new();
            for (number, (name, columns, inputs, fixed, weights, bias)) in parts.into_iter().enumerate() {
                let mut inputs: Vec<u32> = (0..number as u32).filter(|input| inputs >> input & 1 == 1).collect();
                if number % 2 == 1 {
                    inputs.reverse();
                }
                let columns = if columns == Columns::None && inputs.is_empty() { Columns::All } else { columns };
                let mut unit =
                    Unit { name: format!("{name}{number}"), columns, units: inputs, function: Function::Free };
                if fixed && unit.kind() == infimum_problem::UnitKind::Table {
                    unit.function = Function::Fixed { weights: weights[..unit.units.len()].to_vec(), bias };
                }
                units.push(unit);
            }
            let mut chosen: Vec<u32> = (0..units.len() as u32).filter(|number| outputs >> number & 1 == 1).collect();
            chosen.reverse();
            if chosen.is_empty() {
                chosen.push(units.len() as u32 - 1);
            }
            Network { units, outputs: chosen }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(network in networks()) {
            prop_assert_eq!(network.fault(5), None);
            for names in [named_columns(), ColumnNames::numbered(5), ColumnNames::Numbered { columns: 5, without: vec![1, 4] }] {
                let text = write_network(&network, &names);
                let outputs = network.outputs.len();
                let read = parse_network(&text, 5, &names, outputs);
                prop_assert_eq!(read.as_ref(), Ok(&network), "{}", text);
                let expected: Vec<String> = network.outputs.iter().map(|&output| network.units[output as usize].name.clone()).collect();
                prop_assert_eq!(parse(&text).map(|file| file.outputs), Ok(expected));
            }
        }
    }
}
