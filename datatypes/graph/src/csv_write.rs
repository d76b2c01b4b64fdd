//! Vertices and edges as tables.

use std::collections::BTreeSet;
use std::io::Write;

use engine_api::Result;
use engine_api::graph::Graph;
use engine_api::key::Context;

use crate::loader::{Progress, Watch};
use crate::text::{Properties, Source, object, unwritten};

/// The column that has the properties that no column of their own can hold, as JSON.
pub(crate) const PROPERTIES: &str = "properties";
/// The names that columns have already.
const TAKEN: [&str; 5] = ["id", "from", "to", "weight", PROPERTIES];
/// The most properties that get columns of their own.
const COLUMNS: usize = 256;

/// Writes the edges as CSV: `from`, `to`, `weight`, and a column for each property; and the vertices, if there is a place for them:
/// `id`, `weight`, and their properties.
///
/// An empty cell is no property. A value that is empty or isn't UTF-8, and a name that a column has already, go to a column
/// `properties` of JSON objects.
///
/// # Errors
/// `Conflict` for what is in conflict; `Io`.
pub fn write_csv(
    (graph, ctx): (&dyn Graph, &dyn Context),
    edges: &mut dyn Write,
    vertices: Option<&mut dyn Write>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let source = Source { graph, ctx };
    let mut written = 0;
    let mut step = |written: &mut u64| {
        *written += 1;
        watch(Progress::Written(*written))
    };
    if let Some(vertices) = vertices {
        let columns = Columns::new(source.names_of_vertices(kept)?);
        let mut out = columns.begin(vertices, &["id", "weight"])?;
        source.vertices(|vertex, properties| {
            step(&mut written)?;
            columns.row(&mut out, &[vertex.id.to_string(), vertex.weight.to_string()], properties)
        })?;
        out.flush().map_err(unwritten)?;
    }
    let columns = Columns::new(source.names_of_edges(kept)?);
    let mut out = columns.begin(edges, &["from", "to", "weight"])?;
    source.edges(|edge, properties| {
        step(&mut written)?;
        let fixed = [edge.from.to_string(), edge.to.to_string(), edge.weight.to_string()];
        columns.row(&mut out, &fixed, properties)
    })?;
    out.flush().map_err(unwritten)
}

/// A name, where a column of that name can hold the value.
fn kept(name: &str, value: &[u8]) -> Option<String> {
    let fits = !value.is_empty()
        && std::str::from_utf8(value).is_ok()
        && !name.is_empty()
        && !name.starts_with('\u{feff}')
        && !TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(name.trim()));
    fits.then(|| name.to_owned())
}

struct Columns {
    names: Vec<String>,
    /// Whether there is something that fits into none.
    others: bool,
}

impl Columns {
    fn new(names: BTreeSet<Option<String>>) -> Self {
        let mut others = names.contains(&None);
        let mut names: Vec<_> = names.into_iter().flatten().collect();
        others |= names.len() > COLUMNS;
        names.truncate(COLUMNS);
        Self { names, others }
    }

    fn begin<'w>(&self, out: &'w mut dyn Write, fixed: &[&str]) -> Result<csv::Writer<&'w mut dyn Write>> {
        let mut out = csv::Writer::from_writer(out);
        let header = fixed.iter().copied().chain(self.names.iter().map(String::as_str));
        out.write_record(header.chain(self.others.then_some(PROPERTIES))).map_err(unwritten)?;
        Ok(out)
    }

    fn row<W: Write>(
        &self,
        out: &mut csv::Writer<W>,
        fixed: &[String],
        properties: Properties,
    ) -> Result<()> {
        let mut cells = vec![Vec::new(); self.names.len()];
        let mut others = Properties::new();
        for (name, value) in properties {
            match self.names.binary_search(&name) {
                Ok(at) if kept(&name, &value).is_some() => cells[at] = value.to_vec(),
                _ => others.push((name, value)),
            }
        }
        if !others.is_empty() && !self.others {
            return Err(crate::text::changed());
        }
        let others = self.others.then(|| if others.is_empty() { String::new() } else { object(&others) });
        let fixed = fixed.iter().map(|cell| cell.as_bytes().to_vec());
        out.write_record(fixed.chain(cells).chain(others.map(String::into_bytes))).map_err(unwritten)
    }
}
