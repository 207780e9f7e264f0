//! Bounds of a scenario (WORLD.md §9): a file or a link is hostile input, and a run must end.

use super::{Bootstrap, Car, ENGINE, OrderDo, SCHEMA, Scenario, Tariff, WorkloadKind};
use crate::entities::actor::{ActorId, Role};
use crate::entities::stub::Crypto;
use crate::sim::intervention::{Action, At};
use crate::sim::network::RuleArgs;
use crate::sim::units::Dur;

/// Longest run, and the largest accepted value of any other time.
pub const MAX_END: Dur = Dur::secs(100_000);
/// Most faults, behaviours and interventions.
const MAX_EVENTS: usize = 256;

/// Most ciphertexts of a workload.
const MAX_PARCELS: u64 = 100_000;

/// Most entries of all ciphertexts of a workload, real and stubs: some ten seconds and a hundred megabytes.
const MOST_ENTRIES: u64 = 100_000;
const MOST_STUB_ENTRIES: u64 = 1_000_000;

/// What is wrong, and the keys that lead to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub path: Vec<String>,
    pub sentence: String,
}

fn problem<T>(path: &str, sentence: String) -> Result<T, Problem> {
    Err(Problem { path: path.split('.').map(str::to_owned).collect(), sentence })
}

fn within(path: &str, value: u64, min: u64, max: u64) -> Result<(), Problem> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let mut keys = path.rsplit('.');
    let key = keys.next().unwrap_or(path);
    let which = match (key.parse::<usize>(), keys.next()) {
        (Ok(index), Some(list)) => format!("entry {} of `{list}`", index + 1),
        _ => format!("`{key}`"),
    };
    problem(path, format!("{which} is {value}, but must be from {min} to {max}"))
}

fn dur(path: &str, value: Dur, min: Dur, max: Dur) -> Result<(), Problem> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let key = path.rsplit('.').next().unwrap_or(path);
    problem(path, format!("`{key}` is {value}, but must be from {min} to {max}"))
}

