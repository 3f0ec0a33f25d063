/** What a process has used since it began. */
export type ProcessUsage = {
	/** Of all its threads. */
	readonly cpuSeconds: number;
	/** Bytes of memory that it shares with others, which is where QEMU keeps a guest's; absent where nobody tells. */
	readonly sharedMemory?: number;
};

/** The processes of this host, as the system tells of them: nothing here trusts a number alone. */
export type Processes = {
	/** The words of its command line; `undefined` when there is none of that number, or it has ended. */
	arguments(pid: number): Promise<readonly string[] | undefined>;
	/** Those whose command line has a certain word, with their words. */
	withWord(word: string): Promise<ReadonlyMap<number, readonly string[]>>;
	/** When it began, in digits that only this process of that number has; `undefined` when there is none. */
	began(pid: number): Promise<string | undefined>;
	usage(pid: number): Promise<ProcessUsage | undefined>;
	/** Ends it: asks where the system has a way to ask, else (or with `force`) ends it. Never throws. */
	end(pid: number, force: boolean): void;
};
