//! The disk without the kernel: files, names, faults, and what a cut leaves.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use fastrand::Rng;

use super::content::{BLOCK, Content};
use super::faults::Faults;
use super::image::Image;
use super::names::{Names, Node, ROOT, Tree};

/// Why a disk refuses something: the names of errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Eio,
    Enoent,
    Eexist,
    Enotdir,
    Eisdir,
    Enotempty,
    Enospc,
    Efbig,
    Einval,
}

pub(crate) type Answer<T = ()> = Result<T, Refused>;

/// What `stat` shows of a file or folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) node: Node,
    pub(crate) folder: bool,
    pub(crate) length: usize,
    pub(crate) room: usize,
    pub(crate) names: usize,
    pub(crate) owner: Owner,
}

/// Whose a file is, and what others may do to it; all of it is on the disk at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) mode: u16,
}

/// The longest file: what is in it is in memory.
const LONGEST: usize = 1 << 32;

/// The room of a disk that isn't said to be small.
const ROOM: u64 = 1 << 40;

#[derive(Debug)]
pub(crate) struct Volume {
    names: Names,
    // Folders have none.
    files: BTreeMap<Node, Content>,
    owners: BTreeMap<Node, Owner>,
    // How often each file is open: one without a name takes room until it is closed.
    opened: BTreeMap<Node, usize>,
    next: Node,
    faults: Faults,
    counts: Counts,
    met: u64,
    dark: bool,
    rng: Rng,
}

/// What has been done since the faults were set.
#[derive(Debug, Default)]
struct Counts {
    changes: u64,
    syncs: u64,
    writes: u64,
    reads: u64,
}

