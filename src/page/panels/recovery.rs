//! Says that the engine stopped and what the page did about it (PAGE.md §2.8).

use crate::page::player::Recovery;
use crate::page::{conduct, player};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub what: Recovery,
}

#[component]
pub fn RecoveryBar(props: &Props) -> Html {
    let Recovery { message, place, event, times } = &props.what;
    let told = match times {
        1 => {
            format!("The engine stopped at event {event} and was started again. The run is as it was; nothing is lost.")
        }
        _ => format!("The engine stopped {times} times at event {event}. The run is shown up to there."),
    };
    let report = {
        let what = props.what.clone();
        Callback::from(move |_| {
            let link = player::with(|p| p.human_link()).unwrap_or_default();
            let text = format!("{link}\nevent {}\n{}\n{}", what.event, what.place, what.message);
            if let Some(w) = web_sys::window() {
                let _ = w.navigator().clipboard().write_text(&text);
            }
        })
    };
    let go_on = Callback::from(|_| {
        player::with(|p| {
            p.recovery = None;
            p.playing = true;
        });
        conduct::run_on();
        player::refresh();
    });
    html! {
        <div class="notice bad" role="alert">
            <p>{ told }{ format!(" ({message} {place})") }</p>
            <p class="actions">
                <button type="button" onclick={go_on}>{ "Continue" }</button>
                <button type="button" onclick={report}>{ "Copy report" }</button>
            </p>
        </div>
    }
}
