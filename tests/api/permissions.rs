//! Who may do what: every operation tried by everybody, and written into `docs/permissions.md` as it was found.

#![expect(clippy::print_stdout, reason = "the matrix says how large it is")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use actix_web::http::Method;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::values::UserId;
use uuid::Uuid;

use crate::cast::{Operation, Player, committed, enlist, operations, rights, rows};
use crate::files::{begin, give, photo, send, tus};
use crate::fixtures::{case_from, complaint, grave_complaint, id, submitted};
use crate::harness::{Answer, Caller, PASSWORD, TestApp};

/// Somebody who tries an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Public,
    /// Of the complaint in question.
    Reporter,
    /// Of another complaint.
    OtherReporter,
    Officer(Role),
}

impl Who {
    fn all() -> Vec<Self> {
        let officers = Role::ALL.iter().map(|role| Self::Officer(*role));
        [Self::Public, Self::Reporter, Self::OtherReporter].into_iter().chain(officers).collect()
    }

    fn role(self) -> Option<Role> {
        match self {
            Self::Officer(role) => Some(role),
            _ => None,
        }
    }

    fn title(self) -> String {
        match self {
            Self::Public => "nobody signed in".to_owned(),
            Self::Reporter | Self::OtherReporter => "reporter".to_owned(),
            Self::Officer(role) => role.as_str().replace('_', " "),
        }
    }
}

/// A matter to try operations on: a complaint, and mostly a case that grew from it.
#[derive(Debug, Clone)]
struct Matter {
    complaint: String,
    receipt: Value,
    case: String,
    deadline: String,
}

/// Everything that the operations are tried in.
struct World<'a> {
    app: &'a TestApp,
    owner: AsyncPgConnection,
    players: BTreeMap<Role, Player<'a>>,
    /// Whoever prepares what the others try.
    maker: Player<'a>,
    /// An account without any part in anything.
    spare: Player<'a>,
    signer: Caller<'a>,
    other_reporter: Caller<'a>,
    /// The reference of that other reporter's complaint.
    other: Value,
    refresh: String,
    ready: BTreeMap<(&'static str, Option<Role>), Matter>,
    made: u32,
}

/// The stage at which a role knows of a case, and a step that it may then take, if it may take one.
fn stage_and_step(role: Option<Role>) -> (&'static str, Value) {
    let step = |step: &str| json!({"step": step, "reason": "It is time."});
    match role {
        Some(Role::LegalLiaison) => ("assessment", step("notify_state")),
        Some(Role::NationalAuthority) => ("state_notified", step("state_investigates")),
        Some(Role::Investigator) => ("mission_investigation", step("submit_report")),
        Some(Role::PanelMember) => ("determination", step("determine")),
        Some(Role::Commander) => {
            ("action_pending", json!({"step": "close", "reason": "Done.", "closure_reason": "determined"}))
        }
        _ => ("assessment", step("await_information")),
    }
}

/// What a role asks to be told who somebody is for.
fn asking(role: Option<Role>) -> Value {
    let purpose = match role {
        Some(Role::Investigator) => "investigate",
        Some(Role::OhchrMonitor) => "share_with_ohchr",
        Some(Role::VictimSupport) => "share_with_service_provider",
        Some(Role::LegalLiaison | Role::NationalAuthority) => "share_with_state",
        _ => "record",
    };
    json!({"purpose": purpose, "reason": "It is needed for the work."})
}

