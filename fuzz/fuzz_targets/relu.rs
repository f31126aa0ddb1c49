//! Any bytes as a certificate of rung 4, and certificates about XOR whose network, α and witnesses the bytes say: the checker answers or refuses, never
//! panics, and never accepts a bound below the maximum.
#![no_main]

use std::sync::LazyLock;

use infimum_check::{check_relu, check_relu_problem};
use infimum_data::{Loaded, Request, load};
use infimum_problem::{
    Basis, BoundProof, Cluster, Clusters, ConeNode, Cones, Ending, HiddenBias, Intercept, Loss, Moments, ReluCertificate,
    ReluClaim, ReluNet, Strength, Witness,
};

const XOR: &str = "builtin:xor";

/// The four corners of a square; β = 4.
static PROBLEM: LazyLock<Loaded> = LazyLock::new(|| {
    let request = Request {
        loss: Some(Loss::SquaredHinge),
        intercept: Some(Intercept::Penalized),
        strength: Some(Strength::C(0.25)),
        ..Request::default()
    };
    load(XOR, &request).expect("built in")
});

/// Numbers out of bytes, 0 when they have come to an end.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Ordinary numbers mostly, all others now and then.
    fn double(&mut self) -> f64 {
        match self.byte() {
            special @ 0..16 => [
                0.0,
                -0.0,
                1.0,
                -1.0,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MAX,
                f64::MIN,
                5e-324,
                -5e-324,
                1e308,
                1e-308,
                1e200,
                1e-200,
                f64::EPSILON,
            ][usize::from(special)],
            scale => f64::from(self.byte() as i8) * 2f64.powi(i32::from(scale % 16) - 10),
        }
    }

    fn list<T>(&mut self, most: u8, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % (most + 1)).map(|_| one(self)).collect()
    }

    fn witness(&mut self) -> Witness {
        let bound = self.double();
        let proof = match self.byte() % 11 {
            0 => BoundProof::Norms,
            8.. => BoundProof::Clusters(Clusters {
                clusters: self.list(4, |numbers| {
                    let k = usize::from(numbers.byte() % 4);
                    Cluster {
                        rows: (0..k).map(|_| u32::from(numbers.byte() % 5)).collect(),
                        theta: (0..k).map(|_| numbers.double()).collect(),
                        lengths: (0..2 * k).map(|_| numbers.double()).collect(),
                        vectors: (0..6 * k).map(|_| numbers.double() as f32).collect(),
                        products: (0..2 * k * k.saturating_sub(1)).map(|_| numbers.double() as f32).collect(),
                    }
                }),
                lambda: self.double(),
                s: self.double(),
            }),
            1..4 => BoundProof::Moments(Moments {
                tau: (0..4).map(|_| self.double()).collect(),
                g: if self.byte() % 2 == 0 { vec![] } else { (0..12).map(|_| self.double() as f32).collect() },
                sigma: (0..4).map(|_| self.double()).collect(),
                lambda: self.double(),
                s: self.double(),
            }),
            _ => {
                let basis = (self.byte() % 4 == 0).then(|| Basis {
                    columns: self.list(3, |numbers| u32::from(numbers.byte() % 5)),
                    coefficients: self.list(9, Numbers::double),
                });
                let r = basis.as_ref().map_or(3, |basis| basis.columns.len());
                let nodes = self.list(60, |numbers| match numbers.byte() % 3 {
                    0 => ConeNode::Split {
                        from: numbers.byte() % 4,
                        to: numbers.byte() % 4,
                        weights: (numbers.double(), numbers.double()),
                    },
                    _ => ConeNode::Leaf {
                        q: (0..r).map(|_| numbers.double()).collect(),
                        slopes: numbers.list(4, |numbers| (u32::from(numbers.byte() % 6), numbers.byte() % 140)),
                    },
                });
                BoundProof::Cones(Cones { basis, fan: (0..r).map(|_| self.double()).collect(), nodes })
            }
        };
        Witness { bound, proof }
    }
}

/// `Σ_p w_p relu(x_p·u)` at directions all around: not above the maximum over the unit ball.
fn found(rows: &[f64], w: &[f64]) -> f64 {
    let mut best = 0.0f64;
    for code in 1..9i32.pow(3) {
        let u = [code % 9 - 4, code / 9 % 9 - 4, code / 81 - 4].map(f64::from);
        let norm = u.iter().map(|u| u * u).sum::<f64>().sqrt();
        let value = |(x, w): (&[f64], &f64)| w * x.iter().zip(&u).map(|(x, u)| x * u).sum::<f64>().max(0.0);
        if norm > 0.0 {
            best = best.max(rows.chunks_exact(3).zip(w).map(value).sum::<f64>() / norm);
        }
    }
    best
}

fn made(numbers: &mut Numbers, loaded: &Loaded) -> ReluCertificate {
    let objective = &loaded.problem.objective;
    let width = usize::from(numbers.byte() % 3);
    let mut doubles = |count: usize| -> Vec<f64> { (0..count).map(|_| numbers.double()).collect() };
    let net = ReluNet {
        outputs: 1,
        columns: 2,
        width,
        hidden: doubles(2 * width),
        hidden_biases: doubles(width),
        output: doubles(width),
        output_biases: doubles(1),
    };
    let dual = doubles(4);
    let claim = ReluClaim {
        version: 1,
        kind: "relu".into(),
        source: loaded.source.clone(),
        recipe: loaded.recipe.clone(),
        problem_sha256: loaded.problem_sha256.clone(),
        hidden_bias: HiddenBias::Penalized,
        lambda2: objective.lambda2,
        rows: 4,
        columns: 2,
        outputs: 1,
        width,
        total_weight: loaded.problem.data.total_weight,
        lower: -1e300,
        upper: 1e300,
        gap: 0.0,
        abs_gap: 0.0,
        ending: Ending::Stalled,
    };
    ReluCertificate { claim, net, dual, witnesses: vec![numbers.witness(), numbers.witness()] }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check_relu(bytes, XOR);
    let certificate = made(&mut Numbers(bytes), &PROBLEM);
    let checked = check_relu_problem(&PROBLEM.problem, &certificate);
    if checked.is_ok() {
        // The rows of XOR are distinct, so that α are the weights of the rows.
        let mut rows = Vec::new();
        let visited = PROBLEM.problem.data.matrix.for_each_row(|_, row| {
            let mut own = vec![0.0, 0.0, 1.0];
            row.for_each(|j, x| own[j] = x);
            rows.extend(own);
        });
        assert!(visited.is_ok());
        let mut w = certificate.dual.clone();
        for witness in &certificate.witnesses {
            assert!(witness.bound >= found(&rows, &w) * (1.0 - 1e-12), "{certificate:?}");
            w.iter_mut().for_each(|w| *w = -*w);
        }
    }
    if let Ok(written) = certificate.to_bytes() {
        let read = check_relu(&written, XOR);
        assert!(read.is_err() || checked.is_ok(), "{certificate:?}");
    }
});
