import {bootScript, dhcpScript, initScript, inittab, powerButtonScript, powerScript, shutdownScript} from './boot.ts';
import {containerBootScript, containerConsole, containerInit, containerShutdownScript} from './container.ts';
import {seedParser, seedScript} from './seed.ts';

/** A file that is written into the guest. */
export type GuestFile = {readonly path: string; readonly mode: number; readonly text: string};

const sudo = `#!/bin/sh
while [ "\${1#-}" != "$1" ]; do
	case $1 in
		-u|-g|-h|-p|-C) shift 2;;
		--) shift; break;;
		*) shift;;
	esac
done
[ $# -gt 0 ] || exec /bin/sh
exec env -- "$@"
`;

const cloudInit = `#!/bin/sh
done=/run/cloud-init/result.json
case "$1" in
	status)
		case " $* " in *" --wait "*) while [ ! -e $done ]; do usleep 100000; done;; esac
		if [ -e $done ]; then echo 'status: done'; else echo 'status: running'; fi
		;;
	--version|-v) echo 'cloud-init micro';;
	*) echo 'cloud-init: only "status" is there in a micro guest' >&2; exit 1;;
esac
`;

const profile = `export PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\\u@\\h:\\w\\$ '
`;

const script = (path: string, text: string): GuestFile => ({path, mode: 0o755, text});
const data = (path: string, text: string, mode = 0o644): GuestFile => ({path, mode, text});

/** The files of a machine, for a kernel of this version. */
export function machineFiles(kernelVersion: string): readonly GuestFile[] {
	return [
		script('init', initScript),
		script('etc/rc.boot', bootScript),
		script('etc/rc.shutdown', shutdownScript),
		script('etc/acpi/PWRF/00000080', powerButtonScript),
		data('etc/inittab', inittab),
		...commonFiles(`Micro 1 (Linux ${kernelVersion})`),
	];
}

/** The files of a container, which has the kernel of its host. */
export function containerFiles(): readonly GuestFile[] {
	return [
		script('sbin/init', containerInit),
		script('etc/rc.boot', containerBootScript),
		script('etc/rc.console', containerConsole),
		script('etc/rc.shutdown', containerShutdownScript),
		...commonFiles('Micro 1'),
	];
}

function commonFiles(prettyName: string): readonly GuestFile[] {
	return [
		script('etc/seed', seedScript),
		data('etc/seed.awk', seedParser),
		script('usr/share/udhcpc/default.script', dhcpScript),
		script('sbin/shutdown', powerScript),
		script('bin/bash', '#!/bin/sh\nexec /bin/sh "$@"\n'),
		script('usr/bin/sudo', sudo),
		script('usr/bin/cloud-init', cloudInit),
		data('etc/profile', profile),
		data('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nubuntu:x:0:0:ubuntu:/home/ubuntu:/bin/sh\n'),
		data('etc/group', 'root:x:0:\ntty:x:5:\n'),
		data('etc/shadow', 'root:*:19000:0:99999:7:::\nubuntu:*:19000:0:99999:7:::\n', 0o600),
		data('etc/shells', '/bin/sh\n/bin/bash\n'),
		data('etc/hostname', 'micro\n'),
		data('etc/hosts', '127.0.0.1 localhost\n::1 localhost\n'),
		data('etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n'),
		data(
			'etc/os-release',
			`NAME="Micro"\nID=micro\nID_LIKE=debian\nPRETTY_NAME="${prettyName}"\nVERSION="1"\nVERSION_ID="1"\n`,
		),
	];
}
