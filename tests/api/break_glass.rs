//! P3: in an emergency, a case may be read by whoever does not see it: with a second officer, for four hours, and never what is walled.

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use temwen::auth::Role;

use crate::cast::{enlist, rights, rows};
use crate::fixtures::{case_from, complaint, id};
use crate::harness::{Caller, TestApp};

fn wish(case: &str) -> Value {
    json!({"case": case, "reason": "The victim is at the gate."})
}

async fn wished(who: &Caller<'_>, case: &str) -> String {
    id(&who.post("/v1/break-glass", wish(case)).await.expect(202)).to_owned()
}

async fn decided(who: &Caller<'_>, wish: &str, approve: bool) -> crate::harness::Answer {
    let body = json!({"approve": approve, "reason": "The duty officer says so."});
    who.post_seen(&format!("/v1/break-glass/{wish}/decision"), 1, body).await
}

#[actix_web::test]
async fn p3_a_glance_is_read_only_for_four_hours_with_a_second_officer() {
    let app = TestApp::start().await;
    let (triage, monitor, psea) = (
        app.signed_in(Role::TriageOfficer).await,
        app.signed_in(Role::OhchrMonitor).await,
        app.signed_in(Role::PseaCoordinator).await,
    );
    let investigator = app.signed_in(Role::Investigator).await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let (case, number) = (id(&case).to_owned(), case["number"].as_str().unwrap().to_owned());
    let path = format!("/v1/cases/{case}");
    investigator.get(&path).await.expect(404);
    let it = wished(&investigator, &number).await;
    investigator.get(&path).await.expect(404);

    // Only those who see the case hear of the wish, and decide; never whoever asks.
    let listed = monitor.get("/v1/break-glass?waiting=true").await.expect(200);
    assert_eq!(listed["items"][0]["reason"], "The victim is at the gate.");
    assert_eq!(listed["items"][0]["user_id"], json!(investigator.id));
    assert_eq!(
        psea.get("/v1/break-glass").await.expect(200)["items"],
        json!([]),
        "not a case of the PSEA lane"
    );
    decided(&psea, &it, true).await.expect(404);
    decided(&investigator, &it, true).await.expect(404);
    decided(&triage, &it, true).await.expect(403);
    investigator.get("/v1/break-glass").await.expect(403);
    let answer = decided(&monitor, &it, true).await.expect(200);
    assert_eq!((&answer["approved"], &answer["version"]), (&json!(true), &json!(2)));
    decided(&monitor, &it, true).await.expect(412);

    // It reads, and changes nothing.
    investigator.get(&path).await.expect(200);
    investigator.get(&format!("{path}/timeline")).await.expect(200);
    for (rest, body) in [
        ("/notes", json!({"text": "Seen."})),
        ("/recusals", json!({"reason": "I know them."})),
        ("/parties", json!({"role": "witness"})),
    ] {
        investigator.post(&format!("{path}{rest}"), body).await.expect(404);
    }
    let step = json!({"step": "submit_report", "reason": "It is time."});
    investigator.post_seen(&format!("{path}/transitions"), 1, step).await.expect(404);
    // It ends by itself.
    app.wait(TimeDelta::hours(4) - TimeDelta::seconds(1));
    let investigator = app.sign_in(&investigator.email, crate::harness::PASSWORD).await;
    investigator.get(&path).await.expect(200);
    app.wait(TimeDelta::seconds(1));
    investigator.get(&path).await.expect(404);
    // Whoever checks the record hears of the wish, of the decision, and of every reading.
    let auditor = app.signed_in(Role::Auditor).await;
    for action in ["glance.asked", "glance.allowed", "case.read"] {
        let heard = auditor.get(&format!("/v1/audit/entries?action={action}")).await.expect(200);
        assert!(!heard["items"].as_array().unwrap().is_empty(), "{action}");
    }
    let stored = app.rows("select g::text as row from glances g").await;
    assert!(!stored[0].to_string().contains("gate"), "{stored:?}");
    app.sequence().await;
}

