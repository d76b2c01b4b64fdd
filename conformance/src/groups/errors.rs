//! Errors: none is taken for an end or an absence, and none leaves the store worse than before.

use std::sync::Arc;

use engine_api::layers::{Fault, Faults, Faulty};
use engine_api::{
    Durability, Error, ErrorKind, KeyRange, Scan, Step, Store, StoreExt as _, Value, ViewExt as _,
    WriteBatch, visitor,
};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_refused, check_usable, keys, load_keys, stepped, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "errors.scan-reports-engine-error",
        scan_reports_engine_error,
        "A failure in the middle of a scan is what the scan answers, at whichever entry it strikes.",
        "kvdb iterators swallowed errors before 0.12, and DVID's range deletes took them for the end.",
    ),
    Case::new(
        "errors.scan-is-fused-after-error",
        scan_is_fused_after_error,
        "After an error the visitor isn't called again, and a cursor stays at its end.",
        "redb's iterators went on after an error before 4.3.0, and left rows out.",
    ),
    Case::new(
        "errors.cursor-reports-engine-error",
        cursor_reports_engine_error,
        "A failure on any page of a cursor is answered, and no entry of that page is made up.",
        "A loop that ends at the first None takes a failure for the end.",
    ),
    Case::new(
        "errors.range-helpers-report-engine-error",
        range_helpers_report_engine_error,
        "first, last, count, collect, prefix and at_or_after answer the failure that struck their scan.",
        "A helper that answers what it has so far hides that it is not all.",
    ),
    Case::new(
        "errors.get-error-is-not-absence",
        get_error_is_not_absence,
        "A read that fails answers the failure, and neither None nor false.",
        "An absent key is Ok(None): the other way round loses data on the next write.",
    ),
    Case::new(
        "errors.reverse-scan-reports-engine-error",
        reverse_scan_reports_engine_error,
        "A failure in the middle of a descending scan is what it answers.",
        "last falls back to an ascending scan where descending ones are unsupported, and only there.",
    )
    .needs(&[Need::Reverse]),
    Case::new(
        "errors.error-after-a-seek-is-returned",
        error_after_a_seek_is_returned,
        "An error of the visitor at the entry that a seek has led to is what the scan answers.",
        "The entry behind a seek is often visited by other code.",
    ),
    Case::new(
        "errors.view-usable-after-visitor-error",
        view_usable_after_visitor_error,
        "A view whose scan ended in an error answers every later read as before.",
        "A statement that isn't reset, or a borrow that isn't given back.",
    ),
    Case::new(
        "errors.commit-error-changes-nothing",
        commit_error_changes_nothing,
        "A commit that fails before it reaches the engine leaves what was there.",
        "The error must be the outcome, not a remark on a success.",
    ),
    Case::new(
        "errors.update-reports-what-is-no-conflict",
        update_reports_what_is_no_conflict,
        "An update whose read or commit fails with something else than a conflict answers it, without a retry.",
        "A retry of what can't succeed hides the cause and never ends.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "errors.store-usable-after-error",
        store_usable_after_error,
        "After every error that can be provoked the store takes and gives as before.",
        "LMDB's full map poisons its transaction; a lock that a failed commit keeps stops the next one.",
    ),
    Case::new(
        "errors.repeated-errors-leak-nothing",
        repeated_errors_leak_nothing,
        "Two thousand scans that end in an error leave views, commits and scans as they were.",
        "Each error path that forgets a reader or a statement counts.",
    ),
    Case::new(
        "errors.read-only-store-refuses-writes",
        read_only_store_refuses_writes,
        "A write to a store that admits none is ReadOnly: it is never ignored in silence.",
        "kvdb-memorydb ignored writes to a column that it didn't know.",
    ),
];

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

type Struck = Faulty<Box<dyn Store>>;

/// The context's store with five keys in it, behind a layer that fails on demand.
fn faulty(ctx: &Context) -> Verdict<(Struck, Arc<Faults>)> {
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let faults = Faults::new();
    Ok((Faulty::new(store, Arc::clone(&faults)), faults))
}

fn scan_reports_engine_error(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    for after in 0..5 {
        faults.fail_after(Fault::ScanEntry, after);
        let what = format!("a scan that fails after {after} entries");
        check_refused(keys(store.view()?.as_ref(), Scan::all()), ErrorKind::Io, &what)?;
    }
    faults.clear();
    check_keys(&keys(store.view()?.as_ref(), Scan::all())?, &KEYS, "the scan after them")
}

