//! Looking for words in sealed texts: what finds what, for whom, and what is remembered of it.

use std::fmt::Write as _;

use actix_web::http::Method;
use serde_json::{Value, json};
use temwen::auth::Role;
use temwen::words::{self, Later};

use crate::fixtures::{case_from, grave_complaint, id, submitted};
use crate::harness::{Answer, Caller, TestApp};

/// `text` as it stands in an address.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

async fn look(caller: &Caller<'_>, list: &str, q: &str) -> Answer {
    caller.get(&format!("/v1/{list}?q={}", encoded(q))).await
}

/// The ids that were found, and in what.
async fn found(caller: &Caller<'_>, list: &str, q: &str) -> Vec<(String, Vec<String>)> {
    let page = look(caller, list, q).await.expect(200);
    let hit = |item: &Value| {
        let matched =
            item["matched"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
        (id(item).to_owned(), matched.collect())
    };
    page["items"].as_array().unwrap().iter().map(hit).collect()
}

async fn ids(caller: &Caller<'_>, list: &str, q: &str) -> Vec<String> {
    found(caller, list, q).await.into_iter().map(|(id, _)| id).collect()
}

fn said(language: &str, narrative: &str) -> Value {
    json!({"channel": "web_form", "language": language, "narrative": narrative, "reported_category": "minor_misconduct"})
}

#[actix_web::test]
async fn p4_words_find_stories_in_four_languages_and_say_where() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let stories = [
        ("ht", "Yè swa, nan pòt mache a, yon patwouy te pouse yon machann. Mwen te wè sa ak je m."),
        ("fr", "Hier soir, à l'hôpital, deux soldats ont menacé mon frère et volé son téléphone."),
        ("en", "Last night the soldiers threatened the officer's brother near the hospital gate."),
        ("es", "Anoche los soldados amenazaron a mi hermano cerca del hospital y robaron su teléfono."),
    ];
    let mut told = Vec::new();
    for (language, narrative) in stories {
        told.push(id(&submitted(&app, said(language, narrative)).await).to_owned());
    }
    let all = |which: &[usize]| which.iter().rev().map(|n| told[*n].clone()).collect::<Vec<_>>();
    for (q, expected) in [
        ("patwouy", &[0][..]),
        ("PÒT mache", &[0]),
        ("pot machè", &[0]),
        ("moin je", &[0]),
        ("menacer", &[1]),
        ("l’hopital", &[1]),
        ("hôpital frère", &[1]),
        ("threatening", &[2]),
        ("soldier", &[2]),
        ("soldat", &[1]),
        ("soldado amenazar", &[3]),
        ("telefono", &[3]),
        ("hospital -telefono", &[2]),
        ("hospital -hermano -officer", &[]),
        ("hospital mache", &[]),
        ("nowhere", &[]),
    ] {
        let mut got = ids(&triage, "complaints", q).await;
        got.sort();
        got.reverse();
        assert_eq!(got, all(expected), "{q:?}");
    }
    let hit = found(&triage, "complaints", "patwouy").await;
    assert_eq!(hit[0].1, ["narrative"]);
    // Together with the other filters; and where the words are from, the answer does not say in words.
    let page = triage.get("/v1/complaints?q=hospital&language=es").await;
    assert_eq!(page.body["items"].as_array().unwrap().len(), 1);
    assert!(!page.text.contains("hospital"), "{}", page.text);
    // Without `q` nothing is said of matches.
    let plain = triage.get("/v1/complaints").await.expect(200);
    assert!(plain["items"][0].get("matched").is_none());
}

