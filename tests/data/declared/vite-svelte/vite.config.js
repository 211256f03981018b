import { sveltekit } from '@sveltejs/kit/vite';

/** @type {import('vite').UserConfig} */
const config = {
	plugins: [sveltekit()],
	server: { port: parseInt(process.env.PORT ?? '5190', 10), fs: { allow: ['..'] } },
	test: {
		testTimeout: 10000,
	},
};

export default config;
