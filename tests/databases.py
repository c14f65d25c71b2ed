"""What a test knows of a database."""

from sauma.store.embedded import Cluster


class Database:
    """A database on the session's server; `dsn("postgres")` is the superuser's."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def dsn(self, role: str) -> str:
        return self.cluster.dsn(role, self.name)
