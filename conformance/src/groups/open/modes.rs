//! Open modes, what an engine says of itself, and who else has the store open.

use engine_api::{ErrorKind, OpenMode, OptionSpec, StoreExt as _};

use crate::case::Case;
use crate::checks::{all_keys, check_keys, check_refused, check_usable, load_keys};
use crate::child::Task;
use crate::context::Context;
use crate::need::Need;
use crate::verdict::{Halt, Verdict, check, check_eq};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "open.created-is-reported",
        created_is_reported,
        "Opening says that a store was created the first time, and that it wasn't the next.",
        "Who lays out a new store must know that it is new.",
    ),
    Case::new(
        "open.create-mode-opens-what-is-there",
        create_mode_opens_what_is_there,
        "The mode that creates opens a store that is there, with what is in it.",
        "Create must not mean truncate.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "open.new-mode-refuses-what-is-there",
        new_mode_refuses_what_is_there,
        "The mode for new stores creates one, and answers AlreadyExists and changes nothing when it is there.",
        "Two programs that set up one place must not both succeed.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "open.existing-mode-refuses-what-is-missing",
        existing_mode_refuses_what_is_missing,
        "The mode for existing stores answers NotFound when there is none, and creates nothing.",
        "A mistyped path must not become an empty store.",
    ),
    Case::new(
        "open.read-only-mode-refuses-what-is-missing",
        read_only_mode_refuses_what_is_missing,
        "Opening for reading answers NotFound when there is no store, and creates nothing.",
        "A reader must not leave files behind.",
    ),
    Case::new(
        "open.read-only-mode-refuses-writes",
        read_only_mode_refuses_writes,
        "A store that is open for reading answers reads, and refuses every commit with ReadOnly.",
        "kvdb-memorydb ignored writes that had nowhere to go; a write is never ignored.",
    )
    .needs(&[Need::Persistent]),
    Case::new(
        "open.second-opener-is-locked",
        second_opener_is_locked,
        "Where one process has the store, a second open is Locked, and the first goes on.",
        "Two caches over one file destroy it.",
    )
    .needs(&[Need::Persistent, Need::OneProcess]),
    Case::new(
        "open.other-process-is-locked",
        other_process_is_locked,
        "Where one process has the store, another process that opens it gets Locked, and can once it is closed.",
        "A lock that is kept in the process's memory keeps nobody else out.",
    )
    .needs(&[Need::Persistent, Need::OneProcess, Need::ChildProcess]),
    Case::new(
        "open.other-process-is-admitted",
        other_process_is_admitted,
        "Where several processes may have the store, another one opens it beside this one.",
        "A declared ability must hold.",
    )
    .needs(&[Need::Persistent, Need::ManyProcesses, Need::ChildProcess]),
    Case::new(
        "open.close-releases-the-store",
        close_releases_the_store,
        "A store that is dropped can be opened at once, twenty times in a row.",
        "A background thread that lets go of the lock later makes restarts fail now and then.",
    ),
    Case::new(
        "open.capabilities-do-not-change",
        capabilities_do_not_change,
        "A store declares the same before and after reads, writes and errors, and when it is opened again.",
        "Callers decide once, by what the store declares.",
    ),
    Case::new(
        "open.capabilities-are-those-of-the-descriptor",
        capabilities_are_those_of_the_descriptor,
        "With default options a store declares what the engine's descriptor says.",
        "The descriptor is what documentation and requirements are checked against before any store is open.",
    )
    .needs(&[Need::DefaultOptions]),
    Case::new(
        "open.descriptor-is-complete",
        descriptor_is_complete,
        "The descriptor has a name, schemes that URLs can have, and a sentence; each option has one, and a default that parses.",
        "Help texts and tables are made of it.",
    ),
    Case::new(
        "open.every-scheme-makes-a-configuration",
        every_scheme_makes_a_configuration,
        "Each scheme of the engine stands for the same configuration.",
        "A second scheme is an alias, not another engine.",
    ),
    Case::new(
        "open.unknown-option-is-refused",
        unknown_option_is_refused,
        "An option that the engine doesn't have, or a value that it doesn't take, is InvalidConfig.",
        "A mistyped option that is passed over leaves its default in force.",
    ),
];

