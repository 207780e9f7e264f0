//! The page's wasm: starts the app in the window that loaded it.

fn main() {
    voltcast::page::start();
}