#[actix_web::test]
async fn p3_a_wish_is_answered_the_same_whatever_there_is() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let (outsider, walled) =
        (app.signed_in(Role::Investigator).await, app.signed_in(Role::Investigator).await);
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let (case, number) = (id(&case).to_owned(), case["number"].as_str().unwrap().to_owned());
    let wall = json!({"user_id": walled.id, "reason": "A relative."});
    triage.post(&format!("/v1/cases/{case}/walls"), wall).await.expect(204);
    let shape = |answer: &crate::harness::Answer| {
        let mut headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
            .cloned()
            .collect();
        headers.sort();
        (
            answer.status,
            answer.text.len(),
            answer.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>(),
            headers,
        )
    };
    let mut shapes = Vec::new();
    for (who, case) in [
        (&outsider, case.as_str()),
        (&outsider, number.as_str()),
        (&walled, case.as_str()),
        (&walled, number.as_str()),
        (&triage, case.as_str()),
        (&outsider, "0199c0de-0000-7000-8000-00000000dead"),
        (&outsider, "COA-2026-999999"),
    ] {
        shapes.push(shape(&who.post("/v1/break-glass", wish(case)).await));
    }
    assert_eq!(shapes[0].0, 202);
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
    // For whoever is walled it silently never comes through: nobody is even asked.
    let listed = monitor.get("/v1/break-glass").await.expect(200);
    let asked: Vec<&Value> =
        listed["items"].as_array().unwrap().iter().map(|each| &each["user_id"]).collect();
    assert_eq!(asked.len(), 3, "{listed}");
    assert!(!asked.contains(&&json!(walled.id)));
    let never = app.rows(&format!("select id from glances where user_id = '{}'", walled.id.unwrap())).await;
    decided(&monitor, id(&never[0]), true).await.expect(404);
    // And whoever is walled after it was allowed sees nothing any more.
    let it = wished(&outsider, &case).await;
    decided(&monitor, &it, true).await.expect(200);
    outsider.get(&format!("/v1/cases/{case}")).await.expect(200);
    let wall = json!({"user_id": outsider.id, "reason": "A relative too."});
    triage.post(&format!("/v1/cases/{case}/walls"), wall).await.expect(204);
    outsider.get(&format!("/v1/cases/{case}")).await.expect(404);

    for (body, pointer) in [
        (json!({"case": "", "reason": "There is one."}), "/case"),
        (json!({"case": "x".repeat(100_000), "reason": "There is one."}), "/case"),
        (json!({"case": "COA-2026-1' or true", "reason": "There is one."}), "/case"),
        (json!({"case": case, "reason": ""}), "/reason"),
    ] {
        let answer = outsider.post("/v1/break-glass", body).await;
        assert_eq!((answer.status, answer.faults()), (422, vec![pointer]));
    }
    app.signed_in(Role::Commander).await.post("/v1/break-glass", wish(&case)).await.expect(403);
    app.anyone().post("/v1/break-glass", wish(&case)).await.expect(401);
}

#[actix_web::test]
async fn p3_a_wish_is_decided_once_by_somebody_who_sees_the_case_and_within_a_day() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let (monitor, psea) =
        (app.signed_in(Role::OhchrMonitor).await, app.signed_in(Role::PseaCoordinator).await);
    let investigator = app.signed_in(Role::Investigator).await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let case = id(&case).to_owned();
    // Refused: nothing is opened.
    let it = wished(&investigator, &case).await;
    decided(&monitor, &it, false).await.expect(200);
    investigator.get(&format!("/v1/cases/{case}")).await.expect(404);
    let again = monitor
        .post_seen(
            &format!("/v1/break-glass/{it}/decision"),
            2,
            json!({"approve": true, "reason": "After all."}),
        )
        .await;
    assert_eq!(again.status, 409);
    // Whoever sees the case by a glance lets nobody else in, and nobody themself.
    let own = wished(&psea, &case).await;
    decided(&monitor, &own, true).await.expect(200);
    psea.get(&format!("/v1/cases/{case}")).await.expect(200);
    let other = wished(&investigator, &case).await;
    decided(&psea, &other, true).await.expect(403);
    let mine = wished(&monitor, &case).await;
    decided(&monitor, &mine, true).await.expect(403);
    // Too late.
    app.wait(TimeDelta::hours(25));
    let monitor = app.sign_in(&monitor.email, crate::harness::PASSWORD).await;
    decided(&monitor, &other, true).await.expect(409);
    decided(&monitor, &other, false).await.expect(200);
}

