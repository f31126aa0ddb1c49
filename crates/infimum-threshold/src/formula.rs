//! The formula of docs/loading.md, section 3, over some of the rows. Over all rows its clauses are some of those that the checker makes, with their numbers: those that follow from shorter
//! ones are left out. In the domain of theorem 3 these are the output's clauses A, as C and E say more in fewer literals, and the clauses B of which the monotone table knows
//! already.

use infimum_problem::{Function, LoadingProblem, Network, UnitKind};

use crate::maps::Map;

/// Rows whose values are ordered to break symmetries.
const ORDERED_ROWS: usize = 50;

/// Clauses one after the other, each ended by 0.
pub(crate) struct Formula {
    /// Rows of the problem that it speaks of, increasing.
    pub(crate) rows: Vec<u32>,
    literals: Vec<i32>,
    /// The number, from 1, that the checker's formula over these rows gives each clause.
    pub(crate) numbers: Vec<u64>,
    /// Number of the checker's clauses.
    pub(crate) count: u64,
    /// Number of variables.
    pub(crate) variables: i32,
    tables: Vec<i32>,
    errors: i32,
    /// The units of every group.
    pub(crate) groups: Vec<Vec<u32>>,
}

impl Formula {
    /// "At most `allowed` of `rows` are wrong." With `symmetry` `maps` may be used too.
    pub(crate) fn new(problem: &LoadingProblem, rows: Vec<u32>, allowed: u64, symmetry: bool, maps: &[Map]) -> Formula {
        let network = &problem.network;
        let m = rows.len();
        let mut next = 1 + (network.units.len() * m) as i32;
        let mut tables = vec![0; network.units.len()];
        for (u, unit) in network.units.iter().enumerate().filter(|entry| entry.1.kind() == UnitKind::Table) {
            tables[u] = next;
            next += 1 << unit.units.len();
        }
        let errors = if allowed > 0 { next } else { 0 };
        if allowed > 0 {
            next += m as i32;
        }
        let groups = network.groups().into_iter().map(|(_, units)| units).collect();
        let mut formula = Formula {
            rows,
            literals: Vec::new(),
            numbers: Vec::new(),
            count: 0,
            variables: next - 1,
            tables,
            errors,
            groups,
        };
        let bounded = if symmetry { one_hidden_layer(network).map(|found| found.0) } else { None };
        for (u, unit) in network.units.iter().enumerate().filter(|entry| entry.1.kind() == UnitKind::Table) {
            match bounded {
                Some(output) if output == u => formula.count += (m as u64) << (unit.units.len() + 1),
                _ => formula.evaluate_table(u, &unit.units),
            }
        }
        for (u, unit) in network.units.iter().enumerate().filter(|entry| entry.1.kind() == UnitKind::Table) {
            match &unit.function {
                Function::Fixed { weights, bias } => formula.fixed_table(u, weights, *bias),
                Function::Free => formula.threshold_table(u, unit.units.len(), bounded == Some(u)),
            }
        }
        for i in 0..m {
            let wanted = problem.target(formula.rows[i] as usize).iter().zip(&network.outputs);
            for (target, &output) in wanted {
                let Some(target) = *target else { continue };
                let literal = formula.value(output as usize, i);
                formula.literals.push(if target { literal } else { -literal });
                if allowed > 0 {
                    formula.literals.push(errors + i as i32);
                }
                formula.end();
            }
        }
        if allowed > 0 {
            formula.at_most(allowed);
        }
        if symmetry {
            formula.symmetry(problem, allowed, maps);
        }
        formula
    }

    /// The variable "unit u is 1 on the i-th of the rows".
    #[inline]
    pub(crate) fn value(&self, u: usize, i: usize) -> i32 {
        1 + (u * self.rows.len() + i) as i32
    }

    /// The variable of an entry of a table.
    pub(crate) fn table(&self, u: usize, b: usize) -> i32 {
        self.tables[u] + b as i32
    }

    /// All clauses.
    pub(crate) fn clauses(&self) -> impl Iterator<Item = &[i32]> {
        self.literals.split(|&literal| literal == 0).take(self.numbers.len())
    }

    fn end(&mut self) {
        self.literals.push(0);
        self.count += 1;
        self.numbers.push(self.count);
    }

    fn clause(&mut self, literals: &[i32]) {
        self.literals.extend_from_slice(literals);
        self.end();
    }

    fn fresh(&mut self) -> i32 {
        self.variables += 1;
        self.variables
    }

