//! A real Chromium on the built site: a driver and a static server of our own on free ports, the page's command table
//! (PAGE.md §8.3) as [`Page::call`], and the console's errors. It looks at the page from outside, as a person or an
//! embedding page would, and must never reach into the page's own code.

use super::server;
use serde_json::{Value, json};
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::prelude::*;

/// What a scenario answers: nothing, or the sentence that says what went wrong.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
/// A scenario borrows the page for as long as it runs.
pub type Run<'a, T> = Pin<Box<dyn Future<Output = Outcome<T>> + Send + 'a>>;

/// Longest wait for one thing to happen on the page.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// As root in a container, headless, and without looking for a network.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-no-reduced-motion",
];

/// How the window looks.
#[derive(Clone, Copy)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

/// The reference window of PAGE.md §10.2.
pub const REFERENCE: Window = Window { width: 1366, height: 900, dark: false };

/// One tab on one site.
pub struct Page {
    pub driver: WebDriver,
    address: String,
}

/// Serves `folder`, starts a browser, runs the scenario, and ends the browser whatever happened. A failure leaves a
/// screenshot in `target/shots`. Scenarios take turns: a browser with a running simulation wants the whole machine.
pub fn run<T>(name: &str, folder: &Path, window: Window, scenario: impl FnOnce(&Page) -> Run<'_, T>) -> Outcome<T> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !folder.join("index.html").is_file() {
        return Err(format!("{} is not built; run: cargo xtask build", folder.display()).into());
    }
    let listener = server::bind(0)?;
    let address = format!("http://{}/", listener.local_addr()?);
    let served = folder.to_path_buf();
    std::thread::spawn(move || server::serve(listener, &served));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (chromedriver, port) = Chromedriver::start()?;
        let driver = connect(port, window).await?;
        let page = Page { driver: driver.clone(), address };
        let result = page.prepare(window).await;
        let result = match result {
            Ok(()) => scenario(&page).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            let _ = page.shot(&format!("{name}-failed")).await;
            for line in page.console_errors().await.unwrap_or_default() {
                eprintln!("console: {line}");
            }
        }
        drop(page);
        driver.quit().await?;
        drop(chromedriver);
        result
    })
}

/// The built site.
pub fn dist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist")
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A chromedriver of our own, ended with its owner.
struct Chromedriver(Child);

