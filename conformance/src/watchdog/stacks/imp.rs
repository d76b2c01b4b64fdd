//! Stacks on Linux: stopped with ptrace, unwound by the tables for exceptions, named by the debug
//! information.

mod modules;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64};
use framehop::{FrameAddress, Unwinder as _};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rustix::process::{PTracer, set_ptracer};

use super::super::tasks::Task;
use super::{Stacks, TASKS};
use modules::Modules;

/// How long the child may take: it reads the debug information of the program, which can be large.
const PATIENCE: Duration = Duration::from_secs(30);
/// More say no more: what is left out is the outermost.
const MOST_FRAMES: usize = 24;

pub(super) fn of_this_process(tasks: &[Task]) -> Result<Stacks, String> {
    let said = |what: &str, error: io::Error| format!("{what}: {error}");
    let list: Vec<_> = tasks.iter().map(|task| task.id.to_string()).collect();
    let program = std::env::current_exe().map_err(|error| said("the program isn't known", error))?;
    let mut child = Command::new(program)
        .env(TASKS, format!("{} {}", std::process::id(), list.join(" ")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| said("the child can't be started", error))?;
    let stacks = listen(&mut child);
    // It may still look at a thread that can't be stopped.
    drop(child.kill());
    drop(child.wait());
    // Refused where any child may trace its parent anyway.
    let _ = set_ptracer(PTracer::None);
    stacks
}

fn listen(child: &mut Child) -> Result<Stacks, String> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = set_ptracer(PTracer::ProcessID(pid));
    }
    let (Some(mut go), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".to_owned());
    };
    // It waits until it is allowed to.
    go.write_all(b"\n").map_err(|error| format!("the child doesn't listen: {error}"))?;
    let (line, lines) = channel();
    std::thread::spawn(move || {
        // Nobody listens once the wait was given up.
        BufReader::new(answers).lines().map_while(Result::ok).try_for_each(|text| line.send(text))
    });
    let stacks = collected(&lines);
    if stacks.is_empty() {
        return Err("the child couldn't look at the threads; tracing may be forbidden here".to_owned());
    }
    Ok(stacks)
}

fn collected(lines: &Receiver<String>) -> Stacks {
    let until = Instant::now() + PATIENCE;
    let mut stacks = Stacks::new();
    let mut task = None;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => match (line.strip_prefix("\t"), task) {
                (Some(frame), Some(task)) => stacks.entry(task).or_default().push(frame.to_owned()),
                _ => task = line.parse().ok(),
            },
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return stacks,
        }
    }
}

/// The child: prints each thread's number, and its frames after it, each behind a tab.
pub(super) fn serve(wanted: &str) -> Result<(), String> {
    let mut numbers =
        wanted.split(' ').map(|number| number.parse::<i32>().map_err(|error| error.to_string()));
    let process = numbers.next().ok_or("no process is named")??;
    let said = |error: io::Error| error.to_string();
    io::stdin().read_line(&mut String::new()).map_err(said)?;
    let modules = Modules::of(process)?;
    let memory = File::open(format!("/proc/{process}/mem")).map_err(said)?;
    let mut cache = CacheX86_64::<_>::new();
    for number in numbers {
        let number = number?;
        // One that has ended meanwhile has no stack any more.
        let Ok(frames) = addresses(Pid::from_raw(number), &modules, &memory, &mut cache) else { continue };
        let mut out = io::stdout().lock();
        let mut lines = format!("{number}\n");
        for frame in modules.named(&frames).into_iter().take(MOST_FRAMES) {
            lines.push('\t');
            lines.push_str(&frame);
            lines.push('\n');
        }
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(said)?;
    }
    Ok(())
}

/// Where a thread stands, and where it will return to: the addresses of the instructions.
fn addresses(
    thread: Pid,
    modules: &Modules,
    memory: &File,
    cache: &mut CacheX86_64,
) -> Result<Vec<u64>, nix::Error> {
    ptrace::seize(thread, ptrace::Options::empty())?;
    let stopped = ptrace::interrupt(thread)
        .and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)))
        .and_then(|_| ptrace::getregs(thread));
    let frames = stopped.map(|registers| {
        let mut read = |address: u64| {
            let mut word = [0; 8];
            memory.read_exact_at(&mut word, address).map_err(drop)?;
            Ok(u64::from_le_bytes(word))
        };
        let start = UnwindRegsX86_64::new(registers.rip, registers.rsp, registers.rbp);
        let mut frames = modules.unwinder.iter_frames(registers.rip, start, cache, &mut read);
        let mut found = Vec::new();
        while let (Ok(Some(frame)), true) = (frames.next(), found.len() < 4 * MOST_FRAMES) {
            found.push(match frame {
                FrameAddress::InstructionPointer(address) => address,
                // The call is before where it returns to.
                FrameAddress::ReturnAddress(address) => address.get() - 1,
            });
        }
        found
    });
    ptrace::detach(thread, None)?;
    frames
}
