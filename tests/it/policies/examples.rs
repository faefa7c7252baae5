//! The shipped folder by Cedar's own means: its examples hold, its invariants and actions are well formed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, PolicyId, PolicySet, Request, Schema, ValidationMode,
    Validator,
};
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use serde::Deserialize;
use test_support::policy_world::shipped;

/// One case of the Cedar CLI's `run-tests`.
#[derive(Deserialize)]
struct Example {
    name: String,
    request: ExampleRequest,
    entities: serde_json::Value,
    decision: String,
    reason: Vec<String>,
    num_errors: usize,
}

#[derive(Deserialize)]
struct ExampleRequest {
    principal: String,
    action: String,
    resource: String,
    context: serde_json::Value,
}

fn cedar_files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "no `.{extension}` in {}",
        folder.display()
    );
    files
}

fn shipped_schema() -> Schema {
    let text = fs::read_to_string(shipped().join("schema.cedarschema")).expect("the schema");
    Schema::from_cedarschema_str(&text).expect("a schema").0
}

#[test]
fn the_security_teams_examples_hold() {
    let schema = shipped_schema();
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let mut failures = Vec::new();
    for file in cedar_files(&shipped().join("tests"), "json") {
        let text = fs::read_to_string(&file).expect("a file");
        let examples: Vec<Example> = serde_json::from_str(&text).expect("the CLI's form");
        for example in examples {
            let request = &example.request;
            let action = request.action.parse().expect("an action");
            let context =
                Context::from_json_value(request.context.clone(), Some((&schema, &action)))
                    .expect("a context");
            let request = Request::new(
                request.principal.parse().expect("a principal"),
                action,
                request.resource.parse().expect("a resource"),
                context,
                Some(&schema),
            )
            .unwrap_or_else(|error| panic!("{}: {error}", example.name));
            let entities = Entities::from_json_value(example.entities.clone(), Some(&schema))
                .unwrap_or_else(|error| panic!("{}: {error}", example.name));
            let response =
                Authorizer::new().is_authorized(&request, snapshot.policies(), &entities);
            let decision = match response.decision() {
                Decision::Allow => "allow",
                Decision::Deny => "deny",
            };
            let reason: BTreeSet<&PolicyId> = response.diagnostics().reason().collect();
            let holds = decision == example.decision
                && response.diagnostics().errors().count() == example.num_errors
                && example
                    .reason
                    .iter()
                    .all(|expected| reason.contains(&PolicyId::new(expected)));
            if !holds {
                failures.push(format!("{}: {decision}, by {reason:?}", example.name));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_invariants_are_well_formed() {
    let validator = Validator::new(shipped_schema());
    for file in cedar_files(&shipped().join("invariants"), "cedar") {
        let text = fs::read_to_string(&file).expect("a file");
        let policies: PolicySet = text.parse().expect("policies");
        let result = validator.validate(&policies, ValidationMode::Strict);
        assert!(
            result.validation_passed_without_warnings(),
            "{}: {result}",
            file.display()
        );
        let ids: BTreeSet<_> = policies
            .policies()
            .map(|policy| policy.annotation("id").expect("an id"))
            .collect();
        assert_eq!(ids.len(), policies.policies().count(), "{}", file.display());
    }
}

#[test]
fn every_action_either_reads_or_writes() {
    let actions = shipped_schema().action_entities().expect("actions");
    let group = |name: &str| format!("Action::\"{name}\"").parse().expect("a group");
    let (reads, writes) = (group("reads"), group("writes"));
    for permission in Permission::ALL {
        let action = format!("Action::\"{permission}\"").parse().expect("an id");
        assert_ne!(
            actions.is_ancestor_of(&reads, &action),
            actions.is_ancestor_of(&writes, &action),
            "{permission}"
        );
    }
}
