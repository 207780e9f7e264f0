//! Building the static site with Trunk, and knowing when there is nothing to build.

use crate::{process, tools};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What the site is made of.
const INPUTS: [&str; 8] =
    ["src", "www", "index.html", "Trunk.toml", "Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml"];
/// The page as Trunk gets it when there is no wasm-opt; removed again after the build.
const PLAIN_PAGE: &str = "index.plain.html";

/// Builds `dist/` in release mode, unless nothing changed since it was built. Answers with one line for the user.
pub fn build() -> Result<String, String> {
    let root = process::root();
    let stamp = process::target().join("site.stamp");
    if is_fresh(&root, &stamp) {
        return Ok(format!("dist/ is up to date ({})", sizes(&root.join("dist"))));
    }
    tools::wasm_target()?;
    let bindgen = tools::WASM_BINDGEN.ready()?;
    let trunk = tools::TRUNK.ready()?;
    let started = SystemTime::now();
    let note = match tools::wasm_opt() {
        Ok(folder) => {
            trunk_build("index.html", &[&trunk, &bindgen, &folder])?;
            String::new()
        }
        Err(why) => {
            println!("note: {why}; the page is built without it (larger, otherwise the same)");
            build_plain(&root, &[&trunk, &bindgen])?;
            " without wasm-opt".to_string()
        }
    };
    fs::create_dir_all(process::target()).and_then(|()| fs::write(&stamp, "")).map_err(|e| format!("{e}"))?;
    // An edit made while the build ran must lead to another build.
    fs::File::options()
        .write(true)
        .open(&stamp)
        .and_then(|file| file.set_modified(started))
        .map_err(|e| e.to_string())?;
    Ok(format!("dist/ is built{note} ({})", sizes(&root.join("dist"))))
}

fn trunk_build(page: &str, folders: &[&Path]) -> Result<(), String> {
    let mut trunk = process::command("trunk", folders);
    // Some environments set NO_COLOR=1, which this Trunk takes for a bad value of its flag.
    trunk.env_remove("NO_COLOR").args(["build", "--release", "--html-output", "index.html", page]);
    process::run(trunk)
}

/// Trunk has no switch for wasm-opt but the attribute in the page, so it is given a copy of the page with it off.
fn build_plain(root: &Path, folders: &[&Path]) -> Result<(), String> {
    let page = fs::read_to_string(root.join("index.html")).map_err(|e| format!("index.html: {e}"))?;
    let plain = root.join(PLAIN_PAGE);
    fs::write(&plain, without_wasm_opt(&page)).map_err(|e| format!("{PLAIN_PAGE}: {e}"))?;
    let result = trunk_build(PLAIN_PAGE, folders);
    fs::remove_file(&plain).map_err(|e| format!("{PLAIN_PAGE}: {e}"))?;
    result
}

/// The page with every `data-wasm-opt="…"` set to 0, which for Trunk means: off.
fn without_wasm_opt(page: &str) -> String {
    let mut parts = page.split("data-wasm-opt=\"");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.split_once('"').map_or("", |(_, rest)| rest);
        plain.push_str("data-wasm-opt=\"0\"");
        plain.push_str(rest);
    }
    plain
}

fn is_fresh(root: &Path, stamp: &Path) -> bool {
    let built = fs::metadata(stamp).and_then(|m| m.modified());
    let newest = INPUTS.iter().filter_map(|name| newest(&root.join(name))).max();
    match (built, newest) {
        (Ok(built), Some(newest)) => newest < built && root.join("dist/index.html").is_file(),
        _ => false,
    }
}

/// The latest change in a file or folder. Folders count themselves, so a removed file is a change too.
fn newest(path: &Path) -> Option<SystemTime> {
    let own = fs::metadata(path).and_then(|m| m.modified()).ok();
    let inside = fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest(&entry.path())).max();
    own.max(inside)
}

/// How large the wasm and the whole site are, uncompressed.
fn sizes(dist: &Path) -> String {
    let (mut wasm, mut all) = (0, 0);
    for entry in fs::read_dir(dist).into_iter().flatten().flatten() {
        let length = entry.metadata().map_or(0, |m| m.len());
        all += length;
        if entry.path().extension().is_some_and(|end| end == "wasm") {
            wasm += length;
        }
    }
    format!("{} KiB, of which wasm {} KiB, before compression", all / 1024, wasm / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_page_differs_in_the_attribute_alone() {
        let page = "<link data-trunk rel=\"rust\" data-wasm-opt=\"s\" data-bin=\"page\"><p>s</p>";
        let plain = "<link data-trunk rel=\"rust\" data-wasm-opt=\"0\" data-bin=\"page\"><p>s</p>";
        assert_eq!(without_wasm_opt(page), plain);
        assert_eq!(without_wasm_opt("<p></p>"), "<p></p>");
    }
}
