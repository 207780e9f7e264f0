//! Properties of agreement (CONSENSUS.md §7, item 3): selection against an oracle, codec on noise, and small random
//! networks with liars, crashes, delays and losses.

mod support;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use support::*;
use voltcast::ledger::hash::c64;
use voltcast::ledger::proposal::null_digest;
use voltcast::ledger::{Digest, Proposal, Seq};
use voltcast::pbft::certificate::{Prepared, StableProof};
use voltcast::pbft::message::{Message, NewView, ViewChange};
use voltcast::pbft::new_view::select;
use voltcast::pbft::*;
use voltcast::sim::forensics::Forensics;

// ---- select

/// One claimed certificate: (seq, view, which digest).
type Claim = (u64, u64, u8);

fn view_change(cfg: &Config, sender: u16, claims: &[Claim]) -> Arc<ViewChange> {
    let best: BTreeMap<u64, &Claim> = claims.iter().map(|c| (c.0, c)).collect();
    let cert = |c: &Claim| Prepared {
        view: View(c.1),
        seq: Seq(c.0),
        digest: Digest([c.2; 32]),
        just: Digest::ZERO,
        pp_sig: Sig([0; 64]),
        prepares: vec![],
    };
    let p: Vec<Arc<Prepared>> = best.into_values().map(|c| Arc::new(cert(c))).collect();
    let stable = StableProof::genesis(cfg);
    let digest = ViewChange::content_digest(&stable, &p);
    let signed = statement(cfg, Kind::ViewChange, sender, 9, 0, digest, Digest::ZERO);
    Arc::new(ViewChange { signed, stable, p })
}

/// OSDI'99 §4.4 word for word: for each sequence number between min-s and max-s, the request of the pre-prepare with the
/// highest view in the P component of some view change, else null.
fn oracle(v_set: &[Arc<ViewChange>]) -> Vec<(Seq, Digest)> {
    let max_s = v_set.iter().flat_map(|vc| &vc.p).map(|c| c.seq.0).max().unwrap_or(0);
    (1..=max_s)
        .map(|n| {
            let mut here: Vec<_> = v_set.iter().flat_map(|vc| &vc.p).filter(|c| c.seq == Seq(n)).collect();
            here.sort_by(|a, b| b.view.cmp(&a.view).then(a.digest.cmp(&b.digest)));
            (Seq(n), here.first().map_or(null_digest(), |c| c.digest))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn select_agrees_with_the_oracle_in_any_order(
        sets in prop::collection::vec(prop::collection::vec((1u64..8, 0u64..5, 0u8..4), 0..6), 3..8),
        turn in 0usize..8,
    ) {
        let cfg = config(10);
        let mut v_set: Vec<_> = (0u16..).zip(&sets).map(|(who, claims)| view_change(&cfg, who, claims)).collect();
        let plan = select(&v_set);
        prop_assert_eq!(&plan.slots, &oracle(&v_set));
        let len = v_set.len();
        v_set.rotate_left(turn % len);
        prop_assert_eq!(select(&v_set), plan);
    }
}

// ---- codec

/// Encodings of every message of a run with a view change.
fn encodings() -> Vec<Vec<u8>> {
    let seen: Rc<RefCell<BTreeMap<&'static str, Vec<u8>>>> = Rc::default();
    let book = seen.clone();
    let mut net = Net::new(4);
    net.filter = Box::new(move |_, to, m| {
        book.borrow_mut().insert(m.name(), m.encode());
        let lost = to == 3 && matches!(&**m, Message::PrePrepare(s, _) if s.statement.view == View(0))
            || matches!(&**m, Message::Commit(s) if s.statement.view == View(0));
        (!lost).then(|| m.clone())
    });
    net.request(1, &sigma(1));
    net.run_ms(10_000);
    let all: Vec<Vec<u8>> = seen.borrow().values().cloned().collect();
    assert_eq!(all.len(), 9, "DATASET, the three phases, VIEW-CHANGE, NEW-VIEW, STATUS, FETCH, BODY");
    all.into_iter().chain(transfers()).collect()
}

/// What a replica that was away is sent: blocks, or a snapshot where they are not kept, and the proof.
fn transfers() -> Vec<Vec<u8>> {
    let seen: Rc<RefCell<BTreeMap<&'static str, Vec<u8>>>> = Rc::default();
    for retain in [None, Some(1)] {
        let book = seen.clone();
        let mut net = Net::with(Arc::new(Config { retain, ..config_with(4, 2, 4) }));
        net.filter = Box::new(move |_, _, m| {
            book.borrow_mut().insert(m.name(), m.encode());
            Some(m.clone())
        });
        net.dead = vec![3];
        for number in 0..7 {
            net.request(0, &sigma(number));
            net.run_ms(100);
        }
        net.dead = vec![];
        net.request(3, &sigma(9));
        net.run_ms(5_000);
        net.assert_chain(8);
        let stable = Message::Stable(net.replicas[0].checkpoints().stable().clone());
        seen.borrow_mut().insert(stable.name(), stable.encode());
    }
    let names = ["CHECKPOINT", "FETCH", "BLOCKS", "SNAPSHOT", "STABLE"];
    names.into_iter().map(|name| seen.borrow().get(name).unwrap_or_else(|| panic!("no {name}")).clone()).collect()
}

#[test]
fn what_decodes_is_what_would_be_encoded() {
    for bytes in encodings() {
        let mut accepted = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << bit;
                if let Ok(message) = Message::decode(&bent, &parse) {
                    assert_eq!(message.encode(), bent);
                    accepted += 1;
                }
            }
            assert!(Message::decode(&bytes[..at], &parse).is_err(), "cut at {at}");
        }
        assert!(accepted > 0, "digests and signatures may be anything");
        let mut longer = bytes;
        longer.push(0);
        assert!(Message::decode(&longer, &parse).is_err());
    }
}

