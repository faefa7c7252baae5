//! Verifies the audit log: events against their chain, chains against their heads.
//!
//! Events are streamed, so only the heads take memory.

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

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of chains.
    pub organizations: u64,
    pub events: u64,
    pub heads: u64,
    /// In the order in which they were found; empty for an intact log.
    pub findings: Vec<Finding>,
    /// Numbers of lines of the heads file, from 1, that begin with a line truncated by a full disk or a crash. Not
    /// an anomaly.
    pub torn_heads: Vec<usize>,
}

/// An anomaly that an intact log does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The MAC is wrong: this event or the previous one was edited, moved or inserted.
    #[error("event {sequence} of {} was changed, moved or inserted", chain(.organization))]
    Altered {
        organization: OrganizationId,
        sequence: i64,
    },
    /// The number is missing, although a later event or the organization exists.
    #[error("event {sequence} of {} is missing", chain(.organization))]
    Missing {
        organization: OrganizationId,
        /// The first missing number.
        sequence: i64,
    },
    /// The settings do not have the event's key.
    #[error("event {sequence} of {} was written under the unknown key `{key_id}`", chain(.organization))]
    UnknownKey {
        organization: OrganizationId,
        sequence: i64,
        key_id: String,
    },
    /// A head attests more events than there are.
    #[error("the events of {} are cut off before {sequence}, which a head attests", chain(.organization))]
    CutOff {
        organization: OrganizationId,
        /// The attested event.
        sequence: i64,
    },
    /// A head attests a different event.
    #[error("event {sequence} of {} is not the one that a head attests", chain(.organization))]
    OtherHead {
        organization: OrganizationId,
        sequence: i64,
    },
    /// A line of the heads file is not a head.
    #[error("line {line} of the file of heads is not a head")]
    MalformedHead {
        /// From 1.
        line: usize,
    },
}

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
    /// Verifies the audit log of every organization and of the installation, and the heads in the file if one is
    /// given. Anomalies are in the report.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] if the file cannot be read.
    pub async fn verify_audit(&self, heads: Option<&Path>) -> Result<Report, Error> {
        let mut report = Report::default();
        // The heads first, because events are written meanwhile.
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
            // Its predecessor is missing, so its own MAC cannot be checked.
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

    /// Reports organizations without events. Every organization begins with one; a missing chain that has a head
    /// is reported already.
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
        Error::Unusable(format!(
            "cannot read the file of audit heads `{}`: {error}; run the command as the service's user, or name a copy \
             with `--heads`",
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
    // Heads are appended after the commits, possibly in another order.
    for heads in heads.values_mut() {
        heads.sort_unstable();
    }
    Ok(heads)
}
