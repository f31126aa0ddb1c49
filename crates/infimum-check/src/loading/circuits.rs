//! Circuits: the exact identity `Σ λ_a (x_a, 1) = Σ μ_b (x_b, 1)` and the clauses that it licenses (docs/loading.md, theorem 1 and
//! section 4).

use dashu_int::{IBig, UBig};
use infimum_problem::{Circuit, Columns, LoadingProblem, Network, Points, Scope, UnitKind};
use rayon::prelude::*;

use super::formula::Formula;

/// Numbers in which the sums of a circuit are exact, or known not to be.
trait Exact: Sized + Default {
    /// Adds `multiplier · value`; `None` if the result is not exact.
    fn add_product(&mut self, multiplier: &Self, value: &Self) -> Option<()>;
    /// The negated number; `None` if it is not exact.
    fn negated(&self) -> Option<Self>;
    fn is_zero(&self) -> bool;
    fn of_multiplier(multiplier: &UBig) -> Option<Self>;
    fn of_value(value: i64) -> Self;
}

impl Exact for i128 {
    fn add_product(&mut self, multiplier: &i128, value: &i128) -> Option<()> {
        *self = self.checked_add(multiplier.checked_mul(*value)?)?;
        Some(())
    }
    fn negated(&self) -> Option<i128> {
        self.checked_neg()
    }
    fn is_zero(&self) -> bool {
        *self == 0
    }
    fn of_multiplier(multiplier: &UBig) -> Option<i128> {
        i128::try_from(multiplier).ok()
    }
    fn of_value(value: i64) -> i128 {
        value.into()
    }
}

impl Exact for IBig {
    fn add_product(&mut self, multiplier: &IBig, value: &IBig) -> Option<()> {
        *self += multiplier * value;
        Some(())
    }
    fn negated(&self) -> Option<IBig> {
        Some(-self)
    }
    fn is_zero(&self) -> bool {
        IBig::is_zero(self)
    }
    fn of_multiplier(multiplier: &UBig) -> Option<IBig> {
        Some(multiplier.clone().into())
    }
    fn of_value(value: i64) -> IBig {
        value.into()
    }
}

/// One sum for each column; the touched ones are listed, so that a circuit costs what its rows hold and not d.
struct Sums<T> {
    columns: Vec<T>,
    touched: Vec<u32>,
}

impl<T: Exact> Sums<T> {
    fn new(columns: usize) -> Sums<T> {
        Sums { columns: (0..columns).map(|_| T::default()).collect(), touched: Vec::new() }
    }

    fn add(&mut self, multiplier: &T, column: u32, value: &T) -> Option<()> {
        let sum = &mut self.columns[column as usize];
        if sum.is_zero() {
            self.touched.push(column);
        }
        sum.add_product(multiplier, value)
    }

    /// A column whose sum is not 0, if there is one; all sums are 0 again afterwards.
    fn clear(&mut self) -> Option<u32> {
        let mut left_over = None;
        for &column in &self.touched {
            let sum = std::mem::take(&mut self.columns[column as usize]);
            if !sum.is_zero() {
                left_over = Some(column);
            }
        }
        self.touched.clear();
        left_over
    }
}

/// Sums of either kind, for one thread.
#[derive(Default)]
struct Scratch {
    narrow: Option<Sums<i128>>,
    wide: Option<Sums<IBig>>,
}

/// The units for which a circuit is a lemma, and their inputs.
struct Readers<'a> {
    /// How many there are.
    count: usize,
    columns: &'a Columns,
    inputs: &'a [u32],
}

impl Readers<'_> {
    fn see(&self, column: u32) -> bool {
        match self.columns {
            Columns::None => false,
            Columns::All => true,
            Columns::Listed(listed) => listed.binary_search(&column).is_ok(),
        }
    }
}

/// The sums of left minus right: `Some(Ok)` if all are 0, `Some(Err)` with the reason if not, `None` if a number grew too large. The
/// closure adds a row's columns times a multiplier.
fn balance<T: Exact>(
    sums: &mut Sums<T>,
    circuit: &Circuit,
    inputs: usize,
    row: impl Fn(&mut Sums<T>, &T, usize) -> Option<()>,
) -> Option<Result<(), String>> {
    // A circuit before may have been given up half-way.
    sums.clear();
    let (mut total, one) = (T::default(), T::of_value(1));
    let mut inputs: Vec<T> = (0..inputs).map(|_| T::default()).collect();
    for (terms, is_left) in [(&circuit.left, true), (&circuit.right, false)] {
        for term in terms {
            let size = T::of_multiplier(&term.multiplier)?;
            let multiplier = if is_left { size } else { size.negated()? };
            total.add_product(&multiplier, &one)?;
            row(sums, &multiplier, term.row as usize)?;
            for (sum, _) in inputs.iter_mut().zip(&term.inputs).filter(|(_, value)| **value) {
                sum.add_product(&multiplier, &one)?;
            }
        }
    }
    let column = sums.clear();
    Some(match (total.is_zero(), column, inputs.iter().position(|sum| !sum.is_zero())) {
        (false, ..) => Err("its multipliers do not add up to the same on both sides".into()),
        (_, Some(column), _) => Err(format!("its sides differ in column {}", column + 1)),
        (.., Some(input)) => Err(format!("its sides differ in input unit {}", input + 1)),
        _ => Ok(()),
    })
}

