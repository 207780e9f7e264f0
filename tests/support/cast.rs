//! The stage on which each behaviour of the catalogue shows, shared by the tests that make actors lie.
#![allow(dead_code)] // each test binary uses its part

use std::collections::BTreeSet;
use voltcast::entities::actor::ActorId;
use voltcast::entities::fact::FactKind;
use voltcast::sim::adversary::BehaviourKind;
use voltcast::sim::intervention::Behave;
use voltcast::sim::network::RuleArgs;
use voltcast::sim::scenario::{Fault, FaultDo, Scenario};
use voltcast::sim::trace::{Effect, Kind};
use voltcast::sim::units::{Dur, Many, PacketName};

/// Three cars that come one after the other, so that there are several commands and blocks.
pub fn base() -> Scenario {
    let mut scenario = Scenario::preset("day4").unwrap();
    for (car, at) in scenario.fleet.ev.iter_mut().zip([2_000, 3_200, 4_400, 4_450]) {
        car.arrive = Dur::ms(at);
    }
    scenario.end = Dur::secs(9);
    scenario
}

/// No COMMIT arrives until then, so blocks prepare and views change.
fn without_commits(until: Dur) -> Fault {
    let packet = Many(vec![PacketName::parse("pbft.commit").unwrap()]);
    let rule = RuleArgs { packet, until: Some(until), ..RuleArgs::default() };
    Fault { at: Dur(0), action: FaultDo::Block(rule) }
}

/// The scenario in which a behaviour shows, and who follows it.
pub fn stage(kind: BehaviourKind) -> (Scenario, ActorId) {
    use BehaviourKind as B;
    let mut scenario = base();
    match kind {
        B::NewViewForgery | B::EquivocatingNewView | B::LyingViewChange => {
            scenario.fault.push(without_commits(Dur::ms(3_600)));
        }
        B::WithheldDataSet => {
            scenario.entities.areas = 1;
            scenario.station.area_cap_w.truncate(1);
        }
        B::BadCheckpoint => (scenario.gateways.checkpoint, scenario.gateways.pipeline) = (1, 2),
        B::CscBorrowedRecord => scenario.entities.csc = 2,
        B::CscOverCap => scenario.station.rating_w = 7_000,
        B::CpOldHeader => {
            scenario.fleet.ev[0].arrive = Dur::secs(40);
            scenario.end = Dur::secs(45);
        }
        B::CpFalseMeter => {
            scenario.fleet.ev.iter_mut().for_each(|car| car.depart = Dur::minutes(15));
            scenario.end = Dur::minutes(16);
        }
        B::CscGarbageEntry | B::CpDenies | B::CpLeak | B::CscBadAlpha => {
            scenario.fleet = Scenario::preset("day4").unwrap().fleet
        }
        B::BadState => scenario.behaviour.push(behave("css1", B::WithholdBody)),
        _ => {}
    }
    if kind == B::BadState {
        scenario.gateways.n = 7;
    }
    let who = match kind {
        B::CscGarbageEntry | B::CscBadAlpha | B::CscBorrowedRecord => "csc1",
        B::CscCopiedT | B::CscTicketReuse | B::CscOverCap => "csc1",
        B::KgcWrongD | B::KgcChosenR | B::KgcSubstitution => "kgc1",
        B::KgcMintedTicket | B::KgcMisroute | B::KgcReader => "kgc1",
        B::EveSplice | B::EveFlood => "kgc1",
        B::CpOldHeader | B::CpOldKey | B::CpDenies | B::CpFalseMeter | B::CpLeak => "cp1",
        B::EvWrongRole | B::EvRewrap | B::EvForwardsKey => "ev1",
        B::EveReplay => "css2",
        B::EarlyNewViewProposal
        | B::NewViewForgery
        | B::EquivocatingNewView
        | B::WithheldDataSet
        | B::PoisonedDataSet
        | B::FloodingDataSet
        | B::BigMacControl
        | B::BadState => "css2",
        B::EquivocatingVotes
        | B::DoubleVote
        | B::ForgedVote
        | B::ReplayedVotes
        | B::EarlyCommit
        | B::EvidenceFraming
        | B::BadCheckpoint
        | B::LyingViewChange
        | B::FalseCertificate
        | B::SpuriousViewChange
        | B::Amnesia
        | B::SmallScope => "css4",
        _ => "css1",
    };
    (scenario, ActorId::parse(who).unwrap())
}

