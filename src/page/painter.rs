//! Paints links and messages on the canvas: the only thing that moves (PAGE.md §2.6, §3.3).

use super::player::{self, Player};
use crate::entities::actor::{ActorId, Role};
use crate::entities::fact::VoteKind;
use crate::scene::layout::{self, Detail, Ground};
use crate::scene::stage::StageState;
use crate::scene::view::{Ribbon, Seen, ribbons};
use crate::sim::trace::PacketTag;
use std::collections::BTreeMap;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// The theme's colours, read once per paint.
struct Colors(Option<web_sys::CssStyleDeclaration>);

impl Colors {
    fn read() -> Colors {
        Colors(web_sys::window().and_then(|w| {
            let root = w.document()?.document_element()?;
            w.get_computed_style(&root).ok().flatten()
        }))
    }

    fn get(&self, name: &str) -> String {
        self.0.as_ref().and_then(|s| s.get_property_value(name).ok()).unwrap_or_default()
    }
}

/// Colour role and shape of a message kind; role and shape always go together.
fn look(tag: PacketTag) -> (&'static str, char) {
    match tag {
        PacketTag::Request | PacketTag::Answer | PacketTag::List | PacketTag::Letter => ("--view", 'o'),
        PacketTag::Submit | PacketTag::Route | PacketTag::Area | PacketTag::Direct(_) | PacketTag::Upload => {
            ("--cipher", 'e')
        }
        PacketTag::DataSet
        | PacketTag::Offer
        | PacketTag::Frame
        | PacketTag::Draw
        | PacketTag::Ask
        | PacketTag::Grant
        | PacketTag::Status => ("--muted", 'o'),
        PacketTag::PrePrepare | PacketTag::Body | PacketTag::Fetch | PacketTag::Blocks | PacketTag::Snapshot => {
            ("--propose", 't')
        }
        PacketTag::Prepare => ("--prepare", 'd'),
        PacketTag::Commit | PacketTag::Seal | PacketTag::Publish | PacketTag::Checkpoint | PacketTag::Stable => {
            ("--commit", 's')
        }
        PacketTag::ViewChange | PacketTag::NewView => ("--view", 't'),
        PacketTag::Complaint | PacketTag::Claim | PacketTag::Evidence => ("--view", 't'),
    }
}

fn shape(cx: &CanvasRenderingContext2d, kind: char, x: f64, y: f64, r: f64) {
    cx.begin_path();
    let points: &[(f64, f64)] = match kind {
        't' => &[(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)],
        'd' => &[(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)],
        's' => &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        'e' => &[(-1.3, -0.9), (0.0, 0.2), (1.3, -0.9), (1.3, 0.9), (-1.3, 0.9), (-1.3, -0.9), (1.3, -0.9)],
        _ => {
            let _ = cx.arc(x, y, r * 0.8, 0.0, core::f64::consts::TAU);
            return;
        }
    };
    for (i, (dx, dy)) in points.iter().enumerate() {
        if i == 0 { cx.move_to(x + dx * r, y + dy * r) } else { cx.line_to(x + dx * r, y + dy * r) }
    }
    cx.close_path();
}

fn links(cx: &CanvasRenderingContext2d, colors: &Colors, ground: &Ground, stage: &StageState) {
    cx.set_stroke_style_str(&colors.get("--hairline"));
    cx.set_line_width(1.0);
    let (x, y, r) = ground.ring();
    cx.begin_path();
    let _ = cx.arc(x.into(), y.into(), r.into(), 0.0, core::f64::consts::TAU);
    let line = |a: ActorId, b: ActorId| {
        let ((ax, ay), (bx, by)) = (ground.place(a), ground.place(b));
        cx.move_to(ax.into(), ay.into());
        cx.line_to(bx.into(), by.into());
    };
    let kgc = ActorId::new(Role::Kgc, 0);
    (0..ground.counts.csc).for_each(|i| line(ActorId::new(Role::Csc, i), kgc));
    stage.cables().for_each(|(cp, ev)| line(cp, ev));
    cx.stroke();
}

