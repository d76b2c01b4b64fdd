//! Graphs for Graphviz, to be drawn.

use std::fmt::Write as _;
use std::io::Write;

use engine_api::Result;
use engine_api::graph::{Element, Graph, Kind};
use engine_api::key::Context;

use crate::loader::{Progress, Watch};
use crate::text::{Properties, Source, unwritten};

/// Writes a graph in the language of Graphviz, with weights and properties as attributes. Bytes that aren't UTF-8
/// are `\xNN`.
///
/// # Errors
/// `Conflict` for what is in conflict; `Io`.
pub fn write_dot(
    (graph, ctx): (&dyn Graph, &dyn Context),
    name: &str,
    out: &mut dyn Write,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let (word, arrow) = match graph.graph(ctx)?.ok_or_else(|| Element::Graph.missing())? {
        Kind::Undirected => ("graph", "--"),
        Kind::Directed => ("digraph", "->"),
    };
    let source = Source { graph, ctx };
    let mut written = 0;
    let mut line = |text: std::fmt::Arguments<'_>, written: &mut u64| -> Result<()> {
        *written += 1;
        out.write_fmt(text).map_err(unwritten)?;
        watch(Progress::Written(*written))
    };
    line(format_args!("{word} {} {{\n", quoted(name.as_bytes())), &mut written)?;
    source.vertices(|vertex, properties| {
        let attributes = attributes(vertex.weight, &properties);
        line(format_args!("  {} [{attributes}];\n", vertex.id), &mut written)
    })?;
    source.edges(|edge, properties| {
        let attributes = attributes(edge.weight, &properties);
        line(format_args!("  {} {arrow} {} [{attributes}];\n", edge.from, edge.to), &mut written)
    })?;
    line(format_args!("}}\n"), &mut written)
}

/// The weight is quoted where Graphviz has no such number.
fn attributes(weight: f64, properties: &Properties) -> String {
    let mut text =
        if weight.is_finite() { format!("weight={weight}") } else { format!("weight=\"{weight}\"") };
    for (name, value) in properties {
        // Writing to a string can't fail.
        let _ = write!(text, ", {}={}", quoted(name.as_bytes()), quoted(value));
    }
    text
}

/// A text between quotes: those within it, and backslashes, which attributes give a meaning, get one before them.
fn quoted(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        // A zero byte ends a text of Graphviz.
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    };
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
