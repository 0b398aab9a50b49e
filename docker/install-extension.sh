#!/bin/sh
# Puts the extension's files into a PostgreSQL server: library, control file, SQL scripts.
#
#   install-extension.sh [--pg-config=PATH] [--from=FOLDER] [--root=FOLDER] [--check | --writable]
#
#   --pg-config   The server's pg_config (default: the one in the PATH).
#   --from        Where leasehold.so, leasehold.control and leasehold--*.sql lie (default: target/release of this checkout).
#   --root        Put before every path that is written, for packages and images.
#   --check       Only says whether the extension can be put into that server.
#   --writable    Only says whether the caller may write where its files go.
set -eu

pg_config=pg_config
from=$(dirname "$0")/../target/release
root=
check=
writable=
for argument in "$@"; do
    case $argument in
    --pg-config=*) pg_config=${argument#*=} ;;
    --from=*) from=${argument#*=} ;;
    --root=*) root=${argument#*=} ;;
    --check) check=yes ;;
    --writable) writable=yes ;;
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

[ -z "$check" ] || exit 0

libraries=$root$("$pg_config" --pkglibdir)
scripts=$root$("$pg_config" --sharedir)/extension
if [ -n "$writable" ]; then
    for folder in "$libraries" "$scripts"; do
        # Of what is not there yet, the first folder above that is.
        until [ -e "$folder" ]; do folder=$(dirname "$folder"); done
        if [ ! -d "$folder" ] || [ ! -w "$folder" ]; then
            echo "$(id -un) can not write into $folder: run this as root" >&2
            exit 1
        fi
    done
    exit 0
fi
mkdir -p "$libraries" "$scripts"

# Copied beside, then renamed: a running server keeps the library it has loaded.
put() {
    cp "$2" "$3/.$4.new"
    chmod "$1" "$3/.$4.new"
    mv "$3/.$4.new" "$3/$4"
    echo "$3/$4"
}
for file in leasehold.so leasehold.control; do
    if [ ! -e "$from/$file" ]; then
        echo "$from has no $file: build it with cargo xtask build, or say --from=FOLDER" >&2
        exit 1
    fi
done
put 755 "$from/leasehold.so" "$libraries" leasehold.so
for file in "$from"/leasehold.control "$from"/leasehold--*.sql; do
    put 644 "$file" "$scripts" "$(basename "$file")"
done

cat <<'TEXT'

Now set shared_preload_libraries = 'leasehold' in postgresql.conf, restart the server, and, in the database
that shall keep the leases:  create extension leasehold;
TEXT
