#!/bin/sh
# Sets up what is missing and says so, a line a step; does nothing, quickly, when nothing is missing.
#   setup.sh start   npm packages, the built program, the hypervisor (without which the dashboard still opens)
#   setup.sh test    the same, with what the tests need; a missing hypervisor is an error
#   setup.sh build   npm packages and the built program
set -eu

mode=${1-}
case $mode in
	start | test | build) ;;
	*) echo 'Usage: setup.sh start|test|build' >&2; exit 1 ;;
esac
case $0 in */*) cd "${0%/*}/.." ;; *) cd .. ;; esac
log=.cache/setup.log

fail() {
	echo "drover: $*" >&2
	exit 1
}

need_writable() {
	mkdir -p .cache 2>/dev/null && [ -w .cache ] ||
		fail "$PWD cannot be written to by $(id -un 2>/dev/null || id -u), so nothing can be set up here."
}

# step TITLE COMMAND...: one line with how long it took; the command's own output only when it fails.
step() {
	title=$1
	shift
	printf '%s ... ' "$title" >&2
	begin=$(date +%s)
	if "$@" </dev/null >"$log" 2>&1; then
		echo "done ($(($(date +%s) - begin)) s)" >&2
	else
		echo 'failed' >&2
		# npm gives the reason first, apt last. Notices and where npm's own log is do not help.
		grep -v -e '^npm notice' -e 'A complete log of this run' "$log" |
			awk '{ line[NR] = $0 } END { for (i = 1; i <= NR; i++) if (i <= 8 || i > NR - 6) print "  " line[i] }' >&2
		return 1
	fi
}

# Only one setup at a time in one checkout, where that can be had. The kernel frees it with the process.
alone=
only_one() {
	[ -z "$alone" ] && command -v flock >/dev/null 2>&1 || return 0
	alone=yes
	exec 9>.cache/setup.lock
	flock -n 9 || { echo 'Waiting for another setup of this checkout ...' >&2; flock 9; }
}

# --- npm packages ---------------------------------------------------------------------------------------------------

have_packages() {
	if [ "$mode" = test ]; then
		cmp -s package-lock.json node_modules/.drover-all && return 0
		needed=node_modules/.bin/vitest
	else
		cmp -s package-lock.json node_modules/.drover-run && return 0
		cmp -s package-lock.json node_modules/.drover-all && return 0
		needed=node_modules/esbuild/package.json
	fi
	# Installed by hand: npm's own record is newer than what was asked for.
	[ -e "$needed" ] && [ node_modules/.package-lock.json -nt package-lock.json ] || return 1
	if [ -e node_modules/.bin/vitest ]; then cp package-lock.json node_modules/.drover-all 2>/dev/null
	else cp package-lock.json node_modules/.drover-run 2>/dev/null; fi || true
}

install_packages() {
	command -v npm >/dev/null 2>&1 || fail 'npm is missing: install Node.js 20 or newer with npm (apt-get install npm).'
	need_writable
	only_one
	have_packages && return 0
	# Without a home of one's own npm has no place for its cache.
	if [ ! -w "${HOME:-/nonexistent}" ]; then
		npm_config_cache=$PWD/.cache/npm
		export npm_config_cache
	fi
	omit=--omit=dev; mark=node_modules/.drover-run
	if [ "$mode" = test ] || [ -e node_modules/.bin/vitest ]; then omit=--include=dev; mark=node_modules/.drover-all; fi
	# No package needs its install script (native parts come as packages of their own), and the warnings about engines
	# are about npm's own Node: drover runs on the one that is among the packages.
	step 'Installing npm packages' npm ci "$omit" --ignore-scripts --no-audit --no-fund --no-progress \
		--loglevel=error --engine-strict=false ||
		fail 'the npm packages could not be installed; check the network and try again.'
	cp package-lock.json "$mark"
}

# --- the program ----------------------------------------------------------------------------------------------------

# SQLite without a flag.
new_enough='const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 22 || (major === 22 && minor >= 13) ? 0 : 1)'

find_node() {
	for node in node_modules/node-*-*/bin/node; do
		[ -x "$node" ] && return 0
	done
	node=$(command -v node) || fail 'Node.js is missing.'
	# Not a platform for which a Node comes with the packages.
	"$node" -e "$new_enough" || fail "Node.js 22.13 or newer is needed, and $node is $("$node" --version)."
}

is_built() {
	[ -e dist/drover.js ] &&
		[ -z "$(find source scripts/build.mjs scripts/patches package.json package-lock.json -newer dist/drover.js 2>/dev/null | head -n 1)" ]
}

