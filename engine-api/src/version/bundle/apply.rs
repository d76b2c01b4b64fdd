//! Applying a bundle: its entries are written under numbers that no version has yet, where nobody sees them; the
//! last batch, a change of the DAG, makes them versions.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use super::super::change::{Change, check_name};
use super::super::dag::{Instance, Repo, Tag, Version, VersionDag};
use super::super::record;
use super::super::versioned::Versioned;
use super::super::work::{Task, Work};
use super::entries::Writer;
use super::format::{BundleCounts, corrupt};
use super::header::{BundleHeader, BundledInstance, BundledTag};
use super::plan::{Numbers, Plan};
use super::read::Reader;
use crate::key::{InstanceId, RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store};

/// How a bundle is applied.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    alias: Option<String>,
}

impl ApplyOptions {
    /// As the bundle says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the repo so, where the bundle brings it. Without this it keeps its name, with a number behind it
    /// where that is taken.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }
}

/// What a bundle has brought.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The repo.
    pub repo: Repo,
    /// Whether the bundle has brought it.
    pub repo_is_new: bool,
    /// The versions that weren't there before, parents before children.
    pub versions: Vec<Version>,
    /// How many of the bundle's versions were there before.
    pub present: usize,
    /// The instances that weren't there before.
    pub instances: Vec<Instance>,
    /// Instances without versions that were there before, and are as they were.
    pub kept: Vec<String>,
    /// Tags of which the name was taken, and which were left out.
    pub tags_left_out: Vec<String>,
    /// What the bundle carries.
    pub counts: BundleCounts,
}

/// Applies a bundle: all of it, or nothing.
///
/// Versions that are there already, by their UUID, are passed over. What an earlier application has left that was
/// cut short is taken back first, as by [`Versioned::abandon`]; so of two that are under way at once, the later one
/// ends the earlier. `watch` is called after each section with what is read so far; an error from it ends the work.
///
/// # Errors
/// `NotFound` names the versions that the bundle builds on and that aren't here. `Incompatible` where versions or
/// instances of the same names are others here. `Conflict` where a branch goes on another way here, a version is
/// still open, or the history has changed meanwhile. `Corrupt` and `Incompatible` for the bundle itself. Nothing of
/// the bundle is there then. After `Ambiguous` it may be: apply it again.
pub fn apply_bundle<S: Store>(
    store: &Versioned<S>,
    options: &ApplyOptions,
    from: &mut dyn Read,
    watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
) -> Result<Applied> {
    if let Some(alias) = &options.alias {
        check_name(alias)?;
    }
    let reader = Reader::open(from)?;
    let header = reader.header().clone();
    store.abandon()?;
    store.refresh()?;
    let (plan, numbers, task) = store.change(|change| {
        let plan = Plan::of(&change.dag, &header)?;
        if plan.repo.is_none() {
            free_alias(&change.dag, options, &header)?;
        }
        let (numbers, reserved) = Numbers::reserve(change, &plan, &header)?;
        Ok((plan, numbers, change.begin(Work::Apply(reserved))?))
    })?;
    let outcome = store
        .write_entries(reader, (&header, &plan, &numbers), &task, watch)
        .and_then(|counts| store.publish((&header, &plan, &numbers), options, &task, counts));
    outcome.inspect_err(|_| {
        // What made the application fail is told. Where this fails too, the record stays, and the next application
        // takes back what this one has written.
        store.undo(&task).ok();
    })
}

/// A name for a repo that the bundle brings.
fn free_alias(dag: &VersionDag, options: &ApplyOptions, header: &BundleHeader) -> Result<String> {
    let taken = |alias: &str| dag.repos().any(|repo| repo.alias == alias);
    if let Some(alias) = &options.alias {
        if taken(alias) {
            return Err(
                Error::new(ErrorKind::AlreadyExists, "there is a repo of this name").with("repo", alias)
            );
        }
        return Ok(alias.clone());
    }
    let alias = &header.repo.alias;
    let mut name = alias.clone();
    let mut number = 2_u32;
    while taken(&name) {
        name = format!("{alias}-{number}");
        number += 1;
    }
    Ok(name)
}

type Parts<'a> = (&'a BundleHeader, &'a Plan, &'a Numbers);

impl<S: Store> Versioned<S> {
    /// Reads the bundle to its end, and writes the entries of versions that are new under their reserved numbers.
    fn write_entries(
        &self,
        reader: Reader<'_>,
        (_, plan, numbers): Parts<'_>,
        task: &Task,
        watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
    ) -> Result<BundleCounts> {
        let mut writer = Writer::new(&self.store, task);
        let counts = reader.each(
            &mut |entry| {
                let place = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
                let at = place(entry.instance);
                let found = plan.instances.get(at).copied().flatten();
                let instance = numbers.instances.get(at).copied();
                let version = match entry.version.map(place) {
                    None => found.is_none().then_some(VersionId::default()),
                    Some(at) => match plan.versions.get(at) {
                        Some(None) => numbers.versions.get(at).copied(),
                        _ => None,
                    },
                };
                match (instance, version) {
                    (Some(instance), Some(version)) => writer.add(found, instance, version, entry),
                    _ => Ok(()),
                }
            },
            watch,
        )?;
        writer.flush()?;
        Ok(counts)
    }

