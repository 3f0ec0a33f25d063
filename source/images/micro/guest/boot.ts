/** Scripts that bring the micro guest up and down. They run under busybox in the guest, never on the host. */

/** `/init` of the first, temporary root: finds the disk, grows its second partition, hands over. */
export const initScript = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe virtio_pci; modprobe virtio_blk; modprobe -q crc32c_generic; modprobe -q ext4
root=; tries=0
while [ $tries -lt 200 ]; do
	root=$(findfs LABEL=micro-root 2>/dev/null) && break
	# Not a virtio disk: other hypervisors have SCSI, SATA or IDE.
	[ $tries = 5 ] && { modprobe -q virtio_scsi; modprobe -q ata_piix; modprobe -q ahci; modprobe -q sd_mod; }
	tries=$((tries + 1)); usleep 50000
done
[ -n "$root" ] || { echo "micro: the root file system was not found" >/dev/console; exec sh; }
disk=\${root%2}; disk_name=\${disk##*/}; part_name=\${root##*/}
read total < /sys/block/$disk_name/size
read start < /sys/block/$disk_name/$part_name/start
read size < /sys/block/$disk_name/$part_name/size
# The size in the partition table is patched directly: busybox fdisk would sleep a second. 474 = 446 + 16 + 12.
if [ $((total - start - size)) -gt 2048 ]; then
	size=$((total - start))
	for shift in 0 8 16 24; do printf "\\\\$(printf %o $((size >> shift & 255)))"; done |
		dd of=$disk bs=1 seek=474 conv=notrunc 2>/dev/null
	blockdev --rereadpt $disk
	: > /dev/.grow
fi
mount -t ext4 -o noatime "$root" /newroot || { echo "micro: the root file system cannot be mounted" >/dev/console; exec sh; }
mount -o move /dev /newroot/dev; mount -o move /proc /newroot/proc; mount -o move /sys /newroot/sys
exec switch_root /newroot /sbin/init
`;

export const inittab = `::sysinit:/etc/rc.boot
ttyS0::respawn:/sbin/getty -n -l /bin/sh -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/etc/rc.shutdown
`;

/** Gives the guest its name, and itself to talk to. */
export const nameStep = `hostname -F /etc/hostname
ip link set lo up
`;

/**
 * An address for each card: the one that the seed gives it, else one that is asked for. Without one for 10 seconds the next
 * step is taken, and asking goes on in the background. A name server of the seed's comes before all others; where it is
 * away, that shows soon and the next one is asked.
 */
export const networkStep = `[ -e /var/lib/cloud/network ] && while read -r mac address server search; do
	for nic in /sys/class/net/eth*; do
		read -r own < $nic/address
		[ "$own" = "$mac" ] || continue
		nic=\${nic##*/}
		: > /run/given.$nic
		ip link set $nic up
		ip addr add $address brd + dev $nic
		[ -n "$server" ] || continue
		echo 100 > /proc/sys/net/ipv4/neigh/$nic/retrans_time_ms
		echo "\${search:+search $search
}nameserver $server
options timeout:1" > /run/resolv.given
	done
done < /var/lib/cloud/network
for nic in /sys/class/net/eth*; do
	nic=\${nic##*/}
	[ "$nic" = 'eth*' ] && break
	[ -e /run/given.$nic ] && continue
	ip link set $nic up
	udhcpc -i $nic -b -t 10 -T 1 -A 1 -x "hostname:$(hostname)" -p /run/udhcpc.$nic.pid \\
		-s /usr/share/udhcpc/default.script >/dev/null 2>&1
done
`;

export const sshStep = `if [ -e /etc/dropbear/dropbear_ed25519_host_key ]; then
	dropbear -s -r /etc/dropbear/dropbear_ed25519_host_key -p 22 2>/dev/null
else
	dropbear -s -R -p 22 2>/dev/null
fi
`;

/** What the seed asks to be run once, and the word that all is done. */
export const finalStep = `if [ -e /var/lib/cloud/runcmd ]; then
	mv /var/lib/cloud/runcmd /run/cloud-init/runcmd
	sh /run/cloud-init/runcmd >/var/log/cloud-init-output.log 2>&1 </dev/null
fi
echo '{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}' > /run/cloud-init/result.json
`;

/** Everything between the kernel and a guest that answers. Order matters: SSH as early as possible. */
export const bootScript = `#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t tmpfs -o mode=755 run /run; mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p /dev/pts /dev/shm /run/cloud-init; mount -t devpts pts /dev/pts; mount -t tmpfs -o mode=1777 shm /dev/shm
ln -sf /proc/self/fd /dev/fd; ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
[ -e /dev/.grow ] && resize2fs "$(findfs LABEL=micro-root)" >/dev/null 2>&1
modprobe -q -a virtio_net virtio_console virtio_rng virtio_balloon button evdev isofs rtc_cmos
for port in /sys/class/virtio-ports/*; do
	[ -e $port/name ] || continue
	read name < $port/name
	mkdir -p /dev/virtio-ports; ln -sf ../\${port##*/} "/dev/virtio-ports/$name"
done
[ -e /sys/class/net/eth0 ] || modprobe -q e1000
/etc/seed
${nameStep}${networkStep}${sshStep}acpid -c /etc/acpi -l /dev/null -p /run/acpid.pid 2>/dev/null
agent=/dev/virtio-ports/org.qemu.guest_agent.0
[ -e $agent ] && qemu-ga -d -m virtio-serial -p $agent -f /run/qemu-ga.pid -t /run >/dev/null 2>&1
${finalStep}read up idle < /proc/uptime
echo "micro: ready host=$(hostname) up=$up" > /dev/console
`;

/** Ends what runs. */
export const endStep = `echo "micro: shutting down" > /dev/console
trap '' TERM
kill -TERM -1 2>/dev/null
usleep 50000
`;

/** Leaves the file systems clean. */
export const shutdownScript = `#!/bin/sh
${endStep}sync
umount -a -r 2>/dev/null
mount -o remount,ro / 2>/dev/null
`;

/** \`/sbin/shutdown\`, \`poweroff\`, \`reboot\`, \`halt\`. With -f, because busybox init would sleep two seconds. */
export const powerScript = `#!/bin/sh
trap '' TERM HUP
case "\${0##*/} $* " in
	reboot*|*" -r "*) /etc/rc.shutdown; exec busybox reboot -f;;
	*) /etc/rc.shutdown; exec busybox poweroff -f;;
esac
`;

export const powerButtonScript = `#!/bin/sh
exec /sbin/poweroff
`;

export const dhcpScript = `#!/bin/sh
case $1 in
	deconfig) ip addr flush dev $interface; ip link set $interface up;;
	bound|renew)
		ip addr flush dev $interface
		ip addr add $ip/\${mask:-24} dev $interface
		for router in $router; do ip route add default via $router dev $interface 2>/dev/null; break; done
		cat /run/resolv.given > /etc/resolv.conf 2>/dev/null
		for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
		;;
esac
`;
