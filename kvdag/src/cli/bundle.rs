//! `kvdag bundle`.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use engine_api::version::bundle::{
    Applied, ApplyOptions, BundleCounts, BundleHeader, Selection, apply_bundle, create_bundle, read_bundle,
};
use engine_api::{Error, ErrorKind, KeyRange, Result, Store, ViewExt};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::interrupt::Careful;
use super::output::{self, Output};
use super::store::{self, AnyStore};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write committed versions of a repo, with their data, to a file.
    Create(CreateArgs),
    /// Bring what a bundle carries to a store: all of it, or nothing.
    Apply(ApplyArgs),
    /// Say what a bundle carries, having compared its checksums.
    Show(ShowArgs),
    /// Remove what applications that were cut short have left; the next application does it too.
    Abandon(AbandonArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The store.
    store: String,
    /// The file to write, or - for standard output. One of that name is replaced.
    file: PathBuf,
    /// The repo, where there are several.
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Only these versions and their ancestors; all committed ones unless given.
    #[arg(long, value_name = "VERSION", num_args = 1..)]
    heads: Vec<String>,
    /// Without these versions and their ancestors, which the other store must have.
    #[arg(long, value_name = "VERSION", num_args = 1..)]
    since: Vec<String>,
    /// With the collections that have no versions, as they are now.
    #[arg(long, conflicts_with = "since")]
    unversioned: bool,
}

#[derive(Debug, clap::Args)]
struct ApplyArgs {
    /// The store.
    store: String,
    /// The bundle, or - for standard input.
    file: PathBuf,
    /// Make the store when it isn't there.
    #[arg(long)]
    create: bool,
    /// What to call the repo, where the bundle brings it.
    #[arg(long = "as", value_name = "NAME")]
    alias: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The bundle, or - for standard input.
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct AbandonArgs {
    /// The store. An application that is under way there ends.
    store: String,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    match &args.command {
        Command::Create(args) => create(args, output),
        Command::Apply(args) => apply(args, output),
        Command::Show(args) => show(args, output),
        Command::Abandon(args) => abandon(args, output),
    }
}

/// What a bundle carries.
#[derive(Debug, Serialize)]
struct Contents {
    file: String,
    #[serde(flatten)]
    header: BundleHeader,
    entries: u64,
    bytes: u64,
}

impl Contents {
    fn new(file: &Path, header: BundleHeader, counts: BundleCounts) -> Self {
        Self { file: file.display().to_string(), header, entries: counts.entries, bytes: counts.bytes }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, header, entries, bytes } = self;
        let short = |uuid| store::short(uuid);
        writeln!(f, "{file}: repo {} {}", header.repo.alias, short(&header.repo.uuid))?;
        let count = header.versions.len();
        writeln!(f, "{count} versions, {entries} entries, {}", output::bytes(*bytes))?;
        if !header.base.is_empty() {
            let base: Vec<_> = header.base.iter().map(short).collect();
            writeln!(f, "builds on {}", base.join(", "))?;
        }
        let mut rows = Vec::new();
        for version in &header.versions {
            let (at, note) = (output::time(version.created), version.note.clone());
            rows.push(vec![short(&version.uuid), version.branch.clone(), at, note]);
        }
        output::columns(f, &rows)?;
        let rows: Vec<_> = header
            .instances
            .iter()
            .map(|instance| vec![instance.name.clone(), instance.datatype.clone()])
            .collect();
        output::columns(f, &rows)?;
        let rows: Vec<_> =
            header.tags.iter().map(|tag| vec![format!("tag {}", tag.name), short(&tag.version)]).collect();
        output::columns(f, &rows)
    }
}

/// The versions that a command line chooses.
pub(crate) fn select(
    store: &AnyStore,
    repo: Option<&str>,
    heads: &[String],
    since: &[String],
    unversioned: bool,
) -> Result<Selection> {
    let dag = store.dag()?;
    let ids = |specs: &[String]| {
        specs.iter().map(|spec| dag.find(spec).map(|found| found.id)).collect::<Result<Vec<_>>>()
    };
    let mut selection = Selection::new().heads(ids(heads)?).since(ids(since)?);
    if let Some(repo) = repo {
        selection = selection.repo(dag.find_repo(repo)?.id);
    }
    Ok(if unversioned { selection.unversioned() } else { selection })
}

fn is_standard(file: &Path) -> bool {
    file == Path::new("-")
}

fn create(args: &CreateArgs, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let selection = select(&store, args.repo.as_deref(), &args.heads, &args.since, args.unversioned)?;
    let careful = Careful::begin();
    let bar = output.progress(store.store().view()?.count(&KeyRange::ALL)?, "bundling");
    let mut watch = |done: &BundleCounts| {
        bar.set_position(done.entries);
        careful.check()
    };
    if is_standard(&args.file) {
        // Standard output is the bundle, so nothing else may be said there.
        let mut out = BufWriter::new(io::stdout().lock());
        create_bundle(&store, &selection, &mut out, &mut watch)?;
        bar.finish_and_clear();
        return Ok(());
    }
    let mut partial = partial_file(&args.file)?;
    let (header, counts) = {
        let mut out = BufWriter::new(&mut partial);
        create_bundle(&store, &selection, &mut out, &mut watch)?
    };
    careful.check()?;
    bar.finish_and_clear();
    let incomplete = |error| Error::from_io(error, "the bundle can't be completed");
    partial.as_file().sync_all().map_err(incomplete)?;
    partial.persist(&args.file).map_err(|error| incomplete(error.error))?;
    output.print(&Contents::new(&args.file, header, counts))
}

