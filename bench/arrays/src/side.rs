//! What is compared: one array of u16 in a file on a local disk, as each of the two crates has it.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use tokio::runtime::Runtime;

use crate::Outcome;

/// The name of the one array.
const ARRAY: &str = "image";
const FILE: &str = "a.af";

/// Where and how a file is written.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) folder: PathBuf,
    pub(crate) codec: String,
    /// Whether every object is forced to the disk; the peer can't.
    pub(crate) forced: bool,
}

/// One of the crates, and a file of its that is open.
pub(crate) trait Side: Sized {
    /// Makes a file with the array in it, in a folder that is there.
    fn create(place: &Place, shape: [usize; 3], chunk: [usize; 3]) -> Outcome<Self>;

    /// Opens it, with nothing in any cache of the crate's.
    fn open(place: &Place) -> Outcome<Self>;

    fn write(&mut self, start: [usize; 3], view: ArrayViewD<'_, u16>) -> Outcome<()>;

    fn flush(&mut self) -> Outcome<()>;

    /// Reads a region, and answers it as the crate gives it.
    fn read(&self, start: [usize; 3], shape: [usize; 3]) -> Outcome<impl PartialEq<ArrayD<u16>> + 'static>;

    fn compact(&mut self) -> Outcome<()>;
}

/// The crate `array-file`.
pub(crate) struct Ours {
    runtime: Arc<Runtime>,
    file: array_file::ArrayFile,
}

impl Ours {
    fn parts(place: &Place) -> Outcome<(Arc<dyn object_store::ObjectStore>, array_file::FileConfig)> {
        let disk = array_file::LocalDisk::with_fsync(&place.folder, place.forced)?;
        let codec: chunks::Codec = place.codec.parse()?;
        Ok((Arc::new(disk), array_file::FileConfig::new(codec)))
    }
}

impl Side for Ours {
    fn create(place: &Place, shape: [usize; 3], chunk: [usize; 3]) -> Outcome<Self> {
        let (store, config) = Self::parts(place)?;
        let mut file = place.runtime.block_on(array_file::ArrayFile::create(store, FILE, config))?;
        let [shape, chunk] = [shape, chunk].map(|lengths| lengths.map(|length| length as u64));
        file.define_array(ARRAY, array_file::ArraySpec::new::<u16>(&shape).chunk_shape(&chunk))?;
        Ok(Self { runtime: Arc::clone(&place.runtime), file })
    }

    fn open(place: &Place) -> Outcome<Self> {
        let (store, config) = Self::parts(place)?;
        let file = place.runtime.block_on(array_file::ArrayFile::open(store, FILE, config))?;
        Ok(Self { runtime: Arc::clone(&place.runtime), file })
    }

    fn write(&mut self, start: [usize; 3], view: ArrayViewD<'_, u16>) -> Outcome<()> {
        let start = start.map(|axis| axis as u64);
        Ok(self.runtime.block_on(self.file.write_array(ARRAY, &start, view))?)
    }

    fn flush(&mut self) -> Outcome<()> {
        self.runtime.block_on(self.file.flush())?;
        Ok(())
    }

    fn read(&self, start: [usize; 3], shape: [usize; 3]) -> Outcome<impl PartialEq<ArrayD<u16>> + 'static> {
        let [start, shape] = [start, shape].map(|axes| axes.map(|axis| axis as u64));
        let read: ArrayD<u16> = self.runtime.block_on(self.file.read_array(ARRAY, &start, &shape))?;
        Ok(read)
    }

    fn compact(&mut self) -> Outcome<()> {
        self.runtime.block_on(self.file.compact())?;
        Ok(())
    }
}

/// The crate `array-format`, at the last version that its layered design is of.
pub(crate) struct Peer {
    runtime: Arc<Runtime>,
    file: array_format::ArrayFile,
}

/// Calls one of the peer's constructors with the codec that a place names.
macro_rules! peer {
    ($place:expr, $constructor:ident) => {{
        use array_format::{FileConfig, Lz4Codec, NoCompression, ZstdCodec};
        let disk = object_store_of_array_format::local::LocalFileSystem::new_with_prefix(&$place.folder)?;
        let (store, path) = (Arc::new(disk), FILE.into());
        let file = $place.runtime.block_on(async {
            match &*$place.codec {
                "none" => {
                    array_format::ArrayFile::$constructor(store, path, FileConfig::new(NoCompression)).await
                }
                "lz4" => array_format::ArrayFile::$constructor(store, path, FileConfig::new(Lz4Codec)).await,
                _ => {
                    let codec = ZstdCodec { level: 3 };
                    array_format::ArrayFile::$constructor(store, path, FileConfig::new(codec)).await
                }
            }
        })?;
        Self { runtime: Arc::clone(&$place.runtime), file }
    }};
}

impl Side for Peer {
    fn create(place: &Place, shape: [usize; 3], chunk: [usize; 3]) -> Outcome<Self> {
        let mut peer = peer!(place, create);
        let names = ["z", "y", "x"].map(str::to_owned).to_vec();
        peer.file.define_array::<u16>(ARRAY, names, shape.to_vec(), Some(chunk.to_vec()), None)?;
        Ok(peer)
    }

    fn open(place: &Place) -> Outcome<Self> {
        Ok(peer!(place, open))
    }

    fn write(&mut self, start: [usize; 3], view: ArrayViewD<'_, u16>) -> Outcome<()> {
        Ok(self.runtime.block_on(self.file.write_array(ARRAY, start.to_vec(), view))?)
    }

    fn flush(&mut self) -> Outcome<()> {
        Ok(self.runtime.block_on(self.file.flush())?)
    }

    fn read(&self, start: [usize; 3], shape: [usize; 3]) -> Outcome<impl PartialEq<ArrayD<u16>> + 'static> {
        let read =
            self.runtime.block_on(self.file.read_array::<u16>(ARRAY, start.to_vec(), shape.to_vec()))?;
        Ok(read)
    }

    fn compact(&mut self) -> Outcome<()> {
        Ok(self.runtime.block_on(self.file.compact())?)
    }
}
