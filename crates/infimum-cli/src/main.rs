//! Command line of infimum.
fn main() {}
