//! Bad files and arguments: the program ends at once with code 2 and one sentence that names the place or key and the reason.

#![cfg(not(target_arch = "wasm32"))]

use std::process::{Command, Output};

const DAY4: &str = include_str!("../src/sim/presets/day4.toml");

fn voltcast(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_voltcast")).args(args).output().unwrap()
}

/// What the program says when it refuses.
fn refused(args: &[&str]) -> String {
    let output = voltcast(args);
    let said = String::from_utf8(output.stderr).unwrap();
    let shown: Vec<String> = args.iter().map(|arg| arg.chars().take(80).collect()).collect();
    assert_eq!(output.status.code(), Some(2), "{shown:?}: {said}");
    assert!(output.stdout.is_empty(), "{shown:?} prints something");
    let sentence = said.strip_prefix("voltcast: ").and_then(|rest| rest.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("{shown:?}: {said}"));
    assert!(!sentence.contains(|c: char| c.is_control()), "{shown:?}: {sentence:?}");
    assert!(sentence.chars().count() < 1_200, "{shown:?}: {} characters", sentence.chars().count());
    sentence.to_owned()
}

fn with(from: &str, to: &str) -> Vec<u8> {
    assert!(DAY4.contains(from), "{from}");
    DAY4.replacen(from, to, 1).into_bytes()
}

fn and(more: &str) -> Vec<u8> {
    format!("{DAY4}\n{more}\n").into_bytes()
}

fn alone(workload: &str) -> Vec<u8> {
    let head = "voltcast = 1\nname = \"alone\"\nbootstrap = \"given\"\n[entities]\nev = 0\n[workload]\n";
    format!("{head}{workload}\n").into_bytes()
}

fn line_of(needle: &str) -> String {
    format!("line {}, ", DAY4.lines().position(|l| l.contains(needle)).unwrap() + 1)
}

