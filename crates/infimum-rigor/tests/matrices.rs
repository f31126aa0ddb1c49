//! Proofs of semidefiniteness on both sides of the border, and products of tall matrices against exact sums.

use dashu_float::{FBig, round::mode::HalfEven};
use infimum_rigor::{Envelope, Interval, is_positive_semidefinite, outer_products};
use proptest::prelude::*;

type Big = FBig<HalfEven>;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("finite").with_precision(5_000).value()
}

/// Numbers that look random (splitmix64), as a signed one in [−1, 1).
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-52) - 1.0
}

fn points(entries: &[f64]) -> Vec<Interval> {
    entries.iter().map(|&entry| Interval::point(entry)).collect()
}

/// The second difference matrix less μ I; its least eigenvalue is 4 sin²(π/(2n + 2)) − μ.
fn difference(n: usize, shift: f64, scale: impl Fn(usize) -> f64) -> Vec<Interval> {
    let entry = |i: usize, j: usize| match i.abs_diff(j) {
        0 => 2.0 - shift,
        1 => -1.0,
        _ => 0.0,
    };
    points(&(0..n * n).map(|e| entry(e / n, e % n) * scale(e / n) * scale(e % n)).collect::<Vec<f64>>())
}

#[test]
fn both_sides_of_the_border_up_to_order_300() {
    let mut state = 7;
    for n in [1, 2, 3, 4, 7, 15, 16, 17, 31, 32, 33, 64, 100, 199, 300] {
        let least = 4.0 * (std::f64::consts::PI / (2 * n + 2) as f64).sin().powi(2);
        // What the proof takes off, and the cosine's and the shift's own rounding.
        let margin = 8.0 * ((n + 2) * (n + 2)) as f64 * f64::EPSILON;
        // Powers of two scale exactly, over the whole range that the entries leave.
        let powers: Vec<f64> = (0..n).map(|_| 2f64.powi((next(&mut state) * 500.0) as i32)).collect();
        for scaled in [false, true] {
            let scale = |i: usize| if scaled { powers[i] } else { 1.0 };
            assert!(is_positive_semidefinite(n, &difference(n, least - margin, scale)), "{n} inside, scaled {scaled}");
            for outside in [1e-14, 1e-12, 1e-6, 0.1] {
                assert!(
                    !is_positive_semidefinite(n, &difference(n, least * (1.0 + outside) + 1e-15, scale)),
                    "{n} {outside}"
                );
            }
        }
    }
}

#[test]
fn radii_are_paid_for() {
    for n in [1, 3, 20, 90] {
        let least = 4.0 * (std::f64::consts::PI / (2 * n + 2) as f64).sin().powi(2);
        let widened = |radius: f64| {
            let mut entries = difference(n, 0.0, |_| 1.0);
            for i in 0..n {
                entries[i * n + i] = entries[i * n + i] + Interval::new(-radius, radius);
            }
            entries
        };
        assert!(is_positive_semidefinite(n, &widened(least * (1.0 - 1e-7))));
        assert!(!is_positive_semidefinite(n, &widened(least * (1.0 + 1e-7))));
        // Off the diagonal: [[2, −1 ± ρ], …] of order 2 needs ρ ≤ 1.
        let two = |radius: f64| {
            let off = Interval::new(-1.0 - radius, -1.0 + radius);
            [Interval::point(2.0), Interval::ALL, off, Interval::point(2.0)]
        };
        assert!(is_positive_semidefinite(2, &two(0.999_999)) && !is_positive_semidefinite(2, &two(1.000_001)));
    }
}

/// Blocks on the diagonal with a border below them, some rows zero: the same answer as for the whole matrix, on both sides of the border.
#[test]
fn rows_that_begin_with_zeros_are_judged_as_the_whole_matrix() {
    let mut state = 11;
    let (mut inside, mut outside) = (0, 0);
    for round in 0..200 {
        let below = |state: &mut u64, most: usize| ((next(state) + 1.0) * 0.5 * most as f64) as usize;
        let blocks: Vec<usize> = (0..1 + below(&mut state, 5)).map(|_| 1 + below(&mut state, 5)).collect();
        let (border, inner) = (1 + below(&mut state, 4), blocks.iter().sum::<usize>());
        let n = inner + border;
        let firsts: Vec<usize> = blocks
            .iter()
            .scan(0, |sum, &k| {
                *sum += k;
                Some(std::iter::repeat_n(*sum - k, k))
            })
            .flatten()
            .chain(std::iter::repeat_n(0, border))
            .collect();
        let mut entries = vec![0.0; n * n];
        for i in 0..n {
            (firsts[i]..i).for_each(|j| entries[i * n + j] = next(&mut state));
        }
        // Diagonally dominant, or a little less than that.
        let share = if round % 2 == 0 { 1.01 } else { 0.3 };
        for i in 0..n {
            let beside = (0..n).filter(|&j| j != i).map(|j| entries[i.max(j) * n + i.min(j)].abs()).sum::<f64>();
            entries[i * n + i] = share * beside + if round % 3 == 0 { 0.0 } else { 1e-3 };
        }
        if round % 5 == 0 {
            let zero = below(&mut state, n);
            (0..n).for_each(|j| entries[zero.max(j) * n + zero.min(j)] = 0.0);
        }
        let entries = points(&entries);
        let mut envelope = Envelope::default();
        (0..n).for_each(|i| envelope.push(firsts[i], &entries[i * n + firsts[i]..=i * n + i]));
        assert_eq!(envelope.order(), n);
        let answer = envelope.is_positive_semidefinite();
        assert_eq!(answer, is_positive_semidefinite(n, &entries), "round {round}");
        assert!(answer || round % 2 == 1, "round {round} is diagonally dominant");
        if answer { inside += 1 } else { outside += 1 }
    }
    assert!(inside > 50 && outside > 20, "{inside} {outside}");
}

