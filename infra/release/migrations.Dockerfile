# What the migration job runs: the tables, the SQL functions and Alembic.
FROM python:3.13.5-slim-bookworm
WORKDIR /app
COPY requirements-migrations.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements-migrations.txt \
    && useradd --system --no-create-home migrator
COPY common common
COPY migrations migrations
USER migrator
CMD ["python", "-m", "migrations.run"]
