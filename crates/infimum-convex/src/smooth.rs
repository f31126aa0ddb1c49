//! What Newton methods need beyond [`Losses`]: curvature, its products, and derivatives along a line.

use infimum_rigor::vectorized;

use crate::frame::Losses;
use crate::tracker::Tracker;

/// Outputs (k, l) of a term of a row's Hessian `Σ w e eᵀ`: `e = e_k − e_l`, l < k, or `e = e_k` where there is no l.
pub(crate) type Term = (usize, Option<usize>);

/// Losses with a (generalised) Hessian. A `curvature` is one number per row and output, of which the Hessian of a row is made.
pub(crate) trait SmoothLosses: Losses {
    /// `alpha = −c·∂loss(z)` (inside the domain) and the curvature at z; where a loss has a majorant, at least `floor` ≥ 0 times
    /// the majorant's.
    fn derivatives(&self, z: &[f64], floor: f64, alpha: &mut [f64], curvature: &mut [f64]);
    /// `out_i = H_i dz_i`, the Hessians of the rows (weights included) times a direction of the outputs.
    fn curve(&self, curvature: &[f64], dz: &[f64], out: &mut [f64]);
    /// Whether the losses are their own quadratic models.
    fn is_quadratic(&self) -> bool {
        false
    }
    /// `out_i −= step·H_i e_k`: row i of n × outputs.
    fn pull(&self, curvature: &[f64], i: usize, k: usize, step: f64, out: &mut [f64]);
    /// `out_i −= H_i dz_i`.
    fn subtract_curved(&self, curvature: &[f64], dz: &[f64], outputs: usize, out: &mut [f64]) {
        vectorized(
            #[inline(always)]
            || {
                for i in 0..dz.len() / outputs {
                    for k in 0..outputs {
                        self.pull(curvature, i, k, dz[i * outputs + k], out);
                    }
                }
            },
        );
    }
    /// The terms that each row's Hessian is a sum of.
    fn terms(&self) -> Vec<Term>;
    /// The weight w ≥ 0 of a term in row i; of (k, none) the diagonal of `H_i`.
    fn term(&self, curvature: &[f64], i: usize, term: Term) -> f64;
    /// Diagonal of `H_i`: row i, output k.
    #[inline(always)]
    fn diagonal(&self, curvature: &[f64], i: usize, k: usize) -> f64 {
        self.term(curvature, i, (k, None))
    }
    /// First and second derivative of `t ↦ Σ c·loss(y, z + t·dz)`.
    fn along(&self, z: &[f64], dz: &[f64], t: f64) -> (f64, f64);
}

/// Share of the losses' majorants below which no row's curvature falls in the next step: what the last step's model promised to
/// gain of the value, which falls with the gap. Huber's loss has no curvature where it is linear. Far from the optimum its
/// majorants are safe steps; near it they only keep the system regular, and being in it they leave `alpha − H dz` what it is.
pub(crate) fn floor_after(promised: f64, value: f64) -> f64 {
    (promised / value.abs().max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
}

/// Minimises `φ(t) = Σ c·loss(z + t dz) + penalty(t)` by safeguarded Newton on φ′, from t = 1; φ is convex and φ′(0) =
/// `slope` < 0; `penalty` gives the penalty's first and second derivative. Ends when |φ′| has fallen to a thousandth, the
/// bracket has closed, or the tracker says stop. A point where φ′ overflows is beyond the minimiser; where Newton's steps come
/// down an exponential by one at a time, every other step halves the bracket.
pub(crate) fn line_search(
    losses: &impl SmoothLosses,
    z: &[f64],
    dz: &[f64],
    penalty: impl Fn(f64) -> (f64, f64),
    slope: f64,
    tracker: &Tracker,
) -> f64 {
    let (mut below, mut above) = (0.0f64, f64::INFINITY);
    let mut t = 1.0f64;
    for count in 0..40 {
        let (first, second) = losses.along(z, dz, t);
        let (more_first, more_second) = penalty(t);
        let (first, second) = (first + more_first, second + more_second);
        if first.abs() <= 1e-3 * slope.abs() || first.is_nan() || tracker.stop().is_some() {
            break;
        }
        if first == f64::INFINITY {
            above = t;
            t = below + 0.1 * (t - below);
            continue;
        }
        if first > 0.0 {
            above = t;
        } else {
            below = t;
        }
        let newton = t - first / second;
        let halve = count >= 8 && count % 2 == 0 && above.is_finite();
        let inside = newton > below && newton < above && newton.is_finite() && !halve;
        t = match (inside, above.is_finite()) {
            (true, true) => newton,
            (true, false) => newton.min(10.0 * t),
            (false, true) => 0.5 * (below + above),
            (false, false) => 10.0 * t,
        };
        if above.is_finite() && above - below <= 1e-12 * above {
            break;
        }
    }
    t
}
