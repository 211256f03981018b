module.exports = {
  devServer: {
    port: 80,
    hot: true,
  },
};
