//! What a case needs of a store, as a question to what the store declares.

use std::fmt;

use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, Persistence, Processes, Reads, Reverse,
};

/// Something that a store must declare for a case to apply. Where it doesn't, the case is ignored, with the
/// declaration as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Views that are pinned.
    SnapshotReads,
    /// Views that follow the store.
    LiveReads,
    /// Views of one state that may expire.
    RevisionReads,
    /// Descending scans.
    Reverse,
    /// No descending scans: for the cases that check the denial.
    NoReverse,
    /// Batches with requirements.
    Conditional,
    /// No batches with requirements.
    NoConditional,
    /// Batches that are all or nothing.
    AtomicBatches,
    /// Range deletes.
    DeleteRange,
    /// No range deletes.
    NoDeleteRange,
    /// Data outlives the process.
    Persistent,
    /// Data is gone with the store.
    InMemory,
    /// A durability of at least this.
    DurableTo(Durability),
    /// No durability of this strength.
    NotDurableTo(Durability),
    /// A longest key is stated.
    KeyLimit,
    /// A longest value is stated.
    ValueLimit,
    /// A most number of operations in a batch is stated.
    BatchOpsLimit,
    /// A most number of bytes in a batch is stated.
    BatchBytesLimit,
    /// A most number of views is stated.
    ViewsLimit,
    /// Keys of this many bytes fit.
    KeysOf(usize),
    /// Values of this many bytes fit.
    ValuesOf(usize),
    /// The empty key can be stored.
    EmptyKey,
    /// The empty key can't be stored.
    NoEmptyKey,
    /// One process at a time has the store open.
    OneProcess,
    /// Several processes have the store open.
    ManyProcesses,
    /// The store is a local file or folder.
    LocalPath,
    /// The URL sets no options.
    DefaultOptions,
    /// The program that runs the kit can serve as its own child process.
    ChildProcess,
    /// The kit has disks whose power can be cut.
    PowerLoss,
}

/// What is known of a target before its cases run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) capabilities: Capabilities,
    pub(crate) local_path: bool,
    pub(crate) default_options: bool,
    pub(crate) child_process: bool,
}

impl Need {
    /// The same where only what is declared counts.
    pub(crate) fn unmet_by(self, capabilities: &Capabilities) -> Option<String> {
        self.unmet(&Facts {
            capabilities: *capabilities,
            local_path: false,
            default_options: false,
            child_process: false,
        })
    }

    /// `None` where the need is met; the declaration that says otherwise where it isn't.
    pub(crate) fn unmet(self, facts: &Facts) -> Option<String> {
        let capabilities = &facts.capabilities;
        let limits = &capabilities.limits;
        let unless = |met: bool, reason: String| (!met).then_some(reason);
        let reads = |wanted| unless(capabilities.reads == wanted, declares("reads", &capabilities.reads));
        let strongest = capabilities.durability.strongest();
        let fits = |wanted: usize, limit: Option<usize>, name: &str| {
            limit.filter(|limit| *limit < wanted).map(|limit| declares(name, &limit))
        };
        match self {
            Self::SnapshotReads => reads(Reads::Snapshot),
            Self::LiveReads => reads(Reads::Live),
            Self::RevisionReads => reads(Reads::Revision),
            Self::Reverse => {
                unless(capabilities.reverse != Reverse::None, declares("reverse", &Reverse::None))
            }
            Self::NoReverse => {
                unless(capabilities.reverse == Reverse::None, declares("reverse", &capabilities.reverse))
            }
            Self::Conditional => unless(
                capabilities.conditional != Conditional::None,
                declares("conditional", &Conditional::None),
            ),
            Self::NoConditional => unless(
                capabilities.conditional == Conditional::None,
                declares("conditional", &capabilities.conditional),
            ),
            Self::AtomicBatches => unless(
                capabilities.atomicity == Atomicity::Store,
                declares("atomicity", &capabilities.atomicity),
            ),
            Self::DeleteRange => unless(
                capabilities.delete_range != DeleteRange::None,
                declares("delete_range", &DeleteRange::None),
            ),
            Self::NoDeleteRange => unless(
                capabilities.delete_range == DeleteRange::None,
                declares("delete_range", &capabilities.delete_range),
            ),
            Self::Persistent => unless(
                capabilities.persistence != Persistence::Memory,
                declares("persistence", &Persistence::Memory),
            ),
            Self::InMemory => unless(
                capabilities.persistence == Persistence::Memory,
                declares("persistence", &capabilities.persistence),
            ),
            Self::DurableTo(level) => unless(strongest >= level, declares("durability", &strongest)),
            Self::NotDurableTo(level) => unless(strongest < level, declares("durability", &strongest)),
            Self::KeyLimit => unless(limits.key_bytes.is_some(), "states no key limit".into()),
            Self::ValueLimit => unless(limits.value_bytes.is_some(), "states no value limit".into()),
            Self::BatchOpsLimit => {
                unless(limits.batch_ops.is_some(), "states no limit of operations in a batch".into())
            }
            Self::BatchBytesLimit => {
                unless(limits.batch_bytes.is_some(), "states no limit of bytes in a batch".into())
            }
            Self::ViewsLimit => unless(limits.views.is_some(), "states no limit of views".into()),
            Self::KeysOf(bytes) => fits(bytes, limits.key_bytes, "key_bytes"),
            Self::ValuesOf(bytes) => fits(bytes, limits.value_bytes, "value_bytes")
                .or_else(|| fits(bytes + 64, limits.batch_bytes, "batch_bytes")),
            Self::EmptyKey => unless(limits.empty_key, declares("empty_key", &false)),
            Self::NoEmptyKey => unless(!limits.empty_key, declares("empty_key", &true)),
            Self::OneProcess => unless(
                capabilities.processes == Processes::One,
                declares("processes", &capabilities.processes),
            ),
            Self::ManyProcesses => unless(
                capabilities.processes == Processes::Many,
                declares("processes", &capabilities.processes),
            ),
            Self::LocalPath => unless(facts.local_path, "the store isn't a local file or folder".into()),
            Self::DefaultOptions => unless(facts.default_options, "the URL sets options".into()),
            Self::ChildProcess => {
                unless(facts.child_process, "this program can't serve as its own child process".into())
            }
            Self::PowerLoss => unless(
                cfg!(feature = "power-loss"),
                "the kit was built without its feature power-loss".into(),
            ),
        }
    }
}

