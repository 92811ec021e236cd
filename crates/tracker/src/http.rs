//! One HTTP(S) request to a tracker and the redirects it leads to, each checked anew. Gives the
//! body; what it means is read only to tell whether a broken answer is whole.

mod families;
mod socket;

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use egress::Class;
use ureq::Agent;
use ureq::http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderValue, LOCATION};
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::Connector as _;
use url::Url;

pub(crate) use self::families::{Shared, announce};
use self::socket::{From, Pinned, SharedTls};
use crate::error::{Error, ErrorKind};
use crate::gate::Gate;
use crate::limits::{MAX_BODY, MAX_HEADER, MAX_REDIRECTS, MAX_URL};
use crate::shortage::Shortage;
use crate::{content_coding, policy, reply, request_url, text};

/// Requests without memory of each other: no cookies, no proxy, no connection kept (the next
/// announce is half an hour away).
#[derive(Debug)]
pub(crate) struct Http {
    bind: Option<IpAddr>,
    shortage: Shortage,
    user_agent: String,
    tls: SharedTls,
    roots: OnceLock<RootCerts>,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The end of everything, redirects and body included.
    pub(crate) deadline: Instant,
    /// For one connection with its TLS handshake.
    pub(crate) connect: Duration,
}

enum Hop {
    Body(Vec<u8>),
    Redirect(Url),
}

impl Http {
    pub(crate) fn new(bind: Option<IpAddr>, user_agent: &str, shortage: Shortage) -> Self {
        // What a header cannot hold would be an error for each request.
        let user_agent = user_agent.chars().filter(|c| matches!(c, ' '..='~')).collect();
        Self { bind, shortage, user_agent, tls: SharedTls::default(), roots: OnceLock::new() }
    }

    /// Requests `url` and gives the body of the final answer.
    pub(crate) fn get(&self, url: &Url, gate: &Gate, patience: Patience) -> Result<Vec<u8>, Error> {
        let origin = gate.first(url, patience.deadline)?;
        Ok(self.get_at(url, &origin, &origin, gate, patience)?.0)
    }

    /// The same at some of the addresses that the URL has: `at`, of all in `origin`. Gives the class of
    /// those who spoke, too, redirects included: the farthest.
    fn get_at(
        &self,
        url: &Url,
        at: &[IpAddr],
        origin: &[IpAddr],
        gate: &Gate,
        patience: Patience,
    ) -> Result<(Vec<u8>, Class), Error> {
        let mut url = url.clone();
        let mut addrs = at.to_vec();
        let mut class = policy::farthest(at);
        let mut asked = Vec::new();
        for _ in 0..=MAX_REDIRECTS {
            match self.hop(&url, &addrs, gate, patience)? {
                Hop::Body(body) => return Ok((body, class)),
                Hop::Redirect(to) => {
                    addrs = gate.redirected(&to, origin, patience.deadline)?;
                    class = class.min(policy::farthest(&addrs));
                    log::debug!("tracker {} redirects to {}", host(&url), host(&to));
                    asked.push(std::mem::replace(&mut url, to));
                    if asked.contains(&url) {
                        let what = format!("{}: its redirects lead in a circle", host(&url));
                        return Err(Error::new(ErrorKind::Status, what));
                    }
                }
            }
        }
        Err(Error::new(ErrorKind::Status, format!("more than {MAX_REDIRECTS} redirects")))
    }

