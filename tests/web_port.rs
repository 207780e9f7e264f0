//! The port between page and engine, in a browser: frames, credits, and the whole run through them.
//! `wasm-pack test --headless --chrome -- --features page`.

#![cfg(target_arch = "wasm32")]

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use voltcast::entities::actor::ActorId;
use voltcast::page::port::frame::*;
use voltcast::page::port::host::Host;
use voltcast::sim::inspect::ItemRef;
use voltcast::sim::intervention::Intervention;
use voltcast::sim::timelines::{BranchId, Until};
use voltcast::sim::trace::{EffectId, ItemId, Trace};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const DAY4: &str = "#/run/day4?seed=7";

fn still() -> f64 {
    0.0
}

fn replies(frames: Vec<Vec<u8>>) -> Vec<(u32, Reply)> {
    frames.iter().map(|f| decode(f, MAX_REPLY).unwrap()).collect()
}

fn ask(host: &mut Host, request: u32, command: Command) -> Vec<(u32, Reply)> {
    replies(host.take(&encode(request, &command), &still))
}

fn open(link: &str) -> Host {
    let mut host = Host::default();
    let open = Command::Open { link: link.into(), until: Until::End, slice_ms: 8 };
    let answer = ask(&mut host, 1, open);
    assert!(matches!(&answer[..], [(1, Reply::Opened { .. })]), "{answer:?}");
    host
}

