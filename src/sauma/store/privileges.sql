-- What a database of Sauma denies to everybody. Run by a superuser, connected to that database; again is harmless.
-- Migrations then grant, object by object, what a role needs.

DO $database$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('ALTER DATABASE %I OWNER TO sauma_owner', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO sauma_migrator, sauma_server, sauma_auditor, sauma_sequencer, sauma_registrar', current_database());
END
$database$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- a new function may be run by nobody until a migration says who
ALTER DEFAULT PRIVILEGES FOR ROLE sauma_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- no anonymous code blocks, and no large objects: nothing is kept outside the tables
REVOKE ALL ON LANGUAGE plpgsql, sql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql, sql TO sauma_owner;
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
