//! Searches: whoever `entities.json` or the schema names is asked about, unless no permit's scope fits.

use std::collections::BTreeSet;
use std::ops::Bound;

use cedar_policy::{EntityUid, Policy};

use super::actions::Action;
use super::load::CustomDomain;
use super::question::{BadProperty, DomainQuestion, NamedEntity, Unasked};
use crate::decision::{Outcome, PolicyVerdict};
use crate::json::Uid;
use crate::policy_scope::{named_principal, named_resource};

/// The most evaluations of one page; then it ends early, and another one goes on.
const MAX_EVALUATIONS: usize = 500;
/// The most ids that one page looks at, whether a permit's scope fits them or not.
const MAX_EXAMINED: usize = 2_000;

/// Where a page begins and how long it may be.
#[derive(Debug, Clone, Copy)]
pub struct SearchPage<'a> {
    pub after: Option<&'a str>,
    pub limit: usize,
}

/// Part of the results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundIds {
    /// In their order.
    pub ids: Vec<String>,
    /// After which the next page begins, `Some(None)` at the start; `None` at the end. An id may be empty.
    pub next: Option<Option<String>>,
}

/// Whom the scopes of the permits fit.
enum Fits {
    Anybody,
    /// With all that is in one of them.
    These(BTreeSet<Uid>),
}

impl CustomDomain {
    /// The subjects of `question.subject.of` that may.
    ///
    /// # Errors
    ///
    /// [`BadProperty`], as for a question.
    pub fn search_subjects(
        &self,
        question: &DomainQuestion<'_>,
        page: SearchPage<'_>,
    ) -> Result<FoundIds, BadProperty> {
        let Some(action) = self.actions.get(question.action) else {
            return Ok(FoundIds::default());
        };
        let fits = self.fits(action, |policy| {
            named_principal(&policy.principal_constraint())
        });
        let of = question.subject.of;
        self.search(of, &fits, page, |id| {
            let subject = NamedEntity {
                id,
                ..question.subject
            };
            self.ask(&DomainQuestion {
                subject,
                ..*question
            })
        })
    }

    /// The resources of `question.resource.of` that the subject may act on.
    ///
    /// # Errors
    ///
    /// [`BadProperty`], as for a question.
    pub fn search_resources(
        &self,
        question: &DomainQuestion<'_>,
        page: SearchPage<'_>,
    ) -> Result<FoundIds, BadProperty> {
        let Some(action) = self.actions.get(question.action) else {
            return Ok(FoundIds::default());
        };
        let fits = self.fits(action, |policy| {
            named_resource(&policy.resource_constraint())
        });
        let of = question.resource.of;
        self.search(of, &fits, page, |id| {
            let resource = NamedEntity {
                id,
                ..question.resource
            };
            self.ask(&DomainQuestion {
                resource,
                ..*question
            })
        })
    }

    /// The names of the actions that the subject may take. One that wants to know more than the question says is
    /// left out.
    ///
    /// # Errors
    ///
    /// [`BadProperty`], as for a question.
    pub fn search_actions(
        &self,
        question: &DomainQuestion<'_>,
        page: SearchPage<'_>,
    ) -> Result<FoundIds, BadProperty> {
        let names = self.actions.iter().map(|(name, _)| name);
        let names = names.filter(|name| page.after.is_none_or(|after| *name > after));
        let ask = |action: &str| {
            self.ask(&DomainQuestion {
                action,
                ..*question
            })
        };
        collect(names, page.limit, |_| true, ask)
    }

    /// Whether entities of this type are those that the asker vouches for: no folder has any, so that a search here
    /// finds none.
    #[must_use]
    pub fn is_vouched(&self, of: &str) -> bool {
        self.types.get(of).is_some_and(|of| of.is_vouched)
    }

    /// Whether the schema lets the action be asked about these types.
    #[must_use]
    pub fn is_asked(&self, action: &str, subject: &str, resource: &str) -> bool {
        let action = self.actions.get(action);
        action.is_some_and(|action| action.applies_to(subject, resource))
    }

    fn search(
        &self,
        of: &str,
        fits: &Fits,
        page: SearchPage<'_>,
        ask: impl Fn(&str) -> Result<PolicyVerdict, Unasked>,
    ) -> Result<FoundIds, BadProperty> {
        let does_fit = |id: &str| match fits {
            Fits::Anybody => true,
            Fits::These(fitting) => fitting.contains(&Uid {
                of: of.to_owned(),
                id: id.to_owned(),
            }),
        };
        // The file can describe some of an enumerated type's entities, and no others.
        if let Some(enumerated) = self.types.get(of).and_then(|of| of.ids.as_ref()) {
            let from = page.after.map_or(Bound::Unbounded, Bound::Excluded);
            let ids = enumerated.range::<str, _>((from, Bound::Unbounded));
            return collect(ids.map(String::as_str), page.limit, does_fit, ask);
        }
        let ids = self.entities.ids_after(of, page.after);
        collect(ids, page.limit, does_fit, ask)
    }

    /// Whom the permits that may apply to this action name.
    fn fits(&self, action: &Action, scope: impl Fn(&Policy) -> Option<EntityUid>) -> Fits {
        let mut named_by_permits = BTreeSet::new();
        for policy in self.snapshot.permits_of(&action.uid) {
            match scope(policy) {
                Some(uid) => named_by_permits.insert(Uid::of(&uid)),
                None => return Fits::Anybody,
            };
        }
        Fits::These(self.entities.with_members(named_by_permits))
    }
}

fn collect<'i>(
    candidates: impl Iterator<Item = &'i str>,
    limit: usize,
    does_fit: impl Fn(&str) -> bool,
    ask: impl Fn(&str) -> Result<PolicyVerdict, Unasked>,
) -> Result<FoundIds, BadProperty> {
    let mut found = FoundIds::default();
    let mut last: Option<&str> = None;
    let mut asked = 0;
    for (examined, id) in candidates.enumerate() {
        if found.ids.len() == limit || asked == MAX_EVALUATIONS || examined == MAX_EXAMINED {
            found.next = Some(last.map(str::to_owned));
            break;
        }
        if does_fit(id) {
            asked += 1;
            match ask(id) {
                Ok(verdict) if verdict.outcome == Outcome::Allow => found.ids.push(id.to_owned()),
                Ok(_) | Err(Unasked::Unknown(_)) => {}
                Err(Unasked::Bad(bad)) => return Err(bad),
            }
        }
        last = Some(id);
    }
    Ok(found)
}
