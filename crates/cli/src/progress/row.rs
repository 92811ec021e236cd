//! How one torrent stands, or several together: the figures that a line of progress shows. Never text
//! for a terminal.

use std::collections::BTreeMap;

use session::{Snapshot, Source, State};

/// How a torrent stands, as far as a line tells it. What was known last is kept.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Bytes that are verified, and wanted.
    pub(crate) have: u64,
    pub(crate) total: u64,
    /// Of several together, whether more is wanted than is known: one of them has no metadata yet.
    more: bool,
    /// Payload bytes a second.
    pub(crate) down: u64,
    pub(crate) up: u64,
    /// Whether there was a rate yet, or the torrent rests: until then 0 may only mean that the first
    /// second is not over.
    measured: bool,
    /// Payload bytes in all.
    pub(crate) downloaded: u64,
    pub(crate) uploaded: u64,
    pub(crate) peers: usize,
    pub(crate) sources: BTreeMap<Source, usize>,
    pub(crate) stage: Stage,
}

/// What a torrent is doing. Of several together, what the first of these says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Downloading,
    /// Reading what is on disk.
    Checking {
        done: u64,
        total: u64,
    },
    /// Waiting for its turn to be checked, or for its files.
    Opening,
    /// Fetching the metadata of a magnet; `None` if it is here and waits to be used.
    Metadata(Option<Metadata>),
    Seeding,
    Stopping,
    /// It has ended; of a magnet whose metadata never came nothing else is known.
    Over,
}

/// How much of the metadata is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metadata {
    pub(crate) bytes: u64,
    pub(crate) total: u64,
    /// How many peers have it.
    pub(crate) sources: usize,
}

impl Row {
    /// A torrent that was added just now, of so many bytes if that is known.
    pub(crate) fn new(name: &str, total: u64) -> Self {
        Self {
            name: name.to_owned(),
            have: 0,
            total,
            more: false,
            down: 0,
            up: 0,
            measured: false,
            downloaded: 0,
            uploaded: 0,
            peers: 0,
            sources: BTreeMap::new(),
            stage: Stage::Opening,
        }
    }

    /// A magnet whose metadata is not known yet, and nothing else of it either.
    fn is_unsized(&self) -> bool {
        self.stage == Stage::Opening && self.total == 0
    }

    /// Takes over how the torrent stands now.
    pub(crate) fn look(&mut self, now: &Snapshot) {
        let metadata = || {
            now.stats.metadata.map(|metadata| Metadata {
                bytes: u64::from(metadata.bytes),
                total: u64::from(metadata.len),
                sources: metadata.sources,
            })
        };
        self.stage = match now.state {
            State::Metadata => Stage::Metadata(metadata()),
            State::Downloading => Stage::Downloading,
            State::Seeding => Stage::Seeding,
            State::Checking => Stage::Opening,
            _ => Stage::Stopping,
        };
        (self.have, self.total) = (now.have_bytes(), now.total_bytes);
        (self.down, self.up) = (now.stats.download_rate, now.stats.upload_rate);
        self.measured |= self.down > 0 || self.up > 0;
        (self.downloaded, self.uploaded) = (now.stats.downloaded, now.stats.uploaded);
        self.peers = now.stats.peers;
        self.sources.clear();
        for peer in &now.peers {
            *self.sources.entry(peer.source).or_default() += 1;
        }
    }

    /// It has ended with these bytes transferred.
    pub(crate) fn over(&mut self, downloaded: u64, uploaded: u64) {
        (self.downloaded, self.uploaded) = (downloaded, uploaded);
        self.rest();
        self.stage = Stage::Over;
    }

    /// Nothing moves any more.
    fn rest(&mut self) {
        (self.down, self.up, self.peers) = (0, 0, 0);
        self.measured = true;
        self.sources.clear();
    }

    /// Whether the rates say something: they were measured, or nothing has moved at all.
    pub(crate) fn has_rates(&self) -> bool {
        self.measured || (self.downloaded, self.uploaded) == (0, 0)
    }

    /// Whether all that is wanted is known, so that a share of it can be told: one that fell when the size
    /// of another torrent becomes known would be worse than none.
    pub(crate) fn has_total(&self) -> bool {
        !self.more
    }

    /// Whether there is anything to see: it has not ended.
    pub(crate) fn is_live(&self) -> bool {
        self.stage != Stage::Over
    }

    /// All of them together, those that have ended included, so that their bytes stay counted.
    pub(crate) fn sum(name: &str, rows: &[&Row]) -> Self {
        let mut sum = Self::new(name, 0);
        sum.stage = rows.iter().map(|row| row.stage).min().unwrap_or(Stage::Over);
        sum.measured = rows.iter().all(|row| row.has_rates());
        sum.more =
            rows.iter().any(|row| matches!(row.stage, Stage::Metadata(_)) || row.is_unsized());
        for row in rows {
            sum.have = sum.have.saturating_add(row.have);
            sum.total = sum.total.saturating_add(row.total);
            sum.down = sum.down.saturating_add(row.down);
            sum.up = sum.up.saturating_add(row.up);
            sum.downloaded = sum.downloaded.saturating_add(row.downloaded);
            sum.uploaded = sum.uploaded.saturating_add(row.uploaded);
            sum.peers += row.peers;
            for (source, count) in &row.sources {
                *sum.sources.entry(*source).or_default() += count;
            }
        }
        sum
    }
}

/// The busiest `most` of these, in the order they have; what moves most comes before what is only
/// open.
pub(crate) fn busiest<'a>(rows: &[&'a Row], most: usize) -> Vec<&'a Row> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let rate = |row: &Row| row.down.saturating_add(row.up);
    let key = |at: &usize| rows.get(*at).map(|row| (std::cmp::Reverse(rate(row)), row.stage, *at));
    order.sort_by_key(key);
    order.truncate(most);
    order.sort_unstable();
    order.into_iter().filter_map(|at| rows.get(at).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(have: u64, total: u64, down: u64, stage: Stage) -> Row {
        Row { have, down, stage, ..Row::new("a", total) }
    }

    #[test]
    fn the_sum_counts_what_has_ended() {
        let mut first = row(50, 50, 7, Stage::Downloading);
        let second = row(10, 50, 3, Stage::Downloading);
        let before = Row::sum("2 torrents", &[&first, &second]);
        assert_eq!((before.have, before.total, before.down), (60, 100, 10));
        first.over(50, 0);
        let after = Row::sum("2 torrents", &[&first, &second]);
        assert_eq!((after.have, after.total, after.down), (60, 100, 3));
        assert_eq!((after.downloaded, after.stage), (50, Stage::Downloading));
    }

    #[test]
    fn the_busiest_are_shown_in_their_order() {
        let rows = [
            row(0, 9, 0, Stage::Opening),
            row(0, 9, 1, Stage::Downloading),
            row(9, 9, 0, Stage::Seeding),
            row(0, 9, 5, Stage::Downloading),
            row(0, 9, 0, Stage::Downloading),
        ];
        let all: Vec<&Row> = rows.iter().collect();
        let shown = |most| -> Vec<usize> {
            let shown = busiest(&all, most);
            let at = |row: &&Row| all.iter().position(|other| std::ptr::eq(*other, *row)).unwrap();
            shown.iter().map(at).collect()
        };
        assert_eq!(shown(1), [3]);
        assert_eq!(shown(3), [1, 3, 4]);
        assert_eq!(shown(4), [0, 1, 3, 4]);
        assert_eq!(shown(9), [0, 1, 2, 3, 4]);
    }
}
