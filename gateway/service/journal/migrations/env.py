"""What Alembic runs around every migration. The connection comes from `journal.schema`.

There is no alembic.ini: an installed gateway upgrades its journal by itself, from the wheel.
The caller owns the transaction, so a migration that fails leaves the journal as it was.
"""

from alembic import context

from gateway.service.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
