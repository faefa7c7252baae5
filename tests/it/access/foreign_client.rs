//! A client that others wrote (`openidauthzen`) speaks with the policy decision point: discovery, evaluations,
//! searches page by page.

use std::net::SocketAddr;
use std::time::Duration;

use charter_domain::permission::Permission;
use openidauthzen::http::{HttpClient, HttpResponse, Method};
use openidauthzen::{
    Action, ActionSearchRequest, AuthZenClient, Error, EvaluationItem, EvaluationRequest,
    EvaluationSemantic, EvaluationsOptions, EvaluationsRequest, Page, Resource,
    ResourceSearchRequest, Subject, SubjectSearchRequest,
};
use salvo::async_trait;
use serde_json::json;
use test_support::service::{Anonymous, Persona, Service};
use test_support::services::TestDatabase;

use super::TOKEN;

/// Where the client believes that the service is. It takes https alone, which a proxy speaks.
const PDP: &str = "https://pdp.example.com";

/// In the place of the proxy: takes TLS off. It adds the token where the client sends none, as this one does to find
/// the endpoints.
struct Proxy(SocketAddr);

#[async_trait]
impl HttpClient for Proxy {
    async fn request(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<HttpResponse, Error> {
        let target = url.strip_prefix(PDP).expect("an address of the metadata");
        let method = match method {
            Method::Get => "GET",
            _ => "POST",
        };
        let request = headers.iter().fold(
            Anonymous::at(self.0).ask(method, target),
            |request, (name, value)| request.header(name, value),
        );
        let shows_token = headers.iter().any(|(name, _)| *name == "authorization");
        let request = if shows_token {
            request
        } else {
            request.header("authorization", &format!("Bearer {TOKEN}"))
        };
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        let answer = request.await;
        Ok(HttpResponse {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
    }
}

fn subject(of: &str, id: Option<&str>) -> Subject {
    Subject {
        subject_type: of.to_owned(),
        id: id.map(str::to_owned),
        properties: None,
    }
}

fn resource(of: &str, id: Option<&str>) -> Resource {
    Resource {
        resource_type: of.to_owned(),
        id: id.map(str::to_owned),
        properties: Some(json!({"a": null, "b": [1]})),
    }
}

fn action(permission: Permission) -> Action {
    Action {
        name: permission.to_string(),
        properties: None,
    }
}

/// Two at a time.
async fn all_subjects(
    client: &AuthZenClient<Proxy>,
    mut search: SubjectSearchRequest,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        search.page = Some(Page {
            token,
            limit: Some(2),
            properties: None,
        });
        let answer = client.search_subjects(PDP, TOKEN, &search).await;
        let answer = answer.expect("a page");
        found.extend(answer.results.into_iter().filter_map(|it| it.id));
        let next = answer.page.and_then(|page| page.next_token);
        token = next.filter(|token| !token.is_empty());
        if token.is_none() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_others_finds_its_way() {
    let access = format!(
        "[access]\nlisten = \"127.0.0.1:0\"\ntokens = [\"gateway:{TOKEN}\"]\nbase_url = \"{PDP}\"\n"
    );
    let service = Service::with(TestDatabase::sqlite(), &access).await;
    let acme = service.organization("acme").await;
    let reader = acme.signer(&[Permission::GetOrganization]).await;
    let mut readers = vec![reader.id.clone()];
    for _ in 0..4 {
        readers.push(acme.signer(&[Permission::GetOrganization]).await.id);
    }
    readers.sort();
    let organization = acme.organization.id.to_string();
    let address = service.access_address().expect("a listener");
    let client = AuthZenClient::new(Proxy(address), Duration::from_mins(1));

    let found = client.discover(PDP).await.expect("metadata");
    assert_eq!(found.policy_decision_point, PDP);

    let own = || resource("Organization", Some(&organization));
    let me = || subject("ServiceAccount", Some(&reader.id));
    for (permission, expected) in [
        (Permission::GetOrganization, true),
        (Permission::UpdateOrganization, false),
    ] {
        let question = EvaluationRequest {
            subject: me(),
            action: action(permission),
            resource: own(),
            context: None,
        };
        let answer = client.evaluate(PDP, TOKEN, &question).await;
        assert_eq!(answer.expect("an answer").decision, expected);
        let wrong = client.evaluate(PDP, "wrong", &question).await;
        assert!(matches!(wrong, Err(Error::HttpStatus { status: 401, .. })));
    }

    let item = |permission| EvaluationItem {
        subject: None,
        action: Some(action(permission)),
        resource: None,
        context: None,
    };
    let batch = EvaluationsRequest {
        subject: Some(me()),
        action: None,
        resource: Some(own()),
        context: None,
        evaluations: vec![
            item(Permission::GetOrganization),
            item(Permission::UpdateOrganization),
            item(Permission::GetOrganization),
        ],
        options: Some(EvaluationsOptions {
            evaluations_semantic: Some(EvaluationSemantic::DenyOnFirstDeny),
            extra: None,
        }),
    };
    let answer = client.evaluate_batch(PDP, TOKEN, &batch).await;
    let decisions = answer.expect("answers").evaluations;
    let decisions: Vec<bool> = decisions.iter().map(|it| it.decision).collect();
    assert_eq!(decisions, [true, false]);

    let search = SubjectSearchRequest {
        subject: subject("ServiceAccount", None),
        action: action(Permission::GetOrganization),
        resource: own(),
        context: None,
        page: None,
    };
    let subjects = all_subjects(&client, search).await;
    assert_eq!(subjects, readers);

    let search = ResourceSearchRequest {
        subject: me(),
        action: action(Permission::GetOrganization),
        resource: resource("Organization", None),
        context: None,
        page: None,
    };
    let answer = client.search_resources(PDP, TOKEN, &search).await;
    let ids = answer.expect("a page").results.into_iter();
    let ids: Vec<_> = ids.filter_map(|it| it.id).collect();
    assert_eq!(ids, [organization.as_str()]);

    let search = ActionSearchRequest {
        subject: me(),
        resource: own(),
        context: None,
        page: None,
    };
    let answer = client.search_actions(PDP, TOKEN, &search).await;
    let names = answer.expect("a page").results.into_iter();
    let names: Vec<_> = names.map(|it| it.name).collect();
    assert_eq!(names, ["organizations:GetOrganization"]);
    service.stop().await;
}