impl Scratch {
    /// Whether a circuit's sides are equal in everything that its readers see.
    fn check(&mut self, points: &Points, circuit: &Circuit, readers: &Readers) -> Result<(), String> {
        let inputs = readers.inputs.len();
        if let Points::Narrow(matrix) = points {
            let sums = self.narrow.get_or_insert_with(|| Sums::new(matrix.columns));
            let answer = balance(sums, circuit, inputs, |sums, multiplier, row| {
                let (columns, values) = matrix.row(row);
                let mut entries = columns.iter().zip(values).filter(|(column, _)| readers.see(**column));
                entries.try_for_each(|(&column, &value)| sums.add(multiplier, column, &i128::from(value)))
            });
            if let Some(answer) = answer {
                return answer;
            }
        }
        let sums = self.wide.get_or_insert_with(|| Sums::new(points.columns()));
        let answer = balance(sums, circuit, inputs, |sums, multiplier, row| {
            let entries = points.row(row);
            let mut entries = entries.iter().filter(|(column, _)| readers.see(*column));
            entries.try_for_each(|(column, value)| sums.add(multiplier, *column, value))
        });
        answer.unwrap_or_else(|| Err("its sums cannot be computed".into()))
    }
}

/// What is wrong with a circuit but for its sums.
fn fault(circuit: &Circuit, inputs: usize, rows: usize) -> Option<String> {
    if circuit.left.is_empty() || circuit.right.is_empty() {
        return Some("one of its sides is empty".into());
    }
    let terms = || circuit.left.iter().chain(&circuit.right);
    for term in terms() {
        let row = u64::from(term.row) + 1;
        if term.row as usize >= rows {
            return Some(format!("it names row {row}, but there are {rows}"));
        }
        if term.multiplier.is_zero() {
            return Some(format!("the multiplier of row {row} is 0"));
        }
        if term.inputs.len() != inputs {
            return Some(format!("row {row} has values of {} input units, expected {inputs}", term.inputs.len()));
        }
    }
    let mut named: Vec<u32> = terms().map(|term| term.row).collect();
    named.sort_unstable();
    let twice = named.windows(2).find(|pair| pair[0] == pair[1]);
    twice.map(|pair| format!("row {} stands in it twice", u64::from(pair[0]) + 1))
}

/// The checked circuits of a certificate, as lemmas.
pub(crate) struct Lemmas<'a> {
    network: &'a Network,
    groups: Vec<(Columns, Vec<u32>)>,
    circuits: &'a [Circuit],
    /// The first clause of each circuit, from 0.
    starts: Vec<u64>,
    clauses: u64,
}

impl<'a> Lemmas<'a> {
    /// Checks the circuits of a certificate. The error names the first that is none.
    pub(crate) fn new(problem: &'a LoadingProblem, circuits: &'a [Circuit]) -> Result<Lemmas<'a>, String> {
        let network = &problem.network;
        let mut lemmas = Lemmas { network, groups: network.groups(), circuits, starts: Vec::new(), clauses: 0 };
        let named = |place: usize, why: String| format!("circuit {}: {why}", place + 1);
        for (place, circuit) in circuits.iter().enumerate() {
            let readers = lemmas.readers(circuit.scope).map_err(|why| named(place, why))?;
            let clauses = 2 * readers.count as u64;
            lemmas.starts.push(lemmas.clauses);
            lemmas.clauses += clauses;
        }
        let refused = |scratch: &mut Scratch, (place, circuit): (usize, &Circuit)| {
            let check = lemmas.readers(circuit.scope).and_then(|readers| {
                match fault(circuit, readers.inputs.len(), problem.rows()) {
                    Some(fault) => Err(fault),
                    None => scratch.check(&problem.points, circuit, &readers),
                }
            });
            check.err().map(|why| named(place, why))
        };
        let all = circuits.par_iter().enumerate().with_min_len(64);
        match all.map_init(Scratch::default, refused).find_map_first(|refused| refused) {
            Some(why) => Err(why),
            None => Ok(lemmas),
        }
    }

    /// For which units a circuit of this scope is a lemma.
    fn readers(&self, scope: Scope) -> Result<Readers<'_>, String> {
        match scope {
            Scope::Group(group) => match self.groups.get(group as usize) {
                Some((columns, units)) => Ok(Readers { count: units.len(), columns, inputs: &[] }),
                None => Err(format!("it names group {group}, but there are {}", self.groups.len())),
            },
            Scope::Unit(place) => match self.network.units.get(place as usize) {
                Some(unit) if unit.kind() == UnitKind::Mixed && unit.is_free() => {
                    Ok(Readers { count: 1, columns: &unit.columns, inputs: &unit.units })
                }
                _ => Err(format!("unit {place} is no free unit with columns and units, or many units, as inputs")),
            },
        }
    }

    /// Number of clauses.
    pub(crate) fn clauses(&self) -> u64 {
        self.clauses
    }

    /// Appends the literals of the clause `index` < [`Lemmas::clauses`], counted from 0.
    pub(crate) fn clause(&self, index: u64, formula: &Formula, literals: &mut Vec<i32>) {
        let place = self.starts.partition_point(|&start| start <= index) - 1;
        let (circuit, index) = (&self.circuits[place], index - self.starts[place]);
        let unit = match circuit.scope {
            Scope::Group(group) => self.groups[group as usize].1[index as usize / 2],
            Scope::Unit(unit) => unit,
        };
        let left_is_one = index % 2 == 0;
        for (side, is_one) in [(&circuit.left, left_is_one), (&circuit.right, !left_is_one)] {
            literals.extend(side.iter().map(|term| {
                let value = formula.value(unit as usize, term.row as usize);
                if is_one { -value } else { value }
            }));
        }
        for term in circuit.left.iter().chain(&circuit.right) {
            let inputs = self.network.units[unit as usize].units.iter().zip(&term.inputs);
            literals.extend(inputs.map(|(&input, &assumed)| {
                let value = formula.value(input as usize, term.row as usize);
                if assumed { -value } else { value }
            }));
        }
    }
}