impl<'a> World<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let mut owner = app.owner().await;
        let mut players = BTreeMap::new();
        for &role in Role::ALL {
            players.insert(role, enlist(app, &mut owner, role, rights(role)).await);
        }
        let maker = enlist(app, &mut owner, Role::TriageOfficer, rights(Role::TriageOfficer)).await;
        let spare = enlist(app, &mut owner, Role::Investigator, rights(Role::Investigator)).await;
        let signer = app.signed_in(Role::FocalPoint).await;
        let other = submitted(app, complaint()).await;
        let other_reporter = app.reporter(&other).await;
        let refresh = signer.refresh.clone().unwrap();
        let ready = BTreeMap::new();
        Self {
            app,
            owner,
            players,
            maker,
            spare,
            signer,
            other_reporter,
            other: other["reference"].clone(),
            refresh,
            ready,
            made: 0,
        }
    }

    /// A complaint that nobody has judged; handed in by `role`, where one is given.
    async fn complaint(&mut self, by: Option<Role>) -> Matter {
        if let Some(ready) = self.ready.get(&("new", by)) {
            return ready.clone();
        }
        let from = by.map_or_else(|| self.app.anyone(), |role| self.players[&role].caller.clone());
        let receipt = from.post("/v1/complaints", grave_complaint()).await.expect(201);
        let complaint = id(&receipt).to_owned();
        let deadline =
            self.first(&format!("select id from deadlines where complaint_id = '{complaint}' limit 1")).await;
        let matter = Matter { complaint, receipt, case: String::new(), deadline };
        self.ready.insert(("new", by), matter.clone());
        matter
    }

    /// A case at `stage`, referred to Kenya, on which those work who are assigned to cases.
    async fn case(&mut self, stage: &'static str) -> Matter {
        if let Some(ready) = self.ready.get(&(stage, None)) {
            return ready.clone();
        }
        let case = case_from(&self.maker.caller, grave_complaint(), "sexual_exploitation_abuse").await;
        let case = id(&case).to_owned();
        let mut sql = format!(
            "update cases set stage = '{stage}', referred_country = 'KE' where id = '{case}';
             update deadlines set pausable = true where case_id = '{case}';"
        );
        for role in [Role::Investigator, Role::VictimSupport, Role::LegalLiaison] {
            write!(
                sql,
                "insert into assignments (id, case_id, matter_id, user_id, role, assigned_by, assigned_at)
                     select gen_random_uuid(), id, matter_id, '{}', '{}', '{}', opened_at from cases where id = '{case}';",
                self.players[&role].id,
                role.as_str(),
                self.maker.id
            )
            .unwrap();
        }
        self.owner.batch_execute(&sql).await.unwrap();
        let complaint = self.first(&format!("select id from complaints where case_id = '{case}'")).await;
        let deadline = self
            .first(&format!("select id from deadlines where case_id = '{case}' order by id limit 1"))
            .await;
        let matter = Matter { complaint, receipt: Value::Null, case, deadline };
        self.ready.insert((stage, None), matter.clone());
        matter
    }

    /// What puts a matter's end long ago, and its complaints before somebody's eyes.
    fn long_over(complaint: &str) -> String {
        format!(
            "update complaints set status = case when case_id is null then 'closed' else status end, assessed_at = '1990-01-01' where id = '{complaint}';
             insert into audit_entries (id, at, actor_kind, actor, action, object_kind, object_id, matter_id, request_id, detail)
                 select gen_random_uuid(), '1990-01-01', 'user', '-', 'complaint.read', 'complaint', id, matter_id, '-', '{{}}'
                 from complaints where id = '{complaint}';"
        )
    }

    /// A case that was over long ago.
    async fn old_case(&mut self) -> Matter {
        if let Some(ready) = self.ready.get(&("old", None)) {
            return ready.clone();
        }
        self.ready.remove(&("assessment", None));
        let matter = self.case("assessment").await;
        self.ready.remove(&("assessment", None));
        let over = format!(
            "update cases set stage = 'closed', closed_at = '1990-01-01' where id = '{}'; {}",
            matter.case,
            Self::long_over(&matter.complaint)
        );
        self.owner.batch_execute(&over).await.unwrap();
        self.ready.insert(("old", None), matter.clone());
        matter
    }

    /// An erasure of that case, proposed by the maker.
    async fn erasure(&mut self) -> String {
        let case = self.old_case().await.case;
        let proposed = format!("select id from erasures where case_id = '{case}' and decided_at is null");
        if rows(&mut self.owner, &proposed).await.is_empty() {
            let body = json!({"reason": "Its time is over."});
            self.maker.caller.post(&format!("/v1/cases/{case}/erasures"), body).await.expect(202);
        }
        self.first(&proposed).await
    }

    /// A legal hold of a case that `who` knows of, set by somebody else.
    async fn hold(&mut self, who: Who) -> String {
        let case = self.known_case(who).await.case;
        let lasting = format!("select id from legal_holds where case_id = '{case}' and ended_at is null");
        if rows(&mut self.owner, &lasting).await.is_empty() {
            let setter = self.double(Who::Officer(Role::OhchrMonitor)).await;
            let body = json!({"reason": "A court asked for it."});
            setter.post(&format!("/v1/cases/{case}/holds"), body).await.expect(201);
        }
        self.first(&lasting).await
    }

    /// A complaint that `who` knows of, where there can be one.
    async fn known_complaint(&mut self, who: Who) -> Matter {
        match who.role() {
            Some(role @ (Role::FocalPoint | Role::Integration)) => self.complaint(Some(role)).await,
            Some(Role::Investigator | Role::LegalLiaison | Role::VictimSupport) => {
                self.case("assessment").await
            }
            Some(role @ (Role::NationalAuthority | Role::PanelMember | Role::Commander)) => {
                self.case(stage_and_step(Some(role)).0).await
            }
            _ => self.complaint(None).await,
        }
    }

    /// A case that `who` knows of, where there can be one.
    async fn known_case(&mut self, who: Who) -> Matter {
        self.case(stage_and_step(who.role()).0).await
    }

    async fn first(&mut self, sql: &str) -> String {
        id(&rows(&mut self.owner, sql).await[0]).to_owned()
    }

    async fn version(&mut self, table: &str, id: &str) -> i64 {
        rows(&mut self.owner, &format!("select version from {table} where id = '{id}'")).await[0]["version"]
            .as_i64()
            .unwrap()
    }

    /// Somebody new with the same rights, whose sessions may be ended.
    async fn double(&mut self, who: Who) -> Caller<'a> {
        match who.role() {
            None => self.caller(who).await,
            Some(role) => enlist(self.app, &mut self.owner, role, rights(role)).await.caller,
        }
    }

    async fn caller(&mut self, who: Who) -> Caller<'a> {
        match who {
            Who::Public => self.app.anyone(),
            Who::OtherReporter => self.other_reporter.clone(),
            Who::Officer(role) => self.players[&role].caller.clone(),
            Who::Reporter => {
                let receipt = self.complaint(None).await.receipt;
                self.app.reporter(&receipt).await
            }
        }
    }

    /// A file of a case.
    async fn file(&mut self, case: &str) -> String {
        let there = format!(
            "select id from evidence where case_id = '{case}' and stage = 'kept' order by id limit 1"
        );
        if rows(&mut self.owner, &there).await.is_empty() {
            let at = format!("/v1/cases/{case}/evidence/uploads");
            give(&self.players[&Role::PseaCoordinator].caller, &at, &photo(), "").await;
        }
        self.first(&there).await
    }

    /// The victim of a case or a complaint, by pseudonym; with their version.
    async fn victim(&mut self, of: &str) -> (String, i64) {
        let sql = format!(
            "select pseudonym as id, version from parties where role = 'victim' and (complaint_id = '{of}' or case_id = '{of}'
                 or matter_id in (select matter_id from cases where id = '{of}')) order by added_at, id limit 1"
        );
        let found = rows(&mut self.owner, &sql).await.remove(0);
        (id(&found).to_owned(), found["version"].as_i64().unwrap())
    }

    async fn proposal(&mut self, matter: &Matter) -> String {
        let proposed = format!("select id from proposals where case_id = '{}'", matter.case);
        if rows(&mut self.owner, &proposed).await.is_empty() {
            let version = self.version("cases", &matter.case).await;
            let lower = json!({"category": "minor_misconduct", "reason": "It is less than it seemed."});
            let path = format!("/v1/cases/{}/classification", matter.case);
            self.maker.caller.post_seen(&path, version, lower).await.expect(202);
        }
        self.first(&proposed).await
    }

    /// Tries an operation with a request that would succeed for somebody.
    #[expect(clippy::too_many_lines, reason = "one line per operation")]
    async fn attempt(&mut self, operation: &str, who: Who) -> Answer {
        let me = self.caller(who).await;
        self.made += 1;
        let made = self.made;
        let reason = json!({"reason": "There is one."});
        match operation {
            "health" => me.get("/health").await,
            "ready" => me.get("/ready").await,
            "token_keys" => me.get("/.well-known/jwks.json").await,
            "read_policy" => me.get("/v1/policy").await,

            "submit_complaint" => me.post("/v1/complaints", complaint()).await,
            "list_complaints" => me.get("/v1/complaints").await,
            "read_complaint"
            | "acknowledge_complaint"
            | "assess_complaint"
            | "list_messages"
            | "write_to_reporter"
            | "redact_complaint"
            | "list_redactions"
            | "wall_complaint" => {
                let it = self.known_complaint(who).await.complaint;
                let version = self.version("complaints", &it).await;
                let at = |rest: &str| format!("/v1/complaints/{it}{rest}");
                match operation {
                    "read_complaint" => me.get(&at("")).await,
                    "acknowledge_complaint" => {
                        me.post_seen(&at("/acknowledgement"), version, json!({})).await
                    }
                    "assess_complaint" => {
                        let body = json!({"decision": "open_case", "category": "sexual_exploitation_abuse", "reason": "It is one."});
                        me.post_seen(&at("/assessment"), version, body).await
                    }
                    "list_messages" => me.get(&at("/messages")).await,
                    "list_redactions" => me.get(&at("/redactions")).await,
                    "redact_complaint" => {
                        let body =
                            json!({"passages": [{"from": 0, "to": 3}], "reason": "It names somebody."});
                        me.post(&at("/redactions"), body).await
                    }
                    "write_to_reporter" => me.post(&at("/messages"), json!({"text": "Thank you."})).await,
                    _ => {
                        me.post(
                            &at("/walls"),
                            json!({"user_id": self.spare.id, "reason": "They know each other."}),
                        )
                        .await
                    }
                }
            }

            "open_thread" => {
                let receipt = self.complaint(None).await.receipt;
                let body = json!({"reference": receipt["reference"], "access_code": receipt["access_code"]});
                me.post("/v1/reporter/sessions", body).await
            }
            "read_own_complaint" => me.get("/v1/reporter/complaint").await,
            "list_own_messages" => me.get("/v1/reporter/messages").await,
            "fetch_receipt" => {
                self.app.sequence().await;
                me.get("/v1/reporter/receipt").await
            }
            "write_as_reporter" => {
                me.post("/v1/reporter/messages", json!({"text": "I remember more."})).await
            }

            "list_cases" => me.get("/v1/cases").await,
            "read_case"
            | "advance_case"
            | "classify_case"
            | "assign_case"
            | "unassign_case"
            | "recuse_from_case"
            | "list_walls"
            | "lift_wall"
            | "wall_case"
            | "list_notes"
            | "write_note"
            | "read_timeline"
            | "list_case_deadlines" => {
                let it = self.known_case(who).await.case;
                let version = self.version("cases", &it).await;
                let at = |rest: &str| format!("/v1/cases/{it}{rest}");
                match operation {
                    "read_case" => me.get(&at("")).await,
                    "advance_case" => {
                        me.post_seen(&at("/transitions"), version, stage_and_step(who.role()).1).await
                    }
                    "classify_case" => {
                        let body = json!({"priority": "immediate", "reason": "There is danger."});
                        me.post_seen(&at("/classification"), version, body).await
                    }
                    "assign_case" => {
                        let body = json!({"user_id": self.spare.id, "role": "investigator", "conflict_declared": false});
                        me.post_seen(&at("/assignments"), version, body).await
                    }
                    "unassign_case" => {
                        let path = at(&format!("/assignments/{}", self.players[&Role::VictimSupport].id));
                        let request = me.request(Method::DELETE, &path);
                        me.send(request.insert_header(("If-Match", format!("\"{version}\"")))).await
                    }
                    "recuse_from_case" => me.post(&at("/recusals"), reason).await,
                    "list_walls" => me.get(&at("/walls")).await,
                    "lift_wall" => {
                        let (spare, monitor) = (self.spare.id, self.players[&Role::OhchrMonitor].id);
                        // For the coordinator, who confirms, somebody has proposed it.
                        let proposed =
                            if who.role() == Some(Role::PseaCoordinator) { "true" } else { "false" };
                        let sql = format!(
                            "insert into walls (user_id, matter_id, kind, matched, rests_on, put_up_at)
                                 select '{spare}', matter_id, 'automatic', 'person', 'name', opened_at from cases where id = '{it}' on conflict do nothing;
                             insert into wall_liftings (id, user_id, matter_id, reason, proposed_by, proposed_at)
                                 select gen_random_uuid(), '{spare}', matter_id, 'x', '{monitor}', opened_at from cases where id = '{it}' and {proposed}
                                 on conflict do nothing"
                        );
                        self.owner.batch_execute(&sql).await.unwrap();
                        me.post(&at(&format!("/walls/{spare}/lifting")), reason).await
                    }
                    "wall_case" => {
                        me.post(
                            &at("/walls"),
                            json!({"user_id": self.spare.id, "reason": "They know each other."}),
                        )
                        .await
                    }
                    "list_notes" => me.get(&at("/notes")).await,
                    "write_note" => me.post(&at("/notes"), json!({"text": "Seen."})).await,
                    "read_timeline" => me.get(&at("/timeline")).await,
                    _ => me.get(&at("/deadlines")).await,
                }
            }

            _ if operation.contains("own_evidence") => {
                let at = "/v1/reporter/evidence";
                try_upload(&me, at, operation.replace("own_evidence", "evidence").as_str()).await
            }
            _ if operation.contains("evidence")
                || operation.contains("custody")
                || operation == "read_content" =>
            {
                let case = self.known_case(who).await.case;
                let at = format!("/v1/cases/{case}/evidence");
                let it = format!("{at}/{}", self.file(&case).await);
                match operation {
                    "list_evidence" => me.get(&at).await,
                    "read_evidence" => me.get(&it).await,
                    "read_content" => me.get(&format!("{it}/content")).await,
                    "read_custody" => me.get(&format!("{it}/custody")).await,
                    "tell_custody" => me.post(&format!("{it}/custody"), json!({"kind": "copied"})).await,
                    "strip_evidence" => me.post(&format!("{it}/stripped"), json!({})).await,
                    _ => try_upload(&me, &format!("{at}/uploads"), operation).await,
                }
            }
            "list_due" => me.get("/v1/retention/due").await,
            "list_holds" => me.get("/v1/holds").await,
            "list_erasures" => me.get("/v1/erasures").await,
            "hold_case" => {
                let it = self.known_case(who).await.case;
                me.post(&format!("/v1/cases/{it}/holds"), reason).await
            }
            "hold_complaint" | "propose_complaint_erasure" => {
                let own = who.role().filter(|role| [Role::FocalPoint, Role::Integration].contains(role));
                let it = self.complaint(own).await.complaint;
                if operation == "hold_complaint" {
                    return me.post(&format!("/v1/complaints/{it}/holds"), reason).await;
                }
                self.owner.batch_execute(&Self::long_over(&it)).await.unwrap();
                self.ready.remove(&("new", own));
                me.post(&format!("/v1/complaints/{it}/erasures"), reason).await
            }
            "end_hold" => {
                let hold = self.hold(who).await;
                me.post_seen(&format!("/v1/holds/{hold}/end"), 1, reason).await
            }
            "propose_case_erasure" => {
                let it = self.old_case().await.case;
                me.post(&format!("/v1/cases/{it}/erasures"), reason).await
            }
            "decide_erasure" => {
                let erasure = self.erasure().await;
                let body = json!({"approve": true, "reason": "I agree."});
                me.post_seen(&format!("/v1/erasures/{erasure}/decision"), 1, body).await
            }
            "list_parties" | "read_party" | "add_party" | "change_party" | "reveal_party"
            | "list_consents" | "write_consent" | "withdraw_consent" => {
                let it = self.known_case(who).await.case;
                let (victim, version) = self.victim(&it).await;
                let at = |rest: &str| format!("/v1/cases/{it}/parties{rest}");
                let of = |rest: &str| at(&format!("/{victim}{rest}"));
                let consent = json!({"purpose": "investigate", "granted": "no", "how": "verbal"});
                match operation {
                    "list_parties" => me.get(&at("")).await,
                    "read_party" => me.get(&of("")).await,
                    "add_party" => me.post(&at(""), json!({"role": "witness"})).await,
                    "change_party" => {
                        let request = me.request(Method::PATCH, &of(""));
                        me.send(
                            request
                                .insert_header(("If-Match", format!("\"{version}\"")))
                                .set_json(json!({"sex": "f"})),
                        )
                        .await
                    }
                    "reveal_party" => me.post(&of("/reveal"), asking(who.role())).await,
                    "list_consents" => me.get(&of("/consents")).await,
                    "write_consent" => me.post(&of("/consents"), consent).await,
                    _ => {
                        let yes = json!({"purpose": "record", "granted": "yes", "how": "verbal"});
                        let given = self.maker.caller.post(&of("/consents"), yes).await.expect(201);
                        me.post(&of(&format!("/consents/{}/withdrawal", id(&given))), json!({})).await
                    }
                }
            }
            "reveal_party_of_complaint" => {
                let it = self.known_complaint(who).await.complaint;
                let victim = self.victim(&it).await.0;
                me.post(&format!("/v1/complaints/{it}/parties/{victim}/reveal"), asking(who.role())).await
            }
            "list_reveals" => me.get("/v1/reveals").await,
            "decide_reveal" => {
                let it = self.known_case(who).await.case;
                let victim = self.victim(&it).await.0;
                let path = format!("/v1/cases/{it}/parties/{victim}/reveal");
                let asker = self.players[&Role::Investigator].caller.clone();
                let waits = asker.post(&path, asking(Some(Role::Investigator))).await.expect(202);
                let body = json!({"approve": true, "reason": "I agree."});
                me.post_seen(&format!("/v1/reveals/{}/decision", id(&waits)), 1, body).await
            }
            "list_own_consents" => me.get("/v1/reporter/consents").await,
            "say_consent" => {
                me.post("/v1/reporter/consents", json!({"purpose": "record", "granted": true})).await
            }

            "list_deadlines" => me.get("/v1/deadlines").await,
            "pause_deadline" | "resume_deadline" => {
                let matter = match who.role() {
                    Some(Role::IntakeOfficer | Role::FocalPoint | Role::Integration) => {
                        self.known_complaint(who).await
                    }
                    _ => self.known_case(who).await,
                };
                let it = matter.deadline;
                if operation == "resume_deadline" {
                    let sql = format!(
                        "update deadlines set paused_at = starts_at where id = '{it}' and paused_at is null;
                         insert into deadline_pauses (id, deadline_id, paused_at, paused_by, reason)
                             select gen_random_uuid(), id, starts_at, '{}', 'A hearing.' from deadlines where id = '{it}'
                                 and not exists (select from deadline_pauses where deadline_id = '{it}' and resumed_at is null)",
                        self.maker.id
                    );
                    self.owner.batch_execute(&sql).await.unwrap();
                }
                let version = self.version("deadlines", &it).await;
                match operation {
                    "pause_deadline" => {
                        me.post_seen(&format!("/v1/deadlines/{it}/pause"), version, reason).await
                    }
                    _ => me.post_seen(&format!("/v1/deadlines/{it}/resumption"), version, json!({})).await,
                }
            }

            "ask_to_glance" => {
                me.post("/v1/break-glass", json!({"case": Uuid::now_v7(), "reason": "There is one."})).await
            }
            "list_glances" => me.get("/v1/break-glass").await,
            "decide_glance" => {
                let it = self.known_case(who).await.case;
                let body = json!({"case": it, "reason": "There is one."});
                let wish = self.spare.caller.post("/v1/break-glass", body).await.expect(202);
                let body = json!({"approve": true, "reason": "I agree."});
                me.post_seen(&format!("/v1/break-glass/{}/decision", id(&wish)), 1, body).await
            }

            "list_personnel" => me.get("/v1/personnel").await,
            "add_person" => me.post("/v1/personnel", json!({"name": "Somebody Serving"})).await,
            "list_units" => me.get("/v1/units").await,
            "add_unit" => me.post("/v1/units", json!({"name": format!("Unit {made}")})).await,
            "read_person" | "change_person" | "change_unit" => {
                let keeper = self.players[&Role::Administrator].caller.clone();
                let unit = json!({"name": format!("Unit of {made}")});
                let change = |path: String, body: Value| {
                    me.request(Method::PATCH, &path).insert_header(("If-Match", "\"1\"")).set_json(body)
                };
                if operation == "change_unit" {
                    let unit = keeper.post("/v1/units", unit).await.expect(201);
                    let path = format!("/v1/units/{}", id(&unit));
                    return me.send(change(path, json!({"country": "KE"}))).await;
                }
                let person =
                    keeper.post("/v1/personnel", json!({"name": "Somebody Serving"})).await.expect(201);
                let path = format!("/v1/personnel/{}", id(&person));
                match operation {
                    "read_person" => me.get(&path).await,
                    _ => me.send(change(path, json!({"rank": "sergeant"}))).await,
                }
            }

            "list_proposals" => me.get("/v1/proposals").await,
            "decide_proposal" => {
                let matter = self.known_case(who).await;
                let proposal = self.proposal(&matter).await;
                let body = json!({"approve": true, "reason": "I agree."});
                me.post_seen(&format!("/v1/proposals/{proposal}/decision"), 1, body).await
            }

            "read_checkpoint"
            | "read_key"
            | "read_tile"
            | "read_bundle"
            | "read_bundle_among_tiles"
            | "list_entries"
            | "read_proof"
            | "export_entries" => {
                if self.app.count("select from log_places").await == 0 {
                    self.app.sequence().await;
                }
                let entry = self.first("select entry_id as id from log_places where place = 0").await;
                let path = match operation {
                    "read_checkpoint" => "/v1/log/checkpoint".to_owned(),
                    "read_key" => "/v1/log/key".to_owned(),
                    "read_tile" => "/v1/log/tile/0/000.p/1".to_owned(),
                    "read_bundle" => "/v1/log/entries/000.p/1".to_owned(),
                    "read_bundle_among_tiles" => "/v1/log/tile/entries/000.p/1".to_owned(),
                    "list_entries" => "/v1/audit/entries".to_owned(),
                    "export_entries" => "/v1/audit/export".to_owned(),
                    _ => format!("/v1/audit/entries/{entry}/proof"),
                };
                me.get(&path).await
            }

            "sign_in" => {
                me.post("/v1/sessions", json!({"email": self.signer.email, "password": PASSWORD})).await
            }
            "refresh_session" => {
                let answer = me.post("/v1/sessions/refresh", json!({"refresh_token": self.refresh})).await;
                if let Some(next) = answer.body["refresh_token"].as_str() {
                    next.clone_into(&mut self.refresh);
                }
                answer
            }
            "list_sessions" => me.get("/v1/sessions").await,
            "read_own_account" => me.get("/v1/me").await,
            "sign_out" => self.double(who).await.delete("/v1/sessions/current").await,
            "end_session" => {
                let me = self.double(who).await;
                let id = me.id.map_or_else(Uuid::nil, UserId::uuid);
                let found =
                    rows(&mut self.owner, &format!("select id from sessions where user_id = '{id}'")).await;
                let session =
                    found.first().map_or(id.to_string(), |row| row["id"].as_str().unwrap().to_owned());
                me.delete(&format!("/v1/sessions/{session}")).await
            }
            "change_own_password" => {
                let me = match who.role() {
                    Some(role) => self.app.signed_in(role).await,
                    None => me,
                };
                let body =
                    json!({"current_password": PASSWORD, "new_password": "nine slow turtles near the reef"});
                me.send(me.request(Method::PUT, "/v1/me/password").set_json(body)).await
            }

            "list_users" => me.get("/v1/users").await,
            "add_user" => {
                let body = json!({"email": format!("new-{made}@mission.example"), "name": "Somebody New",
                    "roles": ["focal_point"], "password": "nine slow turtles near the reef"});
                me.post("/v1/users", body).await
            }
            "read_user" => me.get(&format!("/v1/users/{}", self.spare.id)).await,
            "change_user" | "deactivate_user" => {
                let user =
                    enlist(self.app, &mut self.owner, Role::FocalPoint, rights(Role::FocalPoint)).await.id;
                if operation == "deactivate_user" {
                    me.post_seen(&format!("/v1/users/{user}/deactivation"), 1, reason).await
                } else {
                    let request = me.request(Method::PATCH, &format!("/v1/users/{user}"));
                    me.send(
                        request
                            .insert_header(("If-Match", "\"1\""))
                            .set_json(json!({"name": "Another Name"})),
                    )
                    .await
                }
            }
            other => panic!("the operation {other} has no row here: say what a good request looks like"),
        }
    }
}

