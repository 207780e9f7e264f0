//! Sequence diagrams of agreement, drawn from a recorded run (`voltcast diagram`): what `docs/consensus.md` shows is what
//! happened. Mermaid's syntax; one arrow per message as it was sent, one note per conclusion.

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::sim::trace::{Effect, Kind, PacketTag, Trace};
use std::collections::BTreeSet;

/// A stretch of agreement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Proposal, votes and conclusions of one slot, in all views.
    Slot(u64),
    /// The change to one view.
    View(u64),
}

/// A line of the diagram, and the gateways in it.
struct Line {
    text: String,
    actors: Vec<ActorId>,
}

/// The diagram of this subject; `None` if the run has nothing of it.
pub fn mermaid(trace: &Trace, subject: Subject) -> Option<String> {
    let lines: Vec<Line> = trace.effects().iter().filter_map(|effect| line(effect, subject)).collect();
    if lines.is_empty() {
        return None;
    }
    let actors: BTreeSet<ActorId> = lines.iter().flat_map(|line| line.actors.iter().copied()).collect();
    let mut out = String::from("sequenceDiagram\n");
    for actor in actors {
        out.push_str(&format!("    participant {actor}\n"));
    }
    for line in lines {
        out.push_str(&format!("    {}\n", line.text));
    }
    Some(out)
}

fn line(effect: &Effect, subject: Subject) -> Option<Line> {
    let actor = effect.actor.filter(|actor| actor.role == Role::Css)?;
    match &effect.kind {
        Kind::Sent { to, packet } if to.role == Role::Css => {
            let (view, seq) = packet.slot?;
            let votes = matches!(packet.tag, PacketTag::PrePrepare | PacketTag::Prepare | PacketTag::Commit);
            let changes = matches!(packet.tag, PacketTag::ViewChange | PacketTag::NewView);
            let about = match subject {
                Subject::Slot(slot) => votes && seq == slot,
                Subject::View(target) => changes && view == target,
            };
            let name = packet.tag.name().trim_start_matches("pbft.").to_uppercase();
            let text = match subject {
                Subject::Slot(_) => format!("{actor}->>{to}: {name}, view {view}"),
                Subject::View(_) => format!("{actor}->>{to}: {name} {view}"),
            };
            about.then(|| Line { text, actors: vec![actor, *to] })
        }
        Kind::Fact(fact) => {
            let said = conclusion(fact, subject)?;
            Some(Line { text: format!("Note over {actor}: {said}"), actors: vec![actor] })
        }
        _ => None,
    }
}

fn conclusion(fact: &FactKind, subject: Subject) -> Option<String> {
    match (fact, subject) {
        (FactKind::Prepared { view, seq, .. }, Subject::Slot(slot)) if *seq == slot => {
            Some(format!("prepared in view {view}"))
        }
        (FactKind::Committed { view, seq, .. }, Subject::Slot(slot)) if *seq == slot => {
            Some(format!("committed in view {view}"))
        }
        (FactKind::BlockAppended { height, count, .. }, Subject::Slot(slot)) if *height == slot => {
            let things = if *count == 1 { "ciphertext" } else { "ciphertexts" };
            Some(format!("block {height} with {count} {things}"))
        }
        (FactKind::NewView { view, carried }, Subject::View(target)) if *view == target => {
            let things = if *carried == 1 { "slot" } else { "slots" };
            Some(format!("enters view {view}, {carried} {things} carried over"))
        }
        _ => None,
    }
}
