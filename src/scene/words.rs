//! What happened, in words a student understands: one sentence per effect (PAGE.md §4.6).

use super::stage::{Part, Work};
use super::warp::round;
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::{FactKind, Op};
use crate::sim::trace::{Effect, Kind, PacketTag};

/// The sentence under the stage for each phase.
pub fn phase(phase: u8) -> &'static str {
    match phase {
        2 => "Phase 2, signcrypt: one envelope, many locks. Nobody sees whose.",
        3 => "Phase 3, agree: gateways check the envelope and vote. A quorum decides.",
        4 => "Phase 4, open: each pile opens its own entry at once, gives power, bills. The chain keeps the record.",
        _ => "Phase 1, keys: everyone gets half a key; the other half stays private.",
    }
}

/// Name of a message kind.
pub fn packet(tag: PacketTag) -> &'static str {
    match tag {
        PacketTag::Request => "key request",
        PacketTag::Answer => "sealed partial key",
        PacketTag::List => "list of pseudo-identities",
        PacketTag::Submit => "ciphertext σ for routing",
        PacketTag::Route => "ciphertext σ",
        PacketTag::Area => "ciphertext σ for the piles",
        PacketTag::Direct(4) => "upload of the car's charge",
        PacketTag::Direct(5) => "plug-in message",
        PacketTag::Direct(_) => "encrypted routing list",
        PacketTag::Offer => "plug challenge",
        PacketTag::Frame => "sealed frame on the cable",
        PacketTag::Letter => "genesis",
        PacketTag::DataSet => "data set",
        PacketTag::PrePrepare => "pre-prepare with the block",
        PacketTag::Prepare => "prepare vote",
        PacketTag::Commit => "commit vote",
        PacketTag::ViewChange => "view change",
        PacketTag::NewView => "new view",
        PacketTag::Fetch => "question for a block body",
        PacketTag::Body => "block body",
        PacketTag::Checkpoint => "checkpoint vote",
        PacketTag::Status => "what the sender has",
        PacketTag::Blocks => "executed blocks with certificates",
        PacketTag::Snapshot => "proven state",
        PacketTag::Stable => "proof of the stable state",
        PacketTag::Seal => "seal of the block",
        PacketTag::Publish => "published block",
        PacketTag::Evidence => "proof of fault",
        PacketTag::Complaint => "complaint with its proof",
        PacketTag::Ask => "question for missing blocks",
        PacketTag::Claim => "claim who owns a ticket",
        PacketTag::Draw => "question for power",
        PacketTag::Grant => "grant of power",
        PacketTag::Upload => "upload for the chain",
    }
}

