//! A file of rows: CSV, packed by gzip or not, read row by row in a bounded amount of memory, whatever is in it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

/// The most bytes of a row, and the most fields. The longest field that is taken has 64 KiB.
const LONGEST_ROW: usize = 1024 * 1024;
const MOST_FIELDS: usize = 1024;
/// How much of a row that is too long is shown again.
const SHOWN: usize = 1000;

/// A row as it stands in the file.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The line on which it begins; the header stands on line 1.
    pub(super) line: u64,
    pub(super) fields: Vec<String>,
    /// Why it cannot even be read.
    pub(super) torn: Option<&'static str>,
}

/// A file that is being read.
pub(super) struct Source {
    /// Its name, for people.
    pub(super) name: String,
    /// The names of its columns.
    pub(super) header: Vec<String>,
    input: Box<dyn BufRead>,
    parser: Reader,
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
    read: Arc<AtomicU64>,
    size: u64,
}

impl Source {
    /// Opens a file and reads its header; otherwise says in a sentence what is wrong with it.
    pub(super) fn open(path: &Path, delimiter: u8) -> Result<Self, String> {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
        let unreadable = |error: io::Error| format!("{} cannot be read ({error})", path.display());
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.is_dir() {
            return Err(format!("{} is a directory, not a file", path.display()));
        }
        let read = Arc::new(AtomicU64::new(0));
        let file = BufReader::new(Counted { inner: file, read: Arc::clone(&read) });
        let (head, file) = peek(file, 2).map_err(unreadable)?;
        let plain: Box<dyn Read> =
            if head == [0x1F, 0x8B] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let (head, rest) = peek(plain, 3).map_err(unreadable)?;
        if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
            return Err(format!("{name} is UTF-16; save it as CSV in UTF-8"));
        }
        let mut input: Box<dyn BufRead> = Box::new(BufReader::with_capacity(64 * 1024, rest));
        if head == [0xEF, 0xBB, 0xBF] {
            input.read_exact(&mut [0; 3]).map_err(unreadable)?;
        }
        let mut source = Self {
            name,
            header: Vec::new(),
            input,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            line: 1,
            text: vec![0; LONGEST_ROW],
            ends: vec![0; MOST_FIELDS],
            read,
            size: about.len(),
        };
        source.read_header().map_err(|fault| format!("{} {fault}", source.name))?;
        Ok(source)
    }

    fn read_header(&mut self) -> Result<(), String> {
        let row = self.next_row().map_err(|error| format!("cannot be read ({error})"))?;
        let Some(row) = row else {
            return Err("is empty: it has not even a line with the names of its columns".to_owned());
        };
        if let Some(torn) = row.torn {
            return Err(format!("has a first line that {torn}"));
        }
        self.header = row.fields.iter().map(|name| name.trim().to_owned()).collect();
        let mut sorted: Vec<&str> =
            self.header.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        sorted.sort_unstable();
        let twice: Option<&str> = sorted.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(*one),
            _ => None,
        });
        match twice {
            Some(name) => Err(format!("has two columns that are called `{name}`")),
            None => Ok(()),
        }
    }

    /// How much of the file has been read, and how long it is, in bytes.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.size)
    }

    /// The line that is read next.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next row; `None` at the end. A row that cannot be read says so and counts as one.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        self.skip_line_ends()?;
        let line = self.line;
        let (mut filled, mut fields, mut quotes, mut start) = (0, 0, 0, None);
        let mut torn = None;
        let unended = loop {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            let (Some(text), Some(ends)) = (self.text.get_mut(filled..), self.ends.get_mut(fields..)) else {
                return Err(io::Error::other("a row left its bounds"));
            };
            let (result, used, wrote, ended) = self.parser.read_record(input, text, ends);
            let eaten = input.get(..used).unwrap_or_default();
            self.line += count(eaten, b'\n');
            quotes += count(eaten, b'"');
            self.input.consume(used);
            filled += wrote;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    torn = Some("is longer than 1 MiB: is a quotation mark opened in it and never closed?");
                    start.get_or_insert_with(|| lossy(self.text.get(..SHOWN)));
                    filled = 0;
                }
                ReadRecordResult::OutputEndsFull => {
                    torn = torn.or(Some("has more than 1024 fields"));
                    fields = 0;
                }
                ReadRecordResult::Record => break at_end,
                ReadRecordResult::End => return Ok(None),
            }
        };
        if let Some(torn) = torn {
            let start = start.unwrap_or_else(|| lossy(self.text.get(..filled.min(SHOWN))));
            return Ok(Some(Row { line, fields: vec![start], torn: Some(torn) }));
        }
        let text = self.text.get(..filled).unwrap_or_default();
        let ends = self.ends.get(..fields).unwrap_or_default();
        if unended && quotes % 2 == 1 {
            torn =
                Some("opens a quotation mark that is never closed: all that follows was read as part of it");
        } else if std::str::from_utf8(text).is_err() {
            torn = Some("is not UTF-8: save the file as CSV in UTF-8");
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let fields = starts.zip(ends).map(|(from, to)| lossy(text.get(from..*to))).collect();
        Ok(Some(Row { line, fields, torn }))
    }

    /// Empty lines are no rows; passing over them here keeps the count of lines true.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let input = self.input.fill_buf()?;
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if empty == 0 {
                return Ok(());
            }
            self.line += count(input.get(..empty).unwrap_or_default(), b'\n');
            self.input.consume(empty);
        }
    }
}

fn count(bytes: &[u8], byte: u8) -> u64 {
    bytes.iter().map(|each| u64::from(*each == byte)).sum()
}

fn lossy(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// Bytes that were looked at, and those behind them.
type Whole<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The first bytes of `input`, and all of it.
fn peek<R: Read>(mut input: R, many: u64) -> io::Result<(Vec<u8>, Whole<R>)> {
    let mut head = Vec::new();
    input.by_ref().take(many).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
