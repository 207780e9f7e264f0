//! The chain as somebody outside the gateways keeps it (CONSENSUS.md §3.12): published blocks, checked and applied again, and
//! SEALs, which show that one is missing. What is missing is asked for; an answer proves itself, so anybody may give it.
//!
//! KGC, CSCs and piles follow in full. SEALs go to the KGC only. The others miss a block when a later one comes, or when a σ
//! that they wait for does not come ([`super::unstored`]).

use super::actor::{ActorId, Role};
use super::fact::{FactKind, Rule};
use super::io::{Io, TimerId};
use super::packet::Packet;
use crate::ledger::{Chain, Digest, Micros, Seq};
use crate::pbft::light::Heard;
use crate::pbft::message::Publish;
use crate::pbft::{self, Config, Follower, LightFollower, Message, NodeId, Signed};
use std::sync::Arc;

/// Patience doubles with each question, so often at most.
const MOST_DOUBLINGS: u32 = 6;

#[derive(Clone, Debug)]
pub struct ChainCopy {
    follower: Follower,
    light: LightFollower,
    patience: Micros,
    gateways: u16,
    /// A block is missing and the timer is set; questions asked since.
    waits: Option<u32>,
    /// Questions asked for want of a σ.
    missed: u32,
}

impl ChainCopy {
    pub fn new(config: &Arc<Config>) -> Self {
        ChainCopy {
            follower: Follower::new(config.clone()),
            light: LightFollower::new(config.clone()),
            patience: config.fetch_timeout,
            gateways: config.quorum.n(),
            waits: None,
            missed: 0,
        }
    }

    pub fn chain(&self) -> &Chain {
        self.follower.chain()
    }

    /// Highest height whose header is settled, by its block or by f+1 SEALs, with that header's digest; none before the
    /// first.
    pub fn sealed(&self) -> Option<(Seq, Digest)> {
        let height = self.light.height();
        Some((height, self.light.digest(height)?))
    }

    /// A message of agreement from somebody; whatever is not for followers is ignored. True if the chain has grown.
    pub fn hear(&mut self, from: Option<ActorId>, msg: &Message, io: &mut Io<'_, '_>) -> bool {
        let before = self.chain().height();
        match msg {
            Message::Publish(publish) => self.take(publish, from, io),
            Message::Blocks(blocks) => blocks.iter().for_each(|publish| self.take(publish, from, io)),
            Message::Seal(signed) if signed.statement.seq > self.chain().height() => self.on_seal(signed, io),
            _ => return false,
        }
        match (self.missing(), self.waits) {
            (true, None) => {
                self.waits = Some(0);
                io.timer(TimerId::Chain, self.patience);
            }
            (false, Some(_)) => {
                self.waits = None;
                io.cancel(TimerId::Chain);
            }
            _ => {}
        }
        self.chain().height() > before
    }

    fn take(&mut self, publish: &Publish, from: Option<ActorId>, io: &mut Io<'_, '_>) {
        io.follow(&mut self.follower, publish, from);
        let chain = self.follower.chain();
        self.light.settle(chain.height(), chain.head_digest());
    }

    fn on_seal(&mut self, signed: &Signed, io: &mut Io<'_, '_>) {
        if let Heard::Convicts(evidence) = self.light.on_seal(signed, io.bench) {
            let (culprit, class) = (ActorId::new(Role::Css, evidence.accused().0), evidence.class());
            io.ruled(FactKind::Evidence { culprit, class }, Rule::Agreement(pbft::Rule::Ev1));
        }
    }

    /// A block that f+1 gateways sealed, or one before those at hand, has not come.
    fn missing(&self) -> bool {
        self.light.height() > self.chain().height() || self.follower.gap()
    }

    /// Asks one gateway for the next blocks; the one after it the next time.
    fn ask(&self, asked: u32, io: &mut Io<'_, '_>) {
        let sealers: Vec<u16> = self.light.sealers(self.light.height()).map(|who| who.0).collect();
        let all: Vec<u16> = if sealers.is_empty() { (0..self.gateways).collect() } else { sealers };
        if let Some(to) = all.get(asked as usize % all.len()) {
            let from = Seq(self.chain().height().0 + 1);
            io.send(NodeId(*to), Packet::Ask { from });
        }
    }

    /// A σ that must be in some block by now is in none that is known here.
    pub fn miss(&mut self, io: &mut Io<'_, '_>) {
        self.ask(self.missed, io);
        self.missed = self.missed.saturating_add(1);
    }

    /// Asks the next of those who must have it.
    pub fn on_timer(&mut self, io: &mut Io<'_, '_>) {
        let Some(asked) = self.waits.filter(|_| self.missing()) else {
            self.waits = None;
            return;
        };
        self.ask(asked, io);
        self.waits = Some(asked.saturating_add(1));
        io.timer(TimerId::Chain, Micros(self.patience.0 << (asked + 1).min(MOST_DOUBLINGS)));
    }
}