    fn hop(
        &self,
        url: &Url,
        ips: &[IpAddr],
        gate: &Gate,
        patience: Patience,
    ) -> Result<Hop, Error> {
        let addrs = ips.iter().map(|ip| policy::at(url, *ip)).collect();
        let mut config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(&self.user_agent)
            .max_response_header_size(MAX_HEADER)
            .input_buffer_size(2 * MAX_HEADER)
            .output_buffer_size(4 * MAX_URL)
            .max_idle_connections(0)
            .timeout_connect(Some(patience.connect))
            .timeout_global(Some(patience.deadline.saturating_duration_since(Instant::now())));
        if url.scheme() == "https" {
            let roots = self.roots.get_or_init(trusted_roots).clone();
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let connected = Arc::<Mutex<Option<SocketAddr>>>::default();
        let from = From {
            local: self.bind,
            shortage: self.shortage.clone(),
            connected: Arc::clone(&connected),
        };
        let connector = from.chain(self.tls.clone());
        let agent = Agent::with_parts(config.build(), connector, Pinned(addrs));
        let explain = |e: ureq::Error| explain(url, &e);
        let mut plain = url.clone();
        let login = request_url::take_login(&mut plain);
        let mut request = agent.get(plain.as_str());
        if let Some(mut login) = login.and_then(|login| HeaderValue::try_from(login).ok()) {
            login.set_sensitive(true);
            request = request.header(AUTHORIZATION, login);
        }
        let mut response = request.call().map_err(explain)?;
        // An address cannot be left half written by a panic.
        if let Some(addr) = *connected.lock().unwrap_or_else(PoisonError::into_inner) {
            gate.trials().answered(addr);
        }
        if let Some(to) = redirect(url, &response)? {
            return Ok(Hop::Redirect(to));
        }
        let status = response.status();
        let body = read(&mut response).map_err(explain)?;
        if status.is_success() {
            return match body {
                Some(body) => Ok(Hop::Body(body)),
                None => Err(Error::new(
                    ErrorKind::TooLarge,
                    format!("the reply is larger than {MAX_BODY} bytes"),
                )),
            };
        }
        let refusal = body.as_deref().and_then(reply::failure);
        let hint = match status {
            StatusCode::UNAUTHORIZED if request_url::has_login(url) => {
                ": the user or password in its URL is wrong"
            }
            StatusCode::UNAUTHORIZED => {
                ": it wants a user and password, as in http://user:password@host/"
            }
            _ => "",
        };
        let refused = || Error::new(ErrorKind::Status, format!("HTTP status {status}{hint}"));
        Err(refusal.unwrap_or_else(refused))
    }
}

/// Where the response sends us, if it does.
fn redirect(from: &Url, response: &Response<ureq::Body>) -> Result<Option<Url>, Error> {
    let bad = |why: &str| Error::new(ErrorKind::Status, format!("a redirect that {why}"));
    let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes);
    if location.is_some_and(|location| location.len() > MAX_URL) {
        return Err(bad("leads to a URL that is too long"));
    }
    let to = request_url::redirect(from, response.status().as_u16(), location).map_err(bad)?;
    if to.as_ref().is_some_and(|to| !matches!(to.scheme(), "http" | "https")) {
        return Err(bad("leads to something else than http and https"));
    }
    Ok(to)
}

/// The body after decompression; `None` if it is larger than [`MAX_BODY`]. Where it breaks off or
/// the server does not end it, what is here counts if it is a whole reply: some servers announce
/// more bytes than they send.
fn read(response: &mut Response<ureq::Body>) -> Result<Option<Vec<u8>>, ureq::Error> {
    let mut body = Vec::new();
    let most = MAX_BODY as u64 + 1;
    let end = response.body_mut().as_reader().take(most).read_to_end(&mut body);
    let coding = response.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let body = content_coding::decode(body, coding.unwrap_or_default());
    match end {
        Err(error) if !reply::is_whole(&body) => Err(error.into()),
        _ => Ok((body.len() <= MAX_BODY).then_some(body)),
    }
}

/// The certificates that sign trackers': the platform's, or those that `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name instead; where a platform has none, Mozilla's. There is no switch to turn
/// verification off.
fn trusted_roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("a trusted certificate cannot be read: {error}");
    }
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|v| std::env::var_os(v).is_some());
    if found.certs.is_empty() && !named {
        return RootCerts::WebPki;
    }
    found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).into()
}

fn explain(url: &Url, error: &ureq::Error) -> Error {
    let kind = match error {
        ureq::Error::Timeout(_) => ErrorKind::Timeout,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => ErrorKind::Tls,
        // rustls reports what is wrong with a certificate this way.
        ureq::Error::Io(e)
            if e.kind() == std::io::ErrorKind::InvalidData && url.scheme() == "https" =>
        {
            ErrorKind::Tls
        }
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed => ErrorKind::Connect,
        ureq::Error::LargeResponseHeader(..) => ErrorKind::TooLarge,
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => ErrorKind::Url,
        _ => ErrorKind::Malformed,
    };
    let what = text::clean(crate::explain(error).as_bytes());
    Error::new(kind, format!("{}: {what}", host(url)))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
