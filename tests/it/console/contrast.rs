//! The tokens' colours can be told apart in both schemes (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;
use std::fs;

use test_support::repository;

/// Texts, and what they stand on: 4.5 to 1.
const TEXTS: [(&str, &[&str]); 9] = [
    (
        "text",
        &[
            "ground",
            "surface",
            "raised",
            "sunken",
            "accent-soft",
            "danger-soft",
            "success-soft",
            "warning-soft",
        ],
    ),
    (
        "muted",
        &[
            "ground",
            "surface",
            "raised",
            "sunken",
            "accent-soft",
            "danger-soft",
            "warning-soft",
        ],
    ),
    ("accent", &["ground", "surface", "raised", "accent-soft"]),
    (
        "danger",
        &["ground", "surface", "raised", "sunken", "danger-soft"],
    ),
    ("success", &["surface", "raised", "success-soft"]),
    ("warning", &["surface", "raised", "warning-soft"]),
    ("on-accent", &["accent", "accent-hover"]),
    ("on-danger", &["danger", "danger-hover"]),
    ("accent-hover", &["ground", "surface"]),
];

/// Edges of controls, and the focus: 3 to 1.
const EDGES: [(&str, &[&str]); 2] = [
    ("line-strong", &["ground", "surface", "raised"]),
    ("focus", &["ground", "surface", "raised", "sunken"]),
];

/// The colours of the light and of the dark scheme.
fn schemes() -> [BTreeMap<String, [u8; 3]>; 2] {
    let path = repository().join("console/shared/tokens.css");
    let css = fs::read_to_string(path).expect("the tokens");
    let (light, dark) = css
        .split_once("@media (prefers-color-scheme: dark)")
        .expect("two schemes");
    [light, dark].map(|scheme| scheme.lines().filter_map(colour).collect())
}

/// `--name: #rrggbb;`
fn colour(line: &str) -> Option<(String, [u8; 3])> {
    let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
    let value = u32::from_str_radix(value.trim_end_matches(';'), 16).expect("a colour");
    let [_, rgb @ ..] = value.to_be_bytes();
    Some((name.to_owned(), rgb))
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_can_be_told_apart_in_both_schemes() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
    let [light, dark] = schemes();
    assert!(
        light.keys().eq(dark.keys()),
        "each colour is in both schemes"
    );
    let mut low = Vec::new();
    for (scheme, colours) in [("light", light), ("dark", dark)] {
        let texts = TEXTS.iter().map(|pair| (pair, 4.5));
        for ((front, backs), least) in texts.chain(EDGES.iter().map(|pair| (pair, 3.0))) {
            for back in *backs {
                let found = contrast(colours[*front], colours[*back]);
                if found < least {
                    low.push(format!("{scheme}: {front} on {back} is {found:.2}"));
                }
            }
        }
    }
    assert!(low.is_empty(), "{low:#?}");
}
