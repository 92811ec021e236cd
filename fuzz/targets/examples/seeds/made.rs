//! The first seeds of each kind: a few good inputs, and some that are odd. It makes bytes, and touches
//! no file.

use metainfo::{Extras, NewFile, Plan, Version};
use wire::{HANDSHAKE_LEN, Handshake, Message, Payload, PeerId, Request};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The bytes of each seed, below its target's name and its own.
#[derive(Default)]
pub(crate) struct Seeds(pub(crate) Vec<(&'static str, &'static str, Vec<u8>)>);

impl Seeds {
    fn put(&mut self, target: &'static str, name: &'static str, bytes: impl AsRef<[u8]>) {
        self.0.push((target, name, bytes.as_ref().to_vec()));
    }
}

/// All that there are.
pub(crate) fn all() -> Result<Seeds> {
    let mut seeds = Seeds::default();
    bencode(&mut seeds);
    dht(&mut seeds);
    extension(&mut seeds);
    lsd(&mut seeds);
    magnet(&mut seeds);
    metadata(&mut seeds);
    mse(&mut seeds);
    torrents(&mut seeds)?;
    resume(&mut seeds);
    swarm(&mut seeds);
    tracker(&mut seeds);
    wire(&mut seeds);
    Ok(seeds)
}

fn bencode(seeds: &mut Seeds) {
    seeds.put("bencode", "integer", "i-42e");
    seeds.put("bencode", "nested", "d1:ai0e1:bl4:spami7eld0:deee1:c0:e");
    seeds.put("bencode", "odd", "d1:bi007e1:a02:xx1:ai1ee\n");
    seeds.put("bencode", "prefix", "d8:msg_typei1ee0123456789");
    seeds.put("bencode", "deep", ["l".repeat(101), "e".repeat(101)].concat());
}

fn dht(seeds: &mut Seeds) {
    let find = "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaa6:target20:bbbbbbbbbbbbbbbbbbbb4:wantl2:n42:n6ee1:q\
        9:find_node1:t2:aa1:y1:qe";
    seeds.put("dht", "find-node", find);
    let reply = "d2:ip6:\x09\x09\x09\x09\x1a\x711:rd2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes26:\
        bbbbbbbbbbbbbbbbbbbb\x14\0\0\x09\x1a\x715:token2:tt6:valuesl6:\x14\0\0\x09\x1a\x71ee1:t2:aa1:y1:re";
    seeds.put("dht", "reply", reply);
    seeds.put("dht", "error", "d1:eli203e4:oopse1:t2:aa1:y1:ee");
    let future = "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:vote1:t2:aa1:y1:qe";
    seeds.put("dht", "unknown", future);
    seeds.put(
        "dht",
        "state",
        "d2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes26:bbbbbbbbbbbbbbbbbbbb\x14\0\0\x09\x1a\x71\
        6:nodes60:7:versioni1ee",
    );
    // Bootstrap nodes answer, a torrent is searched for and announced.
    let mut search = vec![1, 14, 3, 16, 40, 64];
    for node in [32, 80, 120, 60, 96, 8] {
        search.extend([4, 0, 13, 3, 9, 2, node, 3, 5, node + 1, 3, 7, 1, node, 9, 20]);
    }
    search.extend([12, 1, 1]);
    for node in [16, 40, 64, 32, 80] {
        search.extend([5, 0, 14, 3, 9, 1, node, 3, 5, 2, node, node + 8, 9, 60]);
    }
    search.extend([10, 6, 11, 16, 13, 1]);
    seeds.put("dht", "search", search);
    // Others ask: who is closest, who has a torrent, and with the token they announce.
    let ask = |from, kind| [1, from, 2, from, 0, 1, kind, 3, 9, 1];
    let announce = [1, 16, 2, 16, 0, 1, 3, 0, 200, 3, 9, 1];
    let told = [ask(16, 2).as_slice(), &announce, &ask(40, 2), &ask(240, 0)].concat();
    seeds.put("dht", "served", [[1].as_slice(), &told].concat());
}

