//! The rules of the house (docs/architecture.md) as tests that read the source: floors use only lower floors, the core
//! has no clock, no floats and no hash-map order, quorum arithmetic has one home, the page has no inline styles, files
//! stay short. Every rule is also shown a planted violation, so a rule that sees nothing cannot pass for a kept one.
//!
//! These rules read words, not types: they are a fence against accidents, not against intent.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A file of one floor may name the floors before its own.
const FLOORS: [&str; 8] = ["clmmsc", "ledger", "pbft", "entities", "sim", "lab", "scene", "page"];
/// The floors whose state must be the same on every machine.
const CORE: [&str; 5] = ["clmmsc", "ledger", "pbft", "entities", "sim"];
/// Lines in one source file.
const LONGEST_FILE: usize = 800;

/// A rule: source path and text in, the sentence for the first violation out.
type Rule = fn(&str, &str) -> Option<String>;

#[test]
fn floors_use_only_lower_floors() {
    check(upward_use, sources("src", "rs"));
    for (path, code) in [
        ("src/pbft/replica.rs", "use crate::sim::trace::Trace;"),
        ("src/pbft/replica.rs", "use crate::{ledger::Block, entities::Cp};"),
        ("src/ledger/block.rs", "fn f() -> crate :: pbft :: View { todo() }"),
        ("src/scene/mod.rs", "use super::page;"),
    ] {
        assert!(upward_use(path, code).is_some(), "not caught: {code}");
    }
    assert_eq!(
        upward_use("src/sim/world.rs", "use crate::{ledger::{scene, Block}, entities::Cp}; // crate::page"),
        None
    );
}

#[test]
fn only_the_page_knows_the_browser() {
    check(browser_crate, sources("src", "rs"));
    assert!(browser_crate("src/scene/mod.rs", "use web_sys::Window;").is_some());
    assert!(browser_crate("src/sim/world.rs", "fn f() { gloo_timers::sleep() }").is_some());
    assert_eq!(browser_crate("src/page/mod.rs", "use web_sys::Window;"), None);
    assert_eq!(browser_crate("src/scene/mod.rs", "// no web_sys here\nconst A: &str = \"yew\";"), None);
}

#[test]
fn the_core_has_no_floats_no_clock_and_no_hash_order() {
    check(nondeterminism, sources("src", "rs"));
    for code in ["let a: f64 = b;", "use std::collections::HashMap;", "Instant::now()", "let half = 0.5;", "1e3"] {
        assert!(nondeterminism("src/sim/world.rs", code).is_some(), "not caught: {code}");
    }
    assert_eq!(nondeterminism("src/sim/world.rs", "for i in 0..10 { pair.0.1 += 0x1e3 + '\\u{202e}'; } // f64"), None);
    assert_eq!(nondeterminism("src/scene/mod.rs", "let a: f32 = 0.5;"), None);
}

#[test]
fn quorum_arithmetic_has_one_home() {
    check(quorum_literal, sources("src", "rs"));
    for code in ["2 * f + 1", "self.f + 1", "(n - 1) / 3", "3*quorum.f() + 1", "n * 2 / 3", "let q = f() + 1;"] {
        assert!(quorum_literal("src/sim/world.rs", code).is_some(), "not caught: {code}");
    }
    assert_eq!(quorum_literal("src/pbft/quorum.rs", "2 * f + 1"), None);
    assert_eq!(quorum_literal("src/pbft/log.rs", "quorum.weak() + self.buff + 1 // f + 1"), None);
}

#[test]
fn the_page_has_no_inline_style_and_no_raw_html() {
    check(inline_style, sources("src", "rs"));
    check(inline_style, sources("www", "html").into_iter().chain(sources("www", "js")).collect());
    check(inline_html, vec![source(Path::new("index.html"))]);
    for code in ["html! { <p style=\"color: red\"></p> }", "<p style={css}>", "Html::from_html_unchecked(text)"] {
        assert!(inline_style("src/page/app.rs", code).is_some(), "not caught: {code}");
    }
    assert!(inline_style("src/page/app.rs", "element.set_attribute(\"style\", css)").is_some());
    assert_eq!(inline_style("src/page/app.rs", "let style = font_style=={x}; // style=\"\""), None);
    for page in ["<p style=\"a\">", "<script>go()</script>", "<style>p {}</style>", "<button onclick=\"go()\">"] {
        assert!(inline_html("index.html", page).is_some(), "not caught: {page}");
    }
    assert_eq!(inline_html("index.html", "<script src=\"boot.js\"></script><p class=\"style\">"), None);
}

