//! Newton–Cholesky for smooth one-output losses with few columns.
//!
//! Each iteration solves `(Xᵀ H X + λ2 S²) s = −∇U` with H = diag(c·loss″) and moves to `w + t s`, where t minimises U
//! along s *exactly*: the outputs z and dz = X s are cached, so that every trial t costs O(n) (notes: plain
//! backtracking needed more than 54 iterations on ill-conditioned data where this needs 14). The invariant is
//! `z = X w + b` for the current point.
//!
//! The dual point is that of the Newton model, `alpha − H dz`: at the minimiser of the quadratic model it satisfies
//! `Xᵀ alpha = ∇penalty` and `Σ alpha = 0` exactly, so clipping to the domain is the only repair it needs; it was
//! measured 10 to 450 times tighter than `alpha = −c·loss′(z)`.

use infimum_problem::Intercept;

use crate::cholesky::Cholesky;
use crate::design;
use crate::frame::{Frame, Losses, Point};
use crate::gram::weighted_gram;
use crate::losses::ScalarLoss;
use crate::scalar::ScalarLosses;
use crate::tracker::Tracker;

/// Without any penalty a separating point is scaled up to this margin: each logistic loss is then below 1e-13.
const SEPARATING_MARGIN: f64 = 30.0;

/// Minimises a smooth one-output problem from the tracker's point.
pub(crate) fn solve<L: ScalarLoss>(frame: &Frame, losses: &ScalarLosses<L>, tracker: &mut Tracker) {
    let (n, d) = (frame.rows(), frame.columns());
    let constant = frame.has_intercept();
    let unpenalised = frame.penalty.lambda2 == 0.0;
    let intercept_curvature = if frame.intercept == Intercept::Penalized { frame.penalty.lambda2 } else { 0.0 };
    let mut point = tracker.point.clone();
    let mut z = vec![0.0; n];
    let mut upper = frame.upper(losses, &point, &mut z);
    let (mut alpha, mut h, mut dz) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let (mut v, mut sums) = (vec![0.0; d], vec![0.0; 1]);
    let mut damping = 0.0f64;
    let mut idle = 0;
    while !tracker.done() {
        losses.derivatives(&z, &mut alpha, &mut h);
        design::transpose_multiply(frame.matrix, &alpha, &mut v, &mut sums);
        let mut step: Vec<f64> = (0..d).map(|j| v[j] - frame.penalty.l2(j) * point.weights[j]).collect();
        if constant {
            step.push(sums[0] - intercept_curvature * point.intercepts[0]);
        }
        let gradient = step.clone();
        let mut hessian = weighted_gram(frame.matrix, &h, constant);
        for j in 0..d {
            hessian[(j, j)] += frame.penalty.l2(j);
        }
        if constant {
            hessian[(d, d)] += intercept_curvature;
        }
        if tracker.stop().is_some() {
            return;
        }
        let Some(factor) = Cholesky::new(hessian, damping) else {
            tracker.trouble = Some("the Hessian is not finite: rescale the columns".into());
            return;
        };
        factor.solve(&mut step);
        let step_intercept = if constant { step[d] } else { 0.0 };
        design::multiply(frame.matrix, &step[..d], &[step_intercept], &mut dz);

        // Dual point of the Newton model.
        alpha.iter_mut().zip(&h).zip(&dz).for_each(|((a, h), dz)| *a -= h * dz);
        let lower = frame.lower(losses, &mut alpha, &mut v);
        let mut progress = tracker.offer_dual(lower, &alpha);

        // U(point + t·step) − its loss part is a quadratic in t.
        let mut linear = intercept_curvature * point.intercepts[0] * step_intercept;
        let mut quadratic = intercept_curvature * step_intercept * step_intercept;
        for j in 0..d {
            linear += frame.penalty.l2(j) * point.weights[j] * step[j];
            quadratic += frame.penalty.l2(j) * step[j] * step[j];
        }
        let slope: f64 = -gradient.iter().zip(&step).map(|(g, s)| g * s).sum::<f64>();
        let t = line_search(losses, &z, &dz, linear, quadratic, slope);
        z.iter_mut().zip(&dz).for_each(|(z, dz)| *z += t * dz);
        point.weights.iter_mut().zip(&step).for_each(|(w, s)| *w += t * s);
        point.intercepts[0] += t * step_intercept;
        let value = losses.value(&z) + frame.penalty_value(&point);
        // Damping follows the length of the exact step: a model that is trusted needs none.
        damping = match t {
            t if !(0.05..=20.0).contains(&t) => (10.0 * damping).max(1e-10).min(1e2),
            t if t > 0.5 => {
                if damping < 1e-12 {
                    0.0
                } else {
                    0.1 * damping
                }
            }
            _ => damping,
        };
        progress |= value < upper * (1.0 - 1e-15);
        upper = value;
        tracker.offer_point(value, &point);
        tracker.explored += 1;
        tracker.report("newton");
        if unpenalised && separated(frame, losses, &point, &z, tracker) {
            return;
        }
        idle = if progress { 0 } else { idle + 1 };
        if idle == 4 {
            tracker.trouble = Some("Newton steps improve neither bound any more (limit of double precision)".into());
            return;
        }
    }
}

/// Without penalty: if every margin is positive, scales the point up and offers it. Then the infimum is 0.
fn separated<L: ScalarLoss>(
    frame: &Frame,
    losses: &ScalarLosses<L>,
    point: &Point,
    z: &[f64],
    tracker: &mut Tracker,
) -> bool {
    let Some(margin) = losses.separation(z) else {
        return false;
    };
    let mut scaled = point.clone();
    let factor = (SEPARATING_MARGIN / margin).max(1.0);
    scaled.weights.iter_mut().chain(&mut scaled.intercepts).for_each(|w| *w *= factor);
    let upper = frame.upper(losses, &scaled, &mut vec![0.0; z.len()]);
    tracker.offer_point(upper, &scaled);
    tracker.report("separated");
    true
}

/// Minimises `φ(t) = Σ c·loss(z + t dz) + linear·t + quadratic·t²/2` by safeguarded Newton on φ′, from t = 1; φ is
/// convex and φ′(0) = `slope` < 0. Ends when |φ′| has fallen to a thousandth, or the bracket has closed.
pub(crate) fn line_search<L: ScalarLoss>(
    losses: &ScalarLosses<L>,
    z: &[f64],
    dz: &[f64],
    linear: f64,
    quadratic: f64,
    slope: f64,
) -> f64 {
    let (mut below, mut above) = (0.0f64, f64::INFINITY);
    let mut t = 1.0f64;
    for _ in 0..40 {
        let (first, second) = losses.along(z, dz, t);
        let (first, second) = (first + linear + quadratic * t, second + quadratic);
        if first.abs() <= 1e-3 * slope.abs() || !first.is_finite() {
            break;
        }
        if first > 0.0 {
            above = t
        } else {
            below = t
        }
        let newton = t - first / second;
        let inside = newton > below && newton < above && newton.is_finite();
        t = match (inside, above.is_finite()) {
            (true, true) => newton,
            (true, false) => newton.min(10.0 * t),
            (false, true) => 0.5 * (below + above),
            (false, false) => 10.0 * t,
        };
        if above - below <= 1e-12 * above {
            break;
        }
    }
    t
}
