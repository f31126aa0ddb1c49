//! What every trained model has, whatever its rung: a problem, a predictor, bounds, an ending, a certificate.

use infimum_data::Loaded;
use infimum_problem::{CertificateError, Ending};

use crate::deep::Findings;
use crate::fit::{Fit, model_name};
use crate::predictor::Predictor;

/// A trained model with its proof.
pub trait Trained {
    /// The problem and where it came from.
    fn loaded(&self) -> &Loaded;
    /// What predictions are made with.
    fn predictor(&self) -> Predictor;
    /// The certificate's bytes.
    fn certificate_bytes(&self) -> Result<Vec<u8>, CertificateError>;
    /// Upper and lower bound, both of the unnormalised sum.
    fn bounds(&self) -> (f64, f64);
    /// How the run ended, and a sentence about it.
    fn ending(&self) -> (Ending, &str);
    /// The command that made it.
    fn command(&self) -> &'static str {
        "fit"
    }
    /// The rung of the ladder.
    fn rung(&self) -> u8;
    /// What ran.
    fn solver(&self) -> &'static str;
    /// Work done, by name.
    fn explored(&self) -> Vec<(&'static str, u64)>;
    /// What such a model is called in sentences about all of them.
    fn model_name(&self) -> String;
    /// What else is proven, estimated and unknown about it.
    fn findings(&self) -> Option<Findings> {
        None
    }
    /// Further files of the run folder: name and bytes.
    fn attachments(&self) -> Result<Vec<(String, Vec<u8>)>, CertificateError> {
        Ok(Vec::new())
    }
    /// Lets a claim be replaced by what the checker's arithmetic proves, where only the claim's margin keeps the gap from being reached.
    fn sharpen(&mut self);
}

impl Trained for Fit {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn predictor(&self) -> Predictor {
        Predictor::new(&self.loaded.problem, &self.outcome.model)
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
        1
    }

    fn solver(&self) -> &'static str {
        self.outcome.solver
    }

    fn explored(&self) -> Vec<(&'static str, u64)> {
        vec![("iterations", self.outcome.explored)]
    }

    fn model_name(&self) -> String {
        model_name(&self.loaded.problem)
    }

    fn sharpen(&mut self) {
        Fit::sharpen(self);
    }
}
