//! Power and bills: what every pile gives and charges at the shown moment (PAGE.md §4.5).

use crate::entities::actor::ActorId;
use crate::page::bays::tenths;
use crate::scene::stage::{Lock, StageState};
use crate::scene::words;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stage: Rc<StageState>,
}

#[component]
pub fn Power(props: &Props) -> Html {
    let stage = &props.stage;
    let row = |(cp, bay): (&ActorId, &crate::scene::stage::Bay)| {
        let command = match bay.lock {
            Lock::Nothing => "none yet",
            Lock::Opened => "✓ opened",
            Lock::NotAReceiver => "✕ no entry for its car",
            Lock::Refused => "✕ refused",
        };
        let bill = bay.bill.as_ref().map(|(t, c, last)| words::bill(*t, c) + if *last { "" } else { " so far" });
        html! {
            <tr key={cp.to_string()}>
                <th scope="row">{ cp.label() }</th>
                <td>{ bay.ev.map_or("–".into(), ActorId::label) }</td>
                <td>{ command }</td>
                <td class="number">{ format!("{} kW", tenths(bay.power_w.into())) }</td>
                <td class="number">{ format!("{} kW", tenths(bay.limit_w.into())) }</td>
                <td class="number">{ format!("{} kWh", tenths(bay.energy_wh)) }</td>
                <td class="number">{ bill.unwrap_or_default() }</td>
            </tr>
        }
    };
    let total: i64 = stage.bays.values().map(|b| i64::from(b.power_w)).sum();
    let (bills, billed) = &stage.billed;
    html! {
        <div class="power">
            <p>{ format!("{} kW flow at {} piles. {bills} final bills so far", tenths(total), stage.bays.values().filter(|b| b.power_w != 0).count()) }
                { billed.iter().map(|(currency, total)| format!(", {}", words::bill(*total, currency))).collect::<String>() }{ "." }</p>
            if stage.bays.is_empty() { <p class="rule">{ "No car is plugged in yet." }</p> } else {
                <table>
                    <thead><tr><th>{ "pile" }</th><th>{ "car" }</th><th>{ "command" }</th><th class="number">{ "power" }</th><th class="number">{ "allowed" }</th><th class="number">{ "energy" }</th><th class="number">{ "bill" }</th></tr></thead>
                    <tbody>{ for stage.bays.iter().map(row) }</tbody>
                </table>
            }
        </div>
    }
}
