//! Taking over what another register, or an old spreadsheet, holds: real files, hostile ones, and ones with every oddity.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;
use temwen::auth::Role;
use temwen::import::mapping::Mapping;
use temwen::import::{Counts, Ended, Failure, Options, Progress, Summary, run};

use crate::harness::TestApp;

const HEADER: &str = "source,complaint_ref,category,category_basis,received_at,incident_date,closed_at,location,outcome,narrative,flags";
const ALLEGED: &str = "complaint_ref,seq,subject_ref,allegation,category,outcome";

/// Files to import, in a directory of their own.
struct Desk {
    app: TestApp,
    dir: TempDir,
    options: Options,
}

impl Desk {
    async fn with(complaints: impl AsRef<[u8]>) -> Self {
        let (app, dir) = (TestApp::start().await, tempfile::tempdir().unwrap());
        let options = Options {
            complaints: dir.path().join("complaints.csv"),
            allegations: None,
            mapping: Mapping::default(),
            rejects: dir.path().join("rejects.csv"),
            dry_run: false,
            batch: 3,
            stop: Arc::new(AtomicBool::new(false)),
        };
        std::fs::write(&options.complaints, complaints).unwrap();
        Self { app, dir, options }
    }

    fn alleging(mut self, allegations: &str) -> Self {
        let path = self.dir.path().join("allegations.csv");
        std::fs::write(&path, allegations).unwrap();
        self.options.allegations = Some(path);
        self
    }

    fn mapped(mut self, mapping: &str) -> Self {
        self.options.mapping = Mapping::parse(mapping, &self.app.temwen.policy).unwrap();
        self
    }

    /// Imports, and sees that every row is accounted for.
    async fn import(&self) -> Summary {
        let summary = run(&self.app.temwen, &self.options, &mut Progress::Silent).await.unwrap();
        for counts in [summary.complaints, summary.allegations] {
            assert_eq!(counts.rows, counts.stored + counts.there + counts.refused);
        }
        let refused = summary.complaints.refused + summary.allegations.refused;
        assert_eq!(self.rejects().len() as u64, refused, "a line in the rejects file for each refused row");
        summary
    }

    async fn refused(&self) -> String {
        match run(&self.app.temwen, &self.options, &mut Progress::Silent).await {
            Err(Failure::File(sentence)) => sentence,
            other => panic!("{other:?}"),
        }
    }

    /// Line, field, reason, key and row of what was refused.
    fn rejects(&self) -> Vec<[String; 5]> {
        let mut reader = csv::Reader::from_path(&self.options.rejects).unwrap();
        let row = |row: csv::StringRecord| [1, 2, 3, 4, 5].map(|place| row[place].to_owned());
        reader.records().map(|record| row(record.unwrap())).collect()
    }

    /// What was said besides, of every complaint.
    async fn particulars(&self) -> Vec<String> {
        let mut all = Vec::new();
        for row in self.app.rows("select complaint_id as id from submissions").await {
            all.push(
                self.app.opened("submissions", "particulars", row["id"].as_str().unwrap()).await.unwrap(),
            );
        }
        all
    }

    async fn stored(&self) -> [i64; 6] {
        let mut counts = [0; 6];
        let tables = [
            "complaints",
            "submissions",
            "cases",
            "allegations",
            "audit_entries where action not like 'import.%' and actor <> 'vault'",
            "deadlines",
        ];
        for (count, table) in counts.iter_mut().zip(tables) {
            *count = self.app.count(&format!("select from {table}")).await;
        }
        counts
    }
}

fn csv(rows: &[&str]) -> String {
    rows.iter().fold(HEADER.to_owned(), |all, row| format!("{all}\n{row}")) + "\n"
}

fn counts(rows: u64, stored: u64, there: u64, refused: u64) -> Counts {
    Counts { rows, stored, there, refused }
}

/// Clean rows of 2017.
fn clean(many: usize) -> String {
    let row = |n| {
        format!(
            "OLD,OLD-{n},minor_misconduct,,2017-03-{:02},2017,2018-01-01,Gate {n},unfounded,Said {n}.,",
            n % 28 + 1
        )
    };
    (0..many).fold(HEADER.to_owned(), |all, n| all + "\n" + &row(n)) + "\n"
}

