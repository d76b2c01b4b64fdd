//! An open environment: one file, mapped once in a process, and the transactions that are open on it.
//!
//! LMDB maps a file into address space of a size that is chosen when it is opened. Where the data no longer
//! fits, the map is moved to a larger place, which must not happen under a transaction. So each is counted.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine_api::{Error, ErrorKind, Result};
use heed::{MdbError, RoTxn, WithoutTls};

use super::begin::{Turn, Writers};
use super::config::{Settings, mappable};
use super::error::convert;
use super::files::{Exclusive, Held, Place, hold, make_durable};
use super::pages;
use super::process::Claim;
use super::raw::{self, Access, Handle, Table};

/// How long a commit that needs a larger map waits for views to be dropped. The views may be its own
/// caller's, so it can't wait for good.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Environment {
    place: Place,
    settings: Settings,
    access: Access,
    key_bytes: usize,
    readers: usize,
    /// A writer has its turn without being counted, so that the map can grow.
    writers: Writers,
    state: Mutex<State>,
    changed: Condvar,
    // The last field, for it must be dropped after the environment is closed.
    claim: Claim,
}

struct State {
    /// Gone when it could not be opened again after it had to be closed.
    handle: Option<Handle>,
    map: usize,
    users: usize,
    /// Whether somebody waits for the last user to leave, and nobody else may enter.
    held: bool,
}

/// A transaction that is counted, from before it begins until after it ends.
pub(crate) struct User(Arc<Environment>);

/// What a transaction is begun with. Fields are dropped in this order: the environment that is counted out
/// has no other handle left.
pub(crate) struct Entered {
    pub(crate) handle: Handle,
    pub(crate) map: usize,
    pub(crate) user: User,
}

impl Environment {
    /// Opens a file that was found to be LMDB's.
    pub(crate) fn open(place: Place, settings: Settings, access: Access, claim: Claim) -> Result<Arc<Self>> {
        let map = settings.map.max(mappable(place.length()?.saturating_mul(2)));
        let handle = open_handle(&place, map, &settings, access)?;
        let (key_bytes, readers) = (handle.env.max_key_size(), handle.env.max_readers());
        let state = Mutex::new(State { handle: Some(handle), map, users: 0, held: false });
        let readers = usize::try_from(readers).unwrap_or(usize::MAX);
        let environment = Arc::new(Self {
            place,
            settings,
            access,
            key_bytes,
            readers,
            writers: Writers::default(),
            state,
            changed: Condvar::new(),
            claim,
        });
        environment.claim.share(&environment);
        Ok(environment)
    }

