//! Every Byzantine behaviour ends as its description says: the rules that must fire do so at honest actors, and not in the
//! same run without the liar; no invariant falls that it does not name, honest chains agree, and the run decides if it must.

#![cfg(not(target_arch = "wasm32"))]

#[path = "support/cast.rs"]
mod cast;

use cast::{base, behave, enrols, fired, opened, stage};
use std::collections::{BTreeMap, BTreeSet};
use voltcast::clmmsc::Flow;
use voltcast::clmmsc::open::{EntryKey, locate};
use voltcast::clmmsc::verify::VerifiedSigma;
use voltcast::entities::Packet;
use voltcast::entities::actor::{ActorId, Role};
use voltcast::entities::command::Command;
use voltcast::entities::fact::FactKind;
use voltcast::entities::packet::parse_sigma;
use voltcast::ledger::Digest;
use voltcast::sim::adversary::{BehaviourKind, Trigger};
use voltcast::sim::intervention::Behave;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::state::state;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Effect, Kind, PacketTag};
use voltcast::sim::units::Dur;
use voltcast::sim::world::World;

fn play(scenario: Scenario) -> Timelines {
    let mut run = Timelines::open_headless(scenario.checked().unwrap(), vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End);
    run
}

/// Blocks of each gateway by height.
fn chains(effects: &[Effect]) -> BTreeMap<ActorId, Vec<(u64, String, usize)>> {
    let mut chains: BTreeMap<ActorId, Vec<(u64, String, usize)>> = BTreeMap::new();
    for effect in effects {
        if let (Some(who), Kind::Fact(FactKind::BlockAppended { height, header, sigmas, .. })) =
            (effect.actor, &effect.kind)
        {
            chains.entry(who).or_default().push((*height, format!("{header:?}"), sigmas.len()));
        }
    }
    chains
}

fn holds(kind: BehaviourKind) {
    let (mut scenario, liar) = stage(kind);
    let n = scenario.gateways.n;
    let when = Trigger::Time(if enrols(kind) { Dur(0) } else { Dur::secs(1) }, Dur::secs(100_000));
    let others = scenario.behaviour.clone();
    scenario.behaviour.push(Behave { when, ..Behave::always(liar, kind) });
    let liars: BTreeSet<ActorId> = scenario.behaviour.iter().map(|b| b.node).collect();
    let control = play(Scenario { behaviour: others, ..scenario.clone() }).trace(BranchId(0)).effects().to_vec();
    let usual = cast::fired(&control, &liars);
    let run = play(scenario);
    let effects = run.trace(BranchId(0)).effects().to_vec();
    let (name, expect) = (kind.name(), kind.expect());
    for effect in &effects {
        match &effect.kind {
            Kind::InvariantBroken { id, text } => assert!(expect.breaks.contains(&id.as_str()), "{name}: {id} {text}"),
            Kind::SafetyVoid { .. } => panic!("{name}: safety void"),
            _ => {}
        }
    }
    let fired = fired(&effects, &liars);
    let missing: Vec<_> = expect.fires.iter().filter(|rule| !fired.contains(**rule)).collect();
    assert!(missing.is_empty(), "{name}: {missing:?} did not fire, but {fired:?}");
    let common: Vec<_> = expect.fires.iter().filter(|rule| usual.contains(**rule)).collect();
    assert!(common.is_empty(), "{name}: {common:?} fire without the liar too");
    besides(kind, &effects, opened(&control));
    leaks(kind, run.world(BranchId(0)), &effects);
    let chains = chains(&effects);
    let honest = (0..n).map(|index| ActorId::new(Role::Css, index)).filter(|who| !liars.contains(who));
    let honest: Vec<_> = honest.map(|who| chains.get(&who).cloned().unwrap_or_default()).collect();
    for pair in honest.windows(2) {
        let common = pair[0].len().min(pair[1].len());
        assert_eq!(pair[0][..common], pair[1][..common], "{name}");
    }
    let stored = honest.iter().filter(|chain| chain.iter().any(|(_, _, count)| *count > 0)).count();
    let quorum = usize::from(n) - usize::from((n - 1) / 3);
    let decided = stored + 1 >= quorum && opened(&effects) >= 2;
    assert_eq!(decided, expect.decides, "{name}: {stored} chains, {} opened, {chains:?}", opened(&effects));
}

