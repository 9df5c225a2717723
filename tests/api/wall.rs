//! P3: nobody knows of what they need not know. Every operation that touches a matter, by every role, in every relation to
//! that matter: once through the service, and once under it, with the database alone between the caller and the rows.

#![expect(clippy::print_stdout, reason = "the matrix says how large it is")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::cast::{Operation, Player, operations, rows};
use crate::fixtures::{complaint, id, minor_case};
use crate::harness::{Answer, TestApp};
use crate::wall_stage::{Relation, Stage, changes, hidden, sees};

/// A request that touches a thing; `None` where the thing is not of this kind.
struct Try {
    method: Method,
    path: String,
    version: Option<i64>,
    body: Option<Value>,
}

/// What kind of thing an operation touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Case,
    Complaint,
    Deadline,
    Proposal,
    Hold,
    Erasure,
    Reveal,
    Glance,
}

/// The kind of thing that an operation is about, if it is about a matter; lists are looked at by themselves.
fn kind_of(operation: &Operation) -> Option<Kind> {
    let kinds = [
        ("/v1/cases/{id}", Kind::Case),
        ("/v1/complaints/{id}", Kind::Complaint),
        ("/v1/deadlines/{id}", Kind::Deadline),
        ("/v1/proposals/{id}", Kind::Proposal),
        ("/v1/holds/{id}", Kind::Hold),
        ("/v1/erasures/{id}", Kind::Erasure),
        ("/v1/reveals/{id}", Kind::Reveal),
        ("/v1/break-glass/{id}", Kind::Glance),
    ];
    let found =
        kinds.into_iter().find(|(prefix, _)| operation.path.starts_with(prefix)).map(|(_, kind)| kind);
    // Whoever asks to glance at a case hears the same whatever there is: see `break_glass`.
    let other = ["audit", "log", "personnel", "register", "sessions", "users", "reporter"]
        .contains(&operation.tag.as_str())
        || LISTS.contains(&operation.id.as_str())
        || ["submit_complaint", "ask_to_glance"].contains(&operation.id.as_str());
    assert!(found.is_some() != other, "say here what {} touches", operation.id);
    found
}

const LISTS: [&str; 9] = [
    "list_complaints",
    "list_cases",
    "list_deadlines",
    "list_proposals",
    "list_holds",
    "list_erasures",
    "list_due",
    "list_reveals",
    "list_glances",
];

/// A body that is good for an operation.
fn body(operation: &Operation, stage: &Stage<'_>) -> Option<Value> {
    let reason = "There is one.";
    Some(match operation.id.as_str() {
        _ if operation.method == "GET" || operation.method == "DELETE" => return None,
        _ if operation.path.contains("/uploads") => return None,
        "strip_evidence" => json!({}),
        "tell_custody" => json!({"kind": "copied"}),
        "redact_complaint" => json!({"passages": [{"from": 0, "to": 3}], "reason": reason}),
        "advance_case" => json!({"step": "close", "reason": reason, "closure_reason": "determined"}),
        "classify_case" => json!({"priority": "immediate", "reason": reason}),
        "assign_case" => {
            json!({"user_id": stage.spare.id, "role": "investigator", "conflict_declared": false})
        }
        "wall_case" | "wall_complaint" => json!({"user_id": stage.spare.id, "reason": reason}),
        "write_note" | "write_to_reporter" => json!({"text": reason}),
        "assess_complaint" => {
            json!({"decision": "open_case", "category": "sexual_exploitation_abuse", "reason": reason})
        }
        "decide_proposal" | "decide_erasure" | "decide_reveal" | "decide_glance" => {
            json!({"approve": true, "reason": reason})
        }
        "add_party" => json!({"role": "witness"}),
        "change_party" => json!({"sex": "f"}),
        "reveal_party" | "reveal_party_of_complaint" => json!({"purpose": "record", "reason": reason}),
        "write_consent" => json!({"purpose": "record", "granted": "no", "how": "verbal"}),
        "withdraw_consent" => json!({}),
        "hold_case"
        | "hold_complaint"
        | "end_hold"
        | "propose_case_erasure"
        | "propose_complaint_erasure" => {
            json!({"reason": reason})
        }
        "acknowledge_complaint" | "resume_deadline" => json!({}),
        "recuse_from_case" | "pause_deadline" | "lift_wall" => json!({"reason": reason}),
        other => panic!("say what a good body of {other} is"),
    })
}

