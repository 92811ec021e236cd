//! What was odd about a torrent and yet accepted.
//! Every line is safe to show; the list never grows without bound.

/// How many lines are kept; the rest is counted.
const MAX_WARNINGS: usize = 100;

/// Collects lines for the user.
#[derive(Default)]
pub(crate) struct Warnings {
    lines: Vec<String>,
    omitted: usize,
}

impl Warnings {
    /// Adds the line that `text` makes, unless there are enough.
    pub(crate) fn add(&mut self, text: impl FnOnce() -> String) {
        if self.lines.len() < MAX_WARNINGS {
            self.lines.push(text());
        } else {
            self.omitted += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.omitted > 0 {
            self.lines.push(format!("and {} more of this sort", self.omitted));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded() {
        let mut warnings = Warnings::default();
        for number in 0..105 {
            warnings.add(|| number.to_string());
        }
        let lines = warnings.finish();
        assert_eq!(lines.len(), MAX_WARNINGS + 1);
        assert_eq!(lines.last().unwrap(), "and 5 more of this sort");
    }
}
