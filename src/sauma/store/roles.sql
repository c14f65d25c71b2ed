-- Roles of Sauma. Run once per PostgreSQL server by a superuser, connected to any database; running it again is harmless.
-- sauma_owner      owns every object; nobody logs in as it
-- sauma_migrator   changes the schema; may become sauma_owner and is nothing without doing so
-- sauma_server     answers requests; EXECUTE on functions, no privilege on any table
-- sauma_auditor    reads the ledger's views
-- sauma_sequencer  builds the ledger's tree
-- sauma_registrar  registers systems; nobody logs in as it. Each registrar has a login of their own that is a member,
--                  because what widens access takes two persons, and a person is known by their login alone:
--                    CREATE ROLE <name> LOGIN INHERIT; GRANT sauma_registrar TO <name>; and \password <name>

DO $roles$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['sauma_owner', 'sauma_migrator', 'sauma_server', 'sauma_auditor', 'sauma_sequencer',
                                 'sauma_registrar']
  LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another bootstrap, or an earlier one, made it
    END;
  END LOOP;
END
$roles$;

ALTER ROLE sauma_migrator LOGIN;
ALTER ROLE sauma_server LOGIN;
ALTER ROLE sauma_auditor LOGIN;
ALTER ROLE sauma_sequencer LOGIN;
GRANT sauma_owner TO sauma_migrator;
