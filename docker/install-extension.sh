#!/bin/sh
# Puts the extension's files into a PostgreSQL server: library, control file, SQL scripts.
#
#   install-extension.sh [--pg-config=PATH] [--from=FOLDER] [--root=FOLDER]
#
#   --pg-config   The server's pg_config (default: the one in the PATH).
#   --from        Where leasehold.so, leasehold.control and leasehold--*.sql lie (default: target/release of this checkout).
#   --root        Put before every path that is written, for packages and images.
set -eu

pg_config=pg_config
from=$(dirname "$0")/../target/release
root=
for argument in "$@"; do
    case $argument in
    --pg-config=*) pg_config=${argument#*=} ;;
    --from=*) from=${argument#*=} ;;
    --root=*) root=${argument#*=} ;;
    *)
        echo "unexpected argument $argument" >&2
        exit 2
        ;;
    esac
done

built_for=15
version=$("$pg_config" --version)
case $version in
"PostgreSQL $built_for"[.\ ]*) ;;
*)
    echo "$pg_config is of $version; this extension is built for PostgreSQL $built_for" >&2
    exit 1
    ;;
esac

libraries=$root$("$pg_config" --pkglibdir)
scripts=$root$("$pg_config" --sharedir)/extension
mkdir -p "$libraries" "$scripts"

# Copied beside, then renamed: a running server keeps the library it has loaded.
put() {
    cp "$2" "$3/.$4.new"
    chmod "$1" "$3/.$4.new"
    mv "$3/.$4.new" "$3/$4"
    echo "$3/$4"
}
put 755 "$from/leasehold.so" "$libraries" leasehold.so
for file in "$from"/leasehold.control "$from"/leasehold--*.sql; do
    put 644 "$file" "$scripts" "$(basename "$file")"
done

cat <<'TEXT'

Now set shared_preload_libraries = 'leasehold' in postgresql.conf, restart the server, and, in the database
that shall keep the leases:  create extension leasehold;
TEXT
