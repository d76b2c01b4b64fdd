//! How a store comes to be where there was nothing.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use engine_api::{ErrorKind, OpenMode, Opened, Processes, Result};

use super::places::store_path;
use crate::case::Case;
use crate::checks::{all_keys, check_keys};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "open.of-many-creators-one-creates",
        of_many_creators_one_creates,
        "Of many that create one store at once, one does; the others open it or are refused as the mode says.",
        "Two that look first and create then both find nothing, and the second empties what the first filled.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.missing-folder-is-not-made",
        missing_folder_is_not_made,
        "A store in a folder that isn't there is NotFound, and the folder isn't made.",
        "A mistyped path must not grow a tree of folders.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.folder-that-admits-nothing-is-read-only",
        folder_that_admits_nothing_is_read_only,
        "A store can't be created in a folder that admits no new files: ReadOnly.",
        "Who is told that there is no store, or that the disk fails, looks in the wrong place.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
];

const CREATORS: usize = 4;

fn create_at_once(ctx: &Context, mode: OpenMode) -> Verdict<Vec<Result<Opened>>> {
    let start = Barrier::new(CREATORS);
    thread::scope(|scope| {
        let create = || {
            start.wait();
            ctx.open_in(mode)
        };
        let creators: Vec<_> = (0..CREATORS).map(|_| scope.spawn(create)).collect();
        creators
            .into_iter()
            .map(|creator| creator.join().map_err(|_| Halt::failed("a creator panicked")))
            .collect()
    })
}

fn of_many_creators_one_creates(ctx: &Context) -> Verdict {
    let shared = ctx.capabilities().processes == Processes::Many;
    let folder = store_path(ctx)?.parent().ok_or_else(|| Halt::ignored("the path has no folder"))?;
    for mode in [OpenMode::New, OpenMode::Create].into_iter().cycle().take(20) {
        let opened = create_at_once(ctx, mode)?;
        let created = opened.iter().flatten().filter(|opened| opened.created).count();
        check!(created == 1, "{created} of {CREATORS} have created the store ({mode:?}): {opened:?}");
        for error in opened.iter().filter_map(|opened| opened.as_ref().err()) {
            let fits = match error.kind() {
                ErrorKind::AlreadyExists => mode == OpenMode::New,
                ErrorKind::Locked => !shared,
                _ => false,
            };
            check!(fits, "one that came late is refused with {error:?} ({mode:?})");
        }
        drop(opened);
        check_keys::<&[u8]>(
            &all_keys(&ctx.open_in(OpenMode::Existing)?.store)?,
            &[],
            "the keys of a new store",
        )?;
        ctx.destroy()?;
        let left: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
        check!(left.is_empty(), "creating a store {CREATORS} times at once has left {left:?} behind");
    }
    Ok(())
}

fn missing_folder_is_not_made(ctx: &Context) -> Verdict {
    let missing = store_path(ctx)?.with_file_name("missing");
    for mode in [OpenMode::Create, OpenMode::New] {
        let config = ctx.config().clone().at(missing.join("store")).with_mode(mode);
        match ctx.engine().open(&config) {
            Ok(_) => return Err(Halt::failed(format!("a folder was made for a store ({mode:?})"))),
            Err(error) => check_eq!(error.kind(), ErrorKind::NotFound, "in a missing folder: {error:?}"),
        }
        check!(!missing.exists(), "a folder was made for a store that can't be created ({mode:?})");
    }
    Ok(())
}

fn folder_that_admits_nothing_is_read_only(ctx: &Context) -> Verdict {
    // Nobody may create files here, the superuser no more than others.
    let folder = Path::new("/sys");
    if !cfg!(target_os = "linux") || !folder.is_dir() {
        return Err(Halt::ignored("there is no folder here that admits nothing, whoever asks"));
    }
    for mode in [OpenMode::Create, OpenMode::New] {
        match ctx.engine().open(&ctx.config().clone().at(folder.join("store")).with_mode(mode)) {
            Ok(_) => {
                return Err(Halt::failed(format!("there is a store in a folder of the kernel's ({mode:?})")));
            }
            Err(error) => check_eq!(error.kind(), ErrorKind::ReadOnly, "in such a folder: {error:?}"),
        }
    }
    Ok(())
}
