//! The certificate of rung 4 in its container ([`crate::container`]). The tensors are `hidden` (F64, width × columns), `hidden_biases` (width), `output` (outputs ×
//! width), `output_biases` (outputs), `dual` (rows × outputs) and `witnesses` (U8).
//!
//! `witnesses` holds, in the number format of `bytes.rs`, 2·outputs witnesses: the bound (double) and a byte for the kind of proof.
//! * 0, norms: nothing.
//! * 1, moments: how many, τ (doubles); how many, g (singles); how many, σ (doubles); λ, s (doubles).
//! * 2, cones: 0, or 1 and how many columns, the columns, how many coefficients, the coefficients (doubles); r and the fan (doubles); how
//!   many nodes, and for each: 0, `from`, `to` (bytes), both weights (doubles); or 1, q (r doubles), how many slopes, and for each the row (the
//!   first as it is, then the difference to the one before, signed) and the numerator (byte).
//! * 3, clusters: how many, and for each: how many rows k, the rows, k θ, 2k lengths (doubles), how many numbers of vectors, these, how many products,
//!   these (singles); λ, s (doubles).

use safetensors::tensor::Dtype;

use crate::bytes::{Reader, Writer};
use crate::container::{self, Container, Tensor, doubles, doubles_of};
use crate::{
    Basis, BoundProof, CertificateError, Cluster, Clusters, ConeNode, Cones, Moments, ReluCertificate, ReluClaim,
    ReluNet, Witness,
};

const WITNESSES: &str = "witnesses";

impl ReluClaim {
    fn shapes(&self) -> [(&'static str, Dtype, Vec<usize>); 5] {
        [
            ("hidden", Dtype::F64, vec![self.width, self.columns]),
            ("hidden_biases", Dtype::F64, vec![self.width]),
            ("output", Dtype::F64, vec![self.outputs, self.width]),
            ("output_biases", Dtype::F64, vec![self.outputs]),
            ("dual", Dtype::F64, vec![self.rows, self.outputs]),
        ]
    }
}

impl ReluCertificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let ReluNet { hidden, hidden_biases, output, output_biases, .. } = &self.net;
        let arrays = [hidden, hidden_biases, output, output_biases, &self.dual].map(|values| doubles(values));
        let named = self.claim.shapes().into_iter().zip(arrays);
        let mut tensors: Vec<Tensor> = named.map(|((name, kind, shape), bytes)| (name, kind, shape, bytes)).collect();
        let mut writer = Writer::default();
        self.witnesses.iter().for_each(|witness| write_witness(&mut writer, witness));
        tensors.push((WITNESSES, Dtype::U8, vec![writer.bytes.len()], writer.bytes));
        container::write(&self.claim, &tensors)
    }

    /// Parses a container, checks shapes against the claim, and the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<ReluCertificate, CertificateError> {
        let (container, claim) =
            Container::open(bytes, "relu", |claim: &ReluClaim| (claim.version, claim.kind.as_str()))?;
        let mut wanted = Vec::from(claim.shapes());
        wanted.push((WITNESSES, Dtype::U8, vec![container.length(WITNESSES)]));
        let arrays = container.tensors(&wanted)?;
        let malformed = || CertificateError::Container("tensor `witnesses` ends early or is malformed".into());
        let mut reader = Reader::new(arrays[wanted.len() - 1]);
        let mut witnesses = Vec::new();
        while !reader.is_empty() {
            witnesses.push(read_witness(&mut reader).ok_or_else(malformed)?);
        }
        let mut values = arrays.into_iter().map(doubles_of);
        let mut next = || values.next().unwrap_or_default();
        let net = ReluNet {
            outputs: claim.outputs,
            columns: claim.columns,
            width: claim.width,
            hidden: next(),
            hidden_biases: next(),
            output: next(),
            output_biases: next(),
        };
        let dual = next();
        Ok(ReluCertificate { claim, net, dual, witnesses })
    }
}

fn write_doubles(writer: &mut Writer, values: &[f64]) {
    writer.put(values.len() as u64);
    values.iter().for_each(|&value| writer.double(value));
}

