//! Graphs as GraphML, written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use engine_api::Result;
use engine_api::graph::{Element, Graph, Kind};
use engine_api::key::Context;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::loader::{Progress, Watch};
use crate::text::{Properties, Source, changed, unwritten};

/// The description of a key whose name and values are percent-encoded.
pub(crate) const ENCODED: &str = "percent-encoded";

/// The name of a property, and whether it is percent-encoded.
type Name = (String, bool);
/// The identifiers of the keys of GraphML.
type Keys = BTreeMap<Name, String>;

/// Writes a graph as GraphML: nodes `n5`, weights as doubles, properties as strings.
///
/// What XML can't hold, control characters and bytes that aren't UTF-8, is percent-encoded under a key whose description says so.
///
/// # Errors
/// `Conflict` for what is in conflict; `Io`.
pub fn write_graphml(
    (graph, ctx): (&dyn Graph, &dyn Context),
    name: &str,
    out: &mut dyn Write,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let default = match graph.graph(ctx)?.ok_or_else(|| Element::Graph.missing())? {
        Kind::Undirected => "undirected",
        Kind::Directed => "directed",
    };
    let source = Source { graph, ctx };
    let vertices = keys('v', source.names_of_vertices(key_of)?);
    let edges = keys('e', source.names_of_edges(key_of)?);
    let mut written = 0;
    let mut put = |text: &str| -> Result<()> {
        out.write_all(text.as_bytes()).map_err(unwritten)?;
        written += 1;
        watch(Progress::Written(written))
    };
    put(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    )?;
    for (id, of) in [("vw", "node"), ("ew", "edge")] {
        put(&format!("  <key id=\"{id}\" for=\"{of}\" attr.name=\"weight\" attr.type=\"double\"/>\n"))?;
    }
    for (of, keys) in [("node", &vertices), ("edge", &edges)] {
        for ((name, encoded), id) in keys {
            let says = if *encoded { format!("<desc>{ENCODED}</desc>") } else { String::new() };
            let name = escaped(name);
            put(&format!(
                "  <key id=\"{id}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"string\">{says}</key>\n"
            ))?;
        }
    }
    let name = if is_xml(name) { escaped(name) } else { encoded(name.as_bytes()) };
    put(&format!("  <graph id=\"{name}\" edgedefault=\"{default}\">\n"))?;
    source.vertices(|vertex, properties| {
        let data = data("vw", vertex.weight, &vertices, &properties)?;
        put(&format!("    <node id=\"n{}\">{data}</node>\n", vertex.id))
    })?;
    source.edges(|edge, properties| {
        let data = data("ew", edge.weight, &edges, &properties)?;
        put(&format!("    <edge source=\"n{}\" target=\"n{}\">{data}</edge>\n", edge.from, edge.to))
    })?;
    put("  </graph>\n</graphml>\n")
}

/// Under which key a property is written. One called `weight` isn't mistaken for the weight.
fn key_of(name: &str, value: &[u8]) -> Name {
    let plain = is_xml(name) && name != "weight" && std::str::from_utf8(value).is_ok_and(is_xml);
    if plain { (name.to_owned(), false) } else { (encoded(name.as_bytes()), true) }
}

fn keys(letter: char, names: impl IntoIterator<Item = Name>) -> Keys {
    names.into_iter().zip(0_usize..).map(|(name, number)| (name, format!("{letter}{number}"))).collect()
}

fn data(weight_key: &str, weight: f64, keys: &Keys, properties: &Properties) -> Result<String> {
    let weight = match weight {
        f64::INFINITY => "INF".to_owned(),
        f64::NEG_INFINITY => "-INF".to_owned(),
        weight => weight.to_string(),
    };
    let mut text = format!("<data key=\"{weight_key}\">{weight}</data>");
    for (name, value) in properties {
        let name = key_of(name, value);
        let id = keys.get(&name).ok_or_else(changed)?;
        let value = match std::str::from_utf8(value) {
            Ok(plain) if !name.1 => escaped(plain),
            _ => encoded(value),
        };
        // Writing to a string can't fail.
        let _ = write!(text, "<data key=\"{id}\">{value}</data>");
    }
    Ok(text)
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

/// Whether every character of a text is one of XML 1.0.
fn is_xml(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}

/// A text as it stands in an element or between quotes; white space that a reader would change too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    escaped
}
