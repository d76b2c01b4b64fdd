//! What is done to a file, and what each step took.

use std::fs;
use std::path::Path;

use ndarray::{Array3, ArrayD, IxDyn, s};

use crate::Outcome;
use crate::clock::timed;
use crate::side::{Place, Side};
use crate::table::Table;

/// What a step is done to, as the table names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) program: &'a str,
    pub(crate) data: &'a str,
    pub(crate) codec: &'a str,
}

/// A cube, and the same voxels as chunks that each lie in one piece.
pub(crate) struct Cube {
    pub(crate) voxels: Array3<u16>,
    chunks: Vec<([usize; 3], ArrayD<u16>)>,
    edge: usize,
}

impl Cube {
    pub(crate) fn new(voxels: Array3<u16>, edge: usize) -> Self {
        let chunks = starts(voxels.dim().0, edge)
            .map(|start| (start, part(&voxels, start, edge).to_owned().into_dyn()))
            .collect();
        Self { voxels, chunks, edge }
    }

    fn shape(&self) -> [usize; 3] {
        self.voxels.dim().into()
    }
}

/// Writes, reads and edits a whole cube.
pub(crate) fn whole<S: Side>(table: &mut Table, of: Subject<'_>, place: &Place, cube: &Cube) -> Outcome<()> {
    let (shape, edge) = (cube.shape(), cube.edge);
    let chunk = [edge; 3];
    fresh(&place.folder)?;
    let mut file = S::create(place, shape, chunk)?;
    let (write, ()) = timed(|| {
        for start in starts(shape[0], edge) {
            file.write(start, part(&cube.voxels, start, edge).into_dyn())?;
        }
        file.flush()
    })?;
    table.add(of, "write, chunks as views of the cube", write);
    drop(file);

    fresh(&place.folder)?;
    let mut file = S::create(place, shape, chunk)?;
    let (write, ()) =
        timed(|| file.write([0; 3], cube.voxels.view().into_dyn()).and_then(|()| file.flush()))?;
    table.add(of, "write, all in one call", write);
    drop(file);

    fresh(&place.folder)?;
    let mut file = S::create(place, shape, chunk)?;
    let (write, flush) = timed(|| {
        for (start, chunk) in &cube.chunks {
            file.write(*start, chunk.view())?;
        }
        let (flush, ()) = timed(|| file.flush())?;
        Ok(flush)
    })?;
    table.add(of, "write, chunks in one piece each", write);
    table.add(of, "the flush of that alone", flush);
    table.add_size(of, size(&place.folder)?);
    drop(file);

    let file = S::open(place)?;
    let (read, all) = timed(|| file.read([0; 3], shape))?;
    table.add(of, "read all", read);
    if !(all == cube.voxels.view().into_dyn().to_owned()) {
        return Err("what was read isn't what was written".into());
    }
    drop(all);

    let file = S::open(place)?;
    let (read, ()) = timed(|| {
        for start in starts(shape[0], edge) {
            drop(file.read(start, chunk)?);
        }
        Ok(())
    })?;
    table.add(of, "read chunk by chunk", read);

    let file = S::open(place)?;
    let middle = shape.map(|length| length * 3 / 5);
    let (read, voxel) = timed(|| file.read(middle, [1; 3]))?;
    table.add(of, "one voxel, cold", read);
    if !(voxel == ArrayD::from_elem(IxDyn(&[1; 3]), cube.voxels[middle])) {
        return Err("the voxel isn't the one that was written".into());
    }

    let mut file = S::open(place)?;
    let edit = ArrayD::from_elem(IxDyn(&[8; 3]), 7);
    let at = shape.map(|length| length / 5);
    let (edited, ()) = timed(|| file.write(at, edit.view()).and_then(|()| file.flush()))?;
    table.add(of, "8^3 edit and flush", edited);
    if !(file.read(at, [8; 3])? == edit) {
        return Err("the edit isn't there".into());
    }
    let (compact, ()) = timed(|| file.compact())?;
    table.add(of, "compact", compact);
    Ok(())
}

