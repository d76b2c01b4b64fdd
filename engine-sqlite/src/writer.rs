//! The writer: a connection that commits batches, and what a batch does to the tables.

use std::ops::Bound;

use engine_api::{Bytes, Durability, Error, ErrorKind, Op, Result, Scan, WriteBatch};
use rusqlite::{Connection, TransactionBehavior};

use super::LAYOUT;
use super::error::{convert, convert_commit};
use super::view::{find, large_of, prepare};

/// The connection that writes.
pub(crate) struct Writer {
    connection: Connection,
    // The level that the connection is set to.
    level: Option<Durability>,
    // What `data_version` was after a commit that was forced to the disk, and with it all before it.
    forced: Option<i64>,
    // The most bytes of a key and its value that stay together in a page.
    inline: usize,
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let page: u32 = connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .map_err(|error| convert(error, "the page size can't be read"))?;
        // The longest cell that SQLite keeps whole in a page of such a table, less a record's header.
        let inline = (page.saturating_sub(12) * 64 / 255).saturating_sub(23 + 10);
        let inline = usize::try_from(inline).unwrap_or(0);
        Ok(Self { connection, level: None, forced: None, inline })
    }

    /// Sets what the next commit waits for. SQLite takes no change within a transaction.
    fn set_level(&mut self, level: Durability) -> Result<()> {
        if self.level != Some(level) {
            let synchronous = if level == Durability::Power { "FULL" } else { "NORMAL" };
            self.level = None;
            self.connection
                .pragma_update(None, "synchronous", synchronous)
                .map_err(|error| convert(error, "the durability of commits can't be set"))?;
            self.level = Some(level);
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, batch: &WriteBatch, level: Durability) -> Result<()> {
        self.set_level(level)?;
        let (inline, mut forced) = (self.inline, self.forced.take());
        // A transaction that is dropped before it is committed is rolled back.
        let txn = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| convert(error, "a write transaction can't be begun"))?;
        judge(&txn, batch)?;
        if batch.ops().is_empty() {
            drop(txn);
            self.forced = forced;
            return Ok(());
        }
        let mut tables = Tables { connection: &txn, inline, any_large: any_large(&txn)? };
        for op in batch.ops() {
            tables.apply(op)?;
        }
        if level == Durability::Power {
            let version = data_version(&txn)?;
            // SQLite writes no page whose bytes stay the same, and forces nothing where it writes none. What
            // the batch finds done may not have been forced, so a page is written whatever it holds.
            if forced != Some(version) {
                txn.pragma_update(None, "user_version", LAYOUT)
                    .map_err(|error| convert(error, "a batch can't be made durable"))?;
            }
            forced = Some(version);
        } else {
            forced = None;
        }
        txn.commit().map_err(|error| convert_commit(error, "a batch can't be committed"))?;
        self.forced = forced;
        Ok(())
    }

    /// Writes the file anew without what is free in it, through the log.
    pub(crate) fn compact(&mut self) -> Result<()> {
        self.set_level(Durability::Power)?;
        // A reader of an older state is found here, before all is written and not after it.
        self.empty_log()?;
        self.connection
            .execute_batch("VACUUM")
            .map_err(|error| convert_commit(error, "the file can't be compacted"))?;
        self.empty_log()
    }

    /// Takes the whole log to the file and cuts it to nothing.
    fn empty_log(&self) -> Result<()> {
        let busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| convert(error, "the log can't be taken to the file"))?;
        if busy {
            return Err(Error::new(ErrorKind::Busy, "another process or handle reads an older state"));
        }
        Ok(())
    }
}

fn judge(connection: &Connection, batch: &WriteBatch) -> Result<()> {
    for requirement in batch.requirements() {
        let judged = find(connection, &requirement.key, |value| requirement.judge(Some(value)))?;
        judged.unwrap_or_else(|| requirement.judge(None))?;
    }
    Ok(())
}

/// A number that changes when another connection has committed, and not with this one's own commits.
fn data_version(connection: &Connection) -> Result<i64> {
    prepare(connection, "PRAGMA data_version")?
        .query_row([], |row| row.get(0))
        .map_err(|error| convert(error, "the version of the data can't be read"))
}

fn any_large(connection: &Connection) -> Result<bool> {
    prepare(connection, "SELECT 1 FROM large LIMIT 1")?
        .exists([])
        .map_err(|error| convert(error, "the table of large values can't be read"))
}

