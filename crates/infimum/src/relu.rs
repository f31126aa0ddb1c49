//! Two-layer ReLU networks from loaded data to a certificate: rung 4.

use infimum_check::check_relu_problem;
use infimum_data::Loaded;
use infimum_problem::{
    CERTIFICATE_VERSION, CertificateError, Ending, HiddenBias, Monitor, ReluCertificate, ReluClaim, ReluNet,
    gap_reached,
};
use infimum_relu::{Options, Outcome, SOLVER, solve};

use crate::fit::{Error, Proof, ROOM};
use crate::predictor::Predictor;
use crate::trained::Trained;

/// Options of a fit of a two-layer network beyond the problem itself.
#[derive(Debug, Clone, PartialEq)]
pub struct NetOptions {
    /// Largest number of hidden units.
    pub width: usize,
    /// Treatment of the hidden biases; that of the output biases is the problem's intercept.
    pub hidden_bias: HiddenBias,
    /// Relative gap at which to stop.
    pub gap: f64,
    /// Absolute gap of the mean objective at which to stop.
    pub abs_gap: f64,
    /// Threads.
    pub threads: usize,
    /// Seed.
    pub seed: u64,
    /// A network to start from.
    pub start: Option<ReluNet>,
}

/// A fitted two-layer network.
#[derive(Debug, Clone)]
pub struct NetFit {
    /// The problem and where it came from.
    pub loaded: Loaded,
    /// Network, dual point, bounds, ending.
    pub outcome: Outcome,
    hidden_bias: HiddenBias,
    gap: f64,
    abs_gap: f64,
}

/// Trains a two-layer ReLU network on what is loaded.
pub fn fit_net(loaded: Loaded, options: &NetOptions, monitor: &dyn Monitor) -> Result<NetFit, Error> {
    let NetOptions { width, hidden_bias, gap, threads, seed, .. } = *options;
    let abs_gap = options.abs_gap * loaded.problem.data.total_weight;
    let start = options.start.clone();
    let asked = Options { gap, abs_gap, width: Some(width), threads, seed, start };
    let outcome = solve(&loaded.problem, hidden_bias, &asked, monitor)?;
    Ok(NetFit { loaded, outcome, hidden_bias, gap, abs_gap })
}

impl NetFit {
    /// Checks the certificate against the problem in memory: all steps but those that read the file again.
    pub fn proof(&self) -> Proof {
        check_relu_problem(&self.loaded.problem, &self.certificate())
    }

    /// The certificate of this fit.
    pub fn certificate(&self) -> ReluCertificate {
        let (problem, outcome) = (&self.loaded.problem, &self.outcome);
        ReluCertificate {
            claim: ReluClaim {
                version: CERTIFICATE_VERSION,
                kind: "relu".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                hidden_bias: self.hidden_bias,
                lambda2: problem.objective.lambda2,
                rows: problem.data.rows(),
                columns: problem.data.columns(),
                outputs: problem.outputs(),
                width: outcome.net.width,
                total_weight: problem.data.total_weight,
                lower: outcome.lower,
                upper: outcome.upper,
                gap: self.gap,
                abs_gap: self.abs_gap,
                ending: outcome.ending,
            },
            net: outcome.net.clone(),
            dual: outcome.dual.clone(),
            witnesses: outcome.witnesses.clone(),
        }
    }
}

impl Trained for NetFit {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn predictor(&self) -> Predictor {
        Predictor::of_net(&self.outcome.net)
    }

    fn certificate_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        self.certificate().to_bytes()
    }

    fn bounds(&self) -> (f64, f64) {
        (self.outcome.upper, self.outcome.lower)
    }

    fn ending(&self) -> (Ending, &str) {
        (self.outcome.ending, &self.outcome.message)
    }

    fn rung(&self) -> u8 {
        4
    }

    fn solver(&self) -> &'static str {
        SOLVER
    }

    fn explored(&self) -> Vec<(&'static str, u64)> {
        vec![("rounds", self.outcome.rounds), ("nodes", self.outcome.nodes)]
    }

    fn model_name(&self) -> String {
        "two-layer ReLU network of any width".into()
    }

    fn sharpen(&mut self) {
        if self.outcome.ending != Ending::Stalled {
            return;
        }
        let Ok(verdict) = self.proof() else { return };
        let (upper, lower) = (verdict.upper * (1.0 + ROOM), verdict.lower * (1.0 - ROOM));
        if gap_reached(upper, lower, self.gap, self.abs_gap) {
            (self.outcome.upper, self.outcome.lower, self.outcome.ending) = (upper, lower, Ending::Optimal);
            self.outcome.message.clear();
        }
    }
}
