import {describe, expect, test} from 'vitest';
import {refuseIfClosing} from '../../source/commands/shell.ts';
import {FakeEngine, fakeInstance} from '../support/fake-engine.ts';
import {drover} from './context.ts';

const requests = (engine: FakeEngine, method: string) =>
	engine.calls.filter(call => call.method === method).map(call => call.request);
const withWeb = (state: 'Running' | 'Stopped' = 'Running') => new FakeEngine({instances: [fakeInstance('web', state)]});

describe('exec', () => {
	test.each<[string[], string]>([
		[['web', '--', 'ls', '-l', '--', 'a b'], "'ls' '-l' '--' 'a b'"],
		[['web', 'uname'], "'uname'"],
		[['--', 'web', 'ls', '-l'], "'ls' '-l'"],
		[['web', '-d', '/tmp dir', '--', 'ls', '-l'], "cd -- '/tmp dir' && 'ls' '-l'"],
		[['--working-directory', 'src', 'web', 'ls'], "cd -- 'src' && 'ls'"],
		[['web', '-n', '--', 'echo', "it's", '$HOME', ''], "'echo' 'it'\\''s' '$HOME' ''"],
	])('exec %j', async (argv, line) => {
		const {code, ran} = await drover(['exec', ...argv], {engine: withWeb()});
		expect(code).toBe(0);
		expect(ran).toHaveLength(1);
		expect(ran[0]!.program).toBe('ssh');
		expect(ran[0]!.argv.slice(-3)).toEqual(['127.0.0.1', '--', line]);
	});

	test('a terminal in the guest only where there is one here', async () => {
		const tty = async (isTTY: boolean) =>
			(await drover(['exec', 'web', 'ls'], {engine: withWeb(), isTTY})).ran[0]!.argv;
		expect(await tty(true)).toContain('-t');
		expect(await tty(false)).toContain('-T');
	});

	test.each([0, 1, 2, 42, 126, 127, 130, 255])('the exit code %i is passed on', async exit => {
		expect((await drover(['exec', 'web', '--', 'x'], {engine: withWeb(), exit})).code).toBe(exit);
	});

	test.each<[string[], string]>([
		[[], 'exec failed: Wrong number of arguments: an instance and a command are needed.'],
		[['web'], 'exec failed: Wrong number of arguments: an instance and a command are needed.'],
		[['web', '--'], 'exec failed: Wrong number of arguments: an instance and a command are needed.'],
		[['web', '-d', '/', '-n', 'ls'], 'exec failed: Options --working-directory and --no-map-working-directory clash.'],
	])('exec %j is refused', async (argv, message) => {
		const {code, err, connections} = await drover(['exec', ...argv], {engine: withWeb()});
		expect(err.split('\n')[0]).toBe(message);
		expect([code, connections]).toEqual([1, 0]);
	});

	test('an option of the command before --: how to write it', async () => {
		const {code, err} = await drover(['exec', 'web', 'ls', '-l'], {engine: withWeb()});
		expect([code, err]).toEqual([
			1,
			'exec failed: Unknown option \'l\'.\nOptions of the command itself go after "--", like this: drover exec <name> -- <command> <arguments>\n',
		]);
	});

	test('a stopped instance is started first', async () => {
		const engine = withWeb('Stopped');
		const {code, ran, err} = await drover(['exec', 'web', '--', 'ls'], {engine});
		expect([code, err]).toEqual([0, '']);
		expect(requests(engine, 'act')).toEqual([{action: 'start', names: ['web'], options: {}, by: 'kim'}]);
		expect(ran).toHaveLength(1);
	});

	test('one that is not there is not', async () => {
		expect(await drover(['exec', 'nobody', 'ls'])).toMatchObject({
			code: 2,
			err: 'exec failed: instance "nobody" does not exist\n',
			ran: [],
		});
	});

	test('a NUL cannot be passed', async () => {
		expect(await drover(['exec', 'web', 'a\0b'], {engine: withWeb()})).toMatchObject({code: 1, ran: []});
	});
});

