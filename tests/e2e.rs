//! End-to-end tests in a real Chromium on the built site (PAGE.md §11): what a person, a link or an embedding page
//! gets. `cargo xtask test e2e` builds the site and runs them; `cargo xtask bench-frames` runs the measurements.
#![cfg(all(feature = "e2e", not(target_arch = "wasm32")))]
#![allow(clippy::disallowed_types)] // a test of a page waits by the clock

#[path = "e2e/bench.rs"]
mod bench;
#[path = "support/cast.rs"]
mod cast;
#[path = "e2e/harness.rs"]
mod harness;
#[path = "../xtask/src/server.rs"]
mod server;

use harness::{Outcome, PATIENCE, Page, REFERENCE, dist, ensure, run};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use voltcast::entities::actor::ActorId;
use voltcast::entities::fact::FactKind;
use voltcast::sim::adversary::BehaviourKind;
use voltcast::sim::link::Link;
use voltcast::sim::timelines::{BranchId, Stop, Timelines, Until};
use voltcast::sim::trace::{Effect, Kind};

/// The console check must be able to fail, or "no console error" says nothing.
#[test]
fn the_harness_sees_console_errors_and_calls_commands() -> Outcome {
    let folder = harness::target().join("e2e-harness");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("index.html"), "<!DOCTYPE html><title>t</title><script src=\"a.js\"></script>")?;
    std::fs::write(
        folder.join("a.js"),
        "globalThis.voltcast = { call: async (c, a) => { if (c === 'no') throw new Error('refused'); return [c, a]; } };\
         if (location.hash === '#bad') console.error('planted');",
    )?;
    run("harness", &folder, REFERENCE, |page| {
        Box::pin(async move {
            page.open("#good").await?;
            ensure(page.call("echo", json!({ "x": 1 })).await? == json!(["echo", { "x": 1 }]), "the command's answer")?;
            ensure(page.call("no", json!({})).await.is_err_and(|e| e.to_string().contains("refused")), "the refusal")?;
            let before = page.console_errors().await?;
            // The page has no icon, and a failed request is an error as well.
            ensure(before.iter().all(|line| line.contains("favicon")), format!("unexpected: {before:?}"))?;
            page.open("#bad").await?;
            let after = page.console_errors().await?;
            ensure(after.iter().any(|line| line.contains("planted")), format!("not seen: {after:?}"))
        })
    })
}

const DAY4: &str = "#/run/day4?seed=7";

/// E1: the first load plays by itself, offers three buttons, and the console stays empty.
#[test]
fn e1_first_load_plays_with_three_buttons() -> Outcome {
    run("e1", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open("#/").await?;
            page.until("the run to play", "return voltcast.state().then((s) => s.playing)").await?;
            let before = time(&page.state().await?)?;
            page.until_state("virtual time to pass", |state| time(state).is_ok_and(|now| now > before)).await?;
            for name in ["Break something", "I am teaching"] {
                page.place_of("button", name).await?;
            }
            let requests = "return performance.getEntriesByType('resource').filter((r) => new URL(r.name).origin !== location.origin).length";
            ensure(page.script(requests, vec![]).await? == json!(0), "a request to another host")?;
            page.shot("first-run").await?;
            page.no_console_errors().await
        })
    })
}

/// Issue 2: `day4` to its end. Three piles open, the fourth is not a receiver, every gateway has the block, bills stand.
#[test]
fn day4_plays_to_its_end() -> Outcome {
    run("day4", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            let state = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            let opened = list(&state, "opened")?;
            ensure(opened.len() == 3 && opened.iter().all(|o| o["ok"] == json!(true)), format!("opened: {opened:?}"))?;
            ensure(state["not_a_receiver"] == json!(["cp4"]), format!("{}", state["not_a_receiver"]))?;
            ensure(state["violations"] == json!([]), format!("{}", state["violations"]))?;
            let heads = heads(&state)?;
            ensure(heads.len() == 4 && heads.iter().all(|h| *h == heads[0] && h.0 >= 1), format!("chains: {heads:?}"))?;
            let bills = list(&state, "bills")?;
            ensure(bills.iter().filter(|bill| bill["final"] == json!(true)).count() == 3, format!("bills: {bills:?}"))?;
            page.shot("day4-end").await?;
            page.no_console_errors().await
        })
    })
}

