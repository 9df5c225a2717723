//! What the wall is tried on: one matter with everything that can hang on it, one complaint that nobody has judged yet, and
//! somebody of every role in every relation to them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::http::Method;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use serde_json::{Value, json};
use temwen::auth::{Role, Seat};
use uuid::Uuid;

use crate::cast::{Player, enlist, rights, rows};
use crate::files::{begin, give, location, photo};
use crate::fixtures::{grave_complaint, id, submitted};
use crate::harness::TestApp;

/// What somebody has to do with the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    None,
    Assigned,
    /// A complaint of the matter is theirs.
    Submitter,
    FormerlyAssigned,
    Recused,
    /// Although they work on it.
    Walled,
    /// While it was a complaint.
    WalledBefore,
    /// From a complaint that joined the case later.
    WalledFromAttached,
    OtherCountry,
    OtherSeat,
    /// Although they work on it.
    Deactivated,
    /// Their name is that of the victim: a wall put itself up, although they work on it.
    Named,
}

impl Relation {
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Assigned,
        Self::Submitter,
        Self::FormerlyAssigned,
        Self::Recused,
        Self::Walled,
        Self::WalledBefore,
        Self::WalledFromAttached,
        Self::OtherCountry,
        Self::OtherSeat,
        Self::Deactivated,
        Self::Named,
    ];
}

/// Which part of the stage a thing belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The case: sexual exploitation of a child, referred to Kenya, waiting for action.
    Case,
    /// One of its two complaints.
    Joined,
    /// The complaint that nobody has judged yet.
    New,
}

/// A thing that is to be hidden from some.
pub struct Target {
    pub name: &'static str,
    pub of: Of,
    pub id: String,
    pub version: i64,
    /// Words that give it away.
    pub marks: Vec<String>,
    /// The list that it stands in for those who may know of it.
    pub list: &'static str,
}

/// The first answer that somebody got, who may no longer know of the matter.
pub struct FirstAnswer {
    pub player: usize,
    pub path: String,
    pub id: String,
    pub of: Of,
}

/// Rows of a table that belong to the stage.
pub struct Rows {
    pub name: String,
    pub of: Of,
    from: String,
}

pub struct Stage<'a> {
    pub players: Vec<(Relation, Player<'a>)>,
    pub spare: Player<'a>,
    /// An investigator who works on the case.
    pub colleague: Player<'a>,
    pub first_answers: Vec<FirstAnswer>,
    pub tables: Vec<String>,
    /// A file of the case.
    pub evidence: String,
    /// An upload to the case that is not finished.
    pub upload: String,
    /// The victim of the case, and a word of their consent.
    pub party: String,
    pub consent: String,
    targets: [Vec<Target>; 8],
    rows: Vec<Rows>,
    /// A row of each table, of the case or of its complaints.
    samples: BTreeMap<String, Value>,
    app: &'a TestApp,
}

const TABLES: [&str; 26] = [
    "cases",
    "complaints",
    "submissions",
    "walls",
    "wall_liftings",
    "glances",
    "assignments",
    "case_duties",
    "idempotency_keys",
    "audit_entries",
    "deadlines",
    "deadline_pauses",
    "allegations",
    "notes",
    "messages",
    "proposals",
    "evidence",
    "evidence_segments",
    "custody_events",
    "legal_holds",
    "erasures",
    "parties",
    "party_identities",
    "party_marks",
    "consents",
    "reveals",
];

/// Who may know of what, as the field says it; written down here a second time, apart from the policy page.
pub fn sees(role: Role, relation: Relation, of: Of) -> bool {
    use Relation as R;
    let works_on_it = relation == R::Assigned;
    if hidden(relation, of) {
        return false;
    }
    match (of, role) {
        (_, Role::TriageOfficer | Role::PseaCoordinator | Role::OhchrMonitor) => true,
        (Of::Case, Role::PanelMember | Role::Commander) => true,
        (Of::Case, Role::NationalAuthority) => relation != R::OtherCountry,
        (Of::Case, Role::Investigator | Role::LegalLiaison | Role::VictimSupport) => works_on_it,
        (Of::Joined, Role::Investigator | Role::LegalLiaison) => works_on_it,
        (Of::New, Role::IntakeOfficer) => true,
        _ => false,
    }
}

