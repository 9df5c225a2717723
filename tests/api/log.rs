//! The transparency log: every entry gets its place, and what was signed stays signed.

use actix_web::http::Method;
use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::log::guard::Guard;
use temwen::log::sequencer::{Sequencer, Step};
use temwen::tlog::{self, Edge, Hash, LogProof, TileId, Tiles, VerifierKey, record_hash};

use crate::fixtures::{complaint, id, minor_case, submitted};
use crate::harness::TestApp;

#[actix_web::test]
async fn p2_every_entry_gets_one_place_and_every_changed_row_its_state() {
    let app = TestApp::start().await;
    minor_case(&app).await;
    let entries = app.count("select from audit_entries").await;
    assert_eq!(app.count("select from log_queue").await, entries);
    let step = app.sequence().await;
    assert_eq!((step.placed.cast_signed() as i64, step.signed), (entries, Some(entries.cast_unsigned())));
    let gaps = app
        .rows("select count(*) as n, max(place) as last, count(distinct entry_id) as ids from log_places")
        .await;
    assert_eq!(gaps[0], json!({"n": entries, "last": entries - 1, "ids": entries}));
    // Every row of a remembered table looks as the log says.
    for (table, key) in [
        ("cases", "id"),
        ("complaints", "id"),
        ("submissions", "complaint_id"),
        ("deadlines", "id"),
        ("users", "id"),
        ("sessions", "id"),
    ] {
        let rows = app.rows(&format!("select row_to_json(t) as row, s.state from {table} t left join log_states s on s.kind = '{table}' and s.id = t.{key}::text")).await;
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let form = temwen::audit::leaf::canonical_row(row["row"].clone());
            assert_eq!(row["state"], temwen::audit::leaf::digest(form.as_bytes()), "{table}: {form}");
        }
    }
    // A second step has nothing to do.
    assert_eq!(app.sequence().await, Step::default());
    app.signed_in(Role::Auditor).await;
    assert!(app.sequence().await.placed > 0);
}

/// The leaf hash (RFC 6962) of an entry.
fn leaf(entry: &Value) -> Hash {
    record_hash(entry.as_str().unwrap().as_bytes())
}

fn keys(app: &TestApp) -> Vec<VerifierKey> {
    app.temwen.keys.log_verifiers()
}

#[actix_web::test]
async fn p8_a_receipt_proves_the_registration_and_the_words_and_names_nobody() {
    let app = TestApp::start().await;
    let text = "Yo te frape m nan men, twa gad; youn rele Kòmandan Toto.";
    let mut body = complaint();
    body["narrative"] = json!(text);
    body["subjects"] = json!([{"name": "Komandan Toto", "service_number": "KE-1042"}]);
    let receipt = submitted(&app, body).await;
    let reporter = app.reporter(&receipt).await;
    // Before it has its place, it is asked for again in a moment.
    let early = reporter.get("/v1/reporter/receipt").await;
    early.refused(503, "unavailable");
    assert!(early.header("retry-after").is_some());
    app.sequence().await;
    let shown = reporter.get("/v1/reporter/receipt").await.expect(200);
    let entry = shown["entry"].as_str().unwrap();
    for secret in ["Toto", "KE-1042", "frape"] {
        assert!(!shown.to_string().contains(secret), "{shown}");
    }
    let told: Value = serde_json::from_str(entry).unwrap();
    assert_eq!((&told["action"], &told["object"]["id"]), (&json!("complaint.received"), &receipt["id"]));
    let salt: Vec<u8> = (0..64)
        .step_by(2)
        .map(|i| u8::from_str_radix(&shown["salt"].as_str().unwrap()[i..i + 2], 16).unwrap())
        .collect();
    let words = temwen::audit::commitment::commit(&salt, text);
    assert_eq!(told["detail"]["words"], words);
    let proof = LogProof::parse(shown["proof"].as_str().unwrap()).unwrap();
    let checkpoint = proof.verify(entry.as_bytes(), &keys(&app)).unwrap();
    assert!(checkpoint.head.size > proof.index);
    // The file alone is enough, and it is the same receipt.
    let file = reporter
        .send(reporter.request(Method::GET, "/v1/reporter/receipt").insert_header(("Accept", "text/plain")))
        .await;
    assert_eq!(file.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"receipt.tlog-proof\""));
    let whole = LogProof::parse(&file.text).unwrap();
    let extra: Value = serde_json::from_slice(whole.extra.as_deref().unwrap()).unwrap();
    assert_eq!((&extra["entry"], &extra["salt"]), (&shown["entry"], &shown["salt"]));

    // More entries, and years, later: the old receipt is good, and a new one is of the same entry.
    for _ in 0..300 {
        app.anyone().post("/v1/reporter/sessions", json!({"reference": "x", "access_code": "y"})).await;
    }
    minor_case(&app).await;
    app.wait(TimeDelta::days(1000));
    app.sequence().await;
    proof.verify(entry.as_bytes(), &keys(&app)).unwrap();
    let again = app.reporter(&receipt).await.get("/v1/reporter/receipt").await.expect(200);
    assert_eq!((&again["entry"], &again["salt"]), (&shown["entry"], &shown["salt"]));
    assert_ne!(again["proof"], shown["proof"]);
}

