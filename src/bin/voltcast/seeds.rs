//! `voltcast seeds`: many runs whose options come from the seed (CONSENSUS.md §7 item 4); `voltcast twins`: the same with
//! gateways that live twice (item 5).

use super::{number, print};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use voltcast::pbft::Quorum;
use voltcast::sim::scenario::Scenario;
use voltcast::sim::swarm::{self, Bench, Failure, Met, Partitions, SIZES};

/// One run in so many is played twice, without the memory of verifications the second time (SI-15).
const REPLAY_EVERY: u64 = 64;

/// Which runs.
#[derive(Clone)]
enum What {
    Swarm(Option<u16>),
    /// Gateways, and how many of them live twice.
    Twins(u16, u16),
    /// The same, and all there are.
    All(u16, u16, Partitions),
}

impl What {
    fn scenario(&self, seed: u64) -> Result<Scenario, String> {
        let made = match self {
            What::Swarm(n) => swarm::scenario(seed, *n),
            What::Twins(n, liars) => swarm::twins(seed, *n, *liars),
            What::All(_, _, all) => all.scenario(seed),
        };
        made.map_err(|e| e.to_string())
    }

    /// The command that runs one seed again.
    fn again(&self, seed: u64) -> String {
        match self {
            What::Swarm(None) => format!("voltcast seeds --from {seed} --count 1"),
            What::Swarm(Some(n)) => format!("voltcast seeds --from {seed} --count 1 --n {n}"),
            What::Twins(n, liars) => format!("voltcast twins --from {seed} --count 1 --n {n} --liars {liars}"),
            What::All(n, liars, _) => format!("voltcast twins --all --from {seed} --count 1 --n {n} --liars {liars}"),
        }
    }
}

struct Args {
    from: u64,
    count: u64,
    n: Option<u16>,
    liars: Option<u16>,
    jobs: usize,
    json: Option<String>,
    /// Every split of twins rather than drawn ones.
    every: bool,
    /// The search ends with the first failure.
    first: bool,
    /// What stays untried counts as a failure.
    coverage: bool,
}

/// What all runs together came to.
#[derive(Default)]
struct Tally {
    runs: u64,
    steps: u64,
    effects: u64,
    blocks: u64,
    views: u64,
    per_n: BTreeMap<u16, u64>,
    met: Met,
    /// Seeds after which safety was void.
    void: BTreeSet<u64>,
    /// Seed, name and text of each failure.
    failures: BTreeMap<u64, (String, String)>,
    /// Failures that are of liveness.
    stuck: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    from: u64,
    count: u64,
    n: Option<u16>,
    seconds: f64,
    seeds_per_second: f64,
    steps: u64,
    effects: u64,
    blocks: u64,
    violations: usize,
    liveness_failures: usize,
    safety_void: usize,
    per_n: &'a BTreeMap<u16, u64>,
    behaviours: Vec<String>,
    rules_accepted: Vec<&'static str>,
    rules_refused: Vec<String>,
    situations: Vec<&'static str>,
    evidence: Vec<&'static str>,
    missing: Vec<String>,
    failures: Vec<(u64, &'a str, &'a str)>,
}

fn parse(args: &[String]) -> Result<Args, String> {
    let mut all = Args {
        from: 0,
        count: 0,
        n: None,
        liars: None,
        jobs: 1,
        json: None,
        every: false,
        first: false,
        coverage: false,
    };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let flag = match arg.as_str() {
            "--all" => Some(&mut all.every),
            "--first" => Some(&mut all.first),
            "--coverage" => Some(&mut all.coverage),
            _ => None,
        };
        if let Some(flag) = flag {
            *flag = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| format!("`{arg}` needs a value"))?;
        match arg.as_str() {
            "--from" => all.from = number(arg, value)?,
            "--count" => all.count = number(arg, value)?,
            "--n" => all.n = Some(number(arg, value)?),
            "--liars" => all.liars = Some(number(arg, value)?),
            "--jobs" => all.jobs = number(arg, value)?,
            "--json" => all.json = Some(value.clone()),
            other => return Err(format!("there is no option `{other}`; try `voltcast help`")),
        }
    }
    if all.count == 0 && !all.every {
        return Err("`--count K` is missing, or 0".into());
    }
    if all.from.checked_add(all.count).is_none() {
        return Err(format!("there are no {} seeds from {} on", all.count, all.from));
    }
    if all.jobs == 0 {
        all.jobs = std::thread::available_parallelism().map_or(1, usize::from);
    }
    Ok(all)
}

