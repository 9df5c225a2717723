//! Consents over HTTP: for officers, and for the reporter.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::consent::{Answer, GivenBy};
use super::consents::{self, Consent, How, New, Read};
use super::{At, Named};
use crate::auth::Role;
use crate::coa::{Policy, Vocabulary};
use crate::error::Result;
use crate::http::body::Body;
use crate::http::extract::{Reporter, SignedIn};
use crate::http::idempotency::{self, Created, IdempotencyKey};
use crate::http::problem::Refusal;
use crate::temwen::Temwen;
use crate::values::{CaseId, ConsentId, Faults, Reason};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(list_consents)
        .service(write_consent)
        .service(withdraw_consent)
        .service(list_own_consents)
        .service(say_consent);
}

/// What somebody said may be done.
#[derive(Serialize, ToSchema)]
struct ConsentView {
    #[schema(value_type = Uuid)]
    id: ConsentId,
    /// To what; a word of the policy.
    purpose: String,
    /// For whom: a country, a body or a role; null for everybody whom the purpose is for.
    recipient: Option<String>,
    /// What was said.
    answer: Answer,
    /// Under what condition.
    condition: Option<String>,
    /// Who said it.
    given_by: GivenBy,
    /// Whether a child agreed.
    assent: Option<bool>,
    /// How.
    how: How,
    /// When.
    at: DateTime<Utc>,
    /// Which officer wrote it down; null where the person did so themself.
    recorded_by: Option<Uuid>,
    /// The consent that this takes back.
    withdraws: Option<Uuid>,
    /// When it was taken back.
    withdrawn_at: Option<DateTime<Utc>>,
    /// Whether it is the newest word and anything may be done on its ground. A child's yes takes its caregiver too.
    stands: bool,
}

impl From<Read> for ConsentView {
    fn from(read: Read) -> Self {
        let Read { row, condition, withdrawn_at, stands } = read;
        Self {
            id: row.id,
            purpose: row.purpose,
            recipient: row.recipient,
            answer: row.answer,
            condition,
            given_by: row.given_by,
            assent: row.assent,
            how: row.how,
            at: row.at,
            recorded_by: row.recorded_by.map(crate::values::UserId::uuid),
            withdraws: row.withdraws.map(ConsentId::uuid),
            withdrawn_at,
            stands,
        }
    }
}

/// What a person said.
#[derive(Serialize, ToSchema)]
struct ConsentList {
    /// The oldest first: the newest word counts, and silence is no.
    items: Vec<ConsentView>,
}

/// List what a person of a case said may be done, oldest first. That you read it is recorded.
///
/// What is not there was not agreed to.
#[utoipa::path(tag = "parties", security(("token" = [])),
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whose: id or pseudonym")),
    responses((status = 200, body = ConsentList, description = "What they said"), Refusal))]
#[get("/cases/{id}/parties/{party}/consents")]
async fn list_consents(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String)>,
) -> Result<HttpResponse> {
    let named = Named::parse(&path.1)?;
    let read = async |tx: &mut _| consents::list(tx, At::Case(path.0), &named).await;
    let items = temwen.db.write(&caller.0, "consents.list", read).await?;
    Ok(HttpResponse::Ok().json(ConsentList { items: items.into_iter().map(ConsentView::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "investigate", "granted": "yes", "given_by": "caregiver", "assent": true, "how": "verbal"}))]
struct WriteConsent {
    /// To what; a word of the policy.
    purpose: String,
    /// For whom: a country, a body or a role; everybody whom the purpose is for, unless given.
    recipient: Option<String>,
    /// `yes`, `no` or `conditional`.
    granted: Answer,
    /// For `conditional`: under what condition.
    condition: Option<String>,
    /// Who said it; `self` unless given.
    given_by: Option<GivenBy>,
    /// For a child: whether it agreed.
    assent: Option<bool>,
    /// How.
    how: How,
}

impl WriteConsent {
    fn parse(self, policy: &Policy) -> Result<New> {
        let mut faults = Faults::default();
        if !policy.knows(Vocabulary::ConsentPurpose, &self.purpose) {
            faults.add("/purpose", "is not one of the policy's consent purposes");
        }
        if let Some(recipient) = &self.recipient
            && !policy.knows(Vocabulary::Country, recipient)
            && !policy.knows(Vocabulary::ReferralBody, recipient)
            && Role::from_word(recipient).is_none()
        {
            faults.add(
                "/recipient",
                "is neither a contributing country, nor a body that a matter can be handed to, nor a role",
            );
        }
        if self.granted == Answer::Withdrawn {
            faults.add("/granted", "must be yes, no or conditional; a consent is taken back where it stands");
        }
        let condition = faults.take_some("/condition", self.condition, Reason::parse);
        match (self.granted, &condition) {
            (Answer::Conditional, None) => faults.add("/condition", "must be given for what is conditional"),
            (Answer::Yes | Answer::No, Some(_)) => faults.add("/condition", "belongs to what is conditional"),
            _ => {}
        }
        faults.check()?;
        Ok(New {
            purpose: self.purpose,
            recipient: self.recipient,
            answer: self.granted,
            condition,
            given_by: self.given_by.unwrap_or(GivenBy::Myself),
            assent: self.assent,
            how: self.how,
        })
    }
}

/// Write down what a person of a case said may be done. It is never changed; the newest word counts.
///
/// Explain first what it is for, who will know, and when secrecy ends. A yes that you write down opens nothing to you alone.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = WriteConsent,
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whose: id or pseudonym"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = ConsentView, description = "It is written down"), Refusal))]
#[post("/cases/{id}/parties/{party}/consents")]
async fn write_consent(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String)>,
    key: IdempotencyKey,
    body: Body<WriteConsent>,
) -> Result<HttpResponse> {
    let (id, party) = path.into_inner();
    let named = Named::parse(&party)?;
    let new = body.value.parse(&temwen.policy)?;
    let key = IdempotencyKey(key.0.map(|key| format!("{party} {key}"))).at(id.uuid());
    idempotency::once(&temwen, &caller.0, "consents.write", &key, &body.bytes, async |tx| {
        let (read, matter) = consents::write_down(tx, At::Case(id), &named, &new).await?;
        Ok(Created::new(ConsentView::from(read)).within(matter))
    })
    .await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"how": "verbal"}))]
