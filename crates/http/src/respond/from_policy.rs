//! Maps refusals of policies to answers: code and sentence stand in the policy that refuses.

use charter_authz::refusal::Refusal;

use super::{ApiError, Code, ErrorType};

impl ApiError {
    /// 403 in the words of the forbid that refuses; `general` where it has no sentence.
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

    fn told(code: Option<&str>, message: Option<&str>) -> (String, String, u16) {
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
            told(Some("OFFICE_ONLY"), Some("come to the office")),
            all("FORBIDDEN OFFICE_ONLY", "come to the office")
        );
        assert_eq!(
            told(None, Some("come to the office")),
            all("FORBIDDEN FORBIDDEN_BY_POLICY", "come to the office")
        );
        assert_eq!(
            told(Some("ORGANIZATION_DEACTIVATED"), None),
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
