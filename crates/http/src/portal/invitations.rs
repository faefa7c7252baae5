//! `/api/portal/team/invitations`: open invitations (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::authorized::Authorized;
use crate::extract::objects::OwnOrganization;
use crate::extract::operation::{Accepts, Object, Operation};
use crate::extract::path::PathUuid;
use crate::respond::ApiError;
use charter_authz::resource::Resource;
use charter_domain::caller::Caller;
use charter_domain::id::InvitationId;
use charter_domain::invitation::Invitation;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_store::TenantReader;

use super::answer::{Done, ShownList};

/// `GET /api/portal/team/invitations`
pub(crate) struct ListInvitations;

impl Operation for ListInvitations {
    const PERMISSION: Permission = Permission::ListMembers;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Lists open invitations, newest first.
#[endpoint(operation_id = "listInvitations", tags("team"))]
#[boxed]
pub async fn list(
    request: Authorized<ListInvitations>,
) -> Result<ShownList<OpenInvitationBody>, ApiError> {
    let open = request.tenant().list_invitations().await?;
    Ok(ShownList(
        open.iter().map(OpenInvitationBody::from).collect(),
    ))
}

/// `DELETE /api/portal/team/invitations/{id}`
pub(crate) struct WithdrawInvitation;

impl Operation for WithdrawInvitation {
    const PERMISSION: Permission = Permission::InviteMember;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = PathUuid<InvitationId>;
    type Object = OpenInvitation;

    fn object(PathUuid(id): &Self::Input) -> Option<InvitationId> {
        *id
    }

    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        true
    }
}

/// Withdraws an invitation; its link becomes invalid at once.
#[endpoint(operation_id = "withdrawInvitation", tags("team"))]
#[boxed]
pub async fn withdraw(request: Authorized<WithdrawInvitation>) -> Result<Done, ApiError> {
    let id = request.object.0.id;
    request
        .write(move |write| async move { Ok(write.tenant().withdraw_invitation(id).await?) })
        .await?;
    Ok(Done::plain())
}

/// An invitation of the caller's organization; the organization is authorized.
pub(crate) struct OpenInvitation(Invitation);

impl Object for OpenInvitation {
    /// `None` for a malformed id.
    type Reference = Option<InvitationId>;

    async fn load(tenant: TenantReader<'_>, reference: Self::Reference) -> Result<Self, ApiError> {
        let id = reference.ok_or_else(ApiError::not_found)?;
        Ok(Self(tenant.invitation(id).await?))
    }

    fn as_resource<'a>(&'a self, caller: &'a Caller) -> Resource<'a> {
        Resource::Organization(caller.organization())
    }
}

/// An open invitation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "OpenInvitation", rename_all = "camelCase"))]
pub(crate) struct OpenInvitationBody {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1f-7def-8a12-3456789abcde"))]
    id: String,
    #[salvo(schema(example = "grace@example.com"))]
    email: String,
    #[salvo(schema(example = "member"))]
    role: String,
    /// The inviting member; null for an operator.
    #[salvo(schema(
        format = "uuid",
        required = true,
        example = "01980f3a-7b1d-7def-8a12-3456789abcde"
    ))]
    invited_by: Option<String>,
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    /// When its link expires.
    #[salvo(schema(format = "date-time", example = "2025-10-02T12:00:00Z"))]
    expires_at: String,
}

impl From<&Invitation> for OpenInvitationBody {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.uuid().to_string(),
            email: invitation.email.to_string(),
            role: invitation.role.clone(),
            invited_by: invitation.invited_by.map(|user| user.uuid().to_string()),
            created_at: timestamp::format(invitation.created_at),
            expires_at: timestamp::format(invitation.expires_at),
        }
    }
}
