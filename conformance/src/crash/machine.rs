//! A machine whose power can go: a disk that forgets, and a process that writes to it.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use engine_api::OpenMode;
use power_loss::{Disk, Faults, Image};

use super::ledger::Ledger;
use super::running::{Moment, Running, Told};
use super::script::Script;
use crate::child;
use crate::context::{Context, Place};
use crate::verdict::{Halt, Verdict, check};

/// What goes wrong, and from when on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// From before the store is opened, so that recovery meets it.
    AtOnce(Faults),
    /// From when the store has been opened.
    Opened(Faults),
}

/// A machine with a disk. It keeps what the disk holds while it is off.
#[derive(Debug)]
pub(crate) struct Machine<'c> {
    context: &'c Context,
    mount: PathBuf,
    image: Image,
    lives: u64,
}

impl<'c> Machine<'c> {
    pub(crate) fn new(context: &'c Context) -> Verdict<Self> {
        Ok(Self { context, mount: context.empty_dir("disk")?, image: Image::new(), lives: 0 })
    }

    /// Turns it on.
    ///
    /// # Errors
    /// Where FUSE can't be had the case is ignored.
    pub(crate) fn turn_on(&mut self) -> Verdict<Disk> {
        self.lives += 1;
        let seed = self.context.seed().wrapping_add(self.lives.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Disk::mount(&self.mount, &self.image, seed).map_err(|error| {
            Halt::ignored(format!("no disk that can lose its power can be mounted: {error}"))
        })
    }

    /// Takes the power away, and keeps what is on the disk.
    pub(crate) fn turn_off(&mut self, disk: Disk) {
        self.image = disk.into_image();
    }

    /// Starts a process on the disk. It waits once it has opened the store.
    pub(crate) fn start(&self, script: &Script) -> Verdict<Running> {
        let place = self.context.place_in(&self.mount)?;
        Running::start(child::script(script.to_text(), place.url())?)
    }

    /// Lets a process run until the power goes, at the latest at its end.
    pub(crate) fn run_until_cut(&mut self, script: &Script, fault: Fault) -> Verdict<Told> {
        let disk = self.turn_on()?;
        if let Fault::AtOnce(faults) = fault {
            disk.set_faults(faults);
        }
        let mut running = self.start(script)?;
        let mut begun = false;
        while !disk.is_cut() && running.hear(Duration::from_millis(2))? != Moment::Ended {
            if !begun && running.told().opened {
                if let Fault::Opened(faults) = fault {
                    disk.set_faults(faults);
                }
                running.begin()?;
                begun = true;
            }
        }
        // First the power, then the process: what it still says after that it had before.
        disk.cut();
        let told = running.kill()?;
        self.turn_off(disk);
        Ok(told)
    }

    /// Lets a process run to its end, with the faults that are set once it has opened the store.
    pub(crate) fn run_to_end(&self, disk: &Disk, script: &Script, faults: Faults) -> Verdict<Told> {
        let mut running = self.start(script)?;
        running.wait_for_opening()?;
        disk.set_faults(faults);
        running.begin()?;
        let (told, status) = running.finish()?;
        check!(status.success(), "the child ended with {status}, after {told:?}");
        Ok(told)
    }

    /// The same with faults that were set before: the store may not open.
    ///
    /// `None`: it has touched a page of a mapping that can't be read, which ends a process.
    pub(crate) fn run_at_once(&self, script: &Script) -> Verdict<Option<Told>> {
        let mut running = self.start(script)?;
        if running.wait_for_opening()? {
            running.begin()?;
        }
        let (told, status) = running.finish()?;
        if is_bus_error(status) {
            return Ok(None);
        }
        check!(status.success(), "the child ended with {status}, after {told:?}");
        Ok(Some(told))
    }

    /// The store as it is found after the power came back, at a place of its own.
    pub(crate) fn found(&self) -> Verdict<Found> {
        let folder = tempfile::tempdir_in(self.context.scratch())?;
        self.image.write(folder.path())?;
        let place = self.context.place_in(folder.path())?;
        Ok(Found { place, _folder: folder })
    }

    /// Fails unless what is found after the power came back is what the ledger says.
    pub(crate) fn check(&self, ledger: &mut Ledger, after: &str) -> Verdict {
        let found = self.found()?;
        let opened = found.place.open_in(OpenMode::Existing);
        let store = opened
            .map_err(|error| Halt::failed(format!("{after}: the store can't be opened: {error:?}")))?
            .store;
        ledger.check(&store, after)
    }
}

#[cfg(unix)]
fn is_bus_error(status: ExitStatus) -> bool {
    const SIGBUS: i32 = 7;
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGBUS)
}

#[cfg(not(unix))]
fn is_bus_error(_: ExitStatus) -> bool {
    false
}

/// A copy of a disk, which goes when this does.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    _folder: tempfile::TempDir,
}