/// E2: steps forward and back again show the same state and the same picture, by event, by beat and by phase.
#[test]
fn e2_stepping_back_shows_what_stepping_forward_showed() -> Outcome {
    run("e2", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            page.call("seek", json!({ "at": "start" })).await?;
            for (by, count) in [("event", 7), ("beat", 3), ("phase", 1)] {
                // From where the step itself stops, so that forward and back meet the same moments.
                page.call("step", json!({ "by": by, "n": 1 })).await?;
                let (state, picture) = (page.moment().await?, page.picture().await?);
                page.call("step", json!({ "by": by, "n": count })).await?;
                ensure(page.moment().await? != state, format!("{count} steps by {by} changed nothing"))?;
                page.call("step", json!({ "by": by, "n": -count })).await?;
                ensure(page.moment().await? == state, format!("another state after {count} steps by {by} and back"))?;
                ensure(
                    page.picture().await? == picture,
                    format!("another picture after {count} steps by {by} and back"),
                )?;
            }
            page.no_console_errors().await
        })
    })
}

/// E3: a moment looks the same whichever way it was reached: scrubbed to in two orders, and opened from its link.
#[test]
fn e3_a_moment_is_the_same_on_every_way() -> Outcome {
    const TIMES: usize = 50;
    run("e3", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            // A linear congruence spreads the moments over the first four seconds, where everything happens.
            let times: Vec<u64> = (0..TIMES as u64).map(|i| (i * 2_654_435_761 + 97) % 4_000).collect();
            let mut seen = Vec::new();
            for ms in &times {
                page.call("seek", json!({ "at": format!("{ms}ms") })).await?;
                seen.push((*ms, page.moment().await?, page.picture().await?));
            }
            let mut ordered = seen.clone();
            ordered.sort();
            for (ms, state, picture) in &ordered {
                page.call("seek", json!({ "at": format!("{ms}ms") })).await?;
                ensure(page.moment().await? == *state, format!("another state at {ms} ms"))?;
                ensure(page.picture().await? == *picture, format!("another picture at {ms} ms"))?;
            }
            for (ms, state, picture) in &seen {
                page.open(&format!("{DAY4}&at={ms}ms")).await?;
                page.call("pause", json!({})).await?;
                page.until_state("the linked moment", |now| moment(now) == *state).await?;
                // The rest of the run is still being computed; what is on its way is drawn once its arrival is known.
                let asked = Instant::now();
                while page.picture().await? != *picture {
                    ensure(asked.elapsed() < PATIENCE, format!("another picture from the link at {ms} ms"))?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            page.no_console_errors().await
        })
    })
}

/// E4: with the mouse alone, the primary is made to equivocate. The old future stays; no two gateways disagree.
#[test]
fn e4_a_lying_primary_forks_the_run() -> Outcome {
    run("e4", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "2s" })).await?;
            let before = list(&page.state().await?, "branches")?.len();
            page.click("right", "button", "CSS 1").await?;
            page.click("left", "menuitem", "proposes two different blocks").await?;
            let state = page
                .until_state("the fork", |state| state["branches"].as_array().is_some_and(|b| b.len() > before))
                .await?;
            ensure(list(&state, "branches")?.len() == before + 1, "the old branch is gone")?;
            page.call("seek", json!({ "at": "end" })).await?;
            let state = page.until_state("the end of the fork", |state| state["complete"] == json!(true)).await?;
            page.shot("fork").await?;
            let views = state["views"].as_object().ok_or("no views")?;
            ensure(views.values().any(|view| view.as_u64() >= Some(1)), format!("no view change: {views:?}"))?;
            let heads = heads(&state)?;
            for (height, head) in &heads {
                ensure(
                    heads.iter().all(|other| other.0 != *height || other.1 == *head),
                    format!("conflict: {heads:?}"),
                )?;
            }
            ensure(heads.iter().any(|head| head.0 >= 1), "no block was committed")?;
            ensure(state["violations"] == json!([]), format!("{}", state["violations"]))?;
            page.no_console_errors().await
        })
    })
}

