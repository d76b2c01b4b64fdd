//! Histories in which what a reader sees lies behind what others wrote, or behind merges.

use std::collections::HashSet;
use std::sync::Arc;

use engine_api::Store;
use engine_api::key::{Context, DataContext, InstanceId, VersionId};
use engine_api::layers::Relaxed;
use engine_api::version::{NewInstance, Versioned};
use fastrand::Rng;

use super::Outcome;
use super::contenders::Subject;
use super::data::SMALL;
use super::history::{copy, in_memory, tkey, versioned, write};

/// How a history is grown, for a reader that is made last and writes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A key has this many entries, in the mean. One in ten is at an ancestor of the reader; the others are
    /// at branches from anywhere, in no order.
    Branches(usize),
    /// A key has this many entries. The first tenth is at ancestors; the others are at one branch.
    Run(usize),
    /// A key has this many entries, all at branches of one version each. Behind each there is an ancestor
    /// at which nothing was written, so many versions away that between two entries there are `apart`.
    Alternating {
        /// The entries of a key.
        entries: usize,
        /// How much higher the number of an entry's version is than that of the next.
        apart: usize,
    },
    /// A key has one entry, at the root. So many times the latest version is branched in two, and merged.
    Diamonds(usize),
}

impl Shape {
    /// The entries of a key, about.
    pub(crate) fn entries(self) -> usize {
        match self {
            Self::Branches(entries) | Self::Run(entries) | Self::Alternating { entries, .. } => entries,
            Self::Diamonds(_) => 1,
        }
    }
}

/// A store with such a history.
#[derive(Debug)]
pub(crate) struct Tangle {
    /// The store and the raw engine.
    pub(crate) subject: Subject,
    /// The store with its versions.
    pub(crate) store: Versioned<Arc<dyn Store>>,
    /// How many keys there are, the keys of [`tkey`].
    pub(crate) keys: usize,
    /// Where the version is that reads.
    pub(crate) reader: DataContext,
    /// Of each key the entry that answers, if one does.
    pub(crate) answers: Vec<Option<Vec<u8>>>,
}

impl Tangle {
    /// Grows a history in memory, and copies it.
    pub(crate) fn grow(subject: Subject, shape: Shape, keys: usize) -> Outcome<Self> {
        let mut loom = Loom::new(in_memory(), keys)?;
        match shape {
            Shape::Branches(entries) => loom.branches(entries)?,
            Shape::Run(entries) => loom.run(entries)?,
            Shape::Alternating { entries, apart } => loom.alternating(entries, apart)?,
            Shape::Diamonds(count) => loom.diamonds(count)?,
        }
        let reader = loom.grow(&[loom.line], None)?;
        let Loom { store, instance, answers, .. } = loom;
        copy(store.store(), &subject)?;
        let entry = |(number, version): (usize, &Option<VersionId>)| {
            version.map(|version| DataContext::versioned(instance, version).construct_key(&tkey(number)))
        };
        let answers = answers.iter().enumerate().map(entry).collect();
        let store = versioned(Arc::clone(&subject.store))?;
        Ok(Self { subject, store, keys, reader: DataContext::versioned(instance, reader), answers })
    }
}

/// A history as it is grown.
struct Loom {
    store: Versioned<Relaxed<Arc<dyn Store>>>,
    instance: InstanceId,
    open: HashSet<VersionId>,
    made: Vec<VersionId>,
    /// The latest ancestor of the reader-to-be.
    line: VersionId,
    /// Of each key the latest ancestor at which it was written.
    answers: Vec<Option<VersionId>>,
}

impl Loom {
    fn new(subject: Subject, keys: usize) -> Outcome<Self> {
        let store = Versioned::create(Relaxed(subject.store))?;
        let repo = store.create_repo("bench", None)?;
        let instance = store.create_instance(repo.id, &NewInstance::new("entries", "keyvalue"))?.id;
        Ok(Self {
            store,
            instance,
            open: HashSet::from([repo.root]),
            made: vec![repo.root],
            line: repo.root,
            answers: vec![None; keys],
        })
    }

    fn all(&self) -> Vec<usize> {
        (0..self.answers.len()).collect()
    }

    /// Makes a version, on the branch of its first parent or on a new one.
    fn grow(&mut self, parents: &[VersionId], branch: Option<&str>) -> Outcome<VersionId> {
        for parent in parents {
            if self.open.remove(parent) {
                self.store.commit_version(*parent, "")?;
            }
        }
        let version = match *parents {
            [parent] => self.store.new_version(parent, branch)?.id,
            _ => self.store.merge(parents, branch)?.id,
        };
        self.open.insert(version);
        self.made.push(version);
        Ok(version)
    }

    /// Makes the next ancestor.
    fn extend(&mut self) -> Outcome {
        self.line = self.grow(&[self.line], None)?;
        Ok(())
    }