fn declares(fact: &str, value: &dyn fmt::Debug) -> String {
    // `PerKey` reads as `per key`.
    let mut words = String::new();
    for letter in format!("{value:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    format!("declares {fact} = {words}")
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::SnapshotReads => "reads = snapshot",
            Self::LiveReads => "reads = live",
            Self::RevisionReads => "reads = revision",
            Self::Reverse => "reverse scans",
            Self::NoReverse => "reverse = none",
            Self::Conditional => "conditional batches",
            Self::NoConditional => "conditional = none",
            Self::AtomicBatches => "atomicity = store",
            Self::DeleteRange => "range deletes",
            Self::NoDeleteRange => "delete_range = none",
            Self::Persistent => "persistence",
            Self::InMemory => "persistence = memory",
            Self::DurableTo(level) => return write!(f, "durability of {level} or more"),
            Self::NotDurableTo(level) => return write!(f, "durability below {level}"),
            Self::KeyLimit => "a stated key limit",
            Self::ValueLimit => "a stated value limit",
            Self::BatchOpsLimit => "a stated limit of operations in a batch",
            Self::BatchBytesLimit => "a stated limit of bytes in a batch",
            Self::ViewsLimit => "a stated limit of views",
            Self::KeysOf(bytes) => return write!(f, "keys of {bytes} bytes"),
            Self::ValuesOf(bytes) => return write!(f, "values of {bytes} bytes"),
            Self::EmptyKey => "the empty key",
            Self::NoEmptyKey => "no empty key",
            Self::OneProcess => "processes = one",
            Self::ManyProcesses => "processes = many",
            Self::LocalPath => "a local path",
            Self::DefaultOptions => "a URL without options",
            Self::ChildProcess => "a child process",
            Self::PowerLoss => "a disk whose power can be cut",
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(need: Need, capabilities: Capabilities) -> Option<String> {
        let facts = Facts { capabilities, local_path: false, default_options: true, child_process: false };
        need.unmet(&facts)
    }

    #[test]
    fn a_reason_names_the_declaration() {
        let least = Capabilities::MINIMAL;
        assert_eq!(reason(Need::Reverse, least).as_deref(), Some("declares reverse = none"));
        assert_eq!(reason(Need::NoReverse, least), None);
        let native = least.reverse(Reverse::Native);
        assert_eq!(reason(Need::NoReverse, native).as_deref(), Some("declares reverse = native"));
        let short = least.limits(engine_api::Limits::NONE.key_bytes(511));
        assert_eq!(reason(Need::KeysOf(512), short).as_deref(), Some("declares key_bytes = 511"));
        assert_eq!(reason(Need::KeysOf(511), short), None);
    }
}