fn lsd(seeds: &mut Seeds) {
    let hash = "0123456789abcdef0123456789ABCDEF01234567";
    let announce = format!(
        "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
        Infohash: {hash}\r\ncookie: 7\r\n\r\n\r\n"
    );
    seeds.put("lsd", "announce", &announce);
    seeds.put(
        "lsd",
        "odd",
        format!("bt-search * http/1.1\r\nINFOHASH:{hash}\r\nX: y\r\nport: 1\r\n\r\n"),
    );
    // Two torrents are told of, one is heard of, one is left.
    seeds.put("lsd", "talk", [0, 1, 0, 2, 2, 60, 5, 0, 9, 1, 1, 80, 3, 60, 1, 2, 3, 255, 3, 60]);
}

fn mse(seeds: &mut Seeds) {
    seeds.put("mse", "untouched", []);
    // RC4 at both ends; then somebody between them changes bytes, cuts them off, adds some.
    seeds.put("mse", "rc4", [1, 0, 3, 5, 1, 9, 200, 40]);
    seeds.put("mse", "flipped", [0, 0, 1, 2, 3, 4, 5, 6, 1, 0, 200, 8, 100, 0, 50, 0, 60, 0, 70]);
    let cut = [0, 1, 1, 2, 3, 4, 5, 6, 0, 10, 0, 20, 2, 0, 30, 10, 2, 0, 9, 5];
    seeds.put("mse", "cut", cut);
    let (some, more) = ([3, 0, 96, 7, 200, 10], [3, 0, 96, 7, 9, 50, 0, 60, 0, 70]);
    seeds.put("mse", "inserted", [[1, 1, 1, 2, 3, 4, 5, 6].as_slice(), &some, &more].concat());
}

fn metadata(seeds: &mut Seeds) {
    // One honest peer gives four pieces.
    seeds.put("metadata", "honest", [3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 10, 1, 11, 0, 3]);
    // Liars claim lengths, send false pieces, refuse, are silent; an honest peer comes.
    let offer = |who, how| [12, who, 0, how, 200, 2];
    let mut liars = vec![3, 1, 1, 1];
    liars.extend([offer(0, 0), offer(1, 0), offer(2, 200)].concat());
    liars.extend([12, 0, 3, 0, 4, 12, 1, 3, 0, 6, 12, 2, 3, 0, 8, 6, 0, 0, 3, 2, 3, 1, 8, 25]);
    liars.extend([3, 0, 3, 1, 12, 1, 4, 0, 9, 8, 60, 3, 0, 3, 0]);
    seeds.put("metadata", "liars", liars);
    // What else may be said before anything is known, and after.
    let mut early =
        vec![0, 1, 12, 0, 0, 0, 1, 12, 0, 10, 0, 5, 12, 0, 10, 1, 2, 0x80, 0, 12, 0, 9, 2];
    early.extend([1, 2, 3, 4, 5, 7, 100, 10, 0, 0, 3, 0, 3, 0, 10, 1, 11, 0, 3, 8, 4]);
    seeds.put("metadata", "early", early);
}

fn extension(seeds: &mut Seeds) {
    let handshake = "d4:ipv44:\x7f\0\0\x011:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e\
        1:pi6881e4:reqqi500e1:v3:abc6:yourip4:\x7f\0\0\x01e";
    seeds.put("extension", "handshake", handshake);
    seeds.put("extension", "request", "d8:msg_typei0e5:piecei1ee");
    seeds.put("extension", "data", "d8:msg_typei1e5:piecei0e10:total_sizei4eeinfo");
    seeds.put(
        "extension",
        "pex",
        "d5:added6:\n\0\0\x02\x1a\x717:added.f1:\x107:dropped6:\n\0\0\x03\x1a\x71e",
    );
    seeds.put("extension", "dont-have", [0, 0, 0, 7]);
}