    /// Makes a version that the reader doesn't see.
    fn branch_off(&mut self, parent: VersionId) -> Outcome<VersionId> {
        let name = format!("branch-{}", self.made.len());
        self.grow(&[parent], Some(&name))
    }

    /// Writes some keys at a version; each version has its own values.
    fn write(&mut self, version: VersionId, numbers: &[usize]) -> Outcome {
        let at = DataContext::versioned(self.instance, version);
        write(&self.store, &at, numbers, version.0 as usize, SMALL)?;
        if version == self.line {
            for &number in numbers {
                self.answers[number] = Some(version);
            }
        }
        Ok(())
    }

    fn branches(&mut self, entries: usize) -> Outcome {
        self.write(self.line, &self.all())?;
        let mut rng = Rng::with_seed(entries as u64);
        // Each key is written at every other version, so that no two have their entries at the same ones.
        for _ in 0..2 * entries {
            let version = if rng.u32(..10) == 0 {
                self.extend()?;
                self.line
            } else {
                let parent = self.made[rng.usize(..self.made.len())];
                self.branch_off(parent)?
            };
            let numbers: Vec<_> = self.all().into_iter().filter(|_| rng.bool()).collect();
            self.write(version, &numbers)?;
        }
        Ok(())
    }

    fn run(&mut self, entries: usize) -> Outcome {
        let seen = (entries / 10).max(1);
        self.write(self.line, &self.all())?;
        for _ in 1..seen {
            self.extend()?;
            self.write(self.line, &self.all())?;
        }
        let mut foreign = self.line;
        for number in seen..entries {
            foreign = if number == seen { self.branch_off(foreign)? } else { self.grow(&[foreign], None)? };
            self.write(foreign, &self.all())?;
        }
        Ok(())
    }

    fn alternating(&mut self, entries: usize, apart: usize) -> Outcome {
        for _ in 0..entries {
            let mut foreign = self.branch_off(self.line)?;
            self.write(foreign, &self.all())?;
            for _ in 2..apart {
                foreign = self.grow(&[foreign], None)?;
            }
            self.extend()?;
        }
        Ok(())
    }

    fn diamonds(&mut self, count: usize) -> Outcome {
        self.write(self.line, &self.all())?;
        for _ in 0..count {
            let sides = [self.branch_off(self.line)?, self.branch_off(self.line)?];
            self.line = self.grow(&sides, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine_api::Bytes;
    use engine_api::version::{Ancestry, OrderedKeyValue};

    use super::*;
    use crate::history::versioned;
    use crate::scan_all;

    const SHAPES: [Shape; 4] = [
        Shape::Branches(50),
        Shape::Run(50),
        Shape::Alternating { entries: 20, apart: 10 },
        Shape::Diamonds(5),
    ];

    #[test]
    fn the_entries_that_answer_are_those_that_reading_everything_finds() {
        for shape in SHAPES {
            let tangle = Tangle::grow(in_memory(), shape, 7).unwrap();
            let view = tangle.subject.store.view().unwrap();
            let store = versioned(&*tangle.subject.store).unwrap();
            let ancestry = Ancestry::new(&store.dag().unwrap(), tangle.reader.version().unwrap()).unwrap();
            for (number, answer) in tangle.answers.iter().enumerate() {
                let expected: Option<Bytes> = answer.as_ref().map(|entry| view.get(entry).unwrap().unwrap());
                let found = scan_all::get(&*view, &ancestry, &tangle.reader, &tkey(number)).unwrap();
                assert_eq!(found, expected, "{shape:?} {number}");
                assert_eq!(store.get(&tangle.reader, &tkey(number)).unwrap(), expected, "{shape:?} {number}");
                assert_eq!(expected.is_none(), matches!(shape, Shape::Alternating { .. }), "{shape:?}");
            }
        }
    }

    #[test]
    fn nine_entries_in_ten_are_not_the_readers() {
        for shape in [Shape::Branches(200), Shape::Run(200)] {
            let tangle = Tangle::grow(in_memory(), shape, 20).unwrap();
            let store = versioned(&*tangle.subject.store).unwrap();
            let dag = store.dag().unwrap();
            let ancestry = Ancestry::new(&dag, tangle.reader.version().unwrap()).unwrap();
            let instance = tangle.reader.instance();
            let view = tangle.subject.store.view().unwrap();
            let (mut seen, mut all) = (0, 0);
            for version in dag.versions() {
                let at = DataContext::versioned(instance, version.id);
                let written = (0..20)
                    .filter(|number| view.get(&at.construct_key(&tkey(*number))).unwrap().is_some())
                    .count();
                all += written;
                seen += if ancestry.sees(version.id) { written } else { 0 };
            }
            assert!((3600..=4400).contains(&all), "{shape:?}: {all}");
            assert!((all / 14..=all / 7).contains(&seen), "{shape:?}: {seen} of {all}");
        }
    }
}
