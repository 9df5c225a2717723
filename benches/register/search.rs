//! Searching: two words among sealed complaints, of four kinds of pairs; and how large the index is for its text.
//!
//! The texts are made from syllables, their words about as often as in natural language (the n-th word with a share of 1/n), so that
//! a run can be repeated and holds nobody's story. They are sealed and indexed as the server does it.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Instant;

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use temwen::Temwen;
use temwen::coa::Language;
use temwen::vault::Place;
use temwen::words::{Field, Tokens};
use uuid::Uuid;

use crate::ground::{Ground, Running};
use crate::load::{self, Write};
use crate::{Row, Settings, Work, table};

/// How many complaints are searched.
const COMPLAINTS: u64 = 100_000;
/// How many words a language has.
const VOCABULARY: u64 = 40_000;
/// How many words a narrative has.
const WORDS: u64 = 100;
const BATCH: u64 = 500;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The rank of a word: small ones are far more often than large ones.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank below the size of the vocabulary"
    )]
    fn rank(&mut self) -> u64 {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (part * (VOCABULARY as f64).ln()).exp() as u64
    }
}

/// The word of a rank: syllables, without an ending that a stemmer would take off.
fn word(rank: u64) -> String {
    const SYLLABLES: [&str; 16] = [
        "bak", "dom", "fik", "gor", "kap", "lum", "mok", "nab", "pog", "rik", "sum", "tok", "vab", "zim",
        "hok", "jub",
    ];
    let mut word = String::new();
    let mut rest = rank + 16;
    while rest > 0 {
        word += SYLLABLES[usize::try_from(rest % 16).unwrap()];
        rest /= 16;
    }
    word
}

fn complaint_id(number: u64) -> Uuid {
    Uuid::parse_str(&format!("01900000-0000-7000-9000-{number:012}")).unwrap()
}

/// A narrative; and one of two words that never stand in the same.
fn narrative(dice: &mut Dice, number: u64) -> String {
    let apart = if number.is_multiple_of(2) { "solitudinek" } else { "compagnonek" };
    let mut text = format!("{apart} {}", word(dice.rank()));
    for _ in 2..WORDS {
        write!(text, " {}", word(dice.rank())).unwrap();
    }
    text
}

/// Stores and indexes complaints; bytes of text.
async fn fill(ground: &Ground, temwen: &Temwen, many: u64) -> u64 {
    let master = temwen.db.vault().ring().active().id().to_string();
    let mut dice = Dice(7);
    let mut bytes = 0;
    let languages = [Language::En, Language::Fr, Language::Es, Language::Ht];
    for first in (1..=many).step_by(usize::try_from(BATCH).unwrap()) {
        let (mut ids, mut numbers, mut wrapped, mut tokens) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut texts, mut particulars, mut salts) = (Vec::new(), Vec::new(), Vec::new());
        for number in first..(first + BATCH).min(many + 1) {
            let id = complaint_id(number);
            let text = narrative(&mut dice, number);
            bytes += text.len() as u64;
            let (key, kept) = temwen.db.vault().make_key(id).unwrap();
            let seal = |column, plain: &[u8]| key.seal(Place::new("submissions", column, id), plain).unwrap();
            texts.push(seal("narrative", text.as_bytes()));
            particulars.push(seal("particulars", b"{}"));
            salts.push(seal("salt", &[0; 32]));
            let mut found_by = Tokens::new(&temwen.register);
            let language = languages[usize::try_from(number % 4).unwrap()];
            found_by.text(Field::Narrative, language, &text);
            let found_by: Vec<String> = found_by.into_vec().iter().map(ToString::to_string).collect();
            tokens.push(format!("{{{}}}", found_by.join(",")));
            ids.push(id.to_string());
            numbers.push(i64::try_from(number).unwrap());
            wrapped.push(kept.wrapped.unwrap());
        }
        let sql = "with given as materialized (select id::uuid, n, wrapped, text, particulars, salt, tokens::bigint[]
                from unnest($2::text[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[], $8::text[])
                    as t (id, n, wrapped, text, particulars, salt, tokens)),
            keyed as (insert into data_keys (id, matter_id, master, wrapped, made_at) select id, id, $1::text, wrapped, now() from given),
            said as (insert into submissions (complaint_id, narrative_sealed, particulars_sealed, salt_sealed)
                select id, text, particulars, salt from given),
            worded as (insert into complaint_words (complaint_id, tokens, whole) select id, tokens, true from given)
            insert into complaints (id, reference, matter_id, submission_id, submission_digest, channel, language, category, priority,
                incident_precision, anonymity, status, received_at, clock_start, owner_role, policy, department)
            select id, 'TW-' || lpad(n::text, 9, '0'), id, id, '\\x00', 'web_form', 'ht',
                (array['minor_misconduct', 'serious_misconduct', 'sexual_exploitation_abuse', 'unclassified'])[1 + n % 4], 'routine', 'unknown',
                'confidential', 'received', timestamptz '2024-01-01' + n * interval '5 minutes', now(), 'intake_officer', 'haiti_coa@0.1.0',
                'HT-OU' from given";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&master, &ids, &numbers, &wrapped, &texts, &particulars, &salts, &tokens];
        ground.owner.execute(sql, &parameters).await.unwrap();
    }
    bytes
}

