//! The transparency log: every entry gets its place, and what was signed stays signed.

use serde_json::json;
use temwen::log::guard::Guard;
use temwen::log::sequencer::{Sequencer, Step};
use temwen::auth::Role;

use crate::fixtures::minor_case;
use crate::harness::TestApp;

/// Sequences all that waits.
pub async fn sequence(app: &TestApp) -> Step {
    let step = Sequencer::new(Guard::in_memory()).step(&app.temwen).await.unwrap();
    assert_eq!(app.count("select from log_queue").await, 0);
    step
}

#[actix_web::test]
async fn p2_every_entry_gets_one_place_and_every_changed_row_its_state() {
    let app = TestApp::start().await;
    minor_case(&app).await;
    let entries = app.count("select from audit_entries").await;
    assert_eq!(app.count("select from log_queue").await, entries);
    let step = sequence(&app).await;
    assert_eq!((step.placed as i64, step.signed), (entries, Some(entries as u64)));
    let gaps = app.rows("select count(*) as n, max(place) as last, count(distinct entry_id) as ids from log_places").await;
    assert_eq!(gaps[0], json!({"n": entries, "last": entries - 1, "ids": entries}));
    // Every row of a remembered table looks as the log says.
    for (table, key) in [("cases", "id"), ("complaints", "id"), ("submissions", "complaint_id"), ("deadlines", "id"), ("users", "id"), ("sessions", "id")] {
        let rows = app.rows(&format!("select row_to_json(t) as row, s.state from {table} t left join log_states s on s.kind = '{table}' and s.id = t.{key}::text")).await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let form = temwen::audit::leaf::canonical_row(row["row"].clone());
            assert_eq!(row["state"], temwen::audit::leaf::digest(form.as_bytes()), "{table}: {form}");
        }
    }
    // A second step has nothing to do.
    assert_eq!(sequence(&app).await, Step::default());
    app.signed_in(Role::Auditor).await;
    assert!(sequence(&app).await.placed > 0);
}
