#!/bin/sh
# Roles, passwords and the database, by what Sauma printed. Again is harmless. Run by the service `bootstrap`.
# psql's \password reads a password, and reads it again, from standard input where there is no terminal, and sends the
# server a verifier made of it: no password stands in a statement, an argument or a log.
set -eu
secrets=${SECRETS:-/run/secrets}
script=${SCRIPT:-/bootstrap/bootstrap.sql}
typed() {
    for role in migrator server auditor sequencer; do # the order of \password in the script
        cut -d: -f5- "$secrets/${role}_pgpass"
        cut -d: -f5- "$secrets/${role}_pgpass"
    done
}
PGPASSWORD=$(cat "$secrets/postgres_password")
export PGPASSWORD
typed | psql -X -q -v ON_ERROR_STOP=1 -h "${PGHOST:-/var/run/postgresql}" -U postgres -d postgres -f "$script"
