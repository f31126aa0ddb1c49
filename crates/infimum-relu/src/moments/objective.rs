//! What is minimised over the outputs at the distinct points: the losses, those with kinks smoothed by the barrier of the path.
//!
//! A loss with kinks that this project knows is piecewise linear: `L(f) = max_α [g(α) − αf]` with g piecewise linear on [low, high] and
//! its only kink at 0. It is a sum of at most two losses whose g is linear, on [low, 0] and [0, high], or on [low, high] if there is no kink.
//! Each is smoothed, `L_μ(f) = max_α [slope·α − αf + μ ln((α − low)(high − α)) − 2μ ln((high − low)/2)] ≤ L(f)`; the maximiser is the root of a
//! quadratic, and −α is the slope of L_μ. The sum of both α lies in the domain of g.

use crate::Instance;

/// Value, dual point and curvature at given outputs.
#[derive(Debug, Clone, Default)]
pub(super) struct Sloped {
    /// `L(Z)`.
    pub(super) value: f64,
    /// `−∂L/∂Z`, n × K.
    pub(super) alpha: Vec<f64>,
    /// The same added up over the rows of each point, M × K.
    pub(super) weights: Vec<f64>,
    /// `∂²L/∂F²` at the points, M × K; of softmax a diagonal matrix that is larger than the Hessian.
    pub(super) curvature: Vec<f64>,
}

/// The losses of a problem as a function of the outputs F at the points, M × K.
pub(super) struct Objective<'a> {
    instance: &'a Instance<'a>,
    kind: Kind,
}

/// What kind of losses.
pub(super) enum Kind {
    /// Smooth, each of one output.
    Smooth,
    /// Smooth, of all outputs of a row together: softmax.
    Coupled,
    /// With kinks: the parts of each entry.
    Kinked(Vec<[Option<Piece>; 2]>),
}

/// A loss with a linear g on an interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    low: f64,
    high: f64,
    slope: f64,
}

impl<'a> Objective<'a> {
    /// The losses of `instance`.
    pub(super) fn losses(instance: &'a Instance<'a>) -> Objective<'a> {
        let kind = match (instance.losses.is_smooth(), is_coupled(instance)) {
            (false, _) => Kind::Kinked(pieces(instance)),
            (true, true) => Kind::Coupled,
            (true, false) => Kind::Smooth,
        };
        Objective { instance, kind }
    }

    /// Number of logarithms that smooth the losses.
    pub(super) fn logarithms(&self) -> usize {
        match &self.kind {
            Kind::Kinked(pieces) => 2 * pieces.iter().flatten().flatten().count(),
            Kind::Smooth | Kind::Coupled => 0,
        }
    }

    /// The objective, not smoothed.
    pub(super) fn value(&self, f: &[f64]) -> f64 {
        self.instance.losses.value(&spread(self.instance, f))
    }

    /// The objective smoothed with μ.
    pub(super) fn at(&self, f: &[f64], mu: f64) -> Sloped {
        let Objective { instance, kind } = self;
        let (z, outputs) = (spread(instance, f), instance.outputs);
        let (mut alpha, mut curvature) = (vec![0.0; z.len()], vec![0.0; z.len()]);
        let value = if let Kind::Kinked(pieces) = kind {
            let mut value = 0.0;
            for (entry, pieces) in pieces.iter().enumerate() {
                for piece in pieces.iter().flatten() {
                    let smooth = piece.smoothed(z[entry], mu);
                    value += smooth.0;
                    alpha[entry] += smooth.1;
                    curvature[entry] += smooth.2;
                }
            }
            value
        } else {
            instance.losses.derivatives(&z, &mut alpha, &mut curvature);
            if matches!(kind, Kind::Coupled) {
                majorise(instance, &mut curvature);
            }
            instance.losses.value(&z)
        };
        let mut sloped = Sloped { value, alpha, weights: vec![0.0; f.len()], curvature: vec![0.0; f.len()] };
        for (i, &p) in instance.point_of.iter().enumerate() {
            for k in 0..outputs {
                sloped.weights[p as usize * outputs + k] += sloped.alpha[i * outputs + k];
                sloped.curvature[p as usize * outputs + k] += curvature[i * outputs + k];
            }
        }
        sloped
    }
}

/// Outputs at the points become those at the rows.
fn spread(instance: &Instance, f: &[f64]) -> Vec<f64> {
    let outputs = instance.outputs;
    instance.point_of.iter().flat_map(|&p| &f[p as usize * outputs..][..outputs]).copied().collect()
}

/// Whether an output has an influence on the slopes of another.
pub(crate) fn is_coupled(instance: &Instance) -> bool {
    let (size, outputs) = (instance.rows() * instance.outputs, instance.outputs);
    if outputs == 1 || size == 0 || !instance.losses.is_smooth() {
        return false;
    }
    let (mut alpha, mut curvature, mut unit) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
    instance.losses.derivatives(&unit, &mut alpha, &mut curvature);
    unit[0] = 1.0;
    instance.losses.curve(&curvature, &unit, &mut alpha);
    alpha[1] != 0.0
}

/// `c·diag(p)` instead of the probabilities p of softmax: `diag(p) − p pᵀ` is smaller. The domain of an entry is c wide.
fn majorise(instance: &Instance, curvature: &mut [f64]) {
    for (entry, h) in curvature.iter_mut().enumerate() {
        let (low, high) = instance.losses.domain(entry / instance.outputs, entry % instance.outputs);
        *h *= high - low;
    }
}

fn pieces(instance: &Instance) -> Vec<[Option<Piece>; 2]> {
    let (n, outputs) = (instance.rows(), instance.outputs);
    let domain = |entry: usize| instance.losses.domain(entry / outputs, entry % outputs);
    let slopes = |end: fn((f64, f64)) -> f64| {
        let inside: Vec<f64> = (0..n * outputs).map(|entry| 0.5 * end(domain(entry))).collect();
        let mut out = vec![0.0; inside.len()];
        instance.losses.gain_slope(&inside, &mut out);
        out
    };
    let (below, above) = (slopes(|domain| domain.0), slopes(|domain| domain.1));
    (0..n * outputs)
        .map(|entry| {
            let (low, high) = domain(entry);
            let piece = |low: f64, high: f64, slope: f64| (high > low).then_some(Piece { low, high, slope });
            // Where one side has no width its slope means nothing.
            if low < 0.0 && high > 0.0 && below[entry] == above[entry] {
                [piece(low, high, above[entry]), None]
            } else {
                [piece(low, 0.0, below[entry]), piece(0.0, high, above[entry])]
            }
        })
        .collect()
}

impl Piece {
    /// `L_μ(f)`, α and the curvature.
    fn smoothed(&self, f: f64, mu: f64) -> (f64, f64, f64) {
        let Piece { low, high, slope } = *self;
        let (width, delta) = (high - low, f - slope);
        let size = delta.abs() * width;
        let near = 2.0 * mu * width / (size + 2.0 * mu + (size * size + 4.0 * mu * mu).sqrt());
        let (left, right) = if delta > 0.0 { (near, width - near) } else { (width - near, near) };
        let alpha = if left < right { low + left } else { high - right };
        let curvature = 1.0 / (mu * (1.0 / (left * left) + 1.0 / (right * right)));
        let logarithms = (2.0 * left / width).ln() + (2.0 * right / width).ln();
        ((slope - f) * alpha + mu * logarithms, alpha, curvature)
    }
}
