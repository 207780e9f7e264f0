//! Every behaviour of the catalogue, for every kind of actor that it fits, as the page injects it: the entry of the fault menu,
//! read as the intervention of `voltcast.inject`, forks a run that was computed to its end; what its line promises shows in
//! the new future and in no other.

#![cfg(not(target_arch = "wasm32"))]

#[path = "support/cast.rs"]
mod cast;

use cast::{base, behave, enrols, fired, on_page, opened, shows, stage};
use std::collections::{BTreeMap, BTreeSet};
use voltcast::entities::actor::{ActorId, Role};
use voltcast::scene::faults::{self, Moment, Target};
use voltcast::sim::adversary::BehaviourKind;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::link::Link;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Effect, Kind, PacketTag};

const ROOT: BranchId = BranchId(0);

fn end(run: &mut Timelines, branch: BranchId) {
    assert_eq!(run.run(branch, Until::End, u32::MAX), Stop::End);
}

fn computed(scenario: Scenario) -> Timelines {
    let mut run = Timelines::open(scenario.checked().unwrap(), vec![]).unwrap();
    end(&mut run, ROOT);
    run
}

/// What the page sends to its engine when this entry of an actor's menu is chosen at a moment of the run.
fn chosen(kind: BehaviourKind, who: ActorId, at_ms: u64) -> Intervention {
    let now = Moment { t_us: at_ms * 1_000, n: 4, down: false, lies: false };
    let entries = faults::groups(Target::Actor(who), now).into_iter().flat_map(|(_, list)| list);
    let mut entries = entries.filter(|entry| entry.wish["behave"]["kind"] == kind.name());
    let entry = entries.next().unwrap_or_else(|| panic!("no menu of {who} has {}", kind.name()));
    assert!(entries.next().is_none() && entry.label.ends_with(kind.title()));
    let wish = serde_json::json!({ "at": format!("{at_ms}ms"), "do": entry.wish });
    serde_json::from_value(wish).unwrap()
}

/// The branch in which the actor lies from then on.
fn forked(run: &mut Timelines, kind: BehaviourKind, who: ActorId) -> BranchId {
    let what = chosen(kind, who, if enrols(kind) { 0 } else { 1_000 });
    let branch = run.fork(ROOT, what).unwrap_or_else(|e| panic!("{} at {who}: {e}", kind.name()));
    end(run, branch);
    branch
}

/// Nothing falls that the behaviour does not name, and the deed itself stands in the trace.
fn sound(kind: BehaviourKind, effects: &[Effect]) {
    let name = kind.name();
    let mut done = 0;
    for effect in effects {
        match &effect.kind {
            Kind::InvariantBroken { id, text } => {
                assert!(kind.expect().breaks.contains(&id.as_str()), "{name}: {id} {text}");
            }
            Kind::SafetyVoid { id, text } => panic!("{name}: safety void, {id} {text}"),
            Kind::Intervened { text, .. } => {
                assert!(text.ends_with(kind.title()), "{name}: {text}");
                done += 1;
            }
            _ => {}
        }
    }
    assert_eq!(done, 1, "{name}");
}

#[test]
fn every_entry_of_the_menus_does_what_its_line_says() {
    for kind in BehaviourKind::ALL {
        let (scenario, liar) = stage(kind);
        let liars: BTreeSet<ActorId> = scenario.behaviour.iter().map(|b| b.node).chain([liar]).collect();
        let mut run = computed(scenario);
        let branch = forked(&mut run, kind, liar);
        let (usual, effects) = (run.trace(ROOT).effects(), run.trace(branch).effects());
        sound(kind, effects);
        let (before, after) = (fired(usual, &liars), fired(effects, &liars));
        let name = kind.name();
        for rule in kind.expect().fires {
            assert!(after.contains(*rule), "{name}: {rule} did not fire, but {after:?}");
            assert!(!before.contains(*rule), "{name}: {rule} fires without the liar too");
        }
        assert_ne!(run.trace(ROOT).digest(), run.trace(branch).digest(), "{name} changes something");
        if kind.expect().decides {
            assert!(opened(effects) >= 2, "{name}: {} opened", opened(effects));
        }
        // Who opens the link of this future sees the same run.
        let interventions = run.branches().iter().find(|b| b.id == branch).unwrap().interventions.clone();
        let text: Vec<_> = interventions.iter().map(|i| Intervention::parse(&i.to_text()).unwrap()).collect();
        let mut again = Timelines::open_headless(run.world(ROOT).scenario().clone(), text).unwrap();
        end(&mut again, ROOT);
        assert_eq!(again.trace(ROOT).digest(), run.trace(branch).digest(), "{name}");
    }
}

/// Packets that an actor sent from a moment on.
fn sent(effects: &[Effect], who: ActorId, from_ms: u64) -> usize {
    let by = |e: &&Effect| e.actor == Some(who) && e.t.0 > from_ms * 1_000 && matches!(e.kind, Kind::Sent { .. });
    effects.iter().filter(by).count()
}

