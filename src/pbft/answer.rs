//! FETCH and STATUS of others, answered (CONSENSUS.md §3.9; OSDI'99 §4.4, retransmission).
//!
//! What is sent proves itself, so it need not be the sender's own. Nobody is answered faster than can be of use.

use super::io::Io;
use super::message::{Fetch, Kind, Message, Publish, Signed, Statement, Status, Want};
use super::replica::{Replica, about};
use super::rule::{Reason, Rule};
use super::state_transfer::BURST;
use super::types::NodeId;
use crate::ledger::{Micros, Seq};
use std::sync::Arc;

impl Replica {
    /// Sends what an asker lacks and we have: its answer proves itself, so it need not be ours.
    pub(super) fn on_fetch(&mut self, now: Micros, fetch: &Fetch, from: NodeId, io: &mut Io<'_>) {
        let st = &fetch.signed.statement;
        let answer = match fetch.want {
            Want::Body { seq, digest } => {
                self.log.slot(seq).and_then(|slot| slot.bodies.get(&digest)).cloned().map(Message::Body)
            }
            Want::Blocks { from, to } => self.blocks(from, to),
            Want::Snapshot => self.ckpt.snapshot().map(|s| Message::Snapshot(Arc::new(s))),
            Want::NewView(view) => self.new_view.clone().filter(|nv| nv.view() >= view).map(Message::NewView),
            Want::Stable => Some(self.ckpt.stable().clone()).filter(|p| p.seq > Seq(0)).map(Message::Stable),
        };
        let Some(answer) = answer else {
            return io.reject(Rule::St1, Reason::BodyMissing, about(&fetch.signed));
        };
        let slot = if let Want::Body { seq, .. } = fetch.want { seq } else { Seq(0) };
        if !self.xfer.may_answer(now, self.cfg.resend.0 / 2, st.sender, fetch.want.code(), slot) {
            return io.reject(Rule::St2, Reason::RateLimited, about(&fetch.signed));
        }
        io.accept(Rule::St2, about(&fetch.signed));
        io.send(from, answer);
    }

    /// Blocks from a height on, as far as they fit an answer; the snapshot if that height is no longer held.
    fn blocks(&self, from: Seq, to: Seq) -> Option<Message> {
        if from <= self.chain.base() {
            let snapshot = self.ckpt.snapshot().filter(|s| s.header.height >= from)?;
            return Some(Message::Snapshot(Arc::new(snapshot)));
        }
        let room = self.cfg.policy.batch_bytes.saturating_mul(self.cfg.pipeline);
        let (mut blocks, mut bytes) = (Vec::new(), 0u64);
        for height in (from.0..=to.0.min(self.executed().0)).take(BURST).map(Seq) {
            let block = self.chain.block(height)?.clone();
            bytes = bytes.saturating_add(block.proposal.as_ref().map_or(0, |p| p.header.bytes));
            if bytes > room && !blocks.is_empty() {
                break;
            }
            blocks.push(Publish { block, cert: self.certs.get(&height)?.clone() });
        }
        (!blocks.is_empty()).then_some(Message::Blocks(blocks))
    }

    /// OSDI'99 §4.4 (retransmission): sends what another replica lacks, and asks it for what we lack.
    pub(super) fn on_status(&mut self, now: Micros, status: &Status, from: NodeId, io: &mut Io<'_>) {
        let st = &status.signed.statement;
        if !self.xfer.may_answer(now, self.cfg.resend.0 / 2, st.sender, 0, Seq(0)) {
            return io.reject(Rule::St2, Reason::RateLimited, about(&status.signed));
        }
        io.accept(Rule::St2, about(&status.signed));
        let level = self.level();
        let mut burst = Vec::new();
        if status.low < self.low() {
            burst.push(Message::Stable(self.ckpt.stable().clone()));
        } else {
            burst.extend(self.own_checkpoints(status.low).into_iter().map(Message::Checkpoint));
        }
        if st.view < level.view && self.normal() || st.view == level.view && status.changing && self.normal() {
            burst.extend(self.new_view.clone().map(Message::NewView));
        } else if status.changing && level.changing && st.view == level.view {
            burst.extend(self.vcs.get(&self.me).cloned().map(Message::ViewChange));
        } else if !status.changing && self.normal() && st.view == level.view {
            self.lacking(status, &mut burst);
        }
        if st.seq < self.executed() {
            // Old proposals may no longer be voted on; who knows how far others are fetches their blocks.
            burst.push(Message::Status(self.status()));
        }
        burst.truncate(BURST);
        burst.into_iter().for_each(|msg| io.send(from, msg));
        self.learn_from(now, status, io);
    }

    /// Own messages of the current view that the sender of `status` lacks.
    fn lacking(&self, status: &Status, burst: &mut Vec<Message>) {
        let view = self.level().view;
        for (seq, slot) in self.log.slots.range(Seq(status.low.0.saturating_add(1))..) {
            let Some(pp) = slot.pp else { continue };
            let signed = |kind, sender, sig| {
                let (network_id, seq, digest, just) = (self.cfg.network_id, *seq, pp.digest, pp.just);
                Signed { statement: Statement { network_id, kind, sender, view, seq, digest, just }, sig }
            };
            if self.is_primary()
                && *seq > self.base
                && !status.has(0, *seq)
                && let Some(body) = slot.body()
            {
                burst.push(Message::PrePrepare(signed(Kind::PrePrepare, self.me, pp.sig), body.clone()));
            }
            let own = |votes: &super::log::Votes| votes.first_of(self.me).map(|vote| vote.2);
            if !status.has(1, *seq) {
                burst.extend(own(&slot.prepares).map(|sig| Message::Prepare(signed(Kind::Prepare, self.me, sig))));
            }
            if !status.has(2, *seq) {
                burst.extend(own(&slot.commits).map(|sig| Message::Commit(signed(Kind::Commit, self.me, sig))));
            }
        }
    }

    fn learn_from(&mut self, now: Micros, status: &Status, io: &mut Io<'_>) {
        let st = &status.signed.statement;
        if status.low > self.low() {
            self.want(now, Want::Stable, self.peers_from(Some(st.sender)), io);
        }
        if st.seq > self.executed() {
            self.behind(now, st.seq, Some(st.sender));
        }
        let level = self.level();
        if !status.changing && (st.view > level.view || st.view == level.view && level.changing) {
            self.want(now, Want::NewView(st.view), self.peers_from(Some(st.sender)), io);
        }
    }
}
