import {isOnline, type Machine, type Medium, type Nic} from './model.ts';

const titles: Readonly<Record<string, string>> = {
	Linux_64: 'Other Linux (64-bit)',
	Ubuntu_64: 'Ubuntu (64-bit)',
};

function quoted(text: string): string {
	return text.replace(/["\\]/g, '\\$&');
}

/** `showvminfo --machinereadable`. */
export function infoOf(machine: Machine): string {
	const {id, name, directory, file, nics, uart, controllers, attachments} = machine;
	const on = (value: boolean) => (value ? '"on"' : '"off"');
	const text = (value: string) => `"${value}"`;
	return [
		`name="${quoted(name)}"`,
		'encryption="disabled"',
		'groups="/"',
		'platformArchitecture="x86"',
		`ostype=${text(titles[machine.ostype] ?? machine.ostype)}`,
		`UUID=${text(id)}`,
		`CfgFile=${text(file)}`,
		`SnapFldr=${text(`${directory}/Snapshots`)}`,
		`LogFldr=${text(`${directory}/Logs`)}`,
		`hardwareuuid=${text(id)}`,
		`memory=${machine.memory}`,
		'pagefusion="off"',
		`vram=${machine.vram}`,
		'cpuexecutioncap=100',
		'cpu-profile="host"',
		'chipset="piix3"',
		`firmware=${text(machine.firmware.toUpperCase())}`,
		`cpus=${machine.cpus}`,
		'hpet="off"',
		// By the kind of guest; the ones here are told apart so far.
		`pae=${on(machine.ostype === 'Linux_64')}`,
		'longmode="on"',
		'triplefaultreset="off"',
		'apic="on"',
		'x2apic="on"',
		'nested-hw-virt="off"',
		'hwvirtex="on"',
		'nestedpaging="on"',
		'largepages="off"',
		'vtxvpid="on"',
		'vtxux="on"',
		'virtvmsavevmload="on"',
		'cpuid-portability-level=0',
		'bootmenu="messageandmenu"',
		...machine.boot.map((device, index) => `boot${index + 1}=${text(device)}`),
		'acpi="on"',
		'ioapic="on"',
		'biosapic="apic"',
		'biossystemtimeoffset=0',
		`NvramFile=${text(`${directory}/${name}.nvram`)}`,
		'rtcuseutc="on"',
		'iommu="none"',
		'paravirtprovider="default"',
		'effparavirtprovider="kvm"',
		`VMState=${text(machine.state)}`,
		`VMStateChangeTime=${text(machine.changed)}`,
		...(machine.stateFile === undefined ? [] : [`VMStateFile=${text(machine.stateFile)}`]),
		`graphicscontroller=${text(machine.graphics)}`,
		'monitorcount=1',
		'accelerate3d="off"',
		'teleporterenabled="off"',
		'teleporterport=0',
		'teleporteraddress=""',
		'teleporterpassword=""',
		'tracing-enabled="off"',
		'tracing-allow-vm-access="off"',
		'tracing-config=""',
		'autostart-enabled="off"',
		'autostart-delay=0',
		'defaultfrontend=""',
		'vmprocpriority="default"',
		...controllers.flatMap((controller, index) => [
			`storagecontrollername${index}=${text(controller)}`,
			`storagecontrollertype${index}="PIIX4"`,
			`storagecontrollerinstance${index}="0"`,
			`storagecontrollermaxportcount${index}="2"`,
			`storagecontrollerportcount${index}="2"`,
			`storagecontrollerbootable${index}="on"`,
		]),
		...controllers.flatMap(controller =>
			['0-0', '0-1', '1-0', '1-1'].flatMap(at => {
				const found = attachments.find(({port}) => `${port}-0` === at);
				if (!found) return [`"${controller}-${at}"="none"`];
				return [
					`"${controller}-${at}"=${text(found.path)}`,
					`"${controller}-ImageUUID-${at}"=${text(found.uuid)}`,
					...(found.kind === 'dvddrive'
						? [`"${controller}-tempeject-${at}"="off"`, `"${controller}-IsEjected-${at}"="off"`]
						: []),
					`"${controller}-nonrotational-${at}"="off"`,
					`"${controller}-discard-${at}"="off"`,
				];
			}),
		),
		...nics.flatMap((nic, index) => nicInfo(nic, index + 1)),
		'hidpointing="ps2mouse"',
		'hidkeyboard="ps2kbd"',
		...(uart
			? [
					`uart1="0x${Number(uart.io).toString(16).padStart(4, '0')},${uart.irq}"`,
					`uartmode1=${text(uart.mode)}`,
					'uarttype1="16550A"',
				]
			: ['uart1="off"']),
		...['uart2="off"', 'uart3="off"', 'uart4="off"', 'lpt1="off"', 'lpt2="off"'],
		`audio=${text(machine.audio)}`,
		...['audio_out="off"', 'audio_in="off"', 'clipboard="disabled"', 'clipboard_file_transfers="off"'],
		...['draganddrop="disabled"'],
		...(isOnline(machine) ? ['SessionName="headless"', 'VideoMode="720,400,0"@0,0 1'] : []),
		...['vrde="off"', 'usb="off"', 'ehci="off"', 'xhci="off"'],
		...['recording_started="off"', 'recording_enabled="off"', 'recording_screens=1', ' rec_screen0'],
		...['rec_screen_enabled="on"', 'rec_screen_id=0', 'rec_screen_video_enabled="on"'],
		...['rec_screen_audio_enabled="off"', 'rec_screen_dest="File"'],
		`rec_screen_dest_filename=${text(`${directory}/${name}-screen0.webm`)}`,
		...['rec_screen_opts="ac_profile=med"', 'rec_screen_video_res_xy="1024x768"'],
		...['rec_screen_video_rate_kbps=512', 'rec_screen_video_fps=25'],
		...(machine.description === '' ? [] : [`description="${quoted(machine.description)}"`]),
		'GuestMemoryBalloon=0',
		...(isOnline(machine) ? [`GuestOSType=${on(false)}`] : []),
		'',
	].join('\n');
}

function nicInfo({kind, type, mac, adapter, rules}: Nic, slot: number): string[] {
	if (kind === 'none') return [`nic${slot}="none"`];
	const head = {
		nat: `natnet${slot}="nat"`,
		bridged: `bridgeadapter${slot}="${adapter}"`,
		hostonly: `hostonlyadapter${slot}="${adapter}"`,
	}[kind];
	return [
		head,
		`macaddress${slot}="${mac}"`,
		`cableconnected${slot}="on"`,
		`nic${slot}="${kind}"`,
		`nictype${slot}="${type}"`,
		`nicspeed${slot}="0"`,
		...(kind === 'nat'
			? [
					...['mtu="0"', 'sockSnd="64"', 'sockRcv="64"', 'tcpWndSnd="64"', 'tcpWndRcv="64"'],
					...['localhostReachable="0"', 'forwardBroadcast="0"', 'enableTFTP="0"'],
					...[...rules].map((rule, index) => `Forwarding(${index})="${rule}"`),
				]
			: []),
	];
}

const spoken: Readonly<Record<string, string>> = {
	poweroff: 'powered off',
	gurumeditation: 'guru meditation',
	livesnapshotting: 'live snapshotting',
};

/** One machine of a long list, for people: what comes before its state, its state, and its description as it is. */
export function longOf(machine: Machine): string {
	const line = (key: string, value: string) => `${`${key}:`.padEnd(29)}${value}`;
	return [
		line('Name', machine.name),
		line('Encryption', 'disabled'),
		line('Groups', '/'),
		line('Platform Architecture', 'x86'),
		line('Guest OS', titles[machine.ostype] ?? machine.ostype),
		line('UUID', machine.id),
		line('Config file', machine.file),
		line('Snapshot folder', `${machine.directory}/Snapshots`),
		line('Log folder', `${machine.directory}/Logs`),
		line('Hardware UUID', machine.id),
		line('Memory size', `${machine.memory}MB`),
		line('Number of CPUs', String(machine.cpus)),
		line('State', `${spoken[machine.state] ?? machine.state} (since ${machine.changed})`),
		line('Graphics Controller', 'VMSVGA'),
		...(machine.description === '' ? [] : ['Description:', machine.description]),
		'* Guest:',
		line('Configured memory balloon', '0MB'),
		'',
		'',
	].join('\n');
}

export function mediumOf({uuid, path, format, capacity, kind}: Medium, isThere: boolean): string {
	return [
		`UUID:           ${uuid}`,
		...(kind === 'disk' ? ['Parent UUID:    base'] : []),
		`State:          ${isThere ? 'created' : 'inaccessible'}`,
		`Type:           ${kind === 'disk' ? 'normal (base)' : 'readonly'}`,
		`Location:       ${path}`,
		`Storage format: ${format}`,
		`Capacity:       ${Math.floor(capacity / 2 ** 20)} MBytes`,
		'Encryption:     disabled',
		'',
		'',
	].join('\n');
}