/// E8: a wall between two halves is one new future. No block is final while it stands, the page says
/// who waits for what, and the address in the bar makes the same run again.
#[test]
fn e8_a_wall_stops_agreement_until_it_falls() -> Outcome {
    run("e8", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "2500ms" })).await?;
            page.click("left", "button", "Network").await?;
            page.click("left", "menuitem", "Wall between").await?;
            page.until_state("the fork", |state| list(state, "branches").is_ok_and(|b| b.len() == 2)).await?;
            page.call("seek", json!({ "at": "5s" })).await?;
            let walled = page.state().await?;
            ensure(heads(&walled)?.iter().all(|head| head.0 == 0), format!("a block behind a wall: {walled}"))?;
            page.click("left", "button", "Why is nothing happening").await?;
            let told = "return [...document.querySelectorAll('.waiting li')].some((e) => e.innerText.includes('CSS'))";
            page.until("a reason", told).await?;
            page.shot("wall").await?;
            page.call("seek", json!({ "at": "end" })).await?;
            let state = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            ensure(heads(&state)?.iter().all(|head| head.0 >= 1), format!("no block after the wall: {state}"))?;
            ensure(state["violations"] == json!([]), format!("{}", state["violations"]))?;
            let address = page.script("return location.hash", vec![]).await?;
            page.open(address.as_str().ok_or("no address")?).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            let again = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            ensure(again["digest"] == state["digest"], format!("another run from {address}"))?;
            page.no_console_errors().await
        })
    })
}

/// The charging days open, play, and come to their end with every promise kept and the bills of all who charged.
#[test]
fn the_charging_days_play_to_their_end() -> Outcome {
    run("days", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            for (id, bills) in [("morning", 20), ("evening-peak", 99), ("curtailment", 20), ("hundred", 40)] {
                page.open(&format!("#/run/{id}")).await?;
                page.until_state("the run", |state| state["scenario"] == json!(id)).await?;
                page.call("play", json!({})).await?;
                let from = time(&page.state().await?)?;
                page.until_state("time goes on", |state| time(state).is_ok_and(|t| t > from)).await?;
                page.call("pause", json!({})).await?;
                page.call("seek", json!({ "at": "end" })).await?;
                let state = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
                ensure(state["violations"] == json!([]), format!("{id}: {}", state["violations"]))?;
                let count = state["bills"].as_array().map_or(0, Vec::len);
                ensure(count == bills, format!("{id}: {count} bills instead of {bills}"))?;
                page.shot(id).await?;
            }
            page.no_console_errors().await
        })
    })
}

/// A search in the menu of a gateway finds a behaviour by its words; the scenarios are chosen from a list with sentences.
#[test]
fn behaviours_and_scenarios_are_found_by_their_words() -> Outcome {
    run("menus", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            const ITEMS: &str = "return document.querySelectorAll('.menu [role=menuitem]').length";
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "2s" })).await?;
            page.click("right", "button", "CSS 1").await?;
            let all = page.script(ITEMS, vec![]).await?.as_u64().unwrap_or(0);
            let write = "const field = document.querySelector('.menu input'); field.value = 'two different blocks';\
                field.dispatchEvent(new InputEvent('input', { bubbles: true }));";
            page.script(write, vec![]).await?;
            // What is found, and the entry that looks closer.
            page.until("fewer entries", "return document.querySelectorAll('.menu [role=menuitem]').length === 2")
                .await?;
            ensure(all > 15, format!("{all} entries"))?;
            page.click("left", "button", "Close").await?;
            page.click("left", "button", "Four piles").await?;
            page.click("left", "menuitem", "A hundred gateways").await?;
            page.until_state("the other run", |state| state["scenario"] == json!("hundred")).await?;
            page.until("a hundred gateways", "return document.querySelectorAll('[data-actor^=css]').length === 100")
                .await?;
            page.shot("hundred").await?;
            page.no_console_errors().await
        })
    })
}

/// The menu of a node works by keys alone: the focus comes back to the node, the field's own word finds the lie, and one
/// that comes too late to change anything says so.
#[test]
fn the_keyboard_breaks_a_gateway_and_comes_back_to_it() -> Outcome {
    run("keys", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            const AT_NODE: &str = "return document.activeElement?.getAttribute('data-actor') === 'css1'";
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "6s" })).await?;
            page.script("document.querySelector('[data-actor=css1]').focus()", vec![]).await?;
            page.press("x").await?;
            page.until("the menu", "return !!document.querySelector('.menu')").await?;
            ensure(page.script(AT_NODE, vec![]).await? == json!(false), "the menu has no focus")?;
            page.press("Escape").await?;
            page.until("the focus back at the node", AT_NODE).await?;
            page.press("x").await?;
            for letter in "equivocate".chars() {
                page.press(&letter.to_string()).await?;
            }
            page.until("what is found", "return document.querySelectorAll('.menu .list button').length === 3").await?;
            page.press("ArrowDown").await?;
            page.press("Enter").await?;
            page.until_state("the fork", |state| list(state, "branches").is_ok_and(|b| b.len() == 2)).await?;
            page.until("a word on it", &says("This changed nothing")).await?;
            page.until("the focus back at the node", AT_NODE).await?;
            page.no_console_errors().await
        })
    })
}

