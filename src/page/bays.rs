//! What piles say beside their cars: what became of the command, power, energy and bill (PAGE.md §3.2, §6.4).

use crate::entities::actor::{ActorId, Role};
use crate::scene::layout::Ground;
use crate::scene::stage::{Bay, Lock, StageState};
use crate::scene::words;
use yew::prelude::*;

/// Room for the name of a pile; without it there is a sign only.
const NAME: f32 = 36.0;
/// Width of a letter of the small type.
const LETTER: f32 = 7.4;

fn sign(lock: Lock) -> &'static str {
    match lock {
        Lock::Nothing => "",
        Lock::Opened => "✓",
        Lock::NotAReceiver | Lock::Refused => "✕",
    }
}

fn class(lock: Lock) -> &'static str {
    match lock {
        Lock::Nothing => "muted",
        Lock::Opened => "ok",
        Lock::NotAReceiver | Lock::Refused => "no",
    }
}

/// The words of a pile.
pub fn bay(stage: &StageState, ground: &Ground, index: u16) -> Html {
    let id = ActorId::new(Role::Cp, index);
    let default = Bay::default();
    let Some(bay) = stage.bays.get(&id).or((ground.columns() > 1).then_some(&default)) else {
        return Html::default();
    };
    let key = id.to_string();
    let body = match (ground.size.narrow(), ground.columns()) {
        (true, _) => narrow(bay, ground, index),
        (false, 1) => roomy(bay, ground, index),
        _ => tight(bay, ground, index),
    };
    html! { <g class="bay" {key}>{ body }</g> }
}

/// Where a car at this pile stands, and half its width.
fn car(ground: &Ground, index: u16) -> (f32, f32) {
    let (cp, ev) = (ActorId::new(Role::Cp, index), ActorId::new(Role::Ev, 0));
    let seated = Ground::new(ground.size, ground.counts, [(cp, ev)]);
    (seated.place(ev).0, seated.glyph_half(ev))
}

/// One column of piles: three lines right of the car.
fn roomy(bay: &Bay, ground: &Ground, index: u16) -> Html {
    let (_, y) = ground.place(ActorId::new(Role::Cp, index));
    let (car, _) = car(ground, index);
    let word = match bay.lock {
        Lock::Nothing if bay.ev.is_none() => "",
        Lock::Nothing => "waits",
        Lock::Opened => "✓ opened",
        Lock::NotAReceiver => "✕ not for it",
        Lock::Refused => "✕ refused",
    };
    let bill = bay
        .bill
        .as_ref()
        .map(|(t, c, last)| format!("{}{}", words::bill(*t, c), if *last { " billed" } else { " so far" }));
    let left = format!("{:.0}", car + 30.0);
    let shut = (bay.lock != Lock::Opened).then(|| because(bay)).flatten();
    html! {
        <>
            <text class={class(bay.lock)} x={left.clone()} y={format!("{:.0}", y - 10.0)}>{ word }</text>
            if bay.lock == Lock::Opened {
                <text x={left.clone()} y={format!("{:.0}", y + 7.0)}>{ format!("{} kW · {} kWh", tenths(bay.power_w.into()), tenths(bay.energy_wh)) }</text>
                <text x={left} y={format!("{:.0}", y + 24.0)}>{ bill.unwrap_or_default() }</text>
            } else if let Some(word) = shut {
                <text class="muted" x={left} y={format!("{:.0}", y + 7.0)}>{ word }</text>
            }
        </>
    }
}

/// Why a pile gives no power, where that needs a word.
fn because(bay: &Bay) -> Option<&'static str> {
    match bay.lock {
        Lock::NotAReceiver => Some("stays locked"),
        _ => None,
    }
}

