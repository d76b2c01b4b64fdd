//! A view that reads wrongly.

use std::cell::OnceCell;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use engine_api::{
    Direction, Error, ErrorKind, MemoryStore, Result, Scan, Step, Store as _, Value, View, ViewExt as _,
    Visitor, visitor,
};

use crate::engine::{Flaw, LONGEST_KEY};

pub(crate) struct MutantView {
    pinned: Box<dyn View>,
    first_read: OnceCell<Box<dyn View>>,
    store: Arc<MemoryStore>,
    flaw: Flaw,
}

impl MutantView {
    pub(crate) fn new(pinned: Box<dyn View>, store: Arc<MemoryStore>, flaw: Flaw) -> Self {
        Self { pinned, first_read: OnceCell::new(), store, flaw }
    }

    /// Runs `read` on the view that the flaw reads from.
    fn reading<T>(&self, read: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
        match self.flaw {
            Flaw::LiveViews => read(self.store.view()?.as_ref()),
            Flaw::PinsAtFirstRead => {
                let fresh = self.store.view()?;
                read(self.first_read.get_or_init(|| fresh).as_ref())
            }
            _ => read(self.pinned.as_ref()),
        }
    }

    /// The entries of a scan as the flaw has them, in its direction.
    fn entries(&self, scan: Scan<'_>) -> Result<Vec<(Bytes, Bytes)>> {
        let mut scan = scan;
        if self.flaw == Flaw::EndIsIncluded
            && let Bound::Excluded(end) = scan.end
        {
            scan.end = Bound::Included(end);
        }
        if self.flaw == Flaw::SeekLeavesBounds {
            scan.end = Bound::Unbounded;
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
            Flaw::OrdersByLength => entries.sort_by_key(|(key, _)| key.len()),
            Flaw::GivesValueBefore => {
                for at in (1..entries.len()).rev() {
                    entries[at].1 = entries[at - 1].1.clone();
                }
            }
            Flaw::ReverseStartsLate if scan.direction == Direction::Reverse && !entries.is_empty() => {
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
        self.reading(|view| view.get(key))
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
        if scan.is_empty() {
            assert!(self.flaw != Flaw::PanicsOnInverted, "range start is greater than range end");
            return Ok(());
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
