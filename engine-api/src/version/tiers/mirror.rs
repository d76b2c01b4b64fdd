//! Changes of the metadata, and the copies of it that the other stores have.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::stores::{MIRRORED, Owner, Placed, Route, Routes, Stores};
use crate::ext::{StoreExt, ViewExt};
use crate::key::{Context, InstanceId, MetadataContext, RepoId};
use crate::spi::{Durability, Error, ErrorKind, Op, Result, Store, View, WriteBatch};
use crate::version::dag::{Instance, Repo};
use crate::version::record;

impl Stores {
    /// What a batch of the metadata changes in the other stores too, by store.
    fn mirrored(&self, batch: &WriteBatch, routes: &Routes) -> Result<BTreeMap<usize, WriteBatch>> {
        let mut mirrors: BTreeMap<usize, WriteBatch> = BTreeMap::new();
        for op in batch.ops() {
            let (Op::Put { key, .. } | Op::Delete { key }) = op else { continue };
            let mut mirror = |at: usize| {
                if at != self.metadata {
                    mirrors.entry(at).or_default().push(op.clone());
                }
            };
            match Self::owner(key) {
                Owner::Metadata(Some(record::INSTANCE)) => {
                    mirror(
                        routes.of(InstanceId(record::number(&MetadataContext.tkey_from_key(key)?)?)).mutable,
                    );
                }
                Owner::Metadata(Some(class)) if MIRRORED.contains(&class) => {
                    (0..self.members.len()).for_each(&mut mirror);
                }
                _ => {}
            }
        }
        Ok(mirrors)
    }

    /// Chooses the stores of instances that a batch makes, and adds the record of it.
    fn place(&self, batch: &WriteBatch) -> Result<(WriteBatch, Vec<(InstanceId, Route)>)> {
        let mut whole = batch.clone();
        let mut placed = Vec::new();
        for op in batch.ops() {
            let Op::Put { key, value } = op else { continue };
            if !matches!(Self::owner(key), Owner::Metadata(Some(record::INSTANCE))) {
                continue;
            }
            let instance: Instance = record::decode(value)?;
            if self.routes.read().unwrap_or_else(PoisonError::into_inner).stores.contains_key(&instance.id) {
                continue;
            }
            let repo = self.repo(batch, instance.repo)?;
            let choice = self.assignment.choose(&repo, &instance)?;
            let choice =
                Placed { mutable: choice.mutable.to_owned(), immutable: choice.immutable.map(str::to_owned) };
            placed.push((instance.id, self.route(&choice)?));
            whole.put(record::numbered(record::PLACED, instance.id.0), record::encode(&choice)?);
        }
        Ok((whole, placed))
    }

    /// A repo's record, which may be in the same batch.
    fn repo(&self, batch: &WriteBatch, id: RepoId) -> Result<Repo> {
        let wanted = record::numbered(record::REPO, id.0);
        let fresh = batch.ops().iter().rev().find_map(|op| match op {
            Op::Put { key, value } if *key == wanted => Some(value.clone()),
            _ => None,
        });
        let stored = match fresh {
            Some(fresh) => Some(fresh),
            None => self.members[self.metadata].store.get(&wanted)?,
        };
        let stored = stored.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "an instance's repo is missing").with("repo", id)
        })?;
        record::decode(&stored)
    }

    pub(super) fn commit_metadata(&self, batch: &WriteBatch, durability: Durability) -> Result<()> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (whole, placed) = self.place(batch)?;
        let known: Vec<_> = placed.iter().map(|(instance, _)| *instance).collect();
        self.routes.write().unwrap_or_else(PoisonError::into_inner).stores.extend(placed);
        let mirrors = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            self.mirrored(batch, &routes)?
        };
        let outcome = mirrors
            .iter()
            .try_for_each(|(at, mirror)| self.members[*at].store.commit(mirror, durability))
            .and_then(|()| self.members[self.metadata].store.commit(&whole, durability));
        if outcome.is_err() {
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            routes.stores.retain(|instance, _| !known.contains(instance));
            drop(routes);
            // What can't be taken back now is when the stores are opened next.
            self.load_routes().and_then(|()| self.mend_keys(&mirrors)).unwrap_or(());
        }
        outcome
    }

    /// Gives keys in other stores what the metadata has.
    fn mend_keys(&self, mirrors: &BTreeMap<usize, WriteBatch>) -> Result<()> {
        for (at, mirror) in mirrors {
            let mut batch = WriteBatch::new();
            for op in mirror.ops() {
                let (Op::Put { key, .. } | Op::Delete { key }) = op else { continue };
                match self.members[self.metadata].store.get(key)? {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                };
            }
            self.members[*at].store.write(&batch)?;
        }
        Ok(())
    }

    /// Makes the mirrors what the metadata says.
    pub(super) fn mend(&self) -> Result<()> {
        let truth = self.members[self.metadata].store.view()?;
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let copies = |view: &dyn View, keep: &dyn Fn(&[u8]) -> Result<bool>| {
            let mut found = BTreeMap::new();
            for class in MIRRORED {
                view.for_each(&MetadataContext.full_range(&class.range()), |key, value| {
                    if keep(key)? {
                        found.insert(key.to_vec(), value.to_vec());
                    }
                    Ok(())
                })?;
            }
            Result::Ok(found)
        };
        for (at, member) in self.members.iter().enumerate().filter(|(at, _)| *at != self.metadata) {
            let wanted = copies(&*truth, &|key| {
                let tkey = MetadataContext.tkey_from_key(key)?;
                Ok(tkey.class()? != record::INSTANCE
                    || routes.of(InstanceId(record::number(&tkey)?)).mutable == at)
            })?;
            let found = copies(&*member.store.view()?, &|_| Ok(true))?;
            let mut batch = WriteBatch::new();
            for key in found.keys().filter(|key| !wanted.contains_key(*key)) {
                batch.delete(key);
            }
            for (key, value) in wanted.iter().filter(|(key, value)| found.get(*key) != Some(*value)) {
                batch.put(key, value.clone());
            }
            if !batch.is_empty() {
                member.store.write(&batch)?;
            }
        }
        Ok(())
    }
}
