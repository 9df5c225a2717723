//! When something is due: working days, months and daylight saving in the mission's time zone.
//!
//! Belongs here: arithmetic on moments. Pure: no clock, no I/O. Absurd input saturates at the end of the year
//! 9999 and never panics.

use chrono::{
    DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone,
    Utc, Weekday,
};
use chrono_tz::Tz;

use super::deadlines::Unit;
use super::limits::Holiday;

/// The last day that is reckoned with.
const LAST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

/// The last moment that is ever due.
const LAST_MOMENT: DateTime<Utc> = LAST_DAY.and_time(NaiveTime::MIN).and_utc();

/// The first moment that is reckoned with.
const FIRST_MOMENT: DateTime<Utc> = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day.and_time(NaiveTime::MIN).and_utc(),
    None => DateTime::UNIX_EPOCH,
};

/// The mission's time zone and the days on which its offices are closed.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: Tz,
    rules: Vec<Rule>,
}

/// When a holiday falls, and the years in which it counts.
#[derive(Debug, Clone)]
struct Rule {
    falls: Falls,
    from_year: i32,
    to_year: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Falls {
    Fixed { month: u32, day: u32 },
    Easter(i64),
    Once(NaiveDate),
}

impl Calendar {
    /// A calendar of these holidays. A holiday that says no day, or more than one, is passed over;
    /// the check of the policy names it.
    pub fn new(zone: Tz, holidays: &[Holiday]) -> Self {
        let rules = holidays
            .iter()
            .filter_map(|holiday| {
                let falls = falls(holiday).ok()?;
                let (from_year, to_year) =
                    (holiday.from_year.unwrap_or(i32::MIN), holiday.to_year.unwrap_or(i32::MAX));
                Some(Rule { falls, from_year, to_year })
            })
            .collect();
        Self { zone, rules }
    }

    /// Whether offices work: Monday to Friday, and no holiday.
    pub fn is_working_day(&self, date: NaiveDate) -> bool {
        !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) && !self.is_holiday(date)
    }

    /// Whether it is a holiday, on whatever day of the week.
    pub fn is_holiday(&self, date: NaiveDate) -> bool {
        let from_easter = date.signed_duration_since(easter(date.year())).num_days();
        self.rules.iter().any(|rule| {
            (rule.from_year..=rule.to_year).contains(&date.year())
                && match rule.falls {
                    Falls::Fixed { month, day } => (date.month(), date.day()) == (month, day),
                    Falls::Easter(days) => from_easter == days,
                    Falls::Once(day) => date == day,
                }
        })
    }

    /// When something is due that starts at `start` and may take so much. Never before `start`.
    ///
    /// Hours are exact. Days and months end at the same local time. Working days and the next day end at the
    /// midnight that closes them. A local time that daylight saving skips becomes the first that exists after
    /// it; of one that comes twice, the earlier is meant.
    pub fn due(&self, start: DateTime<Utc>, amount: u32, unit: Unit) -> DateTime<Utc> {
        let local = self.local(start);
        let end = match unit {
            Unit::Hours => start.checked_add_signed(TimeDelta::hours(i64::from(amount))),
            Unit::Days => {
                local.checked_add_days(Days::new(u64::from(amount))).and_then(|end| self.moment(end))
            }
            Unit::Months => local.checked_add_months(Months::new(amount)).and_then(|end| self.moment(end)),
            Unit::WorkingDays => self.working_day(local.date(), amount).and_then(|day| self.close_of(day)),
            Unit::EndOfNextDay => {
                local.date().checked_add_days(Days::new(1)).and_then(|day| self.close_of(day))
            }
        };
        end.unwrap_or(LAST_MOMENT).min(LAST_MOMENT).max(start)
    }

    /// The moment at which so many percent of the time from `start` to `due` have gone.
    pub fn fraction(&self, start: DateTime<Utc>, due: DateTime<Utc>, percent: u32) -> DateTime<Utc> {
        let seconds = i128::from(due.signed_duration_since(start).num_seconds().max(0));
        let gone = seconds * i128::from(percent) / 100;
        let gone = i64::try_from(gone).ok().and_then(TimeDelta::try_seconds);
        gone.and_then(|gone| start.checked_add_signed(gone)).unwrap_or(LAST_MOMENT)
    }

