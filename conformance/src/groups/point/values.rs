//! Puts, deletes and reads of a key.

use engine_api::{StoreExt as _, ViewExt as _};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, fitting_value, load_keys, patterned, value_of};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "point.missing-key-is-absent",
        missing_key_is_absent,
        "Reading a key that was never put answers None, in an empty store and beside other keys.",
        "An absent key is no error.",
    ),
    Case::new(
        "point.put-then-get",
        put_then_get,
        "A value that was put is read back, by a new view and by its neighbours' absence.",
        "The least that a store does.",
    ),
    Case::new(
        "point.empty-value-is-not-absent",
        empty_value_is_not_absent,
        "An empty value is there: get answers an empty value, exists answers true.",
        "Badger under DVID copies into a nil slice, so that an empty value reads as absent.",
    ),
    Case::new(
        "point.overwrite-replaces",
        overwrite_replaces,
        "A second put of a key replaces its value.",
        "A put is not an insert.",
    ),
    Case::new(
        "point.overwrite-with-shorter",
        overwrite_with_shorter,
        "A shorter value leaves nothing of a longer one behind it, down to the empty value.",
        "Values written in place keep the tail of what was there.",
    ),
    Case::new(
        "point.overwrite-with-longer",
        overwrite_with_longer,
        "A longer value replaces a shorter one whole, across page sizes.",
        "An update in place that doesn't grow cuts the value off.",
    ),
    Case::new(
        "point.overwritten-key-is-stored-once",
        overwritten_key_is_stored_once,
        "A key that was put many times is one entry, with the last value.",
        "A log-structured engine must not show what it has superseded.",
    ),
    Case::new(
        "point.delete-makes-key-absent",
        delete_makes_key_absent,
        "A deleted key is absent, and not there with an empty value.",
        "cozo's sled engine wrote the mark of a put on delete, so that deletes stored empty values (cozo#306).",
    ),
    Case::new(
        "point.delete-is-idempotent",
        delete_is_idempotent,
        "Deleting a key that is absent, or was deleted, is no error and changes nothing.",
        "Some engines answer NotFound to a second delete.",
    ),
    Case::new(
        "point.delete-leaves-neighbours",
        delete_leaves_neighbours,
        "A delete removes its key alone: not the keys that extend it, nor those it extends.",
        "A delete by prefix, or of a key cut short, takes neighbours along.",
    ),
    Case::new(
        "point.put-after-delete-is-visible",
        put_after_delete_is_visible,
        "A key that was deleted can be put again, many times over.",
        "A tombstone must not hide what is newer.",
    ),
    Case::new(
        "point.values-are-bytes-not-text",
        values_are_bytes_not_text,
        "Values with NULs, invalid UTF-8, line ends and every byte come back as they were put.",
        "A value that passes through text is changed.",
    ),
    Case::new(
        "point.values-of-every-size-round-trip",
        values_of_every_size_round_trip,
        "Values of 1 byte to 4 MiB, with the sizes around powers of two, come back whole.",
        "Pages, overflow chains and length fields break at their edges.",
    ),
    Case::new(
        "point.value-of-64-mib-round-trips",
        value_of_64_mib_round_trips,
        "A value of 64 MiB comes back whole where the limits admit it.",
        "A declared limit must hold, not only a size that tests happen to use.",
    )
    .needs(&[Need::ValuesOf(64 << 20)]),
    Case::new(
        "point.exists-agrees-with-get",
        exists_agrees_with_get,
        "Whether a key exists is whether get finds it, over a random workload.",
        "DVID documented another rule for Exists than it followed.",
    ),
    Case::new(
        "point.get-with-agrees-with-get",
        get_with_agrees_with_get,
        "get_with hands out exactly the bytes that get answers, and isn't called for an absent key.",
        "Engines override it to lend from a page; a second path can differ.",
    ),
    Case::new(
        "point.get-many-answers-in-order",
        get_many_answers_in_order,
        "get_many answers for each key in the order asked, absent and repeated keys among them.",
        "A merge of sorted reads loses the caller's order.",
    ),
    Case::new(
        "point.value-outlives-its-view",
        value_outlives_its_view,
        "A value that was read stays as it was when its view is dropped and the key overwritten.",
        "Bytes that alias a page change under the reader when the page is used again.",
    ),
];

