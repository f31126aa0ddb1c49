//! Random changes of images: flips, crops out of a padded image, and squares blanked out (DeVries, Taylor 2017).

use super::options::Augmentation;
use crate::random::{Stream, key};

/// Images of one shape and how they are changed.
#[derive(Debug, Clone)]
pub(crate) struct Augmenter {
    height: usize,
    width: usize,
    channels: usize,
    changes: Augmentation,
    /// What stands outside the image, for each channel.
    outside: Vec<f32>,
    image: Vec<f32>,
}

impl Augmenter {
    /// For images of `[height, width, channels]`; `outside` has a number for each channel.
    pub(crate) fn new(shape: [usize; 3], changes: Augmentation, outside: Vec<f32>) -> Augmenter {
        let [height, width, channels] = shape;
        Augmenter { height, width, channels, changes, outside, image: vec![0.0; height * width * channels] }
    }

    /// Changes one image; what happens depends on `draw` alone.
    pub(crate) fn change(&mut self, image: &mut [f32], draw: u64) {
        let Augmentation { flip, crop, cutout } = self.changes;
        let mut stream = Stream::new(key(&[draw]));
        let mirrored = flip && stream.below(2) == 1;
        let shift = |stream: &mut Stream| stream.below(2 * crop + 1) as isize - crop as isize;
        let (down, right) = (shift(&mut stream), shift(&mut stream));
        if mirrored || down != 0 || right != 0 {
            self.image.copy_from_slice(image);
            self.place(image, mirrored, down, right);
        }
        if cutout > 0 {
            let (row, column) = (stream.below(self.height), stream.below(self.width));
            let span = |centre: usize, length: usize| {
                centre.saturating_sub(cutout / 2)..(centre + cutout - cutout / 2).min(length)
            };
            for r in span(row, self.height) {
                for c in span(column, self.width) {
                    image[(r * self.width + c) * self.channels..][..self.channels].copy_from_slice(&self.outside);
                }
            }
        }
    }

    /// Writes `self.image` moved and mirrored into `out`.
    fn place(&self, out: &mut [f32], mirrored: bool, down: isize, right: isize) {
        let (width, channels) = (self.width, self.channels);
        for r in 0..self.height {
            let from_row = r as isize + down;
            for c in 0..width {
                let from_column = c as isize + right;
                let inside =
                    (0..self.height as isize).contains(&from_row) && (0..width as isize).contains(&from_column);
                let target = &mut out[(r * width + c) * channels..][..channels];
                if inside {
                    let column = if mirrored { width - 1 - from_column as usize } else { from_column as usize };
                    target.copy_from_slice(&self.image[(from_row as usize * width + column) * channels..][..channels]);
                } else {
                    target.copy_from_slice(&self.outside);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_mirrored_moved_and_cut() {
        let original: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let change = |changes, draw| {
            let mut image = original.clone();
            Augmenter::new([3, 4, 2], changes, vec![-1.0, -2.0]).change(&mut image, draw);
            image
        };
        let flips: Vec<Vec<f32>> =
            (0..20).map(|draw| change(Augmentation { flip: true, ..Default::default() }, draw)).collect();
        let mirrored: Vec<f32> =
            (0..3).flat_map(|r| (0..4).rev().flat_map(move |c| [0, 1].map(|k| ((r * 4 + c) * 2 + k) as f32))).collect();
        assert!(flips.contains(&original) && flips.contains(&mirrored));
        assert!(flips.iter().all(|image| *image == original || *image == mirrored));
        for draw in 0..50 {
            let moved = change(Augmentation { crop: 1, ..Default::default() }, draw);
            // What is inside has moved as a whole: values differ from their places by a constant.
            let offsets: std::collections::HashSet<i64> =
                (0..24).filter(|&i| moved[i] >= 0.0).map(|i| moved[i] as i64 - i as i64).collect();
            assert_eq!(offsets.len(), 1, "{moved:?}");
            let cut = change(Augmentation { cutout: 2, ..Default::default() }, draw);
            let blank = cut.iter().filter(|&&value| value < 0.0).count();
            assert!([2, 4, 8].contains(&blank), "{cut:?}");
            assert_eq!(
                change(Augmentation { crop: 1, cutout: 2, flip: true }, draw),
                change(Augmentation { crop: 1, cutout: 2, flip: true }, draw)
            );
        }
    }
}
