//! A CSC that seals one entry nobody can open (CLMMSC.md §13, WORLD.md §10): it addresses a key that is nobody's.
//!
//! σ is valid in public, as an entry says nothing before it is opened; the pile of that car finds no entry (R4), and the
//! car's complaint shows everybody that this is so.

use super::Cx;
use crate::clmmsc::PublicRecord;
use crate::clmmsc::record::BASE;
use crate::entities::Entity;

/// Spoils the key of the first car of the coming plan; gives the record as it was.
pub(super) fn spoil(cx: &mut Cx<'_>) -> Option<PublicRecord> {
    let Entity::Csc(csc) = &mut *cx.entity else { return None };
    let record = csc.next_addressed(cx.now)?;
    let known = record.clone();
    record.pk += BASE;
    Some(known)
}

/// Puts the true record back.
pub(super) fn mend(cx: &mut Cx<'_>, record: PublicRecord) {
    if let Entity::Csc(csc) = &mut *cx.entity {
        csc.know(record);
    }
}
