//! A CSC that seals one entry nobody can open (CLMMSC.md §13, WORLD.md §10): it addresses a key that is nobody's.
//!
//! σ is valid in public, as an entry says nothing before it is opened; the pile of that car finds no entry (R4), and the
//! car's complaint shows everybody that this is so.

use super::prelude::*;
use crate::clmmsc::PublicRecord;
use crate::clmmsc::record::BASE;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "seals one entry that nobody can open",
    "One pile finds no entry for its car; the others open theirs. The car can complain.",
)
.fires(&[]);

#[derive(Clone, Default)]
pub(super) struct CscGarbageEntry {
    /// The record that the CSC really knows, while it uses a spoiled one.
    known: Option<PublicRecord>,
}

impl Behaviour for CscGarbageEntry {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if matches!(input, Input::Timer(TimerId::Plan)) && aim.strikes(cx, None) {
            self.known = spoil(cx);
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        if let (Some(record), Entity::Csc(csc)) = (self.known.take(), &mut *cx.entity) {
            csc.know(record);
        }
    }
}

/// Spoils the key of the first car of the coming plan; gives the record as it was.
fn spoil(cx: &mut Cx<'_, '_>) -> Option<PublicRecord> {
    let Entity::Csc(csc) = &mut *cx.entity else { return None };
    let record = csc.next_addressed(cx.now)?;
    let known = record.clone();
    // Made anew as a whole: a record carries its key in a second form, by which browsers sign.
    *record = PublicRecord::new(known.record, known.rid, known.h, known.g, known.pk + BASE);
    Some(known)
}
