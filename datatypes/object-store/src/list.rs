//! Listings: in the order of paths, in pages, with or without a delimiter.

use std::ops::{Bound, ControlFlow};

use engine_api::version::{Flow, Resolved};
use engine_api::{Error, ErrorKind, Fetch, KeyRange, Result};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::core::Core;
use crate::error::{failed, generic};
use crate::keys;
use crate::record::Record;
use crate::space::{Entry, Reading};

/// The objects below a common prefix that are stepped over before the rest of them is skipped: a seek takes as long as
/// some ten steps.
const STEPS: u32 = 8;

/// What to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// What paths begin with.
    pub(crate) prefix: String,
    /// What ends a common prefix.
    pub(crate) delimiter: Option<String>,
    /// What is listed comes after it.
    pub(crate) after: Option<After>,
    /// The most entries.
    pub(crate) most: usize,
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// After this path.
    Path(String),
    /// After every path that begins with this.
    Prefix(String),
}

/// What was listed.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) objects: Vec<object_store::Result<ObjectMeta>>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where it goes on; `None` at the end.
    pub(crate) next: Option<After>,
    /// Whether there was more than the most.
    left_out: bool,
}

impl Core {
    /// Lists objects, all of one state where the engine has snapshots.
    pub(crate) fn list(&self, listing: &Listing) -> object_store::Result<Listed> {
        self.reading(|reading| list(reading, listing)).map_err(generic)
    }
}

fn list(reading: &dyn Reading, listing: &Listing) -> Result<Listed> {
    let mut listed = Listed::default();
    let all = KeyRange::prefix(keys::object(&listing.prefix).as_bytes());
    let end = all.end().map(<[u8]>::to_vec);
    let mut start = all.start().map(<[u8]>::to_vec);
    if let Some(after) = &listing.after {
        let after = start_after(after);
        // An offset may lie before everything that begins with the prefix.
        if bound_key(&after) > bound_key(&start) {
            start = after;
        }
    }
    // How many objects below the last common prefix were stepped over.
    let mut stepped = 0;
    loop {
        let mut skip = None;
        let range = KeyRange::between(start, end.clone());
        reading.visit(&range, Fetch::Entries, &mut |tkey, entry| {
            let path = keys::path_of(tkey)?;
            if let Some(common) = common_prefix(path, listing) {
                if listed.common_prefixes.last().is_some_and(|last| last == common) {
                    stepped += 1;
                    if stepped < STEPS {
                        return Ok(ControlFlow::Continue(()));
                    }
                    skip = Some(start_after(&After::Prefix(common.to_owned())));
                    return Ok(ControlFlow::Break(()));
                }
                if is_full(&mut listed, listing) {
                    return Ok(ControlFlow::Break(()));
                }
                stepped = 0;
                listed.common_prefixes.push(common.to_owned());
                listed.next = Some(After::Prefix(common.to_owned()));
                return Ok(ControlFlow::Continue(()));
            }
            if is_full(&mut listed, listing) {
                return Ok(ControlFlow::Break(()));
            }
            listed.objects.push(meta(path, entry));
            listed.next = Some(After::Path(path.to_owned()));
            Ok::<Flow, Error>(ControlFlow::Continue(()))
        })?;
        match skip {
            Some(after) => start = after,
            None => break,
        }
    }
    // There is a next page only where something was left out.
    if !listed.left_out {
        listed.next = None;
    }
    Ok(listed)
}

/// Whether there is no room for another entry; notes that there is one.
fn is_full(listed: &mut Listed, listing: &Listing) -> bool {
    listed.left_out = listed.objects.len() + listed.common_prefixes.len() >= listing.most;
    listed.left_out
}

fn start_after(after: &After) -> Bound<Vec<u8>> {
    match after {
        After::Path(path) => Bound::Excluded(keys::object(path).as_bytes().to_vec()),
        After::Prefix(prefix) => match KeyRange::prefix(keys::object(prefix).as_bytes()).end() {
            Bound::Excluded(end) => Bound::Included(end.to_vec()),
            // A key begins with its class, which has a successor, so that every prefix has one.
            Bound::Included(_) | Bound::Unbounded => Bound::Unbounded,
        },
    }
}

fn bound_key(bound: &Bound<Vec<u8>>) -> &[u8] {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => key,
        Bound::Unbounded => &[],
    }
}

/// What of a path is common to those below the same delimiter.
fn common_prefix<'p>(path: &'p str, listing: &Listing) -> Option<&'p str> {
    let delimiter = listing.delimiter.as_deref()?;
    let rest = path.get(listing.prefix.len()..)?;
    path.get(..listing.prefix.len() + rest.find(delimiter)? + delimiter.len())
}

/// An object as it is listed. A damaged one is listed as its error, and doesn't end the listing.
fn meta(path: &str, entry: Entry<'_>) -> object_store::Result<ObjectMeta> {
    let location = Path::parse(path)?;
    let record = match entry {
        Entry::Value(value) => value.bytes().and_then(Record::decode),
        Entry::Conflict(resolved) => conflict(resolved),
    };
    match record {
        Ok(_) if location.as_ref() != path => {
            Err(failed(path, Error::new(ErrorKind::Corrupt, "an object's path isn't one").with("path", path)))
        }
        Ok(record) => Ok(record.meta(location)),
        Err(error) => Err(failed(path, error.with("object", path))),
    }
}

/// The error of an object that a merge left with several values.
fn conflict(resolved: Resolved) -> Result<Record> {
    resolved.into_value()?;
    Err(Error::new(ErrorKind::Internal, "values in conflict were one value"))
}
