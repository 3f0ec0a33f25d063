import type {EngineOptions} from '../../source/engine/create-engine.ts';

/** A private network that carries nothing: where the program under test is not there to become the process that does. */
export const noNetwork: NonNullable<EngineOptions['openNetwork']> = () => ({follow() {}, close() {}});
