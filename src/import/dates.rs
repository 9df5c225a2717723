//! Dates as other registers write them: read for what they say, and for no more. Pure.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike as _, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::complaints::Precision;

/// Nothing that a mission of this century answers for happened before.
const EARLIEST_YEAR: i32 = 1900;

/// A moment, and whether only its day is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: DateTime<Utc>,
    /// `at` is then the midnight at which the day begins.
    pub(super) only_day: bool,
}

/// Whether chrono can read dates by this format.
pub(super) fn is_format(format: &str) -> bool {
    let mut items = 0;
    for item in StrftimeItems::new(format) {
        items += usize::from(!matches!(item, Item::Literal(_) | Item::Space(_)));
        if matches!(item, Item::Error) {
            return false;
        }
    }
    items > 0
}

/// Reads a moment: by `formats`, else as RFC 3339 or as an ISO 8601 day. Local times are those of `zone`.
pub(super) fn moment(text: &str, formats: &[String], zone: Tz) -> Result<Moment, String> {
    for format in formats {
        if let Ok(at) = DateTime::parse_from_str(text, format) {
            return plausible(at.to_utc(), false);
        }
        if let Ok(local) = NaiveDateTime::parse_from_str(text, format) {
            return plausible(in_zone(local, zone)?, false);
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, format) {
            return day_begins(day, zone);
        }
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return plausible(at.to_utc(), false);
    }
    match iso_day(text) {
        Some(day) => day_begins(day, zone),
        None => Err("is not a date, or in a form that nobody named".to_owned()),
    }
}

/// Reads the day of an incident, of which month or day may be unknown: `2017`, `2017-03`, `2017-__-__`, `2017-03-00`.
pub(super) fn incident(text: &str, formats: &[String]) -> Result<(NaiveDate, Precision), String> {
    let read = formats.iter().find_map(|format| {
        let whole = NaiveDateTime::parse_from_str(text, format).map(|local| local.date());
        whole.or_else(|_| NaiveDate::parse_from_str(text, format)).ok()
    });
    let (day, precision) = match read.or_else(|| iso_day(text)) {
        Some(day) => (day, Precision::Day),
        None => partial(text).ok_or_else(|| "is not a date, or in a form that nobody named".to_owned())?,
    };
    if day.year() < EARLIEST_YEAR {
        return Err(format!("must not be before {EARLIEST_YEAR}"));
    }
    Ok((day, precision))
}

/// A day that is fully there and written with four, two and two digits: nothing else is surely meant so.
fn iso_day(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// A year, or a year and a month; what stands for digits that nobody knew is passed over, and so is what follows it.
fn partial(text: &str) -> Option<(NaiveDate, Precision)> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().filter(|part| !is_unknown(part));
    let rest: Vec<&str> = parts.collect();
    match (month, rest.as_slice()) {
        (None, [] | [_]) if rest.iter().all(|part| is_unknown(part) || digits(part, 2).is_some()) => {
            Some((NaiveDate::from_ymd_opt(year, 1, 1)?, Precision::Year))
        }
        (Some(month), []) => Some((first_of(year, month)?, Precision::Month)),
        (Some(month), [day]) if is_unknown(day) => Some((first_of(year, month)?, Precision::Month)),
        _ => None,
    }
}

fn first_of(year: i32, month: &str) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, u32::try_from(digits(month, 2)?).ok()?, 1)
}

fn is_unknown(part: &str) -> bool {
    part == "00" || (!part.is_empty() && part.chars().all(|c| matches!(c, '_' | '?' | 'x' | 'X')))
}

fn digits(part: &str, many: usize) -> Option<i32> {
    let good = part.len() == many && part.bytes().all(|b| b.is_ascii_digit());
    if good { part.parse().ok() } else { None }
}

fn day_begins(day: NaiveDate, zone: Tz) -> Result<Moment, String> {
    // Where daylight saving begins at midnight, the day begins an hour later.
    let mut hours = [0, 1, 2].into_iter().filter_map(|hour| NaiveTime::from_hms_opt(hour, 0, 0));
    let begins = hours.find_map(|time| in_zone(day.and_time(time), zone).ok());
    plausible(begins.ok_or_else(|| format!("is a day that does not exist in {zone}"))?, true)
}

fn in_zone(local: NaiveDateTime, zone: Tz) -> Result<DateTime<Utc>, String> {
    match zone.from_local_datetime(&local) {
        // When clocks go back an hour comes twice; nobody wrote down which was meant.
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Ok(at.to_utc()),
        LocalResult::None => Err(format!("is a time that does not exist in {zone}: clocks were put forward")),
    }
}

fn plausible(at: DateTime<Utc>, only_day: bool) -> Result<Moment, String> {
    if at.year() < EARLIEST_YEAR {
        return Err(format!("must not be before {EARLIEST_YEAR}"));
    }
    Ok(Moment { at, only_day })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_dated_as_exactly_as_it_is_known() {
        let read = |text| incident(text, &[]).map(|(day, precision)| (day.to_string(), precision.as_str()));
        for (text, day, precision) in [
            ("2017", "2017-01-01", "year"),
            ("2017-__-__", "2017-01-01", "year"),
            ("2017-__-15", "2017-01-01", "year"),
            ("2017-00-00", "2017-01-01", "year"),
            ("2023-03", "2023-03-01", "month"),
            ("2023-03-__", "2023-03-01", "month"),
            ("2023-03-00", "2023-03-01", "month"),
            ("2023-03-09", "2023-03-09", "day"),
        ] {
            assert_eq!(read(text), Ok((day.to_owned(), precision)), "{text}");
        }
        for bad in [
            "",
            "17",
            "2017-",
            "2017-13",
            "2017-02-30",
            "20170309",
            "3/9/2017",
            "____-__-__",
            "0017",
            "2017-03-09-01",
            "-2017",
            "+2017",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moment_is_read_in_its_zone_and_never_guessed() {
        let zone = chrono_tz::America::New_York;
        let formats = ["%m/%d/%Y %H:%M".to_owned(), "%m/%d/%Y".to_owned()];
        let read = |text| moment(text, &formats, zone).map(|m| (m.at.to_rfc3339(), m.only_day));
        assert_eq!(read("8/22/2017 10:46"), Ok(("2017-08-22T14:46:00+00:00".to_owned(), false)));
        assert_eq!(read("8/22/2017"), Ok(("2017-08-22T04:00:00+00:00".to_owned(), true)));
        assert_eq!(read("2019-12-18T12:42:00-05:00"), Ok(("2019-12-18T17:42:00+00:00".to_owned(), false)));
        for bad in [
            "3/12/2017 2:30",
            "13/13/2017",
            "22/8/2017 10:46",
            "8/22/17",
            "yesterday",
            "",
            "99999999999999999999",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_format_that_says_nothing_is_none() {
        assert!(is_format("%d/%m/%Y"));
        for bad in ["", "day", "%Q", "%"] {
            assert!(!is_format(bad), "{bad}");
        }
    }
}
