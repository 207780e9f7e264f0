//! What CLMMSC.md §11 adds to the scheme, from outside: session records, padding, slices and absence, complaints,
//! receipts, opening a ticket.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::sync::Arc;
use voltcast::clmmsc::complaint;
use voltcast::clmmsc::keys::Wanted;
use voltcast::clmmsc::kgc::{Issue, MasterKey};
use voltcast::clmmsc::open::{EntryKey, decapsulate, decapsulate_lent};
use voltcast::clmmsc::payload::{Delegated, PlugIn, Upload};
use voltcast::clmmsc::receipt::Receipt;
use voltcast::clmmsc::receivers::{Addressee, KnownReceiver};
use voltcast::clmmsc::request::{self, Head};
use voltcast::clmmsc::schnorr::{self, Name};
use voltcast::clmmsc::signcrypt::{Envelope, Item, Signcrypted, padded_count, signcrypt};
use voltcast::clmmsc::slice::{self, Slice, proves_absence};
use voltcast::clmmsc::ticket_opening::{self, Claim};
use voltcast::clmmsc::verify::VerifiedSigma;
use voltcast::clmmsc::{Class, Error, Flow, KeyPair, Params, Policy, PublicRecord, Role, Ticket, UserSecret};

const NOW: u64 = 1_760_000_000;

struct World {
    master: MasterKey,
    params: Params,
}

impl World {
    fn new() -> World {
        let policy = Policy { epoch_len: 3600, skew: 5, ttl_max: 600, max_bytes: 1 << 24 };
        let master = MasterKey::new(&[7; 64], [9; 32]);
        let params = master.params("test", policy).unwrap();
        World { master, params }
    }

    /// A key pair whose secret comes from `seed`, valid in the epoch of [`NOW`].
    fn key(&self, class: Class, role: Role, seed: u8) -> KeyPair {
        let epoch = self.params.epoch(NOW);
        let user = UserSecret::from_wide(&[seed; 64]);
        let issue = Issue { class, role, from: epoch, to: epoch, uid: seed.into(), ctr: 0 };
        let (record, d) = self.master.issue(&self.params, &issue, &user.public(), &[seed; 32]).unwrap();
        let want = Wanted { class, role, from: epoch, to: epoch };
        KeyPair::accept(&self.params, &want, &user, &record, &d).unwrap()
    }

    fn send(&self, to: &[KeyPair], pad_to: u32) -> Signcrypted {
        let items: Vec<Item<'_>> = to.iter().map(|k| Item { to: k.public(), message: b"eleven kW" }).collect();
        self.send_items(&items, pad_to)
    }

