//! Networks of threshold units: any feed-forward graph.

use serde::{Deserialize, Serialize};

/// Most inputs of a unit that is described by its truth table; up to here a Boolean function is a threshold function iff it is
/// 2-asummable (docs/loading.md, theorem 2).
pub const TABLE_UP_TO: usize = 8;

/// The columns of the data that a unit sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Columns {
    /// None: the unit reads other units alone.
    None,
    /// All, in order.
    All,
    /// These, from 0, strictly increasing and at least one.
    Listed(Vec<u32>),
}

/// What a unit computes from its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Any threshold function: weights and bias are sought.
    Free,
    /// This one: 1 iff `Σ weights·inputs + bias > 0`.
    Fixed {
        /// One weight for each input.
        weights: Vec<i64>,
        /// Added to the weighted sum.
        bias: i64,
    },
}

/// One threshold unit. Its inputs are its columns and then its units, in order; its output is 1 iff the weighted sum plus the
/// bias is above 0, else 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Name, unique in the network.
    pub name: String,
    /// Columns of the data among the inputs.
    pub columns: Columns,
    /// Units among the inputs, all before this one, none twice.
    pub units: Vec<u32>,
    /// What is computed.
    pub function: Function,
}

/// A feed-forward network in topological order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The units; a unit's inputs stand before it.
    pub units: Vec<Unit>,
    /// The units whose values are the network's outputs, in order, none twice.
    pub outputs: Vec<u32>,
}

/// How the possible behaviours of a unit are described (docs/loading.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// Units alone, at most [`TABLE_UP_TO`]: a truth table.
    Table,
    /// Columns alone: circuits of the points, shared by all units with the same columns.
    Linear,
    /// Columns and units, or many units: circuits of points that depend on the units' values.
    Mixed,
}

impl Unit {
    /// How this unit is described.
    pub fn kind(&self) -> UnitKind {
        match (&self.columns, self.units.len()) {
            (Columns::None, 1..=TABLE_UP_TO) => UnitKind::Table,
            (_, 0) => UnitKind::Linear,
            _ => UnitKind::Mixed,
        }
    }

    /// Whether its weights are sought.
    pub fn is_free(&self) -> bool {
        self.function == Function::Free
    }
}

impl Columns {
    /// The columns, of `d` there are.
    pub fn list(&self, d: usize) -> Vec<u32> {
        match self {
            Columns::None => Vec::new(),
            Columns::All => (0..d as u32).collect(),
            Columns::Listed(columns) => columns.clone(),
        }
    }
}

impl Network {
    /// The layered network `--hidden 3,2`: every unit of the first layer reads all columns, every other all units of the layer
    /// before; `outputs` free output units named `y1`, `y2`, … read the last layer (or the columns if there is no layer). Hidden units are
    /// named `h1.1`, `h1.2`, …, `h2.1`, ….
    pub fn layered(hidden: &[usize], outputs: usize) -> Network {
        let mut units: Vec<Unit> = Vec::new();
        let mut before: Vec<u32> = Vec::new();
        let named = |name: String, before: &[u32], first: bool| Unit {
            name,
            columns: if first { Columns::All } else { Columns::None },
            units: before.to_vec(),
            function: Function::Free,
        };
        for (layer, &width) in hidden.iter().enumerate() {
            let start = units.len() as u32;
            units.extend((1..=width).map(|k| named(format!("h{}.{k}", layer + 1), &before, layer == 0)));
            before = (start..units.len() as u32).collect();
        }
        let start = units.len() as u32;
        units.extend((1..=outputs).map(|k| named(format!("y{k}"), &before, hidden.is_empty())));
        let outputs = (start..units.len() as u32).collect();
        Network { units, outputs }
    }

    /// Whether no unit reads another: rung 2.
    pub fn is_flat(&self) -> bool {
        self.units.iter().all(|unit| unit.units.is_empty())
    }

