//! Writing a bundle: the DAG and every entry from one view, so that a bundle is of one moment.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use super::super::dag::{Repo, VersionDag};
use super::super::target::cleaned;
use super::super::versioned::{State, Versioned};
use super::format::{BundleCounts, Entry, HEAD, Kind, SECTION_BYTES, SectionHead};
use super::header::{BundleHeader, BundledInstance, BundledRepo, BundledTag, BundledVersion};
use crate::key::{Context, DataContext, DataKey, InstanceId, RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Step, Store, Value, View, visitor};

/// Which versions of a repo a bundle carries: those that the heads see, but for those that `since` sees.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    repo: Option<RepoId>,
    heads: Vec<VersionId>,
    since: Vec<VersionId>,
    unversioned: bool,
}

impl Selection {
    /// All committed versions of the only repo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this repo.
    #[must_use]
    pub fn repo(mut self, repo: RepoId) -> Self {
        self.repo = Some(repo);
        self
    }

    /// Only these versions and their ancestors.
    #[must_use]
    pub fn heads(mut self, heads: impl IntoIterator<Item = VersionId>) -> Self {
        self.heads.extend(heads);
        self
    }

    /// Without these versions and their ancestors, which a store that applies the bundle must have.
    #[must_use]
    pub fn since(mut self, since: impl IntoIterator<Item = VersionId>) -> Self {
        self.since.extend(since);
        self
    }

    /// With the instances that have no versions, as they are now.
    #[must_use]
    pub fn unversioned(mut self) -> Self {
        self.unversioned = true;
        self
    }

    /// The repo, and the versions that are carried.
    fn choose<'d>(&self, dag: &'d VersionDag) -> Result<(&'d Repo, BTreeSet<VersionId>)> {
        let repo = match (self.repo, self.heads.first()) {
            (Some(repo), _) => dag.repo(repo)?,
            (None, Some(head)) => dag.repo(dag.version(*head)?.repo)?,
            (None, None) => dag.only_repo()?,
        };
        if self.unversioned && !self.since.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "what has no versions can't be carried since one; carry all versions",
            ));
        }
        for id in self.heads.iter().chain(&self.since) {
            if dag.version(*id)?.repo != repo.id {
                return Err(Error::new(ErrorKind::InvalidArgument, "a bundle carries versions of one repo"));
            }
        }
        let mut heads = self.heads.clone();
        if heads.is_empty() {
            let committed =
                dag.versions().filter(|version| version.repo == repo.id && version.committed.is_some());
            heads.extend(committed.map(|version| version.id));
        }
        for head in &heads {
            let head = dag.version(*head)?;
            if head.committed.is_none() {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "the version is open, and only committed ones travel; commit it first",
                )
                .with("version", head.uuid.simple()));
            }
        }
        let without = ancestors(dag, self.since.clone(), &BTreeSet::new())?;
        // Deletions of values that are gone here are gone too, and the values may be there where the rest goes.
        for id in &without {
            let base = dag.version(*id)?;
            if base.cleaned.is_some() {
                return Err(cleaned(base));
            }
        }
        Ok((repo, ancestors(dag, heads, &without)?))
    }
}

/// These versions and their ancestors, but for those of `without`.
fn ancestors(
    dag: &VersionDag,
    mut todo: Vec<VersionId>,
    without: &BTreeSet<VersionId>,
) -> Result<BTreeSet<VersionId>> {
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !without.contains(&id) && seen.insert(id) {
            todo.extend_from_slice(&dag.version(id)?.parents);
        }
    }
    Ok(seen)
}

/// Writes a bundle, and answers what it says of itself. `watch` is called after each section with what is written so far; an error from it ends the
/// work.
///
/// # Errors
/// `InvalidArgument` for an open head, and for versions of several repos; `NotFound`, also when data of what is left
/// out was cleaned away; whatever `watch` answers.
pub fn create_bundle<S: Store>(
    store: &Versioned<S>,
    selection: &Selection,
    to: &mut dyn Write,
    watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
) -> Result<(BundleHeader, BundleCounts)> {
    let view = store.store.view()?;
    let dag = State::load(&*view)?.dag;
    let (repo, carried) = selection.choose(&dag)?;
    let instances: Vec<_> = dag
        .instances()
        .filter(|instance| instance.repo == repo.id && (instance.versioned || selection.unversioned))
        .collect();
    let header = BundleHeader {
        instances: instances
            .iter()
            .map(|instance| BundledInstance {
                name: instance.name.clone(),
                datatype: instance.datatype.clone(),
                versioned: instance.versioned,
                properties: instance.properties.clone(),
                tags: instance.tags.clone(),
                created: instance.created,
            })
            .collect(),
        ..history(&dag, repo, &carried)?
    };
    let places: HashMap<_, _> = (0_u32..).zip(&carried).map(|(place, id)| (*id, place)).collect();

    let mut sections = Sections::begin(to)?;
    sections.write(Kind::Header, &header.encode()?)?;
    for (place, instance) in (0_u32..).zip(&instances) {
        let context = (place, instance.id, instance.versioned);
        write_instance(&*view, context, &places, &mut sections, watch)?;
    }
    sections.flush(watch)?;
    Ok((header, sections.end()?))
}