/// A row of the log leads to the message behind it, and its check is done again.
#[test]
fn a_verified_ciphertext_in_the_log_is_verified_again() -> Outcome {
    run("again", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("pause", json!({})).await?;
            page.call("seek", json!({ "at": "2600ms" })).await?;
            page.click("left", "button", "finds σ valid").await?;
            page.until("its message", &says("What led to it")).await?;
            page.click("left", "button", "Verify again now").await?;
            page.until("both sides", "return document.querySelectorAll('.equation .mono').length >= 4").await?;
            page.no_console_errors().await
        })
    })
}

/// Where the device asks for less motion nothing plays by itself, and playing goes from beat to beat.
#[test]
fn less_motion_shows_stills() -> Outcome {
    run("stills", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            let reduced = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
            page.cdp("Emulation.setEmulatedMedia", reduced).await?;
            page.open("#/").await?;
            page.until_state("the run", |state| state["complete"] == json!(false)).await?;
            ensure(page.state().await?["playing"] == json!(false), "it plays by itself")?;
            page.call("seek", json!({ "at": "2s" })).await?;
            page.call("step", json!({ "by": "beat", "n": 1 })).await?;
            let one = page.moment().await?;
            page.call("step", json!({ "by": "beat", "n": 1 })).await?;
            let two = page.moment().await?;
            page.call("step", json!({ "by": "beat", "n": -1 })).await?;
            ensure(page.moment().await? == one, "another beat on the way back")?;
            page.call("play", json!({})).await?;
            page.until_state("the next beat", |state| moment(state) != one).await?;
            ensure(page.moment().await? == two, "not the next beat")?;
            page.call("pause", json!({})).await?;
            page.shot("stills").await?;
            page.no_console_errors().await
        })
    })
}

/// E16: without a worker the page computes the same digest, and draws frames while it does.
#[test]
fn e16_without_a_worker_the_digest_is_the_same() -> Outcome {
    run("e16", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            let mut digests = Vec::new();
            for (switch, worker) in [("", true), ("&worker=0", false)] {
                page.open(&format!("{DAY4}{switch}")).await?;
                let frames = "globalThis.frames_seen = 0; const tick = () => { globalThis.frames_seen++; requestAnimationFrame(tick); }; tick();";
                page.script(frames, vec![]).await?;
                page.call("seek", json!({ "at": "end" })).await?;
                let state = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
                let frames = page.script("return globalThis.frames_seen", vec![]).await?;
                ensure(frames.as_u64() >= Some(3), format!("{frames} frames while computing"))?;
                let stats = page.call("stats", json!({})).await?;
                ensure(stats["worker"] == json!(worker), format!("a worker: {}", stats["worker"]))?;
                digests.push(state["digest"].clone());
            }
            ensure(digests[0].is_string() && digests[0] == digests[1], format!("digests differ: {digests:?}"))?;
            page.no_console_errors().await
        })
    })
}

/// Counts the workers that a page makes, and lets a test end the newest one.
const COLLECT: &str = "globalThis.workers_made = []; globalThis.Worker = class extends Worker {\
    constructor(...a) { super(...a); globalThis.workers_made.push(this); } };";

/// A browser without workers gets its run as well.
#[test]
fn a_browser_without_workers_computes_on_the_page() -> Outcome {
    run("no-worker", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            let refuse = "globalThis.Worker = class { constructor() { throw new Error('blocked'); } };";
            page.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": refuse })).await?;
            page.open(DAY4).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            let stats = page.call("stats", json!({})).await?;
            ensure(stats["worker"] == json!(false), "it says that it has a worker")?;
            page.no_console_errors().await
        })
    })
}

