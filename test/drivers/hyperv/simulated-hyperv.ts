// biome-ignore-all lint/correctness/noComponentHookFactories: .NET's methods begin with a capital, too
import {randomUUID} from 'node:crypto';
import {defaultSwitch} from '../../support/hyperv/state.ts';
import type {Cmdlet, Named, World} from './powershell.ts';
import {enumValue, errorRecord, Hash, pattern, Sim, stream, Thrown, text} from './powershell-values.ts';

const guid = (id: string) => new Sim('a Guid', {ToString: () => id});
const failure = (id: string, category = 'InvalidArgument', hresult = 0) =>
	new Thrown(errorRecord(`${id},Microsoft.HyperV.PowerShell.Commands`, category, 'Etwas auf Deutsch', hresult));

/** What a machine has beside what `Get-VM` shows of it. */
type Inside = {
	disk: string;
	adapters: Sim[];
	checkpoints: Sim[];
	told: Record<string, unknown>;
};

/** A Hyper-V of objects, with the cmdlets that the script calls: each as Microsoft's documentation has it, as far as it goes. */
export class SimulatedHyperV {
	readonly machines: Sim[] = [];
	readonly inside = new Map<Sim, Inside>();
	/** Sizes of disks, by path; `parent`: the disk stands on another. */
	readonly disks = new Map<string, {size: number; parent: string}>();
	/** Where a cmdlet is to fail the next time it is called. */
	readonly failing = new Map<string, Thrown>();
	readonly calls: string[] = [];
	/** What guests tell of their addresses, and what the host sees, by MAC address. */
	readonly told = new Map<string, string[]>();
	readonly seen = new Map<string, string>();
	readonly sku: number = 48;
	events: string[] = [];
	#isWatching = false;
	shutdownAnswer = 0;
	hasShutdown = true;

	/** A machine that somebody has made. */
	add(name: string, notes = '', state = 'Off', place = 'C:\\VMs'): Sim {
		const id = randomUUID();
		const vm = new Sim('a VirtualMachine', {
			...{Id: guid(id), Name: name, Notes: notes, State: enumValue(state), ConfigurationLocation: `${place}\\${name}`},
			...{Uptime: new Sim('a TimeSpan', {TotalSeconds: 61.7}), MemoryAssigned: 2 ** 30, MemoryDemand: 2 ** 29},
		});
		this.machines.push(vm);
		this.inside.set(vm, {disk: '', adapters: [], checkpoints: [], told: {}});
		return vm;
	}

	stateOf(vm: Sim): string {
		return text(vm.get('State'));
	}

