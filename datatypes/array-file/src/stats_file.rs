//! The object that keeps the statistics of a commit's arrays: a copy of what the index says, to be had at once.

use crate::error::{Error, Result};
use crate::stats::ArrayStats;
use crate::wire::{Reader, Writer};

const MAGIC: [u8; 4] = *b"\x8bKAS";
const VERSION: u32 = 1;

/// The statistics of a commit, by the ids of its arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatsFile {
    pub(crate) commit: u64,
    /// The checksum of the commit's manifest: another writer's commit of the same number has another.
    pub(crate) checksum: u32,
    pub(crate) arrays: Vec<(u64, ArrayStats)>,
}

impl StatsFile {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Writer::default();
        out.raw(&MAGIC);
        out.u32(VERSION);
        out.u64(self.commit);
        out.u32(self.checksum);
        out.count(self.arrays.len())?;
        for (id, stats) in &self.arrays {
            out.u64(*id);
            stats.encode(&mut out)?;
        }
        Ok(out.seal())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::sealed(bytes)?;
        if reader.bytes::<4>()? != MAGIC {
            return Err(Error::corrupt("", "it has no statistics"));
        }
        let version = reader.u32()?;
        if version != VERSION {
            return Err(Error::Incompatible { path: String::new(), found: version });
        }
        let (commit, checksum) = (reader.u64()?, reader.u32()?);
        let mut arrays = Vec::new();
        for _ in 0..reader.count(30)? {
            arrays.push((reader.u64()?, ArrayStats::decode(&mut reader)?));
        }
        reader.end()?;
        Ok(Self { commit, checksum, arrays })
    }
}
