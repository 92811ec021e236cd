//! The flat tape of tokens that a decoder writes and a cursor reads.
//!
//! Owns its memory and the shape of a token. Never looks at the input.

/// The four kinds of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `i..e`
    Integer,
    /// `<length>:..`, any bytes
    String,
    /// `l..e`
    List,
    /// `d..e`
    Dict,
}

/// Input of so many bytes is refused: more than any torrent has, and its offsets leave room for a kind.
pub(crate) const TOO_LARGE: usize = 1 << Token::OFFSET_BITS;

/// One value on the tape: what it is, where it stands, and where its inside or its next sibling is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// Where the value begins, below its kind.
    head: u32,
    /// Where the value ends. Of a list or dictionary that is open: index of the one around it. Of an
    /// integer: its upper half.
    pub(crate) end: u32,
    /// Of a string: offset of its content. Of a list or dictionary: index of the token after all
    /// of it, or 0 while it is open. Of an integer: its lower half.
    pub(crate) link: u32,
}

impl Token {
    const OFFSET_BITS: u32 = 30;

    #[inline]
    pub(crate) fn new(kind: Kind, start: usize, end: usize, link: usize) -> Self {
        let head = (kind as u32) << Self::OFFSET_BITS | narrow(start);
        Self { head, end: narrow(end), link: narrow(link) }
    }

    /// An integer's token keeps the number and not where it ends, for it is read more often.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the halves are put together again")]
    pub(crate) fn integer(start: usize, number: i64) -> Self {
        let bits = number.cast_unsigned();
        let token = Self::new(Kind::Integer, start, 0, 0);
        Self { end: (bits >> 32) as u32, link: bits as u32, ..token }
    }

    /// The number of an integer's token.
    #[inline]
    pub(crate) fn number(self) -> i64 {
        (u64::from(self.end) << 32 | u64::from(self.link)).cast_signed()
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        match self.head >> Self::OFFSET_BITS {
            0 => Kind::Integer,
            1 => Kind::String,
            2 => Kind::List,
            _ => Kind::Dict,
        }
    }

    #[inline]
    pub(crate) fn start(self) -> usize {
        (self.head & ((1 << Self::OFFSET_BITS) - 1)) as usize
    }
}

/// An offset or an index.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the decoder refuses larger input, and every token takes at least one byte of it"
)]
pub(crate) fn narrow(offset: usize) -> u32 {
    offset as u32
}

/// Tokens there is room for at first: more than a message, a tracker's answer or a torrent of few
/// files has.
const FIRST: usize = 32;

/// Tokens by index.
pub(crate) struct Tape(Vec<Token>);

impl Tape {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(FIRST))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends a token. `room` says for how many more to make room when there is none left.
    #[inline]
    pub(crate) fn push(&mut self, token: Token, room: impl FnOnce() -> usize) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(room().max(1));
        }
        self.0.push(token);
    }

    /// The token at `index`, which must have been pushed.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "only tokens that were pushed are asked for")]
    pub(crate) fn get(&self, index: usize) -> Token {
        self.0[index]
    }

    /// As [`get`](Self::get), to be changed.
    #[inline]
    #[allow(clippy::indexing_slicing, reason = "only tokens that were pushed are asked for")]
    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Token {
        &mut self.0[index]
    }
}
