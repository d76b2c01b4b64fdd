//! Squashing: a run of versions becomes its last one.
//!
//! One change of the DAG makes the older versions of the run unreadable. Then, in one pass over each instance,
//! the newest entry of the run is moved to the last version for each key, and the older ones are removed. A move
//! is one batch, so the last version and its descendants, the only ones that see the run from then on, see the
//! same value before and after. The last change takes the older versions out of the DAG and gives the last one
//! the parents of the first.
//!
//! A reader that remembers the DAG from before goes on to be right: the versions that it knows too many of have
//! no entries any more, their numbers are never handed out again, and of those that are left each has the
//! same ancestors among them as before.

use std::collections::HashMap;

use bytes::Bytes;

use super::change::now;
use super::dag::{Instance, Repo, Version, VersionDag};
use super::gc::mark;
use super::record;
use super::sweep::{Piece, Sweep, Swept, Watch, entry_key};
use super::versioned::Versioned;
use super::work::{Task, Work};
use crate::key::{Mark, Suffix, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store, Value};

impl<S: Store> Versioned<S> {
    /// Makes one version of a run of versions, each made from the one before it alone: the last, which is then
    /// made from what the first was made from, and has what it had. The others are gone. Answers how many
    /// entries that saved. Work that was cut short is finished first.
    ///
    /// A repo whose root is squashed keeps its UUID. Where reads aren't snapshots, one that is under way may miss
    /// a key that is moved at that moment.
    ///
    /// `watch` is called after each page; an error from it, a failure or a crash cut the work short. The older
    /// versions are then unreadable, every answer at another version is what it was, and
    /// [`resume`](Self::resume) goes on with it.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the versions aren't the ends of a run, when one is open, or when an older
    /// one has a tag, a branch that ends with it, or another made from it; whatever `watch` answers.
    pub fn squash(&self, first: VersionId, last: VersionId, watch: &mut Watch<'_>) -> Result<Swept> {
        for task in self.tasks()? {
            let same = matches!(&task.work, Work::Squash { versions }
                if (versions.first(), versions.last()) == (Some(&first), Some(&last)));
            if same {
                return self.finish_squash(&task, watch);
            }
            self.work(&task)?;
        }
        let task = self.change(|change| {
            let versions = run(&change.dag, first, last)?;
            let at = now();
            let mut older = Vec::new();
            for id in &versions[..versions.len() - 1] {
                let version = change.dag.version(*id)?;
                if version.cleaned.is_none() {
                    change.batch.put(record::numbered(record::CLEANED, id.0), at.to_be_bytes().to_vec());
                    older.push(version.clone());
                }
            }
            mark(&mut change.dag, &older, at);
            change.begin(Work::Squash { versions })
        })?;
        self.finish_squash(&task, watch)
    }

    /// Does what a squash has left to do.
    pub(super) fn finish_squash(&self, task: &Task, watch: &mut Watch<'_>) -> Result<Swept> {
        let mut swept = Swept::default();
        let Work::Squash { versions } = &task.work else { return Ok(swept) };
        let Some((&last, older)) = versions.split_last() else { return Ok(swept) };
        let dag = self.dag()?;
        // Once another has taken the older versions out, or the last one with its branch, there is nothing to move.
        if let Ok(Version { repo, .. }) = dag.version(last) {
            let bare = versions.first() == Some(&dag.repo(*repo)?.root);
            let ranks = (0..).zip(versions).map(|(rank, id)| (*id, rank)).collect();
            let mut mover = Mover { ranks, last, bare, newest: None, older: Vec::new() };
            for Instance { id, .. } in
                dag.instances().filter(|instance| instance.repo == *repo && instance.versioned)
            {
                let guards = [
                    task.key(),
                    record::numbered(record::INSTANCE, id.0),
                    record::numbered(record::VERSION, last.0),
                ];
                self.pass(*id, Some(&guards), &mut mover, &mut swept, watch)?;
            }
        }
        self.change(|change| {
            let first = older.iter().find_map(|id| change.dag.version(*id).ok());
            if let (Ok(kept), Some(first)) = (change.dag.version(last), first) {
                let kept = Version { parents: first.parents.clone(), ..kept.clone() };
                change.batch.put(record::numbered(record::VERSION, last.0), record::encode(&kept)?);
                for id in older {
                    // What says that it is committed stays: a write that began before that is still refused by it.
                    change.batch.delete(record::numbered(record::VERSION, id.0));
                    change.batch.delete(record::numbered(record::CLEANED, id.0));
                }
                let repo = change.dag.repo(kept.repo)?;
                if older.contains(&repo.root) {
                    let repo = Repo { root: last, ..repo.clone() };
                    change.batch.put(record::numbered(record::REPO, repo.id.0), record::encode(&repo)?);
                    change.dag.add_repo(repo);
                }
                change.dag = change.dag.with_versions(|version| {
                    if version.id == last {
                        return Some(kept.clone());
                    }
                    (!older.contains(&version.id)).then(|| version.clone())
                })?;
            }
            change.batch.delete(task.key());
            Ok(())
        })?;
        Ok(swept)
    }
}

