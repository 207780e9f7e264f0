//! What the page says of the moment shown: links with their digest, and the JSON of WORLD.md §12.

use super::{Player, with};
use crate::page::port;
use crate::sim::intervention::Intervention;
use crate::sim::link::{Link, Moment};
use crate::sim::state;
use crate::sim::trace::EffectId;

/// Puts the run that is shown into the address bar, so that a reload opens it again; without a new entry in the history.
pub fn keep_address() {
    let link = with(|p| p.address());
    let history = web_sys::window().and_then(|w| w.history().ok());
    if let (Some(link), Some(history)) = (link, history) {
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&link));
    }
}

impl Player {
    /// Keeps the link to the shown moment, from which `boot.js` reopens the run if the page stops.
    pub fn keep_last_good(&self) {
        let store = web_sys::window().and_then(|w| w.session_storage().ok().flatten());
        if let Some(store) = store {
            // A full or denied store only costs the convenience.
            let _ = store.set_item("voltcast.lastgood", &self.human_link());
        }
    }

    /// The link that opens the first branch, without a moment.
    pub fn opening_link(&self) -> String {
        Link { at: None, digest10: None, select: None, ..self.link.clone() }.to_human()
    }

    /// A link to the branch shown, without a moment.
    fn address(&self) -> String {
        let interventions = self.lane().interventions.iter().map(Intervention::to_text).collect();
        Link { at: None, digest10: None, select: None, interventions, ..self.link.clone() }.to_human()
    }

    /// A link to the shown moment with its digest.
    pub fn human_link(&self) -> String {
        let trace = self.trace();
        let whole = trace.whole_steps(self.count);
        let at = match whole {
            0 => Moment::Start,
            n if self.complete() && n == trace.len() => Moment::End,
            n => Moment::Effect(EffectId(n - 1)),
        };
        Link {
            scenario: self.link.scenario.clone(),
            seed: Some(self.info.seed),
            n: self.link.n,
            at: Some(at),
            interventions: self.lane().interventions.iter().map(Intervention::to_text).collect(),
            digest10: Some(trace.digest_at(whole).short(10)),
            ..Link::default()
        }
        .to_human()
    }

    /// The JSON of WORLD.md §12 for the moment shown.
    pub fn state(&self) -> serde_json::Value {
        let shown = state::state(&self.info, self.trace(), self.count);
        let mut value = serde_json::to_value(shown).unwrap_or_default();
        let branches: Vec<_> = self.lanes.iter()
            .map(|l| serde_json::json!({ "id": l.key, "parent": l.parent, "at": l.shared.saturating_sub(1), "name": l.name }))
            .collect();
        value["complete"] = (self.complete() && self.count == self.trace().len()).into();
        value["playing"] = self.playing.into();
        value["reproduced"] = self.reproduced.into();
        value["branch"] = self.active.into();
        value["branches"] = branches.into();
        value
    }

    pub fn stats(&self) -> serde_json::Value {
        serde_json::json!({ "frame_ms": self.frames, "effects": self.trace().len(), "complete": self.complete(), "worker": port::in_worker(), "scene_ms": [] })
    }
}
