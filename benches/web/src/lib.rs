//! What `run.js` and `agreement.js` time: the operations and loads of [`voltcast_benches`], by name. The loops are here,
//! so that the calls from JavaScript are not part of the time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use voltcast_benches::agreement::{self, Load};
use voltcast_benches::{Operation, World, operation};
use wasm_bindgen::prelude::wasm_bindgen;

/// A world and the operations that were asked for so far.
#[wasm_bindgen]
pub struct Bench {
    world: Rc<World>,
    ready: RefCell<BTreeMap<String, Operation>>,
}

#[wasm_bindgen]
impl Bench {
    /// A world of so many receivers.
    #[wasm_bindgen(constructor)]
    pub fn new(receivers: usize) -> Bench {
        Bench { world: Rc::new(World::new(receivers)), ready: RefCell::default() }
    }

    /// Makes tables for the first `count` receivers, as a sender does that will write to them again.
    pub fn know(&self, count: usize) {
        self.world.know(count);
    }

    /// Prepares an operation; false if there is none of this name.
    pub fn prepare(&self, name: &str) -> bool {
        let made = operation(&self.world, name);
        let found = made.is_some();
        self.ready.borrow_mut().extend(made.map(|made| (name.to_string(), made)));
        found
    }

    /// Does a prepared operation so many times.
    pub fn run(&self, name: &str, times: u32) {
        if let Some(operation) = self.ready.borrow().get(name) {
            (0..times).for_each(|_| operation());
        }
    }
}

/// The loads of agreement that were asked for so far.
#[wasm_bindgen]
#[derive(Default)]
pub struct Loads {
    ready: RefCell<BTreeMap<String, Load>>,
}

#[wasm_bindgen]
impl Loads {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Loads {
        Loads::default()
    }

    /// All names there are.
    pub fn names(&self) -> Vec<String> {
        agreement::NAMES.map(String::from).to_vec()
    }

    /// Prepares a load; gives what it does in one go, 0 if there is none of this name.
    pub fn prepare(&self, name: &str) -> u32 {
        let made = agreement::load(name);
        let does = made.as_ref().map_or(0, |load| load.times as u32);
        self.ready.borrow_mut().extend(made.map(|made| (name.to_string(), made)));
        does
    }

    /// Does a prepared load so many times; false if it is not prepared.
    pub fn run(&self, name: &str, times: u32) -> bool {
        self.ready.borrow().get(name).map(|load| (0..times).for_each(|_| (load.run)())).is_some()
    }
}