fn missing_key_is_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_eq!(store.get("k")?, None, "a key of an empty store");
    check!(!store.exists("k")?, "a key of an empty store exists");
    load_keys(&store, &["a", "c"])?;
    for absent in ["b", "0", "d"] {
        check_eq!(store.get(absent)?, None, "{absent}, which was never put");
    }
    Ok(())
}

fn put_then_get(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("k", "v")?;
    check_eq!(store.get("k")?.as_deref(), Some(b"v".as_slice()), "the value of k");
    check_keys(&all_keys(&store)?, &["k"], "the keys")
}

fn empty_value_is_not_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("k", "")?;
    check_eq!(store.get("k")?.as_deref(), Some(b"".as_slice()), "the empty value");
    check!(store.exists("k")?, "a key with an empty value doesn't exist");
    check_eq!(store.get("other")?, None, "a key that was never put");
    Ok(())
}

fn overwrite_replaces(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("k", "old")?;
    store.put("k", "new")?;
    check_eq!(store.get("k")?.as_deref(), Some(b"new".as_slice()), "the value of k");
    Ok(())
}

fn overwrite_with_shorter(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let longest = fitting_value(&ctx.capabilities().limits, 100_000);
    for length in [longest, longest / 2, 5000.min(longest), 100, 1, 0] {
        let value = patterned(length);
        store.put("k", value.clone())?;
        check!(store.get("k")?.as_deref() == Some(&value), "the value of {length} bytes isn't what was put");
    }
    Ok(())
}

fn overwrite_with_longer(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for length in [0, 1, 100, 5000, 100_000, 1_000_000] {
        let value = patterned(fitting_value(&ctx.capabilities().limits, length));
        store.put("k", value.clone())?;
        check!(store.get("k")?.as_deref() == Some(&value), "the value of {length} bytes isn't what was put");
    }
    Ok(())
}

fn overwritten_key_is_stored_once(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["j", "l"])?;
    for round in 0..500_u32 {
        crate::checks::load(&store, [("k", round.to_string())])?;
    }
    check_keys(&all_keys(&store)?, &["j", "k", "l"], "the keys")?;
    check_eq!(store.get("k")?.as_deref(), Some(b"499".as_slice()), "the value put last");
    Ok(())
}

fn delete_makes_key_absent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for value in ["v", ""] {
        store.put("k", value)?;
        store.delete("k")?;
        check_eq!(store.get("k")?, None, "the deleted key");
        check!(!store.exists("k")?, "the deleted key exists");
    }
    Ok(())
}

fn delete_is_idempotent(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.delete("k")?;
    load_keys(&store, &["a", "k"])?;
    store.delete("k")?;
    store.delete("k")?;
    check_eq!(store.get("k")?, None, "the key that was deleted twice");
    check_keys(&all_keys(&store)?, &["a"], "the keys that are left")
}

fn delete_leaves_neighbours(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "ab", "ab\0", "ab\0\0", "aba", "ac", "b"])?;
    store.delete("ab")?;
    store.delete("ab\0\0\0")?;
    check_keys(&all_keys(&store)?, &["a", "ab\0", "ab\0\0", "aba", "ac", "b"], "the keys that are left")
}

fn put_after_delete_is_visible(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    for round in 0..20_u32 {
        store.put("k", round.to_string())?;
        check_eq!(store.get("k")?.as_deref(), Some(round.to_string().as_bytes()), "round {round}");
        store.delete("k")?;
        check_eq!(store.get("k")?, None, "after the delete of round {round}");
    }
    Ok(())
}

