import type {Adoptable, Driver, Resources} from '../../source/drivers/driver.ts';
import {DroverError} from '../../source/model/errors.ts';
import type {InstanceRecord} from '../../source/model/instance.ts';
import type {Metrics} from '../../source/model/metrics.ts';
import type {Mount} from '../../source/model/mount.ts';
import type {HostNetwork, Nic} from '../../source/model/network.ts';

/** The methods of the contract that a driver may have or not. */
export const optionalMethods = [
	'mount',
	'unmount',
	'networks',
	'addNic',
	'resize',
	'metrics',
	'direct',
	'answers',
	'execute',
	'consoleText',
	'members',
	'adoptables',
	'adopt',
] as const satisfies ReadonlyArray<keyof Driver>;
export type OptionalMethod = (typeof optionalMethods)[number];

type Step = (method: OptionalMethod, record: InstanceRecord, work?: {readonly signal: AbortSignal}) => Promise<void>;

/** What a simulated hypervisor keeps for the optional parts of the contract; outlives engines, as real ones do. */
export class SimulatedParts {
	/** By instance id. */
	readonly mounts = new Map<string, readonly Mount[]>();
	readonly nics = new Map<string, readonly Nic[]>();
	readonly hardware = new Map<string, Resources>();
	networks: readonly HostNetwork[] = [
		{name: 'br0', type: 'bridge', description: 'the house'},
		{name: 'lxdbr0', type: 'bridge', description: 'LXD'},
	];
	members: readonly string[] = [];
	adoptables: readonly Adoptable[] = [];
	/** A record for one of them, as the driver makes it. */
	adopt: (name: string) => InstanceRecord = () => {
		throw new DroverError('instance.invalid', 'there is nothing to adopt');
	};
	samples = new Map<string, Metrics>();
	/** What a guest says when it is asked by way of the hypervisor; `undefined`: nothing. */
	answers: (record: InstanceRecord) => string | undefined = () => undefined;
	/** What the guest's initialization says when it is asked by way of the hypervisor. */
	initLine: (record: InstanceRecord) => string = () => 'verdict {"status":"done"}';
	resizesLive: ReadonlySet<keyof Resources> = new Set();

	/** All of them, for `step` to be told of each. */
	methods(step: Step): Required<Pick<Driver, OptionalMethod>> {
		const without = (id: string, target: string) => (this.mounts.get(id) ?? []).filter(each => each.target !== target);
		return {
			mount: async (record, _place, mount, work) => {
				await step('mount', record, work);
				this.mounts.set(record.id, [...without(record.id, mount.target), mount]);
			},
			unmount: async (record, _place, mount, work) => {
				await step('unmount', record, work);
				this.mounts.set(record.id, without(record.id, mount.target));
			},
			networks: async () => this.networks,
			addNic: async (record, _place, nic, work) => {
				await step('addNic', record, work);
				const others = (this.nics.get(record.id) ?? []).filter(each => each.mac !== nic.mac);
				this.nics.set(record.id, [...others, nic]);
			},
			resize: async (record, _place, hardware, work) => {
				await step('resize', record, work);
				this.hardware.set(record.id, {...this.hardware.get(record.id), ...hardware});
			},
			metrics: async record => this.samples.get(record.name),
			direct: async record => ({
				name: record.name,
				endpoint: {kind: 'socket', path: '/run/simulated'},
				project: 'drover',
				instance: record.name,
				user: record.ssh.user,
			}),
			answers: async (record, _place, signal) => {
				await step('answers', record, {signal});
				const answer = this.answers(record);
				if (answer === undefined) throw new DroverError('guest.unanswered', 'the guest is not up');
				return answer;
			},
			execute: async (record, _place, _command, {signal}) => {
				await step('execute', record, {signal});
				return {code: 0, stdout: `${this.initLine(record)}\n`};
			},
			consoleText: async () => 'simulated console',
			members: async () => this.members,
			adoptables: async () => this.adoptables,
			adopt: async name => this.adopt(name),
		};
	}
}
