//! Rows of the kernel matrix, rounded to `T`, as many as a memory budget allows; the least recently used goes first.

use super::rows::{Entry, Rows};

/// Bytes for cached rows.
pub(crate) const BUDGET: usize = 1 << 30;

/// Rows computed together.
const TOGETHER: usize = 128;

pub(super) struct Cache<T> {
    rows: Vec<Option<Vec<T>>>,
    used: Vec<u64>,
    clock: u64,
    held: usize,
    capacity: usize,
}

impl<T: Entry> Cache<T> {
    /// For `n` rows of n numbers; room for at least `least`.
    pub(super) fn new(n: usize, least: usize) -> Cache<T> {
        Cache {
            rows: vec![None; n],
            used: vec![0; n],
            clock: 0,
            held: 0,
            capacity: (BUDGET / (size_of::<T>() * n.max(1))).max(least),
        }
    }

    /// Computes those of `wanted` that are not here, some at a time; false if `stop` said so in between.
    pub(super) fn load(&mut self, kernel: &Rows, wanted: &[usize], stop: impl Fn() -> bool) -> bool {
        self.clock += 1;
        wanted.iter().for_each(|&i| self.used[i] = self.clock);
        let missing: Vec<usize> = wanted.iter().copied().filter(|&i| self.rows[i].is_none()).collect();
        let excess = (self.held + missing.len()).saturating_sub(self.capacity);
        if excess > 0 {
            let mut old: Vec<usize> =
                (0..self.rows.len()).filter(|&i| self.rows[i].is_some() && self.used[i] < self.clock).collect();
            old.sort_by_key(|&i| self.used[i]);
            for &i in old.iter().take(excess.max(self.capacity / 8)) {
                self.rows[i] = None;
                self.held -= 1;
            }
        }
        for chunk in missing.chunks(TOGETHER) {
            if stop() {
                return false;
            }
            for (&i, row) in chunk.iter().zip(kernel.rows(chunk)) {
                self.rows[i] = Some(row);
                self.held += 1;
            }
        }
        true
    }

    /// Row `i`, which has been loaded; empty otherwise.
    pub(super) fn row(&self, i: usize) -> &[T] {
        self.rows[i].as_deref().unwrap_or(&[])
    }
}
