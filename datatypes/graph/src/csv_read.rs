//! Tables of edges and vertices, read.

use std::collections::HashSet;
use std::io::Read;

use csv::StringRecord;
use engine_api::graph::{Edge, Graph, Item, Vertex, VertexId};
use engine_api::key::Context;
use engine_api::{Error, ErrorKind, Result};

use crate::csv_write::PROPERTIES;
use crate::loader::{Loader, Watch};
use crate::text::{from_json, weight};

/// The numbers of vertices that are remembered as being there, so that they aren't looked for again.
const REMEMBERED: usize = 1 << 20;

/// How a table is read.
#[derive(Clone, Copy, Debug)]
pub struct CsvOptions {
    /// What is between two cells.
    pub delimiter: u8,
    /// The weight of an edge that has none, and of a vertex that edges name and nobody describes.
    pub weight: f64,
}

impl Default for CsvOptions {
    /// Commas, and the weight 1.
    fn default() -> Self {
        Self { delimiter: b',', weight: 1.0 }
    }
}

/// Adds to a graph what tables say, as [`write_csv`](crate::write_csv) writes them, and the lists of edges that others write: two numbers
/// in each line, and a weight if there is a third. Columns may come in any order under a header: `from` or `source`, `to` or
/// `target`, `weight`, `id`; any other is a property of that name. Lines that begin with `#` are comments.
///
/// Vertices that edges name are made where they aren't there.
///
/// # Errors
/// `InvalidArgument` names the line.
pub fn read_csv(
    (graph, ctx): (&dyn Graph, &dyn Context),
    edges: &mut dyn Read,
    vertices: Option<&mut dyn Read>,
    options: &CsvOptions,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let mut loader = Loader::new(graph, ctx);
    if let Some(vertices) = vertices {
        let mut table = Table::open(vertices, options.delimiter, &[&["id", "node", "vertex"]])?;
        while let Some(row) = table.next()? {
            let id = table.number(&row, 0)?;
            let weight = table.weight(&row)?.unwrap_or(options.weight);
            loader.push(Item::Vertex(Vertex { id, weight }), watch)?;
            for (name, value) in table.properties(&row)? {
                loader.push(Item::VertexProperty(id, name, value), watch)?;
            }
        }
        loader.flush(watch)?;
    }
    let ends: [&[&str]; 2] = [&["from", "source", "src"], &["to", "target", "dst"]];
    let mut table = Table::open(edges, options.delimiter, &ends)?;
    let mut known = HashSet::new();
    while let Some(row) = table.next()? {
        let (from, to) = (table.number(&row, 0)?, table.number(&row, 1)?);
        for id in [from, to] {
            if is_new(&mut known, id, (graph, ctx))? {
                loader.push(Item::Vertex(Vertex { id, weight: options.weight }), watch)?;
            }
        }
        let weight = table.weight(&row)?.unwrap_or(options.weight);
        loader.push(Item::Edge(Edge { from, to, weight }), watch)?;
        for (name, value) in table.properties(&row)? {
            loader.push(Item::EdgeProperty(from, to, name, value), watch)?;
        }
        if known.len() >= REMEMBERED {
            loader.flush(watch)?;
            known.clear();
        }
    }
    loader.flush(watch)
}

/// Whether a vertex isn't in the graph yet, nor on its way there.
fn is_new(
    known: &mut HashSet<VertexId>,
    id: VertexId,
    (graph, ctx): (&dyn Graph, &dyn Context),
) -> Result<bool> {
    Ok(known.insert(id) && graph.get_vertex(ctx, id)?.is_none())
}

/// A table, and which of its columns mean what.
struct Table<'r> {
    rows: csv::Reader<&'r mut dyn Read>,
    /// The first row, of a table without a header.
    first: Option<StringRecord>,
    keys: Vec<usize>,
    weight: Option<usize>,
    others: Option<usize>,
    /// Columns of properties, with their names.
    named: Vec<(usize, String)>,
}

