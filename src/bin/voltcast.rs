//! `voltcast`: the engine of the page on the command line (WORLD.md §11).
//!
//! Exit code 0: done and every invariant held; 1: an invariant broke; 2: bad arguments or file, said in one sentence.
//! Only this file may look at a clock or at files.

#[cfg(feature = "attack-lab")]
#[path = "voltcast/attacks.rs"]
mod attacks;
#[path = "voltcast/audit.rs"]
mod audit;
#[path = "voltcast/diagram.rs"]
mod diagram;
#[path = "voltcast/seeds.rs"]
mod seeds;
#[path = "voltcast/vectors.rs"]
mod vectors;

use std::process::ExitCode;
use voltcast::sim::export;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::link::{Link, Moment};
use voltcast::sim::scenario::{MAX_TEXT, PRESETS, Scenario, plain};
use voltcast::sim::state;
use voltcast::sim::summary;
use voltcast::sim::swarm;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Kind, Trace};

const USAGE: &str = "\
voltcast: the whole protocol of the paper, run on this machine

  voltcast run --scenario NAME|FILE [--seed N] [--n N] [--do WHAT]… [--json FILE] [--quiet]
  voltcast run --link LINK [--json FILE] [--quiet]
  voltcast audit (--scenario NAME|FILE | --link LINK) [--seed N] [--n N] [--do WHAT]…
  voltcast scenarios
  voltcast scenario NAME|FILE [--explain]
  voltcast diagram --scenario NAME|FILE (--slot S | --view V)
  voltcast vectors make --seed N --out FOLDER
  voltcast vectors check FILE|FOLDER…
  voltcast seeds --from S --count K [--n N] [--jobs J] [--first] [--coverage] [--json FILE]
  voltcast twins (--count K | --all) [--from S] [--n N] [--liars L] [--jobs J] [--first] [--json FILE]
  voltcast attacks [ID…] [--seed N] [--evidence] [--json FILE]

NAME is a built-in scenario (see `voltcast scenarios`) or swarm:SEED, FILE a scenario as TOML or JSON.
J jobs run side by side; 0 stands for one per processor. With --first a search ends at the first failure.
With --coverage it also fails if a rule, a reason, a situation, a proof of fault or a behaviour stayed untried, and says which.
WHAT is done to the run at a moment, as in links: 60s~complain~ev2, 2.5s~crash~css1, 0s~behave~css1~silent.
Exit code 0: all held; 1: an invariant broke, a run was cut, a link was not reproduced, a bill differs, or a vector or
attack did not hold; 2: bad arguments or file.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match command(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(sentence) => {
            eprintln!("voltcast: {}", plain(&sentence));
            ExitCode::from(2)
        }
    }
}

/// Whether everything held, or what was wrong with the arguments.
fn command(args: &[String]) -> Result<bool, String> {
    let (name, rest) = args.split_first().ok_or("a command is missing; try `voltcast help`")?;
    match name.as_str() {
        "run" => run(rest),
        "audit" => audit::command(rest),
        "scenarios" => {
            no_more(rest)?;
            list()
        }
        "scenario" => show(rest),
        "seeds" => seeds::command(rest),
        "twins" => seeds::twins(rest),
        "diagram" => diagram::command(rest),
        "vectors" => vectors::command(rest),
        #[cfg(feature = "attack-lab")]
        "attacks" => attacks::command(rest),
        "help" | "--help" | "-h" => {
            print(USAGE)?;
            Ok(true)
        }
        other => Err(format!("there is no command `{other}`; try `voltcast help`")),
    }
}

fn no_more(rest: &[String]) -> Result<(), String> {
    rest.first().map_or(Ok(()), |extra| Err(format!("unexpected argument `{extra}`")))
}

/// Prints a line. Who reads no further (`| head -1`) has what they wanted: the command ends at once, quietly.
fn print(text: &str) -> Result<(), String> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.map_err(|e| format!("cannot write the output: {e}")),
    }
}

#[derive(Default)]
struct RunArgs {
    scenario: Option<String>,
    link: Option<String>,
    seed: Option<u64>,
    n: Option<u16>,
    json: Option<String>,
    actions: Vec<Intervention>,
    quiet: bool,
}

