//! The disk as the kernel asks for it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use nix::mount::{MntFlags, umount2};

use super::content::BLOCK;
use super::keeper::Keeper;
use super::names::Node;
use super::shared::Shared;
use super::volume::{Answer, Facts, Owner, Refused, Volume};

/// Only the kernel changes what is here, so it may remember what it was told.
const REMEMBER: Duration = Duration::from_hours(1);

/// A mounted volume. It is unmounted when this is dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    session: Option<BackgroundSession>,
    keeper: Option<Keeper>,
    at: PathBuf,
}

impl Mounted {
    pub(crate) fn new(shared: &Arc<Shared>, at: &Path) -> io::Result<Self> {
        let at = at.canonicalize()?;
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName("power-loss".to_owned()), MountOption::NoSuid, MountOption::NoDev];
        let disk = Disk { shared: Arc::clone(shared), lists: Mutex::default() };
        let session = Some(fuser::spawn_mount(disk, &at, &config)?);
        let mut mounted = Self { session, keeper: None, at };
        mounted.keeper = Some(Keeper::new(&mounted.at)?);
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        // Who still has a file open there keeps the session going, but not the mount.
        let unmounted = umount2(&self.at, MntFlags::empty());
        match unmounted.or_else(|_| umount2(&self.at, MntFlags::MNT_DETACH)) {
            Ok(()) if unmounted.is_ok() => drop(session.join()),
            Ok(()) => drop(session),
            // Without the right to unmount, it is done as it was mounted: by fusermount3.
            Err(_) => drop(session.umount_and_join()),
        }
        if let Some(keeper) = self.keeper.take() {
            keeper.dismiss();
        }
    }
}

/// Whose the folder is at which a disk is mounted.
pub(crate) fn owner_of(at: &Path) -> io::Result<Owner> {
    let folder = at.metadata()?;
    Ok(Owner { user: folder.uid(), group: folder.gid(), mode: 0o755 })
}

struct Disk {
    shared: Arc<Shared>,
    // What was in a folder when it was opened, so that a program may remove what it lists.
    lists: Mutex<Lists>,
}

/// By the handle that the kernel was given.
#[derive(Default)]
struct Lists {
    last: u64,
    open: HashMap<u64, Vec<(Node, bool, OsString)>>,
}

impl Disk {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Refused> for Errno {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Eio => Self::EIO,
            Refused::Enoent => Self::ENOENT,
            Refused::Eexist => Self::EEXIST,
            Refused::Enotdir => Self::ENOTDIR,
            Refused::Eisdir => Self::EISDIR,
            Refused::Enotempty => Self::ENOTEMPTY,
            Refused::Enospc => Self::ENOSPC,
            Refused::Efbig => Self::EFBIG,
            Refused::Einval => Self::EINVAL,
        }
    }
}

fn block() -> u32 {
    u32::try_from(BLOCK).unwrap_or(u32::MAX)
}

fn attributes(facts: &Facts) -> FileAttr {
    let time = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(facts.node),
        size: facts.length as u64,
        blocks: (facts.room / 512) as u64,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: if facts.folder { FileType::Directory } else { FileType::RegularFile },
        perm: facts.owner.mode,
        nlink: u32::try_from(facts.names).unwrap_or(u32::MAX),
        uid: facts.owner.user,
        gid: facts.owner.group,
        rdev: 0,
        blksize: block(),
        flags: 0,
    }
}

fn owner_for(request: &Request, mode: u32, umask: u32) -> Owner {
    let mode = u16::try_from(mode & !umask & 0o7777).unwrap_or(0o600);
    Owner { user: request.uid(), group: request.gid(), mode }
}

fn empty(answer: Answer, reply: ReplyEmpty) {
    match answer {
        Ok(()) => reply.ok(),
        Err(refused) => reply.error(refused.into()),
    }
}

fn entry(answer: Answer<Facts>, reply: ReplyEntry) {
    match answer {
        Ok(facts) => reply.entry(&REMEMBER, &attributes(&facts), Generation(0)),
        Err(refused) => reply.error(refused.into()),
    }
}

fn attribute(answer: Answer<Facts>, reply: ReplyAttr) {
    match answer {
        Ok(facts) => reply.attr(&REMEMBER, &attributes(&facts)),
        Err(refused) => reply.error(refused.into()),
    }
}

impl Disk {
    fn make(&self, folder: INodeNo, name: &OsStr, is_folder: bool, owner: Owner) -> Answer<Facts> {
        self.shared.with(|volume| {
            let node = volume.make(folder.0, name, is_folder, owner)?;
            volume.facts(node)
        })
    }

