//! `ln Σ_k exp(z_k) − z_y`; g = −Σ_k q_k ln(q_k/c), q_k = c·[k = y] − α_k ≥ 0, for Σ_k α_k = 0.

use infimum_rigor::{ExactSum, Interval, Sum, exp, ln, ln_1p};

/// Softmax loss on K outputs.
pub(crate) struct Softmax;

impl Softmax {
    /// A number that the loss does not exceed for outputs in the enclosures: increasing in every z_k, k ≠ y, and
    /// decreasing in z_y, so the ends decide. With s = Σ_{k≠y} exp(z_k − z_y) the loss is ln(1 + s); where a difference is
    /// large, the largest one is taken out first.
    pub(crate) fn upper(class: usize, z: &[Interval]) -> f64 {
        let own = Interval::point(z[class].lower);
        let differences: Vec<Interval> =
            (0..z.len()).filter(|&k| k != class).map(|k| Interval::point(z[k].upper) - own).collect();
        let top = differences.iter().map(|difference| difference.upper).fold(0.0, f64::max);
        if !top.is_finite() {
            return f64::INFINITY;
        }
        let shift = Interval::point(top);
        let mut sum = Sum::new();
        for &difference in &differences {
            sum.add(exp(difference - shift).upper);
        }
        if top == 0.0 {
            return ln_1p(sum.enclose()).upper;
        }
        sum.add(exp(-shift).upper);
        (ln(sum.enclose()) + shift).upper
    }

    /// Why α lies outside the domain, or `None`: row sum exactly 0, off-class α ≤ 0, own α ≤ c (then every q ≥ 0).
    pub(crate) fn outside(class: usize, c: f64, alpha: &[f64]) -> Option<String> {
        let mut total = ExactSum::new();
        for (k, &a) in alpha.iter().enumerate() {
            total.add(a);
            if k != class && !(a <= 0.0) {
                return Some(format!("α for the wrong class {k} is {a:e}, expected ≤ 0"));
            }
        }
        if !(alpha[class] <= c) {
            return Some(format!("α for the own class is {:e}, expected ≤ c = {c:e}", alpha[class]));
        }
        (!total.is_zero()).then(|| "the α of the row do not add up to exactly 0".to_string())
    }

    /// Adds terms whose exact sum does not exceed g(α).
    pub(crate) fn add_gain(sum: &mut Sum, class: usize, c: f64, alpha: &[f64]) {
        let weight = Interval::point(c);
        for (k, &a) in alpha.iter().enumerate() {
            if k != class && a < 0.0 {
                let q = Interval::point(-a);
                let share = q.divide_by_positive(weight);
                // q ≤ c, so the term is not negative, whatever an underflow of the share hides.
                sum.add((-(q * ln(share))).lower.max(0.0));
            }
        }
        // Own class: q = c − α_y, −q ln(1 − α_y/c).
        let own = Interval::point(alpha[class]);
        let q = weight - own;
        let share = own.divide_by_positive(weight);
        if q.lower > 0.0 && share.upper < 1.0 {
            sum.add((-(q * ln_1p(-share))).lower.max(0.0));
        }
    }
}
