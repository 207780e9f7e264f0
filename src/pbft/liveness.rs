//! When patience ends: deadlines, back-off, retransmission, rotation (CONSENSUS.md §3.9, §3.10; OSDI'99 §4.4, §4.5.2).
//!
//! Nothing here can make an execution unsafe: it only decides when to ask for the next view and when to say what one has.

use super::io::{Io, Output, Timer};
use super::message::{Message, Status};
use super::replica::Replica;
use super::rule::{About, Rule};
use super::types::View;
use crate::ledger::codec::Writer;
use crate::ledger::{Micros, Seq};
use crate::mutants::mutant;
use std::collections::BTreeMap;

/// Timers that are set, and what their patience was measured from.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    pub(super) timers: BTreeMap<Timer, Micros>,
    /// Executed when Resend was set.
    resend_from: Seq,
    /// Rounds of status gossip.
    round: u64,
    /// Executed when the current view was entered.
    pub(super) entered_at: Seq,
}

impl Liveness {
    pub(super) fn write_digest_of(&self, w: &mut Writer) {
        for (timer, at) in &self.timers {
            w.u8(*timer as u8).u64(at.0);
        }
        w.u64(self.resend_from.0).u64(self.round).u64(self.entered_at.0);
    }
}

impl Replica {
    /// OSDI'99 §4.5.2: doubles with every view without progress, up to a cap. It depends on views only, so replicas that
    /// were pulled along wait as long as those that timed out.
    pub(super) fn timeout(&self) -> Micros {
        let since = if mutant!("local-attempts") { self.awaited } else { self.progress_view };
        let attempts = if mutant!("no-backoff") { 0 } else { self.level().view.0.saturating_sub(since.0) };
        let doublings = attempts.saturating_sub(1).min(u64::from(self.cfg.backoff_cap.min(32)));
        Micros(self.cfg.t0.0.saturating_mul(1 << doublings))
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.live.timers.contains_key(&timer)
    }

    /// Sets a timer to fire at `at`; says so only if that changes anything.
    pub(super) fn set(&mut self, timer: Timer, at: Micros, now: Micros, io: &mut Io<'_>) {
        if self.live.timers.insert(timer, at) != Some(at) {
            io.out.push(Output::SetTimer { timer, after: Micros(at.0.saturating_sub(now.0)) });
        }
    }

    pub(super) fn cancel(&mut self, timer: Timer, io: &mut Io<'_>) {
        if self.live.timers.remove(&timer).is_some() {
            io.out.push(Output::CancelTimer(timer));
        }
    }

    /// Progress, Relay, Fetch and Resend follow from the obligations of the moment; the other timers are set where they
    /// belong.
    pub(super) fn rearm(&mut self, now: Micros, io: &mut Io<'_>) {
        let fetch = [self.xfer.due(), self.ckpt.due()].into_iter().flatten().min();
        let due =
            [(Timer::Progress, self.earliest_deadline()), (Timer::Relay, self.earliest_relay()), (Timer::Fetch, fetch)];
        for (timer, at) in due {
            match at {
                Some(at) => self.set(timer, at.max(now), now, io),
                None => self.cancel(timer, io),
            }
        }
        match (self.waiting(), self.is_set(Timer::Resend)) {
            (true, false) => {
                self.live.resend_from = self.executed();
                self.set(Timer::Resend, Micros(now.0.saturating_add(self.cfg.resend.0)), now, io);
            }
            (false, true) => self.cancel(Timer::Resend, io),
            _ => {}
        }
    }

    /// Something is expected from others.
    fn waiting(&self) -> bool {
        let next = Seq(self.executed().0 + 1);
        !self.normal()
            || !self.pool.is_empty()
            || self.xfer.busy()
            || self.executed() < self.low()
            || self.log.slots.range(next..).any(|(_, slot)| slot.touched())
    }