#[test]
fn files_stay_short() {
    for (folder, ending) in [("src", "rs"), ("tests", "rs"), ("xtask", "rs"), ("www", "js")] {
        check(too_long, sources(folder, ending));
    }
    assert!(too_long("src/a.rs", &"x\n".repeat(LONGEST_FILE + 1)).is_some());
    assert_eq!(too_long("src/a.rs", &"x\n".repeat(LONGEST_FILE)), None);
}

/// Applies a rule to files and lists every violation.
fn check(rule: Rule, files: Vec<(String, String)>) {
    let violations: Vec<String> =
        files.iter().filter_map(|(path, text)| rule(path, text).map(|what| format!("{path}: {what}"))).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn source(path: &Path) -> (String, String) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a readable source file");
    (path.to_string_lossy().replace('\\', "/"), text)
}

/// All files below a folder of the project with this ending; there is at least one below `src`.
fn sources(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join(folder)];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == ending) {
                files.push(path.strip_prefix(root).expect("below the project").to_path_buf());
            }
        }
    }
    files.sort();
    assert!(folder != "src" || files.len() > 10, "the walk found no sources");
    files.iter().map(|path| source(path)).collect()
}

fn floor(path: &str) -> Option<usize> {
    let name = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    FLOORS.iter().position(|floor| *floor == name)
}

fn upward_use(path: &str, text: &str) -> Option<String> {
    let own = floor(path)?;
    let words = words(text);
    let higher = |word: &str| FLOORS.iter().position(|floor| *floor == word).is_some_and(|floor| floor > own);
    for (i, pair) in words.windows(3).enumerate() {
        if !matches!(pair[0].as_str(), "crate" | "super" | "voltcast") || pair[1] != "::" {
            continue;
        }
        let mut depth = 0;
        for (j, word) in words[i + 2..].iter().enumerate() {
            match word.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                word if depth <= 1 && higher(word) && matches!(words[i + 1 + j].as_str(), "::" | "{" | ",") => {
                    return Some(format!("floor `{}` names the higher floor `{word}`", FLOORS[own]));
                }
                _ => {}
            }
            // Outside braces only the first segment names a floor.
            if depth <= 0 {
                break;
            }
        }
    }
    None
}

fn browser_crate(path: &str, text: &str) -> Option<String> {
    let allowed = path.starts_with("src/page/") || path == "src/page.rs" || path == "src/main.rs";
    let browser = |word: &String| {
        matches!(word.as_str(), "yew" | "web_sys" | "js_sys" | "wasm_bindgen" | "wasm_bindgen_futures")
            || word == "gloo"
            || word.starts_with("gloo_")
    };
    words(text).into_iter().find(|word| !allowed && browser(word)).map(|word| format!("`{word}` belongs to src/page"))
}

fn nondeterminism(path: &str, text: &str) -> Option<String> {
    if !CORE.iter().any(|core| floor(path).is_some_and(|own| FLOORS[own] == *core)) {
        return None;
    }
    const DENIED: [&str; 6] = ["f32", "f64", "HashMap", "HashSet", "Instant", "SystemTime"];
    let words = words(text);
    let denied = words.iter().find(|word| DENIED.contains(&word.as_str()) || is_float(word));
    denied.map(|word| format!("`{word}`: state must be the same on every machine"))
}

/// A float literal, as [`words`] keeps it in one piece: `0.5`, `1e3`, `2f64`.
fn is_float(word: &str) -> bool {
    let decimal = word.starts_with(|c: char| c.is_ascii_digit()) && !word.starts_with("0x");
    decimal && (word.contains('.') || word.contains('e') && !word.contains("size") || word.contains('f'))
}

