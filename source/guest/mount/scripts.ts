/**
 * Scripts that run in a guest, in any POSIX shell, busybox's too. What they are told comes as arguments; what they tell
 * is in lines of words of ours, since a login may print lines of its own.
 */

/** Before each line that is meant for drover. */
export const mark = 'drover:';

/** What a mount over SSH is called among the guest's mounts. */
export const deviceName = 'drover:/';

const search =
	'PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; LC_ALL=C; export LC_ALL';

/** As root: the guest's user is root, or may become it without being asked. */
const asRoot = 'as_root() { if [ "$me" = 0 ]; then "$@"; else sudo -n "$@"; fi; }';

/** The kernel writes blanks and backslashes of paths in its lists in octal. */
const escaped = `sed 's/\\\\/\\\\134/g; s/ /\\\\040/g'`;

/** Where a path really is, without touching what may be mounted on it: that may be dead. */
const realPlace = `real_place() {
	parent=\${1%/*}
	cd -P -- "\${parent:-/}" 2>/dev/null && printf '%s/%s' "\${PWD%/}" "\${1##*/}" || printf '%s' "$1"
}`;

/**
 * Makes a guest ready for a mount. `$1`: the target; `$2`: how long a package manager may be waited for, in seconds.
 * Says `ids UID GID`, `installing`, and last either `ready` or one of the words in `refusals` with what there is to
 * say about it.
 */
export const prepareScript = `${search}
target=$1; patience=$2
say() { printf '${mark}%s\\n' "$*"; }
${asRoot}
${realPlace}
have() { command -v "$1" >/dev/null 2>&1; }
me=$(id -u); say ids "$me" "$(id -g)"
as_root true >/dev/null 2>&1 || { say no-root; exit 0; }
install() {
	if have apt-get; then
		set -- env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout="$patience" --no-install-recommends
		as_root "$@" install sshfs || { as_root "$@" update; as_root "$@" install sshfs; }
	elif have dnf; then as_root dnf -q -y install fuse-sshfs
	elif have zypper; then as_root zypper -q -n install sshfs
	elif have apk; then as_root apk add -q sshfs
	elif have pacman; then as_root pacman -S --noconfirm --needed sshfs
	else echo 'it has no package manager that is known'; false; fi
}
if ! have sshfs; then
	say installing
	log=$(install 2>&1 </dev/null)
	have sshfs || { say no-sshfs "$(printf '%s\\n' "$log" | grep . | tail -n 1)"; exit 0; }
fi
[ -e /dev/fuse ] || as_root modprobe fuse >/dev/null 2>&1
[ -e /dev/fuse ] || { say no-fuse; exit 0; }
place=$(real_place "$target"); listed=$(printf '%s' "$place" | ${escaped})
# What an earlier connection has left is of no use any more.
for left in 1 2 3 4 5 6 7 8; do
	grep -qF "${deviceName} $listed fuse.sshfs " /proc/mounts || break
	as_root umount -l "$place" >/dev/null 2>&1 || break
done
[ -d "$target" ] || mkdir -p -- "$target" 2>/dev/null || problem=$(as_root mkdir -p -- "$target" 2>&1)
[ -d "$target" ] || { say no-target "$(printf '%s\\n' "$problem" | tail -n 1)"; exit 0; }
say ready
`;

/**
 * Mounts, as root, what speaks SFTP on standard input and output, and stays until that ends or sshfs does. `$1`: the
 * target; `$2`: sshfs's options. Says `mounted` on standard error. The mount goes with it, whoever has it in use.
 */
export const sessionScript = `${search}
target=$1; options=$2
# Since 3.7.6 it refuses links with .. in them and absolute ones, for fear of the server: here that is the host.
case $(sshfs -h 2>&1 </dev/null) in *no_contain_symlinks*) options=$options,no_contain_symlinks;; esac
cd /
place=$(cd -P -- "$target" && pwd) || exit 1
listed=$(printf '%s' "$place" | ${escaped})
exec 3<&0 4>&1 </dev/null >/dev/null
sshfs ${deviceName} "$place" -f -o "$options" <&3 >&4 3<&- 4>&- &
pid=$!
exec 3<&- 4>&-
ours=
mounts() { grep -F " $listed " /proc/self/mountinfo | grep -F ' - fuse.sshfs ${deviceName} ' | tail -n 1; }
while [ -z "$ours" ] && kill -0 $pid 2>/dev/null; do
	ours=$(mounts)
	if [ -n "$ours" ]; then
		# It is there before it is connected: only an answer shows that it works.
		if [ -d "$place/." ]; then echo '${mark}mounted' >&2; fi
	else
		sleep 0.05 2>/dev/null || sleep 1
	fi
done
wait $pid
code=$?
# Not one that has been mounted there since.
[ -z "$ours" ] || [ "$(mounts)" != "$ours" ] || umount -l "$place" 2>/dev/null
exit $code
`;

