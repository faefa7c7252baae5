//! How tests read lists that have cursors.

use serde_json::Value;
use test_support::service::Persona;

pub(crate) async fn page(who: &impl Persona, list: &str, query: &str) -> Value {
    who.get(&format!("{list}?{query}")).await.ok()
}

pub(crate) fn results(page: &Value) -> Vec<Value> {
    page["results"].as_array().expect("an array").clone()
}

pub(crate) fn next(page: &Value) -> Option<String> {
    page["next_cursor"].as_str().map(str::to_owned)
}

/// Everything, page by page; of a feed, until it has no more.
pub(crate) async fn all_pages(who: &impl Persona, list: &str, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let more = cursor.map(|cursor| format!("&cursor={cursor}"));
        let answer = page(who, list, &format!("{query}{}", more.unwrap_or_default())).await;
        let found = results(&answer);
        cursor = next(&answer);
        if cursor.is_none() || (query.contains("order=oldest") && found.is_empty()) {
            all.extend(found);
            return all;
        }
        all.extend(found);
    }
}
