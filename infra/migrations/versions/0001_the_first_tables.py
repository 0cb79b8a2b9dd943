"""the first tables"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('adapters',
        sa.Column('alias', sa.String(), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('model_version', sa.String(), nullable=False),
        sa.Column('prompt_version', sa.String(), nullable=False),
        sa.Column('gate_verdict', sa.String(), nullable=False),
        sa.Column('actor', sa.String(), nullable=False),
        sa.Column('reason', sa.String(), nullable=False),
        sa.Column('previous_version', sa.String(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('alias', 'sequence')
    )
    op.create_table('articles',
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('url', sa.String(), nullable=False),
        sa.Column('canonical_url', sa.String(), nullable=False),
        sa.Column('source', sa.String(), nullable=False),
        sa.Column('feed_url', sa.String(), nullable=False),
        sa.Column('headline', sa.String(), nullable=False),
        sa.Column('text', sa.String(), nullable=False),
        sa.Column('language', sa.String(), nullable=False),
        sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('content_hash', sa.String(), nullable=False),
        sa.Column('story_id', sa.Uuid(), nullable=False),
        sa.Column('training_allowed', sa.Boolean(), nullable=False),
        sa.Column('training_reason', sa.String(), nullable=False),
        sa.PrimaryKeyConstraint('article_id', 'revision')
    )
    with op.batch_alter_table('articles', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_articles_source'), ['source'], unique=False)
        batch_op.create_index(batch_op.f('ix_articles_story_id'), ['story_id'], unique=False)

    op.create_table('corrections',
        sa.Column('correction_id', sa.Uuid(), nullable=False),
        sa.Column('title_id', sa.Uuid(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('story_id', sa.Uuid(), nullable=False),
        sa.Column('verdict', sa.String(), nullable=False),
        sa.Column('title_before', sa.String(), nullable=False),
        sa.Column('title_after', sa.String(), nullable=False),
        sa.Column('error_tags', sa.JSON(), nullable=False),
        sa.Column('curator', sa.String(), nullable=False),
        sa.Column('seconds_spent', sa.Float(), nullable=False),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('model_version', sa.String(), nullable=False),
        sa.Column('prompt_version', sa.String(), nullable=False),
        sa.Column('note', sa.String(), nullable=False),
        sa.PrimaryKeyConstraint('correction_id')
    )
    with op.batch_alter_table('corrections', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_corrections_article_id'), ['article_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_corrections_decided_at'), ['decided_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_corrections_title_id'), ['title_id'], unique=False)

    op.create_table('feed_items',
        sa.Column('feed_url', sa.String(), nullable=False),
        sa.Column('item_key', sa.String(), nullable=False),
        sa.Column('url', sa.String(), nullable=False),
        sa.Column('headline', sa.String(), nullable=False),
        sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('stamp', sa.String(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=True),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('content_hash', sa.String(), nullable=False),
        sa.Column('outcome', sa.String(), nullable=False),
        sa.Column('reason', sa.String(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('feed_url', 'item_key')
    )
    with op.batch_alter_table('feed_items', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_feed_items_article_id'), ['article_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_feed_items_outcome'), ['outcome'], unique=False)

    op.create_table('feeds',
        sa.Column('url', sa.String(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.Column('etag', sa.String(), nullable=False),
        sa.Column('last_modified', sa.String(), nullable=False),
        sa.Column('next_poll_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('last_success_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('failures', sa.Integer(), nullable=False),
        sa.Column('last_error', sa.String(), nullable=False),
        sa.PrimaryKeyConstraint('url')
    )
    op.create_table('model_versions',
        sa.Column('version', sa.String(), nullable=False),
        sa.Column('artefact_uri', sa.String(), nullable=False),
        sa.Column('digest', sa.String(), nullable=False),
        sa.Column('base_model', sa.String(), nullable=False),
        sa.Column('base_revision', sa.String(), nullable=False),
        sa.Column('dataset_hash', sa.String(), nullable=False),
        sa.Column('prompt_version', sa.String(), nullable=False),
        sa.Column('prompt_digest', sa.String(), nullable=False),
        sa.Column('parent', sa.String(), nullable=True),
        sa.Column('config', sa.JSON(), nullable=False),
        sa.Column('metrics', sa.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('version')
    )
    op.create_table('publications',
        sa.Column('event_id', sa.Uuid(), nullable=False),
        sa.Column('title_id', sa.Uuid(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('text', sa.String(), nullable=False),
        sa.Column('origin', sa.String(), nullable=False),
        sa.Column('verdict', sa.String(), nullable=True),
        sa.Column('correction_id', sa.Uuid(), nullable=True),
        sa.Column('published_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('event_id')
    )
    with op.batch_alter_table('publications', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_publications_article_id'), ['article_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_publications_published_at'), ['published_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_publications_title_id'), ['title_id'], unique=False)

    op.create_table('scores',
        sa.Column('title_id', sa.Uuid(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('story_id', sa.Uuid(), nullable=False),
        sa.Column('url', sa.String(), nullable=False),
        sa.Column('source', sa.String(), nullable=False),
        sa.Column('text', sa.String(), nullable=False),
        sa.Column('model_version', sa.String(), nullable=False),
        sa.Column('prompt_version', sa.String(), nullable=False),
        sa.Column('decision', sa.String(), nullable=False),
        sa.Column('precision', sa.Float(), nullable=True),
        sa.Column('recall', sa.Float(), nullable=True),
        sa.Column('f1', sa.Float(), nullable=True),
        sa.Column('scorer', sa.String(), nullable=False),
        sa.Column('evidence', sa.String(), nullable=False),
        sa.Column('violations', sa.JSON(), nullable=False),
        sa.Column('review_reasons', sa.JSON(), nullable=False),
        sa.Column('audit', sa.Boolean(), nullable=False),
        sa.Column('scored_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('title_id')
    )
    with op.batch_alter_table('scores', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scores_article_id'), ['article_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_scores_decision'), ['decision'], unique=False)
        batch_op.create_index(batch_op.f('ix_scores_scored_at'), ['scored_at'], unique=False)

    op.create_table('story_features',
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('story_id', sa.Uuid(), nullable=False),
        sa.Column('features', sa.JSON(), nullable=False),
        sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('article_id')
    )
    with op.batch_alter_table('story_features', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_story_features_seen_at'), ['seen_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_story_features_story_id'), ['story_id'], unique=False)

    op.create_table('titles',
        sa.Column('title_id', sa.Uuid(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('revision', sa.Integer(), nullable=False),
        sa.Column('story_id', sa.Uuid(), nullable=False),
        sa.Column('text', sa.String(), nullable=False),
        sa.Column('raw', sa.String(), nullable=False),
        sa.Column('model_version', sa.String(), nullable=False),
        sa.Column('base_model', sa.String(), nullable=False),
        sa.Column('adapter_digest', sa.String(), nullable=False),
        sa.Column('prompt_version', sa.String(), nullable=False),
        sa.Column('shots', sa.Integer(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('input_tokens', sa.Integer(), nullable=False),
        sa.Column('output_tokens', sa.Integer(), nullable=False),
        sa.Column('latency_seconds', sa.Float(), nullable=False),
        sa.Column('cost_usd', sa.Float(), nullable=False),
        sa.Column('written_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('title_id')
    )
    with op.batch_alter_table('titles', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_titles_article_id'), ['article_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_titles_model_version'), ['model_version'], unique=False)
        batch_op.create_index(batch_op.f('ix_titles_story_id'), ['story_id'], unique=False)

    op.create_table('training_runs',
        sa.Column('run_id', sa.Uuid(), nullable=False),
        sa.Column('state', sa.String(), nullable=False),
        sa.Column('model_version', sa.String(), nullable=False),
        sa.Column('parent', sa.String(), nullable=True),
        sa.Column('corrections_used', sa.Integer(), nullable=False),
        sa.Column('dataset_hash', sa.String(), nullable=False),
        sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('actor', sa.String(), nullable=False),
        sa.Column('explanation', sa.String(), nullable=False),
        sa.Column('gate_report', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('run_id')
    )
    with op.batch_alter_table('training_runs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_training_runs_started_at'), ['started_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_training_runs_state'), ['state'], unique=False)

    op.create_table('model_alias_history',
        sa.Column('alias', sa.String(), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('version', sa.String(), nullable=False),
        sa.Column('previous_version', sa.String(), nullable=True),
        sa.Column('actor', sa.String(), nullable=False),
        sa.Column('reason', sa.String(), nullable=False),
        sa.Column('gate_verdict', sa.String(), nullable=False),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('announced', sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(['version'], ['model_versions.version'], ),
        sa.PrimaryKeyConstraint('alias', 'sequence')
    )
    op.create_table('model_aliases',
        sa.Column('alias', sa.String(), nullable=False),
        sa.Column('version', sa.String(), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['version'], ['model_versions.version'], ),
        sa.PrimaryKeyConstraint('alias')
    )
    op.create_table('training_examples',
        sa.Column('run_id', sa.Uuid(), nullable=False),
        sa.Column('correction_id', sa.Uuid(), nullable=False),
        sa.Column('article_id', sa.Uuid(), nullable=False),
        sa.Column('split', sa.String(), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['training_runs.run_id'], ),
        sa.PrimaryKeyConstraint('run_id', 'correction_id')
    )
    with op.batch_alter_table('training_examples', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_training_examples_article_id'), ['article_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('training_examples', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_training_examples_article_id'))

    op.drop_table('training_examples')
    op.drop_table('model_aliases')
    op.drop_table('model_alias_history')
    with op.batch_alter_table('training_runs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_training_runs_state'))
        batch_op.drop_index(batch_op.f('ix_training_runs_started_at'))

    op.drop_table('training_runs')
    with op.batch_alter_table('titles', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_titles_story_id'))
        batch_op.drop_index(batch_op.f('ix_titles_model_version'))
        batch_op.drop_index(batch_op.f('ix_titles_article_id'))

    op.drop_table('titles')
    with op.batch_alter_table('story_features', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_story_features_story_id'))
        batch_op.drop_index(batch_op.f('ix_story_features_seen_at'))

    op.drop_table('story_features')
    with op.batch_alter_table('scores', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_scores_scored_at'))
        batch_op.drop_index(batch_op.f('ix_scores_decision'))
        batch_op.drop_index(batch_op.f('ix_scores_article_id'))

    op.drop_table('scores')
    with op.batch_alter_table('publications', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_publications_title_id'))
        batch_op.drop_index(batch_op.f('ix_publications_published_at'))
        batch_op.drop_index(batch_op.f('ix_publications_article_id'))

    op.drop_table('publications')
    op.drop_table('model_versions')
    op.drop_table('feeds')
    with op.batch_alter_table('feed_items', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_feed_items_outcome'))
        batch_op.drop_index(batch_op.f('ix_feed_items_article_id'))

    op.drop_table('feed_items')
    with op.batch_alter_table('corrections', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_corrections_title_id'))
        batch_op.drop_index(batch_op.f('ix_corrections_decided_at'))
        batch_op.drop_index(batch_op.f('ix_corrections_article_id'))

    op.drop_table('corrections')
    with op.batch_alter_table('articles', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_articles_story_id'))
        batch_op.drop_index(batch_op.f('ix_articles_source'))

    op.drop_table('articles')
    op.drop_table('adapters')
