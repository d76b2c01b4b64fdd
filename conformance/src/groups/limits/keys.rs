//! The longest key, the empty key, and bounds that are longer than keys.

use std::ops::Bound::{Excluded, Included, Unbounded};

use engine_api::{
    Durability, ErrorKind, Expected, Op, Scan, Step, Store, StoreExt as _, ViewExt as _, WriteBatch,
};

use super::{LARGEST_TRIED, LARGEST_WRITTEN, key_limit, zeros};
use crate::case::Case;
use crate::checks::{
    all_keys, check_keys, check_refused, check_usable, keys, load_keys, patterned, put_owned, stepped,
    value_of,
};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "limits.key-at-limit-round-trips",
        key_at_limit_round_trips,
        "A key of exactly the limit is stored, read, scanned, sought and deleted.",
        "A limit that is off by one is found by users.",
    )
    .needs(&[Need::KeyLimit]),
    Case::new(
        "limits.key-over-limit-is-too-large",
        key_over_limit_is_too_large,
        "A put or delete of a key one byte over the limit is TooLarge, and changes nothing.",
        "LMDB answers BAD_VALSIZE, others cut keys off, and each engine has another error.",
    )
    .needs(&[Need::KeyLimit]),
    Case::new(
        "limits.required-key-over-limit-is-too-large",
        required_key_over_limit_is_too_large,
        "A requirement on a key over the limit is TooLarge, not a conflict and not held.",
        "What is refused is refused before anything is judged.",
    )
    .needs(&[Need::KeyLimit, Need::Conditional]),
    Case::new(
        "limits.key-over-limit-reads-as-absent",
        key_over_limit_reads_as_absent,
        "Reading a key over the limit answers that it is absent, in every way to read.",
        "No such key can be there, so a reader needn't know the limit.",
    )
    .needs(&[Need::KeyLimit]),
    Case::new(
        "limits.bound-over-limit-is-a-bound",
        bound_over_limit_is_a_bound,
        "A bound of a scan, or the target of a seek, may be longer than a key can be.",
        "The successor of the longest key is longer than the limit, and LMDB refuses it as a position.",
    )
    .needs(&[Need::KeyLimit]),
    Case::new(
        "limits.delete-range-bound-over-limit-is-a-bound",
        delete_range_bound_over_limit_is_a_bound,
        "A bound of a range delete may be longer than a key can be.",
        "A range that is deleted is a range that was scanned.",
    )
    .needs(&[Need::KeyLimit, Need::DeleteRange]),
    Case::new(
        "limits.key-of-64-kib-round-trips",
        key_of_64_kib_round_trips,
        "Keys of 64 KiB that differ in their last byte are told apart, where the limits admit them.",
        "An engine that states no limit takes what a page doesn't hold.",
    )
    .needs(&[Need::KeysOf(64 << 10)]),
    Case::new(
        "limits.empty-key-round-trips",
        empty_key_round_trips,
        "The empty key is a key: put, read, scanned first, deleted.",
        "Unbounded and empty are two things.",
    )
    .needs(&[Need::EmptyKey]),
    Case::new(
        "limits.empty-key-denied-is-invalid-argument",
        empty_key_denied_is_invalid_argument,
        "Where the empty key can't be stored, putting or deleting it is InvalidArgument and changes nothing.",
        "LMDB and SlateDB refuse it, each in its way.",
    )
    .needs(&[Need::NoEmptyKey]),
    Case::new(
        "limits.empty-key-denied-reads-as-absent",
        empty_key_denied_reads_as_absent,
        "Where the empty key can't be stored, reading it answers that it is absent.",
        "LMDB refuses it in reads too, with BAD_VALSIZE.",
    )
    .needs(&[Need::NoEmptyKey]),
];

fn key_at_limit_round_trips(ctx: &Context) -> Verdict {
    let limit = key_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    let (low, high) = (vec![b'k'; limit], [&vec![b'k'; limit - 1][..], b"l"].concat());
    store.put("k", "short")?;
    for key in [&high, &low] {
        store.put(key, "at the limit")?;
    }
    let view = store.view()?;
    for key in [&low, &high] {
        check_eq!(view.get(key)?.as_deref(), Some(b"at the limit".as_slice()), "a key of {limit} bytes");
    }
    let all: [&[u8]; 3] = [b"k", &low, &high];
    check!(keys(view.as_ref(), Scan::all())? == all, "keys of {limit} bytes aren't scanned as they were put");
    let sought = stepped(view.as_ref(), Scan::all(), &[Step::SeekTo(&high)])?;
    check!(sought == [b"k".as_slice(), &high], "a seek to a key of {limit} bytes doesn't find it");
    store.delete(&low)?;
    check_eq!(store.get(&low)?, None, "a deleted key of {limit} bytes");
    Ok(())
}

fn key_over_limit_is_too_large(ctx: &Context) -> Verdict {
    let key = zeros(key_limit(ctx, LARGEST_TRIED)? + 1);
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    let put = store.commit(&put_owned(key.clone(), "v"), Durability::Relaxed);
    check_refused(put, ErrorKind::TooLarge, "a put of a key one byte over the limit")?;
    let mut delete = WriteBatch::new();
    delete.push(Op::Delete { key });
    let delete = store.commit(&delete, Durability::Relaxed);
    check_refused(delete, ErrorKind::TooLarge, "a delete of a key one byte over the limit")?;
    check_keys(&all_keys(&store)?, &["a"], "the keys after it")
}

