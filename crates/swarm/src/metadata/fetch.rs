//! Fetching the metadata of a torrent of which only the info-hash is known: whom to ask for which piece,
//! and who lied. Without I/O; what comes from peers is believed only when its hash is right.
//!
//! Peers first say how long the metadata is, and may lie about that as well. So there is a [copy](Copy)
//! for each length that is claimed, and its claimants are asked for its pieces together. The first copy
//! with the right hash ends the fetch. One with a wrong hash that came from one peer convicts that peer.
//! One that came from several is kept as evidence, and from then on each claimant of its length is asked
//! for all pieces alone: so each of them is convicted by its own copy, or ends the fetch.
//!
//! Nobody can hold it up: a peer that is silent or refuses is not asked for a while, also if it claims
//! another length then; a piece that is slow in coming is asked of others too; and when memory allows not
//! all copies at once, those that took long and did not get far make room for others. Turns at that are
//! counted for each host, so that claiming another length, or connecting anew, gives no new one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use metainfo::InfoHash;

use super::copy::{Copy, Exhibit, Recipe};
use crate::border::PeerKey;
use crate::host::host;
use crate::limits::{
    MAX_METADATA_LEN, METADATA_BUDGET, METADATA_CHANGES, METADATA_EVIDENCE, METADATA_HOSTS,
    METADATA_REST_FIRST, METADATA_REST_LAST, METADATA_TIMEOUT, METADATA_TURN, METADATA_WINDOW,
};
use crate::partial::Identity;

/// A fetch under way.
#[derive(Debug)]
pub(crate) struct Fetch {
    hash: InfoHash,
    sources: BTreeMap<PeerKey, Source>,
    copies: Vec<Copy>,
    /// How often copies of a host's peers took longer than their turn.
    turns: BTreeMap<IpAddr, u32>,
    /// Lengths of which a copy from several peers was wrong.
    suspect: BTreeSet<u32>,
    evidence: Vec<Vec<Exhibit>>,
    /// Peers that claimed one length after the other.
    fickle: BTreeSet<PeerKey>,
    /// Which copies there are to be may have changed.
    replan: bool,
    /// When it was last asked what to do: what was possible then is done.
    now: Option<Instant>,
}

/// A peer that says it has the metadata.
#[derive(Debug)]
struct Source {
    who: Identity,
    len: u32,
    asked: Vec<Asked>,
    /// It refused, or was silent: nothing is asked of it before.
    rests_until: Option<Instant>,
    /// How often in a row.
    failures: u32,
    /// How often it claimed another length.
    changes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    piece: u32,
    at: Instant,
    /// It took too long; the answer is still welcome.
    late: bool,
}

/// What became of a piece.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is kept, or was not needed any more.
    Kept,
    /// Nobody asked for it.
    Unrequested,
    /// It does not fit what its sender claimed.
    Misfit,
    /// It completed a copy that is wrong. These peers are guilty, if any of them can be named yet.
    Wrong(Vec<Identity>),
    /// It completed the metadata. These peers were found guilty by it.
    Right(Vec<u8>, Vec<Identity>),
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Peers that say they have the metadata.
    pub sources: usize,
    /// Bytes of the copy that is furthest.
    pub bytes: u32,
    /// Bytes that this copy will have; 0 while no peer has said anything.
    pub len: u32,
}

impl Fetch {
    pub(crate) fn new(hash: InfoHash) -> Self {
        Self {
            hash,
            sources: BTreeMap::new(),
            copies: Vec::new(),
            turns: BTreeMap::new(),
            suspect: BTreeSet::new(),
            evidence: Vec::new(),
            fickle: BTreeSet::new(),
            replan: false,
            now: None,
        }
    }

    /// A peer says that it has the metadata, of `len` bytes. Nothing is asked of one whose claim is
    /// beyond the limit.
    pub(crate) fn offered(&mut self, key: PeerKey, who: Identity, len: u32) {
        if self.sources.get(&key).is_some_and(|source| source.len == len) {
            return;
        }
        let before = self.forget(key);
        let (rests_until, failures) =
            before.as_ref().map_or((None, 0), |before| (before.rests_until, before.failures));
        let changes = before.map_or(0, |before| before.changes + 1);
        // An honest one has no reason to change its mind; one that does again and again is no source.
        if changes > METADATA_CHANGES {
            self.fickle.insert(key);
        }
        if (1..=MAX_METADATA_LEN).contains(&len) && !self.fickle.contains(&key) {
            let asked = Vec::new();
            self.sources.insert(key, Source { who, len, asked, rests_until, failures, changes });
            self.replan = true;
        }
    }

    /// A peer has gone.
    pub(crate) fn gone(&mut self, key: PeerKey) {
        self.fickle.remove(&key);
        self.forget(key);
    }

    fn forget(&mut self, key: PeerKey) -> Option<Source> {
        let recipe = self.recipe_of(key)?;
        let source = self.sources.remove(&key)?;
        if let Some(copy) = find(&mut self.copies, recipe) {
            source.asked.iter().filter(|asked| !asked.late).for_each(|a| copy.give_up(a.piece));
        }
        self.replan = true;
        Some(source)
    }

