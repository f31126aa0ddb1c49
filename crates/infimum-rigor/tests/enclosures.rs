//! Enclosures against exact or far more precise arithmetic.

use dashu_float::{FBig, round::mode::HalfEven};
use infimum_rigor::{
    EXP_NEGATIVE_ERROR, ExactSum, Interval, Rows, Sum, exp, exp_negative, ln, ln_1p, margins, transpose_product,
};
use proptest::prelude::*;

type Big = FBig<HalfEven>;

const BITS: usize = 400;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("finite").with_precision(BITS).value()
}

fn encloses(interval: Interval, exact: &Big) -> bool {
    (interval.lower == f64::NEG_INFINITY || big(interval.lower) <= *exact)
        && (interval.upper == f64::INFINITY || *exact <= big(interval.upper))
}

/// Finite numbers of all magnitudes, with many of ordinary size.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e3..1e3f64,
        (-1.0..1.0f64, -300..300i32).prop_map(|(m, e)| m * 10f64.powi(e)),
        Just(0.0),
        Just(1.0),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
    ]
}

/// Exact sum of products, as a superaccumulator over TwoProduct parts cannot underflow here.
fn exact_dot(pairs: &[(f64, f64)]) -> Big {
    pairs.iter().fold(big(0.0).with_precision(4_000).value(), |sum, &(a, b)| {
        sum + big(a).with_precision(4_000).value() * big(b).with_precision(4_000).value()
    })
}

#[test]
fn roots_and_middles() {
    assert_eq!(Interval::point(4.0).sqrt(), Interval::point(2.0));
    assert_eq!(Interval::new(0.0, 0.25).sqrt(), Interval::new(0.0, 0.5));
    assert_eq!(Interval::new(-1e-300, 1.0).sqrt(), Interval::ALL);
    assert_eq!(Interval::new(0.0, f64::INFINITY).sqrt().upper, f64::INFINITY);
    assert_eq!(Interval::new(1.0, 2.0).midpoint_radius(), (1.5, 0.5));
    assert_eq!(Interval::new(f64::MIN, f64::MAX).midpoint_radius(), (0.0, f64::MAX));
    assert_eq!(Interval::ALL.midpoint_radius().1, f64::INFINITY);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn elementary_functions(x in prop_oneof![-745.0..709.0f64, -1.0..1.0f64, (-1.0..1.0f64, -30..0i32).prop_map(|(m, e)| m * 10f64.powi(e))]) {
        let point = Interval::point(x);
        let exact = big(x).exp();
        let enclosure = exp(point);
        prop_assert!(encloses(enclosure, &exact), "exp({x:e}) {enclosure:?}");
        if x > -700.0 {
            prop_assert!(enclosure.upper - enclosure.lower <= 4e-15 * enclosure.upper, "exp({x:e}) too wide {enclosure:?}");
        }
        if x > 0.0 {
            let enclosure = ln(point);
            prop_assert!(encloses(enclosure, &big(x).ln()), "ln({x:e}) {enclosure:?}");
            prop_assert!(enclosure.upper - enclosure.lower <= 8e-15 * enclosure.magnitude() + 1e-320);
        }
        if x >= 0.0 {
            let root = point.sqrt();
            prop_assert!(big(root.lower) * big(root.lower) <= big(x) && big(x) <= big(root.upper) * big(root.upper), "{root:?}");
            prop_assert!(root.upper <= root.lower.next_up());
        }
        let (middle, radius) = enclosure.midpoint_radius();
        prop_assert!(big(middle) - big(radius) <= big(enclosure.lower) && big(enclosure.upper) <= big(middle) + big(radius));
        if x > -1.0 {
            let enclosure = ln_1p(point);
            prop_assert!(encloses(enclosure, &big(x).ln_1p()), "ln_1p({x:e}) {enclosure:?}");
            prop_assert!(enclosure.upper - enclosure.lower <= 2e-14 * enclosure.magnitude() + 1e-320);
        }
    }

    #[test]
    fn exp_negative_is_within_its_bound(x in prop_oneof![-708.0..0.0f64, -1.0..0.0f64, (-1.0..0.0f64, -320..0i32).prop_map(|(m, e)| m * 10f64.powi(e)), Just(0.0), Just(-0.0), Just(-708.0), (0..=1021u32, -9..9i32).prop_map(|(k, steps)| {
        // Where the reduction changes from one multiple of ln 2 to the next.
        (-(f64::from(k) + 0.5) * std::f64::consts::LN_2 * (1.0 + f64::from(steps) * f64::EPSILON)).max(-708.0)
    })]) {
        let (value, exact) = (exp_negative(x), big(x).exp());
        let error = big(value) - &exact;
        let bound = big(EXP_NEGATIVE_ERROR) * &exact;
        prop_assert!(error <= bound && -error <= bound, "exp({x:e}) = {value:e}");
    }

    #[test]
    fn exp_negative_far_below_is_zero(x in prop_oneof![-1e4..-708.1f64, (-9.0..-1.0f64, 3..300i32).prop_map(|(m, e)| m * 10f64.powi(e)), Just(f64::NEG_INFINITY), Just((-708.0f64).next_down())]) {
        prop_assert_eq!(exp_negative(x), 0.0);
    }

    #[test]
    fn interval_operations(a in number(), b in number(), c in number(), d in number()) {
        let (x, y) = (Interval::new(a.min(b), a.max(b)), Interval::new(c.min(d), c.max(d)));
        for (p, q) in [(a, c), (a, d), (b, c), (b, d)] {
            prop_assert!(encloses(x + y, &(big(p) + big(q))));
            prop_assert!(encloses(x - y, &(big(p) - big(q))));
            prop_assert!(encloses(x * y, &(big(p) * big(q))));
            prop_assert!(encloses(x.square(), &(big(p) * big(p))));
            if y.lower > 0.0 {
                prop_assert!(encloses(x.divide_by_positive(y), &(big(p) / big(q))));
            }
        }
    }

    #[test]
    fn sums_under_cancellation(pairs in prop::collection::vec((number(), number()), 0..40), mirror in any::<bool>()) {
        let mut pairs = pairs;
        if mirror {
            // Everything cancels but the last product.
            let negated: Vec<(f64, f64)> = pairs.iter().rev().skip(1).map(|&(a, b)| (-a, b)).collect();
            pairs.extend(negated);
        }
        let mut sum = Sum::new();
        pairs.iter().for_each(|&(a, b)| sum.add_product(a, b));
        prop_assert!(encloses(sum.enclose(), &exact_dot(&pairs)), "{:?}", sum.enclose());
    }

    #[test]
    fn exact_sums(values in prop::collection::vec(number(), 0..60)) {
        let mut sum = ExactSum::new();
        values.iter().for_each(|&x| sum.add(x));
        let exact = exact_dot(&values.iter().map(|&x| (x, 1.0)).collect::<Vec<_>>());
        let sign = if exact > big(0.0) { 1 } else if exact < big(0.0) { -1 } else { 0 };
        prop_assert_eq!(sum.sign(), Some(sign));
        values.iter().rev().for_each(|&x| sum.subtract(x));
        prop_assert!(sum.is_zero());
    }

    #[test]
    fn matrix_products(
        rows in 1usize..20, columns in prop_oneof![1usize..20, 60usize..140], outputs in 1usize..3, seed in any::<u64>()
    ) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let unit = (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
            if state % 5 == 0 { 0.0 } else { unit * 10f64.powi((state % 17) as i32 - 8) }
        };
        let values: Vec<f64> = (0..rows * columns).map(|_| next()).collect();
        let weights: Vec<f64> = (0..outputs * columns).map(|_| next()).collect();
        let intercepts: Vec<f64> = (0..outputs).map(|_| next()).collect();
        let alpha: Vec<f64> = (0..rows * outputs).map(|_| next()).collect();
        let (mut starts, mut indices, mut stored) = (vec![0], vec![], vec![]);
        for row in values.chunks(columns) {
            row.iter().enumerate().filter(|entry| *entry.1 != 0.0).for_each(|(j, &x)| {
                indices.push(j as u32);
                stored.push(x);
            });
            starts.push(stored.len());
        }
        let dense = Rows::Dense { columns, values: &values };
        let sparse = Rows::Sparse { columns, starts: &starts, indices: &indices, values: &stored };
        for matrix in [dense, sparse] {
            let z = margins(matrix, 0, rows, &weights, &intercepts);
            let v = transpose_product(matrix, &alpha, outputs);
            prop_assert_eq!(&margins(matrix, rows / 2, rows - rows / 2, &weights, &intercepts), &z[rows / 2 * outputs..]);
            for k in 0..outputs {
                for i in 0..rows {
                    let mut pairs: Vec<(f64, f64)> =
                        (0..columns).map(|j| (values[i * columns + j], weights[k * columns + j])).collect();
                    pairs.push((intercepts[k], 1.0));
                    prop_assert!(encloses(z[i * outputs + k], &exact_dot(&pairs)));
                }
                for j in 0..columns {
                    let pairs: Vec<(f64, f64)> =
                        (0..rows).map(|i| (values[i * columns + j], alpha[i * outputs + k])).collect();
                    prop_assert!(encloses(v[k * columns + j], &exact_dot(&pairs)));
                }
            }
        }
    }
}

