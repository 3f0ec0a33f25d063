import type {SwitchStory} from '../model/switch-story.ts';

/** Milliseconds between two pictures of a switch in which nothing but progress has changed. */
const progressMs = 500;

/** Lets steps of a switch through at once, and mere progress at most twice a second. */
export class StoryBuffer {
	readonly #tell: (story: SwitchStory) => void;
	#shown: string | undefined;
	#waiting: SwitchStory | undefined;
	#timer: NodeJS.Timeout | undefined;

	constructor(tell: (story: SwitchStory) => void) {
		this.#tell = tell;
	}

	add(story: SwitchStory): void {
		this.#waiting = story;
		if (shapeOf(story) !== this.#shown) this.#flush();
		else this.#timer ??= setTimeout(() => this.#flush(), progressMs);
	}

	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#waiting = undefined;
		this.#shown = undefined;
	}

	#flush(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const story = this.#waiting;
		if (!story) return;
		this.#waiting = undefined;
		this.#shown = shapeOf(story);
		this.#tell(story);
	}
}

/** What is worth a picture at once: the phase, and how each line stands. */
function shapeOf({id, phase, park, restore}: SwitchStory): string {
	return `${id} ${phase} ${[...park, ...restore].map(line => line.result).join(' ')}`;
}
