//! What a search has tried, and what it must have tried before its silence means anything (CONSENSUS.md §6).

use super::Situation;
use crate::entities::actor::Role;
use crate::pbft::{Class, Coverage, Reason, Rule};
use crate::sim::adversary::BehaviourKind;
use std::collections::BTreeSet;

/// What correct gateways never do, as the rules before these do not let it come so far; `tests/osdi99` fires them one by one.
const SECOND_LINE: [Rule; 8] = [Rule::Sf2, Rule::Sf3, Rule::Sf4, Rule::Sf5, Rule::Sf6, Rule::Sf7, Rule::Sf8, Rule::Sf9];
/// What takes a gateway whose own state is wrong, and a company that uses a ticket twice: these runs have neither
/// (`tests/osdi99`, `tests/adversaries.rs`).
const ELSEWHERE: [&str; 2] = ["Diverged", "DoubleUse"];

/// What one run, or many, met.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Met {
    pub coverage: Coverage,
    pub situations: BTreeSet<Situation>,
    /// Proofs of fault that a gateway of C found while running.
    pub classes: BTreeSet<Class>,
    /// Behaviours by the number of gateways.
    pub behaviours: BTreeSet<(BehaviourKind, u16)>,
}

impl Met {
    /// Adds what was met elsewhere.
    pub fn merge(&mut self, other: &Met) {
        self.coverage.merge(&other.coverage);
        self.situations.extend(&other.situations);
        self.classes.extend(&other.classes);
        self.behaviours.extend(&other.behaviours);
    }

    /// What no run of these sizes has met and could have, each in words: rules that decided nothing, reasons never given,
    /// situations, proofs of fault, behaviours.
    pub fn missing(&self, sizes: &[u16]) -> Vec<String> {
        let given: BTreeSet<&str> = self.coverage.refused().map(|(_, reason)| reason).collect();
        let rules = self.coverage.untried().into_iter().filter(|rule| !SECOND_LINE.contains(rule));
        let rules = rules.map(|rule| format!("rule {}", rule.id()));
        let reasons = Reason::NAMES.iter().filter(|name| !given.contains(*name) && !ELSEWHERE.contains(name));
        let reasons = reasons.map(|name| format!("reason {name}"));
        let situations = Situation::ALL.iter().filter(|s| !self.situations.contains(s)).map(|s| s.text().to_owned());
        // A vote against the NEW-VIEW it names is found by forensics only.
        let online = Class::ALL.into_iter().filter(|class| *class != Class::OtherJustification);
        let classes = online.filter(|class| !self.classes.contains(class)).map(|class| format!("proof {}", class.id()));
        let liars = BehaviourKind::ALL.into_iter().filter(|kind| kind.fits(Role::Css));
        let behaviours = liars.flat_map(|kind| sizes.iter().map(move |n| (kind, *n)));
        let behaviours = behaviours.filter(|both| !self.behaviours.contains(both));
        let behaviours = behaviours.map(|(kind, n)| format!("{} with n = {n}", kind.name()));
        rules.chain(reasons).chain(situations).chain(classes).chain(behaviours).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_met_is_missing_and_what_anybody_met_is_not() {
        let liars = BehaviourKind::ALL.into_iter().filter(|kind| kind.fits(Role::Css)).count();
        let decisions = Rule::ALL.len() - SECOND_LINE.len() + Reason::NAMES.len() - ELSEWHERE.len();
        let all = decisions + Situation::ALL.len() + Class::ALL.len() - 1;
        let nothing = Met::default();
        assert_eq!(nothing.missing(&[4, 7]).len(), all + 2 * liars);
        let mut some = Met { situations: BTreeSet::from([Situation::TornStep]), ..Met::default() };
        some.merge(&Met { classes: BTreeSet::from([Class::PrimaryVote]), ..Met::default() });
        let missing = some.missing(&[]);
        assert_eq!(missing.len(), all - 2);
        assert!(!missing.contains(&"proof PV".to_owned()) && missing.contains(&"proof EQ".to_owned()));
    }
}
