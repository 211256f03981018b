FROM ruby:3.3.1-slim
ARG APP_VERSION=3000
ENV RAILS_ENV=production
COPY . /app
WORKDIR /app
EXPOSE 3000/tcp 3035
CMD ["bundle", "exec", "rails", "server", "-b", "0.0.0.0", "-p", "3000"]