/// A message of this kind, with its article.
pub fn a(tag: PacketTag) -> String {
    let name = packet(tag);
    match tag {
        PacketTag::Blocks | PacketTag::Status | PacketTag::Letter => name.into(),
        _ if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

/// So many things, in words that agree.
fn some(count: u32, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn money(total: i64, currency: &str) -> String {
    let sign = if total < 0 { "−" } else { "" };
    format!("{sign}{}.{:02} {currency}", total.unsigned_abs() / 100, total.unsigned_abs() % 100)
}

/// One sentence for an effect.
pub fn sentence(effect: &Effect) -> String {
    let who = effect.actor.map_or("The world".to_string(), ActorId::label);
    let rule = effect.rule.map(|r| format!(" ({}: {})", r.id(), r.text())).unwrap_or_default();
    match &effect.kind {
        Kind::Fact(fact) => fact_sentence(&who, fact, &rule),
        Kind::Sent { to, packet: p } => format!("{who} sends {} {}.", to.label(), a(p.tag)),
        Kind::Delivered { from, packet: p } => format!("{who} receives {} from {}.", a(p.tag), from.label()),
        Kind::Dropped { to, packet: p, why } => {
            format!("On the way from {who} to {}, {} is lost: {why:?}.", to.label(), a(p.tag))
        }
        Kind::Duplicated { to, packet: p } => {
            format!("{who} sends {} {} twice.", to.label(), a(p.tag))
        }
        Kind::Delayed { to, packet: p, by_us } => {
            format!("On the way from {who} to {}, {} is held back by {} ms.", to.label(), a(p.tag), by_us / 1000)
        }
        Kind::Corrupted { to, packet: p, byte, bit } => {
            format!("Bit {bit} of byte {byte} of {} from {who} to {} is flipped.", a(p.tag), to.label())
        }
        Kind::Persisted { what } => format!("{who} stores {what} before it goes on."),
        Kind::TimerSet { timer, after_us } => format!("{who} sets its {timer} timer to {} ms.", after_us / 1000),
        Kind::TimerFired { timer } => format!("The {timer} timer of {who} runs out."),
        Kind::Crashed => format!("{who} crashes."),
        Kind::Paused => format!("{who} is paused."),
        Kind::Recovered { amnesia: true, .. } => format!("{who} is back without its memory: it counts as a liar."),
        Kind::Recovered { .. } => format!("{who} is back with what it had persisted."),
        Kind::Resumed => format!("{who} goes on."),
        Kind::ClockSet { ahead_us } => {
            let way = if *ahead_us < 0 { "behind" } else { "ahead" };
            format!("The clock of {who} is now {} ms {way}.", ahead_us.unsigned_abs() / 1000)
        }
        Kind::Slowed { times } => format!("{who} now computes {times} times slower than its kind."),
        Kind::Behaves { behaviour: Some(b) } => format!("From here on {who} lies: {}.", b.replace('_', " ")),
        Kind::Behaves { behaviour: None } => format!("{who} is honest again."),
        Kind::Intervened { text, .. } => format!("You intervene: {text}."),
        Kind::InvariantBroken { id, text } => format!("This must not happen: {id}, {text}."),
        Kind::SafetyVoid { id, text } => {
            format!("Outside the theorem: more gateways lie than the protocol tolerates, and {id} fell: {text}.")
        }
        Kind::Convicted { culprit, charge, .. } => {
            let (text, id) = (charge.text(), charge.id());
            format!("What was sent proves that {} {text} ({id}).", culprit.label())
        }
    }
}

fn fact_sentence(who: &str, fact: &FactKind, rule: &str) -> String {
    use FactKind as F;
    match fact {
        F::SetUp { .. } => format!("{who} draws its master key and publishes the parameters."),
        F::Registered { of, class, count } if *class == 2 => {
            format!("{who} issues {} to {}.", some(*count, "one-time ticket"), of.label())
        }
        F::Registered { of, .. } => format!("{who} issues half a key to {}.", of.label()),
        F::PseudonymIssued { of, .. } => format!("{who} gives {} a pseudo-identity only it can open.", of.label()),
        F::GenesisMade { .. } => format!("{who} writes the first page of the chain: who may vote, and the rules."),
        F::ListSent { csc, count } => format!("{who} sends {} the pseudo-identities of {count} cars.", csc.label()),
        F::Attached { ev, css } => format!("{who} notes that {} stands behind {}.", ev.label(), css.label()),
        F::KeyAccepted { .. } => format!("{who} checks d·P = R + h·Ppub and joins the two halves of its key."),
        F::KeyRefused { error } => format!("{who} refuses its key: {error}.{rule}"),
        F::PluggedIn { cp } => format!("{who} plugs in at {}.", cp.label()),
        F::Departed { cp } => format!("{who} leaves {}.", cp.label()),
        F::Uploaded { soc_ppm, target_ppm, receipts, .. } => {
            let handled = match receipts {
                0 => String::new(),
                many => format!(", and that it handled {}", some((*many).into(), "ciphertext")),
            };
            format!("{who} learns that a car has {} % and wants {} %{handled}.", soc_ppm / 10_000, target_ppm / 10_000)
        }
        F::Planned { lines } => format!("{who} plans the charging of {} cars within the caps.", lines.len()),
        F::Step { op, count, .. } => format!("{who} {}.", operation(*op, *count)),
        F::Signcrypted { flow: 1, n, .. } => format!("{who} seals {n} different commands into one ciphertext σ."),
        F::Signcrypted { .. } => format!("{who} signcrypts a message."),
        F::Routed { gateways, .. } => {
            let names: Vec<String> = gateways.iter().map(|g| g.label()).collect();
            format!("{who} opens the pseudo-identities and routes σ to {}.", names.join(", "))
        }
        F::Verified { error: None, .. } => format!("{who} finds σ valid with public parameters only."),
        F::Verified { error: Some(e), .. } => format!("{who} refuses σ: {e}.{rule}"),
        F::DataSetSent { count, .. } => format!("{who} offers the primary {}.", some(*count, "verified ciphertext")),
        F::DataSetMerged { from, count: 0 } => format!("{who} knows all that {} offers.", from.label()),
        F::DataSetMerged { from, count } => {
            format!("{who} merges {} from {}.", some(*count, "ciphertext"), from.label())
        }
        F::PrePrepared { view, seq, .. } => format!("{who} has the proposal of block {seq} in view {view}."),
        F::Voted { vote, seq, .. } => format!("{who} votes {} for block {seq}.", round(*vote)),
        F::VoteCounted { vote, seq, from, have, need, .. } => {
            format!(
                "{who} counts the {} of {} for block {seq}: it has {have}, it needs {need}.",
                round(*vote),
                from.label()
            )
        }
        F::VoteRefused { vote, from, reason, .. } => {
            format!("{who} refuses a {} of {}: {reason}.{rule}", round(*vote), from.label())
        }
        F::Held { what, from } => format!("{who} holds back {what} from {}.", from.label()),
        F::Prepared { seq, .. } => format!("{who} has enough prepares: block {seq} is prepared."),
        F::Committed { seq, .. } => format!("{who} has enough commits: block {seq} is final."),
        F::Executed { seq, .. } => format!("{who} executes block {seq}."),
        F::BlockAppended { height, count, .. } => {
            format!("{who} appends block {height} with {} to its chain.", some(*count, "ciphertext"))
        }
        F::Sealed { height, .. } => format!("{who} seals block {height}."),
        F::Published { height, .. } => format!("{who} publishes block {height}."),
        F::ViewChange { target, reason } => format!("{who} asks for view {target}. {reason}"),
        F::NewView { view, carried } => format!("{who} enters view {view}; {} carried over.", some(*carried, "block")),
        F::BodyFetched { seq, .. } => format!("{who} fetches the missing body of block {seq}."),
        F::Evidence { culprit, class } => {
            format!("{who} holds proof that {} {} ({}).", culprit.label(), class.text(), class.id())
        }
        F::Checkpoint { height, stable: false, .. } => format!("{who} vouches for its state after block {height}."),
        F::Checkpoint { height, .. } => {
            format!("{who} sees a quorum vouch for one state after block {height}: it is stable.")
        }
        F::StateTransferred { height, .. } => format!("{who} takes over the proven chain at block {height}."),
        F::KeyReleased { .. } => format!("{who} computes Z = sk·T and hands its pile the key of one entry."),
        F::Located { index, comparisons, .. } => {
            format!("{who} finds entry {} after {}.", index + 1, some(*comparisons, "comparison"))
        }
        F::NotAReceiver { .. } => format!("{who} finds no entry for its car: not a receiver."),
        F::Opened { flow: 1, error: None, .. } => {
            format!("{who} opens its entry and sees f_i' = f_i: the command is for its car.")
        }
        F::Leaked { to, .. } => {
            format!(
                "{who} gives {} in clear what it knows of one entry. Whoever listens knows that entry, and no other.",
                to.label()
            )
        }
        F::Opened { error: None, .. } => format!("{who} opens the message meant for it."),
        F::Opened { error: Some(e), .. } => format!("{who} cannot open it: {e}.{rule}"),
        F::Authenticated { .. } => format!("{who} verifies the sender's own signature inside."),
        F::Commanded { .. } => format!("{who} takes over the command."),
        F::Expired { .. } => format!("{who} gives up a ciphertext that no block took while it lived."),
        F::Started { .. } => format!("{who} serves the car without a command, at its default limit and tariff."),
        F::Dispatched { limit_w, power_w, .. } => format!("{who} allows {limit_w} W; {power_w} W flow."),
        F::Metered { energy_uj, .. } => {
            format!("{who} reads its meter: {} Wh.", energy_uj / crate::sim::state::UJ_PER_WH)
        }
        F::Billed { total, currency, last, .. } => {
            format!("{who} {} {}.", if *last { "bills" } else { "shows the running cost" }, money(*total, currency))
        }
        F::Refused { what, reason, .. } => format!("{who} refuses {what}: {reason}.{rule}"),
        F::TicketOpened { .. } => {
            format!("{who} names the owner of a ticket and shows the owner's own signed request.")
        }
        F::ClaimJudged { owner, error: None, .. } => {
            format!("{who} checks the claim: {} signed the request for this ticket.", owner.label())
        }
        F::ClaimJudged { owner, error: Some(e), .. } => {
            format!("{who} finds the claim against {} void: {e}.{rule}", owner.label())
        }
        F::Complained { .. } => format!("{who} complains: it shows Z_i of its entry, with a proof, but not its key."),
        F::Judged { error: None, .. } => {
            format!("{who} opens the entry complained about: it is in order, and its sender is now known.")
        }
        F::Judged { error: Some(e), .. } => {
            format!("{who} judges the complaint: the ciphertext holds nothing this car can open, {e}.{rule}")
        }
    }
}

/// What an actor does by itself, as the end of a sentence.
fn operation(op: Op, count: u32) -> String {
    match op {
        Op::OneTimeKey => "draws a one-time secret t and puts T = t·P on the envelope".into(),
        Op::SharedSecrets => format!("computes a shared secret Z_i = t·PK_i for {}", some(count, "receiver")),
        Op::SealEntries => format!("seals {}, each under its own key", some(count, "message")),
        Op::SortByTag => "sorts the entries by tag, so that their order says nothing".into(),
        Op::MerkleRoot if count == 1 => "takes its one entry as the Merkle root".into(),
        Op::MerkleRoot => format!("folds {count} entries into one Merkle root"),
        Op::InnerSignature => "signs inside, where only receivers see who sent it".into(),
        Op::OuterSignature => "signs outside under a one-time ticket: everyone can check, nobody learns who".into(),
        Op::AcceptKey => "puts d·P and R + h·Ppub on the scales".into(),
        Op::Decapsulate => "computes Z = sk·T inside the car".into(),
        Op::OpenEntry => "opens the entry with the key from its car".into(),
        Op::CheckSender => "checks the signature of the sender inside".into(),
    }
}

/// A part of a computation in words; `None`: not done yet, else whether it went well.
pub type Row = (String, Option<bool>);

/// Title and parts of a computation; `None` if it is not worth a panel.
pub fn work(work: &Work) -> Option<(&'static str, Vec<Row>)> {
    let done = |op: Op| work.parts.iter().find_map(|p| matches!(p, Part::Op(o, _) if *o == op).then_some(true));
    let count = |op: Op| {
        let found = work.parts.iter().find_map(|p| match p {
            Part::Op(o, n) if *o == op => Some(*n),
            _ => None,
        });
        found.map(|n| format!(" × {n}")).unwrap_or_default()
    };
    let has = |op: Op| done(op).is_some();
    if has(Op::OneTimeKey) {
        let list = [
            (Op::OneTimeKey, "T = t·P, once"),
            (Op::SharedSecrets, "Z_i = t·PK_i"),
            (Op::SealEntries, "seal f_i ‖ m_i"),
            (Op::SortByTag, "sort by tag"),
            (Op::MerkleRoot, "Merkle root"),
            (Op::OuterSignature, "sign inside and outside"),
        ];
        let counted = [Op::SharedSecrets, Op::SealEntries];
        let row = |(op, text): (Op, &str)| {
            (text.to_string() + &if counted.contains(&op) { count(op) } else { String::new() }, done(op))
        };
        return Some(("Signcrypt", list.into_iter().map(row).collect()));
    }
    if has(Op::AcceptKey) {
        let fits = work.parts.iter().find_map(|p| match p {
            Part::KeyFits(ok) => Some(*ok),
            _ => None,
        });
        let sign = match fits {
            None => "d·P  ?  R + h·Ppub",
            Some(true) => "d·P  =  R + h·Ppub",
            Some(false) => "d·P  ≠  R + h·Ppub",
        };
        return Some(("Key halves fit?", vec![(sign.into(), fits)]));
    }
    let located = work.parts.iter().find_map(|p| match p {
        Part::Located(index, comparisons) => Some((*index, *comparisons)),
        _ => None,
    });
    if let Some((index, comparisons)) = located {
        let opened = work.parts.iter().find_map(|p| match p {
            Part::Opened(ok) => Some(*ok),
            _ => None,
        });
        let list = vec![
            (format!("tag: entry {} ({})", index + 1, some(comparisons, "look")), Some(true)),
            ("open with k_i of my car".into(), done(Op::OpenEntry)),
            ("sender's signature".into(), done(Op::CheckSender)),
            ("f_i' = f_i: for my car".into(), opened),
        ];
        return Some(("Unsigncrypt", list));
    }
    if has(Op::MerkleRoot) && work.actor.role == Role::Css {
        return Some(("Build the block", vec![(format!("Merkle root{}", count(Op::MerkleRoot)), Some(true))]));
    }
    has(Op::Decapsulate).then(|| ("In the car", vec![("Z = sk·T, then k_i".to_string(), Some(true))]))
}

/// An amount of money for the stage.
pub fn bill(total: i64, currency: &str) -> String {
    money(total, currency)
}
