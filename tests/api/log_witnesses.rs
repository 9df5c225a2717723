//! Outside witnesses, as the register meets them: good ones, slow ones, hostile ones, and one that was lied to.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temwen::log::guard::Guard;
use temwen::log::sequencer::Sequencer;
use temwen::log::witnesses::flaws;
use temwen::tlog::{
    self, AddCheckpoint, CosignerKey, LogProof, SigningKey, TrustPolicy, VerifierKey, cosignatures,
};

use crate::fixtures::{complaint, submitted};
use crate::harness::{Made, TestApp, database};
use crate::witness_stand::{NOW, Node, Played, Real, cosigned, during, metric, plain, policy, until};

const FAILURES: &str = "temwen_log_witness_failures_total";
const DISAGREEMENTS: &str = "temwen_log_witness_disagreements_total";
const LAG: &str = "temwen_log_witness_lag";

/// A Temwen with these witnesses, on a database that may be there already.
async fn app(witnesses: TrustPolicy) -> TestApp {
    TestApp::start_with(Made { connections: 8, witnesses: Some(witnesses), ..Made::default() }).await
}

/// The keys of the log: the same in all these tests.
async fn log_keys() -> Vec<VerifierKey> {
    TestApp::on(database().await, Made::default()).await.temwen.keys.log_verifiers()
}

/// A further complaint in the log; the size of the tree that was signed.
async fn grown(app: &TestApp) -> u64 {
    submitted(app, complaint()).await;
    // An entry about a witness may come in at any time: the queue need not be empty after it.
    Sequencer::new(Guard::in_memory()).step(&app.temwen).await.unwrap().signed.unwrap()
}

async fn lines(app: &TestApp, key: &VerifierKey) -> Vec<u64> {
    let rows =
        app.rows(&format!("select size from log_cosignatures where witness = '{key}' order by size")).await;
    rows.iter().map(|row| row["size"].as_u64().unwrap()).collect()
}

async fn has_cosigned(app: &TestApp, key: &VerifierKey, size: u64) {
    until("a cosignature", async || lines(app, key).await.contains(&size)).await;
}

async fn disagreements(app: &TestApp) -> Vec<Value> {
    let sql = "select detail from audit_entries where action = 'witness.disagreed' order by at";
    app.rows(sql).await.into_iter().map(|row| row["detail"].clone()).collect()
}

#[actix_web::test]
async fn p8_a_receipt_carries_what_k_of_n_witnesses_signed() {
    let logs = log_keys().await;
    let (one, two) = (Real::of_logs("one.story", logs.clone()), Real::of_logs("two.story", logs));
    let down = CosignerKey::generate("down.story").unwrap().verifier();
    let three = [one.key(), two.key(), down.clone()];
    // Nobody listens there.
    let policy = policy(2, &[(&three[0], &one.url), (&three[1], &two.url), (&down, "http://127.0.0.1:9")]);
    let app = app(policy.clone()).await;
    let node = Node::of(&app);
    let handed_in = submitted(&app, complaint()).await;
    app.sequence().await;
    let reporter = app.reporter(&handed_in).await;
    let receipt = async || reporter.get("/v1/reporter/receipt").await.expect(200);
    let who = |note: &str| -> Vec<VerifierKey> {
        let found = cosignatures(note, &three).unwrap();
        let of = |key: &&VerifierKey| found.iter().any(|cosigned| cosigned.id == key.id());
        three.iter().filter(of).cloned().collect()
    };
    let proof_of = |shown: &Value| LogProof::parse(shown["proof"].as_str().unwrap()).unwrap();
    until("a witnessed receipt", async || {
        let proof = proof_of(&receipt().await);
        policy.is_met(|key| who(&proof.checkpoint).contains(key))
    })
    .await;
    let shown = receipt().await;
    let proof = proof_of(&shown);
    let keys: Vec<VerifierKey> = app.temwen.keys.log_verifiers().into_iter().chain(three.clone()).collect();
    let witnessed = proof.verify(shown["entry"].as_str().unwrap().as_bytes(), &keys).unwrap();
    assert_eq!(who(&proof.checkpoint), three[..2]);
    // What is signed now is shown to everybody a moment later, with its cosignatures.
    let newest = app.sequence().await.signed.unwrap_or(witnessed.head.size);
    until("the cosigned checkpoint", async || {
        let text = app.anyone().get("/v1/log/checkpoint").await.text;
        tlog::open(&text, &keys).unwrap().head.size == newest && who(&text).len() == 2
    })
    .await;
    assert!(metric(FAILURES, &down) >= 1);
    assert_eq!(metric(LAG, &down), newest);
    until("no lag", async || metric(LAG, &three[0]) == 0 && metric(LAG, &three[1]) == 0).await;
    drop(node);
    // With the witnesses gone, an old entry is shown under what they signed, a new one under what there is.
    let later = submitted(&app, complaint()).await;
    let unwitnessed = app.sequence().await.signed.unwrap();
    let old = proof_of(&receipt().await);
    assert_eq!((tlog::read(&old.checkpoint).unwrap().head.size, who(&old.checkpoint).len()), (newest, 2));
    let fresh = app.reporter(&later).await.get("/v1/reporter/receipt").await.expect(200);
    let fresh = proof_of(&fresh);
    assert_eq!(tlog::read(&fresh.checkpoint).unwrap().head.size, unwitnessed);
    assert!(who(&fresh.checkpoint).is_empty());
    // One cosignature is better than none, and not as good as two.
    two.stop().await;
    let node = Node::of(&app);
    has_cosigned(&app, &three[0], unwitnessed).await;
    drop(node);
    let fresh = proof_of(&app.reporter(&later).await.get("/v1/reporter/receipt").await.expect(200));
    assert_eq!(who(&fresh.checkpoint), three[..1]);
    assert_eq!(who(&proof_of(&receipt().await).checkpoint), three[..2]);
}

