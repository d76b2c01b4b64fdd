//! The report as JUnit XML.

use std::fmt::Write as _;

use super::escape::escape;
use super::{Outcome, Report};
use crate::level::Standing;

impl Report {
    /// The report as JUnit XML: a suite for each group, with the level that asks for it. Waived cases count as skipped.
    pub fn to_junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let name = escape(&format!("conformance of {}", self.engine));
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            r#"<testsuites name="{name}" tests="{}" failures="{}" skipped="{}" time="{:.3}">"#,
            self.cases.len(),
            self.failed,
            self.ignored + self.waived,
            self.seconds
        );
        for (group, cases) in self.groups() {
            let count =
                |wanted: &[Outcome]| cases.iter().filter(|case| wanted.contains(&case.outcome)).count();
            let _ = writeln!(
                out,
                r#"  <testsuite name="{}" tests="{}" failures="{}" skipped="{}" time="{:.3}">"#,
                escape(group),
                cases.len(),
                count(&[Outcome::Failed]),
                count(&[Outcome::Ignored, Outcome::Waived]),
                cases.iter().map(|case| case.seconds).sum::<f64>()
            );
            if let Some(standing) = self.levels.iter().find(|one| one.level.groups().contains(&group)) {
                let Standing { level, holds, .. } = standing;
                let _ = writeln!(
                    out,
                    r#"    <properties><property name="level" value="{level}: {}"/></properties>"#,
                    holds.as_str()
                );
            }
            for case in cases {
                let message = escape(case.message.as_deref().unwrap_or_default());
                let inner = match case.outcome {
                    Outcome::Passed => String::new(),
                    Outcome::Failed => format!("<failure message=\"{message}\"/>"),
                    Outcome::Ignored | Outcome::Waived => format!("<skipped message=\"{message}\"/>"),
                };
                let _ = writeln!(
                    out,
                    r#"    <testcase classname="{}" name="{}" time="{:.3}">{inner}</testcase>"#,
                    escape(&self.engine),
                    escape(&case.id),
                    case.seconds
                );
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}
