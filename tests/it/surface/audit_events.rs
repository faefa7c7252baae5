//! `GET /audit-events`: a list for people, a feed for programs.

use charter_domain::permission::Permission;
use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, Signer, TeamRole, everything_but, members};

use super::cursors::{all_pages, next, page, results};

const EVENTS: &str = "/audit-events";

on_both_services!(
    an_event_says_who_changed_what,
    filters_select_events,
    pages_have_every_event_once,
    a_feed_goes_on_where_it_ended,
    a_feed_misses_nothing_while_others_write,
    a_page_looks_through_a_bounded_number_of_events,
    a_cursor_is_good_for_its_list_alone,
    foreign_events_are_not_listed,
    listing_takes_its_permission_and_nothing_else,
    a_query_is_taken_literally,
);

fn sequences(events: &[Value]) -> Vec<i64> {
    let sequence = |event: &Value| event["sequence"].as_i64().expect("a number");
    events.iter().map(sequence).collect()
}

async fn make_accounts(manager: &Signer, names: impl IntoIterator<Item = String>) {
    for name in names {
        let made = manager.post("/accounts", json!({"name": name})).await;
        made.created();
    }
}

async fn an_event_says_who_changed_what(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let made = manager
        .post("/accounts", json!({"name": "Staging"}))
        .header("x-request-id", "r-1")
        .await
        .created();
    service.clock.advance(1);
    let path = format!("/accounts/{}", made["id"].as_str().expect("an id"));
    manager.patch(&path, json!({"name": "Live"})).await.ok();
    let member = acme.person(TeamRole::Member).await;
    for request in [manager.get(EVENTS), member.get(EVENTS)] {
        let answer = request.await.ok();
        assert_eq!(
            members(answer.as_object().expect("an object")),
            ["next_cursor", "results"]
        );
        assert_eq!(answer["next_cursor"], json!(null));
        let events = results(&answer);
        let newest = events
            .iter()
            .find(|event| event["action"] == "accounts:UpdateAccount")
            .expect("the change");
        let digest = newest["policy_digest"].as_str().expect("a digest");
        assert_eq!(digest.len(), 64);
        assert_eq!(newest["object"], made["id"]);
        assert_eq!(newest["actor"], json!(manager.id));
        assert_eq!(newest["at"], "2025-09-30T12:00:01Z");
        assert_eq!(newest["changes"]["before"]["name"], "Staging");
        assert_eq!(newest["changes"]["after"]["name"], "Live");
        let creation = events
            .iter()
            .find(|event| {
                event["action"] == "accounts:CreateAccount" && event["request_id"] == "r-1"
            })
            .expect("the creation");
        assert_eq!(
            members(creation.as_object().expect("an event")),
            [
                "action",
                "actor",
                "at",
                "changes",
                "object",
                "policy_digest",
                "request_id",
                "sequence"
            ]
        );
        let numbers = sequences(&events);
        let mut expected: Vec<i64> = (1..).take(numbers.len()).collect();
        expected.reverse();
        assert_eq!(numbers, expected);
        // An operator made the first ones.
        assert_eq!(events.last().expect("the first")["actor"], "operator");
        assert_eq!(events.last().expect("the first")["request_id"], json!(null));
    }
}

async fn filters_select_events(service: &Service) {
    let acme = service.organization("acme").await;
    let (one, other) = (acme.manager().await, acme.manager().await);
    service.clock.advance(100);
    make_accounts(&one, ["a".to_owned()]).await;
    service.clock.advance(100);
    make_accounts(&other, ["b".to_owned()]).await;
    let name = json!({"name": "x"});
    one.patch("/organizations/info", name).await.ok();
    let at = |seconds: i64| service.clock.in_seconds(seconds);
    let organization = acme.organization.id;
    for (query, expected) in [
        (format!("actor={}", one.id), 2),
        (format!("actor={}", other.id), 1),
        (format!("actor={}&action=accounts:CreateAccount", one.id), 1),
        ("action=accounts%3ACreateAccount".to_owned(), 2),
        ("action=accounts:createaccount".to_owned(), 0),
        (format!("object={organization}"), 1 + 1),
        (format!("object={organization}&actor=operator"), 1),
        (format!("since={}", at(-100)), 3),
        (format!("since={}", at(-99)), 2),
        (format!("since={}&until={}", at(-100), at(0)), 1),
        (format!("since={}&until={}", at(-100), at(-100)), 0),
        (format!("since={}", at(1)), 0),
        ("since=0000-01-01T00:00:00Z&until=9999-12-31T23:59:59.999999999Z&action=accounts:CreateAccount".to_owned(), 2),
        ("until=0000-01-01T00:00:00Z".to_owned(), 0),
        ("actor=operator%3AJos%C3%A9".to_owned(), 0),
        ("actor=%25&object=_".to_owned(), 0),
        ("actor=%27%20OR%201=1".to_owned(), 0),
    ] {
        let answer = page(&one, EVENTS, &query).await;
        assert_eq!(results(&answer).len(), expected, "{query}");
    }
}

