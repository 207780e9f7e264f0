//! One KGC, one sender, and receivers enough.

use std::cell::{Cell, Ref, RefCell};
use std::sync::Arc;
use voltcast::clmmsc::keys::{IssuedItem, Wanted};
use voltcast::clmmsc::kgc::{Issue, MasterKey};
use voltcast::clmmsc::open::{Pinned, Receiver};
use voltcast::clmmsc::receivers::{Addressee, KnownReceiver};
use voltcast::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use voltcast::clmmsc::{Class, Flow, KeyPair, Params, Policy, PublicRecord, Role, Ticket, UserSecret};

/// Unix seconds at which everything happens.
pub const NOW: u64 = 100;
/// What each receiver is sent.
pub const MESSAGE: [u8; 64] = [0x4d; 64];

const POLICY: Policy = Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 24 };
const ENVELOPE: Envelope = Envelope { flow: Flow::COMMAND, created: NOW, ttl: 60, floor: 64, pad_to: 0 };

/// Who takes part.
pub struct World {
    pub params: Params,
    kgc: MasterKey,
    sender: KeyPair,
    ticket: KeyPair,
    /// The first receiver.
    pub car: KeyPair,
    receivers: Vec<PublicRecord>,
    known: RefCell<Vec<KnownReceiver>>,
    made: Cell<u64>,
}

impl World {
    /// A world with so many receivers, at least one.
    ///
    /// # Panics
    /// If the scheme refuses its own keys.
    pub fn new(receivers: usize) -> World {
        let kgc = MasterKey::new(&[1; 64], [2; 32]);
        let params = kgc.params("bench", POLICY).expect("parameters");
        let enrol = |class, role, uid: u64| {
            let user = UserSecret::from_wide(&wide(uid));
            let issue = Issue { class, role, from: 0, to: 0, uid, ctr: 0 };
            let (record, d) = kgc.issue(&params, &issue, &user.public(), &[3; 32]).expect("issue");
            KeyPair::accept(&params, &Wanted { class, role, from: 0, to: 0 }, &user, &record, &d).expect("accept")
        };
        let car = enrol(Class::Id, Role::Ev, 0);
        let others = (1..receivers as u64).map(|uid| enrol(Class::Id, Role::Ev, uid).public().clone());
        let receivers = core::iter::once(car.public().clone()).chain(others).collect();
        let sender = enrol(Class::Id, Role::Csc, u64::MAX - 1);
        let ticket = enrol(Class::Ticket, Role::Csc, u64::MAX - 2);
        World { params, kgc, sender, ticket, car, receivers, known: RefCell::default(), made: Cell::new(0) }
    }

    /// The first n receivers, met for the first time.
    pub fn fresh(&self, n: usize) -> &[PublicRecord] {
        &self.receivers[..n]
    }

    /// Makes tables for the first n receivers, once.
    pub fn know(&self, n: usize) {
        let have = self.known.borrow().len();
        if have < n {
            self.known.borrow_mut().extend(KnownReceiver::prepare(&self.receivers[have..n]));
        }
    }

    /// The first n receivers, with tables.
    pub fn known(&self, n: usize) -> Ref<'_, [KnownReceiver]> {
        Ref::map(self.known.borrow(), |known| &known[..n])
    }

    /// A σ of `MESSAGE` to each of these, under a nonce of its own.
    ///
    /// # Panics
    /// If the scheme refuses.
    pub fn signcrypt(&self, to: &[impl Addressee]) -> Arc<[u8]> {
        let items: Vec<Item<'_>> = to.iter().map(|to| Item { to, message: &MESSAGE }).collect();
        let ticket = Ticket::new(self.ticket.clone()).expect("ticket");
        let made = signcrypt(&self.params, &ENVELOPE, &self.sender, ticket, &items, &self.random());
        made.expect("signcrypt").bytes.into()
    }

    /// Issues one record.
    ///
    /// # Panics
    /// If the KGC refuses.
    pub fn issue(&self) -> IssuedItem {
        let issue = Issue { class: Class::Id, role: Role::Ev, from: 0, to: 0, uid: self.made.get(), ctr: 0 };
        self.kgc.issue(&self.params, &issue, &self.car.record().x(), &self.random()).expect("issue")
    }

    /// What a pile knows that opens for the first receiver.
    pub fn receiver(&self) -> Receiver<'_> {
        let (nullifiers, opened) = (&|_: &_| None, &|_: &_, _: &_| false);
        Receiver { record: self.car.record(), pinned: Pinned::Any, since: 0, nullifiers, opened }
    }

    /// 32 bytes that were not used before.
    fn random(&self) -> [u8; 32] {
        self.made.set(self.made.get() + 1);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.made.get().to_le_bytes());
        bytes
    }
}

/// 64 bytes for a secret: any will do, as long as they differ.
fn wide(uid: u64) -> [u8; 64] {
    let mut bytes = [7; 64];
    bytes[20..28].copy_from_slice(&uid.to_le_bytes());
    bytes
}
