#!/bin/sh
# `npm start`: sets up what is missing and opens the dashboard.
set -eu
here=${0%/*}
sh "$here/setup.sh" start
exec "$here/../bin/drover" "$@"
