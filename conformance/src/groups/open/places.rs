//! Where stores are: fresh, foreign, beside each other, and gone.

use std::fs;
use std::path::Path;

use engine_api::{ErrorKind, OpenMode, Scan, StoreExt as _};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, entries, load_keys};
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "open.fresh-store-is-empty",
        fresh_store_is_empty,
        "A new store is empty, and so is one that is made where another was destroyed.",
        "SurrealDB's tests cleared 0x00 to 0xFF between stores, and left the keys above behind.",
    ),
    Case::new(
        "open.stores-are-independent",
        stores_are_independent,
        "Two stores of the engine that are open at once share no key.",
        "A process-wide environment, or one name for all, mixes them.",
    ),
    Case::new(
        "open.destroy-removes-the-store",
        destroy_removes_the_store,
        "A destroyed store is gone: it can't be opened as an existing one, and a local path holds nothing.",
        "A side file that is left behind is replayed into the next store.",
    ),
    Case::new(
        "open.destroy-of-nothing-is-no-error",
        destroy_of_nothing_is_no_error,
        "Destroying a store that isn't there, or was destroyed, is no error.",
        "Clean-up runs twice.",
    ),
    Case::new(
        "open.destroy-leaves-what-is-beside-it",
        destroy_leaves_what_is_beside_it,
        "Destroying a store leaves other files and other stores in the same folder.",
        "DVID's Swift engine deleted the whole container, with every instance in it.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.foreign-file-is-refused-and-kept",
        foreign_file_is_refused_and_kept,
        "A file that isn't a store is refused in every mode, and not a byte of it changes.",
        "A path that was mistyped names someone's data.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.foreign-folder-is-refused-and-kept",
        foreign_folder_is_refused_and_kept,
        "A folder with other files in it is refused in every mode, and nothing is added to it.",
        "An engine that keeps a folder creates its files in any folder that it is given.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.foreign-file-is-not-destroyed",
        foreign_file_is_not_destroyed,
        "destroy of a path that holds a folder with other files leaves these files.",
        "A recursive removal of what the URL names is how home folders are lost.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
    Case::new(
        "open.path-of-spaces-and-letters",
        path_of_spaces_and_letters,
        "A path with spaces, a percent sign, quotes and letters beyond ASCII names a store.",
        "Paths that pass through URLs and C strings are escaped once too often or too seldom.",
    )
    .needs(&[Need::LocalPath, Need::Persistent]),
];

/// Keys at the ends of every order.
const EDGES: [&[u8]; 6] =
    [b"\x00", b"\x00\x00", b"m", b"\xff", b"\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\xff"];

fn fresh_store_is_empty(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    check_keys::<&[u8]>(&all_keys(&store)?, &[], "the keys of a new store")?;
    load_keys(&store, &EDGES)?;
    store.flush()?;
    drop(store);
    ctx.destroy()?;
    let opened = ctx.open_in(OpenMode::Create)?;
    check_keys::<&[u8]>(&all_keys(&opened.store)?, &[], "the keys of a store where another was destroyed")?;
    for key in EDGES {
        check_eq!(opened.store.get(key)?, None, "{key:?} in a store where another was destroyed");
    }
    Ok(())
}

fn stores_are_independent(ctx: &Context) -> Verdict {
    let elsewhere = ctx.elsewhere("elsewhere")?;
    let (one, other) = (ctx.open()?, elsewhere.open()?);
    load_keys(&one, &["a", "shared"])?;
    load_keys(&other, &["b", "shared"])?;
    one.delete("shared")?;
    check_keys(&all_keys(&one)?, &["a"], "the keys of one store")?;
    check_keys(&all_keys(&other)?, &["b", "shared"], "the keys of the other")?;
    drop((one, other));
    Ok(elsewhere.destroy()?)
}

fn destroy_removes_the_store(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &EDGES)?;
    store.flush()?;
    drop(store);
    ctx.destroy()?;
    match ctx.open_in(OpenMode::Existing) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return Err(Halt::failed(format!("opening a destroyed store must be NotFound: {other:?}"))),
    }
    if let Some(folder) = ctx.config().path().and_then(Path::parent).filter(|folder| folder.is_dir()) {
        let left: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
        check!(left.is_empty(), "a destroyed store has left {left:?} behind");
    }
    Ok(())
}

fn destroy_of_nothing_is_no_error(ctx: &Context) -> Verdict {
    ctx.destroy()?;
    drop(ctx.open()?);
    ctx.destroy()?;
    Ok(ctx.destroy()?)
}