    fn evaluate_table(&mut self, u: usize, inputs: &[u32]) {
        for i in 0..self.rows.len() {
            for b in 0..1usize << inputs.len() {
                let (output, entry) = (self.value(u, i), self.table(u, b));
                for sign in [-1, 1] {
                    for (j, &input) in inputs.iter().enumerate() {
                        let literal = self.value(input as usize, i);
                        self.literals.push(if b >> j & 1 == 1 { -literal } else { literal });
                    }
                    self.clause(&[sign * output, -sign * entry]);
                }
            }
        }
    }

    fn fixed_table(&mut self, u: usize, weights: &[i64], bias: i64) {
        for b in 0..1usize << weights.len() {
            let chosen = weights.iter().enumerate().filter(|(j, _)| b >> j & 1 == 1);
            let sum = i128::from(bias) + chosen.map(|entry| i128::from(*entry.1)).sum::<i128>();
            let entry = self.table(u, b);
            self.clause(&[if sum > 0 { entry } else { -entry }]);
        }
    }

    fn threshold_table(&mut self, u: usize, inputs: usize, monotone: bool) {
        let below = |p: usize, r: usize| p & r == p;
        let size = 1usize << inputs;
        for p in 0..size {
            for q in p..size {
                let (both, either) = (p & q, p | q);
                for r in 0..size {
                    // r + s = p + q needs r between the two, and then s is what is left.
                    if r & both != both || r | either != either {
                        continue;
                    }
                    let s = both | (either & !r);
                    if s < r || (r, s) == (p, q) {
                        continue;
                    }
                    if monotone && (below(p, r) || below(p, s) || below(q, r) || below(q, s)) {
                        self.count += 1;
                        continue;
                    }
                    let [p, q, r, s] = [p, q, r, s].map(|b| self.table(u, b));
                    let (left, right) = ([-p, -q], [r, s]);
                    self.literals.extend_from_slice(if p == q { &left[..1] } else { &left });
                    self.literals.extend_from_slice(if r == s { &right[..1] } else { &right });
                    self.end();
                }
            }
        }
    }

    fn at_most(&mut self, allowed: u64) {
        let m = self.rows.len();
        if m == 0 {
            return;
        }
        let most = usize::try_from(allowed).unwrap_or(usize::MAX).saturating_add(1);
        let sums = self.totalizer(0, m, most);
        if m as u64 > allowed {
            self.clause(&[-sums[allowed as usize]]);
        }
    }

    /// Literals for "at least 1, 2, … of these errors".
    fn totalizer(&mut self, low: usize, high: usize, most: usize) -> Vec<i32> {
        if high - low == 1 {
            let m = self.rows.len();
            return vec![self.errors + (low as u64 * stride(m) % m as u64) as i32];
        }
        let middle = (low + high) / 2;
        let left = self.totalizer(low, middle, most);
        let right = self.totalizer(middle, high, most);
        let sums: Vec<i32> = (0..most.min(high - low)).map(|_| self.fresh()).collect();
        for a in 0..=left.len() {
            for b in 0..=right.len() {
                if a + b == 0 {
                    continue;
                }
                let k = (a + b).min(sums.len());
                if a > 0 {
                    self.literals.push(-left[a - 1]);
                }
                if b > 0 {
                    self.literals.push(-right[b - 1]);
                }
                self.clause(&[sums[k - 1]]);
            }
        }
        sums
    }

    fn symmetry(&mut self, problem: &LoadingProblem, allowed: u64, maps: &[Map]) {
        let network = &problem.network;
        if let Some((output, hidden)) = one_hidden_layer(network) {
            for i in 0..self.rows.len() {
                if let Some(target) = problem.target(self.rows[i] as usize)[0] {
                    self.monotone_row(output, &hidden, i, target, allowed > 0);
                }
            }
            for b in 0..1usize << hidden.len() {
                for j in (0..hidden.len()).filter(|j| b >> j & 1 == 0) {
                    let clause = [-self.table(output, b), self.table(output, b | 1 << j)];
                    self.clause(&clause);
                }
            }
            hidden.windows(2).for_each(|pair| self.ordered(pair[0] as usize, pair[1] as usize));
            maps.iter().for_each(|map| self.least(hidden[0] as usize, map));
            return;
        }
        for class in twins(network) {
            if !self.rows.is_empty() {
                for &u in &class {
                    let literal = -self.value(u as usize, 0);
                    self.clause(&[literal]);
                }
            }
            class.windows(2).for_each(|pair| self.ordered(pair[0] as usize, pair[1] as usize));
        }
    }

