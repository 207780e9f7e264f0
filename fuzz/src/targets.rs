//! What is fuzzed: one function per wire type, on arbitrary bytes.
//!
//! Each hands its input to the reader as it comes, and, where a signature or a seal would keep random bytes away from the
//! code behind it, also inside an honest one. What is read must be written again byte for byte. `tests/fuzz_corpus.rs`
//! runs the same functions over the corpus with every `cargo test`.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use voltcast::clmmsc::keys::Wanted;
use voltcast::clmmsc::kgc::{Desk, Issue, MasterKey, User};
use voltcast::clmmsc::open::{Pinned, Receiver, decapsulate, open};
use voltcast::clmmsc::payload::{PlugIn, Routing, Upload};
use voltcast::clmmsc::schnorr::{self, Name};
use voltcast::clmmsc::session::{Session, Side};
use voltcast::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use voltcast::clmmsc::slice::{self, Slice};
use voltcast::clmmsc::ticket_opening::{self, Claim};
use voltcast::clmmsc::verify::{self, VerifiedHeader, VerifiedSigma};
use voltcast::clmmsc::wire::{self, HEADER};
use voltcast::clmmsc::{
    Class, Flow, KeyPair, Params, Policy, Record, Role, Ticket, UserSecret, aead, channel, complaint, hash, list,
    request,
};
use voltcast::entities::command::Command;
use voltcast::entities::{Packet, packet};
use voltcast::lab::vectors::Tally;
use voltcast::ledger::codec::{Reader, Writer};
use voltcast::ledger::{Block, BlockHeader, Proposal};
use voltcast::pbft::Message;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::link::{Link, LinkError};
use voltcast::sim::scenario::Scenario;

/// A name and what is done with the bytes.
type Target = (&'static str, fn(&Stage, &[u8]));

/// The targets by name.
pub const TARGETS: [Target; 19] = [
    ("records", records),
    ("requests", requests),
    ("answers", answers),
    ("lists", lists),
    ("sigma", sigma),
    ("entries", entries),
    ("payloads", payloads),
    ("frames", frames),
    ("slices", slices),
    ("complaints", complaints),
    ("claims", claims),
    ("packets", packets),
    ("pbft", pbft),
    ("ledger", ledger),
    ("commands", commands),
    ("scenarios", scenarios),
    ("links", links),
    ("interventions", interventions),
    ("vectors", vectors),
];

/// Runs a target by its name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.0 == name).expect("a target of this name");
    target.1(Stage::get(), data);
}

/// When everything happens, unix seconds; the epoch is [`EPOCH`].
pub const NOW: u64 = 1_760_000_000;
pub const EPOCH: u32 = (NOW / 3600) as u32;
/// Every receiver's session key.
const KSES: [u8; 32] = [9; 32];
/// t and nonce of re-signed ciphertexts.
const SECRETS: (u64, u64) = (5, 6);

/// Somebody of each kind.
pub struct Stage {
    pub params: Params,
    pub kgc: KeyPair,
    pub csc: KeyPair,
    pub car: KeyPair,
    ticket: KeyPair,
    pub newcomer: UserSecret,
    desk: Desk,
    pub sigma: VerifiedSigma,
}

