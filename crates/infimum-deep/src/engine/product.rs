//! Products of matrices, by the crate `gemm`. The only file of this crate with `unsafe`.
#![allow(unsafe_code)] // `gemm::gemm` takes pointers; the one call is below

use gemm::Parallelism;

use super::Real;

/// Fewer multiplications than this are not worth a second thread.
const WORTH_THREADS: usize = 4 << 20;

/// A matrix inside a slice: entry (i, j) is `values[i·row_step + j·column_step]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a, R> {
    values: &'a [R],
    row_step: usize,
    column_step: usize,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling thread.
    One,
    /// All of the current pool where the product is large. Each entry of the result is the same sum as with one thread: `gemm` cuts the result's rows and columns
    /// and never a sum, and the length of its partial sums depends on the sizes alone.
    All,
}

impl<'a, R: Real> Matrix<'a, R> {
    /// Row after row, `row_step` entries from one to the next.
    pub(super) fn rows(values: &'a [R], row_step: usize) -> Matrix<'a, R> {
        Matrix { values, row_step, column_step: 1 }
    }

    /// Its transpose.
    pub(super) fn transposed(self) -> Matrix<'a, R> {
        Matrix { values: self.values, row_step: self.column_step, column_step: self.row_step }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || last_place(rows, columns, self.row_step, self.column_step).is_some_and(|last| last < self.values.len())
    }
}

fn last_place(rows: usize, columns: usize, row_step: usize, column_step: usize) -> Option<usize> {
    (rows - 1).checked_mul(row_step)?.checked_add((columns - 1).checked_mul(column_step)?)
}

/// `target ← scale · left · right`, or, with `add`, `target ← target + scale · left · right`. `sizes` are the rows and columns of the target and the length of the
/// sums; the target's rows are `row_step` apart.
pub(super) fn multiply<R: Real>(
    target: &mut [R],
    row_step: usize,
    add: bool,
    scale: R,
    left: Matrix<R>,
    right: Matrix<R>,
    sizes: [usize; 3],
    threads: Threads,
) {
    let [rows, columns, length] = sizes;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(row_step >= columns, "rows of the target overlap: {columns} columns, {row_step} apart");
    assert!(last_place(rows, columns, row_step, 1).is_some_and(|last| last < target.len()), "the target is too short");
    assert!(left.holds(rows, length), "the left matrix is too short");
    assert!(right.holds(length, columns), "the right matrix is too short");
    // Every stride is at most a slice's length here, except where it is never used; those may be anything that fits.
    let stride = |step: usize| isize::try_from(step).unwrap_or(0);
    let many = threads == Threads::All && rows.saturating_mul(columns).saturating_mul(length) >= WORTH_THREADS;
    let parallelism = if many { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: `gemm` reads entries (i, k) of `left`, i < rows, k < length, and (k, j) of `right`, j < columns, and reads and writes entries (i, j) of `target`.
    // The asserts above say that the last of each, and so all (steps are not negative), lie inside the slices. The target's entries are distinct (row_step ≥ columns)
    // and borrowed mutably, so they overlap neither each other nor the others. R is f32 or f64 (`Real` has no other implementations), which `gemm` knows.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            length,
            target.as_mut_ptr(),
            1,
            stride(row_step),
            add,
            left.values.as_ptr(),
            stride(left.column_step),
            stride(left.row_step),
            right.values.as_ptr(),
            stride(right.column_step),
            stride(right.row_step),
            R::ONE,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// How a matrix stands in a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Rows of the matrix.
    pub(crate) rows: usize,
    /// Columns of the matrix.
    pub(crate) columns: usize,
    /// Whether the slice holds column after column instead of row after row.
    pub(crate) transposed: bool,
}

/// `out ← beta·out + A·B`, row after row, with all threads.
pub(crate) fn multiply_all<R: Real>(a: &[R], a_layout: Layout, b: &[R], b_layout: Layout, beta: R, out: &mut [R]) {
    assert_eq!(a_layout.columns, b_layout.rows, "inner sizes of a product");
    let matrix = |values, layout: Layout| {
        if layout.transposed {
            Matrix::rows(values, layout.rows).transposed()
        } else {
            Matrix::rows(values, layout.columns)
        }
    };
    let add = beta != R::ZERO;
    if add && beta != R::ONE {
        out.iter_mut().for_each(|number| *number *= beta);
    }
    let sizes = [a_layout.rows, b_layout.columns, a_layout.columns];
    multiply(out, b_layout.columns, add, R::ONE, matrix(a, a_layout), matrix(b, b_layout), sizes, Threads::All);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_are_sums(rows in 0usize..20, columns in 0usize..20, length in 0usize..20, turned: [bool; 2], add: bool, seed: u64) {
            let number = |place: usize| ((seed.wrapping_add(place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 17) as f64 - 8.0;
            let left: Vec<f64> = (0..rows * length).map(number).collect();
            let right: Vec<f64> = (0..length * columns).map(|place| number(place + 1000)).collect();
            let step = columns + 2;
            let start: Vec<f64> = (0..rows * step).map(|place| number(place + 2000)).collect();
            let mut target = start.clone();
            let a = if turned[0] { Matrix::rows(&left, rows).transposed() } else { Matrix::rows(&left, length) };
            let b = if turned[1] { Matrix::rows(&right, length).transposed() } else { Matrix::rows(&right, columns) };
            multiply(&mut target, step, add, 2.0, a, b, [rows, columns, length], Threads::All);
            for (place, &value) in target.iter().enumerate() {
                let (i, j) = (place / step, place % step);
                let mut expected = start[place];
                if j < columns {
                    let entry = |k: usize| {
                        let a = if turned[0] { left[k * rows + i] } else { left[i * length + k] };
                        a * if turned[1] { right[j * length + k] } else { right[k * columns + j] }
                    };
                    expected = if add { expected } else { 0.0 } + 2.0 * (0..length).map(entry).sum::<f64>();
                }
                prop_assert_eq!(value, expected);
            }
        }
    }

    #[test]
    fn layouts_say_where_numbers_stand() {
        let layout = |rows, columns, transposed| Layout { rows, columns, transposed };
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, -1.0, 0.5]);
        // A is 2 × 3, first as rows, then as columns; B is 3 × 1.
        let mut out = [10.0, 20.0];
        multiply_all(&a, layout(2, 3, false), &b, layout(3, 1, false), 0.5, &mut out);
        assert_eq!(out, [5.0 + 0.5, 10.0 + 2.0]);
        multiply_all(&a, layout(2, 3, true), &b, layout(3, 1, true), 0.0, &mut out);
        assert_eq!(out, [1.0 - 3.0 + 2.5, 2.0 - 4.0 + 3.0]);
    }

    #[test]
    #[should_panic(expected = "the left matrix is too short")]
    fn what_is_too_short_is_refused() {
        multiply(
            &mut [0.0f64; 4],
            2,
            false,
            1.0,
            Matrix::rows(&[1.0; 3], 2),
            Matrix::rows(&[1.0; 4], 2),
            [2, 2, 2],
            Threads::One,
        );
    }
}
