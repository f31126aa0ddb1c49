//! Theorem 4 checked leaf by leaf in interval arithmetic, written from docs/relu.md alone.

use infimum_problem::{ConeNode, Cones};
use infimum_rigor::{ExactSum, Interval};

use crate::Points;

/// Panics unless the tree proves the bound. Returns the number of leaves.
pub(super) fn verify(points: &Points, w: &[f64], cones: &Cones, bound: f64) -> usize {
    let (d, r) = (points.dimension, cones.fan.len());
    let (columns, t): (Vec<usize>, Vec<f64>) = match &cones.basis {
        None => {
            assert_eq!(r, d);
            ((0..d).collect(), (0..d * d).map(|entry| f64::from(u8::from(entry / d == entry % d))).collect())
        }
        Some(basis) => (basis.columns.iter().map(|&column| column as usize).collect(), basis.coefficients.clone()),
    };
    assert_eq!((columns.len(), t.len()), (r, r * d));
    for p in 0..points.len() {
        for j in 0..d {
            let mut sum = ExactSum::new();
            sum.add(points.point(p)[j]);
            for (i, &column) in columns.iter().enumerate() {
                let (a, b) = (points.point(p)[column], t[i * d + j]);
                sum.subtract(a * b);
                sum.subtract(a.mul_add(b, -(a * b)));
            }
            assert!(sum.is_zero(), "row {p}, column {j}");
        }
    }
    let point = Interval::point;
    let fan: Vec<Vec<Interval>> = (0..r)
        .map(|j| (0..r).map(|i| point(if i == j { cones.fan[j] } else { 0.0 })).collect())
        .chain([cones.fan.iter().map(|&s| point(-s)).collect()])
        .collect();
    assert!(cones.fan.iter().all(|&s| s > 0.0));
    let mut nodes = cones.nodes.iter();
    let mut leaves = 0;
    for lacking in 0..=r {
        let root: Vec<Vec<Interval>> = (0..=r).filter(|&k| k != lacking).map(|k| fan[k].clone()).collect();
        let mut stack = vec![root];
        while let Some(cone) = stack.pop() {
            match nodes.next().expect("a node") {
                ConeNode::Split { from, to, weights: (s, t) } => {
                    let (from, to) = (*from as usize, *to as usize);
                    assert!(from != to && *s > 0.0 && *t > 0.0 && s.is_finite() && t.is_finite());
                    let v: Vec<Interval> =
                        (0..r).map(|j| point(*s) * cone[from][j] + point(*t) * cone[to][j]).collect();
                    let replaced = |place: usize| {
                        let mut child = cone.clone();
                        child[place] = v.clone();
                        child
                    };
                    stack.extend([replaced(to), replaced(from)]);
                }
                ConeNode::Leaf { q, slopes } => {
                    leaves += 1;
                    check_leaf(points, w, &columns, &cone, q, slopes);
                    let square = (0..d)
                        .map(|j| (0..r).fold(point(0.0), |sum, i| sum + point(t[i * d + j]) * point(q[i])))
                        .fold(point(0.0), |sum, entry| sum + entry * entry);
                    let limit = point(bound) * point(bound);
                    assert!(square.upper <= limit.lower, "{} > {}", square.upper, limit.lower);
                }
            }
        }
    }
    assert!(nodes.next().is_none());
    leaves
}

fn check_leaf(points: &Points, w: &[f64], columns: &[usize], cone: &[Vec<Interval>], q: &[f64], slopes: &[(u32, u8)]) {
    let r = columns.len();
    let mut sums = vec![Interval::point(0.0); r];
    for p in (0..points.len()).filter(|&p| w[p] != 0.0) {
        let row = points.point(p);
        let t: Vec<Interval> = cone
            .iter()
            .map(|v| (0..r).fold(Interval::point(0.0), |sum, j| sum + Interval::point(row[columns[j]]) * v[j]))
            .collect();
        let slope = match slopes.iter().find(|slope| slope.0 as usize == p) {
            Some(&(_, numerator)) => {
                assert!(numerator <= 128 && w[p] < 0.0);
                f64::from(numerator) / 128.0
            }
            None => f64::from(u8::from(t.iter().map(|t| 0.5 * (t.lower + t.upper)).sum::<f64>() > 0.0)),
        };
        for (sum, t) in sums.iter_mut().zip(&t) {
            let term = match w[p] > 0.0 {
                true => Interval { lower: t.lower.max(0.0), upper: t.upper.max(0.0) },
                false => Interval::point(slope) * *t,
            };
            *sum = *sum + Interval::point(w[p]) * term;
        }
    }
    for (k, (sum, v)) in sums.iter().zip(cone).enumerate() {
        let product = (0..r).fold(Interval::point(0.0), |sum, j| sum + Interval::point(q[j]) * v[j]);
        assert!(product.lower >= sum.upper, "generator {k}: {} < {}", product.lower, sum.upper);
    }
}
