//! `voltcast attacks`: the attack laboratory on the command line.

use super::print;
use voltcast::lab::attacks::{self, Attack, Finding};

/// Runs the named attacks, or all; true if every one was withstood and every control broke.
///
/// # Errors
/// A sentence for unknown ids or an unwritable file.
pub fn command(args: &[String]) -> Result<bool, String> {
    let (mut ids, mut json, mut seed, mut long) = (Vec::new(), None, 1, false);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--json" => json = Some(rest.next().ok_or("--json needs a file")?),
            "--seed" => {
                let text = rest.next().ok_or("--seed needs a number")?;
                seed = text.parse().map_err(|_| format!("`{text}` is no seed: a whole number is wanted"))?;
            }
            "--evidence" => long = true,
            id => ids.push(find(id)?),
        }
    }
    let chosen = if ids.is_empty() { attacks::all() } else { ids };
    let mut reports = Vec::new();
    for attack in chosen {
        let report = attack.run(seed);
        let defence = if report.held { "defence held" } else { "DEFENCE FAILED" };
        let control = if report.broke { "control broke" } else { "CONTROL DID NOT BREAK" };
        let seen = report.stuck.clone().unwrap_or_else(|| short(&report.defence_evidence));
        print(&format!("{:<4} {defence} · {control} · {} · {seen}", report.id, report.title))?;
        if long || !report.good() {
            findings("against the scheme ", &report.defence_evidence)?;
            findings("against the control", &report.control_evidence)?;
        }
        reports.push(report);
    }
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&reports).map_err(|e| format!("cannot write the report: {e}"))?;
        std::fs::write(path, text).map_err(|e| format!("cannot write {path}: {e}"))?;
    }
    let good = reports.iter().filter(|r| r.good()).count();
    print(&format!("attacks: {good} held with their control broken, {} not", reports.len() - good))?;
    Ok(good == reports.len())
}

fn find(id: &str) -> Result<&'static Attack, String> {
    let all = attacks::all();
    let number = id.trim_start_matches(['A', 'a']).parse::<u8>().ok();
    let found = all.iter().find(|attack| Some(attack.id) == number);
    found.copied().ok_or_else(|| format!("there is no attack `{id}`; ids are A1 to A{}", all.len()))
}

/// The different answers that were seen, each once.
fn short(findings: &[Finding]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for finding in findings {
        if !seen.contains(&finding.seen.as_str()) {
            seen.push(&finding.seen);
        }
    }
    seen.join("; ")
}

fn findings(whom: &str, findings: &[Finding]) -> Result<(), String> {
    findings.iter().try_for_each(|finding| {
        let mark = if finding.as_claimed { "" } else { "  <- not as claimed" };
        print(&format!("       {whom}: {} -> {}{mark}", finding.tried, finding.seen))
    })
}
