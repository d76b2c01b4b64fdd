//! Several reports as one HTML page that needs nothing else: engines by groups, down to each case.

use std::fmt::Write as _;

use super::escape::escape;
use super::{CaseReport, Outcome, Report};
use crate::case::Case;
use crate::catalogue::catalogue;
use crate::level::{Holds, Level, Standing};

const STYLE: &str = include_str!("page.css");

/// The reports as one page, with its style in it and no script. What a link leads to opens by itself.
pub fn html_page(reports: &[Report]) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Conformance</title>\n<style>\n",
    );
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n<main>\n");
    head(&mut out, reports);
    bad(&mut out, reports);
    levels(&mut out, reports);
    matrix(&mut out, reports);
    for (at, report) in reports.iter().enumerate() {
        engine(&mut out, at, report);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

// Writing to a String can't fail.
macro_rules! put {
    ($out:expr, $($text:tt)+) => {
        let _ = write!($out, $($text)+);
    };
}

/// Counts of outcomes.
struct Counts([usize; 4]);

const OUTCOMES: [Outcome; 4] = [Outcome::Passed, Outcome::Failed, Outcome::Waived, Outcome::Ignored];

impl Counts {
    fn of<'c>(cases: impl Iterator<Item = &'c CaseReport>) -> Self {
        let mut counts = [0; 4];
        for case in cases {
            for (count, outcome) in counts.iter_mut().zip(OUTCOMES) {
                *count += usize::from(case.outcome == outcome);
            }
        }
        Self(counts)
    }

    /// The outcome that a summary has the colour of.
    fn tone(&self) -> Outcome {
        let [passed, failed, waived, _] = self.0;
        match (failed, waived, passed) {
            (1.., ..) => Outcome::Failed,
            (_, 1.., _) => Outcome::Waived,
            (.., 1..) => Outcome::Passed,
            _ => Outcome::Ignored,
        }
    }

    /// The counts that aren't zero, in words.
    fn words(&self) -> String {
        let words: Vec<_> = OUTCOMES
            .iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("{count} {}", outcome.as_str()))
            .collect();
        words.join(", ")
    }
}

fn head(out: &mut String, reports: &[Report]) {
    let all = Counts::of(reports.iter().flat_map(|report| &report.cases));
    put!(
        out,
        "<header>\n<h1>Conformance</h1>\n<p class=\"sum {}\">{}</p>\n",
        all.tone().as_str(),
        all.words()
    );
    if let Some(first) = reports.first() {
        let times = if first.repetitions > 1 {
            format!(", {} repetitions", first.repetitions)
        } else {
            String::new()
        };
        put!(out, "<p class=\"quiet\">kit {}, seed {}{times}</p>\n", escape(&first.kit_version), first.seed);
    }
    out.push_str("</header>\n");
}

/// What failed, first of all.
fn bad(out: &mut String, reports: &[Report]) {
    let failed = |report: &Report| report.with_outcome(Outcome::Failed).next().is_some();
    if !reports.iter().any(failed) {
        return;
    }
    out.push_str("<h2>What failed</h2>\n<ul class=\"bad\">\n");
    for (at, report) in reports.iter().enumerate() {
        for case in report.with_outcome(Outcome::Failed) {
            let (engine, id) = (escape(&report.engine), escape(&case.id));
            put!(out, "<li><a href=\"#e{at}-{id}\">{id}</a> on {engine}</li>\n");
        }
    }
    out.push_str("</ul>\n");
}

