//! Softmax loss `ln Σ_k exp(z_k) − z_y` of K outputs.

/// Softmax loss of one example; a namespace of its formulas on slices of length K.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax;

impl Softmax {
    /// Loss at outputs `z` of an example of class `class`.
    #[inline]
    pub(crate) fn value(class: usize, z: &[f64]) -> f64 {
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if z[class] == top {
            // ln(1 + rest) keeps relative accuracy when the example is fitted well.
            let rest: f64 = (0..z.len()).filter(|&k| k != class).map(|k| (z[k] - top).exp()).sum();
            return rest.ln_1p();
        }
        z.iter().map(|z| (z - top).exp()).sum::<f64>().ln() + (top - z[class])
    }

    /// The K softmax probabilities at outputs `z`.
    #[inline]
    pub(crate) fn probabilities(z: &[f64], probabilities: &mut [f64]) {
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (p, &output) in probabilities.iter_mut().zip(z) {
            *p = (output - top).exp();
            sum += *p;
        }
        let inverse = 1.0 / sum;
        probabilities.iter_mut().for_each(|p| *p *= inverse);
    }

    /// First and second derivative of `t ↦ loss(z + t·dz)`.
    #[inline]
    pub(crate) fn along(class: usize, z: &[f64], dz: &[f64], t: f64) -> (f64, f64) {
        let moved = |k: usize| z[k] + t * dz[k];
        let top = (0..z.len()).map(moved).fold(f64::NEG_INFINITY, f64::max);
        // Differences to the own class keep the moments small where one class has nearly all the mass.
        let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
        for k in 0..z.len() {
            let (weight, step) = ((moved(k) - top).exp(), dz[k] - dz[class]);
            mass += weight;
            first += weight * step;
            second += weight * (step * step);
        }
        let mean = first / mass;
        (mean, (second / mass - mean * mean).max(0.0))
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
