//! `charter policy advise`: least privilege, from the decision log.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::folder_args::{of_argument, unknown_domain};
use super::folder_fault;
use charter_authz::fault::LoadError;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::id::ServiceAccountId;
use charter_domain::progress::Progress;
use charter_domain::timestamp::{self, MalformedTimestamp, Timestamp};
use charter_policy::advise::{
    AdviceRequest, AdviceVerdict, HeldGrants, LogPeriod, RefusedAdvice, Subject, advise,
};
use charter_policy::domain_arg::DomainArg;
use charter_policy::solver_args::SolverArgs;
use charter_store::EntityRef;

/// Find what was granted and never used, and a narrower version that would have sufficed
///
/// The decision log says what was used between two times, the solver that the narrower version allows nothing more, and
/// a replay that it allows all that was allowed. It is printed as a diff and changes nothing. Exit code 1: no narrower
/// version was found; 2: the log covers less than was asked. The log is trusted: run `verify-log` first.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").required(true).args(["service_account", "role", "policy"]))]
pub(super) struct AdviseArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Directories of decision logs, one for each replica; if left out, `decisions.dir` of the settings, unless
    /// `replay.store` is `redis`
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// A service account: which of its roles and permissions does it need?
    #[arg(long, value_name = "ID", conflicts_with = "domain")]
    service_account: Option<ServiceAccountId>,
    /// A role: what can be left out of it? Of a domain, a group such as `group::"readers"`
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// A permit, by its `@id`: how can it be narrowed?
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Judge decisions since this time, `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Timestamp,
    /// Until this time, which each log must reach; if left out, until the logs end
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// The policy folder; if left out, `policies.dir` of the settings
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    solver: SolverArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn time(text: &str) -> Result<Timestamp, MalformedTimestamp> {
    timestamp::parse(text).or_else(|_| timestamp::parse(&format!("{text}T00:00:00Z")))
}

/// # Errors
///
/// The policies or settings are faulty, there is no solver, or the log covers less than was asked.
pub(super) fn run(args: &AdviseArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    if args.until.is_some_and(|until| until <= args.since) {
        return Err(Error::argument("--until", "must be after `--since`"));
    }
    let settings = args.settings.load()?;
    if args.logs.is_empty() && settings.replay.is_shared() {
        return Err(Error::argument(
            "LOG",
            "is needed, as several replicas may serve (`replay.store` is `redis`): name the decision log of each",
        ));
    }
    let dir = args.policies.as_ref().unwrap_or(&settings.policies.dir);
    let dir = args.domain.within(dir).map_err(unknown_domain)?;
    let (folder, snapshot) = match load(&dir) {
        Ok(loaded) => loaded,
        Err(error) => {
            let error = of_argument(error, args.policies.as_ref().map(|_| "--policies"));
            return folder_fault::report(Some(&dir), error, args.output.json, out);
        }
    };
    let subject = args.subject()?;
    let own_log = [settings.decisions.dir.clone()];
    let logs = if args.logs.is_empty() {
        &own_log[..]
    } else {
        &args.logs
    };
    let solver = args.solver.find(settings.policies.solver.as_deref())?;
    let progress = Progress::default();
    let shown = progress::show("reading the decision log, bytes", args.output, &progress);
    let advice = advise(&AdviceRequest {
        subject: &subject,
        dir: &dir,
        folder: &folder,
        snapshot: &snapshot,
        domain: args.domain.domain.as_deref(),
        logs,
        period: LogPeriod {
            since: args.since,
            until: args.until,
        },
        solver: &solver,
        limits: args.solver.limits(),
        clock: &SystemClock::start(),
        progress: &progress,
    });
    drop(shown);
    let advice = advice.map_err(|refused| match refused {
        RefusedAdvice::Log(path, error) => Error::DecisionLog(path, error),
        other => Error::Policies(other.to_string()),
    })?;
    if args.output.json {
        document_to(out, &advice)?;
    } else {
        write!(out, "{advice}")?;
    }
    Ok(match advice.verdict {
        AdviceVerdict::NotFound(_) => ExitCode::from(1),
        AdviceVerdict::Narrower | AdviceVerdict::NothingToLeaveOut => ExitCode::SUCCESS,
    })
}

fn load(dir: &Path) -> Result<(Folder, Snapshot), LoadError> {
    let folder = Folder::read(dir)?;
    let snapshot = Snapshot::from_folder(&folder)?;
    Ok((folder, snapshot))
}

impl AdviseArgs {
    fn subject(&self) -> Result<Subject, Error> {
        if let Some(id) = self.service_account {
            return Ok(Subject::ServiceAccount(self.held(id)?));
        }
        if let Some(policy) = &self.policy {
            return Ok(Subject::Policy(policy.clone()));
        }
        let role = self.role.as_deref().unwrap_or_default();
        Subject::role(role).map_err(|error| Error::argument("--role", error))
    }

    /// What the service account holds now.
    fn held(&self, id: ServiceAccountId) -> Result<HeldGrants, Error> {
        self.settings.operate(async |operator| {
            let reader = operator.reader(EntityRef::ServiceAccount(id)).await?;
            let account = reader.service_account(id).await?;
            Ok(HeldGrants {
                id: id.to_string(),
                roles: account.roles.iter().map(ToString::to_string).collect(),
                permissions: account
                    .permissions
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            })
        })
    }
}
