//! A torrent file that is named by an http(s) URL: one request, bounded in time and length. Never
//! keeps what it fetched, and never reads what it means.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::exit::{Code, Failure};
use crate::text;

/// The end of everything, redirects and body included: a minute is long for a file of at most
/// some MiB, and short enough for somebody who waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// Enough for a mirror that leads to another by way of https, as for trackers.
const MAX_REDIRECTS: u32 = 5;

/// Whether the user means something to be fetched.
pub(crate) fn is_url(text: &str) -> bool {
    let starts = |scheme: &str| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts("http://") || starts("https://")
}

/// What `url` answers, cut after `most` bytes.
///
/// # Errors
/// [`Code::NotFound`] when the server has no such thing, else [`Code::Network`].
pub(crate) fn get(url: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let failed = |code: Code, why: &dyn std::fmt::Display| {
        let why = why.to_string();
        Failure::new(code, format!("{}: {}", text::escape(url), text::escape(&why)))
    };
    let agent: Agent = Agent::config_builder()
        .max_redirects(MAX_REDIRECTS)
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("pieces-cli/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(trusted_roots()).build())
        .build()
        .into();
    let answer = agent.get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(status @ (404 | 410)) => {
            failed(Code::NotFound, &format_args!("not there (HTTP status {status})"))
        }
        ureq::Error::StatusCode(status) => {
            failed(Code::Network, &format_args!("HTTP status {status}"))
        }
        other => failed(Code::Network, &other),
    })?;
    let mut bytes = Vec::new();
    let body = answer.into_body().into_reader();
    body.take(most).read_to_end(&mut bytes).map_err(|error| failed(Code::Network, &error))?;
    Ok(bytes)
}

/// The platform's certificates, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. Without any,
/// no https server is trusted.
fn trusted_roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("a trusted certificate cannot be read: {error}");
    }
    found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).into()
}
