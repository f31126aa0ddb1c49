//! Other problems over rows that are loaded: another objective, or some of the rows, without reading the file again. What
//! comes out is what [`rebuild`](crate::rebuild) makes of the recipe, hash included: both come through here.

use infimum_problem::{
    Dataset, Encoding, Intercept, Loss, Objective, Problem, Recipe, Source, Strength, Subset, Target,
};

use crate::canonical::{Loaded, Validation, ValidationTarget, lambdas, standard_deviations};
use crate::error::DataError;
use crate::hash::DataHash;
use crate::kernel;
use crate::memory::{Memory, Shape};
use crate::rows::{split_rows, split_values};
use crate::several;
use crate::subset::subset_rows;

/// What is to be different in an objective; `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Change {
    /// Loss, one for the same kind of target.
    pub loss: Option<Loss>,
    /// Penalty strength.
    pub strength: Option<Strength>,
    /// Whether the penalty is weighted by standard deviations.
    pub standardize: Option<bool>,
}

/// Training rows and held-out rows.
pub(crate) struct Rows {
    pub(crate) data: Dataset,
    pub(crate) validation: Option<Validation>,
}

impl Rows {
    /// Keeps the rows of a subset, with the labels and weights that they had among all; the rows of a fold become the held-out
    /// ones.
    pub(crate) fn cut(mut self, path: &str, subset: Subset, memory: Option<&Memory>) -> Result<Rows, DataError> {
        let keep = subset_rows(&self.data.target, subset).map_err(|why| DataError::input(path, why))?;
        let data = &mut self.data;
        let others = split_rows(&mut data.matrix, &keep, path, memory)?;
        split_values(&mut data.weights, &keep);
        data.total_weight = data.weights.iter().sum();
        let target = match &mut data.target {
            Target::Real(values) => ValidationTarget::Real(split_values(values, &keep)),
            Target::Class { classes, .. } => {
                ValidationTarget::Classes(split_values(classes, &keep).into_iter().map(Some).collect())
            }
            Target::Several { names, values } => {
                ValidationTarget::Several(several::split_records(values, names.len(), &keep))
            }
        };
        if matches!(subset, Subset::WithoutFold { .. }) {
            self.validation = Some(Validation { matrix: others, target });
        }
        Ok(self)
    }
}

impl Loaded {
    /// The problem of these rows by the recipe's loss, intercept, strength and scales.
    pub(crate) fn new(
        rows: Rows,
        recipe: Recipe,
        encoding: Encoding,
        source: Source,
        notes: Vec<String>,
        memory: Option<Memory>,
    ) -> Result<Loaded, DataError> {
        let (loss, intercept) = (recipe.loss, recipe.intercept);
        let objective = Objective { loss, intercept, lambda1: 0.0, lambda2: 0.0, scales: None, kernel: recipe.kernel };
        let data_hash = DataHash::of(&rows.data).map_err(|fault| DataError::input(&source.path, fault.to_string()))?;
        let mut loaded = Loaded {
            validation: rows.validation,
            problem: Problem { data: rows.data, objective },
            recipe,
            encoding,
            source,
            problem_sha256: String::new(),
            notes,
            data_hash,
            memory,
        };
        let standardize = Some(loaded.recipe.standardize);
        loaded.set(Change { standardize, strength: Some(loaded.recipe.strength), loss: None })?;
        Ok(loaded)
    }

    /// Changes the objective; rows and held-out rows stay. After an error the problem is as before.
    pub fn set(&mut self, change: Change) -> Result<(), DataError> {
        let path = &self.source.path;
        let loss = change.loss.unwrap_or(self.recipe.loss);
        if loss.is_classification() != self.recipe.loss.is_classification() {
            return Err(DataError::input(path, format!("the loss {} does not fit the target", loss.name())));
        }
        let target = &self.problem.data.target;
        let misfit = || target.several().and_then(|_| several::misfit(loss));
        if let Some(why) = loss.objection().or_else(misfit) {
            return Err(DataError::input(path, why));
        }
        if let Target::Real(values) | Target::Several { values, .. } = target
            && let Some((entry, expected)) =
                values.iter().enumerate().find_map(|(entry, &y)| Some((entry, loss.refuses(y)?)))
        {
            let row = entry / target.several().unwrap_or(1) + 1;
            let why = format!("target of training row {row}: expected {expected}, got {}", values[entry]);
            return Err(DataError::input(path, why));
        }
        if change.standardize == Some(true) && self.recipe.intercept != Intercept::Free {
            return Err(DataError::input(path, "scales of the columns need a free intercept"));
        }
        let strength = change.strength.unwrap_or(self.recipe.strength);
        if let Some(why) = self.recipe.kernel.and_then(|_| kernel::misfit(change.standardize == Some(true), strength)) {
            return Err(DataError::input(path, why));
        }
        let (lambda1, lambda2) = lambdas(path, strength, self.problem.data.total_weight)?;
        let data = &self.problem.data;
        if let Some(memory) = &self.memory {
            let outputs = data.target.several().unwrap_or_else(|| loss.outputs(data.labels().len()));
            let shape = Shape { rows: data.rows(), columns: data.columns(), outputs, working_sets: lambda1 > 0.0 };
            memory.demand_vectors(path, &data.matrix, shape)?;
        }
        let objective = &mut self.problem.objective;
        match change.standardize {
            Some(true) => {
                let scales = standard_deviations(&data.matrix);
                objective.scales = Some(scales.map_err(|fault| DataError::input(path, fault.to_string()))?);
            }
            Some(false) => objective.scales = None,
            None => {}
        }
        (objective.loss, objective.lambda1, objective.lambda2) = (loss, lambda1, lambda2);
        let standardize = objective.scales.is_some();
        (self.recipe.loss, self.recipe.strength, self.recipe.standardize) = (loss, strength, standardize);
        self.problem_sha256 = self.data_hash.with(&self.problem.objective);
        Ok(())
    }

    /// The problem over a subset of the training rows. Held out are a fold's rows, for a share those held out so far.
    pub fn subset(&self, subset: Subset) -> Result<Loaded, DataError> {
        if self.recipe.subset.is_some() {
            return Err(DataError::input(&self.source.path, "a subset of a subset has no recipe"));
        }
        let rows = Rows { data: self.problem.data.clone(), validation: self.validation.clone() };
        let rows = rows.cut(&self.source.path, subset, self.memory.as_ref())?;
        let recipe = Recipe { subset: Some(subset), ..self.recipe.clone() };
        Loaded::new(rows, recipe, self.encoding.clone(), self.source.clone(), Vec::new(), self.memory.clone())
    }
}
