//! What is taken away is gone, and what shows is still there.

use super::*;

/// A JPEG's parts, one after another, and its picture.
fn jpeg_with(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let table = (0xDB_u8, &[0_u8; 65][..]);
    for (marker, contents) in parts.iter().chain([&table]) {
        file.extend_from_slice(&[0xFF, *marker]);
        file.extend_from_slice(&u16::try_from(contents.len() + 2).unwrap().to_be_bytes());
        file.extend_from_slice(contents);
    }
    file.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0x34, 0x56, 0xFF, 0xD9]);
    file
}

fn holds(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn a_jpeg_loses_its_notes_and_keeps_its_picture() {
    let file = jpeg_with(&[
        (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        (0xE1, b"Exif\0\0II\x2a\0camera SERIAL-77"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0Marie Exemple"),
        (0xED, b"Photoshop 3.0\0a place"),
        (0xFE, b"a comment"),
    ]);
    let plain = Format::Jpeg.strip(file.clone().into()).unwrap();
    for gone in ["Exif", "SERIAL-77", "Marie", "Photoshop", "comment"] {
        assert!(holds(&file, gone) && !holds(&plain, gone), "{gone}");
    }
    assert!(holds(&plain, "JFIF"));
    assert!(plain.windows(3).any(|window| window == [0x12, 0x34, 0x56]), "the picture is gone too");
    assert_eq!(Format::Jpeg.strip(plain.clone()).unwrap(), plain);
}

fn png_with(parts: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, contents) in parts {
        file.extend_from_slice(&u32::try_from(contents.len()).unwrap().to_be_bytes());
        let from = file.len();
        file.extend_from_slice(*kind);
        file.extend_from_slice(contents);
        let sum = flate2::Crc::new();
        let mut sum = sum;
        sum.update(&file[from..]);
        let sum = sum.sum().to_be_bytes();
        file.extend_from_slice(&sum);
    }
    file
}

#[test]
fn a_png_loses_its_notes_and_keeps_its_picture() {
    let file = png_with(&[
        (b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
        (b"tEXt", b"Author\0Marie Exemple"),
        (b"eXIf", b"II\x2a\0\x08\0\0\0"),
        (b"tIME", &[0; 7]),
        (b"IDAT", b"the picture"),
        (b"IEND", b""),
    ]);
    let plain = Format::Png.strip(file.into()).unwrap();
    for gone in ["Marie", "eXIf", "tIME", "tEXt"] {
        assert!(!holds(&plain, gone), "{gone}");
    }
    assert!(holds(&plain, "the picture") && holds(&plain, "IEND"));
}

fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    let how = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, contents) in parts {
        file.start_file(*name, how).unwrap();
        file.write_all(contents).unwrap();
    }
    file.finish().unwrap().into_inner()
}

fn unpacked(file: &[u8], name: &str) -> String {
    let mut file = ZipArchive::new(Cursor::new(file)).unwrap();
    let mut text = Vec::new();
    let index = file.file_names().position(|each| each.unwrap() == name).unwrap();
    file.by_index(index).unwrap().read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_document_loses_its_author_and_keeps_its_text() {
    let picture = jpeg_with(&[(0xE1, b"Exif\0\0II\x2a\0camera SERIAL-77")]);
    let file = packed(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w:t>What happened</w:t>"),
        ("docProps/core.xml", b"<dc:creator>Marie Exemple</dc:creator>"),
        ("word/media/image1.jpeg", &picture),
    ]);
    assert_eq!(
        office_risks(&file.clone().into()).unwrap(),
        [Risk::DocumentProperties, Risk::EmbeddedPictures]
    );
    let plain = Format::Office.strip(file.into()).unwrap();
    assert_eq!(unpacked(&plain, "word/document.xml"), "<w:t>What happened</w:t>");
    assert!(!unpacked(&plain, "docProps/core.xml").contains("Marie"));
    assert!(!unpacked(&plain, "word/media/image1.jpeg").contains("SERIAL-77"));
}

#[test]
fn bombs_are_not_unpacked() {
    // A text part of 64 MiB in 64 KiB is copied as it is packed.
    let huge = vec![b' '; 64 * 1024 * 1024];
    let file = packed(&[("word/document.xml", &huge), ("docProps/core.xml", b"x")]);
    let plain = Format::Office.strip(file.clone().into()).unwrap();
    assert!(plain.len() < file.len() + 1000, "{} {}", plain.len(), file.len());
    // A picture that unpacks to more than a picture has is refused.
    let file = packed(&[("word/media/image1.png", &huge)]);
    assert!(Format::Office.strip(file.into()).is_none());
    // More parts than any document has.
    let names: Vec<String> = (0..=MOST_PARTS).map(|n| n.to_string()).collect();
    let parts: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(Format::Office.strip(packed(&parts).into()).is_none());
}

#[test]
fn a_pdf_loses_what_it_says_of_itself() {
    use lopdf::{Dictionary, Stream, dictionary};
    let mut file = Document::with_version("1.5");
    let info = file.add_object(dictionary! { "Author" => Object::string_literal("Marie Exemple") });
    let about = Stream::new(
        dictionary! { "Type" => "Metadata", "Subtype" => "XML" },
        b"<x:xmpmeta>Marie Exemple</x:xmpmeta>".to_vec(),
    );
    let about = file.add_object(about);
    let pages = file.new_object_id();
    let text = file.add_object(Stream::new(Dictionary::new(), b"BT (What happened) Tj ET".to_vec()));
    let page = file.add_object(dictionary! { "Type" => "Page", "Parent" => pages, "Contents" => text });
    file.objects.insert(
        pages,
        Object::Dictionary(dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 }),
    );
    let root = file.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages, "Metadata" => about });
    file.trailer.set("Root", root);
    file.trailer.set("Info", info);
    let mut bytes = Vec::new();
    file.save_to(&mut bytes).unwrap();
    assert!(holds(&bytes, "Marie"));
    let plain = Format::Pdf.strip(bytes.into()).unwrap();
    for gone in ["Marie", "xmpmeta", "/Info", "/Metadata"] {
        assert!(!holds(&plain, gone), "{gone}");
    }
    assert!(holds(&plain, "What happened"));
    assert_eq!(Document::load_mem(&plain).unwrap().get_pages().len(), 1);
}

#[test]
fn what_is_not_what_it_seems_is_refused() {
    for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Pdf, Format::Office] {
        for odd in [
            &b""[..],
            b"x",
            b"\xFF\xD8",
            b"\xFF\xD8\xFF\xE1\xFF\xFF",
            b"\x89PNG\r\n\x1a\n",
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"RIFF\xff\xff\xff\xffWEBP",
        ] {
            let outcome = std::panic::catch_unwind(|| format.strip(Bytes::from_static(odd)));
            assert!(outcome.is_ok(), "{format:?} stumbles over {odd:?}");
        }
    }
}
