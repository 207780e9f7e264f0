//! What the documents point at exists: files, and the items named behind `#` in source files.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};
use voltcast::sim::diagram::{Subject, mermaid};
use voltcast::sim::scenario::Scenario;
use voltcast::sim::timelines::{BranchId, Timelines, Until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    for folder in ["docs", "docs/notes"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        all.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    all
}

/// Targets of `[text](target)`, but for other sites.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or_default();
        if !target.contains("://") && !target.contains("::") {
            found.push(target.to_string());
        }
    }
    found
}

/// What is wrong with a link from a document, if anything.
fn fault(from: &Path, link: &str) -> Option<String> {
    let (path, item) = link.split_once('#').map_or((link, None), |(path, item)| (path, Some(item)));
    let target = from.parent().unwrap().join(path);
    if !path.is_empty() && !target.exists() {
        return Some(format!("{}: {link} does not exist", from.display()));
    }
    let item = item.filter(|_| path.ends_with(".rs"))?;
    let source = fs::read_to_string(&target).unwrap();
    let defined = ["fn", "struct", "enum", "const", "type", "trait"]
        .iter()
        .any(|kind| [" ", "(", "<", "{"].iter().any(|end| source.contains(&format!("{kind} {item}{end}"))));
    if defined { None } else { Some(format!("{}: {path} defines no {item}", from.display())) }
}

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    let mut faults = Vec::new();
    for document in documents() {
        for link in links(&fs::read_to_string(&document).unwrap()) {
            seen += 1;
            faults.extend(fault(&document, &link));
        }
    }
    assert!(seen > 60, "only {seen} links were found");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let readme = root().join("README.md");
    assert!(fault(&readme, "docs/nothing.md").is_some() && fault(&readme, "src/clmmsc/kgc.rs#nobody").is_some());
}

/// What the run of a marker such as `day4 slot 1` draws.
fn drawn(marker: &str) -> String {
    let words: Vec<&str> = marker.split(' ').collect();
    let [scenario, kind, number] = words[..] else { panic!("{marker}: scenario, kind and number are wanted") };
    let number = number.parse().unwrap();
    let subject = if kind == "slot" { Subject::Slot(number) } else { Subject::View(number) };
    let mut run = Timelines::open_headless(Scenario::preset(scenario).unwrap(), vec![]).unwrap();
    run.run(BranchId(0), Until::End, u32::MAX);
    mermaid(run.trace(BranchId(0)), subject).expect("the run has it")
}

/// `UPDATE_DIAGRAMS=1` writes what the runs draw today.
#[test]
fn diagrams_are_what_happened() {
    let path = root().join("docs/consensus.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut parts = text.split("<!-- diagram: ");
    let mut again = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (marker, rest) = part.split_once(" -->").unwrap();
        let (_, after) = rest.split_once("```mermaid\n").and_then(|(_, block)| block.split_once("```")).unwrap();
        again += &format!("<!-- diagram: {marker} -->\n```mermaid\n{}```{after}", drawn(marker));
        count += 1;
    }
    assert_eq!(count, 2);
    if std::env::var_os("UPDATE_DIAGRAMS").is_some() {
        fs::write(&path, again).unwrap();
    } else {
        assert!(again == text, "docs/consensus.md shows another run; UPDATE_DIAGRAMS=1 draws it anew");
    }
}
