//! A copy without metadata: what shows stays byte for byte where that can be, and nothing is decoded that need not be.
//!
//! Pictures are taken apart into their parts, never into pixels. Of documents in a ZIP only the parts that speak of their
//! author are written anew, and their pictures; all else is copied as it is packed. A PDF is read and written again, with a
//! bound on what it may unpack.

use std::io::{Cursor, Read as _, Write as _};

use bytes::Bytes;
use img_parts::ImageEXIF as _;
use img_parts::jpeg::{Jpeg, markers};
use img_parts::png::Png;
use img_parts::webp::{CHUNK_EXIF, CHUNK_XMP, WebP};
use lopdf::{Document, LoadOptions, Object};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::metadata::{Risk, media};

/// Types of which a copy without metadata can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Pdf,
    /// DOCX, XLSX, PPTX and their `OpenDocument` likes.
    Office,
}

/// How many parts a document in a ZIP may have.
const MOST_PARTS: usize = 10_000;
/// How many bytes all that is unpacked of one file may have: 256 MiB.
const UNPACKED: u64 = 256 * 1024 * 1024;
/// The most bytes of a picture inside a document that is taken apart.
const PICTURE: u64 = 16 * 1024 * 1024;

impl Format {
    /// The one of a media type.
    pub(super) fn of(media: &str) -> Option<Self> {
        match media {
            "image/jpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::WebP),
            "application/pdf" => Some(Self::Pdf),
            _ if media.starts_with("application/vnd.openxmlformats-officedocument.")
                || media.starts_with("application/vnd.oasis.opendocument.") =>
            {
                Some(Self::Office)
            }
            _ => None,
        }
    }

    /// The bytes of a copy without metadata; `None` if the file is not what it seems, or unpacks to too much.
    pub(super) fn strip(self, bytes: Bytes) -> Option<Bytes> {
        match self {
            Self::Jpeg => jpeg(bytes),
            Self::Png => png(bytes),
            Self::WebP => webp(bytes),
            Self::Pdf => pdf(&bytes),
            Self::Office => office(&bytes),
        }
    }
}

fn jpeg(bytes: Bytes) -> Option<Bytes> {
    let mut picture = Jpeg::from_bytes(bytes).ok()?;
    // The first two say how to show it (JFIF, colour profile, Adobe's colours); the others are somebody's notes.
    let shows = |marker: u8, contents: &[u8]| match marker {
        markers::APP0 => contents.starts_with(b"JFIF"),
        markers::APP2 => contents.starts_with(b"ICC_PROFILE"),
        markers::APP14 => contents.starts_with(b"Adobe"),
        markers::APP1 | markers::APP3..=markers::APP13 | markers::APP15 | markers::COM => false,
        _ => true,
    };
    picture.segments_mut().retain(|segment| shows(segment.marker(), segment.contents()));
    Some(picture.encoder().bytes())
}

fn png(bytes: Bytes) -> Option<Bytes> {
    const SHOWS: [&[u8; 4]; 17] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP",
        b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
    ];
    let mut picture = Png::from_bytes(bytes).ok()?;
    picture.chunks_mut().retain(|chunk| SHOWS.contains(&&chunk.kind()));
    Some(picture.encoder().bytes())
}

fn webp(bytes: Bytes) -> Option<Bytes> {
    let mut picture = WebP::from_bytes(bytes).ok()?;
    // Sets the picture's own flags with it.
    picture.set_exif(None);
    picture.remove_chunks_by_id(CHUNK_EXIF);
    picture.remove_chunks_by_id(CHUNK_XMP);
    Some(picture.encoder().bytes())
}

