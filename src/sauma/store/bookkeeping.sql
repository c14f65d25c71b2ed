-- What the migrator keeps about itself; run once, under its lock, before the first migration.
CREATE SCHEMA IF NOT EXISTS sauma_meta;

CREATE TABLE IF NOT EXISTS sauma_meta.migration (
  version integer PRIMARY KEY CHECK (version > 0),
  name text NOT NULL,
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- how a role without table privileges learns whether the schema is the one it was built for
CREATE OR REPLACE FUNCTION sauma_meta.applied()
RETURNS TABLE (version integer, name text, sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT m.version, m.name, m.sha256 FROM sauma_meta.migration AS m ORDER BY m.version $$;

REVOKE ALL ON FUNCTION sauma_meta.applied() FROM PUBLIC;
GRANT USAGE ON SCHEMA sauma_meta TO sauma_migrator, sauma_server, sauma_auditor, sauma_sequencer;
GRANT EXECUTE ON FUNCTION sauma_meta.applied() TO sauma_migrator, sauma_server, sauma_auditor, sauma_sequencer;
