//! What was committed over several lives of a store, and what of it must be there.

use std::collections::BTreeSet;

use engine_api::{Durability, ErrorKind, Scan, Store};

use super::batches::{number_of, replay};
use super::running::Told;
use super::script::Script;
use crate::checks::{check_usable, entries};
use crate::verdict::{Halt, Verdict, check};

/// What was committed over several lives of a store, and what of it must be there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// In order: each may be there if those before it are.
    ordered: Vec<usize>,
    /// Commits that were answered with an error that leaves it open whether they happened.
    open: BTreeSet<usize>,
    /// Must be there.
    acknowledged: BTreeSet<usize>,
    next: usize,
}

impl Ledger {
    /// The number of the next batch. None is used twice, so that none can be taken for another.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// How many commits must be there.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Takes down what a child has told: its commits of `level` or more must be there from now on.
    pub(crate) fn note(&mut self, script: &Script, told: &Told, level: Durability) {
        let mut last = script.from;
        for (number, durability) in &told.committed {
            self.ordered.push(*number);
            if *durability >= level {
                self.acknowledged.insert(*number);
            }
            last = last.max(*number + 1);
        }
        for (number, kind) in &told.refused {
            // Of these the contract says that nothing was changed.
            if !matches!(kind, ErrorKind::Full | ErrorKind::Busy | ErrorKind::Poisoned | ErrorKind::Closed) {
                self.open.insert(*number);
            }
            last = last.max(*number + 1);
        }
        if !told.closed {
            // One may have been under way.
            self.ordered.push(last);
            last += 1;
        }
        self.next = last;
    }

    /// Fails unless the store holds what it must, each batch whole, and none without those before it.
    pub(crate) fn check(&mut self, store: &dyn Store, after: &str) -> Verdict {
        let limits = store.capabilities().limits;
        let found = entries(store.view()?.as_ref(), Scan::all())?;
        let there: BTreeSet<usize> = found.iter().filter_map(|(key, _)| number_of(key)).collect();
        let lost: Vec<_> = self.acknowledged.difference(&there).collect();
        check!(lost.is_empty(), "{after}: {} had been acknowledged, and are lost: {lost:?}", lost.len());
        let known = |number: &usize| self.ordered.contains(number) || self.open.contains(number);
        let unknown: Vec<_> = there.iter().filter(|number| !known(number)).collect();
        check!(
            unknown.is_empty(),
            "{after}: batches are there that were refused, or never begun: {unknown:?}"
        );
        let missing = self.ordered.iter().find(|number| !there.contains(number));
        if let Some(missing) = missing {
            let later = self.ordered.iter().filter(|number| *number > missing && there.contains(number));
            let later: Vec<_> = later.collect();
            check!(
                later.is_empty(),
                "{after}: the batches aren't a prefix of those committed: {missing} is missing, and {later:?} \
                 came after it"
            );
        }
        let numbers: Vec<usize> = there.iter().copied().collect();
        let expected = replay(&numbers, &limits);
        if let Some((key, value)) = found.iter().find(|(key, value)| expected.get(key) != Some(value)) {
            let batches = format!("of the batches {:?}", numbers.last());
            let value = value.slice(..value.len().min(32));
            return Err(Halt::failed(format!(
                "{after}: a batch isn't whole: {batches} none has left {key:?} with {value:?}"
            )));
        }
        if found.len() < expected.len() {
            let there: BTreeSet<_> = found.iter().map(|(key, _)| key).collect();
            let missing = expected.keys().find(|key| !there.contains(key));
            return Err(Halt::failed(format!("{after}: a batch isn't whole: {missing:?} isn't there")));
        }
        check_usable(store, after)?;
        self.open = self.open.intersection(&there).copied().collect();
        self.ordered.retain(|number| there.contains(number));
        Ok(())
    }

    /// How many entries are there, when just what must be there is.
    pub(crate) fn entries(&self, limits: &engine_api::Limits) -> usize {
        let numbers: Vec<usize> = self.acknowledged.iter().copied().collect();
        replay(&numbers, limits).len()
    }
}
