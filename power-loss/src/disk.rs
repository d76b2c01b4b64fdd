//! A mounted disk, and its power switch.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::faults::Faults;
use super::fuse::{Mounted, owner_of};
use super::image::Image;
use super::shared::Shared;
use super::volume::Volume;

/// A disk that is mounted at a folder. Dropping it unmounts it.
///
/// The process that holds it serves the kernel's requests for it on a thread of its own. Programs that are
/// put to the test run in *other* processes: they can be killed when the power goes, and they may map
/// files.
#[derive(Debug)]
pub struct Disk {
    shared: Arc<Shared>,
    mounted: Option<Mounted>,
}

impl Disk {
    /// Mounts a disk that holds `image` at an empty folder. What a cut takes is drawn from `seed`.
    ///
    /// # Errors
    /// `Unsupported` where this crate was built without `fuse`, or for another system than Linux. Others where
    /// FUSE can't be had: there is no `/dev/fuse`, or this user may not mount.
    pub fn mount(at: &Path, image: &Image, seed: u64) -> io::Result<Self> {
        let shared = Shared::new(Volume::new(image, owner_of(at)?, seed));
        let mounted = Some(Mounted::new(&shared, at)?);
        Ok(Self { shared, mounted })
    }

    /// Says what goes wrong from now on, in place of what was said before.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.volume().set_faults(faults);
    }

    /// How many of the faults have happened since they were set.
    pub fn faults_met(&self) -> u64 {
        self.shared.volume().faults_met()
    }

    /// How many changes there were since the faults were set, or since the mount.
    pub fn changes(&self) -> u64 {
        self.shared.volume().changes()
    }

    /// How many reads there were since the faults were set, or since the mount.
    pub fn reads(&self) -> u64 {
        self.shared.volume().reads()
    }

    /// The bytes that files take.
    pub fn taken(&self) -> u64 {
        let (all, left) = self.shared.volume().room();
        all.saturating_sub(left)
    }

    /// Cuts the power: from now on everything fails with `EIO`.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Whether the power is gone.
    pub fn is_cut(&self) -> bool {
        self.shared.volume().is_dark()
    }

    /// Waits until the power is gone, at most for a while; whether it is.
    pub fn wait_for_cut(&self, timeout: Duration) -> bool {
        self.shared.wait(timeout)
    }

    /// Cuts the power, if it isn't gone, unmounts, and answers what is on the disk.
    ///
    /// Processes that have something open there are best ended before: they see `EIO` for as long as they
    /// are there.
    pub fn into_image(mut self) -> Image {
        self.shared.cut();
        self.mounted = None;
        self.shared.volume().survivors()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The kernel writes back what programs have mapped before it unmounts.
        self.shared.cut();
    }
}
