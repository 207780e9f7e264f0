//! Exact message counts of fault-free runs (CONSENSUS.md §7, item 8): 2n(n−1) per block, data sets counted apart.

mod support;
use std::sync::Arc;
use support::{Net, config_with, sigma};
use voltcast::ledger::{Micros, Seq};
use voltcast::pbft::View;
use voltcast::pbft::message::Message;

const SIZES: [u16; 6] = [4, 5, 6, 7, 10, 31];

fn agreement(net: &Net) -> u64 {
    net.count("PRE-PREPARE") + net.count("PREPARE") + net.count("COMMIT")
}

#[test]
fn one_block_takes_exactly_2n_n_minus_1_messages() {
    for n in SIZES {
        let mut net = Net::new(n);
        net.request(0, &sigma(1));
        net.run_ms(1_000);
        net.assert_chain(1);
        let (n1, nn) = (u64::from(n) - 1, u64::from(n));
        assert_eq!((net.count("PRE-PREPARE"), net.count("PREPARE"), net.count("COMMIT")), (n1, n1 * n1, nn * n1));
        assert_eq!(agreement(&net), 2 * nn * n1);
        assert_eq!(net.sent.values().sum::<u64>(), 2 * nn * n1, "nothing else was sent");
        assert_eq!(net.published.get("SEAL"), Some(&nn));
        assert_eq!(net.published.get("PUBLISH"), Some(&1));
    }
}

#[test]
fn requests_at_secondaries_cost_one_data_set_each() {
    for n in SIZES {
        let mut net = Net::new(n);
        for home in 0..n {
            net.request(home, &sigma(u32::from(home)));
        }
        net.run_ms(1_000);
        let (n1, nn) = (u64::from(n) - 1, u64::from(n));
        assert_eq!(net.count("DATASET"), n1, "one per home that is not the primary");
        let blocks = net.replicas[0].executed().0;
        net.assert_chain(blocks);
        assert_eq!(agreement(&net), 2 * nn * n1 * blocks);
        let stored: usize =
            net.replicas[0].chain().range(1..=blocks).map(|b| b.proposal.as_ref().unwrap().txs.len()).sum();
        assert_eq!(stored, usize::from(n));
    }
}

#[test]
fn many_blocks_in_a_row_stay_exact_and_the_follower_has_them_all() {
    for n in SIZES.into_iter().filter(|n| *n < 31) {
        let mut net = Net::new(n);
        for number in 0..40 {
            net.request((number % u32::from(n)) as u16, &sigma(number));
            net.run_ms(50);
        }
        net.run_ms(1_000);
        let blocks = net.replicas[0].executed().0;
        assert!(blocks >= 40, "a block for each pause between requests");
        net.assert_chain(blocks);
        let (n1, nn) = (u64::from(n) - 1, u64::from(n));
        assert_eq!(agreement(&net), 2 * nn * n1 * blocks);
        assert_eq!(net.follower.chain().head_digest(), net.replicas[0].chain().head_digest());
        assert!(net.replicas.iter().all(|r| r.level().view == View(0) && r.pending().is_empty()));
    }
}

#[test]
fn a_view_change_costs_n_n_minus_1_when_the_primary_is_dead() {
    for n in SIZES {
        let mut net = without_resending(n, 16, 32);
        net.dead = vec![0];
        net.request(1, &sigma(1));
        net.run_ms(10_000);
        net.assert_chain(1);
        let nn = u64::from(n);
        let changes = net.count("VIEW-CHANGE") + net.count("NEW-VIEW") - net.answers;
        assert_eq!(changes, nn * (nn - 1), "n = {n}");
        let late = nn - 1 - u64::from(net.cfg.quorum.strong());
        assert!(net.answers <= late * nn, "only those who came after the quorum are answered");
        assert!(net.replicas[1..].iter().all(|r| r.level().view == View(1)));
        assert_eq!(net.replicas[0].executed(), Seq(0));
    }
}

/// Retransmission comes on top of the counts of the protocol itself.
fn without_resending(n: u16, k: u64, l: u64) -> Net {
    let mut cfg = config_with(n, k, l);
    cfg.resend = Micros(3_600_000_000);
    Net::with(Arc::new(cfg))
}

#[test]
fn a_view_change_costs_n_squared_minus_1_when_all_are_alive_and_a_carried_slot_its_two_rounds() {
    for n in SIZES {
        let mut net = without_resending(n, 16, 32);
        net.filter = Box::new(|_, _, m| match &**m {
            Message::Commit(s) if s.statement.view == View(0) => None,
            _ => Some(m.clone()),
        });
        net.request(0, &sigma(1));
        net.run_ms(10_000);
        net.assert_chain(1);
        let (n1, nn) = (u64::from(n) - 1, u64::from(n));
        assert!(net.replicas.iter().all(|r| r.level().view == View(1)));
        assert_eq!(net.count("VIEW-CHANGE") + net.count("NEW-VIEW") - net.answers, nn * nn - 1, "n = {n}");
        assert_eq!((net.count("PREPARE"), net.count("COMMIT")), (2 * n1 * n1, 2 * nn * n1), "once more in view 1");
    }
}

#[test]
fn a_checkpoint_costs_n_n_minus_1_and_moves_the_window() {
    for n in SIZES.into_iter().filter(|n| *n < 31) {
        let mut net = without_resending(n, 2, 4);
        for number in 0..9 {
            net.request(0, &sigma(number));
            net.run_ms(50);
        }
        net.run_ms(1_000);
        net.assert_chain(9);
        let (n1, nn) = (u64::from(n) - 1, u64::from(n));
        assert_eq!(net.count("CHECKPOINT"), 4 * nn * n1);
        assert_eq!(agreement(&net), 2 * nn * n1 * 9);
        assert_eq!(net.sent.values().sum::<u64>(), 2 * nn * n1 * 9 + 4 * nn * n1, "nothing else was sent");
        assert!(net.replicas.iter().all(|r| r.low() == Seq(8) && r.log().slots.len() == 1));
    }
}

#[test]
fn equal_runs_end_in_equal_digests() {
    let digests = || {
        let mut net = Net::new(4);
        net.dead = vec![0];
        net.request(2, &sigma(1));
        net.run_ms(10_000);
        net.replicas.iter().map(|r| r.digest()).collect::<Vec<_>>()
    };
    assert_eq!(digests(), digests());
}