/// Tries a part of the upload protocol, on an upload of one's own where there can be one.
async fn try_upload(me: &Caller<'_>, at: &str, operation: &str) -> Answer {
    let begun = match operation {
        "list_evidence" => return me.get(at).await,
        "evidence_options" => return me.send(tus(me, Method::OPTIONS, at)).await,
        _ => begin(me, at, 5, "").await,
    };
    let own = begun.header("location").map(str::to_owned);
    let own = own.unwrap_or_else(|| format!("{at}/{}", Uuid::now_v7()));
    match operation {
        "begin_evidence" => begun,
        "evidence_offset" => me.send(tus(me, Method::HEAD, &own)).await,
        "continue_evidence" => send(me, &own, 0, b"12345").await,
        "give_up_evidence" => me.send(tus(me, Method::DELETE, &own)).await,
        other => panic!("the operation {other} has no row here: say what a good request looks like"),
    }
}

/// What an answer means for whoever asked.
fn word(operation: &Operation, who: Who, answer: &Answer) -> &'static str {
    match answer.status {
        200..=204 => "ok",
        401 => "needs sign-in",
        403 => "not allowed",
        404 => "hidden",
        _ => panic!("{} by {who:?} says nothing of permission: {answer:?}", operation.id),
    }
}

/// The words of every operation, by who tried it.
type Matrix = BTreeMap<Operation, BTreeMap<Who, &'static str>>;

