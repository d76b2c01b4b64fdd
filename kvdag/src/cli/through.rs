//! What a volume's chunks are read through: its store, or a cache in front of it.
#![cfg_attr(
    not(feature = "cache"),
    allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "without caches there is the store alone"
    )
)]

#[cfg(feature = "cache")]
use std::path::PathBuf;

use chunks::MultiscaleStore;
use engine_api::version::{Instance, Version};
use engine_api::{Result, Store};
use volume::VolumeAt;

#[cfg(feature = "cache")]
use super::cache::{CacheUse, OpenCache, parse_size};

/// What a command that reads volumes is told of a cache.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ThroughArgs {
    /// Read chunks through a cache in this file, which is made when it isn't there. Committed versions alone are cached:
    /// an open one is read from the store. While another process has the file, it is read, or left alone.
    #[cfg(feature = "cache")]
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,
    /// The most bytes of a cache that is made, such as 256MiB; 1GiB unless given.
    #[cfg(feature = "cache")]
    #[arg(long, value_name = "BYTES", requires = "cache", value_parser = parse_size)]
    cache_size: Option<u64>,
}

/// A way to the chunks of a store's volumes.
#[derive(Debug, Default)]
pub(crate) struct Through {
    #[cfg(feature = "cache")]
    cache: Option<OpenCache>,
}

impl ThroughArgs {
    /// Opens what reads go through.
    pub(crate) fn open(&self, url: &str) -> Result<Through> {
        #[cfg(feature = "cache")]
        {
            let open = |file| OpenCache::open(file, self.cache_size, url);
            Ok(Through { cache: self.cache.as_deref().map(open).transpose()? })
        }
        #[cfg(not(feature = "cache"))]
        {
            let _ = url;
            Ok(Through {})
        }
    }
}

impl Through {
    /// The chunks of a volume at a version.
    pub(crate) fn chunks<'a, S: Store>(
        &self,
        volume: &'a VolumeAt<'_, S>,
        of: (&Instance, &Version),
    ) -> Result<Box<dyn MultiscaleStore + 'a>> {
        #[cfg(feature = "cache")]
        if let Some(cached) = self.cache.as_ref().map(|cache| cache.scales(volume, of)).transpose()?.flatten()
        {
            return Ok(Box::new(cached));
        }
        let _ = of;
        Ok(Box::new(volume))
    }

    /// The chunks of a volume at a URL.
    #[cfg(all(feature = "http", feature = "serve"))]
    pub(crate) fn source<'a>(
        &self,
        source: &'a volume::PrecomputedSource,
    ) -> Result<Box<dyn MultiscaleStore + 'a>> {
        #[cfg(feature = "cache")]
        if let Some(cached) =
            self.cache.as_ref().map(|cache| cache.scales_of_source(source)).transpose()?.flatten()
        {
            return Ok(Box::new(cached));
        }
        Ok(Box::new(source))
    }

    /// What the cache was good for; `None` where there is none.
    #[cfg(feature = "cache")]
    pub(crate) fn used(&self) -> Result<Option<CacheUse>> {
        self.cache.as_ref().map(OpenCache::used).transpose()
    }

    /// Says on standard error why a cache isn't used as it might be, if that is so.
    pub(crate) fn tell(&self) {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.cache {
            cache.tell();
        }
    }
}