pub(crate) fn write_witness(writer: &mut Writer, witness: &Witness) {
    writer.double(witness.bound);
    match &witness.proof {
        BoundProof::Norms => writer.bytes.push(0),
        BoundProof::Moments(Moments { tau, g, sigma, lambda, s }) => {
            writer.bytes.push(1);
            write_doubles(writer, tau);
            write_singles(writer, g);
            write_doubles(writer, sigma);
            writer.double(*lambda);
            writer.double(*s);
        }
        BoundProof::Cones(cones) => {
            writer.bytes.push(2);
            write_cones(writer, cones);
        }
        BoundProof::Clusters(Clusters { clusters, lambda, s }) => {
            writer.bytes.push(3);
            writer.put(clusters.len() as u64);
            for Cluster { rows, theta, lengths, vectors, products } in clusters {
                writer.put(rows.len() as u64);
                rows.iter().for_each(|&row| writer.put(u64::from(row)));
                theta.iter().chain(lengths).for_each(|&value| writer.double(value));
                write_singles(writer, vectors);
                write_singles(writer, products);
            }
            writer.double(*lambda);
            writer.double(*s);
        }
    }
}

fn write_singles(writer: &mut Writer, values: &[f32]) {
    writer.put(values.len() as u64);
    values.iter().for_each(|&value| writer.single(value));
}

fn write_cones(writer: &mut Writer, cones: &Cones) {
    match &cones.basis {
        None => writer.bytes.push(0),
        Some(Basis { columns, coefficients }) => {
            writer.bytes.push(1);
            writer.put(columns.len() as u64);
            columns.iter().for_each(|&column| writer.put(u64::from(column)));
            write_doubles(writer, coefficients);
        }
    }
    write_doubles(writer, &cones.fan);
    writer.put(cones.nodes.len() as u64);
    for node in &cones.nodes {
        match node {
            ConeNode::Split { from, to, weights } => {
                writer.bytes.extend([0, *from, *to]);
                writer.double(weights.0);
                writer.double(weights.1);
            }
            ConeNode::Leaf { q, slopes } => {
                writer.bytes.push(1);
                q.iter().for_each(|&value| writer.double(value));
                writer.put(slopes.len() as u64);
                let mut before = 0;
                for &(row, numerator) in slopes {
                    writer.signed(i64::from(row) - before);
                    writer.bytes.push(numerator);
                    before = i64::from(row);
                }
            }
        }
    }
}

fn read_doubles(reader: &mut Reader) -> Option<Vec<f64>> {
    let count = reader.count()?;
    (0..count).map(|_| reader.double()).collect()
}

pub(crate) fn read_witness(reader: &mut Reader) -> Option<Witness> {
    let bound = reader.double()?;
    let proof = match reader.byte()? {
        0 => BoundProof::Norms,
        1 => {
            let tau = read_doubles(reader)?;
            let g = read_singles(reader)?;
            let sigma = read_doubles(reader)?;
            BoundProof::Moments(Moments { tau, g, sigma, lambda: reader.double()?, s: reader.double()? })
        }
        2 => BoundProof::Cones(read_cones(reader)?),
        3 => {
            let count = reader.count()?;
            let clusters = (0..count).map(|_| read_cluster(reader)).collect::<Option<Vec<Cluster>>>()?;
            BoundProof::Clusters(Clusters { clusters, lambda: reader.double()?, s: reader.double()? })
        }
        _ => return None,
    };
    Some(Witness { bound, proof })
}

fn read_singles(reader: &mut Reader) -> Option<Vec<f32>> {
    let count = reader.count()?;
    (0..count).map(|_| reader.single()).collect()
}

fn read_cluster(reader: &mut Reader) -> Option<Cluster> {
    let count = reader.count()?;
    let rows = (0..count).map(|_| u32::try_from(reader.get()?).ok()).collect::<Option<Vec<u32>>>()?;
    let mut doubles = |count: usize| (0..count).map(|_| reader.double()).collect::<Option<Vec<f64>>>();
    let (theta, lengths) = (doubles(count)?, doubles(2 * count)?);
    Some(Cluster { rows, theta, lengths, vectors: read_singles(reader)?, products: read_singles(reader)? })
}