/// What a list of rules cannot say. `usually`: piles that open their command without the liar.
fn besides(kind: BehaviourKind, effects: &[Effect], usually: usize) {
    use BehaviourKind as B;
    let seen = Seen(effects);
    let stored =
        |_: &str, fact: &FactKind| matches!(fact, FactKind::BlockAppended { sigmas, .. } if !sigmas.is_empty());
    let opens =
        |who: &str, fact: &FactKind| who == "cp1" && matches!(fact, FactKind::Opened { flow: 1, error: None, .. });
    match kind {
        B::WithheldDataSet => {
            let asked = |who: &str, fact: &FactKind| who == "css4" && matches!(fact, FactKind::Verified { .. });
            assert!(seen.any(asked), "the KGC asks all gateways");
        }
        B::KgcReader => {
            let blind = |who: &str, fact: &FactKind| who == "kgc1" && matches!(fact, FactKind::NotAReceiver { .. });
            assert!(seen.any(blind), "it opens nothing");
        }
        B::BadSeal => {
            let ask = |e: &Effect| matches!(&e.kind, Kind::Sent { packet, .. } if packet.tag == PacketTag::Ask);
            let again = |_: &str, fact: &FactKind| matches!(fact, FactKind::Expired { .. });
            assert!(effects.iter().any(ask) && !seen.any(again), "the KGC learns that the command is stored");
        }
        B::KgcMisroute => assert!(!seen.any(stored) && !seen.any(opens), "no gateway hears of a command"),
        B::CscBadAlpha | B::CscBorrowedRecord => assert!(seen.any(stored), "the command is on the chain"),
        B::CscGarbageEntry => assert_eq!(opened(effects) + 1, usually, "one pile finds no entry for its car"),
        B::KgcSubstitution => {
            let reads = |who: &str, fact: &FactKind| who == "kgc1" && matches!(fact, FactKind::Located { .. });
            assert!(seen.any(reads) && !seen.any(opens), "it reads the car's command, and the car gets none");
        }
        B::CpDenies => {
            assert!(
                seen.any(stored) && !seen.any(opens),
                "the command is on the chain, and the pile has not opened it"
            );
            assert_eq!(opened(effects) + 1, usually);
        }
        B::CpFalseMeter => {
            let refuses = |who: &str, fact: &FactKind| {
                who == "ev1" && matches!(fact, FactKind::Refused { what, .. } if what == "bill")
            };
            assert!(seen.any(refuses), "the car knows what it metered");
        }
        B::SlowPrimary => {
            let left = |_: &str, fact: &FactKind| matches!(fact, FactKind::ViewChange { .. });
            assert!(!seen.any(left), "nobody leaves the view");
        }
        B::SelectivePrimary => {
            let proposed = |who: &str, fact: &FactKind| who == "css4" && matches!(fact, FactKind::PrePrepared { .. });
            let holds = |who: &str, fact: &FactKind| who == "css4" && stored(who, fact);
            assert!(seen.first(holds) < seen.first(proposed), "it follows by certificate alone");
        }
        B::EarlyCommit => {
            let early = |e: &Effect| {
                let commit = matches!(&e.kind, Kind::Sent { packet, .. } if packet.tag.name() == "pbft.commit");
                commit && e.actor.is_some_and(|who| who.to_string() == "css4")
            };
            let prepared = |who: &str, fact: &FactKind| who == "css4" && matches!(fact, FactKind::Prepared { .. });
            let sent = effects.iter().position(early).expect("it commits");
            assert!(sent < seen.first(prepared), "it commits before it has prepared");
        }
        B::ColludingSet => {
            let proposal = |e: &Effect| match &e.kind {
                Kind::Fact(FactKind::PrePrepared { view: 0, seq: 1, digest, .. }) => Some(*digest),
                _ => None,
            };
            let proposals: BTreeSet<Digest> = effects.iter().filter_map(proposal).collect();
            assert!(proposals.len() > 1, "two blocks for one slot");
        }
        B::FloodingDataSet => {
            let is_flood = |e: &&Effect| match &e.kind {
                Kind::Delivered { from, packet } => {
                    e.actor.is_some_and(|to| to.to_string() == "css1")
                        && from.to_string() == "css2"
                        && packet.tag.name() == "pbft.dataset"
                }
                _ => false,
            };
            assert!(effects.iter().filter(is_flood).count() > 100);
        }
        _ => {}
    }
}

