//! People to experiment with: a KGC and whoever it registers, all from one seed.

use crate::clmmsc::group;
use crate::clmmsc::keys::Wanted;
use crate::clmmsc::kgc::{Issue, MasterKey};
use crate::clmmsc::open::{EntryKey, decapsulate};
use crate::clmmsc::signcrypt::{Envelope, Item, Signcrypted, signcrypt};
use crate::clmmsc::verify::VerifiedSigma;
use crate::clmmsc::{
    Class, Error, Failure, Flow, KeyPair, Params, Policy, PublicRecord, Record, Role, Ticket, UserSecret,
};
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When ciphertexts are made, unix seconds.
pub(super) const CREATED: u64 = 1_760_000_000;
/// When they are looked at.
pub(super) const NOW: u64 = CREATED + 7;
/// How long they live, seconds.
pub(super) const TTL: u32 = 300;

/// A key pair with the secrets it was made of.
pub(super) struct Person {
    pub pair: KeyPair,
    /// The user's half.
    pub x: [u8; 32],
    /// The KGC's half.
    pub d: [u8; 32],
    pub uid: u64,
    pub ctr: u32,
}

/// An honest σ with what it was made of.
pub(super) struct Post {
    pub made: Signcrypted,
    /// Names of the sender's record and of its ticket.
    pub sender: String,
    pub ticket: String,
    pub rand: [u8; 32],
}

/// One KGC with its secrets, and everybody it has registered, by name.
pub(super) struct People {
    pub rng: ChaCha20Rng,
    pub s: [u8; 32],
    pub kf: [u8; 32],
    pub master: MasterKey,
    pub params: Params,
    pub people: BTreeMap<String, Person>,
    pub uids: u64,
}

impl People {
    pub fn new(seed: u64) -> Result<People, Error> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let s = scalar(&mut rng);
        let mut kf = [0; 32];
        rng.fill_bytes(&mut kf);
        let master = MasterKey::from_scalar(&s, kf)?;
        let policy = Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 26 };
        let params = master.params(&format!("voltcast-{seed}"), policy)?;
        let mut people = People { rng, s, kf, master, params, people: BTreeMap::new(), uids: 0 };
        people.person("kgc", Class::Id, Role::Kgc)?;
        Ok(people)
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.rng.fill_bytes(&mut out);
        out
    }

    pub fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.rng.fill_bytes(&mut out);
        out
    }

    /// Epoch of [`CREATED`].
    pub fn epoch(&self) -> u32 {
        self.params.epoch(CREATED)
    }

    /// A person with a record of the current epoch; cars and tickets for one epoch, the others for a hundred.
    pub fn person(&mut self, name: &str, class: Class, role: Role) -> Result<(), Error> {
        let epoch = self.epoch();
        let last = if class == Class::Id && role != Role::Ev { epoch + 100 } else { epoch };
        self.person_at(name, class, role, (epoch, last))
    }

    /// A person with a record of the given first and last epoch; a name that is taken stays as it is.
    pub fn person_at(&mut self, name: &str, class: Class, role: Role, (from, to): (u32, u32)) -> Result<(), Error> {
        if self.people.contains_key(name) {
            return Ok(());
        }
        let x = scalar(&mut self.rng);
        let user = UserSecret::from_scalar(group::scal(&x)?);
        let (uid, ctr) = (self.uids, (self.uids % 3) as u32);
        self.uids += 1;
        let rand = self.bytes();
        let issue = Issue { class, role, from, to, uid, ctr };
        let (record, d) = self.master.issue(&self.params, &issue, &user.public(), &rand)?;
        let pair = KeyPair::accept(&self.params, &Wanted { class, role, from, to }, &user, &record, &d)?;
        self.people.insert(name.into(), Person { pair, x, d: *d, uid, ctr });
        Ok(())
    }

    /// A person who is there; callers name only those they made.
    pub fn get(&self, name: &str) -> Result<&Person, Error> {
        self.people.get(name).ok_or(Error::Enrolment)
    }

    pub fn pair(&self, name: &str) -> Result<&KeyPair, Error> {
        Ok(&self.get(name)?.pair)
    }

    pub fn record(&self, name: &str) -> Result<Record, Error> {
        Ok(*self.pair(name)?.record())
    }

    /// The usual sender of a flow, registered if it was not.
    pub fn sender(&mut self, flow: Flow) -> Result<String, Error> {
        let (name, role) = match flow.sender() {
            Role::Csc => ("csc", Role::Csc),
            Role::Css => ("css0", Role::Css),
            _ => ("ev0", Role::Ev),
        };
        self.person(name, Class::Id, role)?;
        Ok(name.into())
    }

    /// A fresh ticket of a role, by its name.
    pub fn ticket(&mut self, role: Role) -> Result<String, Error> {
        let name = format!("tk{}", self.uids);
        self.person(&name, Class::Ticket, role)?;
        Ok(name)
    }

    /// An honest σ of the flow's usual sender to named receivers, made at [`CREATED`].
    pub fn post(&mut self, flow: Flow, to: &[(&str, &[u8])], floor: u32, pad_to: u32) -> Result<Post, Error> {
        let named = to.iter().map(|(name, message)| Ok((self.pair(name)?.public().clone(), *message)));
        let to = named.collect::<Result<Vec<_>, Error>>()?;
        self.post_to(flow, &to, floor, pad_to)
    }

    /// The same to receivers as they are published.
    pub fn post_to(
        &mut self,
        flow: Flow,
        to: &[(PublicRecord, &[u8])],
        floor: u32,
        pad_to: u32,
    ) -> Result<Post, Error> {
        let sender = self.sender(flow)?;
        let ticket = self.ticket(flow.sender())?;
        let rand: [u8; 32] = self.bytes();
        let env = Envelope { flow, created: CREATED, ttl: TTL, floor, pad_to };
        let items: Vec<Item<'_>> = to.iter().map(|(to, message)| Item { to, message }).collect();
        let once = Ticket::new(self.pair(&ticket)?.clone())?;
        let made = signcrypt(&self.params, &env, self.pair(&sender)?, once, &items, &rand)?;
        Ok(Post { made, sender, ticket, rand })
    }

    /// What a gateway says: V1–V6 at [`NOW`].
    pub fn gateway(&self, bytes: &[u8]) -> Result<VerifiedSigma, Failure> {
        VerifiedSigma::verify(&self.params, &Arc::from(bytes), NOW)
    }

    /// k of a person for a σ.
    pub fn k(&self, sigma: &VerifiedSigma, name: &str) -> Result<EntryKey, Error> {
        Ok(decapsulate(sigma.head(), self.pair(name)?))
    }
}

