//! What the user wants of each torrent of a call. That of a magnet is applied once its torrent is known.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use metainfo::{Magnet, Metainfo};
use session::{AddOptions, Allocation, Serve};
use storage::Keep;

use crate::args::{Choice, Download, Seed};
use crate::exit::{Code, Failure};
use crate::{dash, save, select, source, text};

/// The wish for any torrent of a call.
#[derive(Clone)]
pub(super) struct Wish {
    options: AddOptions,
    choice: Choice,
    save: Option<PathBuf>,
}

impl Wish {
    pub(super) fn new(args: &Download) -> Result<Self, Failure> {
        let mut options = super::options(&args.target, &args.network);
        options.sequential = args.sequential;
        // An argument that is no file protects nothing there, and does no harm.
        options.keep = Keep::new(&args.torrents);
        options.overwrite = args.force;
        if args.sparse {
            options.allocation = Allocation::Sparse;
        }
        let magnets = args.torrents.iter().filter(|path| source::may_be_magnet(path)).count();
        if let Some(path) = &args.save_torrent {
            let refused = |why| {
                let message = format!("--save-torrent {}: {why}", text::path(path));
                Err(Failure::new(Code::BadOption, message))
            };
            if magnets > 0 {
                save::make_folder(path)?;
            }
            match magnets {
                0 => return refused("no magnet URI is given"),
                1 => {}
                _ if path.is_dir() => {}
                _ => return refused("a folder is needed for more than one"),
            }
            save::check_kept(path)?;
            let asked = args.torrents.iter().find_map(|one| source::magnet_uri(one));
            let asked = asked.and_then(|uri| Magnet::parse(&uri).ok());
            if let Some(asked) = asked
                && path.is_file()
                && !source::torrent(path).is_ok_and(|there| there.info_hash() == asked.info_hash)
            {
                return refused("is there already and is not this torrent; choose another name");
            }
        }
        let (choice, save) = (args.choice.clone(), args.save_torrent.clone());
        Ok(Self { options, choice, save })
    }

    /// To seed what is there: all that is wanted, or as much as there is.
    pub(super) fn to_seed(args: &Seed) -> Self {
        let mut options = super::options(&args.target, &args.network);
        options.serve = Some(if args.partial { Serve::Parts } else { Serve::Whole });
        Self { options, choice: args.choice.clone(), save: None }
    }

    /// What the session is told of a torrent, perhaps one that a magnet led to. What the command line
    /// selects counts more than what a magnet does.
    pub(super) fn options(
        &self,
        torrent: &Metainfo,
        magnet: Option<&Magnet>,
    ) -> Result<AddOptions, Failure> {
        let mut options = self.options.clone();
        if let Some(saved) = self.save_path(torrent) {
            options.keep = options.keep.and(&saved);
        }
        let so = magnet.map(|magnet| &magnet.select).filter(|select| !select.is_empty());
        let so = so.filter(|_| self.choice.selections.is_empty()).map(|so| {
            let named = |index: &usize| so.iter().any(|range| in_range(range, *index));
            (0..torrent.files().len()).filter(named).collect::<BTreeSet<usize>>()
        });
        if so.as_ref().is_some_and(BTreeSet::is_empty) {
            let message = "the magnet URI selects files that the torrent does not have";
            return Err(Failure::new(Code::BadMagnet, message));
        }
        options.files = select::wanted(torrent, &self.choice, so)?;
        Ok(options)
    }

    /// Whether it is enough that a part is there.
    pub(super) fn takes_parts(&self) -> bool {
        self.options.serve == Some(Serve::Parts)
    }

    /// Peers the user named.
    pub(super) fn peers(&self) -> Vec<std::net::SocketAddr> {
        self.options.peers.clone()
    }

    /// Peers the user named whose addresses have to be looked up.
    pub(super) fn named_peers(&self) -> &[String] {
        &self.options.named_peers
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.options.dir.clone()
    }

    /// Where the torrent that a magnet led to is kept, if that is wanted.
    fn save_path(&self, torrent: &Metainfo) -> Option<PathBuf> {
        let path = self.save.as_ref()?;
        if !path.is_dir() {
            return Some(path.clone());
        }
        let called =
            |ending: &str| path.join(storage::new_file_name(path, torrent.name_bytes(), ending));
        let named = called(save::ENDING);
        let is_free = named.symlink_metadata().is_err() || is_there(&named, torrent);
        if is_free && !is_content(&named, &self.options.dir, torrent) {
            return Some(named);
        }
        // Two torrents may have one name, or names that differ only where they are cut to fit.
        let hash = torrent.info_hash().map(|hash| hash.to_string()).unwrap_or_default();
        Some(called(&format!(".{hash:.8}{}", save::ENDING)))
    }

    /// Keeps the torrent that a magnet led to, if that is wanted. One that is there from the last time
    /// stays.
    pub(super) fn save(&self, torrent: &Metainfo, file: &[u8]) -> Result<(), Failure> {
        let Some(path) = self.save_path(torrent) else { return Ok(()) };
        if is_there(&path, torrent) {
            return Ok(());
        }
        if is_content(&path, &self.options.dir, torrent) {
            let message = format!(
                "--save-torrent {}: a file or folder of the torrent is called like that; choose \
                 another name",
                text::path(&path)
            );
            return Err(Failure::new(Code::BadOption, message));
        }
        save::save_new(&path, file)
    }
}

/// Whether the torrent has a file or a folder at this path, when it is downloaded to `dir`.
fn is_content(path: &Path, dir: &Path, torrent: &Metainfo) -> bool {
    let below = || Some(save::place(path)?.strip_prefix(dir.canonicalize().ok()?).ok()?.to_owned());
    below().is_some_and(|below| torrent.files().iter().any(|file| file.path().starts_with(&below)))
}

fn in_range(range: &std::ops::RangeInclusive<u32>, index: usize) -> bool {
    u32::try_from(index).is_ok_and(|index| range.contains(&index))
}

/// Whether the file holds this torrent already.
fn is_there(path: &Path, torrent: &Metainfo) -> bool {
    !dash::is(path)
        && path.is_file()
        && source::torrent(path).is_ok_and(|there| there.info_hash() == torrent.info_hash())
}