#[actix_web::test]
async fn what_is_written_later_is_found_too_and_a_case_by_its_complaints() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, said("fr", "Un camion blanc a renversé l'étal."), "minor_misconduct").await;
    let case = id(&case).to_owned();
    let complaint = id(&triage.get("/v1/complaints?q=camion").await.expect(200)["items"][0]).to_owned();
    assert_eq!(
        found(&triage, "cases", "camions blancs").await,
        [(case.clone(), vec!["narrative".to_owned()])]
    );

    let note = json!({"text": "The clinic confirms a fracture."});
    triage.post(&format!("/v1/cases/{case}/notes"), note).await.expect(201);
    let both = vec!["narrative".to_owned(), "note".to_owned()];
    assert_eq!(found(&triage, "cases", "camion fractures").await, [(case.clone(), both)]);
    assert_eq!(ids(&triage, "complaints", "fracture").await, Vec::<String>::new(), "a note is of the case");

    let message = json!({"text": "Connaissez-vous la plaque d'immatriculation ?"});
    triage.post(&format!("/v1/complaints/{complaint}/messages"), message).await.expect(201);
    for (list, what) in [("complaints", &complaint), ("cases", &case)] {
        let hits = found(&triage, list, "immatriculation").await;
        assert_eq!(hits, [(what.clone(), vec!["message".to_owned()])], "{list}");
    }

    // Another complaint joins: its words find the case; a word of each is enough together.
    let other = submitted(&app, said("en", "The lorry drove on without lights.")).await;
    let reporter = app.reporter(&other).await;
    reporter.post("/v1/reporter/messages", json!({"text": "It had a green tarpaulin."})).await.expect(201);
    assert_eq!(ids(&triage, "cases", "lorry camion").await, Vec::<String>::new());
    let join = json!({"decision": "attach", "case_id": case, "reason": "The same evening."});
    let path = format!("/v1/complaints/{}/assessment", id(&other));
    triage.post_seen(&path, 1, join).await.expect(200);
    assert_eq!(ids(&triage, "cases", "lorry camion tarpaulin fracture").await, std::slice::from_ref(&case));
    reporter.post("/v1/reporter/messages", json!({"text": "The driver wore sunglasses."})).await.expect(201);
    assert_eq!(ids(&triage, "cases", "sunglasses").await, [case]);
}

#[actix_web::test]
async fn p3_nobody_finds_what_they_may_not_know_of() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let walled = app.signed_in(Role::TriageOfficer).await;
    app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, said("fr", "Le caporal a pris le générateur."), "minor_misconduct").await;
    let open = id(&submitted(&app, said("fr", "Le générateur fait du bruit.")).await).to_owned();
    assert_eq!(ids(&walled, "complaints", "generateur").await.len(), 2);
    assert_eq!(ids(&walled, "cases", "generateur").await.len(), 1);
    let wall = json!({"user_id": walled.id.unwrap(), "reason": "They served together."});
    triage.post(&format!("/v1/cases/{}/walls", id(&case)), wall).await.expect(204);
    assert_eq!(ids(&walled, "complaints", "generateur").await, [open]);
    let nothing = look(&walled, "complaints", "caporal").await;
    let never = look(&walled, "complaints", "neverheard").await;
    assert_eq!((nothing.status, &nothing.text), (never.status, &never.text));
    assert_eq!(ids(&walled, "cases", "generateur").await, Vec::<String>::new());
    // What is shut out does not tell either that something was.
    assert_eq!(ids(&walled, "complaints", "generateur -caporal").await.len(), 1);
    assert_eq!(ids(&triage, "complaints", "generateur -caporal").await.len(), 1);

    // Of others: a focal point finds what they handed in, an investigator what they work on.
    let focal = app.signed_in(Role::FocalPoint).await;
    assert_eq!(ids(&focal, "complaints", "generateur").await, Vec::<String>::new());
    let own = focal.post("/v1/complaints", said("fr", "Un générateur volé.")).await.expect(201);
    assert_eq!(ids(&focal, "complaints", "generateur").await, [id(&own)]);
    let investigator = app.signed_in(Role::Investigator).await;
    assert_eq!(ids(&investigator, "cases", "generateur").await, Vec::<String>::new());
    assert_eq!(ids(&investigator, "complaints", "generateur").await, Vec::<String>::new());
    // And whoever reads no texts of a case does not look through them.
    for role in [Role::VictimSupport, Role::NationalAuthority, Role::PanelMember, Role::Commander] {
        let caller = app.signed_in(role).await;
        look(&caller, "cases", "generateur").await.refused(403, "forbidden");
    }
    for role in [Role::Auditor, Role::Administrator, Role::StatisticsOfficer] {
        let caller = app.signed_in(role).await;
        look(&caller, "cases", "generateur").await.refused(403, "forbidden");
        look(&caller, "complaints", "generateur").await.refused(403, "forbidden");
    }
    look(&app.anyone(), "complaints", "generateur").await.refused(401, "unauthenticated");
    // The tokens themselves stand behind the wall.
    let hidden = app.count("select from complaint_words").await;
    assert_eq!(hidden, 3);
}