proptest! {
    #[test]
    fn noise_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0u8..12) {
        for first in [kind, 0x80 + kind % 3] {
            let mut noise = vec![first];
            noise.extend(&bytes);
            if let Ok(message) = Message::decode(&noise, &parse) {
                prop_assert_eq!(message.encode(), noise);
            }
        }
    }
}

// ---- random networks

fn chance(seed: u64, what: &[u8], number: u64) -> u64 {
    let h = c64("chance", &[&seed.to_le_bytes(), what, &number.to_le_bytes()]);
    u64::from_le_bytes(h[..8].try_into().unwrap())
}

/// The first `lying` gateways lie: as primary they propose two orders, and they vote for either, whatever suits whom.
fn liars(
    seed: u64,
    lying: u16,
    cfg: Arc<Config>,
    loss: u64,
) -> impl Fn(u16, u16, &Arc<Message>) -> Option<Arc<Message>> {
    let twins: RefCell<BTreeMap<(View, Seq), [Digest; 2]>> = RefCell::default();
    let count = std::cell::Cell::new(0);
    let resign = |s: &Signed, digest| {
        let statement = Statement { digest, ..s.statement };
        Signed { statement, sig: StubSigner.sign(&statement) }
    };
    move |from, to, msg| {
        count.set(count.get() + 1);
        if chance(seed, b"loss", count.get()) % 100 < loss {
            return None;
        }
        let side = (chance(seed, b"side", u64::from(to)) % 2) as usize;
        if from >= lying {
            return Some(msg.clone());
        }
        let at = |s: &Signed| (s.statement.view, s.statement.seq);
        let vote = |s: &Signed| resign(s, twins.borrow().get(&at(s)).map_or(s.statement.digest, |t| t[side]));
        Some(Arc::new(match &**msg {
            Message::PrePrepare(s, p) => {
                let txs = p.txs.iter().rev().cloned().collect();
                let other = Arc::new(Proposal::build(cfg.network_id, p.header.seq, p.header.time, txs));
                twins.borrow_mut().insert(at(s), [p.digest(), other.digest()]);
                let mine = [p.clone(), other][side].clone();
                Message::PrePrepare(resign(s, mine.digest()), mine)
            }
            Message::Prepare(s) => Message::Prepare(vote(s)),
            Message::Commit(s) => Message::Commit(vote(s)),
            other => other.clone(),
        }))
    }
}

/// SI-1: chains of correct gateways are prefixes of one another, and nobody saw a certificate against its own.
fn assert_agreement(net: &Net, liars: u16, seed: u64) {
    assert_eq!(net.conflicts, 0, "seed {seed}");
    let correct: Vec<_> = net.replicas.iter().filter(|r| r.me().0 >= liars).collect();
    for a in &correct {
        for b in &correct {
            let common = a.executed().min(b.executed());
            assert_eq!(a.chain().digest(common), b.chain().digest(common), "seed {seed}");
        }
        assert_eq!(a.chain().verify(0..=a.executed().0), Ok(()));
    }
}

fn random_net(seed: u64, n: u16) -> Net {
    let mut net = Net::new(n);
    net.delay = Box::new(move |number| 500 + chance(seed, b"delay", number) % 40_000);
    net
}

