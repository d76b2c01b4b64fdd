//! Removals of any size: of a vertex with its edges, and of a graph.
//!
//! The first batch takes the vertex away and leaves a record of its removal. From then on no edge can come to it, since
//! adding one requires the vertex, and who reads passes over those that there are. So what follows changes no answer, and
//! can be cut short anywhere and gone on with by anyone. The record goes with the last batch. Its token tells it from that
//! of a later removal of the same vertex, so that one who has slept can't do harm.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use super::element::{Element, Kind, VertexId};
use super::keys;
use super::over::{AtWork, KeyValueGraph};
use super::record::{Record, Removal, new_token};
use super::scene::Scene;
use super::write::Race;
use crate::ext::KeyRange;
use crate::key::{Context, TKey, TKeyClass};
use crate::spi::{Error, ErrorKind, Fetch, Result};
use crate::version::{Batch, Batcher, OrderedKeyValue, Resolved};

/// The most keys that one batch takes away; fewer where the engine takes no larger batch.
const KEYS_AT_ONCE: usize = 2048;

/// What is being removed.
#[derive(Clone, Copy)]
enum What {
    Vertex(Removal),
    Graph(Record),
}

impl What {
    /// Where its record is.
    fn tkey(&self) -> TKey {
        match self {
            Self::Vertex(removal) => keys::slot(keys::slot_of(removal.vertex)),
            Self::Graph(_) => keys::graph(),
        }
    }

    /// Whether it is still being removed, as far as a scene tells.
    fn is_in(&self, scene: &Scene<'_>) -> bool {
        match self {
            Self::Vertex(removal) => scene.removals.contains(removal),
            Self::Graph(record) => scene.record.as_ref() == Some(record),
        }
    }

    /// The ranges of its keys.
    fn ranges(&self) -> VecDeque<KeyRange> {
        match self {
            Self::Vertex(removal) => of_vertex(removal.vertex).into(),
            Self::Graph(_) => [keys::contents(), slots()].into(),
        }
    }
}

/// Where everything is that goes with a vertex, but for its edges' keys at their other ends.
fn of_vertex(id: VertexId) -> [KeyRange; 4] {
    [keys::OUT, keys::IN, keys::VERTEX_PROPERTY, keys::EDGE_PROPERTY].map(|class| keys::of(class, &[id]))
}

fn slots() -> KeyRange {
    KeyRange::new([keys::GRAPH.0, 0]..[keys::GRAPH.0, keys::SLOTS])
}

/// What is left to be taken away.
struct Sweep(VecDeque<KeyRange>);

impl Sweep {
    /// The next keys to take away, some more than `most` of them. Since nothing is added to what is swept, a key that
    /// was passed isn't looked at again.
    fn page(&mut self, scene: &Scene<'_>, most: usize) -> Result<Vec<TKey>> {
        let mut page = Vec::new();
        while let Some(range) = self.0.pop_front() {
            let mut last = None;
            scene.reading.visit_with(&range, Fetch::Keys, &mut |tkey, _| {
                with_it(scene, tkey, &mut page)?;
                if page.len() < most {
                    return Ok(ControlFlow::Continue(()));
                }
                last = Some(tkey.to_vec());
                Ok(ControlFlow::Break(()))
            })?;
            if let Some(last) = last {
                let rest = KeyRange::between(Bound::Excluded(last), range.end().map(<[u8]>::to_vec));
                self.0.push_front(rest);
                break;
            }
        }
        Ok(page)
    }
}

/// A key, and those that go with it: an edge's key at its other end, and an incoming edge's properties.
fn with_it(scene: &Scene<'_>, tkey: &[u8], page: &mut Vec<TKey>) -> Result<()> {
    page.push(TKey::from(tkey));
    match tkey.first().copied().map(TKeyClass) {
        Some(keys::OUT) => {
            let (from, to, _) = keys::split_two(tkey)?;
            page.push(keys::into(from, to));
        }
        Some(keys::IN) => {
            let (to, from, _) = keys::split_two(tkey)?;
            page.push(keys::out(from, to));
            page.extend(scene.keys_in(&keys::of(keys::EDGE_PROPERTY, &[from, to]))?);
        }
        _ => {}
    }
    Ok(())
}

