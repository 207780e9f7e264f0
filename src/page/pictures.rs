//! Pictures that come and go on the stage: the envelope with its seals, and a computation part by part (PAGE.md §3.3, §6).

use crate::entities::actor::{ActorId, Role};
use crate::scene::layout::{Counts, Detail, Ground, Size};
use crate::scene::stage::{Envelope, StageState};
use crate::scene::words;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stage: Rc<StageState>,
    pub size: (f32, f32),
    /// Counts of actors (CSC, CSS, CP, EV).
    pub counts: (u16, u16, u16, u16),
}

/// What lies under the messages on their way: the ciphertext, a computation and whose it is.
#[component]
pub fn Pictures(props: &Props) -> Html {
    let (csc, css, cp, ev) = props.counts;
    let (w, h) = props.size;
    let ground = Ground::new(Size { width: w, height: h }, Counts { csc, css, cp, ev }, props.stage.cables());
    html! {
        <svg class="nodes" width={format!("{w:.0}")} height={format!("{h:.0}")} viewBox={format!("0 0 {w:.0} {h:.0}")}>
            { leader(&props.stage, &ground) }
            { envelope(&props.stage, &ground) }
            { work(&props.stage, &ground) }
        </svg>
    }
}

/// Seals drawn one by one; more are told as a number.
const SEALS: u32 = 12;

/// The newest ciphertext for cars in the middle of the gateways: one seal per entry, in the order of the tags.
fn envelope(stage: &StageState, ground: &Ground) -> Html {
    let Some(envelope) = stage.envelope.as_ref().filter(|_| stage.work.as_ref().and_then(words::work).is_none()) else {
        return Html::default();
    };
    // In a crowded ring the votes stand there.
    if ground.detail() == Detail::Dot && stage.voting() {
        return Html::default();
    }
    let (cx, cy, _) = ground.ring();
    // Between the names of the gateways there must be room for it.
    if ground.inside() < 80.0 {
        return Html::default();
    }
    let locks = format!("σ, {} {}", envelope.entries, if envelope.entries == 1 { "lock" } else { "locks" });
    let (above, below) = if ground.inside() < 105.0 { (String::new(), locks) } else { (locks, outcome(envelope)) };
    let (w, h) = (120.0, 60.0);
    let (x, y) = (cx - w / 2.0, cy - h / 2.0);
    let shown = envelope.entries.min(SEALS);
    let pitch = (w - 16.0) / shown.max(1) as f32;
    let seal = |i: u32| {
        let sx = x + 8.0 + pitch * (i as f32 + 0.5);
        let class = if envelope.opened.contains_key(&i) { "seal open" } else { "seal" };
        html! { <circle key={i} {class} cx={format!("{sx:.1}")} cy={format!("{:.1}", y + h - 14.0)} r={format!("{:.1}", (pitch / 2.0 - 2.0).clamp(2.0, 8.0))} /> }
    };
    html! {
        <g class="envelope" role="img" aria-label={told(envelope)}>
            <rect x={format!("{x:.1}")} y={format!("{y:.1}")} width={w.to_string()} height={h.to_string()} rx="4" />
            <path d={format!("M{x:.1} {y:.1} l{:.1} {:.1} l{:.1} {:.1}", w / 2.0, h * 0.42, w / 2.0, -h * 0.42)} />
            { for (0..shown).map(seal) }
            <text x={format!("{cx:.1}")} y={format!("{:.1}", y - 8.0)} text-anchor="middle">{ above }</text>
            <text class="muted small" x={format!("{cx:.1}")} y={format!("{:.1}", y + h + 18.0)} text-anchor="middle">{ below }</text>
        </g>
    }
}

fn outcome(envelope: &Envelope) -> String {
    let none = if envelope.strangers > 0 { format!(", {} without entry", envelope.strangers) } else { String::new() };
    format!("{} opened{none}", envelope.opened.len())
}

fn told(envelope: &Envelope) -> String {
    format!("Ciphertext with {} locked entries: {}", envelope.entries, outcome(envelope))
}

const ROW: f32 = 22.0;
/// Widths of the panel, with small and with normal letters.
const TIGHT: f32 = 190.0;
const ROOMY: f32 = 232.0;

/// Centre and width of the panel: inside the ring of gateways; where that is too small, over whoever has nothing to do.
fn panel(actor: ActorId, ground: &Ground) -> (f32, f32, f32) {
    let (cx, cy, _) = ground.ring();
    let inner = 2.0 * ground.inside() - 6.0;
    if inner >= TIGHT || matches!(actor.role, Role::Cp | Role::Ev) {
        return (cx, cy, inner.clamp(TIGHT, ROOMY));
    }
    let (_, piles) = ground.place(ActorId::new(Role::Cp, 0));
    (cx, piles + 20.0, TIGHT)
}

/// From the panel to the actor that computes; drawn under the nodes.
fn leader(stage: &StageState, ground: &Ground) -> Html {
    let Some(work) = stage.work.as_ref().filter(|w| words::work(w).is_some()) else { return Html::default() };
    let (cx, cy, _) = panel(work.actor, ground);
    let (x, y) = ground.place(work.actor);
    html! {
        <g class="work">
            <path class="leader" d={format!("M{cx:.1} {cy:.1} L{x:.1} {y:.1}")} />
            <circle class="halo" cx={format!("{x:.1}")} cy={format!("{y:.1}")} r="27" />
        </g>
    }
}

/// The computation that is being shown.
fn work(stage: &StageState, ground: &Ground) -> Html {
    let Some(work) = &stage.work else { return Html::default() };
    let Some((title, rows)) = words::work(work) else { return Html::default() };
    let (cx, cy, w) = panel(work.actor, ground);
    let h = 40.0 + ROW * rows.len() as f32;
    let (x, y) = ((cx - w / 2.0).max(8.0), (cy - h / 2.0).min(ground.size.height - h - 8.0).max(32.0));
    let row = |(i, (text, done)): (usize, &(String, Option<bool>))| {
        let (class, sign) = match done {
            None => ("todo", "○"),
            Some(true) => ("done", "✓"),
            Some(false) => ("done bad", "✕"),
        };
        let ty = format!("{:.1}", y + 46.0 + ROW * i as f32);
        html! {
            <g key={i} {class}>
                <text x={format!("{:.1}", x + 14.0)} y={ty.clone()}>{ sign }</text>
                <text x={format!("{:.1}", x + 34.0)} y={ty}>{ text }</text>
            </g>
        }
    };
    html! {
        <g class={classes!("work", (w < ROOMY).then_some("tight"))}>
            <rect x={format!("{x:.1}")} y={format!("{y:.1}")} width={w.to_string()} height={h.to_string()} rx="6" />
            <text class="title" x={format!("{:.1}", x + 14.0)} y={format!("{:.1}", y + 22.0)}>{ format!("{}: {title}", work.actor.label()) }</text>
            { for rows.iter().enumerate().map(row) }
        </g>
    }
}
