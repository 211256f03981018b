FROM python:3.12.3-slim
ENV QUEUE_HOST=mq.example.test QUEUE_PORT=5672 PREFETCH=1000
ENV BROKER_URL amqp://guest@mq.example.test:5673/
COPY . /srv
RUN pip install -r /srv/requirements.txt && \
    echo "EXPOSE 8080" > /srv/notes
USER 8080:8080
HEALTHCHECK NONE
CMD ["celery", "-A", "app", "worker", "--max-tasks-per-child", "3000"]
