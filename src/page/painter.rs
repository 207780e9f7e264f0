//! Paints links and messages on the canvas: the only thing that moves (PAGE.md §2.6, §3.3).

use super::player;
use crate::entities::actor::{ActorId, Role};
use crate::scene::layout::{self, Counts, Size};
use crate::scene::view::Seen;
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

fn links(cx: &CanvasRenderingContext2d, colors: &Colors, size: Size, counts: Counts, cables: &[(ActorId, ActorId)]) {
    cx.set_stroke_style_str(&colors.get("--hairline"));
    cx.set_line_width(1.0);
    let (x, y, r) = layout::ring(size);
    cx.begin_path();
    let _ = cx.arc(x.into(), y.into(), r.into(), 0.0, core::f64::consts::TAU);
    let line = |a: ActorId, b: ActorId| {
        let ((ax, ay), (bx, by)) = (layout::place(size, counts, a), layout::place(size, counts, b));
        cx.move_to(ax.into(), ay.into());
        cx.line_to(bx.into(), by.into());
    };
    let kgc = ActorId::new(Role::Kgc, 0);
    (0..counts.csc).for_each(|i| line(ActorId::new(Role::Csc, i), kgc));
    cables.iter().for_each(|(cp, ev)| line(*cp, *ev));
    cx.stroke();
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
        let cables: Vec<_> = p.stage().bays.iter().filter_map(|(cp, bay)| Some((*cp, bay.ev?))).collect();
        links(&cx, &colors, p.size, p.counts, &cables);
        let mut tones: BTreeMap<&'static str, String> = BTreeMap::new();
        let r = if p.counts.css > 16 { 3.5 } else { 6.0 };
        let mut paint = |seen: &Seen<'_>, ghost: bool| {
            let flight = seen.flight;
            let (a, b) = (layout::place(p.size, p.counts, flight.from), layout::place(p.size, p.counts, flight.to));
            let (role, kind) = look(flight.packet.tag);
            let role = if flight.lost { "--bad" } else { role };
            let tone = tones.entry(role).or_insert_with(|| colors.get(role));
            cx.set_fill_style_str(tone);
            cx.set_stroke_style_str(tone);
            cx.set_line_width(1.5);
            let (x, y) = if seen.still { arrow(&cx, a, b) } else { layout::along(a, b, seen.part) };
            shape(&cx, kind, x.into(), y.into(), r);
            if ghost || kind == 'e' || flight.lost {
                cx.stroke();
            } else {
                cx.fill();
            }
        };
        // The old future, as it was at this moment.
        if let Some((own, film)) = p.ghost() {
            cx.set_global_alpha(0.3);
            let _ = cx.set_line_dash(&dashes(&[2.0, 2.0]));
            let t = p.warp().virtual_at(p.pres);
            film.flights.at_virtual(t).filter(|s| s.flight.id >= own).for_each(|seen| paint(&seen, true));
            let _ = cx.set_line_dash(&dashes(&[]));
            cx.set_global_alpha(1.0);
        }
        let shown = p.flights().at(p.warp(), p.pres).filter(|s| s.flight.id < p.count);
        shown.for_each(|seen| paint(&seen, false));
    });
}
