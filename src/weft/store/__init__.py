"""The journal and its projections: tables, migrations, group commit; one module an aggregate."""
