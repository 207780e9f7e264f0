//! The record of one experiment: what was tried, what was expected, what happened.

use crate::clmmsc::{Check, Error, Failure};
use crate::pbft::{Reason, Rule};
use serde::Serialize;

/// One thing that was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What was tried.
    pub tried: String,
    /// What happened, in a few words: a check with its error, or what the attacker holds.
    pub seen: String,
    /// Whether this is what the experiment claims: refused as expected, or, against the control, succeeded.
    pub as_claimed: bool,
}

/// Collects findings while an attack runs.
#[derive(Default)]
pub struct Trial {
    pub(super) defence: Vec<Finding>,
    pub(super) control: Vec<Finding>,
}

/// The experiment itself could not be staged: a mistake of ours, never a result.
#[derive(Debug)]
pub struct Stuck(pub String);

impl From<Error> for Stuck {
    fn from(error: Error) -> Stuck {
        Stuck(format!("the stage could not be set: {error}"))
    }
}

impl From<Failure> for Stuck {
    fn from(failure: Failure) -> Stuck {
        Stuck(format!("the stage could not be set: {failure}"))
    }
}

impl From<&str> for Stuck {
    fn from(what: &str) -> Stuck {
        Stuck(what.to_string())
    }
}

/// A rule of agreement with its reason, and the scheme's error inside it if there is one.
fn ruling(rule: Rule, reason: &Reason) -> String {
    let id = rule.id();
    match reason {
        Reason::BadCiphertext(error) => format!("{id} BadCiphertext {error}"),
        Reason::InvalidCiphertext(index, error) => format!("{id} InvalidCiphertext {index} {error}"),
        Reason::NullifierReused(index) => format!("{id} NullifierReused {index}"),
        _ => format!("{id} {reason:?}"),
    }
}

impl Trial {
    /// Against the scheme: `outcome` must be a refusal by exactly this check and error.
    pub fn refused<T>(&mut self, tried: impl Into<String>, check: Check, error: Error, outcome: Result<T, Failure>) {
        let (seen, as_claimed) = match outcome {
            Ok(_) => ("accepted".to_string(), false),
            Err(failure) => (failure.to_string(), failure == Failure { check, error }),
        };
        self.defence.push(Finding { tried: tried.into(), seen, as_claimed });
    }

    /// Against agreement: a replica must refuse by exactly this rule and reason.
    pub fn ruled_out(
        &mut self,
        tried: impl Into<String>,
        rule: Rule,
        reason: Reason,
        outcome: Result<(), (Rule, Reason)>,
    ) {
        let as_claimed = outcome == Err((rule, reason));
        let seen = outcome.map_or_else(|(rule, reason)| ruling(rule, &reason), |()| "accepted".to_string());
        self.defence.push(Finding { tried: tried.into(), seen, as_claimed });
    }

    /// Against the scheme: a property that is no refusal (two values differ, a search finds nothing). `seen` says what was
    /// observed, with numbers.
    pub fn holds(&mut self, tried: impl Into<String>, as_claimed: bool, seen: impl Into<String>) {
        self.defence.push(Finding { tried: tried.into(), seen: seen.into(), as_claimed });
    }

    /// Against the control: the attack must succeed. `seen` says what the attacker got.
    pub fn breaks(&mut self, tried: impl Into<String>, succeeded: bool, seen: impl Into<String>) {
        self.control.push(Finding { tried: tried.into(), seen: seen.into(), as_claimed: succeeded });
    }

    /// At least one move was made against the scheme and none went otherwise than claimed.
    pub fn held(&self) -> bool {
        !self.defence.is_empty() && self.defence.iter().all(|f| f.as_claimed)
    }

    /// At least one move was made against the control and all of them succeeded.
    pub fn broke(&self) -> bool {
        !self.control.is_empty() && self.control.iter().all(|f| f.as_claimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_tried_is_nothing_shown_and_another_error_is_no_defence() {
        let mut trial = Trial::default();
        assert!(!trial.held() && !trial.broke());
        let failure = Failure { check: Check::V5, error: Error::Signature };
        trial.refused("a", Check::V5, Error::Signature, Err::<(), _>(failure));
        trial.breaks("b", true, "opened");
        assert!(trial.held() && trial.broke());
        trial.refused("c", Check::V4, Error::Signature, Err::<(), _>(failure));
        trial.breaks("d", false, "nothing");
        assert!(!trial.held() && !trial.broke());
        let mut trial = Trial::default();
        trial.refused("e", Check::V5, Error::Signature, Ok(()));
        assert!(!trial.held());
    }
}
