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
#[path = "calendar_tests.rs"]
mod tests;