/// A random scalar, as its 32 bytes.
pub(super) fn scalar(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clmmsc::open::{Pinned, Receiver, open};

    /// Everybody opens their own message, whatever it is, and sees who sent it (CLMMSC.md §14, property tests).
    fn goes_round(people: &mut People, flow: Flow, n: usize) {
        let role = flow.receiver();
        let to: Vec<String> = (0..n).map(|i| format!("{role:?} {i}")).collect();
        let of_length = |people: &mut People, longest: u32| {
            let len = people.rng.next_u32() % (longest + 1);
            people.noise(len as usize)
        };
        to.iter().for_each(|name| people.person(name, Class::Id, role).unwrap());
        let longest = people.rng.next_u32() % 300;
        let messages: Vec<Vec<u8>> = to.iter().map(|_| of_length(people, longest)).collect();
        let list: Vec<(&str, &[u8])> = to.iter().map(String::as_str).zip(messages.iter().map(Vec::as_slice)).collect();
        let post = people.post(flow, &list, 64, 0).unwrap();
        let sigma = people.gateway(&post.made.bytes).unwrap();
        assert_eq!(sigma.header().n as usize, n);
        for (name, message) in list {
            let record = people.record(name).unwrap();
            let who = Receiver {
                record: &record,
                pinned: Pinned::Any,
                since: 0,
                nullifiers: &|_| None,
                opened: &|_, _| false,
            };
            let opened = open(&people.params, &sigma, &who, &people.k(&sigma, name).unwrap()).unwrap();
            assert_eq!(*opened.message, message, "{name} of {n}, flow {}", flow.code());
            assert_eq!(opened.sender, people.record(&post.sender).unwrap());
        }
    }

    #[test]
    fn every_flow_goes_round_for_any_number_and_any_messages() {
        for seed in 0..3 {
            let mut people = People::new(seed).unwrap();
            for flow in (1..=7).filter_map(Flow::from_code) {
                [1, 2, 3, 7, 8, 33].into_iter().for_each(|n| goes_round(&mut people, flow, n));
            }
        }
        let mut people = People::new(3).unwrap();
        (1..=7).filter_map(Flow::from_code).for_each(|flow| goes_round(&mut people, flow, 1_000));
    }
}