async fn tried(world: &mut World<'_>) -> Matrix {
    let mut matrix = Matrix::new();
    for operation in operations() {
        let mut row = BTreeMap::new();
        for who in Who::all() {
            let answer = world.attempt(&operation.id, who).await;
            let said = word(&operation, who, &answer);
            if said == "ok" && operation.method != "GET" {
                // What was changed is not what the next one should find.
                world.ready.clear();
            }
            row.insert(who, said);
        }
        matrix.insert(operation, row);
    }
    matrix
}

fn page(matrix: &Matrix) -> String {
    let mut page = String::from(
        "# Who may do what\n\n\
         Every operation of the API was tried by everybody, each with a request that succeeds for somebody. An officer tried it on a\n\
         matter that they may know of, where there is one: an investigator, a legal liaison and a victim support officer on a case that\n\
         they work on, a focal point and another system on a complaint that they handed in, a national authority on a case referred to\n\
         its country, a panel member on a case before the panel, a commander on a case that waits for action.\n\n\
         - **ok**: it was done.\n\
         - **not allowed**: they may know of it, and may not do this (403).\n\
         - **hidden**: for them there is no such thing; the answer is the same as for what does not exist (404).\n\
         - **needs sign-in**: they have to sign in first, or to open their thread (401).\n\n\
         A reporter of another complaint gets the same answers, and never anything but their own complaint.\n\n\
         <!-- Written by a test: UPDATE=1 cargo test --test api permissions -->\n",
    );
    let mut last = "";
    for (operation, row) in matrix {
        if operation.tag != last {
            last = &operation.tag;
            let who: Vec<String> =
                row.keys().filter(|who| **who != Who::OtherReporter).map(|who| who.title()).collect();
            write!(
                page,
                "\n## {last}\n\n| operation | address | {} |\n|{}\n",
                who.join(" | "),
                " --- |".repeat(who.len() + 2)
            )
            .unwrap();
        }
        let words: Vec<&str> =
            row.iter().filter(|(who, _)| **who != Who::OtherReporter).map(|(_, word)| *word).collect();
        writeln!(
            page,
            "| {} | `{} {}` | {} |",
            operation.summary.trim_end_matches('.'),
            operation.method,
            operation.path,
            words.join(" | ")
        )
        .unwrap();
    }
    page
}