/// Who has whose vote: a column per gateway that counts, a row per gateway that votes (PAGE.md §3.2). A full column is a
/// quorum. Prepares until somebody counts commits.
fn matrix(cx: &CanvasRenderingContext2d, colors: &Colors, ground: &Ground, stage: &StageState) {
    let n = ground.counts.css;
    let gateways = || (0..n).map(|i| (i, stage.nodes.get(&ActorId::new(Role::Css, i))));
    let commits = gateways().any(|(_, g)| g.is_some_and(|g| g.votes(VoteKind::Commit) > 0));
    let (vote, role) = if commits { (VoteKind::Commit, "--commit") } else { (VoteKind::Prepare, "--prepare") };
    let cell = (1.3 * ground.inside() / f32::from(n.max(1))).floor().max(1.0);
    let (x, y, _) = ground.ring();
    let (left, top) = (x - cell * f32::from(n) / 2.0, y - cell * f32::from(n) / 2.0);
    let side = f64::from(cell * f32::from(n));
    cx.set_fill_style_str(&colors.get("--panel"));
    cx.fill_rect(left.into(), top.into(), side, side);
    cx.set_fill_style_str(&colors.get(role));
    for (i, gateway) in gateways() {
        // Neighbouring votes are one bar.
        let mut bar: Option<(u16, u16)> = None;
        let draw = |(from, to): (u16, u16)| {
            let (px, py) = (left + cell * f32::from(i), top + cell * f32::from(from));
            cx.fill_rect(px.into(), py.into(), f64::from(cell), f64::from(cell * f32::from(to - from)));
        };
        for j in gateway.into_iter().flat_map(|g| g.voters(vote).indices()) {
            bar = match bar {
                Some((from, to)) if to == j => Some((from, j + 1)),
                before => {
                    before.into_iter().for_each(draw);
                    Some((j, j + 1))
                }
            };
        }
        bar.into_iter().for_each(draw);
    }
    cx.set_stroke_style_str(&colors.get("--line"));
    cx.stroke_rect(left.into(), top.into(), side, side);
}

fn dashes(lengths: &[f64]) -> js_sys::Array {
    lengths.iter().map(|l| wasm_bindgen::JsValue::from_f64(*l)).collect()
}

/// A line from `a` to `b` for what is too quick to be seen moving; the point where its message stands.
fn arrow(cx: &CanvasRenderingContext2d, a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    cx.begin_path();
    cx.move_to(a.0.into(), a.1.into());
    for i in 1..=12 {
        let (x, y) = layout::along(a, b, i as f32 / 12.0);
        cx.line_to(x.into(), y.into());
    }
    cx.stroke();
    layout::along(a, b, 0.5)
}

/// Many messages of a kind between two parts of the ring as one stroke, the broader the more.
fn ribbon(cx: &CanvasRenderingContext2d, ground: &Ground, ribbon: &Ribbon) {
    let (x, y, r) = ground.ring();
    let at = |part: f32| {
        let angle = core::f32::consts::TAU * part - core::f32::consts::FRAC_PI_2;
        (x + r * angle.cos(), y + r * angle.sin())
    };
    let (a, b) = (at(ribbon.from), at(ribbon.to));
    cx.set_line_width(f64::from(1.0 + (ribbon.count as f32).log2()));
    cx.begin_path();
    for i in 0..=6 {
        let part = ribbon.tail + (ribbon.head - ribbon.tail) * i as f32 / 6.0;
        let (px, py) = layout::along(a, b, part);
        if i == 0 { cx.move_to(px.into(), py.into()) } else { cx.line_to(px.into(), py.into()) }
    }
    cx.stroke();
}