    /// The local date of a moment.
    pub fn local_date(&self, moment: DateTime<Utc>) -> NaiveDate {
        self.local(moment).date()
    }

    /// The local year of a moment: the year in a case number.
    pub fn local_year(&self, moment: DateTime<Utc>) -> i32 {
        self.local_date(moment).year()
    }

    /// The last local day on which something due at `due` is in time: what people are told. A midnight closes
    /// the day before it.
    pub fn last_day(&self, due: DateTime<Utc>) -> NaiveDate {
        self.local_date(due.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(due))
    }

    /// The midnight at which a local day begins.
    pub fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        self.moment(day.and_time(NaiveTime::MIN)).unwrap_or(LAST_MOMENT)
    }

    /// The time zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The local time of a moment, which is first brought within the years that have one in every zone.
    fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        moment.clamp(FIRST_MOMENT, LAST_MOMENT).with_timezone(&self.zone).naive_local()
    }

    /// The midnight at which a local day ends.
    fn close_of(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        self.moment(day.succ_opt()?.and_time(NaiveTime::MIN))
    }

    /// The `amount`-th working day after a day; none within the years reckoned with is none at all.
    fn working_day(&self, day: NaiveDate, amount: u32) -> Option<NaiveDate> {
        let mut day = day;
        let mut left = amount;
        while left > 0 {
            day = day.succ_opt().filter(|day| *day <= LAST_DAY)?;
            left -= u32::from(self.is_working_day(day));
        }
        Some(day)
    }

    /// The moment of a local time.
    fn moment(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        // No zone has ever skipped more than a day; Port-au-Prince skips an hour.
        (0..=96).find_map(|quarters| {
            let local = local.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => {
                    Some(moment.with_timezone(&Utc))
                }
                LocalResult::None => None,
            }
        })
    }
}

/// What day a holiday says, or what is wrong with it.
fn falls(holiday: &Holiday) -> Result<Falls, &'static str> {
    match (&holiday.fixed, holiday.easter, &holiday.date) {
        // Parsed in a leap year, so that 29 February is a day too.
        (Some(text), None, None) => match NaiveDate::parse_from_str(&format!("2024-{text}"), "%Y-%m-%d") {
            Ok(day) if text.len() == 5 => Ok(Falls::Fixed { month: day.month(), day: day.day() }),
            _ => Err("`fixed` must be a day of the year, such as \"05-18\""),
        },
        // Within these bounds the day stays in Easter's own year.
        (None, Some(days @ -80..=250), None) => Ok(Falls::Easter(i64::from(days))),
        (None, Some(_), None) => Err("`easter` must be from -80 to 250 days"),
        (None, None, Some(text)) => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) if text.len() == 10 => Ok(Falls::Once(day)),
            _ => Err("`date` must be a day, such as \"2026-05-18\""),
        },
        _ => Err("needs exactly one of `fixed`, `easter` and `date`"),
    }
}

/// What is wrong with a holiday, if anything is.
pub(super) fn fault(holiday: &Holiday) -> Option<&'static str> {
    falls(holiday).err()
}

/// Easter Sunday of a year, in the Gregorian calendar, by the anonymous algorithm of 1876.
pub fn easter(year: i32) -> NaiveDate {
    let golden = year.rem_euclid(19);
    let (century, rest) = (year.div_euclid(100), year.rem_euclid(100));
    let correction = (8 * century + 13).div_euclid(25);
    let epact = (19 * golden + century - century.div_euclid(4) - correction + 15).rem_euclid(30);
    let weekday = (32 + 2 * century.rem_euclid(4) + 2 * rest.div_euclid(4) - epact - rest % 4).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let sum = epact + weekday - 7 * late + 114;
    let (month, day) = (u32::try_from(sum / 31), u32::try_from(sum % 31 + 1));
    match (month, day) {
        (Ok(month), Ok(day)) => NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MIN),
        _ => NaiveDate::MIN,
    }
}

#[cfg(test)]
mod tests {
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
        prop::sample::select(vec![
            Unit::Hours,
            Unit::Days,
            Unit::Months,
            Unit::WorkingDays,
            Unit::EndOfNextDay,
        ])
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
}
