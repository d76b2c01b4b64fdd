//! Fetches under way: who misses what another fetches waits for it, and what is written meanwhile isn't cached.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::index::KeyBytes;

/// What was fetched: bytes, or that there is nothing.
pub(crate) type Fetched = Option<Arc<[u8]>>;

/// The fetches under way, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    flights: HashMap<KeyBytes, Arc<Flight>>,
    /// Keys of what is being written, and by how many.
    barred: HashMap<KeyBytes, usize>,
}

/// One fetch.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    /// What it fetches may have changed since.
    stale: AtomicBool,
    followers: AtomicUsize,
    landed: Mutex<Landed>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Landed {
    is_over: bool,
    /// What was fetched, if it was and somebody waits for it.
    fetched: Option<Fetched>,
}

/// What to do about a miss.
pub(crate) enum Joined<'a> {
    /// Fetch.
    Leader(Leader<'a>),
    /// Another fetches.
    Follower(Arc<Flight>),
}

impl Flights {
    /// Begins a fetch, unless there is one.
    pub(crate) fn join(&self, key: &KeyBytes) -> Joined<'_> {
        let mut table = self.table();
        let is_barred = table.barred.contains_key(key);
        match table.flights.entry(*key) {
            Entry::Occupied(entry) => {
                entry.get().followers.fetch_add(1, Ordering::Relaxed);
                Joined::Follower(Arc::clone(entry.get()))
            }
            Entry::Vacant(entry) => {
                let flight = Arc::new(Flight { stale: is_barred.into(), ..Flight::default() });
                entry.insert(Arc::clone(&flight));
                Joined::Leader(Leader { flights: self, key: *key, flight })
            }
        }
    }

    /// Lets no fetch that is under way or begins be cached, until it is lifted.
    pub(crate) fn bar(&self, keys: Vec<KeyBytes>) -> Bar<'_> {
        let mut table = self.table();
        for key in &keys {
            *table.barred.entry(*key).or_insert(0) += 1;
        }
        table.detach(&keys);
        drop(table);
        Bar { flights: self, keys }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Those who come later fetch themselves.
    fn detach(&mut self, keys: &[KeyBytes]) {
        for key in keys {
            if let Some(flight) = self.flights.remove(key) {
                flight.stale.store(true, Ordering::Release);
            }
        }
    }
}

/// Keys of what is being written, until it is dropped.
#[derive(Debug)]
pub(crate) struct Bar<'a> {
    flights: &'a Flights,
    keys: Vec<KeyBytes>,
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        let mut table = self.flights.table();
        table.detach(&self.keys);
        for key in &self.keys {
            if let Entry::Occupied(mut entry) = table.barred.entry(*key) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }
}

impl Flight {
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// Waits until the fetch is over; `None` when it has failed.
    pub(crate) fn wait(&self) -> Option<Fetched> {
        let landed = self.landed.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = self.done.wait_while(landed, |landed| !landed.is_over);
        landed.unwrap_or_else(PoisonError::into_inner).fetched.clone()
    }
}

/// Who fetches. When it is dropped without having landed, the next of those who wait fetches.
#[derive(Debug)]
pub(crate) struct Leader<'a> {
    flights: &'a Flights,
    key: KeyBytes,
    pub(crate) flight: Arc<Flight>,
}

impl Leader<'_> {
    /// Hands what was fetched to those who wait.
    pub(crate) fn land(self, fetched: Option<&[u8]>) {
        self.leave();
        if self.flight.followers.load(Ordering::Relaxed) > 0 {
            let mut landed = self.flight.landed.lock().unwrap_or_else(PoisonError::into_inner);
            landed.fetched = Some(fetched.map(Arc::from));
        }
    }

    /// Nobody can join any more.
    fn leave(&self) {
        let mut table = self.flights.table();
        if table.flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            table.flights.remove(&self.key);
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.leave();
        self.flight.landed.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.flight.done.notify_all();
    }
}
