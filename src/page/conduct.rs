//! Between player and engine: what is sent when, and what happens with the answers (PAGE.md §2.7, §2.8).
//!
//! The only module that talks to both.

use super::player::{self, Recovery};
use super::port::frame::{Command, Reason, Reply};
use super::port::{self, Event};
use crate::entities::actor::ActorId;
use crate::sim::inspect::{Equation, ItemRef, ItemView};
use crate::sim::intervention::{At, Intervention};
use crate::sim::timelines::Until;
use crate::sim::trace::{EffectId, ItemId};
use gloo_timers::future::TimeoutFuture;
use serde_json::Value;

/// How long a wish waits for an engine that is being started again.
const ENGINE_MS: u32 = 10_000;

/// Opens the player's run in the engine, up to its end or so many effects.
pub fn open_run(up_to: Option<u32>) {
    let Some(link) = player::with(|p| p.opening_link()) else { return };
    let until = up_to.map_or(Until::End, Until::Effects);
    let request = port::send(&Command::Open { link, until, slice_ms: port::slice_ms() });
    player::with(|p| p.opening = Some(request));
}

/// Lets the engine run the branch shown to its end, or as far as it can go.
pub fn run_on() {
    let goal = player::with(|p| {
        let stuck = p.recovery.as_ref().is_some_and(|r| r.times > 1);
        Some((p.lane().engine?, if stuck { Until::Effects(p.trace().len()) } else { Until::End }))
    });
    if let Some((branch, until)) = goal.flatten() {
        port::send(&Command::Continue { branch, until, slice_ms: port::slice_ms() });
    }
}

/// Something came from the engine.
pub fn hear(event: Event) {
    match event {
        Event::Reply(request, reply) => answer(request, reply),
        // Later: the closure that brought this belongs to the engine that is about to go.
        Event::Died { message, place } => wasm_bindgen_futures::spawn_local(recover(message, place)),
    }
}

fn answer(request: u32, reply: Reply) {
    let opening = player::with(|p| p.opening).flatten();
    match reply {
        Reply::Opened { .. } if opening == Some(request) => {
            player::with(|p| p.opening = None);
        }
        // Between two runs the engine may still say something of the first.
        _ if opening.is_some_and(|number| number != request) => return,
        Reply::Chunk(chunk) => {
            port::send(&Command::Ack { branch: chunk.branch, chunk: chunk.chunk });
            let wrong = player::with(|p| p.take(chunk).err()).flatten();
            if let Some(sentence) = wrong {
                player::with(|p| p.notice = Some(format!("This must not happen, please report: {sentence}")));
            }
            // Chunks come many times a second.
            return player::nudge();
        }
        Reply::Stopped { branch, reason, .. } => match reason {
            Reason::Quiet | Reason::Limit => {
                player::with(|p| {
                    p.finish(branch);
                    p.keep_last_good();
                });
            }
            Reason::Violation { .. } => run_on(),
            Reason::Halted | Reason::Reached => {}
        },
        Reply::Refused { why } => {
            player::with(|p| p.notice = Some(why.to_string()));
        }
        _ => {}
    }
    player::refresh();
}

/// Forks at the shown moment; the old future stays. The key of the new branch.
///
/// # Errors
/// One sentence, if the wish is no intervention or is not possible.
pub async fn inject(mut wish: Value) -> Result<u16, String> {
    if !wish.is_object() {
        return Err("an intervention is an object such as {\"do\": {\"crash\": \"css1\"}}".into());
    }
    // An engine that was just replaced learns its futures anew.
    for _ in 0..ENGINE_MS / 50 {
        if player::with(|p| p.lane().engine.is_some()) != Some(false) {
            break;
        }
        TimeoutFuture::new(50).await;
    }
    let asked = player::with(|p| {
        p.keep_last_good();
        if wish.get("at").is_none() {
            wish["at"] = p.count.checked_sub(1).map_or("0ms".into(), |id| format!("e{id}")).into();
        }
        let what: Intervention = serde_json::from_value(wish).map_err(|e| e.to_string())?;
        let branch = p.lane().engine.ok_or("the engine is being started again; try once more in a moment")?;
        Ok::<_, String>((p.active, branch, what))
    });
    let (parent, branch, what) = asked.ok_or("no run is open")??;
    let now = matches!(what.at, At::Effect(_));
    let (key, shared) = match port::ask(Command::Fork { branch, what }).await {
        Some(Reply::Forked { branch, shared, name, interventions, .. }) => player::with(|p| {
            let key = p.grow(parent, branch, shared, name, interventions);
            p.activate(key);
            (key, shared)
        })
        .ok_or("no run is open")?,
        Some(Reply::Refused { why }) => return Err(why.to_string()),
        _ => return Err("the engine stopped before it could do that".into()),
    };
    run_on();
    if now {
        // What was done belongs to the moment it was done at.
        while player::with(|p| p.active == key && !p.complete() && p.trace().len() <= shared + 1) == Some(true) {
            TimeoutFuture::new(4).await;
        }
        player::with(|p| {
            if p.active == key {
                p.show_intervention(shared)
            }
        });
    }
    player::keep_address();
    player::refresh();
    Ok(key)
}