impl Stage {
    pub fn get() -> &'static Stage {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(Stage::new)
    }

    fn new() -> Stage {
        let master = MasterKey::new(&[1; 64], [2; 32]);
        let policy = Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 26 };
        let params = master.params("fuzz", policy).expect("parameters");
        let enrol = |class, role, uid: u64| {
            let user = UserSecret::from_wide(&[uid as u8; 64]);
            let what = Issue { class, role, from: EPOCH, to: EPOCH, uid, ctr: 0 };
            let (rec, d) = master.issue(&params, &what, &user.public(), &[3; 32]).expect("a record");
            let want = Wanted { class, role, from: EPOCH, to: EPOCH };
            KeyPair::accept(&params, &want, &user, &rec, &d).expect("its key")
        };
        let [kgc, csc, car] = [Role::Kgc, Role::Csc, Role::Ev].map(|role| enrol(Class::Id, role, role as u64));
        let mut desk = Desk::default();
        desk.register(5, User { role: Role::Ev, code: None, records: vec![(car.public().rid, None)], attached: None });
        desk.register(6, User { role: Role::Ev, code: Some([7; 32].into()), records: vec![], attached: None });
        let envelope = Envelope { flow: Flow::COMMAND, created: NOW, ttl: 60, floor: 64, pad_to: 4 };
        let once = Ticket::new(enrol(Class::Ticket, Role::Csc, 7)).expect("a ticket");
        let items = [Item { to: car.public(), message: b"7 kW" }];
        let made = signcrypt(&params, &envelope, &csc, once, &items, &[4; 32]).expect("a ciphertext");
        let sigma = VerifiedSigma::verify(&params, &made.bytes.into(), NOW).expect("a valid one");
        let ticket = enrol(Class::Ticket, Role::Csc, 8);
        let newcomer = UserSecret::from_wide(&[11; 64]);
        Stage { params, kgc, csc, car, ticket, newcomer, desk, sigma }
    }

    /// Signs the header of `bytes` under a ticket and a T of this stage, whatever they say, over the entries' true root.
    fn resigned(&self, bytes: &[u8]) -> Vec<u8> {
        let (t, nonce) = (Scalar::from(SECRETS.0), Scalar::from(SECRETS.1));
        let mut out = bytes.to_vec();
        out[32..64].copy_from_slice(RistrettoPoint::mul_base(&t).compress().as_bytes());
        out[64..170].copy_from_slice(&self.ticket.record().0);
        if let Some((_, root)) = verify::root_equation(&self.params, &out) {
            out[170..202].copy_from_slice(&root);
        }
        let hs = |label, parts: &[&[u8]]| Scalar::from_bytes_mod_order_wide(&hash::h64_any(label, parts));
        let n = RistrettoPoint::mul_base(&nonce).compress().to_bytes();
        let m = hash::h64_any("om", &[&self.params.id, &out[..388]]);
        let e = hs("chal", &[b"outer", &self.ticket.public().rid.0, &n, &m]);
        let b = hs("bind", &[&verify::context(&self.params, &out)]);
        let sk = Scalar::from_bytes_mod_order(self.ticket.expose_sk());
        out[388..420].copy_from_slice(&n);
        out[420..HEADER].copy_from_slice((nonce + e * (sk + b * t)).as_bytes());
        out
    }

    /// R2–R10 for the car, which believes every sender.
    fn opens(&self, sigma: &VerifiedSigma) -> bool {
        let who = Receiver {
            record: self.car.record(),
            pinned: Pinned::Any,
            since: 0,
            nullifiers: &|_| None,
            opened: &|_, _| false,
        };
        open(&self.params, sigma, &who, &decapsulate(sigma.head(), &self.car)).is_ok()
    }
}

/// The first 32 bytes of a hash of the scheme.
fn h32(label: &'static str, parts: &[&[u8]]) -> [u8; 32] {
    *hash::h64_any(label, parts).first_chunk().expect("64 bytes")
}

fn records(stage: &Stage, data: &[u8]) {
    let Some(record) = Record::from_slice(data) else { return };
    let (format, public) = (record.check_format(), record.derive(&stage.params));
    assert_eq!(format.is_ok(), record.class().is_some() && format.is_ok());
    if let Ok(public) = public {
        assert_eq!(public.rid, record.rid(&stage.params));
    }
}

fn requests(stage: &Stage, data: &[u8]) {
    let _ = stage.desk.check(&stage.params, &stage.kgc, NOW, data);
    let boxed =
        channel::seal_box(&stage.params, channel::Purpose::Request, stage.kgc.public(), data, &[1; 32], &[2; 32]);
    let _ = stage.desk.check(&stage.params, &stage.kgc, NOW, &[&b"CLQ1"[..], &boxed].concat());
    let _ = request::read_further(data);
}

