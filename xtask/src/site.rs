//! Building the static site with Trunk, and knowing when there is nothing to build.

use crate::{process, tools};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What the site is made of.
const INPUTS: [&str; 9] =
    ["src", "quads", "www", "index.html", "Trunk.toml", "Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml"];
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
    sources()?;
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
    let note = note + &pack(&root.join("dist"))?;
    fs::create_dir_all(process::target()).and_then(|()| fs::write(&stamp, "")).map_err(|e| format!("{e}"))?;
    // An edit made while the build ran must lead to another build.
    fs::File::options()
        .write(true)
        .open(&stamp)
        .and_then(|file| file.set_modified(started))
        .map_err(|e| e.to_string())?;
    Ok(format!("dist/ is built{note} ({})", sizes(&root.join("dist"))))
}

/// Trunk builds with Cargo offline, which on a fresh machine would miss the crates that only the page needs.
fn sources() -> Result<(), String> {
    let mut fetch = process::command("cargo", &[]);
    fetch.args(["fetch", "--quiet", "--locked"]);
    process::run(fetch)
}

fn trunk_build(page: &str, folders: &[&Path]) -> Result<(), String> {
    let mut trunk = process::command("trunk", folders);
    // Some environments set NO_COLOR=1, which this Trunk takes for a bad value of its flag.
    trunk.env_remove("NO_COLOR").args(["build", "--release", "--html-output", "index.html", page]);
    process::run(trunk)
}

/// Lays a compressed copy beside the wasm and names it in the page, so that the page starts as fast on a host that does
/// not compress. Its name ends in `.packed`: hosts send some files that end in `.gz` with a header that undoes them.
/// Without gzip the page is complete as well; the answer is a remark on it.
fn pack(dist: &Path) -> Result<String, String> {
    let wasm = fs::read_dir(dist).into_iter().flatten().flatten().map(|e| e.path());
    for wasm in wasm.filter(|path| path.extension().is_some_and(|end| end == "wasm")) {
        let packed = Path::new(&wasm).with_extension("wasm.packed");
        let out = fs::File::create(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
        let gzip = std::process::Command::new("gzip").args(["-9", "-n", "-c"]).arg(&wasm).stdout(out).status();
        if !gzip.is_ok_and(|status| status.success()) {
            fs::remove_file(&packed).map_err(|e| format!("{}: {e}", packed.display()))?;
            return Ok(" without a packed copy of the wasm (no gzip here)".into());
        }
    }
    let index = dist.join("index.html");
    let page = fs::read_to_string(&index).map_err(|e| format!("dist/index.html: {e}"))?;
    fs::write(&index, with_packed(&page)).map_err(|e| format!("dist/index.html: {e}"))?;
    Ok(String::new())
}

/// The page with `data-packed` beside its `data-wasm`, and with the packed copy loaded ahead instead of the wasm.
fn with_packed(page: &str) -> String {
    let Some((before, rest)) = page.split_once("data-wasm=\"") else { return page.to_string() };
    let Some((address, after)) = rest.split_once('"') else { return page.to_string() };
    let named = format!("{before}data-wasm=\"{address}\" data-packed=\"{address}.packed\"{after}");
    let Some((before, rest)) = named.split_once("<link rel=\"preload\"") else { return named };
    let Some((_, after)) = rest.split_once('>') else { return named };
    let ahead = format!("<link rel=\"preload\" href=\"{address}.packed\" crossorigin=\"anonymous\" as=\"fetch\">");
    format!("{before}{ahead}{after}")
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

/// How large the wasm is, as built and packed.
fn sizes(dist: &Path) -> String {
    let size = |end: &str| {
        let files = fs::read_dir(dist).into_iter().flatten().flatten();
        let fitting = files.filter(|entry| entry.path().extension().is_some_and(|e| e == end));
        fitting.map(|entry| entry.metadata().map_or(0, |m| m.len())).sum::<u64>() / 1024
    };
    format!("wasm {} KiB, packed {} KiB", size("wasm"), size("packed"))
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

    #[test]
    fn the_packed_copy_is_named_beside_the_wasm() {
        let page = "<link rel=\"preload\" href=\"./a.wasm\" as=\"fetch\"><script data-wasm=\"./a.wasm\" data-js=\"j\"></script>";
        let packed = "<link rel=\"preload\" href=\"./a.wasm.packed\" crossorigin=\"anonymous\" as=\"fetch\">\
            <script data-wasm=\"./a.wasm\" data-packed=\"./a.wasm.packed\" data-js=\"j\"></script>";
        assert_eq!(with_packed(page), packed);
        assert_eq!(with_packed("<p></p>"), "<p></p>");
    }
}
