//! A record of the store is one entity however its id is written, wherever a question names it.

use std::fs;

use charter_domain::id::UserId;
use serde_json::{Value, json};
use test_support::service::{Service, TeamRole};
use test_support::services::TestDatabase;

use super::domains::{Folder, path};
use super::{Asks as _, TOKEN};

const SCHEMA: &str = "namespace Charter { entity User; }
entity deed = { \"owner\"?: Charter::User, \"heirs\"?: Set<Charter::User>, \"note\"?: { \"by\": Charter::User } };
action \"sell\" appliesTo {
  principal: [Charter::User], resource: [deed], context: { \"buyer\"?: Charter::User, \"agent\"?: Charter::User },
};
";
const POLICIES: &str = "@id(\"owner\")
permit (principal, action, resource) when { resource has owner && resource.owner == principal };
@id(\"heir\")
permit (principal, action, resource) when { resource has heirs && resource.heirs.contains(principal) };
@id(\"note\")
permit (principal, action, resource) when { resource has note && resource.note.by == principal };
@id(\"buyer\")
permit (principal, action, resource) when { context has buyer && context.buyer == principal };
@id(\"agent\")
permit (principal, action, resource) when { context has agent && context.agent == principal };
";

/// Puts an entity into the resource's properties, the context, or the action's properties.
type Place = fn(Value) -> (Value, Value, Value);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_within_properties_and_context_is_known_by_both_forms_of_the_id() {
    let folder = Folder::with(&[]);
    fs::create_dir_all(folder.domain("deeds")).expect("a directory");
    folder.write("deeds", "schema.cedarschema", SCHEMA);
    folder.write("deeds", "deeds.cedar", POLICIES);
    let policies = format!(
        "dir = \"{}\"\ntests = \"off\"\nproofs = \"off\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display()
    );
    let service = Service::with_policies(TestDatabase::sqlite(), &policies).await;
    let acme = service.organization("acme").await;
    let (one, other) = (
        acme.person(TeamRole::Owner).await,
        acme.person(TeamRole::Member).await,
    );
    let spellings = |uuid: &str| {
        let id = UserId::parse_uuid(uuid).expect("a UUID").to_string();
        [id, uuid.to_owned(), uuid.to_uppercase()]
    };
    let user = |id: &str| json!({"type": "Charter::User", "id": id});
    let places: [Place; 5] = [
        |user| (json!({"owner": user}), json!({}), json!({})),
        |user| (json!({"heirs": [user]}), json!({}), json!({})),
        |user| {
            (
                json!({"note": {"by": {"__entity": user}}}),
                json!({}),
                json!({}),
            )
        },
        |user| (json!({}), json!({"buyer": user}), json!({})),
        |user| (json!({}), json!({}), json!({"agent": user})),
    ];
    for place in places {
        for id in spellings(&one.id) {
            for named in spellings(&one.id).into_iter().chain(spellings(&other.id)) {
                let (properties, context, of_action) = place(user(&named));
                let asked = json!({
                    "subject": user(&id),
                    "action": {"name": "sell", "properties": of_action},
                    "resource": {"type": "deed", "id": "d-1", "properties": properties},
                    "context": context,
                });
                let is_one = spellings(&one.id).contains(&named);
                let answer = service.ask(&path("deeds", "evaluation"), &asked).await;
                assert_eq!(answer.ok()["decision"], json!(is_one), "{asked}");
            }
        }
    }
    service.stop().await;
}
