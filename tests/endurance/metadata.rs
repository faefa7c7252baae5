//! Random metadata, of every kind of JSON value: what is read back is what was sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use charter_domain::progress::Progress;
use test_support::choices::Choices;
use test_support::client::Answer;
use test_support::service::{Persona, Service, Signer};
use test_support::services::TestDatabase;

/// Containers within containers, the metadata itself being the first (contract section 4).
const DEEPEST: usize = 5;
/// Members of one object of metadata.
const MEMBERS: usize = 50;
/// A little below what the metadata may take, for the text around the documents.
const ROOM: usize = 15 * 1024;

/// A document, and nothing that a parser could take it for.
enum Document {
    Null,
    Bool(bool),
    Number(Spelling),
    Text(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// A number as it is sent, and which one that is.
struct Spelling {
    text: String,
    value: f64,
}

const KEYS: [&str; 12] = [
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
    "$__toml_private_datetime",
    "__entity",
    "__extn",
    "__proto__",
    "$ref",
    "$type",
    "constructor",
    "a.b/c~d",
    "\u{feff}",
    " ",
];
const TEXTS: [&str; 8] = [
    "117.63331139400017",
    r#"{"a":[1]}"#,
    "null",
    "\\u0041\\",
    "\u{202e}\u{2028}\u{2029}",
    "2026-02-30T25:00:00Z",
    "🏳️‍🌈 e\u{301} ünï",
    "'; DROP TABLE organizations; --",
];
const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "-0.0",
    "1e0",
    "1E+2",
    "100e-2",
    "9007199254740991",
    "-9007199254740991.0",
    "4503599627370495.5",
    "117.63331139400017",
    "123456789.123456789",
    "0.1000000000000000055511151231257827021181583404541015625",
    "5e-324",
    "2.2250738585072011e-308",
    "1.7976931348623157e-300",
    "0.30000000000000004",
];

fn text(choices: &mut Choices) -> String {
    if choices.below(4) == 0 {
        return TEXTS[choices.below(TEXTS.len())].to_owned();
    }
    let length = choices.below(12);
    (0..length).map(|_| character(choices)).collect()
}

/// Any but U+0000, which the contract refuses; those that are escaped most often.
fn character(choices: &mut Choices) -> char {
    let number = match choices.below(5) {
        0 => 1 + choices.below(0x1f),
        1 => 0x20 + choices.below(0x60),
        2 => 0x80 + choices.below(0x780),
        3 => 0x800 + choices.below(0xd000),
        _ => 0x1_0000 + choices.below(0x10_0000),
    };
    let number = u32::try_from(number).expect("a small number");
    char::from_u32(number).unwrap_or('\u{fffd}')
}

fn key(choices: &mut Choices) -> String {
    if choices.below(3) == 0 {
        KEYS[choices.below(KEYS.len())].to_owned()
    } else {
        text(choices)
    }
}

fn number(choices: &mut Choices) -> Spelling {
    // Any bits at all, as long as the number is within the contract's limits.
    let bits = |choices: &mut Choices| {
        let high = choices.below(1 << 32) as u64;
        let low = choices.below(1 << 32) as u64;
        f64::from_bits(high << 32 | low)
    };
    let text = match choices.below(3) {
        0 => NUMBERS[choices.below(NUMBERS.len())].to_owned(),
        1 => {
            let sign = if choices.below(2) == 0 { "-" } else { "" };
            format!("{sign}{}", choices.below(1 << 53))
        }
        _ => {
            let mut value = bits(choices);
            while value.is_nan() || value.abs() > 9_007_199_254_740_991.0 {
                value = bits(choices);
            }
            if choices.below(2) == 0 {
                format!("{value:e}")
            } else {
                format!("{value}")
            }
        }
    };
    let value = text.parse().expect("a number");
    Spelling { text, value }
}

fn document(choices: &mut Choices, level: usize) -> Document {
    let kinds = if level > DEEPEST { 4 } else { 6 };
    match choices.below(kinds) {
        0 => Document::Null,
        1 => Document::Bool(choices.below(2) == 0),
        2 => Document::Number(number(choices)),
        3 => Document::Text(text(choices)),
        4 => {
            let length = choices.below(4);
            let items = (0..length).map(|_| document(choices, level + 1));
            Document::Array(items.collect())
        }
        _ => {
            let length = choices.below(4);
            let members = (0..length).map(|_| (key(choices), document(choices, level + 1)));
            Document::Object(members.collect())
        }
    }
}

/// A string as some client might write it.
fn send_text(choices: &mut Choices, text: &str, to: &mut String) {
    to.push('"');
    for character in text.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
        if must || choices.below(8) == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(to, "\\u{unit:04x}");
            }
        } else {
            to.push(character);
        }
    }
    to.push('"');
}