/// A trace, to be asked for facts.
struct Seen<'a>(&'a [Effect]);

impl Seen<'_> {
    /// When the first such fact comes, never being later than anything.
    fn first(&self, test: impl Fn(&str, &FactKind) -> bool) -> usize {
        let is =
            |e: &Effect| matches!((e.actor, &e.kind), (Some(who), Kind::Fact(fact)) if test(&who.to_string(), fact));
        self.0.iter().position(is).unwrap_or(usize::MAX)
    }

    fn any(&self, test: impl Fn(&str, &FactKind) -> bool) -> bool {
        self.first(test) < usize::MAX
    }
}

/// The command that a pile opened.
fn own_command(effect: &Effect, pile: &str) -> Option<Digest> {
    match (effect.actor, &effect.kind) {
        (Some(who), Kind::Fact(FactKind::Opened { sigma, flow: 1, error: None })) if who.to_string() == pile => {
            Some(*sigma)
        }
        _ => None,
    }
}

/// What is given away in clear opens one entry of one ciphertext: nothing else of it, and nothing of any other.
fn leaks(kind: BehaviourKind, world: &World, effects: &[Effect]) {
    let leaked = effects.iter().filter(|e| matches!(e.kind, Kind::Fact(FactKind::Leaked { .. }))).count();
    assert_eq!(leaked > 0, matches!(kind, BehaviourKind::CpLeak | BehaviourKind::EvForwardsKey));
    let packets = effects.iter().filter_map(|e| match &e.kind {
        Kind::Sent { to, packet } if to.role == Role::Cp => Some((e.actor?, world.packet(packet.item)?)),
        _ => None,
    });
    let (mut clear, mut sigmas) = (Vec::new(), BTreeMap::new());
    for (_, packet) in packets {
        match packet {
            Packet::Frame(bytes) if leaked > 0 => clear.push(bytes.clone()),
            Packet::Area(bytes) => {
                let sigma = parse_sigma(world.params(), bytes);
                sigmas.insert(sigma.expect("an honest one").id, bytes.clone());
            }
            _ => {}
        }
    }
    if kind == BehaviourKind::CpLeak {
        let orders =
            clear.iter().filter(|m| matches!(Command::decode(Flow::COMMAND, m), Ok(Command::Profile(_)))).count();
        assert_eq!(orders, leaked, "each is one command, in clear");
    }
    if kind == BehaviourKind::EvForwardsKey {
        let keys: Vec<(Digest, EntryKey)> = clear
            .iter()
            .filter(|body| body.len() == 65)
            .map(|body| (Digest(body[1..33].try_into().unwrap()), EntryKey::from_bytes(body[33..].try_into().unwrap())))
            .collect();
        assert_eq!(keys.len(), leaked);
        let addressed: BTreeSet<Digest> = effects.iter().filter_map(|e| own_command(e, "cp1")).collect();
        assert!(!addressed.is_empty(), "the car gets a command");
        assert!(sigmas.len() > 1, "there is more that it might open");
        for (about, key) in &keys {
            for (id, bytes) in &sigmas {
                let created = u64::from_le_bytes(bytes[12..20].try_into().unwrap());
                let sigma = VerifiedSigma::verify(world.params(), bytes, created).unwrap();
                assert_eq!(locate(&sigma, key).is_ok(), id == about && addressed.contains(id));
            }
        }
    }
}

