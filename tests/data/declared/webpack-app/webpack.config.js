const path = require('path');

module.exports = (env, argv) => ({
  entry: './src/index.js',
  output: { path: path.resolve(__dirname, 'dist'), publicPath: 'auto' },
  performance: { maxAssetSize: 512000, hints: false },
  devServer: {
    port: process.env.DEV_PORT || 9010,
    allowedHosts: ['.example.test'],
    client: {
      webSocketURL: 'ws://localhost:9011/ws',
    },
    historyApiFallback: true,
    proxy: [
      {
        context: ['/api', '/auth'],
        target: 'http://localhost:4000',
        secure: false,
        proxyTimeout: 8080,
      },
      { context: ['/files'], target: 'https://files.example.test:9443', changeOrigin: true },
    ],
  },
  // devServer: { port: 8080 },
  watchOptions: { aggregateTimeout: 300, poll: 1000 },
});
