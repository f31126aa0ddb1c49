//! The rate as a function of how much of the budget is spent.

use std::f64::consts::PI;

use super::options::Schedule;

/// Share of the budget in which the rate rises.
const WARM_UP: f64 = 0.02;
/// The same of one cycle.
const RISE: f64 = 0.3;
/// Rate in the beginning of one cycle.
const FIRST: f64 = 0.04;

impl Schedule {
    /// Factor of the rate when the share `progress` ∈ [0, 1] of the budget is spent: at most 1, above 0 before the end.
    pub fn factor(self, progress: f64) -> f64 {
        let p = progress.clamp(0.0, 1.0);
        let fall = |from: f64| 0.5 * (1.0 + (PI * (p - from) / (1.0 - from)).cos());
        match self {
            Schedule::OneCycle if p < RISE => FIRST + (1.0 - FIRST) * 0.5 * (1.0 - (PI * p / RISE).cos()),
            Schedule::OneCycle => fall(RISE),
            // Even the first step is not lost.
            _ if p < WARM_UP => (p / WARM_UP).max(0.01),
            Schedule::Cosine => fall(WARM_UP),
            Schedule::Constant | Schedule::ScheduleFree => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_stay_in_range_and_end_where_they_should() {
        for schedule in Schedule::ALL {
            let factors: Vec<f64> = (0..=1000).map(|i| schedule.factor(i as f64 / 1000.0)).collect();
            assert!(factors[..1000].iter().all(|&factor| factor > 0.0 && factor <= 1.0), "{schedule:?}");
            assert!(factors.iter().fold(0.0f64, |most, &factor| most.max(factor)) > 0.999, "{schedule:?}");
            let jump = factors.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
            assert!(jump < 0.06, "{schedule:?} jumps by {jump}");
            let ends_at_zero = matches!(schedule, Schedule::Cosine | Schedule::OneCycle);
            assert_eq!(factors[1000] < 1e-9, ends_at_zero, "{schedule:?}");
        }
    }
}
