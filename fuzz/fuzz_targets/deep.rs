//! Any bytes as a certificate of rung 5, and certificates about XOR whose architecture, parameters, α and witnesses the bytes say: the checker answers or refuses, never
//! panics, and never accepts a bound above the objective of the recorded network.
#![no_main]

use std::sync::LazyLock;

use infimum_check::{check_deep, check_deep_problem, deep_lower, deep_upper};
use infimum_data::{Loaded, Request, load};
use infimum_problem::deep::{
    Activation, Architecture, DeepCertificate, DeepClaim, DeepWitness, Evaluation, Layer, OutputWitness, Padding,
    Plane, Scaling, buffers, parameters,
};
use infimum_problem::{BoundProof, Ending, Intercept, Loss, Moments, Strength, Witness};

const XOR: &str = "builtin:xor";

fn problem(intercept: Intercept) -> Loaded {
    let request = Request {
        loss: Some(Loss::SquaredHinge),
        intercept: Some(intercept),
        strength: Some(Strength::C(0.25)),
        ..Request::default()
    };
    load(XOR, &request).expect("built in")
}

/// The four corners of a square, with an output bias and without.
static PROBLEMS: LazyLock<[Loaded; 2]> = LazyLock::new(|| [problem(Intercept::None), problem(Intercept::Penalized)]);

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
                1e38,
                1e-38,
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

    fn layer(&mut self, depth: usize) -> Layer {
        let (size, bias) = (usize::from(self.byte() % 4), self.byte() % 2 == 0);
        match self.byte() % 16 {
            0..4 => Layer::Dense { units: size, bias },
            4..8 => Layer::Activation { function: Activation::ALL[usize::from(self.byte()) % 6] },
            8 => Layer::Convolution {
                channels: size,
                kernel: [usize::from(self.byte() % 4), 1],
                stride: usize::from(self.byte() % 3),
                padding: if bias { Padding::Same } else { Padding::Valid },
                bias,
            },
            9 => Layer::MaxPooling { size, stride: usize::from(self.byte() % 3) },
            10 => Layer::AveragePooling { size, stride: usize::from(self.byte() % 3) },
            11 => Layer::GlobalAveragePooling,
            12 => Layer::Flatten,
            13 => Layer::BatchNormalization { epsilon: self.double(), momentum: 0.1 },
            14 if depth < 2 => Layer::Residual {
                body: self.list(3, |numbers| numbers.layer(depth + 1)),
                shortcut: self.list(1, |numbers| numbers.layer(depth + 1)),
            },
            14 => Layer::LayerNormalization { epsilon: self.double() },
            _ if bias => Layer::Embedding { vocabulary: size + 1, width: 2 },
            _ => Layer::Attention { heads: size, causal: size == 1 },
        }
    }

    /// Networks of the theorems mostly.
    fn architecture(&mut self, bias: bool) -> Architecture {
        let input = [vec![2], vec![1, 2], vec![2, 1], vec![1, 2, 1], vec![2, 1, 1]]
            [usize::from(self.byte() % 8).min(4) % 5]
            .clone();
        let mut layers = match self.byte() % 4 {
            0 => self.list(5, |numbers| numbers.layer(0)),
            depth => (0..depth)
                .flat_map(|_| {
                    let units = 1 + usize::from(self.byte() % 3);
                    let dense = Layer::Dense { units, bias: self.byte() % 2 == 0 };
                    [dense, Layer::Activation { function: Activation::Relu }]
                })
                .collect(),
        };
        layers.push(Layer::Dense { units: 1, bias });
        let scaling = Scaling {
            shift: self.list(1, |numbers| numbers.double() as f32),
            scale: self.list(1, |numbers| numbers.double() as f32),
        };
        Architecture { input, scaling, layers }
    }

    fn witness(&mut self) -> Witness {
        let bound = self.double();
        let rows = 4;
        let proof = match self.byte() % 4 {
            0..3 => BoundProof::Norms,
            _ => BoundProof::Moments(Moments {
                tau: (0..rows).map(|_| self.double()).collect(),
                g: Vec::new(),
                sigma: (0..rows).map(|_| self.double()).collect(),
                lambda: self.double(),
                s: self.double(),
            }),
        };
        Witness { bound, proof }
    }

    fn plane(&mut self) -> Plane {
        let output = |numbers: &mut Self| OutputWitness {
            slopes: numbers.list(4, |numbers| numbers.double() as f32),
            whole: numbers.witness(),
            rest: (numbers.byte() % 2 == 0).then(|| numbers.witness()),
        };
        Plane {
            dual: (0..4).map(|_| self.double() as f32).collect(),
            scales: self.list(3, |numbers| numbers.double() as f32),
            outputs: self.list(1, |numbers| [output(numbers), output(numbers)]),
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = check_deep(bytes, XOR);
    let mut numbers = Numbers(bytes);
    let bias = numbers.byte() % 2 == 1;
    let loaded = &PROBLEMS[usize::from(bias)];
    let problem = &loaded.problem;
    let architecture = numbers.architecture(bias);
    let (Ok(own), Ok(running)) = (parameters(&architecture), buffers(&architecture)) else { return };
    let mut singles = |list: &[infimum_problem::deep::Parameter]| -> Vec<f32> {
        (0..list.last().map_or(0, |last| last.range.end)).map(|_| numbers.double() as f32).collect()
    };
    let (own, running) = (singles(&own), singles(&running));
    let witness = DeepWitness { planes: numbers.list(3, Numbers::plane) };
    let lower = deep_lower(problem, &architecture, &witness);
    let upper = deep_upper(problem, &architecture, &own, &running);
    if let (Ok(lower), Ok((upper, kind))) = (&lower, &upper) {
        let slack = if *kind == Evaluation::Proven { 0.0 } else { 1e-9 * upper.abs() };
        assert!(
            *lower <= upper + slack || upper.is_nan(),
            "{architecture:?} {own:?} {running:?} {witness:?}: {lower} {upper}"
        );
    }
    let claim = DeepClaim {
        version: 1,
        kind: "deep".into(),
        source: loaded.source.clone(),
        recipe: loaded.recipe.clone(),
        problem_sha256: loaded.problem_sha256.clone(),
        architecture,
        lambda2: problem.objective.lambda2,
        rows: 4,
        columns: 2,
        outputs: 1,
        total_weight: problem.data.total_weight,
        lower: -1e300,
        upper: 1e300,
        evaluation: Evaluation::Proven,
        gap: 0.0,
        abs_gap: 0.0,
        ending: Ending::Stalled,
    };
    let certificate = DeepCertificate { claim, parameters: own, buffers: running, witness };
    let checked = check_deep_problem(problem, &certificate);
    assert!(checked.is_err() || (lower.is_ok() && upper.is_ok()), "{certificate:?}");
    if let Ok(written) = certificate.to_bytes() {
        assert!(check_deep(&written, XOR).is_err() || checked.is_ok(), "{certificate:?}");
    }
});
