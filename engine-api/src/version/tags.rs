//! Tags: names that stay with a version.

use super::change::{check_name, now};
use super::dag::Tag;
use super::record;
use super::target::cleaned;
use super::versioned::Versioned;
use crate::key::{RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store};

impl<S: Store> Versioned<S> {
    /// Gives a version a name that stays with it.
    ///
    /// # Errors
    /// `NotFound`, also when the version's data was cleaned away; `AlreadyExists` when a tag or a branch of the repo has
    /// the name; `InvalidArgument` for one that can't be.
    pub fn tag(&self, version: VersionId, name: &str, note: &str) -> Result<Tag> {
        check_name(name)?;
        self.change(|change| {
            let named = change.dag.version(version)?;
            if named.cleaned.is_some() {
                return Err(cleaned(named));
            }
            let repo = named.repo;
            let branch = change.dag.versions().any(|other| other.repo == repo && other.branch == name);
            if branch || change.dag.tag(repo, name).is_some() {
                let what = if branch {
                    "the repo has a branch of this name"
                } else {
                    "the repo has this tag already"
                };
                return Err(Error::new(ErrorKind::AlreadyExists, what).with("tag", name));
            }
            let tag = Tag { repo, name: name.to_owned(), version, note: note.to_owned(), created: now() };
            change.batch.put(record::named(record::TAG, repo, name), record::encode(&tag)?);
            change.dag.put_tag(tag.clone())?;
            Ok(tag)
        })
    }

    /// Takes a tag away, and answers it. Its version stays.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn untag(&self, repo: RepoId, name: &str) -> Result<Tag> {
        self.change(|change| {
            let tag = change.dag.tag(repo, name).cloned().ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "the repo has no such tag").with("tag", name)
            })?;
            change.batch.delete(record::named(record::TAG, repo, name));
            change.dag.remove_tag(repo, name);
            Ok(tag)
        })
    }
}
