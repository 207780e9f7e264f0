//! A tiny scripted network around replicas: fixed delay, virtual time, stub cryptography, every message through the
//! codec. Tests bend messages on their way with a filter.
#![allow(dead_code)] // each test binary uses its part

pub mod scripts;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use voltcast::ledger::hash::{c32, c64};
use voltcast::ledger::{Digest, Micros, Policy, Proposal, Secs, Seq, Sigma};
use voltcast::pbft::message::Message;
use voltcast::pbft::*;

pub const DELAY: u64 = 1_000;
pub const START: Secs = Secs(1_767_592_800);

/// Sixteen bytes: u32 number, u32 nullifier, u8 valid, then zeros.
pub fn parse(bytes: &[u8]) -> Option<Sigma> {
    let b: [u8; 16] = bytes.try_into().ok()?;
    Some(Sigma::new(b.to_vec(), c32("id", &[&b]), c32("nul", &[&b[4..8]]), 490_998, Secs(START.0 + 600)))
}

pub fn sigma_with(number: u32, nullifier: u32, valid: bool) -> Arc<Sigma> {
    let mut b = [0u8; 16];
    b[..4].copy_from_slice(&number.to_le_bytes());
    b[4..8].copy_from_slice(&nullifier.to_le_bytes());
    b[8] = u8::from(valid);
    Arc::new(parse(&b).unwrap())
}

pub fn sigma(number: u32) -> Arc<Sigma> {
    sigma_with(number, number, true)
}

/// Signs by hashing: good enough where nobody tries to forge but the test itself.
pub struct StubSigner;

impl Signer for StubSigner {
    fn sign(&self, st: &Statement) -> Sig {
        Sig(c64("stub", &[&st.bytes()]))
    }
}

pub struct StubVerifier;

impl Verifier for StubVerifier {
    fn statement(&mut self, who: ReplicaId, st: &Statement, sig: &Sig) -> bool {
        st.sender == who && StubSigner.sign(st) == *sig
    }

    fn ciphertext(&mut self, sigma: &Sigma, at: Secs) -> Result<(), VerifyError> {
        if sigma.bytes()[8] != 1 {
            return Err(VerifyError("Signature".into()));
        }
        if at > sigma.expires { Err(VerifyError("Expired".into())) } else { Ok(()) }
    }
}

/// K = 16, L = 32, no status gossip.
pub fn config(n: u16) -> Arc<Config> {
    Arc::new(config_with(n, 16, 32))
}

pub fn config_with(n: u16, k: u64, l: u64) -> Config {
    let policy = Policy {
        batch_max: 64.max(u64::from(n)),
        batch_bytes: 1 << 20,
        epoch_secs: 3600,
        skew: 30,
        ttl_max: 600,
        max_lag: 3600,
    };
    let rids = (0..n).map(|i| c32("rid", &[&i.to_le_bytes()])).collect();
    let genesis = Genesis { params_id: Digest([1; 32]), rids, policy, k, l, time: START };
    Config { status_every: Micros(0), ..Config::new(genesis).unwrap() }
}

pub fn statement(cfg: &Config, kind: Kind, sender: u16, view: u64, seq: u64, digest: Digest, just: Digest) -> Signed {
    let sender = ReplicaId(sender);
    let network_id = cfg.network_id;
    let st = Statement { network_id, kind, sender, view: View(view), seq: Seq(seq), digest, just };
    Signed { statement: st, sig: StubSigner.sign(&st) }
}

/// Kind of vote in view 0.
pub fn vote(cfg: &Config, kind: Kind, sender: u16, seq: u64, digest: Digest) -> Message {
    let signed = statement(cfg, kind, sender, 0, seq, digest, Digest::ZERO);
    if kind == Kind::Prepare { Message::Prepare(signed) } else { Message::Commit(signed) }
}

pub fn proposal(cfg: &Config, seq: u64, txs: Vec<Arc<Sigma>>) -> Arc<Proposal> {
    Arc::new(Proposal::build(cfg.network_id, Seq(seq), START, txs))
}

/// PRE-PREPARE of view 0 by `sender`.
pub fn pre_prepare(cfg: &Config, sender: u16, p: &Arc<Proposal>) -> Message {
    let signed = statement(cfg, Kind::PrePrepare, sender, 0, p.header.seq.0, p.digest(), Digest::ZERO);
    Message::PrePrepare(signed, p.clone())
}

thread_local! {
    /// Rules that decided something on this thread.
    static COVERAGE: RefCell<Coverage> = RefCell::default();
}

/// Remembers a decision for [`covered`].
pub fn note(rule: Rule, outcome: &Outcome) {
    COVERAGE.with_borrow_mut(|coverage| coverage.note(rule, outcome));
}

/// The same for outputs that went past a [`Net`].
pub fn note_all(out: &[Output]) {
    for output in out {
        if let Output::Trace { rule, outcome, .. } = output {
            note(*rule, outcome);
        }
    }
}