/// Colluding gateways, by number.
fn colluding(n: u16, liars: &[&str]) -> (Vec<Effect>, BTreeSet<ActorId>) {
    let mut scenario = base().with_n(n).unwrap();
    scenario.end = Dur::secs(5);
    scenario.behaviour = liars.iter().map(|who| behave(who, BehaviourKind::ColludingSet)).collect();
    let mut world = voltcast::sim::world::World::new(scenario.clone(), vec![]).unwrap();
    let mut memo = voltcast::sim::memo::Memo::default();
    let mut effects = Vec::new();
    while world.step(&mut memo, &mut effects) {}
    (effects, world.faulty().clone())
}

fn void(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e.kind, Kind::SafetyVoid { .. }))
}

#[test]
fn from_2q_minus_n_liars_on_the_chain_forks_and_the_run_goes_on() {
    let (effects, faulty) = colluding(4, &["css1", "css2"]);
    assert_eq!(faulty.len(), 2);
    assert!(void(&effects), "beyond f: the theorem is void");
    let chains = chains(&effects);
    let first = |who: &str| chains[&ActorId::parse(who).unwrap()][0].1.clone();
    assert_ne!(first("css3"), first("css4"), "the honest gateways hold different blocks");
    assert!(effects.last().unwrap().t.0 > 4_000_000, "the run goes on");
    assert!(!effects.iter().any(|e| matches!(e.kind, Kind::InvariantBroken { .. })), "nothing else falls");
    names_the_liars(&effects, &faulty, 2);
}

/// Forensics names at least so many gateways, only such as lied, and its statements are signed and contradict each other.
fn names_the_liars(effects: &[Effect], faulty: &BTreeSet<ActorId>, least: usize) {
    let voids = effects.iter().filter(|e| matches!(&e.kind, Kind::SafetyVoid { id, .. } if id == "SI-1")).count();
    assert_eq!(voids, 1, "said once");
    let mut named = BTreeSet::new();
    for effect in effects {
        let Kind::Convicted { culprit, charge, statements } = &effect.kind else { continue };
        assert!(matches!(effects[effect.cause.unwrap().0 as usize].kind, Kind::SafetyVoid { .. }));
        named.insert(*culprit);
        assert!(!statements.is_empty() && statements.iter().all(|said| said.sig.len() == 128));
        if let ("EQ", [one, other]) = (charge.id(), statements.as_slice()) {
            assert_eq!((one.kind, one.view, one.seq), (other.kind, other.view, other.seq));
            assert!(one.digest != other.digest && one.sig != other.sig);
        }
    }
    assert!(named.len() >= least && named.is_subset(faulty), "{named:?} of {faulty:?}");
}

#[test]
fn three_of_seven_fork_the_chain_and_are_named_in_state_and_summary() {
    let mut scenario = base().with_n(7).unwrap();
    scenario.end = Dur::secs(5);
    let liars = ["css1", "css2", "css3"];
    scenario.behaviour = liars.iter().map(|who| behave(who, BehaviourKind::ColludingSet)).collect();
    let mut run = Timelines::open_headless(scenario.clone().checked().unwrap(), vec![]).unwrap();
    assert_eq!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End, "beyond f nothing stops the run");
    let trace = run.trace(BranchId(0));
    names_the_liars(trace.effects(), &liars.iter().map(|who| ActorId::parse(who).unwrap()).collect(), 3);
    let state = state(&voltcast::sim::export::info(&scenario, "fork"), trace, trace.len());
    assert!(state.safety_void && state.violations.is_empty());
    let culprits: BTreeSet<String> = state.evidence.iter().map(|line| line.culprit.to_string()).collect();
    assert!(culprits.len() >= 3 && culprits.iter().all(|who| liars.contains(&who.as_str())), "{culprits:?}");
    let text = voltcast::sim::summary::text(&scenario, &state, trace);
    assert!(text.contains("safety void: more than 2 gateways are faulty, and SI-1 fell"), "{text}");
}

#[test]
fn one_liar_beyond_f_forks_nothing_where_a_quorum_is_larger_than_needed() {
    // n = 5: f = 1, q = 4, and 2q − n = 3 liars are the least that can fork.
    let (effects, faulty) = colluding(5, &["css1", "css2"]);
    assert_eq!(faulty.len(), 2);
    assert!(!void(&effects));
}