#[actix_web::test]
async fn names_are_found_only_by_those_who_may_read_them() {
    let app = TestApp::start().await;
    let grave = id(&submitted(&app, grave_complaint()).await).to_owned();
    let mut minor = said("en", "He shouted at us.");
    minor["reporter"] = json!({"relation": "witness", "name": "Rosemène Témoin"});
    minor["subjects"] =
        json!([{"name": "Peter Example", "service_number": "KE-77", "description": "a scar"}]);
    let minor = id(&submitted(&app, minor).await).to_owned();
    let name = |of: &str| vec![(of.to_owned(), vec!["name".to_owned()])];
    let none = Vec::new();

    let triage = app.signed_in(Role::TriageOfficer).await;
    let psea = app.signed_in(Role::PseaCoordinator).await;
    let ohchr = app.signed_in(Role::OhchrMonitor).await;
    let intake = app.signed_in(Role::IntakeOfficer).await;
    for (caller, q, expected) in [
        // In the PSEA lane, its coordinator finds victims and reporters; triage does not, though it sees the complaint.
        (&psea, "nadege", name(&grave)),
        (&psea, "marie", name(&grave)),
        (&psea, "sample", name(&grave)),
        (&triage, "nadege", none.clone()),
        (&triage, "sample", none.clone()),
        // Elsewhere it is triage that does.
        (&triage, "rosemene temoin", name(&minor)),
        (&triage, "ke-77", name(&minor)),
        (&psea, "rosemene", none.clone()),
        // Who monitors finds the accused.
        (&ohchr, "sample", name(&grave)),
        (&ohchr, "Peter EXAMPLE", name(&minor)),
        (&ohchr, "nadege", none.clone()),
        (&ohchr, "rosemene", none.clone()),
        (&intake, "sample", none.clone()),
        (&intake, "rosemene", none.clone()),
        // A scar is no name.
        (&intake, "scar", vec![(minor.clone(), vec!["particulars".to_owned()])]),
    ] {
        assert_eq!(found(caller, "complaints", q).await, expected, "{q:?} by {}", caller.email);
    }
    // Shutting a name out must not tell where it stands.
    assert_eq!(ids(&intake, "complaints", "shouted -rosemene").await, std::slice::from_ref(&minor));
    assert_eq!(ids(&triage, "complaints", "shouted -rosemene").await, Vec::<String>::new());
    assert_eq!(ids(&triage, "complaints", "nourriture -nadege").await, [grave]);
    // Contacts are not looked through by anybody.
    assert_eq!(ids(&psea, "complaints", "0000").await, Vec::<String>::new());
}

#[actix_web::test]
async fn whatever_cannot_be_looked_for_is_refused_and_patterns_are_only_signs() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    submitted(&app, said("en", "A bribe was asked for.")).await;
    for (list, bad) in [
        ("complaints", String::new()),
        ("complaints", "   ".into()),
        ("complaints", "-bribe".into()),
        ("complaints", "-bribe -money".into()),
        ("complaints", ".*".into()),
        ("complaints", "(?:)^$[".into()),
        ("complaints", "a".into()),
        ("complaints", "l'".into()),
        ("complaints", "\u{0}".into()),
        ("complaints", "x".repeat(257)),
        ("complaints", "x".repeat(10_000)),
        ("complaints", "ab ".repeat(17)),
        ("cases", String::new()),
        ("cases", "x".repeat(10_000)),
        ("cases", "-".repeat(300)),
    ] {
        let answer = look(&triage, list, &bad).await;
        answer.refused(422, "invalid-request");
        assert_eq!(answer.faults(), ["/q"], "{bad:?}");
        assert!(
            bad.trim().is_empty() || bad.len() < 4 || !answer.text.contains(bad.trim()),
            "{}",
            answer.text
        );
    }
    for (good, hits) in [
        (".*bribe.*", 1),
        ("^bribe$", 1),
        ("bri.e", 0),
        ("br%", 0),
        ("bribe' or '1'='1", 0),
        ("{bribe,asked}", 1),
        ("\\u0062ribe", 0),
        (&"bribe ".repeat(16), 1),
        (&"y".repeat(256), 0),
    ] {
        assert_eq!(ids(&triage, "complaints", good).await.len(), hits, "{good:?}");
    }
    // Not UTF-8, and twice.
    for bad in ["/v1/complaints?q=%FF", "/v1/complaints?q=a1&q=b1"] {
        let answer = triage.get(bad).await;
        assert!((400..500).contains(&answer.status), "{bad}: {}", answer.text);
    }
}

