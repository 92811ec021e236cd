//! What a peer said of itself in its extended handshakes (BEP 10). It is all claims, kept for whoever
//! decides what to make of them.

use wire::extension::{Handshake, Ids};

use crate::pex::Exchange;

/// The claims of one peer. Nothing is claimed before its first extended handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extended {
    /// The numbers under which it takes extended messages.
    pub(crate) ids: Ids,
    /// Its name and version.
    pub(crate) client: Option<String>,
    /// How many requests it keeps without dropping any.
    pub(crate) max_requests: Option<u32>,
    /// It wants nothing, though it may not have everything (BEP 21).
    pub(crate) upload_only: bool,
    /// Who was told of whom (BEP 11).
    pub(crate) exchange: Exchange,
    /// Length of the info dictionary (BEP 9).
    pub(crate) metadata_size: Option<u32>,
}

impl Extended {
    /// Takes in a handshake. A later one changes what it mentions.
    pub(crate) fn update(&mut self, handshake: Handshake) {
        let Handshake { ids, client, max_requests, metadata_size, upload_only, .. } = handshake;
        self.ids.update(ids);
        self.client = client.or(self.client.take());
        self.max_requests = max_requests.or(self.max_requests);
        self.metadata_size = metadata_size.or(self.metadata_size);
        self.upload_only = upload_only.unwrap_or(self.upload_only);
    }
}