async fn pages_have_every_event_once(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    make_accounts(&manager, (0..10).map(|number| format!("n{number}"))).await;
    let whole = sequences(&results(&page(&manager, EVENTS, "limit=200").await));
    let mut ascending = whole.clone();
    ascending.reverse();
    for limit in [1, 3, whole.len() - 1, whole.len(), 200] {
        let listed = all_pages(&manager, EVENTS, &format!("limit={limit}")).await;
        assert_eq!(sequences(&listed), whole, "{limit}");
        let feed = all_pages(&manager, EVENTS, &format!("limit={limit}&order=oldest")).await;
        assert_eq!(sequences(&feed), ascending, "{limit}");
    }
    // What is written meanwhile moves nothing.
    let first = page(&manager, EVENTS, "limit=4").await;
    make_accounts(&manager, ["later".to_owned()]).await;
    let cursor = next(&first).expect("a cursor");
    let second = page(&manager, EVENTS, &format!("limit=200&cursor={cursor}")).await;
    let mut both = sequences(&results(&first));
    both.extend(sequences(&results(&second)));
    assert_eq!(both, whole);
}

async fn a_feed_goes_on_where_it_ended(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let feed = "order=oldest&action=accounts:CreateAccount&since=2025-09-30T12:00:00Z";
    let mut cursor = next(&page(&manager, EVENTS, feed).await).expect("a cursor");
    for number in 0..3 {
        let empty = page(&manager, EVENTS, &format!("{feed}&cursor={cursor}")).await;
        assert_eq!(results(&empty), [Value::Null; 0]);
        // What was looked at is behind the reader, though nothing matched.
        cursor = next(&empty).expect("a cursor");
        make_accounts(&manager, [format!("n{number}")]).await;
        let name = json!({"name": format!("n{number}")});
        manager.patch("/organizations/info", name).await.ok();
        let more = page(&manager, EVENTS, &format!("{feed}&cursor={cursor}")).await;
        let after = &results(&more)[0]["changes"]["after"]["name"];
        assert_eq!(*after, format!("n{number}"));
        // At least once: who has lost the answer asks again with the same cursor.
        let again = page(&manager, EVENTS, &format!("{feed}&cursor={cursor}")).await;
        assert_eq!(results(&again), results(&more));
        cursor = next(&more).expect("a cursor");
    }
}

async fn a_feed_misses_nothing_while_others_write(service: &Service) {
    const WRITERS: usize = 4;
    const EACH: usize = 12;
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    let writers = (0..WRITERS).map(|writer| {
        let manager = manager.clone();
        async move {
            let names = (0..EACH).map(|number| format!("w{writer}-{number}"));
            make_accounts(&manager, names).await;
        }
    });
    let writing = futures_util::future::join_all(writers);
    let reader = async {
        let (mut read, mut cursor) = (Vec::new(), String::new());
        while read.len() < WRITERS * EACH {
            let feed = "order=oldest&limit=5&action=accounts:CreateAccount";
            let query = if cursor.is_empty() {
                feed.to_owned()
            } else {
                format!("{feed}&cursor={cursor}")
            };
            let answer = page(&manager, EVENTS, &query).await;
            let events = results(&answer);
            read.extend(sequences(
                &events
                    .iter()
                    .filter(|it| it["actor"] == json!(manager.id))
                    .cloned()
                    .collect::<Vec<_>>(),
            ));
            cursor = next(&answer).expect("a cursor");
        }
        read
    };
    let (_, read) = tokio::join!(writing, reader);
    assert_eq!(read.len(), WRITERS * EACH);
    assert!(read.is_sorted_by(|one, next| one < next), "{read:?}");
    let whole = all_pages(&manager, EVENTS, "limit=200&order=oldest").await;
    let expected: Vec<i64> = (1..).take(whole.len()).collect();
    assert_eq!(sequences(&whole), expected);
}

async fn a_page_looks_through_a_bounded_number_of_events(service: &Service) {
    let acme = service.organization("acme").await;
    let manager = acme.manager().await;
    service
        .fill_audit_events(acme.organization.id, 45_000)
        .await;
    let mut pages = 0;
    for (order, feed) in [("newest", false), ("oldest", true)] {
        let query = format!("order={order}&action=operator.CreateOrganization");
        let (mut found, mut cursor) = (0, None::<String>);
        loop {
            let more = cursor.as_ref().map(|it| format!("&cursor={it}"));
            let query = format!("{query}{}", more.unwrap_or_default());
            let answer = page(&manager, EVENTS, &query).await;
            found += results(&answer).len();
            pages += 1;
            let before = cursor;
            cursor = next(&answer);
            if cursor.is_none() || (feed && pages >= 6) {
                break;
            }
            assert_ne!(before, cursor);
        }
        assert_eq!(found, 1, "{order}");
    }
    assert_eq!(pages, 6);
    // A whole page is at hand, wherever it stands.
    let newest = page(&manager, EVENTS, "limit=200").await;
    assert_eq!(results(&newest).len(), 200);
}

