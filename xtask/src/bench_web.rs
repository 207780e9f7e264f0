//! The scheme beside other libraries, and the loads of agreement, in headless Chromium: `benches/web/` built as the page
//! is built, served with the peers from `target/bench-web/`, one of its pages opened once, and what it sends back written
//! down. A measurement, never a test.

use crate::process::{self, target};
use crate::{browser, server, tools};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The peers, in the versions that were compared.
const PEERS: [&str; 4] = ["libsodium@0.8.4", "libsodium-wrappers@0.8.4", "@noble/curves@2.4.0", "@noble/ciphers@2.4.0"];
const FILES: [&str; 7] = ["index.html", "run.js", "peers.js", "plot.js", "clock.js", "agreement.html", "agreement.js"];
const WASM: &str = "voltcast_bench_web";
/// Longest silence of the page before it is given up.
const PATIENCE: Duration = Duration::from_secs(900);
/// Chromium without a window, asking nothing of the network.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-background-timer-throttling",
    "--no-first-run",
];

/// What there is to measure.
#[derive(Clone, Copy)]
pub enum Subject {
    Scheme,
    Agreement,
}

impl Subject {
    fn page(self) -> &'static str {
        match self {
            Subject::Scheme => "index.html",
            Subject::Agreement => "agreement.html",
        }
    }

    /// Name of what is written, without its ending.
    fn stem(self) -> &'static str {
        match self {
            Subject::Scheme => "bench-web",
            Subject::Agreement => "bench-agreement",
        }
    }
}

/// Builds, runs and writes `target/bench-web.json` and `.svg`, or `target/bench-agreement.json`.
pub fn measure(subject: Subject, quick: bool) -> Result<(), String> {
    let folder = target().join("bench-web");
    build(&folder)?;
    let listener = server::bind(0).map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let load = load_average();
    let mut chrome =
        start(&folder, &format!("http://{address}/{}{}", subject.page(), if quick { "?quick" } else { "" }))?;
    let (sender, posted) = channel();
    let (served, browser) = (folder.clone(), chrome.id());
    let taker = move |path: &str, body: Vec<u8>| match path {
        "/cpu" => cpu_time(browser).map_or(String::new(), |ns| ns.to_string()),
        _ => sender.send((path.to_string(), body)).map_or("nobody is waiting", |()| "taken").to_string(),
    };
    std::thread::spawn(move || server::serve_and_take(listener, &served, Some(Arc::new(taker))));
    let outcome = collect(&posted, subject.stem(), &load);
    chrome.kill().and_then(|()| chrome.wait()).map_err(|e| format!("Chromium did not end: {e}"))?;
    outcome
}

/// The wasm as the page has it, the glue, the page's files and the peers, all in `folder`.
fn build(folder: &Path) -> Result<(), String> {
    tools::wasm_target()?;
    let bindgen = tools::WASM_BINDGEN.ready()?;
    let mut cargo = process::command("cargo", &[]);
    cargo.args(["build", "--profile", "site", "--target", "wasm32-unknown-unknown", "--package", "voltcast-bench-web"]);
    process::run(cargo)?;
    let built = target().join("wasm32-unknown-unknown/site").join(format!("{WASM}.wasm"));
    let mut glue = process::command("wasm-bindgen", &[&bindgen]);
    glue.args(["--target", "web", "--no-typescript", "--out-dir"]).arg(folder).arg(built);
    process::run(glue)?;
    let wasm = folder.join(format!("{WASM}_bg.wasm"));
    let mut optimise = process::command("wasm-opt", &[&tools::wasm_opt()?]);
    optimise.arg("-Os").arg(&wasm).arg("-o").arg(&wasm);
    process::run(optimise)?;
    for file in FILES {
        let from = process::root().join("benches/web").join(file);
        fs::copy(&from, folder.join(file)).map_err(|e| format!("{}: {e}", from.display()))?;
    }
    tools::npm_install(folder, &PEERS)
}

fn start(folder: &Path, address: &str) -> Result<Child, String> {
    let browser = browser::ready()?;
    let profile = folder.join("profile");
    // A profile of its own and new: nothing compiled in an earlier run is taken over.
    if profile.is_dir() {
        fs::remove_dir_all(&profile).map_err(|e| format!("{}: {e}", profile.display()))?;
    }
    let mut chrome = Command::new(&browser.chrome);
    chrome.args(FLAGS).arg(format!("--user-data-dir={}", profile.display())).arg(address);
    chrome.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    chrome.spawn().map_err(|e| format!("Chromium did not start: {e}"))
}

/// Waits for the numbers of the page; shows its progress meanwhile.
fn collect(posted: &Receiver<(String, Vec<u8>)>, stem: &str, load_before: &str) -> Result<(), String> {
    loop {
        let (path, body) = posted.recv_timeout(PATIENCE).map_err(|_| "the page has been silent for too long")?;
        let text = String::from_utf8_lossy(&body);
        match path.as_str() {
            "/plot" => write(stem, "svg", &text)?,
            "/result" => {
                let load =
                    format!("{{\n \"load_before\": \"{load_before}\",\n \"load_after\": \"{}\",", load_average());
                write(stem, "json", &text.replacen('{', &load, 1))?;
                return Ok(());
            }
            "/failure" => return Err(format!("the page failed: {text}")),
            _ => println!("{text} (load {})", load_average()),
        }
    }
}

fn write(stem: &str, ending: &str, text: &str) -> Result<(), String> {
    let file: PathBuf = target().join(format!("{stem}.{ending}"));
    fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("written: {}", file.strip_prefix(process::root()).unwrap_or(&file).display());
    Ok(())
}

/// Nanoseconds of processor time that the pages of this browser have used, where the system tells it (Linux). What a
/// busy machine gives to others is not in it.
fn cpu_time(browser: u32) -> Option<u64> {
    let processes: Vec<u32> = numbers(Path::new("/proc"));
    let parent = |process: &u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let parents: BTreeMap<u32, u32> = processes.iter().filter_map(|p| Some((*p, parent(p)?))).collect();
    let ours = |p: &u32| std::iter::successors(Some(*p), |p| parents.get(p).copied()).any(|p| p == browser);
    let command = |p: u32| fs::read_to_string(format!("/proc/{p}/cmdline")).unwrap_or_default();
    let pages = processes.into_iter().filter(|p| ours(p) && command(*p).contains("--type=renderer"));
    let threads = pages.flat_map(|p| {
        let folder = Path::new("/proc").join(p.to_string()).join("task");
        numbers(&folder).into_iter().map(move |thread| folder.join(thread.to_string()).join("schedstat"))
    });
    let used = threads.filter_map(|file| fs::read_to_string(file).ok()?.split(' ').next()?.parse::<u64>().ok());
    let sum = used.sum();
    (sum > 0).then_some(sum)
}

/// The entries of a folder whose names are numbers.
fn numbers(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The machine's load over the last minute, where the system tells it.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_string()
}
