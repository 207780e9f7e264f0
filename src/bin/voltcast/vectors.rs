//! `voltcast vectors`: test vectors of the scheme, made and checked.

use super::{number, print};
use std::path::{Path, PathBuf};
use voltcast::lab::vectors::{Tally, make};

/// `make --seed S --out DIR` or `check PATH…`.
pub fn command(args: &[String]) -> Result<bool, String> {
    match args.split_first() {
        Some((word, rest)) if word == "make" => make_files(rest),
        Some((word, rest)) if word == "check" => check(rest),
        Some((word, _)) => Err(format!("`vectors` does not know `{word}`; it has `make` and `check`")),
        None => Err("`vectors` needs `make --seed S --out DIR` or `check PATH…`".into()),
    }
}

fn make_files(args: &[String]) -> Result<bool, String> {
    let (mut seed, mut out) = (None, None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().cloned().ok_or_else(|| format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--seed" => seed = Some(number(arg, &value()?)?),
            "--out" => out = Some(PathBuf::from(value()?)),
            other => return Err(format!("`vectors make` does not know `{other}`")),
        }
    }
    let (Some(seed), Some(out)) = (seed, out) else {
        return Err("`vectors make` needs `--seed S` and `--out DIR`".into());
    };
    let files = make::make(seed)?;
    let failed = |e: std::io::Error| format!("{}: {e}", out.display());
    std::fs::create_dir_all(&out).map_err(failed)?;
    for (name, text) in &files {
        std::fs::write(out.join(name), text).map_err(failed)?;
    }
    print(&format!("{} files in {}", files.len(), out.display()))?;
    Ok(true)
}

/// The JSON files that a path stands for.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if !path.is_dir() {
        return std::fs::metadata(path).map(|_| vec![path.to_owned()]).map_err(failed);
    }
    let entries = std::fs::read_dir(path).map_err(failed)?.flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    if files.is_empty() { Err(format!("{} holds no JSON files", path.display())) } else { Ok(files) }
}

fn check(paths: &[String]) -> Result<bool, String> {
    if paths.is_empty() {
        return Err("`vectors check` needs files or folders".into());
    }
    let mut tally = Tally::default();
    for path in paths {
        for file in files(Path::new(path))? {
            let name = file.display().to_string();
            match std::fs::read_to_string(&file) {
                Ok(text) => tally.file(&name, &text),
                Err(e) => tally.unreadable.push(format!("{name}: {e}")),
            }
        }
    }
    for line in tally.failed.iter().chain(&tally.unreadable) {
        print(line)?;
    }
    for (kind, count) in &tally.passed {
        print(&format!("  {kind}: {count}"))?;
    }
    print(&format!("vectors: {} passed, {} failed", tally.count(), tally.failed.len()))?;
    match tally.unreadable.first() {
        Some(first) => Err(format!("{} of the files hold no vectors: {first}", tally.unreadable.len())),
        None => Ok(tally.failed.is_empty()),
    }
}
