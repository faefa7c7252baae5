//! What the demo tells a newcomer: where to go, and with which secrets.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::demo::{OWNER_EMAIL, PORTAL_PASSWORD, env_file};

/// How a user who just started the demo reaches it.
#[derive(Debug)]
pub struct Welcome<'a> {
    /// The directory with the demo's files.
    pub data_dir: &'a Path,
    /// The address of the portal.
    pub base_url: &'a str,
    /// The address of the operations listener.
    pub operations: SocketAddr,
    /// The operator token.
    pub ops_token: Option<&'a SecretString>,
    /// The file with the demo's keys, and the operator token unless another is set.
    pub keys: &'a Path,
    /// How this program is called.
    pub program: &'a str,
    /// Whether only a person reads it. Otherwise it says where the secrets are: what is not a terminal may be a file
    /// that is kept.
    pub is_terminal: bool,
}

impl Welcome<'_> {
    fn password(&self) -> String {
        let file = env_file(self.data_dir);
        let values = fs::read_to_string(&file).unwrap_or_default();
        match value_of(&values, PORTAL_PASSWORD) {
            Some(password) if self.is_terminal => format!("password {password}"),
            _ => format!("the password is {PORTAL_PASSWORD} in {}", file.display()),
        }
    }

    fn operator_token(&self) -> String {
        let Some(token) = self.ops_token else {
            return "set CHARTER__SERVER__OPS_TOKEN, 32 characters or more, and start again"
                .to_owned();
        };
        let token = token.expose_secret();
        let keys = fs::read_to_string(self.keys).unwrap_or_default();
        if !keys.contains(&format!("{token:?}")) {
            "the operator token is the one that you set, server.ops_token".to_owned()
        } else if self.is_terminal {
            format!("operator token {token}")
        } else {
            format!("the operator token is ops_token in {}", self.keys.display())
        }
    }

    /// First steps.
    #[must_use]
    pub fn first_steps(&self) -> String {
        let Self {
            base_url,
            operations,
            program,
            ..
        } = self;
        let file = env_file(self.data_dir);
        let file = file.display();
        let mail = self.data_dir.join("mail");
        let mail = mail.display();
        let password = self.password();
        let token = self.operator_token();
        format!(
            "\nThe demo organization is Acme Corporation. Open it in a browser and sign in:\n\n\
             \x20 {base_url}\n\
             \x20 {OWNER_EMAIL}\n\
             \x20 {password}\n\n\
             The workbench shows the policies, refused edits, and every decision with its reason:\n\n\
             \x20 http://{operations}\n\
             \x20 {token}\n\n\
             Or in another terminal, from this directory:\n\n\
             \x20 source {file}\n\
             \x20 {program} request GET /organizations/info\n\
             \x20 {program} request PATCH /organizations/info -d '{{\"name\": \"Acme Inc.\"}}'\n\
             \x20 {program} request GET /organizations/info --curl\n\n\
             The last one prints a freshly signed curl line. {file} also has a service account that may\n\
             only read (CHARTER_READER_…), and one that manages accounts, service accounts and keys\n\
             (CHARTER_MANAGER_…).\n\n\
             Mails, such as that of a registration, are files in {mail}. The README goes on from\n\
             here, \"From zero to a signed request\"; browse the API at /docs.\n"
        )
    }
}

/// The value of an `export` of ours.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("export {name}='");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&start));
    values.next()?.strip_suffix('\'')
}

#[cfg(test)]
mod tests {
    use super::super::demo::export;
    use super::*;

    /// What is said with this operator token set.
    fn said(token: Option<&str>, is_terminal: bool) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = dir.path().join("keys.toml");
        fs::write(&keys, "[server]\nops_token = \"made\"\n").expect("written");
        let values = export(PORTAL_PASSWORD, "easy to read");
        fs::write(env_file(dir.path()), values).expect("written");
        let token = token.map(SecretString::from);
        let welcome = Welcome {
            data_dir: dir.path(),
            base_url: "http://localhost:8080",
            operations: SocketAddr::from(([127, 0, 0, 1], 9090)),
            ops_token: token.as_ref(),
            keys: &keys,
            program: "charter",
            is_terminal,
        };
        let place = dir.path().display().to_string();
        welcome.first_steps().replace(&place, "data")
    }

    #[test]
    fn secrets_are_shown_on_a_terminal_only() {
        let shown = said(Some("made"), true);
        assert!(shown.contains("\n  password easy to read\n"), "{shown}");
        assert!(shown.contains("\n  operator token made\n"), "{shown}");
        let pointed = said(Some("made"), false);
        for place in [
            "the password is CHARTER_PORTAL_PASSWORD in data/demo.env",
            "the operator token is ops_token in data/keys.toml",
        ] {
            assert!(pointed.contains(place), "{pointed}");
        }
        assert!(!pointed.contains("easy to read"), "{pointed}");
        assert!(!pointed.contains("made"), "{pointed}");
    }

    #[test]
    fn an_operator_token_of_ones_own_is_not_shown() {
        for is_terminal in [true, false] {
            let other = said(Some("set-elsewhere"), is_terminal);
            assert!(other.contains("server.ops_token"), "{other}");
            assert!(!other.contains("set-elsewhere"), "{other}");
            assert!(said(None, is_terminal).contains("set CHARTER__SERVER__OPS_TOKEN"));
        }
    }
}