    /// A peer does not give a piece. What it was asked for goes elsewhere, and it is left alone for a
    /// while. False if it was not asked.
    pub(crate) fn rejected(&mut self, now: Instant, key: PeerKey, piece: u32) -> bool {
        let Some(recipe) = self.recipe_of(key) else { return false };
        let Some(source) = self.sources.get_mut(&key) else { return false };
        let Some(asked) = source.answered(piece) else { return false };
        source.rest(now);
        if let Some(copy) = find(&mut self.copies, recipe).filter(|_| !asked.late) {
            copy.give_up(piece);
        }
        true
    }

    /// A piece came.
    pub(crate) fn data(
        &mut self,
        key: PeerKey,
        piece: u32,
        total: Option<u32>,
        data: &[u8],
    ) -> Outcome {
        let Some(recipe) = self.recipe_of(key) else { return Outcome::Unrequested };
        let Some(source) = self.sources.get_mut(&key) else { return Outcome::Unrequested };
        let Some(asked) = source.answered(piece) else { return Outcome::Unrequested };
        source.failures = 0;
        source.rests_until = None;
        let who = source.who;
        let fits = total.is_none_or(|total| total == source.len);
        // The copy it was for may have made room for others.
        let Some(copy) = find(&mut self.copies, recipe) else { return Outcome::Kept };
        if !asked.late {
            copy.give_up(piece);
        }
        if !fits || !copy.take(piece, data, who) {
            return Outcome::Misfit;
        }
        if copy.is_complete() { self.judge(recipe) } else { Outcome::Kept }
    }