/// E17: the engine panics, or its worker is killed, in the middle of a run with a fork. The page says so, starts another
/// engine, keeps both futures and the moment shown, and the run ends as it would have.
#[test]
fn e17_a_dead_engine_is_replaced() -> Outcome {
    const KILL: &str = "const worker = globalThis.workers_made.at(-1); worker.terminate();\
        worker.dispatchEvent(new ErrorEvent('error', { message: 'killed by a test' }));";
    const PANIC: &str = "voltcast.panic();";
    const FORK: &str = r#"{ "at": "2500ms", "do": { "crash": "css1" } }"#;
    run("e17", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": COLLECT })).await?;
            let fork: Value = serde_json::from_str(FORK)?;
            page.open(DAY4).await?;
            page.call("seek", json!({ "at": "2500ms" })).await?;
            page.call("inject", fork.clone()).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            let whole = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            for (name, blow, word) in
                [("killed", KILL, "killed by a test"), ("panicked", PANIC, "a test asked for this")]
            {
                page.open(&format!("{DAY4}&test=1&way={name}")).await?;
                page.call("seek", json!({ "at": "2500ms" })).await?;
                page.call("inject", fork.clone()).await?;
                let before = page.moment().await?;
                page.script(blow, vec![]).await?;
                page.until("another worker", "return globalThis.workers_made.length === 2").await?;
                page.until(
                    "a word on it",
                    &format!("return [...document.querySelectorAll('[role=alert]')].some((e) => e.innerText.includes('{word}'))"),
                )
                .await?;
                ensure(page.moment().await? == before, format!("{name}: another moment is shown"))?;
                page.shot(&format!("worker-{name}")).await?;
                page.call("seek", json!({ "at": "end" })).await?;
                let again = page.until_state("the end", |state| state["complete"] == json!(true)).await?;
                ensure(
                    again["digest"] == whole["digest"] && again["branches"] == whole["branches"],
                    format!("{name}: {} after, {} before", again["digest"], whole["digest"]),
                )?;
                // The new engine has the bytes again: a ciphertext can be verified in both futures.
                page.call("inject", json!({ "at": "2600ms", "do": { "crash": "css2" } })).await?;
                page.until_state("a third future", |state| list(state, "branches").is_ok_and(|b| b.len() == 3)).await?;
            }
            Ok(())
        })
    })
}

/// A page that panics says so, and reopens the run at the last good moment.
#[test]
fn a_page_that_panics_reopens_its_run() -> Outcome {
    run("page-panic", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(&format!("{DAY4}&test=1")).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            page.call("inject", json!({ "at": "2500ms", "do": { "crash": "css1" } })).await?;
            page.until_state("the fork's end", |state| state["branch"] == json!(1)).await?;
            let shown = "return !document.getElementById('crash').hidden";
            ensure(page.script(shown, vec![]).await? == json!(false), "the bar is there before the panic")?;
            page.script("voltcast.panic({ of: 'page' }).catch(() => {}); ", vec![]).await?;
            page.until("the recovery bar", shown).await?;
            page.until("what happened", "return document.getElementById('crash').innerText.includes('a test asked')")
                .await?;
            page.shot("page-panic").await?;
            page.click("left", "button", "Reopen at the last good moment").await?;
            page.until(
                "the page again",
                "return typeof voltcast === 'object' && document.getElementById('crash').hidden",
            )
            .await?;
            let state = page.until_state("the run", |state| state["events"].as_u64() > Some(0)).await?;
            ensure(state["scenario"] == json!("day4"), format!("{}", state["scenario"]))
        })
    })
}