/// Name, bytes, and what the sentence must hold.
fn files() -> Vec<(&'static str, Vec<u8>, Vec<String>)> {
    let nested = format!("voltcast = 1\nname = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("voltcast = 1\n{} = 1\n", vec!["a"; 100_000].join("."));
    let json = format!("{{\"voltcast\":1,\"name\":\"x\",\"behaviour\":{}", "[".repeat(100_000));
    let depth = format!("{{ not = {} }}", (0..30).fold("\"always\"".to_owned(), |t, _| format!("{{ not = {t} }}")));
    let mut not_text = with("name = \"Four", "name = \"Fo\u{1}ur");
    not_text.iter_mut().filter(|b| **b == 1).for_each(|b| *b = 0xff);
    let cars = "  { capacity_wh = 60000, soc = 1, target = 2, max_power_w = 11000, arrive = \"2s\", depart = \"3s\", pile = 1 },\n";
    let many_cars = format!("{}[fleet]\nev = [\n{}]\n", &DAY4[..DAY4.find("[fleet]").unwrap()], cars.repeat(9_000));
    let says = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let at = |needle: &str, parts: &[&str]| [vec![line_of(needle)], says(parts)].concat();
    vec![
        ("not UTF-8", not_text, at("name =", &["UTF-8"])),
        ("empty", vec![], says(&["missing field `voltcast`"])),
        ("zeros", vec![0; 1_000], says(&["line 1"])),
        ("cut", DAY4.as_bytes()[..DAY4.find("latency =").unwrap() + 10].to_vec(), at("latency =", &[])),
        ("too long", format!("#{}", "x".repeat(1 << 20)).into_bytes(), says(&["1 MiB"])),
        ("unknown key", with("rating_w =", "rating_kw ="), at("rating_w =", &["`rating_kw`"])),
        ("key twice", with("cp = 4", "cp = 4\ncp = 5"), says(&["duplicate key"])),
        ("control", with("cp = 4", "\"\\u001b[2J\" = 4"), at("cp = 4", &["unknown field"])),
        (
            "long text",
            with("seed = 7", &format!("seed = \"{}\"", "9".repeat(500_000))),
            at("seed = 7", &["whole number"]),
        ),
        (
            "huge",
            with("feeder_cap_w = 30000", "feeder_cap_w = 99999999999999999999999999"),
            at("feeder_cap_w", &["`feeder_cap_w`"]),
        ),
        (
            "negative",
            with("rating_w = 22000", "rating_w = -1"),
            at("rating_w", &["`rating_w`", "from 0 to 4294967295"]),
        ),
        ("NaN", with("rating_w = 22000", "rating_w = nan"), at("rating_w", &["`rating_w`", "NaN"])),
        ("date", with("seed = 7", "seed = 2026-01-05"), at("seed = 7", &["whole number"])),
        ("no gateways", with("n = 4 ", "n = 0 "), at("n = 4 ", &["`n` is 0"])),
        ("a million cars", with("ev = 4\n", "ev = 1000000\n"), at("ev = 4", &["`ev`", "65535"])),
        ("too many cars", many_cars.into_bytes(), at("[fleet]", &["9000 cars"])),
        ("no cap", with("[15000, 20000]", "[0, 20000]"), at("area_cap_w", &["entry 1 of `area_cap_w` is 0"])),
        ("no pile", with("pile = 4", "pile = 0"), at("pile = 4", &["no pile 0"])),
        (
            "leaves before",
            with("arrive = \"2s\"", "arrive = \"51min\""),
            at("arrive = \"2s\"", &["`depart` is 50min", "arrives at 51min"]),
        ),
        ("late end", with("end = \"55min\"", "end = \"999999999999h\""), at("end =", &["`end`"])),
        (
            "no time",
            with("depart = \"50min\"", "depart = \"18446744073709551615us\""),
            at("pile = 1", &["`depart`", "duration"]),
        ),
        (
            "genesis",
            with("genesis_time = 1767592800", "genesis_time = 9223372036854775807"),
            at("genesis_time", &["4000000000"]),
        ),
        ("version", with("voltcast = 1", "voltcast = 2"), at("voltcast = 1", &["`voltcast` is 2", "version 1"])),
        ("latency", with("[\"8ms\", \"30ms\"]", "[\"30ms\", \"8ms\"]"), at("latency", &["30ms is more than 8ms"])),
        ("half", with("loss = \"0/100\"", "loss = 0.5"), at("loss", &["`loss`"])),
        ("no prices", with("[[0, 31500, 8000]]", "[]"), at("tariff", &["1 to 8 periods"])),
        ("prices", with("[[0, 31500, 8000]]", "[[0, 1, 1], [9, 1, 1], [3, 1, 1]]"), at("tariff", &["ascend"])),
        ("deep", nested.into_bytes(), says(&["line 2", "nest too deeply"])),
        ("dotted", dotted.into_bytes(), says(&["nest too deeply"])),
        (
            "conditions",
            and(&format!("[[behaviour]]\nnode = \"css1\"\nkind = \"silent\"\nwhen = {depth}")),
            says(&["nest"]),
        ),
        ("behaviour", and("[[behaviour]]\nnode = \"css1\"\nkind = \"nice\""), says(&["`nice`"])),
        ("wrong actor", and("[[behaviour]]\nnode = \"ev1\"\nkind = \"bad_time\""), says(&["`bad_time`", "CSS", "ev1"])),
        ("no actor", and("[[fault]]\nat = \"1s\"\ndo = { crash = \"css9\" }"), says(&["no css9"])),
        ("no sender", and("[[fault]]\nat = \"1s\"\ndo = { block = { from = \"css9\" } }"), says(&["no css9"])),
        ("no range", and("[[fault]]\nat = \"1s\"\ndo = { block = { to = \"cp3..5\" } }"), says(&["no cp5"])),
        (
            "two things",
            and("[[fault]]\nat = \"1s\"\ndo = { crash = \"css1\", pause = \"css2\" }"),
            says(&["only one thing"]),
        ),
        ("late fault", and("[[fault]]\nat = \"999999h\"\ndo = { crash = \"css1\" }"), says(&["`at` is"])),
        ("late deed", and("[[intervention]]\nat = \"999999h\"\ndo = { crash = \"css1\" }"), says(&["`at` is"])),
        ("deed", and("[[intervention]]\nat = \"1s\"\ndo = { complain = \"css1\" }"), says(&["only cars complain"])),
        (
            "never",
            and("[[intervention]]\nat = \"e99999999\"\ndo = { crash = \"css1\" }"),
            says(&["the run ends before `e99999999~crash~css1`"]),
        ),
        ("order", and("[[order]]\nat = \"1s\"\nby = \"ev1\"\ndo = { stop = { pile = 1 } }"), says(&["no CSC `ev1`"])),
        ("faults", and(&"[[fault]]\nat = \"1s\"\ndo = { pause = \"css1\" }\n".repeat(300)), says(&["at most 256"])),
        ("stub", with("n = 4 ", "crypto = \"stub\"\nn = 4 "), says(&["stub signatures need"])),
        ("receivers", alone("kind = \"steady\"\nreceivers = [9, 1]"), says(&["line 8", "`receivers`"])),
        (
            "burst",
            alone("kind = \"burst\"\ncount = 100000\nreceivers = [64, 64]"),
            says(&["line 8", "100000 ciphertexts"]),
        ),
        (
            "list",
            alone(&format!("kind = \"list\"\nreceivers = [64, 64]\nat = [{}]", "\"1s\",".repeat(99_000))),
            says(&["99000 ciphertexts"]),
        ),
        (
            "twin.json",
            b"{\n\"voltcast\": 1, \"name\": \"x\",\n\"gateways\": {\"n\": \"four\"}}".to_vec(),
            says(&["line 3", "\"four\"", "from 0 to 65535"]),
        ),
        ("bound.json", b"{\"voltcast\": 1, \"name\": \"x\", \"gateways\": {\"n\": 3}}".to_vec(), says(&["`n` is 3"])),
        ("toml.json", DAY4.as_bytes().to_vec(), says(&["line 1, column 1"])),
        ("after.json", b"{\"voltcast\": 1, \"name\": \"x\"} {}".to_vec(), says(&["trailing characters"])),
        (
            "twice.json",
            b"{\"voltcast\": 1, \"name\": \"x\", \"name\": \"y\"}".to_vec(),
            says(&["duplicate field `name`"]),
        ),
        ("deep.json", json.into_bytes(), says(&["line 1"])),
        ("json as toml", b"{\"voltcast\": 1}".to_vec(), says(&["line 1"])),
    ]
}

#[test]
fn bad_files_are_refused_with_place_and_reason() {
    let folder = std::env::temp_dir().join(format!("voltcast-bad-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes, parts) in files() {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        let path = file.to_str().unwrap();
        let sentence = refused(&["run", "--scenario", path]);
        for part in &parts {
            assert!(sentence.contains(part), "{name}: `{part}` is not in: {sentence}");
        }
        assert_eq!(refused(&["audit", "--scenario", path]), sentence);
    }
    let sentence = refused(&["run", "--scenario", folder.to_str().unwrap()]);
    assert!(sentence.contains("cannot be read"), "{sentence}");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(refused(&["run", "--scenario", folder.to_str().unwrap()]).contains("no built-in scenario"));
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_not_read_to_its_end() {
    assert!(refused(&["run", "--scenario", "/dev/zero"]).contains("1 MiB"));
}

#[test]
fn bad_links_are_refused_with_a_reason() {
    let long = "x".repeat(9_000);
    let many = format!("#/run/day4?{}", "do=1s~pause~css1&".repeat(300));
    for (link, part) in [
        ("", "`#/run/`"),
        ("#/run/nope", "no scenario `nope`"),
        ("#/run/%1b", "scenario name"),
        ("#/run/day4?seed=-1", "seed must be"),
        ("#/run/day4?seed=1&seed=2", "`seed` stands twice"),
        ("#/run/day4?n=0", "from 4 to 128"),
        ("#/run/day4?at=1e99s", "at must be"),
        ("#/run/day4?d=zz", "hex digits"),
        ("#/run/day4?do=%00", "intervention"),
        ("#/run/day4?do=%ff", "%-escape"),
        ("#/run/day4?do=1s~crash~css9", "no css9"),
        ("#/run/day4?do=1s~behave~ev1~bad_time", "behaviour of a CSS"),
        ("#/run/day4?do=99999h~crash~css1", "no run is longer"),
        ("#/run/day4?do=56min~crash~css1", "the run ends before"),
        (&many, "more than 256"),
        (&long, "longer than 8192"),
    ] {
        for command in ["run", "audit"] {
            let sentence = refused(&[command, "--link", link]);
            assert!(sentence.contains(part), "{link}: {sentence}");
        }
    }
}

#[test]
fn bad_deeds_are_refused_with_a_reason() {
    let deep = format!("{{\"at\":\"1s\",\"do\":{}", "{\"link\":".repeat(10_000));
    for (deed, part) in [
        ("", "expected a moment"),
        ("1s", "expected a moment"),
        ("soon~crash~css1", "`soon` is no moment"),
        ("-1s~crash~css1", "`-1s` is no moment"),
        ("1s~explode~css1", "expected a moment"),
        ("1s~crash~css0", "`css0` is no actor"),
        ("1s~crash~css1\u{1b}[31m", "is no actor"),
        ("1s~crash~css9", "no css9"),
        ("1s~crash~eve", "no eve"),
        ("1s~behave~css1~nice", "no behaviour `nice`"),
        ("1s~behave~cp1~csc_over_cap", "a behaviour of a CSC"),
        ("1s~complain~css1", "only cars complain"),
        ("1s~open_ticket~ev1", "only the KGC"),
        ("1s~torn_step~css1~99999999999", "no whole number in range"),
        ("1s~slow~css1~0", "from 1 to 1000"),
        ("1s~skew~css1~-999h", "at most 1h"),
        ("1s~flip~e1~0~8", "from 0 to 7"),
        ("999999h~crash~css1", "no run is longer"),
        ("e999999999~crash~css1", "the run ends before"),
        ("{\"at\":\"1s\"", "EOF"),
        ("{\"at\":\"1s\",\"do\":{\"link\":{\"block\":{\"from\":\"css9\"}}}}", "no css9"),
        ("{\"at\":\"1s\",\"do\":{\"link\":{\"delay\":{\"by\":\"9999h\"}}}}", "at most 1h"),
        (&deep, "unknown variant"),
    ] {
        let sentence = refused(&["run", "--scenario", "day4", "--do", deed]);
        assert!(sentence.contains(part), "{deed}: {sentence}");
    }
    // What cannot be done at its moment is said, but the run is as it is.
    let output = voltcast(&["run", "--scenario", "day4", "--quiet", "--do", "1s~drop~e99999"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("without effect"));
}

#[test]
fn bad_arguments_are_refused_with_a_reason() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "a command is missing"),
        (&["fly"], "no command `fly`"),
        (&["run"], "--scenario"),
        (&["audit"], "--scenario"),
        (&["run", "--scenario"], "needs a value"),
        (&["run", "--scenario", ""], "no built-in scenario"),
        (&["run", "--scenario", "day4", "--scenario", "day4"], "given twice"),
        (&["run", "--scenario", "day4", "--link", "#/run/day4"], "not both"),
        (&["run", "--scenario", "day4", "--seed", "1e9"], "`--seed`"),
        (&["run", "--scenario", "day4", "--n", "3"], "from 4 to 128"),
        (&["run", "--scenario", "day4", "--fast"], "no argument `--fast`"),
        (&["run", "--scenario", "swarm:-1"], "`swarm:`"),
        (&["audit", "--scenario", "day4", "--quiet"], "`audit` takes neither"),
        (&["scenario", "nope"], "no built-in scenario"),
        (&["scenarios", "now"], "`now`"),
        (&["diagram", "--scenario", "day4", "--slot", "-1"], "`--slot`"),
        (&["seeds", "--from", "1", "--count", "0"], "`--count K`"),
        (&["seeds", "--from", "18446744073709551615", "--count", "5"], "no 5 seeds"),
        (&["vectors", "check", "/nowhere"], "/nowhere"),
    ];
    for (args, part) in cases {
        let sentence = refused(args);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
}
