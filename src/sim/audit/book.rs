//! The chain that an audit reads, and whether it may be believed: it is built anew from its proposals, every block must be
//! the one that a quorum committed, and no honest gateway may hold another.

use crate::entities::actor::{ActorId, Role};
use crate::entities::packet::parse_sigma;
use crate::entities::{Bench, Entity};
use crate::ledger::{Chain, Seq, Sigma};
use crate::pbft::certificate::CommitCertificate;
use crate::pbft::{Config, Replica};
use crate::sim::memo::Memo;
use crate::sim::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The chain of one gateway and the certificates by which its slots were decided.
#[derive(Clone, Debug)]
pub struct Book {
    /// Whose it is.
    pub keeper: ActorId,
    pub chain: Chain,
    pub certificates: BTreeMap<Seq, Arc<CommitCertificate>>,
    config: Arc<Config>,
}

/// What holds of a book, and what does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    pub keeper: ActorId,
    pub blocks: u64,
    /// Blocks whose certificate is still there, and valid.
    pub certified: u64,
    /// Signatures of each certificate.
    pub quorum: u16,
    pub problems: Vec<String>,
}

fn honest(world: &World) -> impl Iterator<Item = (ActorId, &Replica)> {
    let gateways = (0..world.setup().n).map(|index| ActorId::new(Role::Css, index));
    gateways.filter(|css| !world.faulty().contains(css)).filter_map(|who| match world.entity(who)? {
        Entity::Css(css) => Some((who, css.replica()?)),
        _ => None,
    })
}

impl Book {
    /// The tallest chain of a gateway that never lied.
    pub fn of(world: &World) -> Option<Self> {
        let (keeper, replica) = honest(world).max_by_key(|(_, replica)| replica.chain().height())?;
        let chain = replica.chain().clone();
        let heights = (chain.base().0 + 1..=chain.height().0).map(Seq);
        let certificates = heights.filter_map(|h| Some((h, replica.certificate(h)?.clone()))).collect();
        Some(Book { keeper, chain, certificates, config: replica.config().clone() })
    }

    /// Looks at all of it, as who has nothing but genesis.
    pub fn proof(&self, world: &World) -> Proof {
        let (base, top) = (self.chain.base().0, self.chain.height().0);
        let mut problems = Vec::new();
        if let Err((height, fault)) = self.chain.verify(base..=top) {
            problems.push(format!("block {} does not hold: {}", height.0, fault.text()));
        } else if let Some(height) = self.other_than_applied(world) {
            problems.push(format!("block {height} is not what its proposal makes of the one before"));
        }
        let mut certified = 0;
        for height in base + 1..=top {
            match self.certified(world, Seq(height)) {
                Ok(true) => certified += 1,
                Ok(false) => {}
                Err(why) => problems.push(format!("block {height} {why}")),
            }
        }
        for (who, replica) in honest(world) {
            let differs = |height: &u64| {
                let (mine, other) = (self.chain.digest(Seq(*height)), replica.chain().digest(Seq(*height)));
                mine.zip(other).is_some_and(|(mine, other)| mine != other)
            };
            if let Some(height) = (base..=top).find(differs) {
                problems.push(format!("{who} holds another block {height}"));
            }
        }
        Proof { keeper: self.keeper, blocks: top - base, certified, quorum: self.config.quorum.strong(), problems }
    }

    /// The first block that comes out otherwise when all proposals are applied from genesis on.
    fn other_than_applied(&self, world: &World) -> Option<u64> {
        let genesis = self.chain.header(Seq(0))?;
        let mut anew = Chain::new(self.chain.policy().clone(), genesis.network_id, genesis.time);
        if anew.head_digest() != self.chain.digest(Seq(0))? || genesis.network_id != self.config.network_id {
            return Some(0);
        }
        for block in self.chain.range(1..=self.chain.height().0) {
            let named_well = |tx: &Arc<Sigma>| parse_sigma(world.params(), tx.bytes()).is_some_and(|read| read == **tx);
            let named = block.proposal.iter().flat_map(|proposal| &proposal.txs).all(named_well);
            let applied = anew.append(block.proposal.as_ref());
            if !named || applied.header != block.header {
                return Some(block.header.height.0);
            }
        }
        None
    }

    /// Whether the certificate of a block is there.
    ///
    /// # Errors
    /// What is wrong with it.
    fn certified(&self, world: &World, height: Seq) -> Result<bool, &'static str> {
        let Some(cert) = self.certificates.get(&height) else { return Ok(false) };
        let header = self.chain.header(height).ok_or("is missing")?;
        if (cert.seq, cert.digest) != (height, header.proposal) {
            return Err("is not the one that was committed");
        }
        let gateways = world.gateways();
        let mut memo = Memo::off();
        let mut bench = Bench::new(world.params(), gateways, &mut memo).of(world.setup().crypto);
        if cert.valid(&self.config, &mut bench) { Ok(true) } else { Err("has a certificate that is not valid") }
    }
}