pub(super) fn store_path(ctx: &Context) -> Verdict<&Path> {
    ctx.config().path().ok_or_else(|| Halt::ignored("the URL has no path"))
}

fn destroy_leaves_what_is_beside_it(ctx: &Context) -> Verdict {
    let path = store_path(ctx)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = ctx.config().clone().at(path.with_file_name(format!("{name}2")));
    drop(ctx.open()?);
    let other = ctx.engine().open(&beside)?.store;
    load_keys(&other, &["a"])?;
    other.flush()?;
    drop(other);
    let note = path.with_file_name("notes.txt");
    fs::write(&note, "mine")?;
    ctx.destroy()?;
    check_eq!(fs::read_to_string(&note).ok().as_deref(), Some("mine"), "a file beside a destroyed store");
    let other = ctx.engine().open(&beside.clone().with_mode(OpenMode::Existing))?.store;
    check_keys(&all_keys(&other)?, &["a"], "the keys of the store beside a destroyed one")?;
    drop(other);
    ctx.engine().destroy(&beside)?;
    Ok(fs::remove_file(note)?)
}

/// Fails if any mode opens what is at the store's path, or answers as if nothing were there.
fn check_foreign(ctx: &Context, what: &str) -> Verdict {
    use ErrorKind::{AlreadyExists, Corrupt, Incompatible, InvalidConfig, Io};
    for mode in [OpenMode::Create, OpenMode::New, OpenMode::Existing, OpenMode::ReadOnly] {
        match ctx.open_in(mode) {
            Ok(_) => return Err(Halt::failed(format!("{what} is opened as a store ({mode:?})"))),
            Err(error) => check!(
                [AlreadyExists, Corrupt, Incompatible, InvalidConfig, Io].contains(&error.kind()),
                "{what} must be refused as what it is, and was with {error:?} ({mode:?})"
            ),
        }
    }
    Ok(())
}

fn foreign_file_is_refused_and_kept(ctx: &Context) -> Verdict {
    let path = store_path(ctx)?;
    let text = "A text of someone's, and no store.\n".repeat(500);
    for content in [text.as_bytes(), b"short"] {
        fs::write(path, content)?;
        check_foreign(ctx, "a file that isn't a store")?;
        check!(fs::read(path)? == content, "a file that isn't a store was changed");
    }
    let folder = path.parent().ok_or_else(|| Halt::ignored("the path has no folder"))?;
    let count = fs::read_dir(folder)?.count();
    check_eq!(count, 1, "the files in the folder of a file that was refused");
    Ok(fs::remove_file(path)?)
}

fn foreign_folder_is_refused_and_kept(ctx: &Context) -> Verdict {
    let path = store_path(ctx)?;
    fs::create_dir(path)?;
    fs::write(path.join("notes.txt"), "mine")?;
    check_foreign(ctx, "a folder that isn't a store")?;
    let names: Vec<_> = fs::read_dir(path)?.flatten().map(|entry| entry.file_name()).collect();
    check_eq!(names, ["notes.txt"], "the files of a folder that was refused");
    Ok(fs::remove_dir_all(path)?)
}

fn foreign_file_is_not_destroyed(ctx: &Context) -> Verdict {
    let path = store_path(ctx)?;
    fs::create_dir(path)?;
    fs::write(path.join("notes.txt"), "mine")?;
    // Refused or done, as the engine sees it; only the files count.
    let outcome = ctx.destroy();
    let kept = fs::read_to_string(path.join("notes.txt"));
    check_eq!(kept.ok().as_deref(), Some("mine"), "a file in a folder that was destroyed ({outcome:?})");
    Ok(fs::remove_dir_all(path)?)
}

fn path_of_spaces_and_letters(ctx: &Context) -> Verdict {
    let folder = ctx.empty_dir("a folder of ünïcödé 100% 'quoted' & #1?")?;
    let config = ctx.config().clone().at(folder.join("störe 字.x y"));
    let store = ctx.engine().open(&config)?.store;
    store.put("a", "v")?;
    drop(store);
    let store = ctx.engine().open(&config.clone().with_mode(OpenMode::Existing))?.store;
    let found = entries(store.view()?.as_ref(), Scan::all())?;
    check_eq!(found, [("a".into(), "v".into())], "the entries of a store at such a path");
    drop(store);
    Ok(ctx.engine().destroy(&config)?)
}
