//! Bytes of messages and certificates (CONSENSUS.md §2.2): strict both ways, rule ENV-1.

use super::certificate::{CommitCertificate, Prepared, Signatures, Snapshot, StableProof};
use super::evidence::Evidence;
use super::message::{
    DataSet, Fetch, Fixed, Kind, Message, NewView, Publish, STATEMENT_TAG, Signed, Statement, Status, ViewChange, Want,
};
use super::types::{ReplicaId, Sig, View};
use crate::ledger::codec::{Decoded, Malformed, ParseSigma, Reader, Writer};
use crate::ledger::state::Nullifiers;
use crate::ledger::{Block, BlockHeader, Proposal};
use std::sync::Arc;

fn write_signatures(w: &mut Writer, sigs: &Signatures) {
    w.list(sigs, |w, (who, sig)| {
        w.u16(who.0).raw(&sig.0);
    });
}

/// Sorted and free of repetitions, as certificates must be.
fn read_signatures(r: &mut Reader<'_>) -> Decoded<Signatures> {
    let sigs = r.list(66, |r| Ok((ReplicaId(r.u16()?), Sig(r.array()?))))?;
    if sigs.is_sorted_by(|a, b| a.0 < b.0) { Ok(sigs) } else { Err(Malformed) }
}

impl Prepared {
    pub fn write(&self, w: &mut Writer) {
        w.u64(self.view.0).u64(self.seq.0).digest(&self.digest).digest(&self.just).raw(&self.pp_sig.0);
        write_signatures(w, &self.prepares);
    }

    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Prepared {
            view: View(r.u64()?),
            seq: r.seq()?,
            digest: r.digest()?,
            just: r.digest()?,
            pp_sig: Sig(r.array()?),
            prepares: read_signatures(r)?,
        })
    }
}

impl CommitCertificate {
    pub fn write(&self, w: &mut Writer) {
        w.u64(self.view.0).u64(self.seq.0).digest(&self.digest).digest(&self.just);
        write_signatures(w, &self.commits);
    }

    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(CommitCertificate {
            view: View(r.u64()?),
            seq: r.seq()?,
            digest: r.digest()?,
            just: r.digest()?,
            commits: read_signatures(r)?,
        })
    }
}

impl StableProof {
    pub fn write(&self, w: &mut Writer) {
        w.u64(self.seq.0).digest(&self.state_digest);
        write_signatures(w, &self.sigs);
    }

    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(StableProof { seq: r.seq()?, state_digest: r.digest()?, sigs: read_signatures(r)? })
    }
}

impl Snapshot {
    pub fn write(&self, w: &mut Writer) {
        self.proof.write(w);
        self.header.write(w);
        w.list(&self.live, |w, (epoch, nullifiers)| {
            w.u32(*epoch).list(nullifiers, |w, nullifier| {
                w.digest(nullifier);
            });
        });
    }

    /// Epochs ascend.
    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        let proof = StableProof::read(r)?;
        let header = BlockHeader::read(r)?;
        let live: Nullifiers = r.list(8, |r| Ok((r.u32()?, r.list(32, Reader::digest)?)))?;
        if live.is_sorted_by(|a, b| a.0 < b.0) { Ok(Snapshot { proof, header, live }) } else { Err(Malformed) }
    }
}

impl Want {
    pub(super) fn write(self, w: &mut Writer) {
        w.u8(self.code());
        match self {
            Want::Body { seq, digest } => w.u64(seq.0).digest(&digest),
            Want::Blocks { from, to } => w.u64(from.0).u64(to.0),
            Want::NewView(view) => w.u64(view.0),
            Want::Snapshot | Want::Stable => w,
        };
    }

    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(match r.u8()? {
            1 => Want::Body { seq: r.seq()?, digest: r.digest()? },
            2 => Want::Blocks { from: r.seq()?, to: r.seq()? },
            3 => Want::Snapshot,
            4 => Want::NewView(View(r.u64()?)),
            5 => Want::Stable,
            _ => return Err(Malformed),
        })
    }
}

impl Status {
    fn write(&self, w: &mut Writer) {
        self.signed.write(w);
        w.u8(u8::from(self.changing)).u64(self.low.0);
        for bits in &self.has {
            w.u32(bits.len() as u32).raw(bits);
        }
    }

    fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        let (signed, changing, low) = (Signed::read(r)?, r.flag()?, r.seq()?);
        let mut bits = || r.list(1, Reader::u8);
        Ok(Status { signed, changing, low, has: [bits()?, bits()?, bits()?] })
    }
}

impl Publish {
    fn write(&self, w: &mut Writer) {
        self.block.write(w);
        self.cert.write(w);
    }

    fn read(r: &mut Reader<'_>, parser: &dyn ParseSigma) -> Decoded<Self> {
        Ok(Publish { block: Arc::new(Block::read(r, parser)?), cert: Arc::new(CommitCertificate::read(r)?) })
    }
}

impl Signed {
    /// Statement and signature.
    const LEN: usize = Statement::LEN + 64;

    pub(super) fn write(&self, w: &mut Writer) {
        w.raw(&self.statement.bytes()).raw(&self.sig.0);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        if r.raw(STATEMENT_TAG.len())? != STATEMENT_TAG {
            return Err(Malformed);
        }
        let statement = Statement {
            network_id: r.digest()?,
            kind: Kind::from_code(r.u8()?).ok_or(Malformed)?,
            sender: ReplicaId(r.u16()?),
            view: View(r.u64()?),
            seq: r.seq()?,
            digest: r.digest()?,
            just: r.digest()?,
        };
        Ok(Signed { statement, sig: Sig(r.array()?) })
    }
}

impl ViewChange {
    pub fn write(&self, w: &mut Writer) {
        self.signed.write(w);
        self.stable.write(w);
        w.list(&self.p, |w, cert| cert.write(w));
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(ViewChange {
            signed: Signed::read(r)?,
            stable: StableProof::read(r)?,
            p: r.list(148, |r| Ok(Arc::new(Prepared::read(r)?)))?,
        })
    }
}

