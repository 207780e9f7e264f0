//! `globalThis.voltcast`: the page for scripts and tests (PAGE.md §8.3). Each command is a method that returns a promise.

use super::port::frame::Command;
use super::{conduct, player, port, stage_view};
use crate::entities::actor::ActorId;
use crate::sim::link::{Link, Moment};
use gloo_timers::future::TimeoutFuture;
use js_sys::{JSON, Object, Promise, Reflect};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

const COMMANDS: [&str; 12] =
    ["load", "play", "pause", "seek", "step", "rate", "select", "inject", "state", "link", "stats", "panic"];

fn arguments(value: &JsValue) -> Result<Value, String> {
    if value.is_undefined() || value.is_null() {
        return Ok(json!({}));
    }
    let text = JSON::stringify(value).map_err(|_| "the arguments are not JSON")?;
    serde_json::from_str(&String::from(text)).map_err(|e| e.to_string())
}

fn text<'a>(args: &'a Value, key: &str) -> Result<&'a str, String> {
    args[key].as_str().ok_or(format!("the argument `{key}` is missing or no text"))
}

async fn settled() {
    while player::with(|p| p.settled()) == Some(false) {
        TimeoutFuture::new(4).await;
    }
}

async fn command(name: String, args: Value) -> Result<Value, String> {
    match name.as_str() {
        "load" => {
            let link = text(&args, "link")?;
            Link::parse(link).map_err(|e| e.to_string())?.resolve()?;
            player::open(link);
            player::keep_address();
            stage_view::measure();
            settled().await;
        }
        "play" | "pause" => {
            player::with(|p| {
                p.playing = name == "play";
                p.first_run = false;
            });
        }
        "seek" => {
            let at = Moment::parse(text(&args, "at")?).map_err(|e| e.to_string())?;
            player::with(|p| p.seek(at));
            settled().await;
        }
        "step" => {
            let n = match &args["n"] {
                Value::Null => 1,
                n => n.as_i64().ok_or("`n` is a whole number")?.clamp(-10_000, 10_000) as i32,
            };
            let by = args["by"].as_str().unwrap_or("event");
            if player::with(|p| p.step(by, n)) != Some(true) {
                return Err(format!("`by` is event, beat or phase, not `{by}`"));
            }
        }
        "rate" => {
            let x = args["x"].as_f64().filter(|x| (0.1..=8.0).contains(x)).ok_or("`x` is a number from 0.1 to 8")?;
            player::with(|p| p.rate = x);
        }
        "select" => {
            let id = ActorId::parse(text(&args, "id")?).ok_or("`id` is an actor such as css1")?;
            player::with(|p| p.selected = Some(id));
        }
        "inject" => {
            let wish = if args["intervention"].is_object() { args["intervention"].clone() } else { args };
            let branch = conduct::inject(wish).await?;
            return Ok(json!({ "branch": branch }));
        }
        "state" => return Ok(player::with(|p| p.state()).unwrap_or_default()),
        "link" => return Ok(player::with(|p| p.human_link()).unwrap_or_default().into()),
        "stats" => return Ok(player::with(|p| p.stats()).unwrap_or_default()),
        // Ends the engine, or the page; a run that was not opened with `test=1` refuses.
        "panic" if args["of"] == "page" => {
            assert!(player::with(|p| p.link.test) != Some(true), "a test asked for this");
            return Err("only a test may ask for that".into());
        }
        "panic" => {
            port::send(&Command::Panic);
        }
        other => return Err(format!("there is no command `{other}`; there are {}", COMMANDS.join(", "))),
    }
    player::refresh();
    Ok(Value::Null)
}

fn call(name: String, args: JsValue) -> Promise {
    wasm_bindgen_futures::future_to_promise(async move {
        let args = arguments(&args).map_err(|e| JsValue::from(js_sys::Error::new(&e)))?;
        let result = command(name, args).await.map_err(|e| JsValue::from(js_sys::Error::new(&e)))?;
        JSON::parse(&result.to_string())
    })
}

/// Publishes the object and marks the page as interactive.
pub fn publish() {
    let object = Object::new();
    for name in COMMANDS {
        let method = Closure::<dyn FnMut(JsValue) -> Promise>::new(move |args| call(name.into(), args));
        let _ = Reflect::set(&object, &name.into(), &method.into_js_value());
    }
    let any = Closure::<dyn FnMut(String, JsValue) -> Promise>::new(call);
    let _ = Reflect::set(&object, &"call".into(), &any.into_js_value());
    let _ = Reflect::set(&js_sys::global(), &"voltcast".into(), &object);
    if let Some(performance) = web_sys::window().and_then(|w| w.performance()) {
        let _ = performance.mark("voltcast:ready");
    }
}
