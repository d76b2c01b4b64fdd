//! Whether a history of one key is linearisable: whether each call can have happened at one moment between
//! its invocation and its return, so that every answer is right.
//!
//! The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993): of the calls that may
//! come next one is taken, and taken back where that leads nowhere. What was tried is remembered, as the set
//! of calls taken and the value they lead to, as in Lowe's "Testing for linearizability" (2017); each such
//! configuration is looked at once.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::history::{Call, Content, Op};

/// The longest history that is judged: the set of the calls taken is one number.
pub(crate) const LONGEST: usize = u128::BITS as usize;

/// Whether the calls, at most [`LONGEST`], can have happened one after another from this value on.
pub(crate) fn is_linearisable(calls: &[Call], initial: Content) -> bool {
    debug_assert!(calls.len() <= LONGEST);
    Search { calls, tried: HashSet::new() }.from(0, initial)
}

struct Search<'c> {
    calls: &'c [Call],
    tried: HashSet<(u128, Content)>,
}

impl Search<'_> {
    fn from(&mut self, taken: u128, value: Content) -> bool {
        let calls = self.calls;
        let left = || calls.iter().enumerate().filter(|(at, _)| taken & (1 << at) == 0);
        // A call that began after another had returned can't come before it.
        let first_return = left().map(|(_, call)| call.returned).min().unwrap_or(Call::PENDING);
        if first_return == Call::PENDING {
            return true;
        }
        if !self.tried.insert((taken, value)) {
            return false;
        }
        left()
            .filter(|(_, call)| call.invoked < first_return)
            .any(|(at, call)| call.op.after(value).is_some_and(|after| self.from(taken | (1 << at), after)))
    }
}

/// The part of a history that isn't linearisable which shows it: up to the first return that can't be
/// explained, without the reads that have nothing to do with it. In the order of the invocations.
pub(crate) fn offending(calls: &[Call], initial: Content) -> Vec<Call> {
    let mut returns: Vec<u64> = calls.iter().map(|call| call.returned).collect();
    returns.sort_unstable();
    let until = |end: u64| {
        let begun = calls.iter().filter(|call| call.invoked < end);
        let mut part: Vec<Call> = begun
            .map(|call| if call.returned > end { Call { returned: Call::PENDING, ..*call } } else { *call })
            // What a call would read later says nothing yet.
            .filter(|call| call.returned != Call::PENDING || !call.op.observes())
            .collect();
        part.sort_by_key(|call| call.invoked);
        part
    };
    let Some(mut part) = returns.into_iter().map(until).find(|part| !is_linearisable(part, initial)) else {
        return Vec::new();
    };
    for at in (0..part.len()).rev() {
        let mut without = part.clone();
        // A history stays linearisable without a read, so what isn't without it never was.
        if without.remove(at).op.observes() && !is_linearisable(&without, initial) {
            part = without;
        }
    }
    part
}