    /// What is wrong with the network for `d` columns, as one sentence; `None` if it is well formed. A fixed unit must read
    /// units alone, at most [`TABLE_UP_TO`].
    pub fn fault(&self, d: usize) -> Option<String> {
        let mut names = std::collections::HashSet::new();
        for (place, unit) in self.units.iter().enumerate() {
            let name = &unit.name;
            if name.is_empty() || !names.insert(name) {
                return Some(format!("unit {}: expected a name of its own, got `{name}`", place + 1));
            }
            if let Columns::Listed(columns) = &unit.columns {
                if columns.is_empty() || !columns.is_sorted_by(|a, b| a < b) {
                    return Some(format!("unit `{name}`: its columns are not strictly increasing"));
                }
                if let Some(column) = columns.iter().find(|&&column| column as usize >= d) {
                    return Some(format!("unit `{name}`: reads column {}, but there are {d}", column + 1));
                }
            }
            let mut seen = std::collections::HashSet::new();
            if let Some(input) = unit.units.iter().find(|&&input| input as usize >= place || !seen.insert(input)) {
                return Some(format!("unit `{name}`: its input unit {input} comes later, or twice"));
            }
            if unit.columns == Columns::None && unit.units.is_empty() {
                return Some(format!("unit `{name}` has no inputs"));
            }
            if let Function::Fixed { weights, .. } = &unit.function {
                if unit.kind() != UnitKind::Table {
                    return Some(format!(
                        "unit `{name}`: a fixed function needs 1 to {TABLE_UP_TO} units as inputs and no columns"
                    ));
                }
                if weights.len() != unit.units.len() {
                    return Some(format!(
                        "unit `{name}`: expected {} fixed weights, got {}",
                        unit.units.len(),
                        weights.len()
                    ));
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        if self.outputs.is_empty() {
            return Some("the network has no outputs".into());
        }
        let wrong = self.outputs.iter().find(|&&output| output as usize >= self.units.len() || !seen.insert(output));
        wrong.map(|output| format!("output {output} is no unit, or stands twice"))
    }

    /// The distinct column lists of free units of kind [`UnitKind::Linear`], in the order of their first unit, each with its units in
    /// order. A circuit of the points is a lemma for all units of its group.
    pub fn groups(&self) -> Vec<(Columns, Vec<u32>)> {
        let mut groups: Vec<(Columns, Vec<u32>)> = Vec::new();
        for (place, unit) in self.units.iter().enumerate() {
            if unit.kind() != UnitKind::Linear || !unit.is_free() {
                continue;
            }
            match groups.iter_mut().find(|group| group.0 == unit.columns) {
                Some(group) => group.1.push(place as u32),
                None => groups.push((unit.columns.clone(), vec![place as u32])),
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers() {
        let network = Network::layered(&[3, 2], 1);
        assert_eq!(network.fault(4), None);
        let kinds: Vec<UnitKind> = network.units.iter().map(Unit::kind).collect();
        assert_eq!(kinds[..3], [UnitKind::Linear; 3]);
        assert_eq!(kinds[3..], [UnitKind::Table; 3]);
        assert_eq!((network.units[4].units.as_slice(), network.outputs.as_slice()), (&[0, 1, 2][..], &[5][..]));
        assert_eq!(network.groups(), [(Columns::All, vec![0, 1, 2])]);
        let flat = Network::layered(&[], 2);
        assert_eq!(flat.groups(), [(Columns::All, vec![0, 1])]);
    }

    #[test]
    fn faults_are_found() {
        let good = Network::layered(&[2], 1);
        let mut bad = good.clone();
        bad.units[2].units = vec![0, 2];
        assert!(bad.fault(3).is_some_and(|fault| fault.contains("comes later")));
        let mut bad = good.clone();
        bad.units[1].name = "h1.1".into();
        assert!(bad.fault(3).is_some_and(|fault| fault.contains("name of its own")));
        let mut bad = good.clone();
        bad.units[0].columns = Columns::Listed(vec![1, 3]);
        assert!(bad.fault(3).is_some_and(|fault| fault.contains("column 4")));
        let mut bad = good.clone();
        bad.units[0].function = Function::Fixed { weights: vec![1, 1, 1], bias: 0 };
        assert!(bad.fault(3).is_some());
        let mut bad = good;
        bad.outputs = vec![];
        assert!(bad.fault(3).is_some());
    }
}
