//! The catalogue of events: every word that an entry can say.

use crate::values::text_enum;

text_enum! {
    /// The catalogue of everything that is remembered for ever. Words never change; new ones are added.
    What {
        /// An account was made.
        UserAdded = "user.added",
        /// An account's name, roles, country or seat were changed.
        UserChanged = "user.changed",
        /// An account may no longer sign in.
        UserDeactivated = "user.deactivated",
        /// Somebody signed in.
        SessionOpened = "session.opened",
        /// Somebody failed to sign in, to whatever account.
        SessionRefused = "session.refused",
        /// A session got new tokens.
        SessionRefreshed = "session.refreshed",
        /// A used refresh token came again: somebody has a copy, so the session ended.
        SessionStolen = "session.stolen",
        /// A session ended.
        SessionEnded = "session.ended",
        /// Somebody changed their password.
        PasswordChanged = "password.changed",
        /// A complaint came in.
        ComplaintReceived = "complaint.received",
        /// A complaint of another register was taken over.
        ComplaintImported = "complaint.imported",
        /// Somebody read a complaint's text.
        ComplaintRead = "complaint.read",
        /// The reporter was told that the complaint has arrived.
        ComplaintAcknowledged = "complaint.acknowledged",
        /// A triage decision was taken.
        ComplaintAssessed = "complaint.assessed",
        /// A complaint was joined to a case.
        ComplaintAttached = "complaint.attached",
        /// A reporter opened their thread with reference and code.
        ReporterSignedIn = "reporter.signed_in",
        /// A reporter looked at their thread.
        ReporterRead = "reporter.read",
        /// A message was sent in a reporter's thread.
        MessageSent = "message.sent",
        /// An officer read a reporter's thread.
        MessagesRead = "messages.read",
        /// A case was opened.
        CaseOpened = "case.opened",
        /// A case of another register was taken over.
        CaseImported = "case.imported",
        /// Somebody read a case.
        CaseRead = "case.read",
        /// A case moved along its workflow.
        CaseAdvanced = "case.advanced",
        /// A case's category or priority was changed.
        CaseClassified = "case.classified",
        /// Somebody was set to work on a case.
        CaseAssigned = "case.assigned",
        /// Somebody no longer works on a case.
        CaseUnassigned = "case.unassigned",
        /// A case went back to its desk, because the account that worked on it was deactivated.
        CaseReturned = "case.returned_to_desk",
        /// Somebody stepped back from a matter.
        CaseRecused = "case.recused",
        /// A matter was hidden from somebody.
        WallPutUp = "wall.put_up",
        /// Somebody read who a matter is hidden from.
        WallsRead = "walls.read",
        /// A note was written.
        NoteWritten = "note.written",
        /// Notes were read.
        NotesRead = "notes.read",
        /// The timeline of a case was read.
        TimelineRead = "timeline.read",
        /// Allegations of a case were taken over or added.
        AllegationsAdded = "allegations.added",
        /// A deadline was met.
        DeadlineMet = "deadline.met",
        /// A deadline was paused.
        DeadlinePaused = "deadline.paused",
        /// A deadline runs again.
        DeadlineResumed = "deadline.resumed",
        /// A deadline came near or was missed, and climbed.
        DeadlineEscalated = "deadline.escalated",
        /// A change was proposed that needs a second officer.
        ProposalMade = "proposal.made",
        /// Somebody read what waits for a second officer, with its reasons.
        ProposalsRead = "proposals.read",
        /// A second officer signed.
        ProposalApproved = "proposal.approved",
        /// A second officer refused.
        ProposalRefused = "proposal.refused",
        /// The states of rows that were there before the log began, put on record by a migration.
        StatesRecorded = "states.recorded",
        /// A policy file took effect.
        PolicyTookEffect = "policy.took_effect",
        /// First answers past their day were forgotten.
        KeysForgotten = "keys.forgotten",
        /// A server began to answer; with its version, settings and the keys it uses.
        ServerStarted = "server.started",
        /// A server stopped answering, in good order.
        ServerStopped = "server.stopped",
        /// Other settings took effect than those of the server that started before.
        ConfigurationChanged = "configuration.changed",
        /// Other keys took effect than those of the server that started before: one was added or removed.
        KeysRotated = "keys.rotated",
        /// An import began, or went on after it was interrupted.
        ImportBegan = "import.began",
        /// An import came to its end.
        ImportEnded = "import.ended",
        /// Somebody failed to open a reporter's thread.
        ReporterRefused = "reporter.refused",
        /// The reporter fetched the receipt of their complaint.
        ReceiptFetched = "receipt.fetched",
        /// Somebody read the list of accounts, or one of them.
        UsersRead = "users.read",
        /// An auditor read entries of this record.
        EntriesRead = "entries.read",
        /// An auditor took a copy of this record away.
        EntriesExported = "entries.exported",
        /// The continual verification found something that should not be.
        LogFinding = "log.finding",
        /// An entry was found that no server wrote.
        EntryUnsealed = "entry.unsealed",
        /// The log was not signed, because it does not continue what was signed before.
        LogRefused = "log.refused",
        /// An outside witness holds a larger or another log than this one.
        WitnessDisagreed = "witness.disagreed",
        /// A master key became known, so that data keys may be wrapped by it.
        MasterKeyAdded = "master_key.added",
        /// A master key that wraps nothing any more was given up.
        MasterKeyRemoved = "master_key.removed",
        /// The register's own data key was made.
        RegisterKeyMade = "register_key.made",
        /// Data keys were wrapped anew, by the active master key.
        DataKeysRewrapped = "data_keys.rewrapped",
        /// What was stored in the clear before there was a vault was sealed.
        ClearTextSealed = "clear_text.sealed",
        /// Somebody looked for words among complaints; which, as hashes.
        ComplaintsSearched = "complaints.searched",
        /// Somebody looked for words among cases; which, as hashes.
        CasesSearched = "cases.searched",
        /// Texts that were there before could be searched from then on.
        WordsIndexed = "words.indexed",
        /// A version of a complaint's text was made with passages taken out.
        ComplaintRedacted = "complaint.redacted",
        /// Somebody read versions of a complaint's text with passages taken out.
        RedactionsRead = "redactions.read",
        /// A matter was put under a legal hold.
        HoldSet = "hold.set",
        /// A legal hold was ended by another officer than the one who set it.
        HoldEnded = "hold.ended",
        /// Somebody read legal holds, with their reasons.
        HoldsRead = "holds.read",
        /// It was proposed to erase a matter that has fallen due.
        ErasureProposed = "erasure.proposed",
        /// A second person refused an erasure.
        ErasureRefused = "erasure.refused",
        /// Somebody read what is to be erased, with the reasons.
        ErasuresRead = "erasures.read",
        /// A second person signed: the keys of a matter were destroyed, and with them what was said, written and named in it.
        MatterErased = "matter.erased",
        /// What follows from whom a matter names took effect: it was hidden from them, and from those near a subject.
        WallsFollowed = "walls.followed",
        /// A matter went to the desk of the OHCHR, because it concerns those at its own, or nobody was left there.
        MatterRerouted = "matter.rerouted",
        /// Nobody is left at the desk of the OHCHR either who could work on a matter.
        MatterWithoutOfficer = "matter.without_officer",
        /// Somebody was proposed to see a matter again that was hidden from them for their name, or for what the roster says.
        LiftingProposed = "lifting.proposed",
        /// A second officer confirmed it.
        LiftingConfirmed = "lifting.confirmed",
        /// Somebody asked to see, in an emergency, a case that they do not see.
        GlanceAsked = "glance.asked",
        /// Somebody read who asked so.
        GlancesRead = "glances.read",
        /// A second officer let them read it for four hours. A notice to the auditor.
        GlanceAllowed = "glance.allowed",
        /// A second officer refused.
        GlanceRefused = "glance.refused",
        /// A person was entered in the roster.
        PersonAdded = "person.added",
        /// A person's entry in the roster was changed.
        PersonChanged = "person.changed",
        /// Somebody read the roster.
        RosterRead = "roster.read",
        /// A unit was entered.
        UnitAdded = "unit.added",
        /// A unit was changed.
        UnitChanged = "unit.changed",
        /// Accounts of before the roster got the marks by which they are known again.
        AccountsMarked = "accounts.marked",
        /// Somebody read about the persons of a matter, by pseudonym.
        PartiesRead = "parties.read",
        /// A person was added to a case.
        PartyAdded = "party.added",
        /// More was learned of a person.
        PartyChanged = "party.changed",
        /// Somebody was told who a person is.
        PartyRevealed = "party.revealed",
        /// Somebody asked who a person is, without that person's consent; it waits for a second officer.
        RevealAsked = "reveal.asked",
        /// A second officer approved it, for some hours; or signed what was revealed in danger or on a legal order.
        RevealApproved = "reveal.approved",
        /// A second officer refused it, or disagrees with what was revealed.
        RevealRefused = "reveal.refused",
        /// Somebody was told who a person is because of danger, or on a legal order. A notice to the auditor.
        RevealNotified = "reveal.notified",
        /// Somebody read who asked, and why.
        RevealsRead = "reveals.read",
        /// What a person agreed to, or did not, was written down.
        ConsentWritten = "consent.written",
        /// A consent was taken back.
        ConsentWithdrawn = "consent.withdrawn",
        /// Somebody read what a person agreed to.
        ConsentsRead = "consents.read",
        /// Somebody began to give a file.
        EvidenceBegun = "evidence.begun",
        /// Bytes of a file arrived.
        EvidenceArrived = "evidence.arrived",
        /// A file arrived whole.
        EvidenceReceived = "evidence.received",
        /// A file that arrived was not the one that was announced, and was not kept.
        EvidenceRefused = "evidence.refused",
        /// Whoever began to give a file gave it up.
        EvidenceGivenUp = "evidence.given_up",
        /// A file did not arrive whole in its time.
        EvidenceExpired = "evidence.expired",
        /// Somebody read which files there are, or what is known of one.
        EvidenceRead = "evidence.read",
        /// A file's content, or a part of it, was handed out.
        EvidenceDownloaded = "evidence.downloaded",
        /// A copy of a file without its metadata was made.
        EvidenceDerived = "evidence.derived",
        /// A file was read again, and is what it was.
        EvidenceVerified = "evidence.verified",
        /// A file is not what it was.
        EvidenceDamaged = "evidence.damaged",
        /// Bytes that are not to be kept were removed from the store.
        EvidenceCleared = "evidence.cleared",
        /// The files of a matter are to be erased.
        EvidenceForgotten = "evidence.forgotten",
        /// Somebody read a file's chain of custody.
        CustodyRead = "custody.read",
        /// Somebody told of an event in a file's chain of custody.
        CustodyRecorded = "custody.recorded",
        /// What a change of the roster means for the matters there are was seen to.
        RosterFollowed = "roster.followed",
    }
}
