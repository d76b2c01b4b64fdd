//! Branches: renamed, hidden, made the main one, and deleted with what they alone have.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, check_name};
use super::dag::{Version, VersionDag};
use super::history::MAIN;
use super::record;
use super::versioned::Versioned;
use super::work::{Task, Work};
use crate::key::{RepoId, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store};

impl VersionDag {
    /// The versions of a branch, by number.
    ///
    /// # Errors
    /// `NotFound` names the branches that there are.
    pub fn branch(&self, repo: RepoId, name: &str) -> Result<Vec<&Version>> {
        self.repo(repo)?;
        let found: Vec<_> =
            self.versions().filter(|version| version.repo == repo && version.branch == name).collect();
        if found.is_empty() {
            let branches: Vec<_> = self.heads(repo).into_keys().collect();
            return Err(Error::new(ErrorKind::NotFound, "the repo has no such branch")
                .with("branch", name)
                .with("branches", branches.join(", ")));
        }
        Ok(found)
    }

    /// The branch that is meant when none is named: `main`, or the root's where no branch is called that.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn main_branch(&self, repo: RepoId) -> Result<&str> {
        let root = self.version(self.repo(repo)?.root)?;
        Ok(self.branch(repo, MAIN).map_or(&root.branch, |_| MAIN))
    }

    /// What stands on these versions and isn't one of them: tags, and versions made from them.
    fn dependents(&self, versions: &BTreeSet<VersionId>) -> Vec<String> {
        let mut found: Vec<String> = self
            .tags()
            .filter(|tag| versions.contains(&tag.version))
            .map(|tag| format!("tag {}", tag.name))
            .collect();
        let mut branches: BTreeMap<&str, &Version> = BTreeMap::new();
        let children = versions.iter().flat_map(|id| self.children(*id));
        for child in children.filter(|child| !versions.contains(child)) {
            if let Ok(child) = self.version(*child) {
                branches.entry(&child.branch).or_insert(child);
            }
        }
        for (branch, version) in branches {
            found.push(format!("branch {branch} from {}", version.uuid.simple()));
        }
        found
    }
}

impl<S: Store> Versioned<S> {
    /// Gives a branch another name.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyExists` when a branch or a tag of the repo has the name; `InvalidArgument` for one
    /// that can't be.
    pub fn rename_branch(&self, repo: RepoId, old: &str, new: &str) -> Result<()> {
        check_name(new)?;
        self.change(|change| {
            change.dag.branch(repo, old)?;
            check_unused(&change.dag, repo, new)?;
            change.relabel(repo, &[(old, new)])
        })
    }

