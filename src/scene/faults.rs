//! What a person can break: for each thing on the stage the faults that it can have, in words, and the interventions that
//! make them (PAGE.md §5.2, §5.3).

use crate::entities::actor::{ActorId, Role};
use crate::sim::adversary::BehaviourKind;
use serde_json::{Value, json};

/// What the menu is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Actor(ActorId),
    /// A message on its way: id of its `Sent`.
    Message(u32),
    /// All links between gateways.
    Network,
}

/// One thing that can be done: what it is called, what it does in a sentence, and the intervention that does it.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    pub label: String,
    pub about: &'static str,
    pub wish: Value,
}

impl Fault {
    fn new(label: impl Into<String>, about: &'static str, wish: Value) -> Fault {
        Fault { label: label.into(), about, wish }
    }

    /// Whether its words, or the name that scenario files use, have those of a search.
    pub fn fits(&self, words: &str) -> bool {
        let own = format!("{} {} {}", self.label, self.about, self.wish).to_lowercase();
        // "equivocate" finds "equivocating": a long word fits by its beginning.
        let stem = |word: &str| word.char_indices().nth(STEM).map_or(word.len(), |(end, _)| end);
        words.split_whitespace().all(|word| own.contains(word) || own.contains(&word[..stem(word)]))
    }
}

/// Letters of a long word that a search looks for.
const STEM: usize = 7;

/// Faults of one kind, and its name.
pub type Group = (&'static str, Vec<Fault>);

/// What can be done to a message on its way.
pub fn message_faults(id: u32, byte: u32) -> Vec<Fault> {
    let event = format!("e{id}");
    let one = |label: &str, about, wish| Fault::new(label, about, wish);
    vec![
        one("Drop it", "It never arrives.", json!({ "drop": event })),
        one("Delay it by 500 ms", "It arrives late.", json!({ "delay": { "event": event, "by_us": 500_000 } })),
        one("Send it twice", "A copy arrives as well.", json!({ "duplicate": event })),
        one(
            "Flip one bit",
            "The receiver gets it altered.",
            json!({ "flip": { "event": event, "byte": byte, "bit": 0 } }),
        ),
    ]
}

/// How long the links of a menu stay broken.
const BREAK_MS: u64 = 3_000;

fn link_faults(node: &str, until: &str) -> Group {
    let both = |rule: &str, key: &str, value: Value| json!({ "link": { rule: { "from": node, "both": true, "until": until, key: value } } });
    let list = vec![
        Fault::new(
            "Cut it off for 3 s",
            "Nothing reaches it and nothing leaves it.",
            json!({ "link": { "block": { "from": node, "both": true, "until": until } } }),
        ),
        Fault::new(
            "Slow its links for 3 s",
            "What it sends and gets takes 300 ms more.",
            both("delay", "by", "300ms".into()),
        ),
        Fault::new(
            "Lose a third for 3 s",
            "One in three of its messages is lost.",
            both("loss", "ratio", "1/3".into()),
        ),
    ];
    ("Its links", list)
}

/// What can be done to an actor.
fn node_groups(id: ActorId, down: bool, lies: bool, until: &str) -> Vec<Group> {
    let node = id.to_string();
    let one = |label: &str, about, wish| Fault::new(label, about, wish);
    let mut stops = match down {
        true => vec![
            one("Resume", "If it was paused, it takes what has waited for it.", json!({ "resume": node })),
            one("Restart", "If it crashed, it is back with what it had stored.", json!({ "restart": node })),
        ],
        false => vec![
            one("Crash", "It stops and forgets all that it had not stored.", json!({ "crash": node })),
            one("Pause", "It stops; what arrives waits.", json!({ "pause": node })),
        ],
    };
    if id.role == Role::Css {
        stops.push(match down {
            true => one(
                "Restart without memory",
                "It is back and has lost what it had signed; it counts as faulty.",
                json!({ "restart_amnesia": node }),
            ),
            false => one(
                "Torn step",
                "It crashes between two messages of its next step.",
                json!({ "torn_step": { "node": node, "k": 1 } }),
            ),
        });
    }
    let pace = vec![
        one(
            "Compute ten times slower",
            "What it computes takes ten times as long.",
            json!({ "slow": { "node": node, "times": 10 } }),
        ),
        one(
            "Clock ten minutes ahead",
            "It takes fresh things for old ones.",
            json!({ "skew": { "node": node, "by": "10min" } }),
        ),
        one(
            "Clock ten minutes behind",
            "It takes old things for fresh ones.",
            json!({ "skew": { "node": node, "by": "-10min" } }),
        ),
    ];
    let mut asks = Vec::new();
    if id.role == Role::Ev {
        asks.push(one(
            "Complain",
            "It shows everybody that its last entry cannot be opened.",
            json!({ "complain": node }),
        ));
    }
    if id.role == Role::Kgc {
        let about = "It proves who sent the newest ciphertext.";
        asks.push(one("Open a ticket", about, json!({ "open_ticket": node })));
    }
    let lie = |kind: BehaviourKind| {
        let wish = json!({ "behave": { "node": node, "kind": kind.name() } });
        Fault::new(format!("Lie: {}", kind.title()), kind.expect().sentence, wish)
    };
    let mut liar: Vec<Fault> = BehaviourKind::of(id.role).map(lie).collect();
    if lies {
        liar.insert(0, one("Be honest again", "It follows the protocol from now on.", json!({ "calm": node })));
    }
    let all = vec![
        ("Stop it", stops),
        link_faults(&node, until),
        ("Its speed and clock", pace),
        ("Ask it", asks),
        ("Make it lie", liar),
    ];
    all.into_iter().filter(|(_, list)| !list.is_empty()).collect()
}

/// What can be done to the links between gateways.
fn network_groups(n: u16, until: &str) -> Vec<Group> {
    let half = n / 2;
    let (first, second) = (format!("css1..{half}"), format!("css{}..{n}", half + 1));
    let block =
        |both: bool| json!({ "link": { "block": { "from": first, "to": second, "both": both, "until": until } } });
    let among = |rule: &str, key: &str, value: &str| json!({ "link": { rule: { "from": "css*", "to": "css*", "until": until, key: value } } });
    let list = vec![
        Fault::new(
            format!("Wall between CSS 1–{half} and CSS {}–{n}", half + 1),
            "Neither side hears the other; no side has a quorum.",
            block(true),
        ),
        Fault::new(
            format!("One-way wall: CSS 1–{half} are not heard"),
            "The others hear nothing of them; they hear all.",
            block(false),
        ),
        Fault::new("Slow network", "Every message between gateways takes 300 ms more.", among("delay", "by", "300ms")),
        Fault::new("Lossy network", "One in ten messages between gateways is lost.", among("loss", "ratio", "1/10")),
        Fault::new(
            "Garbled network",
            "Each message between gateways arrives with one bit flipped.",
            json!({ "link": { "corrupt": { "from": "css*", "to": "css*", "until": until } } }),
        ),
    ];
    vec![("Between the gateways, for 3 s", list)]
}

/// Byte of σ's one-time key T: a flip there is what V5 is for.
const MIDDLE: u32 = 40;
/// The shown moment, as far as faults depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Virtual time in µs.
    pub t_us: u64,
    /// Gateways.
    pub n: u16,
    /// Whether the actor has stopped, and whether it follows a behaviour.
    pub down: bool,
    pub lies: bool,
}

