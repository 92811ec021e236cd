//! One honest slow seed among strangers that came first: the download takes at most half as long again
//! as without them. In virtual time, by seed; `--nocapture` prints the figures.

mod sim;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sim::World;
use wire::Reserved;

const BLOCK: u32 = metainfo::BLOCK_LEN;

/// How a stranger behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stranger {
    /// Has everything, unchokes, and never sends a block.
    Stalls,
    /// Sends a block every 16 s, which keeps it from being silent.
    Drips,
    /// Has nothing, wants everything and says nothing more.
    Wants,
}

/// Where the strangers are: in one place, in ten, or each in its own.
#[derive(Clone, Copy, Debug)]
enum From {
    OneHost,
    TenHosts,
    ManyHosts,
}

impl From {
    fn ip(self, number: u32) -> Option<IpAddr> {
        let host = match self {
            Self::OneHost => 1,
            Self::TenHosts => 1 + number % 10,
            Self::ManyHosts => return None,
        };
        Some(Ipv4Addr::from(0x0909_0000 + host).into())
    }
}

/// How long the download takes with so many strangers, which all connect before the seed is known.
fn download(seed: u64, count: u32, from: From, kinds: &[Stranger]) -> Duration {
    // 12.5 MiB at 40 KiB/s.
    let mut world = World::new(seed, 100, 8 * BLOCK);
    let leecher = world.leecher();
    let us = world.add(leecher);
    // It serves us alone: how it shares among others is not what is measured.
    let honest = sim::Spec { up: 40 << 10, max_peers: 1, ..world.seed() };
    let honest = world.add(honest);
    let mut strangers = Vec::new();
    for number in 0..count {
        let kind = kinds[number as usize % kinds.len()];
        let ip = from.ip(number);
        let spec = match kind {
            Stranger::Stalls => sim::Spec { stalls: true, ip, ..world.seed() },
            Stranger::Drips => sim::Spec { up: 1_000, ip, ..world.seed() },
            Stranger::Wants => sim::Spec { stalls: true, slots: 0, ip, ..world.leecher() },
        };
        // They hear of us alone.
        let stranger = world.add(sim::Spec { reserved: Reserved::NONE, ..spec });
        world.introduce(stranger, &[us]);
        strangers.push(stranger);
    }
    world.pass(Duration::from_secs(5));
    let before = world.now;
    // The tracker names some of them, too.
    strangers.truncate(30);
    strangers.push(honest);
    world.introduce(us, &strangers);
    let done = world.run(Duration::from_hours(3), |world| world.is_complete(us));
    assert!(done, "{count} from {from:?}: {}", world.laggards());
    world.now.saturating_sub(before)
}

#[test]
fn a_download_from_a_slow_seed_takes_at_most_half_as_long_again_among_strangers() {
    // Those that drip give something, too, so once without them.
    let idle = &[Stranger::Stalls, Stranger::Wants][..];
    let all = &[Stranger::Stalls, Stranger::Drips, Stranger::Wants][..];
    for seed in [1] {
        let alone = download(seed, 0, From::ManyHosts, all);
        for (count, kinds) in [30, 200, 1_000].into_iter().flat_map(|n| [(n, idle), (n, all)]) {
            for from in [From::OneHost, From::TenHosts, From::ManyHosts] {
                let took = download(seed, count, from, kinds);
                let ratio = took.as_secs_f64() / alone.as_secs_f64();
                println!(
                    "seed {seed}: {count} strangers of {} kinds, {from:?}: {:.0} s, alone {:.0} s, {ratio:.2}",
                    kinds.len(),
                    took.as_secs_f64(),
                    alone.as_secs_f64()
                );
                assert!(ratio <= 1.5, "{count} from {from:?}: {ratio:.2}");
            }
        }
    }
}
