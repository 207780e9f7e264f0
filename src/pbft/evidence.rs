//! Proofs of fault (CONSENSUS.md §3.13): signed statements that convict their signer without trust in the accuser.
//!
//! Judged by content and genesis only, never by a local log, so everybody judges alike. What is compared is what was
//! signed, never the bytes of signatures. No proof here can be made of what a correct replica signs, whatever the others
//! do: an invalid proposal carried over by a NEW-VIEW, for example, does not convict the primary that had to carry it.

use super::config::Config;
use super::message::{Kind, NewView, Signed, Statement, ViewChange};
use super::new_view::{self, select};
use super::proposal;
use super::types::{ReplicaId, Verifier, View};
use crate::ledger::codec::{Decoded, Malformed, ParseSigma, Reader, Writer};
use crate::ledger::{Digest, Proposal};
use crate::mutants::mutant;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the accused did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Class {
    #[serde(rename = "EQ")]
    Equivocation = 1,
    #[serde(rename = "XP")]
    CrossPhase = 2,
    #[serde(rename = "PV")]
    PrimaryVote = 3,
    #[serde(rename = "IP")]
    InvalidProposal = 4,
    #[serde(rename = "IV")]
    InvalidViewChange = 5,
    #[serde(rename = "HP")]
    HiddenPrepared = 6,
    #[serde(rename = "OJ")]
    OtherJustification = 7,
}

impl Class {
    /// All classes in the order of their numbers.
    pub const ALL: [Class; 7] = [
        Class::Equivocation,
        Class::CrossPhase,
        Class::PrimaryVote,
        Class::InvalidProposal,
        Class::InvalidViewChange,
        Class::HiddenPrepared,
        Class::OtherJustification,
    ];

    /// The short name of CONSENSUS.md §3.13.
    pub fn id(self) -> &'static str {
        match self {
            Class::Equivocation => "EQ",
            Class::CrossPhase => "XP",
            Class::PrimaryVote => "PV",
            Class::InvalidProposal => "IP",
            Class::InvalidViewChange => "IV",
            Class::HiddenPrepared => "HP",
            Class::OtherJustification => "OJ",
        }
    }

    /// What the accused did, to follow its name in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Class::Equivocation => "signed two different statements where only one is allowed",
            Class::CrossPhase => "voted for one proposal and committed another in the same view and slot",
            Class::PrimaryVote => "prepared a proposal as the primary of the view",
            Class::InvalidProposal => "proposed a block that no gateway may accept",
            Class::InvalidViewChange => "signed a view change or new view that does not follow from its own content",
            Class::HiddenPrepared => "committed a slot and hid that it had prepared there when it left the view",
            Class::OtherJustification => "voted against the new view that its own vote names as its ground",
        }
    }
}

/// A proof of fault. Everything in it is signed by one replica, or named by a digest which that replica signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// EQ: two statements for one place.
    Equivocation(Signed, Signed),
    /// XP: a PRE-PREPARE or PREPARE, and a COMMIT for something else.
    CrossPhase { vote: Signed, commit: Signed },
    /// PV: a PREPARE by the primary.
    PrimaryVote(Signed),
    /// IP: a fresh proposal that fails for everybody. In views above 0 `under` is the NEW-VIEW named by the
    /// justification: it shows that the slot was free.
    InvalidProposal { signed: Signed, proposal: Arc<Proposal>, under: Option<Arc<NewView>> },
    /// IV: a VIEW-CHANGE that fails VC-1 to VC-4.
    InvalidViewChange(Arc<ViewChange>),
    /// IV: a NEW-VIEW that fails NV-1 or NV-3 to NV-5.
    InvalidNewView(Arc<NewView>),
    /// HP: a COMMIT, and a later VIEW-CHANGE that knows nothing of it.
    HiddenPrepared { commit: Signed, view_change: Arc<ViewChange> },
    /// OJ: a vote and the NEW-VIEW that it names, which does not allow it.
    OtherJustification { vote: Signed, new_view: Arc<NewView> },
}

/// Why something is no proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unproven {
    #[error("the statements are not all by one signer")]
    TwoSigners,
    #[error("a signature of the accused does not verify, or is for another network")]
    Signature,
    #[error("what is attached is not what the accused signed")]
    Unbound,
    #[error("a correct gateway may have signed this")]
    Allowed,
}

/// Two statements of which a correct replica signs at most one: same kind, view and slot (a VIEW-CHANGE or NEW-VIEW has
/// only a view), different content.
pub fn exclusive(a: &Statement, b: &Statement) -> bool {
    let keyed = match a.kind {
        Kind::PrePrepare | Kind::Prepare | Kind::Commit | Kind::Checkpoint | Kind::Seal => a.seq == b.seq,
        Kind::ViewChange | Kind::NewView => true,
        Kind::DataSet | Kind::Status | Kind::Fetch => false,
    };
    keyed && (a.sender, a.kind, a.view) == (b.sender, b.kind, b.view) && a != b
}

