//! Owns the extended handshake (BEP 10), with the fields that other BEPs add to it. Never believes what it says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Error, Extension, Ids, fields};
use crate::limits::MAX_CLIENT_LEN;

/// What one side says of itself, once at least, in an extended message of number 0. Every field may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// `m`: which extended messages the sender takes, under which numbers.
    pub ids: Ids,
    /// `v`: the sender's name and version. As decoded: at most [`MAX_CLIENT_LEN`] printable characters, safe to show.
    pub client: Option<String>,
    /// `p`: the TCP port on which the sender listens; never 0.
    pub port: Option<u16>,
    /// `reqq`: how many requests the sender keeps without dropping any.
    pub max_requests: Option<u32>,
    /// `yourip`: the receiver's address as the sender sees it.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: the sender's IPv4 address, if it has one.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: the sender's IPv6 address, if it has one.
    pub ipv6: Option<Ipv6Addr>,
    /// `metadata_size`: the length of the info dictionary in bytes, if the sender has it (BEP 9); never 0.
    pub metadata_size: Option<u32>,
    /// `upload_only`: whether the sender wants nothing, though it may not have everything (BEP 21).
    pub upload_only: Option<bool>,
}

impl Handshake {
    /// The payload of a message of number 0.
    pub fn encode(&self) -> Box<[u8]> {
        let payload = bencode::encode_dict(|d| {
            if let Some(ip) = self.ipv4 {
                d.bytes("ipv4", ip.octets());
            }
            if let Some(ip) = self.ipv6 {
                d.bytes("ipv6", ip.octets());
            }
            d.dict("m", |m| {
                for extension in Extension::ALL {
                    if let Some(id) = self.ids.told(extension) {
                        m.int(extension.name(), id.into());
                    }
                }
            });
            if let Some(len) = self.metadata_size {
                d.int("metadata_size", len.into());
            }
            if let Some(port) = self.port {
                d.int("p", port.into());
            }
            if let Some(requests) = self.max_requests {
                d.int("reqq", requests.into());
            }
            if let Some(upload_only) = self.upload_only {
                d.int("upload_only", upload_only.into());
            }
            if let Some(client) = &self.client {
                d.bytes("v", client);
            }
            if let Some(ip) = self.your_ip {
                let mut bytes = Vec::new();
                fields::put_ip(&mut bytes, ip);
                d.bytes("yourip", bytes);
            }
        });
        payload.into_boxed_slice()
    }

    /// What a peer sent. Fields of the wrong type or out of range are taken as missing.
    ///
    /// # Errors
    /// The payload does not begin with a dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        let document = fields::dictionary("extended handshake", payload)?;
        let root = document.root();
        let mut ids = Ids::NONE;
        if let Some(m) = root.get("m") {
            for extension in Extension::ALL {
                if let Some(id) = fields::number(m, extension.name()) {
                    ids.set(extension, id);
                }
            }
        }
        let v4 = <[u8; 4]>::try_from(fields::bytes(root, "ipv4")).ok();
        let v6 = <[u8; 16]>::try_from(fields::bytes(root, "ipv6")).ok();
        Ok(Self {
            ids,
            client: client(fields::bytes(root, "v")),
            port: fields::number(root, "p").filter(|port| *port != 0),
            max_requests: fields::number(root, "reqq"),
            your_ip: fields::ip(fields::bytes(root, "yourip")),
            ipv4: v4.map(Ipv4Addr::from),
            ipv6: v6.map(Ipv6Addr::from),
            metadata_size: fields::number(root, "metadata_size").filter(|len| *len != 0),
            upload_only: fields::number(root, "upload_only").map(|number: i64| number != 0),
        })
    }
}

/// A name that is safe on a terminal. Whatever could move a cursor or turn the direction of text becomes a `?`.
fn client(bytes: &[u8]) -> Option<String> {
    let longest = bytes.get(..4 * MAX_CLIENT_LEN).unwrap_or(bytes);
    let printable = |c: char| {
        if c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' { c } else { '?' }
    };
    let name: String =
        String::from_utf8_lossy(longest).chars().take(MAX_CLIENT_LEN).map(printable).collect();
    (!name.is_empty()).then_some(name)
}
