//! What the page's wasm does when it finds itself in a worker: it is an engine.

use super::frame::{MAX_COMMAND, Reply, encode};
use super::host::Host;
use super::local::now;
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use std::cell::RefCell;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
    static RUNNING: RefCell<bool> = const { RefCell::new(false) };
}

fn post(scope: &DedicatedWorkerGlobalScope, frame: &[u8]) {
    let bytes = Uint8Array::from(frame);
    let _ = scope.post_message_with_transfer(&bytes, &js_sys::Array::of1(&bytes.buffer()));
}

/// The worker's scope, if this is one.
pub fn scope() -> Option<DedicatedWorkerGlobalScope> {
    js_sys::global().dyn_into().ok()
}

/// Serves the page for as long as the worker lives.
pub fn serve(scope: &DedicatedWorkerGlobalScope) {
    let own = scope.clone();
    std::panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or("unknown").to_string();
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        post(&own, &encode(0, &Reply::Panicked { message, place }));
    }));
    let own = scope.clone();
    let message = Closure::<dyn FnMut(MessageEvent)>::new(move |e: MessageEvent| {
        let Ok(bytes) = e.data().dyn_into::<Uint8Array>() else { return };
        // Of what is too long one byte too many is copied: enough for the refusal.
        let bytes = bytes.subarray(0, MAX_COMMAND as u32 + 1);
        let frames = HOST.with(|host| host.borrow_mut().take(&bytes.to_vec(), &now));
        frames.iter().for_each(|frame| post(&own, frame));
        if !RUNNING.with(|r| r.replace(true)) {
            wasm_bindgen_futures::spawn_local(run(own.clone()));
        }
    });
    scope.set_onmessage(Some(message.as_ref().unchecked_ref()));
    message.forget();
    post(scope, &Host::hello());
}

async fn run(scope: DedicatedWorkerGlobalScope) {
    while HOST.with(|host| host.borrow().busy()) {
        let frames = HOST.with(|host| host.borrow_mut().slice(&now));
        frames.iter().for_each(|frame| post(&scope, frame));
        TimeoutFuture::new(0).await;
    }
    RUNNING.with(|r| r.replace(false));
}
