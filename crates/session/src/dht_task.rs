//! The task that runs our node of the DHT: its sockets, its timer, the names of its bootstrap nodes,
//! its file. What to send and whom to believe is decided by `dht`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dht::{Action, Config, Dht, Event, Family, Input, State};
use swarm::Source;
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};

use crate::config::{self, DhtConfig};
use crate::descriptors;
use crate::finder::Order;
use crate::resume;
use crate::shared::Registry;
use crate::udp::Sockets;

/// How often the state is written: a run that is killed loses the nodes of this time.
const SAVE_EVERY: Duration = Duration::from_mins(5);

/// How long a name may take: after that the others have answered, or the next attempt is due.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(20);

/// The node and what it needs besides sockets.
pub(crate) struct Node {
    dht: Dht,
    bootstrap: Vec<String>,
    /// The TCP port that is announced.
    port: u16,
    file: Option<PathBuf>,
    /// Where the addresses of names go.
    orders: WeakUnboundedSender<Order>,
    save_at: Instant,
}

impl Node {
    /// A node that continues from what the last run left in the state folder.
    pub(crate) fn new(
        settings: &DhtConfig,
        config: &config::Config,
        sockets: &Sockets,
        port: u16,
        orders: WeakUnboundedSender<Order>,
    ) -> Self {
        let file = config.state_dir.as_ref().map(|folder| folder.join("dht.state"));
        let before = file.as_deref().map(load).unwrap_or_default();
        let families = [(sockets.has_v4(), Family::V4), (sockets.has_v6(), Family::V6)];
        let families = families.into_iter().filter(|(there, _)| *there).map(|(_, family)| family);
        let node = Config {
            families: families.collect(),
            external: config.bind.filter(|ip| !ip.is_unspecified()).into_iter().collect(),
            ..Config::default()
        };
        let now = Instant::now();
        Self {
            dht: Dht::new(node, &before, now, secret(config.seed)),
            bootstrap: settings.bootstrap.clone(),
            port,
            file,
            orders,
            save_at: now + SAVE_EVERY,
        }
    }
}

/// Runs the node until nobody can give it orders any more.
pub(crate) async fn run(
    sockets: Sockets,
    mut node: Node,
    mut orders: UnboundedReceiver<Order>,
    registry: Arc<Registry>,
) {
    let sockets = match sockets.register().await {
        Ok(sockets) => sockets,
        Err(error) => {
            log::warn!("no DHT: {error}");
            return;
        }
    };
    loop {
        node.act(&sockets, &registry);
        let timer = node.dht.poll_timeout().map_or(node.save_at, |at| at.min(node.save_at));
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => node.obey(order),
                None => return,
            },
            datagram = sockets.receive() => {
                let (from, bytes) = (datagram.from, datagram.bytes());
                node.dht.handle(Instant::now(), Input::Packet { from, bytes });
            }
            () = tokio::time::sleep_until(timer.into()) => node.timeout(Instant::now()),
        }
    }
}

impl Node {
    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Join(info_hash) => {
                let (info_hash, port) = (*info_hash.as_bytes(), Some(self.port));
                self.dht.handle(now, Input::Join { info_hash, port });
            }
            Order::Leave(info_hash) => {
                self.dht.handle(now, Input::Leave { info_hash: *info_hash.as_bytes() });
            }
            Order::Node(addr) => self.dht.handle(now, Input::Node { addr }),
            Order::Bootstrap(addrs) => self.dht.handle(now, Input::Bootstrap { addrs }),
            Order::Save(done) => self.save(Some(done)),
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.dht.handle_timeout(now);
        if self.save_at <= now {
            self.save_at = now + SAVE_EVERY;
            self.save(None);
        }
    }

    fn act(&mut self, sockets: &Sockets, registry: &Registry) {
        while let Some(action) = self.dht.poll() {
            match action {
                Action::Send { to, bytes } => sockets.send(to, &bytes),
                Action::Bootstrap => self.look_up(),
                Action::Found { info_hash, addrs } => {
                    registry.found(info_hash, addrs, Source::Dht);
                }
                Action::Event(Event::Ready { family, nodes }) => {
                    log::info!("DHT: {nodes} nodes of {family:?} are known");
                }
                Action::Event(event) => log::debug!("DHT: {event:?}"),
            }
        }
    }

    /// Finds the addresses of the bootstrap nodes, on the runtime's threads for what blocks.
    fn look_up(&self) {
        for name in self.bootstrap.clone() {
            let orders = self.orders.clone();
            tokio::spawn(async move {
                let found = tokio::time::timeout(LOOKUP_DEADLINE, descriptors::look_up(&name));
                match found.await {
                    Ok(Ok(addrs)) => {
                        if let Some(orders) = orders.upgrade() {
                            // A node that has ended needs no others.
                            let _ = orders.send(Order::Bootstrap(addrs));
                        }
                    }
                    Ok(Err(error)) => log::info!("DHT bootstrap node {name:?}: {error}"),
                    Err(_) => log::info!("DHT bootstrap node {name:?}: no answer to its name"),
                }
            });
        }
    }

    /// Writes down what the next run should know, elsewhere, since that waits for the disk. Then `done`
    /// is dropped.
    fn save(&self, done: Option<crossbeam_channel::Sender<()>>) {
        let Some(file) = self.file.clone() else { return };
        let state = self.dht.state();
        if state.nodes.is_empty() {
            // What the last run knew is better than nothing.
            return;
        }
        tokio::task::spawn_blocking(move || {
            if let Err(error) = resume::write(&file, &state.to_bytes()) {
                log::warn!("{}: cannot save the DHT's state: {error}", file.display());
            }
            drop(done);
        });
    }
}

/// What the last run knew; nothing if it left nothing that can be read.
fn load(file: &Path) -> State {
    let limit = u64::try_from(dht::limits::MAX_STATE).unwrap_or(u64::MAX);
    match storage::read_regular(file, limit) {
        Ok(bytes) => State::from_bytes(&bytes).unwrap_or_else(|error| {
            log::info!("{}: {error}", file.display());
            State::default()
        }),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::info!("{}: {error}", file.display());
            }
            State::default()
        }
    }
}

/// What nobody may guess; in tests it comes from their seed.
fn secret(seed: Option<u64>) -> [u8; 32] {
    let mut secret = [0; 32];
    match seed {
        Some(seed) => fastrand::Rng::with_seed(seed).fill(&mut secret),
        None => {
            if let Err(error) = getrandom::fill(&mut secret) {
                log::warn!(
                    "the system has no randomness ({error}); the DHT's tokens can be guessed"
                );
                fastrand::fill(&mut secret);
            }
        }
    }
    secret
}
