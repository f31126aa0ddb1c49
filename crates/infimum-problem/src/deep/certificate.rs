//! The certificate of rung 5: a network, what its objective is, and what is proven about all others of its architecture.
//!
//! Tensors of the container ([`crate::container`]): `parameters` and `buffers` (F32), `dual` (F32, planes × rows × outputs) and `planes` (U8).
//!
//! `planes` holds, in the number format of `bytes.rs`, for each plane: how many scales, the scales (singles), how many outputs have witnesses (all or 0),
//! and for each of them, for w = α and then for w = −α: how many slopes, the slopes (singles), the witness of the whole, and 0 or 1 and the witness of
//! the rest, both as in rung 4.

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::{Architecture, buffers, parameters};
use crate::bytes::{Reader, Writer};
use crate::container::{self, Container};
use crate::relu_certificate::{read_witness, write_witness};
use crate::{CertificateError, Ending, Recipe, Source, Witness};

/// What is known about the recorded network's objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evaluation {
    /// `upper` is proven: the checker encloses the objective.
    Proven,
    /// `upper` is what arithmetic in doubles gives; the network has layers that the checker does not enclose.
    Evaluated,
}

/// What a certificate of rung 5 claims about
///
/// ```text
/// U(θ) = Σ_i c_i·loss(y_i, f_θ(x̂_i)) + (λ2/2)‖θ‖²
/// ```
///
/// over all θ of the recorded architecture, x̂_i being the rows after its scaling, f_θ as it predicts (no dropout, running values of batch normalisations), θ all
/// trained parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepClaim {
    /// [`CERTIFICATE_VERSION`](crate::CERTIFICATE_VERSION).
    pub version: u32,
    /// `"deep"`.
    pub kind: String,
    /// Source file.
    pub source: Source,
    /// How the file becomes the problem; no kernel, no standardising, λ1 = 0, and an intercept that is penalised or none.
    pub recipe: Recipe,
    /// SHA-256 of the canonical problem, lower-case hex.
    pub problem_sha256: String,
    /// The network.
    pub architecture: Architecture,
    /// λ2 of the unnormalised sum.
    pub lambda2: f64,
    /// Number of training rows n.
    pub rows: usize,
    /// Number of features d.
    pub columns: usize,
    /// Number of outputs K.
    pub outputs: usize,
    /// Σ c_i.
    pub total_weight: f64,
    /// No network of the architecture has an unnormalised objective below this; nor, where dense and convolutional layers have other widths, those.
    pub lower: f64,
    /// The recorded network's unnormalised objective is at most this, or about this: see `evaluation`.
    pub upper: f64,
    /// Which of the two.
    pub evaluation: Evaluation,
    /// Gap that `Optimal` refers to: relative.
    pub gap: f64,
    /// Gap that `Optimal` refers to: absolute, of the unnormalised sum.
    pub abs_gap: f64,
    /// How the run ended; `Optimal` is a claim and is checked.
    pub ending: Ending,
}

/// A dual point, and why networks whose weight layers' norms have the product 1 gain at most so much from it (docs/deep.md): for each scale s,
/// `Σ c_i loss ≥ Σ_i g_i(s α_i) − s·M·ρ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// α, rows × outputs, row-major.
    pub dual: Vec<f32>,
    /// Factors s > 0.
    pub scales: Vec<f32>,
    /// One for each output; or none: the α of equal rows add up to exactly 0, and M = 0 for every model.
    pub outputs: Vec<[OutputWitness; 2]>,
}

/// Why `Σ_p w_p f(x̂_p) ≤ max(whole.bound, rest.bound)` for one output and one sign. p counts the distinct rows in the order in which they first appear,
/// with a constant 1 behind each where the network has biases, w_p is the sum of ±α over the rows equal to row p, `w⁺ = max(w, 0)`, `w⁻ = max(−w, 0)`.
/// (f ∈ conv{±relu(g)}, relu(t) ≥ a_p t on the rows with w_p < 0, and what is left is convex in g ∈ conv{±relu(g')}, …: docs/deep.md.)
#[derive(Debug, Clone, PartialEq)]
pub struct OutputWitness {
    /// `a_p` in [0, 1], one for each distinct row (those of rows with w_p ≥ 0 mean nothing); none: all 1, as for networks with one hidden layer.
    pub slopes: Vec<f32>,
    /// `Σ_p (w_p⁺ − a_p w_p⁻) relu(x̂_p·u) ≤ bound` for ‖u‖ ≤ 1.
    pub whole: Witness,
    /// `Σ_p a_p w_p⁻ relu(x̂_p·u) ≤ bound` for ‖u‖ ≤ 1; None with one hidden layer, which does not need it.
    pub rest: Option<Witness>,
}

