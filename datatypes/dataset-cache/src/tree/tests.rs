//! A tree beside a map.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::*;
use crate::file::{MemoryFile, StorageFile};
use crate::load::load;
use crate::node::{NO_MARK, PAGE_BYTES};

/// Long keys, so that nodes have few entries and trees have many levels.
const LAYOUT: Layout = Layout { kind: 9, key: 400, value: 8, marks: true };

fn key(number: u32) -> Vec<u8> {
    let mut key = vec![7; 396];
    key.extend(number.to_be_bytes());
    key
}

/// Writes what has changed to places that were never used, and answers what was released.
fn commit(tree: &mut Tree, file: &MemoryFile, number: u64) -> Vec<u64> {
    tree.touch_root();
    let first = file.length().unwrap();
    let (_, dirty) = tree.nodes();
    let mut places: Vec<u64> = (0..dirty as u64).map(|at| first + at * PAGE_BYTES).collect();
    tree.place(&mut places);
    assert!(places.is_empty() && tree.nodes().1 == 0);
    let mut pages = Vec::new();
    tree.take_pages(number, &mut pages);
    assert_eq!(pages.len(), dirty);
    for (address, page) in pages {
        file.write_at(&page, address).unwrap();
    }
    tree.take_released()
}

fn same(tree: &Tree, model: &BTreeMap<Vec<u8>, u64>) {
    let mut entries = Vec::new();
    tree.for_each(&mut |key, value| {
        entries.push((key.to_vec(), u64::from_le_bytes(value.try_into().unwrap())));
        Ok(())
    })
    .unwrap();
    assert!(entries.iter().map(|(key, value)| (key, value)).eq(model));
    assert_eq!(tree.len(), model.len());
}

#[test]
fn a_tree_is_what_a_map_is_and_so_is_its_file() {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut tree, mut model) = (Tree::new(LAYOUT), BTreeMap::new());
    let file = MemoryFile::new(vec![0; 96]);
    let (mut highest, mut stored) = (0, 0);
    for step in 0..40_000_u64 {
        // It grows, shrinks to nothing, and grows again.
        let grows = step / 5000 % 2 == 0;
        let number = random.u32(0..3000);
        let key = key(number);
        if random.u8(..10) < if grows { 8 } else { 1 } {
            assert_eq!(tree.put(&key, &step.to_le_bytes()), model.insert(key.clone(), step).is_none());
            tree.get_marked(&key).unwrap().1.store(step.cast_signed(), Ordering::Relaxed);
        } else {
            assert_eq!(tree.remove(&key), model.remove(&key).is_some());
        }
        let entry = |found: Option<(&[u8], &[u8])>| found.map(|(key, _)| key.to_vec());
        let first = |key: Option<(&Vec<u8>, &u64)>| key.map(|(key, _)| key.clone());
        assert_eq!(tree.get(&key).is_some(), model.contains_key(&key));
        assert_eq!(entry(tree.ceiling(&key)), first(model.range(key.clone()..).next()));
        assert_eq!(entry(tree.below(&key)), first(model.range(..key.clone()).next_back()));
        assert_eq!(entry(tree.first()), first(model.first_key_value()));
        assert_eq!(entry(tree.last()), first(model.last_key_value()));
        highest = highest.max(tree.height());
        if step % 1000 == 999 {
            same(&tree, &model);
            // Marks go along with their entries; what was read from a file has none.
            let (mut marked, mut right) = (0, 0);
            tree.for_each_marked(&mut |_, value, mark| {
                marked += 1;
                right += usize::from(mark == NO_MARK || mark.to_le_bytes() == value);
            });
            assert_eq!((marked, right), (tree.len(), tree.len()));
            let before = stored;
            let released = commit(&mut tree, &file, step);
            stored = tree.nodes().0;
            assert!(released.len() <= before + stored, "{} of {before} released", released.len());
            let (mut loaded, number) = load(&file, LAYOUT, tree.root(), None, 96).unwrap();
            assert_eq!((number, loaded.nodes(), loaded.len()), (step, (stored, 0), tree.len()));
            same(&loaded, &model);
            // What was loaded is changed as well.
            if random.bool() {
                loaded.touch_root();
                assert_eq!(loaded.take_released(), [tree.root()]);
                loaded.put(&[0; 400], &[0; 8]);
                loaded.remove(&[0; 400]);
                tree = load(&file, LAYOUT, tree.root(), Some(step), 96).unwrap().0;
            }
            assert!(load(&file, LAYOUT, tree.root(), Some(step + 1), 96).is_err());
            assert!(load(&file, Layout { kind: 8, ..LAYOUT }, tree.root(), None, 96).is_err());
        }
    }
    assert!(highest >= 4, "{highest} levels");
}

#[test]
fn keys_that_grow_fill_their_nodes() {
    let mut tree = Tree::new(Layout { kind: 9, key: 8, value: 8, marks: false });
    for number in 0..10_000_u64 {
        tree.put(&number.to_be_bytes(), &[0; 8]);
    }
    // 254 entries a leaf.
    assert_eq!(tree.nodes().0, 10_000_usize.div_ceil(254) + 1);
}
