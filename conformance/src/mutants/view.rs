//! A view that reads wrongly.

use std::cell::OnceCell;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use engine_api::{
    Direction, Error, ErrorKind, MemoryStore, Result, Scan, Step, Store as _, Value, View, ViewExt as _,
    Visitor, visitor,
};

use super::flaw::{Flaw, LONGEST_KEY};
use super::twist::key_as;

/// A scan that is cut off ends after so many entries.
const PAGE: usize = 10_000;

/// So many bytes of a key are a prefix that is compared.
const PREFIX: usize = 4;

pub(super) struct MutantView {
    pinned: Box<dyn View>,
    first_read: OnceCell<Box<dyn View>>,
    memory: Arc<MemoryStore>,
    flaw: Flaw,
    /// The store has one, and each of its views.
    share: Arc<()>,
}

impl MutantView {
    pub(super) fn new(pinned: Box<dyn View>, memory: Arc<MemoryStore>, share: Arc<()>, flaw: Flaw) -> Self {
        Self { pinned, first_read: OnceCell::new(), memory, flaw, share }
    }

    /// Runs `read` on the view that the flaw reads from.
    fn reading<T>(&self, read: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
        match self.flaw {
            Flaw::LiveViews => read(self.memory.view()?.as_ref()),
            Flaw::ViewsEndWithTheStore if Arc::strong_count(&self.share) == 1 => {
                Err(Error::new(ErrorKind::Internal, "the store is closed"))
            }
            Flaw::PinsAtFirstRead => {
                let fresh = self.memory.view()?;
                read(self.first_read.get_or_init(|| fresh).as_ref())
            }
            _ => read(self.pinned.as_ref()),
        }
    }

    /// The entries of a scan as the flaw has them, in its direction.
    fn entries(&self, scan: Scan<'_>) -> Result<Vec<(Bytes, Bytes)>> {
        let mut scan = scan;
        let reverse = scan.direction == Direction::Reverse;
        match (self.flaw, scan.start, scan.end) {
            (Flaw::EndIsIncluded, _, Bound::Excluded(end)) => scan.end = Bound::Included(end),
            (Flaw::ReverseEndIsIncluded, _, Bound::Excluded(end)) if reverse => {
                scan.end = Bound::Included(end);
            }
            (Flaw::StartIsExcluded, Bound::Included(start), _) => scan.start = Bound::Excluded(start),
            (Flaw::SeekLeavesBounds, ..) => scan.end = Bound::Unbounded,
            _ => {}
        }
        let mut entries = Vec::new();
        let mut take = visitor(|key: &[u8], value: Value<'_>| {
            entries.push((Bytes::copy_from_slice(key), value.to_bytes()?));
            Ok(Step::Next)
        });
        self.reading(|view| view.scan(scan, &mut take))?;
        match self.flaw {
            Flaw::SkipsFf => entries.retain(|(key, _)| key.first() != Some(&0xFF)),
            Flaw::PrefixEndsAtFf => entries.retain(|(key, _)| key.get(1) != Some(&0xFF)),
            Flaw::ResumeSkipsExtensions => {
                if let Bound::Excluded(start) = scan.start {
                    entries.retain(|(key, _)| !key.starts_with(start));
                }
            }
            Flaw::SkipsZero => entries.retain(|(key, _)| key.first() != Some(&0)),
            Flaw::SkipsEmptyValues => entries.retain(|(_, value)| !value.is_empty()),
            Flaw::ScansOnePage => entries.truncate(PAGE),
            Flaw::VisitsTwice => entries.extend(entries.last().cloned()),
            Flaw::OrdersEqualPrefixes => {
                let prefix = |key: &Bytes| key.slice(..key.len().min(PREFIX));
                entries.sort_by(|(one, _), (other, _)| {
                    let order = prefix(one).cmp(&prefix(other));
                    let order = if reverse { order.reverse() } else { order };
                    order.then_with(|| if reverse { one.cmp(other) } else { other.cmp(one) })
                });
            }
            Flaw::OrdersByLength => entries.sort_by_key(|(key, _)| key.len()),
            Flaw::GivesValueBefore => {
                for at in (1..entries.len()).rev() {
                    entries[at].1 = entries[at - 1].1.clone();
                }
            }
            Flaw::ReverseStartsLate if reverse && !entries.is_empty() => {
                entries.remove(0);
            }
            Flaw::SkipsFirst if !entries.is_empty() => {
                entries.remove(0);
            }
            _ => {}
        }
        Ok(entries)
    }
}

impl View for MutantView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        if self.flaw == Flaw::RefusesLongReads && key.len() > LONGEST_KEY {
            return Err(Error::new(ErrorKind::TooLarge, "the key is too long"));
        }
        if self.flaw == Flaw::ReadsByPrefix {
            return Ok(self.pinned.prefix(key)?.into_iter().next().map(|(_, value)| value));
        }
        let key = key_as(key, self.flaw);
        self.reading(|view| view.get(&key))
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.get(key)?;
        if self.flaw == Flaw::LendsOtherwise {
            read(value.as_deref().unwrap_or_default());
            return Ok(true);
        }
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        if self.flaw == Flaw::ClaimsReverse && scan.direction == Direction::Reverse {
            return Err(Error::new(ErrorKind::Unsupported, "there are no descending scans"));
        }
        if scan.is_empty() {
            assert!(self.flaw != Flaw::PanicsOnInverted, "range start is greater than range end");
            return Ok(());
        }
        if matches!(self.flaw, Flaw::None | Flaw::Graph(_)) {
            // Nothing to twist; to read a range to its end for each of its keys would take too long for large graphs.
            return self.reading(|view| view.scan(scan, visitor));
        }
        let entries = self.entries(scan)?;
        let ahead = |key: &[u8], target: &[u8]| match scan.direction {
            Direction::Forward => key >= target,
            Direction::Reverse => key <= target,
        };
        let mut at = 0;
        let mut sought = false;
        while let Some((key, value)) = entries.get(at) {
            if self.flaw == Flaw::SeekLeavesBounds && !sought && scan.is_past(key) {
                return Ok(());
            }
            let step = match visitor.visit(key, Value::ready(value)) {
                Ok(step) => step,
                Err(_) if self.flaw == Flaw::SwallowsErrors => return Ok(()),
                Err(error) if self.flaw == Flaw::GoesOnAfterError => {
                    for (key, value) in &entries[at + 1..] {
                        let _ = visitor.visit(key, Value::ready(value));
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            match step {
                Step::Stop if self.flaw == Flaw::StopsLate => {
                    if let Some((key, value)) = entries.get(at + 1) {
                        visitor.visit(key, Value::ready(value))?;
                    }
                    return Ok(());
                }
                Step::Stop => return Ok(()),
                Step::SeekTo(target) if self.flaw != Flaw::IgnoresSeeks => {
                    sought = true;
                    let landing =
                        entries.iter().position(|(key, _)| ahead(key, target)).unwrap_or(entries.len());
                    at = match self.flaw {
                        Flaw::SeeksBack => landing,
                        Flaw::SeeksTooFar => landing.max(at + 1) + 1,
                        _ => landing.max(at + 1),
                    };
                }
                Step::Next | Step::SeekTo(_) => at += 1,
            }
        }
        Ok(())
    }
}
