//! What two stores answer, compared key by key at every version.

use std::cmp::Ordering;

use bytes::Bytes;
use uuid::Uuid;

use super::dag::{Version, VersionDag};
use super::kv::OrderedKeyValue;
use super::resolver::Resolved;
use super::stream::stream;
use super::versioned::Versioned;
use crate::ext::KeyRange;
use crate::key::{Context, DataContext, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Fetch, Result, Store};

/// Where something is read.
pub(super) type Side<'a> = (&'a dyn OrderedKeyValue, &'a dyn Context);

/// Visits each key that one of two sides shows, in their order, with what it is on each; `None` where it isn't
/// visible. No view is held between visits, so a side may be written to behind the key at hand.
pub(super) fn side_by_side(
    left: Side<'_>,
    right: Side<'_>,
    visit: &mut dyn FnMut(TKey, Option<Resolved>, Option<Resolved>) -> Result<()>,
) -> Result<()> {
    let mut left = stream(left.0, left.1, KeyRange::ALL, Fetch::Entries).peekable();
    let mut right = stream(right.0, right.1, KeyRange::ALL, Fetch::Entries).peekable();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ok(()),
            (Some(Ok((left, _))), Some(Ok((right, _)))) => left.cmp(right),
            (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
        };
        let next = |side: &mut dyn Iterator<Item = Result<(TKey, Resolved)>>| side.next().transpose();
        let (from_left, from_right) = match order {
            Ordering::Less => (next(&mut left)?, None),
            Ordering::Greater => (None, next(&mut right)?),
            Ordering::Equal => (next(&mut left)?, next(&mut right)?),
        };
        let key = from_left.as_ref().or(from_right.as_ref()).map(|(tkey, _)| tkey.clone());
        if let Some(tkey) = key {
            visit(tkey, from_left.map(|(_, is)| is), from_right.map(|(_, is)| is))?;
        }
    }
}

/// What a key is, in terms that mean the same in every store.
#[derive(PartialEq, Eq)]
enum Answer {
    Value(Bytes, Uuid),
    Conflict(Vec<Uuid>),
}

fn answer(dag: &VersionDag, resolved: Option<Resolved>) -> Result<Option<Answer>> {
    let uuid = |id: &VersionId| dag.version(*id).map(|version| version.uuid);
    Ok(match resolved {
        Some(Resolved::Found { value, version }) => Some(Answer::Value(value, uuid(&version)?)),
        Some(Resolved::Conflict { versions }) => {
            let mut uuids = versions.iter().map(uuid).collect::<Result<Vec<_>>>()?;
            uuids.sort_unstable();
            Some(Answer::Conflict(uuids))
        }
        Some(Resolved::Deleted { .. } | Resolved::Absent) | None => None,
    })
}

/// Compares what two stores answer at versions of the left one, for every key of every instance with versions, and
/// answers how many keys that were. `watch` is called with their number now and then; an error from it ends the
/// work.
///
/// # Errors
/// `Corrupt` names the first key that differs, or the version or instance that the right one lacks.
pub fn compare_repos<S: Store, T: Store>(
    left: &Versioned<S>,
    right: &Versioned<T>,
    versions: &[VersionId],
    watch: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<u64> {
    let (left_dag, right_dag) = (left.dag()?, right.dag()?);
    let mut keys = 0;
    for id in versions {
        let version = left_dag.version(*id)?;
        let lacking = |what| Error::new(ErrorKind::Corrupt, what).with("version", version.uuid.simple());
        let other = right_dag
            .version_of_uuid(version.uuid)
            .ok_or_else(|| lacking("a version is missing in one of the stores"))?;
        if cleaned_alike(version, other)? {
            continue;
        }
        for instance in left_dag.instances().filter(|found| found.repo == version.repo && found.versioned) {
            let other_instance = right_dag.instance_named(other.repo, &instance.name).ok_or_else(|| {
                lacking("a data instance is missing in one of the stores").with("instance", &instance.name)
            })?;
            let left_ctx = DataContext::versioned(instance.id, version.id);
            let right_ctx = DataContext::versioned(other_instance.id, other.id);
            side_by_side((left, &left_ctx), (right, &right_ctx), &mut |tkey, is, other| {
                if answer(&left_dag, is)? != answer(&right_dag, other)? {
                    return Err(lacking("a key isn't the same in both stores")
                        .with("instance", &instance.name)
                        .with_key("key", tkey.as_bytes()));
                }
                keys += 1;
                if keys % 1024 == 0 { watch(keys) } else { Ok(()) }
            })?;
        }
        watch(keys)?;
    }
    Ok(keys)
}

/// Whether both versions can't be read any more.
fn cleaned_alike(version: &Version, other: &Version) -> Result<bool> {
    if version.cleaned.is_some() == other.cleaned.is_some() {
        return Ok(version.cleaned.is_some());
    }
    Err(Error::new(ErrorKind::Corrupt, "a version was cleaned away in one of the stores alone")
        .with("version", version.uuid.simple()))
}
