//! The report and the catalogue as Markdown.

use std::fmt::Write as _;

use engine_api::Descriptor;

use super::Report;
use crate::catalogue::catalogue;

impl Report {
    /// The report as a Markdown table of groups, a table of the cases that didn't pass, and what the store
    /// declares.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = write!(
            out,
            "# {} {}\n\n{} passed, {} failed, {} ignored, {} waived.\n\n\
             | group | passed | failed | ignored | waived |\n|---|---|---|---|---|\n",
            self.engine, self.engine_version, self.passed, self.failed, self.ignored, self.waived
        );
        for (group, cases) in self.groups() {
            use super::Outcome::{Failed, Ignored, Passed, Waived};
            let [passed, failed, ignored, waived] = [Passed, Failed, Ignored, Waived]
                .map(|outcome| cases.iter().filter(|case| case.outcome == outcome).count());
            let _ = writeln!(out, "| {group} | {passed} | {failed} | {ignored} | {waived} |");
        }
        out.push_str("\n| declared | value |\n|---|---|\n");
        for (name, value) in &self.capabilities {
            let _ = writeln!(out, "| {} | {} |", cell(name), cell(value));
        }
        out.push_str("\n| case | outcome | reason |\n|---|---|---|\n");
        for case in self.cases.iter().filter(|case| case.message.is_some()) {
            let reason = cell(case.message.as_deref().unwrap_or_default());
            let _ = writeln!(out, "| `{}` | {} | {reason} |", case.id, case.outcome.as_str());
        }
        out
    }
}

/// The options of an engine as a Markdown table: a test can say that the engine's README has it.
pub fn options_markdown(engine: &Descriptor) -> String {
    let mut out = String::from("| option | values | default | |\n|---|---|---|---|\n");
    for option in engine.options {
        let (name, kind, default, about) = (option.name, option.kind, option.default, option.about);
        let _ = writeln!(out, "| `{name}` | {kind} | `{default}` | {about} |");
    }
    out
}

/// The catalogue of cases as Markdown: a table for each group.
pub fn catalogue_markdown() -> String {
    let mut out = String::from("# The conformance cases\n");
    let mut group = "";
    for case in catalogue() {
        if case.group() != group {
            group = case.group();
            let _ = write!(out, "\n## {group}\n\n| case | pins | why | applies to |\n|---|---|---|---|\n");
        }
        let needs: Vec<_> = case.needs.iter().map(ToString::to_string).collect();
        let needs = if needs.is_empty() { "every store".to_owned() } else { needs.join(", ") };
        let _ =
            writeln!(out, "| `{}` | {} | {} | {} |", case.id, cell(case.pins), cell(case.why), cell(&needs));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").split(char::is_whitespace).collect::<Vec<_>>().join(" ")
}
