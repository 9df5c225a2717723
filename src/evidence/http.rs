//! Evidence over HTTP: all of its routes, and how a file looks on the wire.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::metadata::Risk;
use super::{Evidence, State, custody_http, file_http, reporter_http, stripped_http, uploads_http};
use crate::values::{CaseId, ComplaintId, EvidenceId, UserId};

pub(crate) fn routes(config: &mut ServiceConfig) {
    // Uploads first: their address would else be taken for a file's.
    config
        .configure(uploads_http::routes)
        .configure(reporter_http::routes)
        .configure(custody_http::routes)
        .configure(stripped_http::routes)
        .configure(file_http::routes);
}

/// A file.
#[derive(Serialize, ToSchema)]
pub(super) struct EvidenceView {
    #[schema(value_type = Uuid)]
    id: EvidenceId,
    /// The case that an officer gave it to.
    #[schema(value_type = Option<Uuid>)]
    case_id: Option<CaseId>,
    /// The complaint whose reporter gave it.
    #[schema(value_type = Option<Uuid>)]
    complaint_id: Option<ComplaintId>,
    /// The officer who gave it.
    #[schema(value_type = Option<Uuid>)]
    uploaded_by: Option<UserId>,
    /// Its name, on one line and without any path; null once it was erased.
    name: Option<String>,
    /// Its type by its first bytes; null if they are no known one's.
    media_type: Option<String>,
    /// The type that whoever gave it says it has.
    claimed_media_type: Option<String>,
    /// How many bytes it has.
    size: i64,
    /// SHA-256 over its bytes, 64 hexadecimal digits.
    sha256: Option<String>,
    /// What it may tell of whoever made it.
    risks: Vec<Risk>,
    /// When it was whole.
    received_at: Option<DateTime<Utc>>,
    /// Which file it takes the place of.
    #[schema(value_type = Option<Uuid>)]
    supersedes: Option<EvidenceId>,
    /// Which file took its place. It stays.
    #[schema(value_type = Option<Uuid>)]
    superseded_by: Option<EvidenceId>,
    /// Which file it is a copy of, without metadata.
    #[schema(value_type = Option<Uuid>)]
    derived_from: Option<EvidenceId>,
    /// When all of it was last read again and found to be what it was.
    checked_at: Option<DateTime<Utc>>,
    /// When it was found to be something else.
    damaged_at: Option<DateTime<Utc>>,
    /// Whether it was erased with its matter.
    erased: bool,
}

impl From<Evidence> for EvidenceView {
    fn from(evidence: Evidence) -> Self {
        let Evidence { row, given, found, superseded_by } = evidence;
        let (name, claimed_media_type) = given.map(|given| (given.name, given.media)).unzip();
        let (sha256, media_type, risks) = match found {
            Some(found) => (Some(found.sha256), found.media, found.risks),
            None => (None, None, Vec::new()),
        };
        Self {
            id: row.id,
            case_id: row.case_id,
            complaint_id: row.complaint_id,
            uploaded_by: row.uploaded_by,
            name,
            media_type,
            claimed_media_type: claimed_media_type.flatten(),
            size: row.size,
            sha256,
            risks,
            received_at: row.received_at,
            supersedes: row.supersedes,
            superseded_by,
            derived_from: row.derived_from,
            checked_at: row.checked_at,
            damaged_at: row.damaged_at,
            erased: row.stage == State::Forgotten,
        }
    }
}