fn created_is_reported(ctx: &Context) -> Verdict {
    let opened = ctx.open_in(OpenMode::Create)?;
    check!(opened.created, "a store that wasn't there isn't reported as created");
    opened.store.put("k", "v")?;
    drop(opened);
    if Need::Persistent.unmet_by(ctx.capabilities()).is_none() {
        for mode in [OpenMode::Create, OpenMode::Existing] {
            check!(!ctx.open_in(mode)?.created, "a store that was there is reported as created ({mode:?})");
        }
    }
    ctx.destroy()?;
    check!(ctx.open_in(OpenMode::New)?.created, "a store that was destroyed isn't reported as created");
    Ok(())
}

fn create_mode_opens_what_is_there(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    store.put("a", "v")?;
    drop(store);
    let store = ctx.open_in(OpenMode::Create)?.store;
    check_keys(&all_keys(&store)?, &["a"], "the keys of a store that was there")
}

fn new_mode_refuses_what_is_there(ctx: &Context) -> Verdict {
    let store = ctx.open_in(OpenMode::New)?.store;
    store.put("a", "v")?;
    drop(store);
    check_refused(ctx.open_in(OpenMode::New), ErrorKind::AlreadyExists, "a new store where there is one")?;
    check_keys(&all_keys(&ctx.open()?)?, &["a"], "the keys of the store that was there")
}

fn existing_mode_refuses_what_is_missing(ctx: &Context) -> Verdict {
    missing_is_refused(ctx, OpenMode::Existing)
}

fn read_only_mode_refuses_what_is_missing(ctx: &Context) -> Verdict {
    missing_is_refused(ctx, OpenMode::ReadOnly)
}

fn missing_is_refused(ctx: &Context, mode: OpenMode) -> Verdict {
    for _ in 0..2 {
        check_refused(
            ctx.open_in(mode),
            ErrorKind::NotFound,
            &format!("opening what isn't there ({mode:?})"),
        )?;
    }
    check!(ctx.open_in(OpenMode::Create)?.created, "the refused open has left a store behind ({mode:?})");
    Ok(())
}

fn read_only_mode_refuses_writes(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a", "b"])?;
    store.flush()?;
    drop(store);
    let opened = ctx.open_in(OpenMode::ReadOnly)?;
    check!(!opened.created, "a store that is opened for reading is reported as created");
    let store = opened.store;
    check_keys(&all_keys(&store)?, &["a", "b"], "the keys of a store that is open for reading")?;
    check_refused(store.put("c", "v"), ErrorKind::ReadOnly, "a put")?;
    check_refused(store.delete("a"), ErrorKind::ReadOnly, "a delete")?;
    check_keys(&all_keys(&store)?, &["a", "b"], "the keys after the refused writes")?;
    drop(store);
    check_keys(&all_keys(&ctx.open()?)?, &["a", "b"], "the keys when it is opened for writing again")
}

fn second_opener_is_locked(ctx: &Context) -> Verdict {
    let first = ctx.open()?;
    load_keys(&first, &["a"])?;
    for mode in [OpenMode::Create, OpenMode::Existing] {
        check_refused(ctx.open_in(mode), ErrorKind::Locked, &format!("a second open ({mode:?})"))?;
    }
    check_usable(&first, "a second open that was refused")?;
    first.flush()?;
    drop(first);
    check_keys(&all_keys(&ctx.open()?)?, &["a"], "the keys once the first has closed it")
}

/// What another process says when it opens the store.
fn other_process(ctx: &Context) -> Verdict<String> {
    let output = ctx.child(Task::Open)?.output()?;
    let says = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if says.is_empty() {
        return Err(Halt::failed(format!("the other process ended without a word: {output:?}")));
    }
    Ok(says)
}

