/**
 * Why a question to a machine or its guest was not answered. `absent`: nobody listens. `silent`: somebody does and says
 * nothing in time. `closed`: the connection ended. `refused`: it answered with an error. `aborted`: we no longer want it.
 */
export type AnswerProblem = 'absent' | 'silent' | 'closed' | 'refused' | 'aborted';

export class NoAnswer extends Error {
	override readonly name: string = 'NoAnswer';
	readonly problem: AnswerProblem;

	constructor(problem: AnswerProblem, message: string) {
		super(message);
		this.problem = problem;
	}
}