/// Fills a register of its own and measures.
pub async fn measure(settings: &Settings, given: Option<u64>) -> Value {
    let many = given.unwrap_or(if settings.quick { 10_000 } else { COMPLAINTS });
    let ground = Ground::lay().await;
    ground
        .owner
        .batch_execute("set session_replication_role = replica; set synchronous_commit = off")
        .await
        .unwrap();
    let temwen = ground.opened.temwen(1).unwrap_or_else(|failed| panic!("{failed}"));
    let begun = Instant::now();
    let text = fill(&ground, &temwen, many).await;
    println!("{many} sealed complaints are there ({:.0} s)", begun.elapsed().as_secs_f64());
    ground.settle().await;
    let size = async |table: &str| {
        u64::try_from(ground.number(&format!("select pg_total_relation_size('{table}')")).await).unwrap()
    };
    let index = size("complaint_words").await;
    let sealed = size("submissions").await;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let per_text = index as f64 / text as f64;
    println!(
        "{:.1} MB of text, {:.1} MB sealed, {:.1} MB of index: {per_text:.2} bytes of index for each byte of text",
        megabytes(text),
        megabytes(sealed),
        megabytes(index)
    );

    let server = Running::start(&ground, &settings.server).await;
    let token = server.token("triage_officer").await;
    let mut rows = Vec::new();
    for (name, pairs) in pairs() {
        ground.settle().await;
        let path = |(one, other): &(String, String)| format!("/v1/complaints?q={one}%20{other}&limit=50");
        let paths: Vec<String> = pairs.iter().map(path).collect();
        let request =
            TestRequest::get().uri(&paths[0]).insert_header(("authorization", format!("Bearer {token}")));
        let script = ground.bare.script(&ground.owner, temwen.clone(), request, None).await;
        let token = token.clone();
        let write: Write = Rc::new(move |client: usize, n: u64, out: &mut Vec<u8>| {
            let which = (usize::try_from(n).unwrap() * 7 + client) % paths.len();
            load::get(out, &paths[which], &token);
        });
        let work = Work { name, status: 200, write, script, bound: None };
        for clients in [1, 16] {
            rows.push(work.compare(settings, &ground, &server, clients).await);
        }
    }
    drop(server);
    println!();
    table(&rows);
    ground.clear().await;
    json!({
        "complaints": many, "text_bytes": text, "sealed_bytes": sealed, "index_bytes": index, "index_per_text": per_text,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>()
    })
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Pairs of words, by how often they are.
fn pairs() -> Vec<(&'static str, Vec<(String, String)>)> {
    let of = |one: &dyn Fn(u64) -> u64, other: &dyn Fn(u64) -> u64| -> Vec<(String, String)> {
        (0..20).map(|n| (word(one(n)), word(other(n)))).collect()
    };
    vec![
        ("(w) as in the texts", {
            let mut dice = Dice(11);
            let mut drawn = || word(dice.rank());
            (0..200).map(|_| (drawn(), drawn())).collect()
        }),
        ("(w) rare and frequent", of(&|n| 20_000 + n, &|n| 1 + n % 4)),
        ("(w) both in the middle", of(&|n| 200 + n, &|n| 300 + n)),
        ("(w) both frequent", of(&|n| 1 + n % 3, &|n| 5 + n % 3)),
        ("(w) never together", vec![("solitudinek".to_owned(), "compagnonek".to_owned())]),
    ]
}
