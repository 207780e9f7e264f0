//! What must be said above the stage: a new start of the engine, refusals, links, certificates, broken promises.

use super::head::Head;
use super::panels::RecoveryBar;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub head: Head,
    /// The newest link that was made.
    pub shared: Option<String>,
}

/// A broken invariant is expected where more lie than the protocol tolerates, and a fault of this program elsewhere.
fn promises(head: &Head) -> Html {
    let Head { violation, liars, f, void, culprits, .. } = head;
    if *void {
        let evidence = match culprits.as_slice() {
            [] => "No proof of fault yet.".to_string(),
            names => format!("Proofs that anybody can check name {} of them. {}.", names.len(), names.join("; ")),
        };
        return html! {
            <div class="notice void" role="alert">
                <p><strong>{ format!("Outside the theorem, safety is void: {liars} gateways lie, and at most f = {f} may.") }</strong>{ " " }{ evidence }</p>
                if let Some(text) = violation { <p>{ format!("Promise broken: {text}.") }</p> }
            </div>
        };
    }
    match violation {
        Some(text) => {
            html! { <p class="notice bad" role="alert">{ format!("This must not happen, please report: {text}") }</p> }
        }
        None => Html::default(),
    }
}

#[component]
pub fn Notices(props: &Props) -> Html {
    let head = &props.head;
    html! {
        <>
            if head.stub { <p class="notice void" role="status">{ "Stub cryptography: this run signs and seals nothing for real. It shows the protocol's steps only." }</p> }
            if let Some(what) = head.recovery.clone() { <RecoveryBar {what} /> }
            if head.idle {
                <p class="notice" role="status">{ "This changed nothing: in the rest of the run nothing depended on it. Go back and try it earlier." }</p>
            } else if head.fresh {
                <p class="notice" role="status">{ "A new future begins here. Press Space to play it." }</p>
            }
            if let Some(text) = &head.notice { <p class="notice" role="alert">{ text }</p> }
            if let Some(link) = &props.shared { <p class="notice">{ "Link to this moment, copied where the browser allows it: " }<a href={link.clone()}>{ link }</a></p> }
            if let Some(ok) = head.reproduced {
                <p class="notice" role="status">{ if ok { format!("Reproduced: same {} events, same digest as in the link.", head.known) } else { "Not reproduced: the digest in the link is not that of this run.".into() } }</p>
            }
            { promises(head) }
        </>
    }
}