/// The heads of a table with a column for each engine.
fn heads(out: &mut String, first: &str, reports: &[Report]) {
    put!(out, "<div class=\"wide\">\n<table class=\"matrix\">\n<thead><tr><th>{first}</th>");
    for (at, report) in reports.iter().enumerate() {
        let (engine, version) = (escape(&report.engine), escape(&report.engine_version));
        put!(out, "<th><a href=\"#e{at}\">{engine}</a><span class=\"quiet\">{version}</span></th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
}

fn levels(out: &mut String, reports: &[Report]) {
    out.push_str("<h2>Levels</h2>\n");
    heads(out, "level", reports);
    for level in Level::ALL {
        put!(out, "<tr><th title=\"{}\">{level}</th>", escape(level.meaning()));
        for report in reports {
            let Some(Standing { holds, why, .. }) = report.levels.iter().find(|one| one.level == level)
            else {
                out.push_str("<td></td>");
                continue;
            };
            let tone = match holds {
                Holds::Held => "passed",
                Holds::NotHeld => "waived",
                Holds::NotTested => "ignored",
            };
            let why = escape(why.as_deref().unwrap_or_default());
            put!(out, "<td class=\"{tone}\"><b>{}</b><small>{why}</small></td>", holds.as_str());
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn matrix(out: &mut String, reports: &[Report]) {
    out.push_str("<h2>Groups</h2>\n");
    heads(out, "group", reports);
    let mut groups: Vec<&str> = Vec::new();
    for case in reports.iter().flat_map(|report| &report.cases) {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
    }
    for group in groups {
        let group_name = escape(group);
        put!(out, "<tr><th>{group_name}</th>");
        for (at, report) in reports.iter().enumerate() {
            let counts = Counts::of(report.cases.iter().filter(|case| case.group == group));
            let [passed, failed, waived, ignored] = counts.0;
            if passed + failed + waived + ignored == 0 {
                out.push_str("<td></td>");
                continue;
            }
            let mut rest: Vec<String> = Vec::new();
            for (count, what) in [(failed, "failed"), (waived, "waived"), (ignored, "ignored")] {
                if count > 0 {
                    rest.push(format!("{count} {what}"));
                }
            }
            put!(
                out,
                "<td class=\"{}\"><a href=\"#e{at}-{group_name}\"><b>{passed}</b><small>{}</small></a></td>",
                counts.tone().as_str(),
                rest.join(", ")
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody>\n</table>\n</div>\n<p class=\"quiet\">The number is of the cases that passed.</p>\n",
    );
}

fn engine(out: &mut String, at: usize, report: &Report) {
    let (engine, version) = (escape(&report.engine), escape(&report.engine_version));
    let words = Counts::of(report.cases.iter()).words();
    put!(
        out,
        "<section>\n<h2 id=\"e{at}\">{engine} <span class=\"quiet\">{version}</span></h2>\n\
         <p>{words} in {:.1} s</p>\n<details><summary>What it declares</summary>\n<dl>\n",
        report.seconds
    );
    for (name, value) in &report.capabilities {
        put!(out, "<dt>{}</dt><dd>{}</dd>\n", escape(&name.replace('_', " ")), escape(value));
    }
    out.push_str("</dl>\n</details>\n");
    for (group, cases) in report.groups() {
        let counts = Counts::of(cases.iter().copied());
        let open = if counts.tone() == Outcome::Failed { " open" } else { "" };
        let group = escape(group);
        put!(
            out,
            "<details{open}><summary class=\"{}\">{group} <span class=\"quiet\">{}</span></summary>\n\
             <div class=\"cases\" id=\"e{at}-{group}\">\n",
            counts.tone().as_str(),
            counts.words()
        );
        for case in cases {
            self::case(out, at, case);
        }
        out.push_str("</div>\n</details>\n");
    }
    out.push_str("</section>\n");
}

fn case(out: &mut String, at: usize, done: &CaseReport) {
    let outcome = done.outcome.as_str();
    let id = escape(&done.id);
    let open = if done.outcome == Outcome::Failed { " open" } else { "" };
    put!(
        out,
        "<details class=\"case\"{open}><summary class=\"{outcome}\"><code>{id}</code> <span class=\"quiet\">{outcome}</span>\
         </summary>\n<div id=\"e{at}-{id}\">\n"
    );
    if let Some(case) = catalogue().find(|case| case.id == done.id) {
        about(out, case);
    }
    if let Some(message) = &done.message {
        put!(out, "<pre>{}</pre>\n", escape(message));
    }
    for failure in &done.failures {
        put!(
            out,
            "<p class=\"quiet\">repetition {}: <code>--case {id} --seed {}</code></p>\n",
            failure.repetition,
            failure.seed
        );
    }
    put!(out, "<p class=\"quiet\">{:.3} s</p>\n</div></details>\n", done.seconds);
}

/// What a case pins, and why.
fn about(out: &mut String, case: &Case) {
    put!(out, "<p>{}</p>\n<p class=\"quiet\">{}</p>\n", escape(case.pins), escape(case.why));
    if !case.needs.is_empty() {
        let needs: Vec<_> = case.needs.iter().map(ToString::to_string).collect();
        put!(out, "<p class=\"quiet\">Applies to stores with {}.</p>\n", escape(&needs.join(", ")));
    }
}