fn workload(net: &mut Net, seed: u64) {
    for number in 0..6u32 {
        let home = chance(seed, b"home", u64::from(number)) % u64::from(net.cfg.quorum.n());
        net.request(home as u16, &sigma(number));
        net.run_ms(chance(seed, b"pause", u64::from(number)) % 400);
    }
    net.run_ms(60_000);
}

#[test]
fn liars_up_to_f_never_fork_the_chain() {
    let mut executed = 0;
    for seed in 0..60 {
        let n = [4, 5, 6, 7, 8, 10][(seed % 6) as usize];
        let mut net = random_net(seed, n);
        let f = net.cfg.quorum.f();
        net.filter = Box::new(liars(seed, f, net.cfg.clone(), [0, 5, 20][(seed % 3) as usize]));
        workload(&mut net, seed);
        assert_agreement(&net, f, seed);
        executed += net.replicas.last().map_or(0, |r| r.executed().0);
    }
    assert!(executed > 60, "the runs got somewhere: {executed}");
}

#[test]
fn with_crashes_up_to_f_and_any_delays_everything_is_stored_everywhere() {
    for seed in 100..140 {
        let n = [4, 5, 6, 7, 10][(seed % 5) as usize];
        let mut net = random_net(seed, n);
        let f = u64::from(net.cfg.quorum.f());
        net.dead = (0..(chance(seed, b"dead", 0) % (f + 1)) as u16).collect();
        let dead = net.dead.clone();
        workload(&mut net, seed);
        assert_agreement(&net, 0, seed);
        for number in 0..6u32 {
            let home = (chance(seed, b"home", u64::from(number)) % u64::from(n)) as u16;
            for r in net.replicas.iter().filter(|r| !dead.contains(&r.me().0) && !dead.contains(&home)) {
                assert!(r.chain().find(&sigma(number).id).is_some(), "seed {seed}, gateway {}", r.me().0);
            }
        }
    }
}

// ---- evidence

/// Everything that correct gateways sent in a run: what an accuser could quote.
#[derive(Default)]
struct Said {
    statements: Vec<Signed>,
    proposals: Vec<(Signed, Arc<Proposal>)>,
    view_changes: Vec<Arc<ViewChange>>,
    new_views: Vec<Arc<NewView>>,
}

impl Said {
    fn hear(&mut self, msg: &Message) {
        match msg {
            Message::PrePrepare(signed, p) => self.proposals.push((*signed, p.clone())),
            Message::ViewChange(vc) => self.view_changes.push(vc.clone()),
            Message::NewView(nv) => {
                self.new_views.push(nv.clone());
                self.proposals.extend(nv.o.iter().filter_map(|fixed| carried(nv, fixed.seq)));
            }
            _ => {}
        }
        self.statements.extend(msg.signed().map(|(_, signed)| *signed));
    }

    /// Every accusation that can be put together from what was said, whether or not it makes sense.
    fn accusations(&self, each: &mut dyn FnMut(Evidence)) {
        for a in &self.statements {
            each(Evidence::PrimaryVote(*a));
            for b in self.statements.iter().filter(|b| b.statement.sender == a.statement.sender) {
                each(Evidence::Equivocation(*a, *b));
                each(Evidence::CrossPhase { vote: *a, commit: *b });
            }
            for vc in self.view_changes.iter().filter(|vc| vc.sender() == a.statement.sender) {
                each(Evidence::HiddenPrepared { commit: *a, view_change: vc.clone() });
            }
            for nv in &self.new_views {
                each(Evidence::OtherJustification { vote: *a, new_view: nv.clone() });
            }
        }
        for (signed, proposal) in &self.proposals {
            for under in core::iter::once(None).chain(self.new_views.iter().cloned().map(Some)) {
                each(Evidence::InvalidProposal { signed: *signed, proposal: proposal.clone(), under });
            }
        }
        self.view_changes.iter().for_each(|vc| each(Evidence::InvalidViewChange(vc.clone())));
        self.new_views.iter().for_each(|nv| each(Evidence::InvalidNewView(nv.clone())));
    }
}

/// The pre-prepare of a carried slot, with a body that nobody would propose.
fn carried(nv: &NewView, seq: Seq) -> Option<(Signed, Arc<Proposal>)> {
    let fixed = nv.o.iter().find(|fixed| fixed.seq == seq)?;
    let st = nv.signed.statement;
    let statement = Statement { kind: Kind::PrePrepare, seq, digest: fixed.digest, just: nv.just(), ..st };
    let body = Proposal::build(st.network_id, seq, START, vec![sigma_with(0, 0, false)]);
    Some((Signed { statement, sig: fixed.pp_sig }, Arc::new(body)))
}

