//! A view of several stores: which of them a range is in, and how what is in several comes in one order.

use std::cell::OnceCell;
use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::stores::Stores;
use crate::ext::{Cursor, KeyRange, ViewExt};
use crate::key::{Context, DataContext, DataKey, InstanceId, MetadataContext};
use crate::spi::{Advance, Direction, Result, Scan, Step, Value, View, Visitor};
use crate::version::record;

/// Where the keys of data begin.
const DATA: &[u8] = &[0x01];

pub(super) struct TieredView {
    stores: Arc<Stores>,
    opened: Vec<Opened>,
}

/// The views of a store, each opened when it is first read.
struct Opened {
    /// Of what is written.
    own: OnceCell<Box<dyn View>>,
    /// Of each store to which this one's data is archived. They are opened after `own`, so that what moves
    /// in between is in one of the two, or in both.
    archives: Vec<OnceCell<Box<dyn View>>>,
}

impl TieredView {
    pub(super) fn new(stores: Arc<Stores>) -> Self {
        let count = stores.members.len();
        let opened = (0..count)
            .map(|_| Opened { own: OnceCell::new(), archives: (0..count).map(|_| OnceCell::new()).collect() })
            .collect();
        Self { stores, opened }
    }

    fn open<'v>(&self, cell: &'v OnceCell<Box<dyn View>>, store: usize) -> Result<&'v dyn View> {
        if let Some(view) = cell.get() {
            return Ok(&**view);
        }
        let view = self.stores.members[store].store.view()?;
        Ok(&**cell.get_or_init(|| view))
    }

    fn own(&self, store: usize) -> Result<&dyn View> {
        self.open(&self.opened[store].own, store)
    }

    fn archive(&self, store: usize, archive: usize) -> Result<&dyn View> {
        self.open(&self.opened[store].archives[archive], archive)
    }

    /// The views that have an instance's data.
    fn of_instance(&self, instance: InstanceId) -> Result<(&dyn View, Option<&dyn View>)> {
        let routes = || self.stores.routes.read().unwrap_or_else(PoisonError::into_inner);
        let route = routes().of(instance);
        let own = self.own(route.mutable)?;
        // Asked after the view is there: what isn't archived by now is in it whole.
        let archive = route.immutable.filter(|_| routes().has_archived(instance));
        Ok((own, archive.map(|archive| self.archive(route.mutable, archive)).transpose()?))
    }

    /// The views that have entries in a range, with the part of it that counts there.
    fn sources(&self, range: &KeyRange) -> Result<Vec<(&dyn View, KeyRange)>> {
        if let Some(instance) = instance_of(range) {
            let (own, archive) = self.of_instance(instance)?;
            return Ok(std::iter::once(own).chain(archive).map(|view| (view, range.clone())).collect());
        }
        let metadata = self.own(self.stores.metadata)?;
        let mut sources = vec![(metadata, range.clone())];
        let data = above(range, DATA);
        if data.scan().is_empty() {
            return Ok(sources);
        }
        for store in (0..self.stores.members.len()).filter(|store| *store != self.stores.metadata) {
            sources.push((self.own(store)?, data.clone()));
        }
        let archives = self.stores.routes.read().unwrap_or_else(PoisonError::into_inner).archives();
        for archive in archives {
            sources.push((self.archive(self.stores.metadata, archive)?, data.clone()));
        }
        Ok(sources)
    }
}

/// The instance that all keys of a range belong to, where there is one.
fn instance_of(range: &KeyRange) -> Option<InstanceId> {
    let (Bound::Included(start) | Bound::Excluded(start)) = range.start() else { return None };
    let [0x01, a, b, c, d, ..] = *start else { return None };
    let instance = InstanceId::from_be_bytes([a, b, c, d]);
    let all = DataContext::unversioned(instance).key_range();
    let within = match range.end() {
        Bound::Unbounded => all.end() == Bound::Unbounded,
        Bound::Included(end) => all.contains(end),
        Bound::Excluded(end) => all.contains(end) || all.end() == range.end(),
    };
    within.then_some(instance)
}

/// The part of a range at or above a key.
fn above(range: &KeyRange, key: &[u8]) -> KeyRange {
    let start = match range.start() {
        Bound::Included(start) | Bound::Excluded(start) if start >= key => range.start(),
        _ => Bound::Included(key),
    };
    KeyRange::between(start.map(<[u8]>::to_vec), range.end().map(<[u8]>::to_vec))
}