/// Whether it is hidden from whoever has this relation to it, whatever their role.
pub fn hidden(relation: Relation, of: Of) -> bool {
    use Relation as R;
    match relation {
        R::Deactivated | R::Recused | R::Walled | R::WalledBefore | R::Named => true,
        R::WalledFromAttached => of != Of::New,
        _ => false,
    }
}

/// The tables that the server may change, each with a change that reads nothing.
pub fn changes(player: &Player<'_>) -> Vec<(&'static str, String)> {
    let me = player.id;
    vec![
        ("cases", "priority = 'routine'".to_owned()),
        ("complaints", "priority = 'routine'".to_owned()),
        ("assignments", "ended_at = now()".to_owned()),
        ("evidence", "damaged_at = now()".to_owned()),
        ("deadlines", "escalation = 7".to_owned()),
        ("deadline_pauses", format!("resumed_at = now(), resumed_by = '{me}'")),
        ("proposals", format!("decided_by = '{me}', decided_at = now(), approved = false")),
        ("legal_holds", format!("ended_by = '{me}', ended_at = now(), end_reason = ''")),
        (
            "erasures",
            format!("decided_by = '{me}', decided_at = now(), approved = false, decision_reason = ''"),
        ),
        ("parties", "sex = 'f'".to_owned()),
        (
            "reveals",
            format!("decided_by = '{me}', decided_at = now(), approved = false, decision_reason = '\\x00'"),
        ),
        (
            "glances",
            format!("decided_by = '{me}', decided_at = now(), approved = false, decision_reason = 'x'"),
        ),
        ("wall_liftings", format!("confirmed_by = '{me}', confirmed_at = now(), confirm_reason = 'x'")),
    ]
}

impl<'a> Stage<'a> {
    pub fn targets(&self, kind: usize) -> &[Target] {
        &self.targets[kind]
    }