/// The brush of one paint.
struct Brush<'a> {
    cx: &'a CanvasRenderingContext2d,
    colors: &'a Colors,
    ground: &'a Ground,
    tones: BTreeMap<&'static str, String>,
    size: f32,
    /// Every message is an arrow; nothing moves.
    stills: bool,
}

impl Brush<'_> {
    fn dip(&mut self, role: &'static str) {
        let tone = self.tones.entry(role).or_insert_with(|| self.colors.get(role));
        self.cx.set_fill_style_str(tone);
        self.cx.set_stroke_style_str(tone);
        self.cx.set_line_width(1.5);
    }

    fn flight(&mut self, seen: &Seen<'_>, ghost: bool) {
        let flight = seen.flight;
        let (a, b) = (self.ground.place(flight.from), self.ground.place(flight.to));
        let (role, kind) = look(flight.packet.tag);
        self.dip(if flight.lost { "--bad" } else { role });
        let (x, y) = if seen.still || self.stills { arrow(self.cx, a, b) } else { layout::along(a, b, seen.part) };
        shape(self.cx, kind, x.into(), y.into(), self.size.into());
        if ghost || kind == 'e' || flight.lost {
            self.cx.stroke();
        } else {
            self.cx.fill();
        }
    }
}

/// What is on its way, and the old future as it was at this moment.
fn flights(brush: &mut Brush<'_>, p: &Player) {
    let cx = brush.cx;
    if let Some((own, film)) = p.ghost() {
        cx.set_global_alpha(0.3);
        let _ = cx.set_line_dash(&dashes(&[2.0, 2.0]));
        let t = p.warp().virtual_at(p.pres);
        film.flights.at_virtual(t).filter(|s| s.flight.id >= own).for_each(|seen| brush.flight(&seen, true));
        let _ = cx.set_line_dash(&dashes(&[]));
        cx.set_global_alpha(1.0);
    }
    let shown = p.flights().at(p.warp(), p.pres).filter(|s| s.flight.id < p.count);
    let (single, many) = ribbons(shown.collect(), brush.ground.counts.css);
    if !many.is_empty() {
        cx.set_global_alpha(0.6);
        for stroke in &many {
            brush.dip(look(stroke.tag).0);
            ribbon(cx, brush.ground, stroke);
        }
        cx.set_global_alpha(1.0);
    }
    single.iter().for_each(|seen| brush.flight(seen, false));
}

/// Paints the shown moment.
pub fn paint() {
    let document = web_sys::window().and_then(|w| w.document());
    let canvas = document.and_then(|d| d.get_element_by_id("flights"));
    let Some(canvas) = canvas.and_then(|c| c.dyn_into::<HtmlCanvasElement>().ok()) else { return };
    let context = canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok());
    let Some(cx) = context else { return };
    player::with(|p| {
        let dpr = web_sys::window().map_or(1.0, |w| w.device_pixel_ratio()).min(2.0);
        let (w, h) = (f64::from(p.size.width), f64::from(p.size.height));
        let (cw, ch) = ((w * dpr) as u32, (h * dpr) as u32);
        if canvas.width() != cw || canvas.height() != ch {
            canvas.set_width(cw);
            canvas.set_height(ch);
        }
        let _ = cx.set_transform(dpr, 0.0, 0.0, dpr, 0.0, 0.0);
        cx.clear_rect(0.0, 0.0, w, h);
        let colors = Colors::read();
        let (stage, ground) = (p.stage(), p.ground());
        links(&cx, &colors, &ground, &stage);
        if ground.detail() == Detail::Dot && stage.voting() {
            matrix(&cx, &colors, &ground, &stage);
        }
        let size = match ground.counts.css {
            0..=16 => 6.0,
            17..=40 => 3.5,
            _ => 2.5,
        };
        let mut brush =
            Brush { cx: &cx, colors: &colors, ground: &ground, tones: BTreeMap::new(), size, stills: p.stills };
        flights(&mut brush, p);
    });
}
