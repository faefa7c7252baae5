//! The portal surface (contract section 5).

mod circle;
mod deactivation;
mod invitations;
mod limits;
mod links;
mod machine;
mod organization;
mod origin;
mod own;
mod passwords;
mod refresh;
mod registration;
mod roles;
mod settings;
mod sign_in;
mod team;
mod team_invitations;
mod team_roles;
mod tokens;
mod verification;

const ORGANIZATION: &str = "/api/portal/organization";
const SETTINGS: &str = "/api/portal/organization/settings";
pub(crate) const DEACTIVATE: &str = "/api/portal/organization/deactivate";
const TEAM: &str = "/api/portal/team";
