//! Makes a failing scenario smaller: what can be left out without losing the failure is left out.

use super::{Bench, Failure};
use crate::sim::scenario::Scenario;

/// Most runs spent on one failure.
const MOST_RUNS: u32 = 400;

/// The smallest scenario found that fails in the same way.
pub fn shrink(s: &Scenario, failure: &Failure, bench: &mut Bench) -> Scenario {
    let mut best = s.clone();
    let mut runs = 0;
    loop {
        let smaller = candidates(&best).into_iter().find(|candidate| {
            runs += 1;
            let verdict = (runs <= MOST_RUNS).then(|| bench.run(candidate).ok()).flatten();
            verdict.and_then(|v| v.failure).is_some_and(|f| f.name() == failure.name())
        });
        match smaller {
            Some(next) => best = next,
            None => return best,
        }
    }
}

/// The scenario without one of its parts, each in turn.
fn candidates(s: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut propose = |change: &dyn Fn(&mut Scenario)| {
        let mut next = s.clone();
        change(&mut next);
        if next != *s {
            all.push(next);
        }
    };
    for index in 0..s.behaviour.len() {
        propose(&|next| {
            next.behaviour.remove(index);
        });
    }
    for index in 0..s.fault.len() {
        propose(&|next| {
            next.fault.remove(index);
        });
    }
    propose(&|next| next.network.loss.num = 0);
    propose(&|next| next.network.duplicate.num = 0);
    propose(&|next| next.network.reorder.num = 0);
    propose(&|next| next.gateways.pipeline = 1);
    propose(&|next| next.cost.css = 0);
    propose(&|next| next.workload.at.truncate(next.workload.at.len() / 2));
    propose(&|next| next.workload.count = (next.workload.count / 2).max(1));
    all
}
