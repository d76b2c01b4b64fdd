//! `kvdag get`, `kvdag put` and `kvdag delete`.

use std::fs;
use std::io::Read;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use engine_api::version::Resolved;
use engine_api::{Bytes, Error, ErrorKind, KeyRange, Result};
use keyvalue::KeyValue;
use serde::Serialize;

use super::init::DEFAULT_COLLECTION;
use super::output::{self, Format, Output};
use super::store;

/// Which keys are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    pub(crate) at: Option<String>,
    /// The keyvalue collection.
    #[arg(long = "in", value_name = "COLLECTION", default_value = DEFAULT_COLLECTION)]
    pub(crate) collection: String,
}

/// Some of a collection's keys.
#[derive(Debug, clap::Args)]
pub(crate) struct Keys {
    /// Only keys that begin with this.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    prefix: Option<String>,
    /// Only keys from this one on.
    #[arg(long)]
    from: Option<String>,
    /// Only keys before this one.
    #[arg(long)]
    to: Option<String>,
}

impl Keys {
    /// Whether all of them are meant.
    pub(crate) fn are_all(&self) -> bool {
        self.prefix.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The range of them.
    pub(crate) fn range(&self) -> KeyRange {
        let own = |key: &String| key.clone().into_bytes();
        match &self.prefix {
            Some(prefix) => KeyRange::prefix(prefix.as_bytes()),
            None => KeyRange::between(
                self.from.as_ref().map_or(Bound::Unbounded, |from| Bound::Included(own(from))),
                self.to.as_ref().map_or(Bound::Unbounded, |to| Bound::Excluded(own(to))),
            ),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// The store.
    store: String,
    /// The key.
    key: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PutArgs {
    /// The store.
    store: String,
    /// The key.
    key: String,
    /// The value; read from standard input when neither this nor --file is given.
    value: Option<String>,
    /// Read the value from a file.
    #[arg(long, conflicts_with = "value")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The store.
    store: String,
    /// The key.
    key: String,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    key: &'a str,
    value: String,
    /// Whether the value isn't UTF-8, and so its other bytes are written as `\xNN`.
    escaped: bool,
    version: String,
}

/// Bytes as text: UTF-8 as it is, other bytes as `\xNN`.
pub(crate) fn text(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (bytes.escape_ascii().to_string(), true),
    }
}

pub(crate) fn get(args: &GetArgs, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version_id(&store, args.place.at.as_deref())?;
    let resolved =
        KeyValue::open(&store, &args.place.collection)?.at(version).resolve(args.key.as_bytes())?;
    let version = match &resolved {
        Resolved::Found { version, .. } => *version,
        _ => version,
    };
    let value = resolved.into_value()?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the key has no value at this version").with("key", &args.key)
    })?;
    if output.format == Format::Text {
        return output::raw(&value);
    }
    let (value, escaped) = text(&value);
    let version = store.dag()?.version(version)?.uuid.simple().to_string();
    let found = Found { key: &args.key, value, escaped, version };
    let json = serde_json::to_string_pretty(&found)
        .map_err(|error| Error::new(ErrorKind::Internal, "the answer can't be written").caused_by(error))?;
    output::raw(format!("{json}\n").as_bytes())
}

/// A value from a file.
pub(crate) fn read_file(file: &Path) -> Result<Bytes> {
    let unreadable = |error| Error::from_io(error, "the file can't be read").with("file", file.display());
    fs::read(file).map(Bytes::from).map_err(unreadable)
}

pub(crate) fn put(args: &PutArgs, _: Output) -> Result<()> {
    let value: Bytes = match (&args.value, &args.file) {
        (Some(value), _) => value.clone().into(),
        (None, Some(file)) => read_file(file)?,
        (None, None) => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|error| Error::from_io(error, "standard input can't be read"))?;
            bytes.into()
        }
    };
    let store = store::open_to_write(&args.store)?;
    let version = store::version_id(&store, args.place.at.as_deref())?;
    KeyValue::open(&store, &args.place.collection)?.at(version).put(args.key.as_bytes(), value)
}

pub(crate) fn delete(args: &DeleteArgs, _: Output) -> Result<()> {
    let store = store::open_to_write(&args.store)?;
    let version = store::version_id(&store, args.place.at.as_deref())?;
    KeyValue::open(&store, &args.place.collection)?.at(version).delete(args.key.as_bytes())
}
