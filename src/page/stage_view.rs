//! The standing things of the stage as SVG: actors, quorum rings, bays, chain (PAGE.md §3).
//!
//! Every actor is a button with a name: it can be focused, selected and, by its menu, broken.

use super::chain::chain;
use super::{bays, player};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::VoteKind;
use crate::scene::layout::{Counts, Detail, Ground, Size};
use crate::scene::stage::{NodeState, StageState, needed};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub stage: Rc<StageState>,
    pub size: (f32, f32),
    pub selected: Option<ActorId>,
    /// Counts of actors (CSC, CSS, CP, EV).
    pub counts: (u16, u16, u16, u16),
    pub on_menu: Callback<(ActorId, i32, i32)>,
    pub on_select: Callback<ActorId>,
}

/// Text equivalent of a node, also its accessible name.
pub fn name_of(id: ActorId, node: &NodeState, n: u16) -> String {
    let mut name = id.label();
    let what = match id.role {
        Role::Kgc => "key generation centre",
        Role::Csc => "charging service company",
        Role::Css => "gateway",
        Role::Cp => "charging pile",
        Role::Ev => "electric vehicle",
        Role::Outsider => "outsider",
    };
    name += &format!(", {what}");
    if id.role == Role::Css {
        if node.view % u64::from(n.max(1)) == u64::from(id.index) {
            name += ", primary";
        }
        name += &format!(", view {}, height {}", node.view, node.height);
        name += &format!(
            ", prepares {} of {} and commits {} of {}",
            node.votes(VoteKind::Prepare),
            needed(VoteKind::Prepare, n),
            node.votes(VoteKind::Commit),
            needed(VoteKind::Commit, n)
        );
    }
    if node.down {
        name += ", stopped";
    }
    if let Some(b) = &node.behaviour {
        name += &format!(", Byzantine: {}", b.replace('_', " "));
    }
    name
}

/// Gateways up to which each voter has its own slot in a quorum ring.
const SLOTS: u16 = 16;

/// A quorum ring: one slot per voter in the order of the gateways, or one arc for many; closed once it is full.
fn quorum(at: (f32, f32, f32), state: &NodeState, vote: VoteKind, n: u16) -> Html {
    let (cx, cy, r) = at;
    let (name, full) = match vote {
        VoteKind::Prepare => ("prepare", state.prepared),
        VoteKind::Commit => ("commit", state.committed),
    };
    let around = core::f32::consts::TAU * r;
    let piece = |from: f32, length: f32, class: &'static str| {
        let dash = format!("{length:.1} {around:.1}");
        let turn = format!("rotate({:.1} {cx:.1} {cy:.1})", from * 360.0 - 90.0);
        html! { <circle class={classes!("quorum", name, class)} cx={format!("{cx:.1}")} cy={format!("{cy:.1}")} r={format!("{r:.1}")} stroke-dasharray={dash} transform={turn} /> }
    };
    let slot = 1.0 / f32::from(n.max(1));
    html! {
        <>
            if full { { piece(0.0, around, "full") } }
            if n <= SLOTS {
                { for state.voters(vote).indices().map(|i| piece(f32::from(i) * slot, around * slot * 0.8, "slot")) }
            } else {
                { piece(0.0, around * slot * (state.votes(vote).min(usize::from(n)) as f32), "slot") }
            }
        </>
    }
}

fn role_shape(role: Role, x: f32, y: f32, h: f32) -> Html {
    let at = format!("translate({x:.1} {y:.1}) scale({:.3})", h / 22.0);
    let path = match role {
        Role::Kgc => "M-20 0 L-10 -18 L10 -18 L20 0 L10 18 L-10 18 Z M-3 -5 a5 5 0 1 1 6 0 l2 12 h-10 z",
        Role::Csc => "M-18 18 V-16 H18 V18 Z M-10 -8 h7 v8 h-7 z M3 -8 h7 v8 h-7 z M-4 18 v-10 h8 v10",
        Role::Css => "M-22 -16 a6 6 0 0 1 6 -6 h32 a6 6 0 0 1 6 6 v32 a6 6 0 0 1 -6 6 h-32 a6 6 0 0 1 -6 -6 z",
        Role::Cp => "M-15 -18 h30 v18 q0 14 -15 20 q-15 -6 -15 -20 z M2 -12 l-8 13 h6 l-2 9 l8 -13 h-6 z",
        Role::Ev => {
            "M-22 6 q0 -7 7 -8 l5 -9 h16 l8 9 q8 1 8 8 v4 h-44 z M-16 11 a5 5 0 1 0 10 0 a5 5 0 1 0 -10 0 M7 11 a5 5 0 1 0 10 0 a5 5 0 1 0 -10 0"
        }
        Role::Outsider => "M-10 -10 h20 v20 h-20 z",
    };
    html! { <path class="glyph" d={path} transform={at} fill-rule="evenodd" /> }
}