fn text(path: &str, value: &str, max: usize) -> Result<(), Problem> {
    let plain =
        value.chars().all(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    if plain && value.chars().count() <= max {
        return Ok(());
    }
    problem(path, format!("`{path}` may have at most {max} characters and no control characters"))
}

/// Checks every bound; the first problem decides.
pub fn check(s: &Scenario) -> Result<(), Problem> {
    if s.voltcast != SCHEMA {
        let sentence = format!("`voltcast` is {}, but this program reads version {SCHEMA} of scenarios", s.voltcast);
        return problem("voltcast", sentence);
    }
    if s.engine != ENGINE {
        return problem("engine", format!("this is engine \"{ENGINE}\", the scenario asks for \"{}\"", s.engine));
    }
    text("name", &s.name, 80)?;
    text("about", &s.about, 200)?;
    dur("end", s.end, Dur::ms(1), MAX_END)?;
    policy(s)?;
    gateways(s)?;
    entities(s)?;
    workload(s)?;
    station(s)?;
    network(s)?;
    for (index, car) in s.fleet.ev.iter().enumerate() {
        fleet(s, index, car)?;
    }
    generated(s)?;
    orders(s)?;
    events(s)
}

fn policy(s: &Scenario) -> Result<(), Problem> {
    within("policy.epoch_len", s.policy.epoch_len.into(), 60, 86_400)?;
    within("policy.ttl_max", s.policy.ttl_max.into(), 1, 86_400)?;
    within("policy.skew", s.policy.skew.into(), 0, 3_600)?;
    within("policy.max_bytes", s.policy.max_bytes, 4_096, 1 << 26)?;
    within("genesis_time", s.genesis_time, 0, 4_000_000_000)?;
    if !s.genesis_time.is_multiple_of(u64::from(s.policy.epoch_len)) {
        return problem("genesis_time", format!("`genesis_time` must be a multiple of {} s", s.policy.epoch_len));
    }
    Ok(())
}

fn gateways(s: &Scenario) -> Result<(), Problem> {
    let g = &s.gateways;
    within("gateways.n", g.n.into(), 4, 128)?;
    within("gateways.pipeline", g.pipeline.into(), 1, 32)?;
    within("gateways.batch_max", g.batch_max.into(), 0, 4_096)?;
    within("gateways.batch_bytes", g.batch_bytes, 4_096, 1 << 26)?;
    within("gateways.backoff_cap", g.backoff_cap.into(), 0, 20)?;
    dur("gateways.t0", g.t0, Dur::ms(1), MAX_END)?;
    dur("gateways.batch_delay", g.batch_delay, Dur(0), MAX_END)?;
    dur("gateways.relay_after", g.relay_after, Dur(0), MAX_END)?;
    dur("gateways.fetch_timeout", g.fetch_timeout, Dur::ms(1), MAX_END)?;
    dur("gateways.drift", g.drift, Dur::secs(1), MAX_END)?;
    within("gateways.checkpoint", g.checkpoint.into(), 1, 1_024)?;
    within("gateways.retain", g.retain.into(), 0, 1 << 24)?;
    within("gateways.rotate_every", g.rotate_every.into(), 0, 1 << 24)?;
    within("gateways.pool_max", g.pool_max.into(), 0, 1 << 20)?;
    dur("gateways.status_every", g.status_every, Dur(0), MAX_END)?;
    dur("gateways.resend", g.resend, Dur::ms(1), MAX_END)?;
    if g.window != 0 && (!g.window.is_multiple_of(g.checkpoint) || g.window < 2 * g.checkpoint || g.window > 4_096) {
        let sentence = format!(
            "`window` is {}, but must be a multiple of {} from {} to 4096",
            g.window,
            g.checkpoint,
            2 * g.checkpoint
        );
        return problem("gateways.window", sentence);
    }
    if u64::from(g.pipeline) > u64::from(if g.window == 0 { 2 * g.checkpoint } else { g.window }) {
        return problem("gateways.pipeline", "`pipeline` must not exceed `window`".into());
    }
    Ok(())
}

fn entities(s: &Scenario) -> Result<(), Problem> {
    let e = &s.entities;
    within("entities.kgc", e.kgc.into(), 1, 1)?;
    // Agreement alone needs nobody to read the chain.
    let fewest = u64::from(s.workload.kind == WorkloadKind::Station);
    within("entities.csc", e.csc.into(), fewest, 4)?;
    within("entities.cp", e.cp.into(), fewest, 64)?;
    within("entities.ev", e.ev.into(), 0, 256)?;
    within("entities.ttl", e.ttl.into(), 1, s.policy.ttl_max.into())?;
    within("entities.areas", e.areas.into(), 1, u64::from(s.gateways.n - 1).min(e.cp.max(1).into()))?;
    within("entities.tickets.csc", e.tickets.csc.into(), 1, 256)?;
    within("entities.tickets.css", e.tickets.css.into(), 1, 256)?;
    within("entities.tickets.ev", e.tickets.ev.into(), 1, 256)?;
    dur("entities.answer_delay", e.answer_delay, Dur(1), Dur::secs(60))?;
    for (path, every) in [("entities.upload_every", e.upload_every), ("entities.plan_every", e.plan_every)] {
        if every != Dur(0) {
            dur(path, every, Dur::secs(10), MAX_END)?;
        }
    }
    Ok(())
}

fn workload(s: &Scenario) -> Result<(), Problem> {
    let w = &s.workload;
    let station = w.kind == WorkloadKind::Station;
    let given = s.bootstrap == Bootstrap::Given;
    let rules = [
        (!station && !given, "workload.kind", "a workload without the station needs `bootstrap = \"given\"`"),
        (given && s.entities.ev > 0, "bootstrap", "`bootstrap = \"given\"` is for runs without cars: `ev` must be 0"),
        (
            s.gateways.crypto == Crypto::Stub && (station || !given),
            "gateways.crypto",
            "stub signatures need `bootstrap = \"given\"` and a workload without the station",
        ),
    ];
    if let Some((_, path, sentence)) = rules.into_iter().find(|(wrong, ..)| *wrong) {
        return problem(path, sentence.into());
    }
    within("workload.count", w.count.into(), 0, MAX_PARCELS)?;
    within("workload.at", w.at.len() as u64, 0, MAX_PARCELS)?;
    let (fewest, most) = w.receivers;
    if fewest > most || !(1..=64).contains(&most) {
        let sentence = "`receivers` are the fewest and the most receivers of a ciphertext, at most 64".into();
        return problem("workload.receivers", sentence);
    }
    // All ciphertexts are made before the run begins.
    let count = if w.kind == WorkloadKind::List { w.at.len() as u64 } else { w.count.into() };
    let entries = if s.gateways.crypto == Crypto::Stub { MOST_STUB_ENTRIES } else { MOST_ENTRIES };
    if !station && count * u64::from(most) > entries {
        let sentence = format!("{count} ciphertexts of up to {most} receivers are more than {entries} entries in all");
        return problem("workload.count", sentence);
    }
    dur("workload.every", w.every, Dur(0), MAX_END)
}

fn station(s: &Scenario) -> Result<(), Problem> {
    let st = &s.station;
    let watts = 10_000_000;
    within("station.feeder_cap_w", st.feeder_cap_w.into(), 1, watts)?;
    within("station.rating_w", st.rating_w.into(), 1, watts)?;
    dur("station.meter_every", st.meter_every, Dur::secs(1), MAX_END)?;
    if st.area_cap_w.len() != usize::from(s.entities.areas) {
        let sentence =
            format!("{} areas need {0} caps, but `area_cap_w` lists {}", s.entities.areas, st.area_cap_w.len());
        return problem("station.area_cap_w", sentence);
    }
    for (index, cap) in st.area_cap_w.iter().enumerate() {
        within(&format!("station.area_cap_w.{index}"), (*cap).into(), 1, watts)?;
    }
    tariff("station.tariff", &st.tariff)?;
    for (path, factor) in [
        ("cost.kgc", s.cost.kgc),
        ("cost.csc", s.cost.csc),
        ("cost.css", s.cost.css),
        ("cost.cp", s.cost.cp),
        ("cost.ev", s.cost.ev),
    ] {
        within(path, factor.into(), 0, 1_000)?;
    }
    Ok(())
}

fn tariff(path: &str, tariff: &Tariff) -> Result<(), Problem> {
    let periods = &tariff.periods;
    let ascending =
        periods.first().is_some_and(|p| p.start == 0) && periods.windows(2).all(|w| w[0].start < w[1].start);
    if periods.len() > 8 || !ascending {
        return problem(path, "a tariff has 1 to 8 periods whose starts ascend from 0".into());
    }
    if tariff.currency.len() != 3 || !tariff.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        let sentence = "`currency` is three capital letters, such as \"EUR\"".into();
        return problem(&format!("{path}.currency"), sentence);
    }
    Ok(())
}

