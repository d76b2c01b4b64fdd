//! Requirements of batches.

use engine_api::{Durability, ErrorKind, Store, StoreExt as _, WriteBatch};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_refused, check_usable, load, load_keys, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "conditional.absent-requirement",
        absent_requirement,
        "A key that must be absent holds the batch back once it is there, and lets it pass when it isn't.",
        "Put-if-absent is how names are claimed.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.present-requirement",
        present_requirement,
        "A key that must be there holds the batch back when it isn't, whatever its value.",
        "An empty value is present.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.equals-requirement",
        equals_requirement,
        "A value that must be stored is compared whole: a prefix, an extension or another value is a conflict.",
        "Compare-and-set is how counters and locks are built.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.equals-empty-is-not-absent",
        equals_empty_is_not_absent,
        "A key that must hold the empty value isn't satisfied by being absent, nor the other way round.",
        "NULL, empty and absent are one thing in some engines.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.failed-requirement-is-conflict",
        failed_requirement_is_conflict,
        "A requirement that doesn't hold answers Conflict, whose advice is to read again.",
        "A caller tells a lost race from a failure by the kind.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.failed-requirement-changes-nothing",
        failed_requirement_changes_nothing,
        "No operation of a batch with a requirement that fails is seen, wherever the requirement was added.",
        "Requirements that are judged as the operations go leave the first ones done.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.judged-before-operations",
        judged_before_operations,
        "Requirements are judged against the state before the batch, not against its own operations.",
        "Put-if-absent with the requirement behind the put would always fail.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.all-requirements-must-hold",
        all_requirements_must_hold,
        "One requirement that fails among many that hold is enough, first, last or between.",
        "A loop that stops at the first that holds forgets the rest.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.contradictory-requirements-conflict",
        contradictory_requirements_conflict,
        "Two requirements on one key are both judged.",
        "Requirements kept in a map by key lose one.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.requirement-on-an-unwritten-key",
        requirement_on_an_unwritten_key,
        "A requirement on a key that the batch doesn't write counts as much.",
        "Transactions check what they have read, not what they write.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.requirements-alone-are-judged",
        requirements_alone_are_judged,
        "A batch of requirements without operations is judged too.",
        "A commit that returns early when there is nothing to write skips them.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.deleted-key-is-absent",
        deleted_key_is_absent,
        "A key that was deleted counts as absent.",
        "A tombstone is not an entry.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.judged-against-the-committed-state",
        judged_against_the_committed_state,
        "Requirements are judged against what is committed now, whatever older views see.",
        "A requirement that is read through an open view is judged against the past.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.can-be-retried-until-it-holds",
        can_be_retried_until_it_holds,
        "A batch that conflicted commits unchanged once its requirements hold.",
        "A conflict must not leave a lock or a mark behind.",
    )
    .needs(&[Need::Conditional]),
    Case::new(
        "conditional.denied-answers-unsupported",
        denied_answers_unsupported,
        "Without conditional batches, one with a requirement is Unsupported, though it would hold.",
        "A requirement that is ignored is a lost update.",
    )
    .needs(&[Need::NoConditional]),
];

/// Commits a put of `mark` under the requirements that `require` adds.
fn attempt(store: &dyn Store, require: impl FnOnce(&mut WriteBatch)) -> engine_api::Result<()> {
    let mut batch = WriteBatch::new();
    batch.put("mark", "v");
    require(&mut batch);
    store.commit(&batch, Durability::Relaxed)
}

fn refused(store: &dyn Store, what: &str, require: impl FnOnce(&mut WriteBatch)) -> Verdict {
    check_refused(attempt(store, require), ErrorKind::Conflict, what)?;
    check_eq!(store.get("mark")?, None, "the key that {what} kept from being written");
    Ok(())
}

fn admitted(store: &dyn Store, what: &str, require: impl FnOnce(&mut WriteBatch)) -> Verdict {
    attempt(store, require).map_err(|error| Halt::failed(format!("{what} must be admitted: {error:?}")))?;
    check_eq!(store.get("mark")?.as_deref(), Some(b"v".as_slice()), "what {what} let through");
    Ok(store.delete("mark")?)
}

fn absent_requirement(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["there", "k\0", "ka"])?;
    admitted(&store, "an absent key that must be absent", |batch| {
        batch.require_absent("k");
    })?;
    refused(&store, "a present key that must be absent", |batch| {
        batch.require_absent("there");
    })
}

fn present_requirement(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("there", "v"), ("empty", ""), ("k\0", "v")])?;
    for key in ["there", "empty"] {
        admitted(&store, "a present key that must be there", |batch| {
            batch.require_present(key);
        })?;
    }
    refused(&store, "an absent key that must be there", |batch| {
        batch.require_present("k");
    })
}

fn equals_requirement(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("k", "value")])?;
    admitted(&store, "the value that is stored", |batch| {
        batch.require_equals("k", "value");
    })?;
    for other in ["", "valu", "value\0", "valuf", "VALUE"] {
        refused(&store, &format!("the value {other:?} in place of \"value\""), |batch| {
            batch.require_equals("k", other);
        })?;
    }
    refused(&store, "a value of an absent key", |batch| {
        batch.require_equals("j", "value");
    })
}

fn equals_empty_is_not_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("empty", "")])?;
    admitted(&store, "the empty value that is stored", |batch| {
        batch.require_equals("empty", "");
    })?;
    refused(&store, "the empty value of an absent key", |batch| {
        batch.require_equals("absent", "");
    })?;
    refused(&store, "absence of a key with an empty value", |batch| {
        batch.require_absent("empty");
    })
}

