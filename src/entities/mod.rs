//! Floor 4: the paper's five actors (KGC, CSC, CSS, CP, EV) as state machines without I/O (WORLD.md §3).
//!
//! An actor sees only its inputs; nobody reads another actor's fields. What one must know comes in a packet, or from the
//! paper letters of [`setup`].

pub mod actor;
pub mod command;
pub mod copy;
pub mod cp;
pub mod csc;
pub mod css;
pub mod enrol;
pub mod ev;
pub mod fact;
pub mod io;
pub mod kgc;
pub mod packet;
pub mod plant;
pub mod schedule;
pub mod setup;
pub mod stub;
pub mod unstored;

pub use copy::ChainCopy;
pub use cp::Cp;
pub use csc::Csc;
pub use css::Css;
pub use ev::Ev;
pub use io::{Bench, Input, Io, Memory, Output, PlantEvent, TimerId, Wish};
pub use kgc::Kgc;
pub use packet::Packet;
pub use setup::{Genesis, Setup};

use crate::clmmsc::{KeyPair, PublicRecord};
use crate::ledger::Micros;

/// Any actor.
#[derive(Clone)]
pub enum Entity {
    Kgc(Box<Kgc>),
    Csc(Box<Csc>),
    Css(Box<Css>),
    Cp(Box<Cp>),
    Ev(Box<Ev>),
}

impl Entity {
    /// Reacts to one input at local time `now`; outputs are in the order in which they must be carried out.
    pub fn step(&mut self, now: Micros, input: Input<'_>, io: &mut Io<'_, '_>) {
        match self {
            Entity::Kgc(actor) => actor.step(now, input, io),
            Entity::Csc(actor) => actor.step(now, input, io),
            Entity::Css(actor) => actor.step(now, input, io),
            Entity::Cp(actor) => actor.step(now, input, io),
            Entity::Ev(actor) => actor.step(now, input, io),
        }
    }

    /// The public half of the actor's identity key, once it has accepted one.
    pub fn record(&self) -> Option<&PublicRecord> {
        match self {
            Entity::Kgc(actor) => Some(actor.record()),
            Entity::Csc(actor) => actor.enrolment.key().map(KeyPair::public),
            Entity::Css(actor) => actor.enrolment.key().map(KeyPair::public),
            Entity::Cp(actor) => actor.enrolment.key().map(KeyPair::public),
            Entity::Ev(actor) => actor.enrolment.key().map(KeyPair::public),
        }
    }

    /// What an actor that follows the chain keeps of it, once genesis is made.
    pub fn copy(&self) -> Option<&ChainCopy> {
        match self {
            Entity::Kgc(actor) => actor.copy(),
            Entity::Csc(actor) => actor.copy(),
            Entity::Cp(actor) => actor.copy(),
            Entity::Css(_) | Entity::Ev(_) => None,
        }
    }

    /// Why am I waiting?
    pub fn pending(&self) -> Vec<String> {
        match self {
            Entity::Kgc(actor) => actor.pending(),
            Entity::Csc(actor) => actor.pending(),
            Entity::Css(actor) => actor.pending(),
            Entity::Cp(actor) => actor.pending(),
            Entity::Ev(actor) => actor.pending(),
        }
    }
}