struct WithdrawConsent {
    /// How; `verbal` unless given.
    how: Option<How>,
}

/// Take a consent back for a person of a case. It acts at once on everything that comes.
///
/// What was lawfully shared before cannot be taken back; ask those who have it to stop using it.
#[utoipa::path(tag = "parties", security(("token" = [])), request_body = WithdrawConsent,
    params(("id" = Uuid, Path, description = "Which case"), ("party" = String, Path, description = "Whose: id or pseudonym"),
        ("consent" = Uuid, Path, description = "Which consent")),
    responses((status = 200, body = ConsentView, description = "It is taken back"), Refusal))]
#[post("/cases/{id}/parties/{party}/consents/{consent}/withdrawal")]
async fn withdraw_consent(
    temwen: Data<Temwen>,
    caller: SignedIn,
    path: Path<(CaseId, String, ConsentId)>,
    body: Body<WithdrawConsent>,
) -> Result<HttpResponse> {
    let (id, party, consent) = path.into_inner();
    let named = Named::parse(&party)?;
    let how = body.value.how.unwrap_or(How::Verbal);
    let work = async |tx: &mut _| consents::withdraw(tx, At::Case(id), &named, consent, how).await;
    let read = temwen.db.write(&caller.0, "consents.withdraw", work).await?;
    Ok(HttpResponse::Ok().json(ConsentView::from(read)))
}

/// What a reporter said may be done.
#[derive(Serialize, ToSchema)]
struct OwnConsentView {
    /// To what; a word of the policy.
    purpose: String,
    /// For whom, if not for everybody whom the purpose is for.
    recipient: Option<String>,
    /// What.
    answer: Answer,
    /// When.
    at: DateTime<Utc>,
}

impl From<Consent> for OwnConsentView {
    fn from(consent: Consent) -> Self {
        let Consent { purpose, recipient, answer, at, .. } = consent;
        Self { purpose, recipient, answer, at }
    }
}

/// What a reporter said.
#[derive(Serialize, ToSchema)]
struct OwnConsents {
    /// The newest word for each purpose; what is not there you have not agreed to.
    items: Vec<OwnConsentView>,
}

/// Read what you have agreed to, and what not.
///
/// What is not there you have not agreed to.
#[utoipa::path(tag = "reporter", security(("reporter" = [])),
    responses((status = 200, body = OwnConsents, description = "What you said"), Refusal))]
#[get("/reporter/consents")]
async fn list_own_consents(temwen: Data<Temwen>, reporter: Reporter) -> Result<HttpResponse> {
    let read = async |tx: &mut _| consents::of_reporter(tx, reporter.complaint).await;
    let rows = temwen.db.write(&reporter.caller, "reporter.consents", read).await?;
    Ok(HttpResponse::Ok().json(OwnConsents { items: rows.into_iter().map(OwnConsentView::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"purpose": "share_with_state", "granted": false}))]
struct SayConsent {
    /// To what; a word of the policy.
    purpose: String,
    /// Yes (`true`) or no (`false`).
    granted: bool,
}

/// Agree to something, or take your consent back. It acts at once.
///
/// You need not say why. From a no on nothing more is shared for that purpose, whatever was agreed before.
#[utoipa::path(tag = "reporter", security(("reporter" = [])), request_body = SayConsent,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats get the first answer again")),
    responses((status = 201, body = OwnConsentView, description = "It is written down"), Refusal))]
#[post("/reporter/consents")]
async fn say_consent(
    temwen: Data<Temwen>,
    reporter: Reporter,
    key: IdempotencyKey,
    body: Body<SayConsent>,
) -> Result<HttpResponse> {
    let SayConsent { purpose, granted } = body.value;
    if !temwen.policy.knows(Vocabulary::ConsentPurpose, &purpose) {
        return Err(crate::error::Error::fault("/purpose", "is not one of the policy's consent purposes"));
    }
    idempotency::once(&temwen, &reporter.caller, "reporter.consent", &key, &body.bytes, async |tx| {
        Ok(Created::new(OwnConsentView::from(
            consents::say(tx, reporter.complaint, &purpose, granted).await?,
        )))
    })
    .await
}
