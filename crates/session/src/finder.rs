//! Where peers are found besides trackers: the DHT and the local network. It owns the way to their
//! tasks; a torrent without a finder, as a private one (BEP 27), is known to neither.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metainfo::InfoHash;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::config::Config;
use crate::shared::Registry;
use crate::udp::Sockets;
use crate::{dht_task, lsd_task};

/// What a task that finds peers is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Look for the peers of a torrent.
    Join(InfoHash),
    /// Not any more.
    Leave(InfoHash),
    /// There may be a DHT node.
    Node(SocketAddr),
    /// What the names of the bootstrap nodes stand for.
    Bootstrap(Vec<SocketAddr>),
    /// Write down what the next run should know, and drop the sender then.
    Save(crossbeam_channel::Sender<()>),
}

/// The way to the tasks that find peers.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    dht: Option<(UnboundedSender<Order>, u16)>,
    lsd: Option<UnboundedSender<Order>>,
}

/// The tasks themselves, with their sockets, before they run.
pub(crate) struct Tasks {
    dht: Option<(Sockets, dht_task::Node, UnboundedReceiver<Order>)>,
    lsd: Option<(Sockets, lsd::Lsd, UnboundedReceiver<Order>)>,
}

impl Finder {
    /// Takes the sockets for what `config` asks for. What cannot be had is done without, and the log
    /// says so.
    pub(crate) fn open(config: &Config, listen: SocketAddr, cookie: u64) -> (Self, Tasks) {
        let mut finder = Self::default();
        let mut tasks = Tasks { dht: None, lsd: None };
        if let Some(settings) = &config.dht
            && let Some(sockets) = Sockets::for_dht(config.bind, listen.port())
        {
            let (orders, queue) = mpsc::unbounded_channel();
            let port = sockets.port();
            log::debug!("DHT: a node at UDP port {port}");
            let node =
                dht_task::Node::new(settings, config, &sockets, listen.port(), orders.downgrade());
            finder.dht = Some((orders, port));
            tasks.dht = Some((sockets, node, queue));
        }
        if config.lsd
            && let Some(sockets) = Sockets::for_lsd(config.bind)
        {
            let (orders, queue) = mpsc::unbounded_channel();
            finder.lsd = Some(orders);
            tasks.lsd =
                Some((sockets, lsd::Lsd::new(listen.port(), cookie, Instant::now()), queue));
        }
        (finder, tasks)
    }

    /// The UDP port of our DHT node, if there is one.
    pub(crate) fn dht_port(&self) -> Option<u16> {
        self.dht.as_ref().map(|(_, port)| *port)
    }

    /// Whether anything is looked for anywhere.
    pub(crate) fn is_on(&self) -> bool {
        self.dht.is_some() || self.lsd.is_some()
    }

    /// A peer says that there is a DHT node.
    pub(crate) fn node(&self, addr: SocketAddr) {
        self.tell_dht(Order::Node(addr));
    }

    /// Keeps what the next run should know, if the disk takes it within `patience`.
    pub(crate) fn save(&self, patience: Duration) {
        if self.dht.is_some() {
            let (done, saved) = crossbeam_channel::bounded(0);
            self.tell_dht(Order::Save(done));
            // It is over when the other end is gone; nothing is ever sent.
            let _ = saved.recv_timeout(patience);
        }
    }

    fn tell_dht(&self, order: Order) {
        if let Some((dht, _)) = &self.dht {
            // A task that has ended needs no orders.
            let _ = dht.send(order);
        }
    }

    fn tell(&self, order: impl Fn() -> Order) {
        self.tell_dht(order());
        if let Some(lsd) = &self.lsd {
            let _ = lsd.send(order());
        }
    }
}

/// A torrent that is looked for, until this is dropped.
pub(crate) struct Membership {
    finder: Arc<Finder>,
    info_hash: InfoHash,
}

impl Membership {
    pub(crate) fn new(finder: Arc<Finder>, info_hash: InfoHash) -> Self {
        finder.tell(|| Order::Join(info_hash));
        Self { finder, info_hash }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.finder.tell(|| Order::Leave(self.info_hash));
    }
}

impl Tasks {
    /// Starts them, on the runtime that this is called on. They end with the finder.
    pub(crate) fn spawn(self, registry: &Arc<Registry>) {
        if let Some((sockets, node, orders)) = self.dht {
            tokio::spawn(dht_task::run(sockets, node, orders, registry.clone()));
        }
        if let Some((sockets, lsd, orders)) = self.lsd {
            tokio::spawn(lsd_task::run(sockets, lsd, orders, registry.clone()));
        }
    }
}