    pub fn all_targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().flatten()
    }

    #[expect(clippy::too_many_lines, reason = "one story, from the first complaint to the last wall")]
    pub async fn set(app: &'a TestApp) -> Self {
        let mut owner = app.owner().await;
        let triage = enlist(app, &mut owner, Role::TriageOfficer, rights(Role::TriageOfficer)).await;
        let spare = enlist(app, &mut owner, Role::Investigator, rights(Role::Investigator)).await;
        let colleague = enlist(app, &mut owner, Role::Investigator, rights(Role::Investigator)).await;
        let mut players = Vec::new();
        for relation in Relation::ALL {
            for &role in Role::ALL {
                let mut rights = rights(role);
                if relation == Relation::OtherCountry && role == Role::NationalAuthority {
                    rights.country = Some("JM".to_owned());
                }
                if relation == Relation::OtherSeat && role == Role::PanelMember {
                    rights.seat = Some(Seat::Pnh);
                }
                players.push((relation, enlist(app, &mut owner, role, rights).await));
            }
        }
        let of = |wanted: Relation| {
            players.iter().enumerate().filter(move |(_, (relation, _))| *relation == wanted)
        };

        let mut receipts = Vec::new();
        for _ in 0..3 {
            receipts.push(submitted(app, grave_complaint()).await);
        }
        let complaints: Vec<&str> = receipts.iter().map(id).collect();
        let [first, joined, new] = complaints[..] else { unreachable!() };
        let wall = async |path: &str, player: &Player<'_>| {
            let body = json!({"user_id": player.id, "reason": "They know somebody."});
            triage.caller.post(&format!("{path}/walls"), body).await.expect(204);
        };
        for (_, (_, player)) in of(Relation::WalledBefore) {
            wall(&format!("/v1/complaints/{first}"), player).await;
            wall(&format!("/v1/complaints/{new}"), player).await;
        }
        for (_, (_, player)) in of(Relation::WalledFromAttached) {
            wall(&format!("/v1/complaints/{joined}"), player).await;
        }
        let body =
            json!({"decision": "open_case", "category": "sexual_exploitation_abuse", "reason": "It is one."});
        let case =
            triage.caller.post_seen(&format!("/v1/complaints/{first}/assessment"), 1, body).await.expect(201);
        let (case, number) = (id(&case).to_owned(), case["number"].as_str().unwrap().to_owned());
        let body = json!({"decision": "attach", "case_id": case, "reason": "The same patrol."});
        triage.caller.post_seen(&format!("/v1/complaints/{joined}/assessment"), 1, body).await.expect(200);

        // Everything that can hang on them.
        let at_case = |rest: &str| format!("/v1/cases/{case}{rest}");
        let body = json!({"user_id": colleague.id, "role": "investigator", "conflict_declared": false});
        triage.caller.post_seen(&at_case("/assignments"), 2, body).await.expect(200);
        owner
            .batch_execute(&format!(
                "update cases set stage = 'action_pending', referred_country = 'KE' where id = '{case}';
                 update deadlines set pausable = true where case_id = '{case}'"
            ))
            .await
            .unwrap();
        triage.caller.post_keyed(&at_case("/notes"), "a note", json!({"text": "Seen."})).await.expect(201);
        let lower = json!({"category": "minor_misconduct", "reason": "Less than it seemed."});
        triage.caller.post_seen(&at_case("/classification"), 3, lower).await.expect(202);
        let end = json!({"decision": "close", "closure_reason": "not_misconduct", "reason": "It is none."});
        triage.caller.post_seen(&format!("/v1/complaints/{new}/assessment"), 1, end).await.expect(202);
        for complaint in &complaints {
            triage
                .caller
                .post(&format!("/v1/complaints/{complaint}/messages"), json!({"text": "Thank you."}))
                .await
                .expect(201);
        }
        let one =
            async |owner: &mut AsyncPgConnection, sql: String| id(&rows(owner, &sql).await[0]).to_owned();
        let deadline =
            one(&mut owner, format!("select id from deadlines where case_id = '{case}' order by id limit 1"))
                .await;
        let pause = json!({"reason": "A hearing."});
        triage.caller.post_seen(&format!("/v1/deadlines/{deadline}/pause"), 1, pause).await.expect(200);

        // A hold of each, and an erasure that was proposed while both seemed to be over.
        for complaint in &complaints {
            triage.caller.get(&format!("/v1/complaints/{complaint}")).await.expect(200);
        }
        let monitor = enlist(app, &mut owner, Role::OhchrMonitor, rights(Role::OhchrMonitor)).await;
        let told = json!({"reason": "It was asked for."});
        let new_at = |rest: &str| format!("/v1/complaints/{new}{rest}");
        let over = format!(
            "update cases set stage = 'closed', closed_at = '1990-01-01' where id = '{case}';
             update complaints set status = 'closed', assessed_at = '1990-01-01' where id = '{new}'"
        );
        owner.batch_execute(&over).await.unwrap();
        for path in [at_case("/erasures"), new_at("/erasures")] {
            triage.caller.post(&path, told.clone()).await.expect(202);
        }
        let open = format!(
            "update cases set stage = 'action_pending', closed_at = null where id = '{case}';
             update complaints set status = 'received', assessed_at = null where id = '{new}'"
        );
        owner.batch_execute(&open).await.unwrap();
        for path in [at_case("/holds"), new_at("/holds")] {
            monitor.caller.post(&path, told.clone()).await.expect(201);
        }
        // Who is in it, by pseudonym; what they agreed to; and two who asked who they are.
        let victim_of = |thing: &str| {
            format!(
                "select pseudonym as id from parties where role = 'victim' and complaint_id = '{thing}' limit 1"
            )
        };
        let party = one(&mut owner, victim_of(first)).await;
        let new_party = one(&mut owner, victim_of(new)).await;
        let no = json!({"purpose": "share_with_state", "granted": "no", "how": "verbal"});
        let consent =
            triage.caller.post(&at_case(&format!("/parties/{party}/consents")), no).await.expect(201);
        let consent = id(&consent).to_owned();
        let coordinator = enlist(app, &mut owner, Role::PseaCoordinator, rights(Role::PseaCoordinator)).await;
        let ask = json!({"purpose": "investigate", "reason": "To hear them."});
        let reveal = colleague
            .caller
            .post(&at_case(&format!("/parties/{party}/reveal")), ask.clone())
            .await
            .expect(202);
        let new_reveal = coordinator
            .caller
            .post(&format!("/v1/complaints/{new}/parties/{new_party}/reveal"), ask)
            .await
            .expect(202);

        let uploads = at_case("/evidence/uploads");
        let evidence = give(&coordinator.caller, &uploads, &photo(), "").await;
        let upload = location(&begin(&coordinator.caller, &uploads, 5, "").await);
        let upload = upload.rsplit('/').next().unwrap().to_owned();
        let them = app.reporter(&receipts[0]).await;
        let reported = give(&them, "/v1/reporter/evidence", b"a file", "").await;

        // Who works on it, or did.
        let works = |player: &Player<'_>| {
            format!(
                "insert into assignments (id, case_id, matter_id, user_id, role, assigned_by, assigned_at)
                     select gen_random_uuid(), id, matter_id, '{}', 'investigator', '{}', opened_at from cases where id = '{case}';",
                player.id, triage.id
            )
        };
        let mut sql = String::new();
        for (relation, player) in &players {
            use Relation as R;
            if !matches!(relation, R::None | R::Submitter | R::OtherCountry | R::OtherSeat) {
                sql += &works(player);
            }
        }
        owner.batch_execute(&sql).await.unwrap();

        // Somebody who does not see the case asks to glance at it.
        let wish = json!({"case": case, "reason": "Nobody can be reached."});
        spare.caller.post("/v1/break-glass", wish).await.expect(202);

        let mut first_answers = Vec::new();
        for (index, (relation, player)) in players.iter().enumerate() {
            use Relation as R;
            if ![R::FormerlyAssigned, R::Recused, R::Walled, R::Named].contains(relation) {
                continue;
            }
            for (path, thing, of) in [
                (at_case("/notes"), case.as_str(), Of::Case),
                (format!("/v1/complaints/{first}/messages"), first, Of::Joined),
                (format!("/v1/complaints/{new}/messages"), new, Of::New),
            ] {
                let kept = player.caller.post_keyed(&path, "the same", json!({"text": "Kept."})).await;
                if kept.status == 201 {
                    first_answers.push(FirstAnswer { player: index, path, id: thing.to_owned(), of });
                }
            }
        }

        let narrative = app.opened("submissions", "narrative", first).await.unwrap().replace('\'', "''");
        let particulars = app.opened("submissions", "particulars", first).await.unwrap().replace('\'', "''");
        let admin = enlist(app, &mut owner, Role::Administrator, rights(Role::Administrator)).await.caller;
        let mut sql = String::new();
        for (relation, player) in &players {
            let me = player.id;
            match relation {
                Relation::FormerlyAssigned => {
                    write!(sql, "update assignments set ended_at = assigned_at where user_id = '{me}';")
                        .unwrap();
                }
                Relation::Recused => {
                    let stepped_back =
                        player.caller.post(&at_case("/recusals"), json!({"reason": "A relative."})).await;
                    assert!([204, 404].contains(&stepped_back.status), "{}", stepped_back.text);
                    for matter in [first, new] {
                        write!(
                            sql,
                            "insert into walls (user_id, matter_id, kind, reason, put_up_by, put_up_at)
                                 values ('{me}', '{matter}', 'recusal', 'A relative.', '{me}', now()) on conflict do nothing;"
                        )
                        .unwrap();
                    }
                }
                Relation::Walled => {
                    wall(&at_case(""), player).await;
                    wall(&format!("/v1/complaints/{new}"), player).await;
                    sql += &works(player);
                }
                // Renamed to match: the account, and its sessions, lose sight at once.
                Relation::Named => {
                    let rename = admin.request(Method::PATCH, &format!("/v1/users/{me}"));
                    let rename = rename
                        .insert_header(("If-Match", "\"1\""))
                        .set_json(json!({"name": "Nadège Exemple"}));
                    admin.send(rename).await.expect(200);
                }
                Relation::Deactivated => {
                    write!(sql, "update users set deactivated_at = now(), deactivated_because = 'left' where id = '{me}';").unwrap();
                }
                Relation::Submitter => {
                    write!(
                        sql,
                        "insert into complaints (id, reference, matter_id, case_id, submission_id, submission_digest, channel, language, category, priority,
                             incident_precision, anonymity, status, received_at, clock_start, submitted_by, owner_role, policy)
                         select gen_random_uuid(), 'own-{me}', matter_id, case_id, gen_random_uuid(), submission_digest, channel, language, category, priority,
                             incident_precision, anonymity, status, received_at, clock_start, '{me}', owner_role, policy
                         from complaints where id = '{first}';
                         insert into submissions (complaint_id, narrative, particulars, salt)
                             select c.id, '{narrative}', '{particulars}', sha256('') from complaints c where c.submitted_by = '{me}';"
                    )
                    .unwrap();
                }
                _ => {}
            }
        }
        owner.batch_execute(&sql).await.unwrap();
        // What the owner stored in the clear is sealed, as after an update.
        app.seal_clear_text().await;

        let proposed = format!(
            "insert into wall_liftings (id, user_id, matter_id, reason, proposed_by, proposed_at)
                 select gen_random_uuid(), user_id, matter_id, 'x', '{}', put_up_at from walls where kind = 'automatic' and matter_id = '{first}' limit 1",
            colleague.id
        );
        owner.batch_execute(&proposed).await.unwrap();

        // What is to be hidden.
        let matter = one(&mut owner, format!("select matter_id as id from cases where id = '{case}'")).await;
        assert_eq!(matter, first, "a matter has the id of its first complaint");
        let mut targets = [const { Vec::new() }; 8];
        let version = async |owner: &mut AsyncPgConnection, table: &str, id: &str| {
            rows(owner, &format!("select version from {table} where id = '{id}'")).await[0]["version"]
                .as_i64()
                .unwrap()
        };
        let seen = version(&mut owner, "cases", &case).await;
        let marks = vec![case.clone(), number];
        targets[0].push(Target {
            name: "the case",
            of: Of::Case,
            id: case.clone(),
            version: seen,
            marks,
            list: "/v1/cases",
        });
        for (name, of, receipt) in [
            ("the first complaint", Of::Joined, &receipts[0]),
            ("the joined complaint", Of::Joined, &receipts[1]),
            ("the new complaint", Of::New, &receipts[2]),
        ] {
            let it = id(receipt).to_owned();
            let version = version(&mut owner, "complaints", &it).await;
            let marks = vec![it.clone(), receipt["reference"].as_str().unwrap().to_owned()];
            targets[1].push(Target { name, of, id: it, version, marks, list: "/v1/complaints" });
        }
        for (kind, table, name, of, which) in [
            (2, "deadlines", "the case's deadline", Of::Case, format!("id = '{deadline}'")),
            (
                2,
                "deadlines",
                "the first complaint's deadline",
                Of::Joined,
                format!("complaint_id = '{first}'"),
            ),
            (2, "deadlines", "the new complaint's deadline", Of::New, format!("complaint_id = '{new}'")),
            (3, "proposals", "the case's proposal", Of::Case, format!("case_id = '{case}'")),
            (7, "glances", "the wish to glance", Of::Case, format!("case_id = '{case}'")),
            (3, "proposals", "the new complaint's proposal", Of::New, format!("complaint_id = '{new}'")),
            (4, "legal_holds", "the case's hold", Of::Case, format!("case_id = '{case}'")),
            (4, "legal_holds", "the new complaint's hold", Of::New, format!("complaint_id = '{new}'")),
            (5, "erasures", "the case's erasure", Of::Case, format!("case_id = '{case}'")),
            (5, "erasures", "the new complaint's erasure", Of::New, format!("complaint_id = '{new}'")),
        ] {
            let it =
                one(&mut owner, format!("select id from {table} where {which} order by id limit 1")).await;
            let version = version(&mut owner, table, &it).await;
            let list = [
                "",
                "",
                "/v1/deadlines",
                "/v1/proposals",
                "/v1/holds",
                "/v1/erasures",
                "/v1/reveals",
                "/v1/break-glass",
            ][kind];
            targets[kind].push(Target { name, of, id: it.clone(), version, marks: vec![it], list });
        }

        for (name, of, reveal) in
            [("the case's reveal", Of::Case, &reveal), ("the new complaint's reveal", Of::New, &new_reveal)]
        {
            let it = id(reveal).to_owned();
            targets[6].push(Target {
                name,
                of,
                id: it.clone(),
                version: 1,
                marks: vec![it],
                list: "/v1/reveals",
            });
        }

        let mut persons = Vec::new();
        for which in [format!("matter_id = '{matter}'"), format!("complaint_id = '{new}'")] {
            let found = rows(&mut owner, &format!("select id from parties where {which}")).await;
            let ids: Vec<String> = found.iter().map(|row| format!("'{}'", id(row))).collect();
            persons.push(format!("({})", ids.join(", ")));
        }
        let (of_case, of_new) = (&persons[0], &persons[1]);

        let mut hidden = Vec::new();
        let both = format!("('{first}', '{joined}')");
        for (table, of, which) in [
            ("cases", Of::Case, format!("id = '{case}'")),
            ("assignments", Of::Case, format!("case_id = '{case}'")),
            ("case_duties", Of::Case, format!("case_id = '{case}'")),
            ("allegations", Of::Case, format!("case_id = '{case}'")),
            ("notes", Of::Case, format!("case_id = '{case}'")),
            ("deadlines", Of::Case, format!("case_id = '{case}'")),
            ("deadline_pauses", Of::Case, format!("deadline_id = '{deadline}'")),
            ("proposals", Of::Case, format!("case_id = '{case}'")),
            ("legal_holds", Of::Case, format!("case_id = '{case}'")),
            ("erasures", Of::Case, format!("case_id = '{case}'")),
            ("walls", Of::Case, format!("matter_id = '{matter}'")),
            ("wall_liftings", Of::Case, format!("matter_id = '{matter}'")),
            ("glances", Of::Case, format!("matter_id = '{matter}'")),
            ("audit_entries", Of::Case, format!("object_id = '{case}'")),
            ("idempotency_keys", Of::Case, format!("matter_id = '{matter}'")),
            ("evidence", Of::Case, format!("case_id = '{case}'")),
            ("evidence_segments", Of::Case, format!("evidence_id = '{evidence}'")),
            ("custody_events", Of::Case, format!("evidence_id = '{evidence}'")),
            ("evidence", Of::Joined, format!("complaint_id in {both}")),
            ("evidence_segments", Of::Joined, format!("evidence_id = '{reported}'")),
            ("custody_events", Of::Joined, format!("evidence_id = '{reported}'")),
            ("parties", Of::Case, format!("id in {of_case}")),
            ("party_identities", Of::Case, format!("party_id in {of_case}")),
            ("party_marks", Of::Case, format!("party_id in {of_case}")),
            ("consents", Of::Case, format!("party_id in {of_case}")),
            ("reveals", Of::Case, format!("party_id in {of_case}")),
            ("parties", Of::New, format!("id in {of_new}")),
            ("party_identities", Of::New, format!("party_id in {of_new}")),
            ("party_marks", Of::New, format!("party_id in {of_new}")),
            ("reveals", Of::New, format!("party_id in {of_new}")),
            ("complaints", Of::Joined, format!("id in {both}")),
            ("submissions", Of::Joined, format!("complaint_id in {both}")),
            ("messages", Of::Joined, format!("complaint_id in {both}")),
            ("deadlines", Of::Joined, format!("complaint_id in {both}")),
            ("complaints", Of::New, format!("id = '{new}'")),
            ("submissions", Of::New, format!("complaint_id = '{new}'")),
            ("messages", Of::New, format!("complaint_id = '{new}'")),
            ("deadlines", Of::New, format!("complaint_id = '{new}'")),
            ("proposals", Of::New, format!("complaint_id = '{new}'")),
            ("legal_holds", Of::New, format!("complaint_id = '{new}'")),
            ("erasures", Of::New, format!("complaint_id = '{new}'")),
            ("walls", Of::New, format!("matter_id = '{new}'")),
            ("audit_entries", Of::New, format!("object_id = '{new}'")),
            ("idempotency_keys", Of::New, format!("matter_id = '{new}'")),
        ] {
            hidden.push(Rows {
                name: format!("{table} of {of:?}"),
                of,
                from: format!("{table} where {which}"),
            });
        }
        let mut samples = BTreeMap::new();
        for table in TABLES {
            let from = match hidden.iter().find(|rows| rows.from.starts_with(&format!("{table} "))) {
                Some(rows) if table == "messages" => format!("{} and direction = 'to_reporter'", rows.from),
                Some(rows) => rows.from.clone(),
                None => panic!("{table}"),
            };
            let sample = rows(&mut owner, &format!("select * from {from} limit 1")).await;
            samples.insert(
                table.to_owned(),
                sample.into_iter().next().unwrap_or_else(|| panic!("nothing in {from}")),
            );
        }
        let tables = TABLES.map(str::to_owned).to_vec();
        Self {
            players,
            spare,
            colleague,
            first_answers,
            tables,
            evidence,
            upload,
            party,
            consent,
            targets,
            rows: hidden,
            samples,
            app,
        }
    }

    /// Begins a transaction as the service begins it for `player`; whether they may act at all.
    pub async fn act(&self, server: &mut AsyncPgConnection, player: &Player<'_>) -> bool {
        let scope = self.app.temwen.db.scope(&player.by());
        server.batch_execute("begin").await.unwrap();
        let act = format!(
            "select act('user', '{0}', '{0}', '{1}', 1, '{2}', '{3}', '{4}', null, '{5}') as alive",
            player.id,
            player.officer.session,
            scope.words(),
            scope.categories(),
            scope.country(),
            self.app.temwen.clock.now()
        );
        rows(server, &act).await[0]["alive"] == true
    }

    /// Ends it without effect.
    pub async fn end(&self, server: &mut AsyncPgConnection) {
        server.batch_execute("rollback").await.unwrap();
    }

    /// How many rows of the stage can be seen, by table and part.
    pub async fn rows_seen(&self, server: &mut AsyncPgConnection) -> Vec<(&Rows, u64)> {
        let all: Vec<String> = self
            .rows
            .iter()
            .enumerate()
            .map(|(index, rows)| format!("select {index} as which, count(*) as n from {}", rows.from))
            .collect();
        let counted = rows(server, &format!("{} order by which", all.join(" union all "))).await;
        self.rows.iter().zip(counted).map(|(rows, counted)| (rows, counted["n"].as_u64().unwrap())).collect()
    }

    /// How many rows a statement changed.
    pub async fn changed(&self, server: &mut AsyncPgConnection, sql: &str) -> u64 {
        diesel::sql_query(sql).execute(server).await.unwrap() as u64
    }

    /// Adds a row like one of the stage's to `table`; as if by `me`, where somebody is given.
    pub async fn added(
        &self,
        server: &mut AsyncPgConnection,
        table: &str,
        me: Option<Uuid>,
    ) -> Result<(), String> {
        let mut row = self.samples[table].clone();
        let fields = row.as_object_mut().unwrap();
        fields.remove("child");
        if fields.contains_key("id") {
            fields.insert("id".to_owned(), json!(Uuid::now_v7()));
        }
        if let Some(me) = me {
            for name in [
                "author_id",
                "assigned_by",
                "proposed_by",
                "paused_by",
                "set_by",
                "user_id",
                "by_user",
                "recorded_by",
                "asked_by",
            ] {
                if fields.contains_key(name) {
                    fields.insert(name.to_owned(), json!(me));
                }
            }
        }
        let columns = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, '{}')",
            row.to_string().replace('\'', "''")
        );
        diesel::sql_query(sql).execute(server).await.map(|_| ()).map_err(|error| error.to_string())
    }
}
