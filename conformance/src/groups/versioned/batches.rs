//! Batches at a version.

use engine_api::ErrorKind;
use engine_api::key::{MetadataContext, TKey};
use engine_api::version::{Batcher as _, OrderedKeyValue as _};

use super::NEEDS;
use super::lab::{Lab, tkey};
use crate::case::Case;
use crate::checks::check_refused;
use crate::context::Context;
use crate::verdict::{Verdict, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "versioned.batch-applies-in-order",
        batch_applies_in_order,
        "Of a put and a delete of one key in a batch at a version the later one wins, in both orders.",
        "Each of them writes one mark and removes the other.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-is-all-or-nothing",
        batch_is_all_or_nothing,
        "A batch whose requirement no longer holds is a conflict, and none of its writes is seen.",
        "Datatypes derive what they write from what they read.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-error-surfaces-at-its-commit",
        batch_error_surfaces_at_its_commit,
        "A write that a batch may not hold fails its commit, and the writes before and behind it aren't made.",
        "Adding to a batch answers nothing, so the commit must.",
    )
    .needs(NEEDS),
    Case::new(
        "versioned.batch-to-a-version-committed-meanwhile-is-refused",
        batch_to_a_version_committed_meanwhile_is_refused,
        "A batch that was begun before its version was committed is ReadOnly when it is committed after.",
        "The check at the door comes too early; the commit itself must judge.",
    )
    .needs(NEEDS),
];

fn batch_applies_in_order(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("a", Some("root")), ("b", Some("root"))])])?;
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    let mut batch = lab.store.batch(&at)?;
    batch.put(&tkey("a"), "own".into());
    batch.delete(&tkey("a"));
    batch.delete(&tkey("b"));
    batch.put(&tkey("b"), "own".into());
    batch.put(&tkey("c"), "first".into());
    batch.put(&tkey("c"), "last".into());
    batch.commit()?;
    lab.shows(&[node], "a", None)?;
    lab.shows(&[node], "b", Some("own"))?;
    lab.shows(&[node], "c", Some("last"))?;
    for key in ["a", "b", "c"] {
        check_eq!(lab.stored(node, key)?, 1, "the entries of {key}");
    }
    Ok(())
}

fn batch_is_all_or_nothing(ctx: &Context) -> Verdict {
    let mut lab = Lab::of(ctx, &[(&[], &[("read", Some("root"))])])?;
    let node = lab.add(&[1])?;
    let at = lab.at(node);
    let overtaking: [super::lab::Edit<'_>; 3] =
        [("read", Some("new")), ("read", None), ("read", Some("again"))];
    for edit in overtaking {
        let seen = lab.store.resolve(&at, &tkey("read"))?;
        let mut batch = lab.store.batch(&at)?;
        batch.require(&tkey("read"), &seen);
        batch.put(&tkey("derived"), "v".into());
        lab.edit(node, &[edit])?;
        check_refused(batch.commit(), ErrorKind::Conflict, &format!("a batch that {edit:?} has overtaken"))?;
        lab.shows(&[node], "derived", None)?;
    }
    let seen = lab.store.resolve(&at, &tkey("read"))?;
    let mut batch = lab.store.batch(&at)?;
    batch.require(&tkey("read"), &seen);
    batch.put(&tkey("derived"), "v".into());
    batch.commit()?;
    lab.shows(&[node], "derived", Some("v"))
}

fn batch_error_surfaces_at_its_commit(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let (free, reserved, late) = (TKey::from(&[16, 1]), TKey::from(&[2, 1]), TKey::from(&[16, 2]));
    let mut batch = lab.store.batch(&MetadataContext)?;
    batch.put(&free, "v".into());
    batch.put(&reserved, "v".into());
    batch.put(&late, "v".into());
    check_refused(batch.commit(), ErrorKind::InvalidArgument, "a batch with a write to reserved metadata")?;
    for key in [&free, &reserved, &late] {
        check_eq!(lab.store.get(&MetadataContext, key)?, None, "{key:?} after it");
    }
    Ok(())
}

fn batch_to_a_version_committed_meanwhile_is_refused(ctx: &Context) -> Verdict {
    let lab = Lab::new(ctx)?;
    let at = lab.at(1);
    let mut batch = lab.store.batch(&at)?;
    batch.put(&tkey("k"), "v".into());
    lab.commit(1)?;
    check_refused(batch.commit(), ErrorKind::ReadOnly, "a batch whose version was committed meanwhile")?;
    lab.shows(&[1], "k", None)
}