/// The versions of a run, oldest first.
fn run(dag: &VersionDag, first: VersionId, last: VersionId) -> Result<Vec<VersionId>> {
    let refused = |message, version: &Version| {
        Err(Error::new(ErrorKind::InvalidArgument, message).with("version", version.uuid.simple()))
    };
    dag.version(first)?;
    let newest = dag.version(last)?;
    if newest.committed.is_none() {
        return refused("an open version can't be squashed; commit it first", newest);
    }
    if first == last || !dag.is_ancestor(first, last)? {
        return refused("a run begins at one version, and ends at another that was made from it", newest);
    }
    let mut versions = vec![last];
    let mut version = newest;
    while version.id != first {
        let [parent] = version.parents.as_slice() else {
            return refused("a version of the run was merged from several", version);
        };
        let older = dag.version(*parent)?;
        if dag.children(older.id).len() != 1 {
            return refused("several versions were made from one of the run", older);
        }
        if older.branch != version.branch {
            return refused("a branch ends within the run", older);
        }
        if let Some(tag) = dag.tags().find(|tag| tag.version == older.id) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a version of the run has a tag")
                .with("version", older.uuid.simple())
                .with("tag", &tag.name));
        }
        versions.push(older.id);
        version = older;
    }
    versions.reverse();
    Ok(versions)
}

/// An entry of the run, with its place in it.
struct Newest {
    rank: usize,
    suffix: Suffix,
    key_bytes: usize,
    /// Of the last version's own entry it isn't read: that one is where it belongs.
    value: Bytes,
}

struct Mover {
    /// The place of each version in the run.
    ranks: HashMap<VersionId, usize>,
    last: VersionId,
    /// Whether nothing comes before the run, so that its tombstones have nothing to hide.
    bare: bool,
    newest: Option<Newest>,
    older: Vec<(Suffix, u64)>,
}

impl Sweep for Mover {
    fn offer(&mut self, suffix: Suffix, key_bytes: usize, value: Value<'_>) -> Result<()> {
        let Some(&rank) = self.ranks.get(&suffix.version) else { return Ok(()) };
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.newest.as_ref().is_some_and(|newest| newest.rank > rank) {
            self.older.push((suffix, size(key_bytes + value.bytes()?.len())));
            return Ok(());
        }
        let value = if suffix.version == self.last { Bytes::new() } else { value.to_bytes()? };
        if let Some(passed) = self.newest.replace(Newest { rank, suffix, key_bytes, value }) {
            self.older.push((passed.suffix, size(passed.key_bytes + passed.value.len())));
        }
        Ok(())
    }

    fn end(&mut self, group: &[u8], pieces: &mut Vec<Piece>) -> Result<()> {
        let Some(Newest { suffix, key_bytes, value, .. }) = self.newest.take() else { return Ok(()) };
        let stored = entry_key(group, suffix);
        let hides_nothing = self.bare && suffix.mark == Mark::Tombstone;
        if suffix.version != self.last && !hides_nothing {
            let mut moved = Piece::default();
            // Another that does the same work may have moved it, and what it moved may have been cleaned away.
            moved.batch.require_present(&stored);
            moved.batch.put(entry_key(group, Suffix { version: self.last, ..suffix }), value).delete(&stored);
            pieces.push(moved);
        }
        for (suffix, bytes) in self.older.drain(..) {
            let mut piece = Piece { entries: 1, bytes, ..Piece::default() };
            piece.batch.delete(entry_key(group, suffix));
            pieces.push(piece);
        }
        if hides_nothing {
            // After all that it hid.
            let bytes = u64::try_from(key_bytes).unwrap_or(u64::MAX);
            let mut piece = Piece { entries: 1, bytes, ..Piece::default() };
            piece.batch.delete(stored);
            pieces.push(piece);
        }
        Ok(())
    }
}
