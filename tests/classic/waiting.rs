//! Timers, suspicion and spam.

use crate::support::scripts::*;
use crate::support::*;
use crate::*;
use voltcast::pbft::message::Message;

/// Moments (ms, by 50) at which the level of a gateway rises, until it stands in `until`.
fn rises(net: &mut Net, who: u16, until: View) -> Vec<u64> {
    let mut moments = vec![];
    let start = net.now.0;
    let mut before = net.replicas[usize::from(who)].level();
    for step in 1..=1_200 {
        net.run_ms(50);
        let level = net.replicas[usize::from(who)].level();
        assert_eq!(net.now.0, start + step * 50_000);
        if level.view != before.view {
            moments.push(step * 50);
        }
        before = level;
        if level.view == until && !level.changing {
            return moments;
        }
    }
    panic!("view {} was not reached: {moments:?}", until.0)
}

fn near(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= 150
}

#[test]
fn bug_19_patience_starts_at_t0_doubles_and_is_reset_by_progress() {
    let mut net = Net::new(13);
    let t0 = net.cfg.t0.0 / 1_000;
    net.dead = vec![0, 1, 2];
    // Everybody knows the request at once, so all of them are impatient at once.
    (3..13).for_each(|who| net.request(who, &sigma(1)));
    let moments = rises(&mut net, 5, View(3));
    assert_eq!(moments.len(), 3, "{moments:?}");
    assert!(near(moments[0], t0), "not before t0: {moments:?}");
    assert!(near(moments[1] - moments[0], t0) && near(moments[2] - moments[1], 2 * t0), "doubled: {moments:?}");
    net.run_ms(2_000);
    net.assert_chain(1);
    net.dead.push(3);
    net.request(5, &sigma(2));
    let moments = rises(&mut net, 5, View(4));
    assert!(near(moments[0], t0), "small again: {moments:?}");
}

#[test]
fn bug_23_a_primary_that_serves_others_is_still_suspected_by_whom_it_does_not_serve() {
    let mut net = Net::new(4);
    let hidden = sigma(999);
    let id = hidden.id;
    net.filter = Box::new(move |_, to, m| match &**m {
        Message::DataSet(set) if to == 0 && set.items.iter().any(|s| s.id == id) => None,
        _ => Some(m.clone()),
    });
    net.request(2, &hidden);
    for number in 0..40 {
        net.request(0, &sigma(number));
        net.run_ms(100);
    }
    assert!(net.replicas[2].executed().0 > 10, "the others were served all the time");
    assert!(net.fired(Rule::Tm1), "one request waited longer than its deadline");
    net.run_ms(4_000);
    assert!(net.replicas[2].chain().find(&id).is_some());
}

#[test]
fn bug_25_view_changes_of_one_gateway_move_nobody_and_fill_nothing() {
    let mut net = Net::new(4);
    for target in 1..=500 {
        let vc = view_change(&net.cfg, 2, target, vec![]);
        net.give(1, 2, Message::ViewChange(Arc::new(vc)));
        let ahead = statement(&net.cfg, Kind::Commit, 2, target, 1, OTHER, OTHER);
        net.give(1, 2, Message::Commit(ahead));
    }
    let r = &net.replicas[1];
    assert_eq!((r.level().view, r.level().changing), (View(0), false));
    assert_eq!((r.view_changes().count(), r.log().held()), (1, 1), "the newest of its sender only");
}

#[test]
fn bug_32_who_was_pulled_along_waits_as_long_as_who_timed_out() {
    let mut net = Net::new(7);
    net.filter = Box::new(|_, _, _| None);
    for who in [2, 4, 5, 6] {
        let vc = view_change(&net.cfg, who, 3, vec![]);
        net.give(1, who, Message::ViewChange(Arc::new(vc)));
    }
    assert!(net.fired(Rule::Vc5) && net.fired(Rule::Vc6));
    let t0 = net.cfg.t0.0 / 1_000;
    let target = |net: &Net| net.replicas[1].level().view;
    net.run_ms(4 * t0 - 100);
    assert_eq!(target(&net), View(3), "patience is a matter of views, not of own attempts");
    net.run_ms(200);
    assert_eq!(target(&net), View(4));
}
