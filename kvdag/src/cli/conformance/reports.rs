//! What a run found, as answers and as files.

use std::fmt;
use std::fs;
use std::path::Path;

use conformance::{Outcome, Report, html_page};
use engine_api::{Error, Result};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Reports {
    engines: Vec<EngineReport>,
}

#[derive(Debug, Serialize)]
struct EngineReport {
    #[serde(flatten)]
    report: Report,
    /// Why each case that was ignored was.
    ignored_reasons: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    case: String,
    reason: String,
}

impl From<Vec<Report>> for Reports {
    fn from(reports: Vec<Report>) -> Self {
        Self { engines: reports.into_iter().map(EngineReport::from).collect() }
    }
}

impl From<Report> for EngineReport {
    fn from(report: Report) -> Self {
        let ignored_reasons = report
            .with_outcome(Outcome::Ignored)
            .map(|case| Reason { case: case.id.clone(), reason: case.message.clone().unwrap_or_default() })
            .collect();
        Self { report, ignored_reasons }
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engines.iter().try_for_each(|engine| f.write_str(&engine.report.to_text()))
    }
}

/// Writes the files of each engine, and the page of all.
pub(super) fn write(folder: &Path, reports: &[Report]) -> Result<()> {
    let failed = |error| Error::from_io(error, "a report can't be written").with("folder", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    for report in reports {
        let name: String = report
            .engine
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect();
        let files = [("json", report.to_json()), ("xml", report.to_junit()), ("md", report.to_markdown())];
        for (ending, text) in files {
            fs::write(folder.join(format!("conformance-{name}.{ending}")), text).map_err(failed)?;
        }
    }
    fs::write(folder.join("conformance.html"), html_page(reports)).map_err(failed)
}
