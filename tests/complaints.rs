//! A car complains about its entry of a stored ciphertext, and every gateway judges it from its own chain (CLMMSC.md
//! §11.3).
#![cfg(not(target_arch = "wasm32"))]

use voltcast::entities::actor::{ActorId, Role};
use voltcast::entities::fact::FactKind;
use voltcast::sim::export;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::state::{self, State};
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Kind, PacketTag};

fn play(actions: &[&str]) -> (Timelines, State) {
    let scenario = Scenario::preset("day4").unwrap();
    let info = export::info(&scenario, "test");
    let actions = actions.iter().map(|text| Intervention::parse(text).unwrap()).collect();
    let mut run = Timelines::open_headless(scenario, actions).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    let trace = run.trace(BranchId(0));
    let state = state::state(&info, trace, trace.len());
    assert_eq!(state.violations, []);
    (run, state)
}

fn judges(state: &State) -> Vec<String> {
    assert_eq!(state.complaints.len(), 1, "all gateways find the same: {:?}", state.complaints);
    state.complaints[0].judges.iter().map(|css| css.to_string()).collect()
}

fn ev(number: u16) -> ActorId {
    ActorId::new(Role::Ev, number - 1)
}

#[test]
fn an_unfounded_complaint_opens_the_entry_and_names_the_sender() {
    let (_, state) = play(&["60s~complain~ev2"]);
    let mut judges = judges(&state);
    judges.sort();
    assert_eq!(judges, ["css1", "css2", "css3", "css4"]);
    let complaint = &state.complaints[0];
    assert_eq!((complaint.ev, &complaint.error), (Some(ev(2)), &None));
    assert_eq!(complaint.sender, Some(ActorId::new(Role::Csc, 0)));
}

#[test]
fn a_car_that_was_not_addressed_is_told_so() {
    let (_, state) = play(&["60s~complain~ev4"]);
    assert_eq!(judges(&state).len(), 4);
    assert_eq!(state.complaints[0].error.as_deref(), Some("NotAReceiver"));
    assert_eq!(state.complaints[0].sender, None);
}

#[test]
fn an_entry_that_nobody_can_open_is_seen_by_everybody() {
    let (_, state) = play(&["0s~behave~csc1~csc_garbage_entry"]);
    let opened: Vec<_> = state.opened.iter().filter(|o| o.ok).filter_map(|o| o.ev).collect();
    let cheated: Vec<ActorId> = [ev(1), ev(2), ev(3)].into_iter().filter(|car| !opened.contains(car)).collect();
    assert_eq!((opened.len(), cheated.len()), (2, 1), "exactly one pile cannot open its entry");

    let complaint = format!("60s~complain~{}", cheated[0]);
    let (_, state) = play(&["0s~behave~csc1~csc_garbage_entry", &complaint]);
    assert_eq!(judges(&state).len(), 4);
    assert_eq!(
        (state.complaints[0].ev, state.complaints[0].error.as_deref()),
        (Some(cheated[0]), Some("NotAReceiver"))
    );
}

#[test]
fn a_complaint_altered_on_its_way_convinces_nobody() {
    let (run, _) = play(&["60s~complain~ev2"]);
    let sent = run.trace(BranchId(0)).effects().iter().find_map(|e| match &e.kind {
        Kind::Sent { packet, .. } if packet.tag == PacketTag::Complaint => Some(e.id.0),
        _ => None,
    });
    let sent = sent.expect("a complaint is sent");
    // After σ_id: four letters, the record with X at 42, Z, c, s.
    for (byte, error) in [(32, "Magic"), (32 + 4 + 50, "PointEncoding"), (32 + 4 + 106 + 32 + 1, "Dleq")] {
        let (_, state) = play(&["60s~complain~ev2", &format!("e{sent}~flip~e{sent}~{byte}~0")]);
        assert_eq!(state.complaints, []);
        let refusals: Vec<_> = state.refused.iter().filter(|r| r.check == "C1").collect();
        assert_eq!(refusals.len(), 1, "byte {byte}: only the first gateway hears of it");
        assert_eq!(refusals[0].error, error, "byte {byte}");
    }
}

#[test]
fn a_complaint_before_the_block_or_before_any_ciphertext_has_no_effect() {
    let (run, state) = play(&["1s~complain~ev2"]);
    assert_eq!(state.complaints, []);
    let said = run.trace(BranchId(0)).effects().iter().any(|e| match &e.kind {
        Kind::Intervened { text, .. } => text.contains("without effect") && text.contains("no ciphertext"),
        _ => false,
    });
    assert!(said);

    // Right after its key is released σ is on its way into a block, but not there yet.
    let released = run.trace(BranchId(0)).effects().iter().find_map(|e| match (&e.kind, e.actor) {
        (Kind::Fact(FactKind::KeyReleased { .. }), Some(actor)) if actor == ev(2) => Some(e.id.0),
        _ => None,
    });
    let (_, state) = play(&[&format!("e{}~complain~ev2", released.unwrap())]);
    assert!(state.refused.iter().any(|r| r.check == "EN-9"), "the gateway has no such block yet");
    assert_eq!(state.complaints, []);
}

#[test]
fn the_kgc_proves_who_asked_for_a_ticket() {
    let (run, state) = play(&["60s~open_ticket~kgc1"]);
    let judged: Vec<_> = run
        .trace(BranchId(0))
        .effects()
        .iter()
        .filter_map(|e| match (&e.kind, e.actor) {
            (Kind::Fact(FactKind::ClaimJudged { owner, error, .. }), Some(css)) => Some((css, *owner, error.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(judged.len(), 4);
    assert!(judged.iter().all(|(_, owner, error)| *owner == ActorId::new(Role::Csc, 0) && error.is_none()));
    assert_eq!(state.refused, []);
}

#[test]
fn a_claim_against_another_user_or_with_an_altered_request_is_void() {
    let (run, _) = play(&["60s~open_ticket~kgc1"]);
    let sent = run.trace(BranchId(0)).effects().iter().find_map(|e| match &e.kind {
        Kind::Sent { packet, .. } if packet.tag == PacketTag::Claim => Some(e.id.0),
        _ => None,
    });
    let sent = sent.expect("a claim is sent");
    // Ticket, uid, signature, then the request: letters, kind, class, role, zero, uid, validity, count, keys.
    let (uid, signature, request) = (106, 106 + 8, 106 + 8 + 64);
    for (byte, bit, error) in [
        (uid, 1, "Unpinned"),
        (signature + 40, 0, "Signature"),
        (request, 0, "RecordMismatch"),
        (request + 5, 0, "RecordMismatch"),
        (request + 16, 0, "RecordMismatch"),
    ] {
        let (run, _) = play(&["60s~open_ticket~kgc1", &format!("e{sent}~flip~e{sent}~{byte}~{bit}")]);
        let void: Vec<_> = run
            .trace(BranchId(0))
            .effects()
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Fact(FactKind::ClaimJudged { error: Some(error), .. }) => Some(error.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(void, [error], "byte {byte}");
    }
}
