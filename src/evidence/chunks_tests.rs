//! What is sealed opens where it belongs, and nowhere else.

use super::*;

const SIZE: u64 = 3 * CHUNK + 100;

fn bytes(length: u64) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn sealed(key: &FileKey, file: EvidenceId, start: u64, plain: &[u8]) -> (Segment, Vec<u8>) {
    let mut sealer = Sealer::begin(key, file, SIZE, start).unwrap();
    for part in plain.chunks(1000) {
        sealer.push(part).unwrap();
    }
    sealer.finish().unwrap()
}

fn opened(key: &FileKey, file: EvidenceId, segment: Segment, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
    Opener::of(key, file, SIZE, segment).unwrap().open(0, sealed).map(|plain| plain.to_vec())
}

#[test]
fn a_segment_opens_again_whole_and_in_parts() {
    let (key, file) = (FileKey::make().unwrap(), EvidenceId::new());
    let plain = bytes(SIZE);
    let (segment, object) = sealed(&key, file, 0, &plain);
    assert_eq!((segment.length, segment.sealed_length()), (SIZE, object.len() as u64));
    assert_eq!(opened(&key, file, segment, &object).unwrap(), plain);
    let range = segment.sealed_range(2, 4);
    let part = &object[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
    let part = Opener::of(&key, file, SIZE, segment).unwrap().open(2, part).unwrap();
    assert_eq!(*part, plain[usize::try_from(2 * CHUNK).unwrap()..]);
    // Nothing of it stands in the object.
    assert!(!object.windows(16).any(|window| window == &plain[..16]));
}

#[test]
fn p4_what_was_cut_flipped_swapped_or_moved_does_not_open() {
    let (key, file) = (FileKey::make().unwrap(), EvidenceId::new());
    let plain = bytes(SIZE);
    let (segment, object) = sealed(&key, file, 0, &plain);
    let whole = usize::try_from(CHUNK + TAG).unwrap();
    let refused = |segment: Segment, object: &[u8], what: &str| {
        assert_eq!(opened(&key, file, segment, object), Err(Broken), "{what}");
    };
    for at in [0, 17, whole - 1, whole, object.len() - 1] {
        let mut flipped = object.clone();
        flipped[at] ^= 1;
        refused(segment, &flipped, "flipped");
    }
    refused(segment, &object[..object.len() - 1], "cut by a byte");
    refused(
        Segment { length: CHUNK, ..segment },
        &object[..whole],
        "cut by chunks, and the length with them",
    );
    let mut swapped = object.clone();
    swapped[..whole].copy_from_slice(&object[whole..2 * whole]);
    swapped[whole..2 * whole].copy_from_slice(&object[..whole]);
    refused(segment, &swapped, "swapped chunks");
    refused(Segment { start: CHUNK, ..segment }, &object, "moved within the file");
    refused(Segment { id: Uuid::now_v7(), ..segment }, &object, "under another segment's name");
    assert_eq!(opened(&key, EvidenceId::new(), segment, &object), Err(Broken), "as another file");
    assert_eq!(opened(&FileKey::make().unwrap(), file, segment, &object), Err(Broken), "with another key");
    // The same bytes at the same place, sealed again: another object, which does not stand in for the first.
    let (again, other) = sealed(&key, file, 0, &plain);
    assert_ne!(object, other);
    refused(again, &object, "for the other one");
    // A segment that ends before the file does is not taken for its end.
    let (short, object) = sealed(&key, file, 0, &plain[..1000]);
    let ends = Opener::of(&key, file, 1000, short).unwrap().open(0, &object);
    assert!(ends.is_err(), "as the end of a shorter file");
}