impl View for TieredView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if key.first() != DATA.first() {
            return if key == badge() { Ok(None) } else { self.own(self.stores.metadata)?.get(key) };
        }
        // What can't be a data key is in no store.
        let Ok(DataKey { instance, .. }) = DataKey::parse(key) else { return Ok(None) };
        let (own, archive) = self.of_instance(instance)?;
        match (own.get(key)?, archive) {
            (None, Some(archive)) => archive.get(key),
            (found, _) => Ok(found),
        }
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        if let Ok(DataKey { instance, .. }) = DataKey::parse(key)
            && let (own, None) = self.of_instance(instance)?
        {
            return own.get_with(key, read);
        }
        let value = self.get(key)?;
        Ok(value.map(|value| read(&value)).is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        let own = |bound: Bound<&[u8]>| bound.map(<[u8]>::to_vec);
        let range = KeyRange::between(own(scan.start), own(scan.end));
        if scan.is_empty() {
            return Ok(());
        }
        let sources = self.sources(&range)?;
        let badge = badge();
        let mut without = WithoutBadge { visitor, badge: &badge };
        match sources.as_slice() {
            [(view, _)] if range.contains(&badge) => view.scan(scan, &mut without),
            [(view, _)] => view.scan(scan, without.visitor),
            _ => merge(&sources, scan, &mut without),
        }
    }
}

/// What no reader of the whole sees: that the store is a part of it.
fn badge() -> Vec<u8> {
    MetadataContext.construct_key(&record::MEMBER.min_key())
}

struct WithoutBadge<'v> {
    visitor: &'v mut dyn Visitor,
    badge: &'v [u8],
}

impl Visitor for WithoutBadge<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        if key == self.badge { Ok(Step::Next) } else { self.visitor.visit(key, value) }
    }
}

/// A source, and the entry that it stands on.
struct Head<'v> {
    cursor: Cursor<'v, dyn View + 'v>,
    entry: Option<(Vec<u8>, Vec<u8>)>,
}

impl Head<'_> {
    fn step(&mut self) -> Result<()> {
        self.entry = self.cursor.next()?.map(|(key, value)| (key.to_vec(), value.to_vec()));
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        self.entry.as_ref().map(|(key, _)| key.as_slice())
    }
}

/// Visits the entries of several sources in one order; of a key that several have, the first one's.
fn merge<'v>(
    sources: &[(&'v (dyn View + 'v), KeyRange)],
    scan: Scan<'_>,
    visitor: &mut dyn Visitor,
) -> Result<()> {
    let mut heads = Vec::with_capacity(sources.len());
    for (view, range) in sources {
        let cursor = match scan.direction {
            Direction::Forward => ViewExt::cursor(*view, range.clone()),
            Direction::Reverse => ViewExt::cursor_reverse(*view, range.clone()),
        };
        let mut head = Head { cursor, entry: None };
        head.step()?;
        heads.push(head);
    }
    let ahead = |a: &[u8], b: &[u8]| match scan.direction {
        Direction::Forward => a < b,
        Direction::Reverse => a > b,
    };
    loop {
        let mut first: Option<usize> = None;
        for (at, head) in heads.iter().enumerate() {
            let Some(key) = head.key() else { continue };
            if first.and_then(|first| heads[first].key()).is_none_or(|best| ahead(key, best)) {
                first = Some(at);
            }
        }
        let Some((key, value)) = first.and_then(|first| heads[first].entry.take()) else { return Ok(()) };
        let target = match scan.advance(&key, visitor.visit(&key, Value::ready(&value))?) {
            Advance::Stop => return Ok(()),
            Advance::Next => None,
            Advance::Seek(target) => Some(target.to_vec()),
        };
        for (at, head) in heads.iter_mut().enumerate() {
            let behind = match (&target, head.key()) {
                (Some(target), Some(standing)) => ahead(standing, target),
                (None, Some(standing)) => standing == key,
                (_, None) => Some(at) == first,
            };
            if behind {
                if let Some(target) = &target {
                    head.cursor.seek(target);
                }
                head.step()?;
            }
        }
    }
}