impl Document {
    /// As it is sent: spaces, escapes and numbers are the client's choice.
    fn send(&self, choices: &mut Choices, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => to.push_str(&number.text),
            Self::Text(text) => send_text(choices, text, to),
            Self::Array(items) => {
                to.push('[');
                for (at, item) in items.iter().enumerate() {
                    to.push_str(if at > 0 { " , " } else { "" });
                    item.send(choices, to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                to.push_str("{\n");
                // Not in the order in which they come back.
                for (at, (key, member)) in members.iter().rev().enumerate() {
                    to.push_str(if at > 0 { ",\t" } else { "" });
                    send_text(choices, key, to);
                    to.push_str(" : ");
                    member.send(choices, to);
                }
                to.push('}');
            }
        }
    }

    /// As it comes back: compact, keys in order, whole numbers as integers. A merge patch (RFC 7396)
    /// removes null members of objects that are not within an array.
    fn expect(&self, is_merged: bool, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Number(Spelling { value, .. }) => {
                if value.fract() == 0.0 {
                    let _ = write!(to, "{}", value + 0.0);
                } else {
                    to.push_str(&serde_json::to_string(value).expect("a number"));
                }
            }
            Self::Text(text) => to.push_str(&serde_json::to_string(text).expect("a string")),
            Self::Array(items) => {
                to.push('[');
                for (at, item) in items.iter().enumerate() {
                    to.push_str(if at > 0 { "," } else { "" });
                    item.expect(false, to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                to.push('{');
                let kept = members
                    .iter()
                    .filter(|(_, member)| !(is_merged && matches!(member, Self::Null)));
                for (at, (key, member)) in kept.enumerate() {
                    to.push_str(if at > 0 { "," } else { "" });
                    to.push_str(&serde_json::to_string(key).expect("a string"));
                    to.push(':');
                    member.expect(is_merged, to);
                }
                to.push('}');
            }
        }
    }
}

/// As many documents as one object of metadata takes.
fn full(choices: &mut Choices) -> BTreeMap<String, Document> {
    let mut members = BTreeMap::new();
    let mut room = ROOM;
    for _ in 0..MEMBERS {
        let document = document(choices, 2);
        let key = match key(choices) {
            key if key.is_empty() => "k".to_owned(),
            key => key,
        };
        let mut text = String::new();
        document.expect(false, &mut text);
        // Quotes, a colon and a comma; an escape takes six bytes.
        room = match room.checked_sub(text.len() + 6 * key.len() + 4) {
            Some(room) => room,
            None => break,
        };
        members.insert(key, document);
    }
    members
}

/// Something with metadata.
struct Place {
    target: String,
    /// The keys of what is there.
    keys: Vec<String>,
}

#[track_caller]
fn assert_shown(answer: Answer, sent: &str, expected: &str) {
    let text = String::from_utf8(answer.body).expect("text");
    assert!(
        [200, 201].contains(&answer.status) && text.contains(expected),
        "{sent}\nis {text}\nand not {expected}"
    );
}

/// Sends documents in the place of what is there, and reads them back from the answer and from a
/// GET; how many they were.
async fn replaced(editor: &Signer, place: &mut Place, choices: &mut Choices) -> usize {
    let mut documents = full(choices);
    let mut sent = r#"{"metadata":{"#.to_owned();
    if choices.below(2) == 0 {
        let clear = editor
            .ask("PATCH", &place.target)
            .body(r#"{"metadata":null}"#);
        assert_eq!(clear.await.status, 200);
    } else {
        // What has the same key would be merged.
        documents.retain(|key, _| !place.keys.contains(key));
        for key in &place.keys {
            send_text(choices, key, &mut sent);
            sent.push_str(":null,");
        }
    }
    let count = documents.len();
    place.keys = documents.keys().cloned().collect();
    let documents = Document::Object(documents);
    let mut new = String::new();
    documents.send(choices, &mut new);
    sent.push_str(new.trim_start_matches('{'));
    sent.push('}');
    if count == 0 {
        sent = r#"{"metadata":null}"#.to_owned();
    }
    let mut expected = r#""metadata":"#.to_owned();
    documents.expect(true, &mut expected);
    let patched = editor.ask("PATCH", &place.target).body(sent.clone()).await;
    assert_shown(patched, &sent, &expected);
    assert_shown(editor.get(&place.target).await, &sent, &expected);
    count
}

/// The same of something that is made with them.
async fn made(manager: &Signer, choices: &mut Choices) -> usize {
    let documents = full(choices);
    let count = documents.len();
    let documents = Document::Object(documents);
    let mut sent = r#"{"name":"made","metadata":"#.to_owned();
    documents.send(choices, &mut sent);
    sent.push('}');
    let mut expected = r#""metadata":"#.to_owned();
    documents.expect(false, &mut expected);
    let answer = manager.ask("POST", "/accounts").body(sent.clone()).await;
    let location = answer.header("location").unwrap_or_default().to_owned();
    assert_shown(answer, &sent, &expected);
    assert_shown(manager.get(&location).await, &sent, &expected);
    count
}

async fn documents_come_back(database: TestDatabase, seed: u64, at_least: usize) {
    let unlimited = "[budgets]\nwrites_per_hour = 1000000000\nstored_bytes_per_day = 1000000000000\n\
                     decision_log_bytes_per_hour = 1000000000000\n[decisions]\nallowed_per_second = 1\n";
    let service = Service::with(database, unlimited).await;
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let mut choices = Choices::new(seed);
    let place = |target: String| Place {
        target,
        keys: Vec::new(),
    };
    let mut places = [
        place("/organizations/info".to_owned()),
        place(format!("/accounts/{}", acme.account.id)),
        place(manager.path()),
    ];
    let mut documents = 0;
    while documents < at_least {
        for place in &mut places {
            documents += replaced(&manager, place, &mut choices).await;
        }
        documents += made(&manager, &mut choices).await;
        // Signed within the present, and each second has its share.
        service.clock.advance(1);
    }
    let report = service
        .store()
        .verify_audit(None, &Progress::default())
        .await;
    assert_eq!(report.expect("a report").findings, []);
    println!("{documents} documents came back");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_comes_back_on_sqlite() {
    Box::pin(documents_come_back(TestDatabase::sqlite(), 1, 600)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_comes_back_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(documents_come_back(database, 2, 600)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: half a million documents"]
async fn metadata_comes_back_in_full() {
    Box::pin(documents_come_back(TestDatabase::sqlite(), 3, 500_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: half a million documents"]
async fn metadata_comes_back_on_postgres_in_full() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(documents_come_back(database, 4, 500_000)).await;
    }
}