/// The operations that a role may do, without those that everybody with an account may.
fn allowed(matrix: &Matrix, role: Role) -> BTreeSet<&str> {
    let everybodys = ["register", "sessions", "reporter", "log"];
    matrix
        .iter()
        .filter(|(operation, row)| {
            !everybodys.contains(&operation.tag.as_str()) && row[&Who::Officer(role)] == "ok"
        })
        .map(|(operation, _)| operation.id.as_str())
        .collect()
}

#[actix_web::test]
async fn docs_permissions_md_says_who_may_do_what() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let matrix = tried(&mut world).await;
    let cells: usize = matrix.values().map(BTreeMap::len).sum();
    println!("permission matrix: {} operations × {} callers = {cells} cells", matrix.len(), Who::all().len());

    for (operation, row) in &matrix {
        assert!(row.values().any(|word| *word == "ok"), "nobody may {}", operation.id);
        assert_eq!(row[&Who::Reporter], row[&Who::OtherReporter], "{}", operation.id);
        if operation.tag == "reporter" && operation.id != "open_thread" {
            for (who, word) in row {
                let reporter = matches!(who, Who::Reporter | Who::OtherReporter);
                assert_eq!(*word == "ok", reporter, "{} by {who:?}", operation.id);
            }
        }
    }
    let public: Vec<&str> = matrix
        .iter()
        .filter(|(_, row)| row[&Who::Public] == "ok")
        .map(|(operation, _)| operation.id.as_str())
        .collect();
    assert_eq!(
        public.into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            "health",
            "ready",
            "token_keys",
            "read_policy",
            "read_checkpoint",
            "read_key",
            "read_tile",
            "submit_complaint",
            "open_thread",
            "sign_in",
            "refresh_session"
        ])
    );
    // Whoever keeps accounts, checks the record or counts works on nothing.
    let accounts = BTreeSet::from([
        "list_users",
        "add_user",
        "read_user",
        "change_user",
        "deactivate_user",
        "list_personnel",
        "add_person",
        "read_person",
        "change_person",
        "list_units",
        "add_unit",
        "change_unit",
    ]);
    assert_eq!(allowed(&matrix, Role::Administrator), accounts);
    let checking = BTreeSet::from(["list_entries", "read_proof", "export_entries"]);
    assert_eq!(allowed(&matrix, Role::Auditor), checking);
    assert_eq!(allowed(&matrix, Role::StatisticsOfficer), BTreeSet::new());
    let keeping = BTreeSet::from([
        "add_user",
        "change_user",
        "deactivate_user",
        "add_person",
        "change_person",
        "add_unit",
        "change_unit",
    ]);
    for &role in Role::ALL.iter().filter(|role| **role != Role::Administrator) {
        assert!(allowed(&matrix, role).is_disjoint(&keeping), "{role:?} keeps accounts");
        let gives_work = [Role::TriageOfficer, Role::PseaCoordinator, Role::OhchrMonitor].contains(&role);
        assert_eq!(allowed(&matrix, role).contains("list_users"), gives_work, "{role:?} sees accounts");
    }
    // Those with a narrow part in the whole: exactly this, and a new permission has to be written down here.
    let narrow = [
        (
            Role::Integration,
            BTreeSet::from(["submit_complaint", "list_complaints", "read_complaint", "list_redactions"]),
        ),
        (
            Role::FocalPoint,
            BTreeSet::from([
                "submit_complaint",
                "list_complaints",
                "read_complaint",
                "list_redactions",
                "reveal_party_of_complaint",
            ]),
        ),
        (
            Role::IntakeOfficer,
            BTreeSet::from([
                "submit_complaint",
                "list_complaints",
                "read_complaint",
                "list_redactions",
                "acknowledge_complaint",
                "list_messages",
                "write_to_reporter",
                "list_deadlines",
            ]),
        ),
        (
            Role::VictimSupport,
            BTreeSet::from([
                "submit_complaint",
                "list_parties",
                "read_party",
                "reveal_party",
                "list_consents",
                "write_consent",
                "withdraw_consent",
                "list_cases",
                "read_case",
                "recuse_from_case",
                "list_case_deadlines",
                "list_deadlines",
                "ask_to_glance",
            ]),
        ),
        (
            Role::NationalAuthority,
            BTreeSet::from([
                "list_parties",
                "read_party",
                "reveal_party",
                "list_cases",
                "read_case",
                "advance_case",
                "recuse_from_case",
                "list_case_deadlines",
                "list_deadlines",
            ]),
        ),
        (
            Role::Commander,
            BTreeSet::from([
                "submit_complaint",
                "list_cases",
                "read_case",
                "advance_case",
                "recuse_from_case",
            ]),
        ),
        (
            Role::PanelMember,
            BTreeSet::from([
                "list_parties",
                "read_party",
                "list_deadlines",
                "list_case_deadlines",
                "submit_complaint",
                "list_cases",
                "read_case",
                "advance_case",
                "recuse_from_case",
                "read_timeline",
            ]),
        ),
    ];
    for (role, expected) in narrow {
        assert_eq!(allowed(&matrix, role), expected, "{role:?}");
    }
    committed("docs/permissions.md", &page(&matrix));
}

