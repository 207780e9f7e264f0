//! The operations of the scheme, ready to be timed: natively by `scheme.rs`, in a browser by `web/`.
//!
//! An operation has a name of the form `what/n`, does all its preparation when it is made, and checks its own outcome,
//! so that nothing is timed that did not work. Nothing here is part of the scheme; see [`polynomial`] for the
//! construction it is compared with, and [`agreement`] for the other thing that is timed here.

pub mod agreement;
mod kernels;
pub mod polynomial;
mod world;

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use voltcast::clmmsc::open::{decapsulate, open};
use voltcast::clmmsc::receivers::KnownReceiver;
use voltcast::clmmsc::verify::{VerifiedHeader, VerifiedSigma, root_equation, verify_batch};
pub use world::World;

/// Something to repeat and to time.
pub type Operation = Box<dyn Fn()>;

/// The operation of this name; `None` if there is none.
pub fn operation(world: &Rc<World>, name: &str) -> Option<Operation> {
    let (what, n) = name.rsplit_once('/')?;
    let (n, w) = (n.parse().ok()?, world.clone());
    Some(match what {
        "signcrypt/fresh" => timed(move || w.signcrypt(w.fresh(n))),
        "signcrypt/known" => {
            w.know(n);
            timed(move || w.signcrypt(&w.known(n)))
        }
        "kernels/fresh" => timed(kernels::fresh(&w, n)),
        "kernels/known" => timed(kernels::known(&w, n)),
        "know" => timed(move || KnownReceiver::prepare(w.fresh(n))),
        "verify/header" => header(&w, n),
        "verify/body" => body(&w, n),
        "verify/batch" => batch(&w, n),
        "decapsulate" => key(&w, n),
        "open" => opening(&w, n),
        "issue" => Box::new(move || (0..n).for_each(|_| drop(black_box(w.issue())))),
        "end-to-end/fresh" => Box::new(move || end_to_end(&w, &w.signcrypt(w.fresh(n)))),
        "end-to-end/known" => {
            w.know(n);
            Box::new(move || end_to_end(&w, &w.signcrypt(&w.known(n))))
        }
        "polynomial/send" => {
            let group = polynomial::Group::new(n);
            timed(move || group.send())
        }
        "polynomial/end-to-end" => {
            let group = polynomial::Group::new(n);
            Box::new(move || assert!(group.receive(&group.send())))
        }
        _ => return None,
    })
}

/// Does the work and forgets the outcome.
fn timed<T: 'static>(work: impl Fn() -> T + 'static) -> Operation {
    Box::new(move || drop(black_box(work())))
}

/// V1–V5 of one σ for n receivers.
fn header(world: &Rc<World>, n: usize) -> Operation {
    let (w, sigma) = (world.clone(), world.signcrypt(world.fresh(n)));
    Box::new(move || {
        assert!(VerifiedHeader::verify(&w.params, &sigma[..voltcast::clmmsc::wire::HEADER], world::NOW).is_ok())
    })
}

/// The part of V6 that hashes the body.
fn body(world: &Rc<World>, n: usize) -> Operation {
    let (w, sigma) = (world.clone(), world.signcrypt(world.fresh(n)));
    Box::new(move || assert!(root_equation(&w.params, &sigma).is_some_and(|(signed, found)| signed == found)))
}

/// V4 and V5 of n σ together.
fn batch(world: &Rc<World>, n: usize) -> Operation {
    let (w, sigmas) = (world.clone(), (0..n).map(|_| world.signcrypt(world.fresh(1))).collect::<Vec<_>>());
    Box::new(move || {
        let sigmas: Vec<&[u8]> = sigmas.iter().map(|sigma| &sigma[..]).collect();
        assert!(verify_batch(&w.params, &sigmas));
    })
}

/// E5 at one of n receivers.
fn key(world: &Rc<World>, n: usize) -> Operation {
    let (w, sigma) = (world.clone(), world.signcrypt(world.fresh(n)));
    let head = VerifiedSigma::verify(&w.params, &sigma, world::NOW).map(|sigma| sigma.head().clone());
    Box::new(move || {
        if let Ok(head) = &head {
            black_box(decapsulate(head, &w.car));
        }
    })
}

/// R2–R10 at one of n receivers.
fn opening(world: &Rc<World>, n: usize) -> Operation {
    let (w, sigma) = (world.clone(), world.signcrypt(world.fresh(n)));
    let verified = VerifiedSigma::verify(&w.params, &sigma, world::NOW).map(|s| (decapsulate(s.head(), &w.car), s));
    Box::new(move || assert!(verified.as_ref().is_ok_and(|(k, s)| open(&w.params, s, &w.receiver(), k).is_ok())))
}

/// What follows a σ: verify everything, decapsulate, open.
fn end_to_end(w: &World, bytes: &Arc<[u8]>) {
    let message = VerifiedSigma::verify(&w.params, bytes, world::NOW)
        .and_then(|sigma| open(&w.params, &sigma, &w.receiver(), &decapsulate(sigma.head(), &w.car)))
        .map(|opened| opened.message);
    assert!(message.is_ok_and(|m| m[..] == world::MESSAGE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_works_at_small_sizes() {
        let world = Rc::new(World::new(5));
        let names = [
            "signcrypt/fresh",
            "signcrypt/known",
            "kernels/fresh",
            "kernels/known",
            "know",
            "verify/header",
            "verify/body",
            "verify/batch",
            "decapsulate",
            "open",
            "issue",
            "end-to-end/fresh",
            "end-to-end/known",
            "polynomial/send",
            "polynomial/end-to-end",
        ];
        for name in names {
            let made = operation(&world, &format!("{name}/5"));
            assert!(made.is_some(), "{name}");
            made.into_iter().for_each(|run| run());
        }
        assert!(operation(&world, "nothing/5").is_none());
    }

    /// The bare kernels do the scheme's work: the entries of a σ hold the same keys.
    #[test]
    fn kernels_agree_with_each_other() {
        let world = Rc::new(World::new(6));
        assert_eq!(kernels::fresh(&world, 6)(), kernels::known(&world, 6)());
    }
}
