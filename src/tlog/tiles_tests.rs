//! Tiles and trees against the reader of `tlog_tiles` and against `ct_merkle`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use tlog_tiles::{Hash, Tile, record_hash};

use crate::tlog::{
    Edge, Fault, HASH_BYTES, Head, LARGEST_TREE, TileId, Tiles, check_consistency, check_inclusion,
    needed_for_consistency, needed_for_inclusion, needed_for_tile, parse_index, parse_path, partial, path,
};

type Model = MemoryBackedTree<Sha256, Vec<u8>>;

fn leaf(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn split(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(HASH_BYTES).map(|hash| Hash(hash.try_into().unwrap())).collect()
}

/// A tree of that size as a server would have stored it, appended to in uneven steps.
fn grown(size: u64) -> (Tiles, Hash, Model) {
    let (mut tiles, mut model, mut edge) = (Tiles::default(), Model::new(), Edge::default());
    let mut step = 1;
    while edge.size() < size {
        let until = (edge.size() + step).min(size);
        for n in edge.size()..until {
            edge.push(record_hash(&leaf(n))).unwrap();
            model.push(leaf(n));
        }
        for (id, bytes) in edge.changed() {
            assert_eq!(bytes.len(), id.width(until) as usize * HASH_BYTES);
            tiles.0.insert(id, bytes);
        }
        edge.settle();
        assert!(edge.changed().is_empty());
        step = step * 5 % 1021 + 1;
        // What was stored is enough to go on.
        let border: Vec<_> = Edge::needed(until).into_iter().map(|id| (id, tiles.0[&id].clone())).collect();
        let again = Edge::new(until, &border).unwrap();
        assert_eq!(again.root().unwrap(), edge.root().unwrap());
        edge = again;
    }
    let root = edge.root().unwrap();
    (tiles, root, model)
}

fn same_as_model(tiles: &Tiles, root: Hash, model: &Model, indexes: &[u64], olds: &[u64]) {
    let size = model.len();
    let head = Head { size, root };
    assert_eq!(root.0, model.root().as_bytes().as_slice());
    assert_eq!(tiles.root(size).unwrap(), root);
    for &index in indexes {
        let own = tiles.inclusion(size, index).unwrap();
        assert_eq!(own, split(model.prove_inclusion(usize::try_from(index).unwrap()).as_bytes()));
        assert_eq!(own, tiles.checked(head).inclusion(index).unwrap());
        check_inclusion(&own, head, index, record_hash(&leaf(index))).unwrap();
        assert!(check_inclusion(&own, head, index, record_hash(b"another")).is_err());
    }
    for &old in olds {
        let own = tiles.consistency(old, size).unwrap();
        assert_eq!(own, split(model.prove_consistency(usize::try_from(size - old).unwrap()).as_bytes()));
        assert_eq!(own, tiles.checked(head).consistency(old).unwrap());
        let before = Head { size: old, root: tiles.root(old).unwrap() };
        check_consistency(&own, before, head).unwrap();
        assert!(check_consistency(&own, Head { root: Hash([1; 32]), ..before }, head).is_err());
        assert!(check_consistency(&own, before, Head { root: Hash([1; 32]), ..head }).is_err());
    }
}

#[test]
fn every_small_tree_is_that_of_the_model() {
    let mut model = Model::new();
    let mut edge = Edge::default();
    let mut tiles = Tiles::default();
    for size in 1..=600_u64 {
        edge.push(record_hash(&leaf(size - 1))).unwrap();
        model.push(leaf(size - 1));
        tiles.0.extend(edge.changed());
        edge.settle();
        let old = [size / 3 + 1, size / 2 + 1, size];
        // Tiles are read as they are stored now, wider than the older tree.
        same_as_model(&tiles, edge.root().unwrap(), &model, &[0, size / 3, size / 2, size - 1], &old[..2]);
        assert_eq!(tiles.consistency(size, size).unwrap(), Vec::new());
    }
    let head = Head { size: 600, root: edge.root().unwrap() };
    for index in 0..600 {
        let proof = tiles.inclusion(600, index).unwrap();
        check_inclusion(&proof, head, index, record_hash(&leaf(index))).unwrap();
    }
}

#[test]
fn larger_trees_are_those_of_the_model() {
    for size in [65_536, 65_537, 70_000] {
        let (tiles, root, model) = grown(size);
        let some = [0, 255, 256, 65_279, 65_534, size / 2, size - 1];
        same_as_model(&tiles, root, &model, &some, &[1, 255, 256, 257, 65_534, size - 1]);
        if size == 70_000 {
            let width = |level, index| TileId { level, index }.width(size);
            assert_eq!((width(0, 272), width(0, 273), width(0, 274)), (256, 112, 0));
            assert_eq!((width(1, 0), width(1, 1), width(1, 2)), (256, 17, 0));
            assert_eq!((width(2, 0), width(3, 0), width(8, 0), width(63, 0)), (1, 0, 0, 0));
            assert_eq!(tiles.0.len(), 274 + 2 + 1);
            let tile = tiles.checked(Head { size, root }).tile(TileId { level: 1, index: 1 }).unwrap();
            assert_eq!(tile, split(&tiles.0[&TileId { level: 1, index: 1 }]));
        }
    }
}

#[test]
fn the_same_tiles_are_named_as_the_crate_names() {
    for size in [1_u64, 255, 256, 257, 70_000, 1 << 24, (1 << 40) + 3] {
        for tile in Tile::new_tiles(8, size - 1, size) {
            let id = TileId { level: tile.level(), index: tile.level_index() };
            assert_eq!(id.width(size), tile.width());
            assert_eq!(id.path(size).replace("tile/", "tile/8/"), tile.path());
        }
    }
    let tree = (1 << 40) + 3;
    assert_eq!(Edge::needed(0), Vec::new());
    assert_eq!(Edge::needed(256), [TileId { level: 1, index: 0 }]);
    assert!(needed_for_inclusion(10_000_000, 3_333_333).unwrap().len() <= 7);
    assert!(needed_for_inclusion(tree, 5).unwrap().contains(&TileId { level: 0, index: 0 }));
    assert_eq!(needed_for_consistency(0, 5).unwrap(), Vec::new());
    assert!(!needed_for_consistency(1 << 20, tree).unwrap().is_empty());
}

#[test]
fn a_tile_that_was_changed_is_found() {
    let (tiles, root, _) = grown(70_000);
    let head = Head { size: 70_000, root };
    for id in needed_for_inclusion(70_000, 300).unwrap() {
        let mut changed = tiles.clone();
        for byte in 0..changed.0[&id].len() / HASH_BYTES {
            changed.0.get_mut(&id).unwrap()[byte * HASH_BYTES] ^= 1;
            assert_eq!(changed.checked(head).inclusion(300), Err(Fault::TilesDiffer(70_000)), "{id:?}");
            changed.0.get_mut(&id).unwrap()[byte * HASH_BYTES] ^= 1;
        }
        assert!(changed.checked(head).inclusion(300).is_ok());
        changed.0.get_mut(&id).unwrap().truncate(31);
        assert_eq!(changed.checked(head).inclusion(300), Err(Fault::TileLength(id)));
        changed.0.remove(&id);
        assert_eq!(changed.checked(head).inclusion(300), Err(Fault::MissingTile(id)));
        assert_eq!(changed.inclusion(70_000, 300), Err(Fault::MissingTile(id)));
    }
    let mut swapped = tiles.clone();
    let (a, b) = (TileId { level: 0, index: 1 }, TileId { level: 0, index: 2 });
    swapped.0.insert(a, tiles.0[&b].clone());
    swapped.0.insert(b, tiles.0[&a].clone());
    assert_eq!(swapped.checked(head).tile(a), Err(Fault::TilesDiffer(70_000)));
    let wrong = Head { root: Hash([0; 32]), ..head };
    assert_eq!(tiles.checked(wrong).consistency(5), Err(Fault::TilesDiffer(70_000)));
}

#[test]
fn a_border_that_does_not_fit_its_size_is_refused() {
    let (tiles, ..) = grown(600);
    let border: Vec<_> = Edge::needed(600).into_iter().map(|id| (id, tiles.0[&id].clone())).collect();
    assert_eq!(border.len(), 2);
    let wider = Fault::TileLength(TileId { level: 0, index: 2 });
    assert_eq!(Edge::new(599, &border).unwrap_err(), wider);
    assert_eq!(Edge::new(601, &border).unwrap_err(), wider);
    assert_eq!(Edge::new(600, &border[..1]).unwrap_err(), Fault::MissingTile(TileId { level: 1, index: 0 }));
    assert_eq!(Edge::new(LARGEST_TREE + 1, &[]).unwrap_err(), Fault::TooLarge(LARGEST_TREE + 1));
    assert_eq!(Edge::new(0, &[]).unwrap().root().unwrap(), Head::EMPTY.root);
}

#[test]
fn sizes_and_places_beyond_the_tree_are_refused() {
    let tiles = Tiles::default();
    assert_eq!(tiles.inclusion(0, 0), Err(Fault::NotInTree { index: 0, size: 0 }));
    assert_eq!(tiles.inclusion(5, 5), Err(Fault::NotInTree { index: 5, size: 5 }));
    assert_eq!(tiles.consistency(6, 5), Err(Fault::NotConsistent { old: 6, new: 5 }));
    assert_eq!(tiles.root(0), Ok(Head::EMPTY.root));
    assert!(matches!(tiles.root(5), Err(Fault::MissingTile(_))));
    for size in [LARGEST_TREE + 1, 1 << 62, u64::MAX - 1, u64::MAX] {
        let head = Head { size, root: Hash([0; 32]) };
        assert_eq!(tiles.root(size), Err(Fault::TooLarge(size)));
        assert_eq!(tiles.inclusion(size, 0), Err(Fault::TooLarge(size)));
        assert_eq!(tiles.checked(head).consistency(1), Err(Fault::TooLarge(size)));
        assert_eq!(needed_for_inclusion(size, size - 1), Err(Fault::TooLarge(size)));
        assert_eq!(needed_for_consistency(1, size), Err(Fault::TooLarge(size)));
        assert!(check_inclusion(&[Hash([0; 32]); 63], head, size - 1, Hash([0; 32])).is_err());
        assert!(check_consistency(&[Hash([0; 32]); 63], Head { size: size - 1, ..head }, head).is_err());
    }
    let last = LARGEST_TREE - 1;
    assert!(
        needed_for_inclusion(LARGEST_TREE, last).is_ok()
            && needed_for_consistency(last, LARGEST_TREE).is_ok()
    );
    for id in [TileId { level: 0, index: u64::MAX }, TileId { level: 255, index: 0 }] {
        assert_eq!((id.width(u64::MAX), needed_for_tile(5, id)), (0, Err(Fault::MissingTile(id))));
    }
    assert!(check_consistency(&[], Head { size: 0, root: Hash([1; 32]) }, Head::EMPTY).is_err());
    assert_eq!(check_consistency(&[], Head::EMPTY, Head { size: 9, root: Hash([1; 32]) }), Ok(()));
    assert!(check_consistency(&[Hash([1; 32])], Head::EMPTY, Head { size: 9, root: Hash([1; 32]) }).is_err());
    assert!(
        check_consistency(&[], Head { size: 9, root: Hash([1; 32]) }, Head { size: 9, root: Hash([2; 32]) })
            .is_err()
    );
}

#[test]
fn paths_are_written_and_read_as_the_specification_says() {
    assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(0, 1234, 5), "tile/0/x001/234.p/5");
    for index in [0, 5, 999, 1000, 1_000_000, 1_234_067, u64::MAX] {
        for width in [1, 255, 256] {
            let text = path(63, index, width);
            let rest = text.strip_prefix("tile/63/").unwrap();
            assert_eq!(parse_path("63", rest), Ok((TileId { level: 63, index }, width)));
            assert_eq!(text.replace("tile/63/", "tile/8/63/"), Tile::new(8, 63, index, width, false).path());
        }
    }
    for bad in [
        "",
        "1",
        "01",
        "0001",
        "x001",
        "x001/",
        "/001",
        "001/002",
        "x000/001",
        "x1/002",
        "xx01/002",
        "X001/002",
        "x001//002",
        "001/",
        "001.p",
        "001.p/",
        "001.p/0",
        "001.p/256",
        "001.p/01",
        "001.p/+1",
        "001.p/1/",
        "001.p/1.p/1",
        "+01",
        "0x1",
        "x018/x446/x744/x073/x709/x551/616",
        "x999/x999/x999/x999/x999/x999/x999/999",
        "٠٠١",
        "0\u{301}01",
    ] {
        assert!(matches!(parse_index(bad), Err(Fault::TilePath(_))), "{bad}");
    }
    for level in ["", "64", "00", "01", "+1", "-1", "256", "entries", "data", "x001"] {
        assert!(matches!(parse_path(level, "000"), Err(Fault::TilePath(_))), "{level}");
    }
}

#[test]
fn part_of_a_tile_is_its_first_hashes() {
    let bytes: Vec<u8> = (0..=255).cycle().take(96).collect();
    assert_eq!(partial(&bytes, 2), bytes.get(..64));
    assert_eq!(partial(&bytes, 3), Some(bytes.as_slice()));
    assert_eq!(
        partial(&bytes, 4).or(partial(&bytes, 0)).or(partial(&bytes[1..], 1)).or(partial(&bytes, 257)),
        None
    );
}