    /// The next request to make now.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(PeerKey, u32)> {
        self.now = Some(now);
        if std::mem::take(&mut self.replan) {
            self.plan(now);
        }
        for (key, source) in &mut self.sources {
            if !source.can_be_asked(now) {
                continue;
            }
            let recipe = recipe(&self.suspect, *key, source.len);
            let Some(copy) = find(&mut self.copies, recipe) else { continue };
            let asked = |piece| source.asked.iter().any(|asked| asked.piece == piece);
            if let Some(piece) = copy.pick(now, asked) {
                source.asked.retain(|asked| asked.piece != piece);
                source.asked.push(Asked { piece, at: now, late: false });
                return Some((*key, piece));
            }
        }
        None
    }

    /// Notices what took too long.
    pub(crate) fn timeout(&mut self, now: Instant) {
        for (key, source) in &mut self.sources {
            let recipe = recipe(&self.suspect, *key, source.len);
            let mut copy = find(&mut self.copies, recipe);
            let mut silent = false;
            for asked in source.asked.iter_mut().filter(|asked| !asked.late) {
                if now >= asked.at + METADATA_TIMEOUT {
                    asked.late = true;
                    silent = true;
                    if let Some(copy) = &mut copy {
                        copy.give_up(asked.piece);
                    }
                }
            }
            if silent {
                source.rest(now);
            }
        }
        let crowded = self.wanted().len() > self.copies.len();
        for copy in &mut self.copies {
            copy.gets_on(now);
        }
        self.replan |= crowded && self.copies.iter().any(|copy| is_overdue(copy, now));
    }

    /// When [`poll`](Self::poll) or [`timeout`](Self::timeout) may have something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let now = self.now?;
        let mut next: Option<Instant> = None;
        let mut at = |time: Instant| {
            if time > now {
                next = Some(next.map_or(time, |before| before.min(time)));
            }
        };
        for source in self.sources.values() {
            let asked = source.asked.iter().filter(|asked| !asked.late);
            asked.map(|asked| asked.at + METADATA_TIMEOUT).for_each(&mut at);
            source.rests_until.into_iter().for_each(&mut at);
        }
        if self.sources.values().any(|source| source.can_be_asked(now)) {
            self.copies.iter().flat_map(Copy::stale_times).for_each(&mut at);
        }
        if self.wanted().len() > self.copies.len() {
            self.copies.iter().map(|copy| copy.began + METADATA_TURN).for_each(&mut at);
        }
        next
    }

    pub(crate) fn progress(&self) -> Progress {
        let furthest = self.copies.iter().max_by_key(|copy| (copy.bytes(), Reverse(copy.began)));
        Progress {
            sources: self.sources.len(),
            bytes: furthest.map_or(0, Copy::bytes),
            len: furthest.map_or(0, |copy| copy.recipe.len),
        }
    }

    /// A copy is complete: is it what the info-hash is of?
    fn judge(&mut self, judged: Recipe) -> Outcome {
        let at = self.copies.iter().position(|copy| copy.recipe == judged);
        let Some(copy) = at.map(|at| self.copies.swap_remove(at)) else { return Outcome::Kept };
        let whole = copy.whole();
        if InfoHash::of(&whole) == self.hash {
            let evidence = std::mem::take(&mut self.evidence);
            let mut guilty: Vec<Identity> =
                evidence.iter().flatten().filter_map(|exhibit| copy.refutes(exhibit)).collect();
            guilty.sort_unstable();
            guilty.dedup();
            return Outcome::Right(whole, guilty);
        }
        // What was asked for the copy is on its way in vain.
        for (key, source) in &mut self.sources {
            if recipe(&self.suspect, *key, source.len) == judged {
                source.asked.iter_mut().for_each(|asked| asked.late = true);
            }
        }
        self.replan = true;
        let senders = copy.senders();
        if senders.len() == 1 {
            return Outcome::Wrong(senders);
        }
        self.suspect.insert(judged.len);
        if self.evidence.len() < METADATA_EVIDENCE {
            self.evidence.push(copy.exhibits().collect());
        }
        Outcome::Wrong(Vec::new())
    }

    fn recipe_of(&self, key: PeerKey) -> Option<Recipe> {
        self.sources.get(&key).map(|source| recipe(&self.suspect, key, source.len))
    }

    /// The copies that could be made, and whose peers would give to each.
    fn wanted(&self) -> BTreeMap<Recipe, BTreeSet<IpAddr>> {
        let mut wanted: BTreeMap<Recipe, BTreeSet<IpAddr>> = BTreeMap::new();
        for (key, source) in &self.sources {
            let recipe = recipe(&self.suspect, *key, source.len);
            wanted.entry(recipe).or_default().insert(host(source.who.ip));
        }
        wanted
    }

    /// Decides which copies there are: those whose peers' hosts had the fewest turns, a host's second
    /// copy counting as one turn more; then those that most peers give to, then the shortest, and no more
    /// than the budget holds.
    fn plan(&mut self, now: Instant) {
        let wanted = self.wanted();
        for copy in self.copies.iter_mut().filter(|copy| is_overdue(copy, now)) {
            copy.turn_over(now);
            let of_copy = |(key, source): &(&PeerKey, &Source)| {
                recipe(&self.suspect, **key, source.len) == copy.recipe
            };
            let hosts: BTreeSet<IpAddr> = self
                .sources
                .iter()
                .filter(of_copy)
                .map(|(_, source)| host(source.who.ip))
                .collect();
            for host in hosts {
                if self.turns.len() < METADATA_HOSTS || self.turns.contains_key(&host) {
                    *self.turns.entry(host).or_default() += 1;
                }
            }
        }
        // The host of each copy that had the fewest turns speaks for it.
        let mut ranked: Vec<_> = wanted
            .into_iter()
            .map(|(recipe, claimants)| {
                let hosts = claimants
                    .iter()
                    .map(|host| (self.turns.get(host).copied().unwrap_or_default(), *host));
                let (turns, host) = hosts.min().unwrap_or((u32::MAX, [0, 0, 0, 0].into()));
                (turns, Reverse(claimants.len()), recipe, host)
            })
            .collect();
        ranked.sort_unstable();
        let mut of_host: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for (turns, .., host) in &mut ranked {
            let others = of_host.entry(*host).or_default();
            *turns = turns.saturating_add(*others);
            *others += 1;
        }
        ranked.sort_unstable();
        let mut budget = METADATA_BUDGET;
        let mut kept: BTreeMap<Recipe, Copy> =
            self.copies.drain(..).map(|copy| (copy.recipe, copy)).collect();
        for (_, _, recipe, _) in ranked {
            if let Some(rest) = budget.checked_sub(recipe.len) {
                budget = rest;
                let copy = kept.remove(&recipe).unwrap_or_else(|| Copy::new(recipe, now));
                self.copies.push(copy);
            }
        }
        // Of a copy that is dropped nothing is due any more.
        for (key, source) in &mut self.sources {
            if kept.contains_key(&recipe(&self.suspect, *key, source.len)) {
                source.asked.iter_mut().for_each(|asked| asked.late = true);
            }
        }
    }
}

impl Source {
    fn can_be_asked(&self, now: Instant) -> bool {
        let due = self.asked.iter().filter(|asked| !asked.late).count();
        due < METADATA_WINDOW && self.rests_until.is_none_or(|until| until <= now)
    }

    /// The request that an answer belongs to, which is done with.
    fn answered(&mut self, piece: u32) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.piece == piece)?;
        Some(self.asked.swap_remove(at))
    }

    fn rest(&mut self, now: Instant) {
        let rest = METADATA_REST_FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.rests_until = Some(now + rest.min(METADATA_REST_LAST));
        self.failures = self.failures.saturating_add(1);
    }
}

/// The copy that a peer gives to.
fn recipe(suspect: &BTreeSet<u32>, key: PeerKey, len: u32) -> Recipe {
    Recipe { len, only: suspect.contains(&len).then_some(key) }
}

fn find(copies: &mut [Copy], recipe: Recipe) -> Option<&mut Copy> {
    copies.iter_mut().find(|copy| copy.recipe == recipe)
}

/// Whether a copy had its turn, and makes room where others wait for it. One that gets on has another:
/// what it has would be lost.
fn is_overdue(copy: &Copy, now: Instant) -> bool {
    now >= copy.began + METADATA_TURN
}
