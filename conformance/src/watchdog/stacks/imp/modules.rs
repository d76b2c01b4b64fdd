//! The program and its libraries: where they are in memory, how to unwind through them, and their names.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use framehop::x86_64::UnwinderX86_64;
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _};
use object::{Object as _, ObjectSection as _, ObjectSegment, SegmentFlags};

pub(super) struct Modules {
    pub(super) unwinder: UnwinderX86_64<Vec<u8>>,
    files: Vec<Mapped>,
}

/// A file that is mapped.
struct Mapped {
    path: PathBuf,
    /// Where its code is in memory.
    addresses: Range<u64>,
    /// What is added to an address in the file to get the one in memory.
    bias: u64,
    names: Option<Loader>,
}

/// A part of a file that is mapped as code.
struct Code {
    addresses: Range<u64>,
    offset: u64,
}

impl Modules {
    /// The modules of a process, which runs on meanwhile.
    pub(super) fn of(process: i32) -> Result<Self, String> {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).map_err(|error| error.to_string())?;
        let mut modules = Self { unwinder: UnwinderX86_64::new(), files: Vec::new() };
        for (path, code) in executable(&maps) {
            // What can't be read, such as the kernel's own page, has no names; the others do.
            let _ = modules.add(path, &code);
        }
        Ok(modules)
    }

    fn add(&mut self, path: &str, code: &Code) -> Option<()> {
        let bytes = fs::read(path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        // A segment is mapped from the page that it begins in.
        let segment = file
            .segments()
            .find(|segment| is_code(segment) && page(segment.file_range().0) == code.offset)?;
        let bias = code.addresses.start.wrapping_sub(page(segment.address()));
        let section = |name: &str| file.section_by_name(name);
        let range = |name: &str| section(name).map(|part| part.address()..part.address() + part.size());
        let data = |name: &str| section(name).and_then(|part| part.data().ok()).map(<[u8]>::to_vec);
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..ExplicitModuleSectionInfo::default()
        };
        self.unwinder.add_module(Module::new(path.to_owned(), code.addresses.clone(), bias, sections));
        self.files.push(Mapped {
            path: path.into(),
            addresses: code.addresses.clone(),
            bias,
            names: Loader::new(path).ok(),
        });
        Some(())
    }

    /// The functions at these addresses, with those that were inlined into them, and their lines; without
    /// what starts every thread.
    pub(super) fn named(&self, addresses: &[u64]) -> Vec<String> {
        let mut frames = Vec::new();
        for address in addresses {
            let Some(file) = self.files.iter().find(|file| file.addresses.contains(address)) else {
                frames.push(format!("{address:#x}"));
                continue;
            };
            if !file.name(*address, &mut frames) {
                let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                frames.push(format!("{:#x} in {name}", address.wrapping_sub(file.bias)));
            }
        }
        if let Some(start) = frames.iter().position(|frame| frame.contains("__rust_begin_short_backtrace")) {
            frames.truncate(start);
        }
        frames
    }
}

impl Mapped {
    /// Adds the functions at an address; answers whether there was one.
    fn name(&self, address: u64, frames: &mut Vec<String>) -> bool {
        let Some(names) = &self.names else { return false };
        let address = address.wrapping_sub(self.bias);
        let symbol = names.find_symbol(address).map(|symbol| addr2line::demangle_auto(symbol.into(), None));
        let before = frames.len();
        if let Ok(mut found) = names.find_frames(address) {
            while let Ok(Some(frame)) = found.next() {
                let named = frame.function.as_ref().and_then(|function| function.demangle().ok());
                // Line tables alone have no names but those that were inlined.
                let Some(name) = named.as_ref().or(symbol.as_ref()) else { continue };
                let line = frame.location.and_then(|at| Some((short(at.file?), at.line?)));
                frames.push(match line {
                    Some((file, line)) => format!("{} at {file}:{line}", plain(name)),
                    None => plain(name),
                });
            }
        }
        if frames.len() == before
            && let Some(name) = symbol
        {
            frames.push(plain(&name));
        }
        frames.len() > before
    }
}

/// Where the page of an address begins.
fn page(address: u64) -> u64 {
    address & !0xFFF
}

fn is_code<'data>(segment: &impl ObjectSegment<'data>) -> bool {
    matches!(segment.flags(), SegmentFlags::Elf { p_flags, .. } if p_flags.0 & object::elf::PF_X.0 != 0)
}

/// A name without the hash that tells it from others of its name, and no longer than can be read.
fn plain(name: &str) -> String {
    const LONGEST: usize = 120;
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => name,
    };
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The last parts of a path, which tell enough.
fn short(path: &str) -> String {
    let parts: Vec<_> = Path::new(path).iter().rev().take(3).collect();
    parts.into_iter().rev().collect::<PathBuf>().display().to_string()
}

/// The files that are mapped as code, each with where its code begins and ends.
fn executable(maps: &str) -> BTreeMap<&str, Code> {
    let mut files = BTreeMap::new();
    for line in maps.lines() {
        // `start-end permissions offset device inode   path`
        let mut fields = line.splitn(6, ' ');
        let (Some(addresses), Some(permissions), Some(offset)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let path = fields.nth(2).map_or("", str::trim);
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let ends = addresses.split_once('-').and_then(|(start, end)| Some((hex(start)?, hex(end)?)));
        let (Some((start, end)), Some(offset)) = (ends, hex(offset)) else { continue };
        if !path.starts_with('/') || !permissions.contains('x') {
            continue;
        }
        files
            .entry(path)
            .and_modify(|code: &mut Code| code.addresses.end = end)
            .or_insert(Code { addresses: start..end, offset });
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read() {
        let maps = "\
5581c0000000-5581c0001000 r--p 00000000 fe:00 12   /a file
5581c0001000-5581c0003000 r-xp 00001000 fe:00 12   /a file
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0   [vdso]
";
        let files = executable(maps);
        assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["/a file"]);
        let code = &files["/a file"];
        assert_eq!((code.addresses.clone(), code.offset), (0x5581_c000_1000..0x5581_c000_3000, 0x1000));
    }

    #[test]
    fn names_are_short() {
        assert_eq!(plain("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(plain("a::house"), "a::house");
        assert_eq!(plain(&"é".repeat(121)), format!("{}…", "é".repeat(120)));
        assert_eq!(short("/a/b/c/d.rs"), "b/c/d.rs");
    }
}
