//! A child process that runs, and what it has told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine_api::{Durability, ErrorKind};

use crate::verdict::{Halt, Verdict};

/// A child that has said nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a child has told before its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Whether the store was opened.
    pub(crate) opened: bool,
    /// Why it wasn't, or couldn't be read.
    pub(crate) unopened: Option<String>,
    /// Those of its commits that have returned, with how durable they are then.
    pub(crate) committed: Vec<(usize, Durability)>,
    /// Those that were refused.
    pub(crate) refused: Vec<(usize, ErrorKind)>,
    /// How many entries it has read.
    pub(crate) read: Option<usize>,
    /// Whether it has closed the store.
    pub(crate) closed: bool,
}

impl Told {
    fn hear(&mut self, line: &str) -> Verdict {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (first, first.parse::<usize>()) {
            ("opened", _) => self.opened = true,
            ("closed", _) => self.closed = true,
            ("unopened" | "unread", _) => self.unopened = Some(rest.to_owned()),
            ("read", _) => self.read = rest.parse().ok(),
            (_, Ok(number)) => {
                let kind = rest.strip_prefix("refused ");
                let kind = kind.and_then(|kind| ErrorKind::ALL.iter().find(|known| known.as_str() == kind));
                let level = Durability::ALL.iter().find(|level| level.as_str() == rest);
                match (kind, level) {
                    (Some(kind), _) => self.refused.push((number, *kind)),
                    (None, Some(level)) => self.committed.push((number, *level)),
                    (None, None) => return Err(nonsense(line)),
                }
            }
            _ => return Err(nonsense(line)),
        }
        Ok(())
    }
}

fn nonsense(line: &str) -> Halt {
    Halt::failed(format!("the child says what it isn't there to say: {line:?}"))
}

/// A child process. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    heard: Instant,
    told: Told,
}

/// What a moment of waiting has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Line,
    Quiet,
    Ended,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Verdict<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or_else(|| Halt::failed("the child has no output"))?;
        let (send, lines) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines, reader: Some(reader), heard: Instant::now(), told: Told::default() })
    }

    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Waits for a line, for a moment.
    ///
    /// # Errors
    /// A child that has been quiet for long fails the case.
    pub(crate) fn hear(&mut self, moment: Duration) -> Verdict<Moment> {
        match self.lines.recv_timeout(moment) {
            Ok(line) => {
                self.heard = Instant::now();
                self.told.hear(&line)?;
                Ok(Moment::Line)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(Moment::Ended),
            Err(RecvTimeoutError::Timeout) if self.heard.elapsed() < PATIENCE => Ok(Moment::Quiet),
            Err(RecvTimeoutError::Timeout) => {
                let told = &self.told;
                Err(Halt::failed(format!("the child hangs: quiet for {PATIENCE:?}, after {told:?}")))
            }
        }
    }

    /// Waits until the store is opened; whether it was.
    pub(crate) fn wait_for_opening(&mut self) -> Verdict<bool> {
        while !self.told.opened {
            if self.hear(PATIENCE)? == Moment::Ended {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets it begin to commit.
    pub(crate) fn begin(&mut self) -> Verdict {
        match self.child.stdin.take() {
            // One that has ended meanwhile doesn't listen.
            Some(mut input) => Ok(input.write_all(b"\n").or_else(|error| {
                if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
            })?),
            None => Ok(()),
        }
    }

    /// Kills it, and answers what it had told.
    pub(crate) fn kill(mut self) -> Verdict<Told> {
        self.child.kill()?;
        self.end().map(|(told, _)| told)
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Verdict<(Told, ExitStatus)> {
        while self.hear(PATIENCE)? != Moment::Ended {}
        self.end()
    }

    fn end(&mut self) -> Verdict<(Told, ExitStatus)> {
        let status = self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        // What it had said before, and nobody had heard yet, counts. Its last line may be cut short.
        while let Ok(line) = self.lines.try_recv() {
            self.told.hear(&line).ok();
        }
        Ok((std::mem::take(&mut self.told), status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reader.is_some() {
            // It has hung, or the case has failed: there is nothing more to be learnt from it.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
