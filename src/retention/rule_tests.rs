use chrono::TimeZone as _;
use proptest::prelude::*;

use super::*;

fn policy() -> Policy {
    Policy::built_in().unwrap()
}

fn day(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 9, 0, 0).unwrap()
}

/// The class and the day of a matter that was over on 2026-03-02.
fn kept(category: &str, flags: &[&str], left: Option<DateTime<Utc>>) -> Option<(String, Due)> {
    let policy = policy();
    term(&policy, category, flags, day(2026, 3, 2), left).map(|term| (term.class.word.clone(), term.due))
}

#[test]
fn each_category_is_kept_as_the_policy_says() {
    let of = |word: &str, due| Some((word.to_owned(), due));
    assert_eq!(kept("out_of_scope", &[], None), of("out_of_scope", Due::At(day(2027, 3, 2))));
    assert_eq!(kept("sexual_exploitation_abuse", &[], None), of("gravest", Due::At(day(2051, 3, 2))));
    for category in ["serious_misconduct", "minor_misconduct", "unclassified"] {
        assert_eq!(kept(category, &[], None), of("standard", Due::WhenServiceEnds), "{category}");
        let left = Some(day(2028, 2, 29));
        assert_eq!(kept(category, &[], left), of("standard", Due::At(day(2033, 2, 28))), "{category}");
    }
    assert_eq!(kept("a_word_of_another_policy", &[], None), None);
}

#[test]
fn of_several_classes_the_one_that_keeps_longest_decides() {
    let left = Some(day(2026, 3, 2));
    assert_eq!(kept("minor_misconduct", &["torture"], left).unwrap().0, "death_or_torture");
    assert_eq!(kept("out_of_scope", &["death"], None).unwrap().1, Due::At(day(2051, 3, 2)));
    // Twenty-one years of service after the end: five more than that is longer than twenty-five.
    let late = kept("serious_misconduct", &["death"], Some(day(2047, 3, 2))).unwrap();
    assert_eq!(late, ("standard".to_owned(), Due::At(day(2052, 3, 2))));
    // While somebody serves, nobody knows which is the longer.
    assert_eq!(kept("serious_misconduct", &["death"], None).unwrap().1, Due::WhenServiceEnds);
}

#[test]
fn who_left_before_the_end_is_counted_from_the_end() {
    let early = kept("minor_misconduct", &[], Some(day(2020, 1, 1))).unwrap();
    assert_eq!(early.1, Due::At(day(2031, 3, 2)));
}

proptest! {
    #[test]
    fn no_mark_and_no_longer_service_ever_shortens_what_is_kept(
        category in 0_usize..5, marks in proptest::collection::vec(any::<bool>(), 3), days in 0_i64..20_000, more in 0_i64..20_000,
    ) {
        let policy = policy();
        let words: Vec<&str> = policy.categories.iter().map(|c| c.word.as_str()).collect();
        let category = words[category % words.len()];
        let all = ["death", "torture", "child"];
        let flags: Vec<&str> = all.into_iter().zip(&marks).filter(|(_, on)| **on).map(|(flag, _)| flag).collect();
        let over = day(2026, 3, 2);
        let left = over + chrono::TimeDelta::days(days);
        let plain = term(&policy, category, &[], over, Some(left)).unwrap().due;
        let marked = term(&policy, category, &flags, over, Some(left)).unwrap().due;
        let longer = term(&policy, category, &flags, over, Some(left + chrono::TimeDelta::days(more))).unwrap().due;
        prop_assert!(plain <= marked && marked <= longer && longer <= Due::WhenServiceEnds);
        prop_assert!(marked >= Due::At(over));
    }
}
