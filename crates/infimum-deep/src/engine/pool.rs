//! Memory and work that operations share.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Real;
use super::wide::wide;

/// Pieces of memory that are lent to whoever needs some for a moment; they are kept for the next one.
#[derive(Debug, Default)]
pub(super) struct Pool<R> {
    free: Mutex<Vec<Vec<R>>>,
}

impl<R: Real> Pool<R> {
    /// What `work` gives when it is lent `length` numbers, whose values are left over from others.
    pub(super) fn lend<T>(&self, length: usize, work: impl FnOnce(&mut [R]) -> T) -> T {
        let mut memory = self.take(length);
        let result = work(&mut memory[..length]);
        self.give(memory);
        result
    }

    /// At least `length` numbers, whose values are left over from others.
    pub(super) fn take(&self, length: usize) -> Vec<R> {
        let mut memory = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if memory.len() < length {
            memory.resize(length, R::ZERO);
        }
        memory
    }

    /// Takes them back.
    pub(super) fn give(&self, memory: Vec<R>) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

/// Does parts 0 … parts − 1 of a work, each once, begun in this order, by the threads of the current pool.
pub(super) fn for_each_part(parts: usize, work: impl Fn(usize) + Sync) {
    let threads = if parts < 2 { 1 } else { rayon::current_num_threads().min(parts) };
    if threads == 1 {
        (0..parts).for_each(work);
        return;
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                break;
            }
            work(part);
        }
    };
    rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| worker())));
}

/// Numbers that are worth a part of their own in a simple loop.
const WORTH_A_PART: usize = 1 << 16;

/// `work` on pieces of `data` of a whole number of rows of `row` numbers; it is told the first row.
pub(super) fn for_each_rows<R: Real>(data: &mut [R], row: usize, work: impl Fn(usize, &mut [R]) + Sync) {
    let rows_each = (WORTH_A_PART / row.max(1)).max(1);
    if row == 0 || data.len() <= rows_each * row {
        work(0, data);
        return;
    }
    let pieces: Vec<Mutex<&mut [R]>> = data.chunks_mut(rows_each * row).map(Mutex::new).collect();
    for_each_part(pieces.len(), |part| {
        work(part * rows_each, &mut pieces[part].lock().unwrap_or_else(PoisonError::into_inner));
    });
}

/// Adds up what parts give, in the order of the parts, whoever is ready first.
pub(super) struct OrderedSum<'a, R> {
    state: Mutex<SumState<'a, R>>,
}

struct SumState<'a, R> {
    next: usize,
    sum: &'a mut [R],
    waiting: Vec<Option<Vec<R>>>,
}

impl<'a, R: Real> OrderedSum<'a, R> {
    /// A sum of `parts` parts, which overwrites `sum`.
    pub(super) fn new(sum: &'a mut [R], parts: usize) -> OrderedSum<'a, R> {
        sum.fill(R::ZERO);
        OrderedSum { state: Mutex::new(SumState { next: 0, sum, waiting: vec![None; parts] }) }
    }

    /// Part `part` is these numbers; the memory goes to the pool.
    pub(super) fn add(&self, part: usize, numbers: Vec<R>, pool: &Pool<R>) {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        state.waiting[part] = Some(numbers);
        while let Some(numbers) = state.waiting.get_mut(state.next).and_then(Option::take) {
            wide!(add_to(state.sum, &numbers));
            pool.give(numbers);
            state.next += 1;
        }
    }
}

/// `target += numbers`, as far as the target goes.
#[inline(always)]
pub(super) fn add_to<R: Real>(target: &mut [R], numbers: &[R]) {
    for (to, &number) in target.iter_mut().zip(numbers) {
        *to += number;
    }
}

/// `target = numbers`, or, with `add`, `target += numbers`.
#[inline(always)]
pub(super) fn put<R: Real>(target: &mut [R], add: bool, numbers: impl Iterator<Item = R>) {
    if add {
        for (to, number) in target.iter_mut().zip(numbers) {
            *to += number;
        }
    } else {
        for (to, number) in target.iter_mut().zip(numbers) {
            *to = number;
        }
    }
}

/// Adds the sums over rows to `sums`, for each column.
pub(super) fn add_rows<R: Real>(sums: &mut [R], rows: &[R]) {
    let width = sums.len();
    let blocks = width / 16 * 16;
    wide!({
        for column in (0..blocks).step_by(16) {
            add_columns::<R, 16>(&mut sums[column..], rows, width, column);
        }
        for column in blocks..width {
            add_columns::<R, 1>(&mut sums[column..], rows, width, column);
        }
    });
}

#[inline(always)]
fn add_columns<R: Real, const N: usize>(sums: &mut [R], rows: &[R], width: usize, column: usize) {
    let mut total = [R::ZERO; N];
    for row in rows.chunks_exact(width) {
        let row = &row[column..column + N];
        for lane in 0..N {
            total[lane] += row[lane];
        }
    }
    add_to(&mut sums[..N], &total);
}

/// `sums = Σ` over rows of what `work` adds to `sums` for them, in parts of a fixed number of rows, in order.
pub(super) fn sum_over_rows<R: Real>(
    sums: &mut [R],
    rows: usize,
    pool: &Pool<R>,
    work: impl Fn(Range<usize>, &mut [R]) + Sync,
) {
    let width = sums.len();
    let rows_each = (WORTH_A_PART / width.max(1)).max(1);
    if rows <= rows_each {
        sums.fill(R::ZERO);
        work(0..rows, sums);
        return;
    }
    let parts = rows.div_ceil(rows_each);
    let total = OrderedSum::new(sums, parts);
    for_each_part(parts, |part| {
        let mut memory = pool.take(width);
        memory[..width].fill(R::ZERO);
        work(part * rows_each..rows.min((part + 1) * rows_each), &mut memory[..width]);
        total.add(part, memory, pool);
    });
}
