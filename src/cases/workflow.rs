//! The life of a case, as pure functions: stages, the steps between them, who may take each. No I/O, no HTTP, no SQL.

use crate::auth::Role;
use crate::values::text_enum;

text_enum! {
    /// How far a case has come.
    Stage {
        /// Somebody is judging what to do with it.
        Assessment = "assessment",
        /// The complainant was asked something that is needed to go on.
        AwaitingInformation = "awaiting_information",
        /// Both sides look for a solution; for minor matters, if the complainant agrees.
        InformalResolution = "informal_resolution",
        /// The contributing State was told and has yet to answer.
        StateNotified = "state_notified",
        /// The contributing State investigates.
        NationalInvestigation = "national_investigation",
        /// The mission investigates.
        MissionInvestigation = "mission_investigation",
        /// The Office of the High Commissioner for Human Rights investigates.
        OhchrInvestigation = "ohchr_investigation",
        /// The State and the mission investigate together.
        JointInvestigation = "joint_investigation",
        /// The investigation rests, for court proceedings or security.
        Suspended = "suspended",
        /// The investigation's report is there.
        ReportSubmitted = "report_submitted",
        /// The panel decides.
        Determination = "determination",
        /// Something has to follow from the decision.
        ActionPending = "action_pending",
        /// Somebody not involved before looks at it again.
        Review = "review",
        /// Another body is competent.
        ReferredOut = "referred_out",
        /// It is over; it may be opened again.
        Closed = "closed",
    }
}

text_enum! {
    /// What somebody may do to move a case.
    Step {
        /// Ask the complainant for what is missing.
        AwaitInformation = "await_information",
        /// The answer has come, or will not come.
        ResumeAssessment = "resume_assessment",
        /// Look for a solution that both sides accept.
        ResolveInformally = "resolve_informally",
        /// Tell the contributing State.
        NotifyState = "notify_state",
        /// The State investigates.
        StateInvestigates = "state_investigates",
        /// The State investigates together with the mission.
        InvestigateJointly = "investigate_jointly",
        /// The mission investigates: no State is concerned, or it declined, or its time has run out.
        OpenMissionInvestigation = "open_mission_investigation",
        /// The Office of the High Commissioner investigates.
        OpenOhchrInvestigation = "open_ohchr_investigation",
        /// Let the investigation rest.
        Suspend = "suspend",
        /// Go on with the investigation.
        Resume = "resume",
        /// Hand the report in.
        SubmitReport = "submit_report",
        /// The report does not suffice.
        ReturnReport = "return_report",
        /// Put it before the panel.
        SendToPanel = "send_to_panel",
        /// The panel has decided.
        Determine = "determine",
        /// Look at it again, at the complainant's request.
        Review = "review",
        /// The decision stands.
        Uphold = "uphold",
        /// Judge it anew.
        Reassess = "reassess",
        /// New evidence: open it again.
        Reopen = "reopen",
        /// Hand it to the body that is competent.
        ReferOut = "refer_out",
        /// End it.
        Close = "close",
    }
}

text_enum! {
    /// A part in a case; nobody has two of them in one case.
    Duty {
        /// Judging what it is.
        Triage = "triage",
        /// Finding out what happened.
        Investigation = "investigation",
        /// Deciding.
        Determination = "determination",
        /// Looking at it again.
        Review = "review",
    }
}

/// A step that cannot be taken from where the case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a case in {} cannot take the step {}", from.as_str(), step.as_str())]
pub struct Refused {
    from: Stage,
    step: Step,
}

