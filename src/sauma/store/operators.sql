-- The two registrars of an embedded server (sauma.store.embedded.OPERATORS); a DBA makes those of any other by name.
DO $operators$
DECLARE
  operator_name text;
BEGIN
  FOREACH operator_name IN ARRAY ARRAY['sauma_registrar_1', 'sauma_registrar_2']
  LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', operator_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another bootstrap, or an earlier one, made it
    END;
  END LOOP;
END
$operators$;

ALTER ROLE sauma_registrar_1 LOGIN;
ALTER ROLE sauma_registrar_2 LOGIN;
GRANT sauma_registrar TO sauma_registrar_1, sauma_registrar_2;
