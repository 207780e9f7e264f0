//! Test vectors of the scheme in the schema `clmmsc-vectors/1` (CLMMSC.md §19): checking those of anybody and making our own.

pub mod check;
pub mod make;

use serde_json::Value;
use std::collections::BTreeMap;

/// What came of some files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Cases that hold, by kind.
    pub passed: BTreeMap<String, u32>,
    /// One line for each case that does not.
    pub failed: Vec<String>,
    /// One line for each file that is no file of vectors.
    pub unreadable: Vec<String>,
}

impl Tally {
    /// Checks a file; nothing in it can do more than fail.
    pub fn file(&mut self, name: &str, text: &str) {
        if let Err(why) = self.read(name, text) {
            self.unreadable.push(format!("{name}: {why}"));
        }
    }

    fn read(&mut self, name: &str, text: &str) -> Result<(), String> {
        let file: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if file["schema"] != "clmmsc-vectors/1" {
            return Err(format!("its schema is {}, not \"clmmsc-vectors/1\"", file["schema"]));
        }
        let cases = file["cases"].as_array().ok_or("it has no list `cases`")?;
        let world = check::World::read(&file)?;
        for case in cases {
            let kind = case["kind"].as_str().unwrap_or("?");
            match check::check(&world, case) {
                Ok(()) => *self.passed.entry(kind.to_string()).or_default() += 1,
                Err(why) => self.failed.push(format!("{name}, {kind} {}: {why}", case["id"])),
            }
        }
        Ok(())
    }

    /// Number of cases that hold.
    pub fn count(&self) -> u32 {
        self.passed.values().sum()
    }
}
