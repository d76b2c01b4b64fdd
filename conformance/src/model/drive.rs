//! Making programs from a seed, and small ones from those that fail.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use proptest::strategy::{BoxedStrategy, Just, Strategy as _, Union, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::Sequential;

use super::Parted;
use super::regression::Kind;
use crate::verdict::{Halt, Verdict};

/// What programs are drawn from. Unlike proptest's trait of this purpose it has a `self`, which knows what
/// the store declares.
pub(super) trait Machine: Send + Sync + 'static {
    /// What the next action depends on.
    type State: Clone + Debug + Default + Send + Sync + 'static;
    type Action: Clone + Debug + PartialEq + 'static;

    fn kind(&self) -> Kind;

    /// What may come next.
    fn actions(&self, state: &Self::State) -> BoxedStrategy<Self::Action>;

    /// Whether an action still makes sense, now that others before it may be gone.
    fn allows(&self, state: &Self::State, action: &Self::Action) -> bool;

    fn next(&self, state: Self::State, action: &Self::Action) -> Self::State;
}

type Value<M> = (<M as Machine>::State, Vec<<M as Machine>::Action>, Option<Arc<AtomicUsize>>);

/// A program that can be made smaller.
pub(super) struct Program<M: Machine> {
    machine: Arc<M>,
    tree: Box<dyn ValueTree<Value = Value<M>>>,
}

impl<M: Machine> Program<M> {
    /// The program of so many actions that belongs to a seed.
    pub(super) fn new(machine: M, seed: u64, length: usize) -> Verdict<Self> {
        let machine = Arc::new(machine);
        let [allowing, offering, going_on] = [(); 3].map(|()| Arc::clone(&machine));
        let sequences = Sequential::new(
            length.max(1).into(),
            || Just(M::State::default()),
            move |state: &M::State, action: &M::Action| allowing.allows(state, action),
            move |state: &M::State| offering.actions(state),
            move |state, action: &M::Action| going_on.next(state, action),
        );
        let mut runner = TestRunner::new_with_rng(Config::default(), rng(seed));
        let tree = sequences
            .new_tree(&mut runner)
            .map_err(|reason| Halt::failed(format!("no program of seed {seed}: {reason}")))?;
        Ok(Self { machine, tree: Box::new(tree) })
    }

    pub(super) fn actions(&self) -> Vec<M::Action> {
        self.tree.current().1
    }

    /// The smallest program that still fails and was found in time, and how it fails.
    pub(super) fn smallest(
        &mut self,
        mut parted: Parted,
        until: Instant,
        mut play: impl FnMut(&[M::Action]) -> Result<(), Parted>,
    ) -> (Vec<M::Action>, Parted) {
        let (_, mut smallest, seen) = self.tree.current();
        if let Some(seen) = seen {
            // What was never played goes first, at once.
            seen.store(parted.seen.min(smallest.len()), Ordering::SeqCst);
        }
        smallest.truncate(parted.seen);
        let mut goes_on = self.tree.simplify();
        while goes_on && Instant::now() < until {
            let actions = self.tree.current().1;
            // A step that is taken back leads to a program that is known to fail.
            let outcome = if actions == smallest { Err(parted.clone()) } else { play(&actions) };
            goes_on = match outcome {
                Err(still) => {
                    (smallest, parted) = (actions, still);
                    self.tree.simplify()
                }
                Ok(()) => self.tree.complicate(),
            };
        }
        // The tree tries each action once, and takes the last for the one that fails.
        let mut at = smallest.len();
        while at > 0 && Instant::now() < until {
            at -= 1;
            let mut fewer = smallest.clone();
            fewer.remove(at);
            if self.makes_sense(&fewer)
                && let Err(still) = play(&fewer)
            {
                (smallest, parted) = (fewer, still);
                at = smallest.len();
            }
        }
        (smallest, parted)
    }

    fn makes_sense(&self, actions: &[M::Action]) -> bool {
        let mut state = M::State::default();
        actions.iter().all(|action| {
            let allowed = self.machine.allows(&state, action);
            state = self.machine.next(std::mem::take(&mut state), action);
            allowed
        })
    }
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// One of several, as often as its weight says; the first is the plainest.
pub(super) fn either<T: Debug + 'static>(
    weighted: impl IntoIterator<Item = (u32, BoxedStrategy<T>)>,
) -> BoxedStrategy<T> {
    Union::new_weighted(weighted.into_iter().collect()).boxed()
}
