use proptest::prelude::*;

use super::*;
use crate::coa::Policy;

fn calendar() -> Calendar {
    Policy::built_in().unwrap().calendar().clone()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn easter_falls_where_the_almanac_says() {
    let table = [
        "1961-04-02",
        "2000-04-23",
        "2008-03-23",
        "2024-03-31",
        "2025-04-20",
        "2026-04-05",
        "2027-03-28",
        "2028-04-16",
        "2029-04-01",
        "2030-04-21",
        "2038-04-25",
        "2285-03-22",
        "2299-04-16",
    ];
    for text in table {
        assert_eq!(easter(day(text).year()), day(text));
    }
    for year in 1583..=9999 {
        let sunday = easter(year);
        assert_eq!(sunday.weekday(), Weekday::Sun, "{year}");
        assert!(sunday >= NaiveDate::from_ymd_opt(year, 3, 22).unwrap(), "{sunday}");
        assert!(sunday <= NaiveDate::from_ymd_opt(year, 4, 25).unwrap(), "{sunday}");
    }
}

#[test]
fn offices_work_on_weekdays_that_are_no_holidays() {
    let calendar = calendar();
    let table = [
        ("2026-01-01", false),
        ("2026-01-02", false),
        ("2026-01-05", true),
        ("2026-02-16", false), // Carnival Monday
        ("2026-02-17", false), // Carnival Tuesday
        ("2026-02-18", false), // Ash Wednesday
        ("2026-02-19", true),
        ("2026-04-03", false), // Good Friday
        ("2026-04-06", true),  // Easter Monday is a working day in Haiti
        ("2026-05-01", false),
        ("2026-05-14", true), // Ascension is not among the legal holidays since the decree of 2024
        ("2026-05-18", false),
        ("2026-06-04", false), // Corpus Christi
        ("2024-08-14", true),  // before the decree
        ("2025-08-14", false),
        ("2026-08-15", false), // a Saturday anyway
        ("2026-11-02", false),
        ("2026-11-18", false),
        ("2026-12-25", false),
        ("2026-12-24", true),
        ("2026-12-26", false),
    ];
    for (text, works) in table {
        assert_eq!(calendar.is_working_day(day(text)), works, "{text}");
    }
}

#[test]
fn things_are_due_when_a_calendar_on_the_wall_says() {
    let calendar = calendar();
    let table = [
        // Seven days over the start of daylight saving (8 March 2026): the same local time, an hour less.
        ("2026-03-05T15:00:00Z", 7, Unit::Days, "2026-03-12T14:00:00Z"),
        // And over its end (1 November 2026).
        ("2026-10-29T14:00:00Z", 7, Unit::Days, "2026-11-05T15:00:00Z"),
        // Hours are exact.
        ("2026-03-07T15:00:00Z", 24, Unit::Hours, "2026-03-08T15:00:00Z"),
        // 02:30 does not exist on 8 March: 03:00 local is 07:00 UTC.
        ("2026-03-07T07:30:00Z", 1, Unit::Days, "2026-03-08T07:00:00Z"),
        // 01:30 comes twice on 1 November: the earlier.
        ("2026-10-31T05:30:00Z", 1, Unit::Days, "2026-11-01T05:30:00Z"),
        // Ten working days from Friday 13 February 2026: Carnival takes three. Due at the end of 4 March.
        ("2026-02-13T16:00:00Z", 10, Unit::WorkingDays, "2026-03-05T05:00:00Z"),
        // From a Saturday: Monday is the first.
        ("2026-06-13T16:00:00Z", 2, Unit::WorkingDays, "2026-06-17T04:00:00Z"),
        // Late on Sunday in Haiti is Monday in UTC: Monday is still the first working day.
        ("2026-06-15T03:30:00Z", 1, Unit::WorkingDays, "2026-06-16T04:00:00Z"),
        // Before a holiday on a Monday (18 May 2026).
        ("2026-05-15T12:00:00Z", 1, Unit::WorkingDays, "2026-05-20T04:00:00Z"),
        // Months are clamped to the last day.
        ("2027-11-30T17:00:00Z", 3, Unit::Months, "2028-02-29T17:00:00Z"),
        ("2026-11-30T17:00:00Z", 3, Unit::Months, "2027-02-28T17:00:00Z"),
        ("2024-02-29T17:00:00Z", 12, Unit::Months, "2025-02-28T17:00:00Z"),
        // The end of the next day, over the end of daylight saving.
        ("2026-10-31T14:00:00Z", 1, Unit::EndOfNextDay, "2026-11-02T05:00:00Z"),
        ("2026-06-15T03:59:59Z", 1, Unit::EndOfNextDay, "2026-06-16T04:00:00Z"),
        ("2026-06-15T04:00:00Z", 1, Unit::EndOfNextDay, "2026-06-17T04:00:00Z"),
        // Nothing at all is due at once, or at the end of the same day.
        ("2026-06-15T04:00:00Z", 0, Unit::Days, "2026-06-15T04:00:00Z"),
        ("2026-06-15T05:00:00Z", 0, Unit::WorkingDays, "2026-06-16T04:00:00Z"),
        // Absurd amounts end with the year 9999.
        ("2026-06-15T04:00:00Z", u32::MAX, Unit::Days, "9999-12-31T00:00:00Z"),
        ("2026-06-15T04:00:00Z", u32::MAX, Unit::Hours, "9999-12-31T00:00:00Z"),
        ("2026-06-15T04:00:00Z", u32::MAX, Unit::Months, "9999-12-31T00:00:00Z"),
        ("2026-06-15T04:00:00Z", u32::MAX, Unit::WorkingDays, "9999-12-31T00:00:00Z"),
    ];
    for (start, amount, unit, due) in table {
        assert_eq!(calendar.due(at(start), amount, unit), at(due), "{start} + {amount} {unit:?}");
    }
}

#[test]
fn a_midnight_is_told_as_the_day_that_it_closes() {
    let calendar = calendar();
    assert_eq!(calendar.last_day(at("2026-03-03T05:00:00Z")), day("2026-03-02"));
    assert_eq!(calendar.last_day(at("2026-03-03T05:00:01Z")), day("2026-03-03"));
    assert_eq!(calendar.start_of(day("2026-07-01")), at("2026-07-01T04:00:00Z"));
    // Midnight did not exist on 3 April 2005.
    assert_eq!(calendar.start_of(day("2005-04-03")), at("2005-04-03T05:00:00Z"));
}

#[test]
fn a_year_ends_at_local_midnight() {
    let calendar = calendar();
    assert_eq!(calendar.local_year(at("2027-01-01T04:59:59Z")), 2026);
    assert_eq!(calendar.local_year(at("2027-01-01T05:00:00Z")), 2027);
    assert_eq!(calendar.local_date(at("2027-01-01T04:59:59Z")), day("2026-12-31"));
}

#[test]
fn part_of_the_time_is_a_moment_between() {
    let calendar = calendar();
    let (start, due) = (at("2026-06-01T00:00:00Z"), at("2026-06-05T00:00:00Z"));
    assert_eq!(calendar.fraction(start, due, 75), at("2026-06-04T00:00:00Z"));
    assert_eq!(calendar.fraction(start, due, 0), start);
    assert_eq!(calendar.fraction(start, due, 100), due);
    assert_eq!(calendar.fraction(due, start, 75), due);
    assert_eq!(calendar.fraction(start, LAST_MOMENT, u32::MAX), LAST_MOMENT);
}

#[test]
fn no_moment_is_too_strange() {
    let calendar = calendar();
    for start in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, LAST_MOMENT, DateTime::UNIX_EPOCH] {
        for unit in [Unit::Hours, Unit::Days, Unit::Months, Unit::WorkingDays, Unit::EndOfNextDay] {
            for amount in [0, 1, 1000] {
                assert!(calendar.due(start, amount, unit) >= start);
            }
        }
        calendar.fraction(start, DateTime::<Utc>::MAX_UTC, 100);
        calendar.local_year(start);
        calendar.last_day(start);
        calendar.start_of(start.date_naive());
    }
}