fn answers(stage: &Stage, data: &[u8]) {
    let (m, want) = ([8; 64], Wanted { class: Class::Id, role: Role::Ev, from: EPOCH, to: EPOCH });
    let users = vec![stage.newcomer.clone(); (data.len() / 138).clamp(1, 3)];
    let _ = request::accept_answer(&stage.params, &want, &users, &m, data);
    let sealed = channel::seal_answer(&stage.params, &[2; 32], &m, &stage.newcomer.public(), data, &[3; 32]);
    let wire = [&b"CLA1"[..], &sealed.expect("X decodes")].concat();
    let _ = request::accept_answer(&stage.params, &want, &users, &m, &wire);
}

fn lists(stage: &Stage, data: &[u8]) {
    let _ = channel::open_box(&stage.params, channel::Purpose::List, &stage.csc, data);
    let _ = list::accept(&stage.params, stage.kgc.public(), data);
    let m = hash::h64_any("lm", &[&stage.params.id, data]);
    let signed = [data, &schnorr::sign(Name::List, &stage.kgc, &m, &[1; 32])].concat();
    if let Ok(list) = list::accept(&stage.params, stage.kgc.public(), &signed) {
        let mut union = list::Union::new();
        list::merge(&mut union, list, EPOCH);
    }
}

fn sigma(stage: &Stage, data: &[u8]) {
    let params = &stage.params;
    let _ = verify::outer_equation(params, data);
    let _ = verify::verify_batch(params, &[data, stage.sigma.bytes()]);
    let _ = packet::parse_sigma(params, data);
    let _ = VerifiedSigma::verify(params, &data.into(), NOW);
    if data.len() < HEADER {
        return;
    }
    let signed = stage.resigned(data);
    let header = VerifiedHeader::verify(params, &signed[..HEADER], NOW);
    let whole = VerifiedSigma::verify(params, &Arc::from(&signed[..]), NOW);
    let Ok(whole) = whole else { return };
    assert!(header.is_ok() && verify::verify_batch(params, &[&signed]));
    assert_eq!(signed.len() as u64, wire::total_len(whole.header().n, whole.header().l));
    assert!(!stage.opens(&whole), "a random entry opens");
}

/// 170 bytes for the capsule, the rest for the plaintext of the car's entry.
fn entries(stage: &Stage, data: &[u8]) {
    let (inside, plain) = data.split_at(data.len().min(170));
    let Some(l) = wire::bucket(plain.len().max(64) as u64) else { return };
    let mut plain = plain.to_vec();
    plain.resize(l as usize, 0);
    let mut out = stage.sigma.bytes()[..HEADER].to_vec();
    out[24..28].copy_from_slice(&1u32.to_le_bytes());
    out[28..32].copy_from_slice(&l.to_le_bytes());
    let head = stage.resigned(&out);
    let head = VerifiedHeader::verify(&stage.params, &head, NOW).expect("an honest header");
    let k = decapsulate(&head, &stage.car);
    let keys = hash::h64_any("ek", &[k.as_bytes()]);
    let mut inside = inside.to_vec();
    inside.resize(170, 0);
    let capsule = aead::seal(&h32("cap", &[&plain[..16], head.context()]), &inside);
    out[202..388].copy_from_slice(&capsule);
    out.extend(&keys[..16]);
    out.extend(aead::seal(keys[16..48].try_into().expect("32 bytes"), &plain));
    let signed = stage.resigned(&out);
    let sigma = VerifiedSigma::verify(&stage.params, &signed.into(), NOW).expect("honest outside");
    assert!(!stage.opens(&sigma), "an inner signature was guessed");
}

fn payloads(stage: &Stage, data: &[u8]) {
    if let Ok(upload) = Upload::decode(&stage.params, data) {
        assert_eq!(upload.encode(), data);
    }
    if let Ok(plug_in) = PlugIn::decode(&stage.params, data) {
        assert_eq!(plug_in.encode()[..], *data);
        let _ = plug_in.check(Some(&[0; 16]), NOW);
    }
    if let Ok(routing) = Routing::decode(data) {
        assert_eq!(routing.encode(), data);
    }
}

fn frames(_: &Stage, data: &[u8]) {
    for (side, dir) in [(Side::Ev, 2u8), (Side::Pile, 1)] {
        let _ = Session::new(KSES, side).open(data);
        let key = h32("ses", &[&KSES, &[dir], &0u64.to_le_bytes()]);
        let frame = [&[dir][..], &[0; 8], &aead::seal(&key, data)].concat();
        if let Ok(body) = Session::new(KSES, side).open(&frame) {
            assert_eq!(body.encode()[..], *data);
        }
    }
}

