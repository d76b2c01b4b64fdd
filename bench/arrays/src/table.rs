//! What was measured, in the order it came first, each figure the least of its rounds.

use std::fmt;

use crate::clock::Took;
use crate::plan::Subject;

/// The rows: what was done, with which data and codec, by which program.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    sizes: Vec<(Key, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    program: String,
    data: String,
    codec: String,
}

#[derive(Debug)]
struct Row {
    key: Key,
    what: &'static str,
    took: Took,
}

impl From<Subject<'_>> for Key {
    fn from(subject: Subject<'_>) -> Self {
        let Subject { program, data, codec } = subject;
        Self { program: program.to_owned(), data: data.to_owned(), codec: codec.to_owned() }
    }
}

impl Table {
    pub(crate) fn add(&mut self, of: Subject<'_>, what: &'static str, took: Took) {
        let key = Key::from(of);
        match self.rows.iter_mut().find(|row| row.key == key && row.what == what) {
            Some(row) => row.took = row.took.least(took),
            None => self.rows.push(Row { key, what, took }),
        }
    }

    pub(crate) fn add_size(&mut self, of: Subject<'_>, bytes: u64) {
        let key = Key::from(of);
        match self.sizes.iter_mut().find(|(of, _)| *of == key) {
            Some((_, size)) => *size = bytes,
            None => self.sizes.push((key, bytes)),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { key: Key { program, data, codec }, what, took } in &self.rows {
            let Took { processor, wall } = took;
            writeln!(
                out,
                "{program}\t{data}, {codec}\t{what}\tcpu {:.2} ms\twall {:.2} ms",
                processor * 1e3,
                wall * 1e3
            )?;
        }
        for (Key { program, data, codec }, bytes) in &self.sizes {
            writeln!(out, "{program}\t{data}, {codec}\tsize\t{bytes} B")?;
        }
        Ok(())
    }
}
