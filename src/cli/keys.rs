//! `charter keys`: generates the keys for the settings, and seals what old ones have sealed anew.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::app::{self, StartError};
use crate::settings::keys::NewKeys;
use charter_authn::secrets::{Binding, SealError, Sealer};
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::entropy::OsEntropy;
use charter_domain::progress::Progress;
use charter_store::{self as store, Store};

use super::operator::{Operator, SettingsArgs};
use super::output::OutputArgs;
use super::{Error, progress};

/// Secrets that are read at once.
const PAGE: u64 = 200;

/// Make the keys that the settings need, and retire old ones
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print new keys as a part of a settings file: sealing, audit, replay, token, refresh
    ///
    /// With `--json` as the member `keys` of one document, for tools that write settings themselves.
    Generate {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Seal the secrets of all access keys with the first sealing key, so that the others can be removed
    ///
    /// Works while the service runs. First restart every process with the new key in first place. Queued emails stay
    /// sealed with the old one, for 48 hours at most.
    Reseal {
        #[command(flatten)]
        settings: SettingsArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub fn run(args: &KeysArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match &args.command {
        Command::Generate { output } => {
            let keys = NewKeys::generate(&OsEntropy);
            let text = if output.json {
                keys.to_json()
            } else {
                keys.to_toml()
            };
            out.write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reseal { settings, output } => settings.operate(async |operator| {
            let progress = Progress::default();
            let shown = progress::show("sealing anew, secrets", *output, &progress);
            let Resealing { sealed, failed } = &Resealing::run(operator, &progress).await?;
            drop(shown);
            let document = || json!({ "sealed_anew": sealed, "failed": failed });
            output.either(out, document, |out| {
                for fault in failed {
                    writeln!(out, "{fault}")?;
                }
                if *sealed == 0 && failed.is_empty() {
                    return writeln!(out, "every secret is sealed with the current key already");
                }
                writeln!(out, "secrets sealed anew: {sealed}")?;
                if failed.is_empty() {
                    return Ok(());
                }
                writeln!(
                    out,
                    "secrets that could not be sealed anew: {}",
                    failed.len()
                )
            })?;
            Ok(ExitCode::from(u8::from(!failed.is_empty())))
        }),
    }
}

/// What became of the secrets that another key had sealed.
#[derive(Default)]
struct Resealing {
    sealed: u64,
    /// A line for each key that stays as it was.
    failed: Vec<String>,
}

impl Resealing {
    async fn run(operator: &Operator, progress: &Progress) -> Result<Self, Error> {
        let keys = operator.settings.require_keys().map_err(StartError::from)?;
        let sealer = app::sealer(keys)?;
        let current = keys.sealing.first().map_or("", |key| key.id());
        let store = &operator.store;
        let new = app::check_keys(store, keys).await?;
        if new.iter().any(|check| check.key_id == current) {
            let reason = format!(
                "begins with `{current}`, with which no service has been started on this database: put it first in \
                 the settings of every process and restart them, then seal anew"
            );
            return Err(Error::refused("keys.sealing", reason));
        }
        let mut done = Self::default();
        // A process may have sealed with an old key meanwhile.
        while done.pass(store, &sealer, current, progress).await? > 0 {
            done.failed.clear();
        }
        Ok(done)
    }

    /// Once over all that are sealed with another key; how many were sealed anew.
    async fn pass(
        &mut self,
        store: &Store,
        sealer: &Sealer,
        current: &str,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let (before, mut after) = (self.sealed, None);
        loop {
            let page = store.list_keys_to_reseal(current, after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(self.sealed - before);
            };
            after = Some(*last);
            progress.expect(page.len() as u64);
            for (id, found) in page {
                let anew = found
                    .map_err(|error| error.to_string())
                    .and_then(|(key, before)| {
                        let anew = reseal(sealer, &key, &before);
                        Ok((before, anew.map_err(|error| error.to_string())?))
                    });
                let fault = match anew {
                    Ok((before, anew)) => match store.reseal_key(id, &before, anew).await {
                        Err(error @ store::Error::Stale) => Some(error.to_string()),
                        other => other.map(|()| None)?,
                    },
                    Err(why) => Some(why),
                };
                progress.advance(1);
                self.sealed += u64::from(fault.is_none());
                self.failed.extend(fault.map(|why| format!("{id}: {why}")));
            }
        }
    }
}

fn reseal(
    sealer: &Sealer,
    key: &AccessKey,
    before: &SealedSecret,
) -> Result<SealedSecret, SealError> {
    let binding = Binding {
        key: key.id,
        organization: key.organization_id,
    };
    sealer.seal(&sealer.open(before, binding)?, binding, &OsEntropy)
}
