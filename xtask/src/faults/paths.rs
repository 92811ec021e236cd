//! Torrents whose names want out of the target folder or onto the terminal. Holds that each of them
//! completes inside the folder, unless a link of the user's leads out of it; that nothing outside the folder changes, and that nothing raw is printed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::PATIENCE;
use testkit::message::Message;
use testkit::peer::Peer;
use testkit::process::Process;

use super::host::Host;
use super::{Case, Outcome, Stage, ensure, peer_arguments};
use crate::Result;

/// Bytes of each file; all of them are this letter.
const FILE_LEN: usize = 100;
const LETTER: u8 = b'x';
const PIECE: usize = 16 << 10;

/// A torrent's name and the components of its files' paths; no files is the single-file form.
struct Nasty {
    name: Vec<u8>,
    files: Vec<Vec<Vec<u8>>>,
}

/// Links in each target folder that lead out of it.
const LINKS: [&[u8]; 2] = [b"link", b"linked file"];

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    let seed = Host::start(2, |peer| drop(serve(peer)))?;
    let all = nasty();
    let (mut refused, mut complete) = (0, 0);
    for (number, torrent) in all.iter().enumerate() {
        let folder = stage.folder.path().join(format!("{number}"));
        // What is planted lies deep, so that `..` leads to folders that are watched.
        let case = stage.case_in(&folder.join("a/b/c"), &torrent.metainfo())?;
        fs::create_dir(folder.join("outside"))?;
        fs::write(folder.join("outside/treasure"), "untouched")?;
        symlink(folder.join("outside"), case.target.join("link"))?;
        symlink(folder.join("outside/treasure"), case.target.join("linked file"))?;
        let before = snapshot(&folder, &case)?;
        let show = Process::start("show", &mut case.look("show"))?;
        show.wait_exit(PATIENCE)?;
        let mut command = case.command("download");
        let program =
            Process::start("download", command.args(peer_arguments(&[seed.addr()])).arg("-v"))?;
        let what = format!("torrent {number}, {:?}: ", String::from_utf8_lossy(&torrent.name));
        let status = program.wait_exit(Duration::from_secs(20));
        let code = status.map_err(|error| format!("{what}{error}"))?.code();
        for program in [&show, &program] {
            let log = program.log();
            let raw = log.chars().find(|&c| is_raw(c));
            ensure(raw.is_none(), program, &format!("{what}prints {raw:?} raw"))?;
        }
        ensure(code.is_some(), &program, &format!("{what}died of a signal"))?;
        let same = snapshot(&folder, &case)? == before;
        ensure(same, &program, &format!("{what}changed something outside the target folder"))?;
        let wanted = if torrent.is_refused() { 17 } else { 0 };
        let ended = format!("{what}ended with {code:?} and not {wanted}");
        ensure(code == Some(wanted), &program, &ended)?;
        if wanted == 0 {
            let (found, due) = (made(&case.target)?, torrent.files.len().max(1));
            let made = format!("{what}made {found} of {due} files in the target folder");
            ensure(found == due, &program, &made)?;
            complete += 1;
        } else {
            refused += 1;
        }
    }
    Ok(Outcome::Held(format!(
        "{} torrents: {complete} complete inside the target, {refused} refused for links, nothing outside changed, nothing raw shown",
        all.len()
    )))
}

/// How many files of the torrent are in the target folder, whole and with names that can be looked at.
fn made(target: &Path) -> Result<usize> {
    let (mut files, mut waiting) = (0, vec![target.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.contains(is_raw) {
                return Err(format!("{}: a name with controls", name.escape_debug()).into());
            }
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() && fs::read(&path)? == [LETTER; FILE_LEN] {
                files += 1;
            }
        }
    }
    Ok(files)
}

/// Control and bidi characters; where one line ends and the next begins is not seen here.
fn is_raw(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Everything below `folder` but what is the program's own, with its bytes.
fn snapshot(folder: &Path, case: &Case) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in fs::read_dir(&path)? {
            let path = entry?.path();
            let meta = fs::symlink_metadata(&path)?;
            if path == case.target || path == case.state {
                continue;
            }
            if meta.is_dir() {
                waiting.push(path.clone());
                found.insert(path, Vec::new());
            } else {
                let bytes = fs::read(&path)?;
                found.insert(path, bytes);
            }
        }
    }
    Ok(found)
}

