"""The sections of a configuration. Aliases are the names in the file, in the reference's spelling; case is ignored."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dvidpy.errors import StoreError

MOST_INSTANCES = 0xFFFFFFFF
"""The largest number of an instance: it has four bytes in keys."""


class ConfigError(StoreError):
    """The configuration cannot be used; the message says which setting and why."""


class Section(BaseModel):
    """A section of the file; unknown settings are kept aside and warned of."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    paths: ClassVar[tuple[str, ...]] = ()
    """Settings that are paths, relative to the file."""
    idle: ClassVar[tuple[str, ...] | None] = ()
    """Settings without effect so far; None for the whole section."""

    @classmethod
    def names(cls) -> dict[str, str]:
        """Setting in lower case -> its name in the file."""
        found: list[str] = [field.alias or name for name, field in cls.model_fields.items()]
        return {name.lower(): name for name in found}


class ServerSettings(Section):
    """[server]"""

    paths = ("blockListFile", "pidFile", "webClient", "neuroglancer")
    idle = ("rpcAddress",)

    http_address: str = Field(default="127.0.0.1:8000", alias="httpAddress")
    rpc_address: str = Field(default="", alias="rpcAddress")
    host: str = ""
    note: str = ""
    cors_domains: tuple[str, ...] = Field(default=(), alias="corsDomains")
    allow_timing: bool = Field(default=False, alias="allowTiming")
    web_client: str = Field(default="", alias="webClient")
    """Folder of files that are served below /."""
    web_default_file: str = Field(default="", alias="webDefaultFile")
    web_redirect_path: str = Field(default="", alias="webRedirectPath")
    neuroglancer: str = ""
    """Folder of a built Neuroglancer; empty for where `dvidpy neuroglancer` puts it."""
    rwmode: Literal["", "readonly", "fullwrite"] = ""
    readonly: bool = False
    fullwrite: bool = False
    admin_token: str = Field(default="", alias="adminToken")
    block_list_file: str = Field(default="", alias="blockListFile")
    pid_file: str = Field(default="", alias="pidFile")
    shutdown_delay: int = Field(default=5, alias="shutdownDelay", ge=0)
    """Seconds that requests under way have at the end."""
    start_webhook: str = Field(default="", alias="startWebhook")
    start_janelia_config: str = Field(default="", alias="startJaneliaConfig")
    instance_id_gen: Literal["sequential", "random"] = "sequential"
    instance_id_start: int = Field(default=1, ge=0, le=MOST_INSTANCES)
    min_mutation_id_start: int = Field(default=0, ge=0, lt=1 << 62)
    no_labelmap_split: bool = Field(default=False, alias="noLabelmapSplit")
    allow_labelmap_split: bool = Field(default=False, alias="allowLabelmapSplit")
    interactive_ops_before_block: int = Field(default=0, alias="interactiveOpsBeforeBlock", ge=0)
    max_throttled_ops: int = Field(default=1, alias="maxThrottledOps", ge=1)
    max_request_bytes: int = Field(default=1 << 31, alias="maxRequestBytes", ge=1)
    """Largest body that is taken whole, and largest array an answer is built from, in bytes."""
    workers: int = Field(default=0, ge=0)
    """Threads for heavy work; 0 for as many as there are cores."""
    max_waiting: int = Field(default=256, alias="maxWaiting", ge=1)
    """Requests that may wait for such a thread; more are answered 503."""

    @field_validator("start_webhook", "start_janelia_config")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("is no http:// or https:// address")
        return value

    @property
    def labelmap_split(self) -> bool:
        """Whether supervoxels may be split by the route that older clients use."""
        return self.allow_labelmap_split and not self.no_labelmap_split


