//! Products with dense rows, several rows or outputs at a time and in whole vectors: what a row has beyond its last whole
//! vector is taken by one that ends with the row, without the numbers that the vector before it had. So narrow rows cost
//! little more than reading them.

use std::hint::black_box;

use infimum_problem::Stored;
use infimum_rigor::{lanes, vectorized};

/// Numbers of a vector.
pub(crate) const LANES: usize = 8;
/// Dot products that go through the registers together.
const PRODUCTS: usize = 4;
/// Rows whose multiples are added together.
const ROWS: usize = 8;
/// Outputs from which on products are made of tiles.
pub(crate) const OUTPUTS: usize = 4;
/// Rows of a block of such products.
const BLOCK: usize = 64;

/// Dot product of two lists with eight independent sums; call it inside [`vectorized`].
#[inline(always)]
pub(crate) fn dot<A: Stored, B: Stored>(a: &[A], b: &[B]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((chunks_a, rest_a), (chunks_b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut tail = 0.0;
    for (&x, &y) in rest_a.iter().zip(rest_b) {
        tail += Into::<f64>::into(x) * Into::<f64>::into(y);
    }
    // By index: an iterator over both is not always inlined into these features of the processor.
    for chunk in 0..chunks_a.len().min(chunks_b.len()) {
        let (x, y) = (&chunks_a[chunk], &chunks_b[chunk]);
        for lane in 0..LANES {
            sums[lane] += Into::<f64>::into(x[lane]) * Into::<f64>::into(y[lane]);
        }
    }
    total(&sums) + tail
}

#[inline(always)]
fn total(sums: &[f64; LANES]) -> f64 {
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// `z[i·K + k] = x_i·W_k + b_k` for the rows in `values`, one behind the other; with `MAGNITUDES` of |x_i|.
pub(crate) fn multiply<T: Stored, const MAGNITUDES: bool>(
    values: &[T],
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let outputs = intercepts.len();
    if outputs >= OUTPUTS {
        return multiply_outputs::<T, MAGNITUDES>(values, weights, intercepts, z);
    }
    let columns = weights.len() / outputs;
    let rest = columns % LANES;
    // Of each output the weights of the vector that ends with the row.
    let lasts: Vec<[f64; LANES]> = (0..outputs)
        .map(|k| {
            let mut last = [0.0; LANES];
            last[LANES - rest..].copy_from_slice(&weights[(k + 1) * columns - rest..(k + 1) * columns]);
            last
        })
        .collect();
    let row = |i: usize| &values[i * columns..(i + 1) * columns];
    let of_output = |k: usize| (&weights[k * columns..(k + 1) * columns], &lasts[k]);
    vectorized(
        #[inline(always)]
        || {
            let (n, mut i) = (z.len() / outputs, 0);
            while outputs == 1 && i + PRODUCTS <= n {
                let rows = std::array::from_fn(|place| row(i + place));
                let products = dots::<T, PRODUCTS, MAGNITUDES>(rows, [of_output(0); PRODUCTS]);
                for place in 0..PRODUCTS {
                    z[i + place] = intercepts[0] + products[place];
                }
                i += PRODUCTS;
            }
            for i in i..n {
                let z = &mut z[i * outputs..(i + 1) * outputs];
                for k in 0..outputs {
                    z[k] = intercepts[k] + dots::<T, 1, MAGNITUDES>([row(i)], [of_output(k)])[0];
                }
            }
        },
    );
}

/// The same for several outputs, as products of tiles: [`LANES`] rows laid side by side times the weights of as many outputs. No sums of
/// lanes are left to be added up at the end of a row.
fn multiply_outputs<T: Stored, const MAGNITUDES: bool>(
    values: &[T],
    weights: &[f64],
    intercepts: &[f64],
    z: &mut [f64],
) {
    let outputs = intercepts.len();
    let columns = weights.len() / outputs;
    let mut panels = vec![Line::ZERO; outputs.div_ceil(LANES) * columns];
    for k in 0..outputs {
        let panel = &mut panels[k / LANES * columns..][..columns];
        panel.iter_mut().zip(&weights[k * columns..]).for_each(|(line, &w)| line.0[k % LANES] = w);
    }
    let mut side_by_side = vec![Line::ZERO; columns];
    for (block, z) in z.chunks_mut(LANES * outputs).enumerate() {
        let count = z.len() / outputs;
        let values = &values[block * LANES * columns..][..count * columns];
        let side_by_side = &mut side_by_side[..columns];
        vectorized(
            #[inline(always)]
            || {
                for place in 0..count {
                    let row = &values[place * columns..(place + 1) * columns];
                    for j in 0..columns {
                        side_by_side[j].0[place] = number::<T, MAGNITUDES>(row[j]);
                    }
                }
            },
        );
        for first in (0..outputs).step_by(LANES) {
            let products = tile(side_by_side, &panels[first / LANES * columns..][..columns]);
            let width = LANES.min(outputs - first);
            for place in 0..count {
                let z = &mut z[place * outputs + first..][..width];
                for k in 0..width {
                    z[k] = intercepts[first + k] + products[place][k];
                }
            }
        }
    }
}

/// [`LANES`] numbers on a cache line of their own: stores across two are several times slower.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line(pub(crate) [f64; LANES]);

impl Line {
    pub(crate) const ZERO: Line = Line([0.0; LANES]);
}

/// `tile[k][l] = Σ_p left[p][k]·right[p][l]`, with the sums in the registers: eight vectors hide the latency of AVX-512's additions, and
/// eight are half of AVX2's.
pub(crate) fn tile(left: &[Line], right: &[Line]) -> [[f64; LANES]; LANES] {
    const HALF: usize = LANES / 2;
    let mut whole = [[0.0; LANES]; LANES];
    vectorized(
        #[inline(always)]
        || {
            if lanes() == LANES {
                whole = columns_of_tile::<LANES>(left, right, 0);
            } else {
                for first in [0, HALF] {
                    whole[first..first + HALF].copy_from_slice(&columns_of_tile::<HALF>(left, right, first));
                }
            }
        },
    );
    whole
}

/// Columns `first … first + COLUMNS` of a tile.
#[inline(always)]
fn columns_of_tile<const COLUMNS: usize>(left: &[Line], right: &[Line], first: usize) -> [[f64; LANES]; COLUMNS] {
    let mut tile = [[0.0f64; LANES]; COLUMNS];
    for place in 0..left.len().min(right.len()) {
        let (Line(left), Line(right)) = (&left[place], &right[place]);
        for k in 0..COLUMNS {
            for lane in 0..LANES {
                tile[k][lane] = left[first + k].mul_add(right[lane], tile[k][lane]);
            }
        }
    }
    tile
}

/// A number of a row, or its magnitude.
#[inline(always)]
pub(crate) fn number<T: Stored, const MAGNITUDES: bool>(x: T) -> f64 {
    let x: f64 = x.into();
    if MAGNITUDES { x.abs() } else { x }
}

/// Dot products of rows with weights, of which the last vector is given too.
#[inline(always)]
fn dots<T: Stored, const N: usize, const MAGNITUDES: bool>(
    rows: [&[T]; N],
    weights: [(&[f64], &[f64; LANES]); N],
) -> [f64; N] {
    let mut products = [0.0; N];
    let columns = weights[0].0.len();
    let Some(end) = columns.checked_sub(LANES) else {
        for place in 0..N {
            for (&x, &w) in rows[place].iter().zip(weights[place].0) {
                products[place] += number::<T, MAGNITUDES>(x) * w;
            }
        }
        return products;
    };
    let rest = columns % LANES;
    let mut sums = [[0.0f64; LANES]; N];
    for chunk in 0..columns / LANES {
        for place in 0..N {
            let x = &rows[place].as_chunks::<LANES>().0[chunk];
            let w = &weights[place].0.as_chunks::<LANES>().0[chunk];
            for lane in 0..LANES {
                sums[place][lane] += number::<T, MAGNITUDES>(x[lane]) * w[lane];
            }
        }
    }
    if rest > 0 {
        for place in 0..N {
            let x = &rows[place][end..].as_chunks::<LANES>().0[0];
            for lane in 0..LANES {
                sums[place][lane] += number::<T, MAGNITUDES>(x[lane]) * weights[place].1[lane];
            }
        }
    }
    // What is added up below must not be seen above: the compiler would take the sums apart into pairs from the start.
    let sums = black_box(sums);
    for place in 0..N {
        products[place] = total(&sums[place]);
    }
    products
}

/// `v[k·d + j] += Σ_i alpha[i·K + k] x_ij` for the rows in `values`, one behind the other; with `SQUARES` of x_ij².
pub(crate) fn accumulate<T: Stored, const SQUARES: bool>(values: &[T], alpha: &[f64], outputs: usize, v: &mut [f64]) {
    if SQUARES || outputs >= OUTPUTS {
        return accumulate_outputs::<T, SQUARES>(values, alpha, outputs, v);
    }
    let columns = v.len() / outputs;
    let n = alpha.len() / outputs;
    let row = |i: usize| &values[i * columns..(i + 1) * columns];
    vectorized(
        #[inline(always)]
        || {
            let mut i = 0;
            while i + ROWS <= n {
                let rows: [&[T]; ROWS] = std::array::from_fn(|place| row(i + place));
                for k in 0..outputs {
                    let a: [f64; ROWS] = std::array::from_fn(|place| alpha[(i + place) * outputs + k]);
                    if a != [0.0; ROWS] {
                        add_multiples(rows, a, &mut v[k * columns..(k + 1) * columns]);
                    }
                }
                i += ROWS;
            }
            for i in i..n {
                for k in 0..outputs {
                    let a = alpha[i * outputs + k];
                    if a != 0.0 {
                        add_multiples([row(i)], [a], &mut v[k * columns..(k + 1) * columns]);
                    }
                }
            }
        },
    );
}

/// The same as products of tiles, [`BLOCK`] rows at a time: the coefficients of eight outputs times eight columns.
fn accumulate_outputs<T: Stored, const SQUARES: bool>(values: &[T], alpha: &[f64], outputs: usize, v: &mut [f64]) {
    let columns = v.len() / outputs;
    let mut coefficients = vec![Line::ZERO; outputs.div_ceil(LANES) * BLOCK];
    let mut strip = vec![Line::ZERO; BLOCK];
    for (values, alpha) in values.chunks(BLOCK * columns.max(1)).zip(alpha.chunks(BLOCK * outputs)) {
        let count = alpha.len() / outputs;
        for k in 0..outputs {
            let panel = &mut coefficients[k / LANES * BLOCK..][..count];
            panel.iter_mut().zip(alpha.chunks_exact(outputs)).for_each(|(line, alpha)| line.0[k % LANES] = alpha[k]);
        }
        for first in (0..columns).step_by(LANES) {
            let width = LANES.min(columns - first);
            let strip = &mut strip[..count];
            vectorized(
                #[inline(always)]
                || {
                    for place in 0..count {
                        let given = &values[place * columns + first..][..width];
                        let mut x = [0.0; LANES];
                        if let Some(whole) = given.as_chunks::<LANES>().0.first() {
                            for lane in 0..LANES {
                                x[lane] = whole[lane].into();
                            }
                        } else {
                            for lane in 0..width {
                                x[lane] = given[lane].into();
                            }
                        }
                        for lane in 0..LANES {
                            x[lane] = if SQUARES { x[lane] * x[lane] } else { x[lane] };
                        }
                        strip[place] = Line(x);
                    }
                },
            );
            for output in (0..outputs).step_by(LANES) {
                let sums = tile(&coefficients[output / LANES * BLOCK..][..count], strip);
                for k in output..outputs.min(output + LANES) {
                    let v = &mut v[k * columns + first..][..width];
                    v.iter_mut().zip(&sums[k - output]).for_each(|(v, sum)| *v += sum);
                }
            }
        }
    }
}

/// `v += Σ_r a_r x_r`.
#[inline(always)]
fn add_multiples<T: Stored, const N: usize>(rows: [&[T]; N], a: [f64; N], v: &mut [f64]) {
    let columns = v.len();
    let sum_at = |first: usize| {
        let mut sum = [0.0f64; LANES];
        for place in 0..N {
            let x = &rows[place][first..].as_chunks::<LANES>().0[0];
            for lane in 0..LANES {
                sum[lane] = a[place].mul_add(x[lane].into(), sum[lane]);
            }
        }
        sum
    };
    let Some(end) = columns.checked_sub(LANES) else {
        for j in 0..columns {
            for place in 0..N {
                v[j] += a[place] * rows[place][j].into();
            }
        }
        return;
    };
    let rest = columns % LANES;
    let last = if rest > 0 { sum_at(end) } else { [0.0; LANES] };
    for chunk in 0..columns / LANES {
        let sum = sum_at(chunk * LANES);
        let v = &mut v.as_chunks_mut::<LANES>().0[chunk];
        for lane in 0..LANES {
            v[lane] += sum[lane];
        }
    }
    for lane in LANES - rest..LANES {
        v[end + lane] += last[lane];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LANES, Line, accumulate, columns_of_tile, multiply, tile};

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 * 2f64.powi(-23) - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// What processors with shorter vectors do is the same.
    #[test]
    fn halves_of_a_tile_are_the_tile() {
        let lines = |seed: u64| -> Vec<Line> {
            (0..20).map(|place| Line(numbers(LANES, seed + place).try_into().expect("eight"))).collect()
        };
        let (left, right) = (lines(1), lines(100));
        let halves = [columns_of_tile::<4>(&left, &right, 0), columns_of_tile::<4>(&left, &right, 4)].concat();
        for (k, row) in tile(&left, &right).iter().enumerate() {
            for lane in 0..LANES {
                let expected: f64 = left.iter().zip(&right).map(|(Line(a), Line(b))| a[k] * b[lane]).sum();
                assert!((row[lane] - expected).abs() < 1e-13 && row[lane] == halves[k][lane], "{k} {lane}");
            }
        }
    }

    proptest! {
        #[test]
        fn products_are_sums_of_products(n in 0usize..40, columns in 0usize..30, outputs in 1usize..8, seed in any::<u64>()) {
            let (x, w) = (numbers(n * columns, seed), numbers(outputs * columns, !seed));
            let (b, alpha) = (numbers(outputs, seed ^ 1), numbers(n * outputs, seed ^ 2));
            let singles: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let (mut z, mut z_of_singles) = (vec![f64::NAN; n * outputs], vec![f64::NAN; n * outputs]);
            multiply::<f64, false>(&x, &w, &b, &mut z);
            multiply::<f32, false>(&singles, &w, &b, &mut z_of_singles);
            let mut magnitudes = vec![f64::NAN; n * outputs];
            multiply::<f64, true>(&x, &w, &b, &mut magnitudes);
            prop_assert_eq!(&z, &z_of_singles);
            let start = numbers(outputs * columns, seed ^ 3);
            let (mut v, mut v_of_singles) = (start.clone(), start.clone());
            accumulate::<_, false>(&x, &alpha, outputs, &mut v);
            accumulate::<_, false>(&singles, &alpha, outputs, &mut v_of_singles);
            prop_assert_eq!(&v, &v_of_singles);
            let mut of_squares = start.clone();
            accumulate::<_, true>(&x, &alpha, outputs, &mut of_squares);
            for k in 0..outputs {
                for i in 0..n {
                    let expected: f64 = (0..columns).map(|j| x[i * columns + j] * w[k * columns + j]).sum();
                    prop_assert!((z[i * outputs + k] - b[k] - expected).abs() < 1e-13);
                    let expected: f64 = (0..columns).map(|j| x[i * columns + j].abs() * w[k * columns + j]).sum();
                    prop_assert!((magnitudes[i * outputs + k] - b[k] - expected).abs() < 1e-13);
                }
                for j in 0..columns {
                    let expected: f64 = (0..n).map(|i| alpha[i * outputs + k] * x[i * columns + j]).sum();
                    prop_assert!((v[k * columns + j] - start[k * columns + j] - expected).abs() < 1e-13);
                    let expected: f64 = (0..n).map(|i| alpha[i * outputs + k] * x[i * columns + j].powi(2)).sum();
                    prop_assert!((of_squares[k * columns + j] - start[k * columns + j] - expected).abs() < 1e-13);
                }
            }
        }
    }
}
