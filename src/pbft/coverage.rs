//! Which rules have decided what so far, for runs that must show that nothing stays untried (CONSENSUS.md §6).
//!
//! It is told every decision and influences none.

use super::rule::{Outcome, Rule};
use std::collections::BTreeSet;

/// Rules that accepted or took note, and rules that refused or held with their reasons.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Coverage {
    accepted: u128,
    refused: BTreeSet<(Rule, &'static str)>,
}

impl Coverage {
    /// Records one decision.
    pub fn note(&mut self, rule: Rule, outcome: &Outcome) {
        match outcome {
            Outcome::Accept | Outcome::Note => self.accepted |= 1 << (rule as u32 % 128),
            Outcome::Reject(reason) | Outcome::Hold(reason) => {
                self.refused.insert((rule, reason.name()));
            }
        }
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Coverage) {
        self.accepted |= other.accepted;
        self.refused.extend(&other.refused);
    }

    /// Rules that accepted something, or whose condition came to hold.
    pub fn accepted(&self) -> impl Iterator<Item = Rule> + '_ {
        Rule::ALL.iter().copied().filter(|rule| self.accepted >> (*rule as u32 % 128) & 1 == 1)
    }

    /// Rules that refused or held something, with the reason's name.
    pub fn refused(&self) -> impl Iterator<Item = (Rule, &'static str)> {
        self.refused.iter().copied()
    }

    /// Rules that neither accepted nor refused anything.
    pub fn untried(&self) -> Vec<Rule> {
        let refused: BTreeSet<Rule> = self.refused.iter().map(|(rule, _)| *rule).collect();
        let accepted: BTreeSet<Rule> = self.accepted().collect();
        Rule::ALL.iter().copied().filter(|rule| !refused.contains(rule) && !accepted.contains(rule)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbft::rule::Reason;

    #[test]
    fn every_rule_has_its_own_bit_and_reasons_lose_their_arguments() {
        assert!(Rule::ALL.len() <= 128);
        let mut all = Coverage::default();
        assert_eq!(all.untried().len(), Rule::ALL.len());
        all.note(Rule::Pp5, &Outcome::Accept);
        all.note(Rule::Pp11, &Outcome::Reject(Reason::NullifierReused(3)));
        let mut both = Coverage::default();
        both.note(Rule::Rq1, &Outcome::Note);
        both.merge(&all);
        assert_eq!(both.accepted().collect::<Vec<_>>(), [Rule::Rq1, Rule::Pp5]);
        assert_eq!(both.refused().collect::<Vec<_>>(), [(Rule::Pp11, "NullifierReused")]);
        assert_eq!(both.untried().len(), Rule::ALL.len() - 3);
    }
}
