//! The rows of the policy file that say a number or a day: thresholds, retention, holidays.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sections::BasisKind;

/// A number that a rule turns on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyThreshold)]
pub struct Threshold {
    /// Which one.
    pub word: ThresholdWord,
    /// What officers read, with the unit.
    pub title: String,
    /// The number.
    pub value: u32,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// The numbers that rules turn on. Each stands in the policy file exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyThresholdWord)]
pub enum ThresholdWord {
    /// Published cells that count fewer are left out.
    SuppressBelow,
    /// Months between two publications of figures.
    PublicationMonths,
    /// Substantiated sexual exploitation and abuse cases in one unit that raise an alert.
    UnitAlertCases,
    /// Months in which those cases are counted.
    UnitAlertMonths,
    /// Overdue answers of one State that raise an alert.
    StateAlertOverdue,
    /// Hours that an emergency access lasts.
    EmergencyAccessHours,
    /// Days that a focal point may still read what they handed in.
    FocalPointReadDays,
    /// Minutes by which a device's clock may run ahead.
    ClockSkewMinutes,
}

impl ThresholdWord {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::SuppressBelow,
        Self::PublicationMonths,
        Self::UnitAlertCases,
        Self::UnitAlertMonths,
        Self::StateAlertOverdue,
        Self::EmergencyAccessHours,
        Self::FocalPointReadDays,
        Self::ClockSkewMinutes,
    ];
}

/// How long the record of a matter is kept. Where several apply, the longest does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyRetention)]
pub struct Retention {
    /// The word on the wire and in the database.
    pub word: String,
    /// What officers read.
    pub title: String,
    /// Years.
    pub years: u32,
    /// From when the years run.
    pub from: RetentionStart,
    /// The categories it applies to; empty means every one.
    #[serde(default)]
    pub categories: Vec<String>,
    /// The marks of which one is needed; empty means that none is.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}

/// From when a retention period runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolicyRetentionStart)]
pub enum RetentionStart {
    /// From the closing of the matter.
    Closure,
    /// From the end of the subject's service, and never before the closing of the matter.
    EndOfService,
}

/// A day on which offices are closed: exactly one of `fixed`, `easter` and `date`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyHoliday)]
pub struct Holiday {
    /// Its name.
    pub title: String,
    /// The same day each year, as `MM-DD`.
    pub fixed: Option<String>,
    /// Days after (or, negative, before) Easter Sunday.
    pub easter: Option<i32>,
    /// One day only, as `YYYY-MM-DD`.
    pub date: Option<String>,
    /// The first year in which it counts.
    pub from_year: Option<i32>,
    /// The last year in which it counts.
    pub to_year: Option<i32>,
    /// Who says so.
    pub basis: String,
    /// How firmly that stands.
    pub basis_kind: BasisKind,
}
