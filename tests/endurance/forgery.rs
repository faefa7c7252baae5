//! Requests of which one signed element was changed after signing: none is accepted.

use std::collections::BTreeMap;

use test_support::choices::Choices;
use test_support::process::{Charter, Home};
use test_support::signed_client::{Answer, Client, Credentials, Protocol, Signed};
use tokio::task::JoinSet;

/// Changes one element; another's credentials are at hand.
type Change = fn(&mut Signed, &mut Choices, &Credentials);

/// What is changed, each in ways of its own.
const ELEMENTS: [(&str, Change); 9] = [
    ("method", change_method),
    ("path", change_path),
    ("query", change_query),
    ("date", change_date),
    ("nonce", change_nonce),
    ("body", change_body),
    ("hash", change_hash),
    ("signature", change_signature),
    ("key", change_key),
];

fn change_method(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    let others = [
        "GET", "PATCH", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "get", "TRACE",
    ];
    let others: Vec<_> = others
        .into_iter()
        .filter(|other| *other != signed.method)
        .collect();
    others[choices.below(others.len())].clone_into(&mut signed.method);
}

fn change_path(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    let (path, query) = match signed.target.split_once('?') {
        Some((path, query)) => (path.to_owned(), format!("?{query}")),
        None => (signed.target.clone(), String::new()),
    };
    let others = [
        "/accounts".to_owned(),
        "/service-accounts".to_owned(),
        "/organizations/info".to_owned(),
        format!("{path}/"),
        format!("/{path}"),
        path.to_uppercase(),
        path.replace('o', "%6f"),
        format!("{path}/../info"),
        format!("{path};a"),
    ];
    let others: Vec<_> = others.into_iter().filter(|other| *other != path).collect();
    signed.target = others[choices.below(others.len())].clone() + &query;
}

fn change_query(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    let others = [
        "?page=1",
        "?page=2",
        "?quantity=20",
        "?page=1&quantity=20",
        "?quantity=20&page=1",
        "?page=%31",
        "?order_by=name",
        "?include_inactive=true",
        "",
    ];
    let path = signed
        .target
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned();
    let others: Vec<_> = others
        .into_iter()
        .map(|query| format!("{path}{query}"))
        .filter(|other| *other != signed.target)
        .collect();
    signed
        .target
        .clone_from(&others[choices.below(others.len())]);
}

/// Still within the window: only the signature can tell.
fn change_date(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    let second = signed.date[17..19].parse::<usize>().expect("seconds");
    let other = match choices.below(3) {
        0 => format!("{:02}Z", (second + 1 + choices.below(58)) % 60),
        1 => format!("{second:02}.{}Z", choices.below(1_000_000_000)),
        _ => format!("{second:02}.0Z"),
    };
    signed.date.replace_range(17.., &other);
}

fn change_nonce(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    match choices.below(3) {
        0 => signed.nonce.push('0'),
        1 => drop(signed.nonce.pop()),
        _ => {
            let at = choices.below(signed.nonce.len());
            let other = if signed.nonce.as_bytes()[at] == b'x' {
                "y"
            } else {
                "x"
            };
            signed.nonce.replace_range(at..=at, other);
        }
    }
}

fn change_body(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    match choices.below(3) {
        0 => signed.body.push(' '),
        1 => r#"{"name":"another"}"#.clone_into(&mut signed.body),
        _ if signed.body.is_empty() => "{}".clone_into(&mut signed.body),
        _ => signed.body.clear(),
    }
}

fn change_hash(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    let at = choices.below(signed.content_sha256.len());
    let digit = signed.content_sha256.as_bytes()[at];
    let others: Vec<_> = "0123456789abcdefA"
        .chars()
        .filter(|c| *c != char::from(digit))
        .collect();
    let other = others[choices.below(others.len())].to_string();
    signed.content_sha256.replace_range(at..=at, &other);
}

