drop table reveals, consents, party_marks, party_identities, parties;
drop function free_pseudonym(text[]), keep_what_was_revealed(), keep_who_a_party_is();
do $$
declare
    tab text;
begin
    foreach tab in array array['parties', 'party_identities', 'consents', 'reveals'] loop
        execute format('drop function %I()', tab || '_noted');
    end loop;
end
$$;
