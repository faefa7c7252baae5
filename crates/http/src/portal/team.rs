//! `/api/portal/team`: the users of an organization (contract section 5).

use charter_macros::boxed;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;

use crate::extract::authorized::{Authorized, Write};
use crate::extract::authorizer::Authorizer;
use crate::extract::json_body::{Body, request_body};
use crate::extract::objects::{Member, OwnOrganization};
use crate::extract::operation::{Accepts, Operation};
use crate::extract::path::PathUuid;
use crate::respond::answer::Shown;
use crate::respond::{ApiError, Code, ErrorType, echo};
use charter_authz::resource::Resource;
use charter_domain::email::EmailAddress;
use charter_domain::id::UserId;
use charter_domain::invitation::InvitedRole;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::timestamp;
use charter_domain::user::{OWNER, User};

use super::answer::{Done, ShownList};

/// `GET /api/portal/team`
pub(crate) struct ListMembers;

impl Operation for ListMembers {
    const PERMISSION: Permission = Permission::ListMembers;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = ();
    type Object = OwnOrganization;

    fn object((): &()) {}
}

/// Lists the users of the organization, oldest first.
#[endpoint(operation_id = "listMembers", tags("team"))]
#[boxed]
pub async fn list(request: Authorized<ListMembers>) -> Result<ShownList<MemberBody>, ApiError> {
    let members = request.tenant().list_members().await?;
    Ok(ShownList(members.iter().map(MemberBody::from).collect()))
}

/// `POST /api/portal/team/invite`
pub(crate) struct InviteMember;

impl Operation for InviteMember {
    const PERMISSION: Permission = Permission::InviteMember;
    const ACCEPTS: Accepts = Accepts::Bearer;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Conflict];
    type Input = Body<Invite>;
    type Object = OwnOrganization;

    fn object(_: &Self::Input) {}
}

/// Sends an invitation to the organization; an earlier one to the address becomes invalid. The caller must also
/// be allowed to give the role.
#[endpoint(operation_id = "inviteMember", tags("team"))]
#[boxed]
pub async fn invite(request: Authorized<InviteMember>) -> Result<Shown<InvitationBody>, ApiError> {
    let Body(Invite { email, role }) = request.input.clone();
    let role = role.into_name();
    require_role(&request.authorizer, &role)?;
    let invitation = request
        .write(move |write| async move {
            let into = write.authorizer.caller().organization();
            let users = write.portal_users();
            let tenant = write.tenant();
            let store = |new| async move { Ok::<_, ApiError>(tenant.invite(new).await?) };
            users.invite(email, role, into, store).await
        })
        .await?;
    Ok(Shown(InvitationBody {
        email: invitation.email.to_string(),
        role: invitation.role,
        expires_at: timestamp::format(invitation.expires_at),
    }))
}

/// `PUT /api/portal/team/{userId}/role`
pub(crate) struct ChangeRole;

impl Operation for ChangeRole {
    const PERMISSION: Permission = Permission::ChangeRole;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = (PathUuid<UserId>, Body<RoleChange>);
    type Object = Member;

    fn object((PathUuid(id), _): &Self::Input) -> Option<UserId> {
        *id
    }

    /// An owner must get another role before it can be removed.
    fn only_removes((_, Body(change)): &Self::Input, Member(member): &Self::Object) -> bool {
        member.role == OWNER && change.role != OWNER
    }
}

/// Changes a member's role. Nobody can change their own role, or that of the last owner. The caller must also
/// be allowed to give the role.
#[endpoint(operation_id = "changeRole", tags("team"))]
#[boxed]
pub async fn change_role(request: Authorized<ChangeRole>) -> Result<Shown<MemberBody>, ApiError> {
    let (_, Body(RoleChange { role })) = request.input.clone();
    require_role(&request.authorizer, &role)?;
    let id = request.object.0.id;
    if id.to_string() == request.caller().principal_id() {
        return Err(ApiError::invalid(
            Code::OwnRole,
            "nobody changes their own role, ask another owner or admin",
        ));
    }
    let member = request
        .write(move |write| async move {
            let check = |member: &User| require_on(&write, Permission::ChangeRole, member);
            write.tenant().change_role(id, &role, check).await
        })
        .await?;
    Ok(Shown(MemberBody::from(&member)))
}

