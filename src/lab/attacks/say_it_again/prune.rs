//! Tickets that are forgotten too early (A33; CLMMSC.md §7.1, §8.2 R11).

use super::pile::{KEEP, Keep, Pile};
use super::{Stuck, Trial, verify};
use crate::clmmsc::{Check, Class, Error, Failure, Role, SigmaId, Ticket};
use crate::lab::attacks::gateways::{parsed, policy};
use crate::lab::attacks::letter::Letter;
use crate::lab::people::{CREATED, People};
use crate::ledger::{Chain, Digest, Policy, Proposal, Secs, Sigma};
use std::sync::Arc;

/// Two commands under one ticket, made in the last second of an epoch, and one of the next epoch.
struct LastSecond {
    first: Vec<u8>,
    second: Vec<u8>,
    later: Arc<Sigma>,
    /// First second of the next epoch.
    end: u64,
    /// Last second of their life.
    over: u64,
}

impl LastSecond {
    fn new(people: &mut People) -> Result<LastSecond, Stuck> {
        let (epoch, ttl) = (people.epoch(), people.params.policy.ttl_max);
        let end = (u64::from(epoch) + 1) * u64::from(people.params.policy.epoch_len);
        let ticket = people.fresh_ticket(Role::Csc)?;
        let write = |people: &People, text| {
            let letter = Letter { created: end - 1, ttl, ..Letter::command(&ticket, text) };
            people.write(&letter)
        };
        let (first, second) = (write(people, &[("ev0", "charge 7 kW")])?, write(people, &[("ev0", "charge 3 kW")])?);
        people.person_at("next ticket", Class::Ticket, Role::Csc, (epoch + 1, epoch + 1))?;
        people.person_at("next ev", Class::Id, Role::Ev, (epoch + 1, epoch + 1))?;
        let next = Ticket::new(people.pair("next ticket")?.clone())?;
        let later = Letter { created: end, ..Letter::command(&next, &[("next ev", "wait")]) };
        let later = parsed(people, &people.write(&later)?)?;
        Ok(LastSecond { first, second, later, end, over: end - 1 + u64::from(ttl) })
    }

    /// A chain that stored the first command when it was made, and has heard since that it is `now`.
    fn chain(&self, people: &People, policy: Policy, now: u64) -> Result<Chain, Stuck> {
        let mut chain = Chain::new(policy, Digest(people.params.id), Secs(CREATED));
        append(&mut chain, self.end - 1, parsed(people, &self.first)?);
        append(&mut chain, now, self.later.clone());
        Ok(chain)
    }
}

/// Number of ciphertexts that took effect.
fn append(chain: &mut Chain, time: u64, sigma: Arc<Sigma>) -> u32 {
    let (network, seq) = (chain.head().network_id, crate::ledger::Seq(chain.height().0 + 1));
    chain.append(Some(&Arc::new(Proposal::build(network, seq, Secs(time), vec![sigma])))).header.applied
}

/// V1–V7 against the chain.
fn admit(people: &People, chain: &Chain, bytes: &[u8], now: u64) -> Result<(), Failure> {
    let stored = |n: &crate::clmmsc::RecordId| {
        chain.by_nullifier(&Digest(n.0)).and_then(|t| t.by).map(|(sigma, _)| SigmaId(sigma.0))
    };
    verify(&people.params, bytes, now)?.check_ledger(stored)
}

pub(super) fn a33(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    for (name, role) in [("csc", Role::Csc), ("ev0", Role::Ev)] {
        people.person(name, Class::Id, role)?;
    }
    let letters = LastSecond::new(people)?;
    on_chain(people, trial, &letters)?;
    at_a_pile(people, trial, &letters)?;
    second_life(people, trial)
}

