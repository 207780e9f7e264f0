//! The colours of `www/theme.css` against the contrast they promise (PAGE.md §3.4; WCAG 2.2, 1.4.3 and 1.4.11).
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

type Palette = BTreeMap<String, [u8; 3]>;

/// The custom properties of the light and of the dark theme.
fn themes() -> (Palette, Palette) {
    let css = include_str!("../www/theme.css");
    let (light, dark) = css.split_once(":root[data-theme=\"dark\"]").expect("a dark theme");
    let colors = |part: &str| -> Palette {
        let lines = part.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("six hex digits");
        lines.map(|(name, hex)| (name.to_string(), [byte(hex, 0), byte(hex, 2), byte(hex, 4)])).collect()
    };
    (colors(light), colors(dark))
}

fn luminance(color: [u8; 3]) -> f64 {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2])
}

fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

#[test]
fn the_formula_is_that_of_wcag() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
    assert!((contrast([0x77; 3], [255; 3]) - 4.48).abs() < 0.01);
}

#[test]
fn both_themes_name_the_same_colours() {
    let (light, dark) = themes();
    assert!(light.len() >= 14 && light.keys().eq(dark.keys()), "{:?} / {:?}", light.keys(), dark.keys());
}

#[test]
fn text_and_graphics_have_the_contrast_they_promise() {
    let (light, dark) = themes();
    for (theme, name) in [(light, "light"), (dark, "dark")] {
        for ground in ["page", "stage", "panel"] {
            let least = |color: &str, ratio: f64| {
                let found = contrast(theme[color], theme[ground]);
                assert!(found >= ratio, "{name}: {color} on {ground} has {found:.2}, needs {ratio}");
            };
            least("ink", 14.0);
            least("muted", 7.0);
            least("line", 3.0);
            least("focus", 3.0);
            // Hues are for graphics alone.
            ["cipher", "propose", "prepare", "commit", "view", "bad"].into_iter().for_each(|hue| least(hue, 3.0));
        }
    }
}