    fn send_items(&self, items: &[Item<'_>], pad_to: u32) -> Signcrypted {
        self.try_send(items, pad_to).unwrap()
    }

    fn try_send(&self, items: &[Item<'_>], pad_to: u32) -> Result<Signcrypted, Error> {
        let ticket = Ticket::new(self.key(Class::Ticket, Role::Csc, 200)).unwrap();
        let env = Envelope { flow: Flow::COMMAND, created: NOW, ttl: 300, floor: 64, pad_to };
        signcrypt(&self.params, &env, &self.key(Class::Id, Role::Csc, 100), ticket, items, &[3; 32])
    }

    fn verified(&self, sigma: &Signcrypted) -> VerifiedSigma {
        VerifiedSigma::verify(&self.params, &Arc::from(&sigma.bytes[..]), NOW).unwrap()
    }

    fn cars(&self, count: u8) -> Vec<KeyPair> {
        (1..=count).map(|i| self.key(Class::Id, Role::Ev, i)).collect()
    }

    fn finding(&self, sigma: &VerifiedSigma, wire: &[u8]) -> Result<Vec<u8>, Error> {
        let pinned = BTreeSet::from([self.key(Class::Id, Role::Csc, 100).public().rid]);
        let complaint = complaint::check(&self.params, sigma.head(), wire)?;
        Ok(complaint::finding(&self.params, sigma, &complaint, &pinned)?.message.to_vec())
    }
}

#[test]
fn padded_counts_are_those_of_the_table() {
    let counts: Vec<u32> = (1..=17).map(padded_count).collect();
    assert_eq!(counts, [1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16, 16, 16, 16, 24]);
}

#[test]
fn known_receivers_do_not_change_a_byte() {
    let world = World::new();
    for count in [1, 2, 5, 9] {
        let publics: Vec<PublicRecord> = world.cars(count).iter().map(|car| car.public().clone()).collect();
        let known = KnownReceiver::prepare(&publics);
        let message = b"eleven kW";
        let send = |known_too: &dyn Fn(usize) -> bool| {
            let to = |i: usize| -> &dyn Addressee { if known_too(i) { &known[i] } else { &publics[i] } };
            let items: Vec<Item<'_>> = (0..publics.len()).map(|i| Item { to: to(i), message }).collect();
            world.send_items(&items, padded_count(count.into())).bytes
        };
        let fresh = send(&|_| false);
        assert!(send(&|_| true) == fresh && send(&|i| i % 2 == 1) == fresh, "{count} receivers");
    }
}

#[test]
fn a_receiver_named_twice_is_refused() {
    let world = World::new();
    let car = world.cars(1).remove(0);
    let items = [Item { to: car.public(), message: b"a" }, Item { to: car.public(), message: b"b" }];
    assert_eq!(world.try_send(&items, 0).err(), Some(Error::SenderInput));
}

#[test]
fn dummies_look_like_entries_and_open_for_nobody() {
    let world = World::new();
    let cars = world.cars(5);
    let sigma = world.verified(&world.send(&cars, padded_count(5)));
    assert_eq!(sigma.header().n, 6);
    for car in &cars {
        let wire = complaint::make(sigma.head(), car, &[1; 32]);
        assert_eq!(world.finding(&sigma, &wire).as_deref(), Ok(&b"eleven kW"[..]));
    }
    // Fewer than there are receivers pads nothing.
    assert_eq!(world.verified(&world.send(&cars, 2)).header().n, 5);
}

#[test]
fn slices_prove_presence_and_neighbours_prove_absence() {
    let world = World::new();
    let cars = world.cars(7);
    let sigma = world.verified(&world.send(&cars, 0));
    let slices: Vec<Slice> =
        (0..7).map(|j| Slice::verify(&world.params, &slice::make(&sigma, j).unwrap(), NOW).unwrap()).collect();
    assert!(slice::make(&sigma, 7).is_none());
    let tag = |s: &Slice| <[u8; 16]>::try_from(&s.entry()[..16]).unwrap();
    let between = |s: &Slice| {
        let mut t = tag(s);
        t[15] = t[15].wrapping_add(1);
        t
    };
    for pair in slices.windows(2) {
        assert!(proves_absence(pair, &between(&pair[0])));
        assert!(!proves_absence(pair, &tag(&pair[0])) && !proves_absence(pair, &tag(&pair[1])));
        assert!(!proves_absence(&pair[1..], &between(&pair[0])));
    }
    assert!(proves_absence(&slices[..1], &[0; 16]) && proves_absence(&slices[6..], &[255; 16]));
    assert!(!proves_absence(&slices[..1], &[255; 16]) && !proves_absence(&slices[1..2], &[0; 16]));
    let skipped = [slices[0].clone(), slices[2].clone()];
    assert!(!proves_absence(&skipped, &between(&slices[0])), "not neighbours");
    let other = world.verified(&world.send(&world.cars(6), 0));
    let other = Slice::verify(&world.params, &slice::make(&other, 1).unwrap(), NOW).unwrap();
    assert!(!proves_absence(&[slices[0].clone(), other], &between(&slices[0])), "of two ciphertexts");
}

#[test]
fn a_complaint_opens_one_entry_for_everybody_and_no_other() {
    let world = World::new();
    let cars = world.cars(3);
    let stranger = world.key(Class::Id, Role::Ev, 9);
    let sigma = world.verified(&world.send(&cars, 0));
    let wire = complaint::make(sigma.head(), &cars[1], &[5; 32]);
    assert_eq!(world.finding(&sigma, &wire).as_deref(), Ok(&b"eleven kW"[..]));
    assert_eq!(world.finding(&sigma, &complaint::make(sigma.head(), &stranger, &[5; 32])), Err(Error::NotAReceiver));
    // The proof is for this record and this ciphertext.
    let mut stolen = wire;
    stolen[4..110].copy_from_slice(&cars[2].record().0);
    assert_eq!(world.finding(&sigma, &stolen), Err(Error::Dleq));
    let later = world.verified(&world.send(&world.cars(2), 0));
    assert_eq!(world.finding(&later, &wire), Err(Error::Dleq));
    for at in (0..complaint::LEN).step_by(7) {
        let mut bent = wire;
        bent[at] ^= 1;
        assert!(world.finding(&sigma, &bent).is_err(), "byte {at}");
    }
}

#[test]
fn a_lent_session_key_opens_what_is_addressed_to_it() {
    let world = World::new();
    let session = world.key(Class::Session, Role::Ev, 50);
    let sigma = world.verified(&world.send(std::slice::from_ref(&session), 0));
    let lent = Delegated { record: *session.record(), sk: session.expose_sk().into() };
    let plug_in =
        PlugIn { kses: [1; 32].into(), plug: [2; 16], not_before: 0, not_after: 9, delegated: Some(lent.clone()) };
    let read = PlugIn::decode(&world.params, &plug_in.encode()).unwrap();
    assert!(read == plug_in);
    let k = decapsulate_lent(&world.params, sigma.head(), &lent).unwrap();
    assert_eq!(k.as_bytes(), decapsulate(sigma.head(), &session).as_bytes());
    // An identity record is never lent.
    let own = world.key(Class::Id, Role::Ev, 51);
    let wrong = Delegated { record: *own.record(), sk: own.expose_sk().into() };
    let wrong = PlugIn { kses: [1; 32].into(), plug: [2; 16], not_before: 0, not_after: 9, delegated: Some(wrong) };
    assert!(matches!(PlugIn::decode(&world.params, &wrong.encode()), Err(Error::Payload)));
}

#[test]
fn uploads_carry_receipts_and_the_session_record() {
    let world = World::new();
    let sigma = world.send(&world.cars(1), 0).id;
    let receipts = vec![Receipt::new(&EntryKey::from_bytes([4; 32]), sigma, 0); 3];
    let session = Some(*world.key(Class::Session, Role::Ev, 50).record());
    let upload = Upload {
        discharge: true,
        time: NOW,
        soc_ppm: 1,
        capacity_wh: 2,
        max_power_w: 3,
        power_w: -4,
        energy_wh: 5,
        departure: 6,
        target_ppm: 7,
        pile: [8; 32],
        session,
        receipts,
    };
    let bytes = upload.encode();
    assert_eq!(Upload::decode(&world.params, &bytes), Ok(upload));
    for cut in 0..bytes.len() {
        assert_eq!(Upload::decode(&world.params, &bytes[..cut]), Err(Error::Payload), "{cut}");
    }
    assert_eq!(Upload::decode(&world.params, &[&bytes[..], &[0]].concat()), Err(Error::Payload));
}

/// The KGC can name the owner of a ticket, and nobody else.
#[test]
fn a_ticket_opens_to_who_asked_for_it_and_to_nobody_else() {
    let world = World::new();
    let epoch = world.params.epoch(NOW);
    let (owner, victim) = (world.key(Class::Id, Role::Csc, 100), world.key(Class::Id, Role::Csc, 101));
    let ticket = world.key(Class::Ticket, Role::Csc, 200);
    let body = |class: Class, uid: u64| {
        let mut body = b"CLR1".to_vec();
        body.extend([2, class as u8, Role::Csc as u8, 0]);
        body.extend(uid.to_le_bytes());
        body.extend(epoch.to_le_bytes());
        body.extend(epoch.to_le_bytes());
        body.extend(1u32.to_le_bytes());
        body.extend(ticket.record().x());
        body
    };
    let sign = |key: &KeyPair, body: &[u8]| {
        schnorr::sign(Name::KeyRequest, key, &request::digest(&world.params, body), &[0; 32])
    };
    let asked = body(Class::Ticket, 100);
    let claim = Claim { ticket: *ticket.record(), uid: 100, body: asked.clone(), signature: sign(&owner, &asked) };
    let holds =
        |claim: &Claim, own: &KeyPair| ticket_opening::check(&world.params, claim, own.record()).map_err(|f| f.error);
    assert_eq!(holds(&claim, &owner), Ok(()));
    assert_eq!(holds(&claim, &victim), Err(Error::Signature));
    assert_eq!(holds(&Claim { uid: 101, ..claim.clone() }, &victim), Err(Error::RecordMismatch));
    // A signed request for a session key over the same X is no request for a ticket.
    let other = body(Class::Session, 100);
    let session = Claim { body: other.clone(), signature: sign(&owner, &other), ..claim.clone() };
    assert_eq!(holds(&session, &owner), Err(Error::RecordMismatch));
    let no_ticket = Claim { ticket: *owner.record(), ..claim.clone() };
    assert_eq!(holds(&no_ticket, &owner), Err(Error::TicketClass));
    let car = world.key(Class::Id, Role::Ev, 5);
    assert_eq!(holds(&claim, &car), Err(Error::RequesterRecord));
    assert_eq!(
        request::read_further(&asked).map(|(head, keys)| (head, keys.len())),
        Some((Head { kind: 2, class: Class::Ticket, role: Role::Csc, uid: 100, from: epoch, to: epoch }, 1))
    );
}
