//! Makes a failing scenario smaller: what can be left out without losing the failure is left out.

use super::{Bench, Failure};
use crate::sim::intervention::Slow;
use crate::sim::scenario::{FaultDo, Scenario};

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

/// It ends another fault; without it the network would not heal.
fn heals(action: &FaultDo) -> bool {
    matches!(action, FaultDo::Resume(_) | FaultDo::Restart(_) | FaultDo::Slow(Slow { times: 1, .. }))
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
    for index in (0..s.fault.len()).filter(|at| !heals(&s.fault[*at].action)) {
        // The storm puts what ends a fault right before it.
        let from = index.checked_sub(1).filter(|end| heals(&s.fault[*end].action)).unwrap_or(index);
        propose(&|next| {
            next.fault.drain(from..=index);
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