/// The header of a bundle that carries these versions, without instances.
fn history(dag: &VersionDag, repo: &Repo, carried: &BTreeSet<VersionId>) -> Result<BundleHeader> {
    let uuid = |id: &VersionId| dag.version(*id).map(|version| version.uuid);
    let mut versions = Vec::with_capacity(carried.len());
    let mut base = BTreeSet::new();
    for id in carried {
        let version = dag.version(*id)?;
        let Some(committed) = version.committed else {
            return Err(Error::new(ErrorKind::Corrupt, "an open version has children")
                .with("version", version.uuid.simple()));
        };
        base.extend(version.parents.iter().filter(|parent| !carried.contains(parent)).copied());
        versions.push(BundledVersion {
            uuid: version.uuid,
            parents: version.parents.iter().map(uuid).collect::<Result<_>>()?,
            branch: version.branch.clone(),
            note: version.note.clone(),
            created: version.created,
            committed,
            cleaned: version.cleaned,
        });
    }
    let tagged = |id: &VersionId| carried.contains(id) || base.contains(id);
    let mut tags = Vec::new();
    for tag in dag.tags().filter(|tag| tagged(&tag.version)) {
        tags.push(BundledTag {
            name: tag.name.clone(),
            version: uuid(&tag.version)?,
            note: tag.note.clone(),
            created: tag.created,
        });
    }
    let branches: BTreeSet<_> = versions.iter().map(|version| version.branch.as_str()).collect();
    let hidden = branches.iter().filter(|branch| dag.is_hidden(repo.id, branch));
    Ok(BundleHeader {
        repo: BundledRepo {
            uuid: repo.uuid,
            root: uuid(&repo.root)?,
            alias: repo.alias.clone(),
            created: repo.created,
        },
        hidden: hidden.map(|branch| (*branch).to_owned()).collect(),
        base: base.iter().map(uuid).collect::<Result<_>>()?,
        versions,
        tags,
        instances: Vec::new(),
    })
}

fn write_instance(
    view: &dyn View,
    (place, instance, versioned): (u32, InstanceId, bool),
    places: &HashMap<VersionId, u32>,
    sections: &mut Sections<'_>,
    watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
) -> Result<()> {
    let range = DataContext::unversioned(instance).key_range();
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        let key = DataKey::parse(key)?;
        let version = if versioned {
            let Some(version) = places.get(&key.version) else { return Ok(Step::Next) };
            Some(*version)
        } else {
            None
        };
        sections.entry((place, version), &key, value.bytes()?, watch)?;
        Ok(Step::Next)
    });
    view.scan(range.scan(), &mut each)
}

/// Writes sections, and knows what the trailer is to say of them.
struct Sections<'a> {
    to: &'a mut dyn Write,
    number: u32,
    heads: u32,
    entries: Vec<u8>,
    counts: BundleCounts,
}

impl<'a> Sections<'a> {
    fn begin(to: &'a mut dyn Write) -> Result<Self> {
        put(to, &HEAD)?;
        let (entries, counts) = (Vec::new(), BundleCounts::default());
        Ok(Self { to, number: 0, heads: crc32c::crc32c(&HEAD), entries, counts })
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        let head = SectionHead::of(kind, self.number, payload).encode();
        self.heads = crc32c::crc32c_append(self.heads, &head);
        self.number = self.number.checked_add(1).ok_or_else(|| {
            Error::new(ErrorKind::TooLarge, "a bundle has no more sections than a number can count")
        })?;
        put(self.to, &head)?;
        put(self.to, payload)
    }

    fn entry(
        &mut self,
        place: (u32, Option<u32>),
        key: &DataKey,
        value: &[u8],
        watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
    ) -> Result<()> {
        let tkey = key.tkey.as_bytes();
        if self.entries.len() + Entry::length(tkey, value) > SECTION_BYTES {
            self.flush(watch)?;
        }
        Entry::write(&mut self.entries, place, tkey, key.mark, value)?;
        self.counts.add(tkey, value);
        Ok(())
    }

    fn flush(&mut self, watch: &mut dyn FnMut(&BundleCounts) -> Result<()>) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut entries = std::mem::take(&mut self.entries);
        self.write(Kind::Entries, &entries)?;
        entries.clear();
        self.entries = entries;
        watch(&self.counts)
    }

    fn end(mut self) -> Result<BundleCounts> {
        let trailer = self.counts.trailer(self.heads);
        self.write(Kind::Trailer, &trailer)?;
        self.to.flush().map_err(|error| Error::from_io(error, "the bundle can't be written"))?;
        Ok(self.counts)
    }
}

fn put(to: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).map_err(|error| Error::from_io(error, "the bundle can't be written"))
}
