//! Where the numbers of an ONNX value stand in our array of the same numbers.

/// One direction of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    size: usize,
    stride: usize,
}

/// The numbers of one example of an ONNX value, its first dimension (examples) left out: an array of shape `dims`, row-major, whose flat order is that of
/// `axes`, the last one running fastest; a step along an axis is `stride` numbers in our array.
///
/// Invariant: the sizes of `dims` and of `axes` have the same product; axes have sizes ≥ 2, and no two neighbours could be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    dims: Vec<usize>,
    axes: Vec<Axis>,
}

/// Joins neighbours that are one direction.
fn join(axes: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::new();
    for axis in axes {
        match joined.last_mut() {
            _ if axis.size == 1 => {}
            Some(last) if last.stride == axis.size * axis.stride => {
                *last = Axis { size: last.size * axis.size, stride: axis.stride };
            }
            _ => joined.push(axis),
        }
    }
    joined
}

impl Layout {
    /// The same order as ours.
    pub fn rows(dims: &[usize]) -> Layout {
        Layout { dims: dims.to_vec(), axes: join([Axis { size: dims.iter().product(), stride: 1 }]) }
    }

    /// `[channels, height, width]`, or `[channels, positions]`, of our array with channels last.
    pub fn channels_first(shape: &[usize]) -> Layout {
        let (channels, places) = (shape[shape.len() - 1], &shape[..shape.len() - 1]);
        let dims = std::iter::once(channels).chain(places.iter().copied()).collect();
        let axes = [Axis { size: channels, stride: 1 }, Axis { size: places.iter().product(), stride: channels }];
        Layout { dims, axes: join(axes) }
    }

    /// Its shape.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// Whether the order is ours.
    pub fn is_ours(&self) -> bool {
        self.axes.iter().all(|axis| axis.stride == 1)
    }

    /// The same numbers in the same order with another shape, which has to have as many.
    pub fn reshaped(&self, dims: Vec<usize>) -> Layout {
        Layout { dims, axes: self.axes.clone() }
    }

    /// The axes of each dimension; `None` if an axis crosses from one dimension to the next where it cannot be cut.
    fn split(&self) -> Option<Vec<Vec<Axis>>> {
        let mut axes = self.axes.iter().copied();
        let mut rest = axes.next();
        let mut all = Vec::with_capacity(self.dims.len());
        for &dim in &self.dims {
            let (mut needed, mut own) = (dim, Vec::new());
            while needed > 1 {
                let Axis { size, stride } = rest?;
                if needed % size == 0 {
                    own.push(Axis { size, stride });
                    needed /= size;
                    rest = axes.next();
                } else if size % needed == 0 {
                    own.push(Axis { size: needed, stride: stride * (size / needed) });
                    rest = Some(Axis { size: size / needed, stride });
                    needed = 1;
                } else {
                    return None;
                }
            }
            all.push(own);
        }
        Some(all)
    }

    /// Dimension `j` of the result is dimension `order[j]` of this; `None` if that cannot be said.
    pub fn transposed(&self, order: &[usize]) -> Option<Layout> {
        let parts = self.split()?;
        let dims = order.iter().map(|&place| self.dims[place]).collect();
        Some(Layout { dims, axes: join(order.iter().flat_map(|&place| parts[place].iter().copied())) })
    }

    /// Whether dimension `place` is the last dimension of our array, of size `channels`.
    pub fn is_channels(&self, place: usize, channels: usize) -> bool {
        self.dims.get(place) == Some(&channels)
            && self
                .split()
                .is_some_and(|parts| join(parts[place].iter().copied()) == join([Axis { size: channels, stride: 1 }]))
    }

    /// The layout after our last dimension, which is dimension `place`, has got `units` numbers instead.
    pub fn with_channels(&self, place: usize, units: usize) -> Option<Layout> {
        let (mut parts, mut dims) = (self.split()?, self.dims.clone());
        let channels = dims[place];
        parts.iter_mut().flatten().for_each(|axis| axis.stride = axis.stride / channels * units);
        parts[place] = vec![Axis { size: units, stride: 1 }];
        dims[place] = units;
        Some(Layout { dims, axes: join(parts.into_iter().flatten()) })
    }

    /// For every place in the flat order of the ONNX value its place in ours.
    pub fn places(&self) -> Vec<usize> {
        let mut places = vec![0];
        for axis in &self.axes {
            places =
                places.iter().flat_map(|&start| (0..axis.size).map(move |step| start + step * axis.stride)).collect();
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_flattened_and_turned() {
        let image = Layout::channels_first(&[2, 3, 4]);
        assert_eq!(image.dims(), [4, 2, 3]);
        let by_hand: Vec<usize> =
            (0..4).flat_map(|c| (0..2).flat_map(move |h| (0..3).map(move |w| (h * 3 + w) * 4 + c))).collect();
        assert_eq!(image.places(), by_hand);
        assert_eq!(image.reshaped(vec![24]).places(), by_hand);
        assert!(!image.is_ours());
        let last = image.transposed(&[1, 2, 0]).unwrap();
        assert_eq!(last, Layout::rows(&[2, 3, 4]));
        assert!(last.is_ours() && last.is_channels(2, 4) && image.is_channels(0, 4) && !image.is_channels(1, 2));
        assert_eq!(last.transposed(&[2, 0, 1]).unwrap(), image);
        assert_eq!(image.with_channels(0, 7).unwrap(), Layout::channels_first(&[2, 3, 7]));
        // Cutting 24 = 6 × 4 numbers in 4 × 6 would have to cut the channels.
        assert_eq!(image.reshaped(vec![3, 8]).transposed(&[1, 0]), None);
    }

    #[test]
    fn one_channel_or_one_position_is_any_order() {
        assert_eq!(Layout::channels_first(&[3, 5, 1]), Layout::rows(&[1, 3, 5]));
        assert!(Layout::channels_first(&[1, 1, 6]).is_ours());
        assert!(Layout::rows(&[1]).is_ours());
        assert_eq!(Layout::rows(&[1]).places(), [0]);
    }
}
