//! The audit of a finished run: every last bill traced to the σ that ordered it, to the blocks that hold them and, with the
//! keys of the run, to their plaintext; energy as metered, told on the chain and billed (WORLD.md §4, §7.5, §11).
//!
//! It believes neither pile nor trace: commands are opened anew from the bytes in the chain, energy and price come from
//! the station's own meter. Where they differ, it says how.

mod book;

pub use book::{Book, Proof};

use crate::clmmsc::open::{self, EntryKey, Opened, Pinned, Receiver};
use crate::clmmsc::payload::Upload;
use crate::clmmsc::receipt::Receipt;
use crate::clmmsc::slice::{self, Slice};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{Flow, KeyPair};
use crate::entities::Entity;
use crate::entities::actor::{ActorId, Role};
use crate::entities::command::Command;
use crate::entities::fact::FactKind;
use crate::ledger::{Chain, Digest, Micros, Secs};
use crate::sim::state::UJ_PER_WH;
use crate::sim::trace::{Kind, Trace};
use crate::sim::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// A σ that a bill rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ordered {
    pub sigma: Digest,
    /// Block that holds it.
    pub height: Option<u64>,
    /// What it says, as it opens from the chain: schedule periods and tariff of a command.
    pub plain: Option<String>,
    /// Length of the slice that proves the entry to who has the header's root only (CLMMSC.md §11.2).
    pub slice: Option<usize>,
    /// The car has told its CSC, in an upload in the chain, that it gave its key for this σ (§11.3).
    pub receipt: bool,
}

/// One last bill and what stands behind it. Energy in µJ (negative: fed back), money in minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub ev: ActorId,
    pub cp: ActorId,
    pub transaction: u64,
    pub orders: Vec<Ordered>,
    /// Uploads of this car in the chain, and the energy in the last one (Wh).
    pub uploads: usize,
    pub told_wh: Option<u64>,
    pub metered_uj: i128,
    pub charged_uj: i128,
    pub billed_uj: i64,
    pub owed: i128,
    pub billed: i64,
    pub currency: String,
    pub problems: Vec<String>,
}

/// All bills of a run, and the chain they were traced on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    pub lines: Vec<Line>,
    /// `None` if no honest gateway has a chain.
    pub book: Option<Proof>,
}

impl Audit {
    /// Nothing differs anywhere.
    pub fn holds(&self) -> bool {
        self.lines.iter().all(|line| line.problems.is_empty())
            && self.book.as_ref().is_none_or(|book| book.problems.is_empty())
    }
}

/// An upload as it stands in the chain.
struct Told {
    time: u64,
    energy_wh: u64,
    receipts: Vec<Receipt>,
}

fn keys(world: &World, actor: ActorId) -> Vec<KeyPair> {
    let enrolment = match world.entity(actor) {
        Some(Entity::Ev(ev)) => &ev.enrolment,
        Some(Entity::Csc(csc)) => &csc.enrolment,
        Some(Entity::Cp(cp)) => &cp.enrolment,
        _ => return Vec::new(),
    };
    enrolment.key().into_iter().chain(enrolment.session()).cloned().collect()
}

/// What this actor reads in a block, and with which key.
struct Read {
    sigma: VerifiedSigma,
    k: EntryKey,
    opened: Opened,
}

impl Read {
    /// Length of the slice of this entry, if it is proven by one as it is.
    fn slice(&self, world: &World, time: Secs) -> Option<usize> {
        let index = self.opened.located.index;
        let bytes = slice::make(&self.sigma, index)?;
        let slice = Slice::verify(world.params(), &bytes, time.0).ok()?;
        (slice.index() == index && slice.entry() == self.sigma.entry(index)).then_some(bytes.len())
    }

    /// Whether this is the receipt that the reader's key makes for this σ.
    fn acknowledged_by(&self, receipt: &Receipt) -> bool {
        *receipt == Receipt::new(&self.k, self.sigma.id(), receipt.status)
    }
}