    /// Makes versions of what was written.
    fn publish(
        &self,
        (header, plan, numbers): Parts<'_>,
        options: &ApplyOptions,
        task: &Task,
        counts: BundleCounts,
    ) -> Result<Applied> {
        self.change(|change| {
            // A requirement alone would have this decided again and again, for it never holds again.
            if !self.is_under_way(task)? {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "the bundle's application was abandoned, or ended by another; apply it again",
                ));
            }
            task.end(&mut change.batch);
            if Plan::of(&change.dag, header)? != *plan {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "what the bundle brings has come another way meanwhile; apply it again",
                ));
            }
            let repo = match plan.repo {
                Some(repo) => change.dag.repo(repo)?.clone(),
                None => add_repo(change, options, (header, plan, numbers))?,
            };
            let versions = add_versions(change, (header, plan, numbers))?;
            let mut instances = Vec::new();
            for (place, carried) in header.instances.iter().enumerate() {
                if plan.instances[place].is_none() {
                    instances.push(add_instance(change, repo.id, numbers.instances[place], carried)?);
                }
            }
            let mut tags_left_out = Vec::new();
            for tag in &header.tags {
                if !add_tag(change, repo.id, tag)? {
                    tags_left_out.push(tag.name.clone());
                }
            }
            let kept = header.instances.iter().zip(&plan.instances);
            let kept = kept.filter(|(carried, found)| !carried.versioned && found.is_some());
            Ok(Applied {
                repo,
                repo_is_new: plan.repo.is_none(),
                present: header.versions.len() - versions.len(),
                versions,
                instances,
                kept: kept.map(|(carried, _)| carried.name.clone()).collect(),
                tags_left_out,
                counts,
            })
        })
    }
}

fn add_repo(change: &mut Change, options: &ApplyOptions, (header, _, numbers): Parts<'_>) -> Result<Repo> {
    let root = header.versions.iter().position(|version| version.uuid == header.repo.root);
    let root = root
        .and_then(|place| numbers.versions.get(place))
        .ok_or_else(|| corrupt("the bundle has neither the repo's root nor a base"))?;
    let repo = Repo {
        id: numbers.repo,
        uuid: header.repo.uuid,
        alias: free_alias(&change.dag, options, header)?,
        root: *root,
        created: header.repo.created,
    };
    change.batch.put(record::numbered(record::REPO, repo.id.0), record::encode(&repo)?);
    change.dag.add_repo(repo.clone());
    Ok(repo)
}

fn add_versions(change: &mut Change, (header, plan, numbers): Parts<'_>) -> Result<Vec<Version>> {
    let places: HashMap<_, _> =
        header.versions.iter().zip(&numbers.versions).map(|(version, id)| (version.uuid, *id)).collect();
    let old_branches: BTreeSet<String> =
        change.dag.heads(numbers.repo).into_keys().map(ToOwned::to_owned).collect();
    let mut versions = Vec::new();
    for place in header.parents_first()? {
        if plan.versions[place].is_some() {
            continue;
        }
        let carried = &header.versions[place];
        let mut parents = Vec::with_capacity(carried.parents.len());
        for parent in &carried.parents {
            let here = || change.dag.version_of_uuid(*parent).map(|version| version.id);
            parents.push(
                places
                    .get(parent)
                    .copied()
                    .or_else(here)
                    .ok_or_else(|| corrupt("a version's parent is nowhere"))?,
            );
        }
        let id = numbers.versions[place];
        change.batch.put(record::committed(id), carried.committed.to_be_bytes().to_vec());
        if let Some(cleaned) = carried.cleaned {
            change.batch.put(record::numbered(record::CLEANED, id.0), cleaned.to_be_bytes().to_vec());
        }
        versions.push(change.add_version(Version {
            id,
            uuid: carried.uuid,
            repo: numbers.repo,
            parents,
            branch: carried.branch.clone(),
            note: carried.note.clone(),
            created: carried.created,
            committed: Some(carried.committed),
            cleaned: carried.cleaned,
        })?);
    }
    // Whether a branch that was here before is hidden, is decided here.
    for branch in header.hidden.iter().filter(|branch| !old_branches.contains(*branch)) {
        change.batch.put(record::named(record::HIDDEN, numbers.repo, branch), Vec::new());
        change.dag.set_hidden(numbers.repo, branch, true);
    }
    Ok(versions)
}

fn add_instance(
    change: &mut Change,
    repo: RepoId,
    id: InstanceId,
    carried: &BundledInstance,
) -> Result<Instance> {
    let instance = Instance {
        id,
        repo,
        name: carried.name.clone(),
        datatype: carried.datatype.clone(),
        versioned: carried.versioned,
        properties: carried.properties.clone(),
        tags: carried.tags.clone(),
        created: carried.created,
    };
    change.batch.put(record::numbered(record::INSTANCE, id.0), record::encode(&instance)?);
    change.dag.add_instance(instance.clone())?;
    Ok(instance)
}

/// Adds a tag; not where its name is taken by another tag, or a branch.
fn add_tag(change: &mut Change, repo: RepoId, carried: &BundledTag) -> Result<bool> {
    let version = change
        .dag
        .version_of_uuid(carried.version)
        .map(|version| version.id)
        .ok_or_else(|| corrupt("a tag's version is nowhere"))?;
    if let Some(found) = change.dag.tag(repo, &carried.name) {
        return Ok(found.version == version);
    }
    if change.dag.versions().any(|other| other.repo == repo && other.branch == carried.name) {
        return Ok(false);
    }
    let tag = Tag {
        repo,
        name: carried.name.clone(),
        version,
        note: carried.note.clone(),
        created: carried.created,
    };
    change.batch.put(record::named(record::TAG, repo, &tag.name), record::encode(&tag)?);
    change.dag.put_tag(tag)?;
    Ok(true)
}
