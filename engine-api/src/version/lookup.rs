//! Finding a version by what people write.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::dag::{Repo, Version, VersionDag};
use crate::key::RepoId;
use crate::spi::{Error, ErrorKind, Result};

/// The fewest hex digits of a UUID that are looked up.
const SHORTEST_PREFIX: usize = 4;
/// The most candidates that an error names.
const CANDIDATES_NAMED: usize = 8;

impl VersionDag {
    /// The version that `spec` names: `[REPO:]NAME[~N]`.
    ///
    /// `NAME` is a branch, meaning its newest version, a tag, or the first digits (four at least) of a
    /// version's UUID. `REPO`, needed where there are several, is an alias or the first digits of the UUID of any
    /// of the repo's versions; nothing before the colon means the only repo. `~N` goes back N versions along first
    /// parents, whatever was named; `~` alone goes back one. A branch or a tag wins over digits.
    ///
    /// # Errors
    /// `NotFound` names the branches; `InvalidArgument` names the candidates where several fit, and is also
    /// answered where `~` goes past the root.
    pub fn find(&self, spec: &str) -> Result<&Version> {
        let (rest, back) = match spec.split_once('~') {
            None => (spec, 0),
            Some((rest, "")) => (rest, 1),
            Some((rest, count)) => (rest, count.parse().map_err(|_| malformed(spec))?),
        };
        let (repo, name) = self.split(rest)?;
        let mut version = match self.find_name(repo, name)? {
            Some(named) => named,
            None => self.find_digits(repo, name)?,
        };
        for _ in 0..back {
            let parent = version.parents.first().ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "the version has fewer ancestors than that")
                    .with("spec", spec)
            })?;
            version = self.version(*parent)?;
        }
        Ok(version)
    }

    /// The repo and the name that `[REPO:]NAME` means: the only repo where none is named.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` names the candidates where several repos fit.
    pub fn find_in_repo<'s>(&self, spec: &'s str) -> Result<(&Repo, &'s str)> {
        match self.split(spec)? {
            (Some(repo), name) => Ok((repo, name)),
            (None, name) => Ok((self.only_repo()?, name)),
        }
    }

    fn split<'s>(&self, spec: &'s str) -> Result<(Option<&Repo>, &'s str)> {
        Ok(match spec.split_once(':') {
            None => (None, spec),
            Some(("", name)) => (Some(self.only_repo()?), name),
            Some((repo, name)) => (Some(self.find_repo(repo)?), name),
        })
    }

    /// The only repo.
    ///
    /// # Errors
    /// `NotFound` when there is none; `InvalidArgument` names them when there are several.
    pub fn only_repo(&self) -> Result<&Repo> {
        let mut repos = self.repos();
        match (repos.next(), repos.next()) {
            (Some(repo), None) => Ok(repo),
            (None, _) => {
                Err(Error::new(ErrorKind::NotFound, "the store has no repo yet; make one with `init`"))
            }
            (Some(_), Some(_)) => {
                let names: Vec<_> = self.repos().map(|repo| repo.alias.as_str()).collect();
                Err(Error::new(ErrorKind::InvalidArgument, "the store has several repos; write REPO:NAME")
                    .with("repos", names.join(", ")))
            }
        }
    }

    /// The repo with this alias, or the one whose UUID begins with these digits (four at least).
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` where the digits fit several.
    pub fn find_repo(&self, name: &str) -> Result<&Repo> {
        if let Some(repo) = self.repos().find(|repo| repo.alias == name) {
            return Ok(repo);
        }
        let versions = self.fitting(name);
        let repos: BTreeSet<_> = versions.iter().map(|version| version.repo).collect();
        let named = |id: &RepoId| self.repo(*id).map(|repo| repo.alias.clone()).unwrap_or_default();
        match (repos.first(), repos.len()) {
            (Some(repo), 1) => self.repo(*repo),
            (None, _) => {
                let names: Vec<_> = self.repos().map(|repo| repo.alias.as_str()).collect();
                Err(Error::new(ErrorKind::NotFound, "there is no such repo")
                    .with("repo", name)
                    .with("repos", names.join(", ")))
            }
            (Some(_), _) => Err(Error::new(
                ErrorKind::InvalidArgument,
                "several repos have versions that begin with these digits",
            )
            .with("digits", name)
            .with("candidates", list(repos.iter().map(named)))),
        }
    }

    /// The version that a branch or a tag of this name means; no repo has both.
    fn find_name(&self, repo: Option<&Repo>, name: &str) -> Result<Option<&Version>> {
        let repos: Vec<_> = match repo {
            Some(repo) => vec![repo],
            None => self.repos().collect(),
        };
        let named: Vec<_> = repos
            .iter()
            .filter_map(|repo| {
                let tagged = || self.tag(repo.id, name).and_then(|tag| self.version(tag.version).ok());
                let version = self.heads(repo.id).remove(name).or_else(tagged)?;
                Some((*repo, version))
            })
            .collect();
        if named.len() > 1 {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "several repos have a branch or a tag of this name; write REPO:NAME",
            )
            .with("name", name)
            .with("candidates", list(named.iter().map(|(repo, _)| format!("{}:{name}", repo.alias)))));
        }
        Ok(named.first().map(|(_, version)| *version))
    }

    /// The versions whose UUID is this one, or begins with these digits.
    fn fitting(&self, name: &str) -> Vec<&Version> {
        if let Some(version) = Uuid::try_parse(name).ok().and_then(|uuid| self.version_of_uuid(uuid)) {
            return vec![version];
        }
        let digits = name.to_ascii_lowercase();
        let plausible =
            digits.len() >= SHORTEST_PREFIX && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        self.uuids()
            .iter()
            .filter(|(uuid, _)| plausible && uuid.simple().to_string().starts_with(&digits))
            .filter_map(|(_, id)| self.version(*id).ok())
            .collect()
    }

    fn find_digits(&self, repo: Option<&Repo>, name: &str) -> Result<&Version> {
        let mut fitting = self.fitting(name);
        fitting.retain(|version| repo.is_none_or(|repo| version.repo == repo.id));
        match fitting.as_slice() {
            [version] => Ok(version),
            [] => Err(self.no_such_version(name)),
            several => {
                let named = |version: &&Version| format!("{} on {}", version.uuid.simple(), version.branch);
                Err(Error::new(ErrorKind::InvalidArgument, "several versions begin with these digits")
                    .with("digits", name)
                    .with("candidates", list(several.iter().map(named))))
            }
        }
    }

    fn no_such_version(&self, name: &str) -> Error {
        let listed = |repo: &Repo| {
            let mut heads = self.heads(repo.id);
            heads.retain(|branch, _| !self.is_hidden(repo.id, branch));
            heads.into_keys()
        };
        let branches: Vec<_> = self.repos().flat_map(listed).collect();
        Error::new(ErrorKind::NotFound, "there is no branch, tag or version of this name")
            .with("name", name)
            .with("branches", branches.join(", "))
    }
}

/// The first few of what was found, and how many more there are.
fn list(found: impl ExactSizeIterator<Item = String>) -> String {
    let more = found.len().saturating_sub(CANDIDATES_NAMED);
    let text = found.take(CANDIDATES_NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn malformed(spec: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "a version is named as [REPO:]NAME[~N]").with("spec", spec)
}
