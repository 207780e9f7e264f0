//! A recorded run in words, phase by phase: what `voltcast run` prints (WORLD.md §11). Read from the trace alone.

use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::FactKind;
use crate::entities::schedule;
use crate::ledger::{Digest, Micros};
use crate::sim::forensics::Charge;
use crate::sim::scenario::{Car, Scenario};
use crate::sim::state::{State, UJ_PER_WH};
use crate::sim::trace::{Effect, Kind, PacketTag, Trace};
use crate::sim::units::Dur;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Digits of a digest that are enough to tell values of one run apart.
const SHORT: usize = 8;

/// `css1, css2, css4` as `css1..2, css4`: a list of actors of one run, in order.
fn names(actors: impl IntoIterator<Item = ActorId>) -> String {
    let set: BTreeSet<ActorId> = actors.into_iter().collect();
    let mut runs: Vec<(ActorId, ActorId)> = Vec::new();
    for actor in set {
        match runs.last_mut() {
            Some((_, last)) if last.role == actor.role && last.index + 1 == actor.index => *last = actor,
            _ => runs.push((actor, actor)),
        }
    }
    let text = |(first, last): (ActorId, ActorId)| match u32::from(last.index) - u32::from(first.index) {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}..{}", u32::from(last.index) + 1),
    };
    match runs.len() {
        0 => "nobody".into(),
        _ => runs.into_iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

fn some(count: u32, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn time(t: Micros) -> String {
    match t.0 {
        0 => "0 s".into(),
        us if us >= 120_000_000 => format!("{}.{:02} min", us / 60_000_000, us / 600_000 % 100),
        us => format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000),
    }
}

fn money(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02} {currency}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

fn kwh(wh: i64) -> String {
    format!("{}.{:03} kWh", wh / 1000, wh.rem_euclid(1000))
}

/// What the four phases came to.
pub fn text(scenario: &Scenario, state: &State, trace: &Trace) -> String {
    let mut out =
        format!("{} (n = {} gateways, f = {} may be faulty, seed {})\n", scenario.name, state.n, state.f, state.seed);
    if state.stub {
        out.push_str("STUB SIGNATURES: this run shows agreement, not cryptography\n");
    }
    // Writing into a String cannot fail.
    let _ = keys(&mut out, trace)
        .and_then(|()| commands(&mut out, trace))
        .and_then(|()| agreement(&mut out, state, trace))
        .and_then(|()| power(&mut out, state))
        .and_then(|()| energy(&mut out, scenario, trace))
        .and_then(|()| complaints(&mut out, state))
        .and_then(|()| evidence(&mut out, state, trace))
        .and_then(|()| refusals(&mut out, state, trace))
        .and_then(|()| ending(&mut out, state, trace));
    out
}

fn facts(trace: &Trace) -> impl Iterator<Item = (&Effect, ActorId, &FactKind)> {
    trace.effects().iter().filter_map(|e| match (&e.kind, e.actor) {
        (Kind::Fact(fact), Some(actor)) => Some((e, actor, fact)),
        _ => None,
    })
}

fn keys(out: &mut String, trace: &Trace) -> std::fmt::Result {
    writeln!(out, "\nPhase 1, keys")?;
    let mut accepted = BTreeSet::new();
    let mut tickets = 0;
    let mut last = Micros(0);
    for (effect, actor, fact) in facts(trace) {
        match fact {
            FactKind::KeyAccepted { class: 1, .. } => {
                accepted.insert(actor);
                last = effect.t;
            }
            FactKind::KeyAccepted { class: 2, count, .. } => tickets += count,
            FactKind::KeyRefused { error } => {
                writeln!(out, "  {actor} refused its key at {}: {error}", time(effect.t))?;
            }
            FactKind::SetUp { params_id } => {
                writeln!(out, "  {actor} set up the parameters {}", params_id.short(SHORT))?;
            }
            FactKind::GenesisMade { network_id } => {
                writeln!(out, "  {actor} made genesis {} at {}", network_id.short(SHORT), time(effect.t))?;
            }
            _ => {}
        }
    }
    writeln!(out, "  keys accepted by {}; the last one at {}", names(accepted), time(last))?;
    writeln!(out, "  {tickets} one-time tickets accepted")
}

fn commands(out: &mut String, trace: &Trace) -> std::fmt::Result {
    writeln!(out, "\nPhase 2, commands")?;
    let mut owners: BTreeMap<Digest, ActorId> = BTreeMap::new();
    for (effect, actor, fact) in facts(trace) {
        let t = time(effect.t);
        match fact {
            FactKind::KeyAccepted { rid, .. } => {
                owners.insert(*rid, actor);
            }
            FactKind::PluggedIn { cp } => writeln!(out, "  {t}: {actor} plugs in at {cp}")?,
            FactKind::Planned { lines } => {
                for line in lines {
                    let ev = owners.get(&line.rid).map_or_else(|| line.rid.short(SHORT), ActorId::to_string);
                    let periods =
                        if line.periods == 1 { "1 period".into() } else { format!("{} periods", line.periods) };
                    writeln!(out, "  {t}: {actor} plans {} W at first for {ev}, {periods}", line.limit_w)?;
                }
            }
            FactKind::Signcrypted { sigma, flow: flow @ (1 | 2 | 3 | 7), n, .. } => {
                let sigma = sigma.short(SHORT);
                writeln!(out, "  {t}: {actor} signcrypts σ {sigma} (flow {flow}) for {n} receivers at once")?;
            }
            FactKind::Routed { sigma, gateways } => {
                writeln!(out, "  {t}: {actor} routes σ {} to {}", sigma.short(SHORT), names(gateways.iter().copied()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn agreement(out: &mut String, state: &State, trace: &Trace) -> std::fmt::Result {
    writeln!(out, "\nPhase 3, agreement")?;
    let mut messages: BTreeMap<PacketTag, u32> = BTreeMap::new();
    for effect in trace.effects() {
        if let Kind::Sent { packet, .. } = &effect.kind
            && packet.tag.name().starts_with("pbft.")
        {
            *messages.entry(packet.tag).or_default() += 1;
        }
    }
    let mut appended: BTreeMap<(u64, Digest), (Micros, u32, BTreeSet<ActorId>)> = BTreeMap::new();
    for (effect, actor, fact) in facts(trace) {
        match fact {
            FactKind::BlockAppended { height, header, count, .. } if actor.role == Role::Css => {
                let block = appended.entry((*height, *header)).or_insert((effect.t, *count, BTreeSet::new()));
                block.2.insert(actor);
            }
            FactKind::ViewChange { target, reason } => {
                writeln!(out, "  {}: {actor} asks for view {target}: {reason}", time(effect.t))?;
            }
            FactKind::NewView { view, carried } => {
                writeln!(
                    out,
                    "  {}: {actor} enters view {view} with {} carried over",
                    time(effect.t),
                    some(*carried, "slot")
                )?;
            }
            _ => {}
        }
    }
    for ((height, header), (t, count, holders)) in appended {
        let (short, holders) = (header.short(SHORT), names(holders));
        writeln!(
            out,
            "  {}: block {height} {short} with {}, in the chains of {holders}",
            time(t),
            some(count, "ciphertext")
        )?;
    }
    if state.chains.values().all(|chain| chain.height == 0) {
        writeln!(out, "  no block")?;
    }
    let views: BTreeSet<u64> = state.views.values().copied().collect();
    let views = views.iter().map(u64::to_string).collect::<Vec<_>>().join(" and ");
    writeln!(out, "  views at the end: {views}")?;
    let sent: Vec<String> = messages.iter().map(|(tag, count)| format!("{count} {}", &tag.name()[5..])).collect();
    writeln!(out, "  messages: {}", if sent.is_empty() { "none".into() } else { sent.join(", ") })
}

fn power(out: &mut String, state: &State) -> std::fmt::Result {
    writeln!(out, "\nPhase 4, opening and power")?;
    for opening in &state.opened {
        let ev = opening.ev.map_or_else(|| "nobody".into(), |ev| ev.to_string());
        match &opening.error {
            None => writeln!(out, "  {} opened the command for {ev}", opening.cp)?,
            Some(error) => writeln!(out, "  {} could not open the command for {ev}: {error}", opening.cp)?,
        }
    }
    if state.opened.is_empty() {
        writeln!(out, "  nothing was opened")?;
    }
    if !state.not_a_receiver.is_empty() {
        writeln!(out, "  not a receiver: {}", names(state.not_a_receiver.iter().copied()))?;
    }
    for bill in &state.bills {
        let ev = bill.ev.map_or_else(|| "nobody".into(), |ev| ev.to_string());
        let kind = if bill.last { "final bill" } else { "running bill" };
        let heights: Vec<String> =
            bill.heights.iter().map(|h| h.map_or_else(|| "no block yet".into(), |h| format!("block {h}"))).collect();
        let (energy, total) = (kwh(bill.energy_wh), money(bill.total, &bill.currency));
        writeln!(out, "  {kind} of {} for {ev}: {energy}, {total}, ordered in {}", bill.cp, heights.join(", "))?;
    }
    Ok(())
}

/// What a car wanted and got, in µJ at the plug, and why it left short if it did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub ev: ActorId,
    pub wanted_uj: i64,
    pub got_uj: i64,
    pub reason: Option<&'static str>,
}

/// Shortfalls below this share (in ppm) of what was wanted are the grain of slots and steps, not worth a reason.
const GRAIN_PPM: i128 = 20_000;

/// Every car of the fleet: what it wanted when it came, what its pile metered, and the reason for a difference.
pub fn wanted(scenario: &Scenario, trace: &Trace) -> Vec<Wanted> {
    let mut plugged: BTreeMap<ActorId, Vec<Micros>> = BTreeMap::new();
    let mut got = BTreeMap::new();
    let mut at: BTreeMap<ActorId, ActorId> = BTreeMap::new();
    for (effect, actor, fact) in facts(trace) {
        match fact {
            FactKind::PluggedIn { cp } => {
                plugged.entry(actor).or_default().push(effect.t);
                at.insert(*cp, actor);
            }
            FactKind::Billed { energy_uj, last: true, .. } => {
                if let Some(ev) = at.get(&actor) {
                    *got.entry(*ev).or_insert(0i64) += energy_uj;
                }
            }
            _ => {}
        }
    }
    let one = |(index, car): (usize, &Car)| {
        let ev = ActorId::new(Role::Ev, index as u16);
        let wanted_uj: i64 = car.stays().map(|stay| schedule::need_uj(stay.soc, stay.target, car.capacity_wh)).sum();
        let got_uj = got.get(&ev).copied().unwrap_or(0);
        let missing = i128::from(wanted_uj) - i128::from(got_uj);
        let short = missing * 1_000_000 > i128::from(wanted_uj) * GRAIN_PPM;
        let until =
            |since: &Micros| car.stay_at(*since).map_or(0, |(_, stay)| stay.depart.0.min(scenario.end.0) - since.0);
        let here_us = plugged.get(&ev).map(|begun| begun.iter().map(until).sum::<u64>());
        let most_w = i128::from(car.max_power_w.min(scenario.station.rating_w));
        let reason = match here_us {
            None => "never got a pile",
            Some(us) if i128::from(us) * most_w < i128::from(wanted_uj) => "too little time at a pile",
            Some(_) => "the caps, the battery above 80 %, or a limit",
        };
        Wanted { ev, wanted_uj, got_uj, reason: short.then_some(reason) }
    };
    scenario.resolved().fleet.ev.iter().enumerate().map(one).collect()
}

fn energy(out: &mut String, scenario: &Scenario, trace: &Trace) -> std::fmt::Result {
    let cars = wanted(scenario, trace);
    let sum = |of: fn(&Wanted) -> i64| cars.iter().map(|car| i128::from(of(car))).sum::<i128>();
    let (wanted, got) = (sum(|car| car.wanted_uj), sum(|car| car.got_uj));
    if wanted == 0 {
        return Ok(());
    }
    let wh = |uj: i128| kwh((uj / i128::from(UJ_PER_WH)) as i64);
    writeln!(out, "  energy: {} of {} that all cars wanted, {} %", wh(got), wh(wanted), got * 100 / wanted)?;
    let mut short: BTreeMap<&str, Vec<ActorId>> = BTreeMap::new();
    for car in &cars {
        if let Some(reason) = car.reason {
            short.entry(reason).or_default().push(car.ev);
        }
    }
    short.into_iter().try_for_each(|(reason, evs)| writeln!(out, "  left short by {reason}: {}", names(evs)))
}

fn complaints(out: &mut String, state: &State) -> std::fmt::Result {
    if state.complaints.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nComplaints")?;
    for c in &state.complaints {
        let who = |actor: Option<ActorId>| actor.map_or_else(|| "somebody".into(), |a| a.to_string());
        let found = match &c.error {
            None => format!("the entry is in order, and {} is now known as its sender", who(c.sender)),
            Some(error) => format!("the entry does not open: {error}"),
        };
        let (judges, sigma) = (names(c.judges.iter().copied()), c.sigma.short(SHORT));
        writeln!(out, "  {} about σ {sigma}: {judges} find that {found}", who(c.ev))?;
    }
    Ok(())
}

fn evidence(out: &mut String, state: &State, trace: &Trace) -> std::fmt::Result {
    if state.evidence.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nProven faults")?;
    for line in &state.evidence {
        let told = |fact: &FactKind| matches!(fact, FactKind::Evidence { culprit, class } if (*culprit, Charge::Proven(*class)) == (line.culprit, line.class));
        let holders: Vec<ActorId> = facts(trace).filter(|(_, _, fact)| told(fact)).map(|(_, actor, _)| actor).collect();
        let source = match holders.as_slice() {
            [] => "forensics found the proof in what was sent".into(),
            some => format!("{} hold the proof", names(some.iter().copied())),
        };
        writeln!(out, "  {} {} ({}): {source}", line.culprit, line.class.text(), line.class.id())?;
    }
    Ok(())
}

fn refusals(out: &mut String, state: &State, trace: &Trace) -> std::fmt::Result {
    writeln!(out, "\nRefused")?;
    for refusal in &state.refused {
        let check = if refusal.check.is_empty() { String::new() } else { format!(" by {}", refusal.check) };
        let sigma = refusal.sigma.map_or_else(String::new, |sigma| format!(", σ {}", sigma.short(SHORT)));
        let times = if refusal.count == 1 { String::new() } else { format!(", {} times", refusal.count) };
        writeln!(out, "  {}{check}: {}{sigma}{times}", refusal.actor, refusal.error)?;
    }
    if state.refused.is_empty() {
        writeln!(out, "  nothing")?;
    }
    for violation in &state.violations {
        writeln!(out, "  INVARIANT {} BROKEN at event e{}", violation.invariant, violation.event)?;
    }
    for effect in trace.effects() {
        if let Kind::SafetyVoid { id, text } = &effect.kind {
            writeln!(out, "  safety void: more than {} gateways are faulty, and {id} fell: {text}", state.f)?;
        }
    }
    Ok(())
}

fn ending(out: &mut String, state: &State, trace: &Trace) -> std::fmt::Result {
    let mut busy: BTreeMap<Role, u64> = BTreeMap::new();
    for (_, actor, fact) in facts(trace) {
        if let FactKind::Step { cost_us, .. } = fact {
            *busy.entry(actor.role).or_default() += u64::from(*cost_us);
        }
    }
    writeln!(out, "\nTime")?;
    if !busy.is_empty() {
        let parts: Vec<String> =
            busy.iter().map(|(role, us)| format!("{} {}", role.prefix().to_uppercase(), Dur(*us))).collect();
        writeln!(out, "  virtual time in the shown cryptographic steps: {}", parts.join(", "))?;
    }
    writeln!(out, "  {} events until {} of virtual time", trace.len(), time(Micros(state.t_us)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_names_read_well() {
        let css = |index| ActorId::new(Role::Css, index);
        assert_eq!(names([css(3), css(0), css(1), css(2)]), "css1..4");
        assert_eq!(names([css(0), css(2), css(3), ActorId::new(Role::Cp, 0)]), "css1, css3, css4, cp1");
        assert_eq!(names([]), "nobody");
        assert_eq!(money(-105, "EUR"), "-1.05 EUR");
        assert_eq!(kwh(6_000), "6.000 kWh");
        assert_eq!(time(Micros(3_000_000_000)), "50.00 min");
        assert_eq!(time(Micros(2_614_000)), "2.614 s");
    }
}
