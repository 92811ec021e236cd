//! Networks of up to 10,000 nodes in virtual time. A tenth of the nodes lie, a fifth vanish at once
//! and others come in their place, and torrents are still found, in a number of hops that grows with
//! the logarithm of the number of nodes.
//!
//! `DHT_NODES=10000 cargo test --release -p pieces-dht --test network -- --nocapture` runs the
//! largest; with `DHT_PLOT=FILE.svg` it draws hops against nodes too.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and its figures")]

mod sim;

use std::fmt::Write as _;
use std::time::Duration;

use dht::Input;
use sim::{Search, World};

/// What came of one network.
struct Outcome {
    nodes: usize,
    searches: Vec<Search>,
    succeeded: usize,
    tried: usize,
    packets: u64,
    most_to_nobody: usize,
}

impl Outcome {
    fn success(&self) -> f64 {
        count(self.succeeded) / count(self.tried)
    }

    fn mean(&self, of: impl Fn(&Search) -> f64) -> f64 {
        self.searches.iter().map(of).sum::<f64>() / count(self.searches.len())
    }

    fn hops(&self) -> f64 {
        self.mean(|search| count(search.hops))
    }

    fn most_hops(&self) -> usize {
        let mut hops: Vec<usize> = self.searches.iter().map(|search| search.hops).collect();
        hops.sort_unstable();
        hops[hops.len() * 95 / 100]
    }

