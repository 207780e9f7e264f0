//! Measurements in the built site (PAGE.md §10.2), run by `cargo xtask bench-frames` and ignored otherwise: a number
//! from a busy machine is no reason to fail a test. Results go to `target/perf.json`.

use super::harness::{Outcome, Page, REFERENCE, Window, dist, ensure, run, target};
use serde_json::{Value, json};

/// Frame times in ms while the page plays, for at most ten seconds; it stops when the page does.
const FRAMES: &str = "const done = arguments[0], times = []; let last = 0, begin = 0;\
    const tick = (now) => { if (last) times.push(now - last); else begin = now; last = now;\
    if (now - begin < 10000) requestAnimationFrame(tick); else done(times); }; requestAnimationFrame(tick);";

#[test]
#[ignore = "a measurement: cargo xtask bench-frames"]
fn bench_frames_and_first_interaction() -> Outcome {
    let numbers = run("bench", &dist(), REFERENCE, |page| {
        Box::pin(async move {
            let ready = first_interactive(page).await?;
            let storm = commit_storm(page, "thirty-one", (55, 25)).await?;
            let hundred = commit_storm(page, "hundred", (30, 40)).await?;
            Ok(json!({ "first_interactive": ready, "frames_n31": storm, "frames_n100": hundred }))
        })
    })?;
    let report = json!({
        "window": format!("{}x{}", REFERENCE.width, REFERENCE.height),
        "cores": std::thread::available_parallelism()?.get(),
        "made_unix": std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
        "bytes": sizes()?,
        "results": numbers,
    });
    let text = serde_json::to_string_pretty(&report)?;
    std::fs::write(target().join("perf.json"), &text)?;
    println!("{text}");
    Ok(())
}

/// Milliseconds from the start of loading to `voltcast:ready`, median of five, at 5 Mbit/s and 40 ms, nothing cached.
/// The host does not compress; the page's own packed copy is what is loaded.
async fn first_interactive(page: &Page) -> Outcome<Value> {
    page.cdp("Network.enable", json!({})).await?;
    page.cdp("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await?;
    let bytes_per_second = 5_000_000 / 8;
    let line = json!({
        "offline": false, "latency": 40, "downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second
    });
    page.cdp("Network.emulateNetworkConditions", line).await?;
    let mut times = Vec::new();
    for _ in 0..5 {
        page.open("#/").await?;
        let mark = "return performance.getEntriesByName('voltcast:ready')[0]?.startTime ?? null";
        times.push(page.script(mark, vec![]).await?.as_f64().ok_or("the page set no mark voltcast:ready")?);
    }
    let free = json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    page.cdp("Network.emulateNetworkConditions", free).await?;
    times.sort_by(f64::total_cmp);
    Ok(json!({ "median_ms": times[2].round(), "worst_ms": times[4].round(), "budget_ms": 2500 }))
}

/// Frames while the gateways of a preset vote on a block; the budget is a mean rate and a 95th percentile in ms.
async fn commit_storm(page: &Page, preset: &str, budget: (u32, u32)) -> Outcome<Value> {
    page.open(&format!("#/run/{preset}")).await?;
    page.call("pause", json!({})).await?;
    page.call("seek", json!({ "at": "end" })).await?;
    page.call("seek", json!({ "at": "start" })).await?;
    for _ in 0..6 {
        if page.state().await?["phase"].as_u64() >= Some(3) {
            break;
        }
        page.call("step", json!({ "by": "phase", "n": 1 })).await?;
    }
    let phase = page.state().await?["phase"].clone();
    ensure(phase == json!(3), format!("phase 3 was not reached but {phase}"))?;
    page.call("play", json!({})).await?;
    let frames = page.driver.execute_async(FRAMES, Vec::new()).await?;
    let mut times: Vec<f64> = frames.convert()?;
    let after = page.state().await?;
    page.shot(&format!("storm-{preset}")).await?;
    ensure(times.len() > 10, "the browser drew no frames")?;
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let percentile = times[times.len() * 95 / 100];
    Ok(json!({
        "frames": times.len(), "mean_fps": (10_000.0 / mean).round() / 10.0, "p95_ms": (percentile * 10.0).round() / 10.0,
        "budget": { "mean_fps": budget.0, "p95_ms": budget.1 }, "shown_until_us": after["t_us"]
    }))
}

/// Sizes of the site's files, as they are and for the wasm alone.
fn sizes() -> Outcome<Value> {
    let (mut wasm, mut all) = (0, 0);
    for entry in std::fs::read_dir(dist())? {
        let entry = entry?;
        let length = entry.metadata()?.len();
        all += length;
        wasm += if entry.path().extension().is_some_and(|end| end == "wasm") { length } else { 0 };
    }
    Ok(json!({ "wasm": wasm, "all": all }))
}

/// Pictures to look at: a vote under way, at three sizes, light and dark, in `target/shots`.
#[test]
#[ignore = "pictures for people: cargo test --features e2e --test e2e -- --ignored shots_"]
fn shots_at_three_sizes_light_and_dark() -> Outcome {
    for (width, height) in [(1440, 900), (1024, 768), (390, 844)] {
        for dark in [false, true] {
            let theme = if dark { "dark" } else { "light" };
            let window = Window { width, height, dark };
            run("shots", &dist(), window, |page| {
                Box::pin(async move {
                    page.open("#/run/day4?seed=7&at=2630ms").await?;
                    page.call("pause", json!({})).await?;
                    page.call("seek", json!({ "at": "end" })).await?;
                    page.call("seek", json!({ "at": "2630ms" })).await?;
                    page.picture().await?;
                    page.shot(&format!("{width}x{height}-{theme}")).await?;
                    for (name, link) in [("day", "#/run/morning"), ("fork", "#/run/two-liars")] {
                        page.open(link).await?;
                        page.call("pause", json!({})).await?;
                        page.call("seek", json!({ "at": if name == "day" { "7200s" } else { "end" } })).await?;
                        page.picture().await?;
                        page.shot(&format!("{name}-{width}x{height}-{theme}")).await?;
                    }
                    page.click("left", "button", "Projector").await?;
                    page.picture().await?;
                    page.shot(&format!("projector-{width}x{height}-{theme}")).await?;
                    page.no_console_errors().await
                })
            })?;
        }
    }
    Ok(())
}