fn values_are_bytes_not_text(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let every: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 6] = [b"\0", b"a\0b\0", b"\xff\xfe\x80", b"one\r\ntwo\n", b" 42 ", &every];
    for value in values {
        store.put("k", value.to_vec())?;
        check_eq!(store.get("k")?.as_deref(), Some(value), "the value");
    }
    Ok(())
}

fn values_of_every_size_round_trip(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let largest = fitting_value(&ctx.capabilities().limits, 4 << 20);
    let mut sizes: Vec<usize> = (0..=22)
        .map(|power| 1_usize << power)
        .flat_map(|size| [size - 1, size, size + 1])
        .filter(|size| (1..=largest).contains(size))
        .collect();
    sizes.dedup();
    for size in sizes {
        let value = patterned(size);
        crate::checks::load(&store, [(format!("size {size}"), value.clone())])?;
        let got = store.get(format!("size {size}"))?;
        check!(got.as_deref() == Some(&value), "the value of {size} bytes isn't what was put");
    }
    Ok(())
}

fn value_of_64_mib_round_trips(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let value = patterned(64 << 20);
    store.commit(&crate::checks::put_owned("k", value.clone()), engine_api::Durability::Relaxed)?;
    check!(store.get("k")?.as_deref() == Some(&value), "the value of 64 MiB isn't what was put");
    Ok(())
}

fn exists_agrees_with_get(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let mut rng = ctx.rng();
    let mut batch = engine_api::WriteBatch::new();
    for _ in 0..400 {
        let key = [b'a' + u8::try_from(rng.below(26)).unwrap_or(0)];
        if rng.one_in(2) {
            batch.delete(key)
        } else {
            batch.put(key, vec![7; rng.below(2)])
        };
        store.commit(&batch, engine_api::Durability::Relaxed)?;
        batch = engine_api::WriteBatch::new();
        let view = store.view()?;
        let probe = [b'a' + u8::try_from(rng.below(26)).unwrap_or(0)];
        for key in [key, probe] {
            let (exists, value) = (view.exists(&key)?, view.get(&key)?);
            check_eq!(exists, value.is_some(), "whether {key:?} exists, seed {}", ctx.seed());
        }
    }
    Ok(())
}

fn get_with_agrees_with_get(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let large = patterned(fitting_value(&ctx.capabilities().limits, 300_000));
    crate::checks::load(&store, [("empty", Vec::new()), ("large", large), ("small", b"s".to_vec())])?;
    let view = store.view()?;
    for key in ["empty", "large", "small", "absent", "small\0"] {
        let mut lent = Vec::new();
        let found = view.get_with(key.as_bytes(), &mut |value| lent.push(value.to_vec()))?;
        let got: Vec<Vec<u8>> = view.get(key.as_bytes())?.iter().map(|value| value.to_vec()).collect();
        check!(lent == got, "what get_with hands out for {key:?} isn't what get answers, once");
        check_eq!(found, !got.is_empty(), "whether get_with finds {key:?}");
    }
    Ok(())
}

fn get_many_answers_in_order(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b", "c"])?;
    let asked = ["c", "nosuch", "a", "c", "b", "a"];
    let got = store.get_many(&asked)?;
    let expected: Vec<_> =
        asked.iter().map(|key| (*key != "nosuch").then(|| value_of(key.as_bytes()))).collect();
    check_eq!(got, expected, "the values of {asked:?}");
    check_eq!(store.get_many::<&str>(&[])?, [], "the values of no keys");
    Ok(())
}

fn value_outlives_its_view(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    let size = fitting_value(&ctx.capabilities().limits, 20_000);
    store.put("k", vec![1; size])?;
    let view = store.view()?;
    let value = view.get(b"k")?;
    drop(view);
    for round in 0..20 {
        store.put("k", vec![2; size])?;
        store.put(format!("other {round}"), vec![3; size])?;
        store.delete("k")?;
    }
    check!(value.is_some_and(|value| value == vec![1; size]), "a value changed after it was read");
    Ok(())
}