/// A file beside the one that is wanted, which goes when it is dropped, and gets its name when it is whole.
fn partial_file(file: &Path) -> Result<NamedTempFile> {
    let name =
        file.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the path names no file"))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".partial");
    // A temporary file is its owner's alone unless told otherwise; this one is to be like any that one writes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .tempfile_in(folder)
        .map_err(|error| Error::from_io(error, "the file can't be created").with("file", file.display()))
}

/// A bundle to read, and its length, where it has one.
fn open(file: &Path) -> Result<(Box<dyn Read>, u64)> {
    if is_standard(file) {
        return Ok((Box::new(BufReader::new(io::stdin().lock())), 0));
    }
    let unreadable = |error| Error::from_io(error, "the bundle can't be opened").with("file", file.display());
    let opened = File::open(file).map_err(unreadable)?;
    let length = opened.metadata().map_err(unreadable)?.len();
    Ok((Box::new(BufReader::new(opened)), length))
}

/// What was brought to a store.
#[derive(Debug, Serialize)]
pub(crate) struct Brought {
    store: String,
    repo: String,
    uuid: String,
    repo_is_new: bool,
    versions: Vec<String>,
    present: usize,
    instances: Vec<String>,
    kept: Vec<String>,
    tags_left_out: Vec<String>,
    entries: u64,
    bytes: u64,
    /// Keys, at all versions, of which the answers were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compared: Option<u64>,
}

impl Brought {
    pub(crate) fn new(store: &str, applied: &Applied) -> Self {
        Self {
            store: store.to_owned(),
            repo: applied.repo.alias.clone(),
            uuid: applied.repo.uuid.simple().to_string(),
            repo_is_new: applied.repo_is_new,
            versions: applied.versions.iter().map(|version| version.uuid.simple().to_string()).collect(),
            present: applied.present,
            instances: applied.instances.iter().map(|instance| instance.name.clone()).collect(),
            kept: applied.kept.clone(),
            tags_left_out: applied.tags_left_out.clone(),
            entries: applied.counts.entries,
            bytes: applied.counts.bytes,
            compared: None,
        }
    }
}

impl fmt::Display for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new = if self.repo_is_new { "new " } else { "" };
        writeln!(f, "{}: {} versions for the {new}repo {}", self.store, self.versions.len(), self.repo)?;
        writeln!(f, "{} entries, {}", self.entries, output::bytes(self.bytes))?;
        if self.present > 0 {
            writeln!(f, "{} versions were there already", self.present)?;
        }
        for name in &self.kept {
            writeln!(f, "{name} has no versions and was there already; it is as it was")?;
        }
        for tag in &self.tags_left_out {
            writeln!(f, "the tag {tag} was left out: its name is taken")?;
        }
        if let Some(keys) = self.compared {
            writeln!(f, "compared at every version, and the same: {keys} keys")?;
        }
        Ok(())
    }
}

fn apply(args: &ApplyArgs, output: Output) -> Result<()> {
    let (mut from, length) = open(&args.file)?;
    let mut options = ApplyOptions::new();
    if let Some(alias) = &args.alias {
        options = options.alias(alias);
    }
    let careful = Careful::begin();
    let bar = output.progress(length, "applying");
    let applied = store::with_target(&args.store, args.create, |store| {
        apply_bundle(store, &options, &mut from, &mut |done| {
            bar.set_position(done.bytes);
            careful.check()
        })
    })?;
    bar.finish_and_clear();
    output.print(&Brought::new(&args.store, &applied))
}

fn show(args: &ShowArgs, output: Output) -> Result<()> {
    let (mut from, length) = open(&args.file)?;
    let careful = Careful::begin();
    let bar = output.progress(length, "reading");
    let (header, counts) = read_bundle(&mut from, &mut |done| {
        bar.set_position(done.bytes);
        careful.check()
    })?;
    bar.finish_and_clear();
    output.print(&Contents::new(&args.file, header, counts))
}

#[derive(Debug, Serialize)]
struct Abandoned {
    store: String,
    abandoned: usize,
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.abandoned {
            0 => write!(f, "{}: no bundle's application was cut short", self.store),
            count => write!(f, "{}: removed what {count} bundles had left", self.store),
        }
    }
}

fn abandon(args: &AbandonArgs, output: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let abandoned = store.abandon()?;
    // Removing that was itself cut short goes on.
    store.resume()?;
    output.print(&Abandoned { store: args.store.clone(), abandoned })
}
