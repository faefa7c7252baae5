//! The policies of a folder's files, each with its `@id`.

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet};

use super::expressions;
use super::limits::CedarLanguage;
use super::previously_checked::PreviouslyChecked;
use super::vocabulary::Vocabulary;
use crate::fault::FolderFault;
use crate::refusal;
use crate::source::{Source, SourceLocation, annotation, file_name, first_line};

const MAX_ID_BYTES: usize = 128;

/// All policies, and the file of each.
pub(super) struct Policies {
    pub(super) set: PolicySet,
    /// The policies that were not checked before.
    pub(super) news: PolicySet,
    pub(super) files: BTreeMap<PolicyId, Source>,
}

impl Policies {
    pub(super) fn parse(
        sources: &[Source],
        known: &PreviouslyChecked<'_>,
        vocabulary: Vocabulary,
        faults: &mut Vec<FolderFault>,
    ) -> Self {
        let mut policies = Self {
            set: PolicySet::new(),
            news: PolicySet::new(),
            files: BTreeMap::new(),
        };
        for source in sources {
            if let Some(known) = known.policies(source) {
                policies.add_unchanged(source, &known, faults);
                continue;
            }
            let over = known.limits(source, CedarLanguage::Policies);
            if !over.is_empty() {
                faults.extend(over);
                continue;
            }
            match PolicySet::from_str(source.inner()) {
                Ok(parsed) => policies.add_file(source, &parsed, known, vocabulary, faults),
                Err(error) => faults.extend(FolderFault::from_cedar(source, &error)),
            }
        }
        policies
    }

    /// Adds the policies of an unchanged file.
    fn add_unchanged(&mut self, source: &Source, known: &[&Policy], faults: &mut Vec<FolderFault>) {
        for policy in known {
            let start = policy.as_ref().loc().map(|loc| loc.span.offset());
            let (start, length) = first_line(source, start);
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                let (offset, length) = annotation(policy, "id").unwrap_or((start, length));
                faults.push(fault.at(source, offset, length));
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            if let Err(error) = self.set.add((*policy).clone()) {
                faults.push(FolderFault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    fn add_file(
        &mut self,
        source: &Source,
        parsed: &PolicySet,
        known: &PreviouslyChecked<'_>,
        vocabulary: Vocabulary,
        faults: &mut Vec<FolderFault>,
    ) {
        for template in parsed.templates() {
            let (start, length) =
                first_line(source, template.as_ref().loc().map(|loc| loc.span.offset()));
            faults.push(
                FolderFault::new("templates are not used here, this one would never apply")
                    .help("write the entity out in place of `?principal` and `?resource`")
                    .at(source, start, length),
            );
        }
        // In source order; Cedar only numbers them.
        let mut in_order: Vec<(usize, &Policy)> = parsed
            .policies()
            .map(|policy| {
                let start = policy.as_ref().loc().map_or(0, |loc| loc.span.offset());
                (start, policy)
            })
            .collect();
        in_order.sort_by_key(|(start, _)| *start);
        if in_order.is_empty() && parsed.templates().next().is_none() {
            faults.push(
                FolderFault::new("the file holds no policy")
                    .help(
                        "remove it if that is meant; it may have been cut off while it was written",
                    )
                    .at(source, 0, 0),
            );
        }
        for (start, policy) in in_order {
            let (start, length) = first_line(source, Some(start));
            // The validator's cost: what is recorded is not validated.
            if !known.is_recorded()
                && let Some(fault) = expressions::check_cost(policy, source, (start, length))
            {
                faults.push(fault);
                continue;
            }
            faults.extend(expressions::check_depth(policy, source, (start, length)));
            let place = (start, length);
            if !known.is_recorded() {
                faults.extend(expressions::check_ids(policy, source, place, vocabulary));
                faults.extend(refusal::check(policy, source, place));
            }
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                let (offset, length) = annotation(policy, "id").unwrap_or(place);
                faults.push(fault.at(source, offset, length));
                // The policy is refused; a substitute id lets its other faults be reported.
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            let policy = policy.new_id(id.clone());
            if !known.has(&policy) {
                // A duplicate is reported below.
                let _ = self.news.add(policy.clone());
            }
            if let Err(error) = self.set.add(policy) {
                faults.push(FolderFault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    /// The source location of each policy.
    pub(super) fn locations(&self) -> BTreeMap<String, SourceLocation> {
        // Computed once per file, which may hold thousands of policies.
        let mut line_ends: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut locations = BTreeMap::new();
        for (id, source) in &self.files {
            let Some(policy) = self.set.policy(id) else {
                continue;
            };
            let ends = line_ends.entry(source.name()).or_insert_with(|| {
                let ends = source.inner().match_indices('\n');
                ends.map(|(at, _)| at).collect()
            });
            let start = policy.as_ref().loc().map_or(0, |loc| loc.span.offset());
            let location = SourceLocation {
                file: file_name(source).into_owned(),
                line: ends.partition_point(|end| *end < start) + 1,
            };
            locations.insert(id.to_string(), location);
        }
        locations
    }

    /// A fault of a policy as a whole.
    pub(super) fn fault(&self, policy: &Policy, message: String) -> Option<FolderFault> {
        let source = self.files.get(policy.id())?;
        let start = policy.as_ref().loc().map(|loc| loc.span.offset());
        let (start, length) = first_line(source, start);
        Some(FolderFault::new(message).at(source, start, length))
    }

    fn id_of(&self, policy: &Policy) -> Result<PolicyId, FolderFault> {
        let Some(id) = policy.annotation("id") else {
            return Err(FolderFault::new("the policy has no `@id`")
                .help("logs and audits name policies by it; write `@id(\"…\")` in front"));
        };
        let well_formed = !id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte));
        if !well_formed {
            return Err(
                FolderFault::new(format!("`{id}` cannot be the id of a policy")).help(format!(
                    "use 1 to {MAX_ID_BYTES} letters, digits, `:`, `.`, `_` and `-`"
                )),
            );
        }
        let id = PolicyId::new(id);
        if let Some(other) = self.files.get(&id) {
            return Err(
                FolderFault::new(format!("there are two policies with the id `{id}`"))
                    .help(format!("the other one is in `{}`", file_name(other))),
            );
        }
        Ok(id)
    }
}
