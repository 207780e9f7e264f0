//! The test stages: one clear line each, then a summary. A stage whose tool is missing has failed.

use crate::{browser, canaries, process, site, tools};
use std::time::Instant;

/// A stage: its name on the command line, what it is, and what it does. The answer is a word on the outcome.
type Stage = (&'static str, &'static str, fn() -> Result<String, String>);

const STAGES: [Stage; 4] = [
    ("native", "native tests", native),
    ("search", "seeds, twins and a few canaries", search),
    ("web", "browser tests (wasm-pack, headless Chromium)", web),
    ("e2e", "end-to-end tests (built site, real Chromium)", end_to_end),
];

/// Runs the named stages, or all.
pub fn test(names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.0 != **name)) {
        return Err(format!("there is no stage {unknown:?}; the stages are native, search, web, e2e"));
    }
    let chosen: Vec<&Stage> = STAGES.iter().filter(|stage| names.is_empty() || names.contains(&stage.0)).collect();
    let mut lines = Vec::new();
    let mut failed = 0;
    for (i, (_, title, run)) in chosen.iter().enumerate() {
        println!("\n=== stage {} of {}: {title}", i + 1, chosen.len());
        let started = Instant::now();
        let outcome = run();
        let seconds = started.elapsed().as_secs();
        lines.push(match outcome {
            Ok(word) => format!("  ok      {title}: {word}, {seconds} s"),
            Err(sentence) => {
                failed += 1;
                format!("  FAILED  {title}: {sentence} ({seconds} s)")
            }
        });
        println!("{}", lines[i]);
    }
    println!("\n=== summary\n{}", lines.join("\n"));
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} stages failed", chosen.len())) }
}

fn native() -> Result<String, String> {
    let mut cargo = process::command("cargo", &[]);
    cargo.args(["test", "--workspace"]);
    counted(cargo)
}

/// Runs of each search, and bugs built in (CONSENSUS.md §7: quick sizes).
const RUNS: &str = "2000";
const CANARIES: usize = 6;

fn search() -> Result<String, String> {
    for search in ["seeds", "twins"] {
        let mut cargo = process::command("cargo", &[]);
        cargo.args(["run", "--quiet", "--profile", "quick", "--bin", "voltcast", "--", search]);
        cargo.args(["--from", "0", "--count", RUNS, "--jobs", "0"]);
        process::run(cargo)?;
    }
    canaries::some(CANARIES)?;
    Ok(format!("{RUNS} seeds and {RUNS} scenarios of twins are clean, {CANARIES} bugs built in are noticed"))
}

fn web() -> Result<String, String> {
    tools::wasm_target()?;
    let bindgen = tools::WASM_BINDGEN.ready()?;
    let pack = tools::WASM_PACK.ready()?;
    let browser = browser::ready()?;
    let mut command = process::command("wasm-pack", &[&pack, &bindgen]);
    command.args(["test", "--mode", "no-install", "--headless", "--chrome", "--chromedriver"]).arg(&browser.driver);
    command.args(["--", "--features", "page"]);
    // A busy machine starts a browser slowly; these are seconds.
    command.env("WASM_BINDGEN_TEST_TIMEOUT", "300").env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
    counted(command)
}

fn end_to_end() -> Result<String, String> {
    println!("{}", site::build()?);
    counted(e2e_command(&[])?)
}

/// Measures in the built site; the numbers are written by the test itself.
pub fn bench_frames() -> Result<(), String> {
    println!("{}", site::build()?);
    let file = process::target().join("perf.json");
    let word = counted(e2e_command(&["--ignored", "--nocapture", "bench_"])?)?;
    println!("{word}; numbers in {}", file.strip_prefix(process::root()).unwrap_or(&file).display());
    Ok(())
}

fn e2e_command(arguments: &[&str]) -> Result<std::process::Command, String> {
    let browser = browser::ready()?;
    let mut cargo = process::command("cargo", &[]);
    cargo.args(["test", "--features", "e2e", "--test", "e2e", "--"]).args(arguments);
    cargo.env("VOLTCAST_CHROME", &browser.chrome).env("VOLTCAST_CHROMEDRIVER", &browser.driver);
    Ok(cargo)
}

/// Runs a test command and adds up what its closing lines count. A command that ran no test has failed: a stage that
/// tests nothing must not look like one that passed.
fn counted(command: std::process::Command) -> Result<String, String> {
    let mut sum = Counts::default();
    process::run_seeing(command, |line| sum.add(line))?;
    match sum.passed {
        0 => Err("it ran no test".to_string()),
        _ => Ok(sum.to_string()),
    }
}

#[derive(Default, Debug, PartialEq)]
struct Counts {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Counts {
    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`, as cargo test and wasm-bindgen's runner print it.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ").and_then(|(_, rest)| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|n| n.parse::<u32>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored") => self.ignored += count,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let mut sum = Counts::default();
        sum.add("test a::b ... ok");
        sum.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s");
        sum.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 filtered out; finished in 0.1s");
        assert_eq!(sum, Counts { passed: 14, failed: 1, ignored: 1 });
        assert_eq!(sum.to_string(), "14 passed, 1 failed, 1 ignored");
    }
}
