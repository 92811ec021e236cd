//! Owns the encryption handshake of the side that dials. Never the other side's.

use super::dh::Private;
use super::input::Input;
use super::keys::{Secret, disguise};
use super::{Allowed, Established, Keystreams, Method, Noise, ZEROS, fields};
use crate::error::{Error, ErrorKind};
use crate::handshake::PROTOCOL;
use crate::limits::{MAX_INITIAL_LEN, MAX_PAD_LEN};

/// The side that dials, and names the torrent.
pub struct Initiator {
    info_hash: [u8; 20],
    allowed: Allowed,
    /// Goes out, encrypted, as soon as there is a key.
    initial: Vec<u8>,
    private: Private,
    second_pad: u16,
    input: Input,
    output: Vec<u8>,
    state: State,
}

enum State {
    /// Their public key is to come.
    Key,
    /// A pad, then `mark`: the zeros as they have encrypted them.
    Mark {
        keystreams: Keystreams,
        mark: [u8; 8],
    },
    /// The method they chose, and a pad's length.
    Choice(Keystreams),
    /// That pad.
    Pad(Keystreams, Method, usize),
    Done(Keystreams, Method),
    /// What they sent made no sense.
    Failed,
}

impl Initiator {
    /// Begins. `initial` is the first payload to send, which saves a round trip: our handshake for the torrent, and not
    /// more than [`MAX_INITIAL_LEN`].
    pub fn new(info_hash: [u8; 20], allowed: Allowed, initial: &[u8], noise: &Noise) -> Self {
        let private = Private::new(&noise.private);
        let output = [&private.public()[..], noise.pad()].concat();
        Self {
            info_hash,
            allowed,
            initial: initial.get(..MAX_INITIAL_LEN).unwrap_or(initial).to_vec(),
            private,
            second_pad: noise.second_pad,
            input: Input::default(),
            output,
            state: State::Key,
        }
    }

    /// What is to be sent now; possibly nothing.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes in what the peer sent, in whatever portions it came.
    ///
    /// # Errors
    /// The peer does not follow the protocol, or chose what we don't agree to. Further calls give an error too.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.input.push(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Whether the handshake is over: everything further belongs to the stream.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(..))
    }

    /// How the stream goes on; `None` if the handshake is not [done](Self::is_done).
    pub fn finish(self) -> Option<Established> {
        let State::Done(keystreams, method) = self.state else { return None };
        Some(keystreams.establish(method, Vec::new(), self.input.into_rest()))
    }

    /// Goes one state further. False if more bytes are needed for that.
    fn step(&mut self) -> Result<bool, Error> {
        let bad = || Error::handshake(ErrorKind::BadEncryption);
        let (next, goes_on) = match std::mem::replace(&mut self.state, State::Failed) {
            State::Key if self.input.begins_with(PROTOCOL) => {
                return Err(Error::handshake(ErrorKind::Unencrypted));
            }
            State::Key => match self.input.take_array() {
                None => (State::Key, false),
                Some(theirs) => {
                    let secret = Secret(self.private.secret(&theirs).ok_or_else(bad)?);
                    let mut keystreams = secret.keystreams(&self.info_hash, true);
                    self.offer(&secret, &mut keystreams);
                    let mut mark = ZEROS;
                    keystreams.incoming.apply(&mut mark);
                    (State::Mark { keystreams, mark }, true)
                }
            },
            State::Mark { keystreams, mark } if self.input.skip_past(&mark)? => {
                (State::Choice(keystreams), true)
            }
            waiting @ State::Mark { .. } => (waiting, false),
            State::Choice(mut keystreams) => match self.input.take_array::<6>() {
                None => (State::Choice(keystreams), false),
                Some(mut choice) => {
                    keystreams.incoming.apply(&mut choice);
                    let (methods, pad) = fields(choice);
                    let method = self.chosen(methods)?;
                    if pad > MAX_PAD_LEN {
                        return Err(bad());
                    }
                    (State::Pad(keystreams, method, pad), true)
                }
            },
            State::Pad(mut keystreams, method, len) => match self.input.take(len) {
                None => (State::Pad(keystreams, method, len), false),
                Some(mut pad) => {
                    keystreams.incoming.apply(&mut pad);
                    (State::Done(keystreams, method), false)
                }
            },
            done @ State::Done(..) => (done, false),
            State::Failed => return Err(bad()),
        };
        self.state = next;
        Ok(goes_on)
    }

    /// Writes all that we have to say.
    fn offer(&mut self, secret: &Secret, keystreams: &mut Keystreams) {
        self.output.extend(secret.sync());
        self.output.extend(secret.mask(disguise(&self.info_hash)));
        let begin = self.output.len();
        self.output.extend(ZEROS);
        self.output.extend(self.allowed.bits().to_be_bytes());
        self.output.extend(self.second_pad.to_be_bytes());
        self.output.resize(self.output.len() + usize::from(self.second_pad), 0);
        let len = u16::try_from(self.initial.len()).unwrap_or(u16::MAX);
        self.output.extend(len.to_be_bytes());
        self.output.extend(&self.initial);
        keystreams.outgoing.apply(self.output.get_mut(begin..).unwrap_or_default());
    }

    /// The one method that they chose, if we offered it.
    fn chosen(&self, bits: u32) -> Result<Method, Error> {
        let method = self.allowed.choose(bits).filter(|method| method.bit() == bits);
        method.ok_or(Error::handshake(ErrorKind::NoCommonMethod))
    }
}
