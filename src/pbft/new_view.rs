//! What a new view must carry over, as pure functions of its VIEW-CHANGEs (CONSENSUS.md §3.8, OSDI'99 §4.4).
//!
//! Validity depends on content and genesis only. Nobody obeys a NEW-VIEW: everybody recomputes it.

use super::certificate::Prepared;
use super::config::Config;
use super::message::{Kind, NewView, Signed, Statement, ViewChange};
use super::rule::{Reason, Rule};
use super::types::{ReplicaId, Verifier, View};
use crate::ledger::proposal::null_digest;
use crate::ledger::{Digest, Seq};
use crate::mutants::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The slots a new view fixes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub min_s: Seq,
    pub max_s: Seq,
    /// Every slot in (min_s, max_s], ascending.
    pub slots: Vec<(Seq, Digest)>,
}

/// The certificate that decides a slot: highest view, then smaller digest (a tie needs more than f faults).
fn chosen(v_set: &[Arc<ViewChange>], min_s: Seq) -> BTreeMap<Seq, &Arc<Prepared>> {
    let mut best: BTreeMap<Seq, &Arc<Prepared>> = BTreeMap::new();
    for cert in v_set.iter().flat_map(|vc| &vc.p).filter(|cert| cert.seq > min_s) {
        let old = best.entry(cert.seq).or_insert(cert);
        let wins = cert.view > old.view || (cert.view == old.view && cert.digest < old.digest);
        if wins {
            *old = cert;
        }
    }
    best
}

/// OSDI'99 §4.4: each slot keeps the digest prepared in the highest view; slots nobody prepared become null.
pub fn select(v_set: &[Arc<ViewChange>]) -> Plan {
    let members = v_set.len().min(if mutant!("min-s") { 1 } else { v_set.len() });
    let min_s = v_set[..members].iter().map(|vc| vc.stable.seq).max().unwrap_or_default();
    let best = chosen(v_set, min_s);
    let max_s = best.last_key_value().map_or(min_s, |(seq, _)| *seq);
    let null = null_digest();
    let slots = (min_s.0 + 1..=max_s.0).map(Seq).map(|s| (s, best.get(&s).map_or(null, |cert| cert.digest))).collect();
    Plan { min_s, max_s, slots }
}

/// Replicas that signed for what `select` chose at `seq`, and so hold its body if correct.
pub fn holders(cfg: &Config, v_set: &[Arc<ViewChange>], seq: Seq) -> Vec<ReplicaId> {
    chosen(v_set, Seq(0)).get(&seq).map(|cert| cert.signers(cfg)).unwrap_or_default()
}

/// VC-2 to VC-4, without the sender's own signature.
///
/// # Errors
/// The first rule that fails.
pub fn check_view_change(cfg: &Config, vc: &ViewChange, verify: &mut dyn Verifier) -> Result<(), (Rule, Reason)> {
    if !vc.stable.valid(cfg, verify) {
        return Err((Rule::Vc2, Reason::BadCheckpointProof));
    }
    let low = vc.stable.seq;
    let in_order = vc.p.is_sorted_by(|a, b| a.seq < b.seq)
        && vc.p.iter().all(|c| low < c.seq && c.seq.0 <= low.0.saturating_add(cfg.l) && c.view < vc.target());
    if !in_order {
        return Err((Rule::Vc3, Reason::BadPreparedSet));
    }
    if !vc.p.iter().all(|cert| cert.valid(cfg, verify)) {
        return Err((Rule::Vc4, Reason::BadCertificate));
    }
    Ok(())
}

/// The statement covers the content of the VIEW-CHANGE.
pub fn view_change_binds(vc: &Arc<ViewChange>, verify: &mut dyn Verifier) -> bool {
    let st = &vc.signed.statement;
    st.kind == Kind::ViewChange
        && st.seq == vc.stable.seq
        && st.just == Digest::ZERO
        && st.digest == verify.view_change_content(vc)
}

/// The statement covers the content of the NEW-VIEW.
pub fn new_view_binds(nv: &Arc<NewView>, verify: &mut dyn Verifier) -> bool {
    let st = &nv.signed.statement;
    let min_s = nv.v_set.iter().map(|vc| vc.stable.seq).max().unwrap_or_default();
    st.kind == Kind::NewView && st.seq == min_s && st.just == Digest::ZERO && st.digest == verify.new_view_content(nv)
}

/// Whether a signed statement comes from a replica of this network (ENV-2, ENV-3).
pub fn signed_here(cfg: &Config, signed: &Signed, verify: &mut dyn Verifier) -> bool {
    let st = &signed.statement;
    st.network_id == cfg.network_id && st.sender.0 < cfg.quorum.n() && verify.statement(st.sender, st, &signed.sig)
}

/// NV-3 to NV-6: recomputes the NEW-VIEW from the VIEW-CHANGEs it quotes.
///
/// # Errors
/// The first rule that fails.
pub fn validate(cfg: &Config, nv: &NewView, verify: &mut dyn Verifier) -> Result<Plan, (Rule, Reason)> {
    if mutant!("any-nv") {
        return Ok(select(&nv.v_set));
    }
    let plan = check_content(cfg, nv, verify)?;
    check_pre_prepares(cfg, nv, nv.view(), verify)?;
    Ok(plan)
}

/// NV-3 to NV-5: all that the digest of a NEW-VIEW covers, whoever signed it.
///
/// # Errors
/// The first rule that fails.
pub fn check_content(cfg: &Config, nv: &NewView, verify: &mut dyn Verifier) -> Result<Plan, (Rule, Reason)> {
    let view = nv.view();
    if nv.v_set.len() < usize::from(cfg.quorum.strong()) {
        return Err((Rule::Nv3, Reason::ShortQuorum));
    }
    let distinct = nv.v_set.is_sorted_by(|a, b| a.sender() < b.sender());
    if !distinct || nv.v_set.iter().any(|vc| vc.target() != view) {
        return Err((Rule::Nv3, Reason::BadViewChangeSet));
    }
    for vc in &nv.v_set {
        let valid = view_change_binds(vc, verify)
            && signed_here(cfg, &vc.signed, verify)
            && check_view_change(cfg, vc, verify).is_ok();
        if !valid {
            return Err((Rule::Nv4, Reason::BadViewChangeSet));
        }
    }
    let plan = select(&nv.v_set);
    let given: Vec<(Seq, Digest)> = nv.o.iter().map(|fixed| (fixed.seq, fixed.digest)).collect();
    if given != plan.slots && !mutant!("trust-o") {
        let wrong = plan.slots.iter().zip(&given).find(|(a, b)| a != b).map(|(a, _)| a.0);
        let first_beyond = Seq(plan.min_s.0 + 1 + plan.slots.len().min(given.len()) as u64);
        return Err((Rule::Nv5, Reason::WrongSelection(wrong.unwrap_or(first_beyond))));
    }
    Ok(plan)
}

fn check_pre_prepares(cfg: &Config, nv: &NewView, view: View, verify: &mut dyn Verifier) -> Result<(), (Rule, Reason)> {
    let sender = cfg.quorum.primary(view);
    for fixed in &nv.o {
        let st = Statement {
            network_id: cfg.network_id,
            kind: Kind::PrePrepare,
            sender,
            view,
            seq: fixed.seq,
            digest: fixed.digest,
            just: nv.just(),
        };
        if !verify.statement(sender, &st, &fixed.pp_sig) {
            return Err((Rule::Nv6, Reason::BadSignature));
        }
    }
    Ok(())
}