#[actix_web::test]
async fn nobody_reads_more_of_a_matter_than_their_work_needs() {
    let app = TestApp::start().await;
    let mut world = World::new(&app).await;
    let told = grave_complaint();
    let secrets = ["nourriture", "Marie", "Nadège", "John Sample", "KE-1042", "0000 0000"];
    let held = |answer: &Answer| -> Vec<&str> {
        secrets.into_iter().filter(|secret| answer.text.contains(secret)).collect()
    };
    assert!(told.to_string().contains("nourriture"));

    // A case file holds nobody's words and nobody's name, whoever reads it.
    for &role in Role::ALL {
        let case = world.known_case(Who::Officer(role)).await.case;
        let caller = world.players[&role].caller.clone();
        for path in [
            format!("/v1/cases/{case}"),
            "/v1/cases".to_owned(),
            "/v1/complaints".to_owned(),
            "/v1/deadlines".to_owned(),
        ] {
            assert_eq!(held(&caller.get(&path).await), Vec::<&str>::new(), "{role:?} {path}");
        }
        let file = caller.get(&format!("/v1/cases/{case}")).await;
        let sees_complaints = file.body["complaints"].as_array().is_some_and(|all| !all.is_empty());
        let expected = [
            Role::TriageOfficer,
            Role::PseaCoordinator,
            Role::OhchrMonitor,
            Role::Investigator,
            Role::LegalLiaison,
        ];
        assert_eq!(sees_complaints, expected.contains(&role), "{role:?}");
    }
    // Nor does a complaint, but for its words: who somebody is comes by a reveal alone.
    for role in [
        Role::PseaCoordinator,
        Role::FocalPoint,
        Role::IntakeOfficer,
        Role::TriageOfficer,
        Role::Integration,
        Role::OhchrMonitor,
        Role::Investigator,
        Role::LegalLiaison,
    ] {
        let complaint = world.known_complaint(Who::Officer(role)).await.complaint;
        let answer = world.players[&role].caller.get(&format!("/v1/complaints/{complaint}")).await;
        assert_eq!(answer.status, 200, "{role:?}");
        assert_eq!(held(&answer), ["nourriture"], "{role:?}");
    }
    // Intake hears of no case and no outcome, even of what it took in itself.
    let own = world.complaint(Some(Role::IntakeOfficer)).await.complaint;
    let body =
        json!({"decision": "open_case", "category": "sexual_exploitation_abuse", "reason": "It is one."});
    world.maker.caller.post_seen(&format!("/v1/complaints/{own}/assessment"), 1, body).await.expect(201);
    let after =
        world.players[&Role::IntakeOfficer].caller.get(&format!("/v1/complaints/{own}")).await.expect(200);
    assert_eq!(after["complaint"]["case_id"], Value::Null);
    // Each reporter sees their own complaint.
    for who in [Who::Reporter, Who::OtherReporter] {
        let expected = match who {
            Who::Reporter => world.complaint(None).await.receipt["reference"].clone(),
            _ => world.other.clone(),
        };
        let caller = world.caller(who).await;
        assert_eq!(caller.get("/v1/reporter/complaint").await.expect(200)["reference"], expected);
    }
    // Integration and focal point list what they handed in and nothing else.
    for role in [Role::Integration, Role::FocalPoint] {
        let list = world.players[&role].caller.get("/v1/complaints").await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{role:?}");
    }
}

