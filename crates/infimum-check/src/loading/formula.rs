//! The formula that says "at most E rows are wrong" (docs/loading.md, section 3), one clause at a time.
//!
//! Variables and clauses have the numbers of that section. Clauses of the sections A to E are computed from their number when they are
//! asked for, so that the formula takes memory for the rows alone, however many clauses it has.

use infimum_problem::{Function, LoadingProblem, Network, PointMap, TABLE_UP_TO, UnitKind};

use super::maps::images;
use super::symmetry::{Breaker, one_hidden_layer};
use super::totalizer::Totalizer;

/// The formula of a problem, an allowed number of wrong rows and a choice about symmetries.
pub(crate) struct Formula<'a> {
    network: &'a Network,
    rows: u64,
    tables: Vec<Table>,
    /// For k up to [`TABLE_UP_TO`]: p, q, r, s of the clauses B, where a free table has k inputs.
    asummable: Vec<Vec<[u8; 4]>>,
    /// The literals of the clauses C.
    targets: Vec<i32>,
    /// Variable of `e[0]`, if there are any.
    first_error: Option<u64>,
    totalizer: Option<Totalizer>,
    /// The output's table, if there are clauses E.
    monotone: Option<usize>,
    symmetry: Vec<Vec<i32>>,
    /// Number of clauses of the sections A, A to B, …, A to F.
    ends: [u64; 6],
    variables: u64,
}

/// A unit described by its truth table.
struct Table {
    unit: usize,
    /// Number of inputs.
    inputs: usize,
    /// Variable of its entry 0.
    first_variable: u64,
    /// Its first clause in section A, from 0.
    first_row_clause: u64,
    /// Its first clause in section B, from 0 there.
    first_table_clause: u64,
}

/// Combinations `p + q = r + s`, {p, q} ≠ {r, s}, of vectors in {0,1}^`inputs`, p ≤ q and r ≤ s, in increasing order.
pub(crate) fn equal_sums(inputs: usize) -> Vec<[u8; 4]> {
    let mut found = Vec::new();
    let size = 1u16 << inputs;
    for p in 0..size {
        for q in p..size {
            // Both of r and s hold what p and q have in common; what they do not is divided between them.
            let (common, rest) = (p & q, p ^ q);
            let mut part = 0u16;
            loop {
                let (r, s) = (common | part, common | (rest & !part));
                if r <= s && (r, s) != (p, q) {
                    found.push([p as u8, q as u8, r as u8, s as u8]);
                }
                part = part.wrapping_sub(rest) & rest;
                if part == 0 {
                    break;
                }
            }
        }
    }
    found
}

/// The greatest common divisor (Euclid).
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

