//! `y = φ(W x + b)` for each row.

use super::{Context, Function, SourceSlopes};
use crate::engine::Real;
use crate::engine::pool::{add_rows, for_each_rows, sum_over_rows};
use crate::engine::product::{Matrix, Threads, multiply};

/// W (units × inputs), then b.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Dense {
    pub(in crate::engine) inputs: usize,
    pub(in crate::engine) units: usize,
    pub(in crate::engine) bias: bool,
    pub(in crate::engine) function: Option<Function>,
}

impl Dense {
    pub(super) fn forward<R: Real>(&self, source: &[R], target: &mut [R], context: Context<R>) {
        let (inputs, units) = (self.inputs, self.units);
        let (weights, bias) = context.parameters.split_at(units * inputs);
        let sizes = [source.len() / inputs, units, inputs];
        let turned = Matrix::rows(weights, inputs).transposed();
        multiply(target, units, false, R::ONE, Matrix::rows(source, inputs), turned, sizes, Threads::All);
        let bias = self.bias.then_some(bias);
        if bias.is_some() || self.function.is_some() {
            for_each_rows(target, units, |_, rows| Function::end_rows(self.function, bias, rows));
        }
    }

    /// With D the slopes by W x + b: `Dᵀ X` for W, the sum of D's rows for b, `D W` for x.
    pub(super) fn backward<R: Real>(
        &self,
        source: &[R],
        target: &[R],
        slopes: &mut [R],
        source_slopes: Option<SourceSlopes<R>>,
        context: Context<R>,
        gradient: &mut [R],
    ) {
        let (inputs, units) = (self.inputs, self.units);
        let rows = slopes.len() / units;
        if let Some(function) = self.function {
            for_each_rows(slopes, units, |first, slopes| function.multiply_slopes(&target[first * units..], slopes));
        }
        let (weights, bias) = gradient.split_at_mut(units * inputs);
        let slopes = &*slopes;
        if self.bias {
            sum_over_rows(bias, rows, context.pool, |rows, sums| {
                add_rows(sums, &slopes[rows.start * units..rows.end * units]);
            });
        }
        let d = Matrix::rows(slopes, units);
        let x = Matrix::rows(source, inputs);
        multiply(weights, inputs, false, R::ONE, d.transposed(), x, [units, inputs, rows], Threads::All);
        if let Some(SourceSlopes { values, add }) = source_slopes {
            let w = Matrix::rows(context.parameters, inputs);
            multiply(values, inputs, add, R::ONE, d, w, [rows, inputs, units], Threads::All);
        }
    }
}
