/** A primary partition, in sectors of 512 bytes. */
export type Partition = {
	readonly type: number;
	readonly start: number;
	readonly sectors: number;
	readonly active: boolean;
};

/**
 * A master boot record: boot code, up to four primary partitions, the signature. Cylinder addresses say "beyond",
 * since everything reads the linear ones.
 */
export function masterBootRecord(bootCode: Buffer, partitions: readonly Partition[]): Buffer {
	const sector = Buffer.alloc(512);
	bootCode.copy(sector, 0, 0, Math.min(bootCode.length, 440));
	for (const [index, partition] of partitions.slice(0, 4).entries()) {
		const at = 446 + index * 16;
		sector[at] = partition.active ? 0x80 : 0;
		sector.set([0xfe, 0xff, 0xff], at + 1);
		sector[at + 4] = partition.type;
		sector.set([0xfe, 0xff, 0xff], at + 5);
		sector.writeUInt32LE(partition.start, at + 8);
		sector.writeUInt32LE(partition.sectors, at + 12);
	}
	sector.set([0x55, 0xaa], 510);
	return sector;
}