impl Stage {
    /// Where `step` leads from here; `before` is where a suspended case came from.
    pub fn after(self, step: Step, before: Option<Self>) -> Result<Self, Refused> {
        use Stage as S;
        use Step as T;
        match (self, step) {
            (S::Assessment, T::AwaitInformation) => Ok(S::AwaitingInformation),
            (S::AwaitingInformation, T::ResumeAssessment) => Ok(S::Assessment),
            (S::Assessment, T::ResolveInformally) => Ok(S::InformalResolution),
            (S::InformalResolution, T::Reassess) => Ok(S::Assessment),
            (S::Assessment, T::NotifyState) => Ok(S::StateNotified),
            (S::Assessment | S::StateNotified, T::OpenMissionInvestigation) => Ok(S::MissionInvestigation),
            (S::Assessment | S::StateNotified, T::OpenOhchrInvestigation) => Ok(S::OhchrInvestigation),
            (S::StateNotified, T::StateInvestigates) => Ok(S::NationalInvestigation),
            (S::StateNotified, T::InvestigateJointly) => Ok(S::JointInvestigation),
            (S::NationalInvestigation, T::OpenMissionInvestigation) => Ok(S::MissionInvestigation),
            (S::NationalInvestigation, T::OpenOhchrInvestigation) => Ok(S::OhchrInvestigation),
            (from, T::Suspend) if from.is_investigation() => Ok(S::Suspended),
            (S::Suspended, T::Resume) => {
                before.filter(|stage| stage.is_investigation()).ok_or(Refused { from: self, step })
            }
            (from, T::SubmitReport) if from.is_investigation() => Ok(S::ReportSubmitted),
            (S::ReportSubmitted, T::ReturnReport) => Ok(S::MissionInvestigation),
            (S::ReportSubmitted, T::SendToPanel) => Ok(S::Determination),
            (S::Determination, T::ReturnReport) => Ok(S::MissionInvestigation),
            (S::Determination, T::Determine) => Ok(S::ActionPending),
            (S::Assessment | S::AwaitingInformation, T::ReferOut) => Ok(S::ReferredOut),
            (S::Assessment | S::AwaitingInformation | S::InformalResolution | S::ActionPending, T::Close) => {
                Ok(S::Closed)
            }
            (S::Closed, T::Review) => Ok(S::Review),
            (S::Review, T::Uphold) => Ok(S::Closed),
            (S::Review, T::Reassess) => Ok(S::Assessment),
            (S::Review, T::OpenMissionInvestigation) => Ok(S::MissionInvestigation),
            (S::Review, T::OpenOhchrInvestigation) => Ok(S::OhchrInvestigation),
            (S::Closed | S::ReferredOut, T::Reopen) => Ok(S::Assessment),
            (from, step) => Err(Refused { from, step }),
        }
    }

    /// Whether somebody is finding out what happened.
    pub const fn is_investigation(self) -> bool {
        matches!(
            self,
            Self::NationalInvestigation
                | Self::MissionInvestigation
                | Self::OhchrInvestigation
                | Self::JointInvestigation
        )
    }

    /// Whether nobody works on it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::ReferredOut)
    }
}

