//! The rejects file: every row that was refused, with every reason, so that it can be mended and brought again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::{Map, Value};

use super::Faulty;
use super::source::Row;

/// The file, open for writing.
pub(super) struct Rejects(csv::Writer<BufWriter<File>>);

impl Rejects {
    /// Begins the file anew. It holds what people entrusted to somebody: its owner alone may read it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        if file.metadata()?.is_file() {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        writer.write_record(["file", "line", "field", "reason", "key", "row"])?;
        writer.flush()?;
        Ok(Self(writer))
    }

    /// Adds a row: one line, whatever the number of its faults.
    pub(super) fn add(
        &mut self,
        file: &str,
        header: &[String],
        row: &Row,
        key: Option<&str>,
        faulty: &Faulty,
    ) -> io::Result<()> {
        let mut fields: Vec<&str> = Vec::new();
        for fault in &faulty.0 {
            if !fields.contains(&fault.pointer.as_str()) {
                fields.push(&fault.pointer);
            }
        }
        let reasons: Vec<String> =
            faulty.0.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail)).collect();
        let line = row.line.to_string();
        let raw = raw(header, &row.fields);
        self.0.write_record([
            file,
            &line,
            &fields.join("; "),
            &reasons.join("; "),
            key.unwrap_or_default(),
            &raw,
        ])?;
        Ok(())
    }

    /// Hands what was added to the operating system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The row as JSON: by column where there is a field for each, else as a list.
fn raw(header: &[String], fields: &[String]) -> String {
    let value = if header.len() == fields.len() {
        let named =
            header.iter().zip(fields).map(|(name, field)| (name.clone(), Value::from(field.as_str())));
        Value::Object(named.collect::<Map<_, _>>())
    } else {
        Value::from(fields.to_vec())
    };
    value.to_string()
}
