//! The policy that the program carries, and what is said about a wrong one.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;

const TEXT: &str = include_str!("../../policy/haiti-coa.toml");

fn policy() -> Policy {
    match Policy::built_in() {
        Ok(policy) => policy,
        Err(flaws) => panic!("{flaws:#?}"),
    }
}

fn places(text: &str) -> Vec<String> {
    let flaws = Policy::parse(text).expect_err("the text has flaws");
    flaws.into_iter().map(|flaw| flaw.place).collect()
}

/// The rules of a matter, as `name amount unit`.
fn clocks(event: Event, category: &str, flags: &[&str], priority: &str) -> Vec<String> {
    let policy = policy();
    let rules = policy.deadline_rules(event, &Matter { category, flags, priority });
    rules.into_iter().map(|rule| format!("{} {} {:?}", rule.name, rule.amount, rule.unit)).collect()
}

const SEA: &str = "sexual_exploitation_abuse";
const SERIOUS: &str = "serious_misconduct";
const MINOR: &str = "minor_misconduct";

#[test]
fn the_carried_policy_is_whole() {
    let policy = policy();
    assert_eq!(policy.allegation_types.len(), 46);
    assert_eq!(policy.departments.len(), 10);
    assert_eq!(policy.channels.len(), 14);
    assert_eq!(policy.digest.len(), 64);
    for vocabulary in Vocabulary::ALL {
        assert!(!policy.knows(*vocabulary, "no_such_word"));
        assert!(TEXT.contains(vocabulary.section()));
    }
    assert!(policy.knows(Vocabulary::AgeBand, "60+"));
    assert!(policy.knows(Vocabulary::Department, "HT-OU"));
    assert!(policy.knows(Vocabulary::Language, "ht"));
    assert!(!policy.knows(Vocabulary::Category, "SEXUAL_EXPLOITATION_ABUSE"));
    for language in &policy.languages {
        assert!(Language::parse(&language.word).is_some(), "{}", language.word);
    }
    assert!(serde_json::to_value(&policy).unwrap().get("index").is_none());
}

#[test]
fn every_row_says_who_says_so() {
    let policy = policy();
    for rule in &policy.deadlines {
        if rule.basis_kind == sections::BasisKind::Default {
            assert!(rule.basis.contains("efault"), "{}: {}", rule.code, rule.basis);
        }
        if rule.basis_kind == sections::BasisKind::Background {
            assert!(rule.basis.contains("ackground"), "{}: {}", rule.code, rule.basis);
        }
    }
}

#[test]
fn the_gravest_allegation_gives_the_category() {
    let policy = policy();
    let highest = |types: &[&str]| policy.highest_category(types.iter().copied()).map(|c| c.word.as_str());
    assert_eq!(highest(&["curfew", "excessive_use_of_force"]), Some(SERIOUS));
    assert_eq!(highest(&["curfew", "rape", "forgery"]), Some(SEA));
    assert_eq!(highest(&["no_such_type"]), None);
    assert_eq!(policy.first_category(None, []), "unclassified");
    assert_eq!(policy.first_category(Some("no_such_category"), []), "unclassified");
    assert_eq!(policy.first_category(Some(MINOR), ["rape"]), SEA);
    assert_eq!(policy.first_category(Some(SEA), ["curfew"]), SEA);
    assert!(policy.is_lower(MINOR, SERIOUS));
    assert!(!policy.is_lower(SEA, SEA));
    assert_eq!(policy.initial_priority(), "routine");
}

#[test]
fn marks_come_from_allegations_and_ages() {
    let policy = policy();
    assert_eq!(
        policy.flags_of(["rape", "death_in_custody", "rape"]),
        ["death", "grave", "detention", "mandatory_referral"]
    );
    assert!(policy.is_child(Some("15-17"), []));
    assert!(policy.is_child(Some("unknown"), ["gang_associated_child"]));
    assert!(!policy.is_child(Some("18-24"), ["pregnant"]));
    assert!(!policy.is_child(None, []));
}