/// A vote for one digest and a COMMIT for another in the same view and slot.
pub fn crosses(vote: &Statement, commit: &Statement) -> bool {
    matches!(vote.kind, Kind::PrePrepare | Kind::Prepare)
        && commit.kind == Kind::Commit
        && (vote.sender, vote.view, vote.seq) == (commit.sender, commit.view, commit.seq)
        && vote.digest != commit.digest
}

/// The sender committed before it left the view, and its VIEW-CHANGE does not say so.
pub fn hides(commit: &Statement, vc: &ViewChange) -> bool {
    commit.kind == Kind::Commit
        && commit.sender == vc.sender()
        && commit.view < vc.target()
        && vc.stable.seq < commit.seq
        && !vc.p.iter().any(|cert| cert.seq == commit.seq && cert.view >= commit.view)
}

/// The content that a justification names, whoever brings it.
fn justified_by(just: &Digest, nv: &Arc<NewView>, verify: &mut dyn Verifier) -> bool {
    verify.new_view_content(nv) == *just
}

impl Evidence {
    pub fn class(&self) -> Class {
        match self {
            Evidence::Equivocation(..) => Class::Equivocation,
            Evidence::CrossPhase { .. } => Class::CrossPhase,
            Evidence::PrimaryVote(_) => Class::PrimaryVote,
            Evidence::InvalidProposal { .. } => Class::InvalidProposal,
            Evidence::InvalidViewChange(_) | Evidence::InvalidNewView(_) => Class::InvalidViewChange,
            Evidence::HiddenPrepared { .. } => Class::HiddenPrepared,
            Evidence::OtherJustification { .. } => Class::OtherJustification,
        }
    }

    /// The statements under the accused's signature.
    pub fn statements(&self) -> Vec<&Signed> {
        match self {
            Evidence::Equivocation(a, b) => vec![a, b],
            Evidence::CrossPhase { vote, commit } => vec![vote, commit],
            Evidence::PrimaryVote(signed) | Evidence::InvalidProposal { signed, .. } => vec![signed],
            Evidence::InvalidViewChange(vc) => vec![&vc.signed],
            Evidence::InvalidNewView(nv) => vec![&nv.signed],
            Evidence::HiddenPrepared { commit, view_change } => vec![commit, &view_change.signed],
            Evidence::OtherJustification { vote, .. } => vec![vote],
        }
    }

    /// Whom it names; whether rightly, only [`Evidence::verify`] says.
    pub fn accused(&self) -> ReplicaId {
        self.statements().first().map_or(ReplicaId::default(), |signed| signed.statement.sender)
    }

    /// The culprit, found from content and genesis alone.
    ///
    /// # Errors
    /// Why it is no proof.
    pub fn verify(&self, cfg: &Config, verify: &mut dyn Verifier) -> Result<ReplicaId, Unproven> {
        let accused = self.accused();
        for signed in self.statements() {
            if signed.statement.sender != accused {
                return Err(Unproven::TwoSigners);
            }
            if !new_view::signed_here(cfg, signed, verify) {
                return Err(Unproven::Signature);
            }
        }
        if !self.bound(verify) {
            return Err(Unproven::Unbound);
        }
        if self.forbidden(cfg, verify) { Ok(accused) } else { Err(Unproven::Allowed) }
    }

    /// What hangs on the signed statements is what they name.
    fn bound(&self, verify: &mut dyn Verifier) -> bool {
        match self {
            Evidence::Equivocation(..) | Evidence::CrossPhase { .. } | Evidence::PrimaryVote(_) => true,
            Evidence::InvalidProposal { signed, proposal, under } => {
                let just = &signed.statement.just;
                let justified = match under {
                    Some(nv) => justified_by(just, nv, verify),
                    None => *just == Digest::ZERO && signed.statement.view == View(0),
                };
                justified && proposal.digest() == signed.statement.digest && proposal.body_matches()
            }
            Evidence::InvalidViewChange(vc) | Evidence::HiddenPrepared { view_change: vc, .. } => {
                new_view::view_change_binds(vc, verify)
            }
            Evidence::InvalidNewView(nv) => new_view::new_view_binds(nv, verify),
            Evidence::OtherJustification { vote, new_view } => justified_by(&vote.statement.just, new_view, verify),
        }
    }

