//! Windows of convolutions and poolings: where they lie, and how many contain one position.

use std::ops::Range;

use infimum_problem::deep::Padding;

/// The windows along one side of an image: number o covers the positions `o·stride − padding …` of `size` places.
pub(super) struct Side {
    /// Number of positions of the input.
    input: usize,
    /// Length of a window.
    pub(super) size: usize,
    stride: usize,
    padding: usize,
    /// Number of windows.
    pub(super) count: usize,
}

/// A window's part inside the input.
pub(super) struct Window {
    /// Positions of the input.
    pub(super) inside: Range<usize>,
    /// Places of the window before them.
    pub(super) before: usize,
}

impl Side {
    fn new(input: usize, size: usize, stride: usize, padding: usize) -> Side {
        let count = (input + 2 * padding).checked_sub(size).map_or(0, |rest| rest / stride + 1);
        Side { input, size, stride, padding, count }
    }

    /// Both sides of a convolution over an input of this shape.
    pub(super) fn of_convolution(input: [usize; 3], kernel: [usize; 2], stride: usize, padding: Padding) -> [Side; 2] {
        [0, 1].map(|side| Side::new(input[side], kernel[side], stride, padding.amount(kernel[side])))
    }

    /// Both sides of a pooling; a stride of 0 means the size.
    pub(super) fn of_pooling(input: [usize; 3], size: usize, stride: usize) -> [Side; 2] {
        let stride = if stride == 0 { size } else { stride };
        [0, 1].map(|side| Side::new(input[side], size, stride, 0))
    }

    /// Window number `place`.
    pub(super) fn window(&self, place: usize) -> Window {
        let first = place * self.stride;
        let start = first.saturating_sub(self.padding).min(self.input);
        let end = (first + self.size).saturating_sub(self.padding).min(self.input).max(start);
        Window { inside: start..end, before: self.padding.saturating_sub(first) }
    }

    /// The largest number of windows that contain one position.
    fn overlap(&self) -> usize {
        let mut changes = vec![0i64; self.input + 1];
        for place in 0..self.count {
            let Window { inside, .. } = self.window(place);
            changes[inside.start] += 1;
            changes[inside.end] -= 1;
        }
        let counts = changes.iter().scan(0, |count, change| {
            *count += change;
            Some(*count)
        });
        counts.max().unwrap_or(0) as usize
    }
}

/// The largest number of windows of an image that contain one position.
pub(super) fn overlap(sides: &[Side; 2]) -> usize {
    sides[0].overlap() * sides[1].overlap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_one_by_one() {
        for input in 1..9usize {
            for size in 1..7usize {
                for stride in 1..5usize {
                    for padding in [0, size.saturating_sub(1) / 2] {
                        let side = Side::new(input, size, stride, padding);
                        let mut counts = vec![0; input];
                        for o in 0..side.count {
                            let inside: Vec<usize> = (0..size)
                                .filter_map(|i| {
                                    (o * stride + i).checked_sub(padding).filter(|&position| position < input)
                                })
                                .collect();
                            inside.iter().for_each(|&position| counts[position] += 1);
                            let Window { inside: range, before } = side.window(o);
                            assert_eq!(range.clone().collect::<Vec<_>>(), inside);
                            assert!(range.is_empty() || o * stride + before - padding == range.start);
                        }
                        assert_eq!(side.overlap(), counts.into_iter().max().unwrap_or(0));
                    }
                }
            }
        }
    }
}