#[test]
fn zeros_are_semidefinite_and_what_is_not_finite_is_nothing() {
    assert!(is_positive_semidefinite(0, &[]));
    assert!(is_positive_semidefinite(2, &points(&[0.0; 4])));
    assert!(is_positive_semidefinite(2, &points(&[0.0, 0.0, 0.0, 5e-324])));
    assert!(!is_positive_semidefinite(2, &points(&[0.0, 0.0, 5e-324, 1.0])));
    assert!(!is_positive_semidefinite(1, &points(&[-5e-324])));
    assert!(!is_positive_semidefinite(1, &[Interval::new(-1e-300, 1e-300)]));
    assert!(!is_positive_semidefinite(2, &points(&[1.0])));
    assert!(!is_positive_semidefinite(2, &[Interval::point(1.0), Interval::ALL, Interval::ALL, Interval::point(1.0)]));
    assert!(!is_positive_semidefinite(1, &[Interval::new(1.0, f64::INFINITY)]));
    // [[1, 1], [1, 1]] is on the border, where nothing is proven.
    assert!(!is_positive_semidefinite(2, &points(&[1.0, 0.0, 1.0, 1.0])));
    assert!(!is_positive_semidefinite(2, &points(&[1e-300, 0.0, 1.1e-200, 1e-100])));
    assert!(is_positive_semidefinite(2, &points(&[1e-300, 0.0, 0.9e-200, 1e-100])));
    assert!(is_positive_semidefinite(2, &points(&[1e-308, 0.0, 0.9, 1e308])));
    assert!(!is_positive_semidefinite(2, &points(&[5e-324, 0.0, 1.0, 1e308])));
}

/// Whether all leading principal minors are positive, by fraction-free elimination.
fn is_definite(n: usize, entries: &[i128]) -> bool {
    let (mut a, mut before) = (entries.to_vec(), 1);
    for k in 0..n {
        let pivot = a[k * n + k];
        if pivot <= 0 {
            return false;
        }
        for i in k + 1..n {
            for j in k + 1..n {
                a[i * n + j] = (a[i * n + j] * pivot - a[i * n + k] * a[k * n + j]) / before;
            }
        }
        before = pivot;
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// BᵀB of integers, moved by a little: what is proven is definite by exact minors, and what is well inside is proven.
    #[test]
    fn integer_matrices(n in 1usize..7, rank in 1usize..8, seed in any::<u64>(), shift in -3i128..4, exponents in proptest::collection::vec(-150i32..150, 7)) {
        let mut state = seed;
        let b: Vec<i128> = (0..rank * n).map(|_| (next(&mut state) * 20.0) as i128).collect();
        let entry = |i: usize, j: usize| (0..rank).map(|k| b[k * n + i] * b[k * n + j]).sum::<i128>();
        let exact: Vec<i128> = (0..n * n).map(|e| entry(e / n, e % n) + if e / n == e % n { shift } else { 0 }).collect();
        let scale = |e: usize| 2f64.powi(exponents[e / n] + exponents[e % n]);
        let entries: Vec<f64> = exact.iter().enumerate().map(|(e, &x)| x as f64 * scale(e)).collect();
        let (proven, definite) = (is_positive_semidefinite(n, &points(&entries)), is_definite(n, &exact));
        let no_zero_row = (0..n).all(|i| exact[i * n + i] != 0);
        if proven && no_zero_row {
            prop_assert!(definite, "{exact:?}");
        }
        if shift >= 1 {
            prop_assert!(proven, "{exact:?}");
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every entry of a product lies in its enclosure, which is narrow.
    #[test]
    fn outer_products_enclose(count in 0usize..600, order in 0usize..12, lower_only in any::<bool>(), seed in any::<u64>(), range in 0i32..140) {
        let mut state = seed;
        let mut value = |tiny: bool| match (next(&mut state), next(&mut state)) {
            (zero, _) if zero > 0.7 => 0.0,
            (_, x) if tiny => x * 1e-200,
            (e, x) => x * 10f64.powi((e * f64::from(range)) as i32),
        };
        let left: Vec<f64> = (0..count * order).map(|_| value(false)).collect();
        let right: Vec<f64> = (0..count * order).map(|_| value(range == 139)).collect();
        let products = outer_products(count, order, lower_only, |p, x, h| {
            x.copy_from_slice(&left[p * order..(p + 1) * order]);
            h.copy_from_slice(&right[p * order..(p + 1) * order]);
        });
        prop_assert_eq!(products.len(), order * order);
        for i in 0..order {
            for j in 0..order {
                let (mut exact, mut squares) = (big(0.0), [0.0f64; 2]);
                for p in 0..count {
                    let (x, h) = (left[p * order + i], right[p * order + j]);
                    exact += big(x) * big(h);
                    squares = [squares[0] + x * x, squares[1] + h * h];
                }
                let enclosure = products[i * order + j];
                if lower_only && j > i {
                    prop_assert_eq!(enclosure, Interval::ZERO);
                    continue;
                }
                prop_assert!(big(enclosure.lower) <= exact && exact <= big(enclosure.upper), "{enclosure:?} {exact}");
                let size = squares[0].sqrt() * squares[1].sqrt();
                prop_assert!(enclosure.upper - enclosure.lower <= 1e-12 * size + 1e-160 * squares[0].sqrt() + 1e-250, "{enclosure:?} {size}");
            }
        }
    }
}