/// Runs the seeds; true if nothing broke and everybody finished, and with `--coverage` if nothing stayed untried.
///
/// # Errors
/// A sentence for bad arguments or an unwritable file.
pub fn command(args: &[String]) -> Result<bool, String> {
    let args = parse(args)?;
    if args.every {
        return Err("`--all` is for `twins`".into());
    }
    let tally = all(&args, &What::Swarm(args.n))?;
    Ok(tally.failures.is_empty() && covered(&args, &tally)?)
}

/// Runs scenarios of twins. With as many as can break agreement, true if one did; else as [`command`].
///
/// # Errors
/// A sentence for bad arguments or an unwritable file.
pub fn twins(args: &[String]) -> Result<bool, String> {
    let mut args = parse(args)?;
    if args.coverage {
        return Err("`--coverage` is for `seeds`".into());
    }
    let n = args.n.unwrap_or(4);
    let quorum = Quorum::new(n).map_err(|e| e.to_string())?;
    let liars = args.liars.unwrap_or(quorum.f());
    let what = if args.every { every(&mut args, n, liars)? } else { What::Twins(n, liars) };
    let tally = all(&args, &what)?;
    if liars < quorum.breaking() {
        return Ok(tally.failures.is_empty() && tally.void.is_empty());
    }
    match tally.void.first() {
        Some(seed) => {
            let name = what.scenario(*seed)?.name;
            print(&format!("  {liars} twins broke agreement first with seed {seed}: {name}"))?;
        }
        None => print(&format!("  {liars} twins could break agreement, and did not"))?,
    }
    Ok(!tally.void.is_empty())
}

/// All splits of twins there are, from the number asked for.
fn every(args: &mut Args, n: u16, liars: u16) -> Result<What, String> {
    let all = Partitions::new(n, liars)
        .ok_or_else(|| format!("{liars} twins among {n} have too many splits to see all; give `--count K` alone"))?;
    let left = all.count().checked_sub(args.from).filter(|left| *left > 0);
    let left = left.ok_or_else(|| format!("there are {} splits", all.count()))?;
    args.count = if args.count == 0 { left } else { args.count.min(left) };
    let (count, views) = (all.count(), all.views());
    print(&format!(
        "{liars} of {n} gateways live twice: {count} ways to split the others in views 0 to {}",
        views - 1
    ))?;
    Ok(What::All(n, liars, all))
}

