//! Canaries: every classic bug that can be built in (`src/mutants.rs`) must be noticed by a test.
//!
//! The tests are built once, with the feature `mutants`; each bug is then chosen by the environment. Without a bug all tests must
//! pass, or a failure would mean nothing. Beside the tests, which know what to look for, the searches of `voltcast`, which do
//! not, are let loose on each bug: after how many seeds, and after how many scenarios of twins, do they meet it?

use crate::process;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Row of the table in CONSENSUS.md §7, name of the bug, what it is.
type Canary = (u8, &'static str, &'static str);

#[rustfmt::skip]
const CANARIES: [Canary; 31] = [
    (1, "quorum-2f1", "quorums of 2f+1 where n is not 3f+1"),
    (2, "small-n", "fewer than four gateways"),
    (3, "prepare-2f1", "one prepare too many asked"),
    (4, "drop-p", "a view change loses what prepared"),
    (5, "trust-o", "carried slots not recomputed"),
    (6, "any-nv", "any NEW-VIEW obeyed"),
    (7, "view-back", "a view goes back"),
    (8, "count-dups", "copies of one vote counted"),
    (9, "pool-digests", "votes for different digests added up"),
    (10, "no-kind", "a prepare serves as a commit"),
    (11, "skip-cert", "signatures in certificates unchecked"),
    (12, "sender", "the sender named need not be the signer"),
    (13, "any-primary", "anybody proposes"),
    (14, "drop-early", "votes before the proposal lost"),
    (15, "gap", "execution over a gap"),
    (16, "min-s", "min_s of one member only"),
    (17, "skip-diverge", "a diverged state goes unnoticed"),
    (18, "no-window", "no upper end of the window"),
    (19, "no-backoff", "patience never doubles"),
    (20, "commit-lock", "who committed stays in the old view"),
    (21, "double-nv", "a view opened twice"),
    (22, "amnesia", "votes not on record"),
    (23, "global-timer", "one timer for all requests"),
    (25, "join-one", "one gateway pulls others along"),
    (27, "ev-bytes", "equivocation judged by signature bytes"),
    (28, "blind", "a vote without the body"),
    (30, "early-effect", "a refused proposal has effects"),
    (31, "late-persist", "the certificate not on record before the commit"),
    (32, "local-attempts", "patience by own attempts"),
    (33, "local-valid", "certificates judged by the own log"),
    (34, "body-root", "a body taken by its header alone"),
];

/// How long the tests may take with one bug before it counts as found by not ending.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the tests said to one build.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Nothing failed, and this many passed.
    Passed(u32),
    /// The tests that failed.
    Caught(Vec<String>),
    /// They did not end.
    Endless,
}

/// Seeds, and scenarios of twins, among which a bug is searched for.
const SEEDS: u64 = 2_000;

/// The arguments of `cargo xtask canaries`.
pub fn command(words: &[&str]) -> Result<(), String> {
    match words {
        ["--seeds", count, names @ ..] => {
            run(names, count.parse().map_err(|_| format!("{count:?} is no number of seeds"))?)
        }
        names => run(names, SEEDS),
    }
}

/// Releases so many canaries, others with every commit, and lets no search loose on them.
pub fn some(count: usize) -> Result<(), String> {
    let head = process::command("git", &[]).args(["rev-parse", "HEAD"]).output();
    let hash = head.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let first = usize::from_str_radix(hash.get(..4).unwrap_or_default(), 16).unwrap_or(0);
    let names: Vec<&str> = CANARIES.iter().cycle().skip(first % CANARIES.len()).take(count).map(|c| c.1).collect();
    run(&names, 0)
}

/// Releases the named canaries, or all.
fn run(names: &[&str], seeds: u64) -> Result<(), String> {
    let known = |name: &&&str| CANARIES.iter().any(|canary| canary.1 == **name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(format!("there is no canary {unknown:?}; see src/mutants.rs"));
    }
    let mut build = tests();
    build.arg("--no-run");
    process::run(build)?;
    match judge("")? {
        Verdict::Passed(count) if count > 0 => println!("control: no bug, {count} tests pass"),
        other => return Err(format!("without a bug the tests must pass, but: {other:?}")),
    }
    let found = hunt("", seeds)?;
    match found.iter().all(Option::is_none) {
        true => println!("control: no bug, and the searches find none"),
        false => return Err(format!("without a bug the searches must find nothing, but: {}", told(&found, seeds))),
    }
    let mut missed = Vec::new();
    for (row, name, what) in CANARIES.iter().filter(|c| names.is_empty() || names.contains(&c.1)) {
        let line = match judge(name)? {
            Verdict::Caught(by) => {
                let own = by.iter().find(|test| test.contains(&format!("bug_{row:02}_")));
                format!("caught by {}, {} in all", own.unwrap_or(&by[0]), by.len())
            }
            Verdict::Endless => format!("caught: the tests do not end within {} s", PATIENCE.as_secs()),
            Verdict::Passed(_) => {
                missed.push(*name);
                "MISSED".to_string()
            }
        };
        println!("{row:>2} {name:<14} {what}: {line}{}", told(&hunt(name, seeds)?, seeds));
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("nothing noticed {}", missed.join(", "))) }
}

/// The tests that must notice.
fn tests() -> std::process::Command {
    let mut cargo = process::command("cargo", &[]);
    cargo.args(["test", "--quiet", "--features", "mutants", "--test", "classic", "--test", "osdi99"]);
    cargo
}

