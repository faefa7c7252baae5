//! Verifies the audit log: events against their chain, chains against their heads.
//!
//! Events are streamed, so only the heads take memory.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;

use sea_orm::prelude::Uuid;

use super::audit_heads::{Head, Torn};
use super::audit_mac::{Mac, ORIGIN};
use super::audit_rows::{EventRow, OrganizationRow, StrayRow};
use super::entity::audit_event;
use super::{Error, Store};
use charter_domain::id::OrganizationId;
use charter_domain::progress::Progress;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of chains.
    pub organizations: u64,
    pub events: u64,
    pub heads: u64,
    /// In the order in which they were found; empty for an intact log.
    pub findings: Vec<AuditFinding>,
    /// Numbers of lines of the heads file, from 1, that begin with a line truncated by a full disk or a crash. Not
    /// an anomaly.
    pub torn_heads: Vec<usize>,
}

/// An anomaly that an intact log does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFinding {
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
    /// A value of the row is not one of its kind, so the event cannot be checked.
    #[error("event {sequence} of {} cannot be read: {reason}", chain(.organization))]
    Unreadable {
        organization: OrganizationId,
        sequence: i64,
        reason: String,
    },
    /// The row is of no chain, because its organization or its number is none.
    #[error(
        "an event with the number {sequence} cannot be read: its organization is `{organization}`, which is no id"
    )]
    Stray {
        /// In hexadecimal.
        organization: String,
        sequence: String,
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
    /// Number of the last event; 0 at the beginning.
    last: i64,
    /// Its MAC; `None` if it is missing or cannot be read.
    mac: Option<Mac>,
}

impl Chain {
    const fn of(organization: Uuid) -> Self {
        Self {
            organization,
            last: 0,
            mac: Some(ORIGIN),
        }
    }
}

impl Store {
    /// Verifies the audit log of every organization and of the installation, and the heads in the file if one is
    /// given. Anomalies are in the report. A step of progress is an event.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] if the file cannot be read.
    pub async fn verify_audit(
        &self,
        heads: Option<&Path>,
        progress: &Progress,
    ) -> Result<Report, Error> {
        let mut report = Report::default();
        // The heads first, because events are written meanwhile.
        let heads = match heads {
            Some(path) => read_heads(path, &mut report)?,
            None => Heads::new(),
        };
        let mut chain: Option<Chain> = None;
        let mut unseen = heads.clone();
        loop {
            let last = chain.as_ref().map(|chain| (chain.organization, chain.last));
            let batch = self.events_after(last).await?;
            if batch.is_empty() {
                break;
            }
            progress.advance(batch.len() as u64);
            for OrganizationRow { organization, row } in batch {
                let mut current = match chain.take() {
                    Some(chain) if chain.organization == organization => chain,
                    finished => {
                        report_cut_off(finished.as_ref(), &heads, &mut report);
                        unseen.remove(&organization);
                        report.organizations += 1;
                        Chain::of(organization)
                    }
                };
                self.check_event(&mut current, row, &heads, &mut report)?;
                chain = Some(current);
            }
        }
        report_cut_off(chain.as_ref(), &heads, &mut report);
        self.report_stray(&mut report).await?;
        self.verify_installation(&heads, &mut report).await?;
        unseen.remove(&Uuid::nil());
        for (id, attested) in &unseen {
            if !attested.is_empty() {
                report_cut_off(Some(&Chain::of(*id)), &heads, &mut report);
            }
        }
        self.report_without_events(&unseen, &mut report).await?;
        Ok(report)
    }

    async fn verify_installation(&self, heads: &Heads, report: &mut Report) -> Result<(), Error> {
        let mut chain = Chain::of(Uuid::nil());
        let mut last = None;
        loop {
            let batch = self.installation_rows_after(last).await?;
            if batch.is_empty() {
                break;
            }
            for EventRow {
                sequence,
                mac,
                event,
            } in batch
            {
                let event = event.map(audit_event::Model::from);
                let row = EventRow {
                    sequence,
                    mac,
                    event,
                };
                self.check_event(&mut chain, row, heads, report)?;
            }
            last = Some(chain.last);
        }
        report_cut_off(Some(&chain), heads, report);
        Ok(())
    }

