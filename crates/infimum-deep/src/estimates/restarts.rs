//! What several runs say about the runs that were not made.

use serde::Serialize;

/// Statistics of the end values of runs from independent random starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Restarts {
    /// Runs.
    pub runs: usize,
    /// The lowest end value.
    pub lowest: f64,
    /// The same at a coarse and at a fine tolerance.
    pub at: [Distinct; 2],
}

/// Counts at one tolerance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distinct {
    /// Runs end in the same minimum where their values differ by at most so much, relative to the lower one.
    pub tolerance: f64,
    /// Distinct ends w.
    pub distinct: usize,
    /// Ends that one run alone reached.
    pub single: usize,
    /// Estimate of the probability that another run ends in a place not seen yet.
    pub unseen: f64,
    /// Its interval, 95 %.
    pub interval: [f64; 2],
    /// Estimate of the number of minima; `None` where there are too few repetitions for one.
    pub minima: Option<f64>,
}

/// Coarse and fine.
const TOLERANCES: [f64; 2] = [1e-3, 1e-5];
/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_964;

/// Statistics of end values; `None` with less than two finite ones. Everything is under the distribution of the starts, and about values: two minima of one value count as
/// one.
pub fn restarts(values: &[f64]) -> Option<Restarts> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    (values.len() > 1).then(|| Restarts {
        runs: values.len(),
        lowest: values[0],
        at: TOLERANCES.map(|tolerance| distinct(&values, tolerance)),
    })
}

/// With n runs, w distinct ends, n1 of them reached once and n2 twice: the unseen mass is about n1/n (Good 1953, *The population frequencies of species and the estimation of
/// population parameters*, formula 9), with variance (n1 (1 − n1/n) + 2 n2)/n² (Esty 1983, *A normal limit law for a nonparametric estimator of the coverage of
/// a random sample*), here shifted and widened for small counts as Wilson's interval of a share is. The number of minima, all numbers and sizes of their basins being
/// equally likely before, is w (n − 1)/(n − w − 2) in the mean (Boender, Rinnooy Kan 1987, *Bayesian stopping rules for multistart global optimization methods*).
fn distinct(sorted: &[f64], tolerance: f64) -> Distinct {
    let mut counts: Vec<usize> = Vec::new();
    let mut first = f64::NEG_INFINITY;
    for &value in sorted {
        if counts.is_empty() || value - first > tolerance * first.abs() {
            first = value;
            counts.push(0);
        }
        if let Some(count) = counts.last_mut() {
            *count += 1;
        }
    }
    let (n, w) = (sorted.len(), counts.len());
    let reached = |times: usize| counts.iter().filter(|&&count| count == times).count();
    let (single, double) = (reached(1), reached(2));
    let (runs, unseen) = (n as f64, single as f64 / n as f64);
    let middle = unseen + Z * Z / (2.0 * runs) * (1.0 - 2.0 * unseen);
    let half = Z / runs * (single as f64 * (1.0 - unseen) + 2.0 * double as f64 + Z * Z / 4.0).sqrt();
    Distinct {
        tolerance,
        distinct: w,
        single,
        unseen,
        interval: [(middle - half).max(0.0), (middle + half).min(1.0)],
        minima: (n > w + 2).then(|| w as f64 * (runs - 1.0) / (n - w - 2) as f64),
    }
}

impl Restarts {
    /// One sentence.
    pub fn line(&self) -> String {
        let [coarse, fine] = self.at.each_ref().map(Distinct::clause);
        let runs = self.runs;
        format!(
            "{runs} random starts: {coarse}; {fine}; all this under this distribution of starts, and nothing about how low unseen minima are"
        )
    }
}

