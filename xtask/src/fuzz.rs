//! The fuzz targets of `fuzz/`, one after another (docs/security.md).
//!
//! Findings go to `fuzz/artifacts`; what the search keeps goes to `fuzz/target/found`, so that the committed corpus stays
//! small.

use crate::{process, tools};

/// `[--seconds N] [TARGET...]`.
pub fn command(words: &[&str]) -> Result<(), String> {
    let (seconds, named) = match words {
        ["--seconds", n, rest @ ..] => (n.parse::<u32>().map_err(|_| format!("{n:?} is no number of seconds"))?, rest),
        rest => (30, rest),
    };
    let all = targets()?;
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|target| target == *name)) {
        return Err(format!("there is no fuzz target {unknown:?}; there are {}", all.join(", ")));
    }
    let fuzz = tools::CARGO_FUZZ.ready()?;
    let cargo_fuzz = |word: &str| {
        let mut cargo = process::command("cargo", &[&fuzz]);
        cargo.args(["fuzz", word, "--sanitizer", "none", "--release"]);
        cargo
    };
    process::run(cargo_fuzz("build"))?;
    let mut failed = Vec::new();
    for target in all.iter().filter(|target| named.is_empty() || named.contains(&target.as_str())) {
        println!("\n=== {target}, {seconds} s");
        let found = process::root().join("fuzz/target/found").join(target);
        std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
        let mut run = cargo_fuzz("run");
        run.arg(target).arg(&found).arg(process::root().join("fuzz/corpus").join(target));
        run.args(["--", "-timeout=20", "-max_len=8192", "-verbosity=0", "-print_final_stats=1"]);
        run.arg(format!("-max_total_time={seconds}"));
        if let Err(sentence) = process::run(run) {
            println!("{sentence}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in {}; see fuzz/artifacts", failed.join(", "))) }
}

/// The programs of the fuzz package, from its manifest.
fn targets() -> Result<Vec<String>, String> {
    let path = process::root().join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(names(&manifest))
}

fn names(manifest: &str) -> Vec<String> {
    let bins = manifest.split("[[bin]]").skip(1);
    bins.filter_map(|bin| bin.split('"').nth(1).map(str::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_from_the_manifest() {
        assert_eq!(
            names("[package]\nname = \"x\"\n[[bin]]\nname = \"a\"\npath = \"b\"\n[[bin]]\nname = \"c\"\n"),
            ["a", "c"]
        );
        assert!(targets().is_ok_and(|all| all.len() > 10));
    }
}
