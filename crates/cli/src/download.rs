//! `pieces-cli download` and `pieces-cli seed`: from arguments to a session and back to an exit code.
//! How a run goes is in [`run`]; everything else is the session's.

mod events;
mod hook;
mod load;
mod peer;
mod resolve;
mod run;
mod stall;
mod summary;
mod tell;
mod transfer;
mod verdict;
mod wish;

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use crossbeam_channel::{Receiver, select};
use session::{AddOptions, Config, DEFAULT_PORTS, DhtConfig, ErrorKind, Session};

use crate::args::{Download, Limit, Limits, Network, Seed, Target};
use crate::exit::{Code, Failure};
use crate::text;
use events::Events;
use hook::Hook;
use load::{Loaded, Loader};
use run::{Orders, Run};
use transfer::When;
use verdict::Verdict;
use wish::Wish;

pub(crate) use resolve::resolve;

/// Runs `download`.
pub(crate) fn download(args: &Download, quiet: bool) -> Result<(), Failure> {
    let (ratio, time) = (args.seed_ratio, args.seed_time);
    let seeds = args.seed || ratio.is_some() || time.is_some();
    // 0 is for no limit, as aria2 has it.
    let ratio = ratio.filter(|ratio| *ratio > 0.0);
    let orders = Orders {
        wish: Wish::new(args)?,
        seeding: if seeds { When::Later { ratio, time } } else { When::AtOnce },
        json: Events::new(args.json),
        hook: Hook::new(args.on_complete.clone()),
        quiet,
    };
    let config = Config { sync_on_stop: args.sync, ..config(&args.network, &args.limits) };
    follow(&args.torrents, config, orders)
}

/// Runs `seed`.
pub(crate) fn seed(args: &Seed, quiet: bool) -> Result<(), Failure> {
    let dir = &args.target.dir;
    dir.metadata().map_err(|error| Failure::io("open the folder", dir, &error))?;
    let orders = Orders {
        wish: Wish::to_seed(args),
        seeding: When::Later { ratio: None, time: None },
        json: Events::new(args.json),
        hook: Hook::new(None),
        quiet,
    };
    follow(&args.torrents, config(&args.network, &args.limits), orders)
}

/// Runs the torrents that the arguments name, each for itself, until all are over.
fn follow(arguments: &[PathBuf], config: Config, orders: Orders) -> Result<(), Failure> {
    let signals = signals();
    let mut loader = Loader::start(arguments)?;
    let mut verdict = Verdict::new(orders.json);
    // Without a torrent there is nothing to start a session for.
    let Some(first) = first(&mut loader, &mut verdict, &signals) else { return verdict.end() };
    let state = config.state_dir.clone();
    let session = match Session::start(config) {
        Ok(session) => session,
        Err(error) => {
            verdict.refused(&failure(&error));
            return verdict.end();
        }
    };
    match &state {
        Some(folder) => log::info!("resume state is kept in {}", text::path(folder)),
        None => log::info!("no resume state is kept, as HOME is not set"),
    }
    let mut run = Run::new(session, loader, verdict, orders);
    run.load(first);
    run.until_over(&signals);
    run.finish(&signals)
}

/// The first argument that is a torrent or a magnet; those before it are told as failures.
fn first(loader: &mut Loader, verdict: &mut Verdict, signals: &Receiver<()>) -> Option<Loaded> {
    let arguments = loader.receiver();
    loop {
        select! {
            recv(arguments) -> argument => match argument {
                Ok(Loaded { at, source: Err(failure) }) => {
                    loader.took(at);
                    verdict.refused(&failure);
                }
                Ok(torrent) => return Some(torrent),
                Err(_) => return None,
            },
            recv(signals) -> _ => {
                loader.give_up().iter().for_each(|unread| verdict.refused(unread));
                return None;
            }
        }
    }
}

