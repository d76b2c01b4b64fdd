//! Uploads as `object_store` knows them, and listings page by page.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use engine_api::{Error, ErrorKind};
use futures_util::FutureExt;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, UploadPart};

use crate::error::{OfObject, failed, generic};
use crate::generation::Generation;
use crate::list::{After, Listing};
use crate::objects::{Objects, list_result, put_result};
use crate::upload::no_upload;

/// An upload by one caller, who knows in which order the parts were given.
#[derive(Debug)]
pub(crate) struct Upload {
    objects: Objects,
    path: Path,
    generation: Generation,
    /// The slot of each part, once it is written.
    slots: Arc<Mutex<Vec<Option<u64>>>>,
}

impl Upload {
    pub(crate) fn new(objects: Objects, path: Path, generation: Generation) -> Self {
        Self { objects, path, generation, slots: Arc::default() }
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (objects, path, generation) = (self.objects.clone(), self.path.clone(), self.generation);
        let slots = Arc::clone(&self.slots);
        let index = {
            let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.push(None);
            slots.len() - 1
        };
        async move {
            let slot =
                objects.call(move |core| core.put_part(&path, generation, index as u64, &data)).await?;
            if let Some(part) = slots.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
                *part = Some(slot);
            }
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let (path, generation) = (self.path.clone(), self.generation);
        let slots: Option<Vec<u64>> =
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let slots = slots
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a part wasn't uploaded, or failed"))
            .of(path.as_ref())?;
        self.objects.call(move |core| core.complete_upload(&path, generation, &slots)).await.map(put_result)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        let (path, generation) = (self.path.clone(), self.generation);
        self.objects.call(move |core| core.abort_upload(&path, generation)).await
    }
}

fn generation_of(path: &Path, id: &MultipartId) -> object_store::Result<Generation> {
    Generation::parse(id).ok_or_else(|| failed(path.as_ref(), no_upload(id)))
}

#[async_trait]
impl MultipartStore for Objects {
    async fn create_multipart(&self, path: &Path) -> object_store::Result<MultipartId> {
        self.create_multipart_opts(path, PutMultipartOptions::default()).await
    }

    async fn create_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<MultipartId> {
        let path = path.clone();
        self.call(move |core| core.create_upload(&path, opts.attributes)).await.map(|id| id.to_string())
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> object_store::Result<PartId> {
        let (path, generation) = (path.clone(), generation_of(path, id)?);
        let slot = self.call(move |core| core.put_part(&path, generation, part_idx as u64, &data)).await?;
        Ok(PartId { content_id: slot.to_string() })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> object_store::Result<PutResult> {
        let (path, generation) = (path.clone(), generation_of(path, id)?);
        let slot = |part: PartId| {
            part.content_id.parse::<u64>().map_err(|error| {
                Error::new(ErrorKind::InvalidArgument, "a part's id isn't one").caused_by(error)
            })
        };
        let slots = parts.into_iter().map(slot).collect::<engine_api::Result<Vec<_>>>().of(path.as_ref())?;
        self.call(move |core| core.complete_upload(&path, generation, &slots)).await.map(put_result)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> object_store::Result<()> {
        let (path, generation) = (path.clone(), generation_of(path, id)?);
        self.call(move |core| core.abort_upload(&path, generation)).await
    }
}

/// What a page token begins with, where the page ended with an object, and with a common prefix.
const AFTER_PATH: &str = "path:";
const AFTER_PREFIX: &str = "prefix:";

#[async_trait]
impl PaginatedListStore for Objects {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> object_store::Result<PaginatedListResult> {
        let after = match (opts.page_token, opts.offset) {
            (Some(token), _) => Some(after_of(&token).map_err(generic)?),
            (None, offset) => offset.map(After::Path),
        };
        let listing = Listing {
            prefix: prefix.unwrap_or_default().to_owned(),
            delimiter: opts.delimiter.map(String::from).filter(|delimiter| !delimiter.is_empty()),
            after,
            most: opts.max_keys.unwrap_or(1000).max(1),
        };
        let mut listed = self.call(move |core| core.list(&listing)).await?;
        let page_token = listed.next.take().map(|after| match after {
            After::Path(path) => format!("{AFTER_PATH}{path}"),
            After::Prefix(prefix) => format!("{AFTER_PREFIX}{prefix}"),
        });
        Ok(PaginatedListResult { result: list_result(listed)?, page_token })
    }
}

fn after_of(token: &str) -> engine_api::Result<After> {
    let path = token.strip_prefix(AFTER_PATH).map(|path| After::Path(path.to_owned()));
    path.or_else(|| token.strip_prefix(AFTER_PREFIX).map(|prefix| After::Prefix(prefix.to_owned())))
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a page token isn't one").with("token", token))
}
