//! Whether time tells secrets: a test in the manner of dudect (Reparaz, Balasch, Verbauwhede 2017) on the native build.
//!
//! Each operation runs many times, at random with one fixed secret or with a fresh one, and Welch's t says whether the two
//! populations of running times have different means. |t| above 4.5 is a leak that may be used; below it nothing was seen,
//! which proves nothing. Two controls that leak on purpose must be flagged, or the instrument is blind on this machine.
//!
//! `cargo bench --bench timing [-- ROUNDS]`; the exit code is 1 if the scheme is flagged, 2 if a control is not.
#![allow(clippy::disallowed_types, reason = "it measures time")]

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;
use voltcast::clmmsc::keys::Wanted;
use voltcast::clmmsc::kgc::{Issue, MasterKey};
use voltcast::clmmsc::open::decapsulate;
use voltcast::clmmsc::receivers::KnownReceiver;
use voltcast::clmmsc::schnorr::{self, Name};
use voltcast::clmmsc::signcrypt::{Envelope, Item, signcrypt};
use voltcast::clmmsc::verify::VerifiedSigma;
use voltcast::clmmsc::{Class, Flow, KeyPair, Params, Policy, PublicRecord, Role, Ticket, UserSecret};

const NOW: u64 = 1_760_000_000;
const EPOCH: u32 = (NOW / 3600) as u32;
/// dudect's threshold.
const LEAK: f64 = 4.5;
/// Different secrets of the random class.
const POOL: usize = 256;
/// Fractions of the slowest measurements that are cut off before the test: interrupts hide small differences.
const CROPS: [f64; 4] = [0.0, 0.1, 0.5, 0.9];

/// Mean and variance as they come (Welford).
#[derive(Default, Clone, Copy)]
struct Sample {
    n: f64,
    mean: f64,
    square: f64,
}

impl Sample {
    fn add(&mut self, x: f64) {
        self.n += 1.0;
        let delta = x - self.mean;
        self.mean += delta / self.n;
        self.square += delta * (x - self.mean);
    }

    fn error(&self) -> f64 {
        self.square / (self.n - 1.0) / self.n
    }
}

/// Welch's t of the two classes after the slowest `crop` of all measurements are gone.
fn welch(times: &[(bool, f64)], crop: f64) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|(_, t)| *t).collect();
    sorted.sort_by(f64::total_cmp);
    let limit = sorted[((sorted.len() - 1) as f64 * (1.0 - crop)) as usize];
    let mut classes = [Sample::default(); 2];
    times.iter().filter(|(_, t)| *t <= limit).for_each(|(class, t)| classes[usize::from(*class)].add(*t));
    let error = (classes[0].error() + classes[1].error()).sqrt();
    if error > 0.0 { (classes[0].mean - classes[1].mean) / error } else { 0.0 }
}

/// Measures `run` on secrets that `pick` gives for a class (`false`: the fixed one) and a number; the greatest |t|.
fn measure<S>(name: &str, rounds: usize, pick: impl Fn(bool, usize) -> S, mut run: impl FnMut(&S)) -> f64 {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + rounds / 20 {
        let class = rng.next_u32() & 1 == 1;
        let secret = pick(class, rng.next_u32() as usize % POOL);
        // Picking is over before the clock starts: loads still under way would tell the classes apart.
        fence(Ordering::SeqCst);
        let start = Instant::now();
        run(black_box(&secret));
        let time = start.elapsed().as_nanos() as f64;
        if round >= rounds / 20 {
            times.push((class, time));
        }
    }
    let t = CROPS.map(|crop| welch(&times, crop)).into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    let mut sorted: Vec<f64> = times.iter().map(|(_, t)| *t).collect();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2] / 1_000.0;
    let verdict = if t.abs() > LEAK { "differs" } else { "no difference seen" };
    println!("{name:<44} {median:>9.1} µs  {rounds:>7} rounds  t = {t:>8.2}  {verdict}");
    t.abs()
}

/// A KGC and whom it registers.
struct Stage {
    master: MasterKey,
    params: Params,
}

impl Stage {
    fn key(&self, class: Class, role: Role, uid: u64) -> KeyPair {
        let mut wide = [0; 64];
        ChaCha20Rng::seed_from_u64(uid).fill_bytes(&mut wide);
        let user = UserSecret::from_wide(&wide);
        let what = Issue { class, role, from: EPOCH, to: EPOCH, uid, ctr: 0 };
        let (rec, d) = self.master.issue(&self.params, &what, &user.public(), &[3; 32]).expect("a record");
        let want = Wanted { class, role, from: EPOCH, to: EPOCH };
        KeyPair::accept(&self.params, &want, &user, &rec, &d).expect("its key")
    }

    fn pool(&self, class: Class, role: Role) -> Vec<KeyPair> {
        (0..=POOL as u64).map(|uid| self.key(class, role, 1_000 + uid)).collect()
    }
}

/// One of a pool: its last for the fixed class. What is measured gets a copy in a fresh place, and both candidates are
/// read, whatever the class: the caches must not tell the classes apart.
fn of<T: Clone>(pool: &[T]) -> impl Fn(bool, usize) -> T {
    move |class, i| {
        let [fixed, other] = black_box([pool[POOL].clone(), pool[i].clone()]);
        if class { other } else { fixed }
    }
}

