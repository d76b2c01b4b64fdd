//! Work on several threads at once, whose outcomes come in order.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Where the work on an item stands.
pub(crate) enum Moment<'w, T, R> {
    Begun(&'w T),
    Ended(&'w R),
}

/// Does `work` on each item, on so many threads, and answers the outcomes in the order of the items.
///
/// `watch` is told on the calling thread when work begins and ends. Once it breaks, no more is begun: what was never
/// begun has no outcome.
pub(crate) fn in_order<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut watch: impl FnMut(Moment<'_, T, R>) -> ControlFlow<()>,
) -> Vec<Option<R>> {
    let mut outcomes: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Without room, so that a thread is at most one item ahead of what was watched.
    let (told, tell) = sync_channel(0);
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            let (told, work, next, stopped) = (told.clone(), &work, &next, &stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::SeqCst) {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(at) else { return };
                    // Nobody hears only once the calling thread has panicked.
                    if told.send((at, None)).is_err() || told.send((at, Some(work(item)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(told);
        for (at, outcome) in tell {
            let flow = match &outcome {
                None => watch(Moment::Begun(&items[at])),
                Some(outcome) => watch(Moment::Ended(outcome)),
            };
            if flow.is_break() {
                stopped.store(true, Ordering::SeqCst);
            }
            if outcome.is_some() {
                outcomes[at] = outcome;
            }
        }
    });
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..200).collect();
        for threads in [0, 1, 7, 500] {
            let mut ended = 0;
            let doubled = in_order(
                &items,
                threads,
                |number| number * 2,
                |moment| {
                    ended += usize::from(matches!(moment, Moment::Ended(..)));
                    ControlFlow::Continue(())
                },
            );
            let expected: Vec<_> = items.iter().map(|number| Some(number * 2)).collect();
            assert_eq!((doubled, ended), (expected, 200), "{threads} threads");
        }
        assert!(in_order(&[], 3, |(): &()| (), |_| ControlFlow::Continue(())).is_empty());
    }

    #[test]
    fn what_was_begun_before_the_break_ends_and_no_more_begins() {
        let items: Vec<usize> = (0..10_000).collect();
        let outcomes = in_order(
            &items,
            2,
            |number| *number,
            |moment| match moment {
                // Of two threads one may be held up at any item, so that the sixth to begin needn't be the sixth to end.
                Moment::Ended(number) if *number >= 5 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            },
        );
        assert_eq!(outcomes[5], Some(5));
        let begun = outcomes.iter().take_while(|outcome| outcome.is_some()).count();
        assert!((6..=10).contains(&begun), "{begun}");
        assert!(outcomes[begun..].iter().all(Option::is_none), "a hole behind {begun}");
    }
}