#[actix_web::test]
async fn p8_anybody_can_follow_the_log_from_checkpoint_to_checkpoint() {
    let app = TestApp::start().await;
    let anyone = app.anyone();
    anyone.get("/v1/log/checkpoint").await.refused(503, "unavailable");
    let key = anyone.get("/v1/log/key").await;
    assert_eq!(VerifierKey::parse(&key.text).unwrap(), keys(&app)[0]);
    let mut before: Option<temwen::tlog::Checkpoint> = None;
    for _ in 0..4 {
        for _ in 0..45 {
            submitted(&app, complaint()).await;
        }
        app.sequence().await;
        let answer = anyone.get("/v1/log/checkpoint").await;
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=1"));
        let now = tlog::open(&answer.text, &keys(&app)).unwrap();
        // Every tile of the tree, and from them alone root and consistency.
        let size = now.head.size;
        let mut tiles = Tiles::default();
        let mut wanted = tlog::Edge::needed(size);
        wanted.extend((0..size / 256).map(|index| TileId { level: 0, index }));
        for id in wanted {
            let tile = anyone.raw(&format!("/v1/log/{}", id.path(size))).await;
            assert_eq!(tile.0, "public, max-age=31536000, immutable");
            assert_eq!(tile.1.len(), 32 * id.width(size) as usize);
            tiles.0.insert(id, tile.1);
        }
        assert_eq!(tiles.root(size).unwrap(), now.head.root);
        if let Some(before) = &before {
            let proof = tiles.consistency(before.head.size, size).unwrap();
            tlog::check_consistency(&proof, before.head, now.head).unwrap();
        }
        before = Some(now);
    }
    // A partial tile of an earlier checkpoint is there as long as there are such.
    anyone.get("/v1/log/tile/0/000.p/7").await;
    for path in [
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/999",
        "0/00",
        "0/0000",
        "64/000",
        "00/000",
        "-1/000",
        "a/000",
        "0/x000/000",
        "0/999",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
        "1/000.p/200",
        "63/000.p/1",
        "0/000.p/1/",
        "0/000.p/%2e%2e",
        "0/",
        "0//",
    ] {
        let answer = anyone.get(&format!("/v1/log/tile/{path}")).await;
        answer.refused(404, "not-found");
    }
}

