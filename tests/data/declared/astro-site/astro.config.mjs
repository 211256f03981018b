import { defineConfig } from 'astro/config';

export default defineConfig({
  site: 'https://www.example.com',
  server: ({ command }) => ({ port: command === 'dev' ? 4330 : 4331, host: true }),
  redirects: { '/2023': '/archive/8080' },
  image: { service: { config: { limitInputPixels: 65535 } } },
});
