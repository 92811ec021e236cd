//! `pieces-cli edit`: changes what a torrent says beside its files. The rules are `metainfo`'s.

use metainfo::{Edit, Edited, Metainfo};
use serde::Serialize;

use crate::args::{self, Changes};
use crate::exit::{Code, Failure};
use crate::tiers::tiers;
use crate::written::{self, Written};
use crate::{dash, fetch, output, save, source, text};

/// Runs the command.
pub(crate) fn run(args: &args::Edit) -> Result<(), Failure> {
    let from_url = args.torrent.to_str().is_some_and(fetch::is_url);
    let from_elsewhere = from_url || dash::is(&args.torrent);
    if from_elsewhere && args.output.is_none() {
        let shown = dash::input(&args.torrent);
        let how = if from_url { "fetched" } else { "read from stdin" };
        let message = format!(
            "{shown}: what is {how} cannot be changed in its place; say with -o FILE where the changed torrent goes"
        );
        return Err(Failure::new(Code::BadOption, message));
    }
    let output = args.output.as_ref().unwrap_or(&args.torrent);
    let replace = args.force || args.output.is_none();
    save::check(output, replace)?;
    written::fits_stdout(output, args.json)?;
    let file = source::torrent_bytes(&args.torrent)?;
    if file.compressed && args.output.is_none() {
        let shown = text::path(&args.torrent);
        let message = format!(
            "{shown}: what is compressed cannot be changed in its place; say with -o FILE where the changed torrent goes"
        );
        return Err(Failure::new(Code::BadOption, message));
    }
    let before = file.bytes;
    let torrent = source::parse(&args.torrent, &before)?;
    let edit = edit(&args.changes, &torrent)?;
    if edit == Edit::default() {
        let message = "nothing to change: name at least one change (see --help)";
        return Err(Failure::new(Code::BadOption, message));
    }
    let refused = |error: metainfo::Error| Failure::new(Code::BadOption, error.to_string());
    let edited = if only_adds_what_is_there(&args.changes, &edit, &torrent) {
        Edited { bytes: before.clone(), info_changed: false }
    } else {
        edit.apply(&before).map_err(refused)?
    };
    let after = Metainfo::from_bytes(&edited.bytes).map_err(refused)?;
    save::save(output, &edited.bytes, replace)?;
    if dash::is(output) {
        return Ok(());
    }
    if args.json {
        return output::json(&Report {
            written: Written::new(output, &after),
            changed: edited.bytes != before,
            info_changed: edited.info_changed,
            old_info_hash: torrent.info_hash().map(|hash| hash.to_string()),
            old_info_hash_v2: torrent.info_hash_v2().map(|hash| hash.to_string()),
        });
    }
    output::text(|out| {
        let shown = text::path(output);
        if edited.bytes == before {
            return writeln!(out, "{shown}: as it was");
        }
        if !edited.info_changed {
            return writeln!(out, "{shown}: written, the info-hash is the same");
        }
        writeln!(out, "{shown}: written, the info-hash is another")?;
        for (version, before, after) in [
            (
                "   ",
                torrent.info_hash().map(|h| h.to_string()),
                after.info_hash().map(|h| h.to_string()),
            ),
            (
                " v2",
                torrent.info_hash_v2().map(|h| h.to_string()),
                after.info_hash_v2().map(|h| h.to_string()),
            ),
        ] {
            if let (Some(before), Some(after)) = (before, after) {
                writeln!(out, "old info-hash{version}  {before}")?;
                writeln!(out, "new info-hash{version}  {after}")?;
            }
        }
        Ok(())
    })
}

/// The JSON form; its keys are documented in docs/json.md.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    written: Written<'a>,
    changed: bool,
    info_changed: bool,
    old_info_hash: Option<String>,
    old_info_hash_v2: Option<String>,
}

/// The changes in `metainfo`'s terms.
fn edit(changes: &Changes, torrent: &Metainfo) -> Result<Edit, Failure> {
    let web_seeds =
        (changes.no_web_seeds || !changes.web_seeds.is_empty()).then(|| changes.web_seeds.clone());
    let private = match (changes.private, changes.public) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Ok(Edit {
        tiers: new_tiers(changes, torrent.tiers())?,
        web_seeds,
        comment: changes.comment.clone(),
        private,
        source: changes.source.clone(),
    })
}

/// Whether all that was asked for is trackers that are there already: then not a byte is to change,
/// though trackers can be written in several ways.
fn only_adds_what_is_there(changes: &Changes, edit: &Edit, torrent: &Metainfo) -> bool {
    let adds_only = changes.trackers.is_empty()
        && changes.remove_trackers.is_empty()
        && *edit == Edit { tiers: edit.tiers.clone(), ..Edit::default() };
    adds_only && edit.tiers.as_deref() == Some(torrent.tiers())
}

/// The tiers to write, if they are to change.
fn new_tiers(
    changes: &Changes,
    before: &[Vec<String>],
) -> Result<Option<Vec<Vec<String>>>, Failure> {
    let Changes { trackers, no_trackers, add_trackers, remove_trackers, .. } = changes;
    if *no_trackers {
        return Ok(Some(Vec::new()));
    }
    if trackers.is_empty() && add_trackers.is_empty() && remove_trackers.is_empty() {
        return Ok(None);
    }
    let mut after = if trackers.is_empty() { before.to_vec() } else { tiers(trackers) };
    for url in remove_trackers {
        if !after.iter().flatten().any(|there| there == url) {
            let message = format!("--remove-tracker: {} is not there", text::url(url));
            return Err(Failure::new(Code::BadOption, message));
        }
        for tier in &mut after {
            tier.retain(|there| there != url);
        }
    }
    for tier in tiers(add_trackers) {
        let mut new = Vec::new();
        for url in tier {
            if !new.contains(&url) && !after.iter().flatten().any(|there| *there == url) {
                new.push(url);
            }
        }
        after.push(new);
    }
    after.retain(|tier| !tier.is_empty());
    Ok(Some(after))
}
