/** @type {import('next').NextConfig} */
const api = process.env.API_URL || 'http://localhost:4000';

// Old back end: http://localhost:5000
module.exports = {
  reactStrictMode: true,
  staticPageGenerationTimeout: 3000,
  async rewrites() {
    return [
      { source: '/api/:path*', destination: `${api}/:path*` },
      { source: '/search/:q', destination: 'http://search.example.test:9200/:q' },
    ];
  },
  images: {
    deviceSizes: [640, 1080, 3840],
    minimumCacheTTL: 8080,
  },
};
