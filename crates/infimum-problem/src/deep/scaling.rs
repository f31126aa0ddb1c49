//! What a network does with its columns before the first layer: exactly defined numbers, so that theorems about the network's inputs are about the
//! file.

use serde::{Deserialize, Serialize};

/// `x̂_j = fl32(fl32(fl32(x_j) − shift_j)·scale_j)`: three roundings of IEEE 754 singles to nearest. Lists have one number for all columns,
/// or one for each place of the last dimension of the input, or one for each column; an empty list does nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// What is subtracted.
    #[serde(default)]
    pub shift: Vec<f32>,
    /// Factors.
    #[serde(default)]
    pub scale: Vec<f32>,
}

impl Scaling {
    /// The network's input for a column's value. `column` counts from 0.
    pub fn apply(&self, column: usize, value: f64) -> f32 {
        let value = value as f32;
        let value = if self.shift.is_empty() { value } else { value - self.shift[column % self.shift.len()] };
        if self.scale.is_empty() { value } else { value * self.scale[column % self.scale.len()] }
    }

    /// Whether the lists fit an input of this shape, and hold finite numbers.
    pub fn check(&self, input: &[usize]) -> Result<(), String> {
        let columns = input.iter().product::<usize>();
        let channels = input.last().copied().unwrap_or(1);
        for (name, list) in [("shift", &self.shift), ("scale", &self.scale)] {
            if ![0, 1, channels, columns].contains(&list.len()) {
                let got = list.len();
                return Err(format!("scaling: `{name}` has {got} numbers, expected none, 1, {channels} or {columns}"));
            }
            if let Some(place) = list.iter().position(|value| !value.is_finite()) {
                return Err(format!(
                    "scaling: `{name}` number {} is {}, expected a finite one",
                    place + 1,
                    list[place]
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_three_times() {
        let scaling = Scaling { shift: vec![0.1], scale: vec![3.0, 5.0] };
        let x = 0.7f64;
        assert_eq!(scaling.apply(0, x), (0.7f32 - 0.1f32) * 3.0);
        assert_eq!(scaling.apply(3, x), (0.7f32 - 0.1f32) * 5.0);
        assert_eq!(Scaling::default().apply(9, 1e-300), 0.0);
        assert!(scaling.check(&[2, 2]).is_ok());
        assert!(scaling.check(&[3]).unwrap_err().contains("`scale` has 2"));
    }
}
