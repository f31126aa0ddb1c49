//! A rate for the beginning: the rate range test of Smith 2017 (*Cyclical learning rates for training neural networks*, section 3.3).
//!
//! From the start, steps with rates that grow geometrically from 1e-6 to 10; the running loss falls, then rises. A tenth of the rate where it is lowest is
//! returned. The run begins anew afterwards.

use super::descent::Descent;
use super::device::Trouble;

const LOWEST: f64 = 1e-6;
const HIGHEST: f64 = 10.0;
const STEPS: u64 = 100;
/// Weight of what came before in the running loss.
const MEMORY: f64 = 0.9;
/// Times the lowest running loss, at which the test ends.
const RISEN: f64 = 4.0;

/// The rate; `descent` is left where it was, apart from the rate.
pub(super) fn find(descent: &mut Descent, usual: f64, stop: &dyn Fn() -> bool) -> Result<f64, Trouble> {
    let start = descent.state()?;
    let (mut best, mut lowest, mut running, mut share) = (usual, f64::INFINITY, 0.0, 0.0);
    for k in 0..STEPS {
        if stop() {
            break;
        }
        let rate = LOWEST * (HIGHEST / LOWEST).powf(k as f64 / (STEPS - 1) as f64);
        descent.numbers.rate = rate;
        // Half of the budget: past every warm-up, before every fall.
        let factor = descent.numbers.options.schedule.factor(0.5);
        descent.numbers.rate = rate / factor;
        let loss = descent.step(0.5)?;
        running = MEMORY * running + (1.0 - MEMORY) * loss;
        share = MEMORY * share + (1.0 - MEMORY);
        let smooth = running / share;
        if !smooth.is_finite() || (smooth > RISEN * lowest && lowest > 0.0) {
            break;
        }
        if smooth < lowest {
            (lowest, best) = (smooth, rate / 10.0);
        }
    }
    let rollbacks = descent.numbers.rollbacks;
    descent.restore(&start, best)?;
    descent.numbers.rollbacks = rollbacks;
    Ok(best)
}