impl Scene<'_> {
    /// Whether something is stored of a vertex that isn't there.
    pub(super) fn has_remains(&self, id: VertexId) -> Result<bool> {
        for range in of_vertex(id) {
            if self.has_any(&range)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<S: OrderedKeyValue + Batcher + ?Sized> KeyValueGraph<'_, S> {
    /// Whether a scene shows a removal that nobody here is making.
    pub(super) fn is_cut_short(&self, scene: &Scene<'_>) -> bool {
        let removing = scene.record.filter(|record| record.removing).map(|record| record.token);
        let removals = scene.removals.iter().map(|removal| removal.token);
        removals.chain(removing).any(|token| !self.is_at_work(&token))
    }

    /// Ends what a scene shows to be under way, and nobody here is making; answers how much there was.
    pub(super) fn end_removals(&self, ctx: &dyn Context) -> Result<u64> {
        let scene = self.scene(ctx)?;
        let mut left: Vec<_> = scene.removals.iter().map(|removal| What::Vertex(*removal)).collect();
        left.extend(scene.record.filter(|record| record.removing).map(What::Graph));
        drop(scene);
        left.retain(|what| match what {
            What::Vertex(Removal { token, .. }) | What::Graph(Record { token, .. }) => {
                !self.is_at_work(token)
            }
        });
        for what in &left {
            self.sweep(ctx, *what)?;
        }
        Ok(left.len() as u64)
    }

    /// Takes everything away that goes with a removal, then its record.
    fn sweep(&self, ctx: &dyn Context, what: What) -> Result<()> {
        let mut sweep = Sweep(what.ranges());
        let (mut race, mut most) = (Race::default(), KEYS_AT_ONCE);
        loop {
            let scene = self.scene(ctx)?;
            if !what.is_in(&scene) {
                return Ok(());
            }
            let before = sweep.0.clone();
            let page = sweep.page(&scene, most)?;
            let mut batch = self.store.batch(ctx)?;
            batch.require(&what.tkey(), &scene.reading.resolve(&what.tkey())?);
            for tkey in &page {
                batch.delete(tkey);
            }
            if sweep.0.is_empty() {
                end(&scene, what, &mut *batch)?;
            }
            drop(scene);
            match batch.commit() {
                Ok(()) => race = Race::default(),
                Err(error) => {
                    let smaller = error.kind() == ErrorKind::TooLarge && most > 1;
                    if smaller {
                        most /= 2;
                    } else if !race.goes_on(error.kind()) {
                        return Err(error);
                    }
                    sweep.0 = before;
                }
            }
        }
    }

    /// Removes a vertex.
    pub(super) fn take_vertex(&self, ctx: &dyn Context, id: VertexId) -> Result<()> {
        self.begin(ctx, id, true)
    }

    /// Takes away what is left of a vertex that isn't there.
    pub(super) fn take_remains(&self, ctx: &dyn Context, id: VertexId) -> Result<()> {
        let scene = self.scene(ctx)?;
        let under_way = scene.removals.iter().find(|removal| removal.vertex == id).copied();
        drop(scene);
        match under_way {
            Some(removal) => self.sweep(ctx, What::Vertex(removal)),
            None => self.begin(ctx, id, false),
        }
    }

    /// Takes a vertex, which is there or not, and leaves the record of its removal; then ends it.
    fn begin(&self, ctx: &dyn Context, id: VertexId, there: bool) -> Result<()> {
        let removal = Removal { vertex: id, token: new_token() };
        let what = What::Vertex(removal);
        let _at_work = AtWork::on(&self.at_work, removal.token);
        let (mut race, mut most) = (Race::default(), KEYS_AT_ONCE);
        loop {
            let scene = self.scene(ctx)?;
            if self.is_cut_short(&scene) {
                drop(scene);
                self.end_removals(ctx)?;
                continue;
            }
            scene.kind()?;
            let vertex = scene.vertex(id)?;
            if vertex.is_visible() != there {
                // Another has added it meanwhile, which took care of what was left.
                return if there { Err(Element::Vertex(id).missing()) } else { Ok(()) };
            }
            let slot = scene.reading.resolve(&what.tkey())?;
            if slot.is_visible() {
                // A removal has the place, and is helped to leave it.
                let other =
                    scene.removals.iter().find(|other| keys::slot_of(other.vertex) == keys::slot_of(id));
                let other = other.copied();
                drop(scene);
                if let Some(other) = other {
                    self.sweep(ctx, What::Vertex(other))?;
                }
                continue;
            }
            let mut batch = self.store.batch(ctx)?;
            batch.require(&keys::graph(), &scene.stored);
            batch.require(&keys::vertex(id), &vertex);
            batch.require(&what.tkey(), &slot);
            batch.put(&what.tkey(), removal.encode());
            if there {
                batch.delete(&keys::vertex(id));
            }
            // As much as fits goes at once, which mostly is all. What is added before the vertex is gone, the sweep
            // behind it finds.
            if most > 0 {
                let page = Sweep(what.ranges()).page(&scene, most)?;
                for tkey in &page {
                    batch.delete(tkey);
                }
            }
            drop(scene);
            match batch.commit() {
                Ok(()) => return self.sweep(ctx, what),
                Err(error) if error.kind() == ErrorKind::TooLarge && most > 0 => most /= 2,
                Err(error) if race.goes_on(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a graph.
    pub(super) fn make(&self, ctx: &dyn Context, kind: Kind) -> Result<()> {
        let mut race = Race::default();
        loop {
            let scene = self.scene(ctx)?;
            if scene.there()?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, "there is a graph here already"));
            }
            let record = Record { kind, removing: false, token: new_token() };
            let mut batch = self.store.batch(ctx)?;
            batch.require(&keys::graph(), &scene.stored);
            let what = match scene.record {
                Some(removing) => Some(What::Graph(removing)),
                // What another branch has added to a graph that this one has removed.
                None if scene.has_any(&keys::all())? => {
                    let removing = Record { removing: true, ..record };
                    batch.put(&keys::graph(), removing.encode());
                    Some(What::Graph(removing))
                }
                None => {
                    batch.put(&keys::graph(), record.encode());
                    None
                }
            };
            let began = scene.record.is_none();
            drop(scene);
            if began {
                match batch.commit() {
                    Err(error) if race.goes_on(error.kind()) => continue,
                    outcome => outcome?,
                }
            }
            match what {
                Some(what) => self.sweep(ctx, what)?,
                None => return Ok(()),
            }
        }
    }

    /// Removes the graph.
    pub(super) fn take_all(&self, ctx: &dyn Context) -> Result<()> {
        let mut race = Race::default();
        loop {
            let scene = self.scene(ctx)?;
            if self.is_cut_short(&scene) {
                drop(scene);
                self.end_removals(ctx)?;
                continue;
            }
            let removing = match scene.record.filter(|record| !record.removing) {
                Some(record) => Record { removing: true, token: new_token(), ..record },
                None => return Err(Element::Graph.missing()),
            };
            let _at_work = AtWork::on(&self.at_work, removing.token);
            let mut batch = self.store.batch(ctx)?;
            batch.require(&keys::graph(), &scene.stored);
            batch.put(&keys::graph(), removing.encode());
            drop(scene);
            match batch.commit() {
                Ok(()) => return self.sweep(ctx, What::Graph(removing)),
                Err(error) if race.goes_on(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes the record of a removal away. Two branches may each have left one of another vertex there; then the other
/// one stays.
fn end(scene: &Scene<'_>, what: What, batch: &mut dyn Batch) -> Result<()> {
    if let What::Vertex(removal) = what
        && let Resolved::Conflict { .. } = scene.reading.resolve(&what.tkey())?
    {
        let slot = keys::slot_of(removal.vertex);
        let other =
            scene.removals.iter().find(|other| **other != removal && keys::slot_of(other.vertex) == slot);
        if let Some(other) = other {
            batch.put(&what.tkey(), other.encode());
            return Ok(());
        }
    }
    batch.delete(&what.tkey());
    Ok(())
}
