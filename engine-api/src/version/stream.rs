//! Keys pulled one by one, and work spread over a range.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;

use super::kv::OrderedKeyValue;
use super::resolver::Resolved;
use crate::ext::KeyRange;
use crate::key::{Context, TKey};
use crate::spi::{Error, ErrorKind, Fetch, Result};

/// Keys that are read ahead.
const PAGE_KEYS: usize = 1024;
/// Bytes of values at which a page ends early.
const PAGE_BYTES: usize = 1 << 20;

/// The visible keys of a range, in their order; see [`stream`].
pub struct Stream<'a> {
    store: &'a dyn OrderedKeyValue,
    ctx: &'a dyn Context,
    fetch: Fetch,
    page: VecDeque<(TKey, Resolved)>,
    /// What is left to read; `None` at the end, and after an error.
    rest: Option<KeyRange>,
}

/// The visible keys of a range as an iterator, each with what it is.
///
/// It reads a page at a time and holds no view in between, so it may be kept for as long as one likes: an
/// engine that keeps what views see isn't held up. Pages are of different moments. At a committed version
/// that makes no difference.
pub fn stream<'a>(
    store: &'a dyn OrderedKeyValue,
    ctx: &'a dyn Context,
    range: KeyRange,
    fetch: Fetch,
) -> Stream<'a> {
    Stream { store, ctx, fetch, page: VecDeque::new(), rest: Some(range) }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("ctx", &self.ctx).field("rest", &self.rest).finish_non_exhaustive()
    }
}

impl Stream<'_> {
    fn fill(&mut self) -> Result<()> {
        let Some(range) = self.rest.take() else { return Ok(()) };
        let (mut bytes, mut full) = (0, false);
        let page = &mut self.page;
        self.store.visit(self.ctx, &range, self.fetch, &mut |tkey, resolved| {
            if let Resolved::Found { value, .. } = &resolved {
                bytes += value.len();
            }
            page.push_back((tkey.clone(), resolved));
            full = page.len() >= PAGE_KEYS || bytes >= PAGE_BYTES;
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if full && let Some((last, _)) = self.page.back() {
            let after = Bound::Excluded(last.as_bytes().to_vec());
            self.rest = Some(KeyRange::between(after, range.end().map(<[u8]>::to_vec)));
        }
        Ok(())
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<(TKey, Resolved)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && let Err(error) = self.fill()
        {
            self.page.clear();
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

/// Calls `work` for each key of a range that has a value, on so many threads, in no particular order.
///
/// The range is read on the caller's thread, from one view, and waits for the workers: no more than two
/// entries a worker are in memory. The first failure, of `work`, of the store or a conflict, ends it all and
/// is returned; what other workers have begun by then they end.
///
/// # Errors
/// That failure. `InvalidArgument` for no worker.
///
/// # Panics
/// When `work` panics.
pub fn process_range(
    store: &dyn OrderedKeyValue,
    ctx: &dyn Context,
    range: &KeyRange,
    workers: usize,
    work: &(dyn Fn(&TKey, Bytes) -> Result<()> + Sync),
) -> Result<()> {
    if workers == 0 {
        return Err(Error::new(ErrorKind::InvalidArgument, "a range is processed by one worker at least"));
    }
    let (entries, inbox) = sync_channel::<(TKey, Bytes)>(workers);
    let inbox = Mutex::new(Some(inbox));
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((tkey, value)) = take(&inbox) {
                    if let Err(error) = work(&tkey, value) {
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        // Without an inbox nobody takes another entry, and the reader's next send fails.
                        *inbox.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        return;
                    }
                }
            });
        }
        let read = store.visit(ctx, range, Fetch::Entries, &mut |tkey, resolved| {
            let Some(value) = resolved.into_value()? else { return Ok(ControlFlow::Continue(())) };
            Ok(match entries.send((tkey.clone(), value)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        });
        drop(entries);
        read
    })?;
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// The next entry; `None` at the end, and once a worker has failed. Waiting workers wait for the lock.
fn take(inbox: &Mutex<Option<Receiver<(TKey, Bytes)>>>) -> Option<(TKey, Bytes)> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.recv().ok()
}