fn faulted() -> Error {
    Error::new(ErrorKind::Io, "a failure that was asked for")
}

fn scan_is_fused_after_error(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let view = store.view()?;
    let mut calls = 0;
    let mut fail = visitor(|_: &[u8], _: Value<'_>| {
        calls += 1;
        if calls == 3 { Err(faulted()) } else { Ok(Step::Next) }
    });
    check_refused(view.scan(Scan::all(), &mut fail), ErrorKind::Io, "a scan whose visitor fails")?;
    check_eq!(calls, 3, "the calls of a visitor that fails at its third");
    faults.fail_after(Fault::ScanEntry, 2);
    let mut cursor = view.cursor(KeyRange::ALL);
    check_refused(cursor.next().map(|_| ()), ErrorKind::Io, "the page of a cursor that fails")?;
    for _ in 0..3 {
        check!(cursor.next()?.is_none(), "a cursor goes on after an error");
    }
    Ok(())
}

fn cursor_reports_engine_error(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let many: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    load_keys(&store, &many)?;
    let faults = Faults::new();
    let store = Faulty::new(store, Arc::clone(&faults));
    for after in [0, 1, 500, 1500, 1999] {
        let view = store.view()?;
        faults.fail_after(Fault::ScanEntry, after);
        let mut cursor = view.cursor(KeyRange::ALL);
        let mut seen = 0;
        let end = loop {
            match cursor.next() {
                Ok(Some((key, _))) => {
                    check_eq!(Some(key), many.get(seen).map(String::as_bytes), "entry {seen} of the cursor");
                    seen += 1;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        check_refused(end, ErrorKind::Io, &format!("a cursor whose scan fails after {after} entries"))?;
        check!(seen as u64 <= after, "the cursor gave {seen} entries of a scan that failed after {after}");
    }
    Ok(())
}

fn range_helpers_report_engine_error(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let view = store.view()?;
    let all = &KeyRange::ALL;
    let strike = |after| faults.fail_after(Fault::ScanEntry, after);
    strike(0);
    check_refused(view.first(all), ErrorKind::Io, "first")?;
    strike(0);
    check_refused(view.last(all), ErrorKind::Io, "last")?;
    strike(4);
    check_refused(view.count(all), ErrorKind::Io, "count")?;
    strike(4);
    check_refused(view.collect(all), ErrorKind::Io, "collect")?;
    strike(0);
    check_refused(view.prefix(b"e"), ErrorKind::Io, "prefix")?;
    strike(0);
    check_refused(view.at_or_after(b"c"), ErrorKind::Io, "at_or_after")?;
    check_eq!(view.count(all)?, 5, "the count after them");
    Ok(())
}

fn get_error_is_not_absence(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let strike = |fault| faults.fail_after(fault, 0);
    for key in ["a", "absent"] {
        strike(Fault::Get);
        check_refused(store.get(key), ErrorKind::Io, "get")?;
        strike(Fault::Get);
        check_refused(store.exists(key), ErrorKind::Io, "exists")?;
        strike(Fault::Get);
        check_refused(store.get_many(&[key]), ErrorKind::Io, "get_many")?;
        strike(Fault::View);
        check_refused(store.get(key), ErrorKind::Io, "get without a view")?;
    }
    check_eq!(store.get("a")?, Some(value_of(b"a")), "a after them");
    Ok(())
}

fn reverse_scan_reports_engine_error(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let view = store.view()?;
    for after in 0..5 {
        faults.fail_after(Fault::ScanEntry, after);
        let what = format!("a descending scan that fails after {after} entries");
        check_refused(keys(view.as_ref(), Scan::all().reverse()), ErrorKind::Io, &what)?;
    }
    faults.fail_after(Fault::ScanEntry, 0);
    check_refused(view.last(&KeyRange::ALL), ErrorKind::Io, "last")?;
    let mut down = KEYS;
    down.reverse();
    check_keys(&keys(view.as_ref(), Scan::all().reverse())?, &down, "the descending scan after them")
}

fn error_after_a_seek_is_returned(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let view = store.view()?;
    faults.fail_after(Fault::ScanEntry, 1);
    let answer = stepped(view.as_ref(), Scan::all(), &[Step::SeekTo(b"d")]);
    check_refused(answer, ErrorKind::Io, "a scan that fails behind a seek")?;
    let got = stepped(view.as_ref(), Scan::all(), &[Step::SeekTo(b"d")])?;
    check_keys(&got, &["a", "d", "e"], "the same scan without the failure")
}

fn view_usable_after_visitor_error(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let view = store.view()?;
    for after in 0..5 {
        faults.fail_after(Fault::ScanEntry, after);
        check_refused(keys(view.as_ref(), Scan::all()), ErrorKind::Io, "a scan that fails")?;
        check_eq!(view.get(b"c")?, Some(value_of(b"c")), "c after a scan that failed");
        check_keys(&keys(view.as_ref(), Scan::half_open(b"b", b"d"))?, &["b", "c"], "the scan after it")?;
    }
    Ok(())
}

fn commit_error_changes_nothing(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    let mut batch = WriteBatch::new();
    batch.put("a", "changed").delete("b").put("z", "new");
    faults.fail_after(Fault::Commit, 0);
    check_refused(store.write(&batch), ErrorKind::Io, "a commit that fails")?;
    check_keys(&all_keys(&store)?, &KEYS, "the keys after it")?;
    check_eq!(store.get("a")?, Some(value_of(b"a")), "the value of a after it");
    store.write(&batch)?;
    check_keys(&all_keys(&store)?, &["a", "c", "d", "e", "z"], "the keys after its repetition")
}

fn update_reports_what_is_no_conflict(ctx: &Context) -> Verdict {
    let (store, faults) = faulty(ctx)?;
    for fault in [Fault::View, Fault::Get, Fault::Commit] {
        faults.fail_after(fault, 0);
        let mut runs = 0;
        let answer = store.update(|txn| {
            runs += 1;
            txn.get(b"a")?;
            txn.put("a", "changed");
            Ok(())
        });
        check_refused(answer, ErrorKind::Io, &format!("an update whose {fault:?} fails"))?;
        check!(runs <= 1, "an update whose {fault:?} fails runs {runs} times");
        check_eq!(store.get("a")?, Some(value_of(b"a")), "the value of a after {fault:?} failed");
    }
    Ok(())
}

fn store_usable_after_error(ctx: &Context) -> Verdict {
    let capabilities = ctx.capabilities();
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let view = store.view()?;
    let mut fail = visitor(|_: &[u8], _: Value<'_>| Err(faulted()));
    check_refused(view.scan(Scan::all(), &mut fail), ErrorKind::Io, "a visitor that fails")?;
    check_usable(&store, "an error of a visitor")?;
    let mut conditional = WriteBatch::new();
    conditional.put("new", "v").require_absent("a");
    let kind = match Need::Conditional.unmet_by(capabilities) {
        None => ErrorKind::Conflict,
        Some(_) => ErrorKind::Unsupported,
    };
    check_refused(store.write(&conditional), kind, "a requirement")?;
    check_usable(&store, "a requirement that was refused")?;
    let mut put = WriteBatch::new();
    put.put("new", "v");
    if capabilities.durability.strongest() < Durability::Power {
        let answer = store.commit(&put, Durability::Power);
        check_refused(answer, ErrorKind::Unsupported, "a durability that isn't declared")?;
        check_usable(&store, "a durability that was refused")?;
    }
    if Need::Reverse.unmet_by(capabilities).is_some() {
        let answer = keys(view.as_ref(), Scan::all().reverse());
        check_refused(answer, ErrorKind::Unsupported, "a descending scan")?;
        check_usable(&store, "a descending scan that was refused")?;
    }
    if let Some(limit) = capabilities.limits.key_bytes.filter(|limit| *limit < 64 << 20) {
        put.put(vec![0; limit + 1], "v");
        check_refused(store.write(&put), ErrorKind::TooLarge, "a key that is too large")?;
        check_usable(&store, "a key that was refused")?;
    }
    check_keys(&all_keys(&store)?, &KEYS, "the keys after all errors")
}

fn repeated_errors_leak_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    for round in 0..2000 {
        let mut fail = visitor(|_: &[u8], _: Value<'_>| Err(faulted()));
        let view = store
            .view()
            .map_err(|error| Halt::failed(format!("no view after {round} scans that failed: {error:?}")))?;
        check_refused(view.scan(Scan::all(), &mut fail), ErrorKind::Io, "a visitor that fails")?;
    }
    check_usable(&store, "two thousand scans that failed")
}

fn read_only_store_refuses_writes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &KEYS)?;
    let store = engine_api::layers::ReadOnly(store);
    check_refused(store.put("z", "new"), ErrorKind::ReadOnly, "a put")?;
    check_refused(store.delete("a"), ErrorKind::ReadOnly, "a delete")?;
    check_keys(&all_keys(&store)?, &KEYS, "the keys after them")
}
