//! Questions to the domains that are shipped as examples, on record.

use std::path::PathBuf;
use std::sync::Arc;

use charter_authz::custom_domain::{CustomDomain, DomainQuestion, Fact, Facts, NamedEntity};
use charter_authz::folder::Folder;
use charter_decision_log::{DecisionLog, DomainAsker, DomainDecision, NotRecorded, Via};
use charter_domain::clock::Clock as _;
use charter_domain::id::DecisionId;
use serde_json::{Map, Value, json};

use super::stand_alone::Bench;
use crate::access::interop_domains::id_of;

/// The examples that are shipped.
pub(super) const EXAMPLES: [&str; 3] = ["records", "todo", "gateway"];

/// One of the examples, ready to be asked.
pub(super) struct Domain {
    name: Arc<str>,
    pub(super) policies: CustomDomain,
}

/// Type, id and properties.
type Named = (&'static str, String, Value);

/// A question with everything that may be said in it.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) subject: Named,
    pub(super) action: (&'static str, Value),
    pub(super) resource: Named,
    context: Value,
    facts: Vec<Fact>,
}

pub(super) fn example(name: &str) -> PathBuf {
    test_support::repository()
        .join("examples/domains")
        .join(name)
}

pub(super) fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn named((of, id, properties): &Named) -> NamedEntity<'_> {
    NamedEntity {
        of,
        id,
        properties: members(properties),
    }
}

impl Domain {
    pub(super) fn load(name: &str) -> Self {
        let folder = Folder::read(&example(name)).expect("readable");
        Self {
            name: name.into(),
            policies: CustomDomain::from_folder(&folder).expect("sound"),
        }
    }

    /// Asks, on record.
    pub(super) fn ask(
        &self,
        bench: &Bench,
        log: &DecisionLog,
        question: &Question,
    ) -> Result<DecisionId, NotRecorded> {
        self.ask_for(bench, log, question, (Via::Evaluation, bench.tells_id))
    }

    pub(super) fn ask_for(
        &self,
        bench: &Bench,
        log: &DecisionLog,
        question: &Question,
        (via, tells_id): (Via, bool),
    ) -> Result<DecisionId, NotRecorded> {
        let answered = self.policies.answer(&DomainQuestion {
            subject: named(&question.subject),
            action: question.action.0,
            action_properties: members(&question.action.1),
            resource: named(&question.resource),
            context: members(&question.context),
            facts: &[&Facts::new(question.facts.clone())],
        });
        let asker = DomainAsker {
            now: bench.clock.now(),
            request_id: bench.request_id,
            via,
            tells_id,
        };
        let decision = DomainDecision {
            domain: Arc::clone(&self.name),
            policy_digest: Arc::clone(self.policies.snapshot().digest()),
            answered: Arc::new(answered.expect("a question of the schema")),
            payer: (via == Via::ForwardAuth).then(|| bench.payer()),
        };
        log.recorder().record(asker, decision)
    }
}

/// One that the domain's policies allow, and one that they deny.
pub(super) fn allowed_and_denied(name: &str) -> (Question, Question) {
    let question =
        |subject: (&'static str, &str), action, resource: (&'static str, &str)| Question {
            subject: (subject.0, subject.1.to_owned(), json!({})),
            action: (action, json!({})),
            resource: (resource.0, resource.1.to_owned(), json!({})),
            context: json!({}),
            facts: Vec::new(),
        };
    match name {
        "records" => (
            question(("user", "alice"), "read", ("record", "record-1")),
            question(("user", "alice"), "write", ("record", "record-2")),
        ),
        "todo" => {
            let of = |owner: &str| {
                let mut asked =
                    question(("user", id_of("morty")), "can_update_todo", ("todo", "1"));
                asked.resource.2 = json!({"ownerID": owner});
                asked
            };
            (of("morty@the-citadel.com"), of("rick@the-citadel.com"))
        }
        _ => {
            let uid = |of: &str, id: &str| charter_authz::json::Uid {
                of: format!("Charter::{of}"),
                id: id.to_owned(),
            };
            let organization = uid("Organization", "org-1");
            let attributes =
                json!({"organization": organization, "role": "member", "email_verified": true});
            let facts = vec![
                Fact {
                    uid: organization.clone(),
                    attributes: members(&json!({"plan_tier": "growth", "is_active": true})).clone(),
                    parents: Vec::new(),
                },
                Fact {
                    uid: uid("User", "user-1"),
                    attributes: members(&attributes).clone(),
                    parents: vec![organization],
                },
            ];
            let of = |action, resource| Question {
                facts: facts.clone(),
                ..question(("Charter::User", "user-1"), action, resource)
            };
            (
                of("billing:ReadInvoice", ("Invoice", "7")),
                of("billing:DeleteInvoice", ("Invoice", "7")),
            )
        }
    }
}

/// A service account with the role `member` reads an invoice.
pub(super) fn read_by_service_account(id: &str) -> Question {
    let uid = |of: &str, id: &str| charter_authz::json::Uid {
        of: format!("Charter::{of}"),
        id: id.to_owned(),
    };
    let organization = uid("Organization", "org-1");
    let attributes = json!({"organization": organization, "roles": ["member"]});
    let (_, mut question) = allowed_and_denied("gateway");
    question.action.0 = "billing:ReadInvoice";
    question.subject = ("Charter::ServiceAccount", id.to_owned(), json!({}));
    question.facts.truncate(1);
    question.facts.push(Fact {
        uid: uid("ServiceAccount", id),
        attributes: members(&attributes).clone(),
        parents: vec![organization],
    });
    question
}
