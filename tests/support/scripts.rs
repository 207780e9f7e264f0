//! Correctly signed certificates, VIEW-CHANGEs and NEW-VIEWs of view 0 and 1 at n = 4, for scripted histories.

use super::*;
use voltcast::pbft::certificate::{Prepared, StableProof};
use voltcast::pbft::message::{Fixed, NewView, ViewChange};

pub fn commit_sig(cfg: &Config, who: u16, seq: u64, digest: Digest) -> (ReplicaId, Sig) {
    (ReplicaId(who), statement(cfg, Kind::Commit, who, 0, seq, digest, Digest::ZERO).sig)
}

pub fn prepared(cfg: &Config, seq: u64, digest: Digest) -> Prepared {
    let sig = |kind, who| statement(cfg, kind, who, 0, seq, digest, Digest::ZERO).sig;
    Prepared {
        view: View(0),
        seq: Seq(seq),
        digest,
        just: Digest::ZERO,
        pp_sig: sig(Kind::PrePrepare, 0),
        prepares: [2, 3].map(|w| (ReplicaId(w), sig(Kind::Prepare, w))).to_vec(),
    }
}

pub fn view_change(cfg: &Config, sender: u16, target: u64, p: Vec<Prepared>) -> ViewChange {
    let stable = StableProof::genesis(cfg);
    let p: Vec<Arc<Prepared>> = p.into_iter().map(Arc::new).collect();
    let digest = ViewChange::content_digest(&stable, &p);
    ViewChange { signed: statement(cfg, Kind::ViewChange, sender, target, 0, digest, Digest::ZERO), stable, p }
}

/// NEW-VIEW for view 1 over these view changes with this selection, correctly signed by gateway 1.
pub fn new_view(cfg: &Config, v_set: Vec<ViewChange>, o: &[(u64, Digest)]) -> NewView {
    let v_set: Vec<Arc<ViewChange>> = v_set.into_iter().map(Arc::new).collect();
    let content = NewView::content_digest(View(1), &v_set, o.iter().map(|(s, d)| (Seq(*s), d)));
    let fixed = |(seq, digest): &(u64, Digest)| {
        let pp_sig = statement(cfg, Kind::PrePrepare, 1, 1, *seq, *digest, content).sig;
        Fixed { seq: Seq(*seq), digest: *digest, pp_sig }
    };
    let o = o.iter().map(fixed).collect();
    NewView { signed: statement(cfg, Kind::NewView, 1, 1, 0, content, Digest::ZERO), v_set, o }
}