impl Try {
    fn of(operation: &Operation, stage: &Stage<'_>, id: &str, version: Option<i64>) -> Self {
        let path = operation
            .path
            .replace("{id}", id)
            .replace("{user_id}", &stage.colleague.id.to_string())
            .replace("{evidence}", &stage.evidence)
            .replace("{upload}", &stage.upload)
            .replace("{party}", &stage.party)
            .replace("{consent}", &stage.consent);
        Self { method: operation.verb(), path, version, body: body(operation, stage) }
    }

    async fn by(&self, player: &Player<'_>) -> Answer {
        let mut request = player.caller.request(self.method.clone(), &self.path);
        if let Some(version) = self.version {
            request = request.insert_header(("If-Match", format!("\"{version}\"")));
        }
        if let Some(body) = &self.body {
            request = request.set_json(body);
        }
        if self.path.contains("/evidence/uploads") {
            let protocol = [("Tus-Resumable", "1.0.0"), ("Upload-Length", "5"), ("Upload-Offset", "0")];
            for header in protocol.into_iter().chain([("Content-Type", "application/offset+octet-stream")]) {
                request = request.insert_header(header);
            }
        }
        player.caller.send(request).await
    }
}

/// An answer without what differs from request to request.
fn plain(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    headers.sort();
    let id = answer.body["request_id"].as_str().unwrap_or("no request id");
    (answer.status, answer.text.replace(id, "…"), headers)
}