#[allow(clippy::disallowed_types, reason = "seeds per second are measured here, and enter no run")]
fn all(args: &Args, what: &What) -> Result<Tally, String> {
    what.scenario(args.from)?;
    let start = std::time::Instant::now();
    let (next, tally) = (AtomicU64::new(args.from), Mutex::new(Tally::default()));
    let end = args.from.saturating_add(args.count);
    std::thread::scope(|scope| {
        for _ in 0..args.jobs {
            scope.spawn(|| worker(&next, end, what, args.first, &tally));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let tally = tally.into_inner().map_err(|_| "a run came to no end")?;
    report(args, what, &tally, seconds)?;
    if let Some((seed, (name, _))) = tally.failures.first_key_value().filter(|_| !args.first) {
        smaller(*seed, what, name)?;
    }
    Ok(tally)
}

fn worker(next: &AtomicU64, end: u64, what: &What, first: bool, tally: &Mutex<Tally>) {
    let mut bench = Bench::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let Ok(scenario) = what.scenario(seed) else { return };
        let twice = seed.is_multiple_of(REPLAY_EVERY);
        let verdict = if twice { bench.run_again(&scenario) } else { bench.run(&scenario) };
        let Ok(verdict) = verdict else { return };
        let Ok(mut all) = tally.lock() else { return };
        all.runs += 1;
        all.steps += verdict.steps;
        all.effects += verdict.effects;
        all.blocks += verdict.blocks;
        all.views = all.views.max(verdict.views);
        *all.per_n.entry(scenario.gateways.n).or_default() += 1;
        all.met.merge(&verdict.met);
        if verdict.void {
            all.void.insert(seed);
        }
        if let Some(failure) = verdict.failure {
            if first {
                // Seeds are taken in order: those below this one are done or under way.
                next.store(end, Ordering::Relaxed);
            }
            all.stuck += usize::from(failure.of_liveness());
            all.failures.insert(seed, (failure.name().to_owned(), text(&failure)));
        }
    }
}

/// The numbers of gateways that the seeds are about.
fn sizes(args: &Args) -> &[u16] {
    args.n.as_ref().map_or(&SIZES, std::slice::from_ref)
}

/// With `--coverage`, whether everything was tried; says what was not.
fn covered(args: &Args, tally: &Tally) -> Result<bool, String> {
    let missing = if args.coverage { tally.met.missing(sizes(args)) } else { Vec::new() };
    missing.iter().try_for_each(|what| print(&format!("  NOT COVERED: {what}")))?;
    Ok(missing.is_empty())
}

fn text(failure: &Failure) -> String {
    match failure {
        Failure::Broken { text, .. } => text.clone(),
        Failure::Stuck { pending } => {
            let waits = pending.iter().take(8).map(|(who, why)| format!("{who} {why}"));
            waits.collect::<Vec<_>>().join("; ")
        }
    }
}

fn report(args: &Args, what: &What, tally: &Tally, seconds: f64) -> Result<(), String> {
    let stuck = tally.stuck;
    let broken = tally.failures.len() - stuck;
    let speed = tally.runs as f64 / seconds.max(1e-9);
    let counts: Vec<String> = tally.per_n.iter().map(|(n, count)| format!("{n}: {count}")).collect();
    let coverage = &tally.met.coverage;
    let accepted: Vec<_> = coverage.accepted().map(|rule| rule.id()).collect();
    let refused: Vec<_> = coverage.refused().map(|(rule, why)| format!("{} {why}", rule.id())).collect();
    let missing = tally.met.missing(sizes(args));
    print(&format!(
        "seeds {} to {}: {} runs in {seconds:.1} s, {speed:.0} seeds/s with {} job(s), {:.2} M events/s",
        args.from,
        args.from.saturating_add(args.count) - 1,
        tally.runs,
        args.jobs,
        tally.steps as f64 / seconds.max(1e-9) / 1e6,
    ))?;
    print(&format!("  {} blocks, highest view {}, runs per n: {}", tally.blocks, tally.views, counts.join(", ")))?;
    print(&format!("  violations: {broken}, liveness failures: {stuck}, safety void: {}", tally.void.len()))?;
    print(&format!(
        "  coverage: {} rules accepted, {} refusals by reason, {} situations, {} kinds of proof, {} behaviours by size; {} missing",
        accepted.len(),
        refused.len(),
        tally.met.situations.len(),
        tally.met.classes.len(),
        tally.met.behaviours.len(),
        missing.len(),
    ))?;
    for (seed, (name, text)) in tally.failures.iter().take(10) {
        print(&format!("  FAILED seed {seed}: {name}: {text}\n    again: {}", what.again(*seed)))?;
    }
    let Some(file) = &args.json else { return Ok(()) };
    let report = Report {
        from: args.from,
        count: args.count,
        n: args.n,
        seconds,
        seeds_per_second: speed,
        steps: tally.steps,
        effects: tally.effects,
        blocks: tally.blocks,
        violations: broken,
        liveness_failures: stuck,
        safety_void: tally.void.len(),
        per_n: &tally.per_n,
        behaviours: tally.met.behaviours.iter().map(|(kind, n)| format!("{} n={n}", kind.name())).collect(),
        rules_accepted: accepted,
        rules_refused: refused,
        situations: tally.met.situations.iter().map(|s| s.text()).collect(),
        evidence: tally.met.classes.iter().map(|class| class.id()).collect(),
        missing,
        failures: tally.failures.iter().map(|(seed, (a, b))| (*seed, a.as_str(), b.as_str())).collect(),
    };
    let json = serde_json::to_string_pretty(&report).map_err(|e| format!("cannot write the report: {e}"))?;
    std::fs::write(file, json).map_err(|e| format!("cannot write `{file}`: {e}"))
}

/// Prints the smallest scenario found that fails like this seed.
fn smaller(seed: u64, what: &What, name: &str) -> Result<(), String> {
    let scenario = what.scenario(seed)?;
    let mut bench = Bench::default();
    let Some(failure) = bench.run(&scenario).map_err(|e| e.to_string())?.failure else {
        return print(&format!("  seed {seed} did not fail again"));
    };
    let small = swarm::shrink(&scenario, &failure, &mut bench);
    print(&format!("\n# seed {seed} made smaller, still failing with {name}\n{}", small.explain()))
}