/// The tables within a transaction.
struct Tables<'c> {
    connection: &'c Connection,
    inline: usize,
    // Whether there may be large values at all: where there are none, none has to be looked for.
    any_large: bool,
}

impl Tables<'_> {
    fn apply(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Put { key, value } => self.put(key, value),
            Op::Delete { key } => {
                self.delete_large(key)?;
                self.run("DELETE FROM kv WHERE k=?1", [key.as_ref()])
            }
            Op::DeleteRange { start, end } => self.delete_range(start, end),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        const PUT: &str = "REPLACE INTO kv VALUES(?1,?2)";
        self.delete_large(key)?;
        // A reference takes as much as eight bytes do.
        if key.len() + value.len() <= self.inline || value.len() <= 8 {
            return self.run(PUT, (key, value));
        }
        self.run("INSERT INTO large(v) VALUES(?1)", [value])?;
        self.any_large = true;
        self.run(PUT, (key, self.connection.last_insert_rowid()))
    }

    fn delete_large(&self, key: &[u8]) -> Result<()> {
        if !self.any_large {
            return Ok(());
        }
        match large_of(self.connection, key)? {
            Some(id) => self.run("DELETE FROM large WHERE id=?1", [id]),
            None => Ok(()),
        }
    }

    fn delete_range(&self, start: &Bound<Bytes>, end: &Bound<Bytes>) -> Result<()> {
        if Scan::of_range(start, end).is_empty() {
            return Ok(());
        }
        // As keys: the first to go, and the first to stay.
        let first = match start {
            Bound::Included(key) => key.to_vec(),
            Bound::Excluded(key) => successor(key),
            Bound::Unbounded => Vec::new(),
        };
        let stays = match end {
            Bound::Included(key) => Some(successor(key)),
            Bound::Excluded(key) => Some(key.to_vec()),
            Bound::Unbounded => None,
        };
        if let Some(stays) = stays {
            if self.any_large {
                self.run(
                    "DELETE FROM large WHERE id IN \
                     (SELECT v FROM kv WHERE k>=?1 AND k<?2 AND typeof(v)='integer')",
                    (&first, &stays),
                )?;
            }
            self.run("DELETE FROM kv WHERE k>=?1 AND k<?2", (&first, &stays))
        } else {
            if self.any_large {
                self.run(
                    "DELETE FROM large WHERE id IN \
                     (SELECT v FROM kv WHERE k>=?1 AND typeof(v)='integer')",
                    [&first],
                )?;
            }
            self.run("DELETE FROM kv WHERE k>=?1", [&first])
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        prepare(self.connection, sql)?
            .execute(params)
            .map(drop)
            .map_err(|error| convert(error, "an operation can't be applied"))
    }
}

/// The least key above `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::VALUE_BYTES;

    #[test]
    fn a_durability_is_set_for_each_commit() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("store.sqlite")).unwrap();
        connection.execute_batch(&crate::SCHEMA.join(";")).unwrap();
        let mut writer = Writer::new(connection).unwrap();
        for (level, synchronous) in [
            (Durability::Power, 2),
            (Durability::Process, 1),
            (Durability::Process, 1),
            (Durability::Power, 2),
        ] {
            let mut batch = WriteBatch::new();
            batch.put("key", level.as_str());
            writer.commit(&batch, level).unwrap();
            let set: i64 =
                writer.connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(set, synchronous, "{level}");
        }
    }

    #[test]
    fn a_value_at_the_limit_fills_a_row() {
        use rusqlite::limits::Limit;
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&crate::SCHEMA.join(";")).unwrap();
        assert_eq!(connection.limit(Limit::SQLITE_LIMIT_LENGTH).unwrap(), 1_000_000_000);
        // A smaller limit stands for the real one; a length takes as many bytes from 134 million on.
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 140_000_000).unwrap();
        let insert = |bytes: usize| {
            connection.execute("INSERT INTO large(v) VALUES(zeroblob(?1))", [i64::try_from(bytes).unwrap()])
        };
        assert_eq!(insert(140_000_000 - (1_000_000_000 - VALUE_BYTES)), Ok(1));
        assert!(insert(140_000_000 - (1_000_000_000 - VALUE_BYTES) + 1).is_err());
    }
}
