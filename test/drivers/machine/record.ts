import type {InstanceRecord, SuspendStamp} from '../../../source/model/instance.ts';
import {gibibyte, mebibyte} from '../../../source/model/sizes.ts';

export function testRecord(change: Partial<InstanceRecord> = {}): InstanceRecord {
	return {
		schema: 1,
		id: '12345678-1234-4234-8234-123456789abc',
		name: 'web',
		scope: 'qemu',
		createdAt: '2026-01-01T00:00:00.000Z',
		createdBy: 'kim',
		phase: 'ready',
		image: {query: 'micro', release: 'Micro 1', os: 'drover', hash: 'sha256:00'},
		hardware: {
			arch: 'x86_64',
			cpus: 2,
			memory: 256 * mebibyte,
			disk: gibibyte,
			mac: '52:54:00:12:34:56',
			machine: 'pc-i440fx-7.2',
		},
		ssh: {user: 'ubuntu', hostKey: 'ssh-ed25519 AAAA', port: 40_022},
		desired: 'running',
		...change,
	};
}

export function testStamp(change: Partial<SuspendStamp> = {}): SuspendStamp {
	return {
		driver: 'qemu',
		version: '7.2.22',
		machine: 'pc-i440fx-7.2',
		accelerator: 'tcg',
		cpus: 2,
		memory: 256 * mebibyte,
		devices: 'digest',
		disk: {bytes: 1000, modifiedMs: 5},
		size: 100_000,
		at: '2026-01-01T00:00:00.000Z',
		by: 'user',
		...change,
	};
}
