"""a training has a lease"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    with op.batch_alter_table('training_runs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('place', sa.String(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True))
    op.create_index('one_run_at_a_time', 'training_runs', ['state'], unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING)


def downgrade() -> None:
    op.drop_index('one_run_at_a_time', table_name='training_runs')
    with op.batch_alter_table('training_runs', schema=None) as batch_op:
        batch_op.drop_column('lease_until')
        batch_op.drop_column('place')
