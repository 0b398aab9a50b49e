#!/bin/sh
# Run once by the entrypoint of the official image, when it has made a new data folder: the extension in database
# `postgres`, where the guide connects, and, if LEASEHOLD_BROKER_PASSWORD is set, what a broker needs: a login that is
# no superuser, and a database for its store.
set -eu
# As in the image's own scripts; what is not said, libpq looks up (PGHOST, PGPORT).
run() {
    psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres
}

run <<'SQL'
create extension leasehold;
SQL

if [ -n "${LEASEHOLD_BROKER_PASSWORD:-}" ]; then
    # \getenv: a password in psql's arguments could be read from the list of processes.
    run <<'SQL'
\getenv password LEASEHOLD_BROKER_PASSWORD
set log_statement = none;
set log_min_error_statement = panic;
create role broker login password :'password';
grant leasehold_issuer, leasehold_definer to broker;
create database leasehold owner broker;
SQL
fi