#[test]
fn no_correct_gateway_can_be_named_and_liars_are() {
    let (mut tried, mut named) = (0u64, 0u64);
    for seed in 0..10 {
        let n = [4, 5, 6, 7][(seed % 4) as usize];
        let mut net = random_net(seed, n);
        let f = net.cfg.quorum.f();
        let said: Rc<RefCell<Said>> = Rc::default();
        let (book, lie) = (said.clone(), liars(seed, f, net.cfg.clone(), [0, 10][(seed % 2) as usize]));
        net.filter = Box::new(move |from, to, msg| {
            // A broadcast is heard once: at the copy for the next gateway round the ring.
            if from >= f && (to == (from + 1) % n || !matches!(**msg, Message::Prepare(_) | Message::Commit(_))) {
                book.borrow_mut().hear(msg);
            }
            lie(from, to, msg)
        });
        workload(&mut net, seed);
        for (who, evidence) in net.evidence.iter().filter(|(who, _)| *who >= f) {
            let culprit = evidence.verify(&net.cfg, &mut StubVerifier);
            assert!(culprit.is_ok_and(|c| c.0 < f), "seed {seed}: {who} holds {evidence:?}");
            named += 1;
        }
        said.borrow().accusations(&mut |evidence| {
            tried += 1;
            let verdict = evidence.verify(&net.cfg, &mut StubVerifier);
            assert!(verdict.is_err(), "seed {seed}: {verdict:?} by {evidence:?}");
        });
    }
    assert!(tried > 50_000 && named > 10, "{tried} accusations tried, {named} proofs held");
}

#[test]
fn beyond_f_forks_happen_and_forensics_names_the_overlap_and_nobody_else() {
    let mut forks = 0;
    for seed in 0..24 {
        let n = [4, 5, 6, 7][(seed % 4) as usize];
        let mut net = random_net(seed, n);
        let lying = net.cfg.quorum.breaking();
        let said: Rc<RefCell<Vec<Arc<Message>>>> = Rc::default();
        let (book, lie) = (said.clone(), liars(seed, lying, net.cfg.clone(), 0));
        net.filter = Box::new(move |from, to, msg| {
            let sent = lie(from, to, msg);
            book.borrow_mut().extend(sent.clone());
            sent
        });
        workload(&mut net, seed);
        let correct: Vec<_> = net.replicas.iter().filter(|r| r.me().0 >= lying).collect();
        let fork = correct.iter().any(|a| {
            correct.iter().any(|b| {
                let common = a.executed().min(b.executed());
                a.chain().digest(common) != b.chain().digest(common)
            })
        });
        let said = said.borrow();
        let all = Forensics::of(&net.cfg, said.iter().map(|msg| &**msg), &mut StubVerifier);
        let culprits = all.culprits(&net.cfg, &mut StubVerifier);
        assert!(culprits.keys().all(|who| who.0 < lying), "seed {seed}: {culprits:?}");
        assert!(!fork || culprits.len() >= usize::from(lying), "seed {seed}: {culprits:?}");
        forks += u64::from(fork);
    }
    assert!(forks > 0, "the liars were many enough to fork");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A proof with any bit changed on the way names the same culprit or nobody.
    #[test]
    fn bent_evidence_names_nobody_else(byte in 0usize..390, bit in 0u8..8) {
        let cfg = config(4);
        let [a, b] = [1, 2].map(|d| statement(&cfg, Kind::Commit, 2, 0, 1, Digest([d; 32]), Digest::ZERO));
        let mut bytes = Message::Evidence(Arc::new(Evidence::Equivocation(a, b))).encode();
        bytes[2 + byte] ^= 1 << bit;
        if let Ok(Message::Evidence(evidence)) = Message::decode(&bytes, &parse) {
            prop_assert!(evidence.verify(&cfg, &mut StubVerifier).is_err());
        }
    }
}

// ---- house rule

#[test]
fn no_quorum_literal_outside_quorum_rs() {
    let literals = ["2 * f", "2*f", "2f", "3 * f", "n / 3", "(n - 1)"];
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pbft")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name != "quorum.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            for line in code {
                assert!(literals.iter().all(|l| !line.contains(l)), "{}: {line}", path.display());
            }
        }
    }
}
