//! A CSC that puts another company's record into the capsule of its commands (CLMMSC.md §4, §12.6, WORLD.md §10; attack A12). In
//! public nobody sees the capsule. A receiver does, and the record in it did not sign (R10); with no other CSC to borrow
//! from the name is one that nobody has (R9).

use super::prelude::*;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::{Class, Flow, KeyPair, PublicRecord, Record};
use crate::sim::adversary::rogue;

pub(super) const ABOUT: Description = Description::of(
    &[Role::Csc],
    "signs its commands in another company's name",
    "The block is stored, but no pile obeys: the company named in it has not signed.",
)
.fires(&["InnerSignature"])
.stops();

#[derive(Clone, Default)]
pub(super) struct CscBorrowedRecord;

impl Behaviour for CscBorrowedRecord {
    fn on_input(&mut self, cx: &mut Cx<'_, '_>, aim: &mut Aim, input: &Input<'_>) -> Pass {
        if let Some(name) = another(cx) {
            let how = move |params: &_, env: &Envelope, key: &KeyPair, ticket, items: &[Item<'_>], rand: &_| {
                // The routing list is in its own name, or the KGC would pass nothing on.
                let key = if env.flow == Flow::COMMAND { key.under(name.clone()) } else { key.clone() };
                signcrypt(params, env, &key, ticket, items, rand)
            };
            rogue::command_so(cx, aim, input, Arc::new(how));
        }
        Pass::On
    }

    fn after(&mut self, cx: &mut Cx<'_, '_>, _aim: &mut Aim, _out: &mut Vec<Output>) {
        rogue::command_well(cx);
    }
}

/// The record of another CSC, or one of nobody.
fn another(cx: &Cx<'_, '_>) -> Option<PublicRecord> {
    let Entity::Csc(csc) = &*cx.entity else { return None };
    let others = (0..cx.setup.csc).filter(|index| *index != cx.me.index).map(|index| ActorId::new(Role::Csc, index));
    let known = others.filter_map(|actor| csc.genesis()?.record(actor)).next().cloned();
    known.or_else(|| {
        let own = csc.enrolment.key()?.record();
        let (from, to) = (own.valid_from(), own.valid_to());
        let nobody = Record::new(Class::Id, crate::clmmsc::Role::Csc, from, to, &[0; 32], &own.x(), &own.r());
        nobody.derive(&cx.setup.params).ok()
    })
}
