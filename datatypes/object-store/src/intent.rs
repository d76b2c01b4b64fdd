//! What is stored of work that takes several batches, so that none of it is lost sight of.

use chrono::{DateTime, Utc};
use engine_api::Result;
use object_store::Attributes;

use crate::attributes;
use crate::envelope::{self, Magic};
use crate::fields::{Fields, damaged};
use crate::record::moment;

/// What is being done with the blocks of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// They are being written, by one put, to become the object at a path.
    Put(Target),
    /// They are being uploaded, in parts, to become the object at a path.
    Upload(Target),
    /// They belong to no object any more and are being removed.
    Removal,
}

/// What an object that is being written will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) block_bytes: u32,
    pub(crate) attributes: Attributes,
}

/// Work on the blocks of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) begun: DateTime<Utc>,
    pub(crate) work: Work,
}

impl Intent {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let (kind, target) = match &self.work {
            Work::Put(target) => (1, Some(target)),
            Work::Upload(target) => (2, Some(target)),
            Work::Removal => (3, None),
        };
        let mut body = vec![kind];
        body.extend_from_slice(&self.begun.timestamp_micros().to_le_bytes());
        if let Some(target) = target {
            body.extend_from_slice(&target.block_bytes.to_le_bytes());
            attributes::write(&target.attributes, &mut body)?;
            body.extend_from_slice(target.path.as_bytes());
        }
        Ok(envelope::seal(Magic::Intent, &body))
    }

    /// # Errors
    /// `Corrupt`; `Incompatible` for a layout that this build doesn't know.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields(envelope::open(Magic::Intent, bytes)?);
        let kind = fields.u8()?;
        let begun = moment(fields.i64()?)?;
        let mut target = || -> Result<Target> {
            let block_bytes = fields.u32()?;
            if block_bytes == 0 {
                return Err(damaged("has blocks without bytes"));
            }
            let attributes = attributes::read(&mut fields)?;
            let path = fields.text(fields.0.len())?.to_owned();
            Ok(Target { path, block_bytes, attributes })
        };
        let work = match kind {
            1 => Work::Put(target()?),
            2 => Work::Upload(target()?),
            3 => Work::Removal,
            _ => return Err(damaged("is of work that there isn't")),
        };
        fields.end()?;
        Ok(Self { begun, work })
    }
}
