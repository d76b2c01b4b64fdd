//! A view: the map as it was.

use std::ops::Bound;

use bytes::Bytes;
use imbl::OrdMap;

use crate::spi::{Advance, Direction, LoadValue, Result, Scan, Value, View, Visitor};

/// From here on a value is lent to who keeps it, for a copy costs more than counting its owners.
const LEND_FROM: usize = 1024;

pub(super) type Map = OrdMap<Bytes, Bytes>;

pub(super) struct MemoryView {
    map: Map,
}

impl MemoryView {
    pub(super) fn new(map: Map) -> Self {
        Self { map }
    }
}

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.map.get(key).cloned())
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.map.get(key).map(|value| read(value)).is_some())
    }

    fn scan(&self, scan: Scan<'_>, visitor: &mut dyn Visitor) -> Result<()> {
        if scan.is_empty() {
            return Ok(());
        }
        let mut range = self.map.range::<_, [u8]>((scan.start, scan.end));
        loop {
            let entry = match scan.direction {
                Direction::Forward => range.next(),
                Direction::Reverse => range.next_back(),
            };
            let Some((key, value)) = entry else { return Ok(()) };
            let large = Large(value);
            let value = if value.len() < LEND_FROM { Value::ready(value) } else { Value::deferred(&large) };
            match scan.advance(key, visitor.visit(key, value)?) {
                Advance::Next => {}
                Advance::Stop => return Ok(()),
                Advance::Seek(target) => {
                    let target = Bound::Included(target);
                    range = match scan.direction {
                        Direction::Forward => self.map.range::<_, [u8]>((target, scan.end)),
                        Direction::Reverse => self.map.range::<_, [u8]>((scan.start, target)),
                    };
                }
            }
        }
    }
}

/// A large value, which the map shares.
struct Large<'a>(&'a Bytes);

impl LoadValue for Large<'_> {
    fn load(&self) -> Result<&[u8]> {
        Ok(self.0)
    }

    fn ready_len(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn keep(&self) -> Result<Bytes> {
        Ok(self.0.clone())
    }
}
