//! A repo taken from store to store: a bundle that goes from one thread to another, and never to a file.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::super::versioned::Versioned;
use super::apply::{Applied, ApplyOptions, apply_bundle};
use super::format::BundleCounts;
use super::read::CUT_SHORT;
use super::write::{Selection, create_bundle};
use crate::spi::{Error, ErrorKind, Result, Store};

/// Pieces that the writer may be ahead of the reader: some sections, each with its head.
const PIECES_AHEAD: usize = 8;

/// Brings versions of a repo to another store, as [`create_bundle`] and [`apply_bundle`] do by a file. What was
/// brought can be proved by [`compare_repos`](crate::version::compare_repos).
///
/// # Errors
/// Those of both; nothing is brought then.
pub fn clone_repo<S: Store, T: Store>(
    (from, selection): (&Versioned<S>, &Selection),
    (to, options): (&Versioned<T>, &ApplyOptions),
    watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
) -> Result<Applied> {
    let (sender, inbox) = sync_channel(PIECES_AHEAD);
    thread::scope(|scope| {
        let writer =
            scope.spawn(move || create_bundle(from, selection, &mut Sending(sender), &mut |_| Ok(())));
        let mut reader = Receiving { inbox, piece: Vec::new(), at: 0 };
        let applied = apply_bundle(to, options, &mut reader, watch);
        // Without a reader the writer's next piece fails, and it ends.
        drop(reader);
        let created = writer.join().unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "the thread that reads the store has panicked"))
        });
        match (created, applied) {
            // Whichever failed first has made the other fail.
            (Err(cause), Err(error)) if error.message() == CUT_SHORT => Err(cause),
            (Err(cause), Ok(_)) => Err(cause),
            (_, applied) => applied,
        }
    })
}

struct Sending(SyncSender<Vec<u8>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Receiving {
    inbox: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Receiving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Ok(piece) = self.inbox.recv() else { return Ok(0) };
            (self.piece, self.at) = (piece, 0);
        }
        let count = (&self.piece[self.at..]).read(to)?;
        self.at += count;
        Ok(count)
    }
}
