//! Leaving a view and entering the next (CONSENSUS.md §3.8; OSDI'99 §4.4, §4.5.2). When to leave is `liveness`.
//!
//! A replica that has asked for a view never returns below it: its VIEW-CHANGE froze what it had prepared.

use super::evidence::Evidence;
use super::io::{Io, Timer};
use super::log::Accepted;
use super::message::{Message, NewView, ViewChange, Want};
use super::new_view::{self, Plan};
use super::replica::{Replica, about};
use super::rule::{About, Reason, Rule};
use super::safety::Level;
use super::types::{NodeId, View};
use crate::ledger::{Micros, Seq};
use crate::mutants::mutant;
use std::sync::Arc;

impl Replica {
    /// OSDI'99 §4.4: stop voting and tell everybody what prepared here.
    pub(super) fn start_view_change(&mut self, now: Micros, target: View, io: &mut Io<'_>) {
        let known = self.log.slots.values().filter(|_| !mutant!("drop-p"));
        let p = known.filter_map(|slot| slot.prepared.clone()).collect();
        let stable = (**self.ckpt.stable()).clone();
        let vc = match self.safety.view_change(target, stable, p, io) {
            Ok(vc) => vc,
            Err(refusal) => return self.refused(refusal, io),
        };
        for timer in [Timer::Batch, Timer::Relay, Timer::Progress, Timer::NewView] {
            self.cancel(timer, io);
        }
        io.broadcast(Message::ViewChange(vc.clone()));
        self.vcs.insert(self.me, vc);
        self.vc_progress(now, target, io);
    }

    pub(super) fn on_view_change(&mut self, now: Micros, vc: &Arc<ViewChange>, from: NodeId, io: &mut Io<'_>) {
        let signed = &vc.signed;
        self.examine_view_change(vc, io);
        if vc.target() == View(0) {
            return io.reject(Rule::Vc1, Reason::StaleView, about(signed));
        }
        if self.vcs.get(&vc.sender()).is_some_and(|old| old.target() >= vc.target()) {
            return io.reject(Rule::Vc1, Reason::DuplicateVote, about(signed));
        }
        if mutant!("local-valid") && vc.p.iter().any(|cert| self.log.slot(cert.seq).is_none()) {
            return io.reject(Rule::Vc4, Reason::BadCertificate, about(signed));
        }
        if let Err((rule, reason)) = new_view::check_view_change(&self.cfg, vc, io.verify) {
            self.accuse(Evidence::InvalidViewChange(vc.clone()), io);
            return io.reject(rule, reason, about(signed));
        }
        self.examine_certificates(vc, io);
        let target = vc.target();
        self.vcs.insert(vc.sender(), vc.clone());
        let (have, need) = (self.wanting(target), self.cfg.quorum.strong());
        io.accept(Rule::Vc4, About::ViewChange { from: vc.sender(), target, have, need });
        if vc.stable.seq > self.low() {
            self.adopt(now, Arc::new(vc.stable.clone()), io);
        }
        if target <= self.level().view && self.normal() {
            if let Some(nv) = self.new_view.clone() {
                if mutant!("double-nv") {
                    io.broadcast(Message::NewView(nv.clone()));
                }
                io.send(from, Message::NewView(nv));
            }
        } else {
            self.vc_progress(now, target, io);
        }
    }

    /// How many gateways' highest request is for this view.
    pub(super) fn wanting(&self, view: View) -> u16 {
        self.vcs.values().filter(|vc| vc.target() == view).count() as u16
    }

    /// How many gateways ask for this view or for a later one: whoever is beyond it has left the views below.
    fn gone(&self, view: View) -> u16 {
        self.vcs.values().filter(|vc| vc.target() >= view).count() as u16
    }

    /// VC-5 and VC-6; the primary of the view opens it.
    fn vc_progress(&mut self, now: Micros, target: View, io: &mut Io<'_>) {
        let quorum = self.cfg.quorum;
        let others = self.vcs.iter().filter(|(who, _)| **who != self.me).map(|(_, vc)| vc.target());
        let above: Vec<View> = others.filter(|view| *view > self.level().view).collect();
        if above.len() >= usize::from(if mutant!("join-one") { 1 } else { quorum.weak() }) {
            let join = above.into_iter().min().unwrap_or(target);
            io.note(Rule::Vc5, About::View(join));
            return self.start_view_change(now, join, io);
        }
        let Level { view, changing } = self.level();
        if !changing {
            return;
        }
        // A VIEW-CHANGE that was lost is not sent again by who has asked for more since: waiting for it could take forever.
        if self.awaited != view && self.gone(view) >= quorum.strong() {
            self.awaited = view;
            io.note(Rule::Vc6, About::View(view));
            self.set(Timer::NewView, Micros(now.0.saturating_add(self.timeout().0)), now, io);
        }
        if quorum.primary(view) == self.me && self.wanting(view) >= quorum.strong() {
            self.open_view(now, view, io);
        }
    }

