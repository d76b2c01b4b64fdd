//! A write transaction's tables, and what a batch does to them.

use engine_api::{Error, Op, Result, Scan, WriteBatch};
use redb::{AccessGuard, ReadableTable, Table, WriteTransaction};

use super::error::convert;
use super::parts::{REST, Slice, first_part, join, may_be_part};
use super::store::TABLE;

/// The tables of a store in a transaction.
pub(crate) struct Tables<'t> {
    txn: &'t WriteTransaction,
    values: Table<'t, Slice, Slice>,
    /// Opened, which creates it, by the first value that needs it.
    rests: Option<Table<'t, Slice, Slice>>,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(txn: &'t WriteTransaction) -> Result<Self> {
        let values = txn.open_table(TABLE).map_err(|error| convert(error, "the table can't be opened"))?;
        Ok(Self { txn, values, rests: None })
    }

    pub(crate) fn judge(&mut self, batch: &WriteBatch) -> Result<()> {
        for requirement in batch.requirements() {
            let key = requirement.key.as_ref();
            let stored = self.values.get(key).map_err(unread)?;
            let first = stored.as_ref().map(AccessGuard::value);
            let rest = match first.filter(|first| may_be_part(key, first)) {
                Some(_) => rests(self.txn, &mut self.rests).map_err(unread)?.get(key).map_err(unread)?,
                None => None,
            };
            match (first, rest) {
                (Some(first), Some(rest)) => requirement.judge(Some(&join(first, rest.value())))?,
                _ => requirement.judge(first)?,
            }
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Result<(), redb::Error> {
        match op {
            Op::Put { key, value } => self.put(key, value),
            Op::Delete { key } => {
                let removed = self.values.remove(key.as_ref())?;
                if removed.is_some_and(|removed| may_be_part(key, removed.value())) {
                    rests(self.txn, &mut self.rests)?.remove(key.as_ref())?;
                }
                Ok(())
            }
            Op::DeleteRange { start, end } => {
                let range = Scan::of_range(start, end);
                if range.is_empty() {
                    return Ok(());
                }
                let mut parts = false;
                self.values.retain_in::<&[u8], _>((range.start, range.end), |key, value| {
                    parts |= may_be_part(key, value);
                    false
                })?;
                if parts {
                    let rests = rests(self.txn, &mut self.rests)?;
                    rests.retain_in::<&[u8], _>((range.start, range.end), |_, _| false)?;
                }
                Ok(())
            }
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), redb::Error> {
        let (first, rest) = value.split_at(first_part(key, value).unwrap_or(value.len()));
        let replaced = self.values.insert(key, first)?;
        if !rest.is_empty() {
            drop(replaced);
            rests(self.txn, &mut self.rests)?.insert(key, rest)?;
        } else if replaced.is_some_and(|replaced| may_be_part(key, replaced.value())) {
            rests(self.txn, &mut self.rests)?.remove(key)?;
        }
        Ok(())
    }
}

fn rests<'a, 't>(
    txn: &'t WriteTransaction,
    opened: &'a mut Option<Table<'t, Slice, Slice>>,
) -> Result<&'a mut Table<'t, Slice, Slice>, redb::Error> {
    let table = match opened.take() {
        Some(table) => table,
        None => txn.open_table(REST)?,
    };
    Ok(opened.insert(table))
}

fn unread(error: impl Into<redb::Error>) -> Error {
    convert(error, "a required key can't be read")
}