#[actix_web::test]
async fn p3_what_is_hidden_answers_like_what_does_not_exist() {
    let app = TestApp::start().await;
    let stage = Stage::set(&app).await;
    let operations = operations();
    let touching: Vec<(&Operation, Kind)> =
        operations.iter().filter_map(|operation| kind_of(operation).map(|kind| (operation, kind))).collect();
    let unknown = "0199c0de-0000-7000-8000-00000000dead";
    let strangers = RefCell::new(BTreeMap::new());
    let faults = RefCell::new(Vec::new());
    let tried = RefCell::new((0_usize, 0_usize, 0_usize));

    futures_util::stream::iter(&stage.players)
        .for_each_concurrent(3, async |(relation, player)| {
            let who = format!("{} ({relation:?})", player.role.as_str());
            let gone = *relation == Relation::Deactivated;
            for (operation, kind) in &touching {
                tried.borrow_mut().0 += 1;
                for target in stage.targets(*kind as usize) {
                    let visible = !gone && sees(player.role, *relation, target.of);
                    // For most, one complaint of the case is like the other.
                    let alike = ![Relation::WalledFromAttached, Relation::Walled].contains(relation);
                    if alike && target.name == "the joined complaint" {
                        continue;
                    }
                    let versions: &[Option<i64>] =
                        if operation.versioned { &[Some(target.version), Some(99)] } else { &[None] };
                    for version in versions {
                        if visible && operation.method != "GET" {
                            // That it can be done is for the permission matrix.
                            continue;
                        }
                        tried.borrow_mut().1 += 1;
                        let answer = Try::of(operation, &stage, &target.id, *version).by(player).await;
                        if visible {
                            if answer.status == 404 {
                                faults
                                    .borrow_mut()
                                    .push(format!("{who} should see {} by {}", target.name, operation.id));
                            }
                            continue;
                        }
                        let key = (player.role, gone, operation.id.clone());
                        let known = strangers.borrow().get(&key).cloned();
                        let stranger = if let Some(known) = known {
                            known
                        } else {
                            let answer = Try::of(operation, &stage, unknown, Some(1)).by(player).await;
                            let plain = plain(&answer);
                            strangers.borrow_mut().insert(key, plain.clone());
                            plain
                        };
                        let answer = plain(&answer);
                        if answer != stranger {
                            faults.borrow_mut().push(format!(
                                "{who} {} {}: {answer:?}, but {stranger:?}",
                                operation.id, target.name
                            ));
                        }
                        // A role that may never do this is told so before anybody looks who asks.
                        let expected: &[u16] = if gone { &[401, 403] } else { &[404, 403] };
                        if !expected.contains(&answer.0) {
                            faults
                                .borrow_mut()
                                .push(format!("{who} {} {}: {answer:?}", operation.id, target.name));
                        }
                    }
                }
            }
            let lists = lists(&stage, player).await;
            tried.borrow_mut().0 += LISTS.len();
            tried.borrow_mut().2 += lists.len();
            for (path, answer) in lists {
                let all = stage.all_targets();
                for target in all {
                    let visible = !gone && sees(player.role, *relation, target.of);
                    for mark in &target.marks {
                        if answer.text.contains(mark.as_str()) && !visible {
                            faults.borrow_mut().push(format!("{who} finds {} in {path}", target.name));
                        }
                    }
                    let listed = answer.status == 200 && target.list == path;
                    if listed && visible && !answer.text.contains(&target.id) {
                        faults.borrow_mut().push(format!("{who} should find {} in {path}", target.name));
                    }
                }
            }
        })
        .await;

    // Whoever handed a complaint in reads it, if handing in for somebody is their work; nobody else's.
    for (relation, player) in stage.players.iter().filter(|(relation, _)| *relation == Relation::Submitter) {
        use Role::{FocalPoint, IntakeOfficer, Integration, OhchrMonitor, PseaCoordinator, TriageOfficer};
        let own = app.rows(&format!("select id from complaints where submitted_by = '{}'", player.id)).await;
        let answer = player.caller.get(&format!("/v1/complaints/{}", own[0]["id"].as_str().unwrap())).await;
        let reads = [FocalPoint, IntakeOfficer, Integration, OhchrMonitor, PseaCoordinator, TriageOfficer]
            .contains(&player.role);
        assert_eq!(answer.status == 200, reads, "{:?} {relation:?} {}", player.role, answer.text);
        assert!(reads || [403, 404].contains(&answer.status), "{:?} {}", player.role, answer.text);
    }

    // The first answer to a keyed request is not given again to whoever may no longer know of its matter.
    let mut kept = 0;
    for first in &stage.first_answers {
        let (relation, player) = &stage.players[first.player];
        if sees(player.role, *relation, first.of) {
            player.caller.post_keyed(&first.path, "the same", json!({"text": "Kept."})).await.expect(201);
            player
                .caller
                .post_keyed(&first.path, "the same", json!({"text": "Something else."}))
                .await
                .expect(422);
            continue;
        }
        kept += 1;
        for text in ["Kept.", "Something else."] {
            let replayed = player.caller.post_keyed(&first.path, "the same", json!({"text": text})).await;
            let stranger = player
                .caller
                .post_keyed(&first.path.replace(&first.id, unknown), "the same", json!({"text": text}))
                .await;
            assert_eq!(plain(&replayed), plain(&stranger), "{} {relation:?} {text}", player.role.as_str());
            assert_eq!(replayed.status, 404);
        }
    }

    assert!(kept > 10, "{kept}");

    // Who was refused left no entry of having read; who read did.
    let mut owner = app.owner().await;
    let read = rows(
        &mut owner,
        "select actor, object_id from audit_entries where action like '%read' and actor_kind = 'user' limit 100000",
    )
    .await;
    let of: BTreeMap<&str, _> = stage.all_targets().map(|target| (target.id.as_str(), target)).collect();
    let players: BTreeMap<String, _> = stage
        .players
        .iter()
        .map(|(relation, player)| (player.id.to_string(), (relation, player.role)))
        .collect();
    let mut entries = 0;
    for row in &read {
        let (Some((relation, role)), Some(target)) =
            (players.get(row["actor"].as_str().unwrap()), of.get(row["object_id"].as_str().unwrap()))
        else {
            continue;
        };
        entries += 1;
        if **relation == Relation::Deactivated || !sees(*role, **relation, target.of) {
            faults
                .borrow_mut()
                .push(format!("{role:?} {relation:?} left an entry of reading {}", target.name));
        }
    }
    assert!(entries > 100, "{entries}");

    let faults = faults.into_inner();
    let (cells, requests, lists) = tried.into_inner();
    println!(
        "wall matrix: {} operations × {} roles × {} relations = {cells} cells ({requests} requests about single things, {lists} lists, {} replays)",
        touching.len() + LISTS.len(),
        Role::ALL.len(),
        Relation::ALL.len(),
        kept * 2,
    );
    assert_eq!(cells, (touching.len() + LISTS.len()) * Role::ALL.len() * Relation::ALL.len());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(40)].join("\n"));
}

