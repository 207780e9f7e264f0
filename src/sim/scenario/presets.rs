//! The built-in scenarios (WORLD.md §9): files of `src/sim/presets/`, part of the program.

/// A built-in scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preset {
    /// Name in links and on the command line.
    pub id: &'static str,
    pub toml: &'static str,
}

/// All of them, in the order in which they are listed.
pub const PRESETS: [Preset; 10] = [
    Preset { id: "day4", toml: include_str!("../presets/day4.toml") },
    Preset { id: "one-liar", toml: include_str!("../presets/one-liar.toml") },
    Preset { id: "two-liars", toml: include_str!("../presets/two-liars.toml") },
    Preset { id: "dead-primary", toml: include_str!("../presets/dead-primary.toml") },
    Preset { id: "bad-ciphertext", toml: include_str!("../presets/bad-ciphertext.toml") },
    Preset { id: "thirty-one", toml: include_str!("../presets/thirty-one.toml") },
    Preset { id: "morning", toml: include_str!("../presets/morning.toml") },
    Preset { id: "evening-peak", toml: include_str!("../presets/evening-peak.toml") },
    Preset { id: "curtailment", toml: include_str!("../presets/curtailment.toml") },
    Preset { id: "hundred", toml: include_str!("../presets/hundred.toml") },
];
