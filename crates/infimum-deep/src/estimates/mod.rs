//! What is estimated about a trained network, and never proven.
//!
//! Three questions, three kinds of evidence: would more training help (a curve continued, [`Forecast`]), does the network lie on a saddle (the Hessian's
//! spectrum, [`Curvature`]), would other starts end elsewhere (ends of several runs, [`Restarts`]). None of them bounds anything.

mod curvature;
mod forecast;
mod lanczos;
mod restarts;
mod text;

use infimum_problem::Monitor;
use serde::Serialize;

pub use curvature::{Curvature, Escape};
pub use forecast::{Forecast, Gain, Miss};
pub use restarts::{Distinct, Restarts, restarts};

use crate::training::{Optimizer, Schedule, Setup, TrainingOutcome};

/// All estimates.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Estimates {
    /// From the record of the best run.
    pub forecast: Option<Forecast>,
    /// At the network that is kept.
    pub curvature: Option<Curvature>,
    /// From the ends of all runs.
    pub restarts: Option<Restarts>,
    /// What is not estimated, and why.
    pub left_out: Vec<String>,
}

/// Estimates about the network `parameters`, `buffers` that came of `runs`, which may be none. Takes seconds, or less where the monitor says stop.
pub fn estimate(
    runs: &[TrainingOutcome],
    setup: &Setup,
    parameters: &[f32],
    buffers: &[f32],
    monitor: &dyn Monitor,
) -> Estimates {
    let ends: Vec<f64> = runs.iter().map(|run| run.incumbent.value).collect();
    let mut estimates = Estimates { restarts: restarts(&ends), ..Estimates::default() };
    let best = runs.iter().min_by(|a, b| a.incumbent.value.total_cmp(&b.incumbent.value));
    match best.map(|run| forecast_of(run, setup)) {
        Some(Ok(forecast)) => estimates.forecast = Some(forecast),
        Some(Err(why)) => estimates.left_out.push(format!("no forecast: {why}")),
        None => estimates.left_out.push("no forecast: there is no record of a run".into()),
    }
    match curvature::curvature(setup, parameters, buffers, monitor) {
        Ok(curvature) => estimates.curvature = Some(curvature),
        Err(why) => estimates.left_out.push(format!("no curvature: {why}")),
    }
    if estimates.restarts.is_none() {
        estimates.left_out.push("nothing about other starts: that takes two runs or more (--restarts)".into());
    }
    estimates
}

fn forecast_of(run: &TrainingOutcome, setup: &Setup) -> Result<Forecast, String> {
    if run.rollbacks > 0 {
        return Err("the run went back and lowered its rate".into());
    }
    let schedule =
        if setup.options.optimizer == Optimizer::Lbfgs { Schedule::Constant } else { setup.options.schedule };
    forecast::forecast(&run.marks, &|progress| schedule.factor(progress))
}

impl Estimates {
    /// A sentence for each estimate, then one for each that is left out.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.restarts.iter().map(Restarts::line).collect();
        lines.extend(self.forecast.iter().map(Forecast::line));
        lines.extend(self.curvature.iter().map(Curvature::line));
        lines.extend(self.left_out.iter().cloned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use infimum_problem::Silent;
    use infimum_problem::deep::{Activation, Architecture};

    use super::curvature::tests::{problem, with_setup};
    use super::*;
    use crate::training::{Incumbent, Mark};

    fn run(value: f64, end: u64) -> TrainingOutcome {
        let mark = |i: u64| Mark { step: i, progress: i as f64 / end as f64, running: 0.2 + (i as f64).powf(-0.5) };
        TrainingOutcome {
            incumbent: Incumbent { parameters: vec![], buffers: vec![], value },
            marks: (1..=end).map(mark).collect(),
            steps: end,
            epochs: 1.0,
            seconds: 1.0,
            rate: 1e-3,
            rollbacks: 0,
            stopped: None,
            diverged: false,
            settled: false,
            unwritten: None,
        }
    }

    #[test]
    fn every_question_has_a_sentence() {
        let problem = problem(20, 2, 0.1);
        with_setup(&problem, &Architecture::dense(2, &[2], 1, Activation::Relu, true, true), |setup| {
            let (parameters, buffers) = setup.network.initial::<f32>(3);
            let of = |runs: &[TrainingOutcome]| estimate(runs, setup, &parameters, &buffers, &Silent);
            let none = of(&[]);
            assert!(none.forecast.is_none() && none.restarts.is_none() && none.curvature.is_some());
            assert_eq!((none.lines().len(), none.left_out.len()), (3, 2));
            // The record of the better run is too short, that of the worse is not asked.
            let short = of(&[run(2.0, 100), run(1.0, 9)]);
            assert!(short.forecast.is_none() && short.left_out[0].contains("9 marks"), "{:?}", short.left_out);
            let full = of(&[run(1.0, 100), run(2.0, 9), run(1.0, 9)]);
            assert_eq!((full.lines().len(), full.left_out.len()), (3, 0));
            assert_eq!(full.restarts.as_ref().map(|restarts| restarts.at[0].distinct), Some(2));
            let back = TrainingOutcome { rollbacks: 1, ..run(1.0, 100) };
            assert!(of(&[back]).left_out[0].contains("lowered its rate"));
            let json = serde_json::to_value(&full).unwrap();
            assert!(json["forecast"]["gains"][1]["interval"][0].is_f64() && json["curvature"]["rows"] == 20, "{json}");
        });
    }
}
