//! Which cases are run or listed.

use std::fmt;

use conformance::{Case, Options, cases_markdown, catalogue};
use engine_api::{Error, ErrorKind, Result};
use serde::Serialize;

use super::super::output::Output;

/// The options with the cases that are asked for.
///
/// # Errors
/// `InvalidArgument` for a group that there isn't, with those that there are.
pub(super) fn only(mut options: Options, cases: &[String], groups: &[String]) -> Result<Options> {
    for text in cases {
        options = options.only(text);
    }
    for name in groups {
        if !catalogue().any(|case| case.group() == name) {
            let mut known: Vec<_> = catalogue().map(Case::group).collect();
            known.dedup();
            return Err(Error::new(ErrorKind::InvalidArgument, "the kit has no such group of cases")
                .with("group", name)
                .with("groups", known.join(", ")));
        }
        options = options.group(name);
    }
    Ok(options)
}

#[derive(Debug, Serialize)]
struct Listed {
    case: &'static str,
    group: &'static str,
    pins: &'static str,
    why: &'static str,
    /// What a store must declare for the case to apply.
    needs: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Listed>, #[serde(skip)] String);

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

pub(super) fn list(options: &Options, output: Output) -> Result<()> {
    let cases: Vec<_> = catalogue().filter(|case| options.asks_for(case.id)).collect();
    let listed = cases.iter().map(|case| Listed {
        case: case.id,
        group: case.group(),
        pins: case.pins,
        why: case.why,
        needs: case.needs.iter().map(ToString::to_string).collect(),
    });
    output.print(&List(listed.collect(), cases_markdown(cases.iter().copied())))
}