#[actix_web::test]
async fn a_wrong_method_gets_405_with_the_right_ones() {
    let app = TestApp::start().await;
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations() {
        methods.entry(operation.path).or_default().insert(operation.method);
    }
    let anyone = app.anyone();
    // An address may be of two patterns, such as `/v1/sessions/{id}` and `/v1/sessions/refresh`.
    let fits = |pattern: &str, path: &str| {
        let (pattern, path): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len()
            && pattern.iter().zip(&path).all(|(one, other)| one.starts_with('{') || one == other)
    };
    for path in methods.keys() {
        let there: BTreeSet<&String> =
            methods.iter().filter(|(pattern, _)| fits(pattern, path)).flat_map(|(_, all)| all).collect();
        let path = path
            .replace("{id}", &Uuid::now_v7().to_string())
            .replace("{user_id}", &Uuid::now_v7().to_string())
            .replace("{evidence}", &Uuid::now_v7().to_string())
            .replace("{upload}", &Uuid::now_v7().to_string())
            .replace("{party}", "V-000000")
            .replace("{consent}", &Uuid::now_v7().to_string());
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if there.iter().any(|each| *each == method.as_str()) {
                continue;
            }
            let answer = anyone.send(anyone.request(method.clone(), &path)).await;
            assert_eq!((answer.status, answer.problem()), (405, "method-not-allowed"), "{method} {path}");
            let allow = answer.header("allow").unwrap_or_default().to_owned();
            for each in &there {
                assert!(
                    allow.split(", ").any(|word| word == each.as_str()),
                    "{method} {path} allows {allow:?}"
                );
            }
        }
    }
    assert_eq!(anyone.get("/v1/nothing").await.status, 404);
}