/// The entry of this actor, from the bytes in a block.
fn unseal(world: &World, bytes: &Arc<[u8]>, time: Secs, of: ActorId) -> Option<Read> {
    let params = world.params();
    let verified = VerifiedSigma::verify(params, bytes, time.0).ok()?;
    keys(world, of).iter().find_map(|key| {
        let who = Receiver {
            record: key.record(),
            pinned: Pinned::Any,
            since: 0,
            nullifiers: &|_| None,
            opened: &|_, _| false,
        };
        let k = open::decapsulate(verified.head(), key);
        let opened = open::open(params, &verified, &who, &k).ok()?;
        Some(Read { sigma: verified.clone(), k, opened })
    })
}

/// Height, bytes and block time of a σ that was applied.
fn stored(chain: &Chain, sigma: &Digest) -> Option<(u64, Arc<[u8]>, Secs)> {
    let height = chain.find(sigma)?.height;
    let block = chain.block(height)?;
    let tx = block.proposal.as_ref()?.txs.iter().find(|tx| tx.id == *sigma)?;
    Some((height.0, tx.shared_bytes(), block.header.time))
}

/// What the cars told their centres, as it opens from the chain, by car.
fn uploads(world: &World, chain: &Chain, owners: &BTreeMap<Digest, ActorId>) -> BTreeMap<ActorId, Vec<Told>> {
    let mut told: BTreeMap<ActorId, Vec<Told>> = BTreeMap::new();
    let centres: Vec<ActorId> = (0..world.setup().csc).map(|index| ActorId::new(Role::Csc, index)).collect();
    for block in chain.range(1..=chain.height().0) {
        let txs = block.proposal.iter().flat_map(|proposal| &proposal.txs);
        for tx in txs.filter(|tx| tx.bytes().get(6) == Some(&Flow::UPLOAD.code())) {
            let bytes = tx.shared_bytes();
            let opened = centres.iter().find_map(|csc| unseal(world, &bytes, block.header.time, *csc));
            let Some(Read { opened, .. }) = opened else { continue };
            let upload = Upload::decode(world.params(), &opened.message).ok();
            if let Some((ev, upload)) = owners.get(&Digest(opened.sender_rid.0)).zip(upload) {
                let Upload { time, energy_wh, receipts, .. } = upload;
                told.entry(*ev).or_default().push(Told { time, energy_wh, receipts });
            }
        }
    }
    told.values_mut().for_each(|list| list.sort_by_key(|told| told.time));
    told
}

/// What a pile has obeyed for the car in its bay.
#[derive(Clone, Default)]
struct Bay {
    ev: Option<ActorId>,
    /// Which stay of the car this is, from 0, and when it began.
    stay: usize,
    since: Micros,
    opened: Option<(Digest, u8)>,
    /// σ of flow 7 that set the default limit.
    default: Option<Digest>,
    orders: Vec<(Digest, u8)>,
}

/// Reads a run that has ended.
pub fn audit(world: &World, trace: &Trace) -> Audit {
    audit_by(world, trace, Book::of(world).as_ref())
}

