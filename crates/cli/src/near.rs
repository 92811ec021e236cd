//! What the user may have meant: the names of a torrent that are nearest to one it does not have. Never
//! chooses for the user.

use std::collections::BTreeSet;

use crate::text;

/// More than this are no help.
const MAX_TOLD: usize = 3;

/// Longer names are compared in their beginning alone, which bounds the work.
const MAX_COMPARED: usize = 64;

/// Why `wanted` is refused, with the `names` that are near it.
pub(crate) fn unknown<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let wanted = wanted.trim_end_matches('/').rsplit('/').next().unwrap_or(wanted).to_lowercase();
    let wanted: Vec<char> = wanted.chars().take(MAX_COMPARED).collect();
    let distinct: BTreeSet<&str> = names.collect();
    let mut near: Vec<(usize, &str)> = (distinct.into_iter())
        .map(|name| {
            let chars: Vec<char> = name.to_lowercase().chars().take(MAX_COMPARED).collect();
            (distance(&wanted, &chars), name)
        })
        .filter(|(distance, _)| *distance <= wanted.len() / 3)
        .collect();
    near.sort_unstable();
    let near: Vec<String> =
        near.iter().take(MAX_TOLD).map(|(_, name)| format!("\"{}\"", text::escape(name))).collect();
    if near.is_empty() {
        "no file or folder of the torrent is called like that; show lists them".into()
    } else {
        let near = near.join(" or ");
        format!("no file or folder of the torrent is called like that; did you mean {near}?")
    }
}

/// How many characters have to be changed, added or left out to make one of the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, x) in a.iter().enumerate() {
        let mut diagonal = done;
        let mut left = done + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *above;
            left = cost.min(diagonal + 1).min(left + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changes() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, wanted) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(&chars(a), &chars(b)), wanted, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let names = ["cover.jpg", "cover.png", "covers.jpg", "readme", "cover.jpg"];
        let told = unknown("sub/Covr.jpg", names.into_iter());
        assert!(told.ends_with("did you mean \"cover.jpg\" or \"covers.jpg\"?"), "{told}");
        assert!(unknown("nothing", names.into_iter()).ends_with("show lists them"));
    }
}