class AuthSettings(Section):
    """[auth]: whatever closes the server is refused until it is built, see `refusals`."""

    idle = ("auth_file", "dsg_address", "dsg_cache_ttl", "trusted_proxies", "dataset_map")

    enforce: str = ""
    enforce_internal: str = ""
    public_versions: tuple[str, ...] = ()
    proxy_address: str = ""
    auth_file: str = ""
    dsg_address: str = ""
    dsg_cache_ttl: int = 0
    trusted_proxies: tuple[str, ...] = ()
    dataset_map: dict[str, str] = {}
    no_enforce: bool = False


class EmailSettings(Section):
    """[email]"""

    idle = None

    notify: tuple[str, ...] = ()
    username: str = ""
    password: str = ""
    server: str = ""
    port: int = 0


class LoggingSettings(Section):
    """[logging]"""

    paths = ("logfile",)

    logfile: str = ""
    max_log_size: int = Field(default=100, ge=0)
    """Megabytes of a file before a new one is begun."""
    max_log_age: int = Field(default=0, ge=0)
    """Days after which old files are removed; 0 for never."""


class MutationSettings(Section):
    """[mutations]"""

    idle = ("httpstore",)

    jsonstore: str = ""
    """A filelog store, or a folder."""
    blobstore: str = ""
    httpstore: str = ""


class KafkaSettings(Section):
    """[kafka]"""

    idle = None

    topic_activity: str = Field(default="", alias="topicActivity")
    topic_prefix: str = Field(default="", alias="topicPrefix")
    topic_suffixes: tuple[str, ...] = Field(default=(), alias="topicSuffixes")
    buffer_size: int = Field(default=0, alias="bufferSize")
    servers: tuple[str, ...] = ()
    sec_protocol: str = Field(default="", alias="secProtocol")
    sasl_mechanisms: str = Field(default="", alias="saslMechanisms")
    sasl_username: str = Field(default="", alias="saslUsername")
    sasl_password: str = Field(default="", alias="saslPassword")


class GroupcacheSettings(Section):
    """[groupcache]"""

    idle = None

    gb: int = 0
    host: str = ""
    peers: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


class StoreSettings(Section):
    """[store.NAME]"""

    paths = ("path",)
    idle = (
        "inmemory",
        "ValueThreshold",
        "ValueLogFileSize",
        "BloomFilterBitsPerKey",
        "CacheSize",
        "WriteBufferSize",
        "MaxOpenFiles",
        "BlockSize",
    )

    engine: str
    path: str = ""
    read_only: bool = Field(default=False, alias="ReadOnly")
    inmemory: tuple[str, ...] = ()
    value_threshold: Any = Field(default=None, alias="ValueThreshold")
    value_log_file_size: Any = Field(default=None, alias="ValueLogFileSize")
    bloom_filter_bits: Any = Field(default=None, alias="BloomFilterBitsPerKey")
    cache_size: Any = Field(default=None, alias="CacheSize")
    write_buffer_size: Any = Field(default=None, alias="WriteBufferSize")
    max_open_files: Any = Field(default=None, alias="MaxOpenFiles")
    block_size: Any = Field(default=None, alias="BlockSize")


class BackendSettings(Section):
    """[backend.KEY]"""

    store: str
    log: str = ""


class CacheSettings(Section):
    """[cache.NAME]"""

    idle = None

    size: int = 0


class MutcacheSettings(Section):
    """[mutcache.NAME]"""

    idle = None
    paths = ("path",)

    path: str = ""


class MirrorSettings(Section):
    """[mirror.KEY]"""

    idle = None

    servers: tuple[str, ...] = ()


SINGLE: dict[str, type[Section]] = {
    "server": ServerSettings,
    "auth": AuthSettings,
    "email": EmailSettings,
    "logging": LoggingSettings,
    "mutations": MutationSettings,
    "kafka": KafkaSettings,
    "groupcache": GroupcacheSettings,
}
"""Sections that stand once."""
NAMED: dict[str, type[Section]] = {
    "store": StoreSettings,
    "backend": BackendSettings,
    "cache": CacheSettings,
    "mutcache": MutcacheSettings,
    "mirror": MirrorSettings,
}
"""Sections of which each has a name of its user's choice behind a dot."""
