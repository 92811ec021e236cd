//! Owns the encryption handshake of the side that is dialed. Never knows which torrents there are: it is told.

use super::dh::Private;
use super::input::Input;
use super::keys::Secret;
use super::{Allowed, Established, Keystreams, Method, Noise, ZEROS, fields};
use crate::error::{Error, ErrorKind};
use crate::limits::{MAX_INITIAL_LEN, MAX_PAD_LEN};

/// The side that is dialed, and has to find out about which torrent.
///
/// It says nothing, and computes nothing, before the peer's whole public key is there.
pub struct Responder {
    allowed: Allowed,
    noise: Noise,
    info_hash: Option<[u8; 20]>,
    input: Input,
    output: Vec<u8>,
    state: State,
}

enum State {
    /// Their public key is to come.
    Key,
    /// A pad, then the hash of the secret.
    Mark(Secret),
    /// The masked and disguised info-hash.
    Torrent(Secret),
    /// Zeros, the methods they offer, a pad's length.
    Offer(Keystreams),
    /// That pad, and the length of the initial payload.
    Pad(Keystreams, Method, usize),
    /// The initial payload.
    Initial(Keystreams, Method, usize),
    Done(Keystreams, Method, Vec<u8>),
    /// What they sent made no sense.
    Failed,
}

impl Responder {
    /// Waits for the peer to begin.
    pub fn new(allowed: Allowed, noise: Noise) -> Self {
        Self {
            allowed,
            noise,
            info_hash: None,
            input: Input::default(),
            output: Vec::new(),
            state: State::Key,
        }
    }

    /// What is to be sent now; possibly nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes in what the peer sent, in whatever portions it came. `find` gives the info-hash whose
    /// [`disguise`](super::disguise) it gets, or `None` if we have no such torrent.
    ///
    /// # Errors
    /// The peer does not follow the protocol, names no torrent of ours, or offers nothing that we agree to. Further calls
    /// give an error too.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        find: impl Fn([u8; 20]) -> Option<[u8; 20]>,
    ) -> Result<(), Error> {
        self.input.push(bytes);
        while self.step(&find)? {}
        Ok(())
    }

    /// The torrent that the peer named, once it has.
    pub fn info_hash(&self) -> Option<[u8; 20]> {
        self.info_hash
    }

    /// Whether the handshake is over: everything further belongs to the stream.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(..))
    }

    /// How the stream goes on; `None` if the handshake is not [done](Self::is_done).
    pub fn finish(self) -> Option<Established> {
        let State::Done(keystreams, method, initial) = self.state else { return None };
        Some(keystreams.establish(method, initial, self.input.into_rest()))
    }

    /// Goes one state further. False if more bytes are needed for that.
    fn step(&mut self, find: impl Fn([u8; 20]) -> Option<[u8; 20]>) -> Result<bool, Error> {
        let bad = || Error::handshake(ErrorKind::BadEncryption);
        let (next, goes_on) = match std::mem::replace(&mut self.state, State::Failed) {
            State::Key => match self.input.take_array() {
                None => (State::Key, false),
                Some(theirs) => {
                    let private = Private::new(&self.noise.private);
                    let secret = Secret(private.secret(&theirs).ok_or_else(bad)?);
                    self.output.extend(private.public());
                    self.output.extend(self.noise.pad());
                    (State::Mark(secret), true)
                }
            },
            State::Mark(secret) if self.input.skip_past(&secret.sync())? => {
                (State::Torrent(secret), true)
            }
            waiting @ State::Mark(_) => (waiting, false),
            State::Torrent(secret) => match self.input.take_array() {
                None => (State::Torrent(secret), false),
                Some(masked) => {
                    let info_hash = find(secret.mask(masked));
                    self.info_hash = info_hash;
                    let unknown = Error::handshake(ErrorKind::WrongInfoHash);
                    let keystreams = secret.keystreams(&info_hash.ok_or(unknown)?, false);
                    (State::Offer(keystreams), true)
                }
            },
            State::Offer(mut keystreams) => match self.input.take_array::<14>() {
                None => (State::Offer(keystreams), false),
                Some(mut offer) => {
                    keystreams.incoming.apply(&mut offer);
                    let [zeros @ .., _, _, _, _, _, _] = offer;
                    let [_, _, _, _, _, _, _, _, rest @ ..] = offer;
                    let (methods, pad) = fields(rest);
                    if zeros != ZEROS || pad > MAX_PAD_LEN {
                        return Err(bad());
                    }
                    let method = self.allowed.choose(methods);
                    let nothing = Error::handshake(ErrorKind::NoCommonMethod);
                    (State::Pad(keystreams, method.ok_or(nothing)?, pad), true)
                }
            },
            State::Pad(mut keystreams, method, len) => match self.input.take(len + 2) {
                None => (State::Pad(keystreams, method, len), false),
                Some(mut pad) => {
                    keystreams.incoming.apply(&mut pad);
                    let len = pad.last_chunk().map_or(0, |len| u16::from_be_bytes(*len).into());
                    if len > MAX_INITIAL_LEN {
                        return Err(bad());
                    }
                    (State::Initial(keystreams, method, len), true)
                }
            },
            State::Initial(mut keystreams, method, len) => match self.input.take(len) {
                None => (State::Initial(keystreams, method, len), false),
                Some(mut initial) => {
                    keystreams.incoming.apply(&mut initial);
                    self.choose(method, &mut keystreams);
                    (State::Done(keystreams, method, initial), false)
                }
            },
            done @ State::Done(..) => (done, false),
            State::Failed => return Err(bad()),
        };
        self.state = next;
        Ok(goes_on)
    }

    /// Writes the last of what we have to say.
    fn choose(&mut self, method: Method, keystreams: &mut Keystreams) {
        let begin = self.output.len();
        self.output.extend(ZEROS);
        self.output.extend(method.bit().to_be_bytes());
        self.output.extend(self.noise.second_pad.to_be_bytes());
        self.output.resize(self.output.len() + usize::from(self.noise.second_pad), 0);
        keystreams.outgoing.apply(self.output.get_mut(begin..).unwrap_or_default());
    }
}