fn options(target: &Target, network: &Network) -> AddOptions {
    AddOptions {
        dir: target.dir.clone(),
        peers: addresses(network),
        named_peers: names(network),
        verify: target.verify,
        follow_links: target.follow_links,
        ..AddOptions::default()
    }
}

/// The peers the user named by address.
fn addresses(network: &Network) -> Vec<SocketAddr> {
    network.peers.iter().filter_map(|peer| peer.parse().ok()).collect()
}

/// The peers the user named by name, which the session looks up.
fn names(network: &Network) -> Vec<String> {
    let by_name = |peer: &&String| peer.parse::<SocketAddr>().is_err();
    network.peers.iter().filter(by_name).cloned().collect()
}

fn config(network: &Network, limits: &Limits) -> Config {
    let defaults = Config::default();
    // The session takes no more than there are descriptors for.
    let max_peers = limits.max_peers.map(|most| match most {
        0 => usize::MAX,
        most => usize::try_from(most).unwrap_or(usize::MAX),
    });
    Config {
        max_peers: max_peers.unwrap_or(defaults.max_peers),
        download_limit: limits.max_download.and_then(Limit::get),
        upload_limit: limits.max_upload.and_then(Limit::get),
        ports: network.port.map_or(DEFAULT_PORTS, |port| port..=port),
        bind: network.bind,
        encryption: network.encryption.into(),
        dht: dht(network),
        lsd: !network.no_lsd && network.bind.is_none_or(|ip| !ip.is_loopback()),
        pex: !network.no_pex,
        state_dir: state_dir(),
        ..defaults
    }
}

/// How to take part in the DHT. From the loopback no well-known node can be reached.
fn dht(network: &Network) -> Option<DhtConfig> {
    let bootstrap = match network.bind {
        _ if !network.dht_bootstrap.is_empty() => network.dht_bootstrap.clone(),
        Some(ip) if ip.is_loopback() => Vec::new(),
        _ => DhtConfig::default().bootstrap,
    };
    (!network.no_dht).then_some(DhtConfig { bootstrap })
}

/// Where resume state is kept: `pieces` below the XDG state folder. `None` for a user without a home.
fn state_dir() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME");
    let state = state.or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("pieces"))
}

/// A message when the user wants to leave. Who says so twice is gone.
fn signals() -> Receiver<()> {
    let (sender, receiver) = crossbeam_channel::unbounded();
    crate::signals::ask_first(move || {
        // Nobody listens any more when the process is about to end.
        let _ = sender.send(());
    });
    receiver
}

/// The exit code that fits what a session reports.
fn failure(error: &session::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::Listen(..) => Code::Network,
        ErrorKind::V2Only | ErrorKind::Metadata(_) => Code::BadTorrent,
        ErrorKind::Incomplete { .. } | ErrorKind::NotWhole(_) => Code::Checksum,
        ErrorKind::Storage(error) => match error.kind() {
            storage::ErrorKind::Kept => Code::BadOption,
            storage::ErrorKind::NotFound => Code::NotFound,
            storage::ErrorKind::Full { .. } => Code::DiskFull,
            storage::ErrorKind::Occupied => Code::Occupied,
            _ => Code::Io,
        },
        _ => Code::Other,
    };
    let told = error.to_string();
    let message = match error.kind() {
        ErrorKind::Listen(..) => format!("{told} (see --port and --bind)"),
        ErrorKind::Incomplete { have: 0, .. } => {
            format!("{told}; -d names the folder that holds them, download fetches them")
        }
        ErrorKind::Incomplete { .. } => {
            format!("{told}; --partial seeds what is there, download fetches the others")
        }
        ErrorKind::NotWhole(error) if error.kind() == storage::ErrorKind::Occupied => {
            format!("{}; `download --force` cuts it", text::escape(&told))
        }
        ErrorKind::Storage(error) => text::escape(&text::storage(error)).into_owned(),
        _ => text::escape(&told).into_owned(),
    };
    Failure::new(code, message)
}
