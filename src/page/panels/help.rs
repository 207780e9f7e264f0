//! The keys of the page, told (PAGE.md §5.1).

use super::popup;
use yew::prelude::*;

/// Keys and what they do; `keys.rs` does it.
const KEYS: [(&str, &str); 10] = [
    ("Space, K", "play or pause"),
    ("→ ←", "one event forward, back"),
    ("Shift → ←, PgDn PgUp", "one beat of the story"),
    ("N P", "one phase"),
    ("Home End", "the first, the last moment"),
    ("1 … 5, < >", "speed"),
    ("Tab", "from node to node"),
    ("Enter", "look into the node that has the focus"),
    ("X", "break it: everything that can happen to it"),
    ("Escape", "close a menu"),
];

#[derive(Properties, PartialEq)]
pub struct Props {
    pub at: (i32, i32),
    pub close: Callback<()>,
}

#[component]
pub fn Help(props: &Props) -> Html {
    let menu = use_node_ref();
    popup::use_focus_back();
    {
        let (menu, at) = (menu.clone(), props.at);
        use_effect_with(at, move |_| {
            if let Some(menu) = menu.cast::<web_sys::HtmlElement>() {
                popup::open_at(&menu, at);
            }
        });
    }
    let shut = props.close.reform(|_: MouseEvent| ());
    html! {
        <div class="menu" role="dialog" ref={menu.clone()} aria-label="Keys" onkeydown={popup::keys(&menu, props.close.clone())}>
            <p>{ "Keys" }</p>
            <dl class="terms">
                { for KEYS.iter().map(|(key, what)| html! { <><dt>{ *key }</dt><dd>{ *what }</dd></> }) }
            </dl>
            <div class="actions"><button type="button" onclick={shut}>{ "Close" }</button></div>
        </div>
    }
}
