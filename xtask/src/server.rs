//! A small static file server for `dist/` on the loopback address, used by `cargo xtask serve` and, as the same file,
//! by the end-to-end tests. GET and HEAD only (and POST for measurements that a page sends back), one request per
//! connection, nothing outside the folder, no cache, so that a new build is seen at once. It is a tool for one's own
//! machine and must never listen elsewhere.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a request that are read, body included.
const LONGEST_REQUEST: u64 = 1 << 20;

/// Listens on this port of 127.0.0.1 (0: any free one).
pub fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Listens on the first free port of the twenty from `port` on.
#[allow(dead_code)] // the end-to-end tests always take any free port
pub fn bind_near(port: u16) -> io::Result<TcpListener> {
    let mut result = bind(port);
    for next in 1..20 {
        if result.is_ok() {
            break;
        }
        result = bind(port.saturating_add(next));
    }
    result
}

/// Takes the path and the body of what a page POSTs, and answers with a text.
pub type Taker = Arc<dyn Fn(&str, Vec<u8>) -> String + Send + Sync>;

/// Answers requests from the files in `folder` until the program ends. A failed connection concerns only itself.
pub fn serve(listener: TcpListener, folder: &Path) {
    serve_and_take(listener, folder, None);
}

/// The same, and hands on what pages POST; without somebody to take it POST is refused.
pub fn serve_and_take(listener: TcpListener, folder: &Path, taker: Option<Taker>) {
    for stream in listener.incoming().flatten() {
        let (folder, taker) = (folder.to_path_buf(), taker.clone());
        std::thread::spawn(move || {
            let _ = answer(&stream, &folder, taker);
        });
    }
}

fn answer(mut stream: &TcpStream, folder: &Path, taker: Option<Taker>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let (mut header, mut sent) = (String::new(), 0);
    while lines.read_line(&mut header)? > 2 {
        let field = header.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        sent = field.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(sent);
        header.clear();
    }
    let mut words = first.split_ascii_whitespace();
    let (method, address) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, kind, body) = match (method, file(folder, address)) {
        ("GET" | "HEAD", Some(path)) => match std::fs::read(&path) {
            Ok(body) => ("200 OK", media_type(&path), body),
            Err(_) => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
        },
        ("GET" | "HEAD", None) => ("404 Not Found", "text/plain", b"not found\n".to_vec()),
        ("POST", _) => match taker {
            Some(taker) => {
                let mut body = Vec::new();
                lines.take(sent).read_to_end(&mut body)?;
                ("200 OK", "text/plain", taker(address, body).into_bytes())
            }
            None => not_allowed(),
        },
        _ => not_allowed(),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn not_allowed() -> (&'static str, &'static str, Vec<u8>) {
    ("405 Method Not Allowed", "text/plain", b"GET only\n".to_vec())
}

/// The file an address names; `None` for one that would leave the folder. A folder means its index.html.
fn file(folder: &Path, address: &str) -> Option<PathBuf> {
    let path = address.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(path);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let file = folder.join(path);
    inside.then(|| if file.is_dir() { file.join("index.html") } else { file })
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|end| end.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "webmanifest") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "ftl") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn get(request: &str) -> io::Result<String> {
        // Tests run side by side: each request has a folder of its own.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("voltcast-server-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join("sub"))?;
        std::fs::write(folder.join("index.html"), "<p>start</p>")?;
        std::fs::write(folder.join("sub/a.wasm"), "wasm")?;
        let listener = bind(0)?;
        let address = listener.local_addr()?;
        let served = folder.clone();
        std::thread::spawn(move || serve(listener, &served));
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "{request}\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        std::fs::remove_dir_all(folder)?;
        Ok(text)
    }

    #[test]
    fn files_come_with_their_type() -> io::Result<()> {
        let page = get("GET /?q=1 HTTP/1.1")?;
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("text/html") && page.ends_with("<p>start</p>"),
            "{page}"
        );
        let wasm = get("GET /sub/a.wasm HTTP/1.1")?;
        assert!(wasm.contains("Content-Type: application/wasm") && wasm.ends_with("\r\n\r\nwasm"), "{wasm}");
        let head = get("HEAD / HTTP/1.1")?;
        assert!(head.contains("Content-Length: 12") && head.ends_with("\r\n\r\n"), "{head}");
        Ok(())
    }

    #[test]
    fn nothing_outside_the_folder_is_served() -> io::Result<()> {
        for address in ["/../Cargo.toml", "//etc/passwd", "/sub/../../x", "nothing", "/missing"] {
            let text = get(&format!("GET {address} HTTP/1.1"))?;
            assert!(text.starts_with("HTTP/1.1 404"), "{address}: {text}");
        }
        assert!(get("POST / HTTP/1.1")?.starts_with("HTTP/1.1 405"));
        Ok(())
    }

    #[test]
    fn what_a_page_posts_is_taken_and_answered() -> io::Result<()> {
        let listener = bind(0)?;
        let mut stream = TcpStream::connect(listener.local_addr()?)?;
        let taker = Arc::new(|path: &str, body: Vec<u8>| format!("{path}: {}", body.len()));
        std::thread::spawn(move || serve_and_take(listener, &std::env::temp_dir(), Some(taker)));
        write!(stream, "POST /result HTTP/1.1\r\ncontent-length: 4\r\n\r\nfour")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("\r\n\r\n/result: 4"), "{text}");
        Ok(())
    }
}
