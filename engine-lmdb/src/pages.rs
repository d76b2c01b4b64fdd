//! The pages of a file, read beside LMDB: it keeps no checksums, and takes what a page says on trust.

use std::fs::File;

use engine_api::{Error, Result};
use heed::{Env, WithoutTls};

use super::error::convert;
use super::layout::{
    BIG, BRANCH, DEPTH, HEAD, KINDS, LEAF, NONE, NUMBER, OVERFLOW, TABLE, TREE, TREES, child, damaged, long,
    low, number, read, short, slice,
};

/// How often a commit may come between a transaction and its header.
const ATTEMPTS: usize = 1000;

/// Checks that every page in use lies within the file, says of itself what the page above says of it, and
/// is used once; that keys ascend; and that the counts are right. Values aren't looked at.
///
/// # Errors
/// `Corrupt` names what is wrong, and the page.
pub(crate) fn check(env: &Env<WithoutTls>) -> Result<()> {
    // The pages that it reads aren't changed while there is a transaction, but two commits later the header
    // is another's.
    for _ in 0..ATTEMPTS {
        let txn = env.read_txn().map_err(|error| convert(error, "a read transaction can't be begun"))?;
        let file = env.try_clone_inner_file();
        let file = file.map_err(|error| convert(error, "the file can't be read"))?;
        let page_bytes = env.unnamed_database_stat().page_size as usize;
        for header in [0, 1] {
            let header = read(&file, header * page_bytes, TREES + 2 * TREE + 2 * NUMBER)?;
            if number(&header, TREES + 2 * TREE + NUMBER)? == txn.id() {
                return Walk::new(file, page_bytes, &header)?.all(&header);
            }
        }
    }
    Err(damaged("no header is that of the last commit"))
}

/// Whether the file is shorter than its header says. It may be, where the last pages are free.
pub(crate) fn is_short(env: &Env<WithoutTls>) -> Result<bool> {
    let pages = env.info().last_page_number as u64 + 1;
    let length = env.real_disk_size().map_err(|error| convert(error, "the file can't be looked at"))?;
    Ok(pages.saturating_mul(env.unnamed_database_stat().page_size.into()) > length)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    branches: usize,
    leaves: usize,
    overflows: usize,
    entries: usize,
}

struct Walk {
    file: File,
    page_bytes: usize,
    /// Whether each page is used.
    used: Vec<bool>,
    /// The trees found in the tree of tables.
    tables: Vec<Vec<u8>>,
    /// The pages found in the tree of free pages.
    free: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Free,
    Tables,
    Entries,
}

/// The key that was met last on the way from left to right.
#[derive(Default)]
struct Last {
    key: Vec<u8>,
    /// Whether it is an entry's. The key of a branch may be that of the entry which comes next.
    entry: bool,
}

impl Last {
    fn follow(&mut self, key: &[u8], entry: bool) -> Result<()> {
        if self.key.as_slice() > key || (self.entry && self.key == key) {
            return Err(damaged("keys don't ascend").with_key("key", key));
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.entry = entry;
        Ok(())
    }
}

impl Walk {
    fn new(file: File, page_bytes: usize, header: &[u8]) -> Result<Self> {
        let stated = number(header, TREES + 2 * TREE)?.saturating_add(1);
        let length =
            file.metadata().map_err(|error| Error::from_io(error, "the file can't be looked at"))?.len();
        let present = usize::try_from(length / page_bytes as u64).unwrap_or(usize::MAX);
        let mut used = vec![false; stated.min(present)];
        used.iter_mut().take(2).for_each(|header| *header = true);
        Ok(Self { file, page_bytes, used, tables: Vec::new(), free: Vec::new() })
    }

    fn all(mut self, header: &[u8]) -> Result<()> {
        self.tree(slice(header, TREES, TREE)?, Kind::Free)?;
        self.tree(slice(header, TREES + TREE, TREE)?, Kind::Tables)?;
        for table in std::mem::take(&mut self.tables) {
            self.tree(&table, Kind::Entries)?;
        }
        for page in std::mem::take(&mut self.free) {
            // The last pages may be free and not there.
            if self.used.get(page).is_some_and(|used| *used) {
                return Err(damaged("a page that is in use is among the free ones").with("page", page));
            }
        }
        Ok(())
    }

