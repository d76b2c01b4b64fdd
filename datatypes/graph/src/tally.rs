//! Sums by key, of more keys than fit into memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind as IoKind, Read, Seek, SeekFrom, Write};

use engine_api::{Error, Result};

/// What sums are kept of: a label, or two that touch.
pub(crate) type Key = [u64; 2];

/// As many files as are merged at once.
const RUNS: usize = 64;

/// Numbers that are added up by key. When there are too many keys they go, sorted, to a temporary file without a name; at the
/// end all files are merged.
#[derive(Debug)]
pub(crate) struct Tally<const N: usize> {
    sums: HashMap<Key, [i128; N]>,
    /// The most keys in memory.
    most: usize,
    runs: Vec<File>,
}

impl<const N: usize> Tally<N> {
    pub(crate) fn new(most: usize) -> Self {
        Self { sums: HashMap::new(), most: most.max(1), runs: Vec::new() }
    }

    pub(crate) fn add(&mut self, key: Key, numbers: &[i128; N]) -> Result<()> {
        if self.sums.len() >= self.most && !self.sums.contains_key(&key) {
            self.spill()?;
        }
        add(self.sums.entry(key).or_insert([0; N]), numbers);
        Ok(())
    }

    fn sorted(&mut self) -> Vec<(Key, [i128; N])> {
        let mut sums: Vec<_> = self.sums.drain().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        sums
    }

    fn spill(&mut self) -> Result<()> {
        let mut out = Writing::begin()?;
        self.sorted().into_iter().try_for_each(|(key, sums)| out.write(key, sums))?;
        self.runs.push(out.end()?);
        if self.runs.len() == RUNS {
            let mut out = Writing::begin()?;
            merge(self.runs.drain(..).collect(), |key, sums: [i128; N]| out.write(key, sums))?;
            self.runs.push(out.end()?);
        }
        Ok(())
    }

    /// Visits the sums by ascending key.
    pub(crate) fn finish(mut self, mut visit: impl FnMut(Key, [i128; N]) -> Result<()>) -> Result<()> {
        if self.runs.is_empty() {
            return self.sorted().into_iter().try_for_each(|(key, sums)| visit(key, sums));
        }
        self.spill()?;
        merge(self.runs, visit)
    }
}

/// Visits the sums of all files by ascending key.
fn merge<const N: usize>(runs: Vec<File>, mut visit: impl FnMut(Key, [i128; N]) -> Result<()>) -> Result<()> {
    let mut runs: Vec<_> = runs.into_iter().map(Run::<N>::open).collect::<Result<_>>()?;
    while let Some(key) = runs.iter().filter_map(|run| run.next.map(|(key, _)| key)).min() {
        let mut sums = [0; N];
        for run in &mut runs {
            while let Some((at, numbers)) = run.next
                && at == key
            {
                add(&mut sums, &numbers);
                run.advance()?;
            }
        }
        visit(key, sums)?;
    }
    Ok(())
}

fn add<const N: usize>(sums: &mut [i128; N], numbers: &[i128; N]) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number;
    }
}

/// A sorted file that is written.
struct Writing(BufWriter<File>);

impl Writing {
    fn begin() -> Result<Self> {
        tempfile::tempfile().map(BufWriter::new).map(Self).map_err(failed)
    }

    fn write<const N: usize>(&mut self, key: Key, sums: [i128; N]) -> Result<()> {
        let mut each = |bytes: &[u8]| self.0.write_all(bytes).map_err(failed);
        key.iter().try_for_each(|word| each(&word.to_le_bytes()))?;
        sums.iter().try_for_each(|sum| each(&sum.to_le_bytes()))
    }

    fn end(self) -> Result<File> {
        let mut file = self.0.into_inner().map_err(|error| failed(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(file)
    }
}

/// A sorted file.
struct Run<const N: usize> {
    file: BufReader<File>,
    next: Option<(Key, [i128; N])>,
}

impl<const N: usize> Run<N> {
    fn open(file: File) -> Result<Self> {
        let mut run = Self { file: BufReader::new(file), next: None };
        run.advance()?;
        Ok(run)
    }

    fn advance(&mut self) -> Result<()> {
        let mut word = [0; 8];
        match self.file.read_exact(&mut word) {
            Err(error) if error.kind() == IoKind::UnexpectedEof => {
                self.next = None;
                return Ok(());
            }
            outcome => outcome.map_err(failed)?,
        }
        let first = u64::from_le_bytes(word);
        self.file.read_exact(&mut word).map_err(failed)?;
        let mut sums = [0; N];
        for sum in &mut sums {
            let mut wide = [0; 16];
            self.file.read_exact(&mut wide).map_err(failed)?;
            *sum = i128::from_le_bytes(wide);
        }
        self.next = Some(([first, u64::from_le_bytes(word)], sums));
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::from_io(error, "a temporary file can't be used")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn sums_are_the_same_however_few_fit_into_memory() {
        let mut random = fastrand::Rng::with_seed(7);
        let added: Vec<(Key, [i128; 2])> =
            (0..2000).map(|_| ([random.u64(..20), random.u64(..20)], [1, random.i32(..).into()])).collect();
        let mut expected = BTreeMap::<Key, [i128; 2]>::new();
        for (key, numbers) in &added {
            let sums = expected.entry(*key).or_default();
            sums[0] += numbers[0];
            sums[1] += numbers[1];
        }
        for most in [1, 7, 100, 10_000] {
            let mut tally = Tally::<2>::new(most);
            for (key, numbers) in &added {
                tally.add(*key, numbers).unwrap();
            }
            let mut found = Vec::new();
            tally
                .finish(|key, sums| {
                    found.push((key, sums));
                    Ok(())
                })
                .unwrap();
            assert!(found == expected.clone().into_iter().collect::<Vec<_>>(), "{most}");
        }
    }
}