    fn sync(&self, node: INodeNo, reply: ReplyEmpty) {
        empty(self.shared.with(|volume| volume.sync(node.0)), reply);
    }
}

/// What isn't here the kernel does itself, as locks, or answers that it can't be had.
impl Filesystem for Disk {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = |volume: &mut Volume| volume.find(parent.0, name).and_then(|node| volume.facts(node));
        entry(self.shared.with(found), reply);
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attribute(self.shared.with(|volume| volume.facts(node.0)), reply);
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        length: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = |volume: &mut Volume| {
            let Owner { user: old_user, group: old_group, mode: old_mode } = volume.facts(node.0)?.owner;
            let mode = mode.and_then(|mode| u16::try_from(mode & 0o7777).ok()).unwrap_or(old_mode);
            let owner = Owner { user: user.unwrap_or(old_user), group: group.unwrap_or(old_group), mode };
            volume.set_owner(node.0, owner)?;
            if let Some(length) = length {
                volume.set_length(node.0, length)?;
            }
            volume.facts(node.0)
        };
        attribute(self.shared.with(set), reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        const KIND: u32 = 0o170_000;
        const REGULAR: u32 = 0o100_000;
        if mode & KIND != REGULAR {
            reply.error(Errno::EPERM);
            return;
        }
        entry(self.make(parent, name, false, owner_for(request, mode, umask)), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        entry(self.make(parent, name, true, owner_for(request, mode, umask)), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.shared.with(|volume| volume.remove(parent.0, name, false)), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.shared.with(|volume| volume.remove(parent.0, name, true)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let renamed = if flags.difference(RenameFlags::RENAME_NOREPLACE).is_empty() {
            let (from, to) = ((parent.0, name), (new_parent.0, new_name));
            self.shared.with(|volume| volume.rename(from, to, replace))
        } else {
            Err(Refused::Einval)
        };
        empty(renamed, reply);
    }

    fn link(&self, _: &Request, node: INodeNo, new_parent: INodeNo, new_name: &OsStr, reply: ReplyEntry) {
        let linked = |volume: &mut Volume| {
            volume.link(node.0, new_parent.0, new_name)?;
            volume.facts(node.0)
        };
        entry(self.shared.with(linked), reply);
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.shared.with(|volume| volume.opened(node.0)) {
            // What was read stays in the system's cache, as it does of any disk.
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(refused) => reply.error(refused.into()),
        }
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(parent, name, false, owner_for(request, mode, umask)).and_then(|facts| {
            self.shared.with(|volume| volume.opened(facts.node))?;
            Ok(facts)
        });
        match made {
            Ok(facts) => {
                let (attributes, handle) = (attributes(&facts), FileHandle(0));
                reply.created(&REMEMBER, &attributes, Generation(0), handle, FopenFlags::empty());
            }
            Err(refused) => reply.error(refused.into()),
        }
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let length = usize::try_from(size).unwrap_or(0);
        let read = self.shared.with(|volume| volume.read(node.0, offset, length).map(<[u8]>::to_vec));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(refused) => reply.error(refused.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.shared.with(|volume| volume.write(node.0, offset, bytes)) {
            Ok(taken) => reply.written(u32::try_from(taken).unwrap_or(u32::MAX)),
            Err(refused) => reply.error(refused.into()),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.shared.with(|volume| volume.closed(node.0));
        reply.ok();
    }

    /// For what was opened with `O_SYNC` or `O_DSYNC` the kernel calls it after each write.
    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(node, reply);
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let listed = self.shared.with(|volume| {
            let names = volume.list(node.0)?.into_iter();
            Ok(names.map(|(name, node)| (node, volume.is_folder(node), name)).collect::<Vec<_>>())
        });
        match listed {
            Ok(mut list) => {
                list.extend([".", ".."].map(|name| (node.0, true, name.into())));
                let mut lists = self.lists();
                lists.last += 1;
                let handle = lists.last;
                lists.open.insert(handle, list);
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(refused) => reply.error(Refused::into(refused)),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let lists = self.lists();
        let list = lists.open.get(&handle.0).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, (node, is_folder, name)) in list.iter().enumerate().skip(from) {
            let kind = if *is_folder { FileType::Directory } else { FileType::RegularFile };
            if reply.add(INodeNo(*node), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.lists().open.remove(&handle.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(node, reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (all, left) = self.shared.with(|volume| volume.room());
        let blocks = |bytes: u64| bytes / BLOCK as u64;
        reply.statfs(blocks(all), blocks(left), blocks(left), 0, 0, block(), 255, block());
    }
}
