import {endStep, finalStep, nameStep, networkStep, sshStep} from './boot.ts';

/**
 * `/sbin/init` of a container. LXD says "end" with SIGPWR and "again" with SIGINT, the applets of busybox (which it
 * prefers to our scripts: `sudo poweroff`) with SIGUSR1, SIGUSR2 and SIGTERM; busybox init would sleep two seconds. What is started goes through start-stop-daemon, since a job in the background of a shell has SIGINT ignored
 * for good, and so would every shell that SSH gives. Waiting for a child takes in orphans, too.
 */
export const containerInit = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
end='PWR USR1 USR2'; again='INT TERM'
trap 'trap "" $end $again; /etc/rc.shutdown; exit 0' $end
trap 'trap "" $end $again; /etc/rc.shutdown; busybox reboot -f' $again
start-stop-daemon -S -b -x /etc/rc.boot
start-stop-daemon -S -b -x /etc/rc.console
while :; do sleep 2147483647 & wait; done
`;

/**
 * The steps of a container: the kernel, its file systems and devices are there already. A directory under which LXD
 * has mounted something stays as it is. SSH first: it answers on each address as soon as that is there.
 */
export const containerBootScript = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
fresh() {
	grep -q " $1[/ ]" /proc/mounts || mount -t tmpfs -o mode=$2 tmpfs $1 2>/dev/null || rm -rf $1/*
}
mkdir -p /dev/shm
fresh /run 755; fresh /tmp 1777; fresh /dev/shm 1777
mkdir -p /run/cloud-init; rm -f /run/cloud-init/result.json
/etc/seed
${nameStep}${sshStep}${networkStep}${finalStep}# Time since the container began: /proc/uptime is the host's, where nothing makes it look like the container's.
up=$(awk 'NR == 1 { began = $22 / 100 } NR == 2 { printf "%.2f", $1 < began ? $1 : $1 - began }' /proc/1/stat /proc/uptime)
echo "micro: ready host=$(hostname) up=$up" > /dev/console
`;

export const containerConsole = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
while :; do
	getty -n -l /bin/sh -L 115200 console vt100
	usleep 500000
done
`;

/** The file systems are the host's: they are left alone. */
export const containerShutdownScript = `#!/bin/sh
${endStep}`;