#[test]
fn a_second_officer_guards_what_is_grave() {
    let policy = policy();
    assert!(policy.needs_second_officer(SEA, []));
    assert!(policy.needs_second_officer(SERIOUS, []));
    assert!(!policy.needs_second_officer(MINOR, []));
    assert!(policy.needs_second_officer(MINOR, ["child"]));
    assert!(policy.needs_second_officer("no_such_category", []), "what nobody knows is guarded");
    assert_eq!(policy.categories_in_lane("psea").collect::<Vec<_>>(), [SEA]);
    assert_eq!(policy.flags_in_lane("psea").collect::<Vec<_>>(), ["child"]);
    assert!(policy.in_lane("psea", MINOR, ["child"]));
    assert!(!policy.in_lane("psea", SERIOUS, ["death"]));
}

#[test]
fn clocks_follow_category_marks_and_priority() {
    let started = |category, flags: &[&str]| clocks(Event::ClockStart, category, flags, "routine");
    assert_eq!(started(SEA, &[]), ["acknowledgement 7 Days", "triage_decision 2 WorkingDays"]);
    assert_eq!(started(SERIOUS, &[]), ["acknowledgement 7 Days", "triage_decision 5 WorkingDays"]);
    assert_eq!(started(SERIOUS, &["death"]), ["acknowledgement 7 Days", "triage_decision 2 WorkingDays"]);
    assert_eq!(started(MINOR, &["child"]), ["acknowledgement 7 Days", "triage_decision 2 WorkingDays"]);
    assert_eq!(started(MINOR, &[]), ["acknowledgement 7 Days", "triage_decision 10 WorkingDays"]);
    assert_eq!(started("unclassified", &[]), ["acknowledgement 7 Days", "triage_decision 5 WorkingDays"]);

    let opened = |category, priority| clocks(Event::CaseOpened, category, &[], priority);
    assert_eq!(opened(SEA, "routine"), ["investigation 90 Days", "investigation_limit 6 Months"]);
    assert_eq!(opened(SERIOUS, "routine"), ["investigation 6 Months"]);
    assert_eq!(opened(SERIOUS, "urgent"), ["investigation 3 Months"]);
    assert_eq!(opened(MINOR, "immediate"), ["investigation 60 Days"]);
    assert_eq!(clocks(Event::Acknowledged, MINOR, &[], "routine"), ["feedback 3 Months"]);
    assert_eq!(clocks(Event::Received, MINOR, &[], "routine"), Vec::<String>::new());
    assert_eq!(
        clocks(Event::Received, SEA, &["mandatory_referral"], "routine"),
        ["psea_and_ohchr_told 24 Hours", "mandatory_referral 1 EndOfNextDay", "evidence_preserved 24 Hours"]
    );
}

#[test]
fn a_missed_deadline_climbs() {
    let policy = policy();
    let words = |lanes: &'static [&str]| {
        policy.escalation_steps(lanes).map(|step| step.word.clone()).collect::<Vec<_>>()
    };
    assert_eq!(words(&[]), ["nearing", "missed", "long_missed"]);
    assert_eq!(words(&["psea"]), ["nearing", "missed", "missed_lane", "long_missed"]);
    // Four days from Monday 8 June 2026 to the end of Friday 12 June.
    let (start, due) = ("2026-06-09T04:00:00Z".parse().unwrap(), "2026-06-13T04:00:00Z".parse().unwrap());
    let moments: Vec<String> = policy
        .escalation_steps(&[])
        .map(|step| step.moment(policy.calendar(), start, due).to_rfc3339())
        .collect();
    let wanted = ["2026-06-12T04:00:00+00:00", "2026-06-13T04:00:00+00:00", "2026-06-20T04:00:00+00:00"];
    assert_eq!(moments, wanted);
}

#[test]
fn a_focal_points_word_starts_the_clock_when_it_is_plausible() {
    let policy = policy();
    let received: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
    let ago = |hours| Some(received - TimeDelta::hours(hours));
    assert_eq!(policy.clock_start("focal_point", ago(50), received), received - TimeDelta::hours(50));
    assert_eq!(policy.clock_start("focal_point", ago(720), received), received - TimeDelta::hours(720));
    assert_eq!(policy.clock_start("focal_point", ago(721), received), received);
    assert_eq!(policy.clock_start("focal_point", ago(-1), received), received);
    assert_eq!(policy.clock_start("focal_point", None, received), received);
    assert_eq!(policy.clock_start("web_form", ago(50), received), received);
    assert_eq!(policy.clock_start("no_such_channel", ago(50), received), received);
    assert_eq!(policy.clock_start("focal_point", Some(DateTime::<Utc>::MIN_UTC), received), received);
    assert!(!policy.is_in_the_future(received + TimeDelta::minutes(10), received));
    assert!(policy.is_in_the_future(received + TimeDelta::minutes(11), received));
}

