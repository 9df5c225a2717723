//! Paths of tiles, and trees of tiles that are not what they should be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use temwen_fuzz::tlog::{
    Edge, Hash, Head, LARGEST_TREE, TileId, Tiles, needed_for_inclusion, needed_for_tile, parse_index,
    parse_path, path, record_hash,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Some((level, rest)) = text.split_once('/') {
            if let Ok((id, width)) = parse_path(level, rest) {
                assert_eq!(path(id.level, id.index, width), format!("tile/{text}"), "a tile has one path");
            }
        }
        let _ = parse_index(text);
    }
    let Some((numbers, rest)) = bytes.split_first_chunk::<18>() else { return };
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    // Sizes of every length, not only the huge ones that random bytes make.
    let size = number(&numbers[..8]) >> (numbers[16] % 64);
    let index = number(&numbers[8..16]) >> (numbers[17] % 64);
    // No tile made below leads to it.
    let head = Head { size, root: record_hash(b"nothing") };
    let tile = TileId { level: numbers[17], index };
    let mut given: Vec<(TileId, Vec<u8>)> = Vec::new();
    let needed = [
        Edge::needed(size.min(LARGEST_TREE)),
        needed_for_inclusion(size, index).unwrap_or_default(),
        needed_for_tile(size, tile).unwrap_or_default(),
    ];
    for (place, id) in needed.concat().into_iter().enumerate() {
        let whole = id.width(size) as usize * 32;
        // Some tiles as long as they should be, some not, some missing.
        let bytes = match rest.get(place).copied().unwrap_or(0) {
            251 => rest.to_vec(),
            252 => continue,
            253 => vec![7; whole + 32],
            254 => vec![7; whole.saturating_sub(1)],
            byte => vec![byte; whole],
        };
        given.push((id, bytes));
    }
    let tiles = Tiles(given.iter().cloned().collect());
    let _ = (tiles.root(size), tiles.inclusion(size, index), tiles.consistency(index, size));
    let checked = tiles.checked(head);
    assert!(checked.tile(tile).is_err());
    assert!(checked.inclusion(index).is_err() || size == 1, "one entry needs no hashes");
    let _ = checked.consistency(index);
    if let Ok(mut edge) = Edge::new(size, &given) {
        for byte in rest.iter().take(300) {
            if edge.push(Hash([*byte; 32])).is_err() {
                break;
            }
        }
        let _ = edge.root().map(|_| edge.changed());
    }
});
