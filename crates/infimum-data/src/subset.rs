//! Which training rows make a fold or a share (docs/canonical-problem.md, section 2, step 7).
//!
//! Every row r of the n training rows has the key `splitmix64(splitmix64(seed) + r)`, wrapping; keys of different rows
//! differ, since splitmix64 is a bijection. Rows of one class (all rows in regression) are put in the order of their keys.
//!
//! Folds: the classes' rows, in this order and class after class, are dealt to the folds in turn, so that the counts of a
//! class in two folds differ by at most 1 and so do the folds' sizes. Of a class of two or more rows no fold holds all:
//! every training part has every class.
//!
//! Shares: the row at place p = 0, 1, … of a class of m rows has the rank p/m; rows are taken by rank, ties by class. So a
//! share is part of every larger one, holds every class as soon as it has as many rows as there are classes, and of a class
//! at most one row more than its proportion.

use infimum_problem::{Subset, Target};

use crate::canonical::splitmix64;

/// Training rows of each class in the order of their keys; one list for regression.
fn by_class(target: &Target, seed: u64) -> Vec<Vec<usize>> {
    let start = splitmix64(seed);
    let key = |&row: &usize| splitmix64(start.wrapping_add(row as u64));
    let mut lists = match target {
        Target::Real(_) | Target::Several { .. } => vec![(0..rows(target)).collect()],
        Target::Class { labels, classes } => {
            let mut lists = vec![Vec::new(); labels.len()];
            classes.iter().enumerate().for_each(|(row, &class)| lists[class as usize].push(row));
            lists
        }
    };
    lists.iter_mut().for_each(|rows: &mut Vec<usize>| rows.sort_by_key(key));
    lists
}

fn rows(target: &Target) -> usize {
    match target {
        Target::Real(values) => values.len(),
        Target::Class { classes, .. } => classes.len(),
        Target::Several { names, values } => values.len() / names.len(),
    }
}

/// Fewest rows that a share can have: one of each class.
pub fn smallest_share(target: &Target) -> usize {
    match target {
        Target::Real(_) | Target::Several { .. } => 1,
        Target::Class { labels, .. } => labels.len(),
    }
}

/// Whether each training row is used, or what is wrong with the subset: a clause for an error.
pub fn subset_rows(target: &Target, subset: Subset) -> Result<Vec<bool>, String> {
    let n = rows(target);
    match subset {
        Subset::WithoutFold { folds, fold, seed } => {
            if folds < 2 || fold >= folds {
                return Err(format!("expected at least 2 folds and one of them, got fold {fold} of {folds}"));
            }
            if folds > n {
                return Err(format!("{folds} folds need at least {folds} training rows, but there are {n}"));
            }
            let lists = by_class(target, seed);
            if let (Target::Class { labels, .. }, Some(lonely)) = (target, lists.iter().position(|rows| rows.len() < 2))
            {
                return Err(format!(
                    "the label `{}` has only {} training row, so one fold would be trained without it; cross-validation \
                     needs two or more rows of each label",
                    labels[lonely],
                    lists[lonely].len()
                ));
            }
            let mut keep = vec![true; n];
            lists.into_iter().flatten().skip(fold).step_by(folds).for_each(|row| keep[row] = false);
            Ok(keep)
        }
        Subset::Share { rows, seed } => {
            let least = smallest_share(target);
            if rows < least || rows > n {
                return Err(format!("a share needs from {least} to {n} training rows, got {rows}"));
            }
            let lists = by_class(target, seed);
            let mut ranked: Vec<(usize, usize, usize)> = Vec::with_capacity(n);
            for (class, list) in lists.iter().enumerate() {
                ranked.extend((0..list.len()).map(|place| (place, class, list[place])));
            }
            // p/m < p′/m′ as integers.
            let times = |place: usize, class: usize| place as u128 * lists[class].len() as u128;
            ranked.sort_by(|a, b| times(a.0, b.1).cmp(&times(b.0, a.1)).then(a.1.cmp(&b.1)));
            let mut keep = vec![false; n];
            ranked[..rows].iter().for_each(|entry| keep[entry.2] = true);
            Ok(keep)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(keep: &[bool], target: &Target, class: u32, wanted: bool) -> usize {
        let Target::Class { classes, .. } = target else { panic!("classes") };
        keep.iter().zip(classes).filter(|&(&keep, &of)| keep == wanted && of == class).count()
    }

    proptest! {
        #[test]
        fn folds_part_the_rows_and_the_classes_evenly(
            classes in prop::collection::vec(0u32..3, 1..80), folds in 2usize..7, seed in any::<u64>(),
        ) {
            let classes: Vec<u32> = [0, 0, 1, 1, 2, 2].into_iter().chain(classes).collect();
            let n = classes.len();
            let labels = ["a", "b", "c"].map(String::from).to_vec();
            let target = Target::Class { labels, classes };
            let parts: Vec<Vec<bool>> = (0..folds)
                .map(|fold| subset_rows(&target, Subset::WithoutFold { folds, fold, seed }).unwrap())
                .collect();
            for row in 0..n {
                prop_assert_eq!(parts.iter().filter(|keep| !keep[row]).count(), 1, "row {} in one fold", row);
            }
            for class in 0..3 {
                let counts: Vec<usize> = parts.iter().map(|keep| count(keep, &target, class, false)).collect();
                let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
                prop_assert!(most - least <= 1, "{:?}", counts);
                prop_assert!(parts.iter().all(|keep| count(keep, &target, class, true) > 0));
            }
            let sizes: Vec<usize> = parts.iter().map(|keep| keep.iter().filter(|keep| !**keep).count()).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }

        #[test]
        fn shares_are_nested_and_in_proportion(
            classes in prop::collection::vec(0u32..3, 1..60), seed in any::<u64>(),
        ) {
            let classes: Vec<u32> = [0, 1, 2].into_iter().chain(classes).collect();
            let n = classes.len();
            let target = Target::Class { labels: ["a", "b", "c"].map(String::from).to_vec(), classes };
            let of = |rows: usize| subset_rows(&target, Subset::Share { rows, seed }).unwrap();
            let all = vec![true; n];
            for rows in 3..=n {
                let keep = of(rows);
                prop_assert_eq!(keep.iter().filter(|keep| **keep).count(), rows);
                if rows < n {
                    prop_assert!(keep.iter().zip(of(rows + 1)).all(|(&small, large)| !small || large));
                }
                for class in 0..3 {
                    let (here, whole) = (count(&keep, &target, class, true), count(&all, &target, class, true));
                    prop_assert!(here >= 1 && here as f64 <= whole as f64 * rows as f64 / n as f64 + 2.0);
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_parted_is_said() {
        let target = Target::Class { labels: vec!["a".into(), "b".into()], classes: vec![0, 0, 0, 1] };
        let folds = |folds, fold| subset_rows(&target, Subset::WithoutFold { folds, fold, seed: 0 });
        assert!(folds(2, 0).unwrap_err().contains("`b` has only 1 training row"));
        assert!(folds(5, 0).unwrap_err().contains("there are 4") && folds(2, 2).is_err() && folds(1, 0).is_err());
        let share = |rows| subset_rows(&target, Subset::Share { rows, seed: 0 });
        assert!(share(1).unwrap_err().contains("from 2 to 4") && share(5).is_err() && share(2).is_ok());
        let real = Target::Real(vec![1.0, 2.0, 3.0]);
        assert_eq!(subset_rows(&real, Subset::Share { rows: 1, seed: 3 }).unwrap().iter().filter(|k| **k).count(), 1);
    }
}
