//! The attack laboratory: A1–A45 of CLMMSC.md §14 as experiments that can fail.
//!
//! Each attack is made twice: against the scheme as it is, where exactly the named check must refuse it, and against its
//! *negative control*, the same scheme with one deliberate weakness (`clmmsc::weak`), where it must succeed. A control that
//! does not break is a failure of the experiment, as is a defence that does not hold.

mod borrowed_name;
mod bribed_gateway;
mod broken_dice;
mod cancelling_pair;
mod choose_your_key;
mod copy_t;
mod cut_and_paste;
mod fingerprint;
mod forge_the_ticket;
mod gateways;
mod kgc_desk;
mod kgc_probe;
mod letter;
mod nosy_pile;
mod one_bit;
mod pieces;
mod post;
mod read_the_post;
mod say_it_again;
mod trial;
mod two_keys;

pub use trial::{Finding, Stuck, Trial};

use super::people::People;
use serde::Serialize;

/// An experiment: makes the moves and writes down what happened.
type Run = fn(&mut People, &mut Trial) -> Result<(), Stuck>;

/// An attack that can be run: what people read about it, and the experiment.
pub struct Attack {
    /// 1 to 45; shown as `A7`.
    pub id: u8,
    pub title: &'static str,
    /// Who attacks, and what they have.
    pub role: &'static str,
    /// What they do, step by step.
    pub moves: &'static [&'static str],
    /// The checks that must refuse.
    pub expected: &'static str,
    /// What the control leaves out.
    pub control: &'static str,
    run: Run,
}

/// What came out of one attack.
#[derive(Serialize)]
pub struct Report {
    pub id: String,
    pub title: &'static str,
    pub role: &'static str,
    pub moves: &'static [&'static str],
    pub expected: &'static str,
    pub control: &'static str,
    /// Every move against the scheme met the expected answer.
    pub held: bool,
    /// Every move against the control succeeded.
    pub broke: bool,
    /// What was seen, against the scheme and against the control.
    pub defence_evidence: Vec<Finding>,
    pub control_evidence: Vec<Finding>,
    /// Why the experiment could not be carried through, if it could not.
    pub stuck: Option<String>,
}

impl Report {
    /// Whether the experiment shows what it must.
    pub fn good(&self) -> bool {
        self.held && self.broke && self.stuck.is_none()
    }
}

/// All attacks, in the order of their ids.
pub fn all() -> Vec<&'static Attack> {
    let groups: &[&'static [Attack]] = &[
        &borrowed_name::ATTACKS,
        &bribed_gateway::ATTACKS,
        &broken_dice::ATTACKS,
        &cancelling_pair::ATTACKS,
        &choose_your_key::ATTACKS,
        &copy_t::ATTACKS,
        &cut_and_paste::ATTACKS,
        &fingerprint::ATTACKS,
        &forge_the_ticket::ATTACKS,
        &nosy_pile::ATTACKS,
        &one_bit::ATTACKS,
        &read_the_post::ATTACKS,
        &say_it_again::ATTACKS,
        &two_keys::ATTACKS,
    ];
    let mut all: Vec<&'static Attack> = groups.iter().copied().flatten().collect();
    all.sort_by_key(|attack| attack.id);
    all
}

impl Attack {
    /// Makes the attack with everything drawn from `seed`.
    pub fn run(&self, seed: u64) -> Report {
        let mut trial = Trial::default();
        let outcome = People::new(seed).map_err(Stuck::from).and_then(|mut people| (self.run)(&mut people, &mut trial));
        Report {
            id: format!("A{}", self.id),
            title: self.title,
            role: self.role,
            moves: self.moves,
            expected: self.expected,
            control: self.control,
            held: trial.held(),
            broke: trial.broke(),
            defence_evidence: trial.defence,
            control_evidence: trial.control,
            stuck: outcome.err().map(|stuck| stuck.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_forty_five_and_none_is_missing() {
        let ids: Vec<u8> = all().iter().map(|attack| attack.id).collect();
        assert_eq!(ids, (1..=45).collect::<Vec<u8>>());
    }

    /// An experiment whose control withstands the attack, that tries nothing, or that cannot be staged, shows nothing.
    #[test]
    fn an_experiment_can_fail() {
        fn unbroken(_: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
            trial.holds("a", true, "refused");
            trial.breaks("b", false, "refused as well");
            Ok(())
        }
        fn idle(_: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
            trial.breaks("a", true, "accepted");
            Ok(())
        }
        fn unstaged(people: &mut People, trial: &mut Trial) -> Result<(), Stuck> {
            trial.holds("a", true, "refused");
            trial.breaks("b", true, "accepted");
            Ok(people.record("nobody").map(|_| ())?)
        }
        let runs: [Run; 3] = [unbroken, idle, unstaged];
        let flaws = runs.map(|run| {
            let attack = Attack { id: 0, title: "", role: "", moves: &[], expected: "", control: "", run };
            let report = attack.run(1);
            assert!(!report.good());
            (report.held, report.broke, report.stuck.is_some())
        });
        assert_eq!(flaws, [(true, false, false), (false, true, false), (true, true, true)]);
    }

    #[test]
    fn every_attack_is_withstood_and_every_control_breaks() {
        for attack in all() {
            for seed in [1, 2] {
                let report = attack.run(seed);
                assert!(
                    report.good(),
                    "A{} with seed {seed}: {}",
                    attack.id,
                    serde_json::to_string_pretty(&report).unwrap()
                );
            }
        }
    }
}
