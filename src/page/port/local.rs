//! The engine on the page itself: slices of a few milliseconds, each after a pause in which the page can draw.

use super::host::Host;
use gloo_timers::future::TimeoutFuture;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;

#[derive(Default)]
struct Desk {
    host: Host,
    inbox: Vec<Vec<u8>>,
    running: bool,
}

pub struct Local {
    desk: Rc<RefCell<Desk>>,
    engine: u32,
}

/// Milliseconds, in a window and in a worker.
pub fn now() -> f64 {
    thread_local! {
        static CLOCK: Option<web_sys::Performance> =
            js_sys::Reflect::get(&js_sys::global(), &"performance".into()).ok().and_then(|p| p.dyn_into().ok());
    }
    CLOCK.with(|clock| clock.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now))
}

impl Local {
    pub fn start(engine: u32) -> Local {
        Local { desk: Rc::default(), engine }
    }

    pub fn post(&mut self, frame: Vec<u8>) {
        let mut desk = self.desk.borrow_mut();
        desk.inbox.push(frame);
        if !core::mem::replace(&mut desk.running, true) {
            wasm_bindgen_futures::spawn_local(work(self.desk.clone(), self.engine));
        }
    }
}

async fn work(desk: Rc<RefCell<Desk>>, engine: u32) {
    loop {
        TimeoutFuture::new(0).await;
        // An engine that was ended is only held by this task.
        if Rc::strong_count(&desk) == 1 {
            return;
        }
        let (frames, done) = {
            let desk = &mut *desk.borrow_mut();
            let mut frames = Vec::new();
            for command in core::mem::take(&mut desk.inbox) {
                frames.extend(desk.host.take(&command, &now));
            }
            if desk.host.busy() {
                frames.extend(desk.host.slice(&now));
            }
            desk.running = desk.host.busy();
            (frames, !desk.running)
        };
        // The desk is free while the page hears: it may send at once.
        frames.iter().for_each(|frame| super::hear(engine, frame));
        if done && !desk.borrow().running {
            return;
        }
    }
}
