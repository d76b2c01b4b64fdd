//! `kvdag gc`.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use engine_api::key::RepoId;
use engine_api::version::{Collected, Horizon, Repo};
use engine_api::{Error, ErrorKind, Result, StoreExt};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use serde::Serialize;

use super::interrupt::Careful;
use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// Keep only versions committed since then, tags, and the newest of each branch that isn't hidden: a date or a
    /// time such as 2026-01-31 or 2026-01-31T12:00:00Z, or how long ago, such as 30d, 6 months or 12h. Without it all
    /// that tags and branches that aren't hidden descend from is kept.
    #[arg(long, value_name = "DATE|DURATION")]
    keep_since: Option<String>,
    /// The repo; needed where there are several.
    #[arg(long, value_name = "NAME")]
    repo: Option<String>,
    /// Change nothing, and say what would be taken away.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    version: String,
    branch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<String>,
    note: String,
}

#[derive(Debug, Serialize)]
struct Lost {
    name: String,
    entries: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Outcome {
    dry_run: bool,
    versions: Vec<Unreadable>,
    instances: Vec<Lost>,
    entries: u64,
    bytes: u64,
}

impl Outcome {
    fn new(collected: &Collected, dry_run: bool) -> Self {
        let versions = collected.versions.iter().map(|version| Unreadable {
            version: version.uuid.simple().to_string(),
            branch: version.branch.clone(),
            committed: version.committed.map(output::time),
            note: version.note.clone(),
        });
        let instances = collected.instances.iter().map(|shed| Lost {
            name: shed.name.clone(),
            entries: shed.entries,
            bytes: shed.bytes,
        });
        Self {
            dry_run,
            versions: versions.collect(),
            instances: instances.collect(),
            entries: collected.entries(),
            bytes: collected.bytes(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [unreadable, removed] = if self.dry_run {
            ["would become unreadable", "would be removed"]
        } else {
            ["can't be read any more", "were removed"]
        };
        let rows: Vec<_> = self
            .versions
            .iter()
            .map(|version| {
                vec![
                    version.version[..12.min(version.version.len())].to_owned(),
                    version.branch.clone(),
                    version.committed.clone().unwrap_or_default(),
                    version.note.clone(),
                ]
            })
            .collect();
        output::columns(f, &rows)?;
        writeln!(f, "versions that {unreadable}: {}", self.versions.len())?;
        for lost in self.instances.iter().filter(|lost| lost.entries > 0) {
            writeln!(f, "{}: {} entries, {}", lost.name, lost.entries, output::bytes(lost.bytes))?;
        }
        write!(f, "entries that {removed}: {}, {}", self.entries, output::bytes(self.bytes))?;
        if !self.dry_run && self.entries > 0 {
            write!(f, "\n`kvdag compact` gives the space back to the operating system")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let horizon = args
        .keep_since
        .as_deref()
        .map_or(Ok(Horizon::Reachable), |spec| moment(spec, &Zoned::now()).map(Horizon::Since))?;
    if args.dry_run {
        let store = store::open_to_read(&args.store)?;
        let repo = repo(&store, args.repo.as_deref())?;
        let plan = plan(&store, repo.id, horizon, output)?;
        return output.print(&Outcome::new(&plan, true));
    }
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !args.yes && !asks {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "what is cleaned away can't be had back; see what it would be with --dry-run, and say --yes",
        ));
    }
    let store = store::open_to_write(&args.store)?;
    let repo = repo(&store, args.repo.as_deref())?;
    if !args.yes {
        let plan = plan(&store, repo.id, horizon, output)?;
        let doubt = Outcome::new(&plan, true);
        if !agreed(&doubt.to_string())? {
            return Err(Error::new(ErrorKind::InvalidArgument, "nothing was changed"));
        }
    }
    let careful = Careful::begin();
    let bar = output.progress(entries(&store)?, "cleaning");
    let collected = store.gc(repo.id, horizon, &mut |swept| {
        bar.set_position(swept.seen);
        careful.check()
    })?;
    bar.finish_and_clear();
    output.print(&Outcome::new(&collected, false))
}

fn plan(store: &AnyStore, repo: RepoId, horizon: Horizon, output: Output) -> Result<Collected> {
    let careful = Careful::begin();
    let bar = output.progress(entries(store)?, "looking");
    let plan = store.plan_gc(repo, horizon, &mut |swept| {
        bar.set_position(swept.seen);
        careful.check()
    })?;
    bar.finish_and_clear();
    Ok(plan)
}

/// The entries of all instances, as many as a progress bar has steps.
pub(crate) fn entries(store: &AnyStore) -> Result<u64> {
    store.store().count(&engine_api::KeyRange::ALL)
}

fn repo(store: &AnyStore, name: Option<&str>) -> Result<Repo> {
    let Some(name) = name else { return store.only_repo() };
    let dag = store.dag()?;
    dag.repos()
        .find(|repo| repo.alias == name)
        .cloned()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such repo").with("repo", name))
}

fn agreed(plan: &str) -> Result<bool> {
    let mut answer = String::new();
    let asked = writeln!(io::stderr(), "{plan}")
        .and_then(|()| write!(io::stderr(), "This can't be undone. Go on? [y/N] "))
        .and_then(|()| io::stderr().flush())
        .and_then(|()| io::stdin().read_line(&mut answer));
    asked.map_err(|error| Error::from_io(error, "the question can't be asked"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The moment that a date, a time or a duration before `now` means, in milliseconds since 1970 UTC. What has no
/// zone is UTC, as times are printed.
fn moment(spec: &str, now: &Zoned) -> Result<u64> {
    let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).map(|at| at.timestamp());
    let at = spec.parse::<Timestamp>().or_else(|_| spec.parse::<DateTime>().and_then(utc)).or_else(|_| {
        // A duration that points to the future is taken for the one back.
        let span: Span = spec.parse()?;
        now.checked_sub(span.abs()).map(|at| at.timestamp())
    });
    let at = at.map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "a moment is a date or a time such as 2026-01-31 or 2026-01-31T12:00:00Z, or a duration such as 30d",
        )
        .with("keep_since", spec)
        .caused_by(error)
    })?;
    u64::try_from(at.as_millisecond()).map_err(|_| {
        Error::new(ErrorKind::InvalidArgument, "the moment lies before 1970").with("keep_since", spec)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_a_duration() {
        let now: Zoned = "2026-03-31T12:00:00+00:00[UTC]".parse().unwrap();
        let at = |text: &str| u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap();
        for (spec, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T10:30:00Z", "2026-01-31T10:30:00Z"),
            ("2026-01-31T10:30:00+02:00", "2026-01-31T08:30:00Z"),
            ("2026-01-31 10:30", "2026-01-31T10:30:00Z"),
            ("30d", "2026-03-01T12:00:00Z"),
            ("1 month", "2026-02-28T12:00:00Z"),
            ("12h", "2026-03-31T00:00:00Z"),
            ("90m ago", "2026-03-31T10:30:00Z"),
            ("0s", "2026-03-31T12:00:00Z"),
        ] {
            assert_eq!(moment(spec, &now).unwrap(), at(expected), "{spec}");
        }
        for spec in ["", "yesterday", "2026-13-01", "30", "-", "9999999y", "1969-12-31", "100y"] {
            assert_eq!(moment(spec, &now).unwrap_err().kind(), ErrorKind::InvalidArgument, "{spec}");
        }
    }
}
