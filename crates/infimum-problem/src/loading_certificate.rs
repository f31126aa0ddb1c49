//! The certificate of rungs 2 and 3 in its container ([`crate::container`]). The tensors are bytes (U8): `weights`, `circuits`, `proof`, and if margins are claimed
//! `hulls`.
//!
//! Numbers in them are written as `bytes.rs` says.
//!
//! * `weights`: how many neurons, and for each how many weights, the weights, the bias (large, signed). No bytes if there are none.
//! * `circuits`: how many, and for each: the scope (2·group, or 2·unit + 1); for either side how many terms and for each the row (the first
//!   as it is, then the difference to the one before, signed), the multiplier (large), and for a unit's circuit how many inputs and a byte for each.
//! * `proof`: how many steps, and for each: how many literals and the literals (signed), how many hints and for each how far back from
//!   the step it lies. The number of clauses before the first step is the first number of all.
//! * `hulls`: how many, and for each the two sides as a group's circuit has them.

use safetensors::tensor::Dtype;

use crate::bytes::{Reader, Writer};
use crate::container::{self, Container, Tensor};
use crate::{CertificateError, Circuit, HullPoints, LoadingCertificate, LoadingClaim, Neuron, ProofStep, Scope, Term};

/// The last is there only if margins are claimed.
const TENSORS: [&str; 4] = ["weights", "circuits", "proof", "hulls"];

impl LoadingCertificate {
    /// The container's bytes. Equal certificates give equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let mut arrays = vec![self.weight_bytes(), self.circuit_bytes(), self.proof_bytes()];
        if !self.claim.margins.is_empty() {
            arrays.push(self.hull_bytes());
        }
        let named = TENSORS.into_iter().zip(arrays);
        let tensors: Vec<Tensor> = named.map(|(name, bytes)| (name, Dtype::U8, vec![bytes.len()], bytes)).collect();
        container::write(&self.claim, &tensors)
    }

    /// Parses a container and checks the digest. Never panics on any input.
    pub fn from_bytes(bytes: &[u8]) -> Result<LoadingCertificate, CertificateError> {
        let (container, claim) =
            Container::open(bytes, "loading", |claim: &LoadingClaim| (claim.version, claim.kind.as_str()))?;
        let present = &TENSORS[..if claim.margins.is_empty() { 3 } else { 4 }];
        let wanted: Vec<_> = present.iter().map(|&name| (name, Dtype::U8, vec![container.length(name)])).collect();
        let arrays = container.tensors(&wanted)?;
        let damaged = |name| move || CertificateError::Container(format!("tensor `{name}` ends early or is malformed"));
        let neurons = read_weights(arrays[0]).ok_or_else(damaged(TENSORS[0]))?;
        let circuits = read_circuits(arrays[1]).ok_or_else(damaged(TENSORS[1]))?;
        let proof = read_proof(arrays[2]).ok_or_else(damaged(TENSORS[2]))?;
        let hulls = match arrays.get(3) {
            Some(bytes) => read_hulls(bytes).ok_or_else(damaged(TENSORS[3]))?,
            None => Vec::new(),
        };
        Ok(LoadingCertificate { claim, neurons, circuits, proof, hulls })
    }

    fn weight_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        if let Some(neurons) = &self.neurons {
            writer.put(neurons.len() as u64);
            for neuron in neurons {
                writer.put(neuron.weights.len() as u64);
                neuron.weights.iter().chain([&neuron.bias]).for_each(|value| writer.large(value));
            }
        }
        writer.bytes
    }

    fn circuit_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.put(self.circuits.len() as u64);
        for circuit in &self.circuits {
            let (of_unit, scope) = match circuit.scope {
                Scope::Group(group) => (false, 2 * u64::from(group)),
                Scope::Unit(unit) => (true, 2 * u64::from(unit) + 1),
            };
            writer.put(scope);
            [&circuit.left, &circuit.right].into_iter().for_each(|side| write_side(&mut writer, side, of_unit));
        }
        writer.bytes
    }

    fn hull_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.put(self.hulls.len() as u64);
        for hulls in &self.hulls {
            [&hulls.left, &hulls.right].into_iter().for_each(|side| write_side(&mut writer, side, false));
        }
        writer.bytes
    }

    fn proof_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        // The largest hint of a step is below the step's own number; the first step's number makes all differences positive.
        let mut first = 1;
        for (place, step) in self.proof.iter().enumerate() {
            let largest = step.hints.iter().copied().max().unwrap_or(0);
            first = first.max((largest + 1).saturating_sub(place as u64));
        }
        writer.put(first);
        writer.put(self.proof.len() as u64);
        for (place, step) in self.proof.iter().enumerate() {
            writer.put(step.clause.len() as u64);
            step.clause.iter().for_each(|&literal| writer.signed(i64::from(literal)));
            writer.put(step.hints.len() as u64);
            step.hints.iter().for_each(|&hint| writer.put(first + place as u64 - hint));
        }
        writer.bytes
    }
}

fn write_side(writer: &mut Writer, side: &[Term], of_unit: bool) {
    writer.put(side.len() as u64);
    let mut before = 0;
    for term in side {
        writer.signed(i64::from(term.row) - before);
        before = i64::from(term.row);
        writer.magnitude(&term.multiplier);
        if of_unit {
            writer.put(term.inputs.len() as u64);
            writer.bytes.extend(term.inputs.iter().map(|&input| u8::from(input)));
        }
    }
}

fn read_weights(bytes: &[u8]) -> Option<Option<Vec<Neuron>>> {
    let mut reader = Reader::new(bytes);
    if bytes.is_empty() {
        return Some(None);
    }
    let mut neurons = Vec::new();
    for _ in 0..reader.count()? {
        let count = reader.count()?;
        let weights = (0..count).map(|_| reader.large()).collect::<Option<Vec<_>>>()?;
        neurons.push(Neuron { weights, bias: reader.large()? });
    }
    reader.end(Some(neurons))
}

