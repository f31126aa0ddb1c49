//! Independent verification of infimum's certificates.
