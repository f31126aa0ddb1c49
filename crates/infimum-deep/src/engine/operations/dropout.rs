//! Numbers that are left out while training.

use crate::engine::pool::for_each_rows;
use crate::engine::{Mode, Real};
use crate::random::bits;

/// Zeros with probability `rate`, the others divided by 1 − rate.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Dropout {
    pub(in crate::engine) rate: f64,
    /// Tells this layer's random numbers from those of others.
    pub(in crate::engine) place: u64,
}

impl Dropout {
    /// Leaves numbers out. Which ones depends on the step's seed, the layer, the example and the number's place in it; so the same call does the same to slopes.
    pub(in crate::engine) fn change<R: Real>(&self, values: &mut [R], first: usize, examples: usize, mode: Mode) {
        let Mode::Training { seed, first: before } = mode else { return };
        if self.rate == 0.0 || examples == 0 {
            return;
        }
        let seed = bits(seed, self.place);
        let border = (self.rate * 2f64.powi(64)) as u64;
        let factor = R::from_f64(1.0 / (1.0 - self.rate));
        let start = (before + first) * (values.len() / examples);
        for_each_rows(values, 1, |row, values| {
            for (place, value) in values.iter_mut().enumerate() {
                let stays = bits(seed, (start + row + place) as u64) >= border;
                *value = if stays { *value * factor } else { R::ZERO };
            }
        });
    }
}