    /// What a monotone table and the target of row i say: if all units that are 1 are in b, or all of b are 1, t(b) is bounded by the target.
    fn monotone_row(&mut self, output: usize, hidden: &[u32], i: usize, target: bool, may_be_wrong: bool) {
        let sign = if target { 1 } else { -1 };
        for b in 0..1usize << hidden.len() {
            for (j, &u) in hidden.iter().enumerate() {
                if (b >> j & 1 == 1) != target {
                    self.literals.push(sign * self.value(u as usize, i));
                }
            }
            self.literals.push(sign * self.table(output, b));
            if may_be_wrong {
                self.literals.push(self.errors + i as i32);
            }
            self.end();
        }
    }

    /// The values of u on the first rows are lexicographically at most those of v.
    fn ordered(&mut self, u: usize, v: usize) {
        let rows = 0..self.rows.len().min(ORDERED_ROWS);
        self.lexicographic(&rows.map(|i| (self.value(u, i), self.value(v, i))).collect::<Vec<_>>());
    }

    /// The values of u on the first rows are lexicographically at most those on their images. (A row that the search leaves out has the value of the first of its point.)
    fn least(&mut self, u: usize, map: &Map) {
        let sign = if map.claim.exchanges { -1 } else { 1 };
        let place = |row: u32| self.rows.binary_search(&row).ok();
        let pair = |(i, &(image, same)): (usize, &(u32, u32))| {
            let other = place(image).or_else(|| place(same))?;
            Some((self.value(u, i), sign * self.value(u, other)))
        };
        let pairs = map.images.iter().enumerate().filter_map(pair).filter(|(left, right)| left != right);
        self.lexicographic(&pairs.collect::<Vec<_>>());
    }

    /// The first literals are lexicographically at most the second.
    fn lexicographic(&mut self, pairs: &[(i32, i32)]) {
        let mut equal: Option<i32> = None;
        for (place, &(first, second)) in pairs.iter().enumerate() {
            let before: Vec<i32> = equal.iter().map(|literal| -literal).collect();
            let with = |literals: &[i32]| [before.as_slice(), literals].concat();
            self.clause(&if second == -first { with(&[-first]) } else { with(&[-first, second]) });
            if place + 1 < pairs.len() {
                let still = self.fresh();
                self.clause(&with(&[-first, still]));
                self.clause(&with(&[second, still]));
                equal = Some(still);
            }
        }
    }
}

/// The step in which errors are counted: coprime to `rows` and near rows/φ, so that rows that stand together in the file, often of one class, are counted apart. Refutations of
/// class by class data take less than half the time.
pub(crate) fn stride(rows: usize) -> u64 {
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let near = (rows as f64 / 1.618_033_988_749_895) as usize;
    (near.max(1)..=rows).find(|&stride| divisor(stride, rows) == 1).unwrap_or(1) as u64
}

/// The output and its inputs in the domain of theorem 3.
pub(crate) fn one_hidden_layer(network: &Network) -> Option<(usize, Vec<u32>)> {
    let [output] = network.outputs[..] else { return None };
    let unit = &network.units[output as usize];
    let mut hidden = unit.units.clone();
    hidden.sort_unstable();
    let others: Vec<u32> = (0..network.units.len() as u32).filter(|&u| u != output).collect();
    let groups = network.groups();
    let one_group = matches!(&groups[..], [(_, units)] if *units == others);
    (unit.is_free() && unit.kind() == UnitKind::Table && hidden == others && one_group)
        .then(|| (output as usize, unit.units.clone()))
}

/// The classes of theorem 4, in the order of their first unit.
fn twins(network: &Network) -> Vec<Vec<u32>> {
    let readers = |u: u32| -> Vec<usize> {
        (0..network.units.len()).filter(|&reader| network.units[reader].units.contains(&u)).collect()
    };
    let mut classes: Vec<(Vec<usize>, Vec<u32>)> = Vec::new();
    for (u, unit) in network.units.iter().enumerate() {
        let u = u as u32;
        let readers = readers(u);
        let hidden = unit.is_free() && !network.outputs.contains(&u) && !readers.is_empty();
        if !hidden || !readers.iter().all(|&reader| network.units[reader].is_free()) {
            continue;
        }
        let same = |class: &&mut (Vec<usize>, Vec<u32>)| {
            let other = &network.units[class.1[0] as usize];
            class.0 == readers && other.columns == unit.columns && other.units == unit.units
        };
        match classes.iter_mut().find(same) {
            Some(class) => class.1.push(u),
            None => classes.push((readers, vec![u])),
        }
    }
    classes.into_iter().map(|class| class.1).collect()
}