/// Whatever a link or a script says, the page answers in a sentence and goes on.
#[test]
fn hostile_links_and_calls_get_a_sentence() -> Outcome {
    const LINKS: [(&str, &str); 12] = [
        ("#/x", "a link to a run starts with"),
        ("#/run/nope", "there is no scenario `nope`"),
        ("#/run/<script>alert(1)</script>", "may only have lower-case letters"),
        ("#/run/day4?n=3", "n must be"),
        ("#/run/day4?n=1000", "n must be"),
        ("#/run/day4?seed=-1", "seed must be"),
        ("#/run/day4?at=e999999999999", "at must be"),
        ("#/run/day4?at=99999999s", "at must be"),
        ("#/run/day4?do=zzz", "intervention `zzz`"),
        ("#/run/day4?do=e10~crash~css9", "there is no css9"),
        ("#/run/day4?what=ever", "which means nothing here"),
        ("#/run/day4?at=end&d=0011223344", "Not reproduced"),
    ];
    let calls = [
        ("seek", json!({}), "`at`"),
        ("seek", json!({ "at": 5 }), "`at`"),
        ("seek", json!({ "at": "soon" }), "at must be"),
        ("step", json!({ "by": "century" }), "`by`"),
        ("step", json!({ "n": "two" }), "`n`"),
        ("rate", json!({ "x": 100 }), "`x`"),
        ("select", json!({ "id": "css" }), "`id`"),
        ("inject", json!("x"), "an intervention is an object"),
        ("inject", json!([1]), "an intervention is an object"),
        ("inject", json!({}), "`do`"),
        ("inject", json!({ "intervention": { "do": { "explode": "css1" } } }), "explode"),
        ("inject", json!({ "do": { "crash": "css99" } }), "css99"),
        ("inject", json!({ "at": "e99999999", "do": { "crash": "css1" } }), "the run ends before"),
        ("load", json!({}), "`link`"),
        ("panic", json!({ "of": "page" }), "only a test"),
        ("nonsense", json!({}), "there is no command"),
    ];
    run("hostile", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            for (link, word) in LINKS {
                page.script("location.hash = arguments[0]", vec![link.into()]).await?;
                let said =
                    "return [...document.querySelectorAll('.notice')].some((e) => e.innerText.includes(arguments[0]))";
                let asked = Instant::now();
                while page.script(said, vec![word.into()]).await? != json!(true) {
                    ensure(asked.elapsed() < PATIENCE, format!("{link}: no word of {word:?}"))?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            for (command, arguments, word) in calls {
                let answer = page.call(command, arguments.clone()).await;
                let refused = answer.as_ref().is_err_and(|e| e.to_string().contains(word));
                ensure(refused, format!("{command} {arguments}: {answer:?}"))?;
            }
            page.call("seek", json!({ "at": "end" })).await?;
            page.until_state("the page still runs", |state| state["complete"] == json!(true)).await?;
            page.no_console_errors().await
        })
    })
}

/// A behaviour is injected by `voltcast.inject` into the run that the page has open; the page's future is the engine's own, in
/// which the native test sees what the behaviour's line promises.
async fn injected(page: &Page, kind: BehaviourKind) -> Outcome {
    let Some((link, who, at)) = cast::on_page(kind) else { return Ok(()) };
    let wish = json!({ "at": format!("{at}ms"), "do": { "behave": { "node": who.to_string(), "kind": kind.name() } } });
    let (scenario, mut interventions) = Link::parse(link)?.resolve()?;
    interventions.push(serde_json::from_value(wish.clone())?);
    let mut run = Timelines::open_headless(scenario, interventions)?;
    while !matches!(run.run(BranchId(0), Until::End, u32::MAX), Stop::End | Stop::Limit) {}
    let trace = run.trace(BranchId(0));
    let mut liars = run.world(BranchId(0)).faulty().clone();
    liars.insert(who);
    let seen = cast::fired(trace.effects(), &liars);
    for rule in cast::shows(kind) {
        ensure(seen.contains(*rule), format!("{}: {rule} did not fire", kind.name()))?;
    }
    page.open(link).await?;
    page.call("pause", json!({})).await?;
    page.call("inject", json!({ "intervention": wish })).await?;
    page.call("seek", json!({ "at": "end" })).await?;
    let state = page.until_state("the end of the new future", |state| state["complete"] == json!(true)).await?;
    let wanted = json!(trace.digest().to_string());
    ensure(state["digest"] == wanted, format!("{}: {} instead of {wanted}", kind.name(), state["digest"]))?;
    // What honest actors refused and proved stands in the state that the page shows.
    let shown = format!("{}{}", state["refused"], state["evidence"]);
    let told = Told::of(trace.effects(), &liars);
    ensure(told.0.iter().all(|reason| shown.contains(reason.as_str())), format!("{}: {told:?}", kind.name()))?;
    page.no_console_errors().await
}

/// Reasons of refusals and classes of proofs.
#[derive(Debug)]
struct Told(std::collections::BTreeSet<String>);

impl Told {
    fn of(effects: &[Effect], but: &std::collections::BTreeSet<ActorId>) -> Self {
        let reason = |e: &Effect| match (&e.kind, e.actor) {
            (_, who) if who.is_none_or(|who| but.contains(&who)) => None,
            (Kind::Fact(FactKind::VoteRefused { reason, .. }), _) => Some(reason.clone()),
            (Kind::Fact(FactKind::Evidence { class, .. }), _) => Some(class.id().to_owned()),
            _ => None,
        };
        Told(effects.iter().filter_map(reason).collect())
    }
}

