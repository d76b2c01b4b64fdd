//! The resolver that versions are measured against: it reads every entry of a key.

use engine_api::key::{DataContext, Mark, TKey, VersionId};
use engine_api::version::Ancestry;
use engine_api::{Bytes, Result, Scan, Step, Value, View, visitor};

/// The value of a key, found by reading what it has at every version and keeping the newest that the reader
/// sees. That is right for histories without merges.
pub(crate) fn get(
    view: &dyn View,
    ancestry: &Ancestry,
    ctx: &DataContext,
    tkey: &TKey,
) -> Result<Option<Bytes>> {
    let (start, end) = (ctx.min_version_key(tkey), ctx.max_version_key(tkey));
    let mut newest: Option<(VersionId, Option<Bytes>)> = None;
    let mut each = visitor(|key: &[u8], value: Value<'_>| {
        let (version, data) = suffix(key);
        if ancestry.sees(version) && newest.as_ref().is_none_or(|(newest, _)| version > *newest) {
            newest = Some((version, if data { Some(value.to_bytes()?) } else { None }));
        }
        Ok(Step::Next)
    });
    view.scan(Scan::half_open(&start, &end), &mut each)?;
    Ok(newest.and_then(|(_, value)| value))
}

/// The version of a full key, and whether it is a value.
fn suffix(key: &[u8]) -> (VersionId, bool) {
    let Some(&[a, b, c, d, _, _, _, _, mark]) = key.last_chunk::<9>() else { return Default::default() };
    (VersionId(!u32::from_be_bytes([a, b, c, d])), mark == Mark::Data as u8)
}

#[cfg(test)]
mod tests {
    use engine_api::MemoryStore;
    use engine_api::version::OrderedKeyValue;

    use std::sync::Arc;

    use super::*;
    use crate::contenders::Subject;
    use crate::history::{History, tkey, versioned};

    #[test]
    fn it_answers_what_the_framework_answers() {
        let subject = Subject { store: Arc::new(MemoryStore::new()), peer: None };
        let history = History::linear(subject, 3, 5, 20).unwrap();
        let store = versioned(&*history.subject.store).unwrap();
        let deleted = tkey(2);
        store.delete(&history.head(), &deleted).unwrap();
        let view = history.subject.store.view().unwrap();
        for ctx in [history.head(), history.middle()] {
            let ancestry = Ancestry::new(&store.dag().unwrap(), ctx.version().unwrap()).unwrap();
            for number in 0..4 {
                let expected = store.get(&ctx, &tkey(number)).unwrap();
                assert_eq!(get(&*view, &ancestry, &ctx, &tkey(number)).unwrap(), expected, "{number}");
            }
        }
    }
}