    /// Whether an opener with these settings can share it.
    pub(crate) fn suits(&self, settings: &Settings, access: Access) -> bool {
        self.settings == *settings && (self.access.writes() || !access.writes())
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn key_bytes(&self) -> usize {
        self.key_bytes
    }

    pub(crate) const fn readers(&self) -> usize {
        self.readers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the writers of this process that came before.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.writers.turn()
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Result<Entered> {
        let mut state = self.state();
        while state.held {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let handle = state.handle.clone().ok_or_else(lost)?;
        state.users += 1;
        Ok(Entered { handle, map: state.map, user: User(Arc::clone(self)) })
    }

    /// Tells a disk that was full from one that failed. LMDB says the same of both where a write was taken in
    /// part: `EIO`.
    pub(crate) fn explain(&self, entered: &Entered, error: Error) -> Error {
        // A header that couldn't be written, which is what makes a commit ambiguous, bars all transactions.
        let header_failed = || entered.handle.env.read_txn().is_err();
        if error.kind() == ErrorKind::Ambiguous && self.place.is_full() && !header_failed() {
            return Error::new(ErrorKind::Full, "a batch doesn't fit the disk").caused_by(error);
        }
        error
    }

    /// Begins a read transaction.
    pub(crate) fn read(self: &Arc<Self>) -> Result<(RoTxn<'static, WithoutTls>, Table, User)> {
        loop {
            let entered = self.enter()?;
            match self.writers.begin_to_read(&entered.handle.env) {
                Ok(txn) => return Ok((txn, entered.handle.table, entered.user)),
                Err(heed::Error::Mdb(MdbError::MapResized)) => {
                    let outgrown = entered.map;
                    drop(entered);
                    self.grow(outgrown, 0)?;
                }
                Err(heed::Error::Mdb(MdbError::ReadersFull))
                    if entered.handle.env.clear_stale_readers().is_ok_and(|cleared| cleared > 0) => {}
                Err(error) => return Err(convert(error, "a read transaction can't be begun")),
            }
        }
    }

    /// Grows the map, unless it is larger already than the one that was found too small.
    ///
    /// # Errors
    /// `Busy` while there are views, `Full` when there is no room for a larger map.
    pub(crate) fn grow(&self, outgrown: usize, bytes: usize) -> Result<()> {
        let mut state = self.alone(
            PATIENCE,
            "the map is full, and can't grow while views are open: drop them, or open the store with a larger map",
        )?;
        if state.map > outgrown {
            return Ok(());
        }
        let needed = self.place.length()?.saturating_add(bytes as u64).max(state.map as u64);
        let map = mappable(needed.saturating_mul(2));
        let handle = state.handle.as_ref().ok_or_else(lost)?;
        let full =
            |map| Error::new(ErrorKind::Full, "there is no address space for a larger map").with("map", map);
        if map <= state.map {
            return Err(full(map));
        }
        match raw::grow(&handle.env, map) {
            Ok(()) => {
                state.map = map;
                Ok(())
            }
            Err(error) => {
                // The old map is gone too.
                close(&mut state);
                let _held = self.place.hold(false)?;
                self.reopen(&mut state)?;
                Err(full(map).caused_by(error))
            }
        }
    }

    /// Writes the file anew without its free pages, and puts it in the old one's place.
    ///
    /// # Errors
    /// `Busy` while there are views, or another process has the store open.
    pub(crate) fn compact(&self) -> Result<()> {
        let _turn = self.turn();
        let mut state =
            self.alone(Duration::ZERO, "views are open, and compacting needs the store to itself")?;
        close(&mut state);
        let _held = self.place.hold(true)?;
        let rewritten = self.rewrite();
        self.reopen(&mut state)?;
        rewritten.map(drop)
    }

    /// Answers the new file, held like the old one.
    fn rewrite(&self) -> Result<Held> {
        let place = &self.place;
        let others_out = Exclusive::take(place).map_err(|error| match error.kind() {
            ErrorKind::Locked => Error::new(ErrorKind::Busy, error.message()),
            _ => error,
        })?;
        let new = place.new_file()?;
        let mut file = new.open()?;
        let copied = raw::open(&place.data, self.settings.map, &self.settings, Access::ReadAlone)
            .and_then(|env| env.copy_to_file(&mut file, heed::CompactionOption::Enabled));
        copied.map_err(|error| convert(error, "the file can't be copied"))?;
        let permissions = std::fs::metadata(&place.data).map(|metadata| metadata.permissions());
        permissions.and_then(|permissions| file.set_permissions(permissions)).map_err(|error| {
            Error::from_io(error, "the new file can't be given the old one's permissions")
        })?;
        make_durable(&file)?;
        let held = hold(file, true)?;
        // Before and not after, when something may still fail: an empty lock file fits either file.
        others_out.reset()?;
        new.replace()?;
        Ok(held)
    }

    /// Walks all pages of the state that is committed now.
    pub(crate) fn verify(self: &Arc<Self>) -> Result<()> {
        let entered = self.enter()?;
        pages::check(&entered.handle.env)
    }

    fn reopen(&self, state: &mut State) -> Result<()> {
        self.place.check_data()?;
        state.handle = Some(open_handle(&self.place, state.map, &self.settings, self.access)?);
        Ok(())
    }

    /// Waits until no transaction is open; none can be begun while the guard is there.
    fn alone(&self, patience: Duration, busy: &'static str) -> Result<MutexGuard<'_, State>> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        while state.held {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held = true;
        while state.users > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        // From here on the guard alone keeps others out.
        state.held = false;
        self.changed.notify_all();
        if state.users > 0 {
            Err(Error::new(ErrorKind::Busy, busy).with("views", state.users))
        } else {
            Ok(state)
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.users -= 1;
        if state.held {
            self.0.changed.notify_all();
        }
    }
}

fn close(state: &mut State) {
    if let Some(handle) = state.handle.take() {
        handle.env.prepare_for_closing().wait();
    }
}

pub(crate) fn open_handle(place: &Place, map: usize, settings: &Settings, access: Access) -> Result<Handle> {
    let env = raw::open(&place.data, map, settings, access)
        .map_err(|error| convert(error, "the file can't be opened").with("map", map))?;
    env.clear_stale_readers()
        .map_err(|error| convert(error, "the slots of readers that died can't be cleared"))?;
    // To touch a page that isn't there would end the process.
    if pages::is_short(&env)? {
        pages::check(&env)?;
    }
    let table = raw::table(&env).map_err(|error| convert(error, "the table of a store can't be opened"))?;
    let table = table.ok_or_else(|| {
        Error::new(
            ErrorKind::Incompatible,
            "the file is another application's: it hasn't the table of a store",
        )
    })?;
    Ok(Handle { env, table })
}

#[cold]
fn lost() -> Error {
    Error::new(ErrorKind::Poisoned, "the file had to be closed, and couldn't be opened again")
}