/// Several columns: who, and one line.
fn tight(bay: &Bay, ground: &Ground, index: u16) -> Html {
    let (left, _, width, height) = ground.cell(index);
    let (_, y) = ground.place(ActorId::new(Role::Cp, index));
    let (car, half) = car(ground, index);
    let x = car + half + 5.0;
    if left + width - x < NAME {
        return html! { <text class={classes!("small", class(bay.lock))} x={format!("{x:.0}")} y={format!("{:.0}", y + 4.0)}>{ sign(bay.lock) }</text> };
    }
    let who = bay.ev.map_or_else(String::new, |ev| format!(" · {}", ev.label()));
    let told = told(bay, left + width - x - 10.0);
    let two = height >= 34.0;
    html! {
        <>
            if two { <text class="small" x={format!("{x:.0}")} y={format!("{:.0}", y - 3.0)}>{ format!("CP {}{who}", index + 1) }</text> }
            <text class={classes!("small", class(bay.lock))} x={format!("{x:.0}")} y={format!("{:.0}", y + if two { 12.0 } else { 4.0 })}>{ told }</text>
        </>
    }
}

/// As much as fits into so many pixels of: what became of the command, and what the car pays.
fn told(bay: &Bay, room: f32) -> String {
    let word = match bay.lock {
        Lock::Opened => format!("✓ {} kW", tenths(bay.power_w.into())),
        Lock::NotAReceiver => "✕ not for it".into(),
        Lock::Refused => "✕ refused".into(),
        Lock::Nothing if bay.ev.is_some() => "waits".into(),
        Lock::Nothing => "free".into(),
    };
    let sign = sign(bay.lock).to_string();
    let bill = bay.bill.as_ref().map(|(total, currency, _)| words::bill(*total, currency));
    let paid = bill.map(|bill| [format!("{word} · {bill}"), format!("{sign} {bill}")]);
    let mut all = paid.into_iter().flatten().chain([word]);
    all.find(|text| text.chars().count() as f32 * LETTER <= room).unwrap_or(sign)
}

/// Below its car: what a pile says, as far as its cell allows.
fn narrow(bay: &Bay, ground: &Ground, index: u16) -> Html {
    let (.., room, height) = ground.cell(index);
    let (x, pile) = ground.place(ActorId::new(Role::Cp, index));
    let y = pile + height * 0.5 - 4.0;
    let line = |row: f32, text: String| html! { <text class="small" x={format!("{x:.0}")} y={format!("{:.0}", y + 32.0 + 15.0 * row)} text-anchor="middle">{ text }</text> };
    let id = ActorId::new(Role::Cp, index);
    let over = pile - ground.glyph_half(id) - 7.0;
    html! {
        <>
            if room > 56.0 {
                <text class="small" x={format!("{x:.0}")} y={format!("{over:.0}")} text-anchor="middle">{ id.label() }</text>
                if let Some(ev) = bay.ev { { line(0.0, ev.label()) } }
            }
            <text class={classes!("small", class(bay.lock))} x={format!("{:.0}", x + room * 0.3)} y={format!("{:.0}", pile + height * 0.25)}>{ sign(bay.lock) }</text>
            if bay.lock == Lock::Opened && room > 56.0 {
                { line(1.0, format!("{} kW", tenths(bay.power_w.into()))) }
                if let Some((total, currency, _)) = &bay.bill { { line(2.0, words::bill(*total, currency)) } }
            }
        </>
    }
}

/// The name of the parking rows, and how many wait there.
pub fn parking(stage: &StageState, ground: &Ground) -> Html {
    let Some((x, y)) = ground.parking_name() else { return Html::default() };
    let plugged = stage.cables().count();
    let gone = stage.nodes.iter().filter(|(id, n)| id.role == Role::Ev && n.away).count();
    let waiting = usize::from(ground.counts.ev).saturating_sub(plugged + gone);
    html! { <text class="zone" x={format!("{x:.0}")} y={format!("{y:.0}")}>{ format!("Cars: {plugged} plugged in, {waiting} not yet, {gone} gone") }</text> }
}

/// Thousandths as a number with one digit after the point.
pub fn tenths(thousandths: i64) -> String {
    let rounded = (thousandths.abs() + 50) / 100;
    format!("{}{}.{}", if thousandths < 0 { "−" } else { "" }, rounded / 10, rounded % 10)
}
