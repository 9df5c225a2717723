drop table custody_events, evidence_segments, evidence;
drop function custody_events_noted(), evidence_segments_noted(), evidence_noted(), keep_what_was_given();