/// Every list with every filter that could give a matter away.
async fn lists(stage: &Stage<'_>, player: &Player<'_>) -> Vec<(String, Answer)> {
    let me = player.id;
    let mut paths: Vec<String> = ["complaints", "cases", "deadlines", "proposals", "reveals", "break-glass"]
        .map(|list| format!("/v1/{list}"))
        .to_vec();
    for filter in [
        "complaints?category=sexual_exploitation_abuse&channel=web_form",
        "complaints?status=in_case",
        "complaints?q=nourriture%20niece",
        "complaints?q=sample",
        "cases?q=nourriture%20-ailleurs",
        "deadlines?open=true&name=feedback",
        "proposals?waiting=true",
        "reveals?waiting=true",
        "cases?stage=action_pending&category=sexual_exploitation_abuse",
        "cases?country=KE",
        "holds",
        "holds?lasting=true",
        "erasures",
        "erasures?waiting=true",
        "retention/due?within_days=36525",
    ] {
        paths.push(format!("/v1/{filter}"));
    }
    paths.push(format!("/v1/cases?assignee={me}"));
    paths.push(format!("/v1/cases?assignee={}", stage.colleague.id));
    let mut answers = Vec::new();
    for path in paths {
        let answer = player.caller.get(&path).await;
        // Page by page it is the same: no page is short, and no cursor leads to what is hidden.
        if answer.status == 200 && ["/v1/complaints", "/v1/cases"].contains(&path.as_str()) {
            let whole = answer.body["items"].as_array().unwrap().len();
            let mut paged = 0;
            let mut next = format!("{path}?limit=10");
            loop {
                let page = player.caller.get(&next).await;
                let items = page.body["items"].as_array().unwrap().len();
                paged += items;
                match page.body["next"].as_str() {
                    Some(cursor) => {
                        assert_eq!(items, 10, "a page with a hole");
                        next = format!("{path}?limit=10&after={cursor}");
                    }
                    None => break,
                }
                answers.push((next.clone(), page));
            }
            assert_eq!(paged, whole);
        }
        answers.push((path, answer));
    }
    answers
}

#[actix_web::test]
async fn p3_the_database_hides_the_same_from_a_server_that_asks_for_everything() {
    let app = TestApp::start().await;
    let stage = Stage::set(&app).await;
    let mut server = app.connect.open().await.unwrap();
    let mut faults = Vec::new();
    let mut cells = 0;
    for (relation, player) in &stage.players {
        let who = format!("{} ({relation:?})", player.role.as_str());
        let alive = stage.act(&mut server, player).await;
        assert_eq!(alive, *relation != Relation::Deactivated, "{who}");
        for (table, rows) in stage.rows_seen(&mut server).await {
            cells += 1;
            // Auditors see who did what in every matter that is not hidden from them, and nothing of the matter itself.
            let audited = player.role == Role::Auditor && table.name.starts_with("audit_entries");
            let case =
                alive && (sees(player.role, *relation, table.of) || audited && !hidden(*relation, table.of));
            // Whoever handed in a complaint of the matter may see the walls around the matter: no operation shows them.
            let own = table.name.starts_with("walls") && *relation == Relation::Submitter;
            let other = table.name.starts_with("idempotency");
            if rows > 0 && !case && !own {
                faults.push(format!("{who} sees {rows} rows of {}", table.name));
            }
            if rows == 0 && case && !other {
                faults.push(format!("{who} should see rows of {}", table.name));
            }
        }
        for (table, set) in changes(player) {
            cells += 1;
            let seen = rows(&mut server, &format!("select count(*) as n from {table}")).await[0]["n"]
                .as_u64()
                .unwrap();
            // Nothing in this statement reads a row, so nothing but the policy of changing stands in its way.
            let changed = stage.changed(&mut server, &format!("update {table} set {set}")).await;
            if changed != seen {
                faults.push(format!("{who} changes {changed} rows of {table} and sees {seen}"));
            }
        }
        stage.end(&mut server).await;
    }
    // Those who work on no matter see no row of any, of whatever matter.
    for (_, player) in &stage.players {
        if [Role::Administrator, Role::Auditor, Role::StatisticsOfficer].contains(&player.role) {
            stage.act(&mut server, player).await;
            let audit = |table: &&String| player.role == Role::Auditor && *table == "audit_entries";
            for table in stage.tables.iter().filter(|table| !audit(table)) {
                let own = if table == "idempotency_keys" { "where matter_id is not null" } else { "" };
                let seen = rows(&mut server, &format!("select 1 as one from {table} {own} limit 1")).await;
                assert!(seen.is_empty(), "{:?} sees {table}", player.role);
                cells += 1;
            }
            stage.end(&mut server).await;
        }
    }
    println!("wall matrix under the service: {} tables, {cells} cells", stage.tables.len());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(40)].join("\n"));
}