build_program() {
	find_node
	need_writable
	only_one
	is_built && return 0
	step 'Building drover' "$node" scripts/build.mjs || fail 'the program could not be built.'
	# So that a file that is newer than the build by less than the clock's tick is not built again for ever.
	touch dist/drover.js
}

# --- the hypervisor -------------------------------------------------------------------------------------------------

# Debian packages of the programs that are missing; on macOS what Homebrew calls it.
missing_packages() {
	missing=
	if [ "$(uname -s)" = Darwin ]; then
		PATH=$PATH:/opt/homebrew/bin:/usr/local/bin:/opt/local/bin
		case $(uname -m) in arm64) emulator=qemu-system-aarch64 ;; *) emulator=qemu-system-x86_64 ;; esac
		command -v "$emulator" >/dev/null 2>&1 && command -v qemu-img >/dev/null 2>&1 || missing=' qemu'
		[ -n "$missing" ]
		return
	fi
	PATH=$PATH:/usr/sbin:/sbin
	case $(uname -m) in
		aarch64) command -v qemu-system-aarch64 >/dev/null 2>&1 || missing="$missing qemu-system-arm qemu-efi-aarch64" ;;
		*) command -v qemu-system-x86_64 >/dev/null 2>&1 || missing="$missing qemu-system-x86" ;;
	esac
	command -v qemu-img >/dev/null 2>&1 || missing="$missing qemu-utils"
	command -v ssh >/dev/null 2>&1 && command -v ssh-keygen >/dev/null 2>&1 || missing="$missing openssh-client"
	command -v mke2fs >/dev/null 2>&1 && command -v debugfs >/dev/null 2>&1 || missing="$missing e2fsprogs"
	[ -n "$missing" ]
}

# What only tests need, and skip with their reason where it cannot be had.
missing_extras() {
	missing=
	PATH=$PATH:/usr/sbin:/sbin
	if ! command -v virsh >/dev/null 2>&1 || ! { command -v libvirtd || command -v virtqemud; } >/dev/null 2>&1; then
		missing="$missing libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients"
	fi
	# ARM machines, emulated.
	command -v qemu-system-aarch64 >/dev/null 2>&1 || missing="$missing qemu-system-arm qemu-efi-aarch64"
	# Containers for real. The daemon is started by the tests, with directories of its own; root only.
	if [ "$(id -u)" = 0 ] && ! command -v lxd >/dev/null 2>&1; then
		missing="$missing lxd dnsmasq-base nftables squashfs-tools"
	fi
	# Incus cannot be beside LXD: the tests put it into a root directory of its own. A real cloud image is built from
	# packages, too.
	if [ "$(id -u)" = 0 ] && ! command -v mmdebstrap >/dev/null 2>&1; then missing="$missing mmdebstrap"; fi
	[ -n "$missing" ] && command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true </dev/null >/dev/null 2>&1; }
}

install_hypervisor() {
	if [ "$(uname -s)" = Darwin ]; then
		# Nothing is installed into a Mac: Homebrew is for its owner to run.
		echo "drover: QEMU is missing: run  brew install$missing" >&2
		return 1
	fi
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "drover: QEMU or a tool of it is missing: install what has qemu-system-x86_64, qemu-img, ssh and mke2fs." >&2
		return 1
	fi
	if [ "$(id -u)" = 0 ]; then as_root=
	elif sudo -n true </dev/null >/dev/null 2>&1; then as_root='sudo -n'
	else
		echo "drover: QEMU or a tool of it is missing: run  sudo apt-get install --no-install-recommends$missing" >&2
		return 1
	fi
	need_writable
	only_one
	"$1" || return 0
	apt="env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
	set -- /var/lib/apt/lists/*_Packages*
	if [ ! -e "$1" ]; then
		# One of several sources may be away; whether that matters shows in the next step.
		step 'Reading package lists' $as_root $apt update || true
	fi
	# shellcheck disable=SC2086  # lists of words
	step "Installing$missing" $as_root $apt install --no-install-recommends $missing && return 0
	# The lists may be too old for what the servers have today.
	# shellcheck disable=SC2086
	step 'Reading package lists' $as_root $apt update &&
		step "Installing$missing" $as_root $apt install --no-install-recommends $missing && return 0
	echo "drover: apt-get could not install$missing (its reason is above)." >&2
	return 1
}

have_packages || install_packages
is_built || build_program
if [ "$mode" != build ] && missing_packages; then
	# The dashboard opens all the same: it tells what is missing and what can be done without.
	install_hypervisor missing_packages || [ "$mode" = start ] || exit 1
fi
if [ "$mode" = test ] && missing_extras; then
	install_hypervisor missing_extras || true
fi