#[actix_web::test]
async fn a_witness_that_never_answers_delays_nobody() {
    let good = Real::of_logs("good.slow", log_keys().await);
    let silent = CosignerKey::generate("silent.slow").unwrap().verifier();
    let never = Played::start(Duration::from_hours(1), |_| Vec::new()).await;
    let policy = policy(1, &[(&good.key(), &good.url), (&silent, &never.url)]);
    let app = app(policy).await;
    let node = Node::of(&app);
    let began = Instant::now();
    for _ in 0..5 {
        let size = grown(&app).await;
        has_cosigned(&app, &good.key(), size).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(never.asked.borrow().len(), 1);
    assert_eq!(metric(FAILURES, &silent), 0, "it still has time");
    until("its time is over", async || metric(FAILURES, &silent) == 1).await;
    drop(node);
}

#[actix_web::test]
async fn a_witness_that_was_down_gets_the_newest_checkpoint_alone() {
    let mut witness = Real::of_logs("back.again", log_keys().await);
    let key = witness.key();
    let app = app(policy(1, &[(&key, &witness.url)])).await;
    let _node = Node::of(&app);
    let first = grown(&app).await;
    has_cosigned(&app, &key, first).await;
    witness.stop().await;
    grown(&app).await;
    until("a failure", async || metric(FAILURES, &key) >= 1).await;
    for _ in 0..3 {
        grown(&app).await;
    }
    assert!(metric(LAG, &key) > 0);
    witness.start_again();
    let last = grown(&app).await;
    has_cosigned(&app, &key, last).await;
    // The one that was chosen while it was away may be among them, and nothing else.
    assert!(lines(&app, &key).await.len() <= 3, "{:?}", lines(&app, &key).await);
    assert_eq!(metric(DISAGREEMENTS, &key), 0);
}

#[actix_web::test]
async fn a_witness_that_is_elsewhere_is_met_where_it_is() {
    let mut witness = Real::of_logs("elsewhere.resync", log_keys().await);
    let key = witness.key();
    let app = app(policy(1, &[(&key, &witness.url)])).await;
    let node = Node::of(&app);
    has_cosigned(&app, &key, grown(&app).await).await;
    let earlier = witness.state();
    has_cosigned(&app, &key, grown(&app).await).await;
    // It lost its newest state; with another client it would have to start at zero.
    witness.stop().await;
    witness.put_state_back(&earlier);
    witness.start_again();
    let size = grown(&app).await;
    has_cosigned(&app, &key, size).await;
    // It gained one that this node does not know of: what another node sent.
    drop(node);
    let further = grown(&app).await;
    let other = Node::of(&app);
    has_cosigned(&app, &key, further).await;
    drop(other);
    // It signed, and nobody heard of it.
    let newest = grown(&app).await;
    let note = app.rows(&format!("select note from log_heads where size = {newest}")).await;
    let tiles = app.rows("select level, index, encode(hashes, 'hex') as hashes from log_tiles").await;
    let proof = consistency(&tiles, further, newest);
    let request =
        AddCheckpoint { old: further, proof, checkpoint: note[0]["note"].as_str().unwrap().to_owned() };
    witness.witness.add_checkpoint(request.to_text().as_bytes(), NOW).unwrap();
    let _node = Node::of(&app);
    has_cosigned(&app, &key, newest).await;
    assert_eq!(metric(DISAGREEMENTS, &key), 0);
}

fn consistency(tiles: &[Value], old: u64, new: u64) -> Vec<tlog::Hash> {
    let unhex = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let tile = |row: &Value| {
        let id = tlog::TileId {
            level: row["level"].as_u64().unwrap().try_into().unwrap(),
            index: row["index"].as_u64().unwrap(),
        };
        (id, unhex(row["hashes"].as_str().unwrap()))
    };
    tlog::Tiles(tiles.iter().map(tile).collect()).consistency(old, new).unwrap()
}

#[actix_web::test]
async fn a_restart_goes_on_where_it_was_and_two_nodes_do_no_harm() {
    let secret = CosignerKey::generate("good.restart").unwrap();
    let key = secret.verifier();
    let witness = Played::good(secret, Duration::ZERO).await;
    let app = app(policy(1, &[(&key, &witness.url)])).await;
    let node = Node::of(&app);
    let first = grown(&app).await;
    has_cosigned(&app, &key, first).await;
    drop(node);
    let second = grown(&app).await;
    let node = Node::of(&app);
    has_cosigned(&app, &key, second).await;
    drop(node);
    let froms: Vec<u64> = witness.asked.borrow().iter().map(|request| request.old).collect();
    assert_eq!(froms, [0, first]);
    // Where there is nothing new, nothing is sent.
    let node = Node::of(&app);
    actix_web::rt::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(witness.asked.borrow().len(), 2);
    let other = Node::of(&app);
    for _ in 0..15 {
        let size = grown(&app).await;
        has_cosigned(&app, &key, size).await;
    }
    drop((node, other));
    assert_eq!((metric(FAILURES, &key), metric(DISAGREEMENTS, &key)), (0, 0));
    assert_eq!(lines(&app, &key).await.len(), 17);
    assert_eq!(disagreements(&app).await, Vec::<Value>::new());
}

#[actix_web::test]
async fn witnesses_that_are_slow_sign_the_same_checkpoint() {
    let secrets = ["a.same", "b.same"].map(|name| CosignerKey::generate(name).unwrap());
    let keys = [secrets[0].verifier(), secrets[1].verifier()];
    let [a, b] = secrets;
    let one = Played::good(a, Duration::from_millis(700)).await;
    let two = Played::good(b, Duration::from_millis(450)).await;
    let app = app(policy(2, &[(&keys[0], &one.url), (&keys[1], &two.url)])).await;
    let _node = Node::of(&app);
    let growing = async {
        loop {
            grown(&app).await;
        }
    };
    let three_times = until("three checkpoints that both signed", async || {
        let sql = "select from log_cosignatures group by size having count(*) = 2";
        app.count(sql).await >= 3
    });
    Box::pin(during(growing, three_times)).await;
    assert!(app.count("select from log_cosignatures").await <= 8, "none was asked about what will not count");
}

/// What a hostile witness answers to a request.
type Answering = Box<dyn Fn(&AddCheckpoint) -> Vec<u8>>;

#[actix_web::test]
async fn whatever_a_witness_answers_only_its_cosignature_of_this_checkpoint_is_kept() {
    let good = Real::of_logs("good.hostile", log_keys().await);
    let own = |name: &str| CosignerKey::generate(name).unwrap();
    let large = format!("HTTP/1.1 200 X\r\nContent-Length: 90000\r\n\r\n{}", "a".repeat(90_000)).into_bytes();
    let endless = format!("HTTP/1.1 200 X\r\n\r\n{}", "— x AAAA\n".repeat(30_000)).into_bytes();
    let stranger = own("stranger.hostile");
    let double = own("two-keys.hostile");
    let twin = own("two-keys.hostile");
    let liar = own("liar.hostile");
    let liar_text = liar.to_text().to_string();
    let smuggler = own("smuggler.hostile");
    let smuggler_text = smuggler.to_text().to_string();
    let always = |answer: Vec<u8>| -> Answering { Box::new(move |_| answer.clone()) };
    let cases: Vec<(CosignerKey, Answering, &str)> = vec![
        (own("empty.hostile"), always(plain(200, "")), FAILURES),
        (own("newline.hostile"), always(plain(200, "\n")), FAILURES),
        (own("words.hostile"), always(plain(200, "Thank you!\n")), FAILURES),
        (own("zero.hostile"), always(plain(200, "— a.b AAAA\u{0}\n")), FAILURES),
        (
            own("bytes.hostile"),
            always(b"HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\n\xff\xfe\n".to_vec()),
            FAILURES,
        ),
        (own("large.hostile"), always(large), FAILURES),
        (own("endless.hostile"), always(endless), FAILURES),
        (
            own("torn.hostile"),
            always(b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n\xe2\x80\x94 a".to_vec()),
            FAILURES,
        ),
        (own("nothing.hostile"), always(Vec::new()), FAILURES),
        (own("not-http.hostile"), always(b"220 mail.example ESMTP\r\n".to_vec()), FAILURES),
        (own("error.hostile"), always(plain(500, "no")), FAILURES),
        (own("unknown.hostile"), always(plain(404, "no")), FAILURES),
        (own("other.hostile"), always(plain(204, "")), FAILURES),
        (
            own("redirect.hostile"),
            always(
                format!(
                    "HTTP/1.1 307 X\r\nLocation: {}/add-checkpoint\r\nContent-Length: 0\r\n\r\n",
                    good.url
                )
                .into_bytes(),
            ),
            FAILURES,
        ),
        (own("conflict.hostile"), always(plain(409, "x\n")), FAILURES),
        (own("conflict-bare.hostile"), always(plain(409, "1")), FAILURES),
        (own("conflict-zeros.hostile"), always(plain(409, "01\n")), FAILURES),
        (own("conflict-same.hostile"), always(plain(409, "0\n")), FAILURES),
        (
            own("conflict-round.hostile"),
            Box::new(|request| plain(409, if request.old == 1 { "0\n" } else { "1\n" })),
            FAILURES,
        ),
        (
            own("foreign.hostile"),
            Box::new(move |request| plain(200, &cosigned(&stranger, &request.checkpoint))),
            FAILURES,
        ),
        (own("echo.hostile"), Box::new(|request| plain(200, &request.checkpoint)), FAILURES),
        (double, Box::new(move |request| plain(200, &cosigned(&twin, &request.checkpoint))), FAILURES),
        (own("ahead.hostile"), always(plain(409, "999999\n")), DISAGREEMENTS),
        (own("far-ahead.hostile"), always(plain(409, "18446744073709551615\n")), DISAGREEMENTS),
        (own("refuses.hostile"), always(plain(422, "no")), DISAGREEMENTS),
        (
            liar,
            Box::new(move |request| {
                let key = CosignerKey::parse(&liar_text).unwrap();
                let other = request.checkpoint.replacen('\n', "\n9", 1);
                plain(200, &cosigned(&key, &other))
            }),
            DISAGREEMENTS,
        ),
        (
            smuggler,
            // A note of its own around ours, truly signed: the line would spoil every receipt.
            Box::new(move |request| {
                let key = CosignerKey::parse(&smuggler_text).unwrap();
                let body = format!("{}more\n", request.checkpoint);
                plain(200, &format!("more\n\n{}", key.cosign(&body, NOW).unwrap()))
            }),
            FAILURES,
        ),
    ];
    let mut stands = Vec::new();
    for (key, answer, expected) in cases {
        stands.push((key.verifier(), Played::start(Duration::ZERO, answer).await, expected));
    }
    let mut all: Vec<(&VerifierKey, &str)> =
        stands.iter().map(|(key, stand, _)| (key, stand.url.as_str())).collect();
    let key = good.key();
    all.push((&key, &good.url));
    let app = app(policy(1, &all)).await;
    let _node = Node::of(&app);
    let size = grown(&app).await;
    has_cosigned(&app, &key, size).await;
    for (hostile, stand, expected) in &stands {
        until(hostile.name(), async || metric(expected, hostile) >= 1).await;
        let other = if *expected == FAILURES { DISAGREEMENTS } else { FAILURES };
        assert_eq!(metric(other, hostile), 0, "{}", hostile.name());
        assert!((1..=12).contains(&stand.asked.borrow().len()), "{}", hostile.name());
    }
    let further = grown(&app).await;
    has_cosigned(&app, &key, further).await;
    assert_eq!(app.count(&format!("select from log_cosignatures where witness <> '{key}'")).await, 0);
    // Each disagreement is on record once, by the key's name and number.
    until("the record", async || disagreements(&app).await.len() == 4).await;
    until("a second time", async || {
        metric(DISAGREEMENTS, &stands.iter().find(|stand| stand.0.name() == "refuses.hostile").unwrap().0)
            >= 2
    })
    .await;
    let told = disagreements(&app).await;
    assert_eq!(told.len(), 4);
    let refuses = told.iter().find(|detail| detail["witness"] == "refuses.hostile").unwrap();
    let number = stands.iter().find(|stand| stand.0.name() == "refuses.hostile").unwrap().0.id();
    assert_eq!((&refuses["key"], &refuses["size"]), (&json!(format!("{number:08x}")), &json!(size)));
}

#[actix_web::test]
async fn p8_of_two_histories_a_witness_signs_one_and_keeps_the_proof_of_the_other() {
    let witness = Real::of_logs("only.fork", log_keys().await);
    let key = witness.key();
    let witnesses = policy(1, &[(&key, &witness.url)]);
    let first = app(witnesses.clone()).await;
    let node = Node::of(&first);
    has_cosigned(&first, &key, grown(&first).await).await;
    drop(node);
    let connect = first.copy().await.connect;
    let made = Made { connections: 8, witnesses: Some(witnesses), ..Made::default() };
    let second = TestApp::on(connect, made).await;
    // Two registers with one key and one past; each goes on by itself.
    let node = Node::of(&first);
    let size = grown(&first).await;
    has_cosigned(&first, &key, size).await;
    drop(node);
    let other = Node::of(&second);
    assert_eq!(grown(&second).await, size);
    until("it disagrees", async || metric(DISAGREEMENTS, &key) >= 1).await;
    until("on record", async || disagreements(&second).await.len() == 1).await;
    until("still, with more", async || {
        grown(&second).await;
        metric(DISAGREEMENTS, &key) >= 3
    })
    .await;
    drop(other);
    assert!(lines(&second, &key).await.iter().all(|cosigned| *cosigned < size));
    assert_eq!(disagreements(&second).await.len(), 1);
    assert_eq!(disagreements(&first).await.len(), 0);
    // The evidence stands by itself: two trees of one size, both signed by the log.
    let evidence = witness.witness.evidence().unwrap();
    let fork = evidence
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|finding| finding["kind"] == "fork")
        .unwrap();
    let keys = first.temwen.keys.log_verifiers();
    let open = |which: &str| tlog::open(fork[which].as_str().unwrap(), &keys).unwrap().head;
    assert_eq!(open("cosigned").size, open("submitted").size);
    assert_ne!(open("cosigned").root, open("submitted").root);
    // A register that was put back to yesterday is told, too.
    let _node = Node::of(&first);
    has_cosigned(&first, &key, grown(&first).await).await;
}

#[actix_web::test]
async fn a_policy_that_cannot_work_says_why() {
    let own = log_keys().await;
    let stranger = SigningKey::generate("stranger.example").unwrap().verifier();
    let [a, b] = ["a.flaws", "b.flaws"].map(|name| CosignerKey::generate(name).unwrap().verifier());
    for (text, expected) in [
        (format!("witness a {a} https://a.example/w\nquorum a\n"), ""),
        (format!("witness a {a} http://user:pass@127.0.0.1:90\nquorum a\n"), ""),
        (format!("log {stranger}\nlog {}\nquorum none\n", own[0]), ""),
        (format!("witness a {a}\nwitness b {b} https://b.example\ngroup g any a b\nquorum g\n"), ""),
        (format!("log {stranger}\nquorum none\n"), "none of the logs"),
        (format!("witness a {a} a.example\nquorum a\n"), "line 1: its address is not a URL"),
        (format!("\nwitness a {a} ftp://a.example\nquorum a\n"), "line 2: its address does not begin"),
        (format!("witness a {a} mailto:a@a.example\nquorum a\n"), "line 1: its address does not begin"),
        (format!("witness a {a} https://\nquorum a\n"), "line 1: its address is not a URL"),
        (format!("witness a {a} https://a.example/?x=1\nquorum a\n"), "line 1: its address has a query"),
        (format!("witness a {a} https://a.example/#x\nquorum a\n"), "line 1: its address has a query"),
        (format!("witness a {a}\nquorum a\n"), "too few witnesses"),
        (
            format!("witness a {a}\nwitness b {b} https://b.example\ngroup g all a b\nquorum g\n"),
            "too few witnesses",
        ),
    ] {
        let found = flaws(&TrustPolicy::parse(text.as_bytes()).ok().unwrap(), &own);
        assert_eq!(found.is_empty(), expected.is_empty(), "{text}: {found:?}");
        assert!(found.iter().all(|flaw| flaw.contains(expected)), "{text}: {found:?}");
    }
    let bytes = [format!("witness a {a} https://").as_bytes(), b"\xff\nquorum a\n"].concat();
    let found = flaws(&TrustPolicy::parse(&bytes).ok().unwrap(), &own);
    assert_eq!(found, ["line 1: its address is not a URL"]);
}
