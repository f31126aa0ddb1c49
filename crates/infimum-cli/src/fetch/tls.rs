//! HTTPS: rustls with ring, and the system's certificates.

use std::sync::Arc;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Certificates that the system trusts; with none of them every server is refused.
pub(super) fn config() -> TlsConfig {
    let certificates: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}
