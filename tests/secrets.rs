//! Secrets of the scheme are wiped on drop and never printed (CLMMSC.md §17): every type that holds one is filled with
//! known bytes and its `Debug` output searched for them. That a ticket cannot be used twice, that opening takes only
//! verified values and that weakened variants cannot be named from outside are `compile_fail` doctests on the types.
#![cfg(not(target_arch = "wasm32"))]

use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use voltcast::clmmsc::keys::Wanted;
use voltcast::clmmsc::kgc::{Desk, Issue, MasterKey, User};
use voltcast::clmmsc::open::{self, EntryKey, Pinned, Receiver};
use voltcast::clmmsc::payload::{Delegated, PlugIn, session_key};
use voltcast::clmmsc::record::SigmaId;
use voltcast::clmmsc::request::{self, Head, Randomness};
use voltcast::clmmsc::secret::Secret;
use voltcast::clmmsc::session::{Body, Session, Side};
use voltcast::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use voltcast::clmmsc::verify::VerifiedSigma;
use voltcast::clmmsc::{Class, Flow, KeyPair, Params, Policy, Role, Ticket, UserSecret, complaint};
use zeroize::{Zeroize, ZeroizeOnDrop};

const NOW: u64 = 1_760_000_000;

/// Some four neighbouring bytes of `secret` stand in `text`, as hexadecimal digits or as a list of numbers.
fn shows(text: &str, secret: &[u8]) -> bool {
    let flat: String = text.to_lowercase().split_whitespace().collect();
    secret.windows(4).any(|run| {
        let hex: String = run.iter().map(|b| format!("{b:02x}")).collect();
        let list = |number: fn(&u8) -> String| run.iter().map(number).collect::<Vec<_>>().join(",");
        [hex, list(|b| b.to_string()), list(|b| format!("{b:x}")), list(|b| format!("0x{b:x}"))]
            .iter()
            .any(|form| flat.contains(form))
            || text.contains(&*String::from_utf8_lossy(run))
    })
}

/// Bytes that no public value has in this order.
fn known<const N: usize>(seed: u8) -> [u8; N] {
    core::array::from_fn(|i| (i as u8).wrapping_mul(seed) ^ 0xa5)
}

#[derive(Default)]
struct Search {
    secrets: Vec<(&'static str, Vec<u8>)>,
}

impl Search {
    fn secret(&mut self, name: &'static str, bytes: impl AsRef<[u8]>) {
        self.secrets.push((name, bytes.as_ref().to_vec()));
    }

    fn found(&self, value: &impl Debug) -> Option<&'static str> {
        let texts = [format!("{value:?}"), format!("{value:#?}"), format!("{value:02x?}")];
        let seen = |secret: &[u8]| texts.iter().any(|text| shows(text, secret));
        self.secrets.iter().find(|(_, bytes)| seen(bytes)).map(|(name, _)| *name)
    }

    #[track_caller]
    fn nothing_in(&self, value: &impl Debug) {
        assert_eq!(self.found(value), None, "printed by {value:?}");
    }
}

struct World {
    master: MasterKey,
    params: Params,
    epoch: u32,
}

impl World {
    fn user(&self, class: Class, role: Role, seed: u8) -> (UserSecret, Secret<[u8; 32]>, KeyPair) {
        let user = UserSecret::from_wide(&known(seed));
        let (from, to) = (self.epoch, self.epoch);
        let issue = Issue { class, role, from, to, uid: seed.into(), ctr: 0 };
        let (record, d) = self.master.issue(&self.params, &issue, &user.public(), &[seed; 32]).unwrap();
        let pair = KeyPair::accept(&self.params, &Wanted { class, role, from, to }, &user, &record, &d).unwrap();
        (user, d, pair)
    }
}

