//! Which versions come before which: a decomposition of the DAG into chains.
//!
//! Every version stands on one chain, behind one of its parents or at the start. For each version it is
//! known how many versions of each chain are its ancestors, and those are always the chain's first ones. So
//! "is `a` an ancestor of `b`?" is one comparison, whatever the shape of the history.

use std::sync::Arc;

/// Where a version stands, and what comes before it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) chain: u32,
    /// How many versions stand before it on its chain.
    position: u32,
    /// Shared by the versions of a chain between two merges.
    others: Arc<Reach>,
}

/// How many versions of each other chain are ancestors.
#[derive(Debug, Default)]
struct Reach {
    counts: Vec<u32>,
    total: u64,
}

impl Place {
    /// The place of a version that begins a chain with the number `chain`, or goes on with the chain of its
    /// first parent.
    pub(super) fn new(parents: &[&Self], chain: u32, extends_first: bool) -> Self {
        let position = match parents.first() {
            Some(first) if extends_first => first.position + 1,
            _ => 0,
        };
        let others = match parents {
            [only] if extends_first => Arc::clone(&only.others),
            _ => Arc::new(Reach::join(parents, chain)),
        };
        Self { chain, position, others }
    }

    /// Whether this version is `other` or one of its ancestors.
    pub(super) fn reaches(&self, other: &Self) -> bool {
        let before_end = other.count_on(self.chain);
        self.position < before_end
    }

    /// The number of versions that are ancestors of this one, itself among them.
    pub(super) fn ancestors(&self) -> u64 {
        self.others.total + u64::from(self.position) + 1
    }

    /// How many versions of `chain`, always its first ones, are this version or its ancestors.
    fn count_on(&self, chain: u32) -> u32 {
        if chain == self.chain {
            self.position + 1
        } else {
            self.others.counts.get(chain as usize).copied().unwrap_or(0)
        }
    }
}

impl Reach {
    fn join(parents: &[&Place], own: u32) -> Self {
        let chains = parents
            .iter()
            .map(|parent| parent.others.counts.len().max(parent.chain as usize + 1))
            .max()
            .unwrap_or(0);
        let counts: Vec<u32> = (0..)
            .take(chains)
            .map(|chain| {
                let most = parents.iter().map(|parent| parent.count_on(chain)).max().unwrap_or(0);
                if chain == own { 0 } else { most }
            })
            .collect();
        let total = counts.iter().map(|count| u64::from(*count)).sum();
        Self { counts, total }
    }
}
