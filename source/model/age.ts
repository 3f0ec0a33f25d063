/** How long something is ago, in the largest unit that says enough: `3 hours`, `2 days`. */
export function ageText(milliseconds: number): string {
	const minutes = Math.max(0, Math.round(milliseconds / 60_000));
	const [count, unit] =
		minutes < 120
			? [minutes, 'minute']
			: minutes < 48 * 60
				? [Math.round(minutes / 60), 'hour']
				: [Math.round(minutes / 1440), 'day'];
	return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
