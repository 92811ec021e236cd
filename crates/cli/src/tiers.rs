//! Tiers of trackers as the command line gives them. Never judges a URL; the torrent's maker does.

/// Each value is a tier: one URL, or several with commas between. A comma that no URL follows is
/// part of the URL before it. Blanks around a URL
/// are dropped, and those in it are escaped.
pub(crate) fn tiers(values: &[String]) -> Vec<Vec<String>> {
    values.iter().map(|value| tier(value)).collect()
}

fn tier(value: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in value.split(',') {
        match urls.last_mut() {
            Some(last) if !part.contains("://") => {
                last.push(',');
                last.push_str(part);
            }
            _ => urls.push(part.to_owned()),
        }
    }
    // Blanks are what a URL cannot hold, and what other programs escape in one.
    urls.iter().map(|url| escaped(url.trim())).collect()
}

/// A URL without blanks, unless it is two: those stay apart, and are refused as one.
fn escaped(url: &str) -> String {
    let is_two = url.split(' ').skip(1).any(|part| part.contains("://"));
    if is_two { url.to_owned() } else { url.replace(' ', "%20") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_urls_only() {
        let values = ["http://a/x,udp://b:1".to_owned(), "http://c/?k=1,2,https://d/".to_owned()];
        assert_eq!(
            tiers(&values),
            [["http://a/x", "udp://b:1"], ["http://c/?k=1,2", "https://d/"]]
        );
    }

    #[test]
    fn two_urls_are_not_joined() {
        assert_eq!(tiers(&["http://a/a http://b/b".to_owned()]), [["http://a/a http://b/b"]]);
    }

    #[test]
    fn blanks_around_a_url_are_dropped_and_those_in_it_escaped() {
        let values = [" http://a/x y?k=ü , udp://b:1 ".to_owned()];
        assert_eq!(tiers(&values), [["http://a/x%20y?k=ü", "udp://b:1"]]);
    }
}