/// A seed of whatever it is asked for: every byte of every torrent here is the same.
fn serve(mut peer: Peer) -> Result<()> {
    let theirs = peer.read_handshake()?;
    let ours = testkit::peer::Handshake::new(theirs.info_hash, "any");
    peer.send_raw(&ours.encode())?;
    // Files of a torrent here fill one piece at most.
    peer.send(&Message::Bitfield(vec![0x80]))?;
    peer.send(&Message::Unchoke)?;
    loop {
        if let Message::Request { piece, offset, len } = peer.receive()? {
            peer.send(&Message::Piece { piece, offset, data: vec![LETTER; len as usize] })?;
        }
    }
}

impl Nasty {
    /// What no name can be made safe from: the user's own links.
    fn is_refused(&self) -> bool {
        LINKS.contains(&self.name.as_slice())
    }

    fn metainfo(&self) -> Vec<u8> {
        let mut out = b"d4:infod".to_vec();
        let count = self.files.len().max(1);
        if self.files.is_empty() {
            out.extend(format!("6:lengthi{FILE_LEN}e").bytes());
        } else {
            out.extend(b"5:filesl");
            for path in &self.files {
                out.extend(format!("d6:lengthi{FILE_LEN}e4:pathl").bytes());
                for part in path {
                    string(&mut out, part);
                }
                out.extend(b"ee");
            }
            out.push(b'e');
        }
        out.extend(b"4:name");
        string(&mut out, &self.name);
        out.extend(format!("12:piece lengthi{PIECE}e6:pieces").bytes());
        let digest = sha1_smol::Sha1::from(vec![LETTER; FILE_LEN * count]).digest().bytes();
        string(&mut out, &digest);
        out.extend(b"ee");
        out
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend(bytes);
}

/// Every nasty component as the torrent's name, as a file, as a folder and twice beside itself; and
/// pairs that are the same file on some system.
fn nasty() -> Vec<Nasty> {
    let mut parts: Vec<Vec<u8>> = [
        "..",
        ".",
        "...",
        "../..",
        "../../../outside/treasure",
        "/etc/passwd",
        "//",
        "/",
        "a/b",
        "..\\..\\outside",
        "C:\\evil",
        "C:",
        "\\\\host\\share",
        "a\0b",
        "\0",
        "a\nb",
        "\r\n",
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "\u{9b}31m",
        "\u{202e}gpj.exe",
        "\u{2066}a\u{2069}",
        "\u{200f}rtl",
        "\u{7f}",
        "CON",
        "nul",
        "LPT1.txt",
        "aux.",
        "COM1",
        "trailing.",
        "trailing ",
        " ",
        "",
        "-rf",
        "~",
        "~root",
        "$HOME",
        "`id`",
        "*",
        "?",
        "<>|\"",
        "link",
        "linked file",
        "link/treasure",
        "\u{feff}bom",
        "e\u{301}",
        "\u{fffd}",
        "\u{1f4a9}",
        "%2e%2e%2f",
        "..%00",
        ".pad",
        "Thumbs.db",
    ]
    .iter()
    .map(|part| part.as_bytes().to_vec())
    .collect();
    parts.extend([vec![0xff, 0xfe], vec![b'a'; 255], vec![b'a'; 256], vec![b'b'; 5000]]);
    parts.extend([vec![0xc0, 0xae, 0xc0, 0xae, b'/'], "é".repeat(200).into_bytes()]);
    let fine = || b"fine".to_vec();
    let mut all = Vec::new();
    for part in parts {
        all.push(Nasty { name: part.clone(), files: Vec::new() });
        all.push(Nasty { name: fine(), files: vec![vec![part.clone()], vec![fine()]] });
        let inside = vec![part.clone(), b"treasure".to_vec()];
        all.push(Nasty { name: part.clone(), files: vec![inside, vec![part.clone()]] });
    }
    let pairs = [("A", "a"), ("é", "e\u{301}"), ("ß", "SS"), ("a.", "a"), ("same", "same")];
    for (one, other) in pairs {
        let files = vec![vec![one.into()], vec![other.into()]];
        all.push(Nasty { name: fine(), files });
        let files = vec![vec![one.into()], vec![other.into(), fine()]];
        all.push(Nasty { name: fine(), files });
    }
    all.push(Nasty { name: fine(), files: vec![vec![b"deep".to_vec(); 100]] });
    all.push(Nasty { name: fine(), files: vec![vec![b"..".to_vec(); 100]] });
    all.push(Nasty { name: fine(), files: vec![vec![vec![b'l'; 200]; 40]] });
    all
}