#[test]
fn no_secret_is_printed() {
    let mut search = Search::default();
    let kf: [u8; 32] = known(7);
    let wide: [u8; 64] = known(11);
    let master = MasterKey::new(&wide, kf);
    let policy = Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 20 };
    let params = master.params("secrets", policy).unwrap();
    let epoch = params.epoch(NOW);
    search.secret("kf", kf);
    search.secret("s", Scalar::from_bytes_mod_order_wide(&wide).as_bytes());
    for seed in [3, 5, 7, 19] {
        search.secret("x", Scalar::from_bytes_mod_order_wide(&known(seed)).as_bytes());
    }
    search.nothing_in(&master);
    let world = World { master, params, epoch };

    let (x_kgc, _, kgc) = world.user(Class::Id, Role::Kgc, 3);
    let (_, d, csc) = world.user(Class::Id, Role::Csc, 5);
    let (_, _, ev) = world.user(Class::Id, Role::Ev, 7);
    let (_, _, ticket) = world.user(Class::Ticket, Role::Csc, 19);
    search.secret("d", &d);
    for pair in [&kgc, &csc, &ev, &ticket] {
        search.secret("sk", pair.expose_sk());
    }
    search.nothing_in(&(&x_kgc, &d, &kgc));
    let ticket = Ticket::new(ticket).unwrap();
    search.nothing_in(&ticket);

    let message: [u8; 40] = known(17);
    search.secret("message", message);
    let env = Envelope { flow: Flow::COMMAND, created: NOW, ttl: 300, floor: 64, pad_to: 0 };
    let made =
        signcrypt(&world.params, &env, &csc, ticket, &[Item { to: ev.public(), message: &message }], &[9; 32]).unwrap();
    search.nothing_in(&made);
    let sigma = VerifiedSigma::verify(&world.params, &Arc::from(&made.bytes[..]), NOW).unwrap();
    let k = open::decapsulate(sigma.head(), &ev);
    search.secret("k", k.as_bytes());
    search.nothing_in(&k);
    search.nothing_in(&Body::Release { sigma: sigma.id(), k: k.clone() });
    let who = Receiver {
        record: ev.record(),
        pinned: Pinned::Set(&BTreeSet::from([csc.public().rid])),
        since: 0,
        nullifiers: &|_| None,
        opened: &|_, _| false,
    };
    let opened = open::open(&world.params, &sigma, &who, &k).unwrap();
    assert_eq!(*opened.message, message);
    search.nothing_in(&opened);
    let complaint = complaint::make(sigma.head(), &ev, &[8; 32]);
    search.nothing_in(&complaint::check(&world.params, sigma.head(), &complaint).unwrap());

    let kses = session_key(&ev, &[1; 16], &[2; 32]);
    search.secret("kses", &kses);
    search.nothing_in(&kses);
    search.nothing_in(&Session::new(kses.clone(), Side::Ev));
    let (_, _, lent) = world.user(Class::Session, Role::Ev, 13);
    search.secret("sk of a session", lent.expose_sk());
    let delegated = Some(Delegated { record: *lent.record(), sk: lent.expose_sk().into() });
    let plug_in = PlugIn { kses, plug: [1; 16], not_before: 0, not_after: 9, delegated };
    search.nothing_in(&plug_in);
    search.nothing_in(&plug_in.encode());

    registration_prints_nothing(&world, &kgc, search);
}

/// The code of a first request: on its way, at the desk, and granted.
fn registration_prints_nothing(world: &World, kgc: &KeyPair, mut search: Search) {
    let code: [u8; 32] = known(13);
    search.secret("code", code);
    let user = UserSecret::from_wide(&[77; 64]);
    let head = Head { kind: 1, class: Class::Id, role: Role::Ev, uid: 40, from: world.epoch, to: world.epoch };
    let rand = Randomness { sign: [1; 32], seal: [2; 32] };
    let request = request::first(&world.params, kgc.public(), &head, &user, &code, &rand);
    search.nothing_in(&request);
    let mut desk = Desk::default();
    let registered = User { role: Role::Ev, code: Some(code.into()), records: vec![], attached: None };
    search.nothing_in(&registered);
    desk.register(40, registered);
    let granted = desk.check(&world.params, kgc, NOW, &request.wire).unwrap();
    search.nothing_in(&granted);
    search.nothing_in(&desk);
    desk.remember(&granted, &[], Arc::from(&b"answer"[..]));
    search.nothing_in(&desk);
}

#[test]
fn the_search_finds_what_is_printed() {
    let mut search = Search::default();
    search.secret("planted", [0xde, 0xad, 0xbe, 0xef, 0x01]);
    assert!(search.found(&[0u8, 0xad, 0xbe, 0xef, 1, 9]).is_some(), "as a list");
    assert!(search.found(&SigmaId([0xde; 32])).is_none());
    assert!(search.found(&"key deadbeef").is_some(), "as hexadecimal");
    let mut search = Search::default();
    search.secret("planted", b"charge 4 kW");
    assert!(search.found(&"will charge now").is_some(), "as text");
}

#[test]
fn secrets_are_wiped_when_dropped() {
    fn wiped<T: ZeroizeOnDrop>() {
        assert!(core::mem::needs_drop::<T>());
    }
    wiped::<UserSecret>();
    wiped::<KeyPair>();
    wiped::<Ticket>();
    wiped::<MasterKey>();
    wiped::<EntryKey>();
    wiped::<Session>();
    wiped::<Secret<[u8; 32]>>();
    wiped::<Secret<Vec<u8>>>();
    let mut secret = Secret::from([7; 32]);
    secret.zeroize();
    assert_eq!(*secret, [0; 32]);
}
