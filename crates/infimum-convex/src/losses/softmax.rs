//! Softmax loss `ln Σ_k exp(z_k) − z_y` of K outputs.

/// Softmax loss of one example; a namespace of its formulas on slices of length K.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax;

impl Softmax {
    /// Loss at outputs `z` of an example of class `class`; `probabilities` receives the K softmax probabilities.
    #[inline]
    pub(crate) fn value(class: usize, z: &[f64], probabilities: &mut [f64]) -> f64 {
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (p, &output) in probabilities.iter_mut().zip(z) {
            *p = (output - top).exp();
            sum += *p;
        }
        let inverse = 1.0 / sum;
        probabilities.iter_mut().for_each(|p| *p *= inverse);
        if z[class] == top {
            // ln(1 + rest) keeps relative accuracy when the example is fitted well.
            let rest: f64 = (0..z.len()).filter(|&k| k != class).map(|k| (z[k] - top).exp()).sum();
            return rest.ln_1p();
        }
        sum.ln() + (top - z[class])
    }

    /// Dual gain `−Σ_k q_k ln(q_k/c)` with q_k = c·[k = class] − alpha_k ≥ 0 and Σ_k alpha_k = 0.
    pub(crate) fn gain(class: usize, c: f64, alpha: &[f64]) -> f64 {
        // off = mass on the wrong classes; the right class's term uses ln_1p of it.
        let mut off = 0.0;
        let mut gain = 0.0;
        for (k, &a) in alpha.iter().enumerate() {
            let q = -a;
            if k != class && q > 0.0 {
                off += q;
                gain -= q * (q / c).ln();
            }
        }
        if off < c { gain - (c - off) * (-off / c).ln_1p() } else { gain }
    }
}
