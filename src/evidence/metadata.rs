//! What a file is by its first bytes, and what it tells besides what it shows: nothing here is believed, only listed.

use bytes::Bytes;
use img_parts::ImageEXIF as _;
use img_parts::jpeg::{Jpeg, markers};
use img_parts::png::Png;
use img_parts::webp::{CHUNK_EXIF, CHUNK_XMP, WebP};

use super::Given;
use super::reading::{Reader, Source};
use super::strip::{self, Format};
use crate::error::Result;
use crate::temwen::Temwen;
use crate::values::text_enum;

text_enum! {
    /// What a file may tell of whoever made it.
    Risk {
        /// Where a picture was taken.
        Location = "location",
        /// What camera or telephone took it, and when.
        Camera = "camera",
        /// XMP or IPTC: names, places and the history of editing.
        EditingHistory = "editing_history",
        /// Comments in a picture.
        Comments = "comments",
        /// Author, program and times of a document.
        DocumentProperties = "document_properties",
        /// Pictures inside a document, with what they tell themselves.
        EmbeddedPictures = "embedded_pictures",
        /// It is of another type than was said.
        AnotherType = "another_type",
        /// It is too large, or too odd, to be looked at: it may tell anything.
        NotExamined = "not_examined",
    }
}

/// The largest file that is looked at as a whole: 32 MiB.
pub(super) const EXAMINED: u64 = 32 * 1024 * 1024;
/// How many of the first bytes tell the type.
const HEAD: u64 = 8192;

/// What was found.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) media: Option<String>,
    pub(super) risks: Vec<Risk>,
}

/// Looks at a file.
pub(super) async fn look(temwen: &Temwen, source: Source, given: &Given) -> Result<Looked> {
    let size = source.size;
    let small = size <= EXAMINED;
    let range = if small { 0..size } else { 0..HEAD.min(size) };
    let bytes = Bytes::from(Reader::new(temwen.evidence.clone(), source, range, None)?.all().await?.to_vec());
    let media = media(&bytes).map(str::to_owned);
    let differs = match (&given.media, &media) {
        (Some(said), Some(is)) => said != is,
        // Plain text and the like have no first bytes of their own.
        (Some(said), None) => infer::is_mime_supported(said),
        (None, _) => false,
    };
    let mut risks = match media.as_deref().and_then(Format::of) {
        Some(format) if small => {
            // What takes such files apart may stumble over what somebody made for it to.
            let found = tokio::task::spawn_blocking(move || risks(format, bytes)).await;
            found.unwrap_or_else(|_| vec![Risk::NotExamined])
        }
        Some(_) => vec![Risk::NotExamined],
        None if media.as_deref().is_some_and(tells_more) => vec![Risk::NotExamined],
        None => Vec::new(),
    };
    if differs {
        risks.push(Risk::AnotherType);
    }
    Ok(Looked { media, risks })
}

/// The media type that the first bytes of a file tell of.
pub(super) fn media(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|found| found.mime_type())
}

/// Whether files of this type carry more than they show, which is not looked at.
fn tells_more(media: &str) -> bool {
    ["image/", "video/", "audio/", "application/"].iter().any(|kind| media.starts_with(kind))
}

fn risks(format: Format, bytes: Bytes) -> Vec<Risk> {
    let found = match format {
        Format::Jpeg => jpeg(bytes),
        Format::Png => png(bytes),
        Format::WebP => webp(bytes),
        Format::Pdf => Some(pdf(&bytes)),
        Format::Office => strip::office_risks(&bytes),
    };
    found.unwrap_or_else(|| vec![Risk::NotExamined])
}

fn jpeg(bytes: Bytes) -> Option<Vec<Risk>> {
    let picture = Jpeg::from_bytes(bytes).ok()?;
    let mut risks = picture.exif().map(|exif| of_exif(&exif)).unwrap_or_default();
    let holds = |marker| picture.segments().iter().any(move |segment| segment.marker() == marker);
    let xmp = picture
        .segments()
        .iter()
        .any(|segment| segment.marker() == markers::APP1 && segment.contents().starts_with(b"http"));
    if xmp || holds(markers::APP13) {
        risks.push(Risk::EditingHistory);
    }
    if holds(markers::COM) {
        risks.push(Risk::Comments);
    }
    Some(risks)
}

fn png(bytes: Bytes) -> Option<Vec<Risk>> {
    let picture = Png::from_bytes(bytes).ok()?;
    let mut risks = picture.exif().map(|exif| of_exif(&exif)).unwrap_or_default();
    if picture.chunks().iter().any(|chunk| [*b"tEXt", *b"zTXt", *b"iTXt"].contains(&chunk.kind())) {
        risks.push(Risk::Comments);
    }
    Some(risks)
}

fn webp(bytes: Bytes) -> Option<Vec<Risk>> {
    let picture = WebP::from_bytes(bytes).ok()?;
    let mut risks = Vec::new();
    if let Some(exif) = picture.exif().filter(|_| picture.has_chunk(CHUNK_EXIF)) {
        risks = of_exif(&exif);
    }
    if picture.has_chunk(CHUNK_XMP) {
        risks.push(Risk::EditingHistory);
    }
    Some(risks)
}

/// EXIF is a TIFF: whether its first directory points to a place on earth.
fn of_exif(exif: &[u8]) -> Vec<Risk> {
    let mut risks = vec![Risk::Camera];
    if points_to_a_place(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)) != Some(false) {
        // What cannot be read is not taken to be harmless.
        risks.insert(0, Risk::Location);
    }
    risks
}

fn points_to_a_place(tiff: &[u8]) -> Option<bool> {
    const GPS: u16 = 0x8825;
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let two: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    };
    let long = |at: usize| -> Option<u32> {
        let four: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    for entry in 0..usize::from(short(directory)?) {
        if short(directory.checked_add(2 + 12 * entry)?)? == GPS {
            return Some(true);
        }
    }
    Some(false)
}

/// Without taking it apart: names of what a PDF says about itself. What is packed into object streams may hold them too.
fn pdf(bytes: &[u8]) -> Vec<Risk> {
    let names: [&[u8]; 7] =
        [b"/Info", b"/Author", b"/Creator", b"/Producer", b"/Metadata", b"<x:xmpmeta", b"/ObjStm"];
    let told = names.iter().any(|name| bytes.windows(name.len()).any(|window| window == *name));
    if told { vec![Risk::DocumentProperties] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(tag: u16) -> Vec<u8> {
        let mut exif = b"II\x2a\0\x08\0\0\0\x01\0".to_vec();
        exif.extend_from_slice(&tag.to_le_bytes());
        exif.extend_from_slice(&[4, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0, 0, 0, 0]);
        exif
    }

    #[test]
    fn a_place_is_found_and_what_cannot_be_read_is_not_taken_to_be_harmless() {
        assert_eq!(of_exif(&tiff(0x8825)), [Risk::Location, Risk::Camera]);
        assert_eq!(of_exif(&tiff(0x010F)), [Risk::Camera]);
        for odd in [
            &b""[..],
            b"II",
            b"II\x2a\0\xff\xff\xff\xff",
            b"XX\x2a\0\x08\0\0\0",
            b"II\x2a\0\x08\0\0\0\xff\xff",
        ] {
            assert_eq!(of_exif(odd), [Risk::Location, Risk::Camera], "{odd:?}");
        }
    }
}
