use chrono::TimeZone as _;

use super::*;

fn moment(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 14, 0, second).unwrap()
}

fn said(second: u32, purpose: &str, answer: Answer) -> Said {
    Said {
        id: Uuid::now_v7(),
        purpose: purpose.to_owned(),
        recipient: None,
        answer,
        given_by: GivenBy::Myself,
        assent: None,
        recorded_by: None,
        at: moment(second),
    }
}

fn asker(role: Role, relation: &Relation) -> Asker {
    Asker { user: UserId::new(), roles: [role].into_iter().collect(), relation: relation.clone() }
}

fn judged(role: Role, relation: &Relation, whose: PartyRole, said: &[Said], purpose: Purpose) -> Verdict {
    judge(&asker(role, relation), &Whose { role: whose, child: false, said }, purpose)
}

fn relations() -> Vec<Relation> {
    let mut all = Vec::new();
    for bits in 0..8_u8 {
        let (assigned, own, psea) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
        all.push(Relation { assigned, own, psea, country: Some("KE".to_owned()), ..Relation::default() });
    }
    all
}

const ALL_PURPOSES: [&str; 5] = [
    "investigate",
    "share_with_state",
    "share_with_ohchr",
    "share_with_service_provider",
    "contact_by_phone",
];

#[test]
fn p4_who_works_on_no_matter_learns_of_nobody_whatever_was_agreed() {
    let yes: Vec<Said> = ALL_PURPOSES.iter().map(|purpose| said(0, purpose, Answer::Yes)).collect();
    for role in [
        Role::PanelMember,
        Role::Commander,
        Role::Auditor,
        Role::StatisticsOfficer,
        Role::Administrator,
        Role::Integration,
    ] {
        for relation in relations() {
            for &whose in PartyRole::ALL {
                for &purpose in Purpose::ALL {
                    assert_eq!(
                        judged(role, &relation, whose, &yes, purpose),
                        Verdict::Never,
                        "{role:?} {purpose:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn p4_without_consent_only_those_who_took_it_in_or_answer_for_the_lane_read_a_victim() {
    for relation in relations() {
        for &role in Role::ALL {
            for &purpose in Purpose::ALL {
                let verdict = judged(role, &relation, Victim, &[], purpose);
                let expected = match (purpose, role) {
                    (Purpose::Record, Role::FocalPoint | Role::IntakeOfficer) => relation.own,
                    (Purpose::Record, Role::TriageOfficer) => !relation.psea,
                    (Purpose::Record, Role::PseaCoordinator) => relation.psea,
                    (
                        Purpose::ImminentDanger | Purpose::LegalOrder,
                        Role::PseaCoordinator | Role::OhchrMonitor,
                    ) => true,
                    (Purpose::ImminentDanger | Purpose::LegalOrder, Role::TriageOfficer) => !relation.psea,
                    _ => false,
                };
                assert_eq!(
                    matches!(verdict, Verdict::Told(_)),
                    expected,
                    "{role:?} {purpose:?} {relation:?}"
                );
            }
        }
    }
}

#[test]
fn p4_what_was_refused_or_taken_back_is_no_whatever_came_before() {
    for against in [Answer::No, Answer::Withdrawn] {
        let words: Vec<Said> = ALL_PURPOSES
            .iter()
            .flat_map(|purpose| [said(0, purpose, Answer::Yes), said(1, purpose, against)])
            .collect();
        for relation in relations() {
            for &role in Role::ALL {
                for &purpose in Purpose::ALL {
                    let verdict = judged(role, &relation, Victim, &words, purpose);
                    let second = matches!(verdict, Verdict::Second { .. } | Verdict::Told(Basis::Consent));
                    assert!(!second, "{role:?} {purpose:?} {verdict:?}");
                }
            }
        }
        let again = [said(0, "investigate", against), said(1, "investigate", Answer::Yes)];
        let relation = Relation { assigned: true, ..Relation::default() };
        let verdict = judged(Role::Investigator, &relation, Victim, &again, Purpose::Investigate);
        assert_eq!(verdict, Verdict::Told(Basis::Consent));
    }
}

#[test]
fn p4_each_role_needs_the_consent_for_its_own_purpose() {
    let assigned =
        Relation { assigned: true, psea: true, country: Some("KE".to_owned()), ..Relation::default() };
    for (role, purpose, needed) in [
        (Role::Investigator, Purpose::Investigate, vec!["investigate"]),
        (Role::OhchrMonitor, Purpose::Investigate, vec!["investigate", "share_with_ohchr"]),
        (Role::PseaCoordinator, Purpose::Investigate, vec!["investigate"]),
        (Role::LegalLiaison, Purpose::ShareWithState, vec!["share_with_state"]),
        (Role::NationalAuthority, Purpose::ShareWithState, vec!["share_with_state"]),
        (Role::OhchrMonitor, Purpose::ShareWithOhchr, vec!["share_with_ohchr"]),
        (Role::VictimSupport, Purpose::ShareWithServiceProvider, vec!["share_with_service_provider"]),
        (Role::VictimSupport, Purpose::ContactByPhone, vec!["contact_by_phone"]),
        (Role::OhchrMonitor, Purpose::ContactByPhone, vec!["contact_by_phone", "share_with_ohchr"]),
    ] {
        for held in 0..(1_u8 << ALL_PURPOSES.len()) {
            let words: Vec<Said> = ALL_PURPOSES
                .iter()
                .enumerate()
                .filter(|(bit, _)| held & (1 << bit) > 0)
                .map(|(_, purpose)| said(0, purpose, Answer::Yes))
                .collect();
            let missing: Vec<&str> =
                needed.iter().copied().filter(|one| !words.iter().any(|word| word.purpose == *one)).collect();
            let expected = if missing.is_empty() {
                Verdict::Told(Basis::Consent)
            } else {
                Verdict::Second { missing, lack: Lack::Absent }
            };
            assert_eq!(judged(role, &assigned, Victim, &words, purpose), expected, "{role:?} {purpose:?}");
        }
    }
}

#[test]
fn p4_a_childs_yes_takes_its_caregiver_or_a_decision_on_what_is_best() {
    let relation = Relation { assigned: true, psea: true, ..Relation::default() };
    let asker = asker(Role::Investigator, &relation);
    for (given_by, assent, child, counts) in [
        (GivenBy::Myself, None, false, true),
        (GivenBy::Myself, None, true, false),
        (GivenBy::Myself, Some(true), true, false),
        (GivenBy::Caregiver, None, true, false),
        (GivenBy::Caregiver, Some(false), true, false),
        (GivenBy::Caregiver, Some(true), true, true),
        (GivenBy::Caregiver, Some(true), false, false),
        (GivenBy::BestInterests, None, true, true),
        (GivenBy::BestInterests, None, false, false),
        (GivenBy::BestInterests, Some(false), true, true),
    ] {
        let words = [Said { given_by, assent, ..said(0, "investigate", Answer::Yes) }];
        let verdict = judge(&asker, &Whose { role: Victim, child, said: &words }, Purpose::Investigate);
        assert_eq!(verdict == Verdict::Told(Basis::Consent), counts, "{given_by:?} {assent:?} {child}");
        // Whoever says no says it for themself, at whatever age.
        let no = [words[0].clone(), Said { given_by: GivenBy::Myself, ..said(1, "investigate", Answer::No) }];
        let verdict = judge(&asker, &Whose { role: Victim, child, said: &no }, Purpose::Investigate);
        assert_eq!(verdict, Verdict::Refused);
    }
}

#[test]
fn p4_a_yes_for_one_is_no_yes_for_another() {
    let relation =
        |country: &str| Relation { assigned: true, country: Some(country.to_owned()), ..Relation::default() };
    let ask = |role, country: &str, recipient: &str| {
        let words =
            [Said { recipient: Some(recipient.to_owned()), ..said(0, "share_with_state", Answer::Yes) }];
        judged(role, &relation(country), Victim, &words, Purpose::ShareWithState)
            == Verdict::Told(Basis::Consent)
    };
    for role in [Role::NationalAuthority, Role::LegalLiaison] {
        assert!(
            ask(role, "KE", "KE") && ask(role, "KE", "contributing_state") && ask(role, "KE", role.as_str())
        );
        assert!(!ask(role, "JM", "KE") && !ask(role, "KE", "ohchr"));
    }
}

#[test]
fn p4_a_yes_that_somebody_wrote_down_themself_opens_nothing_to_them_alone() {
    let relation = Relation { assigned: true, ..Relation::default() };
    let asker = asker(Role::Investigator, &relation);
    let mut words = vec![Said { recorded_by: Some(asker.user), ..said(0, "investigate", Answer::Yes) }];
    let judge = |words: &[Said]| {
        judge(&asker, &Whose { role: Victim, child: false, said: words }, Purpose::Investigate)
    };
    assert_eq!(judge(&words), Verdict::Second { missing: vec!["investigate"], lack: Lack::Absent });
    words.push(Said { recorded_by: Some(UserId::new()), ..said(1, "investigate", Answer::Yes) });
    assert_eq!(judge(&words), Verdict::Told(Basis::Consent));
    words.push(Said { recorded_by: Some(asker.user), ..said(2, "investigate", Answer::No) });
    let second = Verdict::Second { missing: vec!["investigate"], lack: Lack::Refused };
    assert_eq!(
        judge(&words),
        second,
        "a no counts, whoever wrote it down; one officer's is for a second to judge"
    );
}

#[test]
fn p4_after_a_no_only_the_person_opens_it_again() {
    let relation = Relation { assigned: true, ..Relation::default() };
    let asker = asker(Role::Investigator, &relation);
    let officer = Some(UserId::new());
    let judge = |words: &[Said]| {
        judge(&asker, &Whose { role: Victim, child: false, said: words }, Purpose::Investigate)
    };
    for against in [Answer::No, Answer::Withdrawn] {
        let own = said(1, "investigate", against);
        let written = Said { recorded_by: officer, ..own.clone() };
        let later = Said { recorded_by: officer, ..said(2, "investigate", Answer::Yes) };
        let second = Verdict::Second { missing: vec!["investigate"], lack: Lack::Refused };
        assert_eq!(judge(&[own.clone(), later.clone()]), Verdict::Refused);
        assert_eq!(judge(&[own.clone(), written.clone(), later.clone()]), Verdict::Refused);
        assert_eq!(judge(&[written.clone(), later.clone()]), second);
        let themself = said(3, "investigate", Answer::Yes);
        for before in [vec![own], vec![written.clone()], vec![written, later]] {
            let words: Vec<Said> = before.into_iter().chain([themself.clone()]).collect();
            assert_eq!(judge(&words), Verdict::Told(Basis::Consent));
        }
    }
}

#[test]
fn p4_what_the_thread_says_opens_nothing_to_whoever_handed_the_complaint_in() {
    let relation = Relation { own: true, handed_in: true, ..Relation::default() };
    let judge = |answer, relation: &Relation| {
        let words = [said(0, "contact_by_phone", answer)];
        judged(Role::FocalPoint, relation, Victim, &words, Purpose::ContactByPhone)
    };
    let absent = Verdict::Second { missing: vec!["contact_by_phone"], lack: Lack::Absent };
    assert_eq!(judge(Answer::Yes, &relation), absent);
    assert_eq!(judge(Answer::Conditional, &relation), absent);
    assert_eq!(judge(Answer::No, &relation), Verdict::Refused);
    let other = Relation { handed_in: false, ..relation };
    assert_eq!(judge(Answer::Yes, &other), Verdict::Told(Basis::Consent));
}

#[test]
fn p4_whoever_was_against_the_record_is_asked_for_with_a_second_officer() {
    let relation = Relation::default();
    for (answer, recorded_by, whose, expected) in [
        (Answer::Yes, None, Victim, Verdict::Told(Basis::Consent)),
        (Answer::No, None, Victim, Verdict::Second { missing: vec!["record"], lack: Lack::Refused }),
        (
            Answer::Withdrawn,
            Some(UserId::new()),
            Witness,
            Verdict::Second { missing: vec!["record"], lack: Lack::Refused },
        ),
        (Answer::No, None, Subject, Verdict::Told(Basis::Role)),
    ] {
        let words = [Said { recorded_by, ..said(0, "record", answer) }];
        assert_eq!(judged(Role::TriageOfficer, &relation, whose, &words, Purpose::Record), expected);
    }
}

#[test]
fn p4_a_condition_is_for_a_second_person_to_judge() {
    let relation = Relation { assigned: true, ..Relation::default() };
    let words = [said(0, "investigate", Answer::Conditional)];
    let verdict = judged(Role::Investigator, &relation, Victim, &words, Purpose::Investigate);
    assert_eq!(verdict, Verdict::Second { missing: vec!["investigate"], lack: Lack::Conditional });
}

#[test]
fn p4_several_roles_open_what_one_of_them_opens_and_no_more() {
    let relation = Relation { assigned: true, psea: false, ..Relation::default() };
    let both = Asker {
        user: UserId::new(),
        roles: [Role::Investigator, Role::TriageOfficer].into_iter().collect(),
        relation,
    };
    let whose = Whose { role: Victim, child: false, said: &[] };
    assert_eq!(judge(&both, &whose, Purpose::Record), Verdict::Told(Basis::Role));
    assert!(matches!(judge(&both, &whose, Purpose::Investigate), Verdict::Second { .. }));
    assert_eq!(judge(&both, &whose, Purpose::ShareWithState), Verdict::Never);
}