impl<'r> Table<'r> {
    fn open(file: &'r mut dyn Read, delimiter: u8, keys: &[&[&str]]) -> Result<Self> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .comment(Some(b'#'))
            .delimiter(delimiter)
            .flexible(false)
            .from_reader(file);
        let mut header = StringRecord::new();
        rows.read_record(&mut header).map_err(unreadable)?;
        let numbers =
            header.iter().take(keys.len()).filter(|cell| cell.trim().parse::<u64>().is_ok()).count();
        if numbers == keys.len() || header.is_empty() {
            let weight = (header.len() > keys.len()).then_some(keys.len());
            if header.len() > keys.len() + 1 {
                let message = "a table of more columns than numbers and a weight has a header";
                return Err(Error::new(ErrorKind::InvalidArgument, message).with("columns", header.len()));
            }
            let first = (!header.is_empty()).then_some(header);
            let keys = (0..keys.len()).collect();
            return Ok(Self { rows, first, keys, weight, others: None, named: Vec::new() });
        }
        let place = |names: &[&str]| {
            let is = |cell: &str| {
                let cell = cell.trim_start_matches('\u{feff}').trim();
                names.iter().any(|name| name.eq_ignore_ascii_case(cell))
            };
            header.iter().position(is)
        };
        let keys = keys.iter().map(|names| {
            place(names).ok_or_else(|| {
                Error::new(ErrorKind::InvalidArgument, "the table lacks a column")
                    .with("column", names.first().copied().unwrap_or_default())
            })
        });
        let keys: Vec<usize> = keys.collect::<Result<_>>()?;
        let (weight, others) = (place(&["weight"]), place(&[PROPERTIES]));
        let meant = |at: usize| keys.contains(&at) || weight == Some(at) || others == Some(at);
        let named = header.iter().enumerate().filter(|(at, _)| !meant(*at));
        let named = named.map(|(at, name)| (at, name.to_owned())).collect();
        Ok(Self { rows, first: None, keys, weight, others, named })
    }

    fn next(&mut self) -> Result<Option<StringRecord>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut row = StringRecord::new();
        Ok(self.rows.read_record(&mut row).map_err(unreadable)?.then_some(row))
    }

    fn number(&self, row: &StringRecord, key: usize) -> Result<VertexId> {
        let cell = self.keys.get(key).and_then(|at| row.get(*at)).unwrap_or_default();
        cell.trim().parse().map_err(|_| {
            let error = Error::new(ErrorKind::InvalidArgument, "a vertex is a number from 0 to 2^64 - 1");
            in_line(error.with("vertex", cell), row)
        })
    }

    fn weight(&self, row: &StringRecord) -> Result<Option<f64>> {
        let cell = self.weight.and_then(|at| row.get(at)).unwrap_or_default();
        let read = (!cell.trim().is_empty()).then(|| weight(cell)).transpose();
        read.map_err(|error| in_line(error, row))
    }

    fn properties(&self, row: &StringRecord) -> Result<crate::text::Properties> {
        let cells = self.named.iter().filter_map(|(at, name)| Some((name.clone(), row.get(*at)?)));
        let cells = cells.filter(|(_, cell)| !cell.is_empty());
        let mut found: Vec<_> = cells.map(|(name, cell)| (name, cell.to_owned().into())).collect();
        let Some(json) = self.others.and_then(|at| row.get(at)).filter(|cell| !cell.is_empty()) else {
            return Ok(found);
        };
        let malformed = || {
            let message = "the column of properties isn't an object of JSON with texts";
            in_line(Error::new(ErrorKind::InvalidArgument, message), row)
        };
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|_| malformed())?;
        for (name, value) in object {
            found.push((name, from_json(&value).ok_or_else(malformed)?));
        }
        Ok(found)
    }
}

fn in_line(error: Error, row: &StringRecord) -> Error {
    error.with("line", row.position().map_or(1, csv::Position::line))
}

#[cold]
fn unreadable(error: csv::Error) -> Error {
    let line = error.position().map(csv::Position::line);
    let kind = if error.is_io_error() { ErrorKind::Io } else { ErrorKind::InvalidArgument };
    let error = Error::new(kind, "the table can't be read").caused_by(error);
    match line {
        Some(line) => error.with("line", line),
        None => error,
    }
}
