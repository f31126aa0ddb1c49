//! Training with proof: incumbent, proven bound, gap and certificate.