fn read_cones(reader: &mut Reader) -> Option<Cones> {
    let basis = match reader.byte()? {
        0 => None,
        1 => {
            let count = reader.count()?;
            let columns = (0..count).map(|_| u32::try_from(reader.get()?).ok()).collect::<Option<Vec<u32>>>()?;
            Some(Basis { columns, coefficients: read_doubles(reader)? })
        }
        _ => return None,
    };
    let fan = read_doubles(reader)?;
    let count = reader.count()?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(match reader.byte()? {
            0 => {
                let (from, to) = (reader.byte()?, reader.byte()?);
                ConeNode::Split { from, to, weights: (reader.double()?, reader.double()?) }
            }
            1 => {
                let q = (0..fan.len()).map(|_| reader.double()).collect::<Option<Vec<f64>>>()?;
                let mut row = 0i64;
                let mut slopes = Vec::new();
                for _ in 0..reader.count()? {
                    row = row.checked_add(reader.signed()?)?;
                    slopes.push((u32::try_from(row).ok()?, reader.byte()?));
                }
                ConeNode::Leaf { q, slopes }
            }
            _ => return None,
        });
    }
    Some(Cones { basis, fan, nodes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CERTIFICATE_VERSION;
    use crate::{ClassWeight, Ending, Format, HiddenBias, Intercept, Loss, Recipe, Source, Strength, Task, kind_of};

    fn certificate() -> ReluCertificate {
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
            intercept: Intercept::None,
            strength: Strength::PerExample { l1: 0.0, l2: 0.5 },
            kernel: None,
        };
        let moments = Moments { tau: vec![1.0, 0.5], g: vec![0.25; 4], sigma: vec![-1.0, 0.0], lambda: 2.0, s: 0.1 };
        let cones = Cones {
            basis: Some(Basis { columns: vec![0, 300], coefficients: vec![1.0, 0.0, 0.0, 1.0] }),
            fan: vec![1.0, 2.0],
            nodes: vec![
                ConeNode::Split { from: 0, to: 1, weights: (0.5, 3.0) },
                ConeNode::Leaf { q: vec![1.0, -2.0], slopes: vec![(700, 128), (3, 0)] },
                ConeNode::Leaf { q: vec![0.0, 0.0], slopes: vec![] },
            ],
        };
        let cluster = Cluster {
            rows: vec![1, 300],
            theta: vec![1.0, 2.0],
            lengths: vec![0.5; 4],
            vectors: vec![-0.25; 4],
            products: vec![0.0, 1.0, 2.0, 3.0],
        };
        let clusters = Clusters { clusters: vec![cluster, Cluster::default()], lambda: 2.0, s: -0.5 };
        ReluCertificate {
            claim: ReluClaim {
                version: CERTIFICATE_VERSION,
                kind: "relu".into(),
                source: Source { path: "a.csv".into(), sha256: "00".into() },
                recipe,
                problem_sha256: "11".into(),
                hidden_bias: HiddenBias::Penalized,
                lambda2: 1.0,
                rows: 2,
                columns: 1,
                outputs: 1,
                width: 2,
                total_weight: 2.0,
                lower: 0.0,
                upper: 1.0,
                gap: 1e-4,
                abs_gap: 0.0,
                ending: Ending::TimeLimit,
            },
            net: ReluNet {
                outputs: 1,
                columns: 1,
                width: 2,
                hidden: vec![1.0, -1.0],
                hidden_biases: vec![0.5, 0.0],
                output: vec![1.0, 2.0],
                output_biases: vec![0.0],
            },
            dual: vec![0.5, -0.5],
            witnesses: vec![
                Witness { bound: 1.5, proof: BoundProof::Moments(moments) },
                Witness { bound: 0.0, proof: BoundProof::Norms },
                Witness { bound: 2.5, proof: BoundProof::Cones(cones.clone()) },
                Witness { bound: 2.5, proof: BoundProof::Cones(Cones { basis: None, ..cones }) },
                Witness { bound: 3.5, proof: BoundProof::Clusters(clusters) },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let certificate = certificate();
        let bytes = certificate.to_bytes().unwrap();
        assert_eq!(kind_of(&bytes).unwrap(), "relu");
        assert_eq!(ReluCertificate::from_bytes(&bytes).unwrap(), certificate);
    }

    #[test]
    fn damage_is_found() {
        let bytes = certificate().to_bytes().unwrap();
        for place in 0..bytes.len() {
            assert!(ReluCertificate::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(ReluCertificate::from_bytes(&damaged).is_err(), "bit flipped at {place} of {}", bytes.len());
        }
    }
}
