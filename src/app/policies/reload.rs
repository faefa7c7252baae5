//! Follows all folders while the service runs: the built-in one, those of the domains and that of the shadow. None
//! waits for another.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use charter_decision_log::ShadowPolicies;
use charter_http::state::State;
use charter_store::Store;

use super::checked_folder::Policies;
use super::domains::DomainFolders;
use super::folder_reloader::FolderReloader;
use super::folder_watch::FolderWatch;
use super::in_force::BuiltIn;
use super::shadow::ShadowFolder;
use super::taken::TakenFolder;
use super::writable::follow_writable;

/// Takes edits of the policy folders.
pub(crate) struct Reloader {
    built_in: FolderReloader<BuiltIn>,
    domains: DomainFolders,
    shadow: Option<ShadowFolder>,
    policies: Arc<Policies>,
    state: Arc<State>,
}

impl Reloader {
    /// `shadow` holds the shadow policies.
    pub(crate) fn new(
        policies: Arc<Policies>,
        shadow: Option<Arc<ShadowPolicies>>,
        (state, store): (Arc<State>, Arc<Store>),
        started: &TakenFolder,
    ) -> Self {
        let shadow = policies.shadow.clone().zip(shadow);
        let shadow = shadow.map(|(dir, shadow)| {
            ShadowFolder::new(dir, shadow, Arc::clone(&policies), Arc::clone(&state))
        });
        let place = BuiltIn {
            state: Arc::clone(&state),
            store,
        };
        let clock = Arc::clone(&state.clock);
        Self {
            built_in: FolderReloader::new(Arc::clone(&policies), place, clock, started),
            domains: DomainFolders::new(Arc::clone(&policies), Arc::clone(&state)),
            shadow,
            policies,
            state,
        }
    }

    /// Loads the domains before anything is served.
    pub(crate) async fn load_domains(&mut self) {
        self.domains.load().await;
    }

    /// Runs until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let shadow = async {
            if let Some(shadow) = self.shadow {
                shadow.run().await;
            }
        };
        let followed = async {
            tokio::join!(
                self.built_in.follow(Some(FolderWatch::new())),
                self.domains.follow(),
                shadow,
                follow_writable(&self.policies, &self.state.engine),
            )
        };
        // Stopping does not wait for a proof.
        tokio::select! {
            _ = followed => {}
            () = stop.cancelled() => {}
        }
    }
}