#[actix_web::test]
async fn p3_the_database_lets_a_glance_read_and_nothing_else() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let player = enlist(&app, &mut owner, Role::Investigator, rights(Role::Investigator)).await;
    let case = case_from(&triage, complaint(), "minor_misconduct").await;
    let case = id(&case).to_owned();
    let it = wished(&player.caller, &case).await;
    decided(&monitor, &it, true).await.expect(200);
    let mut server = app.connect.open().await.unwrap();
    let scope = app.temwen.db.scope(&player.by());
    let act = format!(
        "select act('user', '{0}', '{0}', '{1}', 1, '{2}', '{{}}', '', null, '{3}') as alive",
        player.id,
        player.officer.session,
        scope.words(),
        app.temwen.clock.now()
    );
    let matter = app.rows(&format!("select matter_id as id from cases where id = '{case}'")).await;
    let matter = id(&matter[0]).to_owned();
    let me = player.id;
    // Something of every kind hangs on the case.
    let told = app.rows(&format!("select id from complaints where case_id = '{case}'")).await;
    let complaint = id(&told[0]).to_owned();
    let of_it = app.rows(&format!("select id from parties where matter_id = '{matter}'")).await;
    let party = id(&of_it[0]).to_owned();
    let clocks = app.rows(&format!("select id from deadlines where matter_id = '{matter}'")).await;
    let deadline = id(&clocks[0]).to_owned();
    let file = "0199c0de-0000-7000-8000-00000000f11e";
    let sql = format!(
        "set session_replication_role = replica;
         insert into evidence (id, case_id, stage, uploaded_by, key, given, size, begun_at, expires_at)
             values ('{file}', '{case}', 'arriving', '{me}', 'x', 'x', 1, now(), now());
         insert into reveals (id, party_id, purpose, basis, asked_by, asked_at, reason)
             values (gen_random_uuid(), '{party}', 'investigate', 'second_person', '{me}', now(), 'x')"
    );
    owner.batch_execute(&sql).await.unwrap();
    for insert in [
        format!(
            "parties (id, role, matter_id, case_id) values (gen_random_uuid(), 'witness', '{matter}', '{case}')"
        ),
        format!("party_identities (id, party_id, by_user) values (gen_random_uuid(), '{party}', '{me}')"),
        format!("party_marks (party_id, mark) values ('{party}', 'x')"),
        format!("consents (id, party_id, recorded_by) values (gen_random_uuid(), '{party}', '{me}')"),
        format!("reveals (id, party_id, asked_by) values (gen_random_uuid(), '{party}', '{me}')"),
        format!("evidence (id, case_id, uploaded_by) values (gen_random_uuid(), '{case}', '{me}')"),
        format!("evidence_segments (id, evidence_id) values (gen_random_uuid(), '{file}')"),
        format!(
            "custody_events (id, evidence_id, actor_kind, actor_id) values (gen_random_uuid(), '{file}', 'user', '{me}')"
        ),
        format!("redactions (id, complaint_id, author_id) values (gen_random_uuid(), '{complaint}', '{me}')"),
        format!("legal_holds (id, case_id, set_by) values (gen_random_uuid(), '{case}', '{me}')"),
        format!(
            "erasures (id, matter_id, case_id, proposed_by) values (gen_random_uuid(), '{matter}', '{case}', '{me}')"
        ),
        format!(
            "deadline_pauses (id, deadline_id, paused_by) values (gen_random_uuid(), '{deadline}', '{me}')"
        ),
    ] {
        server.batch_execute("begin").await.unwrap();
        assert_eq!(rows(&mut server, &act).await[0]["alive"], true);
        let refused = server.batch_execute(&format!("insert into {insert}")).await.unwrap_err().to_string();
        assert!(refused.contains("_not_by_glance"), "{insert}: {refused}");
        server.batch_execute("rollback").await.unwrap();
    }
    let by_matter = format!("matter_id = '{matter}'");
    for (table, set) in [
        ("parties", "version = 2"),
        ("reveals", "version = 2"),
        ("evidence", "arrived = 0"),
        ("data_keys", "destroyed_at = now()"),
    ] {
        server.batch_execute("begin").await.unwrap();
        assert_eq!(rows(&mut server, &act).await[0]["alive"], true);
        assert!(!rows(&mut server, &format!("select id from {table}")).await.is_empty(), "{table} is read");
        let of_it = if table == "data_keys" { by_matter.as_str() } else { "true" };
        let change = format!(
            "do $do$ declare n integer; begin update {table} set {set} where {of_it}; get diagnostics n = row_count;
                if n > 0 then raise exception 'changed'; end if; end $do$"
        );
        let done = server.batch_execute(&change).await;
        assert!(done.is_ok(), "{table}: {done:?}");
        server.batch_execute("rollback").await.unwrap();
    }
    // And no table of a matter was forgotten.
    let open = "select p.tablename, p.cmd from pg_policies p where p.permissive = 'PERMISSIVE' and p.cmd in ('INSERT', 'UPDATE')
            and exists (select from information_schema.columns c where c.table_schema = 'public' and c.table_name = p.tablename
                and c.column_name in ('matter_id', 'case_id', 'complaint_id', 'party_id', 'evidence_id', 'deadline_id'))
            and p.tablename not in ('audit_entries', 'idempotency_keys', 'submissions', 'cases', 'complaints', 'glances')
            and not (p.tablename = 'data_keys' and p.cmd = 'INSERT')
            and not exists (select from pg_policies r where r.tablename = p.tablename and r.cmd = p.cmd and r.permissive = 'RESTRICTIVE'
                and r.policyname like '%_by_glance')";
    assert_eq!(app.rows(open).await, Vec::<Value>::new());
    for (change, allowed) in [
        (format!("select 1 / count(*)::int from cases where id = '{case}'"), true),
        (
            format!(
                "with c as (update cases set priority = 'low' where id = '{case}' returning 1) select 1 / count(*)::int from c"
            ),
            false,
        ),
        (
            format!(
                "with c as (update complaints set priority = 'low' where case_id = '{case}' returning 1) select 1 / count(*)::int from c"
            ),
            false,
        ),
        (
            format!(
                "with c as (update deadlines set escalation = 7 where case_id = '{case}' returning 1) select 1 / count(*)::int from c"
            ),
            false,
        ),
        (
            format!(
                "insert into notes (id, case_id, author_id, text_sealed, written_at) values (gen_random_uuid(), '{case}', '{me}', 'x', now())"
            ),
            false,
        ),
        (
            format!(
                "insert into case_duties (case_id, user_id, duty, since) values ('{case}', '{me}', 'review', now())"
            ),
            false,
        ),
        (
            format!(
                "insert into assignments (id, case_id, matter_id, user_id, role, assigned_by, assigned_at) values (gen_random_uuid(), '{case}', '{matter}', '{me}', 'investigator', '{me}', now())"
            ),
            false,
        ),
        (
            format!(
                "insert into walls (user_id, matter_id, kind, reason_sealed, put_up_by, put_up_at) values ('{me}', '{matter}', 'wall', 'x', '{me}', now())"
            ),
            false,
        ),
    ] {
        server.batch_execute("begin").await.unwrap();
        assert_eq!(rows(&mut server, &act).await[0]["alive"], true);
        let done = server.batch_execute(&change).await;
        assert_eq!(done.is_ok(), allowed, "{change}: {done:?}");
        server.batch_execute("rollback").await.unwrap();
    }
}