#[actix_web::test]
async fn p3_whoever_does_not_say_who_acts_sees_nothing_and_adds_nothing() {
    let app = TestApp::start().await;
    let stage = Stage::set(&app).await;
    let mut server = app.connect.open().await.unwrap();
    for table in &stage.tables {
        assert!(
            rows(&mut server, &format!("select 1 as one from {table} limit 1")).await.is_empty(),
            "{table} is open"
        );
        let refused = stage.added(&mut server, table, None).await.unwrap_err();
        // Wishes to glance are written by a function alone, and the turn of a word is the database's to choose.
        let refusal = if ["glances", "consents"].contains(&table.as_str()) {
            "permission denied"
        } else {
            "row-level security"
        };
        assert!(refused.contains(refusal), "{table}: {refused}");
    }
    // Nor does somebody who acts add to what is hidden from them, although it would bear their name.
    let (_, walled) =
        stage.players.iter().find(|(r, p)| *r == Relation::Walled && p.role == Role::TriageOfficer).unwrap();
    for table in [
        "assignments",
        "case_duties",
        "deadline_pauses",
        "allegations",
        "notes",
        "messages",
        "proposals",
        "legal_holds",
        "erasures",
        "parties",
        "party_identities",
        "party_marks",
        "consents",
        "reveals",
    ] {
        stage.act(&mut server, walled).await;
        let refused = stage.added(&mut server, table, Some(walled.id)).await.unwrap_err();
        // The turn of a word is never the server's to choose, so a whole row of them is refused before row security looks.
        let before = table == "consents" && refused.contains("permission denied");
        assert!(before || refused.contains("row-level security"), "{table}: {refused}");
        stage.end(&mut server).await;
    }
    // Where they do know of it, the same rows are taken, or refused for another reason than the wall.
    let (_, other) =
        stage.players.iter().find(|(r, p)| *r == Relation::None && p.role == Role::TriageOfficer).unwrap();
    for table in ["notes", "case_duties", "assignments"] {
        stage.act(&mut server, other).await;
        let added = stage.added(&mut server, table, Some(other.id)).await;
        assert_eq!(added, Ok(()), "{table}");
        stage.end(&mut server).await;
    }
}

#[actix_web::test]
async fn p3_whoever_is_walled_off_gets_no_second_receipt() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let focal_point = app.signed_in(Role::FocalPoint).await;
    let mut body = complaint();
    body["submission_id"] = json!("0199c0de-0000-7000-8000-0000000000aa");
    let receipt = focal_point.post("/v1/complaints", body.clone()).await.expect(201);
    assert_eq!(focal_point.post("/v1/complaints", body.clone()).await.expect(200), receipt);
    let wall = json!({"user_id": focal_point.id.unwrap().uuid(), "reason": "A relative is concerned."});
    triage.post(&format!("/v1/complaints/{}/walls", id(&receipt)), wall).await.expect(204);
    focal_point.post("/v1/complaints", body.clone()).await.expect(404);
    app.anyone().post("/v1/complaints", body.clone()).await.expect(404);
    body["narrative"] = json!("Something else.");
    focal_point.post("/v1/complaints", body).await.expect(404);
    assert_eq!(app.count("select 1 from complaints").await, 1);
}

#[actix_web::test]
async fn p3_from_whom_a_case_is_hidden_is_told_only_to_those_who_may_hide_it() {
    let app = TestApp::start().await;
    let (case, triage) = minor_case(&app).await;
    let investigator = app.signed_in(Role::Investigator).await;
    let walled = app.signed_in(Role::Commander).await.id.unwrap().uuid();
    let at = |rest: &str| format!("/v1/cases/{}{rest}", id(&case));
    let assign = json!({"user_id": investigator.id.unwrap().uuid(), "role": "investigator", "conflict_declared": false});
    triage.post_seen(&at("/assignments"), 1, assign).await.expect(200);
    triage.post(&at("/walls"), json!({"user_id": walled, "reason": "Commands the unit."})).await.expect(204);
    triage.get(&at("/walls")).await.expect(200);
    for (caller, told) in [(&triage, true), (&investigator, false)] {
        let timeline = caller.get(&at("/timeline")).await.expect(200).to_string();
        assert!(timeline.contains("case.assigned"));
        for mark in ["wall.put_up", "walls.read", &walled.to_string()] {
            assert_eq!(timeline.contains(mark), told, "{mark}");
        }
    }
}

