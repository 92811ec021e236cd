//! A far tracker that names services of this machine and its network, and hundreds of ports of one
//! victim; a far web server that redirects inside. Holds that nobody near is contacted on the word of
//! somebody far, that the victim is not scanned, and that far peers are reached all the same.
//!
//! Far addresses are real ones of the Internet, in a network namespace that reaches nothing else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::PATIENCE;
use testkit::peer::Listener;
use testkit::process::Process;
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use super::{Outcome, Stage, ensure};
use crate::Result;

/// Where trackers, web servers, the seed and the victim live.
const FAR: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);
const SEED: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 10);
const VICTIM: Ipv4Addr = Ipv4Addr::new(9, 9, 8, 8);
/// Services next to us: of this machine, of its network, of its cloud.
const NEAR: [Ipv4Addr; 3] =
    [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 168, 7, 7), Ipv4Addr::new(169, 254, 169, 254)];
/// Ports of the victim that are named, and how many of them may be tried.
const NAMED: u16 = 300;
const MOST_TRIED: usize = 8;
/// Longer than it takes until what was held back is looked at again, twice.
const WATCHED: Duration = Duration::from_secs(25);

pub(super) fn run(stage: &mut Stage) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::Skipped("only root can enter a network namespace"));
    }
    let mut far = Namespace::make()?;
    // What is started by this thread, programs included, is in the namespace; other threads are not.
    let entered = thread::scope(|scope| {
        let inside = scope.spawn(|| {
            far.enter()?;
            inside(stage)
        });
        inside.join().map_err(|_| "the campaign panicked")?
    });
    far.end()?;
    entered
}

fn inside(stage: &mut Stage) -> Result<Outcome> {
    let torrent = Builder::varied("policy", 1 << 20).build();
    let near = NEAR.iter().map(|ip| Doors::open(*ip, 1)).collect::<Result<Vec<_>>>()?;
    let named: Vec<SocketAddr> = near.iter().flat_map(|doors| doors.addrs.clone()).collect();
    let tried = victim(stage, &torrent, &named)?;
    let seed =
        Seed::giving_on(Listener::bind_to(SEED.into())?, &torrent, "far seed", torrent.info())?;
    let peers: Vec<SocketAddr> = named.iter().copied().chain([seed.addr()]).collect();
    for (name, url) in [("HTTP", http_tracker(&peers)?), ("UDP", udp_tracker(&peers)?)] {
        let program = download(stage, name, &torrent, &url)?;
        program.wait_success(PATIENCE).map_err(|error| format!("{name}: {error}"))?;
        let touched = touched(&near);
        ensure(touched == 0, &program, &format!("{name}: {touched} near services were contacted"))?;
    }
    for to in &named {
        let url = web_server(&format!("http://{to}/x.torrent"))?;
        let mut command = Command::new(&stage.binary);
        command.args(["show", &url]).env("NO_COLOR", "1");
        let program = Process::start("pieces-cli", &mut command)?;
        let exit = program.wait_exit(PATIENCE)?;
        let touched = touched(&near);
        ensure(touched == 0, &program, &format!("a redirect to {to} was followed"))?;
        let told = program.log().contains("a redirect that may not lead to");
        ensure(!exit.success() && told, &program, "the redirect was not refused in words")?;
    }
    Ok(Outcome::Held(format!(
        "{} near services were named by an HTTP and a UDP tracker and by redirects, none was contacted; \
         of {NAMED} ports of a victim {tried} were tried",
        named.len()
    )))
}