    /// Hides a branch: it isn't listed any more, and is found as before.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn hide_branch(&self, repo: RepoId, name: &str) -> Result<()> {
        self.change(|change| {
            change.dag.branch(repo, name)?;
            change.mark_hidden(repo, name, true);
            Ok(())
        })
    }

    /// Lists a hidden branch again.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn show_branch(&self, repo: RepoId, name: &str) -> Result<()> {
        self.change(|change| {
            change.dag.branch(repo, name)?;
            change.mark_hidden(repo, name, false);
            Ok(())
        })
    }

    /// Makes a branch the main one. It is called `main` from then on, and what was called that gets the branch's
    /// former name, or `former`. Only names change: the versions of both stay what and where they are.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyExists` when a branch or a tag of the repo has the name `former`; `InvalidArgument`
    /// when the branch is the main one already, or `former` can't be a name, or there is nothing to give it to.
    pub fn make_main(&self, repo: RepoId, name: &str, former: Option<&str>) -> Result<()> {
        if let Some(former) = former {
            check_name(former)?;
        }
        self.change(|change| {
            change.dag.branch(repo, name)?;
            if name == MAIN {
                return Err(Error::new(ErrorKind::InvalidArgument, "the branch is the main one already")
                    .with("branch", name));
            }
            if change.dag.branch(repo, MAIN).is_err() {
                if let Some(former) = former {
                    return Err(Error::new(
                        ErrorKind::InvalidArgument,
                        "no branch is called `main`, so none can be given another name",
                    )
                    .with("name", former));
                }
                check_unused(&change.dag, repo, MAIN)?;
                return change.relabel(repo, &[(name, MAIN)]);
            }
            let former = former.unwrap_or(name);
            if former == MAIN {
                return Err(Error::new(ErrorKind::InvalidArgument, "two branches can't both be `main`"));
            }
            if former != name {
                check_unused(&change.dag, repo, former)?;
            }
            change.relabel(repo, &[(name, MAIN), (MAIN, former)])
        })
    }

    /// Deletes a branch: its versions, committed ones too, and all that was written at them. Answers the versions.
    ///
    /// They are gone from the first batch on. The data follows in further ones, which [`resume`](Self::resume) goes
    /// on with where a crash has cut them short.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the branch has the repo's root, or names what stands on the branch:
    /// tags, and branches or merges made from it.
    pub fn delete_branch(&self, repo: RepoId, name: &str) -> Result<Vec<Version>> {
        let (task, versions) = self.change(|change| {
            let versions: Vec<Version> = change.dag.branch(repo, name)?.into_iter().cloned().collect();
            let doomed: BTreeSet<VersionId> = versions.iter().map(|version| version.id).collect();
            if doomed.contains(&change.dag.repo(repo)?.root) {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "the branch has the repo's root, so it can't be deleted",
                )
                .with("branch", name));
            }
            let dependents = change.dag.dependents(&doomed);
            if !dependents.is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "the branch can't be deleted while others stand on it",
                )
                .with("branch", name)
                .with("dependents", dependents.join(", ")));
            }
            change.mark_hidden(repo, name, false);
            let task = change.remove_versions(repo, &doomed)?;
            Ok((task, versions))
        })?;
        self.work(&task)?;
        Ok(versions)
    }
}

impl Change {
    /// Takes versions out of the DAG, and begins to remove what was written at them.
    fn remove_versions(&mut self, repo: RepoId, versions: &BTreeSet<VersionId>) -> Result<Task> {
        for id in versions {
            for class in [record::VERSION, record::COMMITTED, record::CLEANED] {
                self.batch.delete(record::numbered(class, id.0));
            }
        }
        self.dag = self.dag.without(versions)?;
        self.begin(Work::DeleteVersions { repo, versions: versions.clone() })
    }

    /// Gives branches other names, all at once, so that two can change places.
    fn relabel(&mut self, repo: RepoId, names: &[(&str, &str)]) -> Result<()> {
        let mut changed = Vec::new();
        let mut hidden = Vec::new();
        for (old, new) in names {
            for version in self.dag.branch(repo, old)? {
                changed.push(Version { branch: (*new).to_owned(), ..version.clone() });
            }
            hidden.push((*new, self.dag.is_hidden(repo, old)));
        }
        for (old, _) in names {
            self.mark_hidden(repo, old, false);
        }
        for (new, hidden) in hidden {
            self.mark_hidden(repo, new, hidden);
        }
        for version in changed {
            self.batch.put(record::numbered(record::VERSION, version.id.0), record::encode(&version)?);
            self.dag.replace_version(version);
        }
        Ok(())
    }

    fn mark_hidden(&mut self, repo: RepoId, name: &str, hidden: bool) {
        let key = record::named(record::HIDDEN, repo, name);
        if hidden {
            self.batch.put(key, bytes::Bytes::new());
        } else {
            self.batch.delete(key);
        }
        self.dag.set_hidden(repo, name, hidden);
    }
}

fn check_unused(dag: &VersionDag, repo: RepoId, name: &str) -> Result<()> {
    let what = if dag.branch(repo, name).is_ok() {
        "the repo has this branch already"
    } else if dag.tag(repo, name).is_some() {
        "the repo has a tag of this name"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::AlreadyExists, what).with("branch", name))
}
