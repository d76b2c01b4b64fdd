//! What a failed random case prints is a test: it is what `pasted/` has, it fails on the store that it was
//! printed for, and (in `pasted.rs`) passes on one that is sound.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use conformance::{Options, Target, run};
use engine_api::{
    Capabilities, Config, Descriptor, Durability, Engine, MEMORY, Op, Opened, Result, Store, View, WriteBatch,
};

/// The memory engine, but that to put nothing is to delete.
#[derive(Debug)]
struct Forgetful;

static ENGINE: Forgetful = Forgetful;

impl Engine for Forgetful {
    fn descriptor(&self) -> &'static Descriptor {
        MEMORY.descriptor()
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let opened = MEMORY.open(config)?;
        Ok(Opened { store: Box::new(ForgetfulStore(opened.store)), created: opened.created })
    }

    fn destroy(&self, config: &Config) -> Result<()> {
        MEMORY.destroy(config)
    }
}

#[derive(Debug)]
struct ForgetfulStore(Box<dyn Store>);

impl Store for ForgetfulStore {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn view(&self) -> Result<Box<dyn View>> {
        self.0.view()
    }

    fn commit(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let mut forgotten = WriteBatch::new();
        for requirement in batch.requirements() {
            forgotten.require(&requirement.key, requirement.expected.clone());
        }
        for op in batch.ops() {
            forgotten.push(match op.clone() {
                Op::Put { key, value } if value.is_empty() => Op::Delete { key },
                op => op,
            });
        }
        self.0.commit(&forgotten, durability)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}

fn target() -> Target {
    Target::new(&ENGINE, |_| "memory:".to_owned()).spelled("crate::ENGINE", r#"|_| "memory:".to_owned()"#)
}

/// What a case prints that fails on the store.
fn printed(case: &str, options: Options) -> String {
    let report = run(&target(), &options.only(case));
    report.cases[0].message.clone().unwrap_or_else(|| panic!("{case} passes"))
}

/// The test that a message ends with.
fn test_in(message: &str) -> &str {
    &message[message.find("#[test]").unwrap_or_else(|| panic!("no test in {message}"))..]
}

/// Fails unless the file has what is printed; `KVDAG_UPDATE_DOCS=1` writes it anew.
fn is_pasted(printed: &str, file: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pasted").join(file);
    if std::env::var_os("KVDAG_UPDATE_DOCS").is_some() {
        std::fs::write(&path, printed).unwrap();
    }
    assert_eq!(printed, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

const OPERATIONS: &str = "batch.random-program-agrees-with-model";
const HISTORY: &str = "versioned.random-history-agrees-with-the-rule";

#[test]
fn what_is_printed_is_what_was_pasted() {
    is_pasted(test_in(&printed(OPERATIONS, Options::new())), "operations.rs");
    is_pasted(test_in(&printed(HISTORY, Options::new())), "history.rs");
}

#[test]
fn a_seed_is_a_program() {
    for case in [OPERATIONS, HISTORY] {
        let seeded = |seed| printed(case, Options::new().seed(seed));
        assert_eq!(seeded(1), seeded(1));
        let shown = seeded(2);
        assert!(shown.contains("seed 2") || shown.contains("seed 3"), "{shown}");
    }
}

#[test]
fn programs_are_small() {
    for (case, most) in [(OPERATIONS, 2), (HISTORY, 3)] {
        let message = printed(case, Options::new());
        let actions = message.lines().filter(|line| line.contains("Action::")).count();
        assert!(actions <= most, "{case} isn't small: {message}");
    }
}

#[test]
fn what_was_pasted_fails_on_the_store_that_it_was_printed_for() {
    // In a function they are functions: a test of the test binary must not fail.
    #[allow(unnameable_test_items, reason = "that is the point")]
    mod pasted {
        include!("pasted/operations.rs");
        include!("pasted/history.rs");

        pub(super) fn outcomes() -> [Result<(), Box<dyn std::error::Error>>; 2] {
            [batch_random_program_agrees_with_model(), versioned_random_history_agrees_with_the_rule()]
        }
    }
    for outcome in pasted::outcomes() {
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("got "), "{message}");
    }
}
