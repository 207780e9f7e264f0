//! A full follower of the consortium chain: KGC, CSC, CP or an auditor (CONSENSUS.md §3.12).
//!
//! It takes a published block from anybody, checks the certificate of its proposal and re-applies it. It never votes.

use super::certificate::CommitCertificate;
use super::config::Config;
use super::io::{Io, Output};
use super::message::Publish;
use super::proposal;
use super::rule::{About, Reason, Rule};
use crate::ledger::proposal::null_digest;
use crate::ledger::{Chain, Seq};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Blocks kept while an earlier one is missing.
const AHEAD: usize = 64;

/// The chain as somebody outside the gateways sees it.
#[derive(Clone, Debug)]
pub struct Follower {
    cfg: Arc<Config>,
    chain: Arc<Chain>,
    certs: BTreeMap<Seq, Arc<CommitCertificate>>,
    ahead: BTreeMap<Seq, Publish>,
}

impl Follower {
    pub fn new(cfg: Arc<Config>) -> Self {
        let chain = Arc::new(Chain::new(cfg.policy.clone(), cfg.network_id, cfg.genesis_time));
        Follower { cfg, chain, certs: BTreeMap::new(), ahead: BTreeMap::new() }
    }

    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Blocks are at hand that an earlier one is missing for.
    pub fn gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The certificate by which a block was accepted.
    pub fn certificate(&self, height: Seq) -> Option<&Arc<CommitCertificate>> {
        self.certs.get(&height)
    }

    /// certificate, root and re-applied header must agree; each accepted block gives an `Execute`.
    pub fn on_publish(&mut self, publish: &Publish, io: &mut Io<'_>) {
        let cert = &publish.cert;
        let seq = cert.seq;
        let about = About::Slot { view: cert.view, seq, digest: cert.digest };
        if seq <= self.chain.height() || self.ahead.contains_key(&seq) {
            return io.reject(Rule::X2, Reason::Duplicate, about);
        }
        if let Err((rule, reason)) = self.check(publish, io) {
            return io.reject(rule, reason, about);
        }
        if seq.0 > self.chain.height().0 + 1 {
            if self.ahead.len() < AHEAD {
                self.ahead.insert(seq, publish.clone());
                return io.hold(Rule::X1, Reason::OutOfOrder, about);
            }
            return io.reject(Rule::X1, Reason::OutOfOrder, about);
        }
        self.append(publish, io);
        while let Some(next) = self.ahead.remove(&Seq(self.chain.height().0 + 1)) {
            self.append(&next, io);
        }
    }

    fn check(&self, publish: &Publish, io: &mut Io<'_>) -> Result<(), (Rule, Reason)> {
        let (block, cert) = (&publish.block, &publish.cert);
        match &block.proposal {
            Some(p) => proposal::check_body(&self.cfg, p, cert.seq, &cert.digest)?,
            None if cert.digest == null_digest() => {}
            None => return Err((Rule::X2, Reason::BodyMissing)),
        }
        if !cert.valid(&self.cfg, io.verify) {
            return Err((Rule::X2, Reason::BadCertificate));
        }
        Ok(())
    }

    fn append(&mut self, publish: &Publish, io: &mut Io<'_>) {
        let cert = &publish.cert;
        let about = About::Slot { view: cert.view, seq: cert.seq, digest: cert.digest };
        let proposal = publish.block.proposal.as_ref();
        if self.chain.preview(proposal).header != publish.block.header {
            return io.reject(Rule::X2, Reason::BadHeader, about);
        }
        let block = Arc::make_mut(&mut self.chain).append(proposal);
        self.certs.insert(cert.seq, cert.clone());
        io.accept(Rule::X2, about);
        io.out.push(Output::Execute { seq: cert.seq, digest: cert.digest, block, cert: cert.clone() });
    }
}