/// The same by the chain in this book.
pub fn audit_by(world: &World, trace: &Trace, book: Option<&Book>) -> Audit {
    let mut owners: BTreeMap<Digest, ActorId> = BTreeMap::new();
    let mut bays: BTreeMap<ActorId, Bay> = BTreeMap::new();
    let mut seen: BTreeSet<(ActorId, u64)> = BTreeSet::new();
    let mut stays: BTreeMap<ActorId, Vec<Micros>> = BTreeMap::new();
    let mut bills = Vec::new();
    for effect in trace.effects() {
        let (Kind::Fact(fact), Some(actor)) = (&effect.kind, effect.actor) else { continue };
        match fact {
            FactKind::KeyAccepted { rid, class: 1, .. } => {
                owners.insert(*rid, actor);
            }
            FactKind::PluggedIn { cp } => {
                let bay = bays.entry(*cp).or_default();
                let begun = stays.entry(actor).or_default();
                (bay.ev, bay.orders) = (Some(actor), Vec::new());
                (bay.stay, bay.since) = (begun.len(), effect.t);
                begun.push(effect.t);
            }
            FactKind::Opened { sigma, flow, error: None } if actor.role == Role::Cp => {
                bays.entry(actor).or_default().opened = Some((*sigma, *flow));
            }
            FactKind::Commanded { flow, kind } if actor.role == Role::Cp => {
                let bay = bays.entry(actor).or_default();
                match (bay.opened.take(), flow, kind) {
                    (Some(opened), 1, _) => bay.orders.push(opened),
                    (Some((sigma, _)), 7, 7) => bay.default = Some(sigma),
                    _ => {}
                }
            }
            FactKind::Started { .. } => {
                let bay = bays.entry(actor).or_default();
                bay.orders.extend(bay.default.map(|sigma| (sigma, 7)));
            }
            FactKind::Billed { transaction, last: true, .. } => {
                let again = !seen.insert((actor, *transaction));
                bills.push((actor, fact, bays.get(&actor).cloned().unwrap_or_default(), again));
            }
            _ => {}
        }
    }
    let chain = book.map(|book| &book.chain);
    let told = chain.map(|chain| uploads(world, chain, &owners)).unwrap_or_default();
    let line = |(cp, fact, bay, again): (ActorId, &FactKind, Bay, bool)| {
        let given = bay.ev.and_then(|ev| told.get(&ev)).map_or(&[][..], Vec::as_slice);
        let mut line = line(world, chain, cp, fact, &bay, given)?;
        if again {
            line.problems.push("this transaction was billed before".into());
        }
        if let Some(uploads) = told.get(&line.ev) {
            let end = stays.get(&line.ev).and_then(|begun| begun.get(bay.stay + 1));
            let (from, to) = (world.setup().unix(bay.since).0, end.map_or(u64::MAX, |end| world.setup().unix(*end).0));
            let within: Vec<&Told> = uploads.iter().filter(|told| (from..to).contains(&told.time)).collect();
            tell(&mut line, &within);
        }
        Some(line)
    };
    Audit { lines: bills.into_iter().filter_map(line).collect(), book: book.map(|book| book.proof(world)) }
}

/// A bill against the chain and the meter.
fn line(world: &World, chain: Option<&Chain>, cp: ActorId, fact: &FactKind, bay: &Bay, told: &[Told]) -> Option<Line> {
    let FactKind::Billed { transaction, energy_uj, total, currency, heights, .. } = fact else { return None };
    let ev = bay.ev?;
    let mut problems = Vec::new();
    let mut orders = Vec::new();
    for (sigma, flow) in &bay.orders {
        let reader = if *flow == 1 { ev } else { cp };
        let receipts = told.iter().flat_map(|told| &told.receipts).filter(|r| r.sigma.0 == sigma.0);
        orders.push(order(world, chain, (*sigma, *flow), reader, (*transaction, receipts), &mut problems));
    }
    if orders.is_empty() {
        problems.push("billed without an order".into());
    }
    let known = orders.iter().map(|order| order.height);
    if heights.len() != orders.len() || heights.iter().zip(known).any(|(said, is)| said.is_some() && *said != is) {
        problems.push("the bill names other blocks than those of its orders".into());
    }
    let account = world.station().account(ev.index, bay.stay, world.setup()).unwrap_or_default();
    let metered_uj = account.charged_uj - account.discharged_uj;
    let mut differ = |what: &str, a: i128, b: i128| {
        if a != b {
            problems.push(format!("{what}: {a} billed, {b} found"));
        }
    };
    differ("energy in µJ by the plug", i128::from(*energy_uj), metered_uj);
    if let Some(Entity::Ev(car)) = world.entity(ev) {
        let shown = car.battery(bay.stay).map_or(0, |b| i128::from(b.charged_uj) - i128::from(b.discharged_uj));
        differ("energy in µJ by the car", i128::from(*energy_uj), shown);
    }
    differ("money in minor units", i128::from(*total), account.owed);
    Some(Line {
        ev,
        cp,
        transaction: *transaction,
        orders,
        uploads: 0,
        told_wh: None,
        metered_uj,
        charged_uj: account.charged_uj,
        billed_uj: *energy_uj,
        owed: account.owed,
        billed: *total,
        currency: currency.clone(),
        problems,
    })
}