/// What was decided on this thread so far.
pub fn covered() -> Coverage {
    COVERAGE.with_borrow(Clone::clone)
}

#[derive(Clone, Debug)]
pub struct Traced {
    pub who: u16,
    pub rule: Rule,
    pub outcome: Outcome,
    pub about: About,
}

type Filter = Box<dyn Fn(u16, u16, &Arc<Message>) -> Option<Arc<Message>>>;

pub struct Net {
    pub cfg: Arc<Config>,
    pub replicas: Vec<Replica>,
    pub follower: Follower,
    pub now: Micros,
    queue: BTreeMap<(Micros, u64), (u16, Input)>,
    timers: BTreeMap<(u16, Timer), (Micros, u64)>,
    next: u64,
    /// What becomes of a message from one gateway to another; `None` loses it.
    pub filter: Filter,
    /// Microseconds on the way of the message with this running number.
    pub delay: Box<dyn Fn(u64) -> u64>,
    /// Gateways that neither receive nor fire timers.
    pub dead: Vec<u16>,
    pub sent: BTreeMap<&'static str, u64>,
    pub published: BTreeMap<&'static str, u64>,
    pub traces: Vec<Traced>,
    pub conflicts: u64,
    /// What each gateway persisted.
    pub durable: Vec<Durable>,
    /// Outputs of each gateway so far.
    pub outputs: Vec<u64>,
    /// A gateway that crashes before this output of its.
    pub tear: Option<(u16, u64)>,
    /// Content of every statement that a gateway sent, by sender, kind, view and slot.
    pub said: BTreeMap<(u16, Kind, u64, u64), (Digest, Digest)>,
    /// Proofs of fault, by who holds them.
    pub evidence: Vec<(u16, Arc<Evidence>)>,
    pub answers: u64,
}

impl Net {
    pub fn new(n: u16) -> Self {
        Net::with(config(n))
    }

    pub fn with(cfg: Arc<Config>) -> Self {
        let (signer, n) = (Arc::new(StubSigner), cfg.quorum.n());
        let replicas =
            cfg.quorum.all().map(|me| Replica::new(cfg.clone(), me, signer.clone() as Arc<dyn Signer>)).collect();
        let mut net = Net {
            replicas,
            follower: Follower::new(cfg.clone()),
            cfg,
            now: Micros(0),
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            next: 0,
            filter: Box::new(|_, _, m| Some(m.clone())),
            delay: Box::new(|_| DELAY),
            dead: vec![],
            sent: BTreeMap::new(),
            published: BTreeMap::new(),
            traces: vec![],
            conflicts: 0,
            durable: vec![Durable::default(); usize::from(n)],
            outputs: vec![0; usize::from(n)],
            tear: None,
            said: BTreeMap::new(),
            evidence: vec![],
            answers: 0,
        };
        for who in 0..net.cfg.quorum.n() {
            net.step(who, Input::Start(None));
        }
        net
    }

    fn push(&mut self, at: Micros, to: u16, input: Input) -> u64 {
        self.next += 1;
        self.queue.insert((at, self.next), (to, input));
        self.next
    }

    /// Delivers a message now.
    pub fn give(&mut self, to: u16, from: u16, msg: Message) {
        let envelope = Envelope { from: NodeId(from), to: NodeId(to), msg: Arc::new(msg) };
        self.step(to, Input::Deliver(envelope));
    }

    pub fn request(&mut self, to: u16, sigma: &Arc<Sigma>) {
        self.give(to, 1000, Message::Ciphertext(sigma.clone()));
    }

    pub fn step(&mut self, who: u16, input: Input) {
        if self.dead.contains(&who) {
            return;
        }
        let mut out = Vec::new();
        let mut io = Io { verify: &mut StubVerifier, out: &mut out };
        self.replicas[usize::from(who)].step(self.now, input, &mut io);
        for output in out {
            if self.tear == Some((who, self.outputs[usize::from(who)])) {
                return self.crash(who);
            }
            self.outputs[usize::from(who)] += 1;
            self.carry_out(who, output);
        }
    }

    /// Loses everything but what was persisted.
    pub fn crash(&mut self, who: u16) {
        self.tear = None;
        self.dead.push(who);
        for timer in [Timer::Batch, Timer::Relay, Timer::Progress, Timer::NewView, Timer::Fetch, Timer::Resend] {
            self.unset(who, timer);
        }
    }

    pub fn restart(&mut self, who: u16) {
        self.dead.retain(|dead| *dead != who);
        self.replicas[usize::from(who)] = Replica::new(self.cfg.clone(), ReplicaId(who), Arc::new(StubSigner));
        let durable = self.durable[usize::from(who)].clone();
        self.step(who, Input::Start(Some(Box::new(durable))));
    }