/// One bit of the signature, or its spelling.
fn change_signature(signed: &mut Signed, choices: &mut Choices, _: &Credentials) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = choices.below(43);
    let digit = signed.signature.as_bytes()[at];
    let value = ALPHABET
        .iter()
        .position(|one| *one == digit)
        .expect("base64");
    let other = char::from(ALPHABET[value ^ (1 << choices.below(6))]).to_string();
    signed.signature.replace_range(at..=at, &other);
}

fn change_key(signed: &mut Signed, choices: &mut Choices, other: &Credentials) {
    match choices.below(3) {
        0 => signed.access_key.clone_from(&other.access_key),
        1 => signed.access_key.push('a'),
        _ => signed.access_key = signed.access_key.to_uppercase(),
    }
}

/// Which element was changed, and what the answer was.
type Tally = BTreeMap<(&'static str, u16), usize>;

fn original(credentials: &Credentials, choices: &mut Choices) -> Signed {
    match choices.below(4) {
        0 => credentials.sign("GET", "/organizations/info", ""),
        1 => credentials.sign("GET", "/accounts?page=1&quantity=20", ""),
        2 => credentials.sign("PATCH", "/organizations/info", r#"{"name":"forged"}"#),
        _ => credentials.sign("POST", "/accounts", r#"{"name":"forged"}"#),
    }
}

async fn forge(charter: &Charter, count: usize) -> Tally {
    const WORKERS: usize = 64;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let protocol = if worker % 2 == 0 {
            Protocol::Http1
        } else {
            Protocol::Http2
        };
        let mut client = Client::new(charter.main, protocol);
        let (manager, reader) = (charter.manager(), charter.reader());
        workers.spawn(async move {
            let mut tally = Tally::new();
            let mut choices = Choices::new(worker.try_into().expect("small"));
            for round in 0..count.div_ceil(WORKERS) {
                let mut signed = original(&manager, &mut choices);
                let honest = signed.clone();
                let (element, change) = ELEMENTS[(worker + round) % ELEMENTS.len()];
                change(&mut signed, &mut choices, &reader);
                assert_ne!(signed, honest, "{element} was not changed");
                // No answer at all is a refusal too: HTTP itself was broken.
                let answer = client.try_send(&signed).await;
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                assert!(
                    matches!(status, 0 | 400 | 401 | 404 | 405),
                    "{status} to a forged {element}: {signed:?}, honest {honest:?}"
                );
                *tally.entry((element, status)).or_default() += 1;
            }
            tally
        });
    }
    let mut total = Tally::new();
    while let Some(tally) = workers.join_next().await {
        for (kind, count) in tally.expect("a worker's end") {
            *total.entry(kind).or_default() += count;
        }
    }
    total
}

async fn no_forged_request_is_accepted(count: usize) {
    let home = Home::new();
    let charter = home.serve();
    let manager = charter.manager();
    let mut client = Client::http1(charter.main);
    let list = |answer: Answer| answer.json()["total"].clone();
    let before = list(client.send(&manager.sign("GET", "/accounts", "")).await);
    let tally = forge(&charter, count).await;
    for ((element, status), count) in &tally {
        println!("{element}: {status} {count} times");
    }
    let sent = tally.values().sum::<usize>();
    println!("{sent} requests, none accepted");
    assert!(sent >= count);
    for (element, _) in ELEMENTS {
        let signatures = tally.get(&(element, 401)).copied().unwrap_or_default();
        assert!(signatures > 0, "no {element} got as far as authentication");
    }
    // The idle connection may have been closed meanwhile.
    let mut client = Client::http1(charter.main);
    let after = list(client.send(&manager.sign("GET", "/accounts", "")).await);
    assert_eq!(before, after);
    let info = client
        .send(&manager.sign("GET", "/organizations/info", ""))
        .await;
    assert_eq!(info.json()["name"], "Acme Corporation");
    charter.stop();
    assert!(!home.log().contains(r#""level":"ERROR""#), "{}", home.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_one_element_changed_is_never_accepted() {
    no_forged_request_is_accepted(3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long"]
async fn a_request_with_one_element_changed_is_never_accepted_in_full() {
    no_forged_request_is_accepted(100_000).await;
}
