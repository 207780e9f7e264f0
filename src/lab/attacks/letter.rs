//! A σ with everything chosen by whoever writes it: ticket, times, random bytes.

use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::{Error, Flow, Role, Ticket};
use crate::lab::people::{CREATED, People, TTL};

/// What goes into a σ, for receivers by name.
#[derive(Clone, Copy)]
pub(super) struct Letter<'a> {
    pub flow: Flow,
    pub from: &'a str,
    pub ticket: &'a Ticket,
    /// Unix seconds.
    pub created: u64,
    /// Seconds.
    pub ttl: u32,
    pub to: &'a [(&'a str, &'a str)],
    pub rand: [u8; 32],
}

impl<'a> Letter<'a> {
    /// A command of the CSC, made at the usual time.
    pub fn command(ticket: &'a Ticket, to: &'a [(&'a str, &'a str)]) -> Letter<'a> {
        Letter { flow: Flow::COMMAND, from: "csc", ticket, created: CREATED, ttl: TTL, to, rand: [7; 32] }
    }
}

impl People {
    /// A ticket that was not used before; it lets itself be used twice.
    pub fn fresh_ticket(&mut self, role: Role) -> Result<Ticket, Error> {
        let name = self.ticket(role)?;
        Ticket::new(self.pair(&name)?.clone())
    }

    /// Signcrypts; the smallest entries, no dummies.
    pub(in crate::lab::attacks) fn write(&self, letter: &Letter<'_>) -> Result<Vec<u8>, Error> {
        let Letter { flow, created, ttl, .. } = *letter;
        let env = Envelope { flow, created, ttl, floor: 64, pad_to: 0 };
        let items: Result<Vec<Item<'_>>, Error> = letter
            .to
            .iter()
            .map(|(to, text)| Ok(Item { to: self.pair(to)?.public(), message: text.as_bytes() }))
            .collect();
        Ok(signcrypt(&self.params, &env, self.pair(letter.from)?, letter.ticket.duplicate(), &items?, &letter.rand)?
            .bytes)
    }
}