	#in(vm: unknown): Inside {
		const found = this.inside.get(vm as Sim);
		if (!found) throw failure('ObjectNotFound', 'ObjectNotFound');
		return found;
	}

	#state(vm: unknown, state: string): [] {
		(vm as Sim).set('State', enumValue(state));
		return [];
	}

	#adapter(vm: Sim, mac: string, network: string): Sim {
		return new Sim('a VMNetworkAdapter', {
			...{VMId: vm.get('Id'), MacAddress: mac, SwitchName: network},
			IPAddresses: this.told.get(mac) ?? [],
		});
	}

	get #cmdlets(): Readonly<Record<string, (named: Named, input: readonly unknown[]) => readonly unknown[]>> {
		const vm = (named: Named) => named.get('vm') as Sim;
		const tell = (named: Named, key: string) => {
			const {told} = this.#in(vm(named));
			told[key] = Object.fromEntries([...named].filter(([name]) => name !== 'vm'));
			return [];
		};
		const networks = [
			{
				Id: guid(defaultSwitch),
				Name: 'Default Switch',
				SwitchType: enumValue('Internal'),
				NetAdapterInterfaceDescription: '',
			},
			{Id: guid('b'), Name: 'Haus', SwitchType: enumValue('External'), NetAdapterInterfaceDescription: 'Intel'},
		].map(each => new Sim('a VMSwitch', each));
		return {
			'Set-StrictMode': () => [],
			'ConvertFrom-Json': named => [JSON.parse(text(named.get('inputobject')))],
			'ConvertTo-Json': named => [JSON.stringify(plain(named.get('inputobject'), Number(named.get('depth'))))],
			'Get-Module': () => [new Sim('a module', {Version: new Sim('a Version', {ToString: () => '2.0.0.0'})})],
			'Get-Service': () => [new Sim('a service', {Status: enumValue('Running')})],
			'Get-Command': () => [
				new Sim('a command', {
					Parameters: new Sim('parameters', {ContainsKey: (key: string) => key === 'AutomaticCheckpointsEnabled'}),
				}),
			],
			'Get-EventSubscriber': () => (this.#isWatching ? [new Sim('a subscriber', {SourceIdentifier: 'drover'})] : []),
			'Get-Event': () =>
				this.events.map(
					vmId =>
						new Sim('an event', {
							...{SourceIdentifier: 'drover', EventIdentifier: vmId},
							SourceEventArgs: new Sim('arguments', {
								NewEvent: new Sim('an event', {TargetInstance: new Sim('a Msvm_ComputerSystem', {Name: vmId})}),
							}),
						}),
				),
			'Remove-Event': named => {
				this.events = this.events.filter(each => each !== named.get('eventidentifier'));
				return [];
			},
			'CimCmdlets\\Register-CimIndicationEvent': () => {
				this.#isWatching = true;
				return [];
			},
			'CimCmdlets\\Get-CimInstance': named => this.#cim(text(named.get('classname'))),
			'CimCmdlets\\Invoke-CimMethod': named => {
				if (text(named.get('methodname')) !== 'InitiateShutdown') throw failure('InvalidParameter');
				const id = text((named.get('inputobject') as Sim).get('SystemName'));
				const found = this.machines.find(each => text(each.get('Id')) === id);
				if (this.shutdownAnswer === 0) this.#state(found, 'Stopping');
				return [new Sim('a result', {ReturnValue: this.shutdownAnswer})];
			},
			'NetTCPIP\\Get-NetNeighbor': () =>
				[...this.seen].map(
					([mac, address]) =>
						new Sim('a neighbor', {
							...{LinkLayerAddress: mac.replace(/(..)(?!$)/g, '$1-'), IPAddress: address},
							State: enumValue(address.endsWith('.99') ? 'Unreachable' : 'Reachable'),
						}),
				),
			'Hyper-V\\Get-VMHost': () => [new Sim('a host', {})],
			'Hyper-V\\Get-VM': () => this.machines,
			'Hyper-V\\Get-VMSwitch': named =>
				named.has('id') ? networks.filter(each => text(each.get('Id')) === named.get('id')) : networks,
			'Hyper-V\\Set-VM': named => {
				if (named.has('notes')) vm(named).set('Notes', named.get('notes'));
				return named.has('notes') ? [] : tell(named, 'settings');
			},
			'Hyper-V\\Set-VMProcessor': named => tell(named, 'processor'),
			'Hyper-V\\Set-VMMemory': named => tell(named, 'memory'),
			'Hyper-V\\Set-VMFirmware': named => tell(named, 'firmware'),
			'Hyper-V\\Add-VMDvdDrive': named => tell(named, 'dvd'),
			'Hyper-V\\New-VM': named => {
				const made = this.add(text(named.get('name')), '', 'Off', text(named.get('path')));
				const inside = this.#in(made);
				inside.disk = text(named.get('vhdpath'));
				inside.adapters.push(this.#adapter(made, '000000000000', text(named.get('switchname'))));
				inside.told['new'] = Object.fromEntries(named);
				return [made];
			},
			'Hyper-V\\Remove-VM': named => {
				if (this.stateOf(vm(named)) !== 'Off' && this.stateOf(vm(named)) !== 'Saved')
					throw failure('InvalidState', 'InvalidOperation');
				this.machines.splice(this.machines.indexOf(vm(named)), 1);
				return [];
			},
			'Hyper-V\\Set-VMNetworkAdapter': named => {
				const adapter = named.get('vmnetworkadapter') as Sim;
				adapter.set('MacAddress', named.get('staticmacaddress'));
				adapter.set('IPAddresses', this.told.get(text(named.get('staticmacaddress'))) ?? []);
				return [];
			},
			'Hyper-V\\Add-VMNetworkAdapter': named => {
				const {adapters} = this.#in(vm(named));
				adapters.push(this.#adapter(vm(named), text(named.get('staticmacaddress')), text(named.get('switchname'))));
				return [];
			},
			'Hyper-V\\Get-VMNetworkAdapter': named => stream(named.get('vm')).flatMap(each => this.#in(each).adapters),
			'Hyper-V\\Get-VMHardDiskDrive': named => [new Sim('a drive', {Path: this.#in(vm(named)).disk})],
			'Hyper-V\\Get-VHD': named => {
				const found = this.disks.get(text(named.get('path')));
				if (!found) throw failure('ObjectNotFound', 'ObjectNotFound', -2147024894);
				return [new Sim('a VHD', {Size: found.size, ParentPath: found.parent})];
			},
			'Hyper-V\\Resize-VHD': named => {
				this.disks.get(text(named.get('path')))!.size = Number(named.get('sizebytes'));
				return [];
			},
			'Hyper-V\\Convert-VHD': named => {
				this.disks.set(text(named.get('destinationpath')), {...this.disks.get(text(named.get('path')))!, parent: ''});
				return [];
			},
			'Hyper-V\\Start-VM': named => this.#state(vm(named), 'Running'),
			'Hyper-V\\Resume-VM': named => this.#state(vm(named), 'Running'),
			'Hyper-V\\Stop-VM': named => {
				if (named.get('turnoff') !== true) throw new Error('Stop-VM would wait for the guest');
				return this.#state(vm(named), 'Off');
			},
			'Hyper-V\\Remove-VMSavedState': named => this.#state(vm(named), 'Off'),
			'Hyper-V\\Checkpoint-VM': named => {
				const inside = this.#in(vm(named));
				inside.checkpoints.push(
					new Sim('a VMSnapshot', {Name: named.get('snapshotname'), VM: vm(named), Disk: inside.disk}),
				);
				const leaf = `${inside.disk}.a`;
				this.disks.set(leaf, {...this.disks.get(inside.disk)!, parent: inside.disk});
				inside.disk = leaf;
				return [];
			},
			'Hyper-V\\Get-VMSnapshot': named => this.#in(vm(named)).checkpoints,
			'Hyper-V\\Restore-VMSnapshot': named => {
				const checkpoint = named.get('vmsnapshot') as Sim;
				this.#in(checkpoint.get('VM')).disk = `${checkpoint.get('Disk')}.b`;
				this.disks.set(`${checkpoint.get('Disk')}.b`, {...this.disks.get(text(checkpoint.get('Disk')))!, parent: 'x'});
				return [];
			},
			'Hyper-V\\Remove-VMSnapshot': named => {
				const checkpoint = named.get('vmsnapshot') as Sim;
				const inside = this.#in(checkpoint.get('VM'));
				inside.checkpoints = inside.checkpoints.filter(each => each !== checkpoint);
				return [];
			},
		};
	}

	#cim(name: string): readonly unknown[] {
		switch (name) {
			case 'Win32_OperatingSystem':
				return [new Sim(name, {Version: '10.0.22631', OperatingSystemSKU: this.sku})];
			case 'Win32_ComputerSystem':
				return [new Sim(name, {HypervisorPresent: true})];
			case 'Win32_Process':
				return this.machines.map(
					each => new Sim(name, {CommandLine: `vmwp.exe ${text(each.get('Id')).toUpperCase()}`, ProcessId: 77}),
				);
			case 'Msvm_ShutdownComponent':
				return this.hasShutdown ? this.machines.map(each => new Sim(name, {SystemName: text(each.get('Id'))})) : [];
			case 'Win32_PerfRawData_HvStats_HyperVHypervisorVirtualProcessor':
				return this.machines.flatMap(each =>
					[0, 1].map(
						index => new Sim(name, {Name: `${each.get('Name')}:Hv VP ${index}`, PercentTotalRunTime: 25_000_000}),
					),
				);
			case 'Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter':
				return this.machines.map(
					each =>
						new Sim(name, {
							Name: `${each.get('Name')}_Network Adapter_x--y`,
							BytesReceivedPersec: 5,
							BytesSentPersec: 7,
						}),
				);
			default:
				throw failure('InvalidClass');
		}
	}

	/** A PowerShell's world with this in it, whose standard input has these lines. */
	world(lines: readonly string[], written: string[]): World {
		const input = [...lines];
		const all = this.#cmdlets;
		const cmdlets = Object.fromEntries(
			Object.entries(all).map(([name, cmdlet]): [string, Cmdlet] => [
				name,
				(named, piped) => {
					this.calls.push(name);
					const fault = this.failing.get(name);
					this.failing.delete(name);
					if (fault) throw fault;
					return cmdlet(named, piped);
				},
			]),
		);
		const reader = () =>
			new Sim('a StreamReader', {
				ReadLineAsync: () => {
					const line = input.shift();
					return new Sim('a Task', {Wait: () => true, Result: line ?? null});
				},
			});
		return {
			cmdlets,
			variables: {
				PID: 4711,
				PSVersionTable: new Sim('a table', {PSVersion: new Sim('a Version', {ToString: () => '5.1.22621'})}),
			},
			types: {
				'System.Text.UTF8Encoding': () => new Sim('an encoding', {}),
				'System.IO.StreamReader': reader,
				'System.IO.StreamWriter': () =>
					new Sim('a StreamWriter', {WriteLine: (line: string) => void written.push(line)}),
				'System.Exception': message => new Sim('an Exception', {Message: message, HResult: -2146233088}),
				'System.Management.Automation.ErrorRecord': (exception, id, category) =>
					new Sim('an error record', {
						...{Exception: exception, FullyQualifiedErrorId: id},
						CategoryInfo: new Sim('a category', {Category: enumValue(text(category))}),
					}),
				'System.Security.Principal.WindowsPrincipal': () => new Sim('a principal', {IsInRole: () => false}),
			},
			statics: {
				'Console::OpenStandardInput': () => new Sim('a stream', {}),
				'Console::OpenStandardOutput': () => new Sim('a stream', {}),
				'math::Floor': (value: number) => Math.floor(value),
				'regex::Match': (value: string, source: string) => matchOf(value, source),
				'regex::Replace': (value: string, source: string, make: (match: Sim) => unknown) =>
					value.replace(pattern(source, 'g'), found => text(make(new Sim('a match', {Value: found})))),
				'System.Security.Principal.WindowsIdentity::GetCurrent': () =>
					new Sim('an identity', {
						Groups: [new Sim('a SID', {Value: 'S-1-1-0'}), new Sim('a SID', {Value: 'S-1-5-32-578'})],
					}),
				'System.Security.Principal.WindowsBuiltInRole::Administrator': 'Administrator',
				'System.StringComparison::OrdinalIgnoreCase': 'OrdinalIgnoreCase',
			},
		};
	}
}

function matchOf(value: string, source: string): Sim {
	const found = pattern(source, '').exec(value);
	const groups = (found ?? []).map(each => new Sim('a group', {Value: each}));
	return new Sim('a match', {Success: found !== null, Groups: groups});
}

/** What `ConvertTo-Json` makes of a value; what goes deeper than it is told, or is a whole object, is a mistake. */
function plain(value: unknown, depth: number): unknown {
	if (value === undefined || value === null) return null;
	if (typeof value !== 'object') return value;
	if (depth < 0) throw new Error('ConvertTo-Json would cut something off');
	if (value instanceof Hash) return Object.fromEntries(value.keys.map(key => [key, plain(value.get(key), depth - 1)]));
	if (Array.isArray(value)) return value.map(each => plain(each, depth - 1));
	throw new Error('a whole object would be written as JSON');
}