/// The offending part of a history, a call a line.
pub(crate) fn story(calls: &[Call], initial: Content) -> String {
    let mut story = match initial {
        Some(value) => format!("  at first: {value}\n"),
        None => "  at first: nothing\n".to_owned(),
    };
    let part = offending(calls, initial);
    let put = |value: u64| {
        initial == Some(value)
            || calls.iter().any(|call| match call.op {
                Op::Put(put) => put == value,
                Op::Swap { new, .. } => new == value,
                Op::Get(_) | Op::Delete => false,
            })
    };
    for call in part {
        // Writing to a String can't fail.
        let _ = writeln!(story, "  {call}");
        if let Op::Get(Some(value)) = call.op
            && !put(value)
        {
            let _ = writeln!(story, "    nobody put {value}");
        }
    }
    story
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn call(thread: usize, (invoked, returned): (u64, u64), op: Op) -> Call {
        Call { thread, op, invoked, returned }
    }

    fn swap(expected: Content, new: u64, done: bool) -> Op {
        Op::Swap { expected, new, done }
    }

    #[track_caller]
    fn judged(expected: bool, initial: Content, calls: &[Call]) {
        assert_eq!(is_linearisable(calls, initial), expected, "{}", story(calls, initial));
        assert_eq!(offending(calls, initial).is_empty(), expected);
    }

    #[test]
    fn calls_one_after_another() {
        judged(true, None, &[]);
        judged(true, None, &[call(0, (0, 1), Op::Get(None))]);
        judged(true, None, &[call(0, (0, 1), Op::Put(1)), call(1, (2, 3), Op::Get(Some(1)))]);
        judged(true, Some(7), &[call(0, (0, 1), Op::Get(Some(7))), call(0, (2, 3), Op::Delete)]);
    }

    #[test]
    fn a_read_beside_a_write_sees_either() {
        let put = call(0, (0, 5), Op::Put(1));
        judged(true, None, &[put, call(1, (1, 2), Op::Get(None))]);
        judged(true, None, &[put, call(1, (1, 2), Op::Get(Some(1)))]);
        judged(true, None, &[put, call(1, (1, 2), Op::Get(None)), call(2, (3, 4), Op::Get(Some(1)))]);
    }

    #[test]
    fn reads_beside_a_write_do_not_go_back() {
        let put = call(0, (0, 5), Op::Put(1));
        judged(false, None, &[put, call(1, (1, 2), Op::Get(Some(1))), call(2, (3, 4), Op::Get(None))]);
    }

    #[test]
    fn a_stale_read() {
        let history =
            [call(0, (0, 1), Op::Put(1)), call(0, (2, 3), Op::Put(2)), call(1, (4, 5), Op::Get(Some(1)))];
        judged(false, None, &history);
        let overlapping =
            [call(0, (0, 1), Op::Put(1)), call(0, (2, 6), Op::Put(2)), call(1, (4, 5), Op::Get(Some(1)))];
        judged(true, None, &overlapping);
    }

    #[test]
    fn a_lost_update() {
        let both = [call(0, (0, 4), swap(Some(1), 2, true)), call(1, (1, 5), swap(Some(1), 3, true))];
        judged(false, Some(1), &both);
        let one = [call(0, (0, 4), swap(Some(1), 2, true)), call(1, (1, 5), swap(Some(1), 3, false))];
        judged(true, Some(1), &one);
        let none = [call(0, (0, 4), swap(Some(1), 2, false)), call(1, (1, 5), swap(Some(1), 3, false))];
        judged(false, Some(1), &none);
    }

    #[test]
    fn a_write_that_is_lost() {
        let history =
            [call(0, (0, 1), Op::Put(1)), call(1, (2, 3), Op::Put(2)), call(2, (4, 5), Op::Get(None))];
        judged(false, None, &history);
    }

    #[test]
    fn a_value_that_nobody_put() {
        let history = [call(0, (0, 9), Op::Put(1)), call(1, (1, 2), Op::Get(Some(3)))];
        judged(false, None, &history);
        assert!(story(&history, None).contains("nobody put 3"), "{}", story(&history, None));
    }

    #[test]
    fn deleted_and_there_again() {
        let gone = [call(0, (0, 1), Op::Delete), call(1, (2, 3), Op::Get(Some(1)))];
        judged(false, Some(1), &gone);
        let again =
            [call(0, (0, 3), Op::Delete), call(1, (1, 6), Op::Put(2)), call(2, (4, 5), Op::Get(Some(1)))];
        judged(false, Some(1), &again);
        let absent = [
            call(0, (0, 1), Op::Delete),
            call(1, (2, 3), swap(None, 2, true)),
            call(2, (4, 5), Op::Get(Some(2))),
        ];
        judged(true, Some(1), &absent);
    }

    #[test]
    fn a_call_that_has_not_returned_may_have_happened() {
        let pending = call(0, (0, Call::PENDING), Op::Put(1));
        judged(true, None, &[pending, call(1, (1, 2), Op::Get(None))]);
        judged(true, None, &[pending, call(1, (1, 2), Op::Get(Some(1)))]);
    }

    #[test]
    fn what_is_shown_is_short_and_in_order() {
        let mut history = vec![call(0, (0, 1), Op::Put(1))];
        history.extend((0..20).map(|n| call(1, (2 + 2 * n, 3 + 2 * n), Op::Get(Some(1)))));
        history.push(call(0, (50, 51), Op::Put(2)));
        history.push(call(1, (52, 53), Op::Get(Some(1))));
        history.push(call(0, (60, 61), Op::Delete));
        let shown = "  at first: nothing\n  thread 0        0..1  put 1\n  thread 0      50..51  put 2\n  \
                     thread 1      52..53  get: 1\n";
        assert_eq!(story(&history, None), shown);
    }

    /// Every order of the calls, one after another, without any cleverness.
    fn some_order_is_right(calls: &[Call], value: Content, order: &mut Vec<Call>) -> bool {
        if calls.is_empty() {
            let kept = |at: usize| order[at + 1..].iter().all(|later| later.returned >= order[at].invoked);
            return (0..order.len()).all(kept)
                && order.iter().try_fold(value, |value, call| call.op.after(value)).is_some();
        }
        (0..calls.len()).any(|at| {
            let mut rest = calls.to_vec();
            order.push(rest.remove(at));
            let right = some_order_is_right(&rest, value, order);
            order.pop();
            right
        })
    }

    fn op() -> impl Strategy<Value = Op> {
        let value = || proptest::option::of(1..4_u64);
        prop_oneof![
            value().prop_map(Op::Get),
            (1..4_u64).prop_map(Op::Put),
            proptest::strategy::Just(Op::Delete),
            (value(), 1..4_u64, any::<bool>()).prop_map(|(expected, new, done)| swap(expected, new, done)),
        ]
    }

    /// Calls whose invocations and returns are at random places, all different.
    fn history() -> impl Strategy<Value = Vec<Call>> {
        vec((op(), any::<u32>(), any::<u32>()), 0..6).prop_map(|drawn| {
            let mut moments: Vec<u32> = drawn.iter().flat_map(|(_, one, other)| [*one, *other]).collect();
            moments.sort_unstable();
            moments.dedup();
            let at = |moment: u32| moments.binary_search(&moment).unwrap() as u64;
            drawn
                .iter()
                .enumerate()
                .filter(|(_, (_, one, other))| one != other)
                .map(|(thread, (op, one, other))| {
                    call(thread, (at(*one.min(other)), at(*one.max(other))), *op)
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 3000, failure_persistence: None, ..Default::default() })]
        #[test]
        fn agrees_with_every_order(calls in history(), initial in proptest::option::of(1..4_u64)) {
            let expected = some_order_is_right(&calls, initial, &mut Vec::new());
            prop_assert_eq!(is_linearisable(&calls, initial), expected);
            prop_assert_eq!(offending(&calls, initial).is_empty(), expected);
        }
    }
}