fn pdf(bytes: &[u8]) -> Option<Bytes> {
    // A bound on each stream that keeps all of them together within what one file may unpack to.
    let word = b"stream";
    let streams = bytes.windows(word.len()).filter(|window| *window == word).count().max(1) as u64;
    let each = usize::try_from(2 * UNPACKED / streams).ok()?;
    let mut document =
        Document::load_mem_with_options(bytes, LoadOptions::with_max_decompressed_size(each)).ok()?;
    if document.is_encrypted() || document.objects.is_empty() {
        return None;
    }
    let info = document.trailer.get(b"Info").and_then(Object::as_reference).ok();
    document.trailer.remove(b"Info");
    document.trailer.remove(b"ID");
    if let Some(info) = info {
        document.objects.remove(&info);
    }
    let mut dropped = Vec::new();
    for (id, object) in &mut document.objects {
        let about_itself = match object {
            Object::Stream(stream) => stream.dict.has_type(b"Metadata"),
            _ => false,
        };
        if about_itself {
            dropped.push(*id);
            continue;
        }
        let entries = match object {
            Object::Dictionary(entries) => entries,
            Object::Stream(stream) => &mut stream.dict,
            _ => continue,
        };
        for name in [&b"Metadata"[..], b"PieceInfo", b"LastModified"] {
            entries.remove(name);
        }
    }
    for id in dropped {
        document.objects.remove(&id);
    }
    let mut written = Vec::new();
    document.save_to(&mut written).ok()?;
    Some(written.into())
}

/// The parts of a document that speak of its author, and what says nothing in their place.
fn in_place_of(name: &str) -> Option<&'static str> {
    match name {
        "docProps/core.xml" => Some(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><cp:coreProperties \
             xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\"/>",
        ),
        "docProps/app.xml" => Some(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><Properties \
             xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties\"/>",
        ),
        "docProps/custom.xml" => Some(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><Properties \
             xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/custom-properties\"/>",
        ),
        "meta.xml" => Some(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-meta \
             xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" office:version=\"1.2\"/>",
        ),
        _ => None,
    }
}

fn is_picture(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".jpg", ".jpeg", ".png", ".webp"].iter().any(|end| name.ends_with(end))
}

fn office(bytes: &[u8]) -> Option<Bytes> {
    let mut document = ZipArchive::new(Cursor::new(bytes)).ok()?;
    if document.len() > MOST_PARTS {
        return None;
    }
    let mut written = ZipWriter::new(Cursor::new(Vec::new()));
    let fresh = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    // Parts that lie over one another would be copied again and again.
    let (mut copied, mut unpacked) = (0_u64, 0_u64);
    for index in 0..document.len() {
        let part = document.by_index_raw(index).ok()?;
        if part.encrypted() {
            return None;
        }
        copied = copied.saturating_add(part.compressed_size());
        if copied > bytes.len() as u64 {
            return None;
        }
        let name = part.name().ok()?.into_owned();
        if let Some(nothing) = in_place_of(&name) {
            written.start_file(name, fresh).ok()?;
            written.write_all(nothing.as_bytes()).ok()?;
            continue;
        }
        if !is_picture(&name) {
            written.raw_copy_file(part).ok()?;
            continue;
        }
        drop(part);
        let mut picture = Vec::new();
        let most = PICTURE.min(UNPACKED.saturating_sub(unpacked));
        document.by_index(index).ok()?.take(most + 1).read_to_end(&mut picture).ok()?;
        unpacked = unpacked.saturating_add(picture.len() as u64);
        if picture.len() as u64 > most {
            return None;
        }
        let format = media(&picture).and_then(Format::of);
        let plain = match format {
            Some(format @ (Format::Jpeg | Format::Png | Format::WebP)) => format.strip(picture.into())?,
            _ => return None,
        };
        written.start_file(name, fresh).ok()?;
        written.write_all(&plain).ok()?;
    }
    Some(written.finish().ok()?.into_inner().into())
}

/// What a document in a ZIP tells of itself.
pub(super) fn office_risks(bytes: &Bytes) -> Option<Vec<Risk>> {
    let document = ZipArchive::new(Cursor::new(bytes)).ok()?;
    if document.len() > MOST_PARTS {
        return None;
    }
    let names: Vec<String> = document.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let mut risks = Vec::new();
    if names.iter().any(|name| in_place_of(name).is_some()) {
        risks.push(Risk::DocumentProperties);
    }
    if names.iter().any(|name| is_picture(name)) {
        risks.push(Risk::EmbeddedPictures);
    }
    Some(risks)
}

#[cfg(test)]
#[path = "strip_tests.rs"]
mod tests;