impl Distinct {
    fn clause(&self) -> String {
        let Distinct { tolerance, distinct, unseen, interval: [low, high], .. } = self;
        let minima = match self.minima {
            Some(minima) => format!("about {} minima in all (Boender, Rinnooy Kan)", minima.round()),
            None => "too few repetitions to guess how many minima in all".into(),
        };
        format!(
            "{distinct} distinct ends at tolerance {tolerance:.0e}, unseen mass {unseen:.2} [{low:.2}, {high:.2}] (Good, Turing; 95 %), {minima}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, key};

    /// Values with `counts[i]` runs at the i-th of values far apart.
    fn ends(counts: &[usize]) -> Vec<f64> {
        let of = |(i, &count): (usize, &usize)| vec![1.0 + i as f64; count];
        counts.iter().enumerate().flat_map(of).collect()
    }

    /// The table of notes/relu.md, section 4: 40 runs.
    #[test]
    fn counts_agree_with_the_table() {
        let spread = |distinct: usize, single: usize| {
            let mut counts = vec![1; single];
            counts.extend(vec![2; distinct - single]);
            let rest = 40 - counts.iter().sum::<usize>();
            if let Some(last) = counts.last_mut() {
                *last += rest;
            }
            counts
        };
        for (distinct, single, unseen, minima) in [
            (9, 3, 0.07, Some(12.0)),
            (22, 13, 0.33, Some(54.0)),
            (28, 19, 0.47, Some(109.0)),
            (6, 3, 0.07, Some(7.0)),
            (35, 30, 0.75, Some(455.0)),
            (40, 40, 1.0, None),
        ] {
            let found = restarts(&ends(&spread(distinct, single))).unwrap();
            assert_eq!(found.runs, 40);
            let at = &found.at[0];
            assert_eq!((at.distinct, at.single, at.minima.map(f64::round)), (distinct, single, minima));
            assert!((at.unseen - unseen).abs() < 0.006, "{} for {unseen}", at.unseen);
            assert!(at.interval[0] <= at.unseen && at.unseen <= at.interval[1]);
        }
    }

    #[test]
    fn the_tolerance_decides_what_is_distinct() {
        let found = restarts(&[2.0, 2.001, 2.0000001, 2.003, f64::INFINITY, 2.0039, 2.0051]).unwrap();
        assert_eq!((found.runs, found.lowest), (6, 2.0));
        // 2 … 2.001 | 2.003 … 2.0039 | 2.0051, the last one less than 1e-3 above 2.0039 but more above 2.003.
        assert_eq!(found.at.each_ref().map(|at| at.distinct), [3, 5]);
        assert_eq!(found.at.each_ref().map(|at| at.single), [1, 4]);
        assert_eq!(found.at[0].minima, Some(15.0));
        assert_eq!(restarts(&[0.0, 0.0]).unwrap().at[0].distinct, 1);
        assert!(restarts(&[1.0, f64::NAN]).is_none());
        let line = found.line();
        assert!(line.contains("6 random starts: 3 distinct ends at tolerance 1e-3"), "{line}");
        assert!(line.contains("5 distinct ends at tolerance 1e-5"), "{line}");
    }

    /// By hand: 0.25 + 0.0480 ± 0.2127 and 0.2 + 0.1152 ± 0.5020.
    #[test]
    fn the_interval_is_as_by_hand() {
        for (counts, low, high) in [(&[1, 1, 1, 1, 1, 15][..], 0.0853, 0.5107), (&[1, 1, 2, 2, 4], 0.0, 0.8173)] {
            let [found_low, found_high] = distinct(&ends(counts), 1e-3).interval;
            assert!((found_low - low).abs() < 1e-4 && (found_high - high).abs() < 1e-4, "{found_low} {found_high}");
        }
    }

    /// Basins with the masses 1/2, 1/4, …: the interval holds the mass that the runs missed most of the time.
    #[test]
    fn the_interval_holds_the_unseen_mass() {
        let mut held = 0;
        for seed in 0..400 {
            let mut stream = Stream::new(key(&[seed]));
            let mut unseen = [true; 64];
            let values: Vec<f64> = (0..40)
                .map(|_| {
                    let basin = (-stream.unit().max(1e-18).log2()).floor() as usize;
                    unseen[basin] = false;
                    1.0 + basin as f64
                })
                .collect();
            let mass: f64 = (0..64).filter(|&basin| unseen[basin]).map(|basin| 0.5f64.powi(basin as i32 + 1)).sum();
            let [low, high] = restarts(&values).unwrap().at[0].interval;
            held += u32::from((low..=high).contains(&mass));
        }
        assert!(held >= 360, "{held} of 400");
    }
}