/// All faults that `target` can have from this moment on.
pub fn groups(target: Target, now: Moment) -> Vec<Group> {
    let until = format!("{}ms", now.t_us / 1_000 + BREAK_MS);
    match target {
        Target::Actor(id) => node_groups(id, now.down, now.lies, &until),
        Target::Message(id) => vec![("", message_faults(id, MIDDLE))],
        Target::Network => network_groups(now.n.max(2), &until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::intervention::Intervention;

    /// Whatever a menu offers is an intervention that the engine knows.
    #[test]
    fn every_entry_is_an_intervention() {
        let actors = ["kgc1", "csc1", "css2", "cp1", "ev1"].map(|id| ActorId::parse(id).expect("an actor"));
        let now = |on| Moment { t_us: 1_234_567, n: 4, down: on, lies: on };
        let nodes = actors.into_iter().flat_map(|id| [false, true].map(|on| groups(Target::Actor(id), now(on))));
        let all = nodes.chain([Target::Message(7), Target::Network].map(|target| groups(target, now(false))));
        let faults: Vec<Fault> = all.flatten().flat_map(|(_, list)| list).collect();
        for fault in &faults {
            assert!(!fault.label.is_empty() && fault.about.ends_with('.'), "{fault:?}");
            let read = serde_json::from_value::<Intervention>(json!({ "at": "1s", "do": fault.wish }));
            let checked = read.map_err(|e| e.to_string()).and_then(|i| i.action.check());
            assert_eq!(checked, Ok(()), "{}", fault.label);
        }
        // Every behaviour of the catalogue is offered to every role that it fits.
        for kind in BehaviourKind::ALL {
            assert!(faults.iter().any(|f| f.label.ends_with(kind.title())), "{}", kind.name());
        }
    }

    #[test]
    fn a_search_finds_by_every_word() {
        let wish = json!({ "behave": { "node": "css1", "kind": "equivocating_votes" } });
        let fault = Fault::new("Lie: votes twice", "It is refused.", wish);
        assert!(fault.fits("") && fault.fits("twice vote") && fault.fits("refused") && !fault.fits("twice never"));
        assert!(fault.fits("equivocate"), "the field's own term is in the name");
    }
}
