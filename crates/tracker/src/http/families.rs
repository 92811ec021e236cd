//! Announcing over both address families to a tracker that has both, so that it knows both of ours
//! and names the peers of each (BEP 7). Never does so for scrapes, which the family does not matter
//! to.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use url::Url;

use super::{Http, Patience};
use crate::error::Error;
use crate::gate::Gate;
use crate::message::Reply;
use crate::reply;

/// How long the second family's answer is waited for once the first is here: peers of one family
/// now are better than those of both after a time-out.
const GRACE: Duration = Duration::from_millis(500);

/// What an announce needs that another thread can share.
pub(crate) trait Shared: Send + Sync + 'static {
    fn http(&self) -> &Http;
    fn gate(&self) -> &Gate;
}

/// Requests `url`, once for each address family that its host has, and gives what they answer
/// together.
pub(crate) fn announce<S: Shared>(
    shared: &Arc<S>,
    url: &Url,
    patience: Patience,
) -> Result<Reply, Error> {
    let origin = shared.gate().first(url, patience.deadline)?;
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = origin.iter().partition(|ip| ip.is_ipv4());
    let ask = |at: Vec<IpAddr>| {
        let (shared, url, origin) = (Arc::clone(shared), url.clone(), origin.clone());
        move || {
            let (body, class) =
                shared.http().get_at(&url, &at, &origin, shared.gate(), patience)?;
            let mut reply = reply::parse_announce(&body)?;
            reply::keep_named(&mut reply, class);
            Ok(reply)
        }
    };
    if v4.is_empty() || v6.is_empty() {
        return ask(origin.clone())();
    }
    both(ask(v4), ask(v6), GRACE)
}

/// Asks twice at once. The first success counts, with the peers of the other if that is not much
/// later; without a success, the last failure does.
fn both(
    one: impl FnOnce() -> Result<Reply, Error> + Send + 'static,
    other: impl FnOnce() -> Result<Reply, Error> + Send + 'static,
    grace: Duration,
) -> Result<Reply, Error> {
    let (sender, answers) = bounded(2);
    let of_other = sender.clone();
    // Each may outlive us, until its deadline.
    let start = |name: &str, work: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name(name.into()).spawn(work).map(drop)
    };
    let started = [
        // Nobody listens any more when the other was enough.
        start("tracker-ipv4", Box::new(move || drop(sender.send(one())))),
        start("tracker-ipv6", Box::new(move || drop(of_other.send(other())))),
    ];
    for failed in started.iter().filter_map(|started| started.as_ref().err()) {
        log::warn!("no thread for a tracker: {failed}");
    }
    let gone = |_| Error::new(crate::ErrorKind::Connect, "no thread to ask the tracker with");
    let mut first = match answers.recv().map_err(gone)? {
        Ok(first) => first,
        Err(error) => return answers.recv().unwrap_or(Err(error)),
    };
    if let Ok(Ok(second)) = answers.recv_timeout(grace) {
        for peer in second.peers {
            if !first.peers.contains(&peer) {
                first.peers.push(peer);
            }
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests;
