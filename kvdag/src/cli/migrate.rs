//! `kvdag migrate` and `kvdag flatten`.

use std::fmt;

use engine_api::Result;
use engine_api::version::{Migrated, Migration};
use serde::Serialize;

use super::interrupt::Careful;
use super::output::Output;
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The store to copy from.
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to copy to; made when it isn't there. One that a migration was cut short of is gone on with.
    #[arg(long, value_name = "STORE")]
    to: String,
    /// The collection or volume.
    #[arg(long = "in", value_name = "NAME")]
    name: String,
    /// The versions, oldest first, each an ancestor of the next through first parents.
    #[arg(long, value_name = "VERSION", num_args = 1.., required = true)]
    versions: Vec<String>,
    /// What to call the repo there.
    #[arg(long = "as", value_name = "NAME")]
    alias: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FlattenArgs {
    /// The store to copy from.
    #[arg(long, value_name = "STORE")]
    from: String,
    /// The store to copy to; made when it isn't there. One that this was cut short of is gone on with.
    #[arg(long, value_name = "STORE")]
    to: String,
    /// The committed version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// What to call the repo there.
    #[arg(long = "as", value_name = "NAME")]
    alias: Option<String>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    from: String,
    to: String,
    repo: String,
    uuid: String,
    versions: usize,
    keys: u64,
    written: u64,
    deleted: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: repo {} answers as {} at {} versions; {} values written, {} keys deleted",
            self.to, self.repo, self.from, self.versions, self.written, self.deleted
        )
    }
}

pub(crate) fn migrate(args: &MigrateArgs, output: Output) -> Result<()> {
    let source = store::open_to_read(&args.from)?;
    let versions = args.versions.iter().map(|spec| source.find(spec).map(|version| version.id));
    let migration = Migration::along(versions.collect::<Result<Vec<_>>>()?, &args.name);
    run(&source, (&args.from, &args.to), migration, args.alias.as_deref(), output)
}

pub(crate) fn flatten(args: &FlattenArgs, output: Output) -> Result<()> {
    let source = store::open_to_read(&args.from)?;
    let migration = Migration::flat(store::version_id(&source, args.at.as_deref())?);
    run(&source, (&args.from, &args.to), migration, args.alias.as_deref(), output)
}

fn run(
    source: &AnyStore,
    (from, to): (&str, &str),
    mut migration: Migration,
    alias: Option<&str>,
    output: Output,
) -> Result<()> {
    if let Some(alias) = alias {
        migration = migration.alias(alias);
    }
    let careful = Careful::resumable();
    let bar = output.progress(0, "migrating");
    let (repo, done) = store::with_target(to, true, |target| {
        source.migrate(&migration, target, &mut |done: &Migrated| {
            bar.set_position(done.keys);
            careful.check()
        })
    })?;
    bar.finish_and_clear();
    output.print(&Outcome {
        from: from.to_owned(),
        to: to.to_owned(),
        repo: repo.alias,
        uuid: repo.uuid.simple().to_string(),
        versions: done.versions,
        keys: done.keys,
        written: done.written,
        deleted: done.deleted,
    })
}