pub fn behave(who: &str, kind: BehaviourKind) -> Behave {
    Behave::always(ActorId::parse(who).unwrap(), kind)
}

/// Actors enrol honestly: a gateway without a key of its own is in no genesis. Only these lie about keys, and must from the start.
pub fn enrols(kind: BehaviourKind) -> bool {
    matches!(kind, BehaviourKind::KgcWrongD | BehaviourKind::KgcChosenR | BehaviourKind::KgcSubstitution)
}

/// Rules, errors and proofs that show at anybody but these.
pub fn fired(effects: &[Effect], but: &BTreeSet<ActorId>) -> BTreeSet<String> {
    let honest = effects.iter().filter(|e| e.actor.is_some_and(|actor| !but.contains(&actor)));
    let reason = |kind: &Kind| match kind {
        Kind::Fact(FactKind::Refused { reason, .. } | FactKind::VoteRefused { reason, .. }) => Some(reason.clone()),
        Kind::Fact(FactKind::Evidence { class, .. }) => Some(class.id().to_owned()),
        Kind::Fact(FactKind::KeyRefused { error }) => Some(error.clone()),
        Kind::Fact(FactKind::Opened { error, .. } | FactKind::Verified { error, .. }) => error.clone(),
        _ => None,
    };
    honest.flat_map(|e| e.rule.map(|rule| rule.id().to_owned()).into_iter().chain(reason(&e.kind))).collect()
}

/// Piles that opened a command.
pub fn opened(effects: &[Effect]) -> usize {
    let ok = |e: &&Effect| matches!(&e.kind, Kind::Fact(FactKind::Opened { flow: 1, error: None, .. }));
    effects.iter().filter(ok).filter_map(|e| e.actor).collect::<BTreeSet<_>>().len()
}

/// No COMMIT arrives for 3.6 s: as [`without_commits`], in a link.
const WALL: &str = "#/run/day4?do=%7B%22at%22:%220ms%22,%22do%22:%7B%22link%22:%7B%22block%22:%7B%22packet%22:%22pbft.commit%22,%22until%22:%223600ms%22%7D%7D%7D%7D";

/// A link that the page can open in which a behaviour shows, who follows it, and from which moment on (ms). `small_scope` shows
/// in none that ends in reasonable time: where one of its votes stays for a slot to come, the gateways ask for it to the end.
pub fn on_page(kind: BehaviourKind) -> Option<(&'static str, ActorId, u64)> {
    use BehaviourKind as B;
    let liar = stage(kind).1;
    let at = if enrols(kind) { 0 } else { 1_000 };
    let who = |name: &str| ActorId::parse(name).unwrap();
    let shows = match kind {
        B::SmallScope => return None,
        B::NewViewForgery | B::EquivocatingNewView => (WALL, liar, at),
        B::Twins => (WALL, who("css2"), at),
        B::LyingViewChange | B::BadState => ("#/run/day4?n=7&do=0ms~behave~css1~withhold_body", liar, at),
        B::StoredAgain | B::BadCheckpoint => ("#/run/morning", liar, at),
        B::CscCopiedT | B::CscTicketReuse | B::CscOverCap => ("#/run/morning", liar, at),
        B::CpOldHeader => ("#/run/morning", who("cp3"), 600_000),
        B::CscBorrowedRecord => ("#/run/evening-peak", liar, at),
        B::EveSplice => ("#/run/day4", who("csc1"), at),
        _ => ("#/run/day4", liar, at),
    };
    Some(shows)
}

/// What shows in that link. No preset has a car that takes more than its pile gives, so there a centre that orders ten times
/// the caps is held by grants alone.
pub fn shows(kind: BehaviourKind) -> &'static [&'static str] {
    if kind == BehaviourKind::CscOverCap { &[] } else { kind.expect().fires }
}
