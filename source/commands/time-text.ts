/** `2026-01-02 03:04:05`, in UTC as it is recorded; what is no time stays as it is. */
export function timeText(at: string | number): string {
	const date = new Date(at);
	if (Number.isNaN(date.getTime())) return String(at);
	return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