describe('shell', () => {
	test.each(['shell', 'sh', 'connect'])('%s', async command => {
		const {code, ran} = await drover([command, 'web'], {engine: withWeb(), isTTY: true, exit: 7});
		expect(code).toBe(7);
		expect(ran[0]!.argv.slice(-4)).toEqual(['40000', '-l', 'ubuntu', '127.0.0.1']);
		expect(ran[0]!.argv).toContain('-t');
	});

	test('a stopped instance is started first, within the timeout', async () => {
		const engine = withWeb('Stopped');
		expect((await drover(['shell', 'web'], {engine})).ran).toHaveLength(1);
		expect(requests(engine, 'act')).toHaveLength(1);

		const slow = new FakeEngine({instances: [fakeInstance('web', 'Stopped')], delayMs: 60_000});
		expect(await drover(['shell', 'web', '--timeout', '1'], {engine: slow})).toMatchObject({code: 5, ran: []});
		await slow.cancel({id: '1', by: 'kim'});
	});

	test('the primary instance is launched when it is not there', async () => {
		const engine = new FakeEngine();
		const {ran, out} = await drover(['shell'], {engine});
		expect(requests(engine, 'launch')).toEqual([{name: 'primary', by: 'kim'}]);
		expect(ran).toHaveLength(1);
		expect(out).toMatch(/^Launched: primary$/m);
		expect(await drover(['shell', 'nobody'], {engine})).toMatchObject({code: 2, ran: []});
	});

	test('arguments', async () => {
		expect(await drover(['shell', 'a', 'b'])).toMatchObject({
			code: 1,
			err: 'shell failed: Too many arguments supplied.\n',
			connections: 0,
		});
	});

	test('not when it is about to stop', () => {
		const now = Date.UTC(2026, 0, 1);
		const due = (ms: number) => fakeInstance('web', 'Delayed Shutdown', {shutdownAt: new Date(now + ms).toISOString()});
		expect(() => refuseIfClosing(due(30_000), now)).toThrow('scheduled to stop in less than a minute');
		expect(() => refuseIfClosing(due(61_000), now)).not.toThrow();
		expect(() => refuseIfClosing(fakeInstance('web'), now)).not.toThrow();
	});
});

describe('where no SSH server answers', () => {
	const withDirect = (state: 'Running' | 'Stopped' = 'Running') => {
		const engine = withWeb(state);
		engine.accessOf = name =>
			engine.instances.get(name)?.state === 'Running'
				? {
						kind: 'lxd',
						direct: {
							name,
							endpoint: {kind: 'socket', path: '/run/lxd'},
							project: 'drover',
							instance: name,
							user: 'ubuntu',
						},
						reason: 'its SSH server does not\u001B[2J answer',
					}
				: undefined;
		return engine;
	};

	test('exec goes by way of the server, and says nothing of it', async () => {
		const argv = ['exec', 'web', '-d', '/tmp', '--', 'ls', '-l'];
		expect(await drover(argv, {engine: withDirect(), exit: 7})).toMatchObject({code: 7, out: '', err: ''});
		const {ran} = await drover(argv, {engine: withDirect()});
		expect(ran).toEqual([
			{
				program: 'direct web',
				argv: [],
				direct: {command: ['ls', '-l'], tty: false, workingDirectory: '/tmp'},
			},
		]);
	});

	test.each([[['-v', 'shell', 'web']], [['shell', '-v', 'web']]])('%j tells why, on stderr', async argv => {
		const {out, err, ran} = await drover(argv, {engine: withDirect(), isTTY: true});
		expect([out, err]).toEqual(['', 'web is reached by way of its server: its SSH server does not answer.\n']);
		expect(ran).toMatchObject([{direct: {tty: true}}]);
	});

	test('a stopped one is started first', async () => {
		const engine = withDirect('Stopped');
		expect((await drover(['shell', 'web'], {engine})).ran).toHaveLength(1);
		expect(requests(engine, 'act')).toHaveLength(1);
	});
});
