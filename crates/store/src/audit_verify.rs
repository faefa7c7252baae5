//! Checks the audit log: every event against the chain, every chain against its heads.
//!
//! It reads event by event, so its need of memory grows with the heads alone.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    prelude::Uuid,
};

use super::audit_heads::{Head, Torn};
use super::audit_mac::{Mac, ORIGIN, to_mac};
use super::entity::{audit_event, organization};
use super::{Error, Store};
use charter_domain::id::OrganizationId;

const BATCH: u64 = 1_000;

/// What was checked and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Organizations whose chain was followed.
    pub organizations: u64,
    /// Events that were checked.
    pub events: u64,
    /// Heads that were compared.
    pub heads: u64,
    /// What is wrong, in the order it was found; empty for an intact log.
    pub findings: Vec<Finding>,
    /// Lines of the file of heads, from 1, that begin with a torn one: a full disk or a crash cut it.
    /// Nothing is wrong with the log.
    pub torn_heads: Vec<usize>,
}

/// Something that an untouched log does not show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The event's code does not fit: it was edited, moved or inserted, or the one before it was.
    #[error("event {sequence} of {} was changed, moved or inserted", chain(.organization))]
    Altered {
        /// Whose chain.
        organization: OrganizationId,
        /// Which event.
        sequence: i64,
    },
    /// A number is not there though a later event, or the organization itself, is.
    #[error("event {sequence} of {} is missing", chain(.organization))]
    Missing {
        /// Whose chain.
        organization: OrganizationId,
        /// The first number that is missing.
        sequence: i64,
    },
    /// The event was written under a key that the settings do not have.
    #[error("event {sequence} of {} was written under the unknown key `{key_id}`", chain(.organization))]
    UnknownKey {
        /// Whose chain.
        organization: OrganizationId,
        /// Which event.
        sequence: i64,
        /// The key it names.
        key_id: String,
    },
    /// A head shows that the chain was longer.
    #[error("the events of {} are cut off before {sequence}, which a head attests", chain(.organization))]
    CutOff {
        /// Whose chain.
        organization: OrganizationId,
        /// The event that the head attests.
        sequence: i64,
    },
    /// A head attests another event than the one that is there.
    #[error("event {sequence} of {} is not the one that a head attests", chain(.organization))]
    OtherHead {
        /// Whose chain.
        organization: OrganizationId,
        /// Which event.
        sequence: i64,
    },
    /// A line of the file of heads is no head.
    #[error("line {line} of the file of heads is not a head")]
    MalformedHead {
        /// From 1.
        line: usize,
    },
}

/// Whose chain it is.
fn chain(organization: &OrganizationId) -> String {
    if organization.uuid().is_nil() {
        "the installation".to_owned()
    } else {
        organization.to_string()
    }
}

type Heads = BTreeMap<Uuid, Vec<(i64, Mac)>>;

struct Chain {
    organization: Uuid,
    next: i64,
    previous: Mac,
}

impl Store {
    /// Checks the audit log of every organization, and if a file of heads is given, that each
    /// chain still reaches them.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] if the file cannot be read, and those of the database. What is wrong with
    /// the log is in the report.
    pub async fn verify_audit(&self, heads: Option<&Path>) -> Result<Report, Error> {
        let mut report = Report::default();
        // The heads first: an event written meanwhile has its head later in the file.
        let heads = match heads {
            Some(path) => read_heads(path, &mut report)?,
            None => Heads::new(),
        };
        let mut chain: Option<Chain> = None;
        let mut unseen = heads.clone();
        loop {
            let batch = self.events_after(chain.as_ref()).await?;
            if batch.is_empty() {
                break;
            }
            for event in batch {
                let mut current = match chain.take() {
                    Some(chain) if chain.organization == event.organization_id => chain,
                    finished => {
                        report_cut_off(finished.as_ref(), &heads, &mut report);
                        unseen.remove(&event.organization_id);
                        report.organizations += 1;
                        Chain {
                            organization: event.organization_id,
                            next: 1,
                            previous: ORIGIN,
                        }
                    }
                };
                self.check_event(&mut current, &event, &heads, &mut report)?;
                chain = Some(current);
            }
        }
        report_cut_off(chain.as_ref(), &heads, &mut report);
        self.verify_installation(&heads, &mut report).await?;
        unseen.remove(&Uuid::nil());
        for (id, attested) in &unseen {
            let nothing = Chain {
                organization: *id,
                next: 1,
                previous: ORIGIN,
            };
            if !attested.is_empty() {
                report_cut_off(Some(&nothing), &heads, &mut report);
            }
        }
        self.report_without_events(&unseen, &mut report).await?;
        Ok(report)
    }