fn units() -> impl Strategy<Value = Unit> {
    prop::sample::select(vec![Unit::Hours, Unit::Days, Unit::Months, Unit::WorkingDays, Unit::EndOfNextDay])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn due_is_never_before_the_start_and_grows_with_the_amount(
        seconds in -2_208_988_800_i64..253_402_300_800,
        amount in 0_u32..400,
        unit in units(),
    ) {
        let calendar = calendar_once();
        let start = DateTime::from_timestamp(seconds, 0).unwrap();
        let due = calendar.due(start, amount, unit);
        prop_assert!(due >= start);
        prop_assert!(calendar.due(start, amount + 1, unit) >= due);
    }

    #[test]
    fn a_due_working_day_is_one(seconds in 0_i64..4_000_000_000, amount in 1_u32..60) {
        let calendar = calendar_once();
        let start = DateTime::from_timestamp(seconds, 0).unwrap();
        let due = calendar.due(start, amount, Unit::WorkingDays);
        let last = calendar.last_day(due);
        prop_assert!(calendar.is_working_day(last));
        let mut day = calendar.local_date(start);
        let mut worked = 0;
        while day < last {
            day = day.succ_opt().unwrap();
            worked += u32::from(calendar.is_working_day(day));
        }
        prop_assert_eq!(worked, amount);
    }
}

fn calendar_once() -> &'static Calendar {
    static ONCE: std::sync::OnceLock<Calendar> = std::sync::OnceLock::new();
    ONCE.get_or_init(calendar)
}