#[actix_web::test]
async fn p3_every_table_that_belongs_to_a_matter_is_behind_the_wall() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let found = rows(
        &mut owner,
        "with recursive of_matter as (
             select c.oid from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and (c.relname in ('cases', 'complaints')
                 or a.attname in ('matter_id', 'case_id', 'complaint_id'))
             union select k.conrelid from pg_constraint k join of_matter m on m.oid = k.confrelid where k.contype = 'f')
         select c.relname as name, c.relrowsecurity as behind,
             (select count(*) from pg_policies p where p.tablename = c.relname and p.cmd in ('SELECT', 'ALL') and p.roles = '{temwen_server}') as policies,
             (select bool_or(coalesce(p.qual, '') = 'true' or coalesce(p.with_check, '') = 'true') from pg_policies p where p.tablename = c.relname) as open
         from of_matter join pg_class c using (oid) order by 1",
    )
    .await;
    assert!(found.len() >= 14, "{found:?}");
    for table in &found {
        assert_eq!(
            (&table["behind"], &table["policies"], &table["open"]),
            (&json!(true), &json!(1), &json!(false)),
            "{table}"
        );
    }
    // A view passes the wall unless it is security_invoker. These three are what the wall itself is made of, and tell each caller
    // of nobody else.
    let views = rows(
        &mut owner,
        "select relname as name, pg_get_viewdef(oid) like '%user_id = acting_user())%' as own from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('v', 'm', 'f') order by 1",
    )
    .await;
    assert_eq!(
        views,
        ["own_assignments", "own_glances", "own_walls"].map(|name| json!({"name": name, "own": true}))
    );
}

#[actix_web::test]
async fn p2_p3_the_role_of_the_server_owns_nothing_and_removes_nothing() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let role = &rows(
        &mut owner,
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolinherit, rolname from pg_roles where rolname = 'temwen_server'",
    )
    .await[0];
    for (name, value) in role.as_object().unwrap() {
        assert!(value == "temwen_server" || *value == Value::Bool(false), "{name}");
    }
    let member =
        rows(&mut owner, "select 1 as one from pg_auth_members where member = 'temwen_server'::regrole")
            .await;
    assert!(member.is_empty(), "it may act as somebody else");
    let owned = rows(
        &mut owner,
        "select relname as name from pg_class where relowner = 'temwen_server'::regrole
         union all select proname from pg_proc where proowner = 'temwen_server'::regrole
         union all select nspname from pg_namespace where nspowner = 'temwen_server'::regrole
         union all select datname from pg_database where datdba = 'temwen_server'::regrole",
    )
    .await;
    assert!(owned.is_empty(), "{owned:?}");
    let may = rows(
        &mut owner,
        "select c.relname as name, string_agg(p.what, ' ' order by p.what) as may
         from pg_class c, (values ('delete'), ('truncate'), ('trigger'), ('references')) as p (what)
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_table_privilege('temwen_server', c.oid, p.what)
         group by 1 order by 1",
    )
    .await;
    assert_eq!(
        may,
        vec![
            json!({"name": "idempotency_keys", "may": "delete"}),
            json!({"name": "log_queue", "may": "delete"}),
            json!({"name": "master_keys", "may": "delete"})
        ],
        "first answers alone are forgotten, what has its place in the log leaves the queue, and a master key that wraps nothing is given up"
    );
    let changeable = rows(
        &mut owner,
        "select distinct c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_column_privilege('temwen_server', c.oid, a.attnum, 'update') order by 1",
    )
    .await;
    let changeable: BTreeSet<&str> = changeable.iter().map(|row| row["name"].as_str().unwrap()).collect();
    for table in [
        "audit_entries",
        "submissions",
        "notes",
        "messages",
        "walls",
        "allegations",
        "evidence_segments",
        "custody_events",
        "case_duties",
        "party_identities",
        "party_marks",
        "consents",
        "log_places",
        "log_cosignatures",
        "__diesel_schema_migrations",
    ] {
        assert!(!changeable.contains(table), "{table} can be changed");
    }
    let creates = rows(
        &mut owner,
        "select 1 as one where has_schema_privilege('temwen_server', 'public', 'create') or has_database_privilege('temwen_server', current_database(), 'create')",
    )
    .await;
    assert!(creates.is_empty());
}
