#!/bin/sh
# `npm test`: sets up what the tests need, then types, lint and tests. Arguments go to vitest: npm test -- test/model
# The last line is "N passed, N failed, N skipped"; types and lint count as a test each.
set -eu
case $0 in */*) cd "${0%/*}/.." ;; *) cd .. ;; esac
sh scripts/setup.sh test

PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin
export PATH
node=node
for own in node_modules/node-linux-*/bin/node; do
	[ -x "$own" ] && node=$own
done

passed=0
failed=0
check() {
	title=$1
	shift
	if "$@" </dev/null; then passed=$((passed + 1)); echo "$title: fine"
	else failed=$((failed + 1)); echo "$title: FAILED"; fi
}
check 'types' "$node" node_modules/typescript/bin/tsc --noEmit
check 'lint and format' "$node" node_modules/@biomejs/biome/bin/biome check --reporter=summary

status=0
DROVER_CHECKS_PASSED=$passed DROVER_CHECKS_FAILED=$failed \
	"$node" node_modules/vitest/vitest.mjs run "$@" </dev/null || status=$?
[ "$failed" = 0 ] || exit 1
exit "$status"