fn quorum_literal(path: &str, text: &str) -> Option<String> {
    floor(path).filter(|_| path != "src/pbft/quorum.rs")?;
    // `self.f` and `quorum.f()` count as f, `self.n` and `quorum.n()` as n.
    let mut plain: Vec<String> = Vec::new();
    let words = words(text);
    let mut i = 0;
    while i < words.len() {
        let is_path = matches!(words.get(i + 1).map(String::as_str), Some(".")) && is_name(&words[i]);
        if is_path && words.get(i + 2).is_some_and(|next| matches!(next.as_str(), "f" | "n")) {
            i += 2;
        }
        plain.push(words[i].clone());
        if matches!(words[i].as_str(), "f" | "n") && words.get(i + 1..i + 3).is_some_and(|call| call == ["(", ")"]) {
            i += 2;
        }
        i += 1;
    }
    const SHAPES: [[&str; 3]; 7] = [
        ["2", "*", "f"],
        ["3", "*", "f"],
        ["f", "*", "2"],
        ["f", "*", "3"],
        ["f", "+", "1"],
        ["2", "/", "3"],
        [")", "/", "3"],
    ];
    let found = plain.windows(3).find(|three| SHAPES.iter().any(|shape| three == shape) || *three == ["n", "/", "3"]);
    found.map(|three| format!("`{}`: arithmetic on n and f belongs to src/pbft/quorum.rs", three.join(" ")))
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn inline_style(_: &str, text: &str) -> Option<String> {
    let code = without_comments(text);
    let raw = ["from_html_unchecked", "set_attribute(\"style\"", "setAttribute(\"style\""];
    if let Some(word) = raw.iter().find(|word| code.contains(**word)) {
        return Some(format!("`{word}` is forbidden"));
    }
    has_attribute(&code, "style").then(|| "an inline style is ignored under the CSP".to_string())
}

fn inline_html(_: &str, text: &str) -> Option<String> {
    let scripts = text.split("<script").skip(1).any(|rest| !rest.split('>').next().unwrap_or("").contains("src="));
    let handlers = ["onclick", "onload", "onerror", "onchange", "oninput"].iter().any(|name| has_attribute(text, name));
    let inline = scripts || handlers || text.contains("<style") || has_attribute(text, "style");
    inline.then(|| "inline script or style: the CSP forbids it".to_string())
}

/// Whether ` name=` stands in the text, followed by a quote or a brace as an attribute is.
fn has_attribute(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}=")).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        before.is_none_or(char::is_whitespace) && matches!(after, Some('"' | '\'' | '{'))
    })
}

fn too_long(_: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LONGEST_FILE).then(|| format!("{lines} lines; {LONGEST_FILE} is the most"))
}

/// Rust or JavaScript without comments; strings stay.
fn without_comments(text: &str) -> String {
    pieces(text).into_iter().filter(|piece| !matches!(piece, Piece::Comment)).map(|piece| piece.text()).collect()
}

/// The words and signs of Rust code without comments and strings; numbers and `::` stay whole.
fn words(text: &str) -> Vec<String> {
    let code: String = pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Code(code) => code,
            _ => " ".to_string(),
        })
        .collect();
    let letters: Vec<char> = code.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut i = 0;
    while i < letters.len() {
        let start = i;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if is_word(letters[i]) {
            // `pair.0.1` is two fields, `0.5` one number, `0..5` a range.
            let field = words.last().is_some_and(|word| word == ".");
            while i < letters.len() {
                let point = letters[i] == '.' && letters[start].is_ascii_digit() && !field;
                let fraction = point && letters.get(i + 1).is_some_and(char::is_ascii_digit);
                if !is_word(letters[i]) && !fraction {
                    break;
                }
                i += 1;
            }
        } else {
            i += if letters[i..].starts_with(&[':', ':']) { 2 } else { 1 };
        }
        if !letters[start].is_whitespace() {
            words.push(letters[start..i].iter().collect());
        }
    }
    words
}

#[derive(Debug)]
enum Piece {
    Code(String),
    Text(String),
    Comment,
}

impl Piece {
    fn text(self) -> String {
        match self {
            Piece::Code(text) | Piece::Text(text) => text,
            Piece::Comment => String::new(),
        }
    }
}

/// Splits source into code, string and character literals, and comments.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, piece) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), Some(Piece::Comment))
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), Some(Piece::Comment))
        } else if let Some(length) = literal(rest) {
            (length, Some(Piece::Text(rest[..length].to_string())))
        } else {
            code.push(first);
            (first.len_utf8(), None)
        };
        if let Some(piece) = piece {
            pieces.push(Piece::Code(std::mem::take(&mut code)));
            pieces.push(piece);
        }
        rest = &rest[length..];
    }
    pieces.push(Piece::Code(code));
    pieces
}

/// Length of the string or character literal that starts here.
fn literal(rest: &str) -> Option<usize> {
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = hashes + 2;
            return Some(rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len()));
        }
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut inside = rest.char_indices().skip(1);
    let (mut count, mut escaped) = (0, false);
    while let Some((at, letter)) = inside.next() {
        match letter {
            '\\' => {
                escaped = true;
                inside.next();
            }
            _ if letter == quote => return Some(at + 1),
            // A lifetime has no closing quote after one letter.
            _ if quote == '\'' && count == 1 && !escaped => return None,
            _ => {}
        }
        count += 1;
    }
    (quote == '"').then_some(rest.len())
}
