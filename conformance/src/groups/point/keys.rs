//! Which keys are told apart.

use engine_api::{StoreExt as _, ViewExt as _};

use crate::case::Case;
use crate::checks::{fitting_key, load_keys, value_of};
use crate::context::Context;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "point.prefix-of-a-key-is-another-key",
        prefix_of_a_key_is_another_key,
        "A key is absent while only keys that extend it, or that it extends, are there.",
        "DVID gathers the versions of a key by prefix, so that reading `a` answers the value of `ab`.",
    ),
    Case::new(
        "point.trailing-zeros-tell-keys-apart",
        trailing_zeros_tell_keys_apart,
        "`a`, `a` and one NUL, and `a` and two NULs are three keys.",
        "Engines under C strings cut keys at a NUL, and padded columns add them.",
    ),
    Case::new(
        "point.keys-are-bytes-not-text",
        keys_are_bytes_not_text,
        "Keys that differ in case, in Unicode form, in spaces, or that aren't UTF-8, are different keys.",
        "A TEXT column compares with a collation; a BLOB column compares bytes.",
    ),
    Case::new(
        "point.keys-of-every-byte-round-trip",
        keys_of_every_byte_round_trip,
        "Each of the 256 keys of one byte is a key of its own.",
        "Some layers keep 0x00 or 0xFF for themselves.",
    ),
    Case::new(
        "point.keys-of-every-length-round-trip",
        keys_of_every_length_round_trip,
        "Keys of every length up to 300 bytes, or the limit, are told apart and found.",
        "A length kept in one byte wraps at 256.",
    ),
];

fn prefix_of_a_key_is_another_key(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "abc"])?;
    for absent in ["ab", "abcd", "a\0", "abc\0"] {
        check_eq!(store.get(absent)?, None, "{absent:?}, beside a and abc");
    }
    store.put("ab", "own")?;
    for key in ["a", "abc"] {
        check_eq!(store.get(key)?, Some(value_of(key.as_bytes())), "{key}, once ab is there");
    }
    Ok(())
}

fn trailing_zeros_tell_keys_apart(ctx: &Context) -> Verdict {
    let keys = ["a", "a\0", "a\0\0", "a\0\0b"];
    round_trip(ctx, &keys)
}

fn keys_are_bytes_not_text(ctx: &Context) -> Verdict {
    let keys: [&[u8]; 14] = [
        b" k",
        b"K",
        b"k",
        b"k ",
        b"k\t",
        "e\u{301}".as_bytes(),
        "é".as_bytes(),
        "É".as_bytes(),
        "ﬁ".as_bytes(),
        b"fi",
        b"\x80",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xfe\xff",
    ];
    round_trip(ctx, &keys)
}

fn keys_of_every_byte_round_trip(ctx: &Context) -> Verdict {
    let keys: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
    round_trip(ctx, &keys)
}

fn keys_of_every_length_round_trip(ctx: &Context) -> Verdict {
    let longest = fitting_key(&ctx.capabilities().limits, 300);
    let keys: Vec<Vec<u8>> = (1..=longest).map(|length| vec![b'k'; length]).collect();
    round_trip(ctx, &keys)
}

/// Each key has its own value, whatever the others are.
fn round_trip<K: AsRef<[u8]>>(ctx: &Context, keys: &[K]) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, keys)?;
    let view = store.view()?;
    for key in keys {
        let key = key.as_ref();
        check_eq!(view.get(key)?, Some(value_of(key)), "the value of \"{}\"", key.escape_ascii());
    }
    check_eq!(view.count(&engine_api::KeyRange::ALL)?, keys.len() as u64, "the number of keys");
    Ok(())
}
