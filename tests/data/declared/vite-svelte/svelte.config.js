import adapter from '@sveltejs/adapter-node';

// PORT is read at run time, 3000 if it is not set.
export default {
	kit: {
		adapter: adapter({ out: 'build', precompress: false, envPrefix: 'SHOP_' }),
		version: { name: '5173', pollInterval: 60000 },
	},
};
