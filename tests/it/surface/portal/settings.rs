//! `/api/portal/organization/settings`: every combination of the three fields against every stored
//! state keeps the rules or changes nothing.

use serde_json::{Value, json};
use test_support::on_both_services;
use test_support::service::{Persona, Service, TeamRole};

use super::{ORGANIZATION, SETTINGS};

on_both_services!(
    absent_is_not_null,
    every_change_keeps_the_rules_or_changes_nothing,
    a_broken_value_is_named,
    members_do_not_change_settings,
);

async fn absent_is_not_null(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let all = json!({
        "contact_email": " Billing@Example.COM",
        "default_region": "us-east-2",
        "allowed_regions": ["us-east-2", "ca-central-1"],
    });
    let set = owner.put(SETTINGS, all).await.ok();
    assert_eq!(set["contactEmail"], "billing@example.com");
    assert_eq!(set["allowedRegions"], json!(["us-east-2", "ca-central-1"]));
    assert_eq!(owner.put(SETTINGS, json!({})).await.ok(), set);
    let refused = owner
        .put(SETTINGS, json!({"allowed_regions": ["ca-central-1"]}))
        .await;
    assert_eq!(refused.broken_on_portal(), ["/default_region"]);
    assert_eq!(owner.get(ORGANIZATION).await.ok(), set);
    let both = json!({"allowed_regions": ["ca-central-1"], "default_region": null});
    let cleared = owner.put(SETTINGS, both).await.ok();
    assert_eq!(cleared["defaultRegion"], Value::Null);
    assert_eq!(cleared["contactEmail"], "billing@example.com");
    let cleared = owner
        .put(SETTINGS, json!({"contact_email": null}))
        .await
        .ok();
    assert_eq!(cleared["contactEmail"], Value::Null);
}

async fn every_change_keeps_the_rules_or_changes_nothing(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    let (us, eu) = ("us-east-2", "eu-central-1");
    let lists = [json!([us]), json!([eu, us]), json!([]), json!([us, us])];
    let defaults = [json!(null), json!(us), json!(eu)];
    let fields = |list: Option<&Value>, default: Option<&Value>| {
        let mut body = json!({});
        if let Some(list) = list {
            body["allowed_regions"] = list.clone();
        }
        if let Some(default) = default {
            body["default_region"] = default.clone();
        }
        body
    };
    let (mut done, mut refused) = (0, 0);
    for stored_list in &lists[..2] {
        for stored_default in &defaults {
            let start = fields(Some(stored_list), Some(stored_default));
            if owner.put(SETTINGS, start.clone()).await.status != 200 {
                continue;
            }
            for list in lists.iter().map(Some).chain([None]) {
                for default in defaults.iter().map(Some).chain([None]) {
                    let before = owner.put(SETTINGS, start.clone()).await.ok();
                    let answer = owner.put(SETTINGS, fields(list, default)).await;
                    let after = owner.get(ORGANIZATION).await.ok();
                    if answer.status == 200 {
                        done += 1;
                        let allowed = after["allowedRegions"].as_array().expect("a list");
                        let region = &after["defaultRegion"];
                        assert!(region.is_null() || allowed.contains(region), "{after}");
                        assert_eq!(&after["allowedRegions"], list.unwrap_or(stored_list));
                        assert_eq!(region, default.unwrap_or(stored_default));
                    } else {
                        refused += 1;
                        answer.broken_on_portal();
                        assert_eq!(after, before);
                    }
                }
            }
        }
    }
    assert!(done > 20 && refused > 40, "{done} and {refused}");
}

async fn a_broken_value_is_named(service: &Service) {
    let acme = service.organization("acme").await;
    let owner = acme.person(TeamRole::Owner).await;
    for (body, code) in [
        (json!({"allowed_regions": null}), "WRONG_TYPE"),
        (json!({"allowed_regions": "us-east-2"}), "WRONG_TYPE"),
        (json!({"allowed_regions": [1]}), "WRONG_TYPE"),
        (json!({"contact_email": 1}), "WRONG_TYPE"),
        (json!({"contactEmail": null}), "UNKNOWN_FIELD"),
        (json!({"plan_tier": "pro"}), "UNKNOWN_FIELD"),
    ] {
        owner.put(SETTINGS, body).await.assert_refused(400, code);
    }
    for (body, field) in [
        (
            json!({"allowed_regions": ["us-east-2", "mars-1"]}),
            "/allowed_regions/1",
        ),
        (json!({"allowed_regions": []}), "/allowed_regions"),
        (
            json!({"allowed_regions": ["us-east-2", "us-east-2"]}),
            "/allowed_regions",
        ),
        (json!({"default_region": "mars-1"}), "/default_region"),
        (json!({"contact_email": "nobody"}), "/contact_email"),
    ] {
        assert_eq!(owner.put(SETTINGS, body).await.broken_on_portal(), [field]);
    }
}

async fn members_do_not_change_settings(service: &Service) {
    let acme = service.organization("acme").await;
    let member = acme.person(TeamRole::Member).await;
    member
        .put(SETTINGS, json!({}))
        .await
        .assert_refused(403, "NOT_PERMITTED");
    let admin = acme.person(TeamRole::Admin).await;
    admin.put(SETTINGS, json!({})).await.ok();
}