fn slices(stage: &Stage, data: &[u8]) {
    let _ = Slice::verify(&stage.params, data, NOW);
    let whole = [slice::MAGIC, stage.sigma.header_bytes(), data].concat();
    if let Ok(slice) = Slice::verify(&stage.params, &whole, NOW) {
        assert_eq!(slice::make(&stage.sigma, slice.index()), Some(whole));
        let _ = slice::proves_absence(&[slice.clone(), slice], &[0; 16]);
    }
}

fn complaints(stage: &Stage, data: &[u8]) {
    if let Ok(complaint) = complaint::check(&stage.params, stage.sigma.head(), data) {
        let _ = complaint::finding(&stage.params, &stage.sigma, &complaint, &BTreeSet::new());
    }
}

fn claims(stage: &Stage, data: &[u8]) {
    if let Some(claim) = Claim::decode(data) {
        assert_eq!(claim.encode(), data);
        let _ = ticket_opening::check(&stage.params, &claim, stage.csc.record());
        // The same with a signature that fits, so that only the body stands in the way.
        let m = request::digest(&stage.params, &claim.body);
        let signature = schnorr::sign(Name::KeyRequest, &stage.csc, &m, &[1; 32]);
        let _ = ticket_opening::check(&stage.params, &Claim { signature, ..claim }, stage.csc.record());
    }
}

fn packets(stage: &Stage, data: &[u8]) {
    if let Some(packet) = Packet::decode(data, &stage.params) {
        assert_eq!(packet.encode(), data);
    }
}

fn pbft(stage: &Stage, data: &[u8]) {
    if let Ok(message) = Message::decode(data, &|bytes: &[u8]| packet::parse_sigma(&stage.params, bytes)) {
        assert_eq!(message.encode(), data);
    }
}

fn ledger(stage: &Stage, data: &[u8]) {
    let parser = |bytes: &[u8]| packet::parse_sigma(&stage.params, bytes);
    let mut r = Reader::new(data);
    if let (Ok(block), Ok(())) = (Block::read(&mut r, &parser), r.end()) {
        let mut w = Writer::new();
        block.write(&mut w);
        assert_eq!(w.0, data);
    }
    let mut r = Reader::new(data);
    if let (Ok(proposal), Ok(())) = (Proposal::read(&mut r, &parser), r.end()) {
        let mut w = Writer::new();
        proposal.write(&mut w);
        assert_eq!(w.0, data);
    }
    let mut r = Reader::new(data);
    if let (Ok(header), Ok(())) = (BlockHeader::read(&mut r), r.end()) {
        assert_eq!(header.bytes(), data);
    }
}

fn commands(_: &Stage, data: &[u8]) {
    for flow in (0..=8).filter_map(Flow::from_code) {
        if let Ok(command) = Command::decode(flow, data) {
            assert_eq!(command.encode(), data);
        }
    }
}

fn scenarios(_: &Stage, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for scenario in [Scenario::from_toml(text), Scenario::from_json(text)].into_iter().flatten() {
        let _ = scenario.explain();
    }
}

fn links(_: &Stage, data: &[u8]) {
    let Some(link) = std::str::from_utf8(data).ok().and_then(|text| Link::parse(text).ok()) else { return };
    match Link::parse(&link.to_human()) {
        Ok(again) => assert_eq!(again.to_human(), link.to_human()),
        // Characters that must be escaped may make it longer than a link may be; the page then says so.
        Err(error) => assert!(error == LinkError::TooLong && link.to_human().len() > data.len(), "{error}"),
    }
    let _ = link.resolve();
}

fn interventions(_: &Stage, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(intervention) = Intervention::parse(text) else { return };
    let again = Intervention::parse(&intervention.to_text()).expect("what was written can be read");
    assert_eq!(again.to_text(), intervention.to_text());
}

fn vectors(_: &Stage, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    Tally::default().file("fuzz", text);
}