    /// SI-5: nobody says two things for one kind, view and slot, restarts included.
    fn hear(&mut self, who: u16, msg: &Message) {
        let Some((kind, signed)) = msg.signed() else { return };
        let st = &signed.statement;
        if st.sender.0 != who || matches!(kind, Kind::DataSet | Kind::Status | Kind::Fetch) {
            return;
        }
        let slot = if matches!(kind, Kind::ViewChange | Kind::NewView) { 0 } else { st.seq.0 };
        let first = *self.said.entry((who, kind, st.view.0, slot)).or_insert((st.digest, st.just));
        assert_eq!(first, (st.digest, st.just), "{who} contradicts itself: {st:?}");
    }

    fn carry_out(&mut self, who: u16, output: Output) {
        match output {
            Output::Send { to, msg } => {
                self.hear(who, &msg);
                // A repeated NEW-VIEW, for somebody whose VIEW-CHANGE came late.
                self.answers += u64::from(matches!(&*msg, Message::NewView(_)));
                self.send(who, to.0, &msg);
            }
            Output::Broadcast(msg) => {
                self.hear(who, &msg);
                for to in (0..self.cfg.quorum.n()).filter(|to| *to != who) {
                    self.send(who, to, &msg);
                }
            }
            Output::Publish(msg) => {
                *self.published.entry(msg.name()).or_default() += 1;
                if let Message::Publish(p) = &*msg {
                    let mut out = Vec::new();
                    self.follower.on_publish(p, &mut Io { verify: &mut StubVerifier, out: &mut out });
                    note_all(&out);
                }
            }
            Output::SetTimer { timer, after } => {
                self.unset(who, timer);
                let at = Micros(self.now.0 + after.0);
                let id = self.push(at, who, Input::Timer(timer));
                self.timers.insert((who, timer), (at, id));
            }
            Output::CancelTimer(timer) => self.unset(who, timer),
            Output::Trace { rule, outcome, about } => {
                note(rule, &outcome);
                self.traces.push(Traced { who, rule, outcome, about });
            }
            Output::Conflict { .. } => self.conflicts += 1,
            Output::Evidence(evidence) => self.evidence.push((who, evidence)),
            Output::Persist(record) => self.durable[usize::from(who)].apply(&record),
            Output::Execute { .. } => {}
        }
    }

    fn unset(&mut self, who: u16, timer: Timer) {
        if let Some(key) = self.timers.remove(&(who, timer)) {
            self.queue.remove(&key);
        }
    }

    fn send(&mut self, from: u16, to: u16, msg: &Arc<Message>) {
        *self.sent.entry(msg.name()).or_default() += 1;
        let Some(msg) = (self.filter)(from, to, msg) else { return };
        let bytes = msg.encode();
        let decoded = Message::decode(&bytes, &parse).expect("what is sent can be read");
        assert_eq!(decoded.encode(), bytes);
        let envelope = Envelope { from: NodeId(from), to: NodeId(to), msg: Arc::new(decoded) };
        let at = Micros(self.now.0 + (self.delay)(self.next));
        self.push(at, to, Input::Deliver(envelope));
    }

    /// Runs until nothing is left to do before `until`.
    pub fn run(&mut self, until: Micros) {
        while let Some(((at, _), _)) = self.queue.first_key_value() {
            if *at > until {
                break;
            }
            let ((at, _), (to, input)) = self.queue.pop_first().unwrap();
            self.now = at;
            if let Input::Timer(timer) = input {
                self.timers.remove(&(to, timer));
            }
            self.step(to, input);
        }
        self.now = until;
    }

    pub fn run_ms(&mut self, ms: u64) {
        self.run(Micros(self.now.0 + ms * 1000));
    }

    pub fn count(&self, name: &str) -> u64 {
        self.sent.get(name).copied().unwrap_or(0)
    }

    /// The decision of `who` about the last thing a rule looked at.
    pub fn last(&self, who: u16, rule: Rule) -> Option<&Traced> {
        self.traces.iter().rev().find(|t| t.who == who && t.rule == rule)
    }

    pub fn rejected(&self, who: u16, rule: Rule, reason: &Reason) -> bool {
        self.last(who, rule).is_some_and(|t| t.outcome == Outcome::Reject(reason.clone()))
    }

    pub fn fired(&self, rule: Rule) -> bool {
        self.traces.iter().any(|t| t.rule == rule)
    }

    /// Heads of the gateways that live.
    pub fn heads(&self) -> Vec<(Seq, Digest)> {
        let live = self.replicas.iter().filter(|r| !self.dead.contains(&r.me().0));
        live.map(|r| (r.executed(), r.chain().head_digest())).collect()
    }

    /// All live gateways hold the same chain of this height, and it verifies.
    pub fn assert_chain(&self, height: u64) {
        let heads = self.heads();
        assert!(heads.iter().all(|h| *h == heads[0]), "{heads:?}");
        assert_eq!(heads[0].0, Seq(height));
        for r in &self.replicas {
            assert_eq!(r.chain().verify(r.chain().base().0..=r.executed().0), Ok(()));
        }
        assert_eq!(self.conflicts, 0);
    }
}