fn read_circuits(bytes: &[u8]) -> Option<Vec<Circuit>> {
    let mut reader = Reader::new(bytes);
    let mut circuits = Vec::new();
    for _ in 0..reader.count()? {
        let scope = reader.get()?;
        let (of_unit, place) = (scope & 1 == 1, u32::try_from(scope >> 1).ok()?);
        let scope = if of_unit { Scope::Unit(place) } else { Scope::Group(place) };
        let left = read_side(&mut reader, of_unit)?;
        let right = read_side(&mut reader, of_unit)?;
        circuits.push(Circuit { scope, left, right });
    }
    reader.end(circuits)
}

fn read_hulls(bytes: &[u8]) -> Option<Vec<HullPoints>> {
    let mut reader = Reader::new(bytes);
    let count = reader.count()?;
    let hulls = (0..count)
        .map(|_| Some(HullPoints { left: read_side(&mut reader, false)?, right: read_side(&mut reader, false)? }))
        .collect::<Option<Vec<HullPoints>>>()?;
    reader.end(hulls)
}

fn read_side(reader: &mut Reader, of_unit: bool) -> Option<Vec<Term>> {
    let mut row = 0i64;
    let mut side = Vec::new();
    for _ in 0..reader.count()? {
        row = row.checked_add(reader.signed()?)?;
        let multiplier = reader.magnitude()?;
        let mut inputs = Vec::new();
        if of_unit {
            let count = reader.count()? as u64;
            for &byte in reader.take(count)? {
                inputs.push(match byte {
                    0 => false,
                    1 => true,
                    _ => return None,
                });
            }
        }
        side.push(Term { row: u32::try_from(row).ok()?, multiplier, inputs });
    }
    Some(side)
}

fn read_proof(bytes: &[u8]) -> Option<Vec<ProofStep>> {
    let mut reader = Reader::new(bytes);
    let mut number = reader.get()?;
    let mut steps = Vec::new();
    for _ in 0..reader.count()? {
        let literals = reader.count()?;
        let clause = (0..literals)
            .map(|_| i32::try_from(reader.signed()?).ok().filter(|&literal| literal != 0 && literal != i32::MIN))
            .collect::<Option<Vec<i32>>>()?;
        let count = reader.count()?;
        let hints = (0..count)
            .map(|_| number.checked_sub(reader.get()?).filter(|&hint| 0 < hint && hint < number))
            .collect::<Option<Vec<u64>>>()?;
        steps.push(ProofStep { clause, hints });
        number = number.checked_add(1)?;
    }
    reader.end(steps)
}

#[cfg(test)]
mod tests {
    use dashu_int::IBig;

    use super::*;
    use crate::{CERTIFICATE_VERSION, kind_of};
    use crate::{Ending, Format, LoadingRecipe, Network, Source};

    fn certificate() -> LoadingCertificate {
        let term = |row, multiplier: u64| Term { row, multiplier: multiplier.into(), inputs: Vec::new() };
        let huge: IBig = "-123456789012345678901234567890123456789".parse().unwrap();
        LoadingCertificate {
            claim: LoadingClaim {
                version: CERTIFICATE_VERSION,
                kind: "loading".into(),
                source: Source { path: "a.csv".into(), sha256: "00".into() },
                recipe: LoadingRecipe { format: Format::Csv, header: true, targets: vec!["y".into()] },
                problem_sha256: "11".into(),
                rows: 4,
                columns: 2,
                network: Network::layered(&[2], 1),
                symmetry: true,
                stride: 3,
                maps: vec![],
                allowed: Some(0),
                lower: 1,
                upper: Some(2),
                ending: Ending::TimeLimit,
                margins: vec![crate::MarginClaim { unit: 0, lower: 0.1, upper: 0.3 }],
            },
            neurons: Some(vec![Neuron { weights: vec![huge, 0.into()], bias: (-1).into() }]),
            circuits: vec![
                Circuit { scope: Scope::Group(0), left: vec![term(3, 1), term(300, 1 << 40)], right: vec![term(1, 2)] },
                Circuit {
                    scope: Scope::Unit(2),
                    left: vec![Term { row: 7, multiplier: 1u32.into(), inputs: vec![true, false] }],
                    right: vec![Term { row: 5, multiplier: 1u32.into(), inputs: vec![true, true] }],
                },
            ],
            proof: vec![
                ProofStep { clause: vec![1, -70_000], hints: vec![12, 3] },
                ProofStep { clause: vec![], hints: vec![13, 1] },
            ],
            hulls: vec![HullPoints { left: vec![term(2, 3)], right: vec![term(0, 1), term(400, 1 << 50)] }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let certificate = certificate();
        let bytes = certificate.to_bytes().unwrap();
        assert_eq!(kind_of(&bytes).unwrap(), "loading");
        assert_eq!(LoadingCertificate::from_bytes(&bytes).unwrap(), certificate);
        let mut without =
            LoadingCertificate { neurons: None, circuits: vec![], proof: vec![], hulls: vec![], ..certificate };
        without.claim.margins.clear();
        assert_eq!(LoadingCertificate::from_bytes(&without.to_bytes().unwrap()).unwrap(), without);
    }

    #[test]
    fn damage_is_found() {
        let bytes = certificate().to_bytes().unwrap();
        for place in 0..bytes.len() {
            assert!(LoadingCertificate::from_bytes(&bytes[..place]).is_err(), "cut at {place}");
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let read = LoadingCertificate::from_bytes(&damaged);
            assert!(read.is_err(), "bit flipped at {place} of {}", bytes.len());
        }
    }
}
