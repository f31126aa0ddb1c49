//! Maximal margins of separable units against the distance of the hulls by enumeration of their faces; every certificate checked.

mod certified;

use dashu_int::IBig;
use infimum_problem::{
    ColumnNames, ColumnScale, Columns, Ending, Function, IntegerMatrix, LoadingProblem, Network, Points, Unit,
};
use infimum_threshold::{Options, Outcome};

use certified::Random;

fn problem(rows: &[Vec<IBig>], scales: &[ColumnScale], targets: Vec<Option<bool>>, network: Network) -> LoadingProblem {
    let mut matrix = IntegerMatrix::new(scales.len());
    let stored = |row: &Vec<IBig>| (0..).zip(row.clone()).filter(|entry| entry.1 != IBig::ZERO).collect::<Vec<_>>();
    rows.iter().for_each(|row| matrix.push_row(stored(row)));
    LoadingProblem {
        points: Points::Wide(matrix),
        scales: scales.to_vec(),
        column_names: ColumnNames::numbered(scales.len()),
        targets,
        output_names: network.outputs.iter().map(ToString::to_string).collect(),
        network,
    }
}

fn solved(problem: &LoadingProblem, threads: usize) -> Outcome {
    certified::solved(problem, &Options { threads, ..Options::default() })
}

/// Solves `matrix·x = right` by elimination with row exchanges; `None` if it is singular, about.
fn linear(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for c in 0..n {
        let pivot = (c..n).max_by(|&a, &b| matrix[a][c].abs().total_cmp(&matrix[b][c].abs()))?;
        if matrix[pivot][c].abs() < 1e-9 {
            return None;
        }
        matrix.swap(c, pivot);
        right.swap(c, pivot);
        for i in (0..n).filter(|&i| i != c) {
            let factor = matrix[i][c] / matrix[c][c];
            let line = matrix[c].clone();
            matrix[i].iter_mut().zip(&line).for_each(|(value, pivot)| *value -= factor * pivot);
            right[i] -= factor * right[c];
        }
    }
    Some((0..n).map(|c| right[c] / matrix[c][c]).collect())
}

/// Half the distance of the two hulls: the least over all faces whose affine hulls are nearest within the faces.
fn half_distance(ones: &[Vec<f64>], zeros: &[Vec<f64>]) -> f64 {
    let mut least = f64::INFINITY;
    for a in 1..1usize << ones.len() {
        for b in 1..1usize << zeros.len() {
            let (some_ones, some_zeros) = (chosen(ones, a), chosen(zeros, b));
            let signed = some_ones.iter().map(|row| (1.0, row)).chain(some_zeros.iter().map(|row| (-1.0, row)));
            let rows: Vec<Vec<f64>> =
                signed.map(|(sign, row)| row.iter().map(|value| sign * value).collect()).collect();
            let k = rows.len();
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            // Lagrange's conditions: Gram matrix, and the sums of either side.
            let mut matrix = vec![vec![0.0; k + 2]; k + 2];
            for i in 0..k {
                for j in 0..k {
                    matrix[i][j] = product(&rows[i], &rows[j]);
                }
                let side = k + usize::from(i >= some_ones.len());
                (matrix[i][side], matrix[side][i]) = (1.0, 1.0);
            }
            let mut right = vec![0.0; k + 2];
            (right[k], right[k + 1]) = (1.0, 1.0);
            let Some(solution) = linear(matrix, right) else { continue };
            if solution[..k].iter().all(|&lambda| lambda > -1e-9) {
                let z = (0..rows[0].len()).map(|j| (0..k).map(|i| solution[i] * rows[i][j]).sum::<f64>());
                least = least.min(z.map(|z| z * z).sum::<f64>().sqrt() / 2.0);
            }
        }
    }
    least
}

fn chosen(rows: &[Vec<f64>], mask: usize) -> Vec<Vec<f64>> {
    (0..rows.len()).filter(|i| mask >> i & 1 == 1).map(|i| rows[i].clone()).collect()
}

