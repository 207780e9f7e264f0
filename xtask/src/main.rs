//! The project's commands: `cargo xtask serve | build | test | fuzz | bench-web | bench-frames | canaries`.
//!
//! A small program on the standard library alone, so that it is there seconds after a checkout. It finds or installs
//! the tools the project needs in the versions the project was tested with ([`tools`], [`browser`]), calls Trunk for
//! the site ([`site`]), runs the test stages ([`stages`]) and measures ([`bench_web`]). It must never rebuild a tool that
//! is installed, and never replace a tool of another version that the user has.

#![allow(clippy::disallowed_types)] // a build tool may look at the clock; the core may not

mod bench_web;
mod browser;
mod canaries;
mod fuzz;
mod process;
mod server;
mod site;
mod stages;
mod tools;

use bench_web::Subject;
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask COMMAND

  serve [--port N]   build the page and serve it on 127.0.0.1 (default: 8080, or the next free port)
  build              write the static site to dist/ (relative addresses: it works under any path of any host)
  test [STAGE...]    all test stages, or the named ones: native, search, web, e2e
  fuzz [--seconds N] [TARGET...]
                     every fuzz target, or the named ones, for N seconds each (default: 30); needs a C++ compiler
  bench-web [quick]  the scheme beside other libraries in Chromium, written to target/bench-web.json and .svg
  bench-web agreement [quick]
                     the simulator and agreement in Chromium, written to target/bench-agreement.json
  bench-frames       frames at n = 31 and time to first interaction in Chromium, written to target/perf.json
  canaries [--seeds N] [NAME...]
                     builds classic bugs of PBFT in, one at a time; expects the tests to notice each, and counts how many
                     of the first N seeds (default: 2000; 0 for none) and scenarios of twins it takes to meet it
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["serve"] => serve(None),
        ["serve", "--port", port] => match port.parse() {
            Ok(port) => serve(Some(port)),
            Err(_) => Err(format!("{port:?} is not a port number")),
        },
        ["build"] => site::build().map(|outcome| println!("{outcome}")),
        ["test", names @ ..] => stages::test(names),
        ["fuzz", rest @ ..] => fuzz::command(rest),
        ["bench-web"] => bench_web::measure(Subject::Scheme, false),
        ["bench-web", "quick"] => bench_web::measure(Subject::Scheme, true),
        ["bench-web", "agreement"] => bench_web::measure(Subject::Agreement, false),
        ["bench-web", "agreement", "quick"] => bench_web::measure(Subject::Agreement, true),
        ["bench-frames"] => stages::bench_frames(),
        ["canaries", rest @ ..] => canaries::command(rest),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the site if anything changed and serves it until the program is ended.
fn serve(port: Option<u16>) -> Result<(), String> {
    println!("{}", site::build()?);
    let listener = match port {
        Some(port) => server::bind(port).map_err(|e| format!("port {port} cannot be used: {e}")),
        None => server::bind_near(8080).map_err(|e| format!("no free port from 8080 on: {e}")),
    }?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    println!("Voltcast: http://{address}/   (Ctrl-C ends it; after an edit, start it again)");
    server::serve(listener, &process::root().join("dist"));
    Ok(())
}
