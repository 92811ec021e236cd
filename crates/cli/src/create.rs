//! `pieces-cli create`: finds the files, has them hashed by `storage` and written down by
//! `metainfo`. Never hashes itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use metainfo::{Extras, Metainfo, NewFile, Plan, Version, default_piece_length};
use storage::{FileSpec, Options, hash_plan};

use crate::args::Create;
use crate::attend::Attendant;
use crate::exit::{Code, Failure};
use crate::tiers::tiers;
use crate::walk::{self, Excludes};
use crate::written::{self, Written};
use crate::{dash, output, save, text};

/// What new torrents name as their maker.
const CREATED_BY: &str = concat!("pieces-cli ", env!("CARGO_PKG_VERSION"));

/// Runs the command.
pub(crate) fn run(args: &Create, quiet: bool) -> Result<(), Failure> {
    let place =
        args.path.canonicalize().map_err(|error| Failure::io("read it", &args.path, &error))?;
    let name = match &args.name {
        Some(name) => name.clone().into_bytes(),
        // A link's own name, but what `.` and `..` lead to.
        None if args.path.file_name().is_some() => last(&args.path)?,
        None => last(&place)?,
    };
    let output = args.output.clone();
    let output =
        output.unwrap_or_else(|| storage::new_file_name(Path::new(""), &name, save::ENDING).into());
    save::check(&output, args.force)?;
    written::fits_stdout(&output, args.json)?;
    let extras = extras(args)?;
    let content = Content::find(args, &place, name, &output)?;
    let plan = content.plan(args)?;
    // What is wrong with a URL is better known before an hour of hashing.
    extras_are_fit(&extras)?;
    let torrent = content.hash(&plan, args.follow_links, quiet)?;
    let torrent = plan.encode(&torrent.sha1, &torrent.roots, &extras).map_err(|e| refused(&e))?;
    save::save(&output, &torrent, args.force)?;
    if dash::is(&output) { Ok(()) } else { tell(&output, &torrent, args.json) }
}

/// What a torrent is made of.
struct Content {
    name: Vec<u8>,
    /// The folder that the files' paths start from.
    root: PathBuf,
    /// In no order.
    files: Vec<NewFile>,
    /// Whether the torrent is of a folder.
    folder: bool,
}

impl Content {
    fn find(args: &Create, place: &Path, name: Vec<u8>, output: &Path) -> Result<Self, Failure> {
        let kind = place.metadata().map_err(|error| Failure::io("read it", &args.path, &error))?;
        let excludes = Excludes::new(&args.excludes, place)?;
        let (files, root) = if kind.is_dir() {
            let output = save::place(output);
            let found = walk::files(place, &excludes, output.as_deref(), args.follow_links)?;
            for pattern in excludes.unused() {
                let pattern = text::escape(&pattern);
                log::warn!("--exclude {pattern}: leaves nothing out; upper and lower case count");
            }
            let file = |found: walk::Found| NewFile {
                path: found.path,
                length: found.length,
                // Modes differ between machines that hold the same folder.
                executable: false,
            };
            (found.into_iter().map(file).collect(), place.to_owned())
        } else if kind.is_file() {
            let file = NewFile { path: vec![last(place)?], length: kind.len(), executable: false };
            (vec![file], place.parent().unwrap_or(Path::new("/")).to_owned())
        } else {
            let message = format!("{}: neither file nor folder", text::path(&args.path));
            return Err(Failure::new(Code::BadOption, message));
        };
        Ok(Self { name, root, files, folder: kind.is_dir() })
    }

