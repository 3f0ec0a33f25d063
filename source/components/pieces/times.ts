/** Wall clock of a moment, in this machine's time zone: `10:12:03`. Never a counter, which would have to tick. */
export function clock(at: number): string {
	const date = new Date(at);
	return Number.isNaN(date.getTime())
		? '-'
		: [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
}

/** `23 Nov 10:12`: for what may be days ago. */
export function moment(at: number | string): string {
	const date = new Date(at);
	if (Number.isNaN(date.getTime())) return '-';
	return `${two(date.getDate())} ${months[date.getMonth()]} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** How long something took: `0:48`, `1:02:03`. Milliseconds in. */
export function duration(ms: number): string {
	const seconds = Math.max(0, Math.round(ms / 1000));
	const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
	return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (number: number) => String(number).padStart(2, '0');