    /// The primary of the current view has no deadlines: if it cannot proceed, those of its backups pass.
    pub(super) fn earliest_deadline(&self) -> Option<Micros> {
        if !self.normal() || self.is_primary() {
            return None;
        }
        let items = self.pool.active().filter_map(|item| item.deadline);
        items.chain(self.log.open(self.executed()).map(|(_, _, pp)| pp.deadline)).min()
    }

    pub(super) fn earliest_relay(&self) -> Option<Micros> {
        let waiting = self.pool.active().filter(|item| !item.relayed);
        waiting.map(|item| Micros(item.clock.0.saturating_add(self.cfg.relay_after.0))).min()
    }

    /// TM-1: a request or slot was not served in time.
    pub(super) fn on_progress(&mut self, now: Micros, io: &mut Io<'_>) {
        self.drop_expired(now, io);
        if self.earliest_deadline().is_some_and(|at| at <= now) {
            io.note(Rule::Tm1, About::View(self.level().view));
            self.start_view_change(now, View(self.level().view.0 + 1), io);
        }
    }

    /// TM-2: the primary of the view asked for did not open it in time.
    pub(super) fn on_new_view_timer(&mut self, now: Micros, io: &mut Io<'_>) {
        if self.level().changing {
            io.note(Rule::Tm2, About::View(self.level().view));
            self.start_view_change(now, View(self.level().view.0 + 1), io);
        }
    }

    /// TM-4: after its share of blocks a primary is replaced by appointment.
    pub(super) fn rotate(&mut self, now: Micros, io: &mut Io<'_>) {
        let led = self.executed().0.saturating_sub(self.live.entered_at.0);
        if self.cfg.rotate_every > 0 && led >= self.cfg.rotate_every && self.normal() && !self.is_primary() {
            io.note(Rule::Tm4, About::View(self.level().view));
            self.start_view_change(now, View(self.level().view.0 + 1), io);
        }
    }

    /// Nothing came for a while: everybody hears what we have, and sends what we lack.
    pub(super) fn on_resend(&mut self, io: &mut Io<'_>) {
        if !self.waiting() || self.executed() != self.live.resend_from {
            return;
        }
        let status = self.status();
        io.broadcast(Message::Status(status));
        if let Some(vc) = self.vcs.get(&self.me).filter(|vc| !self.normal() && vc.target() == self.level().view) {
            io.broadcast(Message::ViewChange(vc.clone()));
        }
    }

    /// Gossip with one peer after the other.
    pub(super) fn on_status_timer(&mut self, now: Micros, io: &mut Io<'_>) {
        let peers = self.peers_from(None);
        let turn = usize::try_from(self.live.round % peers.len().max(1) as u64).unwrap_or(0);
        self.live.round += 1;
        if let Some(peer) = peers.get(turn) {
            let status = self.status();
            io.send(Self::node(*peer), Message::Status(status));
        }
        self.schedule_status(now, io);
    }

    pub(super) fn schedule_status(&mut self, now: Micros, io: &mut Io<'_>) {
        if self.cfg.status_every.0 > 0 {
            self.set(Timer::Status, Micros(now.0.saturating_add(self.cfg.status_every.0)), now, io);
        }
    }

    /// What we have, slot by slot.
    pub(super) fn status(&self) -> Status {
        let low = self.low();
        let len = usize::try_from(self.cfg.l.div_ceil(8)).unwrap_or(0);
        let mut has = [vec![0u8; len], vec![0u8; len], vec![0u8; len]];
        let view = self.level().view;
        for (seq, slot) in &self.log.slots {
            let bits = [
                slot.pp.is_some() && slot.complete(),
                slot.prepared.as_ref().is_some_and(|cert| cert.view == view),
                slot.committed.is_some() || *seq <= self.executed(),
            ];
            let at = seq.0 - low.0 - 1;
            for (map, _) in has.iter_mut().zip(bits).filter(|(_, bit)| *bit) {
                if let Some(byte) = usize::try_from(at / 8).ok().and_then(|i| map.get_mut(i)) {
                    *byte |= 1 << (at % 8);
                }
            }
        }
        self.safety.status(self.executed(), low, has)
    }
}