fn magnet(seeds: &mut Seeds) {
    let v1 = "urn:btih:0123456789abcdef0123456789abcdef01234567";
    let v2 = format!("urn:btmh:1220{}", "5a".repeat(32));
    seeds.put("magnet", "v1", format!("magnet:?xt={v1}&dn=some+name&tr=http%3A%2F%2Ft%2Fannounce"));
    seeds.put("magnet", "base32", "magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH");
    let hints = "tr.1=udp://a:1&tr.2=udp://b:2&ws=http://w/&x.pe=[::1]:6881&so=0,2-4";
    seeds.put("magnet", "hybrid", format!("MAGNET:?xt.1={v1}&xt.2={v2}&{hints}&x.pe=host:1"));
    let escaped = "&amp;dn=a b&amp;tr.1=http://t/?a=1&#38;tr=udp://t:1";
    seeds.put("magnet", "escaped", format!(" <magnet://?xt={v1}{escaped}>\r\n"));
    let bad = "xt=urn:btih:12&dn=%ff&tr=%ff&x.pe=&x.pe=h&x.pe=h:0&so=1,x,3-2&so=&%ff=%ff&=&";
    let other = "xt=urn:btih:ffffffffffffffffffffffffffffffffffffffff";
    seeds.put("magnet", "bad-parts", format!("magnet:?{bad}&xt={v1}&{other}&{bad}"));
    seeds.put("magnet", "bare", "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH\n");
    seeds.put("magnet", "bare-v2", "5a".repeat(32));
}

fn torrents(seeds: &mut Seeds) -> Result<()> {
    let file = |path: &[&str], length| NewFile {
        path: path.iter().map(|part| part.as_bytes().to_owned()).collect(),
        length,
        executable: length == 7,
    };
    let extras = Extras {
        tiers: vec![vec!["http://t/announce".into(), "udp://u:1".into()]],
        web_seeds: vec!["http://w/".into()],
        comment: Some("a comment".into()),
        source: Some("tag".into()),
        private: true,
        ..Extras::default()
    };
    for (name, version) in [("v1", Version::V1), ("v2", Version::V2), ("hybrid", Version::Hybrid)] {
        let files = vec![file(&["a"], 7), file(&["sub", "b"], 20_000), file(&["sub", "c"], 0)];
        let plan = Plan::folder(version, "folder", 16_384, files)?;
        let pieces = plan.layout().piece_count() as usize;
        let sha1 = vec![*b"ssssssssssssssssssss"; if version == Version::V2 { 0 } else { pieces }];
        let roots = vec![[b'm'; 32]; if version == Version::V1 { 0 } else { pieces }];
        // A layer must hash to its file's root, which `encode` sees to.
        seeds.put("metainfo", name, plan.encode(&sha1, &roots, &extras)?);
    }
    let single = Plan::file(Version::V1, "file", 16_384, 40_000, false)?;
    seeds.put("metainfo", "single", single.encode(&[[b's'; 20]; 3], &[], &Extras::default())?);
    let odd: &[u8] = b"d4:infod6:lengthi5e4:name10:../../etc/12:piece lengthi05e6:pieces20:\
        ssssssssssssssssssssee\r\n";
    seeds.put("metainfo", "odd", odd);
    let nasty: &[u8] =
        b"d4:infod5:filesld6:lengthi1e4:pathl3:CONeed6:lengthi2e4:pathl3:coneed4:attr\
        1:p6:lengthi3e4:pathl1:3eed4:attr2:lx6:lengthi0e4:pathl1:leee4:name1:n12:piece lengthi9e\
        6:pieces20:ssssssssssssssssssssee";
    seeds.put("metainfo", "nasty", nasty);
    let ignored: &[u8] = b"d8:announcei1e13:announce-listd1:ai1ee7:commentle13:creation date3:now\
        4:infod4:attri1e5:filesld4:attri1e6:lengthi5e4:pathl1:ae10:path.utf-8li1eeee6:length1:x\
        12:meta versioni0e10:name.utf-80:12:piece lengthi16384e6:pieces20:ssssssssssssssssssss\
        7:private1:16:sourcei1ee5:nodesi1e8:url-listde\0\0\0 and more";
    seeds.put("metainfo", "ignored", ignored);
    let files: &[u8] = b"d4:infod5:filesi1e6:lengthi5e4:namei1e12:piece lengthi16384e6:pieces20:\
        ssssssssssssssssssss7:privatelee12:piece layersi1ee";
    seeds.put("metainfo", "no-files", files);
    Ok(())
}