/// An order as it stands in the chain: that it opens, is about this transaction, and is what slice and receipts prove.
fn order<'a>(
    world: &World,
    chain: Option<&Chain>,
    (sigma, flow): (Digest, u8),
    reader: ActorId,
    (transaction, mut receipts): (u64, impl Iterator<Item = &'a Receipt>),
    problems: &mut Vec<String>,
) -> Ordered {
    let found = chain.and_then(|chain| stored(chain, &sigma));
    let height = found.as_ref().map(|(height, ..)| *height);
    let read = found.and_then(|(_, bytes, time)| Some((unseal(world, &bytes, time, reader)?, time)));
    let flow = if flow == 1 { Flow::COMMAND } else { Flow::PILE };
    let command = read.as_ref().and_then(|(read, _)| Command::decode(flow, &read.opened.message).ok());
    let mut differs = |what: String| problems.push(format!("σ {} {what}", sigma.short(8)));
    match &command {
        None if height.is_none() => differs("is not in the chain".into()),
        None => differs("does not open as a command".into()),
        Some(Command::Profile(p)) if p.transaction != transaction => {
            differs(format!("orders transaction {}", p.transaction))
        }
        Some(_) => {}
    }
    let slice = read.as_ref().and_then(|(read, time)| read.slice(world, *time));
    if read.is_some() && slice.is_none() {
        differs("has an entry that no slice proves".into());
    }
    let receipt = receipts.next();
    if let (Some(receipt), Some((read, _))) = (receipt, &read)
        && !read.acknowledged_by(receipt)
    {
        differs("has a receipt that its key does not make".into());
    }
    Ordered { sigma, height, plain: command.as_ref().map(plain), slice, receipt: receipt.is_some() }
}

fn plain(command: &Command) -> String {
    match command {
        Command::Profile(p) => {
            let (least, most) = p.periods.iter().fold((0, 0), |(a, b), p| (p.limit_w.min(a), p.limit_w.max(b)));
            let back = if least < 0 { format!(", down to {least} W") } else { String::new() };
            format!("profile {}: {} periods up to {most} W{back}, tariff {}", p.profile, p.periods.len(), p.tariff.id)
        }
        Command::DefaultLimit { limit_w } => format!("default limit {limit_w} W"),
        other => format!("command of kind {}", other.kind()),
    }
}

/// What the car told on the chain can only grow, and never beyond what was charged in the end.
fn tell(line: &mut Line, uploads: &[&Told]) {
    line.uploads = uploads.len();
    line.told_wh = uploads.last().map(|told| told.energy_wh);
    if uploads.windows(2).any(|pair| pair[0].energy_wh > pair[1].energy_wh) {
        line.problems.push("the energy in the uploads goes back".into());
    }
    if uploads.iter().any(|told| i128::from(told.energy_wh) * i128::from(UJ_PER_WH) > line.charged_uj) {
        line.problems.push("an upload tells of more energy than was metered".into());
    }
}

fn wh(uj: i128) -> String {
    let wh = uj / i128::from(UJ_PER_WH);
    format!("{}.{:03}", wh / 1_000, (wh % 1_000).abs())
}

/// The audit as a table, with the verdict in the last line.
pub fn text(audit: &Audit) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, audit);
    out
}

