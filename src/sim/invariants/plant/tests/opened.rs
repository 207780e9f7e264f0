//! PI-6 on what piles really opened: a history of `day4`, and what is found once it is changed.

use super::*;

/// What really happened at the first pile of `day4` until it obeyed, judged anew after a change of that history.
fn judged(change: impl Fn(&mut Vec<Effect>)) -> Vec<Finding> {
    let mut world = World::new(Scenario::preset("day4").unwrap(), vec![]).unwrap();
    let (mut memo, mut all) = (Memo::new(), Vec::new());
    while world.step(&mut memo, &mut all) {}
    let mut effects: Vec<Effect> = all.into_iter().filter(|e| e.actor == Some(cp(0))).collect();
    let obeyed = effects.iter().position(|e| matches!(e.kind, Kind::Fact(FactKind::Commanded { .. })));
    effects.truncate(obeyed.expect("the first pile obeys") + 1);
    change(&mut effects);
    let mut station = Station::default();
    station.arrives(Micros(0), 0, 0, battery());
    let (entity, packet) = (|actor| world.entity(actor), |item| world.packet(item));
    let genesis = world.genesis().map(|g| &**g);
    let sight =
        Sight { setup: world.setup(), genesis, gateways: &[], entity: &entity, packet: &packet, idle: &|_| true };
    effects.iter().flat_map(|effect| station.observe(effect, &sight)).collect()
}

fn is(effect: &Effect, name: &str) -> bool {
    effect.kind.name() == name
}

#[test]
fn what_a_pile_obeys_is_opened_anew_with_the_key_of_its_car() {
    assert_eq!(judged(|_| {}), []);
}

#[test]
fn obeying_without_opening_authenticating_or_session_breaks_pi_6() {
    let without = |flow: Option<u8>, name: &str| {
        judged(|effects| {
            effects.retain(|e| match &e.kind {
                Kind::Fact(FactKind::Opened { flow: of, .. }) => name != "Opened" || Some(*of) != flow,
                _ => !is(e, name),
            });
        })
    };
    for (flow, name) in [(Some(1), "Opened"), (Some(5), "Opened"), (None, "Authenticated")] {
        let found = without(flow, name);
        assert!(matches!(found[..], [Finding::Broken { id: "PI-6", .. }]), "{name} {flow:?}: {found:?}");
    }
}

#[test]
fn an_entry_that_is_not_in_sigma_or_of_another_sender_breaks_pi_6() {
    let found = judged(|effects| {
        for e in effects {
            if let Kind::Fact(FactKind::Opened { sigma, flow: 1, .. }) = &mut e.kind {
                *sigma = Digest([1; 32]);
            }
        }
    });
    assert!(matches!(found[..], [Finding::Broken { id: "PI-6", .. }, Finding::Broken { id: "PI-6", .. }]), "{found:?}");
    let found = judged(|effects| {
        for e in effects {
            if let Kind::Fact(FactKind::Authenticated { sender, .. }) = &mut e.kind {
                *sender = Digest([1; 32]);
            }
        }
    });
    assert!(matches!(found[..], [Finding::Broken { id: "PI-6", .. }]), "{found:?}");
}

#[test]
fn obeying_one_command_twice_breaks_pi_6() {
    let found = judged(|effects| {
        let release = effects.iter().rposition(|e| is(e, "Delivered")).expect("the key came in a packet");
        effects.extend_from_within(release..);
    });
    assert!(matches!(found[..], [Finding::Broken { id: "PI-6", .. }]), "{found:?}");
}
