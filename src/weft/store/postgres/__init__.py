"""The store on PostgreSQL: several processes, on several machines, share one database."""