/**
 * Tells, before something is plugged into a guest, of its user and its kernel: `ids UID GID`, `knows virtiofs 9p`, and last
 * `ready` or one of the words in `refusals`. Looks at no mount: one that is dead would not let go of it.
 */
export const nativePrepareScript = `${search}
say() { printf '${mark}%s\\n' "$*"; }
${asRoot}
me=$(id -u); say ids "$me" "$(id -g)"
as_root true >/dev/null 2>&1 || { say no-root; exit 0; }
knows() { grep -qw "$1" /proc/filesystems; }
knows virtiofs || as_root modprobe virtiofs >/dev/null 2>&1
knows 9p || { as_root modprobe 9pnet_virtio; as_root modprobe 9p; } >/dev/null 2>&1
known=; for kind in virtiofs 9p; do knows $kind && known="$known $kind"; done
[ -n "$known" ] || { say no-kind; exit 0; }
say knows $known
say ready
`;

/**
 * Mounts, as the guest's user, what is plugged in. `$1`: the target; `$2`: the kind of file system; `$3`: what it is
 * known by; `$4`: options. Says `ready`, or one of the words in `refusals` with what there is to say about it.
 */
export const nativeMountScript = `${search}
target=$1; kind=$2; tag=$3; options=$4
say() { printf '${mark}%s\\n' "$*"; }
${asRoot}
${realPlace}
me=$(id -u)
place=$(real_place "$target"); listed=$(printf '%s' "$place" | ${escaped})
# What is mounted there already and works stays; what was plugged out meanwhile answers with an error.
for left in 1 2 3 4; do
	grep -qF "$tag $listed $kind " /proc/mounts || break
	ls "$place/" >/dev/null 2>&1 && { say ready; exit 0; }
	as_root umount -l "$place" >/dev/null 2>&1 || break
done
[ -d "$target" ] || mkdir -p -- "$target" 2>/dev/null || problem=$(as_root mkdir -p -- "$target" 2>&1)
[ -d "$target" ] || { say no-target "$(printf '%s\\n' "$problem" | tail -n 1)"; exit 0; }
# Its parents may just have been made.
place=$(real_place "$target")
# The kernel may need a moment to find what was plugged in.
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
	log=$(as_root mount -t "$kind" -o "$options" "$tag" "$place" 2>&1) && { say ready; exit 0; }
	sleep 0.25 2>/dev/null || sleep 1
done
say no-mount "$(printf '%s\\n' "$log" | tail -n 1)"
`;

/**
 * Unmounts what is mounted natively. `$1`: the target; `$2`: `force` for what is in use too, whose users get errors then.
 * Says `ended`, or `busy` when it was in use.
 */
export const nativeEndScript = `${search}
target=$1; how=$2; me=$(id -u); said=ended
say() { printf '${mark}%s\\n' "$*"; }
${asRoot}
${realPlace}
place=$(real_place "$target"); listed=$(printf '%s' "$place" | ${escaped})
for left in 1 2 3 4; do
	grep -F " $listed " /proc/mounts | grep -q -e '^mnt-[^ ]* [^ ]* virtiofs ' -e '^mnt-[^ ]* [^ ]* 9p ' || break
	as_root umount "$place" 2>/dev/null && continue
	# Whoever was in it may be about to leave.
	sleep 0.5 2>/dev/null || sleep 1
	as_root umount "$place" 2>/dev/null && continue
	said=busy
	[ "$how" = force ] || { sync; break; }
	as_root umount -l "$place" || break
done
say $said
`;

/** What sshfs is told. */
export const sshfsOptions = [
	// It speaks on its standard input and output. Newer ones call it passive, and know this word as well.
	'slave',
	'allow_other',
	// The guest's kernel judges by the owners and permissions that are shown: else any user might do anything.
	'default_permissions',
	// Owners are mapped on the host's side.
	'idmap=none',
	'max_read=65536',
	'max_write=65536',
	// Seconds until a change on the host is seen at the latest; less makes large trees slow.
	'dcache_timeout=2',
].join(',');
