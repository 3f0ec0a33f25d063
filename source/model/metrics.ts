/** One sample of what an instance uses. Rates are made from two of them. */
export type Metrics = {
	/** Milliseconds since the epoch. */
	readonly at: number;
	/** Processor time used since it started, in seconds over all processors; absent where nobody counts it. */
	readonly cpuSeconds?: number;
	/** Bytes. */
	readonly memoryUsed?: number;
	readonly memoryTotal?: number;
	/** Bytes received and sent since it started, over all interfaces but loopback. */
	readonly received?: number;
	readonly sent?: number;
	/** Bytes read and written since it started. */
	readonly diskRead?: number;
	readonly diskWritten?: number;
	/** Bytes its disk takes on the host. */
	readonly diskUsed?: number;
	readonly processes?: number;
};
