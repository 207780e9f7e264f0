//! What the world says when an invariant falls (CONSENSUS.md §5.4).
//!
//! Within the theorem that is a fault of this program, and the run stops there. Outside it, with more than f faulty
//! gateways, it was to be expected: the world says once for each invariant that safety is void, and forensics names who
//! broke it, from every message that ever entered a link. It must never name a correct gateway, and after a fork it must
//! name more than f; if it does not, that is a fault of this program again (SI-13).

use super::World;
use crate::entities::actor::{ActorId, Role};
use crate::entities::{Bench, Packet};
use crate::pbft::Signed;
use crate::sim::forensics::{Charge, Forensics};
use crate::sim::inspect::hex;
use crate::sim::invariants::Finding;
use crate::sim::memo::Memo;
use crate::sim::observer::Draft;
use crate::sim::trace::{EffectId, Kind, Said};
use std::collections::BTreeSet;

/// What was said about fallen invariants so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    /// Invariants that fell outside the theorem.
    fallen: BTreeSet<&'static str>,
    /// `SafetyVoid` effects of this step that nobody was convicted for yet, and whether the chain forked.
    open: Vec<(EffectId, bool)>,
    convicted: BTreeSet<(ActorId, Charge)>,
}

fn said(signed: &Signed) -> Said {
    let st = &signed.statement;
    let (view, seq, digest, just) = (st.view.0, st.seq.0, st.digest, st.just);
    Said { kind: st.kind, view, seq, digest, just, sig: hex(&signed.sig.0) }
}

impl World {
    /// Records what the invariants found in an effect.
    pub(super) fn found(&mut self, findings: Vec<Finding>, cause: Option<EffectId>) {
        for finding in findings {
            match finding {
                Finding::Broken { id, text } => {
                    self.say(Kind::InvariantBroken { id: id.to_owned(), text }, cause);
                }
                Finding::Void { id, text } if self.verdict.fallen.insert(id) => {
                    let void = self.say(Kind::SafetyVoid { id: id.to_owned(), text }, cause);
                    self.verdict.open.push((void, id == "SI-1"));
                }
                Finding::Void { .. } => {}
            }
        }
    }

    /// At the end of a step: who broke what fell in it.
    pub(super) fn judge(&mut self, memo: &mut Memo) {
        for (void, forked) in core::mem::take(&mut self.verdict.open) {
            self.convict(void, forked, memo);
        }
    }

    fn convict(&mut self, void: EffectId, forked: bool, memo: &mut Memo) {
        let Some(genesis) = self.genesis.clone() else { return };
        let (setup, gateways, cfg) = (self.setup.clone(), self.gateways.clone(), &genesis.config);
        let mut bench = Bench::new(&setup.params, &gateways, memo).of(setup.crypto);
        let sent = self.items.iter().filter_map(|item| match item.packet.as_ref() {
            Some(Packet::Pbft(message)) => Some(&**message),
            _ => None,
        });
        let culprits = Forensics::of(cfg, sent, &mut bench).culprits(cfg, &mut bench);
        let (named, needed) = (culprits.len(), usize::from(cfg.quorum.weak()));
        for (who, findings) in culprits {
            let culprit = ActorId::new(Role::Css, who.0);
            if !self.faulty.contains(&culprit) {
                let charges: Vec<&str> = findings.keys().map(|charge| charge.id()).collect();
                let text = format!("forensics names the correct {culprit} ({})", charges.join(", "));
                self.say(Kind::InvariantBroken { id: "SI-13".into(), text }, Some(void));
                continue;
            }
            for (charge, finding) in findings {
                if self.verdict.convicted.insert((culprit, charge)) {
                    let statements = finding.statements().iter().map(said).collect();
                    self.say(Kind::Convicted { culprit, charge, statements }, Some(void));
                }
            }
        }
        if forked && named < needed {
            let text = format!("the chain forked and forensics names {named} gateways instead of {needed} or more");
            self.say(Kind::InvariantBroken { id: "SI-13".into(), text }, Some(void));
        }
    }

    /// An effect of the world's own, which no invariant looks at.
    fn say(&mut self, kind: Kind, cause: Option<EffectId>) -> EffectId {
        let effect = self.observer.effect(Draft { actor: None, kind, cause, rule: None });
        let id = effect.id;
        self.made.push(effect);
        id
    }
}