fn resume(seeds: &mut Seeds) {
    let body = |version, stamps: &[u8]| {
        bencode::encode_dict(|dict| {
            dict.bytes("info hash", [b'h'; 20]);
            dict.int("pieces", 10);
            dict.bytes("root", "/data");
            dict.int("saved", 1_700_000_000);
            dict.bytes("stamps", stamps);
            dict.bytes("synced", [0b1010_1010, 0b0100_0000]);
            dict.int("version", version);
        })
    };
    seeds.put("resume", "open", body(1, &[]));
    let stamp = [&[1], [0, 0, 0, 0, 0, 0, 0, 80].as_slice(), &[0; 20]].concat();
    seeds.put("resume", "closed", body(1, &[stamp.clone(), stamp].concat()));
    seeds.put("resume", "future", body(2, &[]));
}

fn swarm(seeds: &mut Seeds) {
    // Four pieces, none here. A peer that has all of them gives block after block.
    let connect = [0, 1, 0, 0, 20];
    let (full, unchoke) = ([10, 0, 7], [10, 0, 2]);
    let mut leech = [vec![3, 0], connect.to_vec(), full.to_vec(), unchoke.to_vec()].concat();
    for block in 0..16_u8 {
        leech.extend([8, 0, if block == 5 { 8 } else { 1 }, 3, 0]);
    }
    seeds.put("swarm", "leech", &leech);
    // All are here. Two peers want them, one of them changes its mind.
    let mut seed = vec![3, 255];
    for (id, addr) in [(1, 20), (2, 22)] {
        seed.extend([0, id, 1, 0, addr]);
    }
    for peer in [0, 1] {
        seed.extend([10, peer, 4, 10, peer, 9, 1, 0, 1, 3, 0, 4, peer]);
    }
    seed.extend([10, 1, 11, 1, 0, 1, 6, 10, 3, 0, 6, 30, 10, 0, 5, 2, 0]);
    seeds.put("swarm", "seed", &seed);
    // A peer that speaks the fast extension has everything, allows a piece, gives blocks while it
    // chokes, rejects what it is asked for and is asked again.
    let mut fast = vec![3, 0, 0, 1, 1, 0, 20, 14, 0, 0, 14, 0, 3, 1];
    for _ in 0..3 {
        fast.extend([8, 0, 1, 3, 0]);
    }
    fast.extend(unchoke);
    fast.extend([15, 0, 15, 0, 8, 0, 1, 6, 2, 8, 0, 1, 10, 0, 1, 15, 0, 8, 0, 1, 3, 0]);
    seeds.put("swarm", "fast", fast);
    // One that has nothing: it is granted pieces, asks while it is choked, cancels.
    let beginner = [0, 1, 1, 0, 20, 14, 0, 1, 10, 0, 9, 1, 0, 1, 10, 0, 9, 2, 1, 1, 3, 0, 10, 0, 4];
    let cancels = [10, 0, 9, 1, 0, 1, 10, 0, 11, 1, 0, 1, 3, 0, 4, 0, 6, 30];
    seeds.put("swarm", "beginner", [[7, 255].as_slice(), &beginner, &cancels].concat());
    // Addresses, dials, a pause, limits, a lost piece, time.
    seeds.put(
        "swarm",
        "outside",
        [3, 3, 7, 0, 3, 20, 22, 24, 1, 0, 9, 0, 1, 20, 7, 2, 7, 6, 7, 3, 9, 9, 7, 4, 0, 6, 60],
    );
}