/// Runs until the host is done, mirrors branch by branch, and acknowledges every chunk.
fn mirror(host: &mut Host, trace: &mut Trace) -> Reason {
    for _ in 0..100_000 {
        for (_, reply) in replies(host.slice(&still)) {
            match reply {
                Reply::Chunk(chunk) => {
                    assert_eq!(chunk.first.0, trace.len());
                    let (branch, number) = (chunk.branch, chunk.chunk);
                    chunk.effects.into_iter().for_each(|e| trace.push(e).unwrap());
                    assert_eq!(trace.digest(), chunk.digest);
                    assert!(ask(host, 9, Command::Ack { branch, chunk: number }).is_empty());
                }
                Reply::Stopped { reason, events, digest, .. } => {
                    assert_eq!((events, digest), (trace.len(), trace.digest()));
                    return reason;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("the host never stopped");
}

fn commands() -> Vec<Command> {
    let branch = BranchId(3);
    let what: Intervention = Intervention::parse("e40~crash~css1").unwrap();
    vec![
        Command::Open { link: DAY4.into(), until: Until::Effects(7), slice_ms: 8 },
        Command::Continue { branch, until: Until::End, slice_ms: 8 },
        Command::Halt,
        Command::Ack { branch, chunk: u32::MAX },
        Command::Fork { branch, what },
        Command::Discard { branch },
        Command::Inspect { branch, item: ItemRef::Packet(ItemId(5)) },
        Command::Inspect { branch, item: ItemRef::Record(ActorId::parse("ev2").unwrap()) },
        Command::Reverify { branch, item: ItemId(5) },
        Command::Waiting { branch, at: EffectId(7) },
        Command::Panic,
    ]
}

#[wasm_bindgen_test]
fn commands_come_back_as_they_were() {
    for (i, command) in commands().into_iter().enumerate() {
        let frame = encode(i as u32, &command);
        assert_eq!(decode::<Command>(&frame, MAX_COMMAND), Ok((i as u32, command)));
    }
}

#[wasm_bindgen_test]
fn a_frame_that_is_cut_or_longer_or_foreign_is_refused_and_named() {
    for command in commands() {
        let frame = encode(6, &command);
        for cut in 0..frame.len() {
            assert!(decode::<Command>(&frame[..cut], MAX_COMMAND).is_err());
        }
        let mut longer = frame.clone();
        longer.push(0);
        assert_eq!(decode::<Command>(&longer, MAX_COMMAND), Err(BadFrame::Content(6)));
        let mut foreign = frame.clone();
        foreign[0] = PROTOCOL + 1;
        assert_eq!(decode::<Command>(&foreign, MAX_COMMAND), Err(BadFrame::Protocol(PROTOCOL + 1)));
        assert_eq!(decode::<Command>(&frame, 4), Err(BadFrame::Long(frame.len() as u32)));
    }
}

/// 20,000 frames of noise and of altered commands: each is answered or obeyed, none ends the engine.
#[wasm_bindgen_test]
fn no_frame_ends_the_engine() {
    let mut host = open(DAY4);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let known = commands();
    for round in 0..20_000u32 {
        let mut frame = if round % 2 == 0 {
            let mut noise = vec![0; (rng.next_u32() % 64) as usize];
            rng.fill_bytes(&mut noise);
            if let Some(first) = noise.first_mut() {
                *first = PROTOCOL;
            }
            noise
        } else {
            // Opening a run 10,000 times would only test patience, and a panic on request is one.
            encode(round, &known[1 + (rng.next_u32() as usize) % (known.len() - 2)])
        };
        if round % 4 == 3 && !frame.is_empty() {
            let at = rng.next_u32() as usize % frame.len();
            frame[at] ^= 1 << (rng.next_u32() % 8);
        }
        replies(host.take(&frame, &still));
    }
    assert!(matches!(&ask(&mut host, 2, Command::Panic)[..], [(2, Reply::Refused { why: Why::NotATest })]));
    let again = encode(5, &Command::Open { link: DAY4.into(), until: Until::End, slice_ms: 8 });
    assert_eq!(replies(host.take(&again, &still)).len(), 1);
    assert_eq!(mirror(&mut host, &mut Trace::new()), Reason::Quiet);
}

#[wasm_bindgen_test]
fn the_mirror_has_the_golden_digest() {
    let mut trace = Trace::new();
    assert_eq!(mirror(&mut open(DAY4), &mut trace), Reason::Quiet);
    let golden = include_str!("golden_digests.txt").lines().find_map(|l| l.strip_prefix("day4 7 4 ")).unwrap();
    assert_eq!(trace.digest().to_string(), golden.trim());
}

#[wasm_bindgen_test]
fn without_credit_nothing_is_sent() {
    let mut host = open("#/run/thirty-one?seed=7");
    let mut chunks = 0;
    for _ in 0..5_000 {
        chunks += replies(host.slice(&still)).iter().filter(|(_, r)| matches!(r, Reply::Chunk(_))).count();
        if !host.busy() {
            break;
        }
    }
    assert_eq!((chunks as u32, host.busy()), (CREDITS, false));
}

/// Halt ends a run at once: what follows is silence until somebody asks for more.
#[wasm_bindgen_test]
fn halt_stops_and_continue_goes_on() {
    let mut host = open("#/run/thirty-one?seed=7");
    // A clock that jumps by 10 ms at each look ends every slice after its first steps.
    let ticks = std::cell::Cell::new(0.0);
    let clock = || {
        ticks.set(ticks.get() + 10.0);
        ticks.get()
    };
    let first = replies(host.slice(&clock));
    assert!(!first.iter().any(|(_, r)| matches!(r, Reply::Stopped { .. })), "one slice ran the whole scenario");
    let answer = ask(&mut host, 2, Command::Halt);
    assert!(matches!(&answer[..], [(2, Reply::Stopped { reason: Reason::Halted, .. })]), "{answer:?}");
    assert!(!host.busy() && host.slice(&clock).is_empty());
    let mut trace = Trace::new();
    for (_, reply) in first {
        let Reply::Chunk(chunk) = reply else { panic!("{reply:?}") };
        ask(&mut host, 3, Command::Ack { branch: chunk.branch, chunk: chunk.chunk });
        chunk.effects.into_iter().for_each(|e| trace.push(e).unwrap());
    }
    ask(&mut host, 4, Command::Continue { branch: BranchId(0), until: Until::Effects(trace.len() + 500), slice_ms: 8 });
    assert_eq!(mirror(&mut host, &mut trace), Reason::Reached);
}

#[wasm_bindgen_test]
fn a_fork_shares_what_the_page_has_and_differs_after_it() {
    let mut host = open(DAY4);
    let mut trace = Trace::new();
    mirror(&mut host, &mut trace);
    let at = trace.len() / 2;
    let what = Intervention::parse(&format!("e{at}~crash~css1")).unwrap();
    let answer = ask(&mut host, 4, Command::Fork { branch: BranchId(0), what });
    let [(4, Reply::Forked { branch, parent: BranchId(0), shared, .. })] = &answer[..] else { panic!("{answer:?}") };
    let (branch, shared) = (*branch, *shared);
    let mut fork = trace.clone();
    fork.truncate(shared);
    assert!(shared > at && shared < trace.len());
    ask(&mut host, 5, Command::Continue { branch, until: Until::End, slice_ms: 8 });
    assert_eq!(mirror(&mut host, &mut fork), Reason::Quiet);
    assert_eq!(fork.effects()[..shared as usize], trace.effects()[..shared as usize]);
    assert_ne!(fork.digest(), trace.digest());
}

#[wasm_bindgen_test]
fn what_is_not_there_is_refused_in_words() {
    let mut host = Host::default();
    let branch = BranchId(0);
    let nothing = ask(&mut host, 1, Command::Inspect { branch, item: ItemRef::Packet(ItemId(0)) });
    assert!(matches!(&nothing[..], [(1, Reply::Refused { why: Why::NoRun })]));
    let bad = Command::Open { link: "#/run/day4?n=1000".into(), until: Until::End, slice_ms: 8 };
    let [(_, Reply::Refused { why })] = &ask(&mut host, 2, bad)[..] else { panic!() };
    assert!(why.to_string().contains("n must be"), "{why}");
    let mut host = open(DAY4);
    mirror(&mut host, &mut Trace::new());
    let far = ask(&mut host, 3, Command::Inspect { branch, item: ItemRef::Packet(ItemId(u32::MAX)) });
    assert!(matches!(&far[..], [(3, Reply::Refused { why: Why::NoItem })]));
    let other = ask(&mut host, 4, Command::Discard { branch: BranchId(7) });
    assert!(matches!(&other[..], [(4, Reply::Refused { why: Why::NoBranch(7) })]));
    let late = Intervention::parse("e4000000~crash~css1").unwrap();
    let late = ask(&mut host, 5, Command::Fork { branch, what: late });
    assert!(matches!(&late[..], [(5, Reply::Refused { why: Why::Intervention(_) })]), "{late:?}");
}

#[wasm_bindgen_test]
fn a_ciphertext_is_verified_again_and_explained() {
    let mut host = open(DAY4);
    let mut trace = Trace::new();
    mirror(&mut host, &mut trace);
    let sigma = trace.effects().iter().find_map(|e| match &e.kind {
        voltcast::sim::trace::Kind::Sent { packet, .. } if packet.sigma.is_some() => Some(packet.item),
        _ => None,
    });
    let (branch, item) = (BranchId(0), sigma.unwrap());
    let [(1, Reply::Item(view))] = &ask(&mut host, 1, Command::Inspect { branch, item: ItemRef::Packet(item) })[..]
    else {
        panic!()
    };
    assert!(!view.fields.is_empty());
    let [(2, Reply::Reverified { equations, .. })] = &ask(&mut host, 2, Command::Reverify { branch, item })[..] else {
        panic!()
    };
    assert!(equations.len() == 2 && equations.iter().all(|e| e.ok && e.left == e.right && e.left.len() == 64));
}