impl NewView {
    pub(super) fn write(&self, w: &mut Writer) {
        self.signed.write(w);
        w.list(&self.v_set, |w, vc| vc.write(w));
        w.list(&self.o, |w, fixed| {
            w.u64(fixed.seq.0).digest(&fixed.digest).raw(&fixed.pp_sig.0);
        });
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Decoded<Self> {
        Ok(NewView {
            signed: Signed::read(r)?,
            v_set: r.list(195, |r| Ok(Arc::new(ViewChange::read(r)?)))?,
            o: r.list(104, |r| Ok(Fixed { seq: r.seq()?, digest: r.digest()?, pp_sig: Sig(r.array()?) }))?,
        })
    }
}

impl Message {
    /// Canonical bytes: a tag, then the fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        if let Some((kind, _)) = self.signed() {
            w.u8(kind.code());
        }
        match self {
            Message::Ciphertext(sigma) => {
                w.u8(tag::CIPHERTEXT).sigma(sigma);
            }
            Message::DataSet(m) => {
                m.signed.write(&mut w);
                w.list(&m.items, |w, sigma| {
                    w.sigma(sigma);
                });
            }
            Message::PrePrepare(signed, proposal) => {
                signed.write(&mut w);
                proposal.write(&mut w);
            }
            Message::Prepare(s) | Message::Commit(s) | Message::Checkpoint(s) | Message::Seal(s) => s.write(&mut w),
            Message::Status(m) => m.write(&mut w),
            Message::ViewChange(m) => m.write(&mut w),
            Message::NewView(m) => m.write(&mut w),
            Message::Fetch(m) => {
                m.signed.write(&mut w);
                m.want.write(&mut w);
            }
            Message::Body(proposal) => {
                w.u8(tag::BODY);
                proposal.write(&mut w);
            }
            Message::Publish(m) => {
                w.u8(tag::PUBLISH);
                m.write(&mut w);
            }
            Message::Blocks(blocks) => {
                w.u8(tag::BLOCKS).list(blocks, |w, block| block.write(w));
            }
            Message::Snapshot(snapshot) => {
                w.u8(tag::SNAPSHOT);
                snapshot.write(&mut w);
            }
            Message::Stable(proof) => {
                w.u8(tag::STABLE);
                proof.write(&mut w);
            }
            Message::Evidence(evidence) => {
                w.u8(tag::EVIDENCE);
                evidence.write(&mut w);
            }
        }
        w.0
    }

    /// Length of the encoding; that of a bare vote is known beforehand.
    pub fn size(&self) -> usize {
        match self {
            Message::Prepare(_) | Message::Commit(_) | Message::Checkpoint(_) | Message::Seal(_) => 1 + Signed::LEN,
            _ => self.encode().len(),
        }
    }

    /// Inverse of [`Message::encode`]; ciphertexts are parsed by the scheme.
    ///
    /// # Errors
    /// Anything that `encode` would not have written.
    pub fn decode(bytes: &[u8], parser: &dyn ParseSigma) -> Decoded<Message> {
        let mut r = Reader::new(bytes);
        let message = Message::read(&mut r, parser)?;
        r.end()?;
        match message.signed() {
            Some((kind, signed)) if kind != signed.statement.kind => Err(Malformed),
            _ => Ok(message),
        }
    }

    fn read(r: &mut Reader<'_>, parser: &dyn ParseSigma) -> Decoded<Message> {
        let first = r.u8()?;
        Ok(match first {
            tag::CIPHERTEXT => Message::Ciphertext(r.sigma(parser)?),
            tag::BODY => Message::Body(Arc::new(Proposal::read(r, parser)?)),
            tag::PUBLISH => Message::Publish(Publish::read(r, parser)?),
            tag::BLOCKS => Message::Blocks(r.list(326, |r| Publish::read(r, parser))?),
            tag::SNAPSHOT => Message::Snapshot(Arc::new(Snapshot::read(r)?)),
            tag::STABLE => Message::Stable(Arc::new(StableProof::read(r)?)),
            tag::EVIDENCE => Message::Evidence(Arc::new(Evidence::read(r, parser)?)),
            _ => match Kind::from_code(first).ok_or(Malformed)? {
                Kind::PrePrepare => Message::PrePrepare(Signed::read(r)?, Arc::new(Proposal::read(r, parser)?)),
                Kind::Prepare => Message::Prepare(Signed::read(r)?),
                Kind::Commit => Message::Commit(Signed::read(r)?),
                Kind::Checkpoint => Message::Checkpoint(Signed::read(r)?),
                Kind::Status => Message::Status(Status::read(r)?),
                Kind::Seal => Message::Seal(Signed::read(r)?),
                Kind::ViewChange => Message::ViewChange(Arc::new(ViewChange::read(r)?)),
                Kind::NewView => Message::NewView(Arc::new(NewView::read(r)?)),
                Kind::DataSet => {
                    let signed = Signed::read(r)?;
                    Message::DataSet(DataSet { signed, items: r.list(4, |r| r.sigma(parser))? })
                }
                Kind::Fetch => Message::Fetch(Fetch { signed: Signed::read(r)?, want: Want::read(r)? }),
            },
        })
    }
}

/// First bytes of unsigned messages; signed ones start with their kind.
mod tag {
    pub const CIPHERTEXT: u8 = 0x80;
    pub const BODY: u8 = 0x81;
    pub const PUBLISH: u8 = 0x82;
    pub const EVIDENCE: u8 = 0x90;
    pub const BLOCKS: u8 = 0x83;
    pub const SNAPSHOT: u8 = 0x84;
    pub const STABLE: u8 = 0x85;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Digest, Seq};

    #[test]
    fn the_size_of_a_vote_is_that_of_its_encoding() {
        let (network_id, digest, just) = (Digest([1; 32]), Digest([2; 32]), Digest([3; 32]));
        let (sender, view, seq, sig) = (ReplicaId(3), View(7), Seq(9), Sig([4; 64]));
        for (kind, message) in [
            (Kind::Prepare, Message::Prepare as fn(Signed) -> Message),
            (Kind::Commit, Message::Commit),
            (Kind::Checkpoint, Message::Checkpoint),
            (Kind::Seal, Message::Seal),
        ] {
            let statement = Statement { network_id, kind, sender, view, seq, digest, just };
            let message = message(Signed { statement, sig });
            assert_eq!(message.size(), message.encode().len(), "{kind:?}");
        }
    }
}
