#!/bin/sh
# What `npm start` does where there is a shell: sets up what is missing and opens the dashboard.
set -eu
here=${0%/*}
sh "$here/setup.sh" start
exec "$here/../bin/drover" "$@"
