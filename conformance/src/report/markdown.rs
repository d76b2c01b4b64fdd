//! The report and the catalogue as Markdown.

use std::fmt::Write as _;

use engine_api::Descriptor;

use super::Report;
use crate::case::Case;
use crate::catalogue::catalogue;
use crate::level::{Holds, Level, Standing};

impl Report {
    /// The report as Markdown tables: of levels, of groups, of what the store declares, and of the cases that didn't
    /// pass.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = write!(
            out,
            "# {} {}\n\n{} passed, {} failed, {} ignored, {} waived. Seed {}, {} repetitions.\n\n\
             | level | | why |\n|---|---|---|\n",
            self.engine,
            self.engine_version,
            self.passed,
            self.failed,
            self.ignored,
            self.waived,
            self.seed,
            self.repetitions
        );
        for Standing { level, holds, why } in &self.levels {
            let why = cell(why.as_deref().unwrap_or_default());
            let _ = writeln!(out, "| {level} | {} | {why} |", holds.as_str());
        }
        let _ = write!(out, "\n| group | passed | failed | ignored | waived |\n|---|---|---|---|---|\n");
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

/// The levels of several engines as a section in Markdown: a table, and below it why those that aren't held aren't.
///
/// It has no counts and no times: two runs that find the same give the same text.
pub fn levels_markdown(reports: &[Report]) -> String {
    let mut out = String::from(
        "## Levels\n\nWhat the engines have shown in a run of the kit. A level is held when the store declares what it asks for, and \
         no case of its groups failed or is waived.\n\n|  |",
    );
    for report in reports {
        // Writing to a String can't fail.
        let _ = write!(out, " {} |", cell(&report.engine));
    }
    let _ = write!(out, "\n| --- |{}\n", " --- |".repeat(reports.len()));
    let standing =
        |report: &Report, level: Level| report.levels.iter().find(|one| one.level == level).cloned();
    for level in Level::ALL {
        let _ = write!(out, "| {level} |");
        for report in reports {
            let holds = standing(report, level).map_or(Holds::NotTested, |standing| standing.holds);
            let _ = write!(out, " {} |", holds.as_str());
        }
        out.push('\n');
    }
    out.push('\n');
    for level in Level::ALL {
        let mut whys: Vec<(String, Vec<&str>)> = Vec::new();
        for report in reports {
            let Some(why) = standing(report, level).and_then(|standing| standing.why) else { continue };
            match whys.iter_mut().find(|(other, _)| *other == why) {
                Some((_, engines)) => engines.push(&report.engine),
                None => whys.push((why, vec![&report.engine])),
            }
        }
        let groups = level.groups().join(", ");
        let _ = write!(out, "- **{level}** ({groups}): {}", level.meaning());
        for (why, engines) in whys {
            let _ = if engines.len() == reports.len() {
                write!(out, " {}.", capital(&why))
            } else {
                write!(out, " Not {}: {}.", engines.join(", "), cell(&why))
            };
        }
        out.push('\n');
    }
    out
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
    cases_markdown(catalogue())
}

/// Some of its cases, in the same form.
pub fn cases_markdown(cases: impl Iterator<Item = &'static Case>) -> String {
    let mut out = String::from("# The conformance cases\n");
    let mut group = "";
    for case in cases {
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

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").split(char::is_whitespace).collect::<Vec<_>>().join(" ")
}
