//! Searches: whoever `entities.json` or the schema names is asked about, unless no permit's scope fits.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use super::actions::Action;
use super::load::CustomDomain;
use super::question::{BadProperty, DomainQuestion, NamedEntity, Unasked};
use crate::decision::Outcome;
use crate::json::Uid;

/// The most evaluations of one page; then it ends early, and another one goes on.
const MAX_EVALUATIONS: usize = 500;

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
    /// After which the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// Whom the scopes of the permits fit.
enum Fits {
    Anybody,
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
        let fits = self.fits(action, |policy| match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
            PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::In(uid)
            | PrincipalConstraint::IsIn(_, uid) => Some(uid),
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
        let fits = self.fits(action, |policy| match policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => Some(uid),
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
        collect(names, page.limit, |action| {
            self.ask(&DomainQuestion {
                action,
                ..*question
            })
        })
    }

    fn search(
        &self,
        of: &str,
        fits: &Fits,
        page: SearchPage<'_>,
        ask: impl Fn(&str) -> Result<crate::decision::Verdict, Unasked>,
    ) -> Result<FoundIds, BadProperty> {
        let enumerated = self.types.get(of).and_then(|of| of.ids.as_ref());
        let enumerated = enumerated
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|id| page.after.is_none_or(|after| *id > after));
        let ids = self
            .entities
            .ids_after(of, page.after)
            .chain(enumerated)
            .filter(|id| self.does_fit(of, id, fits));
        collect(ids, page.limit, ask)
    }

    /// Whom the permits that may apply to this action name.
    fn fits(&self, action: &Action, scope: impl Fn(&Policy) -> Option<EntityUid>) -> Fits {
        let actions = self.snapshot.actions();
        let names: HashSet<&EntityUid> = actions
            .ancestors(&action.uid)
            .into_iter()
            .flatten()
            .chain([&action.uid])
            .collect();
        let mut fitting = BTreeSet::new();
        for policy in self.snapshot.policies().policies() {
            let is_about_it = match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(uid) => names.contains(&uid),
                ActionConstraint::In(uids) => uids.iter().any(|uid| names.contains(uid)),
            };
            if policy.effect() == Effect::Permit && is_about_it {
                match scope(policy) {
                    Some(uid) => fitting.insert(Uid::of(&uid)),
                    None => return Fits::Anybody,
                };
            }
        }
        Fits::These(fitting)
    }

    /// Whether it is one of these, or in one of these.
    fn does_fit(&self, of: &str, id: &str, fits: &Fits) -> bool {
        let Fits::These(named) = fits else {
            return true;
        };
        let uid = Uid {
            of: of.to_owned(),
            id: id.to_owned(),
        };
        let mut seen = BTreeSet::new();
        let mut open = vec![uid];
        while let Some(uid) = open.pop() {
            if named.contains(&uid) {
                return true;
            }
            let known = self.entities.get(&uid);
            // A circle was refused at load; two ways to one parent were not.
            if seen.insert(uid) {
                open.extend(
                    known
                        .into_iter()
                        .flat_map(|it| it.fact.parents.iter().cloned()),
                );
            }
        }
        false
    }
}

fn collect<'i>(
    candidates: impl Iterator<Item = &'i str>,
    limit: usize,
    ask: impl Fn(&str) -> Result<crate::decision::Verdict, Unasked>,
) -> Result<FoundIds, BadProperty> {
    let mut found = FoundIds::default();
    let mut last: Option<&str> = None;
    for (asked, id) in candidates.enumerate() {
        if found.ids.len() == limit || asked == MAX_EVALUATIONS {
            found.next = Some(last.unwrap_or_default().to_owned());
            break;
        }
        match ask(id) {
            Ok(verdict) if verdict.outcome == Outcome::Allow => found.ids.push(id.to_owned()),
            Ok(_) | Err(Unasked::Unknown(_)) => {}
            Err(Unasked::Bad(bad)) => return Err(bad),
        }
        last = Some(id);
    }
    Ok(found)
}
