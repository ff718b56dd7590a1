"""Run by alembic (engine.store.db.migrate): hands it the open connection and the tables as they should be."""

from alembic import context
from sqlmodel import SQLModel

import engine.store.tables  # noqa: F401 - importing it fills SQLModel.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