    /// No correct replica signs this.
    fn forbidden(&self, cfg: &Config, verify: &mut dyn Verifier) -> bool {
        match self {
            Evidence::Equivocation(a, b) => {
                exclusive(&a.statement, &b.statement) || (mutant!("ev-bytes") && a.sig != b.sig)
            }
            Evidence::CrossPhase { vote, commit } => crosses(&vote.statement, &commit.statement),
            Evidence::PrimaryVote(signed) => {
                let st = &signed.statement;
                st.kind == Kind::Prepare && cfg.quorum.primary(st.view) == st.sender
            }
            Evidence::InvalidProposal { signed, proposal, under } => {
                let st = &signed.statement;
                let fresh = under.as_ref().is_none_or(|nv| st.seq > select(&nv.v_set).max_s);
                st.kind == Kind::PrePrepare && fresh && !acceptable(cfg, st, proposal, verify)
            }
            Evidence::InvalidViewChange(vc) => {
                vc.target() == View(0) || new_view::check_view_change(cfg, vc, verify).is_err()
            }
            Evidence::InvalidNewView(nv) => {
                cfg.quorum.primary(nv.view()) != nv.signed.statement.sender
                    || new_view::check_content(cfg, nv, verify).is_err()
            }
            Evidence::HiddenPrepared { commit, view_change } => hides(&commit.statement, view_change),
            Evidence::OtherJustification { vote, new_view } => {
                vote.statement.kind.is_vote() && !allows(cfg, new_view, &vote.statement, verify)
            }
        }
    }

    /// Canonical bytes: the number of the class (8 for a NEW-VIEW of class IV), then the content.
    pub fn write(&self, w: &mut Writer) {
        w.u8(if matches!(self, Evidence::InvalidNewView(_)) { INVALID_NEW_VIEW } else { self.class() as u8 });
        match self {
            Evidence::Equivocation(a, b) | Evidence::CrossPhase { vote: a, commit: b } => {
                a.write(w);
                b.write(w);
            }
            Evidence::PrimaryVote(signed) => signed.write(w),
            Evidence::InvalidProposal { signed, proposal, under } => {
                signed.write(w);
                proposal.write(w);
                w.u8(u8::from(under.is_some()));
                if let Some(nv) = under {
                    nv.write(w);
                }
            }
            Evidence::InvalidViewChange(vc) => vc.write(w),
            Evidence::InvalidNewView(nv) => nv.write(w),
            Evidence::HiddenPrepared { commit, view_change } => {
                commit.write(w);
                view_change.write(w);
            }
            Evidence::OtherJustification { vote, new_view } => {
                vote.write(w);
                new_view.write(w);
            }
        }
    }

    /// Inverse of [`Evidence::write`].
    ///
    /// # Errors
    /// Anything that it would not have written.
    pub fn read(r: &mut Reader<'_>, parser: &dyn ParseSigma) -> Decoded<Self> {
        let code = r.u8()?;
        if code == INVALID_NEW_VIEW {
            return Ok(Evidence::InvalidNewView(Arc::new(NewView::read(r)?)));
        }
        let class = Class::ALL.into_iter().find(|c| *c as u8 == code).ok_or(Malformed)?;
        Ok(match class {
            Class::Equivocation => Evidence::Equivocation(Signed::read(r)?, Signed::read(r)?),
            Class::CrossPhase => Evidence::CrossPhase { vote: Signed::read(r)?, commit: Signed::read(r)? },
            Class::PrimaryVote => Evidence::PrimaryVote(Signed::read(r)?),
            Class::InvalidProposal => Evidence::InvalidProposal {
                signed: Signed::read(r)?,
                proposal: Arc::new(Proposal::read(r, parser)?),
                under: if r.flag()? { Some(Arc::new(NewView::read(r)?)) } else { None },
            },
            Class::InvalidViewChange => Evidence::InvalidViewChange(Arc::new(ViewChange::read(r)?)),
            Class::HiddenPrepared => {
                Evidence::HiddenPrepared { commit: Signed::read(r)?, view_change: Arc::new(ViewChange::read(r)?) }
            }
            Class::OtherJustification => {
                Evidence::OtherJustification { vote: Signed::read(r)?, new_view: Arc::new(NewView::read(r)?) }
            }
        })
    }
}

/// First byte of a NEW-VIEW of class IV.
const INVALID_NEW_VIEW: u8 = 8;

/// PP-7, PP-8, PP-10 and PP-11 as far as they need no local state.
fn acceptable(cfg: &Config, st: &Statement, p: &Proposal, verify: &mut dyn Verifier) -> bool {
    proposal::check_body(cfg, p, st.seq, &st.digest).is_ok()
        && proposal::check_ciphertexts(p, verify).is_ok()
        && proposal::check_nullifiers(p, |_| false).is_ok()
}

/// Whether a replica that entered its view by this NEW-VIEW may sign this vote.
fn allows(cfg: &Config, nv: &NewView, vote: &Statement, verify: &mut dyn Verifier) -> bool {
    let Ok(plan) = new_view::check_content(cfg, nv, verify) else { return false };
    let fixed = plan.slots.iter().find(|(seq, _)| *seq == vote.seq);
    nv.view() == vote.view && vote.seq > plan.min_s && fixed.is_none_or(|(_, digest)| *digest == vote.digest)
}
