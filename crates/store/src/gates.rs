//! Who may take a connection, to write or for a list: of one organization few at a time, so that its
//! crowd leaves the connections to others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use charter_domain::id::OrganizationId;

/// One works, and one waits for the lock or for its rows, ready to go on.
const AT_ONCE: usize = 2;

/// A gate for each organization that somebody works in, or waits to.
#[derive(Debug)]
pub(super) struct Gates {
    /// What is done behind it, in the plural.
    work: &'static str,
    gates: Mutex<HashMap<OrganizationId, Gate>>,
}

#[derive(Debug)]
struct Gate {
    permits: Arc<Semaphore>,
    visitors: usize,
}

/// Stands at a gate, or has passed it.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    gates: &'a Gates,
    organization: OrganizationId,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gates {
    pub(super) fn of(work: &'static str) -> Self {
        Self {
            work,
            gates: Mutex::default(),
        }
    }

    /// Waits for its turn, first come, first served.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if it does not come in time.
    pub(super) async fn enter(
        &self,
        organization: OrganizationId,
        patience: Duration,
    ) -> Result<Visit<'_>, Error> {
        let permits = {
            let mut gates = self.gates.lock();
            let gate = gates.entry(organization).or_insert_with(|| Gate {
                permits: Arc::new(Semaphore::new(AT_ONCE)),
                visitors: 0,
            });
            gate.visitors += 1;
            Arc::clone(&gate.permits)
        };
        // From here on, so that who gives up waiting leaves too.
        let mut visit = Visit {
            gates: self,
            organization,
            permit: None,
        };
        match tokio::time::timeout(patience, permits.acquire_owned()).await {
            Ok(Ok(permit)) => {
                visit.permit = Some(permit);
                Ok(visit)
            }
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => Err(Error::unavailable(format!(
                "too many other {} of the organization are under way",
                self.work
            ))),
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut gates = self.gates.gates.lock();
        drop(self.permit.take());
        if let Some(gate) = gates.get_mut(&self.organization) {
            gate.visitors = gate.visitors.saturating_sub(1);
            if gate.visitors == 0 {
                gates.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_domain::entropy::OsEntropy;
    use charter_domain::timestamp;

    const LONG: Duration = Duration::from_mins(1);

    fn organization() -> OrganizationId {
        let now = timestamp::parse("2025-09-30T12:00:00Z").expect("a time");
        OrganizationId::generate(now, &OsEntropy)
    }

    #[tokio::test]
    async fn few_of_one_organization_pass_and_nothing_is_left_behind() {
        let (gates, one, other) = (Gates::of("writes"), organization(), organization());
        let first = gates.enter(one, LONG).await.expect("a turn");
        let second = gates.enter(one, LONG).await.expect("a turn");
        let third = gates.enter(one, Duration::from_millis(1)).await;
        assert!(matches!(third, Err(Error::Unavailable(_))));
        gates.enter(other, LONG).await.expect("another's turn");
        let (waited, ()) = tokio::join!(gates.enter(one, LONG), async { drop(first) });
        assert_eq!(gates.gates.lock().len(), 1);
        drop((waited.expect("a turn"), second));
        assert!(gates.gates.lock().is_empty());
    }
}
