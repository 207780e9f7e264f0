//! The tools the project is built and tested with, each in the one version that was tried, and how each is installed.
//!
//! What is on the search path in the right version is used. What is missing is installed where `cargo install` puts
//! things; if a tool of another version is there, the right one goes into `target/tools` and the user's stays.

use crate::process::{self, programs, version};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// A program from the Rust registry.
pub struct Tool {
    /// Name of the program.
    pub program: &'static str,
    /// Name of the package that holds it.
    package: &'static str,
    /// The version the project was tested with.
    version: &'static str,
    /// Whether its own lock file is used.
    locked: bool,
}

/// Builds the site.
pub const TRUNK: Tool = Tool { program: "trunk", package: "trunk", version: "0.21.14", locked: true };
/// Makes the JavaScript glue; its version is that of the wasm-bindgen library in Cargo.lock. Its lock file asks for a
/// crate version that registries may lack, so it is not used.
pub const WASM_BINDGEN: Tool =
    Tool { program: "wasm-bindgen", package: "wasm-bindgen-cli", version: "0.2.130", locked: false };
/// Runs the browser tests.
pub const WASM_PACK: Tool = Tool { program: "wasm-pack", package: "wasm-pack", version: "0.15.1", locked: true };
/// Builds and runs the fuzz targets. Without a sanitizer it needs nothing that the stable compiler lacks.
pub const CARGO_FUZZ: Tool = Tool { program: "cargo-fuzz", package: "cargo-fuzz", version: "0.13.2", locked: true };

/// The package of wasm-opt in the npm registry: JavaScript and wasm, so there is no binary to fetch.
const BINARYEN: &str = "binaryen@132.0.0";
/// What that wasm-opt says of its version, and what Trunk.toml asks for.
const WASM_OPT_VERSION: &str = "version_132";

impl Tool {
    /// The folder of the program in the right version; installs it if it is nowhere.
    pub fn ready(&self) -> Result<PathBuf, String> {
        if let Some(folder) = self.found() {
            return Ok(folder);
        }
        let mut install = self.install();
        println!("{} {} is not here yet; installing it (once, some minutes)", self.program, self.version);
        if !programs(self.program).is_empty() {
            install.arg("--root").arg(process::private_tools());
        }
        let command = process::shown(&install);
        process::run(install).map_err(|e| format!("{e}. Install it by hand with: {command}"))?;
        self.found().ok_or(format!("{} {} is missing. Install it with: {command}", self.program, self.version))
    }

    fn found(&self) -> Option<PathBuf> {
        let right = |program: &PathBuf| version(program).is_some_and(|v| says_version(&v, self.version));
        programs(self.program).into_iter().find(right).and_then(|p| p.parent().map(Path::to_path_buf))
    }

    /// One target folder for all tools shares what they depend on; the profile avoids whole-program optimisation,
    /// which would take many minutes and save none.
    fn install(&self) -> Command {
        let mut command = process::command("cargo", &[]);
        command.arg("install").args(self.locked.then_some("--locked"));
        command.arg(format!("{}@{}", self.package, self.version));
        command.env("CARGO_TARGET_DIR", process::private_tools().join("build"));
        command.env("CARGO_PROFILE_RELEASE_LTO", "off");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
        command
    }
}

/// Whether a version line such as `trunk 0.21.14` names exactly this version.
fn says_version(line: &str, wanted: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || c == '(' || c == ')').any(|word| word == wanted)
}

/// Makes sure that Rust can build for the browser.
pub fn wasm_target() -> Result<(), String> {
    let installed = |mut command: Command| {
        let output = command.output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let mut rustc = process::command("rustc", &[]);
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    if installed(rustc).is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(());
    }
    let mut rustup = process::command("rustup", &[]);
    rustup.args(["target", "add", TARGET]);
    process::run(rustup)
        .map_err(|e| format!("{e}. Rust cannot build for the browser until you run: rustup target add {TARGET}"))
}

/// Installs packages of the npm registry into a folder under `target/`.
pub fn npm_install(folder: &Path, packages: &[&str]) -> Result<(), String> {
    let npm = programs("npm").into_iter().next().ok_or("npm (Node) is needed and is not on PATH")?;
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut npm = process::command(npm, &[]);
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(folder).args(packages);
    process::run(npm)
}

/// The folder of wasm-opt, or why the page is built without it. Without it the page is larger and works the same.
pub fn wasm_opt() -> Result<PathBuf, String> {
    let found = || {
        let right = |program: &PathBuf| version(program).is_some_and(|v| says_version(&v, WASM_OPT_VERSION));
        programs("wasm-opt").into_iter().find(right).and_then(|p| p.parent().map(Path::to_path_buf))
    };
    if let Some(folder) = found() {
        return Ok(folder);
    }
    if programs("npm").is_empty() {
        return Err(format!("wasm-opt ({WASM_OPT_VERSION}) is not here, nor is Node to install it with"));
    }
    npm_install(&process::private_tools(), &[BINARYEN])?;
    found().ok_or(format!("npm installed {BINARYEN}, yet there is no wasm-opt of {WASM_OPT_VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_as_a_whole_word() {
        assert!(says_version("trunk 0.21.14", "0.21.14"));
        assert!(says_version("wasm-opt version 132 (version_132)", "version_132"));
        assert!(!says_version("wasm-bindgen 0.2.130", "0.2.13"));
        assert!(!says_version("wasm-opt version 108", "version_132"));
    }

    /// The versions here, in Trunk.toml and in Cargo.lock are one.
    #[test]
    fn the_versions_agree_with_trunk_and_the_lock_file() {
        let read = |name: &str| std::fs::read_to_string(process::root().join(name)).expect(name);
        let trunk = read("Trunk.toml");
        assert!(trunk.contains(&format!("wasm_bindgen = \"{}\"", WASM_BINDGEN.version)));
        assert!(trunk.contains(&format!("wasm_opt = \"{WASM_OPT_VERSION}\"")));
        assert!(trunk.contains(&format!("trunk-version = \"={}\"", TRUNK.version)));
        assert!(
            read("Cargo.lock").contains(&format!("name = \"wasm-bindgen\"\nversion = \"{}\"", WASM_BINDGEN.version))
        );
    }
}
