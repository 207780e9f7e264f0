//! Running other programs: where the project is, what is on PATH, and a command whose output passes through.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The project's folder (the parent of `xtask/`).
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where tools go that are installed for this project only.
pub fn private_tools() -> PathBuf {
    target().join("tools")
}

/// Folders in which programs are looked for: the project's own tools, Cargo's, then PATH.
pub fn search_path() -> Vec<PathBuf> {
    let mut folders = vec![private_tools().join("bin"), private_tools().join("node_modules/.bin")];
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        env::var_os("HOME").or_else(|| env::var_os("USERPROFILE")).map(|home| Path::new(&home).join(".cargo"))
    });
    folders.extend(cargo_home.map(|home| home.join("bin")));
    folders.extend(env::var_os("PATH").iter().flat_map(|path| env::split_paths(path).collect::<Vec<_>>()));
    folders
}

/// All programs of this name on the search path, in order.
pub fn programs(name: &str) -> Vec<PathBuf> {
    let endings = if cfg!(windows) { &[".exe", ".cmd"][..] } else { &[""][..] };
    let files =
        search_path().into_iter().flat_map(|dir| endings.iter().map(move |end| dir.join(format!("{name}{end}"))));
    files.filter(|file| file.is_file()).collect()
}

/// What `program --version` prints, if it starts at all.
pub fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// A command in the project's folder with no input and `first` put in front of PATH.
pub fn command(program: impl AsRef<std::ffi::OsStr>, first: &[&Path]) -> Command {
    let mut command = Command::new(program);
    let folders = first.iter().map(|dir| dir.to_path_buf()).chain(search_path());
    let path = env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default());
    command.current_dir(root()).stdin(Stdio::null()).env("PATH", path);
    command
}

/// The command as a person would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy());
    let name = |word: &str| Path::new(word).file_name().map_or(word.to_string(), |n| n.to_string_lossy().into_owned());
    let words: Vec<String> =
        words.enumerate().map(|(i, word)| if i == 0 { name(&word) } else { word.into_owned() }).collect();
    words.join(" ")
}

/// Says what runs, runs it, and turns a failure into a sentence.
pub fn run(mut command: Command) -> Result<(), String> {
    let line = shown(&command);
    println!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed ({status})")),
        Err(error) => Err(format!("`{line}` did not start: {error}")),
    }
}

/// As [`run`], and hands each line of the output to `see` after printing it.
pub fn run_seeing(mut command: Command, mut see: impl FnMut(&str)) -> Result<(), String> {
    let line = shown(&command);
    println!("$ {line}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("`{line}` did not start: {e}"))?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            see(text.trim_end());
        }
    }
    let status = child.wait().map_err(|e| format!("`{line}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}
