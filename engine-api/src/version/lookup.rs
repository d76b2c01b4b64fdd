//! Finding a version by what people write.

use super::dag::{Repo, Version, VersionDag};
use crate::spi::{Error, ErrorKind, Result};

/// The fewest hex digits of a UUID that are looked up.
const SHORTEST_PREFIX: usize = 4;

impl VersionDag {
    /// The version that `spec` names: `[REPO:]NAME[~N]`.
    ///
    /// `NAME` is a branch, meaning its newest version, a tag, or the first digits (four at least) of a
    /// version's UUID. `REPO`, needed where there are several, is an alias or the first digits of a repo's UUID.
    /// `~N` goes back N versions along first parents; `~` alone goes back one. A branch or a tag wins over digits.
    ///
    /// # Errors
    /// `NotFound` names the branches; `InvalidArgument` where the digits fit several, or `~` goes past the root.
    pub fn find(&self, spec: &str) -> Result<&Version> {
        let (rest, back) = match spec.split_once('~') {
            None => (spec, 0),
            Some((rest, "")) => (rest, 1),
            Some((rest, count)) => (rest, count.parse().map_err(|_| malformed(spec))?),
        };
        let (repo, name) = match rest.split_once(':') {
            None => (None, rest),
            Some(("", name)) => (Some(self.only_repo()?), name),
            Some((repo, name)) => (Some(self.find_repo(repo)?), name),
        };
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
        let digits = name.to_ascii_lowercase();
        let mut fitting = self.repos().filter(|repo| {
            digits.len() >= SHORTEST_PREFIX && repo.uuid.simple().to_string().starts_with(&digits)
        });
        match (fitting.next(), fitting.next()) {
            (Some(repo), None) => Ok(repo),
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorKind::InvalidArgument, "several repos begin with these digits")
                    .with("digits", name))
            }
            (None, _) => Err(Error::new(ErrorKind::NotFound, "there is no such repo").with("repo", name)),
        }
    }

    /// The version that a branch or a tag of this name means; no repo has both.
    fn find_name(&self, repo: Option<&Repo>, name: &str) -> Result<Option<&Version>> {
        let repos: Vec<_> = match repo {
            Some(repo) => vec![repo],
            None => self.repos().collect(),
        };
        let mut named = repos.iter().filter_map(|repo| {
            let tagged = || self.tag(repo.id, name).and_then(|tag| self.version(tag.version).ok());
            self.heads(repo.id).remove(name).or_else(tagged)
        });
        let found = named.next();
        if named.next().is_some() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "several repos have a branch or a tag of this name; write REPO:NAME",
            )
            .with("name", name));
        }
        Ok(found)
    }

    fn find_digits(&self, repo: Option<&Repo>, name: &str) -> Result<&Version> {
        let digits = name.to_ascii_lowercase();
        let plausible =
            digits.len() >= SHORTEST_PREFIX && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        let mut fitting = self
            .uuids()
            .iter()
            .filter(|(uuid, _)| plausible && uuid.simple().to_string().starts_with(&digits))
            .filter_map(|(_, id)| self.version(*id).ok())
            .filter(|version| repo.is_none_or(|repo| version.repo == repo.id));
        match (fitting.next(), fitting.next()) {
            (Some(version), None) => Ok(version),
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorKind::InvalidArgument, "several versions begin with these digits")
                    .with("digits", name))
            }
            (None, _) => Err(self.no_such_version(name)),
        }
    }

    fn no_such_version(&self, name: &str) -> Error {
        let branches: Vec<_> = self.repos().flat_map(|repo| self.heads(repo.id).into_keys()).collect();
        Error::new(ErrorKind::NotFound, "there is no branch or version of this name")
            .with("name", name)
            .with("branches", branches.join(", "))
    }
}

fn malformed(spec: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "a version is named as [REPO:]NAME[~N]").with("spec", spec)
}