#[actix_web::test]
async fn p3_whoever_glances_changes_nothing_by_whatever_operation() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let monitor = app.signed_in(Role::OhchrMonitor).await;
    let case = case_from(&triage, crate::fixtures::grave_complaint(), "sexual_exploitation_abuse").await;
    let case = id(&case).to_owned();
    let told = app.rows(&format!("select id from complaints where case_id = '{case}'")).await;
    let complaint = id(&told[0]).to_owned();
    let parties = app.rows("select id, pseudonym from parties where role = 'victim'").await;
    let victim = id(&parties[0]).to_owned();
    let yes = json!({"purpose": "investigate", "granted": "yes", "given_by": "caregiver", "assent": true, "how": "verbal"});
    let consent = monitor.post(&format!("/v1/cases/{case}/parties/{victim}/consents"), yes).await.expect(201);
    let consent = id(&consent).to_owned();
    // Something waits for a second person.
    let asked = json!({"purpose": "contact_by_phone", "reason": "To call them."});
    let waits = monitor.post(&format!("/v1/cases/{case}/parties/{victim}/reveal"), asked).await.expect(202);
    let decision = format!("/v1/reveals/{}/decision", id(&waits));
    let before = "select (select count(*) from reveals) + (select count(*) from consents) + (select count(*) from parties)
        + (select count(*) from messages) + (select count(*) from notes) + (select count(*) from redactions) + (select count(*) from legal_holds)
        + (select count(*) from erasures) + (select count(*) from walls) + (select count(*) from proposals) + (select sum(version) from cases) as n";
    let before = (before, app.rows(before).await);
    for role in [Role::Investigator, Role::LegalLiaison, Role::VictimSupport] {
        let who = app.signed_in(role).await;
        let it = wished(&who, &case).await;
        decided(&monitor, &it, true).await.expect(200);
        who.get(&format!("/v1/cases/{case}")).await.expect(200);
        let reason = json!({"reason": "It is time."});
        let signed = json!({"approve": true, "reason": "It is time."});
        let answer = who.post_seen(&decision, 1, signed).await;
        assert!([403, 404].contains(&answer.status), "{role:?} {}", answer.text);
        who.get(&format!("/v1/cases/{case}/evidence")).await.expect(404);
        for (path, body) in [
            (
                format!("/v1/cases/{case}/parties/{victim}/reveal"),
                json!({"purpose": "investigate", "reason": "To hear them."}),
            ),
            (
                format!("/v1/cases/{case}/parties/{victim}/reveal"),
                json!({"purpose": "imminent_danger", "reason": "They are at the gate."}),
            ),
            (
                format!("/v1/complaints/{complaint}/parties/{victim}/reveal"),
                json!({"purpose": "investigate", "reason": "To hear them."}),
            ),
            (
                format!("/v1/cases/{case}/parties/{victim}/consents"),
                json!({"purpose": "record", "granted": "no", "how": "verbal"}),
            ),
            (format!("/v1/cases/{case}/parties"), json!({"role": "witness"})),
            (format!("/v1/cases/{case}/notes"), json!({"text": "Seen."})),
            (format!("/v1/cases/{case}/recusals"), reason.clone()),
            (format!("/v1/cases/{case}/holds"), reason.clone()),
            (format!("/v1/complaints/{complaint}/holds"), reason.clone()),
            (format!("/v1/cases/{case}/erasures"), reason.clone()),
            (format!("/v1/complaints/{complaint}/messages"), json!({"text": "Thank you."})),
            (
                format!("/v1/complaints/{complaint}/parties/{victim}/reveal"),
                json!({"purpose": "imminent_danger", "reason": "They are at the gate."}),
            ),
            (format!("/v1/cases/{case}/parties/{victim}/consents/{consent}/withdrawal"), json!({})),
        ] {
            let answer = who.post(&path, body).await;
            assert!([403, 404].contains(&answer.status), "{role:?} {path} {}", answer.text);
        }
    }
    assert_eq!(app.rows(before.0).await, before.1);
    // The glance itself is all that was added.
    assert_eq!(app.count("select 1 from glances where approved").await, 3);
}
