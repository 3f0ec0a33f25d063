import process from 'node:process';

// A small program for the test of the bundle: one part that needs nothing, one that draws, one that needs much of Node.
const isLoaded = (name: string) =>
	(process as unknown as {moduleLoadList: string[]}).moduleLoadList.includes(`NativeModule ${name}`);

switch (process.argv[2]) {
	case 'version':
		console.log(
			JSON.stringify({build: globalThis.droverBuild, http: isLoaded('http'), files: isLoaded('fs/promises')}),
		);
		break;
	case 'network': {
		const before = isLoaded('http');
		const {answer} = await import('./program-network.ts');
		console.log(JSON.stringify({before, after: isLoaded('http'), answer: await answer()}));
		break;
	}
	case 'fail':
		process.exit(3);
		break;
	default: {
		const {draw} = await import('./program-screen.tsx');
		await draw();
	}
}
// As the real one does: whatever may still be open does not keep a finished program.
process.stdout.write('', () => process.exit(0));