#[actix_web::test]
async fn pages_go_on_with_the_same_words_only() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let mut told = Vec::new();
    for number in 0..7 {
        app.wait(chrono::TimeDelta::seconds(1));
        let text = if number == 3 { "Rien." } else { "Le barrage de la route." };
        told.push(id(&submitted(&app, said("fr", text)).await).to_owned());
    }
    told.remove(3);
    told.reverse();
    let (mut seen, mut path) = (Vec::new(), "/v1/complaints?q=barrage%20route&limit=4".to_owned());
    let first = triage.get(&path).await;
    let next = first.body["next"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let page = triage.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| id(item).to_owned()));
        if let Some(next) = page["next"].as_str() {
            path = format!("/v1/complaints?q=barrage%20route&limit=4&after={next}");
        } else {
            break;
        }
    }
    assert_eq!(seen, told);
    assert!(first.header("link").unwrap().contains("q=barrage%20route&limit=4&after="));
    for other in ["q=barrage", "q=route%20barrage", "limit=4", "q=barrage%20route%20-rien"] {
        let answer = triage.get(&format!("/v1/complaints?{other}&after={next}")).await;
        answer.refused(422, "invalid-request");
        assert_eq!(answer.faults(), ["after"], "{other}");
    }
    triage.get(&format!("/v1/cases?q=barrage%20route&after={next}")).await.refused(422, "invalid-request");
}

#[actix_web::test]
async fn each_search_is_remembered_without_its_words() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    submitted(&app, said("fr", "Il a vendu des munitions.")).await;
    let before = app.entries().await;
    for q in ["munitions", "MUNITIONS -vendu", "munitions absentes"] {
        look(&triage, "complaints", q).await.expect(200);
    }
    look(&triage, "cases", "munitions").await.expect(200);
    look(&triage, "cases", "-").await.refused(422, "invalid-request");
    assert_eq!(app.entries().await - before, 4);
    let entries = app
        .rows(
            "select action, detail, object_id from audit_entries where action like '%.searched' order by id",
        )
        .await;
    assert_eq!(entries[3]["action"], "cases.searched");
    let words = |n: usize| entries[n]["detail"]["words"].as_array().unwrap().clone();
    assert_eq!((words(0).len(), words(1).len(), words(2).len()), (1, 1, 2));
    assert_eq!(words(0), words(1), "the same word has the same hash");
    assert_eq!(entries[1]["detail"]["count"], 2);
    assert_eq!([&entries[0]["detail"]["found"], &entries[2]["detail"]["found"]], ["some", "none"]);
    assert!(!format!("{entries:?}").to_lowercase().contains("munition"));
    // The hash in the record is none of those in the index.
    let tokens = format!(
        "{:?}",
        app.rows("select encode(int8send(t), 'hex') as t from complaint_words, unnest(tokens) t").await
    );
    assert!(!tokens.contains(words(0)[0].as_str().unwrap()));
}

#[actix_web::test]
async fn what_is_stored_of_words_is_their_set_and_nothing_else() {
    let app = TestApp::start().await;
    for text in ["un deux trois un deux un", "trois deux un"] {
        submitted(&app, said("fr", text)).await;
    }
    let rows = app.rows("select tokens::text as t from complaint_words").await;
    assert_eq!(rows[0], rows[1], "order and number are not kept");
    assert_eq!(app.count("select from complaint_words w where w.tokens <> array(select t from unnest(w.tokens) t order by t)").await, 0);
    // A submission that is repeated leaves no second row.
    let mut twice = said("fr", "quatre");
    twice["submission_id"] = json!("0199c0de-0000-7000-8000-0000000000aa");
    app.anyone().post("/v1/complaints", twice.clone()).await.expect(201);
    app.anyone().post("/v1/complaints", twice).await.expect(200);
    assert_eq!(app.count("select from complaint_words").await, 3);
    assert_eq!(app.count("select from complaints c where not exists (select from complaint_words w where w.complaint_id = c.id and whole)").await, 0);
}