fn other_process_is_locked(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    store.flush()?;
    check_eq!(other_process(ctx)?, ErrorKind::Locked.as_str(), "what another process gets while it is open");
    check_usable(&store, "another process's open")?;
    drop(store);
    check_eq!(other_process(ctx)?, "opened", "what another process gets once it is closed");
    Ok(())
}

fn other_process_is_admitted(ctx: &Context) -> Verdict {
    let store = ctx.open()?;
    load_keys(&store, &["a"])?;
    store.flush()?;
    check_eq!(other_process(ctx)?, "opened", "what another process gets while it is open here");
    check_usable(&store, "another process's open")
}

fn close_releases_the_store(ctx: &Context) -> Verdict {
    for round in 0..20 {
        let store = ctx.open().map_err(|error| Halt::failed(format!("open number {round}: {error:?}")))?;
        let view = store.view()?;
        store.put("k", "v")?;
        drop(store);
        drop(view);
    }
    Ok(())
}

fn capabilities_do_not_change(ctx: &Context) -> Verdict {
    let declared = *ctx.capabilities();
    let store = ctx.open()?;
    check_eq!(*store.capabilities(), declared, "what a second store declares");
    load_keys(&store, &["a"])?;
    let _ = store.commit(&crate::checks::put_owned("", ""), engine_api::Durability::Power);
    store.flush()?;
    check_eq!(*store.capabilities(), declared, "what it declares after use");
    drop(store);
    check_eq!(*ctx.open()?.capabilities(), declared, "what it declares when it is opened again");
    Ok(())
}

fn capabilities_are_those_of_the_descriptor(ctx: &Context) -> Verdict {
    let stated = ctx.engine().descriptor().capabilities.facts();
    check_eq!(ctx.open()?.capabilities().facts(), stated, "what a store with default options declares");
    Ok(())
}

fn descriptor_is_complete(ctx: &Context) -> Verdict {
    let descriptor = ctx.engine().descriptor();
    check!(!descriptor.name.is_empty(), "the engine has no name");
    check!(!descriptor.schemes.is_empty(), "the engine has no scheme");
    for scheme in descriptor.schemes {
        let first = scheme.starts_with(|letter: char| letter.is_ascii_lowercase());
        let rest = scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
        check!(first && rest && scheme.len() > 1, "{scheme:?} can't be the scheme of a URL");
    }
    let sentence = |text: &str| text.ends_with('.') && text.len() > 10;
    check!(sentence(descriptor.about), "the engine isn't described in a sentence: {:?}", descriptor.about);
    for option in descriptor.options {
        check!(sentence(option.about), "option {} isn't described in a sentence", option.name);
        check!(option.name != OptionSpec::MODE.name, "an option is called mode, which every engine has");
        let parsed = engine_api::Config::new(descriptor).with_option(option.name, option.default);
        check!(parsed.is_ok(), "the default of option {} doesn't parse: {:?}", option.name, parsed.err());
    }
    Ok(())
}

fn every_scheme_makes_a_configuration(ctx: &Context) -> Verdict {
    let Some((_, rest)) = ctx.url().split_once(':') else {
        return Err(Halt::ignored("the URL is a plain path"));
    };
    for scheme in ctx.engine().descriptor().schemes {
        let config = crate::target::configure(ctx.engine(), &format!("{scheme}:{rest}"))?;
        let (path, host) = (config.path(), config.authority());
        check_eq!(
            (path, host),
            (ctx.config().path(), ctx.config().authority()),
            "the place by scheme {scheme}"
        );
    }
    Ok(())
}

fn unknown_option_is_refused(ctx: &Context) -> Verdict {
    let config = || ctx.config().clone();
    let unknown = config().with_option("no-such-option", "1");
    check_refused(unknown, ErrorKind::InvalidConfig, "an option that there isn't")?;
    let mode = config().with_option("mode", "no-such-mode");
    check_refused(mode, ErrorKind::InvalidConfig, "a mode that there isn't")?;
    let separator = if ctx.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}no-such-option=1", ctx.url());
    let configured = crate::target::configure(ctx.engine(), &url);
    check_refused(configured, ErrorKind::InvalidConfig, "a URL with an option that there isn't")
}
