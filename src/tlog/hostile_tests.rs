//! Whatever comes from outside: no parser panics, and no changed proof proves anything else.

use proptest::prelude::*;

use crate::tlog::proof_tests::{REQUEST, proof};
use crate::tlog::{
    AddCheckpoint, CosignerKey, Edge, Hash, Head, LARGEST_TREE, LogProof, SignedNote, SigningKey, TileId,
    Tiles, VerifierKey, check_consistency, check_inclusion, cosignatures, open, parse_index, parse_path,
    read, record_hash, with_lines,
};

fn read_everything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let keys = [proof().1];
    let _ = SignedNote::parse(&text);
    let _ = read(&text).map(|checkpoint| checkpoint.body().len());
    let _ = open(&text, &keys);
    let _ = cosignatures(&text, &keys);
    let _ = with_lines(&text, &[text.to_string()]);
    let _ = VerifierKey::parse(&text);
    let _ = SigningKey::parse(&text);
    let _ = CosignerKey::parse(&text);
    let _ = LogProof::parse(&text).map(|proof| proof.verify(bytes, &keys));
    let _ = AddCheckpoint::parse(bytes);
    let _ = parse_index(&text);
    let _ = parse_path("0", &text);
    let _ = parse_path(&text, "000");
}

/// The text with some bytes changed, left out, doubled.
fn mutated(text: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let text = text.as_bytes().to_vec();
    let change = (0..text.len(), any::<u8>(), 0..4_u8);
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = text.clone();
        for (at, byte, how) in changes {
            let at = at % bytes.len().max(1);
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

fn grown(size: u64) -> (Tiles, Head) {
    let mut edge = Edge::default();
    for n in 0..size {
        edge.push(record_hash(&n.to_be_bytes())).unwrap();
    }
    (Tiles(edge.changed().into_iter().collect()), Head { size, root: edge.root().unwrap() })
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_words_make_a_parser_panic(text in "(—|old |index |extra |x|[0-9]|[+/=. ]|A{43}=|\n|\n\n|\\PC){0,60}") {
        read_everything(text.as_bytes());
    }

    #[test]
    fn no_changed_request_makes_a_parser_panic(bytes in mutated(REQUEST)) {
        read_everything(&bytes);
        if let Ok(request) = AddCheckpoint::parse(&bytes) {
            prop_assert_eq!(request.to_text().into_bytes(), bytes);
        }
    }

    #[test]
    fn a_changed_proof_proves_nothing_else((proof, key, bytes) in Just(()).prop_flat_map(|()| {
        let (proof, key) = proof();
        let changed = mutated(&proof.to_text());
        (Just(proof), Just(key), changed)
    })) {
        read_everything(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let Ok(changed) = LogProof::parse(&text) else { return Ok(()) };
        prop_assert_eq!(changed.to_text(), text);
        let keys = [key];
        // Another leaf never passes; the leaf itself only at its own place under the checkpoint that was signed.
        prop_assert!(changed.verify(b"another", &keys).is_err());
        if let Ok(checkpoint) = changed.verify(&[3], &keys) {
            prop_assert_eq!((changed.index, &changed.hashes), (proof.index, &proof.hashes));
            let signed = read(&proof.checkpoint).unwrap();
            prop_assert_eq!(checkpoint.body(), signed.body());
        }
    }

    #[test]
    fn a_changed_path_leads_nowhere(size in 1..700_u64, index in any::<u64>(), at in any::<usize>(), how in 0..4_u8) {
        let (tiles, head) = grown(size);
        let index = index % size;
        let leaf = record_hash(&index.to_be_bytes());
        let honest = tiles.inclusion(size, index).unwrap();
        prop_assert_eq!(check_inclusion(&honest, head, index, leaf), Ok(()));
        let mut changed = honest.clone();
        let at = at % (changed.len() + 1);
        match how {
            0 if at < changed.len() => changed[at].0[at % 32] ^= 1,
            1 if at < changed.len() => drop(changed.remove(at)),
            2 if at + 1 < changed.len() => changed.swap(at, at + 1),
            _ => changed.insert(at, leaf),
        }
        prop_assert!(check_inclusion(&changed, head, index, leaf).is_err());
        let other = (index + 1) % size;
        prop_assert!(other == index || check_inclusion(&honest, head, other, leaf).is_err());
        let old = index + 1;
        let before = Head { size: old, root: tiles.root(old).unwrap() };
        let proof = tiles.consistency(old, size).unwrap();
        prop_assert_eq!(check_consistency(&proof, before, head), Ok(()));
        let mut longer = proof.clone();
        longer.push(leaf);
        prop_assert!(check_consistency(&longer, before, head).is_err());
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at].0[0] ^= 1;
            prop_assert!(check_consistency(&changed, before, head).is_err());
        }
    }

    #[test]
    fn no_tiles_and_no_sizes_make_the_tree_panic(
        size in prop_oneof![0..2000_u64, 0..=LARGEST_TREE, any::<u64>()],
        other in any::<u64>(),
        level in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        count in 0..70_usize,
    ) {
        let other = if other % 2 == 0 { other } else { other % size.max(1) };
        let tile = TileId { level, index: other };
        let mut needed = Edge::needed(size.min(LARGEST_TREE));
        needed.push(tile);
        needed.extend(crate::tlog::needed_for_inclusion(size, other).unwrap_or_default());
        let whole = |id: &TileId| bytes.iter().copied().cycle().take(id.width(size) as usize * 32).collect::<Vec<u8>>();
        for full in [false, true] {
            let given: Vec<_> = needed.iter().map(|id| (*id, if full { whole(id) } else { bytes.clone() })).collect();
            let tiles = Tiles(given.iter().cloned().collect());
            let head = Head { size, root: Hash([0; 32]) };
            let _ = (tiles.root(size), tiles.inclusion(size, other), tiles.consistency(other, size));
            let checked = tiles.checked(head);
            let _ = (checked.inclusion(other), checked.consistency(other), checked.tile(tile), tile.path(size));
            if let Ok(mut edge) = Edge::new(size, &given) {
                let _ = edge.push(Hash([1; 32])).map(|()| (edge.root(), edge.changed()));
            }
            let hashes = vec![Hash([2; 32]); count];
            prop_assert!(check_inclusion(&hashes, head, other, Hash([3; 32])).is_err());
            let old = Head { size: other, root: Hash([4; 32]) };
            prop_assert!(check_consistency(&hashes, old, head).is_err());
        }
    }
}