#[actix_web::test]
async fn many_and_few_hits_give_the_same_list() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, said("en", "alpha beta gamma"), "minor_misconduct").await;
    let first = submitted(&app, said("en", "alpha beta")).await;
    // So many hold both words that they are not looked at one by one any more.
    let mut owner = app.owner().await;
    diesel_async::SimpleAsyncConnection::batch_execute(
        &mut owner,
        &format!(
            "set session_replication_role = replica;
             create temp table copies as select gen_random_uuid() as new, i from generate_series(1, 2500) i;
             insert into complaints (id, reference, matter_id, submission_id, submission_digest, channel, language, category, priority,
                 incident_precision, anonymity, status, received_at, clock_start, owner_role, policy)
             select new, 'TW-' || i, new, new, submission_digest, channel, language, category, priority, incident_precision, anonymity, status,
                 received_at - i * interval '1 minute', clock_start, owner_role, policy from complaints, copies where id = '{0}';
             insert into complaint_words select new, tokens, true from complaint_words, copies where complaint_id = '{0}'",
            id(&first)
        ),
    )
    .await
    .unwrap();
    let page = triage.get("/v1/complaints?q=alpha%20beta&limit=200").await.expect(200);
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 200);
    assert!(items.iter().any(|item| id(item) == id(&first)));
    assert!(items.iter().all(|item| item["matched"] == json!(["narrative"])));
    let times: Vec<&str> = items.iter().map(|item| item["received_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next));
    let narrow = triage.get("/v1/complaints?q=alpha%20beta&status=in_case").await.expect(200);
    assert_eq!(narrow["items"].as_array().unwrap().len(), 1);
    assert_eq!(ids(&triage, "complaints", "alpha gamma").await.len(), 1);
    assert_eq!(ids(&triage, "complaints", "alpha -beta").await.len(), 0);
    assert_eq!(ids(&triage, "cases", "alpha beta").await, [id(&case)]);
    triage.send(triage.request(Method::GET, "/v1/cases?q=alpha")).await.expect(200);
}

#[actix_web::test]
async fn what_was_there_before_is_read_again_and_what_is_erased_is_found_no_more() {
    let app = TestApp::start().await;
    let triage = app.signed_in(Role::TriageOfficer).await;
    let case = case_from(&triage, said("es", "Un camión sin placas."), "minor_misconduct").await;
    let case = id(&case).to_owned();
    triage.post(&format!("/v1/cases/{case}/notes"), json!({"text": "Seen by a guard."})).await.expect(201);
    let alone = submitted(&app, said("fr", "Un camion sans plaques.")).await;
    app.reporter(&alone)
        .await
        .post("/v1/reporter/messages", json!({"text": "C'était la nuit."}))
        .await
        .expect(201);
    // As a migration leaves what it finds, and an import what it stores.
    let mut owner = app.owner().await;
    let emptied = "update complaint_words set tokens = '{}', whole = false; update case_words set tokens = '{}', whole = false";
    diesel_async::SimpleAsyncConnection::batch_execute(&mut owner, emptied).await.unwrap();
    assert_eq!(ids(&triage, "complaints", "camion").await, Vec::<String>::new());
    // A word that comes before the rest is read is not lost, and the rest is still read.
    app.reporter(&alone)
        .await
        .post("/v1/reporter/messages", json!({"text": "Il pleuvait."}))
        .await
        .expect(201);
    let (mut one, mut other) = (Later::default(), Later::default());
    let before = app.entries().await;
    for _ in 0..2 {
        temwen::complaints::indexing::index(&app.temwen, &mut one).await.unwrap();
        temwen::cases::indexing::index(&app.temwen, &mut other).await.unwrap();
    }
    assert_eq!(app.entries().await - before, 2);
    assert_eq!(ids(&triage, "complaints", "camion").await.len(), 2);
    assert_eq!(ids(&triage, "complaints", "camion nuit pleuvoir").await, [id(&alone)]);
    assert_eq!(ids(&triage, "cases", "camion guard").await, std::slice::from_ref(&case));
    assert_eq!(app.count("select from complaint_words where not whole").await, 0);
    assert_eq!(app.count("select from case_words where not whole").await, 0);

    let matter =
        app.rows(&format!("select matter_id from cases where id = '{case}'")).await[0]["matter_id"].clone();
    let matter = uuid::Uuid::parse_str(matter.as_str().unwrap()).unwrap();
    let forget = async |tx: &mut temwen::db::Tx| {
        tx.record(temwen::audit::Event::register(temwen::audit::What::WordsIndexed));
        tx.ask(async |conn| words::forget(conn, matter.into()).await).await
    };
    let by = temwen::db::Caller::system("test");
    assert_eq!(app.temwen.db.write(&by, "test.forget", forget).await.unwrap(), 2);
    assert_eq!(ids(&triage, "cases", "camion").await, Vec::<String>::new());
    assert_eq!(ids(&triage, "complaints", "camion").await, [id(&alone)]);
    assert_eq!(app.count("select from complaint_words").await, 1);
}
