//! The safety module on its own (SF-1 to SF-9) and the order of records.

use crate::support::*;
use crate::view_changes::*;
use crate::*;
use std::sync::Arc;
use voltcast::ledger::Seq;
use voltcast::pbft::certificate::StableProof;
use voltcast::pbft::safety::{Refusal, Safety, Window};

const WINDOW: Window = Window { low: Seq(0), high: Seq(32), executed: Seq(0) };

fn safety(me: u16) -> Safety {
    Safety::new(config(4), ReplicaId(me), Arc::new(StubSigner))
}

fn refusal<T>(result: Result<T, Refusal>) -> Option<Rule> {
    let refused = result.err()?;
    note(refused.0, &Outcome::Reject(Reason::Refused(refused.number())));
    Some(refused.0)
}

#[test]
pub fn sf1_to_sf9_refuse_to_sign() {
    let cfg = config(4);
    let mut out = vec![];
    let io = &mut Io { verify: &mut StubVerifier, out: &mut out };
    let (a, b) = (Digest([1; 32]), Digest([2; 32]));
    let mut backup = safety(2);
    assert_eq!(refusal(backup.prepare(Seq(33), a, WINDOW, io)), Some(Rule::Sf5));
    assert_eq!(refusal(backup.pre_prepare(Seq(1), a, WINDOW, io)), Some(Rule::Sf3));
    assert_eq!(refusal(safety(0).prepare(Seq(1), a, WINDOW, io)), Some(Rule::Sf3));
    let first = backup.prepare(Seq(1), a, WINDOW, io).unwrap();
    assert_eq!(backup.prepare(Seq(1), a, WINDOW, io), Ok(first), "the same bytes again");
    assert_eq!(refusal(backup.prepare(Seq(1), b, WINDOW, io)), Some(Rule::Sf2));
    assert_eq!(refusal(backup.commit(&Arc::new(prepared(&cfg, 1, b)), WINDOW, io)), Some(Rule::Sf2), "across kinds");
    let mut thin = prepared(&cfg, 1, a);
    thin.prepares.pop();
    assert_eq!(refusal(backup.commit(&Arc::new(thin), WINDOW, io)), Some(Rule::Sf4));
    assert_eq!(refusal(backup.seal(Seq(1), a)), None);
    assert_eq!(refusal(backup.seal(Seq(1), b)), Some(Rule::Sf8));
    assert_eq!(refusal(backup.view_change(View(0), StableProof::genesis(&cfg), vec![], io)), Some(Rule::Sf6));
    assert_eq!(refusal(backup.checkpoint(Seq(16), a, io)), None);
    assert_eq!(refusal(backup.checkpoint(Seq(16), a, io)), None, "the same again");
    assert_eq!(refusal(backup.checkpoint(Seq(16), b, io)), Some(Rule::Sf8));
    let behind = Window { low: Seq(16), high: Seq(48), executed: Seq(3) };
    assert_eq!(refusal(backup.prepare(Seq(17), a, behind, io)), Some(Rule::Sf9));
    backup.view_change(View(2), StableProof::genesis(&cfg), vec![], io).unwrap();
    assert_eq!(refusal(backup.view_change(View(2), StableProof::genesis(&cfg), vec![], io)), Some(Rule::Sf6));
    assert_eq!(refusal(backup.prepare(Seq(2), a, WINDOW, io)), Some(Rule::Sf1), "left the view");
    assert_eq!(refusal(backup.new_view(vec![], io)), Some(Rule::Sf7), "no quorum");
    assert_eq!(refusal(safety(2).new_view(vec![], io)), Some(Rule::Sf7), "not changing");
}

#[test]
pub fn records_precede_what_they_protect() {
    let mut replica = Replica::new(config(4), ReplicaId(1), Arc::new(StubSigner));
    let cfg = replica.config().clone();
    let p = proposal(&cfg, 1, vec![sigma(1)]);
    let mut out = vec![];
    for msg in [pre_prepare(&cfg, 0, &p), vote(&cfg, Kind::Prepare, 2, 1, p.digest())] {
        let envelope = Envelope { from: NodeId(0), to: NodeId(1), msg: Arc::new(msg) };
        let io = &mut Io { verify: &mut StubVerifier, out: &mut out };
        replica.step(voltcast::ledger::Micros(0), Input::Deliver(envelope), io);
    }
    let at = |wanted: &dyn Fn(&Output) -> bool| out.iter().position(wanted).unwrap();
    let body = at(&|o| matches!(o, Output::Persist(Record::Body { .. })));
    let vote = at(&|o| matches!(o, Output::Persist(Record::Vote { kind: Kind::Prepare, .. })));
    let prepare = at(&|o| matches!(o, Output::Broadcast(m) if m.name() == "PREPARE"));
    let cert = at(&|o| matches!(o, Output::Persist(Record::Prepared(_))));
    let own = at(&|o| matches!(o, Output::Persist(Record::Vote { kind: Kind::Commit, .. })));
    let commit = at(&|o| matches!(o, Output::Broadcast(m) if m.name() == "COMMIT"));
    assert!(body < vote && vote < prepare && prepare < cert && cert < own && own < commit);
}