/// The rings of a gateway, as far as there is room: votes to prepare inside, votes to commit outside.
fn rings(ground: &Ground, (x, y): (f32, f32), state: &NodeState) -> Html {
    let (h, n) = (ground.gateway_half(), ground.counts.css);
    let (first, second) = match ground.detail() {
        Detail::Full => (h + 7.0, h + 12.0),
        Detail::Compact => (h * 1.3 + 2.0, h * 1.3 + 5.0),
        Detail::Dot => (h + 1.5, h + 1.5),
    };
    let committing = state.votes(VoteKind::Commit) > 0;
    html! {
        <>
            if ground.detail() > Detail::Dot || !committing { { quorum((x, y, first), state, VoteKind::Prepare, n) } }
            if ground.detail() > Detail::Dot || committing { { quorum((x, y, second), state, VoteKind::Commit, n) } }
        </>
    }
}

fn node(props: &Props, ground: &Ground, id: ActorId) -> Html {
    let (counts, detail) = (ground.counts, ground.detail());
    let default = NodeState::default();
    let state = props.stage.nodes.get(&id).unwrap_or(&default);
    let (x, y) = ground.place(id);
    let h = ground.glyph_half(id);
    let primary = id.role == Role::Css && state.view % u64::from(counts.css.max(1)) == u64::from(id.index);
    let class = classes!(
        "node",
        id.role.prefix(),
        (!state.has_key).then_some("unborn"),
        state.down.then_some("down"),
        state.away.then_some("away"),
        state.behaviour.is_some().then_some("liar"),
        (props.selected == Some(id)).then_some("selected")
    );
    let name = name_of(id, state, counts.css);
    let menu = props.on_menu.clone();
    let oncontextmenu = Callback::from(move |e: MouseEvent| {
        e.prevent_default();
        menu.emit((id, e.client_x(), e.client_y()));
    });
    let select = props.on_select.clone();
    let onclick = Callback::from(move |_: MouseEvent| select.emit(id));
    let (menu, select, key_xy) = (props.on_menu.clone(), props.on_select.clone(), (x as i32, y as i32 + 60));
    let onkeydown = Callback::from(move |e: KeyboardEvent| match e.key().as_str() {
        "Enter" => select.emit(id),
        "x" | "X" | "ContextMenu" => {
            e.prevent_default();
            menu.emit((id, key_xy.0, key_xy.1));
        }
        _ => {}
    });
    let marked = primary || state.down || state.behaviour.is_some() || props.selected == Some(id);
    let labelled = match id.role {
        Role::Css => {
            let some = detail == Detail::Compact && id.index.is_multiple_of(5) && id.index + 3 <= counts.css;
            detail == Detail::Full || marked || some
        }
        // Many piles say who they are together with their numbers.
        Role::Cp | Role::Ev => (ground.columns() == 1 && h > 10.0) || props.selected == Some(id),
        _ => true,
    };
    let full = detail == Detail::Full;
    let (lx, ly) = label_place(ground, id, (x, y), h);
    html! {
        <g key={id.to_string()} data-actor={id.to_string()} {class} role="button" tabindex="0" aria-label={name} {oncontextmenu} {onclick} {onkeydown}>
            if id.role == Role::Css {
                { rings(ground, (x, y), state) }
            }
            // The glyphs are outlines; a finger or a mouse finds the whole of them, down to the name.
            <rect class="hit" x={format!("{:.1}", x - h - 4.0)} y={format!("{:.1}", y.min(ly) - h.min(18.0) - 2.0)} width={format!("{:.1}", 2.0 * h + 8.0)} height={format!("{:.1}", (ly - y).abs().max(h) + h.min(18.0) + 6.0)} />
            { role_shape(id.role, x, y, h) }
            if primary { <path class="flag" d={format!("M{:.1} {:.1} v-16 l12 5 l-12 5", x, y - h - if full { 12.0 } else { 6.0 })} /> }
            if labelled {
                <text x={format!("{lx:.1}")} y={format!("{ly:.1}")} text-anchor="middle">{ id.label() }</text>
            }
            if let Some(word) = verdict(state, props.stage.convicted.contains_key(&id), ground.size.narrow()).filter(|_| labelled && id.role == Role::Css) {
                <text class="inside" x={format!("{lx:.1}")} y={format!("{:.1}", ly + 15.0)} text-anchor="middle">{ word }</text>
            }
            if id.role == Role::Css && full { { inside((x, y), state) } }
        </g>
    }
}