/// The planes whose largest value is the bound at each ρ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeepWitness {
    /// Planes; the theorem about norms (docs/deep.md) needs none.
    pub planes: Vec<Plane>,
}

/// Claim and witness of rung 5.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepCertificate {
    /// What is claimed.
    pub claim: DeepClaim,
    /// θ in the order of [`parameters`].
    pub parameters: Vec<f32>,
    /// Running values in the order of [`buffers`].
    pub buffers: Vec<f32>,
    /// Witness of the bound.
    pub witness: DeepWitness,
}

impl DeepCertificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let singles = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let planes = &self.witness.planes;
        let dual = planes.iter().flat_map(|plane| singles(&plane.dual)).collect();
        let mut writer = Writer::default();
        planes.iter().for_each(|plane| write_plane(&mut writer, plane));
        let tensors = [
            ("parameters", Dtype::F32, vec![self.parameters.len()], singles(&self.parameters)),
            ("buffers", Dtype::F32, vec![self.buffers.len()], singles(&self.buffers)),
            ("dual", Dtype::F32, vec![planes.len(), self.claim.rows, self.claim.outputs], dual),
            ("planes", Dtype::U8, vec![writer.bytes.len()], writer.bytes),
        ];
        container::write(&self.claim, &tensors)
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<DeepCertificate, CertificateError> {
        let (container, claim) =
            Container::open(bytes, "deep", |claim: &DeepClaim| (claim.version, claim.kind.as_str()))?;
        let length = |list: Result<Vec<super::Parameter>, String>| {
            list.map(|list| list.last().map_or(0, |last| last.range.end)).map_err(CertificateError::Claim)
        };
        let lengths = [length(parameters(&claim.architecture))?, length(buffers(&claim.architecture))?];
        let count = container.length("dual");
        let arrays = container.tensors(&[
            ("parameters", Dtype::F32, vec![lengths[0]]),
            ("buffers", Dtype::F32, vec![lengths[1]]),
            ("dual", Dtype::F32, vec![count, claim.rows, claim.outputs]),
            ("planes", Dtype::U8, vec![container.length("planes")]),
        ])?;
        let singles = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(std::array::from_fn(|i| chunk[i]))).collect()
        };
        let malformed = || CertificateError::Container("tensor `planes` ends early or is malformed".into());
        let mut reader = Reader::new(arrays[3]);
        let mut planes = Vec::new();
        for place in 0..count {
            let size = arrays[2].len() / count;
            let dual = singles(&arrays[2][place * size..(place + 1) * size]);
            planes.push(read_plane(&mut reader, dual).ok_or_else(malformed)?);
        }
        if !reader.is_empty() {
            return Err(malformed());
        }
        let (parameters, buffers) = (singles(arrays[0]), singles(arrays[1]));
        Ok(DeepCertificate { claim, parameters, buffers, witness: DeepWitness { planes } })
    }
}

fn write_plane(writer: &mut Writer, plane: &Plane) {
    writer.put(plane.scales.len() as u64);
    plane.scales.iter().for_each(|&scale| writer.single(scale));
    writer.put(plane.outputs.len() as u64);
    for witness in plane.outputs.iter().flatten() {
        writer.put(witness.slopes.len() as u64);
        witness.slopes.iter().for_each(|&slope| writer.single(slope));
        write_witness(writer, &witness.whole);
        writer.bytes.push(u8::from(witness.rest.is_some()));
        if let Some(rest) = &witness.rest {
            write_witness(writer, rest);
        }
    }
}