    fn plan(&self, args: &Create) -> Result<Plan, Failure> {
        let total = self.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.length));
        let piece_length = args.piece_size.unwrap_or_else(|| default_piece_length(total));
        let version = match (args.v2, args.hybrid) {
            (true, _) => Version::V2,
            (_, true) => Version::Hybrid,
            _ => Version::V1,
        };
        let plan = if self.folder {
            Plan::folder(version, &self.name, piece_length, self.files.clone())
        } else {
            Plan::file(version, &self.name, piece_length, total, false)
        };
        plan.map_err(|error| {
            let message = format!("{}: {error}", text::path(&args.path));
            Failure::new(Code::BadOption, message)
        })
    }

    fn hash(
        &self,
        plan: &Plan,
        follow_links: bool,
        quiet: bool,
    ) -> Result<storage::Hashes, Failure> {
        let spec = |source: Option<usize>| {
            let file = source.and_then(|index| self.files.get(index));
            let names = file.map(|file| file.path.as_slice()).unwrap_or_default();
            let path = names.iter().map(|name| OsStr::from_bytes(name)).collect();
            FileSpec { path, on_disk: file.is_some() }
        };
        let files: Vec<FileSpec> = plan.sources().map(spec).collect();
        let mut options = Options::default();
        options.follow_links = follow_links;
        let name = String::from_utf8_lossy(&self.name);
        let attendant = Attendant::start(&name, "hashing", quiet);
        hash_plan(
            &self.root,
            &files,
            plan,
            &options,
            &|now| attendant.report(now),
            attendant.cancel(),
        )
        .map_err(|error| Failure::storage(&error))
    }
}

/// The last component of a path.
fn last(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.file_name().ok_or_else(|| {
        let message = format!("{}: has no name; give one with --name", text::path(path));
        Failure::new(Code::BadOption, message)
    })?;
    Ok(name.as_bytes().to_owned())
}

fn extras(args: &Create) -> Result<Extras, Failure> {
    Ok(Extras {
        tiers: tiers(&args.trackers),
        web_seeds: args.web_seeds.clone(),
        comment: args.comment.clone().filter(|text| !text.is_empty()),
        created_by: Some(CREATED_BY.to_owned()),
        creation_date: date(args.date, std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?,
        private: args.private,
        source: args.source.clone().filter(|text| !text.is_empty()),
    })
}

/// The date to write, if any: that of the environment, or now if one is asked for.
fn date(asked: bool, epoch: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(epoch) = epoch.filter(|text| !text.is_empty()) else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        return Ok(asked.then(|| i64::try_from(now).unwrap_or(i64::MAX)));
    };
    match epoch.parse::<u32>() {
        Ok(seconds) => Ok(Some(i64::from(seconds))),
        Err(_) => Err(Failure::new(
            Code::BadOption,
            format!("SOURCE_DATE_EPOCH: \"{}\" is not seconds since 1970", text::escape(epoch)),
        )),
    }
}

/// Tries the extras on a torrent of nothing.
fn extras_are_fit(extras: &Extras) -> Result<(), Failure> {
    Plan::file(Version::V1, "x", 16_384, 0, false)
        .and_then(|plan| plan.encode(&[], &[], extras))
        .map(drop)
        .map_err(|error| refused(&error))
}

fn refused(error: &metainfo::Error) -> Failure {
    Failure::new(Code::BadOption, error.to_string())
}

/// Says what was made.
fn tell(output: &Path, torrent: &[u8], json: bool) -> Result<(), Failure> {
    let torrent = Metainfo::from_bytes(torrent).map_err(|error| refused(&error))?;
    if json {
        return output::json(&Written::new(output, &torrent));
    }
    output::text(|out| {
        let total = text::bytes(torrent.total_len());
        let pieces = text::count(torrent.piece_count(), "piece");
        let of = text::bytes(u64::from(torrent.piece_length()));
        writeln!(out, "{}: {total} in {pieces} of {of}", text::path(output))?;
        if let Some(hash) = torrent.info_hash() {
            writeln!(out, "info-hash     {hash}")?;
        }
        if let Some(hash) = torrent.info_hash_v2() {
            writeln!(out, "info-hash v2  {hash}")?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_from_the_environment_first() {
        assert_eq!(date(false, None).unwrap(), None);
        assert!(date(true, None).unwrap().unwrap() > 1_700_000_000);
        assert_eq!(date(false, Some("0")).unwrap(), Some(0));
        assert_eq!(date(true, Some("86400")).unwrap(), Some(86_400));
        for bad in ["yesterday", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(date(true, Some(bad)).unwrap_err().code(), Code::BadOption, "{bad}");
        }
    }
}