fn write(out: &mut String, audit: &Audit) -> std::fmt::Result {
    writeln!(
        out,
        "{:<6} {:<5} {:>10} {:>10} {:>9} {:>9}  ordered in",
        "car", "pile", "plug kWh", "bill kWh", "owed", "billed"
    )?;
    for line in &audit.lines {
        let (ev, cp) = (line.ev.to_string(), line.cp.to_string());
        let (plug, bill) = (wh(line.metered_uj), wh(line.billed_uj.into()));
        let verdict = if line.problems.is_empty() { "" } else { "  DIFFERS" };
        let (owed, billed) = (line.owed, line.billed);
        let told = match (line.uploads, line.told_wh) {
            (0, _) | (_, None) => String::new(),
            (count, Some(wh)) => format!("; {count} uploads in the chain, the last tells {wh} Wh"),
        };
        let orders = line.orders.len();
        writeln!(out, "{ev:<6} {cp:<5} {plug:>10} {bill:>10} {owed:>9} {billed:>9}  {orders} σ{told}{verdict}")?;
        for order in &line.orders {
            let at = order.height.map_or_else(|| "in no block".into(), |h| format!("block {h}"));
            let plain = order.plain.as_deref().unwrap_or("does not open");
            let proof = order.slice.map_or_else(String::new, |bytes| format!(", proven by {bytes} bytes"));
            let known = if order.receipt { ", receipted" } else { "" };
            writeln!(out, "         σ {} {at}: {plain}{proof}{known}", order.sigma.short(8))?;
        }
        line.problems.iter().try_for_each(|problem| writeln!(out, "         ! {problem}"))?;
    }
    if let Some(Proof { keeper, blocks, certified, quorum, problems }) = &audit.book {
        writeln!(
            out,
            "chain  {keeper}: {blocks} blocks from genesis on, {certified} of them certified by {quorum} gateways"
        )?;
        problems.iter().try_for_each(|problem| writeln!(out, "         ! {problem}"))?;
        if let Some(problem) = problems.first() {
            return writeln!(out, "audit: the chain is not to be believed: {problem}");
        }
    }
    let bad = audit.lines.iter().filter(|line| !line.problems.is_empty()).count();
    match (audit.lines.len(), bad) {
        (0, _) => writeln!(out, "audit: there is no last bill in this run"),
        (all, 0) => writeln!(out, "audit: {all} bills, each traced to its orders, blocks and meter; nothing differs"),
        (all, bad) => writeln!(out, "audit: {bad} of {all} bills differ from what was ordered, stored or metered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::packet::parse_sigma;
    use crate::ledger::block::{Block, VoidReason};
    use crate::ledger::{Seq, Sigma};
    use crate::pbft::certificate::CommitCertificate;
    use crate::sim::scenario::Scenario;
    use crate::sim::timelines::{BranchId, Stop, Timelines, Until};

    /// Neither another key nor another status nor another σ makes the receipt.
    #[test]
    fn a_receipt_is_of_one_key_and_one_ciphertext() {
        let mut run = Timelines::open_headless(Scenario::preset("day4").unwrap(), vec![]).unwrap();
        assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
        let world = run.world(BranchId(0));
        let chain = Book::of(world).unwrap().chain;
        let block = chain.range(1..=1).next().unwrap();
        let (tx, time) = (&block.proposal.as_ref().unwrap().txs[0], block.header.time);
        let [one, two] = [0, 1].map(|i| unseal(world, &tx.shared_bytes(), time, ActorId::new(Role::Ev, i)).unwrap());
        let good = Receipt::new(&one.k, one.sigma.id(), 0);
        assert!(one.acknowledged_by(&good) && !two.acknowledged_by(&good));
        assert!(!one.acknowledged_by(&Receipt { status: 1, ..good }));
        assert!(!one.acknowledged_by(&Receipt { sigma: crate::clmmsc::SigmaId([0; 32]), ..good }));
        assert_ne!(one.opened.located.index, two.opened.located.index);
        assert!(one.slice(world, time).is_some() && two.slice(world, time).is_some());
    }

    /// A run and its book.
    fn day4() -> (Timelines, Book) {
        let mut run = Timelines::open_headless(Scenario::preset("day4").unwrap(), vec![]).unwrap();
        assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
        let book = Book::of(run.world(BranchId(0))).unwrap();
        (run, book)
    }

    /// Flips a bit of the first ciphertext, under its old name or under the one that its bytes make.
    fn flipped(block: &mut Block, world: &World, byte: usize, named_anew: bool) {
        let proposal = Arc::make_mut(block.proposal.as_mut().unwrap());
        let old = proposal.txs[0].clone();
        let mut bytes = old.bytes().to_vec();
        bytes[byte] ^= 1;
        let anew = parse_sigma(world.params(), &bytes).unwrap();
        let kept = Sigma::new(bytes, old.id, old.nullifier, old.epoch, old.expires);
        proposal.txs[0] = Arc::new(if named_anew { anew } else { kept });
    }

    #[test]
    fn a_chain_that_was_tampered_with_is_not_believed() {
        let (run, book) = day4();
        let (world, trace) = (run.world(BranchId(0)), run.trace(BranchId(0)));
        let audited = |book: &Book| audit_by(world, trace, Some(book));
        let proof = audited(&book).book.unwrap();
        assert_eq!((proof.blocks, proof.certified, proof.quorum), (1, 1, 3));
        assert!(audited(&book).holds() && proof.problems.is_empty());
        type Change = fn(&mut Block, &World);
        let cases: [(&str, Change); 5] = [
            ("root", |block, world| flipped(block, world, 500, false)),
            ("header", |block, _| block.header.time.0 += 1),
            ("header", |block, _| block.header.applied = 0),
            ("void", |block, _| block.voids.push((0, VoidReason::Duplicate))),
            ("proposal", |block, _| Arc::make_mut(block.proposal.as_mut().unwrap()).header.time.0 += 1),
        ];
        for (part, change) in cases {
            // As a disk would corrupt it: the stored hashes give it away.
            let mut bent = book.clone();
            bent.chain.change_block(Seq(1), &|block| change(block, world));
            let found = audited(&bent);
            let why = found.book.as_ref().unwrap().problems.join("; ");
            assert!(!found.holds() && why.contains("block 1 does not hold"), "{part}: {why}");
            assert!(text(&found).contains("audit: the chain is not to be believed"));
            // As who rewrites history would, with every hash made anew: gateways and certificate give it away.
            let mut bent = book.clone();
            bent.chain.rewrite(Seq(1), &|block| change(block, world));
            let problems = audited(&bent).book.unwrap().problems;
            assert!(problems.iter().any(|p| p.ends_with("holds another block 1")), "{part}: {problems:?}");
            let decided = problems.iter().any(|p| p.contains("committed") || p.contains("what its proposal makes"));
            assert!(decided, "{part}: {problems:?}");
        }
        // A rewritten ciphertext under the name that its bytes make: another one than was ordered and billed, or one whose
        // entries are not those of its header.
        for (byte, problem) in
            [(12, "is not in the chain"), (420, "does not open as a command"), (500, "does not open as a command")]
        {
            let mut bent = book.clone();
            bent.chain.rewrite(Seq(1), &|block| flipped(block, world, byte, true));
            let found = audited(&bent);
            let said = |line: &Line| line.problems.iter().any(|p| p.contains(problem));
            assert!(found.lines.iter().all(said), "{}", text(&found));
        }
        // A certificate that lacks a signature, holds another's, or is about another block.
        let certificates: [fn(&mut CommitCertificate); 4] = [
            |cert| cert.commits.truncate(2),
            |cert| cert.commits[0].1 = cert.commits[1].1,
            |cert| cert.view.0 += 1,
            |cert| cert.digest = Digest::ZERO,
        ];
        for change in certificates {
            let mut bent = book.clone();
            change(Arc::make_mut(bent.certificates.get_mut(&Seq(1)).unwrap()));
            assert!(!audited(&bent).holds());
        }
    }
}