/// View and height of a gateway; long ones below each other.
fn inside((x, y): (f32, f32), state: &NodeState) -> Html {
    let (view, height) = (format!("v{}", state.view), format!("h{}", state.height));
    let line = |y: f32, text: String| html! { <text class="inside" x={format!("{x:.1}")} y={format!("{y:.1}")} text-anchor="middle">{ text }</text> };
    if view.len() + height.len() <= 5 {
        return line(y + 5.0, format!("{view} {height}"));
    }
    html! { <>{ line(y - 3.0, view) }{ line(y + 12.0, height) }</> }
}

/// What is proved of a gateway, what it last said about a ciphertext, and the votes it refused.
fn verdict(state: &NodeState, convicted: bool, narrow: bool) -> Option<String> {
    let sigma = state.verdict.map(|failed| failed.map_or("✓ σ".to_string(), |check| format!("✕ σ {check}")));
    let votes = (state.votes_refused > 0).then(|| format!("✕ {} votes", state.votes_refused));
    // On a narrow stage the next node begins where the word would end; the notice above the stage says it in full.
    let proof = convicted.then(|| if narrow { "⚑" } else { "⚑ proven" }.to_string());
    let words: Vec<String> = proof.into_iter().chain(sigma).chain(votes).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Names of a crowded ring stand outside it, all others below their glyph.
fn label_place(ground: &Ground, id: ActorId, (x, y): (f32, f32), h: f32) -> (f32, f32) {
    if id.role != Role::Css || ground.detail() == Detail::Full {
        // On a narrow stage frames run from a pile down to its car.
        let above = id.role == Role::Cp && ground.size.narrow();
        return (x, if above { y - h - 8.0 } else { y + h + if id.role == Role::Css { 28.0 } else { 18.0 } });
    }
    let (cx, cy, r) = ground.ring();
    let out = (r + 40.0) / (x - cx).hypot(y - cy).max(1.0);
    (cx + (x - cx) * out, cy + (y - cy) * out + 5.0)
}

/// The standing part of the stage.
#[component]
pub fn StageView(props: &Props) -> Html {
    let (csc, css, cp, ev) = props.counts;
    let counts = Counts { csc, css, cp, ev };
    let actors = [(Role::Kgc, 1), (Role::Csc, csc), (Role::Css, css), (Role::Cp, cp), (Role::Ev, ev)];
    let all = actors.into_iter().flat_map(|(role, n)| (0..n).map(move |i| ActorId::new(role, i)));
    let (w, h) = props.size;
    let ground = Ground::new(Size { width: w, height: h }, counts, props.stage.cables());
    let wide = w >= 600.0;
    let zone = |x: f32, text: &str| html! { <text class="zone" x={format!("{:.0}", w * x)} y="24" text-anchor="middle">{ text }</text> };
    html! {
        <svg class="nodes" width={format!("{w:.0}")} height={format!("{h:.0}")} viewBox={format!("0 0 {w:.0} {h:.0}")}>
            if wide {
                { zone(0.115, "company and keys") }
                { zone(0.45, "gateways vote") }
                { zone(0.82, "piles and cars") }
            }
            { bays::parking(&props.stage, &ground) }
            { for all.map(|id| node(props, &ground, id)) }
            { for (0..cp).map(|i| bays::bay(&props.stage, &ground, i)) }
            { chain(&props.stage, props.size) }
        </svg>
    }
}

/// Size of the stage's box, told to the player.
pub fn measure() {
    let stage = web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("stage"));
    if let Some(stage) = stage {
        let rect = stage.get_bounding_client_rect();
        player::with(|p| {
            p.size = Size { width: (rect.width() as f32).max(280.0), height: (rect.height() as f32).max(240.0) }
        });
    }
}