    /// OSDI'99 §4.4: the primary of a view that q ask for opens it.
    fn open_view(&mut self, now: Micros, view: View, io: &mut Io<'_>) {
        let v_set = self.vcs.values().filter(|vc| vc.target() == view).cloned().collect();
        match self.safety.new_view(v_set, io) {
            Ok(nv) => {
                io.broadcast(Message::NewView(nv.clone()));
                let plan = new_view::select(&nv.v_set);
                self.enter_view(now, nv, &plan, io);
            }
            Err(refusal) => self.refused(refusal, io),
        }
    }

    /// OSDI'99 §4.4: a NEW-VIEW is recomputed, not obeyed.
    pub(super) fn on_new_view(&mut self, now: Micros, nv: &Arc<NewView>, io: &mut Io<'_>) {
        let (signed, view, level) = (&nv.signed, nv.view(), self.level());
        if mutant!("commit-lock") && self.executed() > Seq(0) {
            return;
        }
        self.examine_new_view(nv, io);
        if view == View(0) || self.cfg.quorum.primary(view) != signed.statement.sender {
            return io.reject(Rule::Nv1, Reason::NotPrimary, about(signed));
        }
        if view < level.view && !mutant!("view-back") {
            return io.reject(Rule::Nv2, Reason::StaleView, about(signed));
        }
        if view == level.view && !level.changing {
            return io.reject(Rule::Nv2, Reason::Duplicate, about(signed));
        }
        match new_view::validate(&self.cfg, nv, io.verify) {
            Ok(plan) => {
                for vc in &nv.v_set {
                    self.examine_view_change(vc, io);
                    self.examine_certificates(vc, io);
                }
                self.enter_view(now, nv.clone(), &plan, io);
            }
            Err((rule, reason)) => {
                // The pre-prepares of NV-6 are not under the signature: anybody may have spoiled them on the way.
                if rule != Rule::Nv6 {
                    self.accuse(Evidence::InvalidNewView(nv.clone()), io);
                }
                io.reject(rule, reason, about(signed));
            }
        }
    }

    /// OSDI'99 §4.4: carried slots get their pre-prepares, what has a body is voted on, the rest is fetched.
    fn enter_view(&mut self, now: Micros, nv: Arc<NewView>, plan: &Plan, io: &mut Io<'_>) {
        let view = nv.view();
        self.safety.enter(&nv, io);
        self.new_view = Some(nv.clone());
        self.cancel(Timer::NewView, io);
        if let Some(vc) = nv.v_set.iter().find(|vc| vc.stable.seq == plan.min_s && plan.min_s > self.low()) {
            self.advance(now, Arc::new(vc.stable.clone()), io);
        }
        for slot in self.log.slots.values_mut() {
            slot.leave_view();
        }
        self.base = plan.max_s;
        self.next_seq = Seq(plan.max_s.max(self.low()).0 + 1);
        self.live.entered_at = self.executed();
        io.accept(Rule::Nv6, About::Entered { view, carried: plan.slots.len() as u32 });
        let deadline = Micros(now.0.saturating_add(self.timeout().0));
        let low = self.low();
        let carried = || nv.o.iter().filter(move |fixed| fixed.seq > low);
        for fixed in carried() {
            let pp = Accepted { view, digest: fixed.digest, just: nv.just(), sig: fixed.pp_sig, deadline };
            self.log.slot_mut(fixed.seq).pp = Some(pp);
        }
        self.refresh_busy();
        self.pool.enter_view(now);
        self.activate(now);
        self.xfer.leave_view();
        for fixed in carried() {
            if self.log.slot(fixed.seq).is_some_and(|slot| slot.complete()) {
                self.vote(now, fixed.seq, io);
            } else {
                let slot = About::Slot { view, seq: fixed.seq, digest: fixed.digest };
                io.hold(Rule::Nv7, Reason::BodyMissing, slot);
                let holders = new_view::holders(&self.cfg, &nv.v_set, fixed.seq);
                self.want(now, Want::Body { seq: fixed.seq, digest: fixed.digest }, holders, io);
            }
        }
        self.replay_held(now, io);
        self.schedule_batch(now, io);
        if self.is_primary() {
            self.try_propose(now, io);
        }
    }
}
