//! The task that announces our torrents to the local network and hears others'. What to say and whom
//! to believe is decided by `lsd`.

use std::sync::Arc;
use std::time::Instant;

use lsd::{Action, Input, Lsd};
use swarm::Source;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::finder::Order;
use crate::shared::Registry;
use crate::udp::Sockets;

/// Runs until nobody can give orders any more.
pub(crate) async fn run(
    sockets: Sockets,
    mut lsd: Lsd,
    mut orders: UnboundedReceiver<Order>,
    registry: Arc<Registry>,
) {
    let sockets = match sockets.register().await {
        Ok(sockets) => sockets,
        Err(error) => {
            log::warn!("no local discovery: {error}");
            return;
        }
    };
    loop {
        while let Some(action) = lsd.poll() {
            match action {
                Action::Send { bytes } => sockets.send_to_groups(|family| bytes.to(family)),
                Action::Found { info_hash, addr } => {
                    registry.found(info_hash, vec![addr], Source::Local);
                }
            }
        }
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => obey(&mut lsd, &order),
                None => return,
            },
            datagram = sockets.receive() => {
                let (from, bytes) = (datagram.from, datagram.bytes());
                lsd.handle(Instant::now(), Input::Packet { from, bytes });
            }
            () = sleep_until(lsd.poll_timeout()) => lsd.handle_timeout(Instant::now()),
        }
    }
}

fn obey(lsd: &mut Lsd, order: &Order) {
    let input = match order {
        Order::Join(info_hash) => Input::Join { info_hash: *info_hash.as_bytes() },
        Order::Leave(info_hash) => Input::Leave { info_hash: *info_hash.as_bytes() },
        Order::Node(_) | Order::Bootstrap(_) | Order::Save(_) => return,
    };
    lsd.handle(Instant::now(), input);
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