    fn print(&self) {
        println!(
            "{:>6} nodes: {}/{} found ({:.2}%), hops {:.2} (95%: {}), asked {:.1}, took {:.2} s, \
             {} packets a node, at most {} bytes to a stranger",
            self.nodes,
            self.succeeded,
            self.tried,
            100.0 * self.success(),
            self.hops(),
            self.most_hops(),
            self.mean(|search| count(search.asked)),
            self.mean(|search| search.took.as_secs_f64()),
            self.packets / self.nodes as u64,
            self.most_to_nobody,
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Builds a network, announces torrents, lets a fifth of it vanish, and looks for them.
fn run(nodes: usize, tries: usize, seed: u64) -> Outcome {
    let mut world = World::new(seed);
    for n in 0..nodes {
        let lies = n % 10 == 5;
        world.add(lies, Duration::from_millis(10 * n as u64));
    }
    world.pass(Duration::from_millis(10 * nodes as u64) + Duration::from_mins(5));

    // Somebody honest has a torrent, and tells.
    let torrents: Vec<([u8; 20], usize)> = (0..tries)
        .map(|_| {
            let (info_hash, owner) = (world.dice.bytes(), world.somebody());
            world.tell(owner, Input::Join { info_hash, port: Some(7_000) });
            world.pass(Duration::from_millis(100));
            (info_hash, owner)
        })
        .collect();
    world.pass(Duration::from_mins(1));
    for (info_hash, owner) in &torrents {
        let search = world.nodes[*owner].searches[info_hash];
        assert!(search.announced > 0, "a search in a living network finds whom to tell");
    }

    // A fifth vanishes without a word, others come.
    let owners: Vec<usize> = torrents.iter().map(|(_, owner)| *owner).collect();
    let mut gone = 0;
    while gone < nodes / 5 {
        let victim = world.dice.below(nodes);
        if victim != 0 && world.is_alive(victim) && !owners.contains(&victim) {
            world.kill(victim);
            gone += 1;
            let delay = world.dice.below(30_000) as u64;
            world.add(gone % 10 == 5, Duration::from_millis(delay));
        }
    }
    world.pass(Duration::from_secs(5));

    // Somebody else looks for each.
    let mut seekers = Vec::new();
    for (info_hash, owner) in &torrents {
        let seeker = loop {
            let seeker = world.somebody();
            if seeker < nodes && seeker != *owner {
                break seeker;
            }
        };
        world.tell(seeker, Input::Join { info_hash: *info_hash, port: None });
        world.pass(Duration::from_millis(100));
        seekers.push(seeker);
    }
    world.pass(Duration::from_mins(1));
    let mut outcome = Outcome {
        nodes,
        searches: Vec::new(),
        succeeded: 0,
        tried: tries,
        packets: world.packets,
        most_to_nobody: world.into_the_void.values().copied().max().unwrap_or(0),
    };
    for ((info_hash, owner), seeker) in torrents.iter().zip(seekers) {
        let mut addr = world.nodes[*owner].addr;
        addr.set_port(7_000);
        let node = &world.nodes[seeker];
        let found = node.found.get(info_hash).is_some_and(|found| found.contains(&addr));
        outcome.succeeded += usize::from(found);
        outcome.searches.push(node.searches[info_hash]);
    }
    outcome.print();
    outcome
}

fn check(outcome: &Outcome) {
    let log = count(outcome.nodes).log2();
    assert!(outcome.success() >= 0.99, "{:.4}", outcome.success());
    assert!(outcome.hops() <= log, "{:.2} hops", outcome.hops());
}

#[test]
fn torrents_are_found_among_liars_and_churn() {
    check(&run(400, 100, 1));
}

#[test]
fn a_node_learns_its_address_and_takes_an_id_that_fits() {
    let mut world = World::new(7);
    for n in 0..60_u64 {
        world.add(n % 10 == 5, Duration::from_millis(100 * n));
    }
    world.pass(Duration::from_mins(5));
    let fits = |node: &usize| {
        world.id(*node).is_some_and(|id| dht::fits(id, world.nodes[*node].addr.ip()))
    };
    let fitting = (0..60).filter(fits).count();
    assert_eq!(fitting, 60, "liars included: they are told the truth");
}

#[test]
fn hops_grow_with_the_logarithm() {
    let largest = std::env::var("DHT_NODES").map_or(300, |nodes| nodes.parse().unwrap());
    let outcomes: Vec<Outcome> = [30, 100, 300, 1_000, 3_000, 10_000]
        .into_iter()
        .filter(|nodes| *nodes <= largest)
        .map(|nodes| run(nodes, (nodes / 2).clamp(50, 1_000), 1))
        .collect();
    outcomes.iter().for_each(check);
    // Each tenfold adds about the same, and never more than log2(10) steps.
    let (first, last) = (&outcomes[0], &outcomes[outcomes.len() - 1]);
    let tenfolds = (count(last.nodes) / count(first.nodes)).log10();
    let slope = (last.hops() - first.hops()) / tenfolds;
    assert!(slope <= 10_f64.log2(), "{slope:.2} hops more in a network ten times as large");
    if let Some(path) = std::env::var_os("DHT_PLOT") {
        let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        std::fs::write(top.join(path), plot(&outcomes)).unwrap();
    }
}

/// Hops against the logarithm of the number of nodes.
fn plot(outcomes: &[Outcome]) -> String {
    const W: f64 = 560.0;
    const H: f64 = 310.0;
    const LEFT: f64 = 50.0;
    const BASE: f64 = 250.0;
    let log = |nodes: usize| count(nodes).log10();
    let (first, last) = (log(outcomes[0].nodes), log(outcomes[outcomes.len() - 1].nodes));
    let x = |nodes| LEFT + 20.0 + (log(nodes) - first) / (last - first) * (W - LEFT - 70.0);
    let y = |hops: f64| BASE - hops * 22.0;
    let mut body = String::new();
    for hops in (0..=10_u32).step_by(2) {
        let at = y(f64::from(hops));
        let _ = writeln!(
            body,
            r##"<line x1="{LEFT}" x2="{}" y1="{at}" y2="{at}" stroke="#ddd"/><text x="{}" y="{}" text-anchor="end">{hops}</text>"##,
            W - 30.0,
            LEFT - 8.0,
            at + 4.0
        );
    }
    let line: Vec<String> =
        outcomes.iter().map(|o| format!("{:.1},{:.1}", x(o.nodes), y(o.hops()))).collect();
    let _ = writeln!(
        body,
        r##"<polyline points="{}" fill="none" stroke="#c2410c" stroke-width="2"/>"##,
        line.join(" ")
    );
    for outcome in outcomes {
        let (at, hops) = (x(outcome.nodes), y(outcome.hops()));
        let most = y(count(outcome.most_hops()));
        let _ = writeln!(
            body,
            r##"<line x1="{at:.1}" x2="{at:.1}" y1="{hops:.1}" y2="{most:.1}" stroke="#fdba74" stroke-width="4"/><circle cx="{at:.1}" cy="{hops:.1}" r="4" fill="#c2410c"/><text x="{:.1}" y="{:.1}" font-weight="bold">{:.1}</text><text x="{at:.1}" y="{}" text-anchor="middle">{}</text><text x="{at:.1}" y="{}" text-anchor="middle" fill="#777" font-size="10">{:.1}%</text>"##,
            at + 8.0,
            hops + 14.0,
            outcome.hops(),
            BASE + 18.0,
            outcome.nodes,
            BASE + 32.0,
            100.0 * outcome.success()
        );
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="20" font-size="14" font-weight="bold">Hops of a search against nodes: mean, and what 95% need</text>
{body}<text x="16" y="{}" fill="#777" font-size="10">10% of the nodes lie, 20% are gone, 1% of datagrams are lost; grey: searches that succeed</text>
</svg>
"##,
        H - 6.0
    )
}