    fn check_event(
        &self,
        chain: &mut Chain,
        row: EventRow<audit_event::Model>,
        heads: &Heads,
        report: &mut Report,
    ) -> Result<(), Error> {
        let organization = OrganizationId::from_uuid(chain.organization);
        let sequence = row.sequence;
        report.events += 1;
        let expected = chain.last.saturating_add(1);
        if sequence != expected {
            report.findings.push(AuditFinding::Missing {
                organization,
                sequence: expected,
            });
            chain.mac = None;
        }
        match (row.event, chain.mac) {
            (Err(error), _) => report.findings.push(AuditFinding::Unreadable {
                organization,
                sequence,
                reason: error.to_string(),
            }),
            (Ok(event), Some(previous)) => match self.audit.recompute(&previous, &event)? {
                Some(expected) if Some(expected) == row.mac => {}
                Some(_) => report.findings.push(AuditFinding::Altered {
                    organization,
                    sequence,
                }),
                None => report.findings.push(AuditFinding::UnknownKey {
                    organization,
                    sequence,
                    key_id: event.key_id,
                }),
            },
            // Without its predecessor's MAC, its own cannot be checked.
            (Ok(_), None) => {}
        }
        if row
            .mac
            .is_some_and(|mac| differs(heads, chain.organization, sequence, &mac))
        {
            report.findings.push(AuditFinding::OtherHead {
                organization,
                sequence,
            });
        }
        chain.last = sequence;
        chain.mac = row.mac;
        Ok(())
    }

    async fn report_stray(&self, report: &mut Report) -> Result<(), Error> {
        let stray = self.stray_events().await?;
        report.events += stray.len() as u64;
        let finding = |StrayRow {
                           organization,
                           sequence,
                       }| AuditFinding::Stray {
            organization,
            sequence,
        };
        report.findings.extend(stray.into_iter().map(finding));
        Ok(())
    }

    /// Reports organizations without events. Every organization begins with one; a missing chain that has a head
    /// is reported already.
    async fn report_without_events(&self, shown: &Heads, report: &mut Report) -> Result<(), Error> {
        let without = self.organizations_without_events().await?;
        let unshown = without.into_iter().filter(|id| !shown.contains_key(id));
        report
            .findings
            .extend(unshown.map(|id| AuditFinding::Missing {
                organization: OrganizationId::from_uuid(id),
                sequence: 1,
            }));
        Ok(())
    }
}

/// Whether a head attests another event with that number.
fn differs(heads: &Heads, organization: Uuid, sequence: i64, mac: &Mac) -> bool {
    let attested = heads.get(&organization).map_or(&[][..], Vec::as_slice);
    let from = attested.partition_point(|(at, _)| *at < sequence);
    attested
        .iter()
        .skip(from)
        .take_while(|(at, _)| *at == sequence)
        .any(|(_, attested)| attested != mac)
}

fn report_cut_off(chain: Option<&Chain>, heads: &Heads, report: &mut Report) {
    let Some(chain) = chain else { return };
    let attested = heads
        .get(&chain.organization)
        .and_then(|heads| heads.last());
    if let Some((sequence, _)) = attested
        && *sequence > chain.last
    {
        report.findings.push(AuditFinding::CutOff {
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
    for (index, text) in std::io::BufReader::new(file).split(b'\n').enumerate() {
        let (text, line) = (text.map_err(unreadable)?, index + 1);
        // What is no text is no head.
        let text = String::from_utf8_lossy(&text);
        let attested = Head::parse(&text).or_else(|| match Torn::of(&text) {
            Torn::Head(behind) => {
                report.torn_heads.push(line);
                behind
            }
            Torn::No => {
                report.findings.push(AuditFinding::MalformedHead { line });
                None
            }
        });
        if let Some(end) = attested {
            report.heads += 1;
            let heads = heads.entry(end.organization.uuid()).or_default();
            heads.push((end.sequence, end.mac));
        }
    }
    // Heads are appended after the commits, possibly in another order.
    for heads in heads.values_mut() {
        heads.sort_unstable();
    }
    Ok(heads)
}
