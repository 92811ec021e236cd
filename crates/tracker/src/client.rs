//! The client: takes questions, gives them to threads that may block, and hands each answer to
//! its callback. Never decides when to ask; that is [`Tiers`](crate::Tiers).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::gate::Gate;
use crate::http::{self, Http, Patience};
use crate::lookup::Lookup;
use crate::message::{Announce, Reply, Scrape, ScrapeReply};
use crate::pool::{self, Crowd, Health, Job};
use crate::query::{self, Scheme};
use crate::reply;
use crate::shortage::Shortage;
use crate::udp::{Answer, Question, Udp};

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
    /// What is told that there is no descriptor for a socket.
    pub shortage: Shortage,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: None,
            user_agent: concat!("pieces/", env!("CARGO_PKG_VERSION")).into(),
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            crowded_connect_timeout: Duration::from_secs(3),
            udp_timeout: Duration::from_mins(1),
            threads: 32,
            per_host: 4,
            shortage: Shortage::default(),
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
    udp: Udp,
}

impl Client {
    /// Starts the threads. Errors if the system has none to give.
    pub fn start(config: Config) -> io::Result<Self> {
        let lookup = Lookup::system(config.shortage.clone());
        Self::with_lookup(config, lookup)
    }

    pub(crate) fn with_lookup(config: Config, lookup: Lookup) -> io::Result<Self> {
        let jobs = pool::start(config.threads, config.per_host)?;
        let gate = Gate::new(lookup, config.bind);
        let http = Http::new(config.bind, &config.user_agent, config.shortage.clone());
        let udp = Udp::new(config.bind, config.shortage.clone(), gate.trials().clone());
        Ok(Self { jobs, shared: Arc::new(Shared { config, gate, http, udp }) })
    }

    /// Announces to one tracker. Returns at once; `done` gets the answer on a thread of the
    /// client's, which it should not hold for long.
    pub fn announce(
        &self,
        ask: Announce,
        done: impl FnOnce(Result<Reply, Error>) + Send + 'static,
    ) {
        let parsed = query::parse(&ask.url);
        self.submit(parsed, done, move |shared, scheme, url, patience, done| match scheme {
            Scheme::Http => {
                done.call(|| http::announce(shared, &query::announce(url, &ask), patience))
            }
            Scheme::Udp => {
                let question = Question::Announce(Box::new(ask), query::path_and_query(url));
                shared.ask_udp(url, question, patience, done, |answer| match answer {
                    Answer::Announce(reply) => Some(reply),
                    Answer::Scrape(_) => None,
                })
            }
        });
    }

    /// Asks one tracker for the counts of some torrents (BEP 48). As [`Client::announce`].
    pub fn scrape(
        &self,
        ask: Scrape,
        done: impl FnOnce(Result<ScrapeReply, Error>) + Send + 'static,
    ) {
        let parsed = query::parse(&ask.url).and_then(|parsed| {
            query::check_scrape(&ask)?;
            Ok(parsed)
        });
        self.submit(parsed, done, move |shared, scheme, url, patience, done| match scheme {
            Scheme::Http => done.call(|| {
                let url = query::scrape(url, &ask)?;
                let body = shared.http.get(&url, &shared.gate, patience)?;
                reply::parse_scrape(&body, &ask.info_hashes)
            }),
            Scheme::Udp => {
                let question = Question::Scrape(ask.info_hashes);
                shared.ask_udp(url, question, patience, done, |answer| match answer {
                    Answer::Scrape(reply) => Some(reply),
                    Answer::Announce(_) => None,
                })
            }
        });
    }

    fn submit<T, W>(
        &self,
        parsed: Result<(Scheme, Url), Error>,
        done: impl FnOnce(Result<T, Error>) + Send + 'static,
        work: W,
    ) where
        W: FnOnce(&Arc<Shared>, Scheme, &Url, Patience, Done<T>) -> Health + Send + 'static,
        T: 'static,
    {
        let shared = Arc::clone(&self.shared);
        let done = Done(Box::new(done));
        let host = match &parsed {
            Ok((_, url)) => url.host_str().unwrap_or_default().to_ascii_lowercase(),
            Err(_) => String::new(),
        };
        let run = Box::new(move |crowd| match parsed {
            Ok((scheme, url)) => {
                shared.config.shortage.wait_for_a_request();
                work(&shared, scheme, &url, shared.patience(crowd), done)
            }
            Err(error) => done.call(|| Err(error)),
        });
        // The queue's thread lives as long as this sender.
        let _ = self.jobs.send(Job { host, run });
    }
}

impl http::Shared for Shared {
    fn http(&self) -> &Http {
        &self.http
    }

    fn gate(&self) -> &Gate {
        &self.gate
    }
}

/// The caller's callback.
struct Done<T>(Box<dyn FnOnce(Result<T, Error>) + Send>);

impl<T> Done<T> {
    /// Calls back with what `work` gives; what that says of the host.
    fn call(self, work: impl FnOnce() -> Result<T, Error>) -> Health {
        let answer = work();
        let health = health(answer.as_ref().err());
        (self.0)(answer);
        health
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

    /// Looks the tracker up here, and leaves the rest to the socket's thread.
    fn ask_udp<T: 'static>(
        &self,
        url: &Url,
        question: Question,
        patience: Patience,
        done: Done<T>,
        read: impl FnOnce(Answer) -> Option<T> + Send + 'static,
    ) -> Health {
        let ips = match self.gate.first(url, patience.deadline) {
            Ok(ips) => ips,
            Err(error) => return done.call(|| Err(error)),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let addrs = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        let now = Instant::now();
        let deadline = now.checked_add(self.config.udp_timeout).unwrap_or(now);
        let host = url.host_str().unwrap_or_default().to_owned();
        let called_back = move |answer: Result<Answer, Error>| {
            let answer = answer.map_err(|error| error.at(&host)).and_then(|answer| {
                let unfit = || Error::new(ErrorKind::Malformed, "an answer to another question");
                read(answer).ok_or_else(unfit)
            });
            (done.0)(answer);
        };
        self.udp.ask(addrs, question, deadline, Box::new(called_back));
        Health::Alive
    }
}

/// A host that answers, even nonsense, holds a thread for a short time only.
fn health(error: Option<&Error>) -> Health {
    match error.map(Error::kind) {
        Some(ErrorKind::Timeout | ErrorKind::Connect | ErrorKind::Resolve) => Health::Silent,
        _ => Health::Alive,
    }
}
