//! Chromium and its driver: found, or installed where that can be done without asking (root on Debian).

use crate::process::{self, programs};
use std::path::PathBuf;

const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-dejavu-core"];
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser and the driver that steers it.
pub struct Browser {
    /// Chromium or Chrome.
    pub chrome: PathBuf,
    /// chromedriver of the same release.
    pub driver: PathBuf,
}

/// Finds both; installs Debian's packages if this is Debian and we are root.
///
/// # Errors
/// Says what is missing and the command that installs it.
pub fn ready() -> Result<Browser, String> {
    if let Some(browser) = found() {
        return Ok(browser);
    }
    let by_hand = format!("apt-get install -y --no-install-recommends {}", PACKAGES.join(" "));
    if !(is_debian() && is_root()) {
        return Err(format!(
            "Chromium and chromedriver are needed. On Debian: {by_hand}. Elsewhere: install Chrome and the chromedriver of its version, both on PATH"
        ));
    }
    println!("Chromium or its driver is not here yet; installing Debian's packages (once)");
    let mut update = process::command("apt-get", &[]);
    update.args(["update", "-qq"]);
    process::run(update)?;
    let mut install = process::command("apt-get", &[]);
    // Without recommended packages: a browser for tests needs no desktop.
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(PACKAGES)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::run(install).map_err(|e| format!("{e}. Install it by hand with: {by_hand}"))?;
    found().ok_or(format!("Chromium or chromedriver is still missing after: {by_hand}"))
}

fn found() -> Option<Browser> {
    let chrome = BROWSERS.iter().find_map(|name| programs(name).into_iter().next())?;
    let driver = programs("chromedriver").into_iter().next()?;
    Some(Browser { chrome, driver })
}

fn is_debian() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

fn is_root() -> bool {
    let mut id = process::command("id", &[]);
    id.arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
