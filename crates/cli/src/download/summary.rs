//! The last words of a call: what each torrent and all together transferred, how fast, and the ratio.
//! Never writes them.

use std::time::Duration;

use super::transfer::{Transfer, mean};
use crate::text;

/// What was transferred.
struct Moved {
    downloaded: u64,
    downloading_for: Duration,
    uploaded: u64,
    running_for: Duration,
    /// Bytes that the ratio is held against: what is wanted of the torrent.
    size: u64,
}

impl Moved {
    fn of(transfer: &Transfer) -> Self {
        Self {
            downloaded: transfer.row.downloaded,
            downloading_for: transfer.downloading_for(),
            uploaded: transfer.row.uploaded,
            running_for: transfer.running_for(),
            size: transfer.row.total,
        }
    }

    /// All together. Times are not summed up, since torrents run side by side.
    fn sum(all: &[Self]) -> Self {
        let bytes = |of: fn(&Self) -> u64| all.iter().map(of).fold(0, u64::saturating_add);
        let time = |of: fn(&Self) -> Duration| all.iter().map(of).max().unwrap_or_default();
        Self {
            downloaded: bytes(|moved| moved.downloaded),
            downloading_for: time(|moved| moved.downloading_for),
            uploaded: bytes(|moved| moved.uploaded),
            running_for: time(|moved| moved.running_for),
            size: bytes(|moved| moved.size),
        }
    }

    /// As in `downloaded 3 MiB in 2s (1.5 MiB/s), uploaded 6 MiB in 3s (2 MiB/s), ratio 2.00`.
    fn words(&self) -> String {
        let part = |word, bytes: u64, took| {
            let (size, rate) = (text::bytes(bytes), mean(bytes, took));
            (bytes > 0).then(|| format!("{word} {size} in {}{rate}", text::duration(took)))
        };
        let down = part("downloaded", self.downloaded, self.downloading_for);
        let up = part("uploaded", self.uploaded, self.running_for);
        let hundredths = u128::from(self.uploaded) * 100;
        let ratio = hundredths.checked_div(u128::from(self.size));
        let ratio = ratio.map(|ratio| format!("ratio {}.{:02}", ratio / 100, ratio % 100));
        [down, up, ratio].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn is_nothing(&self) -> bool {
        self.downloaded == 0 && self.uploaded == 0
    }
}

/// The lines: one for each torrent that moved, and one for all where they are several. Nothing for a
/// torrent alone that was fetched and nothing else: its completion has told that.
pub(super) fn lines(transfers: &[Transfer]) -> Vec<String> {
    if let [only] = transfers
        && only.complete.is_some()
        && only.row.uploaded == 0
    {
        return Vec::new();
    }
    let all: Vec<Moved> = transfers.iter().map(Moved::of).collect();
    let told = transfers.iter().zip(&all).filter(|(_, moved)| !moved.is_nothing());
    let mut lines: Vec<String> =
        told.map(|(transfer, moved)| format!("{}: {}", transfer.shown(), moved.words())).collect();
    if transfers.len() > 1 && !lines.is_empty() {
        let count = transfers.len();
        lines.push(format!("{count} torrents: {}", Moved::sum(&all).words()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(downloaded: u64, uploaded: u64) -> Moved {
        let (two, four) = (Duration::from_secs(2), Duration::from_secs(4));
        Moved { downloaded, downloading_for: two, uploaded, running_for: four, size: 4096 }
    }

    #[test]
    fn bytes_time_mean_rate_and_ratio_are_told() {
        let words = "downloaded 4.00 KiB in 2s (2.00 KiB/s), \
                     uploaded 8.00 KiB in 4s (2.00 KiB/s), ratio 2.00";
        assert_eq!(moved(4096, 8192).words(), words);
        assert_eq!(moved(0, 410).words(), "uploaded 410 B in 4s (102 B/s), ratio 0.10");
        assert_eq!(Moved { size: 0, ..moved(1, 0) }.words(), "downloaded 1 B in 2s (0 B/s)");
        let words = "downloaded 4.00 KiB in 2s (2.00 KiB/s), \
                     uploaded 8.00 KiB in 4s (2.00 KiB/s), ratio 1.00";
        assert_eq!(Moved::sum(&[moved(4096, 0), moved(0, 8192)]).words(), words);
    }
}