impl Step {
    /// The roles that may take it; an investigator must be assigned to the case to know of it at all.
    pub const fn takers(self) -> &'static [Role] {
        use Role as R;
        match self {
            Self::AwaitInformation
            | Self::ResumeAssessment
            | Self::ResolveInformally
            | Self::ReferOut
            | Self::Reassess
            | Self::Reopen => &[R::TriageOfficer, R::PseaCoordinator, R::OhchrMonitor],
            Self::NotifyState => &[R::LegalLiaison, R::TriageOfficer],
            Self::StateInvestigates | Self::InvestigateJointly => &[R::NationalAuthority, R::LegalLiaison],
            Self::OpenMissionInvestigation => &[R::TriageOfficer, R::OhchrMonitor],
            Self::OpenOhchrInvestigation => &[R::OhchrMonitor],
            Self::Suspend | Self::Resume | Self::SubmitReport => {
                &[R::Investigator, R::NationalAuthority, R::OhchrMonitor]
            }
            Self::ReturnReport => &[R::PanelMember, R::OhchrMonitor],
            Self::SendToPanel => &[R::LegalLiaison, R::TriageOfficer],
            Self::Determine => &[R::PanelMember],
            Self::Review | Self::Uphold => &[R::OhchrMonitor],
            Self::Close => &[R::TriageOfficer, R::PseaCoordinator, R::OhchrMonitor, R::Commander],
        }
    }

    /// The duty that taking it from `stage` means, if it means one.
    pub const fn duty(self, stage: Stage) -> Option<Duty> {
        match self {
            Self::AwaitInformation
            | Self::ResumeAssessment
            | Self::ResolveInformally
            | Self::ReferOut
            | Self::NotifyState => Some(Duty::Triage),
            Self::OpenMissionInvestigation | Self::OpenOhchrInvestigation => match stage {
                Stage::Review => Some(Duty::Review),
                _ => Some(Duty::Triage),
            },
            Self::Reassess if matches!(stage, Stage::Review) => Some(Duty::Review),
            Self::Close if !matches!(stage, Stage::ActionPending) => Some(Duty::Triage),
            Self::Suspend | Self::Resume | Self::SubmitReport => Some(Duty::Investigation),
            Self::ReturnReport if matches!(stage, Stage::Determination) => Some(Duty::Determination),
            Self::Determine => Some(Duty::Determination),
            Self::Uphold => Some(Duty::Review),
            _ => None,
        }
    }

    /// Whether it ends a case without a determination, which on a protected matter needs a second officer.
    pub const fn ends_early(self, stage: Stage) -> bool {
        matches!(self, Self::ReferOut)
            || (matches!(self, Self::Close) && !matches!(stage, Stage::ActionPending))
    }
}

/// The duty that working on a case in `role` means, if it means one.
pub const fn duty_of(role: Role) -> Option<Duty> {
    match role {
        Role::Investigator => Some(Duty::Investigation),
        Role::TriageOfficer => Some(Duty::Triage),
        Role::PanelMember => Some(Duty::Determination),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn onward(stage: Stage) -> Vec<Stage> {
        Step::ALL
            .iter()
            .filter_map(|&step| stage.after(step, Some(Stage::MissionInvestigation)).ok())
            .collect()
    }

    #[test]
    fn every_stage_can_reach_its_end_and_be_reached() {
        for &start in Stage::ALL {
            let mut reached = vec![start];
            let mut next = 0;
            while let Some(&stage) = reached.get(next) {
                next += 1;
                for stage in onward(stage) {
                    if !reached.contains(&stage) {
                        reached.push(stage);
                    }
                }
            }
            assert!(reached.contains(&Stage::Closed), "{start:?} is a dead end");
            assert!(
                start == Stage::Assessment || Stage::ALL.iter().any(|&s| onward(s).contains(&start)),
                "{start:?} is never reached"
            );
        }
    }

    #[test]
    fn every_step_can_be_taken_by_somebody_from_somewhere() {
        for &step in Step::ALL {
            assert!(!step.takers().is_empty());
            assert!(
                Stage::ALL.iter().any(|s| s.after(step, Some(Stage::JointInvestigation)).is_ok()),
                "{step:?}"
            );
        }
    }

    #[test]
    fn a_suspended_case_goes_back_where_it_came_from_and_nowhere_else() {
        for &before in Stage::ALL {
            let back = Stage::Suspended.after(Step::Resume, Some(before)).ok();
            assert_eq!(back, before.is_investigation().then_some(before));
        }
        assert!(Stage::Suspended.after(Step::Resume, None).is_err());
        assert!(Stage::Suspended.after(Step::Close, None).is_err());
    }

    #[test]
    fn nobody_determines_without_a_report() {
        for &stage in Stage::ALL {
            let leads = onward(stage).contains(&Stage::Determination);
            assert_eq!(leads, stage == Stage::ReportSubmitted, "{stage:?}");
        }
    }

    #[test]
    fn the_sql_of_a_stage_knows_the_same_words() {
        let sql = include_str!("../../migrations/2026-11-22-000003_matters/up.sql");
        for stage in Stage::ALL {
            assert!(sql.contains(&format!("'{}'", stage.as_str())), "{stage:?}");
        }
    }
}
