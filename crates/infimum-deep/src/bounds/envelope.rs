//! The bound that lines prove together: `min_ρ [max(0, max_j (value_j − slope_j ρ)) + (λ/2) squares(ρ)]`.
//!
//! Between two corners of the maximum one line is largest and the sum is concave in ρ, or, below ρ = 1 of chains with late biases, convex; so the minimum is
//! at a corner, or where a line's slope is the price.

use super::chain::Chain;

/// `value − slope·ρ`, slope ≥ 0: not above the losses of any network whose layers' norms have the product ρ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// The bound, and a ρ at which it is attained.
pub(super) fn least(chain: Chain, lambda: f64, lines: &[Line]) -> (f64, f64) {
    let envelope = envelope(lines);
    let height = |rho: f64| envelope.iter().fold(0.0f64, |top, line| top.max(line.value - line.slope * rho));
    let mut places = vec![0.0, 1.0];
    for pair in envelope.windows(2) {
        places.push((pair[0].value - pair[1].value) / (pair[0].slope - pair[1].slope));
    }
    for line in &envelope {
        places.push(line.value / line.slope);
        // Where the price grows with ρ up to 1, there may be a minimum inside.
        let (mut low, mut high) = (0.0, 1.0);
        if chain.price(lambda, 0.5) < chain.price(lambda, 1.0) && line.slope < chain.price(lambda, 1.0) {
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if chain.price(lambda, middle) < line.slope { low = middle } else { high = middle }
            }
            places.push(high);
        }
    }
    let values = places.into_iter().filter(|rho| *rho >= 0.0 && rho.is_finite());
    let values = values.map(|rho| (height(rho) + 0.5 * lambda * chain.squares(rho), rho));
    values.fold((f64::INFINITY, 0.0), |least, place| if place.0 < least.0 { place } else { least })
}

/// The lines that are the largest somewhere at ρ ≥ 0, the steepest first.
fn envelope(lines: &[Line]) -> Vec<Line> {
    let mut sorted: Vec<Line> = lines.iter().copied().filter(|line| line.value > 0.0).collect();
    sorted.sort_by(|a, b| b.slope.total_cmp(&a.slope).then(b.value.total_cmp(&a.value)));
    let mut kept: Vec<Line> = Vec::new();
    for line in sorted {
        // A flatter line that is not lower at 0 is nowhere lower.
        while kept.last().is_some_and(|last| last.value <= line.value) {
            kept.pop();
        }
        if kept.last().is_some_and(|last| last.slope <= line.slope) {
            continue;
        }
        let meets = |a: &Line, b: &Line| (a.value - b.value) / (a.slope - b.slope);
        while kept.len() >= 2
            && meets(&kept[kept.len() - 1], &line) <= meets(&kept[kept.len() - 2], &kept[kept.len() - 1])
        {
            kept.pop();
        }
        kept.push(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_least_is_the_least_of_many_places(
            lines in proptest::collection::vec((0.1f64..10.0, 0.05f64..20.0), 1..12),
            kind in 0usize..5,
            lambda in 0.05f64..5.0,
        ) {
            let (layers, biased) = [(2, 1), (3, 1), (4, 4), (3, 2), (2, 2)][kind];
            let chain = Chain { layers, biased, constant: true };
            let lines: Vec<Line> = lines.iter().map(|&(value, slope)| Line { value, slope }).collect();
            let (bound, rho) = least(chain, lambda, &lines);
            let at = |rho: f64| {
                let height = lines.iter().fold(0.0f64, |top, line| top.max(line.value - line.slope * rho));
                height + 0.5 * lambda * chain.squares(rho)
            };
            prop_assert!((at(rho) - bound).abs() < 1e-9 * (1.0 + bound));
            for step in -2000..2000 {
                prop_assert!(at((step as f64 * 0.005).exp()) >= bound - 1e-9, "{step}");
            }
        }
    }
}
