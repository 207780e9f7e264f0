//! Play, step and scrub (PAGE.md §4.3).

use super::{conduct, player};
use crate::scene::timeline::{self, Band, Flag, Timeline};
use crate::sim::link::Moment;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub playing: bool,
    pub pres: u64,
    pub length: u64,
    pub time_us: u64,
    pub count: u32,
    pub known: u32,
    pub branch: u16,
    pub rate: u32,
    pub phase: u8,
    pub caption: AttrValue,
    /// Id, name, active.
    pub branches: Vec<(u16, String, bool)>,
}

/// Starts or stops; from the end it starts again.
pub fn toggle() {
    player::with(|p| {
        if !p.playing && p.complete() && p.count == p.trace().len() {
            p.scrub(0);
        }
        p.playing = !p.playing;
        p.first_run = false;
    });
    player::refresh();
}

/// Shows a moment.
pub fn seek(moment: Moment) {
    player::with(|p| p.seek(moment));
    player::refresh();
}

/// Changes the speed, within what is offered.
pub fn rate(change: impl FnOnce(f64) -> f64) {
    player::with(|p| p.rate = change(p.rate).clamp(0.25, 4.0));
    player::refresh();
}

/// One step by event, beat or phase.
pub fn step(by: &'static str, n: i32) {
    player::with(|p| p.step(by, n));
    player::refresh();
}

/// Virtual time for people.
pub fn time(us: u64) -> String {
    match us {
        0..10_000_000 => format!("{}.{:03} s", us / 1_000_000, us / 1000 % 1000),
        10_000_000..120_000_000 => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
        _ => format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// An icon of the transport: 24×24 path data, drawn in ink.
fn icon(path: &'static str) -> Html {
    html! { <svg class="icon" width="20" height="20" viewBox="0 0 24 24" aria-hidden="true"><path d={path} /></svg> }
}

fn button(path: &'static str, name: &'static str, by: &'static str, n: i32) -> Html {
    let onclick = Callback::from(move |_| step(by, n));
    html! { <button type="button" aria-label={name} title={name} {onclick}>{ icon(path) }</button> }
}

/// Phases, density, flags and shortened gaps behind the slider.
fn picture(line: &Timeline) -> Html {
    const W: f32 = 1000.0;
    let x = |part: f32| format!("{:.1}", part * W);
    let most = line.density.iter().copied().max().unwrap_or(1).max(1);
    let column = W / line.density.len().max(1) as f32;
    html! {
        <svg class="timeline" viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">
            <defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V8" /></pattern></defs>
            { for line.bands.iter().enumerate().map(|(i, b)| html! {
                <rect key={i} class={format!("band p{}", b.phase)} x={x(b.from)} y="0" width={x(b.to - b.from)} height="40" />
            }) }
            { for line.gaps.iter().enumerate().map(|(i, (from, to, _))| html! {
                <rect key={i} class="gap" x={x(*from)} y="0" width={x(to - from)} height="40" fill="url(#hatch)" />
            }) }
            { for line.density.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| {
                let h = 6.0 + 26.0 * f32::from(*n) / f32::from(most);
                html! { <rect key={i} class="density" x={format!("{:.1}", i as f32 * column + 1.0)} y={format!("{:.1}", 40.0 - h)} width={format!("{:.1}", column - 2.0)} height={format!("{h:.1}")} /> }
            }) }
            { for line.flags.iter().enumerate().map(|(i, (at, flag))| {
                let class = if *flag == Flag::Violation { "flag violation" } else { "flag" };
                html! { <path key={i} {class} d={format!("M{:.1} 0 v40", at * W)} /> }
            }) }
        </svg>
    }
}

/// Parts of the film from which on a band has room for the number of its phase, and for the name.
const ROOM: (f32, f32) = (0.025, 0.11);

/// Numbers and names of the phases above their bands, as text that does not stretch.
fn letters(line: &Timeline) -> Html {
    let letter = |(i, b): (usize, &Band)| {
        let (number, name) = timeline::name(b.phase);
        let wide = b.to - b.from;
        let text = if wide > ROOM.1 { format!("{number} {name}") } else { number.to_string() };
        html! { if wide > ROOM.0 { <text key={i} x={format!("{:.1}%", b.from * 100.0 + 0.4)} y="12">{ text }</text> } }
    };
    html! {
        <svg class="letters" aria-hidden="true">
            { for line.bands.iter().enumerate().map(letter) }
        </svg>
    }
}

#[component]
pub fn Transport(props: &Props) -> Html {
    let line = use_memo((props.branch, props.known), |_| {
        player::with(|p| timeline::timeline(p.warp(), p.trace(), p.length())).unwrap_or_default()
    });
    let oninput = Callback::from(|e: InputEvent| {
        let value = e.target_dyn_into::<HtmlInputElement>().and_then(|i| i.value().parse::<u64>().ok());
        if let Some(ms) = value {
            player::with(|p| p.scrub(ms * 1000));
            player::refresh();
        }
    });
    let faster = Callback::from(|_| rate(|x| if x >= 4.0 { 0.25 } else { x * 2.0 }));
    let play = if props.playing { ("M5 4h5v16h-5z M14 4h5v16h-5z", "Pause") } else { ("M6 3v18l15-9z", "Play") };
    let rate_text = format!("{}×", f64::from(props.rate) / 100.0);
    html! {
        <section class="transport" aria-label="Time">
            <div class="keys">
                { button("M4 4h3v16h-3z M20 4v16l-11-8z", "Phase back", "phase", -1) }
                { button("M12 4v16l-10-8z M22 4v16l-10-8z", "Beat back", "beat", -1) }
                { button("M17 4v16l-11-8z", "Event back", "event", -1) }
                <button type="button" class="play" aria-label={play.1} title="Space" onclick={Callback::from(|_| toggle())}>{ icon(play.0) }</button>
                { button("M7 4v16l11-8z", "Event forward", "event", 1) }
                { button("M2 4v16l10-8z M12 4v16l10-8z", "Beat forward", "beat", 1) }
                { button("M17 4h3v16h-3z M4 4v16l11-8z", "Phase forward", "phase", 1) }
                <button type="button" aria-label={format!("Speed {rate_text}")} onclick={faster}>{ rate_text.clone() }</button>
            </div>
            <div class="line">
                { picture(&line) }
                { letters(&line) }
                <input type="range" min="0" max={(props.length / 1000).to_string()} value={(props.pres / 1000).to_string()}
                    aria-label="Moment of the run" aria-valuetext={props.caption.clone()} {oninput} />
            </div>
            <p class="readout"><span>{ time(props.time_us) }</span><span>{ format!("event {} of {}", props.count, props.known) }</span></p>
            if props.branches.len() > 1 {
                <div class="lanes" role="group" aria-label="Futures of this run">
                    { for props.branches.iter().map(|(id, name, active)| {
                        let id = *id;
                        let onclick = Callback::from(move |_| conduct::activate(id));
                        html! { <button type="button" key={id} aria-pressed={active.to_string()} {onclick}>{ format!("{}: {name}", id + 1) }</button> }
                    }) }
                    if let Some(id) = props.branches.iter().find(|b| b.2).map(|b| b.0).filter(|id| *id > 0) {
                        <button type="button" onclick={Callback::from(move |_| conduct::discard(id))}>{ "Discard this future" }</button>
                    }
                </div>
            }
        </section>
    }
}