fn network(s: &Scenario) -> Result<(), Problem> {
    use crate::sim::network::Latency;
    let max = Dur::secs(3_600);
    match &s.network.latency {
        Latency::Const(d) | Latency::Exponential(d) | Latency::LongTail(d) => {
            dur("network.latency", *d, Dur(0), max)?;
        }
        Latency::Uniform(lo, hi) if lo > hi => {
            return problem("network.latency", format!("a uniform latency goes up: {lo} is more than {hi}"));
        }
        Latency::Uniform(_, hi) => dur("network.latency", *hi, Dur(0), max)?,
        Latency::Table(table) if table.len() != 256 || table.windows(2).any(|w| w[0] > w[1]) => {
            return problem("network.latency", "a latency table has 256 ascending quantiles in µs".into());
        }
        Latency::Table(_) => {}
    }
    if let Some(rate) = s.network.bandwidth {
        within("network.bandwidth", rate.into(), 1, 10_000_000)?;
    }
    if let Some(most) = s.network.in_flight {
        within("network.in_flight", most.into(), 1, 100_000)?;
    }
    if let Some(gst) = s.network.gst {
        dur("network.gst", gst, Dur(0), MAX_END)?;
    }
    dur("network.reorder_by", s.network.reorder_by, Dur(0), max)?;
    dur("network.delta", s.network.delta, Dur(1), max)
}

