//! Contexts: where a key is meant. They are sealed, so that every full key comes from the codec.

use std::fmt::Debug;
use std::ops::Bound;

use super::codec::{self, DATA, DataKey, FullKey, METADATA, Mark, Suffix, group_end, group_start};
use super::id::{ClientId, InstanceId, VersionId};
use super::tkey::TKey;
use crate::ext::KeyRange;
use crate::spi::{Error, ErrorKind, Result};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::MetadataContext {}
    impl Sealed for super::DataContext {}
}

/// What a context means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The store's metadata.
    Metadata,
    /// An instance that has no versions.
    Unversioned(InstanceId),
    /// An instance at a version.
    Versioned(InstanceId, VersionId),
}

/// Where a key is meant: the metadata, or a data instance with or without a version.
pub trait Context: sealed::Sealed + Debug + Send + Sync {
    /// What the context means.
    fn scope(&self) -> Scope;

    /// The full key under which a value of `tkey` is stored.
    fn construct_key(&self, tkey: &TKey) -> Vec<u8>;

    /// The key that a full key of this context carries.
    ///
    /// # Errors
    /// `Corrupt` for a malformed key, or one of another key space or instance.
    fn tkey_from_key(&self, key: &[u8]) -> Result<TKey>;

    /// Every full key of the context's metadata or instance, at any version.
    fn key_range(&self) -> KeyRange;

    /// The full keys, at any version, of the keys in `range`.
    fn full_range(&self, range: &KeyRange) -> KeyRange;
}

/// The store's metadata: what isn't versioned and belongs to no instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MetadataContext;

impl Context for MetadataContext {
    fn scope(&self) -> Scope {
        Scope::Metadata
    }

    fn construct_key(&self, tkey: &TKey) -> Vec<u8> {
        codec::metadata_key(tkey)
    }

    fn tkey_from_key(&self, key: &[u8]) -> Result<TKey> {
        match FullKey::parse(key)? {
            FullKey::Metadata(tkey) => Ok(tkey),
            FullKey::Data(_) => {
                Err(Error::new(ErrorKind::Corrupt, "a data key stands where a metadata key belongs")
                    .with_key("key", key))
            }
        }
    }

    fn key_range(&self) -> KeyRange {
        KeyRange::prefix(&[METADATA])
    }

    fn full_range(&self, range: &KeyRange) -> KeyRange {
        let full = |tkey: &[u8]| codec::metadata_key(&TKey::from(tkey));
        let all = self.key_range();
        KeyRange::between(
            bounded(range.start(), full).unwrap_or_else(|| all.start().map(<[u8]>::to_vec)),
            bounded(range.end(), full).unwrap_or_else(|| all.end().map(<[u8]>::to_vec)),
        )
    }
}

fn bounded(bound: Bound<&[u8]>, full: impl Fn(&[u8]) -> Vec<u8>) -> Option<Bound<Vec<u8>>> {
    match bound {
        Bound::Included(tkey) => Some(Bound::Included(full(tkey))),
        Bound::Excluded(tkey) => Some(Bound::Excluded(full(tkey))),
        Bound::Unbounded => None,
    }
}

/// A data instance, at a version or without versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataContext {
    instance: InstanceId,
    version: Option<VersionId>,
}

impl DataContext {
    /// An instance without versions: a put replaces, a delete removes.
    pub const fn unversioned(instance: InstanceId) -> Self {
        Self { instance, version: None }
    }

    /// An instance at a version: reads see it and its ancestors, writes go to it.
    pub const fn versioned(instance: InstanceId, version: VersionId) -> Self {
        Self { instance, version: Some(version) }
    }

    /// The instance.
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The version, where there is one.
    pub const fn version(&self) -> Option<VersionId> {
        self.version
    }

    /// The full key of the statement that `tkey` is deleted at this version.
    pub fn tombstone_key(&self, tkey: &TKey) -> Vec<u8> {
        self.entry_key(tkey, Mark::Tombstone)
    }

    /// What every full key of `tkey` begins with, at any version.
    pub fn unversioned_key_prefix(&self, tkey: &TKey) -> Vec<u8> {
        group_start(self.instance, tkey.as_bytes())
    }

