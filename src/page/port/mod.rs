//! The port to the engine: a worker, or the same engine between frames on the page where there can be no worker
//! (PAGE.md §2.2, §2.8).

pub mod frame;
pub mod host;
mod local;
mod remote;
pub mod worker;

use frame::{Command, MAX_REPLY, Reply, decode, encode};
use futures_channel::oneshot;
use local::Local;
use remote::Remote;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Milliseconds that the engine runs before it reads its messages: on the page one frame must still fit beside it.
const SLICE_REMOTE: u16 = 24;
const SLICE_LOCAL: u16 = 8;

/// A worker that has not said hello by then will not.
const PATIENCE_MS: u32 = 10_000;

/// What came from the engine without being asked for, or besides the one answer to a question.
pub enum Event {
    Reply(u32, Reply),
    /// The engine is gone; what it said last, and where.
    Died {
        message: String,
        place: String,
    },
}

enum Line {
    Remote(Remote),
    Local(Local),
}

struct Port {
    line: Line,
    /// Number of the engine: what an earlier one still says is not heard.
    engine: u32,
    next: u32,
    asked: BTreeMap<u32, oneshot::Sender<Reply>>,
}

thread_local! {
    static PORT: RefCell<Option<Port>> = const { RefCell::new(None) };
    static ENGINES: RefCell<u32> = const { RefCell::new(0) };
}

/// Makes sure there is an engine of the wanted kind; an unwanted one is ended.
pub fn connect(worker: bool) {
    let fits = PORT.with(|p| p.borrow().as_ref().is_some_and(|p| matches!(p.line, Line::Remote(_)) == worker));
    if !fits {
        restart(worker);
    }
}

/// Ends the engine and starts another. Without workers it runs on the page.
pub fn restart(worker: bool) {
    let engine = ENGINES.with(|e| {
        *e.borrow_mut() += 1;
        *e.borrow()
    });
    let remote = if worker { Remote::start(engine) } else { None };
    if remote.is_some() {
        gloo_timers::callback::Timeout::new(PATIENCE_MS, move || give_up(engine)).forget();
    }
    let line = remote.map_or_else(|| Line::Local(Local::start(engine)), Line::Remote);
    PORT.with(|p| *p.borrow_mut() = Some(Port { line, engine, next: 1, asked: BTreeMap::new() }));
}

/// Whether the engine has a thread of its own.
pub fn in_worker() -> bool {
    PORT.with(|p| p.borrow().as_ref().is_some_and(|p| matches!(p.line, Line::Remote(_))))
}

/// Time of a slice for the engine there is.
pub fn slice_ms() -> u16 {
    if in_worker() { SLICE_REMOTE } else { SLICE_LOCAL }
}

/// Sends a command; its number comes back with the replies.
pub fn send(command: &Command) -> u32 {
    PORT.with(|p| p.borrow_mut().as_mut().map_or(0, |port| port.send(command)))
}

/// Sends a command and waits for its one reply; `None` if the engine ends before.
pub async fn ask(command: Command) -> Option<Reply> {
    let answer = PORT.with(|p| {
        let mut port = p.borrow_mut();
        let port = port.as_mut()?;
        let (sender, receiver) = oneshot::channel();
        let request = port.send(&command);
        port.asked.insert(request, sender);
        Some(receiver)
    });
    answer?.await.ok()
}

impl Port {
    fn send(&mut self, command: &Command) -> u32 {
        let request = self.next;
        self.next += 1;
        let frame = encode(request, command);
        match &mut self.line {
            Line::Remote(worker) => worker.post(frame),
            Line::Local(host) => host.post(frame),
        }
        request
    }
}

/// A frame of engine number `engine` has come.
fn hear(engine: u32, frame: &[u8]) {
    let heard = PORT.with(|p| {
        let mut port = p.borrow_mut();
        let port = port.as_mut().filter(|p| p.engine == engine)?;
        let event = match decode::<Reply>(frame, MAX_REPLY) {
            Ok((_, Reply::Hello { protocol, .. })) if protocol == frame::PROTOCOL => {
                if let Line::Remote(worker) = &mut port.line {
                    worker.greeted();
                }
                return None;
            }
            Ok((_, Reply::Panicked { message, place })) => Event::Died { message, place },
            Ok((request, reply)) => match port.asked.remove(&request) {
                Some(waiting) => {
                    // Who asked may have stopped waiting.
                    let _ = waiting.send(reply);
                    return None;
                }
                None => Event::Reply(request, reply),
            },
            Err(bad) => {
                Event::Died { message: format!("the page did not understand the engine: {bad}"), place: String::new() }
            }
        };
        Some(event)
    });
    if let Some(event) = heard {
        super::conduct::hear(event);
    }
}

fn give_up(engine: u32) {
    let silent = PORT.with(|p| {
        p.borrow().as_ref().is_some_and(|p| p.engine == engine && matches!(&p.line, Line::Remote(w) if !w.is_greeted()))
    });
    if silent {
        lose(engine, String::new());
    }
}

/// Engine number `engine` cannot go on. One that never answered could not start: the page computes by itself then.
fn lose(engine: u32, message: String) {
    let started = PORT.with(|p| {
        let port = p.borrow();
        let port = port.as_ref().filter(|p| p.engine == engine)?;
        Some(!matches!(&port.line, Line::Remote(worker) if !worker.is_greeted()))
    });
    match started {
        Some(true) => super::conduct::hear(Event::Died { message, place: String::new() }),
        // Later: the closure that brought this belongs to the engine that is about to go.
        Some(false) => wasm_bindgen_futures::spawn_local(async {
            restart(false);
            super::conduct::open_run(None);
        }),
        None => {}
    }
}