#[actix_web::test]
async fn p8_an_auditor_verifies_without_seeing_content() {
    let app = TestApp::start().await;
    let (case, _) = minor_case(&app).await;
    let auditor = app.signed_in(Role::Auditor).await;
    app.sequence().await;
    let export = auditor.get("/v1/audit/export").await;
    assert_eq!((export.status, export.header("content-type")), (200, Some("application/jsonl")));
    let mut lines = export.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let checkpoint = tlog::open(lines.next().unwrap()["checkpoint"].as_str().unwrap(), &keys(&app)).unwrap();
    let mut edge = Edge::default();
    let all: Vec<Value> = lines.collect();
    for (place, line) in all.iter().enumerate() {
        assert_eq!(line["place"], place);
        edge.push(leaf(&line["entry"])).unwrap();
    }
    assert_eq!((edge.size(), edge.root().unwrap()), (checkpoint.head.size, checkpoint.head.root));
    // The bundle holds the same bytes.
    let (keep, bundle) = auditor.raw(&format!("/v1/log/entries/000.p/{}", edge.size())).await;
    assert_eq!(keep, "no-store");
    assert_eq!(bundle, auditor.raw(&format!("/v1/log/tile/entries/000.p/{}", edge.size())).await.1);
    let mut rest = bundle.as_slice();
    for line in &all {
        let (length, after) = rest.split_at(2);
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes([length[0], length[1]])));
        assert_eq!(line["entry"].as_str().unwrap().as_bytes(), entry);
        rest = after;
    }
    assert!(rest.is_empty());
    // Filters, and the proof of one.
    let found =
        auditor.get(&format!("/v1/audit/entries?action=case.opened&object={}", id(&case))).await.expect(200);
    let one = &found["items"][0];
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert!(
        one["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["kind"] == "cases" && change["id"] == case["id"])
    );
    let proof =
        auditor.get(&format!("/v1/audit/entries/{}/proof", one["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(proof["place"], one["place"]);
    LogProof::parse(proof["proof"].as_str().unwrap())
        .unwrap()
        .verify(proof["entry"].as_str().unwrap().as_bytes(), &keys(&app))
        .unwrap();
    for (filter, expected) in [
        (format!("matter={}", one["matter_id"].as_str().unwrap()), true),
        (format!("actor={}&limit=1", one["actor"].as_str().unwrap()), true),
        ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z".to_owned(), false),
        ("actor=nobody".to_owned(), false),
    ] {
        let page = auditor.get(&format!("/v1/audit/entries?{filter}")).await.expect(200);
        assert_eq!(!page["items"].as_array().unwrap().is_empty(), expected, "{filter}");
    }
    for bad in [
        "action=case.eaten",
        "object=7",
        "from=yesterday",
        "limit=0",
        "limit=201",
        "after=x",
        "what=else",
        "from=-99999-01-01T00:00:00Z",
    ] {
        assert_eq!(auditor.get(&format!("/v1/audit/entries?{bad}")).await.status, 422, "{bad}");
    }
    auditor.get(&format!("/v1/audit/entries/{}/proof", uuid::Uuid::nil())).await.refused(404, "not-found");
    auditor.get("/v1/log/entries/000").await.refused(404, "not-found");
    auditor.get("/v1/log/entries/x/y").await.refused(404, "not-found");
    // Pages follow one another without a gap.
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = auditor.get(&format!("/v1/audit/entries?limit=7{after}")).await.expect(200);
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let distinct: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    assert!(seen.len() as u64 >= edge.size());
}

#[actix_web::test]
async fn p3_what_is_hidden_from_an_auditor_is_not_among_the_entries() {
    let app = TestApp::start().await;
    let (case, _) = minor_case(&app).await;
    let auditor = app.signed_in(Role::Auditor).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let wall = json!({"user_id": auditor.id.unwrap().uuid(), "reason": "Named in it."});
    let opened =
        auditor.get(&format!("/v1/audit/entries?action=case.opened&object={}", id(&case))).await.expect(200);
    let (entry, matter) = (opened["items"][0]["id"].clone(), opened["items"][0]["matter_id"].clone());
    triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await.expect(204);
    app.sequence().await;
    for filter in [
        format!("object={}", id(&case)),
        format!("matter={}", matter.as_str().unwrap()),
        "limit=200".to_owned(),
    ] {
        let page = auditor.get(&format!("/v1/audit/entries?{filter}")).await;
        let hidden = [id(&case), matter.as_str().unwrap()];
        assert!(hidden.iter().all(|hidden| !page.text.contains(hidden)), "{filter}");
    }
    auditor
        .get(&format!("/v1/audit/entries/{}/proof", entry.as_str().unwrap()))
        .await
        .refused(404, "not-found");
    let size = app.count("select from log_places").await;
    auditor.get(&format!("/v1/log/entries/000.p/{size}")).await.refused(404, "not-found");
    // The export still makes the tree: the hidden are there as hashes, which tell nothing.
    let export = auditor.get("/v1/audit/export").await;
    assert!(!export.text.contains(id(&case)) && !export.text.contains(matter.as_str().unwrap()));
    let mut lines = export.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let checkpoint = tlog::open(lines.next().unwrap()["checkpoint"].as_str().unwrap(), &keys(&app)).unwrap();
    let (mut edge, mut withheld) = (Edge::default(), 0);
    for line in lines {
        match line["leaf"].as_str() {
            Some(hash) => {
                let bytes: Vec<u8> =
                    (0..64).step_by(2).map(|i| u8::from_str_radix(&hash[i..i + 2], 16).unwrap()).collect();
                edge.push(Hash(bytes.try_into().unwrap())).unwrap();
                withheld += 1;
            }
            None => edge.push(leaf(&line["entry"])).unwrap(),
        }
    }
    assert!(withheld > 3);
    assert_eq!((edge.size(), edge.root().unwrap()), (checkpoint.head.size, checkpoint.head.root));
}

#[actix_web::test]
async fn p2_the_timeline_of_a_case_shows_the_place_in_the_log() {
    let app = TestApp::start().await;
    let (case, _) = minor_case(&app).await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let path = format!("/v1/cases/{}/timeline", id(&case));
    let before = triage.get(&path).await.expect(200);
    assert!(before["items"].as_array().unwrap().iter().all(|item| item["place"].is_null()));
    app.sequence().await;
    let after = triage.get(&path).await.expect(200);
    let first = &after["items"][0];
    let at = app.rows(&format!("select entry_id from log_places where place = {}", first["place"])).await;
    assert_eq!(at[0]["entry_id"], first["id"]);
}

#[actix_web::test]
async fn p2_a_row_changed_in_secret_is_told_of_even_after_it_was_changed_in_good_order() {
    let app = TestApp::start().await;
    let (case, _) = minor_case(&app).await;
    let officer = app.signed_in(Role::FocalPoint).await;
    app.sequence().await;
    let mut owner = app.owner().await;
    // The priority of a case, and whose session it is: then both are changed again, as they should be.
    let secret = format!(
        "set session_replication_role = replica; update cases set priority = 'immediate' where id = '{}';
         update sessions set expires_at = expires_at + interval '1 day' where user_id = '{}'; reset session_replication_role",
        id(&case),
        officer.id.unwrap().uuid()
    );
    owner.batch_execute(&secret).await.unwrap();
    let triage = app.signed_in(Role::TriageOfficer).await;
    let body = json!({"step": "await_information", "reason": "It is time."});
    triage
        .post_seen(&format!("/v1/cases/{}/transitions", id(&case)), case["version"].as_i64().unwrap(), body)
        .await
        .expect(200);
    officer.delete("/v1/sessions/current").await.expect(204);
    app.sequence().await;
    let found = app.rows("select detail ->> 'table' as of, detail ->> 'key' as key from audit_entries where action = 'log.finding' order by 1").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((&found[0]["of"], &found[0]["key"]), (&json!("cases"), &case["id"]));
    assert_eq!(found[1]["of"], "sessions");
    // No auditor is told of a row that may be hidden from them.
    let auditor = app.signed_in(Role::Auditor).await;
    let page = auditor.get("/v1/audit/entries?action=log.finding").await.expect(200);
    assert_eq!(page["items"], json!([]));
}

#[actix_web::test]
async fn p2_an_account_with_hundreds_of_sessions_can_be_deactivated() {
    let app = TestApp::start().await;
    let officer = app.signed_in(Role::FocalPoint).await;
    let (user, mut owner) = (officer.id.unwrap(), app.owner().await);
    let many = format!(
        "insert into sessions (id, user_id, created_at, last_used_at, expires_at)
         select gen_random_uuid(), '{0}', now(), now(), now() + interval '1 day' from generate_series(1, 700)",
        user.uuid()
    );
    owner.batch_execute(&many).await.unwrap();
    let keeper = app.signed_in(Role::Administrator).await;
    let path = format!("/v1/users/{}", user.uuid());
    let seen = keeper.get(&path).await.expect(200)["version"].as_i64().unwrap();
    keeper.post_seen(&format!("{path}/deactivation"), seen, json!({"reason": "Left."})).await.expect(200);
    assert_eq!(app.count("select from audit_entries where action = 'session.ended'").await, 701);
    let most = app.rows("select max(cardinality(changes)) as n from audit_entries").await;
    assert!(most[0]["n"].as_i64().unwrap() <= 200, "{most:?}");
}

#[actix_web::test]
async fn what_would_stop_the_log_is_not_let_in() {
    let app = TestApp::start().await;
    minor_case(&app).await;
    let mut owner = app.owner().await;
    let copy = |what: &str| {
        format!(
            "insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, request_id, detail, changes)
             select gen_random_uuid(), {what} from audit_entries limit 1"
        )
    };
    for bad in [
        "'infinity', actor_kind, actor, action, object_kind, object_id, request_id, detail, changes",
        "at, actor_kind, repeat('x', 70000), action, object_kind, object_id, request_id, detail, changes",
        "at, actor_kind, actor, action, object_kind, object_id, request_id, '{\"n\": 1e400}', changes",
        "at, actor_kind, actor, action, object_kind, object_id, request_id, jsonb_build_object('n', repeat('x', 70000)), changes",
        "at, actor_kind, actor, action, object_kind, object_id, request_id, detail, array(select 'cases ' || repeat('x', 100) || n from generate_series(1, 500) n)",
    ] {
        owner.batch_execute(&copy(bad)).await.unwrap_err();
    }
    // An entry that waits although it has its place stands in nobody's way.
    app.sequence().await;
    owner
        .batch_execute("insert into log_queue (entry_id) select entry_id from log_places limit 3")
        .await
        .unwrap();
    app.signed_in(Role::Auditor).await;
    let step = Sequencer::new(Guard::in_memory()).step(&app.temwen).await.unwrap();
    assert!(step.placed > 0 && step.signed.is_some());
}