impl RunArgs {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut parsed = RunArgs::default();
        let mut rest = args.iter();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| format!("`{arg}` needs a value"));
            match arg.as_str() {
                "--scenario" => parsed.scenario = Some(value()?),
                "--link" => parsed.link = Some(value()?),
                "--seed" => parsed.seed = Some(number(arg, &value()?)?),
                "--n" => parsed.n = Some(number(arg, &value()?)?),
                "--json" => parsed.json = Some(value()?),
                "--do" => parsed.actions.push(Intervention::parse(&value()?).map_err(|e| e.to_string())?),
                "--quiet" => parsed.quiet = true,
                other => return Err(format!("there is no argument `{other}` here; try `voltcast help`")),
            }
            if arg != "--do" && !seen.insert(arg.as_str()) {
                return Err(format!("`{arg}` is given twice"));
            }
        }
        match (&parsed.scenario, &parsed.link) {
            (Some(_), None) | (None, Some(_)) => Ok(parsed),
            (None, None) => Err("this needs `--scenario NAME|FILE` or `--link LINK`".into()),
            (Some(_), Some(_)) => Err("give either `--scenario` or `--link`, not both".into()),
        }
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{name}` needs a whole number in range, not `{text}`"))
}

/// A built-in scenario, or a file; the second value is its name in the summary.
fn load(name: &str) -> Result<(Scenario, String, String), String> {
    if let Some(preset) = PRESETS.iter().find(|preset| preset.id == name) {
        let scenario = Scenario::preset(name).map_err(|e| format!("{name}: {e}"))?;
        return Ok((scenario, name.to_owned(), preset.toml.to_owned()));
    }
    if let Some(seed) = name.strip_prefix("swarm:") {
        let scenario = swarm::scenario(number("swarm:", seed)?, None).map_err(|e| e.to_string())?;
        let text = scenario.explain();
        return Ok((scenario, name.to_owned(), text));
    }
    let bytes = read(name).map_err(|e| {
        let known = PRESETS.iter().map(|p| p.id).collect::<Vec<_>>().join(", ");
        format!("`{name}` is no built-in scenario ({known}), and as a file it cannot be read: {e}")
    })?;
    let scenario = Scenario::from_bytes(&bytes, name.ends_with(".json")).map_err(|e| format!("{name}: {e}"))?;
    let id = scenario.name.clone();
    Ok((scenario, id, String::from_utf8_lossy(&bytes).into_owned()))
}

/// A file, but never more of it than tells that it is too long.
fn read(name: &str) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(name)?.take(MAX_TEXT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the arguments ask to run.
struct Chosen {
    scenario: Scenario,
    /// Its name in the summary.
    id: String,
    interventions: Vec<Intervention>,
    link: Option<Link>,
}

fn choose(args: &RunArgs) -> Result<Chosen, String> {
    let link = args.link.as_deref().map(|text| Link::parse(text).map_err(|e| e.to_string())).transpose()?;
    let (mut scenario, id, mut interventions) = match (&args.scenario, &link) {
        (_, Some(link)) => {
            let (scenario, interventions) = link.resolve()?;
            (scenario, link.scenario.clone(), interventions)
        }
        (name, None) => {
            let (scenario, id, _) = load(name.as_deref().unwrap_or_default())?;
            (scenario, id, Vec::new())
        }
    };
    if let Some(ignored) = link.as_ref().map(|link| link.ignored.join("`, `")).filter(|text| !text.is_empty()) {
        eprintln!("voltcast: the link says `{ignored}`, which means nothing here");
    }
    interventions.extend(args.actions.iter().cloned());
    if let Some(seed) = args.seed {
        scenario = scenario.with_seed(seed);
    }
    if let Some(n) = args.n {
        scenario = scenario.with_n(n).map_err(|e| e.to_string())?;
    }
    Ok(Chosen { scenario, id, interventions, link })
}

fn run(args: &[String]) -> Result<bool, String> {
    let args = RunArgs::parse(args)?;
    let Chosen { scenario, id, interventions, link } = choose(&args)?;
    let Played { timelines, wall, cut } = play(scenario.clone(), interventions.clone())?;
    let trace = timelines.trace(BranchId(0));
    let state = state::state(&export::info(&scenario, &id), trace, trace.len());
    if let Some(file) = &args.json {
        let json = export::json(&scenario, &id, &interventions, trace);
        std::fs::write(file, json).map_err(|e| format!("cannot write `{file}`: {e}"))?;
    }
    if !args.quiet {
        let summary = summary::text(&scenario, &state, trace);
        print(&format!("{summary}  {wall} measured on this machine\n"))?;
    }
    let certificate = link.as_ref().and_then(|link| certificate(link, trace));
    if let Some((line, _)) = &certificate {
        print(line)?;
    }
    if cut {
        print(&format!("CUT after {} events, the most a run may have: it has not come to its end", trace.len()))?;
    }
    print(&format!("digest: {}", trace.digest()))?;
    Ok(!cut && state.violations.is_empty() && certificate.is_none_or(|(_, same)| same))
}

/// Whether the run is the one that the link's digest certifies, at the link's moment.
fn certificate(link: &Link, trace: &Trace) -> Option<(String, bool)> {
    let wanted = link.digest10.as_ref()?;
    let count = match link.at.unwrap_or(Moment::End) {
        Moment::Start => 0,
        Moment::End => trace.len(),
        Moment::Effect(id) => id.0.saturating_add(1),
        Moment::Time(t) => trace.count_until(t),
    };
    let count = trace.whole_steps(count.min(trace.len()));
    let found = trace.digest_at(count).short(10);
    let same = found == *wanted;
    let line = match same {
        true => format!("Reproduced: same {count} events, digest {found}"),
        false => format!("Not reproduced: the link says {wanted}, this run has {found} after {count} events"),
    };
    Some((line, same))
}

/// What a scenario came to.
struct Played {
    timelines: Timelines,
    /// How long this machine took.
    wall: String,
    /// It has the most events that a run may have, and is not at its end.
    cut: bool,
}

impl Played {
    /// The run, if it came to its end.
    fn whole(self) -> Result<Timelines, String> {
        let most = self.timelines.trace(BranchId(0)).len();
        if self.cut {
            Err(format!("the run is not at its end after {most} events, the most it may have"))
        } else {
            Ok(self.timelines)
        }
    }
}

/// Runs to the scenario's end.
#[allow(clippy::disallowed_types, reason = "the only place where wall time is measured, and it enters no run")]
fn play(scenario: Scenario, interventions: Vec<Intervention>) -> Result<Played, String> {
    let start = std::time::Instant::now();
    let mut timelines = Timelines::open_headless(scenario, interventions).map_err(|e| e.to_string())?;
    let cut = loop {
        match timelines.run(BranchId(0), Until::End, u32::MAX) {
            Stop::End | Stop::Reached => break false,
            Stop::More | Stop::Violation { .. } => {}
            Stop::Limit => break true,
        }
    };
    if !cut {
        undone(&timelines)?;
    }
    Ok(Played { timelines, wall: format!("{} ms", start.elapsed().as_millis()), cut })
}

/// Says what was to be done and was not: an error if its moment never came.
fn undone(timelines: &Timelines) -> Result<(), String> {
    let (world, trace) = (timelines.world(BranchId(0)), timelines.trace(BranchId(0)));
    let mut done = 0;
    for effect in trace.effects() {
        if let Kind::Intervened { text, .. } = &effect.kind {
            done += 1;
            if text.contains(": without effect, ") {
                eprintln!("voltcast: {text}");
            }
        }
    }
    match world.interventions().get(done) {
        Some(next) => Err(format!("the run ends before `{}` can be done", next.to_text())),
        None => Ok(()),
    }
}

fn list() -> Result<bool, String> {
    for preset in PRESETS {
        let scenario = Scenario::preset(preset.id).map_err(|e| e.to_string())?;
        let (id, n) = (preset.id, scenario.gateways.n);
        print(&format!("{id:<16} n = {n:<3} {:<28} {}", scenario.name, scenario.about))?;
    }
    Ok(true)
}

fn show(args: &[String]) -> Result<bool, String> {
    let (explain, names): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| *arg == "--explain");
    let [name] = names.as_slice() else {
        return Err("`scenario` needs one NAME or FILE, and may take `--explain`".into());
    };
    let (scenario, _, text) = load(name)?;
    let text = if explain.is_empty() { text } else { scenario.explain() };
    print(text.trim_end())?;
    Ok(true)
}
