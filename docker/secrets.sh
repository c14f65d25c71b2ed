#!/bin/sh
# Makes secrets/ beside this file, once: passwords as PostgreSQL's password files. As root, so that they can belong to
# the account in the containers. The key ring is made by Sauma itself; how, README.md here says.
set -eu
umask 077
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
secrets=${1:-$here/secrets}
account=${2:-10001:10001}
fresh() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
mkdir "$secrets"
fresh >"$secrets/postgres_password"
for role in migrator server auditor sequencer; do
    printf '*:*:*:sauma_%s:%s\n' "$role" "$(fresh)" >"$secrets/${role}_pgpass"
done
chown -R "$account" "$secrets"