#[test]
fn overflow_and_nan_prove_nothing() {
    let mut sum = Sum::new();
    sum.add_product(1e300, 1e300);
    assert!(!sum.enclose().is_finite());
    let mut exact = ExactSum::new();
    exact.add(f64::NAN);
    assert!(!exact.is_zero());
    assert_eq!(ln(Interval::new(-1.0, 2.0)), Interval::ALL);
    assert_eq!(exp(Interval::point(1e4)).upper, f64::INFINITY);
    assert_eq!(exp(Interval::point(-1e4)).lower, 0.0);
}

#[test]
fn zeros_stay_exact() {
    let mut sum = Sum::new();
    (0..10).for_each(|_| sum.add(0.0));
    assert_eq!(sum.enclose(), Interval::ZERO);
    let rows = Rows::Dense { columns: 2, values: &[1.0, 2.0, 3.0, 4.0] };
    assert_eq!(transpose_product(rows, &[0.0, 0.0], 1), vec![Interval::ZERO; 2]);
}

#[test]
fn the_edges_of_the_number_line() {
    use infimum_rigor::{Interval, ln_1p};
    // TwoSum overflows inside although the sum is finite: the exact value is below the largest f64.
    let sum = Interval::point(-2.9937604643020797e292) - Interval::point(-f64::MAX);
    assert!(sum.lower < f64::MAX && sum.lower < sum.upper, "{sum:?}");
    // ln(1 + x) < x, also where x is subnormal.
    for x in [f64::from_bits(1), f64::from_bits(3), 1e-310, f64::MIN_POSITIVE, 1e-301] {
        let log = ln_1p(Interval::point(x));
        assert!(log.lower < x && x <= log.upper, "{x:e} {log:?}");
        let log = ln_1p(Interval::point(-x));
        assert!(log.lower < -x && -x <= log.upper, "{x:e} {log:?}");
    }
}