    /// A bound at or below every full key of `tkey`, the newest version first.
    pub fn min_version_key(&self, tkey: &TKey) -> Vec<u8> {
        self.unversioned_key_prefix(tkey)
    }

    /// A bound above every full key of `tkey`, and below those of every greater key.
    pub fn max_version_key(&self, tkey: &TKey) -> Vec<u8> {
        group_end(&self.unversioned_key_prefix(tkey))
    }

    /// The version at which the entry of a full key was written.
    ///
    /// # Errors
    /// `Corrupt` for a malformed key, or one of another key space or instance.
    pub fn version_from_key(&self, key: &[u8]) -> Result<VersionId> {
        self.parse(key).map(|key| key.version)
    }

    /// The client of a full key.
    ///
    /// # Errors
    /// `Corrupt` for a malformed key, or one of another key space or instance.
    pub fn client_from_key(&self, key: &[u8]) -> Result<ClientId> {
        self.parse(key).map(|key| key.client)
    }

    fn entry_key(&self, tkey: &TKey, mark: Mark) -> Vec<u8> {
        let mut key = self.unversioned_key_prefix(tkey);
        let version = self.version.unwrap_or_default();
        key.extend_from_slice(&Suffix { version, client: ClientId(0), mark }.to_bytes());
        key
    }

    fn parse(&self, key: &[u8]) -> Result<DataKey> {
        let parsed = DataKey::parse(key)?;
        if parsed.instance != self.instance {
            return Err(Error::new(ErrorKind::Corrupt, "a key of another data instance")
                .with("instance", parsed.instance)
                .with("expected", self.instance));
        }
        Ok(parsed)
    }
}

impl Context for DataContext {
    fn scope(&self) -> Scope {
        match self.version {
            None => Scope::Unversioned(self.instance),
            Some(version) => Scope::Versioned(self.instance, version),
        }
    }

    fn construct_key(&self, tkey: &TKey) -> Vec<u8> {
        self.entry_key(tkey, Mark::Data)
    }

    fn tkey_from_key(&self, key: &[u8]) -> Result<TKey> {
        self.parse(key).map(|key| key.tkey)
    }

    fn key_range(&self) -> KeyRange {
        let mut prefix = vec![DATA];
        prefix.extend_from_slice(&self.instance.to_be_bytes());
        KeyRange::prefix(&prefix)
    }