#[actix_web::test]
async fn a_row_becomes_a_complaint_what_was_said_in_it_and_a_case() {
    let desk = Desk::with(csv(&[
        "OLD,OLD-1,serious_misconduct,classification,2017-03-09T10:00:00-05:00,2017-02,2018-01-01,\"Gate 4, harbour\",substantiated,\"He said \"\"no\"\".\nThen he left.\",borough_conflicts_precinct",
        "OLD,OLD-2,minor_misconduct,default,2017-03-10,,,,,,",
    ]))
    .await
    .alleging(&format!("{ALLEGED}\nOLD-1,1,P-7,Force: Physical force,serious_misconduct,substantiated\nOLD-1,2,P-8,physical_assault,serious_misconduct,\n"));
    let summary = desk.import().await;
    assert_eq!((summary.complaints, summary.allegations), (counts(2, 2, 0, 0), counts(2, 2, 0, 0)));

    let cases = desk.app.rows("select * from cases order by external_ref").await;
    let text = |row: &Value, field: &str| row[field].as_str().map(str::to_owned);
    assert_eq!(text(&cases[0], "number").unwrap(), "COA-2017-000001");
    assert_eq!(text(&cases[1], "number").unwrap(), "COA-2017-000002");
    assert_eq!(
        (text(&cases[0], "stage").unwrap(), text(&cases[0], "outcome").unwrap()),
        ("closed".into(), "substantiated".into())
    );
    assert_eq!(
        text(&cases[0], "closed_at").unwrap(),
        "2018-01-01T05:00:00+00:00",
        "midnight in Port-au-Prince"
    );
    assert_eq!(
        (text(&cases[1], "stage").unwrap(), text(&cases[1], "category").unwrap()),
        ("assessment".into(), "unclassified".into()),
        "a placeholder is no fact"
    );

    let complaints = desk
        .app
        .rows("select * from complaints join submissions on id = complaint_id order by external_ref")
        .await;
    let told = async |n: usize, column| {
        desk.app.opened("submissions", column, complaints[n]["id"].as_str().unwrap()).await.unwrap()
    };
    assert_eq!(told(0, "narrative").await, "He said \"no\".\nThen he left.");
    assert_eq!(told(1, "narrative").await, "", "nobody's words are made up");
    assert_eq!(complaints[0]["incident_from"], "2017-02-01");
    assert_eq!(
        (&complaints[0]["incident_precision"], &complaints[1]["incident_precision"]),
        (&"month".into(), &"unknown".into())
    );
    assert_eq!(complaints[0]["access_code_digest"], Value::Null);
    let said: Value = serde_json::from_str(&told(0, "particulars").await).unwrap();
    assert_eq!(said["source"]["flags"][0], "borough_conflicts_precinct");
    assert_eq!(said["incident"]["place"], "Gate 4, harbour");

    let allegations = desk
        .app
        .rows("select type, told_sealed is not null as told from allegations order by position")
        .await;
    assert_eq!(
        (&allegations[0]["type"], &allegations[1]["type"]),
        (&Value::Null, &"physical_assault".into())
    );
    assert_eq!(allegations[0]["told"], true, "the source's own word for it");

    assert_eq!(
        desk.app
            .count("select from audit_entries where action in ('complaint.imported', 'case.imported')")
            .await,
        4
    );
    assert_eq!(
        desk.app.count("select from audit_entries where actor_kind = 'system' and actor = 'import'").await,
        5 + 3
    );
    assert!(
        desk.app.count("select from deadlines where due_at > '2026-03-02'").await > 0,
        "what is open has a clock, from today"
    );
    assert_eq!(
        desk.app
            .count("select from deadlines d join cases c on c.id = d.case_id where c.stage = 'closed'")
            .await,
        0
    );

    let triage = desk.app.signed_in(Role::TriageOfficer).await;
    let read =
        triage.get(&format!("/v1/complaints/{}", complaints[0]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read["particulars"]["source"]["reference"], "OLD-1");
}

#[actix_web::test]
async fn a_second_import_stores_nothing_and_a_changed_row_is_refused() {
    let desk =
        Desk::with(clean(10)).await.alleging(&format!("{ALLEGED}\nOLD-3,1,,Insult,minor_misconduct,\n"));
    assert_eq!(desk.import().await.complaints, counts(10, 10, 0, 0));
    let stored = desk.stored().await;
    let again = desk.import().await;
    assert_eq!((again.complaints, again.allegations), (counts(10, 0, 10, 0), counts(1, 0, 1, 0)));
    assert_eq!(desk.stored().await, stored);

    std::fs::write(&desk.options.complaints, clean(10).replace("Said 4.", "Said otherwise.")).unwrap();
    std::fs::write(
        desk.options.allegations.as_ref().unwrap(),
        format!("{ALLEGED}\nOLD-3,1,,Blow,minor_misconduct,\nOLD-99,1,,Blow,minor_misconduct,\n"),
    )
    .unwrap();
    let changed = desk.import().await;
    assert_eq!((changed.complaints, changed.allegations), (counts(10, 0, 9, 1), counts(2, 0, 0, 2)));
    assert_eq!(desk.stored().await, stored);
    assert_eq!(desk.rejects()[0][3], "OLD-4");
}

#[actix_web::test]
async fn a_stopped_import_goes_on_where_it_was_and_numbers_have_no_gap() {
    let desk = Desk::with(clean(20)).await;
    desk.options.stop.store(true, Ordering::Relaxed);
    let first = desk.import().await;
    assert_eq!(
        (first.complaints, &first.ended),
        (counts(3, 3, 0, 0), &Ended::Stopped),
        "the batch in hand is finished"
    );
    desk.options.stop.store(false, Ordering::Relaxed);
    assert_eq!(desk.import().await.complaints, counts(20, 17, 3, 0));
    let numbers = desk.app.rows("select number from cases order by number").await;
    for (row, n) in numbers.iter().zip(1..) {
        assert_eq!(row["number"], format!("COA-2017-{n:06}"));
    }
    assert_eq!(desk.app.rows("select last from case_numbers").await[0]["last"], 20);
}

#[actix_web::test]
async fn an_import_that_is_dropped_in_the_middle_loses_and_doubles_nothing() {
    let desk = Desk::with(clean(200)).await;
    for millis in [1, 3, 7, 15, 30] {
        let time = std::time::Duration::from_millis(millis);
        let _ = tokio::time::timeout(time, run(&desk.app.temwen, &desk.options, &mut Progress::Silent)).await;
    }
    assert_eq!(desk.import().await.complaints.rows, 200);
    let [complaints, submissions, cases, ..] = desk.stored().await;
    assert_eq!((complaints, submissions, cases), (200, 200, 200));
    assert_eq!(desk.app.rows("select last from case_numbers").await[0]["last"], 200);
    assert_eq!(
        desk.app
            .count("select from audit_entries where action not like 'import.%' and actor <> 'vault'")
            .await,
        400
    );
}

#[actix_web::test]
async fn two_imports_of_the_same_file_at_once_store_it_once() {
    let desk = Desk::with(clean(60)).await;
    let other = Options { rejects: desk.dir.path().join("other.csv"), ..desk.options.clone() };
    let (mut silent, mut quiet) = (Progress::Silent, Progress::Silent);
    let (one, two) = tokio::join!(
        run(&desk.app.temwen, &desk.options, &mut silent),
        run(&desk.app.temwen, &other, &mut quiet)
    );
    let (one, two) = (one.unwrap().complaints, two.unwrap().complaints);
    assert_eq!((one.stored + two.stored, one.there + two.there, one.refused + two.refused), (60, 60, 0));
    assert_eq!(desk.app.rows("select last from case_numbers").await[0]["last"], 60);
}

#[actix_web::test]
async fn a_dry_run_tells_what_would_be_and_stores_nothing() {
    let doubled = clean(8) + &clean(8).split_once('\n').unwrap().1.replace("Said 7.", "Said otherwise.");
    let mut desk = Desk::with(doubled).await.alleging(&format!("{ALLEGED}\nOLD-3,1,,Insult,minor_misconduct,\nOLD-3,1,,Insult,minor_misconduct,\nOLD-9,1,,Insult,minor_misconduct,\n"));
    desk.options.dry_run = true;
    let dry = desk.import().await;
    assert_eq!(desk.stored().await, [0; 6]);
    desk.options.dry_run = false;
    let real = desk.import().await;
    assert_eq!(
        (dry.complaints, dry.allegations),
        (real.complaints, real.allegations),
        "a dry run tells the truth"
    );
    assert_eq!((real.complaints, real.allegations), (counts(16, 8, 7, 1), counts(3, 1, 1, 1)));
}

#[actix_web::test]
async fn what_cannot_be_a_fact_is_refused_with_every_fault_of_the_row() {
    let rows = [
        ("X,Y3019,minor_misconduct,,3019-03-09,,,,,,", "received_at"),
        ("X,FUTURE,minor_misconduct,,2017-03-09,3019-01-01,,,,,", "incident_date"),
        ("X,CLOSED,minor_misconduct,,2017-03-09,,2031-01-01,,,,", "closed_at"),
        ("X,M15,minor_misconduct,,2017-03-09,2015-15,,,,,", "incident_date"),
        ("X,D30,minor_misconduct,,2017-02-30,,,,,,", "received_at"),
        ("X,Y17,minor_misconduct,,0017-03-09,,,,,,", "received_at"),
        ("X,HUGE,minor_misconduct,,99999999999999999999-01-01,,,,,,", "received_at"),
        ("X,NEGATIVE,minor_misconduct,,-2017-01-01,,,,,,", "received_at"),
        // Every column one to the right, and one to the left.
        ("X,,SHIFTED,minor_misconduct,,2017-03-09,,,,,", "complaint_ref; received_at; category"),
        ("SHIFTED,minor_misconduct,,2017-03-09,,,,,,,", "received_at"),
        ("X,WORD,terrible_misconduct,,2017-03-09,,,,,,", "category"),
        ("X,SCOPE,out_of_scope,,2017-03-09,,,,,,", "category"),
        (
            "X,ALL,terrible,,yesterday,tomorrow,soon,,Not So Good,,",
            "received_at; closed_at; incident_date; category; outcome",
        ),
        ("X,SHORT,minor_misconduct,,2017-03-09", "row"),
        ("X,LONG,minor_misconduct,,2017-03-09,,,,,,,,,,", "row"),
        ("X,BELL\u{7},minor_misconduct,,2017-03-09,,,,,,", "complaint_ref"),
        (",,,,,,,,,,", "complaint_ref; received_at"),
        ("X,NUL,minor_misconduct,,2017-03-09,,,,,a\0b,", "narrative"),
    ];
    let all: Vec<&str> = rows.iter().map(|(row, _)| *row).collect();
    let desk = Desk::with(csv(&all)).await;
    let summary = desk.import().await;
    assert_eq!(summary.complaints, counts(18, 0, 0, 18));
    for ((row, fields), [line, found, reason, _, raw]) in rows.iter().zip(desk.rejects()) {
        assert_eq!(&found, fields, "{row}: {reason}");
        assert!(!line.is_empty() && serde_json::from_str::<Value>(&raw).is_ok());
    }
    assert_eq!(desk.rejects()[4][0], "6", "the line in the file");
    assert_eq!(desk.stored().await, [0; 6]);
}

#[actix_web::test]
async fn what_contradicts_itself_is_kept_as_the_source_has_it_and_marked() {
    let desk = Desk::with(csv(&[
        "X,A,minor_misconduct,,2017-03-09,2017-04-01,2016-01-01,,,,",
        "X,B,minor_misconduct,,2017-03-09,2017,2017-03-09,,,,",
    ]))
    .await;
    assert_eq!(desk.import().await.complaints, counts(2, 2, 0, 0));
    let mut said = desk.particulars().await;
    said.sort_by_key(|particulars| !particulars.contains("\"A\""));
    assert!(said[0].contains(r#"["incident_after_received","closed_before_received"]"#));
    assert!(said[1].contains(r#""flags":[]"#));
}

#[actix_web::test]
async fn a_grave_allegation_raises_its_matter() {
    let desk = Desk::with(clean(2))
        .await
        .alleging(&format!("{ALLEGED}\nOLD-1,1,,sex_with_child,sexual_exploitation_abuse,\n"));
    desk.import().await;
    let raised = "category = 'sexual_exploitation_abuse' and child and owner_role = 'psea_coordinator' and external_ref = 'OLD-1'";
    assert_eq!(desk.app.count(&format!("select from cases where {raised}")).await, 1);
    assert_eq!(desk.app.count(&format!("select from complaints where {raised}")).await, 1);
    assert_eq!(desk.app.count("select from audit_entries where action = 'case.classified'").await, 1);
}

#[actix_web::test]
async fn hostile_files_stop_nothing_but_themselves() {
    let good = |n: u32, said: &str| format!("X,G{n},minor_misconduct,,2017-03-09,,,,,{said},\n");
    let mut file = Vec::from(b"\xEF\xBB\xBF".as_slice());
    file.extend(HEADER.as_bytes());
    file.extend(b"\r\n\r\n\n");
    file.extend(good(1, "\"=HYPERLINK(\"\"http://x\"\")\"").as_bytes());
    file.extend(b"X,LATIN,minor_misconduct,,2017-03-09,,,,,\xE9t\xE9,\r\n");
    file.extend(good(2, &"x".repeat(5 * 1024 * 1024)).as_bytes());
    file.extend(good(3, &"y".repeat(65_537)).as_bytes());
    file.extend(good(4, &"z".repeat(65_536)).replace('\n', "\r\n").as_bytes());
    file.extend(",".repeat(5000).as_bytes());
    file.extend(b"\n");
    file.extend(good(5, "\u{202E}=cmd|' /C calc'!A0").as_bytes());
    file.extend(b"X,OPEN,minor_misconduct,,2017-03-09,,,,,\"never closed,\n");
    file.extend(good(6, "").as_bytes());
    let desk = Desk::with(file).await;
    let summary = desk.import().await;
    let rejects: Vec<_> = desk.rejects().into_iter().map(|[line, _, reason, ..]| (line, reason)).collect();
    assert_eq!(summary.complaints, counts(8, 3, 0, 5), "{rejects:?}");
    let lines: Vec<&str> = rejects.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, ["5", "6", "7", "9", "11"]);
    for ((_, reason), word) in rejects.iter().zip(["UTF-8", "1 MiB", "65536", "1024 fields", "never closed"])
    {
        assert!(reason.contains(word), "{reason}");
    }
    let mut said = Vec::new();
    for row in desk.app.rows("select complaint_id as id from submissions").await {
        said.push(desk.app.opened("submissions", "narrative", row["id"].as_str().unwrap()).await.unwrap());
    }
    assert!(said.iter().any(|text| text == "=HYPERLINK(\"http://x\")"), "kept as it is: {:?}", said[0]);
}

#[actix_web::test]
async fn a_file_that_is_no_such_file_is_refused_in_a_sentence() {
    let mut desk = Desk::with("").await;
    assert_eq!(
        desk.refused().await,
        "complaints.csv is empty: it has not even a line with the names of its columns"
    );
    for (file, sentence) in [
        (
            b"complaint_ref,source\n".to_vec(),
            "complaints.csv has no column `received_at`; it has `complaint_ref`, `source`",
        ),
        (
            b"complaint_ref,received_at,complaint_ref\n".to_vec(),
            "complaints.csv has two columns that are called `complaint_ref`",
        ),
        (b"\xFF\xFEc\0o\0".to_vec(), "complaints.csv is UTF-16; save it as CSV in UTF-8"),
        (
            b"complaint_ref,re\xE7u\n".to_vec(),
            "complaints.csv has a first line that is not UTF-8: save the file as CSV in UTF-8",
        ),
    ] {
        std::fs::write(&desk.options.complaints, file).unwrap();
        assert_eq!(desk.refused().await, sentence);
    }
    let written = desk.options.rejects.clone();
    std::fs::write(&desk.options.complaints, clean(1)).unwrap();
    desk.options.rejects.clone_from(&desk.options.complaints);
    assert!(desk.refused().await.ends_with("cannot be both read and written"));
    assert_eq!(std::fs::read_to_string(&desk.options.complaints).unwrap(), clean(1));
    desk.options.rejects = written;
    desk.options.complaints = desk.dir.path().join("nowhere.csv");
    assert!(desk.refused().await.contains("nowhere.csv cannot be read (No such file"));
    assert_eq!(desk.stored().await, [0; 6]);
}

#[actix_web::test]
async fn a_packed_file_that_breaks_off_gives_what_it_has_and_says_so() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(clean(2000).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let desk = Desk::with(&packed[..packed.len() / 2])
        .await
        .alleging(&format!("{ALLEGED}\nOLD-1999,1,,Insult,minor_misconduct,\n"));
    let broken = desk.import().await;
    assert!(
        matches!(&broken.ended, Ended::BrokeOff(why) if why.starts_with("complaints.csv breaks off in line")),
        "{broken:?}"
    );
    assert!(broken.complaints.stored > 100 && broken.complaints.refused == 0);
    assert_eq!(broken.allegations.rows, 0, "whose complaint is in the lost part is not known");
    std::fs::write(&desk.options.complaints, &packed).unwrap();
    let whole = desk.import().await;
    assert_eq!((whole.complaints.stored + broken.complaints.stored, whole.allegations.stored), (2000, 1));
}

#[actix_web::test]
async fn an_offices_own_list_is_read_through_a_mapping() {
    let file = "\u{FEFF}No;Reçu le;Date des faits;Clos le;Catégorie;Voie;Langue;Département;Lieu;Résultat;Récit\r\n\
        17;31/05/2024 14:00;30/05/2024;-;Grave;Ligne verte;Kreyòl;Ouest;Pòtay;Fondée;\"Yo frape l; li tonbe.\"\r\n\
        18;1/6/2024;inconnu;02/06/2024;Mineure;Téléphone;Français;;;Non fondée;Il m'a insulté.\r\n\
        19;06/31/2024;;;Autre;;;Paris;;;\r\n";
    let desk = Desk::with(file).await.mapped(include_str!("../../docs/import-example.toml"));
    assert_eq!(desk.import().await.complaints, counts(3, 2, 0, 1));
    let rows = desk.app.rows("select * from complaints order by external_ref").await;
    assert_eq!(rows[0]["external_ref"], "PAP-17");
    assert_eq!(rows[0]["received_at"], "2024-05-31T18:00:00+00:00");
    assert_eq!((&rows[0]["channel"], &rows[1]["channel"]), (&"hotline".into(), &"partner_referral".into()));
    assert_eq!((&rows[0]["department"], &rows[0]["language"]), (&"HT-OU".into(), &"ht".into()));
    assert_eq!(
        desk.app.count("select from cases where outcome = 'unsubstantiated' and stage = 'closed'").await,
        1
    );
    assert_eq!(desk.rejects()[0][1], "Reçu le; Catégorie; Département", "in the file's own words");
}

/// The directory of the real files, which lie beside the checkout. Whoever has none is told; a build server must have them.
fn real() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(std::env::var_os("CI").is_none(), "the real files are missing: {}", dir.display());
    // The test's own output is the place to say so.
    std::io::stderr()
        .write_all(b"skipped: the real files are not beside this checkout (../shared/data)\n")
        .unwrap();
    None
}

#[actix_web::test]
async fn the_genuine_bad_rows_are_stored_with_what_they_honestly_say() {
    let Some(dir) = real() else { return };
    let mut columns =
        ["complaint_id", "incident_date", "received_at", "closed_at", "borough", "precinct", "disposition"];
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(columns).unwrap();
    let mut partial = 0;
    let mut why = std::collections::BTreeMap::new();
    for row in csv::Reader::from_path(dir.join("bad_rows.csv")).unwrap().into_records() {
        let row = row.unwrap();
        let raw: Value = serde_json::from_str(&row[3]).unwrap();
        partial += u64::from(raw["incident_date"].as_str().unwrap().contains('_'));
        *why.entry(row[2].to_owned()).or_insert(0) += 1;
        file.write_record(columns.map(|column| raw[column].as_str().unwrap())).unwrap();
    }
    columns.sort_unstable();
    let mapping = "timezone = \"America/New_York\"\n[complaints]\nprefix = \"NYC-\"\n\
        date_formats = [\"%m/%d/%Y %H:%M\", \"%m/%d/%Y\"]\n[complaints.constants]\nsource = \"NYC\"\n\
        [complaints.columns]\ncomplaint_ref = \"complaint_id\"\nreceived_at = \"received_at\"\nincident_date = \"incident_date\"\n\
        closed_at = \"closed_at\"\nlocation = \"borough\"\nlocation_code = \"precinct\"\ndisposition = \"disposition\"\n";
    let mut desk = Desk::with(file.into_inner().unwrap()).await.mapped(mapping);
    desk.options.batch = 200;
    let summary = desk.import().await;
    assert_eq!(summary.complaints.rows, 473);
    let rejects = desk.rejects();
    let stored = desk.app.count("select from complaints where incident_precision in ('year', 'month')").await;
    let refused = rejects.iter().filter(|row| row[1] == "incident_date").count();
    assert_eq!(u64::try_from(stored).unwrap() + refused as u64, partial, "{why:?}");
    assert_eq!(rejects.len(), refused, "nothing else is wrong with them: {rejects:?}");
    let marked = |particulars: &&String| particulars.contains("incident_after_received");
    assert_eq!(desk.particulars().await.iter().filter(marked).count(), 3);
    assert_eq!(
        desk.app.count("select from complaints where incident_from > now() or received_at > now()").await,
        0
    );
    let read = desk
        .app
        .rows("select incident_from, received_at from complaints where external_ref = 'NYC-201706891'")
        .await;
    assert_eq!(
        (&read[0]["incident_from"], &read[0]["received_at"]),
        (&"2017-01-01".into(), &"2017-08-22T14:46:00+00:00".into())
    );
}

#[actix_web::test]
async fn the_real_files_are_imported_whole_and_once() {
    let Some(dir) = real() else { return };
    let mut desk = Desk::with("").await;
    desk.options.complaints = dir.join("complaints.csv.gz");
    desk.options.allegations = Some(dir.join("allegations.csv.gz"));
    desk.options.batch = 500;
    desk.app.wait(TimeDelta::zero());
    let first = desk.import().await;
    assert_eq!((first.complaints.rows, first.allegations.rows), (32_237, 14_340));
    assert_eq!(
        (first.complaints, first.allegations),
        (counts(32_237, 32_236, 0, 1), counts(14_340, 14_340, 0, 0))
    );
    assert_eq!(desk.rejects()[0][3], "NYC-201704384", "its month is the 15th");
    let [complaints, submissions, cases, allegations, entries, _] = desk.stored().await;
    assert_eq!((complaints, submissions, cases, allegations), (32_236, 32_236, 32_236, 14_340));
    assert!(entries > 64_472);
    let unrecorded = "select from cases c where not exists (select from audit_entries a where a.object_id = c.id and a.action = 'case.imported')";
    assert_eq!(desk.app.count(unrecorded).await, 0);
    let gaps = "select from (select substr(number, 5, 4) as year, count(*), max(substr(number, 10)::int) as last from cases group by 1) n where count <> last";
    assert_eq!(desk.app.count(gaps).await, 0, "numbers without gaps");
    assert_eq!(
        desk.app.count("select from cases where category = 'unclassified'").await,
        25_062,
        "placeholders are no facts"
    );

    let second = desk.import().await;
    assert_eq!(
        (second.complaints, second.allegations),
        (counts(32_237, 0, 32_236, 1), counts(14_340, 0, 14_340, 0))
    );
}

#[actix_web::test]
async fn p2_hundreds_of_allegations_of_one_case_are_all_on_record() {
    let rows: Vec<String> =
        (1..=450).map(|n| format!("OLD-1,{n},,sex_with_child,sexual_exploitation_abuse,\n")).collect();
    let desk = Desk::with(clean(2)).await.alleging(&format!("{ALLEGED}\n{}", rows.concat()));
    assert_eq!(desk.import().await.allegations.stored, 450);
    desk.app.sequence().await;
    assert_eq!(desk.app.count("select from log_states where kind = 'allegations'").await, 450);
    assert_eq!(desk.app.count("select from audit_entries where action = 'log.finding'").await, 0);
    // The complaint that was raised with its case stands in an entry of its own matter.
    let strays = "select from audit_entries e, unnest(changes) as line where line like 'complaints %'
        and not exists (select from complaints c where c.id::text = split_part(line, ' ', 2) and c.matter_id = e.matter_id)";
    assert_eq!(desk.app.count(strays).await, 0);
}

#[actix_web::test]
async fn p4_whom_another_register_accuses_under_a_number_is_called_by_a_pseudonym() {
    let first = format!(
        "{ALLEGED}\nOLD-3,1,NUM-77,Insult,minor_misconduct,\nOLD-3,2,NUM-77,Blow,minor_misconduct,\nOLD-3,3,NUM-78,Blow,minor_misconduct,\nOLD-4,1,NUM-77,Blow,minor_misconduct,\nOLD-5,1,,Blow,minor_misconduct,\n"
    );
    let desk = Desk::with(clean(6)).await.alleging(&first);
    desk.import().await;
    assert_eq!(
        desk.app.count("select from parties").await,
        3,
        "the same number in the same case is one person"
    );
    // What comes in a later batch, or in a later run, is about the same persons.
    std::fs::write(
        desk.options.allegations.as_ref().unwrap(),
        format!(
            "{ALLEGED}\nOLD-3,4,NUM-77,Theft,minor_misconduct,\nOLD-3,5,NUM-79,Theft,minor_misconduct,\n"
        ),
    )
    .unwrap();
    desk.import().await;
    assert_eq!(desk.app.count("select from parties").await, 4);
    assert_eq!(desk.app.count("select from party_identities").await, 4);

    let triage = desk.app.signed_in(Role::TriageOfficer).await;
    let cases = desk.app.rows("select id from cases where external_ref = 'OLD-3'").await;
    let case = cases[0]["id"].as_str().unwrap();
    let file = triage.get(&format!("/v1/cases/{case}")).await.expect(200);
    assert!(!file.to_string().contains("NUM-"), "{file}");
    let subjects: Vec<&str> = file["allegations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["subject"].as_str().unwrap())
        .collect();
    let [one, again, two, still, three] = subjects[..] else { panic!("{subjects:?}") };
    assert!(one == again && one == still && one != two && two != three, "{subjects:?}");
    let path = format!("/v1/cases/{case}/parties/{one}/reveal");
    let body = serde_json::json!({"purpose": "investigate", "reason": "To know whom to hear."});
    assert_eq!(triage.post(&path, body).await.expect(200)["identity"]["service_number"], "NUM-77");
}

#[actix_web::test]
async fn p3_whom_an_imported_allegation_accuses_does_not_see_the_case() {
    let desk =
        Desk::with(clean(6)).await.alleging(&format!("{ALLEGED}\nOLD-3,1,NUM-77,Blow,minor_misconduct,\n"));
    let keeper = desk.app.signed_in(Role::Administrator).await;
    let (named, monitor) =
        (desk.app.signed_in(Role::TriageOfficer).await, desk.app.signed_in(Role::OhchrMonitor).await);
    let person = serde_json::json!({"name": "John Sample", "service_number": "num 77", "user_id": named.id});
    keeper.post("/v1/personnel", person).await.expect(201);
    desk.import().await;
    let case = |number: usize| format!("select id from cases where external_ref = 'OLD-{number}'");
    let path = |rows: Vec<serde_json::Value>| format!("/v1/cases/{}", rows[0]["id"].as_str().unwrap());
    let (accused, other) = (path(desk.app.rows(&case(3)).await), path(desk.app.rows(&case(4)).await));
    named.get(&accused).await.expect(404);
    named.get(&other).await.expect(200);
    monitor.get(&accused).await.expect(200);
    assert_eq!(desk.app.count("select from walls where kind = 'automatic'").await, 1);
}
