//! The whole of it.

use std::cell::OnceCell;

use super::Outcome;
use super::contenders::{Contender, Lmdb, Memory, Redb, Sled, Sqlite};
use super::history::History;
use super::measure::measure;
use super::options::Options;
use super::plans;
use super::stage::Stage;
use super::table::{Row, Section, json, markdown};

/// Measures every engine and answers the table, or the JSON, of what was found. The standard error stream
/// says what is being measured.
///
/// # Errors
/// An engine's own; or that it and the framework have read or written different bytes.
pub fn run(options: &Options) -> Outcome<String> {
    let (mut sections, longest) = (Vec::new(), OnceCell::new());
    for contender in [&Lmdb as &dyn Contender, &Redb, &Sqlite, &Sled, &Memory] {
        let section = section(contender, options, &longest)?;
        if !section.rows.is_empty() {
            sections.push(section);
        }
    }
    Ok(if options.json { format!("{:#}\n", json(&sections)) } else { markdown(&sections) })
}

fn section(contender: &dyn Contender, options: &Options, longest: &OnceCell<History>) -> Outcome<Section> {
    let engine = contender.name();
    let stage = Stage::new(contender, options.scale(), longest)?;
    let mut rows = Vec::new();
    for plan in plans::all(&stage) {
        if !options.chooses(&engine, &plan.operation) {
            continue;
        }
        eprintln!("{engine}: {}", plan.operation);
        let mut contest = (plan.prepare)()?;
        let measured = measure(&mut contest, plan.clock, options.pace())
            .map_err(|error| format!("{engine}: {}: {error}", plan.operation))?;
        rows.push(Row { operation: plan.operation, target: plan.target, clock: plan.clock, measured });
    }
    Ok(Section { engine, rows })
}
