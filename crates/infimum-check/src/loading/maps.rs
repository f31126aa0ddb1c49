//! Maps of the points that turn the rows into the same rows in another order (docs/loading.md, theorem 6).
//!
//! A row's *kind* is its point, over the columns that the hidden units read, and its target. A map gives every kind an image: the mapped point, with the target or, if the map
//! exchanges, its opposite. As columns change places or are reflected, different kinds have different images; if every kind has as many rows as its image, the k-th row
//! of each can go to the k-th row of its image, and that is a permutation of the rows.

use std::collections::HashMap;

use infimum_problem::{IntegerMatrix, LoadingProblem, PointMap, Points};

/// Where a map takes the first rows.
pub(crate) struct Image {
    /// The images of the rows 0, 1, … that are compared with theirs.
    pub(crate) rows: Vec<u32>,
    /// Whether targets are exchanged.
    pub(crate) exchanges: bool,
}

/// The entries of a point that are not 0, by column.
type Entries = Vec<(u32, i64)>;
type Kind = (Entries, Option<bool>);

/// The images under all maps, for a network in the domain of theorem 3 of which `hidden` is one of the hidden units. The error names the map by its number from 1.
pub(crate) fn images(problem: &LoadingProblem, hidden: u32, maps: &[PointMap]) -> Result<Vec<Image>, String> {
    if maps.is_empty() {
        return Ok(Vec::new());
    }
    let Points::Narrow(points) = &problem.points else {
        return Err("maps of points whose integers lie beyond 2^62".into());
    };
    let columns = problem.network.units[hidden as usize].columns.list(points.columns);
    let mut is_read = vec![false; points.columns];
    columns.iter().for_each(|&column| is_read[column as usize] = true);
    let mut kinds = Kinds { of_row: Vec::new(), rows: Vec::new(), number: HashMap::new() };
    for row in 0..points.rows() {
        kinds.add(entries(points, row, &is_read), problem.targets[row]);
    }
    // In the order of their first rows, so that a refusal always names the same row.
    let mut ordered: Vec<(&Kind, usize)> = kinds.number.iter().map(|(kind, &number)| (kind, number)).collect();
    ordered.sort_unstable_by_key(|entry| entry.1);
    let named = maps.iter().enumerate();
    named
        .map(|(place, map)| {
            kinds.image(&ordered, &is_read, map).map_err(|reason| format!("map {}: {reason}", place + 1))
        })
        .collect()
}

fn entries(points: &IntegerMatrix<i64>, row: usize, is_read: &[bool]) -> Entries {
    let (columns, values) = points.row(row);
    let stored = columns.iter().copied().zip(values.iter().copied());
    stored.filter(|&(column, value)| value != 0 && is_read[column as usize]).collect()
}

/// Rows by kind.
struct Kinds {
    of_row: Vec<usize>,
    /// The rows of every kind, increasing.
    rows: Vec<Vec<u32>>,
    number: HashMap<Kind, usize>,
}

impl Kinds {
    fn add(&mut self, point: Entries, target: Option<bool>) {
        let kind = *self.number.entry((point, target)).or_insert(self.rows.len());
        if kind == self.rows.len() {
            self.rows.push(Vec::new());
        }
        self.rows[kind].push(self.of_row.len() as u32);
        self.of_row.push(kind);
    }

    /// Where `map` takes the first rows; refused unless it takes the columns to columns, and all rows to all rows.
    fn image(&self, ordered: &[(&Kind, usize)], is_read: &[bool], map: &PointMap) -> Result<Image, String> {
        let mut moves = HashMap::new();
        let mut before = None;
        for step in &map.moves {
            if before.is_some_and(|before| before >= step.to) {
                return Err("its columns are not in increasing order".into());
            }
            before = Some(step.to);
            moves.insert(step.from, step);
        }
        let known = |column: u32| is_read.get(column as usize).is_some_and(|&is_read| is_read);
        if let Some(step) = map.moves.iter().find(|step| !known(step.to)) {
            return Err(format!("the hidden units do not read column {}", step.to));
        }
        // As many columns as there are moves are taken from, and each of them is written to: they are the same.
        if moves.len() != map.moves.len() || map.moves.iter().any(|step| !moves.contains_key(&step.to)) {
            return Err("a column is taken twice, or goes nowhere".into());
        }
        let mut goes = vec![0; self.rows.len()];
        for &((point, target), kind) in ordered {
            let stays = point.iter().copied().filter(|(column, _)| !moves.contains_key(column));
            let mut image: Entries = stays.collect();
            for step in &map.moves {
                let value = point.binary_search_by_key(&step.from, |entry| entry.0).map_or(0, |place| point[place].1);
                let value = match step.sum {
                    None => value,
                    Some(sum) => sum.checked_sub(value).ok_or("a reflected value is out of range")?,
                };
                if value != 0 {
                    image.push((step.to, value));
                }
            }
            image.sort_unstable();
            let other = self.number.get(&(image, target.map(|target| target != map.exchanges)));
            let row = self.rows[kind][0];
            let other = *other.ok_or_else(|| format!("there is no row that row {row}, counted from 0, goes to"))?;
            if self.rows[other].len() != self.rows[kind].len() {
                return Err(format!(
                    "there are more or fewer rows like row {row}, counted from 0, than like its image"
                ));
            }
            goes[kind] = other;
        }
        if map.compared as usize > self.of_row.len() {
            return Err(format!("{} rows are to be compared, but there are {}", map.compared, self.of_row.len()));
        }
        let mut met = vec![0; self.rows.len()];
        let rows = self.of_row.iter().take(map.compared as usize).map(|&kind| {
            met[kind] += 1;
            self.rows[goes[kind]][met[kind] - 1]
        });
        Ok(Image { rows: rows.collect(), exchanges: map.exchanges })
    }
}