fn read_plane(reader: &mut Reader, dual: Vec<f32>) -> Option<Plane> {
    let count = reader.count()?;
    let scales = (0..count).map(|_| reader.single()).collect::<Option<Vec<f32>>>()?;
    let mut outputs = Vec::new();
    for _ in 0..reader.count()? {
        outputs.push([read_output(reader)?, read_output(reader)?]);
    }
    Some(Plane { dual, scales, outputs })
}

fn read_output(reader: &mut Reader) -> Option<OutputWitness> {
    let count = reader.count()?;
    let slopes = (0..count).map(|_| reader.single()).collect::<Option<Vec<f32>>>()?;
    let whole = read_witness(reader)?;
    let rest = match reader.byte()? {
        0 => None,
        1 => Some(read_witness(reader)?),
        _ => return None,
    };
    Some(OutputWitness { slopes, whole, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CERTIFICATE_VERSION;
    use crate::deep::{Activation, Scaling};
    use crate::{BoundProof, ClassWeight, Format, Intercept, Loss, Moments, Recipe, Source, Strength, Task, kind_of};

    fn certificate() -> DeepCertificate {
        let recipe = Recipe {
            format: Format::Csv,
            header: true,
            target: "y".into(),
            more_targets: Vec::new(),
            sample_weight: None,
            task: Task::Regression,
            class_weight: ClassWeight::Uniform,
            split: None,
            subset: None,
            standardize: false,
            loss: Loss::Squared,
            intercept: Intercept::Penalized,
            strength: Strength::PerExample { l1: 0.0, l2: 0.5 },
            kernel: None,
        };
        let moments = Moments { tau: vec![1.0, 0.5], g: vec![0.25; 4], sigma: vec![-1.0, 0.0], lambda: 2.0, s: 0.1 };
        let moments = Witness { bound: 1.5, proof: BoundProof::Moments(moments) };
        let norms = Witness { bound: 3.0, proof: BoundProof::Norms };
        let witness = OutputWitness { slopes: vec![0.5, 0.25], whole: moments, rest: Some(norms.clone()) };
        let plane = Plane {
            dual: vec![0.5, -0.5],
            scales: vec![0.5, 2.0],
            outputs: vec![[witness, OutputWitness { slopes: vec![], whole: norms, rest: None }]],
        };
        let conflicts = Plane { dual: vec![0.0, 1.0], scales: vec![1.0], outputs: vec![] };
        let mut architecture = Architecture::dense(1, &[2, 1], 1, Activation::Relu, true, true);
        architecture.layers.insert(1, Layer::BatchNormalization { epsilon: 1e-5, momentum: 0.1 });
        architecture.scaling = Scaling { shift: vec![0.1], scale: vec![] };
        DeepCertificate {
            claim: DeepClaim {
                version: CERTIFICATE_VERSION,
                kind: "deep".into(),
                source: Source { path: "a.csv".into(), sha256: "00".into() },
                recipe,
                problem_sha256: "11".into(),
                architecture,
                lambda2: 1.0,
                rows: 2,
                columns: 1,
                outputs: 1,
                total_weight: 2.0,
                lower: 0.0,
                upper: 1.0,
                evaluation: Evaluation::Proven,
                gap: 1e-4,
                abs_gap: 0.0,
                ending: Ending::TimeLimit,
            },
            parameters: (0..13).map(|i| i as f32 / 7.0).collect(),
            buffers: vec![0.0, 0.5, 1.0, 2.0],
            witness: DeepWitness { planes: vec![plane, conflicts] },
        }
    }

    use crate::deep::Layer;

    #[test]
    fn what_is_written_is_read() {
        let certificate = certificate();
        let bytes = certificate.to_bytes().unwrap();
        assert_eq!(kind_of(&bytes).unwrap(), "deep");
        assert_eq!(DeepCertificate::from_bytes(&bytes).unwrap(), certificate);
    }

    #[test]
    fn damage_is_found() {
        let bytes = certificate().to_bytes().unwrap();
        for place in 0..bytes.len() {
            assert!(DeepCertificate::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(DeepCertificate::from_bytes(&damaged).is_err(), "bit flipped at {place} of {}", bytes.len());
        }
    }
}
