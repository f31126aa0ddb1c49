//! A deep network with its data: predictor, certificate, and what the command line needs of a fit of any kind.

use infimum_check::{HEAD, LAST_TWO, check_deep_problem};
use infimum_data::Loaded;
use infimum_problem::deep::{DeepCertificate, DeepClaim};
use infimum_problem::{CERTIFICATE_VERSION, CertificateError, Ending};

use super::assess::Assessment;
use super::features::CERTIFICATE;
use super::findings::Findings;
use crate::fit::Proof;
use crate::predictor::Predictor;
use crate::trained::Trained;

/// A deep network that was trained or audited.
#[derive(Debug, Clone)]
pub struct DeepFit {
    /// The problem and where it came from.
    pub loaded: Loaded,
    /// The network and what is known about it.
    pub found: Assessment,
    /// Whether it was trained elsewhere.
    pub audited: bool,
    pub(super) gap: f64,
}

impl DeepFit {
    /// Checks the certificate against the problem in memory: all steps but those that read the file again.
    pub fn proof(&self) -> Proof {
        check_deep_problem(&self.loaded.problem, &self.certificate())
    }

    /// The certificate of this fit.
    pub fn certificate(&self) -> DeepCertificate {
        let (problem, found) = (&self.loaded.problem, &self.found);
        DeepCertificate {
            claim: DeepClaim {
                version: CERTIFICATE_VERSION,
                kind: "deep".into(),
                source: self.loaded.source.clone(),
                recipe: self.loaded.recipe.clone(),
                problem_sha256: self.loaded.problem_sha256.clone(),
                architecture: found.architecture.clone(),
                lambda2: problem.objective.lambda2,
                rows: problem.data.rows(),
                columns: problem.data.columns(),
                outputs: problem.outputs(),
                total_weight: problem.data.total_weight,
                lower: found.lower,
                upper: found.upper,
                evaluation: found.evaluation,
                gap: self.gap,
                abs_gap: found.abs_gap,
                ending: found.ended.0,
            },
            parameters: found.parameters.clone(),
            buffers: found.buffers.clone(),
            witness: found.witness.clone(),
        }
    }
}

impl Trained for DeepFit {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn predictor(&self) -> Predictor {
        self.found.predictor.clone()
    }

    fn certificate_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        self.certificate().to_bytes()
    }

    fn bounds(&self) -> (f64, f64) {
        (self.found.upper, self.found.lower)
    }

    fn ending(&self) -> (Ending, &str) {
        (self.found.ended.0, &self.found.ended.1)
    }

    fn command(&self) -> &'static str {
        if self.audited { "audit" } else { "fit" }
    }

    fn rung(&self) -> u8 {
        5
    }

    fn solver(&self) -> &'static str {
        "gradient-descent"
    }

    fn explored(&self) -> Vec<(&'static str, u64)> {
        let runs = &self.found.runs;
        vec![("steps", runs.iter().map(|run| run.steps).sum()), ("runs", runs.len() as u64)]
    }

    fn model_name(&self) -> String {
        "network of this architecture".into()
    }

    fn attachments(&self) -> Result<Vec<(String, Vec<u8>)>, CertificateError> {
        let Assessment { last_two, head, .. } = &self.found;
        let last_two = last_two.iter().map(|block| (LAST_TWO, block.fit.certificate().to_bytes()));
        let head = head.iter().map(|block| (HEAD, block.fit.certificate().to_bytes()));
        last_two.chain(head).map(|(folder, bytes)| Ok((format!("{folder}/{CERTIFICATE}"), bytes?))).collect()
    }

    fn findings(&self) -> Option<Findings> {
        Some(Findings::of(self))
    }

    fn sharpen(&mut self) {}
}
