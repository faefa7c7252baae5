//! The shipped examples, read once, to be asked of many folders with the shipped schema.

use std::fs;

use cedar_policy::{Context, Entities, EntityUid, Request};
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use serde_json::Value;
use test_support::policy_world::shipped;

pub(crate) struct Examples(Vec<(Permission, Request, Entities, Value)>);

impl Examples {
    pub(crate) fn read(snapshot: &Snapshot) -> Self {
        let mut all = Vec::new();
        for file in fs::read_dir(shipped().join("tests")).expect("examples") {
            let text = fs::read_to_string(file.expect("an entry").path()).expect("a file");
            let examples: Vec<Value> = serde_json::from_str(&text).expect("examples");
            all.extend(examples.into_iter().map(|example| ready(example, snapshot)));
        }
        assert!(all.len() > 50, "{}", all.len());
        Self(all)
    }

    pub(crate) fn all_hold(&self, snapshot: &Snapshot) -> bool {
        self.0
            .iter()
            .all(|(permission, request, entities, example)| {
                let decision = snapshot.decide_request(*permission, request, entities);
                let outcome = if decision.is_allowed() {
                    "allow"
                } else {
                    "deny"
                };
                let wanted = example["reason"].as_array().into_iter().flatten();
                let mut wanted = wanted.filter_map(Value::as_str);
                example["decision"] == outcome
                    && wanted.all(|id| decision.determining.iter().any(|other| other == id))
            })
    }
}

fn ready(example: Value, snapshot: &Snapshot) -> (Permission, Request, Entities, Value) {
    let schema = snapshot.schema();
    let asked = &example["request"];
    let uid =
        |name: &str| -> EntityUid { asked[name].as_str().expect("a uid").parse().expect("a uid") };
    let action = uid("action");
    let permission = action.id().unescaped().parse().expect("a permission");
    let context = asked["context"].clone();
    let context = Context::from_json_value(context, Some((schema, &action))).expect("a context");
    let (principal, resource) = (uid("principal"), uid("resource"));
    let request = Request::new(principal, action, resource, context, Some(schema));
    let entities = Entities::from_json_value(example["entities"].clone(), Some(schema));
    (
        permission,
        request.expect("a request"),
        entities.expect("entities"),
        example,
    )
}