/// What anybody can do or suffer, at every kind of actor.
#[test]
fn what_fits_anybody_works_at_every_actor() {
    let anybody: Vec<BehaviourKind> = BehaviourKind::ALL.into_iter().filter(|kind| kind.roles().is_empty()).collect();
    assert_eq!(anybody.len(), 4, "silent, and the three of the network");
    let mut run = computed(base());
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for role in Role::ACTORS {
        for kind in &anybody {
            // CSS 1 leads, and has no piles, so no ciphertext leaves it.
            let second = role == Role::Css && *kind != BehaviourKind::Silent;
            let who = ActorId::new(role, u16::from(second));
            let branch = forked(&mut run, *kind, who);
            let (usual, effects) = (run.trace(ROOT).effects(), run.trace(branch).effects());
            sound(*kind, effects);
            let (before, after) = (sent(usual, who, 1_000), sent(effects, who, 1_000));
            let name = kind.name();
            match kind {
                BehaviourKind::Silent => assert!(before > 0 && after == 0, "{who} sends {after} packets"),
                _ if role == Role::Cp && after == before => {}
                _ => assert!(after > before, "{name} at {who}: {after} packets instead of {before}"),
            }
            // Whose words do not tell of the lie are heard by nobody that could: the rules say who noticed.
            let but = BTreeSet::from([who]);
            let noticed = fired(effects, &but).difference(&fired(usual, &but)).cloned().collect::<BTreeSet<_>>();
            seen.entry(name).or_default().extend(noticed);
            run.discard(branch);
        }
    }
    for kind in &anybody {
        for rule in kind.expect().fires {
            assert!(seen[kind.name()].contains(*rule), "{}: {rule} is not in {:?}", kind.name(), seen[kind.name()]);
        }
    }
}

/// The menu of an actor offers what fits it and nothing else.
#[test]
fn menus_offer_what_fits() {
    for role in Role::ACTORS {
        let who = ActorId::new(role, 0);
        let now = Moment { t_us: 0, n: 4, down: false, lies: false };
        let groups = faults::groups(Target::Actor(who), now);
        let offered: BTreeSet<String> = groups
            .iter()
            .flat_map(|(_, list)| list)
            .filter_map(|entry| Some(entry.wish["behave"]["kind"].as_str()?.to_owned()))
            .collect();
        let fitting: BTreeSet<String> = BehaviourKind::of(role).map(|kind| kind.name().to_owned()).collect();
        assert_eq!(offered, fitting);
        for kind in BehaviourKind::ALL.into_iter().filter(|kind| !kind.fits(role)) {
            assert!(behave(&who.to_string(), kind).check().is_err(), "{} at {who}", kind.name());
        }
    }
}

/// A centre that orders ten times the caps for a whole morning: gateways and piles alone keep every area within its cap, also
/// when a grant runs out whose raise was asked for in vain.
#[test]
fn a_lying_centre_overloads_no_area() {
    let mut run = computed(Scenario::preset("morning").unwrap());
    let liar = ActorId::parse("csc1").unwrap();
    let branch = forked(&mut run, BehaviourKind::CscOverCap, liar);
    let effects = run.trace(branch).effects();
    sound(BehaviourKind::CscOverCap, effects);
    let draw = |e: &&Effect| matches!(&e.kind, Kind::Sent { packet, .. } if packet.tag == PacketTag::Draw);
    assert!(effects.iter().filter(draw).count() > 40, "they ask for power");
}

/// The same in the runs that the page itself can open; the page makes the same futures (`tests/e2e.rs` compares digests).
#[test]
fn every_behaviour_shows_in_a_run_that_the_page_can_open() {
    let mut kinds: Vec<_> = BehaviourKind::ALL.into_iter().filter_map(|kind| Some((on_page(kind)?, kind))).collect();
    kinds.sort();
    assert_eq!(kinds.len() + 1, BehaviourKind::ALL.len());
    let mut open: Option<(&str, Timelines)> = None;
    for ((link, who, at), kind) in kinds {
        if open.as_ref().is_none_or(|(known, _)| *known != link) {
            let (scenario, interventions) = Link::parse(link).unwrap().resolve().unwrap();
            let mut run = Timelines::open(scenario, interventions).unwrap();
            end(&mut run, ROOT);
            open = Some((link, run));
        }
        let Some((_, run)) = &mut open else { continue };
        let branch = run.fork(ROOT, chosen(kind, who, at)).unwrap();
        end(run, branch);
        let mut liars = run.world(branch).faulty().clone();
        liars.insert(who);
        let (usual, effects) = (run.trace(ROOT).effects(), run.trace(branch).effects());
        let (before, after) = (fired(usual, &liars), fired(effects, &liars));
        for rule in shows(kind) {
            assert!(after.contains(*rule) && !before.contains(*rule), "{} in {link}: {rule}", kind.name());
        }
        assert_ne!(run.trace(ROOT).digest(), run.trace(branch).digest(), "{} changes something", kind.name());
        run.discard(branch);
    }
}
