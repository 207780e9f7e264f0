//! Time passes: frame by frame while it plays, and Yew is told when something it shows has changed (PAGE.md §2.6).

use super::{Player, with};
use crate::page::painter;
use crate::sim::trace::Kind;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

/// How long the end of the first run is shown before it begins again.
const REST_MS: f64 = 4_000.0;
/// How long each still is shown where nothing may move.
const STILL_MS: f64 = 1_500.0;
/// Frame times kept for `stats()`.
const FRAMES: usize = 600;
/// While time passes, what Yew shows is renewed this often (PAGE.md §2.6); the canvas is painted with every frame.
const RENEW_MS: f64 = 100.0;

impl Player {
    /// Playing without motion: from beat to beat, and at the end no further.
    fn next_still(&mut self, dt: f64) -> bool {
        self.rest += dt * self.rate;
        if self.rest < STILL_MS {
            return false;
        }
        self.rest = 0.0;
        self.step("beat", 1);
        self.playing = self.count < self.trace().len() || !self.complete();
        true
    }

    fn advance(&mut self, now: f64) -> bool {
        let dt = self.last_frame.map_or(0.0, |last| now - last);
        self.last_frame = self.playing.then_some(now);
        if !self.playing {
            return false;
        }
        if dt > 0.0 {
            if self.frames.len() == FRAMES {
                self.frames.remove(0);
            }
            self.frames.push(dt);
        }
        if self.stills {
            return self.next_still(dt);
        }
        let end = self.length();
        self.pres = (self.pres + (dt.min(50.0) * 1000.0 * self.rate) as u64).min(end);
        let before = self.count;
        self.count = self.warp().count_at(self.pres, self.trace());
        if self.complete() && self.pres >= end {
            self.count = self.trace().len();
            self.rest += dt;
            // The first run begins again until somebody takes over.
            match self.first_run {
                true if self.rest >= REST_MS => (self.pres, self.count, self.rest) = (0, 0, 0.0),
                first => self.playing = first,
            }
        }
        let shown = self.trace().effects().get(before as usize..self.count as usize).unwrap_or_default();
        if shown.iter().any(|e| matches!(e.kind, Kind::InvariantBroken { .. })) {
            self.playing = false;
        }
        self.count != before || !self.playing
    }
}

/// Tells Yew that something it shows may have changed, and asks for a frame.
pub fn refresh() {
    let notify = with(|p| p.notify.clone()).flatten();
    if let Some(notify) = notify {
        notify();
    }
    wake();
}

pub fn on_change(notify: Rc<dyn Fn()>) {
    with(|p| p.notify = Some(notify));
}

/// As [`refresh`], with the next frame and not more often than Yew is renewed: for what comes many times a second.
pub fn nudge() {
    with(|p| p.stale = true);
    wake();
}

/// Asks for one frame; while playing each frame asks for the next.
pub fn wake() {
    if with(|p| core::mem::replace(&mut p.scheduled, true)) != Some(false) {
        return;
    }
    let Some(window) = web_sys::window() else { return };
    let closure = Closure::once_into_js(|now: f64| {
        let notify = with(|p| {
            p.scheduled = false;
            let playing = p.playing;
            p.stale |= p.advance(now);
            // A stop is told at once.
            let due = p.stale && (playing != p.playing || !(0.0..RENEW_MS).contains(&(now - p.renewed)));
            if due {
                (p.stale, p.renewed) = (false, now);
            }
            p.notify.clone().filter(|_| due)
        });
        painter::paint();
        if let Some(notify) = notify.flatten() {
            notify();
        }
        if with(|p| p.playing || p.stale) == Some(true) {
            wake();
        }
    });
    let _ = window.request_animation_frame(closure.unchecked_ref());
}
