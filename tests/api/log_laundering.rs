//! Laundering: a row is changed behind the server's back, and then by the server in good order, which vouches for all of it.

use serde_json::json;
use temwen::log::verify::Flaw;

use crate::fixtures::{case_from, id, serious_complaint};
use crate::harness::{PASSWORD, TestApp};
use crate::log_tamper::{check, copy, sequence, tamper};

/// What the page says of a way: the way, what finds it, the finding.
type Told = (&'static str, &'static str, String);

/// Each way, and what named it.
pub async fn ways(stage: &TestApp) -> Vec<Told> {
    vec![
        session(stage).await,
        case(
            stage,
            "a case's priority is changed, and then the case advanced in good order",
            "update cases set priority = 'urgent'",
        )
        .await,
        case(
            stage,
            "a case's priority is changed, the index of states with it, and then the case advanced in good order",
            "update cases set priority = 'urgent'; set timezone = 'UTC'; \
                 update log_states set state = (select encode(sha256(convert_to(canonical(to_jsonb(c)), 'UTF8')), 'hex') from cases c \
                 where c.id::text = log_states.id) where kind = 'cases'",
        )
        .await,
    ]
}

async fn session(stage: &TestApp) -> Told {
    let app = copy(stage).await;
    let officer = app.sign_in("officer-0@mission.example", PASSWORD).await;
    sequence(&app).await;
    tamper(&app, "update sessions set expires_at = expires_at + interval '1 year'").await;
    let body = json!({"refresh_token": officer.refresh});
    assert!(app.anyone().post("/v1/sessions/refresh", body).await.status < 300);
    named(&app, "a session's end is put off, and then the session refreshed in good order", "sessions").await
}

async fn case(stage: &TestApp, words: &'static str, sql: &str) -> Told {
    let app = copy(stage).await;
    let triage = app.sign_in("officer-0@mission.example", PASSWORD).await;
    let case = case_from(&triage, serious_complaint(), "serious_misconduct").await;
    sequence(&app).await;
    tamper(&app, sql).await;
    let body = json!({"step": "open_mission_investigation", "reason": "It has to be looked into."});
    triage.post_seen(&format!("/v1/cases/{}/transitions", id(&case)), 1, body).await.expect(200);
    named(&app, words, "cases").await
}

/// Found while the entry waits, and for ever after it has its place.
async fn named(app: &TestApp, words: &'static str, table: &str) -> Told {
    let mut told = Vec::new();
    for _ in 0..2 {
        let report = check(app, &[]).await;
        let rewritten = |finding: &&temwen::log::verify::Finding| {
            finding.flaw == Flaw::RowRewritten && finding.table == table && finding.entry.is_some()
        };
        told.push(report.findings.iter().filter(rewritten).count());
        sequence(app).await;
    }
    assert_eq!(told, [1, 1], "{words}: {:?}", check(app, &[]).await.findings);
    // The server compares with the index of states, the verification with the entries alone.
    let seen =
        "select from audit_entries where action = 'log.finding' and detail ->> 'finding' = 'row_rewritten'";
    let by = match app.count(seen).await {
        0 => "`verify-log`, from inside",
        _ => "`verify-log`, from inside; the server, as it gives the place",
    };
    (words, by, format!("`row_rewritten` in {table}"))
}
