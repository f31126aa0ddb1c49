//! Arithmetic that infimum's proofs stand on: error-free sums, outward-rounded intervals, log and exp.
