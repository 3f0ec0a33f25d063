/** A disk lies over so many layers at most: each is a file more that is open, and looked into for what is not above it. */
export const deepestLayers = 8;

export type LinkPlan =
	/** Both lie over a layer that is there. */
	| {readonly kind: 'share'; readonly layer: string}
	/** The disk as it is becomes the layer. */
	| {readonly kind: 'make'; readonly layer: string}
	| {readonly kind: 'refuse'};

/**
 * What a linked clone and the instance it is made of are to share.
 * @param layers those that the other's disk lies over, the nearest first
 * @param isUntouched nothing has been written to its disk since that was laid over the nearest
 * @param wanted the layer that was chosen for this clone, before anything was done
 */
export function planLink({
	layers,
	isUntouched,
	wanted,
}: {
	readonly layers: readonly string[];
	readonly isUntouched: boolean;
	readonly wanted: string;
}): LinkPlan {
	// An earlier attempt came so far: it has what the other had when the clone was asked for.
	if (layers.includes(wanted)) return {kind: 'share', layer: wanted};
	const [nearest] = layers;
	if (nearest !== undefined && isUntouched) return {kind: 'share', layer: nearest};
	return layers.length < deepestLayers ? {kind: 'make', layer: wanted} : {kind: 'refuse'};
}
