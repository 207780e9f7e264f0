//! The engine in a worker: the page's own wasm module, handed over compiled, so it is loaded once.

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

pub struct Remote {
    worker: Worker,
    greeted: bool,
    /// Frames for an engine that is still starting.
    early: Vec<Vec<u8>>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

/// An address that `index.html` names on the boot script, absolute.
fn address(name: &str) -> Option<String> {
    let document = web_sys::window()?.document()?;
    let boot = document.get_element_by_id("boot")?;
    let path = boot.get_attribute(&format!("data-{name}"))?;
    Some(web_sys::Url::new_with_base(&path, &document.base_uri().ok()??).ok()?.href())
}

impl Remote {
    /// Starts a worker; `None` where there is none to be had.
    pub fn start(engine: u32) -> Option<Remote> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&address("worker")?, &options).ok()?;
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |e: MessageEvent| {
            if let Ok(bytes) = e.data().dyn_into::<Uint8Array>() {
                super::hear(engine, &bytes.to_vec());
            }
        });
        let error = Closure::<dyn FnMut(ErrorEvent)>::new(move |e: ErrorEvent| {
            e.prevent_default();
            let message = e.message();
            super::lose(engine, if message.is_empty() { "the engine's script does not start".into() } else { message });
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        let init = Object::new();
        Reflect::set(&init, &"js".into(), &address("js")?.into()).ok()?;
        Reflect::set(&init, &"module".into(), &wasm_bindgen::module()).ok()?;
        worker.post_message(&init).ok()?;
        Some(Remote { worker, greeted: false, early: Vec::new(), _message: message, _error: error })
    }

    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// The engine said hello: it hears now.
    pub fn greeted(&mut self) {
        self.greeted = true;
        core::mem::take(&mut self.early).into_iter().for_each(|frame| self.post(frame));
    }

    pub fn post(&mut self, frame: Vec<u8>) {
        if self.greeted {
            let bytes = Uint8Array::from(&frame[..]);
            // A worker that is gone has said so by an error event.
            let _ = self.worker.post_message_with_transfer(&bytes, &js_sys::Array::of1(&bytes.buffer()));
        } else {
            self.early.push(frame);
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