/// Greatest |t| over the scheme's operations on secrets.
fn scheme(rounds: usize) -> f64 {
    let master = MasterKey::new(&[1; 64], [2; 32]);
    let policy = Policy { epoch_len: 3600, skew: 30, ttl_max: 600, max_bytes: 1 << 26 };
    let params = master.params("timing", policy).expect("parameters");
    let stage = Stage { master, params };
    let (cars, senders, tickets) =
        (stage.pool(Class::Id, Role::Ev), stage.pool(Class::Id, Role::Csc), stage.pool(Class::Ticket, Role::Csc));
    let envelope = Envelope { flow: Flow::COMMAND, created: NOW, ttl: 60, floor: 64, pad_to: 0 };
    let send_to = |items: &[Item<'_>], sender: &KeyPair, ticket: &KeyPair, rand: &[u8; 32]| {
        let ticket = Ticket::new(ticket.clone()).expect("a ticket");
        signcrypt(&stage.params, &envelope, sender, ticket, items, rand).expect("a ciphertext")
    };
    let eight: Vec<PublicRecord> = cars.iter().take(8).map(|car| car.public().clone()).collect();
    let known = KnownReceiver::prepare(&eight);
    let fresh: Vec<Item<'_>> = eight.iter().map(|to| Item { to, message: b"7 kW" }).collect();
    let known: Vec<Item<'_>> = known.iter().map(|to| Item { to, message: b"7 kW" }).collect();
    let send = |sender: &KeyPair, ticket: &KeyPair, rand: &[u8; 32]| send_to(&fresh[..1], sender, ticket, rand);
    let sigma = send(&senders[0], &tickets[0], &[4; 32]).bytes;
    let sigma = VerifiedSigma::verify(&stage.params, &sigma.into(), NOW).expect("a valid one");
    let rands: Vec<[u8; 32]> = (0..=POOL as u64)
        .map(|i| {
            let mut rand = [0; 32];
            ChaCha20Rng::seed_from_u64(i).fill_bytes(&mut rand);
            rand
        })
        .collect();
    let results = [
        measure("decapsulate, secret: the car's key", rounds, of(&cars), |key| {
            black_box(decapsulate(sigma.head(), key));
        }),
        measure("sign, secret: the key", rounds, of(&senders), |key| {
            black_box(schnorr::sign(Name::Vote, key, &[5; 64], &[6; 32]));
        }),
        measure("sign, secret: the nonce", rounds, of(&rands), |rand| {
            black_box(schnorr::sign(Name::Vote, &senders[0], &[5; 64], rand));
        }),
        measure("signcrypt, secret: t, kS and the nonces", rounds, of(&rands), |rand| {
            black_box(send(&senders[0], &tickets[0], rand));
        }),
        measure("signcrypt, secret: the sender's key", rounds, of(&senders), |key| {
            black_box(send(key, &tickets[0], &[4; 32]));
        }),
        measure("signcrypt, secret: the ticket's key", rounds, of(&tickets), |key| {
            black_box(send(&senders[0], key, &[4; 32]));
        }),
        measure("signcrypt to 8 receivers, secret: t and so on", rounds / 4, of(&rands), |rand| {
            black_box(send_to(&fresh, &senders[0], &tickets[0], rand));
        }),
        measure("signcrypt to 8 known, secret: t and so on", rounds / 4, of(&rands), |rand| {
            black_box(send_to(&known, &senders[0], &tickets[0], rand));
        }),
    ];
    results.into_iter().fold(0.0, f64::max)
}

/// Smallest |t| over operations that leak on purpose.
fn controls(rounds: usize) -> f64 {
    let scalar = |seed: u64| {
        let mut wide = [0; 64];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut wide);
        Scalar::from_bytes_mod_order_wide(&wide)
    };
    let scalars: Vec<Scalar> = (0..=POOL as u64).map(scalar).collect();
    let point = RistrettoPoint::mul_base(&scalar(99));
    let variable = measure("control: a product in variable time", rounds, of(&scalars), |secret| {
        black_box(RistrettoPoint::vartime_double_scalar_mul_basepoint(secret, &point, &Scalar::ZERO));
    });
    let skipping = measure("control: double, and add if the bit is set", rounds / 4, of(&scalars), |secret| {
        let mut sum = RistrettoPoint::identity();
        for byte in secret.to_bytes().iter().rev() {
            for bit in (0..8).rev() {
                sum = sum + sum;
                if byte >> bit & 1 == 1 {
                    sum += point;
                }
            }
        }
        black_box(sum);
    });
    variable.min(skipping)
}

fn main() {
    let rounds = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(20_000);
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        println!("load of the machine: {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "));
    }
    let (weakest, worst) = (controls(rounds), scheme(rounds));
    println!("greatest |t| of the scheme {worst:.2}, smallest |t| of the controls {weakest:.2}, threshold {LEAK}");
    let code = if weakest <= LEAK { 2 } else { i32::from(worst > LEAK) };
    std::process::exit(code);
}
