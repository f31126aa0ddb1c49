//! Passes over vectors of equal length that are compiled for vector units.

use infimum_rigor::vectorized;

/// Entries at a time: copies of so many of each vector stay in the L1 cache, and of copies the compiler knows that they do not
/// overlap.
const BLOCK: usize = 32;

/// For every i: `outputs[·][i], states = f(inputs[·][i], outputs[·][i], states)`. There are [`BLOCK`] sets of states, all of which begin as 0
/// and each of which sees the entries i of one remainder; all are returned.
///
/// # Panics
/// If the vectors have different lengths.
#[inline(always)]
pub(crate) fn pass<const INPUTS: usize, const OUTPUTS: usize, const STATES: usize>(
    inputs: [&[f64]; INPUTS],
    mut outputs: [&mut [f64]; OUTPUTS],
    f: impl Fn([f64; INPUTS], [f64; OUTPUTS], [f64; STATES]) -> ([f64; OUTPUTS], [f64; STATES]),
) -> [[f64; BLOCK]; STATES] {
    let length = inputs[0].len();
    assert!(inputs.iter().all(|input| input.len() == length) && outputs.iter().all(|output| output.len() == length));
    let mut states = [[0.0; BLOCK]; STATES];
    vectorized(
        #[inline(always)]
        || {
            let (mut x, mut y) = ([[0.0; BLOCK]; INPUTS], [[0.0; BLOCK]; OUTPUTS]);
            let whole = length / BLOCK;
            for block in 0..whole {
                for k in 0..INPUTS {
                    x[k] = inputs[k].as_chunks().0[block];
                }
                for k in 0..OUTPUTS {
                    y[k] = outputs[k].as_chunks().0[block];
                }
                apply(&x, &mut y, &mut states, BLOCK, &f);
                for k in 0..OUTPUTS {
                    outputs[k].as_chunks_mut().0[block] = y[k];
                }
            }
            let rest = length % BLOCK;
            for k in 0..INPUTS {
                x[k][..rest].copy_from_slice(&inputs[k][length - rest..]);
            }
            for k in 0..OUTPUTS {
                y[k][..rest].copy_from_slice(&outputs[k][length - rest..]);
            }
            apply(&x, &mut y, &mut states, rest, &f);
            for k in 0..OUTPUTS {
                outputs[k][length - rest..].copy_from_slice(&y[k][..rest]);
            }
        },
    );
    states
}

/// The first `count` entries of a block.
#[inline(always)]
fn apply<const INPUTS: usize, const OUTPUTS: usize, const STATES: usize>(
    x: &[[f64; BLOCK]; INPUTS],
    y: &mut [[f64; BLOCK]; OUTPUTS],
    states: &mut [[f64; BLOCK]; STATES],
    count: usize,
    f: &impl Fn([f64; INPUTS], [f64; OUTPUTS], [f64; STATES]) -> ([f64; OUTPUTS], [f64; STATES]),
) {
    for i in 0..count {
        let (mut input, mut output, mut state) = ([0.0; INPUTS], [0.0; OUTPUTS], [0.0; STATES]);
        for k in 0..INPUTS {
            input[k] = x[k][i];
        }
        for k in 0..OUTPUTS {
            output[k] = y[k][i];
        }
        for k in 0..STATES {
            state[k] = states[k][i];
        }
        let (output, state) = f(input, output, state);
        for k in 0..OUTPUTS {
            y[k][i] = output[k];
        }
        for k in 0..STATES {
            states[k][i] = state[k];
        }
    }
}

/// The vector of `f` of the entries of the inputs.
#[inline(always)]
pub(crate) fn map<const INPUTS: usize>(inputs: [&[f64]; INPUTS], f: impl Fn([f64; INPUTS]) -> f64) -> Vec<f64> {
    let mut mapped = vec![0.0; inputs[0].len()];
    pass::<INPUTS, 1, 0>(
        inputs,
        [&mut mapped],
        #[inline(always)]
        |input, _, none| ([f(input)], none),
    );
    mapped
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, map, pass};

    #[test]
    fn every_entry_is_seen_once() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 1_000] {
            let x: Vec<f64> = (0..length).map(|i| i as f64).collect();
            let mut y = map([&x, &x], |[a, b]| a * b + 1.0);
            assert!(y.iter().zip(&x).all(|(y, x)| *y == x * x + 1.0), "{length}");
            let [sums, largest] = pass([&x], [&mut y], |[x], [y], [sum, largest]| ([y - x], [sum + x, x.max(largest)]));
            assert!(y.iter().zip(&x).all(|(y, x)| *y == x * x + 1.0 - x), "{length}");
            assert_eq!(sums.iter().sum::<f64>(), (0..length).sum::<usize>() as f64);
            assert_eq!(largest.into_iter().fold(0.0, f64::max), length.saturating_sub(1) as f64);
        }
    }
}