fn on_chain(people: &People, trial: &mut Trial, letters: &LastSecond) -> Result<(), Stuck> {
    let skew = u64::from(people.params.policy.skew);
    let kept = policy(people);
    for (when, now) in [
        ("in the next epoch", letters.end),
        ("after the clocks' difference", letters.end + skew + 1),
        ("in the last second of its life", letters.over),
    ] {
        let mut chain = letters.chain(people, kept.clone(), now)?;
        let again = admit(people, &chain, &letters.first, now);
        trial.refused(format!("offer the chain the same command {when}"), Check::V7, Error::Duplicate, again);
        let reuse = admit(people, &chain, &letters.second, now);
        trial.refused(
            format!("offer the chain its ticket's second command {when}"),
            Check::V7,
            Error::TicketReuse,
            reuse,
        );
        let applied = append(&mut chain, now, parsed(people, &letters.second)?);
        trial.holds(format!("order the second command {when} all the same"), applied == 0, "X-3: it has no effect");
    }
    let forgotten = letters.end + kept.skew + kept.ttl_max + kept.max_lag + 1;
    let chain = letters.chain(people, kept.clone(), forgotten)?;
    let gone = chain.by_nullifier(&parsed(people, &letters.first)?.nullifier).is_none();
    trial.holds(
        "wait until the chain forgets the ticket",
        gone,
        format!("{} s after the epoch", forgotten - letters.end),
    );
    let late = admit(people, &chain, &letters.first, forgotten);
    trial.refused("offer the command then", Check::V3, Error::Expired, late);

    let early = Policy { ttl_max: 0, max_lag: 0, ..kept };
    let now = letters.end + skew + 1;
    for (what, bytes) in [("the same command", &letters.first), ("its ticket's second command", &letters.second)] {
        let mut chain = letters.chain(people, early.clone(), now)?;
        let admitted = admit(people, &chain, bytes, now).is_ok();
        let applied = append(&mut chain, now, parsed(people, bytes)?);
        let seen = format!("stored and applied again, {} s after the epoch", now - letters.end);
        trial.breaks(format!("offer the chain {what}"), admitted && applied == 1, seen);
    }
    Ok(())
}

/// Forgets at the end of the epoch and the clocks' difference.
const AT_EPOCH: Keep =
    |params, header| (u64::from(header.epoch) + 1) * u64::from(params.policy.epoch_len) + u64::from(params.policy.skew);

/// Forgets when the life of the ciphertext is over.
const AT_LIFE: Keep = |_, header| header.created + u64::from(header.ttl);

fn at_a_pile(people: &People, trial: &mut Trial, letters: &LastSecond) -> Result<(), Stuck> {
    let after_skew = letters.end + u64::from(people.params.policy.skew) + 1;
    for (when, now) in [("after the clocks' difference", after_skew), ("in the last second of its life", letters.over)]
    {
        let mut pile = Pile::default();
        pile.obey(people, "ev0", &letters.first, letters.end - 1, KEEP)?;
        let again = pile.obey(people, "ev0", &letters.first, now, KEEP);
        trial.refused(format!("hand a pile the same command {when}"), Check::R3, Error::Replay, again);
        let reuse = pile.obey(people, "ev0", &letters.second, now, KEEP);
        trial.refused(format!("hand a pile its ticket's second command {when}"), Check::R1, Error::TicketReuse, reuse);
    }
    let mut pile = Pile::default();
    pile.obey(people, "ev0", &letters.first, letters.end - 1, AT_EPOCH)?;
    let _ = pile.obey(people, "ev0", &letters.second, after_skew, AT_EPOCH);
    obeyed_both(trial, "hand a pile that forgets at epoch + skew the second command", &pile);
    Ok(())
}

/// The second command of a ticket when the first is over but its epoch is not.
fn second_life(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
    let ticket = people.fresh_ticket(Role::Csc)?;
    let (seven, three) = ([("ev0", "charge 7 kW")], [("ev0", "charge 3 kW")]);
    let first = people.write(&Letter { ttl: 60, ..Letter::command(&ticket, &seven) })?;
    let second = people.write(&Letter { ttl: 60, created: CREATED + 100, ..Letter::command(&ticket, &three) })?;
    for (keep, forgets) in [(KEEP, false), (AT_LIFE, true)] {
        let mut pile = Pile::default();
        pile.obey(people, "ev0", &first, CREATED, keep)?;
        let reuse = pile.obey(people, "ev0", &second, CREATED + 100, keep);
        if forgets {
            obeyed_both(trial, "hand a pile that forgets at the end of life the second command", &pile);
        } else {
            let tried = "hand a pile the second command when the first one's life is over";
            trial.refused(tried, Check::R1, Error::TicketReuse, reuse);
        }
    }
    Ok(())
}

fn obeyed_both(trial: &mut Trial, tried: &str, pile: &Pile) {
    let seen = format!("one ticket, and the pile did `{}`", pile.done.join("` and `"));
    trial.breaks(tried, pile.done == ["charge 7 kW", "charge 3 kW"], seen);
}
