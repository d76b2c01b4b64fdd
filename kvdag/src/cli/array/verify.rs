//! `kvdag array verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use array_file::{
    ArrayFile, CodecRegistry, FileConfig, FileObject, ObjectRole, check_head, check_layer, check_manifest,
    check_stats, list_objects,
};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::place::{Place, PlaceArgs, failed};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

/// The exit code where something is damaged: that of damaged files, as the help lists it.
const DAMAGED: u8 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Serialize)]
struct Findings {
    file: String,
    commits_checked: usize,
    layers_checked: usize,
    blocks_checked: u64,
    /// Layers that no commit names: what crashed or interrupted writers have left, until `compact` removes it.
    layers_unused: usize,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    object: String,
    problem: String,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { object, problem } in &self.problems {
            writeln!(f, "{object}: {problem}")?;
        }
        let Self { commits_checked, layers_checked, blocks_checked, layers_unused, .. } = self;
        write!(
            f,
            "{}: commits: {commits_checked}, layers: {layers_checked}, blocks: {blocks_checked}",
            if self.problems.is_empty() { "no damage found" } else { "damaged" },
        )?;
        if *layers_unused > 0 {
            write!(f, "; layers that no commit needs: {layers_unused}")?;
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<ExitCode> {
    let place = Place::to_read(&args.place)?;
    let objects = place.wait(list_objects(&place.store, &place.path))?;
    if objects.is_empty() {
        return Err(
            Error::new(ErrorKind::NotFound, "there is no such array file").with("file", &args.place.file)
        );
    }
    let findings = Check::new(&place, &args.place.file).run(&objects, output)?;
    let sound = findings.problems.is_empty();
    output.print(&findings)?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

struct Check<'a> {
    place: &'a Place,
    findings: Findings,
    /// The layers that commits name, and by which commits each.
    named: BTreeMap<u64, BTreeSet<u64>>,
    /// What commits were made on, and what they are: the checksums of their manifests.
    made: BTreeMap<u64, (u32, u32)>,
}

impl<'a> Check<'a> {
    fn new(place: &'a Place, file: &str) -> Self {
        let findings = Findings {
            file: file.to_owned(),
            commits_checked: 0,
            layers_checked: 0,
            blocks_checked: 0,
            layers_unused: 0,
            problems: Vec::new(),
        };
        Self { place, findings, named: BTreeMap::new(), made: BTreeMap::new() }
    }

    fn run(mut self, objects: &[FileObject], output: Output) -> Result<Findings> {
        let bar = output.progress(objects.iter().map(|object| object.bytes).sum(), "checking");
        let careful = Careful::begin();
        if !objects.iter().any(|object| object.role == ObjectRole::Head) {
            self.note(&self.place.path, "it is missing".to_owned());
        }
        // They are in the order of their roles: commits, and what they name, come before layers.
        for object in objects {
            careful.check()?;
            match self.place.get(&object.path) {
                Ok(bytes) => self.look(object, &bytes),
                // A store that can't be reached is no damage.
                Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    return Err(error);
                }
                Err(error) => self.note(&object.path, error.report()),
            }
            bar.inc(object.bytes);
        }
        let there: BTreeSet<u64> = objects.iter().filter_map(layer_of).collect();
        let missing: Vec<_> = self.named.iter().filter(|(layer, _)| !there.contains(layer)).collect();
        let missing: Vec<String> = missing
            .into_iter()
            .map(|(layer, commits)| {
                let commits: Vec<String> = commits.iter().map(ToString::to_string).collect();
                format!("layer {layer} is missing; commits that need it: {}", commits.join(", "))
            })
            .collect();
        for problem in missing {
            self.note(&self.place.path, problem);
        }
        self.findings.layers_unused = there.iter().filter(|layer| !self.named.contains_key(layer)).count();
        for object in objects {
            careful.check()?;
            if let ObjectRole::Commit(commit) = object.role {
                self.look_below(object, commit);
                self.open(object, commit)?;
            }
        }
        bar.finish_and_clear();
        Ok(self.findings)
    }

    /// Checks what an object says of itself.
    fn look(&mut self, object: &FileObject, bytes: &[u8]) {
        let outcome = match object.role {
            ObjectRole::Head => check_head(bytes),
            ObjectRole::Commit(number) => check_manifest(bytes).map(|contents| {
                self.findings.commits_checked += 1;
                if contents.commit != number {
                    self.note(&object.path, format!("it is the manifest of commit {}", contents.commit));
                }
                self.made.insert(number, (contents.base, contents.checksum));
                for layer in contents.layers {
                    self.named.entry(layer).or_default().insert(number);
                }
            }),
            ObjectRole::Layer(_) => check_layer(bytes, &CodecRegistry::default()).map(|contents| {
                self.findings.layers_checked += 1;
                self.findings.blocks_checked += contents.blocks;
            }),
            ObjectRole::Statistics => check_stats(bytes).map(|_| ()),
            // A role that this command doesn't know is checked by those that read it.
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            self.note(&object.path, failed(error).report());
        }
    }

    /// Whether a commit was made on the one that is there before it, and not on another of its number.
    fn look_below(&mut self, object: &FileObject, commit: u64) {
        let below = commit.checked_sub(1).and_then(|below| self.made.get(&below));
        let (Some((base, _)), Some((_, below))) = (self.made.get(&commit), below) else { return };
        if *base != 0 && base != below {
            let problem = format!("it was made on another commit {} than the one that is there", commit - 1);
            self.note(&object.path, problem);
        }
    }

    /// Opens a commit, and reads the indexes of all its arrays: what one object says of another is true.
    fn open(&mut self, object: &FileObject, commit: u64) -> Result<()> {
        if self.findings.problems.iter().any(|problem| problem.object == object.path) {
            return Ok(());
        }
        let work = async {
            let store = Arc::clone(&self.place.store);
            let file = ArrayFile::open_at(store, &self.place.path, commit, FileConfig::default()).await?;
            for array in file.list_arrays() {
                file.stored_chunks(&array.name).await?;
            }
            Ok(())
        };
        match self.place.wait(work) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Corrupt
                        | ErrorKind::NotFound
                        | ErrorKind::SnapshotExpired
                        | ErrorKind::Incompatible
                ) =>
            {
                self.note(&object.path, error.report());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn note(&mut self, object: &str, problem: String) {
        self.findings.problems.push(Problem { object: object.to_owned(), problem });
    }
}

fn layer_of(object: &FileObject) -> Option<u64> {
    match object.role {
        ObjectRole::Layer(layer) => Some(layer),
        _ => None,
    }
}
