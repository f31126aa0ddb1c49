//! The penalty `λ1 Σ s_j |w_j| + (λ2/2) Σ s_j² w_j²` and its conjugate.

use crate::sums::sum;

/// Coefficients of the penalty on the weights (not on a free intercept).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Penalty<'a> {
    pub(crate) lambda1: f64,
    pub(crate) lambda2: f64,
    pub(crate) scales: Option<&'a [f64]>,
}

impl Penalty<'_> {
    /// Scale s_j.
    #[inline(always)]
    pub(crate) fn scale(&self, j: usize) -> f64 {
        self.scales.map_or(1.0, |scales| scales[j])
    }

    /// `λ1 s_j`, the weight of |w_j|.
    #[inline(always)]
    pub(crate) fn l1(&self, j: usize) -> f64 {
        self.lambda1 * self.scale(j)
    }

    /// `λ2 s_j²`, the curvature in w_j.
    #[inline(always)]
    pub(crate) fn l2(&self, j: usize) -> f64 {
        let s = self.scale(j);
        self.lambda2 * (s * s)
    }

    /// Value of one coefficient with weights `l1` and `l2`.
    #[inline(always)]
    pub(crate) fn term(l1: f64, l2: f64, w: f64) -> f64 {
        l1 * w.abs() + 0.5 * l2 * (w * w)
    }

    /// Conjugate `sup_w [v·w − l1|w| − (l2/2)w²]` of one coefficient; +∞ outside the domain when `l2` is 0.
    #[inline(always)]
    pub(crate) fn conjugate(l1: f64, l2: f64, v: f64) -> f64 {
        let excess = v.abs() - l1;
        if excess <= 0.0 {
            0.0
        } else if l2 > 0.0 {
            0.5 * excess * excess / l2
        } else {
            f64::INFINITY
        }
    }

    /// The maximiser in [`Penalty::conjugate`] for `l2 > 0`: `soft(v, l1)/l2`.
    #[inline(always)]
    pub(crate) fn weight_of(l1: f64, l2: f64, v: f64) -> f64 {
        v.signum() * (v.abs() - l1).max(0.0) / l2
    }

    /// Penalty of a weight vector.
    pub(crate) fn value(&self, weights: &[f64]) -> f64 {
        sum(weights.len(), 0.0, |j| Penalty::term(self.l1(j), self.l2(j), weights[j]))
    }
}