/// Lets a tracker name the victim's ports, besides who is near. Gives how many were tried.
fn victim(stage: &Stage, torrent: &Torrent, near: &[SocketAddr]) -> Result<usize> {
    let victim = Doors::open(VICTIM, NAMED)?;
    let named: Vec<SocketAddr> = near.iter().copied().chain(victim.addrs.clone()).collect();
    let program = download(stage, "victim", torrent, &http_tracker(&named)?)?;
    let deadline = Instant::now() + PATIENCE;
    while victim.touched() == 0 {
        ensure(Instant::now() < deadline, &program, "not one port of the victim was tried")?;
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(WATCHED);
    let tried = victim.touched();
    ensure(tried <= MOST_TRIED, &program, &format!("{tried} ports of the victim were tried"))?;
    Ok(tried)
}

fn touched(doors: &[Doors]) -> usize {
    doors.iter().map(Doors::touched).sum()
}

fn download(stage: &Stage, name: &str, torrent: &Torrent, url: &str) -> Result<Process> {
    let case = stage.case(name, torrent, &[url])?;
    let mut command = Command::new(&case.binary);
    command.arg("download").arg(&case.file).arg("-d").arg(&case.target);
    command.args(["--port", "0", "--no-lsd", "--no-dht", "-vv"]);
    command.env("XDG_STATE_HOME", &case.state).env("NO_COLOR", "1");
    Process::start("pieces-cli", &mut command)
}

/// Ports where somebody listens who is no peer, and which of them were knocked at.
struct Doors {
    addrs: Vec<SocketAddr>,
    touched: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

impl Doors {
    fn open(ip: Ipv4Addr, count: u16) -> Result<Self> {
        let bind = |_| {
            let listener = TcpListener::bind((ip, 0))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listeners = (0..count).map(bind).collect::<io::Result<Vec<_>>>()?;
        let addrs =
            listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let touched = Arc::<Mutex<BTreeSet<SocketAddr>>>::default();
        let (doors, log) = (addrs.clone(), Arc::clone(&touched));
        thread::spawn(move || {
            loop {
                for (listener, addr) in listeners.iter().zip(&doors) {
                    while listener.accept().is_ok() {
                        log.lock().unwrap_or_else(PoisonError::into_inner).insert(*addr);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Ok(Self { addrs, touched })
    }

    fn touched(&self) -> usize {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Peers in compact form (BEP 23).
fn compact(peers: &[SocketAddr]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for peer in peers {
        if let IpAddr::V4(ip) = peer.ip() {
            bytes.extend(ip.octets());
            bytes.extend(peer.port().to_be_bytes());
        }
    }
    bytes
}

fn http_tracker(peers: &[SocketAddr]) -> Result<String> {
    let peers = compact(peers);
    let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
    body.extend(peers);
    body.push(b'e');
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    Ok(format!("http://{}/announce", answering([head.into_bytes(), body].concat())?))
}

/// A web server that redirects every request.
fn web_server(to: &str) -> Result<String> {
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    Ok(format!("http://{}/x.torrent", answering(answer.into_bytes())?))
}

/// A far server that answers every request alike. It lives as long as the program that runs this.
fn answering(answer: Vec<u8>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((FAR, 0))?;
    let addr = listener.local_addr()?;
    let reply = move |stream: &mut TcpStream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request)?;
        stream.write_all(&answer)
    };
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that hangs up has what it wants.
            drop(reply(&mut stream));
        }
    });
    Ok(addr)
}

/// A tracker by BEP 15.
fn udp_tracker(peers: &[SocketAddr]) -> Result<String> {
    let socket = UdpSocket::bind((FAR, 0))?;
    let url = format!("udp://{}/announce", socket.local_addr()?);
    let peers = compact(peers);
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((_, from)) = socket.recv_from(&mut packet) {
            let (action, transaction) = (&packet[8..12], &packet[12..16]);
            let rest = if packet[11] == 0 {
                vec![7; 8]
            } else {
                [&[0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1][..], &peers].concat()
            };
            // One that is lost is asked for again.
            drop(socket.send_to(&[action, transaction, &rest].concat(), from));
        }
    });
    Ok(url)
}

/// A network of its own, in which all of the addresses above are this machine's.
struct Namespace {
    holder: Child,
}

impl Namespace {
    fn make() -> Result<Self> {
        let [_, private, of_link] = NEAR;
        let addrs = [FAR, SEED, VICTIM, private, of_link];
        let add = addrs.map(|ip| format!("ip addr add {ip}/32 dev lo")).join(" && ");
        // It ends when its stdin closes, even if we are killed.
        let script = format!("ip link set lo up && {add} && echo ready && read -r line");
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = holder.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.trim() != "ready" {
            return Err("no network namespace can be made with unshare and ip".into());
        }
        Ok(Self { holder })
    }

    /// Moves the calling thread there.
    fn enter(&self) -> Result<()> {
        let link = File::open(format!("/proc/{}/ns/net", self.holder.id()))?;
        Ok(move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    fn end(&mut self) -> Result<()> {
        drop(self.holder.stdin.take());
        self.holder.wait()?;
        Ok(())
    }
}
