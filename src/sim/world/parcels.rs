//! Ciphertexts of a workload without a station (CONSENSUS.md §4.9), all made before the first event.
//!
//! Under stub cryptography they are stubs. Otherwise they are real: one CSC, that nobody else knows, signcrypts to cars
//! that never come, and every gateway can verify what it made.

use super::ceremony::KeyRing;
use crate::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use crate::clmmsc::{self, Class, Flow, KeyPair, PublicRecord, Ticket};
use crate::entities::Setup;
use crate::entities::actor::{ActorId, Role};
use crate::entities::io::Parcel;
use crate::entities::packet::parse_sigma;
use crate::entities::stub::{self, Crypto, Stub};
use crate::ledger::Sigma;
use crate::sim::scenario::Scenario;
use crate::sim::streams::{Label, Streams};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::sync::Arc;

/// Index of the CSC and of the cars that stand behind real ciphertexts; scenarios never have as many.
const NOBODY: u16 = 60_000;

fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// Everything that will be handed in, by time.
///
/// # Errors
/// A sentence if the scheme refuses to make a ciphertext.
pub(super) fn make(s: &Scenario, streams: Streams, setup: &Setup, ring: &KeyRing) -> Result<Arc<[Parcel]>, String> {
    let moments = s.workload.moments();
    let mut rng = streams.get(Label::Workload, 1, 0);
    let (least, most) = s.workload.receivers;
    let mut author = match setup.crypto {
        Crypto::Real if !moments.is_empty() => Some(Author::new(setup, ring, &mut rng, most)?),
        _ => None,
    };
    let mut parcels = Vec::with_capacity(moments.len());
    for (number, at) in (0u64..).zip(moments) {
        let receivers = least + below(&mut rng, most - least + 1);
        let home = below(&mut rng, setup.n.into()) as u16;
        let created = setup.unix(at).0;
        let what = Stub { number, created, ttl: setup.ttl, receivers };
        let sigma = match author.as_mut() {
            Some(author) => author.write(setup, ring, &mut rng, &what)?,
            None => stub::sigma(&setup.params, &what).ok_or("a stub ciphertext is too short")?,
        };
        parcels.push(Parcel { at, home, sigma: Arc::new(sigma) });
    }
    Ok(parcels.into())
}

/// The sender of real ciphertexts.
struct Author {
    key: KeyPair,
    cars: Vec<PublicRecord>,
}

impl Author {
    fn new(setup: &Setup, ring: &KeyRing, rng: &mut ChaCha8Rng, cars: u32) -> Result<Self, String> {
        let epoch = setup.params.epoch(setup.genesis_time);
        let csc = ActorId::new(Role::Csc, NOBODY);
        let key = ring.issue(csc, Class::Id, (epoch, epoch + 1), 0, rng)?;
        let car = |i| ring.issue(ActorId::new(Role::Ev, NOBODY + i as u16), Class::Id, (epoch, epoch + 1), 0, rng);
        let cars: Vec<KeyPair> = (0..cars).map(car).collect::<Result<_, _>>()?;
        Ok(Author { key, cars: cars.iter().map(|pair| pair.public().clone()).collect() })
    }

    fn write(&mut self, setup: &Setup, ring: &KeyRing, rng: &mut ChaCha8Rng, what: &Stub) -> Result<Sigma, String> {
        let refuse = |e: clmmsc::Error| format!("a ciphertext of the workload cannot be made: {e}");
        let epoch = setup.params.epoch(what.created);
        let number = u32::try_from(what.number).unwrap_or(u32::MAX);
        let csc = ActorId::new(Role::Csc, NOBODY);
        let ticket = ring.issue(csc, Class::Ticket, (epoch, epoch), number, rng)?;
        let env = Envelope { flow: Flow::COMMAND, created: what.created, ttl: what.ttl, floor: 0, pad_to: 0 };
        let to = self.cars.iter().take(what.receivers as usize);
        let items: Vec<Item<'_>> = to.map(|to| Item { to, message: b"order" }).collect();
        let mut rand = [0; 32];
        rng.fill_bytes(&mut rand);
        let once = Ticket::new(ticket).map_err(refuse)?;
        let made = signcrypt(&setup.params, &env, &self.key, once, &items, &rand).map_err(refuse)?;
        parse_sigma(&setup.params, &made.bytes).ok_or_else(|| "a ciphertext of the workload cannot be read".into())
    }
}
