//! From text to a checked scenario and back; an error names line, column and reason in one sentence.

use super::check::{self, Problem};
use super::{PRESETS, Scenario, generate};
use core::fmt;
use core::ops::Range;
use serde::de::DeserializeSeed;

/// Longest scenario file, in bytes.
pub const MAX_TEXT: usize = 1 << 20;
/// Longest sentence about an error, in characters: a parser may quote a whole file.
const MAX_SENTENCE: usize = 400;

/// Why a text is no scenario.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct ScenarioError {
    /// Line and column, both from 1, where a text was read.
    pub place: Option<(usize, usize)>,
    pub sentence: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.sentence),
            None => f.write_str(&self.sentence),
        }
    }
}

impl From<Problem> for ScenarioError {
    fn from(problem: Problem) -> Self {
        ScenarioError { place: None, sentence: sentence(&problem.sentence) }
    }
}

fn too_long() -> ScenarioError {
    ScenarioError { place: None, sentence: "a scenario file has at most 1 MiB".into() }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// Makes one line of what a parser says in several, in words of people instead of types and without anything that a
/// terminal would obey.
fn sentence(message: &str) -> String {
    let line = message.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
    let line = plain(&line);
    let Some((at, _)) = line.char_indices().nth(MAX_SENTENCE) else { return line };
    // What was expected stands at the end.
    let end = line.rfind(", expected ").filter(|end| *end > at && line.len() - *end < MAX_SENTENCE);
    format!("{}…{}", &line[..at], end.map_or("", |end| &line[end..]))
}

/// The text with control characters, and those that turn the direction of writing, made visible.
pub fn plain(text: &str) -> String {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if hidden(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Phrases of the parsers, and what a person would say.
const PHRASES: [(&str, &str); 13] = [
    (", expected i64", ", expected a whole number"),
    (", expected u8", ", expected a whole number from 0 to 255"),
    (", expected u16", ", expected a whole number from 0 to 65535"),
    (", expected u32", ", expected a whole number from 0 to 4294967295"),
    (", expected u64", ", expected a whole number from 0 to 18446744073709551615"),
    (", expected a boolean", ", expected true or false"),
    (", expected a string", ", expected a text in quotes"),
    (", expected a sequence", ", expected a list"),
    (" as i128", ""),
    (" as u128", ""),
    ("recursion limit", "tables or lists nest too deeply"),
    ("cannot recurse further; max recursion depth met", "tables or lists nest too deeply"),
    ("wanted exactly 1 element, more than 1 element", "only one thing can be named here, but there are more"),
];

fn said(message: &str) -> String {
    let mut said = sentence(message);
    for (theirs, ours) in PHRASES {
        let end = said.len().saturating_sub(theirs.len());
        if said.is_char_boundary(end) && &said[end..] == theirs || theirs.starts_with(" as ") && said.contains(theirs) {
            said = said.replace(theirs, ours);
        }
    }
    said
}

/// The key whose value begins at a place, if one does.
fn key_at(text: &str, at: usize) -> Option<String> {
    use toml::de::DeValue;
    fn find(key: &str, value: &toml::Spanned<DeValue<'_>>, at: usize) -> Option<String> {
        if value.span().start == at && !matches!(value.get_ref(), DeValue::Table(_)) {
            return Some(key.to_owned());
        }
        match value.get_ref() {
            DeValue::Table(table) => table.iter().find_map(|(key, value)| find(key.get_ref(), value, at)),
            DeValue::Array(items) => items.iter().find_map(|item| find(key, item, at)),
            _ => None,
        }
    }
    let root = toml::de::DeTable::parse(text).ok()?;
    root.get_ref().iter().find_map(|(key, value)| find(key.get_ref(), value, at))
}

fn parsed_badly(text: &str, error: &toml::de::Error) -> ScenarioError {
    let said = said(error.message());
    let key = error.span().and_then(|span| key_at(text, span.start)).map(|key| plain(&key));
    let named = |key: &String| key.len() <= MAX_SENTENCE && !said.contains(&format!("`{key}`"));
    ScenarioError {
        place: Some(error.span().map_or((1, 1), |span| place(text, span.start))),
        sentence: match key.filter(named) {
            Some(key) => format!("`{key}`: {said}"),
            None => said,
        },
    }
}

/// Where the value under `path` stands; the closest enclosing one if the key is absent (its default was out of bounds).
fn locate(text: &str, path: &[String]) -> Option<Range<usize>> {
    let root = toml::de::DeTable::parse(text).ok()?;
    let mut found = None;
    let mut value: Option<&toml::Spanned<toml::de::DeValue<'_>>> = None;
    for (depth, key) in path.iter().enumerate() {
        let table = match value.map(|v| v.get_ref()) {
            None if depth == 0 => Some(root.get_ref()),
            Some(toml::de::DeValue::Table(table)) => Some(table),
            _ => None,
        };
        let array = match value.map(|v| v.get_ref()) {
            Some(toml::de::DeValue::Array(array)) => Some(array),
            _ => None,
        };
        let next = match (table, array) {
            (Some(table), _) => table.get(key.as_str()),
            (_, Some(array)) => key.parse().ok().and_then(|index: usize| array.get(index)),
            _ => None,
        };
        let Some(next) = next else { break };
        found = Some(next.span());
        value = Some(next);
    }
    found
}

impl Scenario {
    /// Reads a file of either form.
    ///
    /// # Errors
    /// As [`Scenario::from_toml`], or where the bytes are no UTF-8.
    pub fn from_bytes(bytes: &[u8], json: bool) -> Result<Self, ScenarioError> {
        if bytes.len() > MAX_TEXT {
            return Err(too_long());
        }
        let text = core::str::from_utf8(bytes).map_err(|e| {
            let before = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
            let sentence = "a scenario is UTF-8 text, and this byte is none".into();
            ScenarioError { place: Some(place(&before, before.len())), sentence }
        })?;
        if json { Scenario::from_json(text) } else { Scenario::from_toml(text) }
    }

    /// Reads the TOML form.
    ///
    /// # Errors
    /// Line, column and a sentence for a syntax error, an unknown key or a value out of bounds.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        if text.len() > MAX_TEXT {
            return Err(too_long());
        }
        let scenario: Scenario = toml::from_str(text).map_err(|e| parsed_badly(text, &e))?;
        check::check(&scenario).map_err(|problem| ScenarioError {
            place: Some(locate(text, &problem.path).map_or((1, 1), |span| place(text, span.start))),
            sentence: sentence(&problem.sentence),
        })?;
        Ok(scenario)
    }

    /// Reads the JSON twin.
    ///
    /// # Errors
    /// As [`Scenario::from_toml`]; a value out of bounds is named without its place.
    pub fn from_json(text: &str) -> Result<Self, ScenarioError> {
        if text.len() > MAX_TEXT {
            return Err(too_long());
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let scenario = core::marker::PhantomData::<Scenario>
            .deserialize(&mut reader)
            .and_then(|scenario| reader.end().map(|()| scenario))
            .map_err(|e| ScenarioError { place: Some((e.line(), e.column())), sentence: said(&without_place(&e)) })?;
        scenario.checked()
    }

    /// A built-in scenario by its id.
    pub fn preset(id: &str) -> Result<Self, ScenarioError> {
        let Some(preset) = PRESETS.iter().find(|p| p.id == id) else {
            let known = PRESETS.iter().map(|p| p.id).collect::<Vec<_>>().join(", ");
            let sentence = format!("there is no scenario `{id}`; the built-in ones are {known}");
            return Err(ScenarioError { place: None, sentence });
        };
        Scenario::from_toml(preset.toml)
    }

    /// The scenario if it is within bounds.
    ///
    /// # Errors
    /// A sentence on the first bound that is not kept.
    pub fn checked(self) -> Result<Self, ScenarioError> {
        check::check(&self)?;
        Ok(self)
    }

    /// One sentence on why an action makes no sense here, if so.
    ///
    /// # Errors
    /// The sentence.
    pub fn allows(&self, action: &crate::sim::intervention::Action) -> Result<(), String> {
        check::action(self, action)
    }

    /// TOML with every default written out.
    pub fn explain(&self) -> String {
        // All of it is tables, numbers and strings, which TOML can always write.
        toml::to_string(&self.resolved()).unwrap_or_default()
    }

    /// The scenario with every value that stands for a derived one replaced by it, and a generated fleet listed.
    pub fn resolved(&self) -> Scenario {
        let mut all = self.clone();
        let g = &mut all.gateways;
        if g.batch_max == 0 {
            g.batch_max = u32::from(g.n).max(64);
        }
        if g.window == 0 {
            g.window = g.checkpoint.saturating_mul(2);
        }
        if g.pool_max == 0 {
            g.pool_max = g.batch_max.saturating_mul(64);
        }
        if g.relay_after.0 == 0 {
            g.relay_after.0 = g.t0.0 / 2;
        }
        all.fleet.ev.extend(generate::fleet(self));
        all.fleet.generate.clear();
        all
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&suffix).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(from: &str, to: &str) -> ScenarioError {
        let day4 = PRESETS[0].toml;
        assert!(day4.contains(from), "{from}");
        Scenario::from_toml(&day4.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn presets_load_and_their_two_forms_agree() {
        for preset in PRESETS {
            let scenario = Scenario::preset(preset.id).unwrap_or_else(|e| panic!("{}: {e}", preset.id));
            let explained = scenario.explain();
            let again = Scenario::from_toml(&explained).unwrap_or_else(|e| panic!("{}: {e}\n{explained}", preset.id));
            assert_eq!(again, scenario.resolved());
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(Scenario::from_json(&json).unwrap(), scenario);
            assert_eq!(again.explain(), explained, "explaining twice changes nothing");
        }
    }

    #[test]
    fn errors_name_line_column_and_reason() {
        let day4 = PRESETS[0].toml;
        let line = |needle: &str| day4.lines().position(|l| l.contains(needle)).unwrap() + 1;
        let e = broken("feeder_cap_w = 30000", "feeder_cap = 30000");
        assert_eq!(e.place, Some((line("feeder_cap_w"), 1)));
        assert!(e.sentence.contains("unknown field `feeder_cap`"), "{e}");
        let e = broken("n = 4 ", "n = 3 ");
        assert_eq!(e.place, Some((line("n = 4 "), 5)));
        assert_eq!(e.sentence, "`n` is 3, but must be from 4 to 128");
        let e = broken("pile = 4", "pile = 9");
        assert_eq!(e.place.unwrap().0, line("pile = 4"));
        assert_eq!(e.sentence, "there is no pile 9: piles are numbered from 1 to 4");
        let e = broken("t0 = \"600ms\"", "t0 = \"600\"");
        assert_eq!(e.place.unwrap().0, line("t0 ="));
        assert!(e.sentence.contains("expected a duration"), "{e}");
        let e = broken("seed = 7", "seed = = 7");
        assert_eq!(e.place.unwrap().0, line("seed = 7"));
        assert!(!e.to_string().contains('\n'));
    }

    const AGAIN: &str =
        "pile = 1, again = [{ soc = 1, target = 2, arrive = \"51min\", depart = \"52min\", pile = 2 }] }";

    #[test]
    fn a_later_stay_has_its_json_twin_and_its_bounds() {
        let with = |again: &str| PRESETS[0].toml.replacen("pile = 1 }", again, 1);
        let scenario = Scenario::from_toml(&with(AGAIN)).unwrap();
        assert_eq!(scenario.fleet.ev[0].again.len(), 1);
        assert_eq!(Scenario::from_json(&serde_json::to_string(&scenario).unwrap()).unwrap(), scenario);
        for (from, to, sentence) in [
            ("arrive = \"51min", "arrive = \"50.5min", "`arrive` is 3030s"),
            ("pile = 2 }]", "pile = 5 }]", "there is no pile 5"),
            ("soc = 1,", "soc = 1000001,", "`soc` is 1000001"),
            ("}] }", "}], sleeps = true }", "a car that sleeps stays once"),
        ] {
            let e = Scenario::from_toml(&with(&AGAIN.replacen(from, to, 1))).unwrap_err();
            assert!(e.sentence.contains(sentence), "{e}");
        }
    }

    #[test]
    fn limits_are_kept() {
        for (from, to) in [
            ("end = \"55min\"", "end = \"30h\""),
            ("areas = 2", "areas = 4"),
            ("kgc = 1", "kgc = 2"),
            ("[15000, 20000]", "[15000]"),
            ("depart = \"50min\", pile = 2", "depart = \"50min\", pile = 2, sleeps = true, v2g = true"),
            ("genesis_time = 1767592800", "genesis_time = 1767592801"),
            ("engine = \"1\"", "engine = \"0\""),
            ("ttl = 120", "ttl = 601"),
        ] {
            broken(from, to);
        }
        let e = Scenario::from_json("{ \"voltcast\": 1,\n \"name\": 5 }").unwrap_err();
        assert_eq!(e.place.unwrap().0, 2, "{e}");
        assert!(Scenario::preset("nope").unwrap_err().to_string().contains("day4"));
    }

    #[test]
    fn fewer_gateways_shrink_the_areas() {
        let scenario = Scenario::preset("thirty-one").unwrap().with_n(4).unwrap();
        assert_eq!(scenario.entities.areas, 3);
        assert_eq!(scenario.station.area_cap_w.len(), 3);
        assert!(Scenario::preset("day4").unwrap().with_n(3).is_err());
    }
}
