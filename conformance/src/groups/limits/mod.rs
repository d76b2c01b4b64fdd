//! Sizes: what is declared holds, and what is over it is refused before anything happens.

mod keys;
mod sizes;

use bytes::Bytes;

use crate::case::Case;
use crate::context::Context;
use crate::verdict::{Halt, Verdict};

pub(super) const CASES: [&[Case]; 2] = [keys::CASES, sizes::CASES];

/// Larger limits are not tried: no machine that runs tests has the room.
const LARGEST_TRIED: usize = 8 << 30;

/// Larger values are not written, only refused.
const LARGEST_WRITTEN: usize = 64 << 20;

fn key_limit(ctx: &Context, largest: usize) -> Verdict<usize> {
    within(ctx.capabilities().limits.key_bytes, largest, "key")
}

fn within(limit: Option<usize>, largest: usize, what: &str) -> Verdict<usize> {
    let limit = limit.ok_or_else(|| Halt::ignored(format!("states no {what} limit")))?;
    if limit > largest {
        return Err(Halt::ignored(format!("states a {what} limit of {limit} bytes, too many to try")));
    }
    Ok(limit)
}

/// Zeros that take no memory until they are written to.
fn zeros(length: usize) -> Bytes {
    Bytes::from(vec![0_u8; length])
}