async fn a_cursor_is_good_for_its_list_alone(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let everything = everything_but(&[]);
    let with_decisions = [&everything[..], &[Permission::ListDecisions]].concat();
    let (manager, foreign) = (acme.signer(&with_decisions).await, globex.manager().await);
    make_accounts(&manager, ["a".to_owned(), "b".to_owned()]).await;
    let query = "limit=1&actor=operator";
    let cursor = next(&page(&manager, EVENTS, query).await).expect("a cursor");
    let good = page(
        &manager,
        EVENTS,
        &format!("actor=operator&limit=7&cursor={cursor}"),
    )
    .await;
    assert!(!results(&good).is_empty());
    // Another reader of the same organization may go on with it.
    let colleague = acme.manager().await;
    page(&colleague, EVENTS, &format!("{query}&cursor={cursor}")).await;
    let mut tampered = cursor.clone().into_bytes();
    tampered[20] = if tampered[20] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).expect("text");
    let mut bodies = Vec::new();
    for (who, target) in [
        (&foreign, format!("{EVENTS}?{query}&cursor={cursor}")),
        (&manager, format!("{EVENTS}?cursor={cursor}")),
        (&manager, format!("{EVENTS}?actor=operato&cursor={cursor}")),
        (
            &manager,
            format!("{EVENTS}?action=operator&cursor={cursor}"),
        ),
        (
            &manager,
            format!("{EVENTS}?{query}&order=oldest&cursor={cursor}"),
        ),
        (
            &manager,
            format!("{EVENTS}?{query}&since=2025-09-30T12:00:00Z&cursor={cursor}"),
        ),
        (
            &manager,
            format!("{EVENTS}?{query}&until=9999-09-30T12:00:00Z&cursor={cursor}"),
        ),
        (&manager, format!("/decisions?{query}&cursor={cursor}")),
        (&manager, format!("{EVENTS}?{query}&cursor={tampered}")),
        (&manager, format!("{EVENTS}?{query}&cursor=")),
        (&manager, format!("{EVENTS}?{query}&cursor=1")),
        (&manager, format!("{EVENTS}?{query}&cursor={cursor}AAAA")),
        (
            &manager,
            format!("{EVENTS}?{query}&cursor=%00%FFx").replace("%FF", "%C3%BF"),
        ),
    ] {
        let answer = who.get(&target).header("x-request-id", "r-1").await;
        answer.assert_refused(400, "BAD_PARAMETER");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

async fn foreign_events_are_not_listed(service: &Service) {
    let (acme, globex) = (
        service.organization("acme").await,
        service.organization("globex").await,
    );
    let (manager, foreign) = (acme.manager().await, globex.manager().await);
    make_accounts(&foreign, ["a".to_owned()]).await;
    for query in [
        format!("actor={}", foreign.id),
        format!("object={}", foreign.id),
        format!("object={}", globex.organization.id),
        format!("object={}", globex.account.id),
    ] {
        let answer = page(&manager, EVENTS, &query).await;
        assert_eq!(
            answer,
            json!({"results": [], "next_cursor": null}),
            "{query}"
        );
    }
    let listed = all_pages(&manager, EVENTS, "limit=200").await;
    let text = serde_json::to_string(&listed).expect("JSON");
    assert!(!text.contains(&foreign.id));
}

async fn listing_takes_its_permission_and_nothing_else(service: &Service) {
    let acme = service.organization("acme").await;
    let other = acme
        .signer(&everything_but(&[Permission::ListEvents]))
        .await;
    other.get(EVENTS).await.assert_refused(403, "NOT_PERMITTED");
    let reader = acme.signer(&[Permission::ListEvents]).await;
    reader.get(EVENTS).await.ok();
    for (name, status) in [("if-none-match", 412), ("if-match", 412)] {
        let answer = reader.get(EVENTS).header(name, "\"x\"").await;
        assert!([200, status].contains(&answer.status), "{answer:?}");
    }
    let posted = reader.post(EVENTS, json!({})).await;
    posted.assert_refused(405, "METHOD_NOT_ALLOWED");
    // Reading changes nothing.
    let before = page(&reader, EVENTS, "limit=1").await;
    assert_eq!(
        results(&page(&reader, EVENTS, "limit=1").await),
        results(&before)
    );
}

async fn a_query_is_taken_literally(service: &Service) {
    let manager = service.organization("acme").await.manager().await;
    let long = "x".repeat(201);
    for bad in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=99999999999999999999",
        "order=desc",
        "order=",
        "since=2025-09-30",
        "since=99999-01-01T00:00:00Z",
        "until=2025-02-30T00:00:00Z",
        "since=-0001-01-01T00:00:00Z",
        "since=2025-09-30T12:00:01Z&until=2025-09-30T12:00:00Z",
        "actor=",
        "actor=%00",
        "object=a%0Ab",
        &format!("action={long}"),
        "page=1",
        "quantity=1",
        "order_by=sequence",
        "before=3",
        "permission=x",
        "limit=1&limit=2",
    ] {
        let answer = manager.get(&format!("{EVENTS}?{bad}")).await;
        answer.assert_refused(400, "BAD_PARAMETER");
    }
}