impl Chromedriver {
    fn start() -> Outcome<(Self, u16)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = std::env::var_os("VOLTCAST_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut command = Command::new(program);
        command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|e| {
            format!("chromedriver does not start ({e}); on Debian: apt-get install chromium chromium-driver")
        })?;
        Ok((Self(child), port))
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(port: u16, window: Window) -> Outcome<WebDriver> {
    let mut capabilities = DesiredCapabilities::chrome();
    for flag in FLAGS {
        capabilities.add_arg(flag)?;
    }
    capabilities.add_arg(&format!("--window-size={},{}", window.width, window.height))?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    if let Some(chrome) = std::env::var_os("VOLTCAST_CHROME").and_then(|path| path.into_string().ok()) {
        capabilities.set_binary(&chrome)?;
    }
    let started = Instant::now();
    loop {
        match WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities.clone()).await {
            Ok(driver) => return Ok(driver),
            // The driver may not listen yet.
            Err(error) if started.elapsed() > Duration::from_secs(30) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

impl Page {
    async fn prepare(&self, window: Window) -> Outcome {
        self.driver.set_script_timeout(PATIENCE).await?;
        let size = json!({ "width": window.width, "height": window.height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await?;
        let scheme = if window.dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", features).await
    }

    /// A command of the browser's own protocol.
    pub async fn cdp(&self, method: &str, parameters: Value) -> Outcome {
        self.driver.cdp().send_raw(method, parameters).await?;
        Ok(())
    }

    /// Loads the page anew at this fragment and waits until it is interactive.
    pub async fn open(&self, fragment: &str) -> Outcome {
        // A change of the fragment alone would not load the page again.
        self.driver.goto("about:blank").await?;
        self.driver.goto(format!("{}index.html{fragment}", self.address)).await?;
        self.until("the page to become interactive", "return typeof globalThis.voltcast === 'object'").await
    }

    /// Runs a script and answers with its value.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Outcome<Value> {
        Ok(self.driver.execute(script, Arc::from(arguments)).await?.json().clone())
    }

    /// Waits until a script answers `true`.
    pub async fn until(&self, what: &str, script: &str) -> Outcome {
        let started = Instant::now();
        while self.script(script, vec![]).await? != Value::Bool(true) {
            if started.elapsed() > PATIENCE {
                return Err(format!("waited {} s for {what}", PATIENCE.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Calls a command of the page's table; a refusal is an error with the page's own sentence.
    pub async fn call(&self, command: &str, arguments: Value) -> Outcome<Value> {
        const SCRIPT: &str = "const [command, args, done] = arguments; globalThis.voltcast.call(command, args).then(\
             (value) => done({ ok: value === undefined ? null : value }), (error) => done({ error: String(error) }));";
        let arguments = vec![Value::from(command), arguments];
        let mut answer = self.driver.execute_async(SCRIPT, Arc::from(arguments)).await?.json().clone();
        match answer.get("error") {
            Some(error) => Err(format!("voltcast.{command}: {error}").into()),
            None => Ok(answer["ok"].take()),
        }
    }

    /// `voltcast.state()`.
    pub async fn state(&self) -> Outcome<Value> {
        self.call("state", json!({})).await
    }

    /// The center in the window of the visible element with this role (or tag) whose name contains the words.
    pub async fn place_of(&self, role: &str, name: &str) -> Outcome<(i64, i64)> {
        const SCRIPT: &str = "const [role, name] = arguments;\
            const own = { button: 'button', menuitem: '[role=menuitem]', link: 'a[href]' }[role] ?? role;\
            const all = [...document.querySelectorAll(`${own}, [role=\"${role}\"]`)];\
            const text = (e) => `${e.getAttribute('aria-label') ?? ''} ${e.querySelector('title')?.textContent ?? ''} ${e.textContent}`;\
            const hit = all.find((e) => text(e).toLowerCase().includes(name.toLowerCase()) && e.getClientRects().length);\
            if (!hit) return null; hit.scrollIntoView({ block: 'nearest' });\
            const box = hit.getBoundingClientRect();\
            return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];";
        let place = self.script(SCRIPT, vec![Value::from(role), Value::from(name)]).await?;
        match (place[0].as_i64(), place[1].as_i64()) {
            (Some(x), Some(y)) => Ok((x, y)),
            _ => Err(format!("there is no visible {role} named {name:?}").into()),
        }
    }

    /// Presses a real mouse button (`left` or `right`) on that element.
    pub async fn click(&self, button: &str, role: &str, name: &str) -> Outcome {
        let (x, y) = self.place_of(role, name).await?;
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let pressed = if kind == "mouseMoved" { "none" } else { button };
            let event = json!({ "type": kind, "x": x, "y": y, "button": pressed, "clickCount": 1 });
            self.cdp("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Presses a real key: a letter, or a key by its name.
    pub async fn press(&self, key: &str) -> Outcome {
        let text = match key {
            "Enter" => "\r",
            one if one.chars().count() == 1 => one,
            _ => "",
        };
        self.cdp("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": key, "text": text })).await?;
        self.cdp("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key })).await
    }

    /// What is drawn: the pixels of every canvas and the markup of every picture of the stage, as one text.
    pub async fn picture(&self) -> Outcome<String> {
        // Two frames, so that what a command changed is painted.
        const SCRIPT: &str = "const done = arguments[0];\
            requestAnimationFrame(() => requestAnimationFrame(() => done([\
            ...[...document.querySelectorAll('canvas')].map((c) => c.toDataURL()),\
            ...[...document.querySelectorAll('[data-stage] svg, .stage svg')].map((s) => s.outerHTML)].join('\\n'))));";
        let picture = self.driver.execute_async(SCRIPT, Vec::new()).await?;
        picture.json().as_str().filter(|text| !text.is_empty()).map(str::to_string).ok_or("nothing is drawn".into())
    }

    /// Saves what the window shows as `target/shots/NAME.png`.
    pub async fn shot(&self, name: &str) -> Outcome {
        let folder = target().join("shots");
        std::fs::create_dir_all(&folder)?;
        Ok(self.driver.screenshot(&folder.join(format!("{name}.png"))).await?)
    }

    /// Errors on the console since the last call, uncaught exceptions and failed requests among them.
    pub async fn console_errors(&self) -> Outcome<Vec<String>> {
        let log = self.driver.browser_log().await?;
        Ok(log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect())
    }

    /// Fails if the console shows an error.
    pub async fn no_console_errors(&self) -> Outcome {
        let errors = self.console_errors().await?;
        if errors.is_empty() { Ok(()) } else { Err(format!("console: {}", errors.join("; ")).into()) }
    }
}

/// Fails with the sentence unless the condition holds.
pub fn ensure(condition: bool, sentence: impl Into<String>) -> Outcome {
    if condition { Ok(()) } else { Err(sentence.into().into()) }
}
