//! The policies of a folder's files, each with its `@id`.

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet};

use super::expressions;
use super::known::Known;
use super::limits::{self, Language};
use crate::fault::Fault;
use crate::refusal;
use crate::source::{Source, SourceLocation, file_name, first_line};

const MAX_ID_BYTES: usize = 128;

/// The policies of all files, and the file of each.
pub(super) struct Policies {
    pub(super) set: PolicySet,
    /// Those that were not known before.
    pub(super) news: PolicySet,
    pub(super) files: BTreeMap<PolicyId, Source>,
}

impl Policies {
    pub(super) fn parse(sources: &[Source], known: &Known<'_>, faults: &mut Vec<Fault>) -> Self {
        let mut policies = Self {
            set: PolicySet::new(),
            news: PolicySet::new(),
            files: BTreeMap::new(),
        };
        for source in sources {
            if let Some(known) = known.policies(source) {
                policies.add_known(source, &known, faults);
                continue;
            }
            let over = limits::check(source, Language::Policies);
            if !over.is_empty() {
                faults.extend(over);
                continue;
            }
            match PolicySet::from_str(source.inner()) {
                Ok(parsed) => policies.add_file(source, &parsed, known, faults),
                Err(error) => faults.extend(Fault::from_cedar(source, &error)),
            }
        }
        policies
    }

    /// The policies of a file that is as it was.
    fn add_known(&mut self, source: &Source, known: &[&Policy], faults: &mut Vec<Fault>) {
        for policy in known {
            let start = policy.as_ref().loc().map(|loc| loc.span.offset());
            let (start, length) = first_line(source, start);
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                faults.push(fault.at(source, start, length));
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            if let Err(error) = self.set.add((*policy).clone()) {
                faults.push(Fault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    fn add_file(
        &mut self,
        source: &Source,
        parsed: &PolicySet,
        known: &Known<'_>,
        faults: &mut Vec<Fault>,
    ) {
        for template in parsed.templates() {
            let (start, length) =
                first_line(source, template.as_ref().loc().map(|loc| loc.span.offset()));
            faults.push(
                Fault::new("templates are not used here, this one would never apply")
                    .help("write the entity out in place of `?principal` and `?resource`")
                    .at(source, start, length),
            );
        }
        // In the order of the file; Cedar numbers them.
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
                Fault::new("the file holds no policy")
                    .help(
                        "remove it if that is meant; it may have been cut off while it was written",
                    )
                    .at(source, 0, 0),
            );
        }
        for (start, policy) in in_order {
            let (start, length) = first_line(source, Some(start));
            if let Some(fault) = expressions::too_costly(policy, source, (start, length)) {
                faults.push(fault);
                continue;
            }
            faults.extend(expressions::check(policy, source, (start, length)));
            let id = self.id_of(policy).unwrap_or_else(|fault| {
                faults.push(fault.at(source, start, length));
                // It is refused, but what else is wrong with it is to be told, too.
                PolicyId::new(format!("{}@{start}", file_name(source)))
            });
            let annotated = refusal::check(policy).into_iter();
            faults.extend(annotated.map(|fault| fault.at(source, start, length)));
            let policy = policy.new_id(id.clone());
            if !known.has(&policy) {
                // What cannot be added here cannot be added below, which tells.
                let _ = self.news.add(policy.clone());
            }
            if let Err(error) = self.set.add(policy) {
                faults.push(Fault::new(error.to_string()).at(source, start, length));
            }
            self.files.insert(id, source.clone());
        }
    }

    /// Where each policy begins.
    pub(super) fn locations(&self) -> BTreeMap<String, SourceLocation> {
        // Once for each file: a file may hold thousands.
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
    pub(super) fn fault(&self, policy: &Policy, message: String) -> Option<Fault> {
        let source = self.files.get(policy.id())?;
        let start = policy.as_ref().loc().map(|loc| loc.span.offset());
        let (start, length) = first_line(source, start);
        Some(Fault::new(message).at(source, start, length))
    }

    fn id_of(&self, policy: &Policy) -> Result<PolicyId, Fault> {
        let Some(id) = policy.annotation("id") else {
            return Err(Fault::new("the policy has no `@id`")
                .help("logs and audits name policies by it; write `@id(\"…\")` in front"));
        };
        let well_formed = !id.is_empty()
            && id.len() <= MAX_ID_BYTES
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte));
        if !well_formed {
            return Err(
                Fault::new(format!("`{id}` cannot be the id of a policy")).help(format!(
                    "use 1 to {MAX_ID_BYTES} letters, digits, `:`, `.`, `_` and `-`"
                )),
            );
        }
        let id = PolicyId::new(id);
        if let Some(other) = self.files.get(&id) {
            return Err(
                Fault::new(format!("there are two policies with the id `{id}`"))
                    .help(format!("the other one is in `{}`", file_name(other))),
            );
        }
        Ok(id)
    }
}
