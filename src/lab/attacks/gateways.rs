//! Four gateways in agreement, each a replica with a real key; the first leads view 0 and may be bribed (CONSENSUS.md).
//!
//! What one of them is handed is scripted; [`Gateways::run`] lets all of them talk until a given time.

use super::trial::Stuck;
use crate::clmmsc::{Class, PublicRecord, Role};
use crate::entities::Bench;
use crate::entities::css::IdKey;
use crate::entities::packet::parse_sigma;
use crate::lab::people::{CREATED, People};
use crate::ledger::{Digest, Micros, Policy, Proposal, Secs, Seq, Sigma};
use crate::pbft::{
    Config, Envelope, Genesis, Input, Io, Kind, Message, NodeId, Outcome, Output, Reason, Replica, ReplicaId, Rule,
    Signed, Signer, Statement, Timer, View,
};
use crate::sim::memo::Memo;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Their number, the least that survives a bribed one.
const COUNT: u16 = 4;
/// From one to another.
const DELAY: Micros = Micros(1_000);
/// Somebody who is no gateway.
const STRANGER: NodeId = NodeId(u16::MAX);

/// A second in microseconds.
pub(super) const fn seconds(s: u64) -> Micros {
    Micros(s * 1_000_000)
}

/// The ledger's numbers for the parameters of these people.
pub(super) fn policy(people: &People) -> Policy {
    let p = people.params.policy;
    Policy {
        batch_max: 16,
        batch_bytes: 1 << 20,
        epoch_secs: p.epoch_len.into(),
        skew: p.skew.into(),
        ttl_max: p.ttl_max.into(),
        max_lag: p.epoch_len.into(),
    }
}

/// σ as the ledger takes it.
pub(super) fn parsed(people: &People, bytes: &[u8]) -> Result<Arc<Sigma>, Stuck> {
    Ok(Arc::new(parse_sigma(&people.params, bytes).ok_or("the bytes are too short for a ciphertext")?))
}

/// The first refusal among a replica's decisions.
pub(super) fn verdict(out: &[Output]) -> Result<(), (Rule, Reason)> {
    let refusal = out.iter().find_map(|output| match output {
        Output::Trace { rule, outcome: Outcome::Reject(reason), .. } => Some((*rule, reason.clone())),
        _ => None,
    });
    refusal.map_or(Ok(()), Err)
}

/// The gateways, their mail and their alarm clocks.
#[derive(Clone)]
pub(super) struct Gateways {
    pub cfg: Arc<Config>,
    records: Vec<PublicRecord>,
    keys: Vec<Arc<IdKey>>,
    pub replicas: Vec<Replica>,
    /// The ciphertext that gateway 0 pretends never to have seen.
    pub hidden: Option<Digest>,
    pub now: Micros,
    queue: BTreeMap<(Micros, u64), (ReplicaId, Input)>,
    timers: BTreeMap<(ReplicaId, Timer), (Micros, u64)>,
    next: u64,
}

impl Gateways {
    /// At genesis, which is at [`CREATED`]; backups give up on a primary after `patience`.
    pub fn new(people: &mut People, patience: Micros) -> Result<Gateways, Stuck> {
        let mut keys = Vec::new();
        for i in 0..COUNT {
            let name = format!("css{i}");
            people.person(&name, Class::Id, Role::Css)?;
            keys.push(Arc::new(IdKey { params: people.params.clone(), key: people.pair(&name)?.clone() }));
        }
        let records: Vec<PublicRecord> = keys.iter().map(|key| key.key.public().clone()).collect();
        let rids = records.iter().map(|record| Digest(record.rid.0)).collect();
        let params_id = Digest(people.params.id);
        let genesis = Genesis { params_id, rids, policy: policy(people), k: 16, l: 32, time: Secs(CREATED) };
        let mut cfg = Config::new(genesis).map_err(|error| Stuck(error.to_string()))?;
        cfg.t0 = patience;
        let cfg = Arc::new(cfg);
        let replica = |(i, key): (u16, &Arc<IdKey>)| Replica::new(cfg.clone(), ReplicaId(i), key.clone());
        let replicas = (0..COUNT).zip(&keys).map(replica).collect();
        let (queue, timers) = (BTreeMap::new(), BTreeMap::new());
        Ok(Gateways { cfg, records, keys, replicas, hidden: None, now: Micros(0), queue, timers, next: 0 })
    }

    pub fn record(&self, who: u16) -> &PublicRecord {
        &self.records[usize::from(who)]
    }

