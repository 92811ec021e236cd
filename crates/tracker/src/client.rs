//! The client: takes questions, gives them to threads that may block, and hands each answer to
//! its callback. Never decides when to ask; that is [`Tiers`](crate::Tiers).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::gate::Gate;
use crate::http::{Http, Patience, strip_user};
use crate::lookup::Lookup;
use crate::message::{Announce, Reply, Scrape, ScrapeReply};
use crate::pool::{self, Crowd, Health, Job};
use crate::query::{self, Scheme};
use crate::reply;

/// How a [`Client`] works. [`Config::default`] suits a client of the Internet.
#[derive(Clone, Debug)]
pub struct Config {
    /// The local address that trackers are asked from, by HTTP and UDP; trackers of the other
    /// address family are not asked then. `None` leaves it to the system.
    pub bind: Option<IpAddr>,
    /// The `User-Agent` of HTTP requests.
    pub user_agent: String,
    /// For a whole HTTP request: look-up, connection, TLS, redirects and body. A tracker that
    /// drips its answer cannot extend it.
    pub timeout: Duration,
    /// For connecting, TLS included.
    pub connect_timeout: Duration,
    /// For connecting while other requests wait for a thread.
    pub crowded_connect_timeout: Duration,
    /// For a whole UDP exchange, all retransmissions included.
    pub udp_timeout: Duration,
    /// Threads for HTTP requests and look-ups; they are started when needed.
    pub threads: usize,
    /// Requests to one host at once.
    pub per_host: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            user_agent: concat!("pieces/", env!("CARGO_PKG_VERSION")).into(),
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            crowded_connect_timeout: Duration::from_secs(3),
            udp_timeout: Duration::from_secs(60),
            threads: 32,
            per_host: 4,
        }
    }
}

/// Asks trackers, on threads of its own.
///
/// Dropping it waits for nobody: questions still waiting for a thread are dropped with their
/// callbacks, those under way end in their own time.
#[derive(Debug)]
pub struct Client {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    gate: Gate,
    http: Http,
}

impl Client {
    /// Starts the threads. Errors if the system has none to give.
    pub fn start(config: Config) -> io::Result<Self> {
        Self::with_lookup(config, Lookup::system())
    }

    pub(crate) fn with_lookup(config: Config, lookup: Lookup) -> io::Result<Self> {
        let jobs = pool::start(config.threads, config.per_host)?;
        let gate = Gate::new(lookup, config.bind);
        let http = Http::new(config.bind, &config.user_agent);
        Ok(Self { jobs, shared: Arc::new(Shared { config, gate, http }) })
    }

    /// Announces to one tracker. Returns at once; `done` gets the answer on a thread of the
    /// client's, which it should not hold for long.
    pub fn announce(
        &self,
        ask: Announce,
        done: impl FnOnce(Result<Reply, Error>) + Send + 'static,
    ) {
        self.submit(ask.url.clone(), done, move |shared, scheme, url, patience| match scheme {
            Scheme::Http => {
                let body = shared.http.get(&query::announce(url, &ask), &shared.gate, patience)?;
                reply::parse_announce(&body)
            }
            Scheme::Udp => Err(Error::new(ErrorKind::Unsupported, "udp trackers")),
        });
    }

    /// Asks one tracker for the counts of some torrents (BEP 48). As [`Client::announce`].
    pub fn scrape(
        &self,
        ask: Scrape,
        done: impl FnOnce(Result<ScrapeReply, Error>) + Send + 'static,
    ) {
        self.submit(ask.url.clone(), done, move |shared, scheme, url, patience| match scheme {
            Scheme::Http => {
                let body = shared.http.get(&query::scrape(url, &ask)?, &shared.gate, patience)?;
                reply::parse_scrape(&body, &ask.info_hashes)
            }
            Scheme::Udp => Err(Error::new(ErrorKind::Unsupported, "udp trackers")),
        });
    }

    fn submit<T>(
        &self,
        url: String,
        done: impl FnOnce(Result<T, Error>) + Send + 'static,
        work: impl FnOnce(&Shared, Scheme, &Url, Patience) -> Result<T, Error> + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        let parsed = query::parse(&url);
        let host = match &parsed {
            Ok((_, url)) => url.host_str().unwrap_or_default().to_ascii_lowercase(),
            Err(_) => String::new(),
        };
        let run = Box::new(move |crowd| {
            let answer = parsed.and_then(|(scheme, url)| {
                let url = strip_user(url);
                work(&shared, scheme, &url, shared.patience(crowd))
            });
            let health = health(answer.as_ref().err());
            done(answer);
            health
        });
        // The queue's thread lives as long as this sender.
        let _ = self.jobs.send(Job { host, run });
    }
}

impl Shared {
    fn patience(&self, crowd: Crowd) -> Patience {
        let connect = match crowd {
            Crowd::Alone => self.config.connect_timeout,
            Crowd::OthersWait => {
                self.config.connect_timeout.min(self.config.crowded_connect_timeout)
            }
        };
        let now = Instant::now();
        let deadline = now.checked_add(self.config.timeout).unwrap_or(now);
        Patience { deadline, connect }
    }
}

/// A host that answers, even nonsense, holds a thread for a short time only.
fn health(error: Option<&Error>) -> Health {
    match error.map(Error::kind) {
        Some(ErrorKind::Timeout | ErrorKind::Connect | ErrorKind::Resolve) => Health::Silent,
        _ => Health::Alive,
    }
}
