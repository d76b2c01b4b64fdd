//! `kvdag check`.

use std::fmt;
use std::process::ExitCode;

use engine_api::key::{FullKey, InstanceId, Mark, VersionId};
use engine_api::version::{VersionDag, Versioned, Work};
use engine_api::{ErrorKind, KeyRange, OpenMode, Result, Scan, Step, Store, Value, ViewExt, visitor};
use serde::Serialize;
use volume::Volume;

use super::output::Output;
use super::store::AnyStore;

/// The exit code when damage was found, the same as when it stops a command.
pub(crate) const DAMAGED: u8 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store; nothing else may have it open.
    store: String,
}

#[derive(Debug, Default, Serialize)]
struct Findings {
    store: String,
    /// Whether the engine has a check of its own, which was run.
    engine_checked: bool,
    keys: u64,
    values: u64,
    tombstones: u64,
    chunks: u64,
    problems: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "damaged: {problem}")?;
        }
        let engine = if self.engine_checked { "the engine's own check, " } else { "" };
        writeln!(
            f,
            "{}: {engine}{} keys, {} values, {} tombstones, {} chunks: {}",
            self.store,
            self.keys,
            self.values,
            self.tombstones,
            self.chunks,
            if self.problems.is_empty() {
                "sound".to_owned()
            } else {
                format!("problems: {}", self.problems.len())
            },
        )
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let registry = kvdag::stores()?;
    let config = registry.config(&args.store)?.with_default_mode(OpenMode::Existing);
    let engine = registry.open_config(&config)?.store;
    let mut findings = Findings { store: args.store.clone(), ..Findings::default() };
    match engine.verify() {
        Ok(()) => findings.engine_checked = true,
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            findings.engine_checked = true;
            findings.problems.push(error.report());
        }
        Err(error) => return Err(error),
    }
    if findings.problems.is_empty() {
        match Versioned::open(engine) {
            Ok(store) => check_contents(&store, &mut findings, output)?,
            Err(error) if error.kind() == ErrorKind::Corrupt => findings.problems.push(error.report()),
            Err(error) => return Err(error),
        }
    }
    output.print(&findings)?;
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn check_contents(store: &AnyStore, findings: &mut Findings, output: Output) -> Result<()> {
    check_keys(store, findings, output)?;
    let dag = store.dag()?;
    for instance in dag.instances().filter(|instance| instance.datatype == volume::DATATYPE) {
        // The scan reads what is stored at every version, and any that can be read will do to begin it.
        let readable =
            dag.versions().find(|version| version.repo == instance.repo && version.cleaned.is_none());
        let Some(readable) = readable else { continue };
        let volume = match Volume::open_unfinished(store, &instance.name) {
            Ok(volume) => volume,
            Err(error) => {
                findings.problems.push(format!("volume {}: {}", instance.name, error.report()));
                continue;
            }
        };
        if volume.properties().importing.is_some() {
            findings.problems.push(format!(
                "volume {}: its import was cut short; import it again under this name",
                instance.name
            ));
        }
        let problems = &mut findings.problems;
        findings.chunks += volume.at(readable.id).check(&mut |at, outcome| {
            if let Err(error) = outcome {
                let (name, version) = (&instance.name, at.version);
                let chunk = volume::describe_key(&volume::chunk_key(at.scale, &at.chunk)).unwrap_or_default();
                problems.push(format!("volume {name}, {chunk} at version {version}: {}", error.report()));
            }
        })?;
    }
    Ok(())
}

/// Every key is well formed, of an instance and a version that are there, and a version has a value or a
/// tombstone, not both.
fn check_keys(store: &AnyStore, findings: &mut Findings, output: Output) -> Result<()> {
    let view = store.store().view()?;
    let bar = output.progress(view.count(&KeyRange::ALL)?, "checking keys");
    let dag = store.dag()?;
    let unfinished = store.unfinished()?;
    if unfinished.iter().any(|work| matches!(work, Work::Apply(_))) {
        findings.problems.push(
            "a bundle's application was cut short; apply it again, or remove what it left with `bundle abandon`"
                .to_owned(),
        );
    }
    let mut before = None;
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        findings.keys += 1;
        bar.inc(1);
        let problem = match FullKey::parse(key) {
            Err(error) => Some(error.report()),
            Ok(FullKey::Metadata(_)) => None,
            Ok(FullKey::Data(key)) => {
                match key.mark {
                    Mark::Data => findings.values += 1,
                    Mark::Tombstone => findings.tombstones += 1,
                }
                let place = (key.instance, key.tkey.clone(), key.version);
                let twice = before.as_ref() == Some(&place);
                before = Some(place);
                if twice {
                    Some("a value and a tombstone at one version".to_owned())
                } else if key.mark == Mark::Tombstone && !value.bytes()?.is_empty() {
                    Some("a tombstone with a value".to_owned())
                } else if unfinished.iter().any(|work| work.removes(&key)) {
                    None
                } else {
                    unknown(&dag, key.instance, key.version)
                }
            }
        };
        if let Some(problem) = problem {
            findings.problems.push(format!("key \"{}\": {problem}", key.escape_ascii()));
        }
        Ok(Step::Next)
    });
    view.scan(Scan::all(), &mut each)?;
    bar.finish_and_clear();
    Ok(())
}

fn unknown(dag: &VersionDag, instance: InstanceId, version: VersionId) -> Option<String> {
    let instance = match dag.instance(instance) {
        Ok(instance) => instance,
        Err(error) => return Some(error.report()),
    };
    match (instance.versioned, dag.version(version)) {
        (true, Err(error)) => Some(error.report()),
        (false, _) if version.0 != 0 => Some("an instance without versions has one".to_owned()),
        _ => None,
    }
}