    /// A statement in view 0 under the key of `who`, about whatever its owner likes.
    pub fn signed(&self, kind: Kind, who: u16, seq: u64, digest: Digest) -> Signed {
        let (network_id, sender) = (self.cfg.network_id, ReplicaId(who));
        let statement =
            Statement { network_id, kind, sender, view: View(0), seq: Seq(seq), digest, just: Digest::ZERO };
        Signed { statement, sig: self.keys[usize::from(who)].sign(&statement) }
    }

    /// A block for `seq`, with the time of now.
    pub fn block(&self, seq: u64, txs: &[Arc<Sigma>]) -> Arc<Proposal> {
        Arc::new(Proposal::build(self.cfg.network_id, Seq(seq), self.cfg.unix(self.now), txs.to_vec()))
    }

    /// A proposal of gateway 0, which leads view 0.
    pub fn proposed(&self, block: &Arc<Proposal>) -> Message {
        Message::PrePrepare(self.signed(Kind::PrePrepare, 0, block.header.seq.0, block.digest()), block.clone())
    }

    /// What a gateway does with a message; what it says is not passed on.
    pub fn give(&mut self, people: &People, who: u16, msg: Message) -> Vec<Output> {
        self.react(people, ReplicaId(who), deliver(STRANGER, who, Arc::new(msg)))
    }

    /// The same, and its state afterwards is forgotten.
    pub fn try_on(&self, people: &People, who: u16, msg: Message) -> Result<(), (Rule, Reason)> {
        verdict(&self.clone().give(people, who, msg))
    }

    fn react(&mut self, people: &People, who: ReplicaId, input: Input) -> Vec<Output> {
        let (mut out, mut memory) = (Vec::new(), Memo::off());
        let mut bench = Bench::new(&people.params, &self.records, &mut memory);
        self.replicas[usize::from(who.0)].step(self.now, input, &mut Io { verify: &mut bench, out: &mut out });
        out
    }

    /// A client's ciphertext arrives at a gateway.
    pub fn request(&mut self, who: u16, sigma: &Arc<Sigma>) {
        let msg = Arc::new(Message::Ciphertext(sigma.clone()));
        self.push(self.now, ReplicaId(who), deliver(STRANGER, who, msg));
    }

    fn push(&mut self, at: Micros, to: ReplicaId, input: Input) -> (Micros, u64) {
        self.next += 1;
        self.queue.insert((at, self.next), (to, input));
        (at, self.next)
    }

    /// Lets everybody talk until `until`.
    pub fn run(&mut self, people: &People, until: Micros) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), (to, input)) = entry.remove_entry();
            self.now = at;
            if let Input::Timer(timer) = input {
                self.timers.remove(&(to, timer));
            }
            for input in self.overlooked(to, input) {
                for output in self.react(people, to, input) {
                    self.carry_out(to, output);
                }
            }
        }
        self.now = until;
    }

    /// What gateway 0 lets itself see: not the hidden ciphertext, alone or in a data set.
    fn overlooked(&self, to: ReplicaId, input: Input) -> Vec<Input> {
        let (Some(hidden), ReplicaId(0), Input::Deliver(envelope)) = (self.hidden, to, &input) else {
            return vec![input];
        };
        let items: &[Arc<Sigma>] = match &*envelope.msg {
            Message::Ciphertext(sigma) => std::slice::from_ref(sigma),
            Message::DataSet(set) => &set.items,
            _ => return vec![input],
        };
        let seen = items.iter().filter(|sigma| sigma.id != hidden);
        seen.map(|sigma| deliver(STRANGER, to.0, Arc::new(Message::Ciphertext(sigma.clone())))).collect()
    }

    fn carry_out(&mut self, who: ReplicaId, output: Output) {
        let now = self.now;
        let at = |after: Micros| Micros(now.0.saturating_add(after.0));
        match output {
            Output::Send { to, msg } if to.0 < COUNT => {
                self.push(at(DELAY), ReplicaId(to.0), deliver(who.into(), to.0, msg));
            }
            Output::Broadcast(msg) => {
                for to in (0..COUNT).map(ReplicaId).filter(|to| *to != who) {
                    self.push(at(DELAY), to, deliver(who.into(), to.0, msg.clone()));
                }
            }
            Output::SetTimer { timer, after } => {
                self.cancel(who, timer);
                let key = self.push(at(after), who, Input::Timer(timer));
                self.timers.insert((who, timer), key);
            }
            Output::CancelTimer(timer) => self.cancel(who, timer),
            _ => {}
        }
    }

    fn cancel(&mut self, who: ReplicaId, timer: Timer) {
        if let Some(key) = self.timers.remove(&(who, timer)) {
            self.queue.remove(&key);
        }
    }
}

fn deliver(from: NodeId, to: u16, msg: Arc<Message>) -> Input {
    Input::Deliver(Envelope { from, to: NodeId(to), msg })
}