/// The rows in the units of the file that a unit sees and that want `side` of it.
fn side(problem: &LoadingProblem, columns: &[u32], output: usize, side: bool) -> Vec<Vec<f64>> {
    let wants = (0..problem.rows()).filter(|&i| problem.target(i)[output] == Some(side));
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for i in wants {
        let mut row = vec![0.0; columns.len()];
        for (j, value) in problem.points.row(i) {
            if let Ok(place) = columns.binary_search(&j) {
                let scale = problem.scales[j as usize];
                row[place] = value.to_f64().value() * 10f64.powi(scale.ten) * 2f64.powi(scale.two);
            }
        }
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

#[test]
fn margins_agree_with_the_distance_of_the_hulls() {
    let mut random = Random(11);
    let (mut seen, mut open) = (0, 0);
    for round in 0..3_000 {
        let (m, d, outputs) = (1 + random.below(8), 1 + random.below(3), 1 + random.below(2));
        let size = 2 + random.below(9);
        let rows: Vec<Vec<IBig>> =
            (0..m).map(|_| (0..d).map(|_| IBig::from(random.below(size) as i64 - 1)).collect()).collect();
        let scales: Vec<ColumnScale> =
            (0..d).map(|_| ColumnScale { ten: random.below(3) as i32 - 1, two: random.below(3) as i32 - 1 }).collect();
        // Targets of a random hyperplane, so that many are separable; a few changed, a few open.
        let mut targets = Vec::new();
        let planes: Vec<Vec<i64>> =
            (0..outputs).map(|_| (0..=d).map(|_| random.below(7) as i64 - 3).collect()).collect();
        for row in &rows {
            for plane in &planes {
                let sum: IBig = row.iter().zip(plane).map(|(x, &w)| x * w).sum::<IBig>() + plane[d];
                let chance = random.below(20);
                targets.push(if chance == 0 { None } else { Some((sum > IBig::ZERO) != (chance == 1)) });
            }
        }
        let mut network = Network::layered(&[], outputs);
        if d > 1 && random.below(4) == 0 {
            network.units[0].columns = Columns::Listed(vec![random.below(d) as u32]);
        }
        let problem = problem(&rows, &scales, targets, network);
        let outcome = solved(&problem, 1 + round % 2);
        if outcome.upper != Some(0) {
            assert!(outcome.margins.is_empty());
            continue;
        }
        open += usize::from(problem.targets.contains(&None));
        for (u, unit) in problem.network.units.iter().enumerate() {
            let columns = unit.columns.list(d);
            let [ones, zeros] = [true, false].map(|wanted| side(&problem, &columns, u, wanted));
            let margin = outcome.margins.iter().find(|margin| margin.claim.unit as usize == u);
            if ones.is_empty() || zeros.is_empty() {
                assert_eq!(margin, None);
                continue;
            }
            let claim = margin.unwrap_or_else(|| panic!("no margin: {outcome:?}")).claim;
            let true_margin = half_distance(&ones, &zeros);
            assert!(claim.upper >= true_margin * (1.0 - 1e-9), "{claim:?} {true_margin} {problem:?}");
            assert!(claim.lower <= true_margin * (1.0 + 1e-9), "{claim:?} {true_margin} {problem:?}");
            assert!(claim.lower >= 0.999 * claim.upper, "{claim:?} {true_margin} {problem:?}");
            seen += 1;
        }
    }
    assert!(seen > 1_000 && open > 100, "{seen} margins, {open} problems with open targets");
}

fn one_output(rows: &[&[i64]], scales: &[ColumnScale], targets: &[Option<bool>]) -> LoadingProblem {
    let rows: Vec<Vec<IBig>> = rows.iter().map(|row| row.iter().map(|&value| value.into()).collect()).collect();
    problem(&rows, scales, targets.to_vec(), Network::layered(&[], 1))
}

const PLAIN: ColumnScale = ColumnScale { ten: 0, two: 0 };

#[test]
fn one_class_has_no_margin() {
    for targets in [[Some(true); 3], [Some(false); 3], [None; 3], [Some(true), None, Some(true)]] {
        let outcome = solved(&one_output(&[&[1], &[2], &[2]], &[PLAIN], &targets), 1);
        assert_eq!((outcome.ending, outcome.margins.len()), (Ending::Satisfiable, 0));
    }
    let outcome = solved(&one_output(&[&[5, 7]], &[PLAIN; 2], &[Some(true)]), 1);
    assert_eq!((outcome.upper, outcome.margins.len()), (Some(0), 0));
}

/// 0.1 and 0.3 apart on a line: 0.1, whatever lies behind, and however often.
#[test]
fn collinear_and_repeated_rows() {
    let tenth = ColumnScale { ten: -1, two: 0 };
    let rows: Vec<&[i64]> = vec![&[1], &[1], &[-70], &[3], &[3], &[3], &[1_000_000_000_000]];
    let targets: Vec<Option<bool>> = [0, 0, 0, 1, 1, 1, 1].iter().map(|&y| Some(y == 1)).collect();
    let outcome = solved(&one_output(&rows, &[tenth], &targets), 1);
    let claim = outcome.margins[0].claim;
    assert!(claim.lower <= 0.1 && claim.upper >= 0.1 && claim.upper - claim.lower < 1e-15, "{claim:?}");
}

/// A column in units of 1e300 beside one in units of 1e-300: only the small one separates, so that the large one must have weight 0 or nearly so.
#[test]
fn columns_that_are_far_apart() {
    let scales = [ColumnScale { ten: 300, two: 0 }, ColumnScale { ten: -300, two: 0 }];
    let rows: Vec<&[i64]> = vec![&[0, 0], &[1, 0], &[0, 2], &[1, 2]];
    let targets: Vec<Option<bool>> = [0, 0, 1, 1].iter().map(|&y| Some(y == 1)).collect();
    let claim = solved(&one_output(&rows, &scales, &targets), 1).margins[0].claim;
    assert!(claim.lower >= 0.999e-300 && claim.upper <= 1.001e-300, "{claim:?}");
    // The large one separates: the other hardly counts.
    let targets: Vec<Option<bool>> = [0, 1, 0, 1].iter().map(|&y| Some(y == 1)).collect();
    let claim = solved(&one_output(&rows, &scales, &targets), 1).margins[0].claim;
    assert!(claim.lower >= 0.4995e300 && claim.upper <= 0.5005e300, "{claim:?}");
    // Both are needed: (1, 0) and (1, 2) differ in the small one alone.
    let targets: Vec<Option<bool>> = [0, 0, 0, 1].iter().map(|&y| Some(y == 1)).collect();
    let claim = solved(&one_output(&rows, &scales, &targets), 1).margins[0].claim;
    assert!(claim.lower >= 0.999e-300 && claim.upper <= 1.001e-300, "{claim:?}");
    // Beyond the doubles there is nothing to claim.
    let scales = [ColumnScale { ten: 400, two: 0 }, PLAIN];
    let targets: Vec<Option<bool>> = [0, 1, 0, 1].iter().map(|&y| Some(y == 1)).collect();
    assert!(solved(&one_output(&rows, &scales, &targets), 1).margins.is_empty());
}

/// Rows on both sides of a slanted hyperplane, in many columns; some stand apart by very little.
#[test]
fn many_rows_and_thin_gaps() {
    let mut random = Random(3);
    for (m, d, spread) in [(2_000, 20, 1_000), (500, 60, 3), (300, 5, 1_000_000_000)] {
        let plane: Vec<i64> = (0..d).map(|_| random.below(201) as i64 - 100).collect();
        let rows: Vec<Vec<IBig>> =
            (0..m).map(|_| (0..d).map(|_| IBig::from(random.below(2 * spread) as i64)).collect()).collect();
        let sum = |row: &[IBig]| row.iter().zip(&plane).map(|(x, &w)| x * w).sum::<IBig>();
        let mut sums: Vec<IBig> = rows.iter().map(|row| sum(row)).collect();
        sums.sort();
        let targets = rows.iter().map(|row| Some(sum(row) > sums[m / 2])).collect();
        let problem = problem(&rows, &vec![PLAIN; d], targets, Network::layered(&[], 1));
        let outcome = solved(&problem, 2);
        let claim = outcome.margins[0].claim;
        assert!(claim.lower >= 0.999 * claim.upper && claim.lower > 0.0, "{m} {d}: {claim:?}");
    }
}

/// Units that are no outputs have no targets, and so no margin.
#[test]
fn only_outputs_have_margins() {
    let unit = |name: &str| Unit { name: name.into(), columns: Columns::All, units: vec![], function: Function::Free };
    let network = Network { units: vec![unit("a"), unit("b")], outputs: vec![1] };
    let rows = [vec![IBig::ZERO], vec![IBig::ONE]];
    let outcome = solved(&problem(&rows, &[PLAIN], vec![Some(false), Some(true)], network), 1);
    assert_eq!(outcome.margins.iter().map(|margin| margin.claim.unit).collect::<Vec<u32>>(), [1]);
    assert_eq!((outcome.margins[0].claim.lower, outcome.margins[0].claim.upper), (0.5, 0.5));
}
