//! What is generated about the engines: the table of the README, and the guide.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine_api::{Descriptor, OptionSpec};

use super::sizes;

/// What the words of the guide mean, in the order of its rows.
const FACTS: [(&str, &str, &str); 10] = [
    (
        "reads",
        "reads",
        "What a view shows: one state (*snapshot*), or whatever is there when it reads (*live*).",
    ),
    ("atomicity", "atomicity", "How much one batch changes as one: a single key, or the whole *store*."),
    (
        "conditional",
        "requirements",
        "Where a batch is judged by what is stored, in the same step that writes it: of each key, or of the whole *batch*.",
    ),
    ("reverse", "reverse scans", "Whether descending is as cheap as ascending (*native*)."),
    ("delete_range", "range deletes", "Whether the engine removes a range at once, or *per key*."),
    ("persistence", "kept", "In *memory*, or on *disk*."),
    (
        "durability",
        "durability",
        "What a commit can wait for: nothing (*relaxed*), surviving the end of the *process*, or a *power* cut. With options \
         an engine may have others.",
    ),
    ("writers", "writers", "*Single*: commits run one after the other, whoever makes them."),
    ("processes", "processes", "How many may have a store open at once."),
    (
        "execution",
        "calls",
        "Whether a call may wait for a disk (*blocking*); async code then makes it on another thread.",
    ),
];

const LIMITS: [(&str, &str); 5] = [
    ("key_bytes", "longest key"),
    ("value_bytes", "longest value"),
    ("batch_ops", "most operations in a batch"),
    ("batch_bytes", "most bytes in a batch"),
    ("views", "most views at once"),
];

/// A table, a row for each engine.
pub(super) fn table(engines: &[&'static Descriptor]) -> String {
    let mut rows = Rows::new(&[
        "engine",
        "scheme",
        "reads",
        "reverse scans",
        "writers",
        "processes",
        "durability",
        "longest key",
        "longest value",
    ]);
    for engine in engines {
        rows.row(&[
            format!("{} {}", engine.name, engine.version),
            schemes(engine),
            fact(engine, "reads"),
            fact(engine, "reverse"),
            fact(engine, "writers"),
            fact(engine, "processes"),
            fact(engine, "durability"),
            limit(engine, "key_bytes"),
            limit(engine, "value_bytes"),
        ]);
    }
    rows.0
}

/// A document: when to choose which, what each can do, its limits and its options.
pub(super) fn guide(engines: &[&'static Descriptor]) -> String {
    let mut text = String::from(
        "# Engines\n\n\
         What the engines of `kvdag` say of themselves, written by `kvdag engines --markdown`. The conformance kit holds each to \
         it: what is claimed must be there, and what is denied must be missing; what they have shown is [below](#levels). How fast they \
         are is in [bench](bench/README.md).\n\n\
         ## Which one\n\n",
    );
    for engine in engines {
        paragraph(
            &mut text,
            &format!("- **{}** {}: {} {}", engine.name, engine.version, engine.about, engine.choose),
        );
    }
    text.push_str("\nA store moves from one to another with `kvdag copy --from URL --to URL --verify`.\n\n## Capabilities\n\n");
    let heads = |first: &str| {
        std::iter::once(first.to_owned())
            .chain(engines.iter().map(|engine| engine.name.to_owned()))
            .collect::<Vec<_>>()
    };
    let mut rows = Rows::new(&heads(""));
    for (name, shown, _) in FACTS {
        rows.row(&each(shown, engines, |engine| fact(engine, name)));
    }
    text.push_str(&rows.0);
    text.push('\n');
    for (_, shown, meaning) in FACTS {
        paragraph(&mut text, &format!("- {shown}: {meaning}"));
    }
    text.push_str("\n## Limits\n\n");
    let mut rows = Rows::new(&heads(""));
    for (name, shown) in LIMITS {
        rows.row(&each(shown, engines, |engine| limit(engine, name)));
    }
    let empty =
        |engine: &Descriptor| if engine.capabilities.limits.empty_key { "yes" } else { "no" }.to_owned();
    rows.row(&each("the empty key", engines, empty));
    text.push_str(&rows.0);
    text.push_str(
        "\nOf stores opened with default options. What is beyond a limit is refused with `TooLarge`, before anything is written; \
         one view too many is `Busy`. With versions, a key takes 16 bytes more (17 in `keyvalue`), and one for each zero byte in it.\n\n## Options\n\n\
         Behind the path of a URL, as in `redb:brain.redb?cache=64MiB&mode=existing`.\n",
    );
    options(&mut text, "every engine", &[OptionSpec::MODE]);
    for engine in engines.iter().filter(|engine| !engine.options.is_empty()) {
        options(&mut text, &format!("`{}:`", engine.schemes.join(":`, `")), engine.options);
    }
    text
}

fn options(text: &mut String, whose: &str, options: &[OptionSpec]) {
    let mut rows = Rows::new(&[whose, "values", "default", ""]);
    for option in options {
        rows.row(&[
            format!("`{}`", option.name),
            option.kind.to_string(),
            format!("`{}`", option.default),
            option.about.to_owned(),
        ]);
    }
    text.push('\n');
    text.push_str(&rows.0);
}

fn each(
    first: &str,
    engines: &[&'static Descriptor],
    cell: impl Fn(&'static Descriptor) -> String,
) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(engines.iter().map(|engine| cell(engine))).collect()
}

fn schemes(engine: &Descriptor) -> String {
    format!("`{}:`", engine.schemes.join(":`, `"))
}

fn fact(engine: &Descriptor, name: &str) -> String {
    let facts: BTreeMap<_, _> = engine.capabilities.facts().into_iter().collect();
    facts.get(name).cloned().unwrap_or_default()
}

fn limit(engine: &Descriptor, name: &str) -> String {
    let limits: BTreeMap<_, _> = sizes(&engine.capabilities.limits).into_iter().collect();
    match limits.get(name).copied().flatten() {
        Some(limit) if name.ends_with("bytes") => format!("{limit} B"),
        Some(limit) => limit.to_string(),
        None => "none stated".to_owned(),
    }
}

fn paragraph(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A table as it grows.
struct Rows(String);

impl Rows {
    fn new<S: AsRef<str>>(heads: &[S]) -> Self {
        let mut rows = Self(String::new());
        rows.row(heads);
        rows.row(&vec!["---"; heads.len()]);
        rows
    }

    fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        for cell in cells {
            // Writing to a string doesn't fail.
            write!(self.0, "| {} ", cell.as_ref()).unwrap_or(());
        }
        self.0.push_str("|\n");
    }
}