fn required_key_over_limit_is_too_large(ctx: &Context) -> Verdict {
    let limit = key_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    for expected in [Expected::Absent, Expected::Present] {
        let mut batch = WriteBatch::new();
        batch.require(vec![b'k'; limit + 1], expected).put("a", "v");
        let answer = store.commit(&batch, Durability::Relaxed);
        check_refused(answer, ErrorKind::TooLarge, "a requirement on a key one byte over the limit")?;
    }
    check_keys::<&str>(&all_keys(&store)?, &[], "the keys after it")
}

fn key_over_limit_reads_as_absent(ctx: &Context) -> Verdict {
    let key = zeros(key_limit(ctx, LARGEST_TRIED)? + 1);
    let store = ctx.open()?;
    // What a key that is cut off at the limit, or at a NUL, would find.
    store.put([0], "v")?;
    let view = store.view()?;
    check_eq!(view.get(&key)?, None, "get of a key one byte over the limit");
    check!(!view.exists(&key)?, "a key one byte over the limit exists");
    let mut lent = 0;
    let found = view.get_with(&key, &mut |_| lent += 1)?;
    check_eq!((found, lent), (false, 0), "get_with of a key one byte over the limit");
    Ok(())
}

fn bound_over_limit_is_a_bound(ctx: &Context) -> Verdict {
    let limit = key_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    let longest = vec![b'k'; limit];
    let over = [&longest[..], b"\0"].concat();
    let all: [&[u8]; 3] = [b"a", &longest, b"z"];
    load_keys(&store, &all)?;
    let view = store.view()?;
    let long = || format!("a bound of {} bytes", limit + 1);
    for start in [Included(over.as_slice()), Excluded(&over)] {
        let got = keys(view.as_ref(), Scan::between(start, Unbounded))?;
        check!(got == ["z"], "the keys above {} are {}, expected 1", long(), got.len());
    }
    for end in [Included(over.as_slice()), Excluded(&over)] {
        let got = keys(view.as_ref(), Scan::between(Unbounded, end))?;
        check!(got == all[..2], "the keys below {} are {}, expected 2", long(), got.len());
    }
    let sought = stepped(view.as_ref(), Scan::all(), &[Step::SeekTo(&over)])?;
    check!(sought == ["a", "z"], "a seek to a target of {} bytes doesn't find the next key", limit + 1);
    if Need::Reverse.unmet_by(ctx.capabilities()).is_none() {
        let sought = stepped(view.as_ref(), Scan::all().reverse(), &[Step::SeekTo(&over), Step::Stop])?;
        check!(sought == [b"z".as_slice(), &longest], "a descending seek to {} misses the key below", long());
    }
    Ok(())
}

fn delete_range_bound_over_limit_is_a_bound(ctx: &Context) -> Verdict {
    let limit = key_limit(ctx, LARGEST_WRITTEN)?;
    let store = ctx.open()?;
    let longest = vec![b'k'; limit];
    let over = [&longest[..], b"\0"].concat();
    load_keys(&store, &[b"a".as_slice(), &longest, b"z"])?;
    let mut above = WriteBatch::new();
    above.delete_range(Included(&over), Unbounded);
    store.commit(&above, Durability::Relaxed)?;
    check!(all_keys(&store)? == [b"a".as_slice(), &longest], "a delete above {} bytes goes wrong", limit + 1);
    let mut below = WriteBatch::new();
    below.delete_range(Excluded(b"a"), Excluded(&over));
    store.commit(&below, Durability::Relaxed)?;
    check!(all_keys(&store)? == ["a"], "a delete below {} bytes goes wrong", limit + 1);
    Ok(())
}

fn key_of_64_kib_round_trips(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let stem = patterned((64 << 10) - 1);
    let long: Vec<Vec<u8>> = [0_u8, 1, 0xFF].map(|last| [&stem[..], &[last]].concat()).into();
    load_keys(&store, &long)?;
    for key in &long {
        check!(store.get(key)? == Some(value_of(key)), "a key of 64 KiB isn't found, or has another's value");
    }
    check!(all_keys(&store)? == long, "keys of 64 KiB aren't scanned in order");
    Ok(())
}

fn empty_key_round_trips(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_eq!(store.get("")?, None, "the empty key, before it is put");
    load_keys(&store, &["", "\0", "a"])?;
    check_eq!(store.get("")?, Some(value_of(b"")), "the empty key");
    check_keys(&all_keys(&store)?, &["", "\0", "a"], "the keys")?;
    let view = store.view()?;
    check_keys(
        &keys(view.as_ref(), Scan::between(Included(b""), Included(b"")))?,
        &[""],
        "from empty to empty",
    )?;
    check_keys(&keys(view.as_ref(), Scan::between(Excluded(b""), Unbounded))?, &["\0", "a"], "above empty")?;
    store.delete("")?;
    check_keys(&all_keys(&store)?, &["\0", "a"], "the keys after its delete")
}

fn empty_key_denied_is_invalid_argument(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut put = WriteBatch::new();
    put.put("a", "v").put("", "v");
    let mut delete = WriteBatch::new();
    delete.put("a", "v").delete("");
    for (batch, what) in [(put, "a put of the empty key"), (delete, "a delete of the empty key")] {
        let answer = store.commit(&batch, Durability::Relaxed);
        check_refused(answer, ErrorKind::InvalidArgument, what)?;
        check_keys::<&str>(&all_keys(&store)?, &[], &format!("the keys after {what}"))?;
    }
    check_usable(&store, "an empty key that was refused")
}

fn empty_key_denied_reads_as_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["\0", "a"])?;
    let view = store.view()?;
    check_eq!(view.get(b"")?, None, "get of the empty key");
    check!(!view.exists(b"")?, "the empty key exists");
    check_eq!(view.at_or_after(b"")?.map(|(key, _)| key), Some("\0".into()), "at or after the empty key");
    Ok(())
}