#[test]
fn channels_and_closings_have_their_limits() {
    let policy = policy();
    assert!(policy.channel_is_open("web_form", Submitter::Public));
    assert!(!policy.channel_is_open("focal_point", Submitter::Public));
    assert!(policy.channel_is_open("focal_point", Submitter::Officer));
    assert!(policy.may_close("not_misconduct", SEA, true));
    assert!(!policy.may_close("withdrawn_and_no_public_interest", SEA, true));
    assert!(!policy.may_close("withdrawn_and_no_public_interest", SERIOUS, true));
    assert!(policy.may_close("resolved_informally", MINOR, false));
    assert!(!policy.may_close("determined", MINOR, true));
    assert!(!policy.may_close("no_such_reason", MINOR, false));
}

#[test]
fn records_are_kept_as_long_as_the_longest_rule_says() {
    let policy = policy();
    let kept = |category, flags: &[&str]| policy.retention_of(category, flags).map(|class| class.years);
    assert_eq!(kept(SEA, &[]), Some(25));
    assert_eq!(kept(SERIOUS, &["grave"]), Some(5));
    assert_eq!(kept(SERIOUS, &["grave", "torture"]), Some(25));
    assert_eq!(kept("out_of_scope", &[]), Some(1));
    assert_eq!(policy.threshold(ThresholdWord::SuppressBelow), 5);
    assert_eq!(policy.stage("state_notified").map(|stage| stage.told), Some(Status::PendingWithState));
}

#[test]
fn the_digest_is_of_the_files_bytes() {
    assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(policy().digest, digest(TEXT));
    assert_ne!(policy().digest, Policy::parse(&format!("{TEXT}\n# more")).unwrap().digest);
}

#[test]
fn text_that_is_not_toml_has_one_flaw() {
    assert_eq!(places("id = "), ["file"]);
    assert_eq!(places("\u{0}"), ["file"]);
    assert!(places("").len() > 30, "every section is missed");
}

#[test]
fn a_file_that_cannot_be_read_has_one_flaw() {
    assert_eq!(Policy::load(Path::new("/no/such/file")).unwrap_err().len(), 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, TEXT).unwrap();
    assert_eq!(Policy::load(&path).unwrap().digest, policy().digest);
}

#[test]
fn every_flaw_of_form_is_named_at_once() {
    let text = TEXT
        .replacen("version = \"0.1.0\"", "version = \"one\"\ncolour = \"red\"", 1)
        .replacen("timezone = \"America/Port-au-Prince\"", "timezone = \"America/Port\"", 1)
        .replacen("rank = 40", "rank = \"high\"\nshade = 1\nlane2 = \"psea\"", 1)
        .replacen("unit = \"days\"", "unit = \"fortnights\"", 1)
        .replacen("amount = 48", "amount = -48", 1)
        .replacen("starts_at = \"captured\"\namount = -48", "starts_at = \"guessed\"\namount = -48", 1)
        .replacen("told = \"merged\"", "told = \"swallowed\"", 1)
        .replacen("title = \"Female\" ", "", 1);
    let found = places(&text);
    for place in [
        "version",
        "colour",
        "timezone",
        "categories[0].rank",
        "categories[0].shade",
        "categories[0].lane2",
        "deadlines[0].unit",
        "deadlines[1].amount",
        "deadlines[1].starts_at",
        "stages[15].told",
        "sexes[0]",
    ] {
        assert!(found.iter().any(|one| one == place), "{place} is not among {found:?}");
    }
    // Nothing is blamed for lacking what stands in a row that could not be read.
    assert!(!found.iter().any(|place| place == "deadlines" || place == "categories"), "{found:?}");
    assert!(!found.iter().any(|place| place.starts_with("allegation_types")), "{found:?}");
}

