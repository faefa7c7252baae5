//! Maps refusals of policies to error responses; the forbidding policy may give code and message.

use charter_authz::refusal::Refusal;

use super::{ApiError, Code, ErrorType};

impl ApiError {
    /// 403 with the code and message of the forbidding policy; `general` if it has no message.
    #[must_use]
    pub fn forbidden_by_policy(refusal: Option<Refusal>, general: String) -> Self {
        let (code, message) = refusal.map_or((None, None), |it| (it.code, it.message));
        let mut error = Self::forbidden(Code::ForbiddenByPolicy, message.unwrap_or(general));
        if code.as_deref() == Some(Code::OrganizationDeactivated.as_str()) {
            error.0.error_type = ErrorType::OrganizationDeactivated;
        }
        error.0.policy_code = code;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charter_authz::decision::{Denial, Outcome};

    fn refused(code: Option<&str>, message: Option<&str>) -> (String, String, u16) {
        let refusal = Refusal {
            code: code.map(ToOwned::to_owned),
            message: message.map(ToOwned::to_owned),
        };
        let error = ApiError::forbidden_by_policy(Some(refusal), "a policy forbids it".to_owned());
        let json: serde_json::Value = serde_json::from_slice(&error.to_json("r")).expect("JSON");
        let text = |name: &str| json["error"][name].as_str().expect("text").to_owned();
        let status = error.status().as_u16();
        (
            format!("{} {}", text("type"), text("code")),
            text("message"),
            status,
        )
    }

    #[test]
    fn the_policy_gives_code_and_sentence() {
        let general = "a policy forbids it";
        let all = |of: &str, message: &str| (of.to_owned(), message.to_owned(), 403);
        assert_eq!(
            refused(Some("OFFICE_ONLY"), Some("come to the office")),
            all("FORBIDDEN OFFICE_ONLY", "come to the office")
        );
        assert_eq!(
            refused(None, Some("come to the office")),
            all("FORBIDDEN FORBIDDEN_BY_POLICY", "come to the office")
        );
        assert_eq!(
            refused(Some("ORGANIZATION_DEACTIVATED"), None),
            all("ORGANIZATION_DEACTIVATED ORGANIZATION_DEACTIVATED", general)
        );
    }

    #[test]
    fn examples_of_policies_expect_the_codes_that_clients_see() {
        let code = |denial| Outcome::Deny(denial).code(None);
        assert_eq!(
            code(Denial::NotPermitted),
            Some(Code::NotPermitted.as_str())
        );
        assert_eq!(
            code(Denial::ForbiddenByPolicy),
            Some(Code::ForbiddenByPolicy.as_str())
        );
    }
}