fn tracker(seeds: &mut Seeds) {
    let announce = bencode::encode_dict(|dict| {
        dict.int("complete", 3);
        dict.int("incomplete", 4);
        dict.bytes("external ip", [10, 0, 0, 1]);
        dict.int("interval", 1_800);
        dict.int("min interval", 60);
        dict.bytes("peers", [10, 0, 0, 2, 0x1a, 0xe1, 10, 0, 0, 3, 0x1a, 0xe1]);
        dict.bytes("peers6", [[0xfd; 16].as_slice(), &[0x1a, 0xe1]].concat());
        dict.bytes("tracker id", "id");
        dict.bytes("warning message", "careful");
    });
    seeds.put("tracker_http", "announce", announce);
    seeds.put(
        "tracker_http",
        "list",
        "d5:peersld2:ip9:127.0.0.14:porti6881eed2:ip3:::17:peer id1:x4:porti1eeee",
    );
    seeds.put("tracker_http", "failure", "d14:failure reason7:go away8:retry in5:nevere");
    let scrape = bencode::encode_dict(|dict| {
        dict.dict("files", |files| {
            files.dict([b'a'; 20], |file| {
                file.int("complete", 1);
                file.int("downloaded", 2);
                file.int("incomplete", 3);
            });
        });
    });
    seeds.put("tracker_http", "scrape", scrape);

    // Connect, announce with two peers; and a scrape; an error; silence.
    let connected = [3, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let peers =
        [[0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2].as_slice(), &[10, 0, 0, 2, 1, 1, 10, 0, 0, 3, 1, 1]];
    let announced = [&[4, 0, 24], peers.concat().as_slice()].concat();
    let scraped = [[5, 0, 24].as_slice(), &[0, 0, 0, 1].repeat(6)].concat();
    seeds.put("tracker_udp", "scrape", [connected.as_slice(), &scraped].concat());
    seeds.put("tracker_udp", "silence", [0, 0, 15, 0, 0, 30, 1, 0, 0, 0, 0, 255]);
    seeds.put("tracker_udp", "refused", [connected.as_slice(), &[6, 0, 4], b"none"].concat());
    let both = [&scraped, [0, 0, 15].as_slice(), &connected, &announced].concat();
    seeds.put("tracker_udp", "both", [connected.as_slice(), &both].concat());
}

fn wire(seeds: &mut Seeds) {
    let handshake = Handshake {
        reserved: wire::Reserved([0; 8]),
        info_hash: [1; 20],
        peer_id: PeerId([2; 20]),
    };
    let handshake: [u8; HANDSHAKE_LEN] = handshake.encode();
    let cut = [3, 200, 1, 17];
    seeds.put("wire", "handshake", [cut.as_slice(), &handshake].concat());
    let request = Request { piece: 1, offset: 16_384, len: 16_384 };
    let block =
        |len| Message::Piece { piece: 1, offset: 0, payload: Payload::detached(vec![7; len]) };
    let messages = [
        Message::KeepAlive,
        Message::Bitfield(vec![0xf0, 0x80].into()),
        Message::Interested,
        Message::Unchoke,
        Message::Request(request),
        block(30),
        Message::Have(3),
        Message::Cancel(request),
        Message::NotInterested,
        Message::Port(6_881),
    ];
    let mut stream = cut.to_vec();
    for message in &messages {
        message.encode(&mut stream);
    }
    seeds.put("wire", "all", &stream);
    Message::Choke.encode(&mut stream);
    seeds.put("wire", "choke", &stream);
    // More than fit into the pool at once.
    let mut stream = cut.to_vec();
    for _ in 0..12 {
        block(20).encode(&mut stream);
    }
    seeds.put("wire", "blocks", &stream);
    // The last cut stands for a run of usual blocks in front of the stream.
    let run = [&[255, 255, 80, 255], stream.get(4..).unwrap_or_default()].concat();
    seeds.put("wire", "run", run);
    seeds.put("wire", "unknown", [cut.as_slice(), &[0, 0, 0, 3, 20, 0, 1, 0, 0, 0, 0]].concat());
}