impl Volume {
    pub(crate) fn new(image: &Image, owner: Owner, seed: u64) -> Self {
        let mut tree = Tree::from([(ROOT, BTreeMap::new())]);
        let (mut files, mut owners) = (BTreeMap::new(), BTreeMap::from([(ROOT, owner)]));
        let mut nodes: BTreeMap<PathBuf, Node> = BTreeMap::from([(PathBuf::new(), ROOT)]);
        let mut next = ROOT + 1;
        for (path, file) in image.entries() {
            let folder = path.parent().and_then(|parent| nodes.get(parent));
            let (Some(folder), Some(name)) = (folder, path.file_name()) else { continue };
            tree.entry(*folder).or_default().insert(name.to_owned(), next);
            match file {
                Some(bytes) => {
                    files.insert(next, Content::new(bytes));
                    owners.insert(next, Owner { mode: 0o644, ..owner });
                }
                None => {
                    tree.insert(next, BTreeMap::new());
                    owners.insert(next, owner);
                    nodes.insert(path.to_owned(), next);
                }
            }
            next += 1;
        }
        Self {
            names: Names::new(tree),
            files,
            owners,
            opened: BTreeMap::new(),
            next,
            faults: Faults::NONE,
            counts: Counts::default(),
            met: 0,
            dark: false,
            rng: Rng::with_seed(seed),
        }
    }

    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.counts = Counts::default();
        self.met = 0;
    }

    /// How many of the faults have happened since they were set.
    pub(crate) fn faults_met(&self) -> u64 {
        self.met
    }

    /// How many changes there were since the faults were set.
    pub(crate) fn changes(&self) -> u64 {
        self.counts.changes
    }

    pub(crate) fn reads(&self) -> u64 {
        self.counts.reads
    }

    pub(crate) fn cut(&mut self) {
        self.dark = true;
    }

    pub(crate) fn is_dark(&self) -> bool {
        self.dark
    }

    /// What the disk holds after a cut.
    pub(crate) fn survivors(&self) -> Image {
        let mut rng = self.rng.clone();
        let tree = self.names.survivors(&mut rng);
        // One name of a file mustn't lead to another content than the other name.
        let files: BTreeMap<Node, Vec<u8>> =
            self.files.iter().map(|(node, content)| (*node, content.survivors(&mut rng))).collect();
        let mut image = Image::new();
        let mut folders = vec![(PathBuf::new(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, node) in tree.get(&folder).into_iter().flatten() {
                let path = path.join(name);
                match files.get(node) {
                    Some(bytes) => image.add_file(&path, bytes.clone()),
                    None => {
                        image.add_folder(&path);
                        folders.push((path, *node));
                    }
                }
            }
        }
        image
    }

    /// Counts a change; whether it is the one at which the power goes. It may then still reach the disk.
    fn changing(&mut self) -> Answer<bool> {
        self.lit()?;
        self.counts.changes += 1;
        if self.faults.cut_at == Some(self.counts.changes) {
            self.met += 1;
            self.dark = true;
        }
        Ok(self.dark)
    }

    /// Refuses everything once the power is gone.
    fn lit(&self) -> Answer {
        if self.dark { Err(Refused::Eio) } else { Ok(()) }
    }

    fn happens(&mut self, fault: bool) -> bool {
        self.met += u64::from(fault);
        fault
    }

    fn content(&self, node: Node) -> Answer<&Content> {
        self.files.get(&node).ok_or(Refused::Eisdir)
    }

    fn content_mut(&mut self, node: Node) -> Answer<&mut Content> {
        self.files.get_mut(&node).ok_or(Refused::Eisdir)
    }

    pub(crate) fn facts(&self, node: Node) -> Answer<Facts> {
        self.lit()?;
        let owner = *self.owners.get(&node).ok_or(Refused::Enoent)?;
        let content = self.files.get(&node);
        Ok(Facts {
            node,
            folder: content.is_none(),
            length: content.map_or(BLOCK, Content::len),
            room: content.map_or(BLOCK, Content::room),
            names: if content.is_none() { 2 } else { self.names.count(node) },
            owner,
        })
    }

    pub(crate) fn set_owner(&mut self, node: Node, owner: Owner) -> Answer {
        self.lit()?;
        self.owners.insert(node, owner);
        Ok(())
    }

    pub(crate) fn find(&self, folder: Node, name: &OsStr) -> Answer<Node> {
        self.lit()?;
        self.names.find(folder, name).ok_or(Refused::Enoent)
    }

    pub(crate) fn list(&self, folder: Node) -> Answer<Vec<(OsString, Node)>> {
        self.lit()?;
        let names = self.names.of(folder).ok_or(Refused::Enotdir)?;
        Ok(names.iter().map(|(name, node)| (name.clone(), *node)).collect())
    }

    pub(crate) fn is_folder(&self, node: Node) -> bool {
        self.names.of(node).is_some()
    }

    fn must_be_free(&self, folder: Node, name: &OsStr) -> Answer {
        match self.names.of(folder).ok_or(Refused::Enotdir)?.get(name) {
            Some(_) => Err(Refused::Eexist),
            None => Ok(()),
        }
    }

    pub(crate) fn make(&mut self, folder: Node, name: &OsStr, is_folder: bool, owner: Owner) -> Answer<Node> {
        self.lit()?;
        self.must_be_free(folder, name)?;
        let node = self.next;
        self.next += 1;
        self.owners.insert(node, owner);
        if is_folder {
            self.names.add_folder(node);
        } else {
            self.files.insert(node, Content::default());
        }
        self.name(folder, name, node)?;
        Ok(node)
    }

    pub(crate) fn link(&mut self, node: Node, folder: Node, name: &OsStr) -> Answer {
        self.lit()?;
        self.content(node)?;
        self.must_be_free(folder, name)?;
        self.name(folder, name, node)
    }

    fn name(&mut self, folder: Node, name: &OsStr, node: Node) -> Answer {
        let last = self.changing()?;
        self.names.add(folder, name, node);
        if last { Err(Refused::Eio) } else { Ok(()) }
    }

    pub(crate) fn remove(&mut self, folder: Node, name: &OsStr, is_folder: bool) -> Answer {
        let node = self.find(folder, name)?;
        match (self.names.of(node), is_folder) {
            (None, true) => return Err(Refused::Enotdir),
            (Some(_), false) => return Err(Refused::Eisdir),
            (Some(names), true) if !names.is_empty() => return Err(Refused::Enotempty),
            _ => {}
        }
        let last = self.changing()?;
        self.names.remove(folder, name);
        if last { Err(Refused::Eio) } else { Ok(()) }
    }

    pub(crate) fn rename(&mut self, from: (Node, &OsStr), to: (Node, &OsStr), replace: bool) -> Answer {
        let node = self.find(from.0, from.1)?;
        match self.find(to.0, to.1) {
            Err(Refused::Enoent) => {}
            Err(refused) => return Err(refused),
            Ok(_) if !replace => return Err(Refused::Eexist),
            // Two names of one file: rename(2) does nothing.
            Ok(there) if there == node => return Ok(()),
            Ok(there) => match (self.names.of(node), self.names.of(there)) {
                (None, Some(_)) => return Err(Refused::Eisdir),
                (Some(_), None) => return Err(Refused::Enotdir),
                (Some(_), Some(names)) if !names.is_empty() => return Err(Refused::Enotempty),
                _ => {}
            },
        }
        let last = self.changing()?;
        self.names.rename(from, to);
        if last { Err(Refused::Eio) } else { Ok(()) }
    }

    pub(crate) fn opened(&mut self, node: Node) -> Answer {
        self.lit()?;
        *self.opened.entry(node).or_default() += 1;
        Ok(())
    }

    pub(crate) fn closed(&mut self, node: Node) {
        if let Some(count) = self.opened.get_mut(&node) {
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn read(&mut self, node: Node, at: u64, length: usize) -> Answer<&[u8]> {
        self.lit()?;
        let at = usize::try_from(at).map_err(|_| Refused::Efbig)?;
        let cold = self.content(node)?.is_cold(at);
        self.counts.reads += u64::from(cold);
        let fails = cold && self.faults.fail_reads.is_some_and(|from| self.counts.reads >= from);
        if self.happens(fails) {
            return Err(Refused::Eio);
        }
        Ok(self.content(node)?.read(at, length))
    }

    /// Answers how many of the bytes were taken.
    pub(crate) fn write(&mut self, node: Node, at: u64, bytes: &[u8]) -> Answer<usize> {
        let at = usize::try_from(at).map_err(|_| Refused::Efbig)?;
        if at.saturating_add(bytes.len()) > LONGEST {
            return Err(Refused::Efbig);
        }
        self.content(node)?;
        let last = self.changing()?;
        self.counts.writes += 1;
        let fails = self.faults.fail_write == Some(self.counts.writes);
        if self.happens(fails) {
            return Err(Refused::Eio);
        }
        let short = bytes.len() > 1
            && self.faults.short_writes.is_some_and(|each| self.counts.writes.is_multiple_of(each));
        let taken = if self.happens(short) { self.rng.usize(1..bytes.len()) } else { bytes.len() };
        let needed = self.content(node)?.room_for(at, taken);
        let full = needed > 0 && u64::try_from(needed).unwrap_or(u64::MAX) > self.room_left();
        if self.happens(full) {
            return Err(Refused::Enospc);
        }
        self.content_mut(node)?.write(at, bytes.get(..taken).unwrap_or(bytes));
        if last { Err(Refused::Eio) } else { Ok(taken) }
    }

    pub(crate) fn set_length(&mut self, node: Node, length: u64) -> Answer {
        let length = usize::try_from(length).map_err(|_| Refused::Efbig)?;
        if length > LONGEST {
            return Err(Refused::Efbig);
        }
        if self.content(node)?.len() == length {
            return self.lit();
        }
        let last = self.changing()?;
        self.content_mut(node)?.set_length(length);
        if last { Err(Refused::Eio) } else { Ok(()) }
    }

    /// Forces a file to the disk, or the names of a folder.
    pub(crate) fn sync(&mut self, node: Node) -> Answer {
        let last = self.changing()?;
        self.counts.syncs += 1;
        if last {
            return Err(Refused::Eio);
        }
        let fails = self.faults.fail_sync == Some(self.counts.syncs);
        if self.happens(fails) {
            // Of names nothing is given up: a file system whose journal can't be written stops altogether.
            if let Some(content) = self.files.get_mut(&node) {
                content.give_up();
            }
            return Err(Refused::Eio);
        }
        match self.files.get_mut(&node) {
            Some(content) => content.sync(),
            None => self.names.sync(node),
        }
        Ok(())
    }

    /// The bytes that the disk has, and those that are left.
    pub(crate) fn room(&self) -> (u64, u64) {
        (self.faults.room.unwrap_or(ROOM), self.room_left())
    }

    fn room_left(&self) -> u64 {
        let takes_room = |node: &Node| {
            self.names.count(*node) > 0 || self.opened.get(node).is_some_and(|count| *count > 0)
        };
        let taken: usize =
            self.files.iter().filter(|(node, _)| takes_room(node)).map(|(_, content)| content.room()).sum();
        self.faults.room.unwrap_or(ROOM).saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OWNER: Owner = Owner { user: 0, group: 0, mode: 0o755 };

    fn volume() -> (Volume, Node) {
        let mut volume = Volume::new(&Image::new(), OWNER, 1);
        let node = volume.make(ROOT, OsStr::new("file"), false, OWNER).unwrap();
        (volume, node)
    }

    fn after(volume: &Volume) -> Option<Vec<u8>> {
        volume.survivors().file(Path::new("file")).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_synced_file_without_a_synced_name_may_be_lost() {
        let lost = (0..100).filter(|seed| {
            let (mut volume, node) = volume();
            volume.rng = Rng::with_seed(*seed);
            volume.write(node, 0, b"bytes").unwrap();
            volume.sync(node).unwrap();
            after(&volume).is_none()
        });
        assert!((10..90).contains(&lost.count()));
        let (mut volume, node) = volume();
        volume.write(node, 0, b"bytes").unwrap();
        volume.sync(node).unwrap();
        volume.sync(ROOT).unwrap();
        assert_eq!(after(&volume).as_deref(), Some(&b"bytes"[..]));
    }

    #[test]
    fn the_power_goes_at_a_change_and_nothing_is_done_after_it() {
        let (mut volume, node) = volume();
        volume.set_faults(Faults::NONE.cut_at(2));
        assert_eq!(volume.write(node, 0, b"one"), Ok(3));
        assert_eq!(volume.sync(node), Err(Refused::Eio));
        assert!(volume.is_dark() && volume.faults_met() == 1);
        assert_eq!(volume.write(node, 0, b"two"), Err(Refused::Eio));
        assert_eq!(volume.read(node, 0, 3), Err(Refused::Eio));
        assert_eq!(volume.find(ROOT, OsStr::new("file")), Err(Refused::Eio));
        let found: Vec<_> = (0..100)
            .filter_map(|seed| {
                volume.rng = Rng::with_seed(seed);
                after(&volume)
            })
            .collect();
        assert!(found.iter().all(|bytes| [&b""[..], &[0; 3], b"one"].contains(&&bytes[..])), "{found:?}");
        assert!(found.contains(&b"one".to_vec()) && found.contains(&Vec::new()));
    }

    #[test]
    fn a_sync_that_fails_is_said_once() {
        let (mut volume, node) = volume();
        volume.sync(ROOT).unwrap();
        volume.set_faults(Faults::NONE.fail_sync(1));
        volume.write(node, 0, b"one").unwrap();
        assert_eq!(volume.sync(node), Err(Refused::Eio));
        assert_eq!(volume.sync(node), Ok(()));
        assert_eq!(volume.read(node, 0, 10), Ok(&b"one"[..]));
        volume.write(node, 4096, b"two").unwrap();
        volume.sync(node).unwrap();
        let left = after(&volume).unwrap();
        assert_eq!((left.iter().position(|byte| *byte != 0), &left[4096..]), (Some(4096), &b"two"[..]));
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_more_once_a_file_is_gone() {
        let (mut volume, node) = volume();
        volume.set_faults(Faults::NONE.room(8192));
        assert_eq!(volume.write(node, 0, &[1; 8192]), Ok(8192));
        assert_eq!(volume.write(node, 8192, b"x"), Err(Refused::Enospc));
        assert_eq!(volume.write(node, 0, b"x"), Ok(1), "what has room may be overwritten");
        let other = volume.make(ROOT, OsStr::new("other"), false, OWNER).unwrap();
        volume.opened(node).unwrap();
        volume.remove(ROOT, OsStr::new("file"), false).unwrap();
        assert_eq!(volume.write(other, 0, b"x"), Err(Refused::Enospc), "it is open");
        volume.closed(node);
        assert_eq!(volume.write(other, 0, b"x"), Ok(1));
        assert_eq!(volume.room(), (8192, 4096));
    }

    #[test]
    fn writes_and_reads_fail_when_they_are_to() {
        let mut image = Image::new();
        image.add_file(Path::new("file"), vec![0; 6]);
        let mut volume = Volume::new(&image, OWNER, 1);
        let node = volume.find(ROOT, OsStr::new("file")).unwrap();
        let other = volume.make(ROOT, OsStr::new("other"), false, OWNER).unwrap();
        volume.set_faults(Faults::NONE.fail_write(2).fail_reads(2).short_writes(3));
        assert_eq!(volume.write(node, 0, b"abcdef"), Ok(6));
        assert_eq!(volume.write(node, 0, b"x"), Err(Refused::Eio));
        let taken = volume.write(node, 0, b"uvwxyz").unwrap();
        assert!((1..6).contains(&taken));
        assert_eq!(volume.read(node, 5, 10), Ok(&b"f"[..]));
        assert_eq!(volume.read(node, 0, 1), Err(Refused::Eio));
        assert_eq!(volume.read(node, 0, 1), Err(Refused::Eio));
        assert_eq!(volume.read(other, 0, 1), Ok(&b""[..]), "it is in the system's cache");
        volume.set_length(node, 0).unwrap();
        assert_eq!(volume.read(node, 0, 1), Ok(&b""[..]), "nothing is on the disk that could be read");
        assert_eq!(volume.faults_met(), 4);
    }

    #[test]
    fn names_are_kept_as_a_file_system_keeps_them() {
        let (mut volume, node) = volume();
        let name = OsStr::new;
        let folder = volume.make(ROOT, name("folder"), true, OWNER).unwrap();
        assert_eq!(volume.make(ROOT, name("file"), false, OWNER), Err(Refused::Eexist));
        assert_eq!(volume.make(node, name("x"), false, OWNER), Err(Refused::Enotdir));
        assert_eq!(volume.remove(ROOT, name("folder"), false), Err(Refused::Eisdir));
        assert_eq!(volume.remove(ROOT, name("file"), true), Err(Refused::Enotdir));
        volume.link(node, folder, name("second")).unwrap();
        assert_eq!(volume.facts(node).unwrap().names, 2);
        assert_eq!(volume.remove(ROOT, name("folder"), true), Err(Refused::Enotempty));
        assert_eq!(
            volume.rename((ROOT, name("file")), (folder, name("second")), false),
            Err(Refused::Eexist)
        );
        assert_eq!(volume.rename((ROOT, name("file")), (ROOT, name("folder")), true), Err(Refused::Eisdir));
        let other = volume.make(ROOT, name("other"), false, OWNER).unwrap();
        volume.rename((ROOT, name("other")), (folder, name("second")), true).unwrap();
        assert_eq!(volume.find(folder, name("second")), Ok(other));
        assert_eq!(volume.find(ROOT, name("other")), Err(Refused::Enoent));
        assert_eq!(volume.list(folder).unwrap().len(), 1);
    }
}
