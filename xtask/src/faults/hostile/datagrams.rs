//! Strangers that send datagrams to the program's node in the DHT while it downloads. Holds that what
//! they send is noticed, that none of it is believed, that they can make us send little, and that the
//! node answers who asks properly before, between and after.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use testkit::PATIENCE;
use testkit::process::Process;
use testkit::torrent::Torrent;

use super::{Scene, Stage, ensure, peer_arguments, wait_complete};
use crate::Result;

/// The last bytes of the addresses of those that send.
const ASKS_PROPERLY: u8 = 60;
const NOISY: u8 = 61;
const FORGES: u8 = 62;
const ANSWERS_UNASKED: u8 = 63;
const FLOODS: u8 = 64;
/// Where nothing must ever arrive.
const CANARY: u8 = 65;

/// Datagrams of each that sends what can't be read, or was not asked for.
const NOISE: usize = 300;
/// Queries of one that floods, in rounds that fit the queue of a socket.
const ROUNDS: usize = 40;
const ROUND: usize = 50;
/// What may go to one host in answers: at once, and in each second after that.
const MOST_AT_ONCE: f64 = 16_384.0;
const MOST_A_SECOND: f64 = 4_096.0;
/// Our own questions to whoever asked us, and the answer that may go into debt.
const SLACK: f64 = 4_096.0;
/// A datagram may be lost when there are many: then the question is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

const ID: &str = "a stranger's node id";
/// What nobody has announced, before the one that may.
const KEY: &str = "9:info_hash20:a torrent of nobody.";
const BAD_TOKEN: &str = "5:token8:guessed!";

/// Plays all of them at once beside a download. Gives the most memory that the program had.
pub(super) fn play(stage: &Stage, scene: &Scene) -> Result<u64> {
    let case = stage.case("datagrams", &scene.torrent, &[])?;
    let mut command = case.command_with_dht("download");
    command
        .args(peer_arguments(&scene.honest))
        .arg("--seed")
        .env("RUST_LOG", "info,session::finder=debug,dht=trace");
    let program = Process::start("pieces-cli", &mut command)?;
    let port: u16 = program.wait_line(PATIENCE, |line| {
        line.split_once("DHT: a node at UDP port ")?.1.trim().parse().ok()
    })?;
    let node = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let proper = Stranger::new(ASKS_PROPERLY, node)?;
    proper.ask("ping", "")?;
    bother(&program, node, &proper, &scene.torrent)?;
    proper.ask("ping", "")?;
    wait_complete(&program)?;
    scene.end(&program, &case)
}

fn bother(program: &Process, node: SocketAddr, proper: &Stranger, torrent: &Torrent) -> Result<()> {
    let canary = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, CANARY), 0))?;

    let noisy = Stranger::new(NOISY, node)?;
    let bottomless = [&b"d1:a"[..], &[b'l'; 1_000]].concat();
    for noise in torrent.data().chunks(997).take(NOISE) {
        noisy.say(noise)?;
        noisy.say(&bottomless)?;
        proper.ask("ping", "")?;
    }
    let mut noticed = 0;
    let from = format!("127.0.0.{NOISY}:");
    program.wait_line(PATIENCE, |line| {
        noticed += usize::from(line.contains(&from));
        (noticed >= NOISE).then_some(())
    })?;

    // An announcement needs a token that we gave.
    let forger = Stranger::new(FORGES, node)?;
    let port = canary.local_addr()?.port();
    let announce = |token: &str| format!("{KEY}4:porti{port}e{token}");
    let refused = forger.ask("announce_peer", &announce(BAD_TOKEN))?;
    ensure(holds(&refused, b"li203e"), program, "took an announcement with a guessed token")?;
    let before = proper.ask("get_peers", KEY)?;
    ensure(!holds(&before, b"6:values"), program, "stored a forged announcement")?;
    let token = before.windows(9).position(|word| word == b"5:token8:").ok_or("gave no token")?;
    let token = before.get(token..token + 17).ok_or("gave half a token")?.to_vec();
    proper.ask_bytes(&query("announce_peer", &[announce("").as_bytes(), &token].concat()))?;
    let after = proper.ask("get_peers", KEY)?;
    ensure(holds(&after, b"6:values"), program, "lost an announcement with its own token")?;

    // Nodes in an answer that nobody asked for are not called.
    let unasked = Stranger::new(ANSWERS_UNASKED, node)?;
    let contact = [ID.as_bytes(), &[127, 0, 0, CANARY], &port.to_be_bytes()].concat();
    let answer = [b"d1:rd2:id20:", ID.as_bytes(), b"5:nodes26:", &contact, b"e1:t2:zz1:y1:re"];
    for _ in 0..NOISE {
        unasked.say(&answer.concat())?;
    }

    let flooding = Stranger::new(FLOODS, node)?;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for _ in 0..ROUND {
            flooding.say(&query("get_peers", KEY.as_bytes()))?;
        }
        // Whoever asks later is answered later, so all of the round is behind us.
        proper.ask("ping", "")?;
    }
    let (answers, bytes) = flooding.drain()?;
    let most = MOST_AT_ONCE + MOST_A_SECOND * began.elapsed().as_secs_f64() + SLACK;
    let figures = format!("{answers} answers of {bytes} bytes to {} queries", ROUNDS * ROUND);
    ensure(answers > 0 && answers < ROUNDS * ROUND, program, &figures)?;
    ensure(f64::from(bytes) <= most, program, &format!("{figures}, at most {most:.0} may be"))?;

    canary.set_nonblocking(true)?;
    let called = canary.recv_from(&mut [0; 2_048]).is_ok();
    ensure(!called, program, "called a node that a stranger named")
}

/// A socket on an address of its own that talks to the program's node.
struct Stranger(UdpSocket);

impl Stranger {
    fn new(last: u8, node: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0))?;
        socket.connect(node)?;
        socket.set_read_timeout(Some(ASK_AGAIN))?;
        Ok(Self(socket))
    }

    fn say(&self, datagram: &[u8]) -> Result<()> {
        self.0.send(datagram)?;
        Ok(())
    }

    /// Asks until there is an answer.
    fn ask(&self, method: &str, arguments: &str) -> Result<Vec<u8>> {
        self.ask_bytes(&query(method, arguments.as_bytes()))
    }

    fn ask_bytes(&self, query: &[u8]) -> Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut datagram = [0; 2_048];
        while Instant::now() < deadline {
            self.say(query)?;
            while let Ok(len) = self.0.recv(&mut datagram) {
                let datagram = datagram.get(..len).unwrap_or_default();
                // The node asks too.
                if !holds(datagram, b"1:y1:q") {
                    return Ok(datagram.to_vec());
                }
            }
        }
        Err("the node does not answer any more".into())
    }

    /// How many datagrams have come, and their bytes.
    fn drain(&self) -> Result<(usize, u32)> {
        self.0.set_nonblocking(true)?;
        let (mut count, mut bytes) = (0, 0);
        while let Ok(len) = self.0.recv(&mut [0; 2_048]) {
            count += 1;
            bytes += u32::try_from(len)?;
        }
        Ok((count, bytes))
    }
}

fn query(method: &str, arguments: &[u8]) -> Vec<u8> {
    let head = format!("d1:ad2:id20:{ID}");
    let tail = format!("e1:q{}:{method}1:t2:aa1:y1:qe", method.len());
    [head.as_bytes(), arguments, tail.as_bytes()].concat()
}

fn holds(datagram: &[u8], word: &[u8]) -> bool {
    datagram.windows(word.len()).any(|window| window == word)
}
