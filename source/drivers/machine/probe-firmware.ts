import {gunzipSync} from 'node:zlib';

/**
 * A firmware of 64 KiB that goes from the reset vector into long mode with paging, takes a page fault, reloads CR3,
 * runs CPUID and RDTSC and fifty million loop iterations with memory traffic, and then writes 0x31 to port 0xf4.
 * It does what a kernel does first, so that an accelerator that only pretends to be one fails it or runs out of time.
 */
export function probeFirmware(): Buffer {
	return gunzipSync(Buffer.from(packed, 'base64'));
}

/**
 * For ARM: fifty million loop iterations in kernel mode, then {@link armProbeWord} on the serial line, and a call for power-off to the firmware that QEMU, KVM or
 * Hypervisor.framework stands in for (PSCI). What only pretends to be an accelerator fails it or runs out of time.
 * Source: Arm Architecture Reference Manual for A-profile; Arm Power State Coordination Interface, SYSTEM_OFF; QEMU,
 * `hw/arm/virt.c` (a PL011 at 0x09000000).
 */
export function armProbeFirmware(): Buffer {
	const code = Buffer.alloc(4 * armInstructions.length);
	for (const [index, word] of armInstructions.entries()) code.writeUInt32LE(word, 4 * index);
	return code;
}

/** What tells that it was this firmware that ended, and not a QEMU without a word. */
export const armProbeWord = 'drover';

const armInstructions = [
	0x52a05f41, // movz w1, #0x02fa, lsl #16
	0x729e1001, // movk w1, #0xf080: 50,000,000
	0x71000421, // subs w1, w1, #1
	0x54ffffe1, // b.ne to the line before
	0x52a12002, // movz w2, #0x0900, lsl #16
	...[...armProbeWord].flatMap(character => [
		0x52800003 + character.charCodeAt(0) * 32, // movz w3, #character
		0xb9000043, // str w3, [x2]
	]),
	0x52800100, // movz w0, #0x0008
	0x72b08000, // movk w0, #0x8400, lsl #16: SYSTEM_OFF
	0xd4000002, // hvc #0
	0x14000000, // b to itself
];

const packed =
	'H4sIAAAAAAACA+3QMWsTYRgH8OeaCBla3jgoHQRDJOAkPT9Bx0x+jPsEujkEMokQBN26uXawY6KCJyjVqY4Zg4hIRCm0LoVyvkk6+BWE3w/uff939/D+j7so68l8Uk++vI3H96pU3BwWqVdvF6lfV8s7kaIT1bQbm5l30Y0o61lsR5wdHl9b3bZ6ETnltbW3Tnkdxyp11qkXqbcYf+ql/mK6mk/9+WwUUaf7O1Hk271ct5PnR7lx+SIX7m4Kc9n+pixPnQ0PpzeKFNWT9mCRH7//0V3F7zlWx+3B17zvrtO3nGKSiluDB3m8/PUm8ilPW83H1Jvn5rJOL1M5G51ebDXtwepd8/nRn6NyfFk83Dq6Xr0+j9/nPy/zQd31x+/HcPyhMzypnsWVpsnLwclmf361H7yK23E3FzZp9dEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD/g2W+Tv/5DX8BYmJ9xgAAAQA=';