/// An edit of which every object is forced to the disk.
pub(crate) fn forced_edit<S: Side>(
    table: &mut Table,
    of: Subject<'_>,
    place: &Place,
    cube: &Cube,
) -> Outcome<()> {
    fresh(&place.folder)?;
    let mut file = S::create(place, cube.shape(), [cube.edge; 3])?;
    file.write([0; 3], cube.voxels.view().into_dyn())?;
    file.flush()?;
    let mut file = S::open(&Place { forced: true, ..place.clone() })?;
    let edit = ArrayD::from_elem(IxDyn(&[8; 3]), 7);
    let (edited, ()) = timed(|| file.write([30; 3], edit.view()).and_then(|()| file.flush()))?;
    table.add(of, "8^3 edit and flush, forced to the disk", edited);
    Ok(())
}

/// Many chunks of 8^3.
pub(crate) fn small_chunks<S: Side>(
    table: &mut Table,
    of: Subject<'_>,
    place: &Place,
    extent: usize,
) -> Outcome<()> {
    let shape = [extent; 3];
    let voxels = Array3::from_shape_fn(shape, |(z, y, x)| {
        let [low, high, ..] = (z * 311 + y * 17 + x).to_le_bytes();
        u16::from_le_bytes([low, high])
    });
    fresh(&place.folder)?;
    let mut file = S::create(place, shape, [8; 3])?;
    let (write, flush) = timed(|| {
        file.write([0; 3], voxels.view().into_dyn())?;
        let (flush, ()) = timed(|| file.flush())?;
        Ok(flush)
    })?;
    table.add(of, "write and flush", write);
    table.add(of, "the flush of that alone", flush);
    table.add_size(of, size(&place.folder)?);
    let file = S::open(place)?;
    let (read, all) = timed(|| file.read([0; 3], shape))?;
    table.add(of, "read all", read);
    if !(all == voxels.into_dyn()) {
        return Err("what was read isn't what was written".into());
    }
    let (read, _) = timed(|| file.read([extent / 2; 3], [1; 3]))?;
    table.add(of, "one voxel, warm", read);
    Ok(())
}

/// Many small edits, each a commit, and what a file of so many layers takes to open.
pub(crate) fn layers<S: Side>(
    table: &mut Table,
    of: Subject<'_>,
    place: &Place,
    cycles: usize,
) -> Outcome<()> {
    let shape = [256; 3];
    fresh(&place.folder)?;
    let mut file = S::create(place, shape, [64; 3])?;
    file.write([0; 3], Array3::from_elem(shape, 3).view().into_dyn())?;
    file.flush()?;
    let edit = ArrayD::from_elem(IxDyn(&[8; 3]), 7);
    let at = |cycle: usize| [cycle * 2, cycle, 247 - cycle];
    let (edits, ()) = timed(|| {
        for cycle in 0..cycles {
            file.write(at(cycle), edit.view())?;
            file.flush()?;
        }
        Ok(())
    })?;
    table.add(of, "8^3 edit and flush, all of them", edits);
    let (open, file) = timed(|| S::open(place))?;
    table.add(of, "open", open);
    let (read, all) = timed(|| file.read([0; 3], shape))?;
    table.add(of, "read all", read);
    let mut expected = Array3::from_elem(shape, 3);
    for cycle in 0..cycles {
        let [z, y, x] = at(cycle);
        expected.slice_mut(s![z..z + 8, y..y + 8, x..x + 8]).fill(7);
    }
    if !(all == expected.into_dyn()) {
        return Err("what was read isn't what was written".into());
    }
    let mut file = file;
    let (compact, ()) = timed(|| file.compact())?;
    table.add(of, "compact", compact);
    Ok(())
}

fn starts(extent: usize, edge: usize) -> impl Iterator<Item = [usize; 3]> {
    let along = move || (0..extent).step_by(edge);
    along().flat_map(move |z| along().flat_map(move |y| along().map(move |x| [z, y, x])))
}

fn part(voxels: &Array3<u16>, [z, y, x]: [usize; 3], edge: usize) -> ndarray::ArrayView3<'_, u16> {
    voxels.slice(s![z..z + edge, y..y + edge, x..x + edge])
}

/// An empty folder.
fn fresh(folder: &Path) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// The bytes of all files in a folder.
fn size(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