    fn full_range(&self, range: &KeyRange) -> KeyRange {
        let all = self.key_range();
        let group = |tkey: &[u8]| group_start(self.instance, tkey);
        let start = match range.start() {
            Bound::Included(tkey) => Bound::Included(group(tkey)),
            Bound::Excluded(tkey) => Bound::Included(group_end(&group(tkey))),
            Bound::Unbounded => all.start().map(<[u8]>::to_vec),
        };
        let end = match range.end() {
            Bound::Included(tkey) => Bound::Excluded(group_end(&group(tkey))),
            Bound::Excluded(tkey) => Bound::Excluded(group(tkey)),
            Bound::Unbounded => all.end().map(<[u8]>::to_vec),
        };
        KeyRange::between(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_instance_has_a_range_of_its_own() {
        let last = DataContext::unversioned(InstanceId(u32::MAX));
        let before = DataContext::unversioned(InstanceId(u32::MAX - 1));
        let key = TKey::from(&[0xFF; 200]);
        assert!(last.key_range().contains(&last.construct_key(&key)));
        assert!(!last.key_range().contains(&before.construct_key(&key)));
        assert!(!before.key_range().contains(&last.construct_key(&TKey::default())));
    }

    #[test]
    fn excluded_bounds_exclude_one_key_and_none_that_extends_it() {
        let ctx = DataContext::versioned(InstanceId(1), VersionId(9));
        let range = ctx
            .full_range(&KeyRange::between(Bound::Excluded(b"a".to_vec()), Bound::Included(b"b".to_vec())));
        let has = |tkey: &str| range.contains(&ctx.construct_key(&TKey::from(tkey)));
        assert_eq!((has("a"), has("a\0"), has("b"), has("b\0")), (false, true, true, false));
    }

    #[test]
    fn a_context_tells_what_it_means() {
        let (instance, version) = (InstanceId(7), VersionId(9));
        let versioned = DataContext::versioned(instance, version);
        assert_eq!((versioned.instance(), versioned.version()), (instance, Some(version)));
        assert_eq!(versioned.scope(), Scope::Versioned(instance, version));
        let flat = DataContext::unversioned(instance);
        assert_eq!((flat.instance(), flat.version()), (instance, None));
        assert_eq!(flat.scope(), Scope::Unversioned(instance));
        assert_eq!(MetadataContext.scope(), Scope::Metadata);
    }

    #[test]
    fn the_keys_of_a_key_lie_between_its_bounds() {
        let ctx = DataContext::versioned(InstanceId(7), VersionId(9));
        let tkey = TKey::from(b"a\0");
        let entry = DataKey {
            instance: InstanceId(7),
            tkey: tkey.clone(),
            version: VersionId(9),
            client: ClientId(0),
            mark: Mark::Data,
        };
        assert_eq!(ctx.construct_key(&tkey), entry.encode());
        let flat = DataContext::unversioned(InstanceId(7)).construct_key(&tkey);
        assert_eq!(flat, entry.clone().at_version(VersionId(0)).encode());
        let tombstone = DataKey { mark: Mark::Tombstone, ..entry.clone() };
        assert_eq!(ctx.tombstone_key(&tkey), tombstone.encode());
        for version in [0, 9, u32::MAX] {
            let key =
                DataKey { client: ClientId(3), ..entry.clone().at_version(VersionId(version)) }.encode();
            assert!(key.starts_with(&ctx.unversioned_key_prefix(&tkey)));
            assert!(ctx.min_version_key(&tkey) <= key && key < ctx.max_version_key(&tkey));
            assert_eq!(ctx.version_from_key(&key).unwrap(), VersionId(version));
            assert_eq!(ctx.client_from_key(&key).unwrap(), ClientId(3));
            assert_eq!(ctx.tkey_from_key(&key).unwrap(), tkey);
        }
        assert!(ctx.max_version_key(&tkey) < ctx.min_version_key(&TKey::from(b"a\0\0")));
        assert!(ctx.max_version_key(&TKey::from("a")) < ctx.min_version_key(&tkey));
    }

    #[test]
    fn metadata_has_a_key_space_of_its_own() {
        let key = MetadataContext.construct_key(&TKey::from("ab"));
        assert_eq!(key, b"\0ab");
        assert_eq!(MetadataContext.tkey_from_key(&key).unwrap(), TKey::from("ab"));
        let data = DataContext::unversioned(InstanceId(0)).construct_key(&TKey::default());
        let all = MetadataContext.full_range(&KeyRange::ALL);
        assert_eq!(all, MetadataContext.key_range());
        assert!(all.contains(&key) && all.contains(b"\0\xFF\xFF") && !all.contains(&data));
        let bounds = [
            (KeyRange::new("a".."b"), KeyRange::new(&b"\0a"[..]..&b"\0b"[..])),
            (KeyRange::new("a"..="b"), KeyRange::new(&b"\0a"[..]..=&b"\0b"[..])),
            (KeyRange::new("a"..), KeyRange::new(&b"\0a"[..]..&b"\x01"[..])),
            (KeyRange::new(.."b"), KeyRange::new(&b"\0"[..]..&b"\0b"[..])),
        ];
        for (range, full) in bounds {
            assert_eq!(MetadataContext.full_range(&range), full);
        }
    }

    #[test]
    fn keys_of_another_context_are_refused() {
        let ctx = DataContext::versioned(InstanceId(1), VersionId(9));
        let other = DataContext::versioned(InstanceId(2), VersionId(9));
        let key = other.construct_key(&TKey::from("x"));
        assert_eq!(ctx.tkey_from_key(&key).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(MetadataContext.tkey_from_key(&key).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(other.version_from_key(&key).unwrap(), VersionId(9));
    }
}