#[test]
fn every_flaw_of_meaning_is_named_at_once() {
    let text = TEXT
        .replacen("word = \"sexual_assault\"", "word = \"rape\"", 1)
        .replacen("word = \"sex_with_child\"", "word = \"Sex With Child\"", 1)
        .replacen("category = \"minor_misconduct\"", "category = \"tiny_misconduct\"", 1)
        .replacen("flags = [\"child\", \"mandatory_referral\"]", "flags = [\"chidl\"]", 1)
        .replacen("oios = 2", "oios = 3", 1)
        .replacen("rank = 30", "rank = 40", 1)
        .replacen("amount = 7\n", "amount = 0\n", 1)
        .replacen("amount = 28\n", "amount = 100000\n", 1)
        .replacen("fixed = \"01-02\"", "fixed = \"13-02\"", 1)
        .replacen("easter = -2\n", "easter = -2\nfixed = \"01-03\"\n", 1)
        .replacen("code = \"D12\"", "code = \"D99\"", 1)
        .replacen("max_capture_age_hours = 720\n", "", 1)
        .replacen("p_code = \"HT05\"", "p_code = \"HT06\"", 1)
        .replacen("word = \"HT-GA\"", "word = \"Grandans\"", 1)
        .replacen("word = \"JM\"", "word = \"KE\"", 1)
        .replacen("initial = true\n", "", 1)
        .replacen("at_percent = 75", "at_percent = 175", 1)
        .replacen("lanes = [\"psea\"]", "lanes = [\"sea\"]", 1)
        .replacen("published = \"under_review\"", "published = \"unknown\"", 1)
        .replacen("value = 5\n", "value = 0\n", 1)
        .replacen("years = 25", "years = 0", 1);
    let found = places(&text);
    for place in [
        "allegation_types[1].word",
        "allegation_types[2].word",
        "allegation_types[2].flags",
        "categories[1].rank",
        "deadlines[0].amount",
        "holidays[1].fixed",
        "deadlines",
        "departments[1].p_code",
        "departments[2].word",
        "countries[1].word",
        "categories",
        "escalation[0].at_percent",
        "escalation[2].lanes",
        "stages[3].published",
        "thresholds[0].value",
        "retention[1].years",
        "channels[8].max_capture_age_hours",
    ] {
        assert!(found.iter().any(|one| one == place), "{place} is not among {found:?}");
    }
    assert!(found.iter().any(|place| place.contains("].oios")));
    assert!(found.iter().any(|place| place.ends_with("easter")));
    assert_eq!(found.iter().filter(|place| place.ends_with(".amount")).count(), 2);
    assert!(found.iter().any(|place| place.starts_with("allegation_types") && place.ends_with(".category")));
}

#[test]
fn rules_that_meet_and_gaps_between_rules_are_named() {
    let meeting = TEXT.replace(
        "amount = 5\nunit = \"working_days\"\ncategories = [\"serious_misconduct\", \"unclassified\"]",
        "amount = 5\nunit = \"working_days\"\ncategories = [\"serious_misconduct\", \"minor_misconduct\"]",
    );
    let flaws = Policy::parse(&meeting).unwrap_err();
    let said: Vec<String> = flaws.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|flaw| flaw.contains(".categories: overlap those of deadlines[")), "{said:?}");
    assert!(said.contains(&"deadlines: D5 does not cover unclassified in every case".to_owned()), "{said:?}");
}

#[test]
fn no_text_makes_it_panic() {
    // Every line left out once, and the file cut after every hundredth byte.
    let lines: Vec<&str> = TEXT.lines().collect();
    for at in (0..lines.len()).step_by(7) {
        let mut fewer = lines.clone();
        fewer.remove(at);
        let _ = Policy::parse(&fewer.join("\n"));
    }
    for end in (0..TEXT.len()).step_by(997).filter(|end| TEXT.is_char_boundary(*end)) {
        let _ = Policy::parse(&TEXT[..end]);
    }
}

#[test]
fn the_schema_shows_what_is_served_under_names_of_its_own() {
    let mut schemas = Vec::new();
    <Policy as ToSchema>::schemas(&mut schemas);
    let mut names: Vec<String> = schemas.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in &names {
        assert!(name.starts_with("Policy") || name == "ComplaintStatus", "{name}");
    }
    assert!(names.contains(&"PolicyDeadlineRule".to_owned()), "{names:?}");
    let schema = serde_json::to_string(&<Policy as utoipa::PartialSchema>::schema()).unwrap();
    assert!(schema.contains("closure_reasons") && !schema.contains("\"calendar\""), "{schema}");
}