impl<'a> Formula<'a> {
    /// "At most `errors` rows are wrong", `errors` < m, counted in steps of `stride`, with the clauses that `symmetry` and `maps` allow. The error says what is too
    /// large or does not fit.
    pub(crate) fn new(
        problem: &'a LoadingProblem,
        errors: u64,
        symmetry: bool,
        stride: u64,
        maps: &[PointMap],
    ) -> Result<Formula<'a>, String> {
        let network = &problem.network;
        let rows = problem.rows() as u64;
        if !(1..=rows).contains(&stride) || divisor(stride, rows) != 1 {
            return Err(format!("the stride {stride} does not reach each of {rows} rows once"));
        }
        let too_large = || format!("the formula needs more than {} variables", i32::MAX);
        let within = |variables: Option<u64>| variables.filter(|&last| last < i32::MAX as u64).ok_or_else(too_large);
        let mut next_variable = within((network.units.len() as u64).checked_mul(rows))? + 1;
        let (mut tables, mut row_clauses, mut table_clauses) = (Vec::new(), 0, 0);
        let mut asummable: Vec<Vec<[u8; 4]>> = vec![Vec::new(); TABLE_UP_TO + 1];
        for (place, unit) in network.units.iter().enumerate().filter(|(_, unit)| unit.kind() == UnitKind::Table) {
            let inputs = unit.units.len();
            if unit.is_free() && asummable[inputs].is_empty() {
                asummable[inputs] = equal_sums(inputs);
            }
            tables.push(Table {
                unit: place,
                inputs,
                first_variable: next_variable,
                first_row_clause: row_clauses,
                first_table_clause: table_clauses,
            });
            row_clauses += rows << (inputs + 1);
            table_clauses += if unit.is_free() { asummable[inputs].len() as u64 } else { 1 << inputs };
            next_variable = within(Some(next_variable + (1 << inputs)))?;
        }
        let first_error = (errors > 0).then_some(next_variable);
        next_variable = within(Some(next_variable + if errors > 0 { rows } else { 0 }))?;
        let totalizer = first_error.map(|first| Totalizer::new(problem.rows(), errors, stride, first, next_variable));
        next_variable = within(Some(totalizer.as_ref().map_or(next_variable, Totalizer::next_variable)))?;
        let mut clauses = Vec::new();
        let output = symmetry.then(|| one_hidden_layer(network)).flatten();
        let images = match output {
            Some(output) => images(problem, network.units[output].units[0], maps)?,
            None if maps.is_empty() => Vec::new(),
            None => return Err("maps of the points are claimed outside the domain of theorem 6".into()),
        };
        if symmetry {
            let table = |unit| tables.iter().find(|table| table.unit == unit).map_or(0, |table| table.first_variable);
            (clauses, next_variable) = Breaker::new(problem.rows(), next_variable).clauses(network, table, &images);
            within(Some(next_variable))?;
        }
        let targets = wanted(problem);
        let monotone = output.and_then(|output| tables.iter().position(|table| table.unit == output));
        let counts = [
            row_clauses,
            table_clauses,
            targets.len() as u64,
            totalizer.as_ref().map_or(0, Totalizer::clauses),
            monotone.map_or(0, |table| (targets.len() as u64) << tables[table].inputs),
            clauses.len() as u64,
        ];
        let mut ends = counts;
        (1..6).for_each(|section| ends[section] += ends[section - 1]);
        let (symmetry, variables) = (clauses, next_variable - 1);
        Ok(Formula {
            network,
            rows,
            tables,
            asummable,
            targets,
            first_error,
            totalizer,
            monotone,
            symmetry,
            ends,
            variables,
        })
    }

    /// Number of variables.
    pub(crate) fn variables(&self) -> usize {
        self.variables as usize
    }

    /// Number of clauses.
    pub(crate) fn clauses(&self) -> u64 {
        self.ends[5]
    }

    /// The variable of a unit's value on a row.
    pub(crate) fn value(&self, unit: usize, row: usize) -> i32 {
        (1 + unit as u64 * self.rows + row as u64) as i32
    }

    /// Appends the literals of the clause `number`, from 1 to [`Formula::clauses`].
    pub(crate) fn clause(&self, number: u64, literals: &mut Vec<i32>) {
        let section = self.ends.partition_point(|&end| end < number);
        let index = number - 1 - if section == 0 { 0 } else { self.ends[section - 1] };
        match (section, &self.totalizer) {
            (0, _) => self.row_clause(index, literals),
            (1, _) => self.table_clause(index, literals),
            (2, _) => self.target_clause(self.targets[index as usize], literals),
            (3, Some(totalizer)) => totalizer.clause(index, literals),
            (4, _) => self.bound_clause(index, literals),
            _ => literals.extend_from_slice(&self.symmetry[index as usize]),
        }
    }

    /// Section A: a unit's value on a row is its table's entry at the values of its inputs.
    fn row_clause(&self, index: u64, literals: &mut Vec<i32>) {
        let table = &self.tables[self.tables.partition_point(|table| table.first_row_clause <= index) - 1];
        let index = index - table.first_row_clause;
        let row = (index >> (table.inputs + 1)) as usize;
        let (entry, second) = ((index >> 1) & ((1 << table.inputs) - 1), index & 1 == 1);
        for (j, &input) in self.network.units[table.unit].units.iter().enumerate() {
            let value = self.value(input as usize, row);
            literals.push(if entry >> j & 1 == 1 { -value } else { value });
        }
        let (value, entry) = (self.value(table.unit, row), (table.first_variable + entry) as i32);
        literals.extend(if second { [value, -entry] } else { [-value, entry] });
    }

    /// Section B: a fixed unit's table is known, a free one's is 2-asummable.
    fn table_clause(&self, index: u64, literals: &mut Vec<i32>) {
        let table = &self.tables[self.tables.partition_point(|table| table.first_table_clause <= index) - 1];
        let index = index - table.first_table_clause;
        let entry = |b: u64| (table.first_variable + b) as i32;
        match &self.network.units[table.unit].function {
            Function::Fixed { weights, bias } => {
                let inputs = (0..weights.len()).map(|j| index >> j & 1 == 1);
                literals.push(if fixed(weights, *bias, inputs) { entry(index) } else { -entry(index) });
            }
            Function::Free => {
                let [p, q, r, s] = self.asummable[table.inputs][index as usize].map(|b| entry(b.into()));
                literals.extend([-p, -q, r, s]);
            }
        }
    }

    /// Section C: an output is as wanted, or its row wrong.
    fn target_clause(&self, literal: i32, literals: &mut Vec<i32>) {
        literals.push(literal);
        if let Some(first) = self.first_error {
            let row = (u64::from(literal.unsigned_abs()) - 1) % self.rows;
            literals.push((first + row) as i32);
        }
    }

    /// Section E: the units that are 1 on a row bound the output's monotone table by the row's target, from below or from above.
    fn bound_clause(&self, index: u64, literals: &mut Vec<i32>) {
        let Some(table) = self.monotone.map(|table| &self.tables[table]) else { return };
        let (target, b) = (self.targets[(index >> table.inputs) as usize], index & ((1 << table.inputs) - 1));
        // A target's literal is the output's value on the row, negated if it is to be 0.
        let row = (u64::from(target.unsigned_abs()) - 1) % self.rows;
        let (wanted, sign) = (target > 0, target.signum());
        for (j, &input) in self.network.units[table.unit].units.iter().enumerate() {
            if (b >> j & 1 == 1) != wanted {
                literals.push(sign * self.value(input as usize, row as usize));
            }
        }
        literals.push(sign * (table.first_variable + b) as i32);
        literals.extend(self.first_error.map(|first| (first + row) as i32));
    }
}

/// The value of a fixed unit: 1 iff `Σ weights·inputs + bias > 0`.
pub(crate) fn fixed(weights: &[i64], bias: i64, inputs: impl Iterator<Item = bool>) -> bool {
    let held = weights.iter().zip(inputs).filter(|(_, input)| *input);
    held.map(|(&weight, _)| i128::from(weight)).sum::<i128>() + i128::from(bias) > 0
}

/// For every known target, by rows, the literal "the output has it".
fn wanted(problem: &LoadingProblem) -> Vec<i32> {
    let rows = problem.rows();
    let mut literals = Vec::with_capacity(problem.targets.len());
    for row in 0..rows {
        for (&output, target) in problem.network.outputs.iter().zip(problem.target(row)) {
            let value = (1 + output as u64 * rows as u64 + row as u64) as i32;
            literals.extend(target.map(|target| if target { value } else { -value }));
        }
    }
    literals
}
