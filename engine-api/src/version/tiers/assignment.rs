//! Which store an instance's data goes to.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::spi::{Error, ErrorKind, Result};
use crate::version::{Instance, Repo};

/// Rules that name the stores for an instance.
///
/// Of the rules that fit an instance, the most telling kind decides: its name, then its tags, then its datatype.
/// Of several of that kind the first one does. What it leaves open, and what no rule fits, is as the defaults say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The store of repos, versions and instances; where it isn't named, that of mutable data.
    pub metadata: Option<String>,
    /// The store of data.
    pub mutable: String,
    /// The store that committed data is moved to; where it isn't named, it stays.
    pub immutable: Option<String>,
    /// The rules, in their order.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// A rule: which instances, and which stores. Exactly one of `instance`, `tag` and `datatype` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// An instance: `NAME`, or `REPO/NAME`.
    pub instance: Option<String>,
    /// A tag of instances: `KEY=VALUE`.
    pub tag: Option<String>,
    /// A datatype.
    pub datatype: Option<String>,
    /// The store of data, unless it is the default.
    pub mutable: Option<String>,
    /// The store that committed data is moved to, unless it is the default.
    pub immutable: Option<String>,
}

/// What a rule selects by, from the most telling kind to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector<'a> {
    /// An instance of one repo.
    InstanceOf(&'a str, &'a str),
    /// An instance of any repo.
    Instance(&'a str),
    /// A tag and its value.
    Tag(&'a str, &'a str),
    /// A datatype.
    Datatype(&'a str),
}

impl Selector<'_> {
    fn fits(self, repo: &Repo, instance: &Instance) -> bool {
        match self {
            Self::InstanceOf(alias, name) => repo.alias == alias && instance.name == name,
            Self::Instance(name) => instance.name == name,
            Self::Tag(key, value) => instance.tags.get(key).is_some_and(|held| held == value),
            Self::Datatype(datatype) => instance.datatype == datatype,
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::InstanceOf(..) => 0,
            Self::Instance(_) => 1,
            Self::Tag(..) => 2,
            Self::Datatype(_) => 3,
        }
    }
}

/// The stores of an instance, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// Of its data.
    pub mutable: &'a str,
    /// Of its committed data, once that is archived.
    pub immutable: Option<&'a str>,
}

impl Rule {
    /// What the rule selects by.
    ///
    /// # Errors
    /// `InvalidConfig` when it has none of the three, several, or a tag without `=`.
    pub fn selector(&self) -> Result<Selector<'_>> {
        match (&self.instance, &self.tag, &self.datatype) {
            (Some(instance), None, None) => Ok(match instance.split_once('/') {
                Some((repo, name)) => Selector::InstanceOf(repo, name),
                None => Selector::Instance(instance),
            }),
            (None, Some(tag), None) => {
                match tag.split_once('=') {
                    Some((key, value)) => Ok(Selector::Tag(key, value)),
                    None => Err(Error::new(ErrorKind::InvalidConfig, "a tag is written as KEY=VALUE")
                        .with("tag", tag)),
                }
            }
            (None, None, Some(datatype)) => Ok(Selector::Datatype(datatype)),
            _ => Err(Error::new(
                ErrorKind::InvalidConfig,
                "a rule has one of `instance`, `tag` and `datatype`, and not several",
            )),
        }
    }
}

impl Assignment {
    /// The store of the metadata.
    pub fn metadata(&self) -> &str {
        self.metadata.as_deref().unwrap_or(&self.mutable)
    }

    /// Refuses rules that can't be followed, or that say two things of one.
    ///
    /// # Errors
    /// `InvalidConfig` names the rule, or the store that isn't one of `stores`.
    pub fn check(&self, stores: &[&str]) -> Result<()> {
        let rules = self.rules.iter().flat_map(|rule| [&rule.mutable, &rule.immutable]);
        let named = [&self.metadata, &self.immutable].into_iter().chain(rules).flatten();
        for name in named.chain([&self.mutable]) {
            if !stores.contains(&name.as_str()) {
                return Err(Error::new(ErrorKind::InvalidConfig, "no store has this name")
                    .with("name", name)
                    .with("stores", stores.join(", ")));
            }
        }
        let mut seen = BTreeSet::new();
        for rule in &self.rules {
            let selector = rule.selector()?;
            if rule.mutable.is_none() && rule.immutable.is_none() {
                return Err(Error::new(ErrorKind::InvalidConfig, "a rule names no store")
                    .with("rule", format_args!("{selector:?}")));
            }
            if !seen.insert(selector) {
                return Err(Error::new(ErrorKind::InvalidConfig, "two rules say which stores the same have")
                    .with("rule", format_args!("{selector:?}")));
            }
        }
        Ok(())
    }