/// Further stays of a car, and the least time between two.
const MOST_STAYS: u64 = 16;
const AWAY: Dur = Dur::secs(60);

fn fleet(s: &Scenario, index: usize, car: &Car) -> Result<(), Problem> {
    let at = |key: &str| format!("fleet.ev.{index}.{key}");
    within(&at("capacity_wh"), car.capacity_wh.into(), 100, 10_000_000)?;
    within(&at("max_power_w"), car.max_power_w.into(), 100, 10_000_000)?;
    within(&at("again"), car.again.len() as u64, 0, MOST_STAYS)?;
    let mut free = Dur(0);
    for (number, stay) in car.stays().enumerate() {
        let at = |key: &str| if number == 0 { at(key) } else { at(&format!("again.{}.{key}", number - 1)) };
        within(&at("soc"), stay.soc.into(), 0, 1_000_000)?;
        within(&at("target"), stay.target.into(), 0, 1_000_000)?;
        dur(&at("arrive"), stay.arrive, free, MAX_END)?;
        if stay.depart <= stay.arrive {
            let sentence = format!("`depart` is {}, but the car arrives at {} only", stay.depart, stay.arrive);
            return problem(&at("depart"), sentence);
        }
        dur(&at("depart"), stay.depart, Dur(0), MAX_END)?;
        if stay.pile == 0 || stay.pile > s.entities.cp {
            let sentence = format!("there is no pile {}: piles are numbered from 1 to {}", stay.pile, s.entities.cp);
            return problem(&at("pile"), sentence);
        }
        free = Dur(stay.depart.0.saturating_add(AWAY.0));
    }
    if car.sleeps && !car.again.is_empty() {
        // Its session record is for the hour of its first stay.
        return problem(&at("again"), "a car that sleeps stays once".into());
    }
    if car.sleeps && car.v2g {
        // A command that feeds back must be seen by the car itself.
        return problem(&at("v2g"), "a car that sleeps does not feed back".into());
    }
    Ok(())
}

/// Every drawn car is within the bounds of a listed one.
fn generated(s: &Scenario) -> Result<(), Problem> {
    let cars = s.fleet.ev.len() + s.fleet.generate.iter().map(|group| usize::from(group.count)).sum::<usize>();
    if cars > usize::from(s.entities.ev) {
        let sentence = format!("the fleet has {cars} cars, but `entities.ev` is {}", s.entities.ev);
        return problem("fleet", sentence);
    }
    for (index, group) in s.fleet.generate.iter().enumerate() {
        let at = |key: &str| format!("fleet.generate.{index}.{key}");
        for (key, [low, high]) in [("arrive", group.arrive), ("stay", group.stay)] {
            dur(&at(key), low, if key == "stay" { Dur::secs(1) } else { Dur(0) }, high)?;
            dur(&at(key), high, low, MAX_END)?;
        }
        let (latest, most) = (group.arrive[1].0 + group.stay[1].0, MAX_END.0);
        if latest > most {
            return problem(
                &at("stay"),
                format!("a car could stay until {}, at most {MAX_END} is allowed", Dur(latest)),
            );
        }
        for (key, [low, high], min, max) in [
            ("capacity_wh", group.capacity_wh, 100, 10_000_000),
            ("soc", group.soc, 0, 1_000_000),
            ("target", group.target, 0, 1_000_000),
            ("max_power_w", group.max_power_w, 100, 10_000_000),
        ] {
            within(&at(key), low.into(), min, high.into())?;
            within(&at(key), high.into(), low.into(), max)?;
        }
    }
    Ok(())
}