/// One behaviour of each kind of actor, and one of several liars' making.
#[test]
fn behaviours_are_injected_into_the_run_on_the_page() -> Outcome {
    run("injected", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            for name in [
                "equivocating_votes",
                "forged_vote",
                "csc_bad_alpha",
                "csc_garbage_entry",
                "kgc_minted_ticket",
                "cp_old_key",
                "ev_rewrap",
            ] {
                injected(page, BehaviourKind::parse(name).ok_or(name)?).await?;
            }
            Ok(())
        })
    })
}

/// All of them; too long for every day: `cargo test --features e2e --test e2e -- --ignored every_behaviour`.
#[test]
#[ignore = "some minutes"]
fn every_behaviour_is_injected_into_the_run_on_the_page() -> Outcome {
    run("injected-all", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            let mut failed = Vec::new();
            for kind in BehaviourKind::ALL {
                let began = Instant::now();
                let result = injected(page, kind).await;
                println!("{} in {:?}: {:?}", kind.name(), began.elapsed(), result.as_ref().map_err(|e| e.to_string()));
                failed.extend(result.is_err().then_some(kind.name()));
            }
            ensure(failed.is_empty(), format!("failed: {failed:?}"))
        })
    })
}

/// E11: a shared link, opened in a new tab, runs again and is certified equal; a wrong digest is not.
#[test]
fn e11_a_shared_link_is_reproduced() -> Outcome {
    run("e11", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            page.open(DAY4).await?;
            page.call("seek", json!({ "at": "end" })).await?;
            page.until_state("the end", |state| state["complete"] == json!(true)).await?;
            let answer = page.call("link", json!({})).await?;
            let link = answer.as_str().or(answer["link"].as_str()).ok_or(format!("no link: {answer}"))?.to_string();
            let fragment = link.find('#').map(|at| link[at..].to_string()).ok_or(format!("no fragment: {link}"))?;
            ensure(fragment.len() < 150, format!("a long link: {fragment}"))?;
            let tab = page.driver.new_tab().await?;
            page.driver.switch_to_window(tab).await?;
            page.open(&fragment).await?;
            page.until_state("the certificate", |state| state["reproduced"] == json!(true)).await?;
            page.until("the word", "return document.body.innerText.includes('Reproduced')").await?;
            page.no_console_errors().await?;

            let digest =
                fragment.split(['?', '&']).find_map(|pair| pair.strip_prefix("d=")).ok_or("no digest in the link")?;
            let other = if digest.starts_with('0') { '1' } else { '0' };
            let wrong = fragment.replace(&format!("d={digest}"), &format!("d={other}{}", &digest[1..]));
            page.open(&wrong).await?;
            page.until_state("the refusal", |state| state["reproduced"] == json!(false)).await?;
            page.until("the words", "return document.body.innerText.includes('Not reproduced')").await
        })
    })
}

/// Whether the page has these words.
fn says(words: &str) -> String {
    format!("return document.body.innerText.includes({words:?})")
}

fn list<'a>(state: &'a Value, name: &str) -> Outcome<&'a Vec<Value>> {
    state[name].as_array().ok_or(format!("state has no list {name:?}: {state}").into())
}

fn time(state: &Value) -> Outcome<u64> {
    let time = &state["t_us"];
    time.as_u64().or_else(|| time.as_str()?.parse().ok()).ok_or(format!("no time in {state}").into())
}

/// Height and head of every gateway's chain.
fn heads(state: &Value) -> Outcome<Vec<(u64, String)>> {
    let chains = state["chains"].as_object().ok_or("no chains")?;
    let head = |chain: &Value| Some((chain["height"].as_u64()?, chain["head"].as_str()?.to_string()));
    chains.values().map(|chain| head(chain).ok_or(format!("no head in {chain}").into())).collect()
}

/// What makes a moment: where in the run it is and what holds there.
fn moment(state: &Value) -> String {
    ["branch", "t_us", "events", "digest", "phase", "chains", "views", "opened", "bills"]
        .map(|key| state[key].to_string())
        .join(" ")
}

impl Page {
    async fn moment(&self) -> Outcome<String> {
        Ok(moment(&self.state().await?))
    }

    /// Waits until the state is as wanted, and answers with it.
    async fn until_state(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Outcome<Value> {
        let started = Instant::now();
        loop {
            let state = self.state().await?;
            if wanted(&state) {
                return Ok(state);
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}; the state is {state}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