    fn tree(&mut self, tree: &[u8], kind: Kind) -> Result<()> {
        let (depth, root) = (short(tree, 6)?, number(tree, 8 + 4 * NUMBER)?);
        let stated = |nth| number(tree, 8 + nth * NUMBER);
        let stated =
            Counts { branches: stated(0)?, leaves: stated(1)?, overflows: stated(2)?, entries: stated(3)? };
        let mut found = Counts::default();
        if root != NONE {
            if depth == 0 || depth > DEPTH {
                return Err(damaged("a tree is deeper than it can be").with("depth", depth));
            }
            self.page(root, depth, kind, &mut found, &mut Last::default())?;
        }
        if found == stated {
            return Ok(());
        }
        Err(damaged("a tree's counts are wrong")
            .with("stated", format_args!("{stated:?}"))
            .with("found", format_args!("{found:?}")))
    }

    fn page(
        &mut self,
        at: usize,
        depth: u16,
        kind: Kind,
        counts: &mut Counts,
        last: &mut Last,
    ) -> Result<()> {
        self.claim(at, 1)?;
        let page = read(&self.file, at * self.page_bytes, self.page_bytes)?;
        let in_page = |error: Error| error.with("page", at);
        let wanted = if depth == 1 { LEAF } else { BRANCH };
        if number(&page, 0)? != at || short(&page, NUMBER + 2)? & KINDS != wanted {
            return Err(in_page(damaged("a page isn't what the page above says")));
        }
        let ends = usize::from(short(&page, NUMBER + 4)?);
        for (nth, pointer) in (HEAD..ends).step_by(2).enumerate() {
            let node = usize::from(short(&page, pointer).map_err(in_page)?);
            let head = slice(&page, node, 8).map_err(in_page)?;
            let (flags, key_bytes) = (short(head, 4)?, usize::from(short(head, 6)?));
            let key = slice(&page, node + 8, key_bytes).map_err(in_page)?;
            // The first key of a branch stands for all that is lower, whatever its bytes.
            if kind != Kind::Free && (depth == 1 || nth > 0) {
                last.follow(key, depth == 1).map_err(in_page)?;
            }
            if depth > 1 {
                self.page(child(head)?, depth - 1, kind, counts, last)?;
                continue;
            }
            counts.entries += 1;
            let value = node + 8 + key_bytes;
            self.value(&page, value, low(head)?, flags, kind, counts).map_err(in_page)?;
        }
        *(if depth == 1 { &mut counts.leaves } else { &mut counts.branches }) += 1;
        Ok(())
    }

    fn value(
        &mut self,
        page: &[u8],
        at: usize,
        bytes: usize,
        flags: u16,
        kind: Kind,
        counts: &mut Counts,
    ) -> Result<()> {
        let wanted = if kind == Kind::Tables { TABLE } else { 0 };
        if flags & !BIG != wanted {
            return Err(damaged("an entry is of another kind than its tree's"));
        }
        let value = if flags & BIG == 0 {
            slice(page, at, bytes)?.to_vec()
        } else {
            let first = number(page, at)?;
            let head = self.read_head(first)?;
            let pages = long(&head, NUMBER + 4)?;
            if number(&head, 0)? != first || short(&head, NUMBER + 2)? & KINDS != OVERFLOW {
                return Err(damaged("the pages of a value are something else").with("value", first));
            }
            if pages.saturating_mul(self.page_bytes) < bytes.saturating_add(HEAD) {
                return Err(damaged("a value is longer than its pages").with("value", first));
            }
            self.claim(first, pages)?;
            counts.overflows += pages;
            match kind {
                Kind::Free => read(&self.file, first * self.page_bytes + HEAD, bytes)?,
                _ => Vec::new(),
            }
        };
        match kind {
            Kind::Entries => {}
            Kind::Tables => self.tables.push(value),
            Kind::Free => {
                for nth in 1..=number(&value, 0)? {
                    self.free.push(number(&value, nth * NUMBER)?);
                }
            }
        }
        Ok(())
    }

    fn read_head(&self, page: usize) -> Result<Vec<u8>> {
        if page >= self.used.len() {
            return Err(damaged("a page lies beyond the end of the file").with("page", page));
        }
        read(&self.file, page * self.page_bytes, HEAD)
    }

    fn claim(&mut self, first: usize, count: usize) -> Result<()> {
        let pages = first.checked_add(count).and_then(|end| self.used.get_mut(first..end));
        let Some(pages) = pages else {
            return Err(damaged("a page lies beyond the end of the file").with("page", first));
        };
        if pages.iter().any(|used| *used) {
            return Err(damaged("a page is used twice").with("page", first));
        }
        pages.fill(true);
        Ok(())
    }
}
