//! What an executable file says about itself: its loader, and the libraries it needs (elf(5)).
//!
//! ```text
//!   header ──> program headers ──> PT_INTERP    the path of the loader
//!                             ├──> PT_DYNAMIC   pairs: DT_NEEDED, DT_RUNPATH … as places in the string table
//!                             └──> PT_LOAD      which bytes of the file are at which address
//! ```
//! Files of 64 bits in little-endian order are read, which are all that Linux distributions still build but for a few.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// What is needed to run or to load a file.
#[derive(Debug)]
pub struct Elf {
    /// Which processor it is for.
    pub machine: u16,
    /// The program that loads it; a library names none.
    pub interpreter: Option<PathBuf>,
    /// Names of libraries.
    pub needed: Vec<String>,
    /// Where it wants them to be looked for first.
    pub paths: Vec<String>,
}

/// A part of the file, and the address at which it will be.
struct Segment {
    kind: u32,
    offset: usize,
    address: u64,
    length: usize,
}

/// Whether a file begins like one.
pub fn is_elf(file: &[u8]) -> bool {
    file.starts_with(b"\x7fELF\x02\x01")
}

/// Which processor a file is for; nothing if it is of another format, or cannot be read.
pub fn machine_of(path: &Path) -> Option<u16> {
    let mut start = [0; 20];
    File::open(path).ok()?.read_exact(&mut start).ok()?;
    is_elf(&start).then(|| u16::from_le_bytes([start[18], start[19]]))
}

// ANCHOR: read
/// Reads a file; nothing if it is of another format, or damaged.
pub fn read(file: &[u8]) -> Option<Elf> {
    if !is_elf(file) {
        return None;
    }
    let segments = segments(file)?;
    let interpreter = match segments.iter().find(|segment| segment.kind == PT_INTERP) {
        Some(segment) => Some(PathBuf::from(OsStr::from_bytes(text(file, segment.offset)?))),
        None => None,
    };
    let pairs = match segments.iter().find(|segment| segment.kind == PT_DYNAMIC) {
        Some(segment) => pairs(file, segment)?,
        None => Vec::new(),
    };
    let strings = match pairs.iter().find(|(tag, _)| *tag == DT_STRTAB) {
        Some((_, address)) => offset(&segments, *address)?,
        None => 0,
    };
    let of = |wanted: u64| -> Option<Vec<String>> {
        let places = pairs.iter().filter(|(tag, _)| *tag == wanted).map(|(_, place)| *place);
        places
            .map(|place| {
                Some(str::from_utf8(text(file, strings.checked_add(place.try_into().ok()?)?)?).ok()?.into())
            })
            .collect()
    };
    // DT_RUNPATH replaces its predecessor.
    let paths = of(DT_RUNPATH).filter(|paths| !paths.is_empty()).or_else(|| of(DT_RPATH))?;
    let paths = paths.iter().flat_map(|paths| paths.split(':')).filter(|path| !path.is_empty());
    Some(Elf {
        machine: u16::from_le_bytes(bytes(file, 18)?),
        interpreter,
        needed: of(DT_NEEDED)?,
        paths: paths.map(str::to_owned).collect(),
    })
}
// ANCHOR_END: read

fn segments(file: &[u8]) -> Option<Vec<Segment>> {
    let start = number(file, 32)?;
    let size = usize::from(u16::from_le_bytes(bytes(file, 54)?));
    let count = usize::from(u16::from_le_bytes(bytes(file, 56)?));
    let segment = |index: usize| {
        let at = start.checked_add(index.checked_mul(size)?)?;
        Some(Segment {
            kind: u32::from_le_bytes(bytes(file, at)?),
            offset: number(file, at.checked_add(8)?)?,
            address: u64::from_le_bytes(bytes(file, at.checked_add(16)?)?),
            length: number(file, at.checked_add(32)?)?,
        })
    };
    (0..count).map(segment).collect()
}

/// The dynamic section: pairs of a tag and a value, up to the tag 0.
fn pairs(file: &[u8], segment: &Segment) -> Option<Vec<(u64, u64)>> {
    let end = segment.offset.checked_add(segment.length)?;
    let section = file.get(segment.offset..end)?;
    let pair = |pair: &[u8]| Some((u64::from_le_bytes(bytes(pair, 0)?), u64::from_le_bytes(bytes(pair, 8)?)));
    let pairs: Vec<(u64, u64)> = section.chunks_exact(16).map(pair).collect::<Option<_>>()?;
    Some(pairs.into_iter().take_while(|(tag, _)| *tag != DT_NULL).collect())
}

/// Where in the file is what will be at an address.
fn offset(segments: &[Segment], address: u64) -> Option<usize> {
    let holds = |segment: &&Segment| {
        let distance = address.checked_sub(segment.address);
        segment.kind == PT_LOAD && distance.is_some_and(|distance| distance < segment.length as u64)
    };
    let segment = segments.iter().find(holds)?;
    segment.offset.checked_add((address - segment.address).try_into().ok()?)
}

/// The bytes up to a NUL.
fn text(file: &[u8], at: usize) -> Option<&[u8]> {
    let rest = file.get(at..)?;
    rest.get(..rest.iter().position(|byte| *byte == 0)?)
}

fn number(file: &[u8], at: usize) -> Option<usize> {
    u64::from_le_bytes(bytes(file, at)?).try_into().ok()
}

fn bytes<const COUNT: usize>(file: &[u8], at: usize) -> Option<[u8; COUNT]> {
    file.get(at..at.checked_add(COUNT)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_names_its_loader_and_its_libraries() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = read(&program).unwrap();
        assert!(elf.interpreter.unwrap().exists());
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.")), "{:?}", elf.needed);
    }

    #[test]
    fn a_damaged_file_is_no_elf_and_no_panic() {
        let program = std::fs::read("/bin/true").unwrap();
        for length in (0..program.len()).step_by(61) {
            let _ = read(&program[..length]);
        }
        let mut damaged = program.clone();
        for at in 16..1024.min(program.len()) {
            damaged[at] = 0xff;
            let _ = read(&damaged);
            damaged[at] = program[at];
        }
    }
}