    /// The chain of what belongs to no organization.
    async fn verify_installation(&self, heads: &Heads, report: &mut Report) -> Result<(), Error> {
        let mut chain = Chain {
            organization: Uuid::nil(),
            next: 1,
            previous: ORIGIN,
        };
        loop {
            let after = chain.next.saturating_sub(1);
            let batch = self.installation_events_after(after, BATCH).await?;
            if batch.is_empty() {
                break;
            }
            for event in batch {
                self.check_event(&mut chain, &event, heads, report)?;
            }
        }
        report_cut_off(Some(&chain), heads, report);
        Ok(())
    }

    async fn events_after(&self, chain: Option<&Chain>) -> Result<Vec<audit_event::Model>, Error> {
        use audit_event::Column;
        let mut query = audit_event::Entity::find();
        if let Some(Chain {
            organization, next, ..
        }) = chain
        {
            query = query.filter(
                Condition::any()
                    .add(Column::OrganizationId.gt(*organization))
                    .add(
                        Condition::all()
                            .add(Column::OrganizationId.eq(*organization))
                            .add(Column::Sequence.gte(*next)),
                    ),
            );
        }
        Ok(query
            .order_by_asc(Column::OrganizationId)
            .order_by_asc(Column::Sequence)
            .limit(BATCH)
            .all(&self.reader)
            .await?)
    }

    fn check_event(
        &self,
        chain: &mut Chain,
        event: &audit_event::Model,
        heads: &Heads,
        report: &mut Report,
    ) -> Result<(), Error> {
        let organization = OrganizationId::from_uuid(event.organization_id);
        let sequence = event.sequence;
        let mac = to_mac(&event.mac)?;
        report.events += 1;
        if sequence == chain.next {
            match self.audit.recompute(&chain.previous, event)? {
                Some(expected) if expected == mac => {}
                Some(_) => report.findings.push(Finding::Altered {
                    organization,
                    sequence,
                }),
                None => report.findings.push(Finding::UnknownKey {
                    organization,
                    sequence,
                    key_id: event.key_id.clone(),
                }),
            }
        } else {
            // What this event follows is gone, so its own code cannot be checked.
            report.findings.push(Finding::Missing {
                organization,
                sequence: chain.next,
            });
        }
        let attested = heads
            .get(&event.organization_id)
            .map_or(&[][..], Vec::as_slice);
        let from = attested.partition_point(|(at, _)| *at < sequence);
        let differs = attested
            .iter()
            .skip(from)
            .take_while(|(at, _)| *at == sequence)
            .any(|(_, attested)| *attested != mac);
        if differs {
            report.findings.push(Finding::OtherHead {
                organization,
                sequence,
            });
        }
        chain.next = sequence.saturating_add(1);
        chain.previous = mac;
        Ok(())
    }

    /// An organization begins with an event. Those without any are either cut off, which their
    /// heads have shown, or were never written here.
    async fn report_without_events(&self, shown: &Heads, report: &mut Report) -> Result<(), Error> {
        use organization::Column;
        let without: Vec<Uuid> = organization::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(
                Column::Id.not_in_subquery(
                    audit_event::Entity::find()
                        .select_only()
                        .column(audit_event::Column::OrganizationId)
                        .into_query(),
                ),
            )
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(&self.reader)
            .await?;
        let unshown = without.into_iter().filter(|id| !shown.contains_key(id));
        report.findings.extend(unshown.map(|id| Finding::Missing {
            organization: OrganizationId::from_uuid(id),
            sequence: 1,
        }));
        Ok(())
    }
}

fn report_cut_off(chain: Option<&Chain>, heads: &Heads, report: &mut Report) {
    let Some(chain) = chain else { return };
    let attested = heads
        .get(&chain.organization)
        .and_then(|heads| heads.last());
    if let Some((sequence, _)) = attested
        && *sequence >= chain.next
    {
        report.findings.push(Finding::CutOff {
            organization: OrganizationId::from_uuid(chain.organization),
            sequence: *sequence,
        });
    }
}

fn read_heads(path: &Path, report: &mut Report) -> Result<Heads, Error> {
    let unreadable = |error: std::io::Error| {
        Error::Setup(format!(
            "cannot read the file of audit heads `{}`: {error}",
            path.display()
        ))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut heads = Heads::new();
    for (index, line) in std::io::BufReader::new(file).lines().enumerate() {
        let (text, line) = (line.map_err(unreadable)?, index + 1);
        let attested = Head::parse(&text).or_else(|| match Torn::of(&text) {
            Torn::Head(behind) => {
                report.torn_heads.push(line);
                behind
            }
            Torn::No => {
                report.findings.push(Finding::MalformedHead { line });
                None
            }
        });
        if let Some((organization, sequence, mac)) = attested {
            report.heads += 1;
            let heads = heads.entry(organization.uuid()).or_default();
            heads.push((sequence, mac));
        }
    }
    // Appended after the commits, not in their order.
    for heads in heads.values_mut() {
        heads.sort_unstable();
    }
    Ok(heads)
}