    /// The stores of an instance that is made now.
    ///
    /// # Errors
    /// `InvalidConfig` for a rule that has no selector.
    pub fn choose(&self, repo: &Repo, instance: &Instance) -> Result<Choice<'_>> {
        let mut best: Option<(u8, &Rule)> = None;
        for rule in &self.rules {
            let selector = rule.selector()?;
            if selector.fits(repo, instance) && best.is_none_or(|(rank, _)| selector.rank() < rank) {
                best = Some((selector.rank(), rule));
            }
        }
        let rule = best.map(|(_, rule)| rule);
        Ok(Choice {
            mutable: rule.and_then(|rule| rule.mutable.as_deref()).unwrap_or(&self.mutable),
            immutable: rule.and_then(|rule| rule.immutable.as_deref()).or(self.immutable.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uuid;
    use crate::key::{InstanceId, RepoId, VersionId};

    fn rule(instance: &str, tag: &str, datatype: &str, mutable: &str) -> Rule {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Rule {
            instance: some(instance),
            tag: some(tag),
            datatype: some(datatype),
            mutable: some(mutable),
            immutable: None,
        }
    }

    fn assignment(rules: Vec<Rule>) -> Assignment {
        Assignment { metadata: None, mutable: "bulk".into(), immutable: Some("cold".into()), rules }
    }

    fn chosen<'a>(assignment: &'a Assignment, name: &str, tags: &[(&str, &str)]) -> &'a str {
        let repo =
            Repo { id: RepoId(1), uuid: Uuid::nil(), alias: "atlas".into(), root: VersionId(1), created: 0 };
        let instance = Instance {
            id: InstanceId(1),
            repo: RepoId(1),
            name: name.into(),
            datatype: "volume".into(),
            versioned: true,
            properties: serde_json::Value::Null,
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            created: 0,
        };
        assignment.choose(&repo, &instance).unwrap().mutable
    }

    #[test]
    fn the_most_telling_rule_decides_and_of_its_kind_the_first() {
        let all = assignment(vec![
            rule("", "", "volume", "by-datatype"),
            rule("", "b=2", "", "by-tag-b"),
            rule("", "a=1", "", "by-tag-a"),
            rule("head", "", "", "by-name"),
            rule("atlas/head", "", "", "by-repo-and-name"),
            rule("other/tail", "", "", "elsewhere"),
        ]);
        let tags = [("a", "1"), ("b", "2")];
        assert_eq!(chosen(&all, "head", &tags), "by-repo-and-name");
        assert_eq!(chosen(&all, "tail", &tags), "by-tag-b", "the first of the file, not of the alphabet");
        assert_eq!(chosen(&all, "tail", &tags[..1]), "by-tag-a");
        assert_eq!(chosen(&all, "tail", &[("a", "2")]), "by-datatype");
        assert_eq!(chosen(&assignment(vec![rule("head", "", "", "by-name")]), "tail", &[]), "bulk");
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let check =
            |assignment: &Assignment| assignment.check(&["bulk", "cold"]).map_err(|error| error.kind());
        assert_eq!(check(&assignment(vec![rule("a", "", "", "bulk")])), Ok(()));
        for wrong in [
            vec![rule("a", "", "", "nosuch")],
            vec![rule("a", "", "", "")],
            vec![rule("", "", "", "bulk")],
            vec![rule("a", "", "volume", "bulk")],
            vec![rule("", "untold", "", "bulk")],
            vec![rule("a", "", "", "bulk"), rule("a", "", "", "cold")],
        ] {
            assert_eq!(check(&assignment(wrong.clone())), Err(ErrorKind::InvalidConfig), "{wrong:?}");
        }
    }
}
