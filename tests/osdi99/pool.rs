//! The fair pool (CONSENSUS.md §3.4), rotation and its time-outs (§3.10).

use crate::support::*;
use crate::*;
use std::sync::{Arc, Mutex};
use voltcast::ledger::{Policy, Seq, Sigma};
use voltcast::pbft::message::{DataSet, Message};

fn data_set(cfg: &Config, sender: u16, number: u64, items: Vec<Arc<Sigma>>) -> Message {
    let digest = DataSet::content_digest(&items);
    Message::DataSet(DataSet { signed: statement(cfg, Kind::DataSet, sender, 0, number, digest, Digest::ZERO), items })
}

/// Blocks of eight: two places for each of four gateways.
fn narrow() -> Config {
    let cfg = config_with(4, 16, 32);
    let policy = Policy { batch_max: 8, ..cfg.policy.clone() };
    Config { policy, pool_max: 512, ..cfg }
}

#[test]
pub fn each_contributor_has_its_places_whatever_another_stuffs_into_its_queue() {
    let mut net = Net::with(Arc::new(narrow()));
    let cfg = net.cfg.clone();
    for set in 0..13 {
        let flood = (0..8).map(|i| sigma(1_000 + 8 * set + i)).collect();
        net.give(0, 3, data_set(&cfg, 3, u64::from(set), flood));
    }
    for home in [1, 2] {
        net.give(0, home, data_set(&cfg, home, 1, vec![sigma(u32::from(home))]));
    }
    net.run_ms(5_000);
    let chain = net.replicas[0].chain();
    let at = |number| chain.find(&sigma(number).id).unwrap().height;
    let last = at(1_000 + 8 * 12 + 7);
    assert!(at(1) <= Seq(6) && at(2) <= Seq(6) && last > Seq(10), "{:?} {:?} {last:?}", at(1), at(2));
}

#[test]
pub fn a_copy_deep_in_a_flooded_queue_does_not_hold_a_ciphertext_back() {
    let mut net = Net::with(Arc::new(narrow()));
    let cfg = net.cfg.clone();
    for set in 0..13 {
        let mut flood: Vec<_> = (0..8).map(|i| sigma(1_000 + 8 * set + i)).collect();
        if set == 12 {
            flood[7] = sigma(1);
        }
        net.give(0, 3, data_set(&cfg, 3, u64::from(set), flood));
    }
    net.give(0, 1, data_set(&cfg, 1, 1, vec![sigma(1)]));
    assert!(net.traces.iter().any(|t| t.outcome == Outcome::Reject(Reason::Duplicate) && t.rule == Rule::Rq3));
    net.run_ms(5_000);
    assert!(net.replicas[0].chain().find(&sigma(1).id).unwrap().height <= Seq(6), "it stands in both queues");
}

#[test]
pub fn rq4_limits_each_contributor_to_its_share_of_the_pool() {
    let mut net = Net::with(Arc::new(narrow()));
    let cfg = net.cfg.clone();
    net.filter = Box::new(|_, _, _| None);
    for set in 0..40 {
        let flood = (0..8).map(|i| sigma(1_000 + 8 * set + i)).collect();
        net.give(1, 3, data_set(&cfg, 3, u64::from(set), flood));
    }
    assert!(net.rejected(1, Rule::Rq4, &Reason::PoolFull));
    assert_eq!(net.replicas[1].pool().share(ReplicaId(3)), 128, "a quarter of 512");
    net.give(1, 2, data_set(&cfg, 2, 1, vec![sigma(1)]));
    assert!(net.replicas[1].pool().contains(&sigma(1).id), "there is room for others");
}

#[test]
pub fn s3_4_only_what_is_active_goes_to_the_primary_or_is_relayed() {
    let mut net = Net::with(Arc::new(narrow()));
    let (active, sets) = (net.cfg.active_max(), Arc::new(Mutex::new(vec![])));
    let heard = sets.clone();
    net.filter = Box::new(move |from, to, msg| {
        if let (1, Message::DataSet(set)) = (from, &**msg) {
            heard.lock().unwrap().push((to, set.items.len() as u64));
        }
        None
    });
    (0..40).for_each(|number| net.request(1, &sigma(number)));
    net.run_ms(500);
    let given =
        |to: u16| sets.lock().unwrap().iter().filter(|(who, _)| *who == to).map(|(_, count)| count).sum::<u64>();
    assert_eq!((given(0), given(2)), (active, 0), "{active} of 40 to the primary");
    net.run_ms(1_500);
    assert_eq!((given(0), given(2), given(3)), (2 * active, active, active), "the same again to all");
}

#[test]
pub fn s4_1_what_is_known_or_finds_no_room_costs_no_verification() {
    let mut net = Net::with(Arc::new(Config { pool_max: 4, ..narrow() }));
    let cfg = net.cfg.clone();
    net.filter = Box::new(|_, _, _| None);
    net.request(1, &sigma(1));
    // Were they looked at, they would be refused as invalid.
    let spoiled = sigma_with(2, 2, false);
    net.give(1, 2, data_set(&cfg, 2, 1, vec![sigma(1), sigma(3)]));
    net.give(1, 2, data_set(&cfg, 2, 2, vec![spoiled.clone()]));
    assert!(net.rejected(1, Rule::Rq3, &Reason::Duplicate) && net.rejected(1, Rule::Rq4, &Reason::PoolFull));
    assert!(!net.fired(Rule::Rq1));
    net.give(1, 3, data_set(&cfg, 3, 1, vec![spoiled]));
    assert!(net.fired(Rule::Rq1), "with room it is looked at");
}

#[test]
pub fn tm4_rotation_hands_the_lead_on_after_its_blocks() {
    let cfg = Config { rotate_every: 2, ..config_with(4, 4, 8) };
    let mut net = Net::with(Arc::new(cfg));
    for number in 0..7 {
        net.request((number % 4) as u16, &sigma(number));
        net.run_ms(500);
    }
    assert!(net.fired(Rule::Tm4));
    assert!(net.replicas.iter().all(|r| r.level().view >= View(3)), "{:?}", net.replicas[0].level());
    let heads = net.heads();
    assert!(heads.iter().all(|head| *head == heads[0]));
    assert!((0..7).all(|number| net.replicas[2].chain().find(&sigma(number).id).is_some()));
    assert!(!net.fired(Rule::Tm1), "nobody was suspected");
}

/// Who left its view alone is out of it until others follow, perhaps for ever; what it is given is served all the same.
#[test]
pub fn s3_4_who_left_its_view_alone_relays_what_it_is_given() {
    let mut net = net();
    net.filter = Box::new(|from, _, msg| (from != 1 || msg.name() != "DATASET").then(|| msg.clone()));
    net.request(1, &sigma(1));
    net.run_ms(9_000);
    let changing = |net: &Net| net.replicas.iter().map(|r| r.level().changing).collect::<Vec<_>>();
    assert_eq!(changing(&net), [false, true, false, false], "nobody else knows why");
    net.filter = Box::new(|_, _, msg| Some(msg.clone()));
    net.request(1, &sigma(2));
    net.run_ms(5_000);
    assert!(net.replicas.iter().all(|r| r.chain().find(&sigma(2).id).is_some()), "it is in every chain");
    assert_eq!(changing(&net), [false, true, false, false], "and nobody had to follow");
}