fn orders(s: &Scenario) -> Result<(), Problem> {
    for (index, order) in s.order.iter().enumerate() {
        let at = |key: &str| format!("order.{index}.{key}");
        dur(&at("at"), order.at, Dur(0), MAX_END)?;
        if order.by.role != Role::Csc || !exists(s, order.by) {
            return problem(&at("by"), format!("there is no CSC `{}` in this scenario", order.by));
        }
        let pile = |key: &str, pile: u16| within(&at(&format!("do.{key}.pile")), pile.into(), 1, s.entities.cp.into());
        let watts = |key: &str, w: u32| within(&at(&format!("do.{key}.limit_w")), w.into(), 0, 10_000_000);
        match &order.action {
            OrderDo::AreaLimit(limit) => {
                within(&at("do.area_limit.area"), limit.area.into(), 1, s.entities.areas.into())?;
                watts("area_limit", limit.limit_w)?;
                dur(&at("do.area_limit.lasts"), limit.lasts, Dur::secs(1), MAX_END)?;
            }
            OrderDo::DefaultTariff(order) => {
                tariff(&at("do.default_tariff.tariff"), &order.tariff)?;
                dur(&at("do.default_tariff.valid_from"), order.valid_from, Dur(0), MAX_END)?;
            }
            OrderDo::Availability(a) => pile("availability", a.pile)?,
            OrderDo::Stop(stop) => pile("stop", stop.pile)?,
            OrderDo::DefaultLimit(limit) => {
                pile("default_limit", limit.pile)?;
                watts("default_limit", limit.limit_w)?;
            }
        }
    }
    Ok(())
}

fn exists(s: &Scenario, actor: ActorId) -> bool {
    let count = match actor.role {
        Role::Kgc => s.entities.kgc,
        Role::Csc => s.entities.csc,
        Role::Css => s.gateways.n,
        Role::Cp => s.entities.cp,
        Role::Ev => s.entities.ev,
        Role::Outsider => 0,
    };
    actor.index < count
}

/// One sentence on what is wrong with an action in this scenario, if anything.
pub fn action(s: &Scenario, action: &Action) -> Result<(), String> {
    action.check()?;
    let actor = match action {
        Action::Crash(a)
        | Action::Pause(a)
        | Action::Resume(a)
        | Action::Restart(a)
        | Action::RestartAmnesia(a)
        | Action::Calm(a)
        | Action::Complain(a)
        | Action::OpenTicket(a) => *a,
        Action::Behave(b) => b.node,
        Action::Slow(s) => s.node,
        Action::Skew(s) => s.node,
        Action::TornStep(torn) => torn.node,
        Action::Link(rule) => return ends(s, rule.args()),
        Action::Release(which) => return ends(s, which),
        _ => return Ok(()),
    };
    known(s, actor)
}

fn known(s: &Scenario, actor: ActorId) -> Result<(), String> {
    if exists(s, actor) { Ok(()) } else { Err(format!("there is no {actor} in this scenario")) }
}

/// A rule about nobody would silently do nothing.
fn ends(s: &Scenario, rule: &RuleArgs) -> Result<(), String> {
    let named = rule.from.0.iter().chain(&rule.to.0).flat_map(|pattern| pattern.named());
    named.into_iter().try_for_each(|actor| known(s, actor))
}

fn events(s: &Scenario) -> Result<(), Problem> {
    if s.fault.len() + s.behaviour.len() + s.intervention.len() + s.order.len() > MAX_EVENTS {
        return problem(
            "fault",
            format!("a scenario may have at most {MAX_EVENTS} orders, faults, behaviours and interventions"),
        );
    }
    for (index, fault) in s.fault.iter().enumerate() {
        dur(&format!("fault.{index}.at"), fault.at, Dur(0), MAX_END)?;
        action(s, &fault.action.action()).or_else(|sentence| problem(&format!("fault.{index}.do"), sentence))?;
    }
    for (index, behave) in s.behaviour.iter().enumerate() {
        action(s, &Action::Behave(behave.clone())).or_else(|why| problem(&format!("behaviour.{index}"), why))?;
    }
    for (index, intervention) in s.intervention.iter().enumerate() {
        if let At::Time(t) = intervention.at {
            dur(&format!("intervention.{index}.at"), Dur(t.0), Dur(0), MAX_END)?;
        }
        action(s, &intervention.action).or_else(|why| problem(&format!("intervention.{index}.do"), why))?;
    }
    Ok(())
}
