//! Readers, built-in sets and the canonical problem of infimum.