fn failed_requirement_is_conflict(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let Err(error) = attempt(&store, |batch| {
        batch.require_present("k");
    }) else {
        return Err(Halt::failed("a requirement that doesn't hold was let through"));
    };
    check_eq!(error.kind(), ErrorKind::Conflict, "the kind of a lost race");
    check_eq!(error.retry(), engine_api::Retry::Refresh, "the advice of a lost race");
    check_usable(&store, "a conflict")
}

fn failed_requirement_changes_nothing(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    for first in [true, false] {
        let mut batch = WriteBatch::new();
        if first {
            batch.require_present("absent");
        }
        batch.put("a", "changed").delete("b").put("c", "new");
        if !first {
            batch.require_present("absent");
        }
        let answer = store.commit(&batch, Durability::Relaxed);
        check_refused(answer, ErrorKind::Conflict, "a batch with a requirement that fails")?;
        check_keys(&all_keys(&store)?, &["a", "b"], "the keys after the conflict")?;
        check_eq!(store.get("a")?, Some(value_of(b"a")), "the value of a after the conflict");
    }
    Ok(())
}

fn judged_before_operations(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut claim = WriteBatch::new();
    claim.put("k", "1").require_absent("k");
    store.commit(&claim, Durability::Relaxed)?;
    let mut swap = WriteBatch::new();
    swap.put("k", "2").require_equals("k", "1");
    store.commit(&swap, Durability::Relaxed)?;
    let mut remove = WriteBatch::new();
    remove.delete("k").require_present("k").require_equals("k", "2");
    store.commit(&remove, Durability::Relaxed)?;
    check_eq!(store.get("k")?, None, "the key after claim, swap and removal");
    let mut wishful = WriteBatch::new();
    wishful.put("k", "1").require_present("k");
    let answer = store.commit(&wishful, Durability::Relaxed);
    check_refused(answer, ErrorKind::Conflict, "a requirement that only the batch's own put meets")?;
    check_eq!(store.get("k")?, None, "the key after a batch that relied on itself");
    Ok(())
}

fn all_requirements_must_hold(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c", "d"])?;
    for failing in 0..4 {
        refused(&store, &format!("requirement {failing} of four"), |batch| {
            for (at, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
                if at == failing {
                    batch.require_absent(key)
                } else {
                    batch.require_present(key)
                };
            }
        })?;
    }
    admitted(&store, "four requirements that hold", |batch| {
        for key in ["a", "b", "c", "d"] {
            batch.require_present(key);
        }
    })
}

fn contradictory_requirements_conflict(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["there"])?;
    for key in ["there", "absent"] {
        refused(&store, "absent and present at once", |batch| {
            batch.require_absent(key).require_present(key);
        })?;
        refused(&store, "present and absent at once", |batch| {
            batch.require_present(key).require_absent(key);
        })?;
    }
    Ok(())
}

fn requirement_on_an_unwritten_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("guard", "closed")])?;
    refused(&store, "a guard that is closed", |batch| {
        batch.require_equals("guard", "open");
    })?;
    store.put("guard", "open")?;
    admitted(&store, "a guard that is open", |batch| {
        batch.require_equals("guard", "open");
    })?;
    check_eq!(store.get("guard")?.as_deref(), Some(b"open".as_slice()), "the guard, which wasn't written");
    Ok(())
}

fn requirements_alone_are_judged(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["there"])?;
    let mut holds = WriteBatch::new();
    holds.require_present("there");
    store.write(&holds)?;
    let mut fails = WriteBatch::new();
    fails.require_absent("there");
    check_refused(store.write(&fails), ErrorKind::Conflict, "a batch of one requirement that fails")
}

fn deleted_key_is_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["k"])?;
    store.delete("k")?;
    admitted(&store, "a deleted key that must be absent", |batch| {
        batch.require_absent("k");
    })?;
    refused(&store, "a deleted key that must be there", |batch| {
        batch.require_present("k");
    })?;
    refused(&store, "a deleted key that must hold its old value", |batch| {
        batch.require_equals("k", value_of(b"k"));
    })
}

fn judged_against_the_committed_state(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load(&store, [("k", "old")])?;
    let older = store.view()?;
    older.get(b"k")?;
    store.put("k", "new")?;
    admitted(&store, "the value that is committed now", |batch| {
        batch.require_equals("k", "new");
    })?;
    refused(&store, "the value that an older view sees", |batch| {
        batch.require_equals("k", "old");
    })?;
    drop(older);
    Ok(())
}

fn can_be_retried_until_it_holds(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut batch = WriteBatch::new();
    batch.require_equals("turn", "mine").put("done", "yes");
    for turn in ["", "theirs", "mine?"] {
        store.put("turn", turn)?;
        check_refused(store.write(&batch), ErrorKind::Conflict, "a batch out of turn")?;
    }
    store.put("turn", "mine")?;
    store.write(&batch)?;
    check_eq!(store.get("done")?.as_deref(), Some(b"yes".as_slice()), "what the batch in turn has put");
    Ok(())
}

fn denied_answers_unsupported(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let answer = attempt(&store, |batch| {
        batch.require_absent("k");
    });
    check_refused(answer, ErrorKind::Unsupported, "a batch with a requirement")?;
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")?;
    check_usable(&store, "a requirement that was refused")
}
