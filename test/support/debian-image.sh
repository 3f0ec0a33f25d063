#!/bin/sh
# Builds a Debian 12 cloud image (cloud-init, sshd, qemu-guest-agent, GRUB for BIOS) from Debian packages, as root.
# No mounts and no loop devices: the file system is filled by mke2fs, the boot loader is written by hand.
#   debian-image.sh OUT.qcow2      needs mmdebstrap, e2fsprogs, qemu-utils
set -eu
out=$1
suite=bookworm
work=$(mktemp -d "${TMPDIR:-/tmp}/drover-debian.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The mirror that this host's apt uses itself, where it is of the same suite.
site() { apt-get indextargets --format '$(SITE) $(CODENAME)' 2>/dev/null | awk -v name="$1" '$2 == name {print $1; exit}'; }
mirror=$(site "$suite")
security=$(site "$suite-security")
: "${mirror:=http://deb.debian.org/debian}" "${security:=http://deb.debian.org/debian-security}"

packages=linux-image-cloud-amd64,systemd-sysv,systemd-resolved,dbus,udev,netplan.io,cloud-init,cloud-guest-utils
packages=$packages,openssh-server,openssh-sftp-server,qemu-guest-agent,sudo,iproute2,ca-certificates
packages=$packages,e2fsprogs,fdisk,initramfs-tools,lz4,kmod,grub-pc-bin,grub-common,procps,python3-minimal

cat >"$work/essential" <<'END'
mkdir -p "$1/etc/initramfs-tools"
END
cat >"$work/customize" <<'END'
set -e
root=$1
echo 'LABEL=cloudimg-rootfs / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1' >"$root/etc/fstab"
echo localhost >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*
mkdir -p "$root/boot/grub/i386-pc" "$root/etc/systemd/system"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer e2scrub_reap.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
# Without locales the usual en_US.UTF-8 is an error of cloud-init's.
cat >"$root/etc/cloud/cloud.cfg.d/90-image.cfg" <<'G'
locale: false
datasource_list: [NoCloud, None]
ssh_genkeytypes: [ed25519]
grub_dpkg: {enabled: false}
apt_preserve_sources_list: true
G
chroot "$root" systemctl enable systemd-networkd ssh serial-getty@ttyS0 >/dev/null 2>&1 || true
printf 'virtio_pci\nvirtio_blk\nvirtio_scsi\nvirtio_net\nahci\nsd_mod\nata_piix\n' >"$root/etc/initramfs-tools/modules"
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=lz4/' "$root/etc/initramfs-tools/initramfs.conf"
chroot "$root" update-initramfs -u -k all
kernel=$(ls "$root/lib/modules" | head -n 1)
cat >"$root/boot/grub/grub.cfg" <<G
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial
search --no-floppy --set=root --label cloudimg-rootfs
linux /boot/vmlinuz-$kernel root=LABEL=cloudimg-rootfs ro console=tty0 console=ttyS0,115200
initrd /boot/initrd.img-$kernel
boot
G
cp "$root"/usr/lib/grub/i386-pc/*.mod "$root/boot/grub/i386-pc/"
cat >"$root/tmp/early.cfg" <<'G'
search --no-floppy --set=root --label cloudimg-rootfs
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
G
chroot "$root" grub-mkimage -O i386-pc -o /tmp/core.img -c /tmp/early.cfg -p /boot/grub \
	biosdisk part_msdos ext2 search search_label configfile normal linux serial terminal
cp "$root/tmp/core.img" "$root/usr/lib/grub/i386-pc/boot.img" "$work/"
rm -rf "$root"/tmp/* "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* \
	"$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt/*
END
work=$work mmdebstrap --mode=root --variant=minbase --include="$packages" --aptopt='Apt::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--essential-hook="sh $work/essential \"\$1\"" --customize-hook="sh $work/customize \"\$1\"" \
	"$suite" "$work/root.tar" "deb $mirror $suite main" "deb $mirror $suite-updates main" \
	"deb $security $suite-security main"

disk=$work/disk.raw
truncate -s 3G "$disk"
# One partition, bootable, from sector 2048 to the end.
le32() { for shift in 0 8 16 24; do printf '\\0%o' $(($1 >> shift & 255)); done; }
printf '%b' "\0200\0376\0377\0377\0203\0376\0377\0377$(le32 2048)$(le32 $((3 * 1024 * 2048 - 2048)))" |
	dd of="$disk" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$disk" bs=1 seek=510 conv=notrunc status=none
mkdir "$work/root"
tar -C "$work/root" --numeric-owner --xattrs -xf "$work/root.tar"
# Features that older file system tools, the guest's among them, do not know are left out.
mke2fs -q -t ext4 -O ^metadata_csum_seed,^orphan_file -L cloudimg-rootfs -d "$work/root" \
	-E offset=1048576,lazy_itable_init=1 "$disk" $(((3 * 1073741824 - 1048576) / 4096))
dd if="$work/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
qemu-img convert -O qcow2 "$disk" "$out"