/// Shows a branch and lets it run.
pub fn activate(key: u16) {
    player::with(|p| p.activate(key));
    player::keep_address();
    run_on();
    player::refresh();
}

/// Forgets a branch; one that others grew from is kept, with a word on it.
pub fn discard(key: u16) {
    let forgotten = player::with(|p| {
        let engine = p.forget(key);
        p.notice = engine.is_none().then(|| "Other futures grew from this one; discard them first.".into());
        engine
    });
    if let Some(branch) = forgotten.flatten() {
        port::send(&Command::Discard { branch });
    }
    run_on();
    player::refresh();
}

/// What everybody waits for at the shown moment: who, and why in words.
pub async fn waiting() -> Option<Vec<(ActorId, String)>> {
    let (branch, at) = player::with(|p| Some((p.lane().engine?, EffectId(p.count.checked_sub(1)?)))).flatten()?;
    match port::ask(Command::Waiting { branch, at }).await {
        Some(Reply::Waiting { list }) => Some(list),
        _ => None,
    }
}

/// Bytes and fields of a packet or record of the branch shown.
pub async fn inspect(item: ItemRef) -> Option<ItemView> {
    let branch = player::with(|p| p.lane().engine).flatten()?;
    match port::ask(Command::Inspect { branch, item }).await {
        Some(Reply::Item(view)) => Some(view),
        _ => None,
    }
}

/// The public checks of a packet, done again; with the time it took in µs.
///
/// # Errors
/// One sentence, if there is nothing to check.
pub async fn reverify(item: ItemId) -> Result<(Vec<Equation>, u32), String> {
    let branch = player::with(|p| p.lane().engine).flatten().ok_or("the engine is being started again")?;
    match port::ask(Command::Reverify { branch, item }).await {
        Some(Reply::Reverified { equations, measured_us }) => Ok((equations, measured_us)),
        Some(Reply::Refused { why }) => Err(why.to_string()),
        _ => Err("the engine stopped before it could do that".into()),
    }
}

/// The engine is gone: another one runs the same links and forks, and its effects are compared with what is known.
/// Where it stops twice at the same event, the run is shown up to there.
async fn recover(message: String, place: String) {
    let known = player::with(|p| {
        let event = p.trace().len();
        let before = p.recovery.as_ref().filter(|r| r.event == event).map_or(0, |r| r.times);
        p.recovery = Some(Recovery { message, place, event, times: before + 1 });
        p.playing = false;
        p.lanes.iter_mut().skip(1).for_each(|l| l.engine = None);
        (!p.link.no_worker, p.lanes[0].trace.len())
    });
    let Some((worker, root)) = known else { return };
    port::restart(worker);
    open_run(Some(root));
    player::refresh();
    let forks = player::with(|p| {
        let own = |l: &super::lane::Lane| Some((l.key, l.parent?, l.interventions.last()?.clone()));
        p.lanes.iter().filter_map(own).collect::<Vec<_>>()
    });
    for (key, parent, what) in forks.unwrap_or_default() {
        let parent = player::with(|p| p.lane_mut(parent).and_then(|l| l.engine)).flatten();
        let Some(branch) = parent else { continue };
        if let Some(Reply::Forked { branch, .. }) = port::ask(Command::Fork { branch, what }).await {
            player::with(|p| p.lane_mut(key).map(|l| l.engine = Some(branch)));
        }
    }
    run_on();
    player::refresh();
}