/// `DELETE /api/portal/team/{userId}`
pub(crate) struct RemoveMember;

impl Operation for RemoveMember {
    const PERMISSION: Permission = Permission::RemoveMember;
    const ACCEPTS: Accepts = Accepts::Bearer;
    type Input = PathUuid<UserId>;
    type Object = Member;

    fn object(PathUuid(id): &Self::Input) -> Option<UserId> {
        *id
    }

    fn only_removes(_: &Self::Input, _: &Self::Object) -> bool {
        true
    }
}

/// Removes a member and ends its sessions. An owner must get another role first.
#[endpoint(operation_id = "removeMember", tags("team"))]
#[boxed]
pub async fn remove(request: Authorized<RemoveMember>) -> Result<Done, ApiError> {
    let id = request.object.0.id;
    request
        .write(move |write| async move {
            let check = |member: &User| require_on(&write, Permission::RemoveMember, member);
            write.tenant().remove_member(id, check).await
        })
        .await?;
    Ok(Done::plain())
}

/// Authorizes giving the role, which the schema in force must declare.
fn require_role(authorizer: &Authorizer, role: &str) -> Result<(), ApiError> {
    let catalogue = authorizer.snapshot().catalogue();
    if !catalogue.has_role(role) {
        let known: Vec<_> = catalogue.roles().collect();
        let message = format!(
            "there is no role {}; there are `{}`",
            echo(role),
            known.join("`, `")
        );
        return Err(ApiError::broken("/role", message));
    }
    authorizer.require(Permission::AssignTeamRole, Resource::Role(role))
}

/// Authorizes again with the locked row: the member may have become an owner since.
fn require_on(write: &Write, permission: Permission, member: &User) -> Result<(), ApiError> {
    let organization: &Organization = write.authorizer.caller().organization();
    let resource = Resource::User {
        user: member,
        organization,
    };
    write.authorizer.require(permission, resource)
}

request_body! {
    /// The address and role of a new member.
    pub struct Invite as "Invite" {
        required email: EmailAddress = "grace@example.com",
        /// Any role of the policy schema except `owner`; by default `admin` or `member`.
        required role: InvitedRole = "member",
    }
}

/// An invitation that was sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Invitation", rename_all = "camelCase"))]
pub(crate) struct InvitationBody {
    #[salvo(schema(example = "grace@example.com"))]
    email: String,
    #[salvo(schema(example = "member"))]
    role: String,
    /// When its link expires.
    #[salvo(schema(format = "date-time", example = "2025-10-02T12:00:00Z"))]
    expires_at: String,
}

request_body! {
    /// The member's new role.
    pub struct RoleChange as "RoleChange" {
        /// Any role of the policy schema; by default `owner`, `admin` or `member`.
        required role: String = "admin",
    }
}

/// A user of the organization.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[salvo(schema(name = "Member", rename_all = "camelCase"))]
pub(crate) struct MemberBody {
    #[salvo(schema(format = "uuid", example = "01980f3a-7b1d-7def-8a12-3456789abcde"))]
    id: String,
    #[salvo(schema(example = "ada@example.com"))]
    email: String,
    /// A role of the policy schema; by default `owner`, `admin` or `member`.
    #[salvo(schema(example = "owner"))]
    role: String,
    /// False while an operator has disabled the user.
    is_active: bool,
    email_verified: bool,
    #[salvo(schema(format = "date-time", example = "2025-09-30T12:00:00Z"))]
    created_at: String,
    #[salvo(schema(
        format = "date-time",
        required = true,
        example = "2025-09-30T12:00:00Z"
    ))]
    last_login_at: Option<String>,
}

impl From<&User> for MemberBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.uuid().to_string(),
            email: user.email.clone(),
            role: user.role.clone(),
            is_active: user.is_active,
            email_verified: user.email_verified,
            created_at: timestamp::format(user.created_at),
            last_login_at: user.last_login_at.map(timestamp::format),
        }
    }
}