/// Runs the tests with one bug chosen; the empty name chooses none.
fn judge(name: &str) -> Result<Verdict, String> {
    let mut cargo = tests();
    cargo.arg("--no-fail-fast").env("VOLTCAST_MUTANT", name).env("RUST_BACKTRACE", "0");
    let log = process::target().join("canaries.txt");
    let file = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut child =
        cargo.stdout(file).stderr(Stdio::null()).spawn().map_err(|e| format!("cargo did not start: {e}"))?;
    let started = Instant::now();
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().map_err(|e| e.to_string())?;
            return Ok(Verdict::Endless);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = std::fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    Ok(read(&output))
}

/// Where the swarm and the twins, in this order, first meet a bug: after how many runs, and what it broke.
type Found = [Option<(u64, String)>; 2];

/// Lets both searches look for the bug; the empty name chooses none.
fn hunt(name: &str, seeds: u64) -> Result<Found, String> {
    let mut found = [None, None];
    for (search, found) in ["seeds", "twins"].into_iter().zip(&mut found).filter(|_| seeds > 0) {
        let mut cargo = process::command("cargo", &[]);
        cargo.args([
            "run",
            "--quiet",
            "--profile",
            "quick",
            "--features",
            "mutants",
            "--bin",
            "voltcast",
            "--",
            search,
        ]);
        cargo.args(["--from", "0", "--count", &seeds.to_string(), "--jobs", "0", "--first"]);
        let output = cargo.env("VOLTCAST_MUTANT", name).output().map_err(|e| format!("cargo did not start: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        *found = first(&text);
        if !output.status.success() && found.is_none() {
            return Err(format!(
                "`voltcast {search}` did not come to its end: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    Ok(found)
}

/// The first failure in the report of a search that began with seed 0.
fn first(report: &str) -> Option<(u64, String)> {
    let mut words = report.lines().find_map(|line| line.trim().strip_prefix("FAILED seed "))?.split(": ");
    let seed: u64 = words.next()?.parse().ok()?;
    Some((seed + 1, words.next()?.to_string()))
}

/// Both finds in words.
fn told(found: &Found, seeds: u64) -> String {
    let one = |(search, found): (&str, &Option<(u64, String)>)| match found {
        Some((count, what)) => format!("; {search}: {count} ({what})"),
        None => format!("; {search}: not in {seeds}"),
    };
    if seeds == 0 { String::new() } else { ["seeds", "twins"].into_iter().zip(found).map(one).collect() }
}

/// Reads what cargo's test programs print: the list of failures and the closing lines.
fn read(output: &str) -> Verdict {
    let mut failed = Vec::new();
    let mut passed = 0;
    for line in output.lines() {
        let name = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        failed.extend(name.map(str::to_string));
        if let Some(count) = line.strip_prefix("test result: ok. ").and_then(|rest| rest.split(' ').next()) {
            passed += count.parse::<u32>().unwrap_or(0);
        }
    }
    if failed.is_empty() { Verdict::Passed(passed) } else { Verdict::Caught(failed) }
}

#[cfg(test)]
mod tests_of_this {
    use super::*;

    /// Names in `mutant!("…")` in the sources.
    fn built_in() -> Vec<String> {
        let folder = process::root().join("src/pbft");
        let files =
            std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("readable").path());
        let mut names = Vec::new();
        for text in files.filter_map(|path| std::fs::read_to_string(path).ok()) {
            let found = text.split("mutant!(\"").skip(1).filter_map(|rest| rest.split('"').next());
            names.extend(found.map(str::to_string));
        }
        names.sort();
        names
    }

    #[test]
    fn each_canary_changes_exactly_one_place() {
        let mut listed: Vec<String> = CANARIES.iter().map(|canary| canary.1.to_string()).collect();
        listed.sort();
        assert_eq!(built_in(), listed);
        assert!(CANARIES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_failure_is_read_by_name_and_silence_is_no_catch() {
        let bad = "running 2 tests\n..F\nfailures:\n\n---- voting::bug_01_x stdout ----\npanicked\n\ntest result: FAILED. 1 passed; 1 failed;";
        assert_eq!(read(bad), Verdict::Caught(vec!["voting::bug_01_x".into()]));
        let good = "test result: ok. 12 passed; 0 failed; 0 ignored\ntest result: ok. 30 passed; 0 failed;";
        assert_eq!(read(good), Verdict::Passed(42));
        assert_eq!(read(""), Verdict::Passed(0));
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(command(&["no-such-bug"]).is_err_and(|e| e.contains("no-such-bug")));
        assert!(command(&["--seeds", "many"]).is_err_and(|e| e.contains("many")));
    }

    #[test]
    fn the_first_failing_seed_is_read_with_what_it_broke() {
        let report = "seeds 0 to 9: 4 runs\n  FAILED seed 3: SI-1: css1 executed B: twice\n    again: voltcast\n  FAILED seed 4: stuck: x\n";
        assert_eq!(first(report), Some((4, "SI-1".into())));
        assert_eq!(first("seeds 0 to 9: 10 runs\n"), None);
        assert_eq!(told(&[Some((4, "SI-1".into())), None], 9), "; seeds: 4 (SI-1); twins: not in 9");
        assert_eq!(told(&[None, None], 0), "");
    }
}
