//! A torrent file that is named by an http(s) URL: one request and the redirects it leads to, bounded in
//! time and length. Where they may lead is `admitted`'s to say. Never keeps what it fetched, and never
//! reads what it means.

mod admitted;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use tracker::request_url;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, HeaderValue, LOCATION};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use self::admitted::Admitted;
use crate::exit::{Code, Failure};
use crate::text;

/// The end of everything, redirects and body included: a minute is long for a file of at most
/// some MiB, and short enough for somebody who waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// Enough for mirrors that lead to others by way of https and a login page's address.
const MAX_REDIRECTS: usize = 10;

/// Whether the user means something to be fetched.
pub(crate) fn is_url(text: &str) -> bool {
    let text = text.trim_start();
    let starts = |scheme: &str| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts("http://") || starts("https://")
}

/// The scheme of what looks like a URL that cannot be fetched, and is not the name of a file.
pub(crate) fn other_scheme(path: &Path) -> Option<&str> {
    let (scheme, _) = path.to_str()?.trim_start().split_once("://")?;
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_other = is_one && !is_url(path.to_str()?) && !path.exists();
    is_other.then_some(scheme)
}

/// What `url` answers, cut after `most` bytes. A server that redirects to a magnet URI answers that
/// URI, as if it stood in the file.
///
/// User and password in the URL are sent to its own server only (see [`request_url::redirect`]). A
/// redirect from https to http is followed, as others do, with a warning.
///
/// # Errors
/// [`Code::NotFound`] when the server has no such thing, else [`Code::Network`].
pub(crate) fn get(url: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let shown = text::url(url);
    let failed = |code: Code, why: &dyn std::fmt::Display| {
        Failure::new(code, format!("{shown}: {}", text::escape(&why.to_string())))
    };
    let broken = |why: &dyn std::fmt::Display| failed(Code::Network, why);
    let deadline = Instant::now() + PATIENCE;
    let tls = TlsConfig::builder().root_certs(trusted_roots()).build();
    let mut asked = Vec::new();
    let admitted = Admitted::default();
    let mut url = request_url::read(url).map_err(|error| broken(&error))?;
    loop {
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(deadline.saturating_duration_since(Instant::now())))
            .user_agent(concat!("pieces-cli/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.clone())
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), admitted.clone());
        let mut plain = url.clone();
        let login = request_url::take_login(&mut plain);
        let has_login = login.is_some();
        let mut request = agent.get(plain.as_str());
        if let Some(mut login) = login.and_then(|login| HeaderValue::try_from(login).ok()) {
            login.set_sensitive(true);
            request = request.header(AUTHORIZATION, login);
        }
        let answer = request.call().map_err(|error| match admitted.refusal() {
            Some(why) => broken(&why),
            None => broken(&tracker::explain(&error)),
        })?;
        let status = answer.status();
        let location = answer.headers().get(LOCATION).map(HeaderValue::as_bytes);
        let to = request_url::redirect(&url, status.as_u16(), location)
            .map_err(|why| broken(&format_args!("a redirect that {why}")))?;
        let Some(to) = to else {
            refuse(status, has_login).map_err(|(code, why)| failed(code, &why))?;
            let mut bytes = Vec::new();
            let body = answer.into_body().into_reader();
            body.take(most).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
            return Ok(bytes);
        };
        match to.scheme() {
            "http" | "https" => {}
            "magnet" => return Ok(to.as_str().as_bytes().to_vec()),
            other => return Err(broken(&format_args!("a redirect that leads to {other}:"))),
        }
        if url.scheme() == "https" && to.scheme() == "http" {
            let host = text::escape(to.host_str().unwrap_or_default()).into_owned();
            log::warn!("{shown}: redirects from https to http, where anyone can change it: {host}");
        }
        admitted
            .redirected(to.host_str().unwrap_or_default(), to.port_or_known_default())
            .map_err(|why| broken(&why))?;
        asked.push(std::mem::replace(&mut url, to));
        if asked.contains(&url) {
            return Err(broken(&"its redirects lead in a circle"));
        }
        if asked.len() > MAX_REDIRECTS {
            return Err(broken(&format_args!("more than {MAX_REDIRECTS} redirects")));
        }
    }
}

/// What is wrong with an answer of this status, if something is.
fn refuse(status: StatusCode, has_login: bool) -> Result<(), (Code, String)> {
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err((Code::NotFound, format!("not there (HTTP status {})", status.as_u16())))
        }
        StatusCode::UNAUTHORIZED if has_login => {
            Err((Code::Network, "HTTP status 401: the user or password is wrong".into()))
        }
        StatusCode::UNAUTHORIZED => Err((
            Code::Network,
            "HTTP status 401: it wants a user and password, as in http://user:password@host/"
                .into(),
        )),
        _ => Err((Code::Network, format!("HTTP status {}", status.as_u16()))),
    }
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