#[test]
fn only_omission_is_not_a_fault() {
    let faulty = |kind: BehaviourKind| {
        let mut scenario = base();
        scenario.end = Dur::ms(1);
        scenario.behaviour = vec![behave("css1", kind)];
        let mut world = voltcast::sim::world::World::new(scenario, vec![]).unwrap();
        let mut memo = voltcast::sim::memo::Memo::default();
        while world.step(&mut memo, &mut Vec::new()) {}
        !world.faulty().is_empty()
    };
    for kind in BehaviourKind::of(Role::Css) {
        assert_eq!(faulty(kind), !kind.about().omits, "{}", kind.name());
    }
    assert!(faulty(BehaviourKind::Twins) && faulty(BehaviourKind::Amnesia) && !faulty(BehaviourKind::Silent));
}

const TABLE: &str = "docs/adversaries.md";

/// One row per behaviour, as `docs/adversaries.md` must have it; `UPDATE_GOLDEN=1` rewrites the rows.
#[test]
fn the_document_lists_every_behaviour() {
    let roles = |kind: BehaviourKind| match kind.roles() {
        [] => "anybody".to_owned(),
        some => some.iter().map(|role| role.prefix().to_uppercase()).collect::<Vec<_>>().join(", "),
    };
    let row = |kind: BehaviourKind| {
        let (name, fires) = (kind.name(), kind.expect().fires.join(", "));
        let fault = if kind.about().omits { "no" } else { "yes" };
        let sentence = kind.expect().sentence;
        format!(
            "| [`{name}`](../src/sim/adversary/catalogue/{name}.rs) | {} | {} | {fault} | {fires} | {sentence} |",
            roles(kind),
            kind.title()
        )
    };
    let rows: Vec<String> = BehaviourKind::ALL.into_iter().map(row).collect();
    let text = std::fs::read_to_string(TABLE).unwrap();
    let there: Vec<&str> = text.lines().filter(|line| line.starts_with("| [`")).collect();
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        let kept = text.lines().filter(|line| !line.starts_with("| [`")).collect::<Vec<_>>().join("\n");
        let head = kept.find("|---").and_then(|at| kept[at..].find('\n').map(|end| at + end)).unwrap_or(kept.len());
        std::fs::write(TABLE, format!("{}\n{}{}\n", &kept[..head], rows.join("\n"), &kept[head..])).unwrap();
        return;
    }
    assert_eq!(there, rows);
}

macro_rules! behaviours {
    ($($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            holds(BehaviourKind::parse(stringify!($test)).unwrap());
        })*

        #[test]
        fn none_is_without_a_test() {
            let tested: BTreeSet<&str> = [$(stringify!($test)),*].into();
            let all: BTreeSet<&str> = BehaviourKind::ALL.into_iter().map(BehaviourKind::name).collect();
            assert_eq!(tested, all);
        }
    };
}

behaviours! {
    silent, crash_midway, equivocating_primary, equivocating_votes, double_vote, primary_prepares, forged_vote,
    replayed_votes, early_commit, tampered_ciphertext, wrong_root, bad_time, nullifier_reuse, stored_again,
    withheld_data_set, poisoned_data_set, flooding_data_set, hide_ciphertext, slow_primary, selective_primary,
    withhold_body, seq_jump, empty_blocks, early_new_view_proposal, new_view_forgery, equivocating_new_view,
    lying_view_change, false_certificate, spurious_view_change, bad_checkpoint, bad_state, bad_seal, evidence_framing, colluding_set, twins, amnesia,
    small_scope, big_mac_control, csc_garbage_entry, csc_bad_alpha, csc_borrowed_record, csc_copied_t, csc_ticket_reuse, csc_over_cap, kgc_wrong_d, kgc_chosen_r, kgc_substitution, kgc_minted_ticket, kgc_misroute, kgc_reader, cp_old_header, cp_old_key, cp_denies, cp_leak, cp_false_meter, ev_wrong_role, ev_rewrap, ev_forwards_key, eve_replay, eve_splice, eve_flood,
}
